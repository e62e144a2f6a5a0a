//! Survey: which sensitive values files hold, by column and entity, in constant memory on all
//! cores. It reads only, needs no workspace, and tells of no value more than its shape.

mod json;

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

use arrow::{
    array::{AsArray as _, RecordBatch},
    compute::cast,
    datatypes::DataType,
};
use lockgate_core::{Failure, Result};
use lockgate_detect::{Context, Engine, Entity, Finding};
use lockgate_source::{Content, Format, Rows};
use serde::Serialize;

use self::json::Walk;
use crate::{Progress, kind::Kind, names, pieces::Pieces};

/// Text that one worker takes at once.
const BLOCK_BYTES: usize = 512 << 10;
/// Places that are kept of each group.
const PLACES_MAX: usize = 20;
const SHAPES_MAX: usize = 3;
/// A longer name of a column is rather data.
const COLUMN_CHARS_MAX: usize = 80;
/// Values of a JSON document that a worker takes at once.
const VALUES_MAX: usize = 20_000;
const FILES_MAX: usize = 100_000;
const DEPTH_MAX: usize = 64;
/// A JSON document that is one value.
const DOCUMENT_BYTES_MAX: u64 = 256 << 20;

/// What is looked at, and how much of it.
#[derive(Debug)]
pub struct Options {
    pub engine: Engine,
    /// Rows or lines of each file; all when absent.
    pub rows_max: Option<u64>,
    pub threads: usize,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Survey {
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
    /// Links, pipes and devices in folders.
    pub left_out: u64,
    pub groups: Vec<Group>,
    /// Files that could not be read, and why.
    pub unread: Vec<(String, String)>,
}

/// One entity in one column of one file.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    pub file: String,
    /// A column or a path in JSON; absent in plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    pub entity: String,
    pub count: u64,
    /// The mean score.
    pub confidence: f32,
    /// The share of the column's values that hold it; absent in plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f32>,
    /// The first values with every letter an x and every digit a 9.
    pub shapes: Vec<String>,
    /// The first lines or rows, from 1.
    pub places: Vec<u64>,
    pub recognizers: Vec<String>,
}

/// A column of a file, or all of its text.
#[derive(Debug)]
struct Column {
    file: usize,
    name: Option<String>,
    context: Context,
}

/// What a worker takes.
enum Work {
    Batch(Vec<Arc<Column>>, RecordBatch, Vec<u64>),
    Lines(Arc<Column>, String, u64),
    Values(Vec<(Arc<Column>, u64, String)>),
}

#[derive(Default)]
struct Tally {
    count: u64,
    values: u64,
    score: f64,
    shapes: Vec<(u64, String)>,
    places: Vec<u64>,
    recognizers: Vec<&'static str>,
}

type Key = (usize, Option<String>, Entity);

#[derive(Default)]
struct Tallies {
    found: BTreeMap<Key, Tally>,
    seen: BTreeMap<(usize, String), u64>,
}

/// Surveys files and folders.
pub fn survey(paths: &[PathBuf], options: &Options, progress: &dyn Progress) -> Result<Survey> {
    let (mut files, mut left_out) = (Vec::new(), 0);
    for path in paths {
        collect(path, &mut files, &mut left_out, 0)?;
    }
    files.dedup();
    let (sender, receiver) = sync_channel::<Work>(options.threads.max(1) * 2);
    // Only the workers hold the other end: when none is left, sending fails instead of waiting.
    let receiver = Arc::new(Mutex::new(receiver));
    let mut survey = Survey { files: files.len() as u64, left_out, ..Survey::default() };
    let tallies = thread::scope(|scope| {
        let workers: Vec<_> = (0..options.threads.max(1))
            .map(|_| {
                let receiver = Arc::clone(&receiver);
                scope.spawn(move || work(&receiver, &options.engine))
            })
            .collect();
        drop(receiver);
        for (index, file) in files.iter().enumerate() {
            progress.stage("scan", &file.display().to_string());
            let mut reader = Reader { options, file: index, rows: 0, send: &mut |work| sender.send(work).is_ok() };
            match reader.read(file) {
                Ok(()) => survey.bytes += fs::metadata(file).map_or(0, |meta| meta.len()),
                Err(failure) => survey.unread.push((file.display().to_string(), failure.to_string())),
            }
            survey.rows += reader.rows;
            progress.rows(survey.rows);
        }
        drop(sender);
        let mut all = Tallies::default();
        for worker in workers {
            all.merge(worker.join().map_err(|_| Failure::bug("a scanning thread panicked"))?);
        }
        Ok::<_, Failure>(all)
    })?;
    names::check(&options.engine)?;
    survey.groups = tallies.groups(&files);
    Ok(survey)
}

