//! Any text as a file of recognizers: an engine or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_detect::Options;
use lockgate_pipeline::recognizers::parse;

fuzz_target!(|text: &str| {
    // Of the built-in ones a single entity, so that compiling them is not all that happens.
    let options = Options { entities: lockgate_detect::Entity::parse("IMEI").into_iter().collect(), ..Options::default() };
    if let Ok(engine) = parse(text, "own.yaml", options) {
        engine.scan(text, &mut Vec::new());
    }
});
