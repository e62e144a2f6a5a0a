//! Any text: what lists and the address assembler find stands on characters, in order and apart.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lockgate_detect::{Holds, Names as _};
use lockgate_names::Finder;

static FINDER: LazyLock<Finder> = LazyLock::new(Finder::lists);

fuzz_target!(|text: &str| {
    let mut findings = Vec::new();
    FINDER.find(text, Holds::Text, &mut findings);
    let mut end = 0;
    for finding in &findings {
        assert!(finding.start >= end && finding.end > finding.start, "{findings:?}");
        assert!(text.get(finding.start..finding.end).is_some(), "{findings:?}");
        end = finding.end;
    }
    let values: Vec<&str> = text.lines().collect();
    let holds = FINDER.column(values.first().unwrap_or(&""), &values);
    for value in values {
        findings.clear();
        FINDER.find(value, holds, &mut findings);
    }
});
