//! Any text as a file of any kind that `lockgate check` reads: the first line names it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_check::{Options, read, source::Tree};

fuzz_target!(|text: &str| {
    let (path, text) = text.split_once('\n').unwrap_or(("a.py", text));
    if path.len() > 100 {
        return;
    }
    let tree = Tree::of(&[(path, text)]);
    let read = read(&tree, &Options { threads: 1, key: None, watch: Vec::new() }).expect("a tree is read");
    // A reader that fails is caught, so that others go on; here it counts.
    assert!(read.facts.problems.iter().all(|p| !p.what.contains("a bug of Lockgate")));
});