/// The files below a path, sorted. Links, pipes and devices are left out, and counted.
fn collect(path: &Path, files: &mut Vec<PathBuf>, left_out: &mut u64, depth: usize) -> Result<()> {
    let kind = fs::metadata(path).map_err(|e| Failure::io("open", path, &e))?;
    if kind.is_dir() {
        if depth > DEPTH_MAX {
            return Err(Failure::input(format!("{} lies deeper than {DEPTH_MAX} folders", path.display())));
        }
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).map_err(|e| Failure::io("read", path, &e))? {
            let entry = entry.map_err(|e| Failure::io("read", path, &e))?;
            let kind = entry.file_type().map_err(|e| Failure::io("read", path, &e))?;
            if kind.is_dir() || kind.is_file() {
                inside.push(entry.path());
            } else {
                *left_out += 1;
            }
        }
        inside.sort();
        for path in inside {
            collect(&path, files, left_out, depth + 1)?;
        }
    } else if depth == 0 || kind.is_file() {
        files.push(path.to_owned());
    }
    if files.len() > FILES_MAX {
        return Err(Failure::input(format!("there are more than {FILES_MAX} files")).hint("scan folder by folder"));
    }
    Ok(())
}

/// Reads one file into work.
struct Reader<'r> {
    options: &'r Options,
    file: usize,
    rows: u64,
    send: &'r mut dyn FnMut(Work) -> bool,
}

