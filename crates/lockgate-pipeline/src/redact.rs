//! Redact: writes a file again with `<ENTITY>` in place of every sensitive value.

use std::{io::Write, path::Path};

use arrow::{
    array::{Array as _, ArrayRef, AsArray as _},
    compute::cast,
    datatypes::DataType,
};
use lockgate_core::{Failure, Result};
use lockgate_detect::{Context, Engine, Finding};
use lockgate_source::{Content, Format, Rows};

use crate::{
    json_text::{self, Part, Token},
    kind::Kind,
    names,
    pieces::Pieces,
};

/// Texts that are worked on together, in bytes and at most so many.
const BLOCK_BYTES: usize = 256 << 10;
const BLOCK_LINES: usize = 2_000;

/// Writes `path` to `out` without its sensitive values; returns how many there were. CSV stays CSV
/// and JSON Lines stay JSON Lines; everything else is text.
pub fn redact(path: &Path, engine: &Engine, out: &mut dyn Write) -> Result<u64> {
    let content = Content::file(path)?;
    let mut redactor = Redactor { engine, findings: Vec::new(), count: 0 };
    match Kind::of(path, &content) {
        Kind::Csv(delimiter) => redactor.table(path, &content, delimiter, out)?,
        Kind::JsonLines => redactor.json_lines(&content, out)?,
        Kind::Parquet | Kind::Json => {
            return Err(Failure::input(format!("{} cannot be redacted as a file", path.display()))
                .hint("ingest it with a contract, or write it as CSV or JSON Lines"));
        }
        Kind::Code | Kind::Binary => redactor.lines(&content, Context::default().without_names(), out)?,
        Kind::Text => redactor.lines(&content, Context::default(), out)?,
    }
    names::check(engine)?;
    Ok(redactor.count)
}

struct Redactor<'r> {
    engine: &'r Engine,
    findings: Vec<Finding>,
    count: u64,
}

fn failed(error: &std::io::Error) -> Failure {
    Failure::unreachable(format!("the output cannot be written: {error}"))
}

