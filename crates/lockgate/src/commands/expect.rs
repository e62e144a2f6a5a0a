//! `lockgate expect`: a suite of Great Expectations against files.

use std::sync::Arc;

use lockgate_core::{Failure, Result};
use lockgate_pipeline::quality;
use lockgate_quality::expect::{ExpectationResult, Options, Sql, Suite, Values};
use lockgate_query::{Files, Source};
use lockgate_source::{Dates, Table};
use serde_json::Value;

use crate::{
    cli::{ExpectArgs, Format, Global},
    environment, output,
};

/// What SQL calls the data under test.
const BATCH: &str = "batch";

pub fn expect(global: &Global, args: &ExpectArgs) -> Result<()> {
    let suite = Suite::read(&args.suite)?;
    let tables = quality::open(&args.data, Dates::Text)?;
    let setup = environment::setup()?;
    let sql = if suite.needs_sql() { Some(Queries::new(&setup, BATCH, &args.table, &tables)?) } else { None };
    let options = Options {
        values: if args.show_values { Values::Show } else { Values::Hide },
        spill_folder: std::env::temp_dir(),
    };
    let progress = output::Terminal::new(global);
    let sql = sql.as_ref().map(|sql| sql as &dyn Sql);
    let result = quality::expect(&tables, suite, options, sql, environment::threads(), &progress)?;
    progress.finish();
    match global.format {
        Format::Table => {
            output::rows(global, &["", "expectation", "columns", "unexpected", "observed"], &result.results, cells)?;
            let good = result.statistics.successful_expectations;
            output::line(&format!("\n{good} of {} expectations are met", result.statistics.evaluated_expectations));
        }
        _ => output::json(global, &result)?,
    }
    if result.success {
        return Ok(());
    }
    let failed = result.statistics.unsuccessful_expectations;
    let failure = Failure::findings(format!("{failed} of {} expectations are not met", result.results.len()));
    Err(if args.show_values { failure } else { failure.hint("--show-values quotes what was not expected") })
}

fn cells(result: &ExpectationResult) -> Vec<String> {
    let mark = output::verdict(result.success, if result.success { "✓" } else { "✗" });
    let kind = result.kind().strip_prefix("expect_").unwrap_or(result.kind()).replace('_', " ");
    let number = |key: &str| result.result.get(key).and_then(Value::as_u64);
    let unexpected = match (number("unexpected_count"), number("element_count")) {
        (Some(count), Some(all)) => format!("{count} of {all}"),
        (Some(count), None) => count.to_string(),
        _ => String::new(),
    };
    vec![mark, kind, output::plain(&result.columns().join(", ")), unexpected, output::plain(&observed(result))]
}

/// What was seen, in a few words.
fn observed(result: &ExpectationResult) -> String {
    const LENGTH_MAX: usize = 60;
    if let Some(message) = &result.exception_info.exception_message {
        return message.clone();
    }
    let part = |key: &str| result.result.get(key).filter(|value| !value.is_null());
    let mut text = match part("observed_value") {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    if let Some(Value::Array(values)) = part("partial_unexpected_list").filter(|_| !result.success) {
        text = values.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    } else if let Some(Value::Array(rows)) = part("partial_unexpected_index_list").filter(|_| !result.success)
        && !rows.is_empty()
    {
        let rows: Vec<String> = rows.iter().take(5).map(ToString::to_string).collect();
        text = format!("rows {}", rows.join(", "));
    }
    if text.chars().count() > LENGTH_MAX {
        text = text.chars().take(LENGTH_MAX).chain(['…']).collect();
    }
    text
}

/// Expectations that are SQL, over the files.
pub struct Queries {
    files: Files,
}

impl Queries {
    /// The data is the table `batch` and the table `name`; `others` are NAME=FILE.
    pub fn new(setup: &environment::Setup, name: &str, others: &[String], tables: &[Table]) -> Result<Self> {
        let mut named = vec![(BATCH.to_owned(), tables.to_vec())];
        if name != BATCH {
            named.push((name.to_owned(), tables.to_vec()));
        }
        for table in others {
            let (name, path) = table.split_once('=').ok_or_else(|| {
                Failure::usage(format!("--table {table} is not NAME=FILE"))
                    .hint("for example --table orders=orders.parquet")
            })?;
            named.push((name.to_owned(), vec![Table::open(path.as_ref())?]));
        }
        let tables = named
            .into_iter()
            .filter_map(|(name, tables)| {
                let schema = Arc::clone(tables.first()?.schema());
                Some((name, schema, source(tables)))
            })
            .collect();
        Ok(Self { files: Files::new(setup.runtime.handle().clone(), tables)? })
    }
}

fn source(tables: Vec<Table>) -> Source {
    Arc::new(move || {
        let mut readers = Vec::new();
        for table in &tables {
            for part in table.parts(1) {
                readers.push(table.read(&part, None)?);
            }
        }
        Ok(Box::new(readers.into_iter().flat_map(|mut reader| {
            std::iter::from_fn(move || reader.next_batch().map(|batch| batch.map(|(batch, _)| batch)).transpose())
        })))
    })
}

impl Sql for Queries {
    fn row_count(&self, name: &str) -> Result<u64> {
        self.files.count(&format!("SELECT 1 FROM \"{}\"", name.replace('"', "\"\"")))
    }

    fn rows(&self, query: &str) -> Result<u64> {
        self.files.count(&with_batch(query))
    }

    fn number(&self, query: &str, name: &str) -> Result<f64> {
        // The standard's placeholders for the dataset.
        let query = ["${table}", "${object}", "{table}", "{object}", "{model}"]
            .iter()
            .fold(with_batch(query), |query, placeholder| query.replace(placeholder, &format!("\"{name}\"")));
        self.files.number(&query)
    }

    fn compare(&self, base: &str, comparison: &str) -> Result<(u64, u64, u64)> {
        self.files.compare(&with_batch(base), &with_batch(comparison))
    }
}

fn with_batch(query: &str) -> String {
    query.replace("{batch}", BATCH)
}
