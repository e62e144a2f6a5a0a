//! The quality gates that see all rows before one is committed: expectations, drift, poisoning.
//!
//! They read the sources once more, ahead of the pass that commits, and only when the pipeline
//! names one of them. What they find guilty is put aside by that pass; what a person has released
//! is let through.

mod drifting;
mod pictures;
mod reading;

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::SchemaRef,
};
use lockgate_core::{Failure, Result};
use lockgate_quality::{
    Contract,
    drift::DriftReport,
    expect::{Options, Sieve, Suite, SuiteResult, Validator, Values},
    poison::{self, Baseline, Screen, Screening},
};
use lockgate_source::{Authenticated, Content};
use serde_json::{Value, json};

pub(super) use self::reading::Reading;
use self::{drifting::Drifting, reading::Step};
use super::release::Releases;
use crate::{
    config::{Drift, Expectations, Ingest, OnFail, Poisoning},
    drift::Reference,
};

/// What a gate decided.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) gate: String,
    pub(crate) passed: bool,
    pub(crate) on_fail: OnFail,
    pub(crate) detail: String,
    /// For pictures.
    pub(crate) evidence: Value,
}

/// What the gates found.
#[derive(Debug, Default)]
pub(crate) struct Guilty {
    pub(crate) verdicts: Vec<Verdict>,
    files: BTreeMap<usize, Refusal>,
    screening: Option<Screening>,
    sieves: Vec<(String, Sieve)>,
    releases: Releases,
}

/// Why a gate refuses a row: in a word or two, and in words.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) gate: String,
    pub(crate) why: String,
}

