//! From bytes to rows: batches of text columns with row numbers, for CSV, JSON Lines and Parquet.

mod csv;
pub(crate) mod inflate;
mod jsonl;
mod table;

pub(crate) use table::describe;

use arrow::array::RecordBatch;
use lockgate_core::{Digest, Failure, Result};

use crate::{Authenticated, Content, Format, SourceSpec, Trust};

/// A record that is not a row of the table, with what could be read of it.
#[derive(Debug)]
pub struct Malformed {
    pub row: u64,
    /// The raw fields; sensitive.
    pub fields: Vec<String>,
}

/// Some rows of a source. Rows are numbered from 0 over the whole source.
#[derive(Debug)]
pub struct RowBatch {
    pub batch: RecordBatch,
    /// The row number of each row of `batch`.
    pub rows: Vec<u64>,
    pub malformed: Vec<Malformed>,
}

/// Reads the rows of one authenticated content.
pub struct Rows {
    reader: Reader,
    expected: Digest,
    uri: String,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it a source")]
enum Reader {
    Csv(csv::Reader),
    Jsonl(jsonl::Reader),
    Parquet(table::Reader),
}

impl Rows {
    /// `columns` are the contract's column names; a format without a header takes them from it.
    pub fn open(content: &Content, record: &Authenticated, spec: &SourceSpec, columns: &[String]) -> Result<Self> {
        let place = |failure: Failure| failure.at(&record.uri);
        let format = spec.format.map_or_else(|| guess(&record.uri), Ok)?;
        let text = || inflate::open(content, spec.encoding.as_deref());
        let reader = match format {
            Format::Csv => Reader::Csv(csv::Reader::new(text()?, spec.delimiter).map_err(place)?),
            Format::Jsonl => Reader::Jsonl(jsonl::Reader::new(text()?, columns)),
            Format::Parquet => Reader::Parquet(table::Reader::new(content).map_err(place)?),
        };
        Ok(Self { reader, expected: record.digest, uri: record.uri.clone() })
    }

    /// The rows of a content that nobody vouches for; whoever looks at them commits nothing.
    /// JSON Lines have the columns that some line has.
    pub fn look(content: &Content, uri: &str, format: Format, delimiter: Option<char>) -> Result<Self> {
        let columns = match format {
            Format::Jsonl => jsonl::Reader::keys(inflate::open(content, None)?).map_err(|failure| failure.at(uri))?,
            Format::Csv | Format::Parquet => Vec::new(),
        };
        if format == Format::Jsonl && columns.is_empty() {
            return Err(Failure::input(format!("{uri} has no column")));
        }
        Self::look_for(content, uri, format, delimiter, &columns)
    }

    /// The same, of JSON Lines with known columns.
    pub(crate) fn look_for(
        content: &Content,
        uri: &str,
        format: Format,
        delimiter: Option<char>,
        columns: &[String],
    ) -> Result<Self> {
        let format = Some(format);
        let spec = SourceSpec {
            uri: uri.to_owned(),
            format,
            trust: Trust::Unauthenticated,
            encoding: None,
            delimiter,
            tls: None,
            hint: None,
        };
        let record = Authenticated {
            uri: uri.to_owned(),
            digest: Digest::of(b""),
            size_bytes: content.size_bytes(),
            trust: "unauthenticated".into(),
            publisher_key: None,
            signature: None,
        };
        Self::open(content, &record, &spec, columns)
    }

    /// The names of the source's columns.
    pub fn header(&self) -> &[String] {
        match &self.reader {
            Reader::Csv(reader) => reader.header(),
            Reader::Jsonl(reader) => reader.header(),
            Reader::Parquet(reader) => reader.header(),
        }
    }

    /// The next batch, or `None` at the end.
    pub fn next_batch(&mut self) -> Result<Option<RowBatch>> {
        match &mut self.reader {
            Reader::Csv(reader) => reader.next_batch(),
            Reader::Jsonl(reader) => reader.next_batch(),
            Reader::Parquet(reader) => reader.next_batch(),
        }
        .map_err(|failure| failure.at(&self.uri))
    }

    /// Demands that the bytes that were read are the bytes that were authenticated.
    pub fn finish(self) -> Result<()> {
        let digest = match self.reader {
            Reader::Csv(reader) => reader.finish()?,
            Reader::Jsonl(reader) => reader.finish()?,
            Reader::Parquet(reader) => reader.finish()?,
        };
        if digest == self.expected {
            return Ok(());
        }
        Err(Failure::integrity(format!("source {} changed while it was read; nothing was committed", self.uri))
            .hint("run again when nobody writes to it"))
    }
}

fn guess(uri: &str) -> Result<Format> {
    let name = uri.split(['?', '#']).next().unwrap_or(uri).to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    match name.rsplit('.').next() {
        Some("csv") => Ok(Format::Csv),
        Some("jsonl" | "ndjson") => Ok(Format::Jsonl),
        Some("parquet") => Ok(Format::Parquet),
        _ => Err(Failure::input(format!("the format of {uri} is not clear from its name"))
            .hint("add `format: csv`, `jsonl` or `parquet` to the source")),
    }
}

#[cfg(test)]
mod tests;
