//! What is kept of a column while batches pass: only what some expectation asks for.

use std::path::Path;

use arrow::array::Array as _;
use hashbrown::HashMap;
use lockgate_core::Result;
use serde_json::Value;

use crate::{
    Moments,
    column::{Column, Scalar},
    distinct::{Distinct, Hashes},
    numbers::Numbers,
};

/// Values that are kept by name, where they may be shown.
const NAMES_MAX: usize = 1_000;

/// What is asked of one column.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    pub(crate) moments: bool,
    pub(crate) numbers: bool,
    pub(crate) distinct: bool,
    pub(crate) words: bool,
    pub(crate) names: bool,
}

/// What was seen of one column.
#[derive(Debug)]
pub(crate) struct Gathered {
    needs: Needs,
    pub(crate) rows: u64,
    pub(crate) missing: u64,
    pub(crate) moments: Moments,
    pub(crate) numbers: Numbers,
    pub(crate) distinct: Option<Distinct>,
    /// The first and the last text in the order of code points.
    pub(crate) words: Option<(String, String)>,
    pub(crate) names: HashMap<u128, Value>,
}

impl Gathered {
    pub(crate) fn new(needs: Needs, hashes: &Hashes, folder: &Path) -> Self {
        let distinct = needs.distinct.then(|| Distinct::new(hashes.clone(), folder.to_owned()));
        Self {
            needs,
            rows: 0,
            missing: 0,
            moments: Moments::default(),
            numbers: Numbers::default(),
            distinct,
            words: None,
            names: HashMap::new(),
        }
    }

    /// Takes in a batch; `row_of` gives the number of each of its rows in the whole data.
    pub(crate) fn update(&mut self, column: &Column, row_of: &dyn Fn(usize) -> u64) -> Result<()> {
        self.rows += column.len() as u64;
        self.missing += column.missing() as u64;
        if self.needs.moments {
            self.add_moments(column);
        }
        if self.needs.numbers {
            let mut outcome = Ok(());
            column.each_number(|_, value| {
                if outcome.is_ok() {
                    outcome = self.numbers.add(value);
                }
            });
            outcome?;
        }
        if self.needs.words
            && let Column::Text(texts) = column
        {
            texts.each(|text, _, _| self.word(text));
        }
        if self.needs.distinct { self.count_values(column, row_of) } else { Ok(()) }
    }

    fn add_moments(&mut self, column: &Column) {
        if let Column::Float(array) = column
            && array.null_count() == 0
            && !array.values().iter().any(|value| value.is_nan())
        {
            self.moments.add_all(array.values());
            return;
        }
        let mut values = Vec::with_capacity(column.len());
        column.each_number(|_, value| values.push(value));
        self.moments.add_all(&values);
    }

    fn word(&mut self, text: &str) {
        match &mut self.words {
            None => self.words = Some((text.to_owned(), text.to_owned())),
            Some((first, _)) if text < first.as_str() => text.clone_into(first),
            Some((_, last)) if text > last.as_str() => text.clone_into(last),
            Some(_) => {}
        }
    }

    fn count_values(&mut self, column: &Column, row_of: &dyn Fn(usize) -> u64) -> Result<()> {
        let Some(distinct) = &mut self.distinct else { return Ok(()) };
        let names = self.needs.names.then_some(&mut self.names);
        let mut remember = names.map(|names| {
            |hash: u128, value: Scalar<'_>| {
                if names.len() < NAMES_MAX {
                    names.entry(hash).or_insert_with(|| value.to_json());
                }
            }
        });
        if let Column::Text(texts) = column {
            let mut outcome = Ok(());
            texts.each(|text, count, row| {
                let hash = distinct.hashes.of(Scalar::Text(text));
                if outcome.is_ok() {
                    outcome = distinct.add_many(hash, count, row_of(row));
                }
                if let Some(remember) = &mut remember {
                    remember(hash, Scalar::Text(text));
                }
            });
            return outcome;
        }
        for row in 0..column.len() {
            let value = column.scalar(row);
            if value != Scalar::Missing {
                let hash = distinct.hashes.of(value);
                distinct.add(hash, row_of(row))?;
                if let Some(remember) = &mut remember {
                    remember(hash, value);
                }
            }
        }
        Ok(())
    }

    /// Does what costs time before a merge.
    pub(crate) fn seal(&mut self) -> Result<()> {
        self.numbers.sort();
        self.distinct.as_mut().map_or(Ok(()), Distinct::seal)
    }

    pub(crate) fn merge(&mut self, other: Self) -> Result<()> {
        self.rows += other.rows;
        self.missing += other.missing;
        self.moments.merge(&other.moments);
        self.numbers.merge(other.numbers)?;
        if let (Some(own), Some(other)) = (&mut self.distinct, other.distinct) {
            own.merge(other)?;
        }
        if let Some((first, last)) = other.words {
            self.word(&first);
            self.word(&last);
        }
        for (hash, value) in other.names {
            if self.names.len() < NAMES_MAX {
                self.names.entry(hash).or_insert(value);
            }
        }
        Ok(())
    }

    /// The values that are there.
    pub(crate) fn present(&self) -> u64 {
        self.rows - self.missing
    }
}

/// How many rows failed and which, the first of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tested {
    pub(crate) elements: u64,
    pub(crate) missing: u64,
    pub(crate) unexpected: u64,
    pub(crate) examples: Vec<(u64, Value)>,
}

/// Rows that are named in a result, as Great Expectations names them.
pub(crate) const EXAMPLES: usize = 20;

impl Tested {
    pub(crate) fn example(&mut self, row: u64, value: Value) {
        if self.examples.len() < EXAMPLES {
            self.examples.push((row, value));
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.elements += other.elements;
        self.missing += other.missing;
        self.unexpected += other.unexpected;
        self.examples.extend(other.examples);
        self.examples.sort_by_key(|(row, _)| *row);
        self.examples.truncate(EXAMPLES);
    }
}
