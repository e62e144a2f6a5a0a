//! Drift of the rows of a run, file by file and of all, beside the baseline.

use lockgate_core::{Failure, Result};
use lockgate_quality::{
    Sample,
    drift::{Correction, DriftReport, Limits},
};

use super::reading::Reading;
use crate::{
    config::Drift,
    drift::{Reference, Request, of_rows},
};

/// Rows that drift is measured on, evenly from all of a file, and from all.
const ROWS_MAX: usize = 65_536;

/// Takes in rows.
pub(super) struct Drifting<'d> {
    request: Request<'d>,
    reference: &'d Reference,
    file: Option<(usize, Sample)>,
    all: Sample,
    /// Columns that somebody asked for must be compared.
    asked: bool,
    /// Files that have drifted, and the worst that was seen of each.
    pub(super) files: Vec<(usize, DriftReport)>,
    /// Files that have rows.
    pub(super) compared: usize,
}

impl<'d> Drifting<'d> {
    pub(super) fn new(asked: &Drift, reference: &'d Reference, reading: &Reading<'d>) -> Result<Self> {
        let columns = if asked.columns.is_empty() { reading.lasting_columns() } else { asked.columns.clone() };
        if let Some(name) = columns.iter().find(|name| reading.contract.column(name).is_none()) {
            return Err(Failure::input(format!(
                "quality.drift names column {name:?}, which the contract does not have"
            )));
        }
        let limits =
            Limits { alpha: asked.alpha, distance: asked.distance, share: 0.0, correction: Correction::default() };
        Ok(Self {
            request: Request { columns, limits, engine: reading.engine, threads: 1 },
            reference,
            file: None,
            all: Sample::new(ROWS_MAX),
            asked: !asked.columns.is_empty(),
            files: Vec::new(),
            compared: 0,
        })
    }

    pub(super) fn begin(&mut self, file: usize) -> Result<()> {
        self.end_file()?;
        self.file = Some((file, Sample::new(ROWS_MAX)));
        Ok(())
    }

    pub(super) fn update(&mut self, batch: &arrow::array::RecordBatch) -> Result<()> {
        self.all.update(batch)?;
        match &mut self.file {
            Some((_, sample)) => sample.update(batch),
            None => Err(Failure::bug("rows of no file")),
        }
    }

    fn end_file(&mut self) -> Result<()> {
        let Some((file, sample)) = self.file.take() else { return Ok(()) };
        if let Some(rows) = sample.finish()?.filter(|rows| rows.num_rows() > 0) {
            self.compared += 1;
            let report = of_rows(self.reference, &rows, &self.request)?;
            if report.drifted {
                self.files.push((file, report));
            }
        }
        Ok(())
    }

    /// The verdict on all rows; `None` when there is no row.
    pub(super) fn finish(&mut self) -> Result<Option<DriftReport>> {
        self.end_file()?;
        let all = std::mem::replace(&mut self.all, Sample::new(1));
        let Some(rows) = all.finish()?.filter(|rows| rows.num_rows() > 0) else { return Ok(None) };
        let report = of_rows(self.reference, &rows, &self.request)?;
        let not = report.skipped.first();
        if let Some((column, why)) = not.filter(|_| self.asked || report.tested_columns + report.changed.len() == 0) {
            return Err(Failure::input(format!("quality.drift: column {column:?} was not compared: {why}"))
                .hint("name the columns that the baseline has, too"));
        }
        Ok(Some(report))
    }
}
