//! Answers JSON lines with `id` and `text` with what is found: `spans [FOLDER]`, where FOLDER holds
//! the network; without it the lists alone answer.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "an example for people")]

use std::{io::BufRead as _, sync::Arc};

use lockgate_detect::{Context, Engine};
use lockgate_names::Finder;

fn main() {
    let finder = match std::env::args().nth(1) {
        Some(folder) => Finder::open(folder.as_ref()).expect("the network"),
        None => Finder::lists(),
    };
    let engine = Engine::new().with_names(Arc::new(finder));
    let lines: Vec<serde_json::Value> =
        std::io::stdin().lock().lines().map(|line| serde_json::from_str(&line.expect("text")).expect("JSON")).collect();
    let texts: Vec<&str> = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    engine.prepare(Context::default(), &texts);
    let mut findings = Vec::new();
    for (line, text) in lines.iter().zip(texts) {
        findings.clear();
        engine.scan(text, &mut findings);
        let count = |end: usize| text[..end].chars().count();
        let spans: Vec<_> = findings
            .iter()
            .map(|f| serde_json::json!({"type": f.entity.as_str(), "start": count(f.start), "end": count(f.end), "score": f.score}))
            .collect();
        println!("{}", serde_json::json!({"id": line["id"], "spans": spans}));
    }
}
