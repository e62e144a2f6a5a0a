//! `lockgate scan`: sensitive values in files, folders and standard input.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead as _, BufReader, BufWriter, Read, Write as _, stdin},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use lockgate_core::{Failure, Result, limits, nearest};
use lockgate_detect::{Context, Engine, Entity, Finding, Options, known};
use lockgate_pipeline::{
    recognizers,
    redact::redact,
    survey::{self, Group, Survey, survey},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    cli::{Format, Global, ScanArgs},
    environment, output,
};

/// What `--fail-on` takes beside entities.
const CLASSES: [&str; 3] = ["any", "secret", "personal"];
/// Languages of the countries that recognizers belong to: where they are official or most spoken.
const LANGUAGES: [(&str, &[&str]); 19] = [
    ("en", &["us", "gb", "ie", "ca", "au", "in", "sg", "ng", "za", "ph"]),
    ("de", &["de", "at", "ch", "be"]),
    ("fr", &["fr", "be", "ch", "ca"]),
    ("it", &["it", "ch"]),
    ("es", &["es", "mx", "us"]),
    ("pt", &["pt", "br"]),
    ("nl", &["nl", "be"]),
    ("sv", &["se", "fi"]),
    ("fi", &["fi"]),
    ("pl", &["pl"]),
    ("tr", &["tr"]),
    ("zh", &["cn", "sg"]),
    ("ja", &["jp"]),
    ("ko", &["kr"]),
    ("th", &["th"]),
    ("hi", &["in"]),
    ("ga", &["ie"]),
    ("ta", &["in", "sg"]),
    ("af", &["za"]),
];
/// Lines that are worked on together.
const BLOCK_LINES: usize = 512;
const BLOCK_BYTES: usize = 256 << 10;

/// A line of labelled text: its answer has the same `id`.
#[derive(Deserialize)]
struct Line {
    id: Value,
    text: String,
}

pub fn scan(global: &Global, args: &ScanArgs) -> Result<()> {
    if args.list {
        return list(global);
    }
    let engine = super::names::add(global, args.names, engine(args)?)?;
    for name in args.fail_on.iter().filter(|name| !CLASSES.contains(&name.as_str()) && engine.entity(name).is_none()) {
        entity(name)?;
    }
    let looked_for = |name: &str| engine.looks_for(name);
    if let Some(name) = args.fail_on.iter().find(|name| !CLASSES.contains(&name.as_str()) && !looked_for(name)) {
        return Err(Failure::usage(format!("--fail-on {name}, but {name} is not looked for"))
            .hint("see --entities, --countries, --language and --names"));
    }
    if args.redact {
        return write_redacted(global, args, &engine);
    }
    let [] = args.files.as_slice() else {
        // A build that must fail is to see every field, not only the labelled text.
        if args.fail_on.is_empty() && args.files.iter().all(|path| is_labelled(path)) {
            return labelled_files(args, &engine);
        }
        if args.explain {
            return Err(Failure::usage("--explain is for JSON lines with `id` and `text`, and for standard input"));
        }
        let options = survey::Options { engine, rows_max: args.sample, threads: environment::threads() };
        let progress = output::Terminal::new(global);
        let found = survey(&args.files, &options, &progress)?;
        progress.finish();
        return report(global, args, &found);
    };
    labelled(&engine, stdin(), "standard input", args)
}

fn list(global: &Global) -> Result<()> {
    let known: Vec<Value> = known()
        .iter()
        .map(|k| {
            json!({
                "entity": k.entity.as_str(), "recognizer": k.name, "country": k.country, "about": k.about,
                "needsContext": k.needs_context, "secondTier": k.second_tier, "secret": k.secret,
            })
        })
        .collect();
    let header = ["entity", "recognizer", "country", "found", "what it is"];
    output::rows(global, &header, &known, |row| {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let is = |key: &str| row.get(key) == Some(&json!(true));
        let found = match (is("secondTier"), is("needsContext")) {
            (true, _) => "in its sentence",
            (_, true) => "with a telling word",
            _ => "alone",
        };
        vec![text("entity"), text("recognizer"), text("country"), found.to_owned(), text("about")]
    })
}

fn engine(args: &ScanArgs) -> Result<Engine> {
    let mut options = Options::default();
    for name in &args.entities {
        options.entities.push(entity(name)?);
    }
    let countries: BTreeSet<&str> = known().iter().filter_map(|k| k.country).collect();
    for country in &args.countries {
        let country = country.to_ascii_lowercase();
        if !countries.contains(country.as_str()) {
            let all: Vec<&str> = countries.into_iter().collect();
            return Err(Failure::usage(format!("nothing belongs to country {country:?}"))
                .hint(format!("known are {}", all.join(", "))));
        }
        options.countries.push(country);
    }
    for language in &args.language {
        let spoken = LANGUAGES.iter().find(|(code, _)| *code == language.to_ascii_lowercase());
        let Some((_, countries)) = spoken else {
            let all: Vec<&str> = LANGUAGES.iter().map(|(code, _)| *code).collect();
            return Err(Failure::usage(format!("nothing belongs to countries of language {language:?}"))
                .hint(format!("known are {}", all.join(", "))));
        };
        options.countries.extend(countries.iter().map(|country| (*country).to_owned()));
    }
    if let Some(score) = args.min_score {
        if !(0.0..=1.0).contains(&score) {
            return Err(Failure::usage("--min-score lies between 0 and 1"));
        }
        options.threshold = score;
    }
    recognizers::engine(args.recognizers.as_deref(), options)
}

