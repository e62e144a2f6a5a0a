//! Any text, given to every check as a value.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| lockgate_detect::ask_every_check(text));