/// Rows of a batch that gates refuse.
pub(crate) type Refusals = BTreeMap<usize, Refusal>;

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
        let mut drifting = match (&quality.drift, &reference) {
            (Some(asked), Some(reference)) => Some(Drifting::new(asked, reference, reading)?),
            _ => None,
        };
        let mut validators: Vec<Option<Validator>> = reading.suites.iter().map(|_| None).collect();
        let mut schema: Option<SchemaRef> = None;
        let mut seen = 0;
        reading.each(|step| {
            let (batch, numbers) = match step {
                Step::File(file) => {
                    if let (Some(screen), Some((_, record))) = (&mut screen, reading.sources.get(file)) {
                        screen.source(&record.uri);
                    }
                    return drifting.as_mut().map_or(Ok(()), |drifting| drifting.begin(file));
                }
                Step::Rows(batch, numbers) => (batch, numbers),
            };
            schema.get_or_insert_with(|| batch.schema());
            if let Some(drifting) = &mut drifting {
                drifting.update(batch)?;
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
        // Without a row nothing is judged, and nothing will be committed.
        let Some(schema) = schema else { return Ok(guilty) };
        for (validator, (suite, asked)) in validators.into_iter().zip(reading.suites) {
            if let Some(validator) = validator {
                guilty.expectations(suite, asked, &validator.finish(None)?, &schema, reading);
            }
        }
        if let (Some(asked), Some(drifting)) = (&quality.drift, &mut drifting) {
            guilty.drift(asked, drifting, reading)?;
        }
        if let (Some(poisoning), Some(screen)) = (&quality.poisoning, screen) {
            guilty.poisoning(poisoning, screen.finish(), reading.sources);
        }
        if guilty.releases.count > 0 {
            for verdict in guilty.verdicts.iter_mut().filter(|own| !own.passed && own.on_fail == OnFail::Quarantine) {
                verdict.detail.push_str("; a person has released rows of it");
            }
        }
        Ok(guilty)
    }

    fn expectations(
        &mut self,
        suite: &Suite,
        asked: &Expectations,
        result: &SuiteResult,
        schema: &SchemaRef,
        reading: &Reading<'_>,
    ) {
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
            // What could not be judged has no rows that it refuses.
            let mut results = failed.iter().filter_map(|index| result.results.get(*index));
            let judged = results.all(|own| !own.exception_info.raised_exception);
            let sieve = if judged { Sieve::new(suite, &failed, schema, reading.spool) } else { None };
            match sieve {
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

    fn drift(&mut self, asked: &Drift, drifting: &mut Drifting<'_>, reading: &Reading<'_>) -> Result<()> {
        let Some(report) = drifting.finish()? else { return Ok(()) };
        let drifted = &drifting.files;
        let passed = !report.drifted && drifted.is_empty();
        let mut on_fail = asked.on_fail;
        let mut said: Vec<String> = Vec::new();
        if report.drifted {
            said.push(summary(&report));
        }
        if drifting.compared > 1 && !drifted.is_empty() {
            let of = drifting.compared;
            let uri = |file: usize| reading.sources.get(file).map_or("", |(_, record)| record.uri.as_str());
            let named: Vec<String> =
                drifted.iter().take(5).map(|(file, own)| format!("{}: {}", uri(*file), summary(own))).collect();
            said.push(format!("{} of {of} files have drifted ({})", drifted.len(), named.join("; ")));
        }
        if !report.skipped.is_empty() {
            let names: Vec<&str> = report.skipped.iter().take(5).map(|(name, _)| name.as_str()).collect();
            said.push(format!("{} columns were not compared: {}", report.skipped.len(), names.join(", ")));
        }
        if passed {
            said.insert(0, format!("{} columns are as in the baseline", report.tested_columns));
        }
        if !passed && on_fail == OnFail::Quarantine {
            if drifted.is_empty() || drifted.len() == drifting.compared {
                // No part of it explains the whole.
                on_fail = OnFail::Stop;
            } else {
                let refusal = |own: &DriftReport| Refusal { gate: "drift".into(), why: summary(own) };
                self.files.extend(drifted.iter().map(|(file, own)| (*file, refusal(own))));
            }
        }
        // Where all together are as they were, a file that is not is what is pictured.
        let seen = if report.drifted { Some(&report) } else { drifted.first().map(|(_, own)| own) };
        let evidence = seen.map_or(Value::Null, |report| pictures::drift(report, reading.contract));
        let detail = said.join("; ");
        self.verdicts.push(Verdict { gate: "drift".into(), passed, on_fail, detail, evidence });
        Ok(())
    }

    fn poisoning(&mut self, asked: &Poisoning, screening: Screening, sources: &[(Content, Authenticated)]) {
        let mut on_fail = asked.on_fail;
        let passed = !screening.poisoned;
        if !passed && on_fail == OnFail::Quarantine && screening.unexplained().next().is_some() {
            on_fail = OnFail::Stop;
        }
        let reason = |segment: &poison::Segment| {
            let source = segment.source.and_then(|source| sources.get(source as usize));
            let source = source.map(|(_, record)| format!("{}: ", record.uri)).unwrap_or_default();
            format!("{source}{}", segment.reason)
        };
        let mut detail = screening.segments.iter().take(5).map(reason).collect::<Vec<_>>().join("; ");
        match screening.segments.len() {
            0 => detail = format!("{} rows, no alarm of {} methods", screening.rows, screening.methods.len()),
            all if all > 5 => detail = format!("{detail}; and {} more", all - 5),
            _ => {}
        }
        let evidence = pictures::poisoning(&screening, sources);
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
    ) -> Result<(Refusals, u64)> {
        let mut refused = Refusals::new();
        if let Some(own) = self.files.get(&file) {
            refused.extend((0..batch.num_rows()).map(|row| (row, own.clone())));
        }
        if let Some(screening) = &self.screening {
            for (at, number) in numbers.iter().enumerate() {
                if let Some(segment) = screening.guilty(file as u32, *number) {
                    let gate = format!("poisoning/{}", segment.method.name());
                    refused.entry(at).or_insert_with(|| Refusal { gate, why: segment.reason.clone() });
                }
            }
        }
        for (gate, sieve) in &mut self.sieves {
            for (at, kinds) in sieve.refused(batch)? {
                refused.entry(at).or_insert_with(|| Refusal { gate: gate.clone(), why: kinds.join(", ") });
            }
        }
        let all = refused.len();
        refused.retain(|at, _| !numbers.get(*at).is_some_and(|number| self.releases.free(first + number)));
        let released = (all - refused.len()) as u64;
        Ok((refused, released))
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

/// An accepted batch without what was refused of it.
pub(crate) fn without(batch: &RecordBatch, refused: &Refusals) -> Result<RecordBatch> {
    let kept: BooleanArray = (0..batch.num_rows()).map(|row| Some(!refused.contains_key(&row))).collect();
    filter_record_batch(batch, &kept).map_err(|_| Failure::bug("a batch could not be filtered"))
}
