//! The quality gates that see all rows before one is committed: expectations, drift, poisoning.
//!
//! They read the sources once more, ahead of the pass that commits, and only when the pipeline
//! names one of them. What they find guilty is put aside by that pass; what a person has released
//! is let through.

use std::{collections::BTreeMap, io::Read as _, sync::Arc};

use arrow::{
    array::{BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::SchemaRef,
};
use lockgate_core::{Classification, Failure, Result};
use lockgate_detect::Engine;
use lockgate_quality::{
    Checker, Contract, Sample,
    drift::{Correction, DriftReport, Limits},
    expect::{Options, Sieve, Suite, SuiteResult, Validator, Values},
    poison::{self, BASELINE_ROWS_MAX, Baseline, Screen, Screening},
    profile::Profile,
};
use lockgate_source::{Authenticated, Content, Rows};
use serde_json::{Value, json};

use super::release::Releases;
use crate::{
    config::{Drift, Expectations, Golden, Ingest, OnFail, Poisoning},
    drift::{Reference, Request, of_rows},
};

/// Rows of a file that drift is measured on, evenly from all of them.
const DRIFT_ROWS_MAX: usize = 65_536;
/// A baseline that is a profile is no larger.
const PROFILE_BYTES_MAX: u64 = 64 << 20;
/// Columns that are pictured, and bars of each.
const PICTURES_MAX: usize = 12;
const BARS_MAX: usize = 24;
/// Bins of a file in which guilty rows are counted.
const STRIP: usize = 48;

/// What a gate decided.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) gate: String,
    pub(crate) passed: bool,
    pub(crate) on_fail: OnFail,
    pub(crate) detail: String,
    /// For pictures; counts and shares only.
    pub(crate) evidence: Value,
}

/// What the gates found.
#[derive(Debug, Default)]
pub(crate) struct Guilty {
    pub(crate) verdicts: Vec<Verdict>,
    files: BTreeMap<usize, String>,
    screening: Option<Screening>,
    sieves: Vec<(String, Sieve)>,
    releases: Releases,
}

/// What is read, and how.
pub(crate) struct Reading<'r> {
    pub(crate) sources: &'r [(Content, Authenticated)],
    pub(crate) golden: Option<&'r Content>,
    pub(crate) spec: &'r Ingest,
    pub(crate) contract: &'r Contract,
    pub(crate) names: &'r [String],
    pub(crate) spool: &'r std::path::Path,
    pub(crate) engine: &'r Engine,
    pub(crate) suites: &'r [(Suite, Expectations)],
}

/// Rows of a batch that a gate refuses, each with why.
pub(crate) type Refusals = BTreeMap<usize, String>;

impl Guilty {
    /// Whether there is anything to look at.
    pub(crate) fn is_asked(spec: &Ingest) -> bool {
        let quality = &spec.quality;
        !quality.expectations.is_empty() || quality.drift.is_some() || quality.poisoning.is_some()
    }

    /// Reads everything once and judges it.
    pub(crate) fn find(reading: &Reading<'_>, releases: Releases) -> Result<Self> {
        let quality = &reading.spec.quality;
        let reference = reading.golden.map(|golden| reading.reference(golden)).transpose()?;
        let mut screen = match (&quality.poisoning, &reference) {
            (Some(poisoning), Some(Reference::Rows(rows))) => Some(screen(poisoning, rows, reading.contract)?),
            (Some(_), _) => {
                return Err(Failure::input("quality.poisoning needs a baseline of rows, not a profile")
                    .hint("a profile is enough for quality.drift"));
            }
            (None, _) => None,
        };
        let mut validators: Vec<Option<Validator>> = reading.suites.iter().map(|_| None).collect();
        let mut samples: Vec<Sample> = Vec::new();
        let mut schema: Option<SchemaRef> = None;
        let mut seen = 0;
        reading.each(|file, batch, numbers| {
            schema.get_or_insert_with(|| batch.schema());
            if samples.len() == file {
                samples.push(Sample::new(DRIFT_ROWS_MAX));
                if let (Some(screen), Some((_, record))) = (&mut screen, reading.sources.get(file)) {
                    screen.source(&record.uri);
                }
            }
            if let (Some(_), Some(sample)) = (&quality.drift, samples.last_mut()) {
                sample.update(batch)?;
            }
            if let Some(screen) = &mut screen {
                screen.update(batch, numbers)?;
            }
            for (validator, (suite, _)) in validators.iter_mut().zip(reading.suites) {
                let validator = validator.get_or_insert_with(|| {
                    let options = Options { values: Values::Hide, spill_folder: reading.spool.to_owned() };
                    Validator::new(Arc::new(suite.clone()), batch.schema(), options)
                });
                validator.update(batch, seen)?;
            }
            seen += batch.num_rows() as u64;
            Ok(())
        })?;
        let mut guilty = Self { releases, ..Self::default() };
        let Some(schema) = schema else { return Ok(guilty) };
        for (validator, (suite, asked)) in validators.into_iter().zip(reading.suites) {
            if let Some(validator) = validator {
                guilty.expectations(suite, asked, &validator.finish(None)?, &schema);
            }
        }
        if let (Some(drift), Some(reference)) = (&quality.drift, &reference) {
            guilty.drift(drift, reference, samples, reading)?;
        }
        if let (Some(poisoning), Some(screen)) = (&quality.poisoning, screen) {
            guilty.poisoning(poisoning, screen.finish(), reading.sources);
        }
        if guilty.releases.count > 0 {
            for verdict in guilty.verdicts.iter_mut().filter(|own| !own.passed && own.on_fail == OnFail::Quarantine) {
                verdict.detail.push_str("; a person has released rows of these files");
            }
        }
        Ok(guilty)
    }

