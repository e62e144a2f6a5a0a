//! Contracts outside a pipeline: files held against a contract, without a workspace.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use arrow::{array::AsArray as _, compute::cast, datatypes::DataType};
use lockgate_core::{Classification, Failure, Result};
use lockgate_detect::Engine;
use lockgate_quality::{
    Checker, Contract, Keys, Measures, Metric, Reference, ReferenceKeys, RuleOutcome, expect::Sql,
    profile::Inspector as _,
};
use lockgate_source::{Content, Format, Rows, Table};
use serde::Serialize;

use crate::{Progress, kind::Kind, quality::Detecting};

/// Values of a column that are looked into.
const SAMPLE_MAX: usize = 2_000;
/// Rows that are named for each rule.
const EXAMPLES: usize = 5;

/// What came of holding files against a contract.
#[derive(Clone, Debug, Serialize)]
pub struct Tested {
    pub passed: bool,
    pub rows: u64,
    /// Rows that no rule refuses.
    pub accepted: u64,
    /// Rows that break a rule about each row, by column and rule.
    pub rows_broken: Vec<Broken>,
    /// Rules about the dataset.
    pub quality: Vec<RuleOutcome>,
    /// Columns that hold more than their classification says.
    pub governance: Vec<String>,
}

/// A rule that some rows break.
#[derive(Clone, Debug, Serialize)]
pub struct Broken {
    pub column: String,
    pub rule: String,
    pub rows: u64,
    /// The first of them.
    pub first: Vec<u64>,
}

/// Holds files, which are one dataset together, against `contract`.
pub fn test(
    contract: &Contract,
    files: &[std::path::PathBuf],
    engine: &Engine,
    sql: Option<&dyn Sql>,
    keys: &ReferenceKeys,
    progress: &dyn Progress,
) -> Result<Tested> {
    let spill_folder = std::env::temp_dir();
    let mut broken: BTreeMap<(String, String), (u64, Vec<u64>)> = BTreeMap::new();
    let mut samples: Vec<Vec<String>> = vec![Vec::new(); contract.columns.len()];
    let (mut rows, mut accepted) = (0u64, 0u64);
    let mut checker: Option<Checker<'_>> = None;
    let mut measures: Option<Measures<'_>> = None;
    for path in files {
        let uri = path.display().to_string();
        progress.stage("test", &uri);
        let content = Content::file(path)?;
        let (format, delimiter) = match Kind::of(path, &content) {
            Kind::Parquet => (Format::Parquet, None),
            Kind::Csv(delimiter) => (Format::Csv, Some(delimiter)),
            Kind::JsonLines => (Format::Jsonl, None),
            _ => {
                return Err(Failure::input(format!("{uri} is no table"))
                    .hint("a contract is about Parquet, CSV, TSV or JSON Lines; .gz and .zst may follow"));
            }
        };
        let mut source = Rows::look(&content, &uri, format, delimiter)?;
        let mut fresh = match checker.take() {
            Some(checker) if checker.header() == source.header() => checker,
            Some(_) => return Err(Failure::input(format!("{uri} has other columns than the files before it"))),
            None => Checker::new(contract, source.header(), spill_folder.clone()).map_err(|f| f.at(&uri))?,
        };
        while let Some(batch) = source.next_batch()? {
            for malformed in &batch.malformed {
                let (count, first) = broken.entry((String::new(), "malformed".to_owned())).or_default();
                *count += 1;
                if first.len() < EXAMPLES {
                    first.push(rows + malformed.row);
                }
            }
            let checked = fresh.check(&batch.batch)?;
            for violation in &checked.violations {
                let column = violation.column.and_then(|place| contract.columns.get(place));
                let key = (column.map(|column| column.name.clone()).unwrap_or_default(), violation.rule.to_owned());
                let (count, first) = broken.entry(key).or_default();
                *count += 1;
                if first.len() < EXAMPLES {
                    first.extend(batch.rows.get(violation.row).copied());
                }
            }
            accepted += checked.accepted.num_rows() as u64;
            let measures = measures
                .get_or_insert_with(|| Measures::new(contract, fresh.schema(), spill_folder.clone()).with_keys(keys));
            measures.update(&checked.accepted)?;
            take_samples(&mut samples, &checked.accepted);
            rows += (batch.rows.len() + batch.malformed.len()) as u64;
            progress.rows(rows);
        }
        checker = Some(fresh);
    }
    let quality = match measures {
        Some(measures) => measures.finish(sql)?,
        None => return Err(Failure::input("there is no row to test")),
    };
    let governance = governance(contract, &samples, engine)?;
    let rows_broken: Vec<Broken> =
        broken.into_iter().map(|((column, rule), (rows, first))| Broken { column, rule, rows, first }).collect();
    let passed =
        rows_broken.is_empty() && governance.is_empty() && quality.iter().all(|rule| rule.passed || rule.warning);
    Ok(Tested { passed, rows, accepted, rows_broken, quality, governance })
}

