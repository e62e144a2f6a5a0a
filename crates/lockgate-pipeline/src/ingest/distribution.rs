//! The file-level guard against poisoning: a file whose values are distributed unlike those of
//! all other files is refused whole. The measure is the total variation distance.

use std::collections::BTreeMap;

use arrow::{array::AsArray as _, compute::cast, datatypes::DataType};
use lockgate_core::{Failure, Result};
use lockgate_quality::{Checker, Contract, drift};
use lockgate_source::{Authenticated, Content, Rows};

use crate::config::{Distribution, Ingest};

/// More distinct values than this is no categorical column.
const CATEGORIES_MAX: usize = 1_000;
/// Files with fewer rows say too little.
const FILE_ROWS_MIN: u64 = 30;

type Counts = BTreeMap<String, u64>;

/// The files to refuse, each with the rule it broke.
pub(crate) fn outliers(
    sources: &[(Content, Authenticated)],
    spec: &Ingest,
    contract: &Contract,
    names: &[String],
    spool: &std::path::Path,
) -> Result<BTreeMap<usize, String>> {
    let mut refused = BTreeMap::new();
    if sources.len() < 3 {
        // With two files nobody can say which one is unlike the other.
        return Ok(refused);
    }
    for guard in &spec.quality.distribution {
        let counts = sources
            .iter()
            .map(|source| count(source, spec, contract, names, guard, spool))
            .collect::<Result<Vec<Counts>>>()?;
        for (index, own) in counts.iter().enumerate() {
            let mut others = Counts::new();
            for (_, counts) in
                counts.iter().enumerate().filter(|(other, _)| *other != index && !refused.contains_key(other))
            {
                for (value, count) in counts {
                    *others.entry(value.clone()).or_default() += count;
                }
            }
            let rows: u64 = own.values().sum();
            let distance = total_variation(own, &others);
            if rows >= FILE_ROWS_MIN && distance > guard.max_total_variation {
                refused.insert(
                    index,
                    format!(
                        "distribution of {}: distance {distance:.3}, allowed {}",
                        guard.column, guard.max_total_variation
                    ),
                );
            }
        }
    }
    Ok(refused)
}

fn count(
    (content, record): &(Content, Authenticated),
    spec: &Ingest,
    contract: &Contract,
    names: &[String],
    guard: &Distribution,
    spool: &std::path::Path,
) -> Result<Counts> {
    let column = contract.column(&guard.column).ok_or_else(|| {
        Failure::input(format!(
            "quality.distribution names column {:?}, which the contract does not have",
            guard.column
        ))
    })?;
    let mut rows = Rows::open(content, record, &spec.source, names)?;
    let mut checker = Checker::new(contract, rows.header(), spool.to_owned()).map_err(|f| f.at(&record.uri))?;
    let mut counts = Counts::new();
    while let Some(batch) = rows.next_batch()? {
        let checked = checker.check(&batch.batch)?;
        let texts = cast(checked.accepted.column(column), &DataType::Utf8)
            .map_err(|_| Failure::bug("a column cannot be counted"))?;
        for text in texts.as_string::<i32>().iter().flatten() {
            let known = counts.len();
            match counts.get_mut(text) {
                Some(count) => *count += 1,
                None if known < CATEGORIES_MAX => {
                    counts.insert(text.to_owned(), 1);
                }
                None => {
                    return Err(Failure::input(format!(
                        "column {:?} has more than 1,000 values; quality.distribution is for categories",
                        guard.column
                    )));
                }
            }
        }
    }
    rows.finish()?;
    Ok(counts)
}

/// The total variation distance of two sets of counts.
fn total_variation(left: &Counts, right: &Counts) -> f64 {
    let count = |counts: &Counts, value: &str| counts.get(value).copied().unwrap_or_default() as f64;
    let values: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let pairs: Vec<(f64, f64)> = values.into_iter().map(|value| (count(left, value), count(right, value))).collect();
    drift::Counts(&pairs).total_variation().statistic
}