    fn expectations(&mut self, suite: &Suite, asked: &Expectations, result: &SuiteResult, schema: &SchemaRef) {
        let failed: Vec<usize> =
            result.results.iter().enumerate().filter(|(_, own)| !own.success).map(|(index, _)| index).collect();
        let mut on_fail = asked.on_fail;
        let gate = format!("expectations {}", suite.name);
        let mut evidence = Vec::new();
        for own in failed.iter().filter_map(|index| result.results.get(*index)) {
            let number = |key: &str| own.result.get(key).and_then(Value::as_u64);
            evidence.push(json!({
                "expectation": own.kind(), "columns": own.columns(),
                "unexpected": number("unexpected_count"), "rows": number("element_count"),
                "error": own.exception_info.exception_message,
            }));
        }
        if !failed.is_empty() && on_fail == OnFail::Quarantine {
            match Sieve::new(suite, &failed, schema) {
                Some(sieve) => self.sieves.push((gate.clone(), sieve)),
                // What is wrong with the rows as a whole is wrong with all of them.
                None => on_fail = OnFail::Stop,
            }
        }
        let named: Vec<String> = failed
            .iter()
            .filter_map(|index| result.results.get(*index))
            .take(5)
            .map(|own| format!("{} ({})", own.kind(), own.columns().join(", ")))
            .collect();
        let detail = if failed.is_empty() {
            format!("{} expectations are met", suite.len())
        } else {
            format!("{} of {} expectations are not met: {}", failed.len(), suite.len(), named.join("; "))
        };
        let evidence = json!({"expectations": evidence});
        self.verdicts.push(Verdict { gate, passed: failed.is_empty(), on_fail, detail, evidence });
    }

    fn drift(
        &mut self,
        asked: &Drift,
        reference: &Reference,
        samples: Vec<Sample>,
        reading: &Reading<'_>,
    ) -> Result<()> {
        let columns = if asked.columns.is_empty() { reading.lasting_columns() } else { asked.columns.clone() };
        if let Some(name) = columns.iter().find(|name| reading.contract.column(name).is_none()) {
            return Err(Failure::input(format!(
                "quality.drift names column {name:?}, which the contract does not have"
            )));
        }
        let limits =
            Limits { alpha: asked.alpha, distance: asked.distance, share: 0.0, correction: Correction::default() };
        let request = Request { columns, limits, engine: reading.engine, threads: 1 };
        let several = samples.len() > 1;
        let mut all: Option<RecordBatch> = None;
        let mut whole = Sample::new(DRIFT_ROWS_MAX);
        let mut drifted: Vec<(usize, String)> = Vec::new();
        for (file, sample) in samples.into_iter().enumerate() {
            let Some(rows) = sample.finish()? else { continue };
            if several {
                let report = of_rows(reference, &rows, &request)?;
                if report.drifted {
                    drifted.push((file, summary(&report)));
                }
            }
            whole.update(&rows)?;
        }
        all = whole.finish()?.or(all.take());
        let Some(all) = all else { return Ok(()) };
        let report = of_rows(reference, &all, &request)?;
        let passed = !report.drifted && drifted.is_empty();
        let mut on_fail = asked.on_fail;
        let mut detail = if report.drifted { summary(&report) } else { "as the baseline".to_owned() };
        if !drifted.is_empty() {
            let named: Vec<&str> = drifted
                .iter()
                .take(5)
                .filter_map(|(file, _)| reading.sources.get(*file))
                .map(|(_, record)| record.uri.as_str())
                .collect();
            let of = reading.sources.len();
            detail = format!("{} of {of} files have drifted ({}): {detail}", drifted.len(), named.join(", "));
        }
        if !passed && on_fail == OnFail::Quarantine {
            if drifted.is_empty() || drifted.len() == reading.sources.len() {
                // No part of it explains the whole.
                on_fail = OnFail::Stop;
            } else {
                self.files.extend(drifted.into_iter().map(|(file, what)| (file, format!("drift: {what}"))));
            }
        }
        let evidence = pictures(&report, reading.contract);
        self.verdicts.push(Verdict { gate: "drift".into(), passed, on_fail, detail, evidence });
        Ok(())
    }

