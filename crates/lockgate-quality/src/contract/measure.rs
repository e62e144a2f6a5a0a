//! Counting what the quality rules of a contract are about, over the rows that enter.

use std::{path::PathBuf, sync::Arc};

use arrow::{
    array::{Array as _, AsArray as _, RecordBatch},
    compute::cast,
    datatypes::{DataType, SchemaRef},
};
use lockgate_core::{Clock, Failure, Result};
use serde::Serialize;

use super::{Contract, End, Keys, Metric, QualityRule, ReferenceKeys, Severity, Unit};
use crate::{
    column::{Column, DAY_MICROS},
    distinct::{Distinct, Hashes},
    expect::{Options, Sql, Validator, Values},
};

/// The verdict on one rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleOutcome {
    pub rule: String,
    pub column: Option<String>,
    pub passed: bool,
    /// A rule that only warns stops nothing.
    pub warning: bool,
    /// What was counted, in the rule's unit.
    pub observed: Option<f64>,
    pub demand: String,
}

/// Counts over accepted batches.
#[derive(Debug)]
pub struct Measures<'c> {
    contract: &'c Contract,
    rows: u64,
    counting: Vec<Counting<'c>>,
}

#[derive(Debug)]
struct Counting<'c> {
    rule: &'c QualityRule,
    count: u64,
    distinct: Option<Distinct>,
    validator: Option<Box<Validator>>,
    /// The newest or the oldest moment, in microseconds since 1970.
    moment: Option<i64>,
    keys: Option<Arc<Keys>>,
}

impl<'c> Measures<'c> {
    /// `schema` is that of the accepted rows.
    pub fn new(contract: &'c Contract, schema: &SchemaRef, spill_folder: PathBuf) -> Self {
        let hashes = Hashes::random();
        let counting = contract
            .quality
            .iter()
            .map(|rule| Counting {
                rule,
                count: 0,
                distinct: matches!(rule.metric, Metric::DuplicateValues(_))
                    .then(|| Distinct::new(hashes.clone(), spill_folder.clone())),
                validator: match &rule.metric {
                    Metric::Expectation(suite) => {
                        let options = Options { values: Values::Hide, spill_folder: spill_folder.clone() };
                        Some(Box::new(Validator::new(Arc::new(suite.clone()), Arc::clone(schema), options)))
                    }
                    _ => None,
                },
                moment: None,
                keys: None,
            })
            .collect();
        Self { contract, rows: 0, counting }
    }

    /// Gives the keys of the datasets that relationships lead to, by dataset and columns.
    pub fn with_keys(mut self, keys: &ReferenceKeys) -> Self {
        for counting in &mut self.counting {
            if let Metric::References(reference) = &counting.rule.metric {
                counting.keys = keys.get(&(reference.dataset.clone(), reference.to.clone())).cloned();
            }
        }
        self
    }

    pub fn update(&mut self, accepted: &RecordBatch) -> Result<()> {
        let first = self.rows;
        self.rows += accepted.num_rows() as u64;
        for counting in &mut self.counting {
            counting.update(accepted, first)?;
        }
        Ok(())
    }

    /// The verdicts, in the contract's order. A rule that is SQL needs `sql`.
    pub fn finish(self, sql: Option<&dyn Sql>) -> Result<Vec<RuleOutcome>> {
        let (rows, contract) = (self.rows, self.contract);
        self.counting
            .into_iter()
            .filter(|counting| !matches!(counting.rule.metric, Metric::Text(_)))
            .map(|counting| counting.finish(rows, contract, sql))
            .collect()
    }
}