fn entity(name: &str) -> Result<Entity> {
    Entity::parse(name).ok_or_else(|| {
        let all = Entity::all();
        let near = nearest(name, all.iter().map(|e| e.as_str()));
        Failure::usage(format!("unknown entity {name:?}"))
            .hint(format!("did you mean {}?", near.unwrap_or("EMAIL_ADDRESS")))
    })
}

/// JSON lines of which the first has `id` and `text`, and nothing that would make it a record of another kind.
fn is_labelled(path: &Path) -> bool {
    let named = path.extension().is_some_and(|e| e == "jsonl" || e == "ndjson");
    let first = || {
        let mut line = String::new();
        let file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))?;
        let mut reader = BufReader::new(std::io::Read::take(file, 1 << 20));
        reader.read_line(&mut line).ok()?;
        serde_json::from_str::<Line>(&line).ok()
    };
    named && first().is_some()
}

fn labelled_files(args: &ScanArgs, engine: &Engine) -> Result<()> {
    for path in &args.files {
        let file = File::open(path).map_err(|e| Failure::io("open", path, &e))?;
        labelled(engine, file, &path.display().to_string(), args)?;
    }
    Ok(())
}

/// One JSON object a line: `id` (or the line's number) and the spans, offsets in code points.
fn labelled(engine: &Engine, reader: impl Read, place: &str, args: &ScanArgs) -> Result<()> {
    let mut findings = Vec::new();
    let mut failing = BTreeSet::new();
    let mut reader = BufReader::with_capacity(BLOCK_BYTES, reader);
    let (mut number, mut ended) = (0u64, false);
    while !ended {
        let mut block: Vec<Line> = Vec::new();
        // What is there already is worked on together; nobody who types waits for a block.
        while block.is_empty() || (block.len() < BLOCK_LINES && reader.buffer().contains(&b'\n')) {
            let mut line = Vec::new();
            let read = (&mut reader).take(limits::RECORD_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line);
            read.map_err(|e| Failure::input(format!("{place}:{}: {e}", number + 1)))?;
            if line.is_empty() {
                ended = true;
                break;
            }
            number += 1;
            if line.len() > limits::RECORD_BYTES_MAX {
                return Err(Failure::input(format!("{place}:{number}: the line is longer than 1 MiB"))
                    .hint("long lines are scanned in pieces where the file has no `id` and `text`"));
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\n', '\r']);
            block
                .push(serde_json::from_str(text).unwrap_or_else(|_| Line { id: number.into(), text: text.to_owned() }));
        }
        engine.prepare(Context::default(), &block.iter().map(|line| line.text.as_str()).collect::<Vec<_>>());
        for Line { id, text } in &block {
            findings.clear();
            engine.scan(text, &mut findings);
            let places = in_code_points(text, &findings);
            let spans: Vec<Value> = findings
                .iter()
                .zip(places)
                .map(|(finding, place)| span(engine, text, finding, place, args.explain))
                .collect();
            output::line(&json!({"id": id, "spans": spans}).to_string());
            failing.extend(findings.iter().map(|f| f.entity.as_str()).filter(|name| fails(args, name)));
        }
        lockgate_pipeline::names::check(engine)?;
    }
    verdict(&failing)
}

/// Where findings begin and end in code points; the engine counts bytes.
fn in_code_points(text: &str, findings: &[Finding]) -> Vec<(usize, usize)> {
    let (mut at, mut count) = (0, 0);
    let mut to = |end: usize| {
        count += text.get(at..end).map_or(0, |part| part.chars().count());
        at = end;
        count
    };
    findings.iter().map(|finding| (to(finding.start), to(finding.end))).collect()
}

fn span(engine: &Engine, text: &str, finding: &Finding, place: (usize, usize), explain: bool) -> Value {
    let mut span = json!({
        "type": finding.entity.as_str(),
        "start": place.0,
        "end": place.1,
        "score": rounded(finding.score),
    });
    if explain
        && let Some(why) = engine.explain(text, finding)
        && let Some(map) = span.as_object_mut()
    {
        let context = why.context.map(|(word, added)| json!({"word": word, "added": rounded(added)}));
        map.insert(
            "why".into(),
            json!({
                "recognizer": why.recognizer, "about": why.about, "patterns": why.patterns,
                "confirmed": why.confirmed, "base": rounded(why.base), "context": context,
            }),
        );
    }
    span
}

/// A score as people write it: 0.85, not 0.8500000238.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 10_000.0).round() / 10_000.0
}

