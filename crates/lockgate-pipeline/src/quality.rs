//! Quality of data in files: expectations, without a workspace.

use std::{path::PathBuf, sync::Arc};

use lockgate_core::{Failure, Result};
use lockgate_quality::expect::{Options, Sql, Suite, SuiteResult, Validator};
use lockgate_source::Table;

use crate::{
    Progress,
    parallel::{Reading, reduce},
};

/// Opens files that are one table together.
pub fn open(files: &[PathBuf]) -> Result<Vec<Table>> {
    let tables = files.iter().map(|path| Table::open(path)).collect::<Result<Vec<_>>>()?;
    if let Some((first, rest)) = tables.split_first()
        && let Some(other) = rest.iter().find(|table| table.schema() != first.schema())
    {
        return Err(Failure::input(format!("{} and {} have different columns or types", first.uri(), other.uri()))
            .hint("test them one by one"));
    }
    Ok(tables)
}

/// Judges files that are one table together by a suite.
pub fn expect(
    tables: &[Table],
    suite: Suite,
    options: Options,
    sql: Option<&dyn Sql>,
    threads: usize,
    progress: &dyn Progress,
) -> Result<SuiteResult> {
    let first = tables.first().ok_or_else(|| Failure::usage("no file is named"))?;
    let mut columns = suite.columns();
    columns.retain(|name| first.schema().index_of(name).is_ok());
    if columns.is_empty() {
        // Rows are counted by the narrowest column there is.
        columns.extend(first.schema().fields().first().map(|field| field.name().clone()));
    }
    let empty = Validator::new(Arc::new(suite), Arc::clone(first.schema()), options);
    let mut all = empty.fork();
    let mut rows = 0;
    for table in tables {
        progress.stage("expect", table.uri());
        let offset = rows;
        let own = reduce(
            table,
            Reading { columns: Some(&columns), threads },
            progress,
            || empty.fork(),
            |state, batch, first| state.update(batch, offset + first),
            Validator::merge,
        )?;
        rows += table.rows();
        all.merge(own)?;
    }
    all.finish(sql)
}
