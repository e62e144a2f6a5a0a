//! Reads JSON lines with `id` and `text`; writes what was found, offsets in Unicode code points.
//!
//! `cargo run --release -p lockgate-detect --example spans < texts.jsonl`

#![expect(clippy::indexing_slicing, reason = "an example for people")]

use std::io::{BufRead as _, Write as _, stdin, stdout};

use lockgate_detect::Engine;
use serde_json::{Value, json};

fn main() -> std::io::Result<()> {
    let engine = Engine::new();
    let mut findings = Vec::new();
    let mut out = stdout().lock();
    for line in stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line?)?;
        let text = line["text"].as_str().unwrap_or_default();
        findings.clear();
        engine.scan(text, &mut findings);
        let place = |end: usize| text.get(..end).map_or(0, |head| head.chars().count());
        let spans: Vec<Value> = findings
            .iter()
            .map(|f| json!({"type": f.entity.as_str(), "start": place(f.start), "end": place(f.end), "score": f.score, "recognizer": f.recognizer}))
            .collect();
        writeln!(out, "{}", json!({"id": line["id"], "spans": spans}))?;
    }
    Ok(())
}
