//! Scans a file line by line and writes it redacted: how fast is that?
//!
//! `cargo run --release -p lockgate-detect --example throughput FILE [ROUNDS]`

#![expect(clippy::print_stdout, reason = "an example for people")]

use std::time::Instant;

use lockgate_detect::Engine;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let text = std::fs::read_to_string(args.next().unwrap_or_default())?;
    let rounds = args.next().and_then(|n| n.parse().ok()).unwrap_or(3);
    let begun = Instant::now();
    let engine = Engine::new();
    let built = begun.elapsed();
    for _ in 0..rounds {
        let begun = Instant::now();
        let (mut findings, mut out, mut count) = (Vec::new(), String::with_capacity(text.len()), 0);
        for line in text.split_inclusive('\n') {
            findings.clear();
            engine.scan(line, &mut findings);
            let mut copied = 0;
            for finding in &findings {
                out.push_str(line.get(copied..finding.start).unwrap_or_default());
                out.push('<');
                out.push_str(finding.entity.as_str());
                out.push('>');
                copied = finding.end;
            }
            out.push_str(line.get(copied..).unwrap_or_default());
            count += findings.len();
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{count} findings, {:.0} MB/s, built in {built:?}, {} bytes out",
            text.len() as f64 / seconds / 1e6,
            out.len()
        );
    }
    Ok(())
}