fn fails(args: &ScanArgs, entity: &str) -> bool {
    args.fail_on.iter().any(|name| match name.as_str() {
        "any" => true,
        "secret" => is_secret(entity),
        "personal" => !is_secret(entity),
        name => name == entity,
    })
}

/// Keys, tokens and passwords; everything else is personal, a team's own entities among it.
fn is_secret(entity: &str) -> bool {
    static SECRETS: LazyLock<BTreeSet<&str>> =
        LazyLock::new(|| known().iter().filter(|k| k.secret).map(|k| k.entity.as_str()).collect());
    SECRETS.contains(entity)
}

fn verdict(failing: &BTreeSet<&str>) -> Result<()> {
    if failing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = failing.iter().copied().collect();
    Err(Failure::findings(format!("found {}", names.join(", "))))
}

fn report(global: &Global, args: &ScanArgs, found: &Survey) -> Result<()> {
    match global.format {
        Format::Json | Format::Github | Format::Gitlab | Format::Junit => output::json(global, found)?,
        Format::Jsonl => found.groups.iter().try_for_each(|group| output::json(global, group))?,
        Format::Sarif => output::json(global, &sarif(found))?,
        Format::Table => {
            let cells = |group: &Group| {
                let share = group.share.map(|share| format!("{:.0} %", share * 100.0)).unwrap_or_default();
                vec![
                    group.file.clone(),
                    group.column.clone().unwrap_or_default(),
                    group.entity.clone(),
                    group.count.to_string(),
                    share,
                    format!("{:.2}", group.confidence),
                    group.shapes.join("  "),
                    group.places.first().map(ToString::to_string).unwrap_or_default(),
                ]
            };
            let header = ["file", "column", "entity", "count", "of values", "confidence", "looks like", "first"];
            if !found.groups.is_empty() {
                output::rows(global, &header, &found.groups, cells)?;
            }
            let total: u64 = found.groups.iter().map(|group| group.count).sum();
            let size = found.bytes as f64 / 1e6;
            if found.left_out > 0 {
                output::say(global, &format!("{} links, pipes and devices were left out", found.left_out));
            }
            output::say(
                global,
                &format!("{total} findings in {} rows of {} files, {size:.1} MB", found.rows, found.files),
            );
        }
    }
    for (file, why) in &found.unread {
        output::warn(global, &format!("{file} was not scanned: {why}"));
    }
    let failing: BTreeSet<&str> =
        found.groups.iter().map(|group| group.entity.as_str()).filter(|name| fails(args, name)).collect();
    verdict(&failing)?;
    // A scan that could not see everything has not found nothing.
    match found.unread.first() {
        Some((file, why)) => {
            Err(Failure::input(format!("{} files were not scanned; the first is {file}: {why}", found.unread.len())))
        }
        None => Ok(()),
    }
}

/// SARIF 2.1.0 (OASIS): one result for each of the places that were kept.
fn sarif(found: &Survey) -> Value {
    let rules: BTreeSet<&str> = found.groups.iter().map(|group| group.entity.as_str()).collect();
    let results: Vec<Value> = found
        .groups
        .iter()
        .flat_map(|group| {
            let column = group.column.as_ref().map(|name| format!(" in column {name:?}")).unwrap_or_default();
            let text = format!("{}{column}: {} found, confidence {:.2}", group.entity, group.count, group.confidence);
            group.places.iter().map(move |line| {
                json!({
                    "ruleId": group.entity,
                    "level": "warning",
                    "message": {"text": text},
                    "locations": [{"physicalLocation": {
                        "artifactLocation": {"uri": group.file},
                        "region": {"startLine": line},
                    }}],
                })
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "lockgate scan",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(),
            }},
            "results": results,
        }],
    })
}

fn write_redacted(global: &Global, args: &ScanArgs, engine: &Engine) -> Result<()> {
    let ([input], Some(target)) = (args.files.as_slice(), &args.output) else {
        return Err(
            Failure::usage("--redact takes one file and --output").hint("lockgate scan --redact data.csv -o clean.csv")
        );
    };
    let same = |a: &Path, b: &Path| a.canonicalize().ok().is_some_and(|a| b.canonicalize().ok() == Some(a));
    if same(input, target) {
        return Err(Failure::usage("the output is the input").hint("name another file; nothing was written"));
    }
    if fs::symlink_metadata(target).is_ok_and(|meta| !meta.is_file()) {
        return Err(Failure::usage(format!("{} is there and is not a regular file", target.display())));
    }
    let folder =
        target.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    let file = tempfile::NamedTempFile::new_in(&folder).map_err(|e| Failure::io("write in", &folder, &e))?;
    let mut writer = BufWriter::new(file);
    let count = redact(input, engine, &mut writer)?;
    writer.flush().map_err(|e| Failure::io("write", target, &e))?;
    let file = writer.into_inner().map_err(|e| Failure::io("write", target, e.error()))?;
    file.persist(target).map_err(|e| Failure::io("write", target, &e.error))?;
    output::say(global, &format!("{count} values redacted in {}", target.display()));
    Ok(())
}
