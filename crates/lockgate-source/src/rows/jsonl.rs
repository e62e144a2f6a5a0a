//! JSON Lines: one object a line. Numbers and booleans become their text, nested values their
//! JSON; a key that the contract does not have is an error.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch, StringBuilder},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use lockgate_core::{Digest, Failure, Result, limits, printable_name};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Malformed, RowBatch, inflate::Text};

pub(crate) struct Reader {
    text: BufReader<Text>,
    header: Vec<String>,
    schema: SchemaRef,
    row: u64,
    line: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(text: Text, columns: &[String]) -> Self {
        let fields: Vec<Field> = columns.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        Self {
            text: BufReader::with_capacity(1 << 16, text),
            header: columns.to_vec(),
            schema: Arc::new(Schema::new(fields)),
            row: 0,
            line: Vec::new(),
        }
    }

    /// The keys of all lines, in the order in which they come.
    #[expect(clippy::zero_sized_map_values, reason = "serde reads an object as a map")]
    pub(crate) fn keys(text: Text) -> Result<Vec<String>> {
        let mut reader = Self::new(text, &[]);
        let mut keys: Vec<String> = Vec::new();
        while reader.read_line()? {
            let row = reader.row;
            reader.row += 1;
            let object = serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(&reader.line)
                .map_err(|_| Failure::input(format!("line {}: this is not a JSON object", row + 1)))?;
            for key in object.into_keys() {
                if !keys.contains(&key) {
                    if keys.len() >= limits::COLUMNS_MAX {
                        return Err(Failure::input(format!("there are more than {} keys", limits::COLUMNS_MAX)));
                    }
                    keys.push(key);
                }
            }
        }
        Ok(keys)
    }

    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    pub(crate) fn next_batch(&mut self) -> Result<Option<RowBatch>> {
        let mut builders: Vec<StringBuilder> = self.header.iter().map(|_| StringBuilder::new()).collect();
        let mut rows = Vec::new();
        let mut malformed = Vec::new();
        let mut bytes = 0;
        while rows.len() + malformed.len() < limits::BATCH_ROWS
            && bytes < limits::BATCH_BYTES_MAX
            && self.read_line()?
        {
            bytes += self.line.len();
            let row = self.row;
            self.row += 1;
            let Ok(mut object) = serde_json::from_slice::<BTreeMap<String, Value>>(&self.line) else {
                malformed.push(Malformed { row, fields: vec![String::from_utf8_lossy(&self.line).into_owned()] });
                continue;
            };
            for (name, builder) in self.header.iter().zip(&mut builders) {
                match object.remove(name) {
                    None | Some(Value::Null) => builder.append_null(),
                    Some(Value::String(text)) => builder.append_value(text),
                    Some(other) => builder.append_value(other.to_string()),
                }
            }
            if let Some((key, _)) = object.pop_first() {
                return Err(Failure::input(match printable_name(&key) {
                    Some(key) => format!("line {}: key {key:?} is not in the contract", row + 1),
                    None => format!("line {}: a key is not in the contract", row + 1),
                })
                .hint("add it to the contract with a classification, or remove it from the source"));
            }
            rows.push(row);
        }
        if rows.is_empty() && malformed.is_empty() {
            return Ok(None);
        }
        let columns: Vec<ArrayRef> = builders.iter_mut().map(|b| Arc::new(b.finish()) as ArrayRef).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|_| Failure::bug("JSON columns do not form a batch"))?;
        Ok(Some(RowBatch { batch, rows, malformed }))
    }

    pub(crate) fn finish(self) -> Result<Digest> {
        self.text.into_inner().finish()
    }

    /// The next line that is not empty.
    fn read_line(&mut self) -> Result<bool> {
        loop {
            self.line.clear();
            let limit = limits::RECORD_BYTES_MAX as u64 + 1;
            let read = (&mut self.text)
                .take(limit)
                .read_until(b'\n', &mut self.line)
                .map_err(|e| Failure::input(format!("line {}: {e}", self.row + 1)))?;
            if read as u64 == limit {
                return Err(Failure::input(format!("line {}: longer than 1 MiB", self.row + 1)));
            }
            if read == 0 {
                return Ok(false);
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                return Ok(true);
            }
        }
    }
}
