//! SQL over tables that are given as batches, for whoever tests data outside the lake.
//!
//! There is no policy here: whoever can read the files sees their rows.

use std::{collections::HashMap, fmt, sync::Arc};

use arrow::{
    array::{AsArray as _, RecordBatch},
    compute::cast,
    datatypes::{DataType, Float64Type, SchemaRef},
    util::display::{ArrayFormatter, FormatOptions},
};
use datafusion::{
    catalog::streaming::StreamingTable,
    common::TableReference,
    error::DataFusionError,
    execution::{SendableRecordBatchStream, TaskContext, context::SQLOptions},
    physical_plan::{stream::RecordBatchReceiverStreamBuilder, streaming::PartitionStream},
    prelude::SessionContext,
};
use futures::StreamExt as _;
use lockgate_core::{Failure, Result};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use crate::{Engine, TIME_MAX, bounded, refused, with_deep_stack};

/// Rows that two queries may give to be compared.
const COMPARED_ROWS_MAX: u64 = 1_000_000;

/// Gives the batches of a table, from the first row on, as often as it is asked.
pub type Source = Arc<dyn Fn() -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> + Send + Sync>;

/// Tables by name.
pub struct Files {
    context: SessionContext,
    runtime: Handle,
}

struct Stream {
    schema: SchemaRef,
    source: Source,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl PartitionStream for Stream {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), 2);
        let (sender, source) = (builder.tx(), Arc::clone(&self.source));
        builder.spawn_blocking(move || {
            let failed = |failure: Failure| DataFusionError::External(Box::new(failure));
            for batch in source().map_err(failed)? {
                if sender.blocking_send(Ok(batch.map_err(failed)?)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        builder.build()
    }
}

impl Files {
    pub fn new(runtime: Handle, tables: Vec<(String, SchemaRef, Source)>) -> Result<Self> {
        let context = Engine::session()?;
        for (name, schema, source) in tables {
            let stream = Arc::new(Stream { schema: Arc::clone(&schema), source });
            StreamingTable::try_new(schema, vec![stream])
                .and_then(|table| context.register_table(TableReference::bare(name.clone()), Arc::new(table)))
                .map_err(|_| Failure::input(format!("table {name:?} cannot be used in SQL")))?;
        }
        Ok(Self { context, runtime })
    }

    /// How many rows `sql` gives.
    pub fn count(&self, sql: &str) -> Result<u64> {
        let mut rows = 0;
        self.run(sql, |batch| {
            rows += batch.num_rows() as u64;
            Ok(())
        })?;
        Ok(rows)
    }

    /// The single number that `sql` gives.
    pub fn number(&self, sql: &str) -> Result<f64> {
        let mut found = Vec::new();
        self.run(sql, |batch| {
            for column in batch.columns() {
                let numbers =
                    cast(column, &DataType::Float64).map_err(|_| Failure::input("the query does not give a number"))?;
                found.extend(numbers.as_primitive::<Float64Type>().iter().take(2));
            }
            Ok(())
        })?;
        match found.as_slice() {
            [Some(number)] => Ok(*number),
            _ => {
                Err(Failure::input("the query must give one row with one number")
                    .hint("for example SELECT count(*) ..."))
            }
        }
    }

    /// How many rows each query gives and how many of them the other gives, too, counted as bags.
    pub fn compare(&self, left: &str, right: &str) -> Result<(u64, u64, u64)> {
        let (mut left, left_rows) = self.bag(left)?;
        let (right, right_rows) = self.bag(right)?;
        let matching = right.into_iter().map(|(row, count)| left.remove(&row).unwrap_or(0).min(count)).sum();
        Ok((left_rows, right_rows, matching))
    }

    fn bag(&self, sql: &str) -> Result<(HashMap<Vec<String>, u64>, u64)> {
        let (mut bag, mut rows) = (HashMap::new(), 0);
        self.run(sql, |batch| {
            let options = FormatOptions::default().with_null("\0");
            let columns = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
                .collect::<std::result::Result<Vec<_>, _>>()
                .map_err(|_| Failure::input("the query gives columns that cannot be compared"))?;
            rows += batch.num_rows() as u64;
            if rows > COMPARED_ROWS_MAX {
                return Err(Failure::input(format!("more than {COMPARED_ROWS_MAX} rows cannot be compared"))
                    .hint("aggregate in the query"));
            }
            for row in 0..batch.num_rows() {
                let values = columns.iter().map(|column| column.value(row).to_string()).collect();
                *bag.entry(values).or_default() += 1;
            }
            Ok(())
        })?;
        Ok((bag, rows))
    }

    fn run(&self, sql: &str, mut each: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        bounded(sql)?;
        let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let mut stream = with_deep_stack(|| {
            self.runtime.block_on(async {
                let frame = self.context.sql_with_options(sql, read_only).await.map_err(|error| refused(&error))?;
                frame.execute_stream().await.map_err(|error| refused(&error))
            })
        })?;
        let deadline = Instant::now() + TIME_MAX;
        loop {
            let next = self.runtime.block_on(async { timeout_at(deadline, stream.next()).await });
            let Ok(next) = next else {
                return Err(
                    Failure::unreachable("the query runs longer than 10 minutes").hint("filter or aggregate earlier")
                );
            };
            let Some(batch) = next else { return Ok(()) };
            // Its text may quote a value.
            each(batch.map_err(|_| Failure::input("the query failed while it ran"))?)?;
        }
    }
}
