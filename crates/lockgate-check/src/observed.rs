//! What the code may touch beside what lineage says it touched.
//!
//! Lineage is OpenLineage run events, one JSON object a line
//! (<https://openlineage.io/docs/spec/object-model>): a dataset's namespace is its store, its name
//! the path in it. What arrives is hostile: size, lines and names are bounded.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
};

use lockgate_core::{Failure, Result};
use serde::{Deserialize, Serialize};

use crate::{
    facts::Facts,
    source::printable,
    storage::{self, Location},
};

/// Largest file of events.
const BYTES_MAX: u64 = 256 << 20;
const LINE_BYTES_MAX: usize = 4 << 20;
const LOCATIONS_MAX: usize = 100_000;

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    job: Option<Job>,
    #[serde(default)]
    inputs: Vec<Dataset>,
    #[serde(default)]
    outputs: Vec<Dataset>,
}

#[derive(Deserialize)]
struct Job {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Dataset {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

/// A location that a job touched.
#[derive(Clone, Debug)]
pub struct Touched {
    location: Location,
    access: &'static str,
    job: String,
}

/// What the two say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed {
    /// Somebody touched what the code does not name.
    NotInCode,
    /// The code names a part of it; the rest is known only when it runs.
    PerhapsInCode,
    Both,
    /// The code names it, and no event says that it was touched.
    NotSeen,
}

impl Observed {
    pub fn words(self) -> &'static str {
        match self {
            Self::NotInCode => "not in the code",
            Self::PerhapsInCode => "perhaps in the code",
            Self::Both => "as in the code",
            Self::NotSeen => "not seen",
        }
    }
}

/// One location with what both say.
#[derive(Debug, Serialize)]
pub struct Row {
    pub location: String,
    pub access: String,
    /// Where the code names it.
    pub code: Vec<String>,
    /// Which jobs touched it.
    pub jobs: Vec<String>,
    pub verdict: Observed,
}

/// Reads events.
pub fn read(path: &Path) -> Result<Vec<Touched>> {
    let file = File::open(path).map_err(|e| Failure::io("open", path, &e))?;
    let mut lines = BufReader::new(file.take(BYTES_MAX + 1));
    let mut out = Vec::new();
    let mut number = 0usize;
    let mut bytes = 0u64;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.read_until(b'\n', &mut line).map_err(|e| Failure::io("read", path, &e))?;
        if read == 0 {
            if out.is_empty() {
                return Err(Failure::input(format!("{} names no storage location", path.display()))
                    .hint("it needs OpenLineage events with `inputs` or `outputs`, one a line"));
            }
            return Ok(out);
        }
        number += 1;
        bytes += read as u64;
        let place = format!("{}:{number}", path.display());
        if bytes > BYTES_MAX || line.len() > LINE_BYTES_MAX || out.len() > LOCATIONS_MAX {
            return Err(Failure::input(format!("{place}: more than 256 MiB, 4 MiB on a line or 100,000 datasets"))
                .hint("split the file"));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let event: Event = serde_json::from_slice(&line).map_err(|_| {
            Failure::input(format!("{place}: it is not an OpenLineage event")).hint("write one JSON object a line")
        })?;
        let job = printable(&event.job.map(|job| job.name).unwrap_or_default());
        for (datasets, access) in [(&event.inputs, "read"), (&event.outputs, "write")] {
            for dataset in datasets {
                let url =
                    format!("{}/{}", dataset.namespace.trim_end_matches('/'), dataset.name.trim_start_matches('/'));
                if let Some(location) = storage::find(&url).pop() {
                    out.push(Touched { location, access, job: job.clone() });
                }
            }
        }
    }
}

/// Holds the code's locations against those that were touched, bucket by bucket.
pub fn compare(facts: &Facts, touched: &[Touched]) -> Vec<Row> {
    type Key = (String, String);
    let mut rows: BTreeMap<Key, (Vec<String>, Vec<String>)> = BTreeMap::new();
    let mut open: Vec<(String, String)> = Vec::new();
    for fact in facts.storage.iter().filter(|s| s.role == crate::source::Role::Source) {
        let place = format!("{}:{}", fact.file, fact.line);
        if fact.what.complete {
            let key = (bucket_uri(&fact.what.provider, &fact.what.bucket, &fact.what.account), String::new());
            push(&mut rows.entry(key).or_default().0, place);
        } else {
            open.push((fact.what.prefix.clone(), place));
        }
    }
    for t in touched {
        let uri = bucket_uri(t.location.provider, &t.location.bucket, &t.location.account);
        let key =
            rows.keys().find(|(known, _)| same_bucket(known, &uri)).cloned().unwrap_or((uri, t.access.to_owned()));
        push(&mut rows.entry(key).or_default().1, t.job.clone());
    }
    rows.into_iter()
        .map(|((location, access), (code, jobs))| {
            let perhaps: Vec<String> = open
                .iter()
                .filter(|(prefix, _)| location.starts_with(prefix.as_str()))
                .map(|(_, place)| place.clone())
                .take(4)
                .collect();
            let verdict = match (code.is_empty(), jobs.is_empty()) {
                (false, false) => Observed::Both,
                (false, true) => Observed::NotSeen,
                _ if perhaps.is_empty() => Observed::NotInCode,
                _ => Observed::PerhapsInCode,
            };
            let code = if code.is_empty() { perhaps } else { code };
            Row { location, access, code, jobs, verdict }
        })
        .collect()
}

fn push(list: &mut Vec<String>, item: String) {
    if list.len() < 8 && !list.contains(&item) {
        list.push(item);
    }
}

fn bucket_uri(provider: &str, bucket: &str, account: &str) -> String {
    let account = if account.is_empty() { String::new() } else { format!("@{account}") };
    format!("{provider}://{bucket}{account}")
}

/// A bucket that the code names without its provider is the same by name.
fn same_bucket(known: &str, uri: &str) -> bool {
    let name = |uri: &str| uri.split_once("://").map(|(_, name)| name.to_owned()).unwrap_or_default();
    let bare = |uri: &str| name(uri).split('@').next().unwrap_or_default().to_owned();
    known == uri
        || (known.starts_with("any://") || !known.contains('@'))
            && bare(known) == bare(uri)
            && (known.starts_with("any://") || known.split("://").next() == uri.split("://").next())
}