    fn poisoning(&mut self, asked: &Poisoning, screening: Screening, sources: &[(Content, Authenticated)]) {
        let mut on_fail = asked.on_fail;
        let passed = !screening.poisoned;
        if !passed && on_fail == OnFail::Quarantine && screening.unexplained().next().is_some() {
            on_fail = OnFail::Stop;
        }
        let reasons: Vec<String> = screening
            .segments
            .iter()
            .take(5)
            .map(|segment| {
                let source = segment.source.and_then(|source| sources.get(source as usize));
                let source = source.map(|(_, record)| format!("{}: ", record.uri)).unwrap_or_default();
                format!("{source}{}", segment.reason)
            })
            .collect();
        let more = screening.segments.len().saturating_sub(5);
        let detail = match (passed, more) {
            (true, _) => format!("{} rows, no alarm of {} methods", screening.rows, screening.methods.len()),
            (false, 0) => reasons.join("; "),
            (false, more) => format!("{}; and {more} more", reasons.join("; ")),
        };
        let files: Vec<Value> = sources
            .iter()
            .enumerate()
            .filter_map(|(file, (_, record))| {
                let rows: Vec<u64> = screening.guilty_rows_of(file as u32);
                let last = rows.last().copied()?;
                let width = screening.rows_of(file as u32).max(last + 1);
                let mut strip = vec![0u64; STRIP];
                for row in &rows {
                    if let Some(count) = strip.get_mut((*row as usize * STRIP) / width as usize) {
                        *count += 1;
                    }
                }
                Some(json!({"file": record.uri, "rows": rows.len(), "strip": strip}))
            })
            .collect();
        let segments: Vec<Value> = screening
            .segments
            .iter()
            .map(|segment| {
                json!({"method": segment.method.name(), "part": segment.part, "rows": segment.rows,
                       "pValue": segment.p_value, "reason": segment.reason,
                       "file": segment.source.and_then(|s| sources.get(s as usize)).map(|(_, r)| &r.uri)})
            })
            .collect();
        let evidence = json!({"files": files, "segments": segments});
        self.verdicts.push(Verdict { gate: "poisoning".into(), passed, on_fail, detail, evidence });
        if on_fail == OnFail::Quarantine {
            self.screening = Some(screening);
        }
    }

    /// The first gate that ends the run.
    pub(crate) fn stops(&self) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| !verdict.passed && verdict.on_fail == OnFail::Stop)
    }

    /// The rows of an accepted batch that are put aside. `numbers` are those of the rows in their
    /// file, of which `first` rows came before.
    pub(crate) fn refused(
        &mut self,
        file: usize,
        batch: &RecordBatch,
        numbers: &[u64],
        first: u64,
    ) -> Result<Refusals> {
        let mut refused = Refusals::new();
        if let Some(why) = self.files.get(&file) {
            refused.extend((0..batch.num_rows()).map(|row| (row, why.clone())));
        }
        if let Some(screening) = &self.screening {
            for (at, number) in numbers.iter().enumerate() {
                if let Some(segment) = screening.guilty(file as u32, *number) {
                    let own = format!("poisoning/{}: {}", segment.method.name(), segment.reason);
                    refused.entry(at).or_insert(own);
                }
            }
        }
        for (gate, sieve) in &mut self.sieves {
            for (at, kinds) in sieve.refused(batch)? {
                refused.entry(at).or_insert_with(|| format!("{gate}: {}", kinds.join(", ")));
            }
        }
        refused.retain(|at, _| !numbers.get(*at).is_some_and(|number| self.releases.free(first + number)));
        Ok(refused)
    }
}

