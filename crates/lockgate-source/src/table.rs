//! A file as a table with types, for whoever measures it: Parquet with the types it has, CSV and
//! JSON Lines with those that all of their values have.
//!
//! A part of a table can be read by itself, so that several threads share a file. Nothing here
//! is authenticated: whoever looks at it commits nothing.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch},
    compute::{CastOptions, cast_with_options, kernels::cast_utils::Parser as _},
    datatypes::{DataType, Date32Type, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType},
    util::display::FormatOptions,
};
use lockgate_core::{Failure, Result, limits};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
        },
    },
    file::metadata::ParquetMetaData,
};

use crate::{Content, Format, Rows, rows::describe};

/// Rows of one batch: enough to spread what a batch costs by itself.
const BATCH_ROWS: usize = 32_768;
/// Text that takes fewer bytes a value than this in the file stands there once with keys to it.
const DICTIONARY_BYTES_A_VALUE: i64 = 4;

/// A file with columns.
#[derive(Clone, Debug)]
pub struct Table {
    content: Content,
    uri: String,
    kind: Kind,
    schema: SchemaRef,
}

#[derive(Clone, Debug)]
enum Kind {
    Parquet(ArrowReaderMetadata),
    Text { format: Format, delimiter: Option<char>, rows: u64 },
}

/// What dates and times in a text file are read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dates {
    Parsed,
    /// As they are written, as pandas leaves them.
    Text,
}

/// A run of rows of a table.
#[derive(Clone, Debug)]
pub struct Part {
    groups: Option<Vec<usize>>,
    /// The number of its first row in the table.
    pub first_row: u64,
    pub rows: u64,
}

/// Batches of one part, in the table's order.
pub struct Batches {
    inner: Inner,
    uri: String,
    row: u64,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it a part")]
enum Inner {
    Parquet(ParquetRecordBatchReader),
    Text { rows: Rows, schema: SchemaRef },
}

impl Table {
    /// Opens a local file; its name tells the format.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, Dates::Parsed)
    }

