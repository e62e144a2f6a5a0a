//! What one expectation keeps while batches pass, beside what its columns keep for all.

use serde_json::Value;

use super::{
    divergence::{Histogram, Partition, scalar},
    gather::{EXAMPLES, Needs, Tested},
    row::{Test, number},
    suite::{Aggregate, Check, Ignore, Records},
};
use crate::{
    Moments,
    column::{Column, Kind, Scalar},
    distinct::{Distinct, Hashes},
    expect::dates,
    numbers::Numbers,
};
use lockgate_core::Result;

/// The state of one expectation.
#[derive(Debug)]
pub(crate) enum State {
    /// It cannot be judged, and why.
    Broken(String),
    /// The columns' own states, or the schema, say it all.
    Gathered,
    Missing {
        wanted: bool,
        tested: Tested,
    },
    Row {
        test: Test,
        tested: Tested,
    },
    Order {
        rising: bool,
        strictly: bool,
        ends: Option<(f64, f64)>,
        tested: Tested,
    },
    Spread {
        values: Numbers,
        rows: Vec<u64>,
        moments: Moments,
        tested: Tested,
    },
    Records {
        records: Records,
        pairs: Vec<(Item, Item)>,
        ignore: Ignore,
        counts: Option<Distinct>,
        tested: Tested,
    },
    Histogram(Histogram),
}

/// A value of a suite, for a column of some kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Missing,
    Number(f64),
    Text(String),
    Time(i64),
}

impl Item {
    fn of(value: &Value, kind: Kind) -> Self {
        match scalar(value) {
            Scalar::Text(text) if kind.is_time() => dates::moment(text).map_or(Self::Text(text.into()), Self::Time),
            Scalar::Text(text) => Self::Text(text.into()),
            Scalar::Missing => Self::Missing,
            other => number(other).map_or(Self::Missing, Self::Number),
        }
    }

    fn is(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Missing, Scalar::Missing) => true,
            (Self::Text(own), Scalar::Text(text)) => own == text,
            (Self::Time(own), Scalar::Time(micros) | Scalar::Day(micros)) => *own == micros,
            (Self::Number(own), value) => number(value) == Some(*own),
            _ => false,
        }
    }
}

/// The hash of a suite's value in a column of `kind`.
pub(crate) fn item_hash(hashes: &Hashes, value: &Value, kind: Kind) -> u128 {
    match scalar(value) {
        Scalar::Text(text) if kind.is_time() => hashes.of(dates::moment(text).map_or(Scalar::Text(text), Scalar::Time)),
        value => hashes.of(value),
    }
}

/// What a check needs of its columns.
pub(crate) fn needs(check: &Check, kind: Kind, show_values: bool) -> Needs {
    let distinct = Needs { distinct: true, names: show_values, ..Needs::default() };
    match check {
        Check::Unique { .. } => distinct,
        Check::DistinctSet { .. } | Check::MostCommon { .. } => distinct,
        Check::Aggregate { what, .. } => match what {
            Aggregate::Max | Aggregate::Min if kind == Kind::Text => Needs { words: true, ..Needs::default() },
            Aggregate::Max | Aggregate::Min | Aggregate::Mean | Aggregate::Deviation | Aggregate::Sum => {
                Needs { moments: true, ..Needs::default() }
            }
            Aggregate::Median => Needs { numbers: true, ..Needs::default() },
            Aggregate::DistinctCount | Aggregate::UniqueProportion => Needs { distinct: true, ..Needs::default() },
            Aggregate::NonNullProportion => Needs::default(),
        },
        Check::Quantiles { .. } => Needs { numbers: true, ..Needs::default() },
        Check::Divergence { divergence, .. } => match divergence.partition {
            Partition::Values { .. } => Needs { distinct: true, ..Needs::default() },
            Partition::Bins { .. } => Needs::default(),
        },
        _ => Needs::default(),
    }
}

impl State {
    /// The state that `check` starts with, for columns of `kinds`.
    pub(crate) fn start(check: &Check, kinds: &[Kind], hashes: &Hashes, folder: &std::path::Path) -> Self {
        let kind = kinds.first().copied().unwrap_or(Kind::Other);
        let tested = Tested::default();
        let numbers_only = |state: Self| {
            if kind.is_number() || kind.is_time() {
                state
            } else {
                Self::Broken(format!("the column holds {}, not numbers", kind.name()))
            }
        };
        match check {
            Check::Missing { wanted, .. } => Self::Missing { wanted: *wanted, tested },
            Check::Row { question, .. } => match question.compile(kind) {
                Ok(test) => Self::Row { test, tested },
                Err(what) => Self::Broken(what),
            },
            Check::Order { rising, strictly, .. } => {
                numbers_only(Self::Order { rising: *rising, strictly: *strictly, ends: None, tested })
            }
            Check::ZScore { .. } | Check::Outliers { .. } if kind.is_time() => {
                Self::Broken("the column holds times, not numbers".into())
            }
            Check::ZScore { .. } | Check::Outliers { .. } => numbers_only(Self::Spread {
                values: Numbers::default(),
                rows: Vec::new(),
                moments: Moments::default(),
                tested,
            }),
            Check::Records { question, ignore, .. } => Self::records(question, kinds, *ignore, hashes, folder),
            Check::Divergence { divergence, .. } if matches!(divergence.partition, Partition::Bins { .. }) => {
                numbers_only(Self::Histogram(Histogram::default()))
            }
            Check::Quantiles { .. } => numbers_only(Self::Gathered),
            Check::Aggregate { what: Aggregate::Mean | Aggregate::Deviation | Aggregate::Median, .. } => {
                numbers_only(Self::Gathered)
            }
            Check::Aggregate { what: Aggregate::Sum, .. } if !kind.is_number() => {
                Self::Broken(format!("the column holds {}, not numbers", kind.name()))
            }
            _ => Self::Gathered,
        }
    }

