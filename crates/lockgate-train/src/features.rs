//! From rows to features: which columns are numbers, which are categories, and which rows are
//! held out.

use std::collections::{BTreeMap, BTreeSet};

use arrow::{
    array::{Array as _, AsArray as _, RecordBatch},
    compute::{cast, concat_batches},
    datatypes::{DataType, Float64Type},
};
use lockgate_core::{Failure, Result, SplitMix64};
use serde::{Deserialize, Serialize};

/// Categories of one column; more than this is no category.
const CATEGORIES_MAX: usize = 1_000;
/// Words of one column of text, the most frequent first.
const VOCABULARY_MAX: usize = 2_000;
/// A word that fewer rows have is a typing mistake, or names somebody.
const ROWS_WITH_WORD_MIN: usize = 5;

/// Which side of the split a row is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Train,
    Held,
}

/// The side of a row, decided by its subject so that nobody is on both sides; a row about nobody
/// is decided by its place.
pub fn part_of(subject: Option<&[u8]>, row: u64, seed: u64, holdout: f64) -> Part {
    let key = subject.and_then(|s| s.first_chunk::<8>()).map_or(row, |bytes| u64::from_be_bytes(*bytes));
    if SplitMix64::unit_of(key, seed) >= holdout { Part::Train } else { Part::Held }
}

/// How one column becomes features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Encoding {
    /// One number; missing is NaN.
    Number { name: String },
    /// One number for each category, in order; an unknown category is all zeros.
    OneHot { name: String, categories: Vec<String> },
    /// How often each word of the vocabulary, in order, stands in the text; words are what white
    /// space separates.
    Words { name: String, vocabulary: Vec<String> },
}

impl Encoding {
    pub fn name(&self) -> &str {
        match self {
            Self::Number { name } | Self::OneHot { name, .. } | Self::Words { name, .. } => name,
        }
    }

    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Number { .. } => 1,
            Self::OneHot { categories: known, .. } | Self::Words { vocabulary: known, .. } => known.len(),
        }
    }
}

/// Rows as numbers: numeric columns first, then categories and words, as the exported graph orders
/// them.
#[derive(Clone, Debug)]
pub struct Matrix {
    pub encodings: Vec<Encoding>,
    pub rows: usize,
    pub width: usize,
    /// Row-major, rounded to what a float holds, since that is what the model will get.
    pub values: Vec<f32>,
    pub labels: Vec<bool>,
}

/// Which columns are what.
#[derive(Clone, Copy, Debug)]
pub struct Roles<'r> {
    pub label: &'r str,
    pub positive: &'r str,
    pub exclude: &'r [String],
    /// Columns of which each word is a feature.
    pub text: &'r [String],
}