impl Reader<'_> {
    fn read(&mut self, path: &Path) -> Result<()> {
        let content = Content::file(path)?;
        match Kind::of(path, &content) {
            Kind::Parquet => self.table(path, &content, Format::Parquet, None),
            Kind::Csv(delimiter) => self.table(path, &content, Format::Csv, Some(delimiter)),
            Kind::JsonLines => self.json_lines(&content),
            Kind::Json => self.json(&content),
            Kind::Code | Kind::Binary => self.lines(&content, Context::default().without_names()),
            Kind::Text => self.lines(&content, Context::default()),
        }
    }

    fn full(&self) -> bool {
        self.options.rows_max.is_some_and(|max| self.rows >= max)
    }

    fn column(&self, name: Option<&str>) -> Arc<Column> {
        self.column_in(name, name.unwrap_or_default())
    }

    /// A column that goes by one name and is about what another tells.
    fn column_in(&self, name: Option<&str>, about: &str) -> Arc<Column> {
        self.column_of(name, self.options.engine.column(about, &[]))
    }

    fn column_of(&self, name: Option<&str>, context: Context) -> Arc<Column> {
        // A header may be data, too, as where a file has none.
        let printable = |name: &str| {
            let mut findings = Vec::new();
            let odd = |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
            let short = name.chars().count() <= COLUMN_CHARS_MAX && name.chars().any(char::is_alphabetic);
            if short && !name.contains(odd) {
                self.options.engine.scan_in(name, Context::default().without_names(), &mut findings);
            }
            short && !name.contains(odd) && findings.is_empty()
        };
        let name = name.map(|name| if printable(name) { name.to_owned() } else { "(unprintable)".to_owned() });
        Arc::new(Column { file: self.file, name, context })
    }

    fn table(&mut self, path: &Path, content: &Content, format: Format, delimiter: Option<char>) -> Result<()> {
        let mut rows = Rows::look(content, &path.display().to_string(), format, delimiter)?;
        let mut columns: Vec<Arc<Column>> = Vec::new();
        // A file without a header has its first row there.
        let header = self.column_of(Some("header"), Context::default().without_names());
        let names = rows.header().iter().map(|name| (Arc::clone(&header), 0, name.clone())).collect();
        (self.send)(Work::Values(names));
        while let Some(batch) = rows.next_batch()? {
            self.rows += (batch.rows.len() + batch.malformed.len()) as u64;
            let beyond = self.options.rows_max.map_or(0, |max| self.rows.saturating_sub(max)) as usize;
            self.rows -= beyond as u64;
            let kept = batch.batch.slice(0, batch.batch.num_rows().saturating_sub(beyond));
            if columns.is_empty() {
                columns = self.columns(rows.header(), &kept);
            }
            let broken = batch.malformed.into_iter().flat_map(|m| {
                let row = m.row + 1;
                m.fields.into_iter().map(move |field| (row, field))
            });
            let whole = self.column(None);
            let broken: Vec<_> = broken.map(|(row, field)| (Arc::clone(&whole), row, field)).collect();
            if !(self.send)(Work::Batch(columns.clone(), kept, batch.rows)) || !(self.send)(Work::Values(broken)) {
                return Err(Failure::bug("the scanning threads ended early"));
            }
            if self.full() {
                break;
            }
        }
        Ok(())
    }

    /// The columns of a table, by their names and their first values.
    fn columns(&self, header: &[String], first: &RecordBatch) -> Vec<Arc<Column>> {
        let named = header.iter().zip(first.columns());
        named
            .map(|(name, array)| {
                let sample = array.slice(0, array.len().min(lockgate_detect::SAMPLE_VALUES));
                let texts = cast(&sample, &DataType::Utf8).ok();
                let texts = texts.as_ref().and_then(|texts| texts.as_string_opt::<i32>());
                let values: Vec<&str> = texts.into_iter().flatten().flatten().collect();
                self.column_of(Some(name), self.options.engine.column(name, &values))
            })
            .collect()
    }

    fn lines(&mut self, content: &Content, context: Context) -> Result<()> {
        let column = self.column_of(None, context);
        let mut pieces = Pieces::open(content)?;
        loop {
            let (mut block, first) = (Vec::with_capacity(BLOCK_BYTES), self.rows + 1);
            while block.len() < BLOCK_BYTES && !self.full() && pieces.next(&mut block)? {
                self.rows += 1;
            }
            if block.is_empty() {
                return Ok(());
            }
            let text = String::from_utf8(block).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
            if !(self.send)(Work::Lines(Arc::clone(&column), text, first)) {
                return Err(Failure::bug("the scanning threads ended early"));
            }
        }
    }

    fn json_lines(&mut self, content: &Content) -> Result<()> {
        let mut pieces = Pieces::open(content)?;
        let (mut columns, mut line) = (BTreeMap::new(), Vec::new());
        let (mut values, mut bytes) = (Vec::new(), 0);
        while !self.full() {
            line.clear();
            if !pieces.next(&mut line)? {
                break;
            }
            self.rows += 1;
            bytes += line.len();
            let text = String::from_utf8_lossy(&line);
            let mut walk = Walk { reader: self, columns: &mut columns, values: &mut values };
            // What is no JSON is text.
            if !walk.read(&text) {
                values.push((self.column(None), self.rows, text.into_owned()));
            }
            if bytes > BLOCK_BYTES {
                bytes = 0;
                if !(self.send)(Work::Values(std::mem::take(&mut values))) {
                    return Err(Failure::bug("the scanning threads ended early"));
                }
            }
        }
        (self.send)(Work::Values(values));
        Ok(())
    }

    fn json(&mut self, content: &Content) -> Result<()> {
        let mut text = Vec::new();
        content
            .text(None)?
            .take(DOCUMENT_BYTES_MAX + 1)
            .read_to_end(&mut text)
            .map_err(|e| Failure::input(format!("it cannot be read: {e}")))?;
        if text.len() as u64 > DOCUMENT_BYTES_MAX {
            return Err(Failure::input("the JSON document is larger than 256 MiB").hint("write it as JSON Lines"));
        }
        let (mut columns, mut values) = (BTreeMap::new(), Vec::new());
        self.rows += 1;
        let mut walk = Walk { reader: self, columns: &mut columns, values: &mut values };
        if !walk.read(&String::from_utf8_lossy(&text)) {
            self.rows -= 1;
            return self.lines(content, Context::default());
        }
        (self.send)(Work::Values(values));
        Ok(())
    }
}

