//! Any text: findings stand on characters, in order and apart, and redacting leaves nothing.
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
    if let Some(clean) = ENGINE.clean(text, Context::default(), &mut findings) {
        assert_eq!(ENGINE.clean(&clean, Context::default(), &mut findings), None, "{clean}");
    }
});
