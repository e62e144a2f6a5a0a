//! `lockgate scan`: findings in text, one JSON object a line.

use std::io::{BufRead, BufReader, stdin};

use lockgate_core::{Failure, Result};
use lockgate_detect::Engine;
use serde::Deserialize;
use serde_json::json;

use crate::{cli::ScanArgs, output};

/// A line of the input; anything else is scanned as plain text.
#[derive(Deserialize)]
struct Line {
    id: serde_json::Value,
    text: String,
}

pub fn scan(args: &ScanArgs) -> Result<()> {
    let engine = Engine::new();
    if args.files.is_empty() {
        return scan_lines(&engine, stdin().lock(), "standard input");
    }
    for path in &args.files {
        let file = std::fs::File::open(path).map_err(|e| Failure::io("open", path, &e))?;
        scan_lines(&engine, BufReader::new(file), &path.display().to_string())?;
    }
    Ok(())
}

fn scan_lines(engine: &Engine, reader: impl BufRead, place: &str) -> Result<()> {
    let mut findings = Vec::new();
    for (number, text) in (1u64..).zip(reader.lines()) {
        let text = text.map_err(|e| Failure::input(format!("{place}:{number}: {e}")))?;
        let (id, text) = match serde_json::from_str::<Line>(&text) {
            Ok(line) => (line.id, line.text),
            Err(_) => (number.into(), text),
        };
        findings.clear();
        engine.scan(&text, &mut findings);
        // Offsets in the output count code points; the engine counts bytes.
        let count = |end: usize| text.get(..end).map_or(0, |head| head.chars().count());
        let spans: Vec<_> = findings
            .iter()
            .map(|f| json!({"type": f.entity.as_str(), "start": count(f.start), "end": count(f.end), "score": f.score}))
            .collect();
        output::line(&json!({"id": id, "spans": spans}).to_string());
    }
    Ok(())
}