/// The keys that the contract's relationships lead to, from the named tables. A relationship to the
/// dataset itself leads to its own files.
pub fn reference_keys(contract: &Contract, own: &[PathBuf], tables: &[(String, PathBuf)]) -> Result<ReferenceKeys> {
    let mut all = ReferenceKeys::new();
    for reference in references(contract) {
        let files: Vec<&PathBuf> = if reference.dataset == contract.dataset.as_str() {
            own.iter().collect()
        } else {
            tables.iter().filter(|(name, _)| *name == reference.dataset).map(|(_, path)| path).collect()
        };
        if files.is_empty() {
            continue;
        }
        let mut keys = Keys::default();
        for path in files {
            let table = Table::open(path)?;
            for part in table.parts(1) {
                let mut batches = table.read(&part, None)?;
                while let Some((batch, _)) = batches.next_batch()? {
                    keys.add(&batch, &reference.to).map_err(|failure| failure.at(table.uri()))?;
                }
            }
        }
        all.insert((reference.dataset.clone(), reference.to.clone()), Arc::new(keys));
    }
    Ok(all)
}

/// The relationships of a contract.
pub(crate) fn references(contract: &Contract) -> impl Iterator<Item = &Reference> {
    contract.quality.iter().filter_map(|rule| match &rule.metric {
        Metric::References(reference) => Some(reference),
        _ => None,
    })
}

fn take_samples(samples: &mut [Vec<String>], batch: &arrow::record_batch::RecordBatch) {
    for (sample, column) in samples.iter_mut().zip(batch.columns()) {
        if sample.len() >= SAMPLE_MAX || matches!(column.data_type(), DataType::Boolean | DataType::Date32) {
            continue;
        }
        if let Ok(texts) = cast(column, &DataType::Utf8) {
            let step = (batch.num_rows() / 256).max(1);
            let values = texts.as_string::<i32>().iter().step_by(step).flatten();
            sample.extend(values.take(SAMPLE_MAX - sample.len()).map(str::to_owned));
        }
    }
}

/// What is found in a column against what the contract says of it.
fn governance(contract: &Contract, samples: &[Vec<String>], engine: &Engine) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for (column, sample) in contract.columns.iter().zip(samples) {
        if column.classification >= Classification::Confidential {
            continue;
        }
        let values: Vec<&str> = sample.iter().map(String::as_str).collect();
        let found = Detecting(engine).inspect(&column.name, &values)?;
        let distinct: BTreeSet<&&str> = values.iter().collect();
        let categories = distinct.len() * 20 <= values.len();
        // In a public column any is too many.
        let any = found.personal.iter().flatten().find(|entity| !categories || *entity != "PERSON");
        let public = column.classification == Classification::Public;
        if let Some(entity) = found.what_is_personal(categories).or(any.filter(|_| public)) {
            let count = found.personal.iter().flatten().filter(|own| *own == entity).count();
            problems.push(format!(
                "column {:?} is {} and holds {entity} in {count} of {} values looked at: classify it as confidential",
                column.name,
                column.classification,
                values.len()
            ));
        }
    }
    Ok(problems)
}
