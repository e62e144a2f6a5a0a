//! The rows that gates see: those that the contract lets in, with their numbers in their file.

use std::{collections::BTreeMap, io::Read as _, path::Path};

use arrow::array::RecordBatch;
use lockgate_core::{Digest, Failure, Result};
use lockgate_detect::Engine;
use lockgate_quality::{
    Checker, Contract, LogicalType, Sample, expect::Suite, poison::BASELINE_ROWS_MAX, profile::Profile,
};
use lockgate_source::{Authenticated, Content, Rows};

use crate::{
    config::{Expectations, Golden, Ingest},
    drift::Reference,
};

/// A baseline that is a profile is no larger.
const PROFILE_BYTES_MAX: u64 = 64 << 20;
/// The share of a baseline's rows that must keep the contract.
const KEEPING_MIN: f64 = 0.99;

/// What is read, and how.
pub(in crate::ingest) struct Reading<'r> {
    pub(in crate::ingest) sources: &'r [(Content, Authenticated)],
    /// Files that are refused whole already.
    pub(in crate::ingest) refused: &'r BTreeMap<usize, String>,
    pub(in crate::ingest) golden: Option<&'r Content>,
    pub(in crate::ingest) spec: &'r Ingest,
    pub(in crate::ingest) contract: &'r Contract,
    pub(in crate::ingest) names: &'r [String],
    pub(in crate::ingest) spool: &'r Path,
    pub(in crate::ingest) engine: &'r Engine,
    pub(in crate::ingest) suites: &'r [(Suite, Expectations)],
}

/// What comes of reading.
pub(super) enum Step<'s> {
    /// A file begins.
    File(usize),
    /// Accepted rows of it, with their numbers there.
    Rows(&'s RecordBatch, &'s [u64]),
}

impl Reading<'_> {
    /// The golden data: a profile, or rows under the contract.
    pub(super) fn reference(&self, golden: &Content) -> Result<Reference> {
        let asked = self.asked()?;
        let place = |failure: Failure| failure.at(asked.file.display());
        let mut start = Vec::new();
        let read = golden.reader().take(PROFILE_BYTES_MAX).read_to_end(&mut start);
        if read.is_ok() && Profile::is_one(&start) {
            self.demand(&Digest::of(&start))?;
            let profile = Profile::decode(&start, &asked.file.display().to_string())?;
            return Ok(Reference::Profile(Box::new(profile)));
        }
        drop(start);
        let digest = golden.digest()?;
        self.demand(&digest)?;
        let record = Authenticated {
            uri: asked.file.display().to_string(),
            digest,
            size_bytes: golden.size_bytes(),
            trust: "sha256".into(),
            publisher_key: None,
            signature: None,
        };
        let mut rows = Rows::open(golden, &record, &self.spec.source, self.names).map_err(place)?;
        let mut checker = Checker::new(self.contract, rows.header(), self.spool.to_owned()).map_err(place)?;
        let mut sample = Sample::new(BASELINE_ROWS_MAX);
        let mut all = 0;
        while let Some(batch) = rows.next_batch()? {
            all += (batch.rows.len() + batch.malformed.len()) as u64;
            sample.update(&checker.check(&batch.batch)?.accepted)?;
        }
        rows.finish()?;
        let kept = sample.seen();
        if (kept as f64) < KEEPING_MIN * all as f64 {
            let failure = Failure::input(format!("{} of {all} rows of the baseline break the contract", all - kept));
            return Err(place(failure).hint("`lockgate contract test` says which; what is golden keeps its contract"));
        }
        sample
            .finish()?
            .filter(|rows| rows.num_rows() > 0)
            .map(Reference::Rows)
            .ok_or_else(|| place(Failure::input("the baseline has no row")))
    }

    fn asked(&self) -> Result<&Golden> {
        self.spec.quality.baseline.as_ref().ok_or_else(|| Failure::bug("there is no baseline"))
    }

    fn demand(&self, digest: &Digest) -> Result<()> {
        let asked = self.asked()?;
        if *digest == asked.digest {
            return Ok(());
        }
        Err(Failure::integrity(format!("the digest of the baseline is {digest}, not what the pipeline says"))
            .hint("restore the file; or, when the change is meant, write the new digest into the pipeline")
            .at(asked.file.display()))
    }

    /// Calls `each` when a file begins, and with the accepted rows of its batches.
    pub(super) fn each(&self, mut each: impl FnMut(Step<'_>) -> Result<()>) -> Result<()> {
        let mut checker: Option<Checker<'_>> = None;
        for (file, (content, record)) in self.sources.iter().enumerate() {
            each(Step::File(file))?;
            if self.refused.contains_key(&file) {
                continue;
            }
            let mut rows = Rows::open(content, record, &self.spec.source, self.names)?;
            let mut own = match checker.take() {
                Some(checker) if checker.header() == rows.header() => checker,
                // Another header is what the next pass refuses, with words.
                _ => {
                    Checker::new(self.contract, rows.header(), self.spool.to_owned()).map_err(|f| f.at(&record.uri))?
                }
            };
            while let Some(batch) = rows.next_batch()? {
                let checked = own.check(&batch.batch)?;
                let mask = &checked.mask;
                let numbers: Vec<u64> = batch
                    .rows
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| mask.value(*at))
                    .map(|(_, number)| *number)
                    .collect();
                each(Step::Rows(&checked.accepted, &numbers))?;
            }
            rows.finish()?;
            checker = Some(own);
        }
        Ok(())
    }

    /// The columns that should stay as they are: time goes on by itself.
    pub(super) fn lasting_columns(&self) -> Vec<String> {
        let lasting = |kind: LogicalType| !matches!(kind, LogicalType::Date | LogicalType::Timestamp);
        let columns = self.contract.columns.iter();
        columns.filter(|column| lasting(column.logical_type)).map(|column| column.name.clone()).collect()
    }
}