    /// The same, with dates of text files as asked.
    pub fn open_with(path: &Path, dates: Dates) -> Result<Self> {
        let uri = path.display().to_string();
        let content = Content::file(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit('.').next() {
            Some("parquet") => Self::parquet(content, uri),
            Some("csv") => Self::text(content, uri, Format::Csv, None, dates),
            Some("tsv") => Self::text(content, uri, Format::Csv, Some('\t'), dates),
            Some("jsonl" | "ndjson") => Self::text(content, uri, Format::Jsonl, None, dates),
            _ => Err(Failure::input(format!("the format of {uri} is not clear from its name"))
                .hint("name it .parquet, .csv, .tsv or .jsonl; .gz and .zst may follow")),
        }
    }

    fn parquet(content: Content, uri: String) -> Result<Self> {
        let broken = |error: parquet::errors::ParquetError| describe(&error).at(&uri);
        let plain = ArrowReaderMetadata::load(&content, ArrowReaderOptions::new()).map_err(broken)?;
        let fields: Vec<Field> =
            plain.schema().fields().iter().enumerate().map(|(i, f)| with_keys(f, i, plain.metadata())).collect();
        let schema = Arc::new(Schema::new(fields));
        let options = ArrowReaderOptions::new().with_schema(Arc::clone(&schema));
        let metadata = ArrowReaderMetadata::load(&content, options).unwrap_or(plain);
        let schema = Arc::clone(metadata.schema());
        unambiguous(&schema).map_err(|failure| failure.at(&uri))?;
        Ok(Self { content, uri, kind: Kind::Parquet(metadata), schema })
    }

    fn text(content: Content, uri: String, format: Format, delimiter: Option<char>, dates: Dates) -> Result<Self> {
        let mut rows = Rows::look(&content, &uri, format, delimiter)?;
        let mut guesses: Vec<Guess> = Vec::new();
        let mut names: Vec<String> = rows.header().to_vec();
        let mut count = 0;
        while let Some(batch) = rows.next_batch()? {
            if let Some(malformed) = batch.malformed.first() {
                return Err(Failure::input(format!(
                    "{uri}: record {} does not have the header's fields",
                    malformed.row + 1
                ))
                .hint("mend it, or ingest the file: such records go to the quarantine"));
            }
            count += batch.batch.num_rows() as u64;
            // JSON Lines may show a column late.
            names = rows.header().to_vec();
            guesses.resize(names.len(), Guess::default());
            for (guess, column) in guesses.iter_mut().zip(batch.batch.columns()) {
                if let Some(texts) = column.as_string_opt::<i32>() {
                    texts.iter().flatten().for_each(|text| guess.see(text));
                }
            }
        }
        guesses.resize(names.len(), Guess::default());
        if dates == Dates::Text {
            guesses.iter_mut().for_each(|guess| (guess.day, guess.time) = (false, false));
        }
        let fields: Vec<Field> =
            names.iter().zip(guesses).map(|(name, guess)| Field::new(name, guess.data_type(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { content, uri, kind: Kind::Text { format, delimiter, rows: count }, schema })
    }

    fn names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub fn uri(&self) -> &str {
        &self.uri
    }

    pub fn rows(&self) -> u64 {
        match &self.kind {
            // The groups are what is read; the footer's own number is only a claim.
            Kind::Parquet(metadata) => metadata
                .metadata()
                .row_groups()
                .iter()
                .fold(0u64, |sum, group| sum.saturating_add(group.num_rows().max(0) as u64)),
            Kind::Text { rows, .. } => *rows,
        }
    }

    /// Whether a part, or some columns, can be read without the rest.
    pub fn is_divisible(&self) -> bool {
        matches!(self.kind, Kind::Parquet(_))
    }

    pub fn size_bytes(&self) -> u64 {
        self.content.size_bytes()
    }

    /// At most `most` runs of rows that are the table together, about equally long.
    pub fn parts(&self, most: usize) -> Vec<Part> {
        let whole = Part { groups: None, first_row: 0, rows: self.rows() };
        let Kind::Parquet(metadata) = &self.kind else { return vec![whole] };
        let sizes: Vec<u64> = metadata.metadata().row_groups().iter().map(|g| g.num_rows().max(0) as u64).collect();
        let wanted = self.rows().div_ceil(most.max(1) as u64).max(1);
        let mut parts: Vec<Part> = Vec::new();
        let mut row = 0;
        for (group, size) in sizes.into_iter().enumerate() {
            let full = parts.len() >= most;
            match parts.last_mut() {
                Some(part) if part.rows + size / 2 < wanted || full => {
                    part.groups.get_or_insert_default().push(group);
                    part.rows = part.rows.saturating_add(size);
                }
                _ => parts.push(Part { groups: Some(vec![group]), first_row: row, rows: size }),
            }
            row = row.saturating_add(size);
        }
        if parts.is_empty() { vec![whole] } else { parts }
    }

    /// Reads a part; `columns` limits what is read, where the format allows it.
    pub fn read(&self, part: &Part, columns: Option<&[String]>) -> Result<Batches> {
        let inner = match &self.kind {
            Kind::Parquet(metadata) => {
                let broken = |error: parquet::errors::ParquetError| describe(&error).at(&self.uri);
                let mut builder =
                    ParquetRecordBatchReaderBuilder::new_with_metadata(self.content.clone(), metadata.clone())
                        .with_batch_size(BATCH_ROWS);
                if let Some(groups) = &part.groups {
                    builder = builder.with_row_groups(groups.clone());
                }
                if let Some(columns) = columns {
                    let roots = columns.iter().filter_map(|name| self.schema.index_of(name).ok());
                    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
                    builder = builder.with_projection(mask);
                }
                Inner::Parquet(builder.build().map_err(broken)?)
            }
            Kind::Text { format, delimiter, .. } => Inner::Text {
                rows: Rows::look_for(&self.content, &self.uri, *format, *delimiter, &self.names())?,
                schema: Arc::clone(&self.schema),
            },
        };
        Ok(Batches { inner, uri: self.uri.clone(), row: part.first_row })
    }
}

impl Batches {
    /// The next batch and the number of its first row, or `None` at the end.
    pub fn next_batch(&mut self) -> Result<Option<(RecordBatch, u64)>> {
        let batch = match &mut self.inner {
            Inner::Parquet(reader) => {
                reader.next().transpose().map_err(|_| Failure::input("the Parquet data is damaged").at(&self.uri))?
            }
            Inner::Text { rows, schema } => match rows.next_batch()? {
                None => None,
                Some(batch) => Some(typed(&batch.batch, schema).map_err(|failure| failure.at(&self.uri))?),
            },
        };
        Ok(batch.map(|batch| {
            let first = self.row;
            self.row += batch.num_rows() as u64;
            (batch, first)
        }))
    }
}

fn unambiguous(schema: &Schema) -> Result<()> {
    if schema.fields().len() > limits::COLUMNS_MAX {
        return Err(Failure::input(format!("there are more than {} columns", limits::COLUMNS_MAX)));
    }
    for (index, field) in schema.fields().iter().enumerate() {
        if schema.fields().iter().take(index).any(|earlier| earlier.name() == field.name()) {
            return Err(Failure::input(format!("column {:?} stands twice", field.name())));
        }
    }
    Ok(())
}

/// Reads text by keys where the file is much smaller for having each value once.
fn with_keys(field: &Field, column: usize, metadata: &ParquetMetaData) -> Field {
    let is_text = matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8);
    let flat = metadata.file_metadata().schema_descr().num_columns()
        == metadata.file_metadata().schema_descr().root_schema().get_fields().len();
    let small = metadata.row_groups().iter().all(|group| {
        group.columns().get(column).is_some_and(|chunk| {
            chunk.uncompressed_size() < chunk.num_values().saturating_mul(DICTIONARY_BYTES_A_VALUE)
        })
    });
    if is_text && flat && small {
        let keyed = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        return field.clone().with_data_type(keyed);
    }
    field.clone()
}

/// Which types all texts of a column could have.
#[derive(Clone, Copy, Debug)]
struct Guess {
    seen: bool,
    integer: bool,
    number: bool,
    boolean: bool,
    day: bool,
    time: bool,
}

impl Default for Guess {
    fn default() -> Self {
        Self { seen: false, integer: true, number: true, boolean: true, day: true, time: true }
    }
}

impl Guess {
    fn see(&mut self, text: &str) {
        self.seen = true;
        // A number with a zero in front is a code, such as a postal one.
        let digits = text.strip_prefix('-').unwrap_or(text);
        // One with a plus in front is a telephone number.
        let code = text.starts_with('+') || (digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."));
        self.integer = self.integer && !code && text.parse::<i64>().is_ok();
        self.number = self.number && (self.integer || (!code && is_number(text)));
        self.boolean = self.boolean && matches!(text, "true" | "false" | "True" | "False" | "TRUE" | "FALSE");
        let dated = text.len() >= 10 && text.as_bytes().get(4) == Some(&b'-');
        self.day = self.day && text.len() == 10 && dated && Date32Type::parse(text).is_some();
        self.time = self.time && dated && TimestampMicrosecondType::parse(text).is_some();
    }

    fn data_type(self) -> DataType {
        match self {
            Self { seen: false, .. } => DataType::Utf8,
            Self { integer: true, .. } => DataType::Int64,
            Self { number: true, .. } => DataType::Float64,
            Self { boolean: true, .. } => DataType::Boolean,
            Self { day: true, .. } => DataType::Date32,
            Self { time: true, .. } => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => DataType::Utf8,
        }
    }
}

/// A number as data has it: no words such as "nan" and "infinity".
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) && text.parse::<f64>().is_ok()
}

fn typed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = CastOptions { safe: false, format_options: FormatOptions::default() };
    let columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| match batch.columns().get(index) {
            None => Ok(arrow::array::new_null_array(field.data_type(), batch.num_rows())),
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => cast_with_options(column, field.data_type(), &options)
                .map_err(|_| Failure::input(format!("column {:?} changed while it was read", field.name()))),
        })
        .collect::<Result<_>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|_| Failure::bug("typed columns do not form a batch"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(text: &str) -> Vec<DataType> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, text).unwrap();
        let table = Table::open(&path).unwrap();
        let mut batches = table.read(&table.parts(2)[0], None).unwrap();
        let mut rows = 0;
        while let Some((batch, first)) = batches.next_batch().unwrap() {
            assert_eq!(first, rows);
            rows += batch.num_rows() as u64;
        }
        assert_eq!(rows, table.rows());
        table.schema().fields().iter().map(|field| field.data_type().clone()).collect()
    }

    #[test]
    fn types_are_what_all_values_have() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let expected = [
            DataType::Int64,
            DataType::Float64,
            DataType::Boolean,
            DataType::Date32,
            micros,
            DataType::Utf8,
            DataType::Utf8,
        ];
        let text = "a,b,c,d,e,f,g\n1,1,true,2024-01-02,2024-01-02T10:00:00Z,007,\n-2,1.5e3,false,2023-12-31,2024-01-02 10:00:00,12,\n";
        assert_eq!(types(text), expected);
        assert_eq!(types("a\nnan\n1\n"), [DataType::Utf8]);
        assert_eq!(types("a\n"), [DataType::Utf8]);
    }
}