impl Redactor<'_> {
    /// The text without its sensitive values; `None` when it has none.
    fn clean(&mut self, text: &str, context: Context) -> Option<String> {
        let clean = self.engine.clean(text, context, &mut self.findings);
        self.count += self.findings.len() as u64;
        clean
    }

    fn lines(&mut self, content: &Content, context: Context, out: &mut dyn Write) -> Result<()> {
        let mut key_goes_on = false;
        each_block(content, |block| {
            let lines: Vec<&str> = block.iter().map(String::as_str).collect();
            self.engine.prepare(context, &lines);
            for line in lines {
                // A private key goes on over lines; without an end it takes the rest with it.
                if key_goes_on {
                    key_goes_on = !line.contains("-----END");
                    continue;
                }
                let clean = self.clean(line, context);
                let begins = self.findings.iter().any(|f| f.entity.as_str() == "PRIVATE_KEY");
                key_goes_on = begins && !line.contains("-----END");
                out.write_all(clean.as_deref().unwrap_or(line).as_bytes()).map_err(|e| failed(&e))?;
            }
            Ok(())
        })
    }

    fn json_lines(&mut self, content: &Content, out: &mut dyn Write) -> Result<()> {
        each_block(content, |block| {
            let read: Vec<Vec<Token>> = block.iter().map(|line| json_text::tokens(line)).collect();
            let texts = block.iter().zip(&read).flat_map(|(line, tokens)| {
                let whole = tokens.is_empty().then_some(line.as_str());
                whole.into_iter().chain(tokens.iter().map(|token| token.text.as_str()))
            });
            self.engine.prepare(Context::default(), &texts.collect::<Vec<_>>());
            for (line, tokens) in block.iter().zip(read) {
                let clean =
                    if tokens.is_empty() { self.clean(line, Context::default()) } else { self.json(line, tokens) };
                out.write_all(clean.as_deref().unwrap_or(line).as_bytes()).map_err(|e| failed(&e))?;
            }
            Ok(())
        })
    }

    /// A JSON text with its strings and numbers cleaned where they stand.
    fn json(&mut self, line: &str, tokens: Vec<Token>) -> Option<String> {
        let (mut out, mut copied) = (String::new(), 0);
        // What the keys above tell of, and what the last key adds to it.
        let (mut above, mut context) = (Vec::new(), Context::default());
        for token in tokens {
            let own = match token.kind {
                Part::Open => {
                    above.push(context);
                    continue;
                }
                Part::Close => {
                    context = above.pop().unwrap_or_default();
                    continue;
                }
                // Keys that become equal would be lost.
                Part::Key => Context::default().without_names(),
                Part::Text | Part::Number => context,
            };
            let clean = self.clean(&token.text, own);
            if token.kind == Part::Key {
                context = above.last().copied().unwrap_or_default().and(self.engine.column(&token.text, &[]));
            }
            if let Some(clean) = clean {
                out.push_str(line.get(copied..token.place.start).unwrap_or_default());
                out.push_str(&serde_json::Value::String(clean).to_string());
                copied = token.place.end;
            }
        }
        if copied == 0 {
            return None;
        }
        out.push_str(line.get(copied..).unwrap_or_default());
        Some(out)
    }

    fn table(&mut self, path: &Path, content: &Content, delimiter: char, out: &mut dyn Write) -> Result<()> {
        let mut rows = Rows::look(content, &path.display().to_string(), Format::Csv, Some(delimiter))?;
        let mut contexts: Vec<Context> = Vec::new();
        // A file without a header has its first row there.
        let names: Vec<String> = rows.header().to_vec();
        let header: Vec<String> = names
            .iter()
            .map(|name| self.clean(name, Context::default().without_names()).unwrap_or_else(|| name.clone()))
            .collect();
        let header: Vec<Option<&str>> = header.iter().map(|name| Some(name.as_str())).collect();
        write_record(&header, delimiter, out)?;
        while let Some(batch) = rows.next_batch()? {
            if let Some(malformed) = batch.malformed.first() {
                return Err(Failure::input(format!(
                    "row {} of {} has another number of fields than the header",
                    malformed.row + 1,
                    path.display()
                ))
                .hint("mend the file; a row that cannot be read cannot be redacted"));
            }
            let columns: Vec<_> =
                batch.batch.columns().iter().filter_map(|array| cast(array, &DataType::Utf8).ok()).collect();
            let texts = |column: &ArrayRef, rows: usize| -> Vec<String> {
                let texts = column.as_string_opt::<i32>();
                texts.into_iter().flatten().flatten().take(rows).map(str::to_owned).collect()
            };
            if contexts.is_empty() {
                contexts = names
                    .iter()
                    .zip(&columns)
                    .map(|(name, column)| {
                        let values = texts(column, lockgate_detect::SAMPLE_VALUES);
                        self.engine.column(name, &values.iter().map(String::as_str).collect::<Vec<_>>())
                    })
                    .collect();
            }
            for row in 0..batch.batch.num_rows() {
                if self.engine.finds_names() && row % BLOCK_LINES == 0 {
                    for (column, context) in columns.iter().zip(&contexts) {
                        let block = column.slice(row, BLOCK_LINES.min(column.len() - row));
                        let values = texts(&block, BLOCK_LINES);
                        self.engine.prepare(*context, &values.iter().map(String::as_str).collect::<Vec<_>>());
                    }
                }
                let mut fields = Vec::with_capacity(columns.len());
                for (column, context) in columns.iter().zip(&contexts) {
                    let text =
                        column.as_string_opt::<i32>().filter(|texts| !texts.is_null(row)).map(|texts| texts.value(row));
                    fields.push(text.map(|text| self.clean(text, *context).unwrap_or_else(|| text.to_owned())));
                }
                let fields: Vec<Option<&str>> = fields.iter().map(Option::as_deref).collect();
                write_record(&fields, delimiter, out)?;
            }
        }
        Ok(())
    }
}

/// Gives the lines of a text with their ends, in pieces of bounded length and blocks of pieces.
fn each_block(content: &Content, mut each: impl FnMut(&[String]) -> Result<()>) -> Result<()> {
    let mut pieces = Pieces::open(content)?;
    let (mut block, mut bytes, mut line) = (Vec::new(), 0, Vec::new());
    loop {
        let more = pieces.next(&mut line)?;
        if more {
            bytes += line.len();
            block.push(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
        if bytes >= BLOCK_BYTES || block.len() >= BLOCK_LINES || !more {
            each(&block)?;
            block.clear();
            bytes = 0;
        }
        if !more {
            return Ok(());
        }
    }
}

/// One record of RFC 4180.
fn write_record(fields: &[Option<&str>], delimiter: char, out: &mut dyn Write) -> Result<()> {
    let mut line = String::new();
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            line.push(delimiter);
        }
        let field = field.unwrap_or_default();
        // A line with nothing in it is no record to most readers.
        let lonely = field.is_empty() && fields.len() == 1;
        if lonely || field.contains([delimiter, '"', '\n', '\r']) {
            line.push('"');
            line.push_str(&field.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(field);
        }
    }
    line.push('\n');
    out.write_all(line.as_bytes()).map_err(|e| failed(&e))
}