    fn records(records: &Records, kinds: &[Kind], ignore: Ignore, hashes: &Hashes, folder: &std::path::Path) -> Self {
        let kind = |index: usize| kinds.get(index).copied().unwrap_or(Kind::Other);
        let ordered = |a: Kind, b: Kind| {
            (a.is_number() && b.is_number()) || (a.is_time() && b.is_time()) || (a == b && a == Kind::Text)
        };
        match records {
            Records::Greater { .. } if !ordered(kind(0), kind(1)) => {
                return Self::Broken(format!("{} and {} have no common order", kind(0).name(), kind(1).name()));
            }
            Records::Sum(_) if !kinds.iter().all(|kind| kind.is_number()) => {
                return Self::Broken("some column holds no numbers".into());
            }
            _ => {}
        }
        let pairs = match records {
            Records::PairInSet(pairs) => {
                pairs.iter().map(|(a, b)| (Item::of(&a.0, kind(0)), Item::of(&b.0, kind(1)))).collect()
            }
            _ => Vec::new(),
        };
        let counts = matches!(records, Records::Compound).then(|| Distinct::new(hashes.clone(), folder.to_owned()));
        Self::Records { records: records.clone(), pairs, ignore, counts, tested: Tested::default() }
    }

    /// Takes in a batch.
    pub(crate) fn update(
        &mut self,
        check: &Check,
        columns: &[&Column],
        row_of: &dyn Fn(usize) -> u64,
        show_values: bool,
    ) -> Result<()> {
        let Some(column) = columns.first().copied() else { return Ok(()) };
        let value = |row: usize| if show_values { column.scalar(row).to_json() } else { Value::Null };
        match self {
            Self::Broken(_) | Self::Gathered => {}
            Self::Missing { wanted, tested } => {
                tested.elements += column.len() as u64;
                let missing = column.missing();
                tested.unexpected += if *wanted { column.len() - missing } else { missing } as u64;
                if tested.examples.len() < EXAMPLES && (if *wanted { missing < column.len() } else { missing > 0 }) {
                    for row in (0..column.len()).filter(|row| column.is_missing(*row) != *wanted).take(EXAMPLES) {
                        tested.example(row_of(row), value(row));
                    }
                }
            }
            Self::Row { test, tested } => {
                tested.elements += column.len() as u64;
                tested.missing += column.missing() as u64;
                let failing = test.failing(column, 0..column.len(), EXAMPLES - tested.examples.len());
                tested.unexpected += failing.count;
                for row in failing.rows {
                    tested.example(row_of(row), value(row));
                }
            }
            Self::Order { rising, strictly, ends, tested } => {
                tested.elements += column.len() as u64;
                tested.missing += column.missing() as u64;
                let (rising, strictly) = (*rising, *strictly);
                column.each_number(|row, number| {
                    if let Some((_, last)) = ends {
                        if !in_order(*last, number, rising, strictly) {
                            tested.unexpected += 1;
                            tested.example(row_of(row), value(row));
                        }
                        *last = number;
                    } else {
                        *ends = Some((number, number));
                    }
                });
            }
            Self::Spread { values, rows, moments, tested } => {
                tested.elements += column.len() as u64;
                tested.missing += column.missing() as u64;
                let mut batch = Vec::with_capacity(column.len());
                let mut outcome = Ok(());
                column.each_number(|row, number| {
                    batch.push(number);
                    if outcome.is_ok() {
                        outcome = values.add(number);
                    }
                    if rows.len() < crate::numbers::EXACT_MAX {
                        rows.push(row_of(row));
                    }
                });
                moments.add_all(&batch);
                outcome?;
            }
            Self::Histogram(histogram) => {
                if let Check::Divergence { divergence, .. } = check
                    && let Partition::Bins { bins, .. } = &divergence.partition
                {
                    column.each_number(|_, number| histogram.add(bins, number));
                }
            }
            Self::Records { records, pairs, ignore, counts, tested } => {
                update_records(records, pairs, *ignore, counts.as_mut(), tested, columns, row_of, show_values)?;
            }
        }
        Ok(())
    }