impl Reading<'_> {
    /// The golden data: a profile, or rows under the contract.
    fn reference(&self, golden: &Content) -> Result<Reference> {
        let asked = self.asked()?;
        let place = |failure: Failure| failure.at(asked.file.display());
        let digest = golden.digest()?;
        if digest != asked.digest {
            return Err(Failure::integrity(format!(
                "the digest of the baseline is {digest}, not what the pipeline says"
            ))
            .hint("restore the file; or, when the change is meant, write the new digest into the pipeline")
            .at(asked.file.display()));
        }
        let mut start = Vec::new();
        let read = golden.reader().take(PROFILE_BYTES_MAX).read_to_end(&mut start);
        if read.is_ok() && Profile::is_one(&start) {
            let profile = Profile::decode(&start, &asked.file.display().to_string())?;
            return Ok(Reference::Profile(Box::new(profile)));
        }
        drop(start);
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
        while let Some(batch) = rows.next_batch()? {
            sample.update(&checker.check(&batch.batch)?.accepted)?;
        }
        rows.finish()?;
        sample
            .finish()?
            .filter(|rows| rows.num_rows() > 0)
            .map(Reference::Rows)
            .ok_or_else(|| place(Failure::input("no row of the baseline satisfies the contract")))
    }

    fn asked(&self) -> Result<&Golden> {
        self.spec.quality.baseline.as_ref().ok_or_else(|| Failure::bug("there is no baseline"))
    }

    /// Calls `each` with the accepted rows of every batch and their numbers in their file.
    fn each(&self, mut each: impl FnMut(usize, &RecordBatch, &[u64]) -> Result<()>) -> Result<()> {
        let mut checker: Option<Checker<'_>> = None;
        for (file, (content, record)) in self.sources.iter().enumerate() {
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
                each(file, &checked.accepted, &numbers)?;
            }
            rows.finish()?;
            checker = Some(own);
        }
        Ok(())
    }

    /// The columns that should stay as they are: time goes on by itself.
    fn lasting_columns(&self) -> Vec<String> {
        use lockgate_quality::LogicalType as T;
        let lasting = |kind: T| !matches!(kind, T::Date | T::Timestamp);
        let columns = self.contract.columns.iter();
        columns.filter(|column| lasting(column.logical_type)).map(|column| column.name.clone()).collect()
    }
}

fn screen(asked: &Poisoning, golden: &RecordBatch, contract: &Contract) -> Result<Screen> {
    for name in asked.ignore.iter().chain(&asked.label) {
        if contract.column(name).is_none() {
            return Err(Failure::input(format!(
                "quality.poisoning names column {name:?}, which the contract does not have"
            )));
        }
    }
    let options = poison::Options {
        label: asked.label.clone(),
        ignore: asked.ignore.clone(),
        alpha: asked.false_alarms,
        ..poison::Options::default()
    };
    Baseline::fit(golden, options).map(|baseline| Screen::new(Arc::new(baseline)))
}

fn summary(report: &DriftReport) -> String {
    let mut parts: Vec<String> = report
        .columns
        .iter()
        .filter(|column| column.drifted)
        .take(5)
        .map(|column| format!("{} at a distance of {:.2}", column.column, column.decisive.statistic))
        .collect();
    parts.extend(report.changed.iter().take(5).map(|(column, what)| format!("{column}: {what}")));
    format!("{} of {} columns have drifted: {}", report.drifted_columns, report.tested_columns, parts.join(", "))
}

/// Both distributions of the columns that drifted, as shares; names of categories only of columns
/// that may be seen.
fn pictures(report: &DriftReport, contract: &Contract) -> Value {
    let open = |name: &str| {
        contract
            .column(name)
            .and_then(|index| contract.columns.get(index))
            .is_some_and(|column| column.classification <= Classification::Internal)
    };
    let drifted = report.columns.iter().filter(|column| column.drifted).take(PICTURES_MAX);
    let columns: Vec<Value> = drifted
        .map(|column| {
            let bars = |histogram: &lockgate_quality::profile::Histogram| {
                let all = histogram.counts.iter().sum::<u64>().max(1) as f64;
                let step = histogram.counts.len().div_ceil(BARS_MAX).max(1);
                let counts = histogram.counts.chunks(step).map(|some| some.iter().sum::<u64>() as f64 / all);
                counts.map(|share| (share * 1e4).round() / 1e4).collect::<Vec<f64>>()
            };
            let categories: Vec<Value> = column
                .categories
                .iter()
                .filter(|_| open(&column.column))
                .take(6)
                .map(|(name, before, now)| json!([name, before, now]))
                .collect();
            json!({
                "column": column.column, "distance": column.decisive.statistic, "p": column.p_adjusted,
                "before": bars(&column.reference_histogram), "now": bars(&column.current_histogram),
                "categories": categories,
            })
        })
        .collect();
    json!({"drift": columns})
}

/// An accepted batch without what was refused of it.
pub(crate) fn without(batch: &RecordBatch, refused: &Refusals) -> Result<RecordBatch> {
    let kept: BooleanArray = (0..batch.num_rows()).map(|row| Some(!refused.contains_key(&row))).collect();
    filter_record_batch(batch, &kept).map_err(|_| Failure::bug("a batch could not be filtered"))
}
