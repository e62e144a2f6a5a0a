//! Plain Parquet sources.

use arrow::{array::RecordBatchReader as _, datatypes::DataType};
use lockgate_core::{Digest, Failure, Result, limits};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::RowBatch;
use crate::Content;

pub(crate) struct Reader {
    content: Content,
    inner: ParquetRecordBatchReader,
    header: Vec<String>,
    row: u64,
}

impl Reader {
    pub(crate) fn new(content: &Content) -> Result<Self> {
        let broken = |error: parquet::errors::ParquetError| {
            // The library's text may quote file content; its kind is enough.
            describe(&error)
        };
        let builder = ParquetRecordBatchReaderBuilder::try_new(content.clone()).map_err(broken)?;
        let inner = builder.with_batch_size(limits::BATCH_ROWS).build().map_err(broken)?;
        let schema = inner.schema();
        for field in schema.fields() {
            if matches!(field.data_type(), DataType::Struct(_) | DataType::List(_) | DataType::Map(..)) {
                return Err(
                    Failure::input(format!("column {:?} is nested", field.name())).hint("flatten it before ingestion")
                );
            }
        }
        let header = schema.fields().iter().map(|field| field.name().clone()).collect();
        Ok(Self { content: content.clone(), inner, header, row: 0 })
    }

    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    pub(crate) fn next_batch(&mut self) -> Result<Option<RowBatch>> {
        let Some(batch) = self.inner.next() else {
            return Ok(None);
        };
        let batch = batch.map_err(|_| Failure::input("the Parquet data is damaged"))?;
        let first = self.row;
        self.row += batch.num_rows() as u64;
        Ok(Some(RowBatch { batch, rows: (first..self.row).collect(), malformed: Vec::new() }))
    }

    pub(crate) fn finish(self) -> Result<Digest> {
        self.content.digest()
    }
}

pub(crate) fn describe(error: &parquet::errors::ParquetError) -> Failure {
    let kind = match error {
        parquet::errors::ParquetError::NYI(_) => "uses a feature that is not supported",
        parquet::errors::ParquetError::EOF(_) => "ends too early",
        _ => "is damaged, encrypted or not Parquet",
    };
    Failure::input(format!("the Parquet file {kind}"))
}