    /// Takes over the state of the rows that follow.
    pub(crate) fn merge(&mut self, other: Self) -> Result<()> {
        match (self, other) {
            (Self::Missing { tested, .. }, Self::Missing { tested: theirs, .. })
            | (Self::Row { tested, .. }, Self::Row { tested: theirs, .. }) => tested.merge(theirs),
            (Self::Order { rising, strictly, ends, tested }, Self::Order { ends: their_ends, tested: theirs, .. }) => {
                tested.merge(theirs);
                match (ends.as_mut(), their_ends) {
                    (Some((_, last)), Some((next, end))) => {
                        if !in_order(*last, next, *rising, *strictly) {
                            tested.unexpected += 1;
                        }
                        *last = end;
                    }
                    (None, theirs) => *ends = theirs,
                    (Some(_), None) => {}
                }
            }
            (
                Self::Spread { values, rows, moments, tested },
                Self::Spread { values: v, rows: r, moments: m, tested: t },
            ) => {
                values.merge(v)?;
                rows.extend(r.into_iter().take(crate::numbers::EXACT_MAX.saturating_sub(rows.len())));
                moments.merge(&m);
                tested.merge(t);
            }
            (Self::Records { counts, tested, .. }, Self::Records { counts: c, tested: t, .. }) => {
                tested.merge(t);
                if let (Some(own), Some(theirs)) = (counts, c) {
                    own.merge(theirs)?;
                }
            }
            (Self::Histogram(own), Self::Histogram(theirs)) => own.merge(&theirs),
            _ => {}
        }
        Ok(())
    }
}

fn in_order(before: f64, after: f64, rising: bool, strictly: bool) -> bool {
    // The difference, as pandas takes it: equal infinities have none.
    let difference = after - before;
    if difference.is_nan() {
        return true;
    }
    let difference = if rising { difference } else { -difference };
    if strictly { difference > 0.0 } else { difference >= 0.0 }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one state and of one batch")]
fn update_records(
    records: &Records,
    pairs: &[(Item, Item)],
    ignore: Ignore,
    mut counts: Option<&mut Distinct>,
    tested: &mut Tested,
    columns: &[&Column],
    row_of: &dyn Fn(usize) -> u64,
    show_values: bool,
) -> Result<()> {
    let rows = columns.first().map_or(0, |column| column.len());
    for row in 0..rows {
        let values: Vec<Scalar<'_>> = columns.iter().map(|column| column.scalar(row)).collect();
        let missing = values.iter().filter(|value| **value == Scalar::Missing).count();
        let left_out = match ignore {
            Ignore::All => missing == values.len(),
            Ignore::Any => missing > 0,
            Ignore::Never => false,
        };
        tested.elements += 1;
        if left_out {
            tested.missing += 1;
            continue;
        }
        if let Some(counts) = counts.as_deref_mut() {
            let hash = counts.hashes.of_all(values.iter().copied());
            counts.add(hash, row_of(row))?;
            continue;
        }
        if !judge(records, pairs, &values) {
            tested.unexpected += 1;
            let shown = if show_values {
                Value::Array(values.iter().map(|value| value.to_json()).collect())
            } else {
                Value::Null
            };
            tested.example(row_of(row), shown);
        }
    }
    Ok(())
}

fn judge(records: &Records, pairs: &[(Item, Item)], values: &[Scalar<'_>]) -> bool {
    let first = values.first().copied().unwrap_or(Scalar::Missing);
    let second = values.get(1).copied().unwrap_or(Scalar::Missing);
    match records {
        Records::Greater { or_equal } => match order(first, second) {
            Some(std::cmp::Ordering::Greater) => true,
            Some(std::cmp::Ordering::Equal) => *or_equal,
            _ => false,
        },
        // Missing equals nothing, not even missing.
        Records::Equal => first != Scalar::Missing && same(first, second),
        Records::PairInSet(_) => pairs.iter().any(|(a, b)| a.is(first) && b.is(second)),
        Records::Sum(total) => {
            let sum: Option<f64> = values.iter().map(|value| number(*value)).sum();
            sum == Some(*total)
        }
        Records::AllEqual => values.iter().all(|value| same(first, *value)),
        Records::AllDifferent => values
            .iter()
            .enumerate()
            .all(|(index, value)| !values.iter().take(index).any(|earlier| same(*earlier, *value))),
        Records::Compound => true,
    }
}

fn order(a: Scalar<'_>, b: Scalar<'_>) -> Option<std::cmp::Ordering> {
    match (a, b) {
        (Scalar::Text(a), Scalar::Text(b)) => Some(a.cmp(b)),
        (Scalar::Time(a) | Scalar::Day(a), Scalar::Time(b) | Scalar::Day(b)) => Some(a.cmp(&b)),
        (Scalar::Int(a), Scalar::Int(b)) => Some(a.cmp(&b)),
        (a, b) => number(a)?.partial_cmp(&number(b)?),
    }
}

fn same(a: Scalar<'_>, b: Scalar<'_>) -> bool {
    (a == Scalar::Missing && b == Scalar::Missing) || order(a, b) == Some(std::cmp::Ordering::Equal)
}