impl Counting<'_> {
    fn update(&mut self, batch: &RecordBatch, first: u64) -> Result<()> {
        let column = |place: usize| -> Result<Column> {
            if place < batch.num_columns() {
                Column::of(batch.column(place))
            } else {
                Err(Failure::bug("a column is gone"))
            }
        };
        match (&self.rule.metric, self.rule.column) {
            (Metric::RowCount, _) => self.count += batch.num_rows() as u64,
            (Metric::NullValues, Some(place)) => self.count += column(place)?.missing() as u64,
            (Metric::MissingValues(words), Some(place)) => {
                self.count_texts(batch, place, |text| text.is_none_or(|text| words.iter().any(|word| word == text)))?;
            }
            (Metric::InvalidValues { valid, pattern }, Some(place)) => {
                // Missing values are for other rules.
                self.count_texts(batch, place, |text| {
                    text.is_some_and(|text| {
                        valid.as_ref().is_some_and(|valid| !valid.iter().any(|value| value == text))
                            || pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text))
                    })
                })?;
            }
            (Metric::DuplicateValues(places), _) => {
                let columns = places.iter().map(|place| column(*place)).collect::<Result<Vec<_>>>()?;
                if let Some(distinct) = &mut self.distinct {
                    for row in 0..batch.num_rows() {
                        // Rows without a key are nobody's duplicate.
                        if columns.iter().all(|column| column.is_missing(row)) {
                            continue;
                        }
                        let hash = distinct.hashes.of_all(columns.iter().map(|column| column.scalar(row)));
                        distinct.add(hash, first + row as u64)?;
                    }
                }
            }
            (Metric::Age(place, end), _) => {
                let (Column::Time(times) | Column::Day(times)) = column(*place)? else { return Ok(()) };
                // What lies ahead makes nothing fresh.
                let ahead = (Clock.now().millis() + 86_400_000).saturating_mul(1_000);
                let times = times.iter().flatten();
                let own = match end {
                    End::Newest => times.filter(|moment| *moment <= ahead).max(),
                    End::Oldest => times.min(),
                };
                self.moment = match (self.moment, own, end) {
                    (Some(known), Some(own), End::Newest) => Some(known.max(own)),
                    (Some(known), Some(own), End::Oldest) => Some(known.min(own)),
                    (known, own, _) => known.or(own),
                };
            }
            (Metric::References(reference), _) => {
                if let Some(keys) = &self.keys {
                    self.count += keys.missing_from(batch, &reference.columns)?;
                }
            }
            (Metric::Expectation(_), _) => {
                if let Some(validator) = &mut self.validator {
                    validator.update(batch, first)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn count_texts(&mut self, batch: &RecordBatch, place: usize, counts: impl Fn(Option<&str>) -> bool) -> Result<()> {
        let texts = cast(batch.column(place), &DataType::Utf8)
            .map_err(|_| Failure::bug("a checked column cannot be read as text"))?;
        let texts = texts.as_string::<i32>();
        self.count +=
            (0..texts.len()).filter(|row| counts((!texts.is_null(*row)).then(|| texts.value(*row)))).count() as u64;
        Ok(())
    }

    fn finish(self, rows: u64, contract: &Contract, sql: Option<&dyn Sql>) -> Result<RuleOutcome> {
        let rule = self.rule;
        let column = rule.column.and_then(|place| contract.columns.get(place)).map(|column| column.name.clone());
        let mut outcome = RuleOutcome {
            rule: rule.name.clone(),
            column,
            passed: false,
            warning: rule.severity == Severity::Warning,
            observed: None,
            demand: match rule.unit {
                Unit::Percent => format!("{} %", rule.demand),
                Unit::Days => format!("{} days", rule.demand),
                Unit::Rows => rule.demand.to_string(),
            },
        };
        if let Metric::Age(..) = rule.metric {
            let now = Clock.now().millis() as f64 * 1_000.0;
            let age = self.moment.map(|moment| (now - moment as f64) / DAY_MICROS as f64);
            outcome.observed = age.map(|days| (days * 100.0).round() / 100.0);
            // Without a moment nothing is too old, and nothing is fresh.
            outcome.passed =
                age.map_or(matches!(rule.metric, Metric::Age(_, End::Oldest)), |days| rule.demand.holds(days));
            return Ok(outcome);
        }
        if let (Metric::References(reference), None) = (&rule.metric, &self.keys) {
            return Err(Failure::input(format!("the relationship to {} cannot be checked", reference.dataset)).hint(
                format!("name its data: --table {}=FILE; a pipeline reads it from its own sources", reference.dataset),
            ));
        }
        let count = match (&rule.metric, self.distinct, self.validator) {
            (Metric::DuplicateValues(_), Some(mut distinct), _) => {
                let tally = distinct.tally(0)?;
                tally.rows - tally.distinct
            }
            (Metric::Expectation(_), _, Some(validator)) => {
                let result = validator.finish(sql)?;
                let failed = result.results.iter().find(|result| !result.success);
                outcome.passed = failed.is_none();
                outcome.demand = failed.or(result.results.first()).map(|r| r.kind().to_owned()).unwrap_or_default();
                return Ok(outcome);
            }
            (Metric::Sql(query), ..) => {
                let sql = sql.ok_or_else(|| {
                    Failure::input(format!("quality rule {:?} is SQL, which is not run here", rule.name))
                        .hint("`lockgate contract test` runs it; ingestion runs rules of type library and custom")
                })?;
                let observed = sql.number(query, contract.dataset.as_str())?;
                outcome.observed = Some(observed);
                outcome.passed = rule.demand.holds(observed);
                return Ok(outcome);
            }
            _ => self.count,
        };
        let observed = match rule.unit {
            Unit::Rows | Unit::Days => count as f64,
            Unit::Percent if rows == 0 => 0.0,
            Unit::Percent => count as f64 * 100.0 / rows as f64,
        };
        outcome.observed = Some(observed);
        outcome.passed = rule.demand.holds(observed);
        Ok(outcome)
    }
}
