//! Any text: findings stand on characters, in order and apart, and redacting comes to an end.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lockgate_detect::{Context, Engine};

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::new);

fuzz_target!(|text: &str| {
    let mut findings = Vec::new();
    ENGINE.scan(text, &mut findings);
    let mut end = 0;
    for finding in &findings {
        assert!(finding.start >= end && finding.end > finding.start, "{findings:?}");
        assert!(text.get(finding.start..finding.end).is_some(), "{findings:?}");
        end = finding.end;
    }
    // Among nothing but digits each redaction may uncover another number; it ends.
    let mut text = text.to_owned();
    for _ in 0..64 {
        match ENGINE.clean(&text, Context::default(), &mut findings) {
            Some(clean) => text = clean,
            None => return,
        }
    }
    panic!("redacting does not end: {text}");
});
