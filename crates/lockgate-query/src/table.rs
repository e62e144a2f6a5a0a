//! A snapshot as a table: one partition a file, only the columns that a query needs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    datasource::TableType,
    error::{DataFusionError, Result as DfResult},
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::Expr,
    physical_plan::{
        ExecutionPlan,
        stream::RecordBatchReceiverStreamBuilder,
        streaming::{PartitionStream, StreamingTableExec},
    },
};
use lockgate_core::{Failure, Name, Result};
use lockgate_lake::{FileRecord, Keyring, Lake, QueryTable, Role, open_file};

pub(crate) struct SnapshotTable {
    lake: Lake,
    dataset: Name,
    files: Vec<FileRecord>,
    keyring: Arc<dyn Keyring>,
    schema: SchemaRef,
    spool: PathBuf,
}

impl SnapshotTable {
    pub(crate) fn new(lake: &Lake, table: &QueryTable, spool: &Path) -> Result<Self> {
        let manifest = &table.manifest;
        let files: Vec<FileRecord> = manifest.files_with(Role::Data).cloned().collect();
        let first = files.first().ok_or_else(|| Failure::input(format!("{} has no rows", manifest.dataset)))?;
        let file = lake.file(&manifest.dataset, first, spool)?;
        let (reader, _) = open_file(file, Arc::clone(&table.keyring), None)?;
        let schema = arrow::array::RecordBatchReader::schema(&reader);
        Ok(Self {
            lake: lake.clone(),
            dataset: manifest.dataset.clone(),
            files,
            keyring: Arc::clone(&table.keyring),
            schema,
            spool: spool.to_owned(),
        })
    }
}

impl std::fmt::Debug for SnapshotTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SnapshotTable({})", self.dataset)
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => Arc::clone(&self.schema),
        };
        let partitions = self
            .files
            .iter()
            .map(|record| {
                Arc::new(FilePartition {
                    lake: self.lake.clone(),
                    dataset: self.dataset.clone(),
                    record: record.clone(),
                    keyring: Arc::clone(&self.keyring),
                    schema: Arc::clone(&schema),
                    spool: self.spool.clone(),
                }) as Arc<dyn PartitionStream>
            })
            .collect();
        Ok(Arc::new(StreamingTableExec::try_new(schema, partitions, None, [], false, limit)?))
    }
}

struct FilePartition {
    lake: Lake,
    dataset: Name,
    record: FileRecord,
    keyring: Arc<dyn Keyring>,
    schema: SchemaRef,
    spool: PathBuf,
}

impl std::fmt::Debug for FilePartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FilePartition({} {})", self.dataset, self.record.digest.short())
    }
}

impl PartitionStream for FilePartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), 2);
        let sender = builder.tx();
        let (lake, dataset, record) = (self.lake.clone(), self.dataset.clone(), self.record.clone());
        let (keyring, schema, spool) = (Arc::clone(&self.keyring), Arc::clone(&self.schema), self.spool.clone());
        builder.spawn_blocking(move || {
            let failed = |failure: Failure| DataFusionError::External(Box::new(failure));
            let file = lake.file(&dataset, &record, &spool).map_err(failed)?;
            let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
            // A query for no column, such as count(*), needs the number of rows alone.
            if columns.is_empty() {
                let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(record.rows as usize));
                let batch = arrow::array::RecordBatch::try_new_with_options(schema, vec![], &options)?;
                let _ = sender.blocking_send(Ok(batch));
                return Ok(());
            }
            let (reader, order) = open_file(file, keyring, Some(&columns)).map_err(failed)?;
            for batch in reader {
                let batch = batch?.project(&order)?;
                if sender.blocking_send(Ok(batch)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        builder.build()
    }
}