impl Matrix {
    /// Reads features and labels out of training rows.
    pub fn new(batches: &[RecordBatch], roles: Roles<'_>) -> Result<Self> {
        let Roles { label, positive, exclude, text: bags } = roles;
        let first = batches.first().ok_or_else(|| Failure::input("there is no row to train on"))?;
        let table =
            concat_batches(&first.schema(), batches).map_err(|_| Failure::bug("training rows do not form a table"))?;
        let text = |name: &str| -> Result<arrow::array::StringArray> {
            let column = table
                .column_by_name(name)
                .ok_or_else(|| Failure::input(format!("the feature set has no column {name:?}")))?;
            let texts =
                cast(column, &DataType::Utf8).map_err(|_| Failure::input(format!("column {name:?} is not text")))?;
            Ok(texts.as_string::<i32>().clone())
        };
        let labels = text(label)?;
        if labels.null_count() > 0 {
            return Err(Failure::input(format!("label {label:?} is null in some rows"))
                .hint("filter them out in the feature set's SQL"));
        }
        let labels: Vec<bool> = labels.iter().map(|value| value == Some(positive)).collect();
        if labels.iter().all(|l| *l) || !labels.iter().any(|l| *l) {
            return Err(Failure::input(format!("label {label:?} is the same in every training row"))
                .hint("is training.positive one of its values?"));
        }
        for name in bags {
            let field = table.schema().field_with_name(name).ok().map(|field| field.data_type().clone());
            if !matches!(field, Some(DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8)) {
                return Err(Failure::input(format!("training.text names {name:?}, which is no column of text")));
            }
        }
        let (mut numbers, mut categories) = (Vec::new(), Vec::new());
        for field in table.schema().fields() {
            if field.name() == label || exclude.contains(field.name()) {
                continue;
            }
            match field.data_type() {
                DataType::Int64 | DataType::Float64 | DataType::Boolean | DataType::UInt64 | DataType::Int32 => {
                    let values = cast(
                        table.column_by_name(field.name()).ok_or_else(|| Failure::bug("a column vanished"))?,
                        &DataType::Float64,
                    )
                    .map_err(|_| Failure::input(format!("column {:?} is not a number", field.name())))?;
                    let values: Vec<f32> =
                        values.as_primitive::<Float64Type>().iter().map(|v| v.map_or(f32::NAN, |v| v as f32)).collect();
                    numbers.push((Encoding::Number { name: field.name().clone() }, values));
                }
                DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 if bags.contains(field.name()) => {
                    let values = text(field.name())?;
                    let vocabulary = vocabulary(&values);
                    if vocabulary.is_empty() {
                        return Err(Failure::input(format!("no word of column {:?} is in several rows", field.name())));
                    }
                    categories.push((Encoding::Words { name: field.name().clone(), vocabulary }, values));
                }
                DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => {
                    let values = text(field.name())?;
                    let known: BTreeSet<&str> = values.iter().flatten().collect();
                    if known.len() > CATEGORIES_MAX {
                        return Err(Failure::input(format!("column {:?} has more than 1,000 values", field.name()))
                            .hint("exclude it under training.exclude; an identifier is no feature"));
                    }
                    let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
                    categories.push((Encoding::OneHot { name: field.name().clone(), categories: known }, values));
                }
                other => {
                    return Err(Failure::input(format!("column {:?} of type {other} is no feature", field.name()))
                        .hint("exclude it under training.exclude, or cast it in the feature set's SQL"));
                }
            }
        }
        let rows = table.num_rows();
        let encodings: Vec<Encoding> =
            numbers.iter().map(|(e, _)| e.clone()).chain(categories.iter().map(|(e, _)| e.clone())).collect();
        let width: usize = encodings.iter().map(Encoding::width).sum();
        if width == 0 {
            return Err(Failure::input("the feature set has no feature left"));
        }
        let mut values = vec![0f32; rows * width];
        for (row, target) in values.chunks_mut(width).enumerate() {
            let mut at = 0;
            for (_, column) in &numbers {
                if let (Some(slot), Some(value)) = (target.get_mut(at), column.get(row)) {
                    *slot = *value;
                }
                at += 1;
            }
            for (encoding, column) in &categories {
                let (known, words): (&[String], Vec<&str>) = match encoding {
                    Encoding::Number { .. } => continue,
                    _ if column.is_null(row) => (&[], Vec::new()),
                    Encoding::OneHot { categories, .. } => (categories, vec![column.value(row)]),
                    Encoding::Words { vocabulary, .. } => (vocabulary, column.value(row).split_whitespace().collect()),
                };
                for word in words {
                    if let Ok(place) = known.binary_search_by(|k| k.as_str().cmp(word))
                        && let Some(slot) = target.get_mut(at + place)
                    {
                        *slot += 1.0;
                    }
                }
                at += encoding.width();
            }
        }
        Ok(Self { encodings, rows, width, values, labels })
    }

    /// How many of the columns are numbers.
    pub(crate) fn numbers(&self) -> usize {
        self.encodings.iter().filter(|e| matches!(e, Encoding::Number { .. })).count()
    }
}

/// The words that most rows have, sorted.
fn vocabulary(texts: &arrow::array::StringArray) -> Vec<String> {
    let mut rows_with: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts.iter().flatten() {
        for word in text.split_whitespace().collect::<BTreeSet<_>>() {
            *rows_with.entry(word).or_default() += 1;
        }
    }
    let mut words: Vec<(&str, usize)> = rows_with.into_iter().filter(|(_, rows)| *rows >= ROWS_WITH_WORD_MIN).collect();
    words.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    let mut words: Vec<String> = words.into_iter().take(VOCABULARY_MAX).map(|(word, _)| word.to_owned()).collect();
    words.sort();
    words
}
