//! Poisoning in files, beside a golden baseline, without a workspace.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lockgate_core::{Failure, Result};
use lockgate_quality::{
    Sample,
    poison::{BASELINE_ROWS_MAX, Baseline, Options, Screen, Screening},
};
use lockgate_source::{Dates, Table};

use crate::{Progress, quality};

/// Screens `data`, each file of which is a source, beside `baseline`.
pub fn screen(baseline: &Path, data: &[PathBuf], options: Options, progress: &dyn Progress) -> Result<Screening> {
    let golden = Table::open_with(baseline, Dates::Parsed)?;
    let tables = quality::open(data, Dates::Parsed)?;
    progress.stage("learn", golden.uri());
    let mut sample = Sample::new(BASELINE_ROWS_MAX);
    each_batch(&golden, None, progress, |batch, _| sample.update(batch))?;
    let rows = sample.finish()?.ok_or_else(|| Failure::input("the baseline has no row"))?;
    let learned = Arc::new(Baseline::fit(&rows, options).map_err(|failure| failure.at(golden.uri()))?);
    let columns = learned.columns();
    let mut screen = Screen::new(learned);
    for table in &tables {
        if let Some(name) = columns.iter().find(|name| table.schema().index_of(name).is_err()) {
            return Err(Failure::input(format!("{} has no column {name:?}, which the baseline has", table.uri()))
                .hint("--ignore leaves a column out"));
        }
        progress.stage("screen", table.uri());
        screen.source(table.uri());
        each_batch(table, Some(&columns), progress, |batch, first| {
            let numbers: Vec<u64> = (first..first + batch.num_rows() as u64).collect();
            screen.update(batch, &numbers)
        })?;
    }
    Ok(screen.finish())
}

fn each_batch(
    table: &Table,
    columns: Option<&[String]>,
    progress: &dyn Progress,
    mut each: impl FnMut(&arrow::array::RecordBatch, u64) -> Result<()>,
) -> Result<()> {
    for part in table.parts(1) {
        let mut batches = table.read(&part, columns)?;
        while let Some((batch, first)) = batches.next_batch()? {
            each(&batch, first)?;
            progress.rows(first + batch.num_rows() as u64);
        }
    }
    Ok(())
}
