//! What is kept of a column so that it can be compared exactly.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use lockgate_core::Result;

use super::{ColumnDrift, compare, from_categories, from_numbers, from_texts};
use crate::{
    column::{Column, Kind},
    numbers::in_order,
};
use arrow::{array::ArrayRef, datatypes::DataType};

/// More different texts than this are no categories.
const CATEGORIES_MAX: usize = 1_000;
/// What is measured of free text.
const FEATURES: [&str; 4] = ["length", "words", "digits_share", "capitals_share"];

/// All of one column.
#[derive(Clone, Debug)]
pub struct Gathered {
    kind: Kind,
    rows: u64,
    missing: u64,
    numbers: Vec<f64>,
    categories: Option<HashMap<String, u64>>,
    features: [Vec<f64>; FEATURES.len()],
}

impl Gathered {
    pub fn new(data_type: &DataType) -> Self {
        Self {
            kind: Kind::of(data_type),
            rows: 0,
            missing: 0,
            numbers: Vec::new(),
            categories: Some(HashMap::new()),
            features: Default::default(),
        }
    }

    /// Takes in the column of one batch.
    pub fn update(&mut self, array: &ArrayRef) -> Result<()> {
        let column = Column::of(array)?;
        self.rows += column.len() as u64;
        self.missing += column.missing() as u64;
        match &column {
            Column::Text(texts) => texts.each(|text, count, _| self.text(text, count)),
            Column::Bool(array) => {
                let truths = array.true_count() as u64;
                self.count("true", truths);
                self.count("false", (column.len() - column.missing()) as u64 - truths);
            }
            _ => column.each_number(|_, value| self.numbers.push(value)),
        }
        Ok(())
    }

    fn text(&mut self, text: &str, count: u64) {
        self.count(text, count);
        if self.categories.is_none() {
            self.measure(text, count);
        }
    }

    fn measure(&mut self, text: &str, count: u64) {
        for (feature, value) in self.features.iter_mut().zip(features(text)) {
            feature.extend(std::iter::repeat_n(value, count as usize));
        }
    }

    /// Categories as long as there are few; then what was counted is measured, but for `text`.
    fn count(&mut self, text: &str, count: u64) {
        let Some(categories) = self.categories.as_mut().filter(|_| count > 0) else { return };
        if let Some(own) = categories.get_mut(text) {
            *own += count;
        } else if categories.len() < CATEGORIES_MAX {
            categories.insert(text.to_owned(), count);
        } else {
            self.measure_all();
        }
    }

    fn measure_all(&mut self) {
        for (text, count) in self.categories.take().unwrap_or_default() {
            self.measure(&text, count);
        }
    }

    /// Takes over what `other` saw of other rows.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.missing += other.missing;
        self.numbers.extend(other.numbers);
        for (own, theirs) in self.features.iter_mut().zip(other.features) {
            own.extend(theirs);
        }
        match other.categories {
            Some(theirs) => theirs.into_iter().for_each(|(text, count)| self.text(&text, count)),
            None => self.measure_all(),
        }
    }

    /// Whether the column is another one now: of another kind, or empty where it was not.
    pub fn changed(&self, current: &Self) -> Option<String> {
        let number = |kind: Kind| matches!(kind, Kind::Int | Kind::Float);
        if self.kind != current.kind && !(number(self.kind) && number(current.kind)) {
            return Some(format!("it held {} and holds {} now", self.kind.name(), current.kind.name()));
        }
        match (self.missing == self.rows, current.missing == current.rows) {
            (false, true) => Some("every value is missing now".to_owned()),
            (true, false) => Some("every value was missing, and some are there now".to_owned()),
            _ => None,
        }
    }

    /// Some values, evenly from the least to the most, as text: to look into.
    pub fn sample(&mut self) -> Vec<String> {
        const SAMPLE: usize = 200;
        self.numbers = in_order(std::mem::take(&mut self.numbers));
        let step = (self.numbers.len() / SAMPLE).max(1);
        self.numbers.iter().step_by(step).map(ToString::to_string).collect()
    }

    /// The comparison with the same column of later data.
    pub fn compare(self, name: &str, current: Self) -> std::result::Result<ColumnDrift, String> {
        match self.kind {
            Kind::Other => Err("nested and binary values are not compared".into()),
            Kind::Text | Kind::Bool => {
                let few = |side: &Self| {
                    let present = side.rows - side.missing;
                    // A value a row is an identifier, however few rows there are.
                    side.categories
                        .as_ref()
                        .is_some_and(|c| side.kind == Kind::Bool || (c.len() as u64) * 2 <= present.max(2))
                };
                if few(&self) && few(&current) {
                    return from_categories(name, &self.into_categories(), &current.into_categories());
                }
                let (mut reference, mut current) = (self, current);
                reference.measure_all();
                current.measure_all();
                from_texts(name, &reference.into_texts(), &current.into_texts())
            }
            _ => from_numbers(name, &self.into_numbers(), &current.into_numbers()),
        }
    }

    fn into_numbers(self) -> compare::Column<Vec<f64>> {
        compare::Column { rows: self.rows, missing: self.missing, values: in_order(self.numbers) }
    }

    fn into_categories(self) -> compare::Column<BTreeMap<String, u64>> {
        let values = self.categories.unwrap_or_default().into_iter().collect();
        compare::Column { rows: self.rows, missing: self.missing, values }
    }

    fn into_texts(self) -> compare::Column<Vec<(&'static str, Vec<f64>)>> {
        let values = FEATURES.into_iter().zip(self.features.map(in_order)).collect();
        compare::Column { rows: self.rows, missing: self.missing, values }
    }
}

fn features(text: &str) -> [f64; FEATURES.len()] {
    let (mut length, mut words, mut digits, mut capitals, mut within) = (0u32, 0u32, 0u32, 0u32, false);
    for c in text.chars() {
        length += 1;
        digits += u32::from(c.is_numeric());
        capitals += u32::from(c.is_uppercase());
        let inside = !c.is_whitespace();
        words += u32::from(inside && !within);
        within = inside;
    }
    let share = |part: u32| f64::from(part) / f64::from(length.max(1));
    [f64::from(length), f64::from(words), share(digits), share(capitals)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_measured() {
        assert_eq!(features("Ab 12"), [5.0, 2.0, 0.4, 0.2]);
        assert_eq!(features(""), [0.0, 0.0, 0.0, 0.0]);
    }
}
