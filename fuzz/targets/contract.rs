//! Any text, read as a data contract.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_quality::Contract;

fuzz_target!(|text: &str| {
    let _ = Contract::parse(text, "contract.yaml");
});