fn work(receiver: &Mutex<Receiver<Work>>, engine: &Engine) -> Tallies {
    let mut tallies = Tallies::default();
    let mut findings = Vec::new();
    loop {
        let next = receiver.lock().map(|receiver| receiver.recv());
        let Ok(Ok(work)) = next else { return tallies };
        match work {
            Work::Lines(column, text, first) => {
                engine.prepare(column.context, &text.lines().collect::<Vec<_>>());
                for (line, text) in (first..).zip(text.lines()) {
                    tallies.look(engine, &column, line, text, &mut findings);
                }
            }
            Work::Values(values) => {
                let texts = values.iter().filter(|(column, ..)| column.context.reads_names());
                engine.prepare(Context::default(), &texts.map(|(_, _, text)| text.as_str()).collect::<Vec<_>>());
                for (column, row, text) in values {
                    tallies.look(engine, &column, row, &text, &mut findings);
                }
            }
            Work::Batch(columns, batch, rows) => {
                for (column, array) in columns.iter().zip(batch.columns()) {
                    let Ok(texts) = cast(array, &DataType::Utf8) else { continue };
                    let Some(texts) = texts.as_string_opt::<i32>() else { continue };
                    engine.prepare(column.context, &texts.iter().flatten().collect::<Vec<_>>());
                    for (row, text) in rows.iter().zip(texts).filter_map(|(row, text)| text.map(|text| (row, text))) {
                        tallies.look(engine, column, row + 1, text, &mut findings);
                    }
                }
            }
        }
    }
}

impl Tallies {
    fn look(&mut self, engine: &Engine, column: &Column, row: u64, text: &str, findings: &mut Vec<Finding>) {
        if let Some(name) = &column.name {
            match self.seen.get_mut(&(column.file, name.clone())) {
                Some(seen) => *seen += 1,
                None => drop(self.seen.insert((column.file, name.clone()), 1)),
            }
        }
        findings.clear();
        engine.scan_in(text, column.context, findings);
        let mut counted: Option<Entity> = None;
        for finding in findings.iter() {
            let tally = self.found.entry((column.file, column.name.clone(), finding.entity)).or_default();
            tally.count += 1;
            tally.values += u64::from(counted != Some(finding.entity));
            counted = Some(finding.entity);
            tally.score += f64::from(finding.score);
            if tally.places.len() < PLACES_MAX && tally.places.last() != Some(&row) {
                tally.places.push(row);
            }
            if !tally.recognizers.contains(&finding.recognizer) {
                tally.recognizers.push(finding.recognizer);
            }
            if tally.shapes.len() < SHAPES_MAX {
                let shape = shape(text.get(finding.start..finding.end).unwrap_or_default());
                if !tally.shapes.iter().any(|(_, known)| *known == shape) {
                    tally.shapes.push((row, shape));
                }
            }
        }
    }

    fn merge(&mut self, other: Self) {
        for (key, theirs) in other.found {
            let mine = self.found.entry(key).or_default();
            mine.count += theirs.count;
            mine.values += theirs.values;
            mine.score += theirs.score;
            mine.places.extend(theirs.places);
            mine.places.sort_unstable();
            mine.places.dedup();
            mine.places.truncate(PLACES_MAX);
            mine.shapes.extend(theirs.shapes);
            for recognizer in theirs.recognizers {
                if !mine.recognizers.contains(&recognizer) {
                    mine.recognizers.push(recognizer);
                }
            }
        }
        for (key, seen) in other.seen {
            *self.seen.entry(key).or_default() += seen;
        }
    }

    fn groups(self, files: &[PathBuf]) -> Vec<Group> {
        let Self { found, seen } = self;
        found
            .into_iter()
            .map(|((file, column, entity), mut tally)| {
                tally.shapes.sort();
                let mut shapes: Vec<String> = Vec::new();
                for (_, shape) in tally.shapes {
                    if !shapes.contains(&shape) && shapes.len() < SHAPES_MAX {
                        shapes.push(shape);
                    }
                }
                tally.recognizers.sort_unstable();
                let values = column.as_ref().and_then(|name| seen.get(&(file, name.clone()))).copied();
                Group {
                    file: files.get(file).map(|path| path.display().to_string()).unwrap_or_default(),
                    column,
                    entity: entity.to_string(),
                    count: tally.count,
                    confidence: (tally.score / tally.count.max(1) as f64) as f32,
                    share: values.map(|values| tally.values as f32 / values.max(1) as f32),
                    shapes,
                    places: tally.places,
                    recognizers: tally.recognizers.into_iter().map(str::to_owned).collect(),
                }
            })
            .collect()
    }
}

/// A value with every letter an x and every digit a 9; at most 40 characters.
fn shape(value: &str) -> String {
    value
        .chars()
        .take(40)
        .map(|c| match c {
            c if c.is_alphabetic() => 'x',
            c if c.is_numeric() => '9',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}
