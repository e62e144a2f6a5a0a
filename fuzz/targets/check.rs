//! Any texts as files of any kind that `lockgate check` reads: the first line names the first of
//! them, a line `--- path` begins another, as in the corpus.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_check::{Options, read, source::Tree};

const FILES_MAX: usize = 8;

fuzz_target!(|text: &str| {
    let (first, rest) = text.split_once('\n').unwrap_or(("a.py", text));
    let mut files = vec![(first, String::new())];
    for line in rest.split_inclusive('\n') {
        let begins = line.strip_prefix("--- ").filter(|_| files.len() < FILES_MAX);
        if let Some(path) = begins {
            files.push((path.trim(), String::new()));
        } else if let Some((_, text)) = files.last_mut() {
            text.push_str(line);
        }
    }
    if files.iter().any(|(path, _)| path.len() > 100) {
        return;
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let tree = Tree::of(&files);
    let read = read(&tree, &Options { threads: 1, key: None, watch: Vec::new() }).expect("a tree is read");
    // A reader that fails is caught, so that others go on; here it counts.
    assert!(read.facts.problems.iter().all(|p| !p.what.contains("a bug of Lockgate")));
});
