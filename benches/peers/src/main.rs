//! `peers FILE BYTES`: how fast other engines find what is sensitive in the beginning of a file and
//! write it redacted, line by line on one thread, in CPU time. Prints a line for each: name, what
//! it found, MB/s.

use std::{env, fs, hint::black_box};

use redact_core::{AnalyzerEngine, AnonymizerConfig};

fn cpu_secs() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn measure(name: &str, text: &str, mut redact: impl FnMut(&str) -> usize) {
    for line in text.lines().take(200) {
        black_box(redact(line));
    }
    let mut best = f64::MAX;
    let mut found = 0;
    for _ in 0..3 {
        let begun = cpu_secs();
        found = text.lines().map(&mut redact).sum();
        best = best.min(cpu_secs() - begun);
    }
    println!("{name}\t{found}\t{}", text.len() as f64 / best / 1e6);
}

fn main() {
    let mut arguments = env::args().skip(1);
    let file = arguments.next().expect("a file");
    let bytes: usize = arguments.next().expect("a number of bytes").parse().expect("a number");
    let text = fs::read_to_string(file).expect("text");
    let end = text[..bytes.min(text.len())].rfind('\n').map_or(text.len(), |at| at + 1);
    let text = &text[..end];

    let engine = AnalyzerEngine::new();
    let config = AnonymizerConfig::default();
    measure("redact-core 0.12.7", text, |line| {
        let result = engine.anonymize(line, None, &config).expect("an answer");
        black_box(&result.text);
        result.entities.len()
    });
    let scanner = cloakrs_locales::default_registry().into_scanner_builder().build().expect("a scanner");
    measure("cloakrs 0.4.0", text, |line| {
        let result = scanner.scan(line).expect("an answer");
        black_box(&result.masked_text);
        result.findings.len()
    });
    let config = datafog_core::ScanAndTransformConfig::new(datafog_core::TransformationConfig::new(
        datafog_core::TransformationStrategy::Redact,
    ));
    measure("datafog-core 1.0.0", text, |line| {
        let result = datafog_core::scan_and_transform(line, &config).expect("an answer");
        black_box(&result.text);
        result.transformations.len()
    });
}
