//! CSV (RFC 4180) with a header row; quoted newlines, any delimiter, an empty field is null.

use std::{io::Read as _, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, StringBuilder},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use csv_core::{ReadRecordResult, ReaderBuilder};
use lockgate_core::{Digest, Failure, Result, limits};

use super::{Malformed, RowBatch, inflate::Text};

pub(crate) struct Reader {
    text: Text,
    parser: csv_core::Reader,
    input: Vec<u8>,
    at: usize,
    record: Vec<u8>,
    ends: Vec<usize>,
    header: Vec<String>,
    schema: SchemaRef,
    row: u64,
    end: bool,
}

/// The fields of the record that was read last.
struct Record {
    fields: usize,
    size: usize,
}

impl Reader {
    pub(crate) fn new(text: Text, delimiter: Option<char>) -> Result<Self> {
        let delimiter = match delimiter {
            None => b',',
            Some(c) if c.is_ascii() && c != '"' && c != '\n' => c as u8,
            Some(c) => return Err(Failure::input(format!("{c:?} cannot separate fields"))),
        };
        let mut reader = Self {
            text,
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            input: Vec::new(),
            at: 0,
            record: vec![0; 1 << 12],
            ends: vec![0; 64],
            header: Vec::new(),
            schema: Arc::new(Schema::empty()),
            row: 0,
            end: false,
        };
        let record = reader
            .read_record()?
            .ok_or_else(|| Failure::input("the file is empty").hint("a CSV source starts with a header row"))?;
        let names = reader.fields(&record).ok_or_else(|| reader.not_utf8())?;
        let mut header: Vec<String> = Vec::with_capacity(names.len());
        for (index, name) in names.into_iter().enumerate() {
            // A byte order mark belongs to the encoding, not to the first name.
            let name = if index == 0 { name.trim_start_matches('\u{feff}') } else { name };
            if name.is_empty() || header.iter().any(|known| known == name) {
                return Err(Failure::input(format!("the header's column {} has no name of its own", index + 1)));
            }
            header.push(name.to_owned());
        }
        reader.header = header;
        let fields: Vec<Field> = reader.header.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        reader.schema = Arc::new(Schema::new(fields));
        Ok(reader)
    }

    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    pub(crate) fn next_batch(&mut self) -> Result<Option<RowBatch>> {
        let mut builders: Vec<StringBuilder> = self.header.iter().map(|_| StringBuilder::new()).collect();
        let mut rows = Vec::with_capacity(limits::BATCH_ROWS);
        let mut malformed = Vec::new();
        let mut bytes = 0;
        while rows.len() + malformed.len() < limits::BATCH_ROWS && bytes < limits::BATCH_BYTES_MAX {
            let Some(record) = self.read_record()? else {
                break;
            };
            bytes += record.size;
            let row = self.row;
            self.row += 1;
            let text = std::str::from_utf8(self.record.get(..record.size).unwrap_or_default());
            let text = text.map_err(|_| self.not_utf8())?;
            if record.fields != self.header.len() {
                let fields = self.fields(&record).ok_or_else(|| self.not_utf8())?;
                malformed.push(Malformed { row, fields: fields.into_iter().map(str::to_owned).collect() });
                continue;
            }
            rows.push(row);
            let mut start = 0;
            for (builder, end) in builders.iter_mut().zip(&self.ends) {
                match text.get(start..*end) {
                    Some("") => builder.append_null(),
                    Some(value) => builder.append_value(value),
                    None => return Err(self.not_utf8()),
                }
                start = *end;
            }
        }
        if rows.is_empty() && malformed.is_empty() {
            return Ok(None);
        }
        let columns: Vec<ArrayRef> = builders.iter_mut().map(|b| Arc::new(b.finish()) as ArrayRef).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|_| Failure::bug("CSV columns do not form a batch"))?;
        Ok(Some(RowBatch { batch, rows, malformed }))
    }

    pub(crate) fn finish(self) -> Result<Digest> {
        self.text.finish()
    }

    fn fields(&self, record: &Record) -> Option<Vec<&str>> {
        let text = std::str::from_utf8(self.record.get(..record.size)?).ok()?;
        let mut start = 0;
        self.ends
            .iter()
            .take(record.fields)
            .map(|end| {
                let field = text.get(start..*end);
                start = *end;
                field
            })
            .collect()
    }

    fn not_utf8(&self) -> Failure {
        Failure::input(format!("line {}: not valid UTF-8", self.parser.line()))
            .hint("name the encoding, for example `encoding: windows-1252`")
    }

    fn read_record(&mut self) -> Result<Option<Record>> {
        let (mut size, mut fields, mut quotes) = (0, 0, 0);
        loop {
            if self.at == self.input.len() {
                self.input.resize(1 << 16, 0);
                let read = self
                    .text
                    .read(&mut self.input)
                    .map_err(|e| Failure::input(format!("line {}: {e}", self.parser.line())))?;
                self.input.truncate(read);
                self.at = 0;
                self.end = read == 0;
            }
            let (result, used, written, ended) = self.parser.read_record(
                self.input.get(self.at..).unwrap_or_default(),
                self.record.get_mut(size..).unwrap_or_default(),
                self.ends.get_mut(fields..).unwrap_or_default(),
            );
            let taken = self.input.get(self.at..self.at + used).unwrap_or_default();
            quotes += memchr::memchr_iter(b'"', taken).count();
            self.at += used;
            size += written;
            fields += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    if self.record.len() >= limits::RECORD_BYTES_MAX {
                        return Err(Failure::input(format!(
                            "line {}: a record is larger than 1 MiB",
                            self.parser.line()
                        ))
                        .hint("an opening quote without its end does this, and so does a file that is not CSV"));
                    }
                    self.record.resize(self.record.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    if self.ends.len() > limits::COLUMNS_MAX * 2 {
                        return Err(Failure::input(format!("line {}: more than 2,000 fields", self.parser.line())));
                    }
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                // A quote that nothing closes takes all that follows into one field, where values of
                // other columns would be read as this one's.
                ReadRecordResult::Record if self.end && quotes % 2 == 1 => {
                    return Err(Failure::input("the file ends inside a quoted field")
                        .hint("look for a quotation mark without its end; nothing was committed"));
                }
                ReadRecordResult::Record => return Ok(Some(Record { fields, size })),
                ReadRecordResult::End => return Ok(None),
            }
        }
    }
}
