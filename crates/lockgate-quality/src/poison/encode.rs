//! Rows as the methods see them: numbers, hashes of values, a few bins, and a label.
//!
//! What a column is to the methods is decided on the baseline alone. Nothing here can be turned
//! back into a value.

use arrow::record_batch::RecordBatch;
use hashbrown::HashMap;
use lockgate_core::{Failure, Result};
use serde::Serialize;
use siphasher::sip::SipHasher13;

use crate::column::{Column, Kind, Scalar};

/// Codes of a column: 0 for missing, up to 30 frequent values or bins, one for all others.
pub(crate) const CODES: usize = 32;
const CODE_OTHER: u8 = 31;
/// Bins of a number that has many values.
const BINS: usize = 16;
/// More different values than this, or one for every second row, are no categories.
const CATEGORIES_MAX: usize = 1_000;
/// Text of fewer words than this is a name or an identifier.
const WORDS_MIN: f64 = 2.5;
/// More classes than this are no label.
const CLASSES_MAX: usize = 50;
/// Words of one text that are looked at.
const TOKENS_MAX: usize = 256;
/// The label of a row that has none, or one that the baseline does not have.
pub(crate) const NO_CLASS: u16 = u16::MAX;

/// What a column is to the methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Number,
    Category,
    Text,
    Label,
    Ignored,
}

/// A column and how its values become codes.
#[derive(Clone, Debug)]
pub(crate) struct Feature {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Of text, how many different values there are, as a share of those that are there.
    pub(crate) distinct: f64,
    coarse: Coarse,
}

#[derive(Clone, Debug)]
enum Coarse {
    Values(HashMap<u64, u8>),
    Bins(Vec<f32>),
    None,
}

/// How rows become a [`Block`].
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    pub(crate) features: Vec<Feature>,
    label: Option<String>,
    classes: HashMap<u64, u16>,
    /// Every column with its role, and why it is ignored where it is.
    pub(crate) roles: Vec<(String, Role, &'static str)>,
}

/// Rows in columns; the outer vectors are by feature.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) rows: usize,
    /// Each value as a hash that tells it from every other; 0 for missing.
    pub(crate) fine: Vec<Vec<u64>>,
    /// Each value as one of [`CODES`].
    pub(crate) coarse: Vec<Vec<u8>>,
    /// Of number columns the values, NaN where missing; empty for the others.
    pub(crate) numbers: Vec<Vec<f32>>,
    /// The words of all text columns by row, as hashes that know their column.
    pub(crate) tokens: Vec<Vec<u64>>,
    /// The class of each row, or [`NO_CLASS`].
    pub(crate) labels: Vec<u16>,
    /// Where each row comes from: source and number.
    pub(crate) places: Vec<(u32, u64)>,
}

impl Encoder {
    /// Decides on `baseline` what each column is.
    pub(crate) fn fit(baseline: &RecordBatch, label: Option<&str>, ignore: &[String]) -> Result<Self> {
        let schema = baseline.schema();
        for name in ignore.iter().map(String::as_str).chain(label) {
            if schema.index_of(name).is_err() {
                return Err(Failure::usage(format!("the baseline has no column {name:?}")));
            }
        }
        let mut encoder =
            Self { features: Vec::new(), label: label.map(str::to_owned), classes: HashMap::new(), roles: Vec::new() };
        for (field, array) in schema.fields().iter().zip(baseline.columns()) {
            let name = field.name();
            if label == Some(name.as_str()) {
                encoder.fit_label(&Column::of(array)?, name)?;
                continue;
            }
            let (role, coarse, why) = if ignore.contains(name) {
                (Role::Ignored, Coarse::None, "asked for")
            } else {
                role(&Column::of(array)?)
            };
            let distinct = if role == Role::Text { distinct_share(&Column::of(array)?) } else { 0.0 };
            encoder.roles.push((name.clone(), role, why));
            if role != Role::Ignored {
                encoder.features.push(Feature { name: name.clone(), role, distinct, coarse });
            }
        }
        if encoder.features.is_empty() {
            return Err(Failure::input("the baseline has no column that poisoning can be looked for in")
                .hint("identifiers, times and nested values are left out"));
        }
        Ok(encoder)
    }

    fn fit_label(&mut self, column: &Column, name: &str) -> Result<()> {
        for row in 0..column.len() {
            let hash = class_hash(column, row);
            let next = self.classes.len() as u16;
            if hash != 0 {
                self.classes.entry(hash).or_insert(next);
            }
            if self.classes.len() > CLASSES_MAX {
                return Err(Failure::usage(format!("column {name:?} has more than {CLASSES_MAX} classes"))
                    .hint("name the column that the model predicts, when it predicts a class"));
            }
        }
        if self.classes.len() < 2 {
            return Err(Failure::usage(format!("column {name:?} has one class in the baseline")));
        }
        self.roles.push((name.to_owned(), Role::Label, ""));
        Ok(())
    }

    pub(crate) fn classes(&self) -> usize {
        self.classes.len()
    }

    /// The names of all columns that are looked at.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(|feature| feature.name.as_str()).chain(self.label.as_deref())
    }

    /// Appends `batch` to `block`; its rows have these numbers in `source`.
    pub(crate) fn encode(&self, batch: &RecordBatch, source: u32, numbers: &[u64], block: &mut Block) -> Result<()> {
        let rows = batch.num_rows();
        block.start(self.features.len());
        block.tokens.resize(block.rows + rows, Vec::new());
        for (index, feature) in self.features.iter().enumerate() {
            let column = column(batch, &feature.name)?;
            block.take(index, feature, &column);
        }
        match &self.label {
            None => block.labels.resize(block.rows + rows, NO_CLASS),
            Some(name) => {
                let column = column(batch, name)?;
                let class = |row| self.classes.get(&class_hash(&column, row)).copied().unwrap_or(NO_CLASS);
                block.labels.extend((0..rows).map(class));
            }
        }
        block.places.extend(numbers.iter().map(|row| (source, *row)));
        block.rows += rows;
        Ok(())
    }
}

fn column(batch: &RecordBatch, name: &str) -> Result<Column> {
    let array = batch
        .column_by_name(name)
        .ok_or_else(|| Failure::input(format!("the data has no column {name:?}, which the baseline has")))?;
    Column::of(array)
}

impl Block {
    fn start(&mut self, features: usize) {
        self.fine.resize(features, Vec::new());
        self.coarse.resize(features, Vec::new());
        self.numbers.resize(features, Vec::new());
    }

    fn take(&mut self, index: usize, feature: &Feature, column: &Column) {
        let (Some(fine), Some(coarse), Some(numbers)) =
            (self.fine.get_mut(index), self.coarse.get_mut(index), self.numbers.get_mut(index))
        else {
            return;
        };
        for row in 0..column.len() {
            let value = column.scalar(row);
            if feature.role == Role::Text {
                let text = if let Scalar::Text(text) = value { text } else { "" };
                let words = words(index as u64, text);
                fine.push(sketch(index as u64, &words));
                coarse.push(0);
                if let Some(tokens) = self.tokens.get_mut(self.rows + row) {
                    tokens.extend(words);
                }
                continue;
            }
            if feature.role == Role::Number {
                let number = as_number(value);
                let code = if number.is_nan() { 0 } else { feature.coarse.code(value, number) };
                fine.push(if number.is_nan() { 0 } else { hash(index as u64 + 1, numeric(value)) });
                coarse.push(code);
                numbers.push(number);
                continue;
            }
            // A category is a text, whatever type another file gives it.
            let text = value.to_text();
            let value = text.as_deref().map_or(Scalar::Missing, Scalar::Text);
            fine.push(hash(index as u64 + 1, value));
            coarse.push(feature.coarse.code(value, f32::NAN));
        }
    }

    /// The rows that `keep` names, in its order.
    pub(crate) fn select(&self, keep: &[usize]) -> Self {
        fn pick<T: Clone>(all: &[T], keep: &[usize]) -> Vec<T> {
            keep.iter().filter_map(|row| all.get(*row).cloned()).collect()
        }
        Self {
            rows: keep.len(),
            fine: self.fine.iter().map(|column| pick(column, keep)).collect(),
            coarse: self.coarse.iter().map(|column| pick(column, keep)).collect(),
            numbers: self.numbers.iter().map(|column| pick(column, keep)).collect(),
            tokens: pick(&self.tokens, keep),
            labels: pick(&self.labels, keep),
            places: pick(&self.places, keep),
        }
    }
}

impl Coarse {
    fn code(&self, value: Scalar<'_>, number: f32) -> u8 {
        if value == Scalar::Missing {
            return 0;
        }
        match self {
            // One slot for all columns: the map is of one column.
            Self::Values(codes) => codes.get(&hash(0, value)).copied().unwrap_or(CODE_OTHER),
            Self::Bins(edges) => 1 + edges.partition_point(|edge| *edge <= number) as u8,
            Self::None => 0,
        }
    }
}

fn role(column: &Column) -> (Role, Coarse, &'static str) {
    let kind = column.kind();
    if kind == Kind::Other {
        return (Role::Ignored, Coarse::None, "nested or binary");
    }
    if kind.is_time() {
        return (Role::Ignored, Coarse::None, "time goes on by itself");
    }
    let mut counts: HashMap<u64, u64> = HashMap::new();
    let mut words_seen = 0;
    let mut present = 0usize;
    for row in 0..column.len() {
        let value = column.scalar(row);
        if value == Scalar::Missing {
            continue;
        }
        present += 1;
        *counts.entry(hash(0, value)).or_default() += 1;
        if let Scalar::Text(text) = value {
            words_seen += text.split_whitespace().count();
        }
    }
    if present == 0 {
        return (Role::Ignored, Coarse::None, "empty in the baseline");
    }
    if kind == Kind::Text {
        if counts.len() <= CATEGORIES_MAX && counts.len() * 2 <= present.max(4) {
            return (Role::Category, frequent(&counts), "");
        }
        if words_seen as f64 / present as f64 >= WORDS_MIN {
            return (Role::Text, Coarse::None, "");
        }
        return (Role::Ignored, Coarse::None, "a name or an identifier");
    }
    if kind == Kind::Int && present >= 100 && counts.len() == present {
        return (Role::Ignored, Coarse::None, "an identifier");
    }
    (Role::Number, bins(column, counts.len()), "")
}

fn distinct_share(column: &Column) -> f64 {
    let all = (0..column.len()).map(|row| hash(0, column.scalar(row))).filter(|hash| *hash != 0);
    let (mut present, mut distinct) = (0usize, hashbrown::HashSet::new());
    for hash in all {
        present += 1;
        distinct.insert(hash);
    }
    distinct.len() as f64 / present.max(1) as f64
}

/// A code for each of the most frequent values.
fn frequent(counts: &HashMap<u64, u64>) -> Coarse {
    let mut order: Vec<(u64, u64)> = counts.iter().map(|(hash, count)| (*hash, *count)).collect();
    order.sort_unstable_by_key(|(hash, count)| (std::cmp::Reverse(*count), *hash));
    Coarse::Values(
        order.iter().take(CODE_OTHER as usize - 1).zip(1u8..).map(|((hash, _), code)| (*hash, code)).collect(),
    )
}

/// Edges between bins of about as many rows each; a bin for each value when there are few, so that
/// codes are in the order of the numbers.
fn bins(column: &Column, different: usize) -> Coarse {
    let mut numbers: Vec<f32> = Vec::new();
    column.each_number(|_, number| numbers.push(number as f32));
    numbers.sort_unstable_by(f32::total_cmp);
    if different < CODE_OTHER as usize {
        numbers.dedup();
        return Coarse::Bins(numbers.into_iter().skip(1).collect());
    }
    let mut edges: Vec<f32> = (1..BINS).filter_map(|bin| numbers.get(bin * numbers.len() / BINS).copied()).collect();
    edges.dedup();
    Coarse::Bins(edges)
}

/// A number that was read as text, as the number.
fn numeric(value: Scalar<'_>) -> Scalar<'_> {
    match value {
        Scalar::Text(text) => text.trim().parse().map_or(value, Scalar::Float),
        _ => value,
    }
}

fn as_number(value: Scalar<'_>) -> f32 {
    match value {
        Scalar::Bool(value) => f32::from(u8::from(value)),
        Scalar::Int(value) => value as f32,
        Scalar::Float(value) => value as f32,
        // Where one text stands among numbers, a whole file is read as text. What is no number is
        // further out than any.
        Scalar::Text(text) if text.trim().is_empty() => f32::NAN,
        Scalar::Text(text) => text.trim().parse().unwrap_or(f32::INFINITY),
        _ => f32::NAN,
    }
}

/// A class is its text, so that 1 is "1"; 0 when it is missing.
fn class_hash(column: &Column, row: usize) -> u64 {
    column.scalar(row).to_text().map_or(0, |text| hash(0, Scalar::Text(&text)))
}

/// A value as a hash, never 0 unless it is missing. Numbers are the same whatever their type.
fn hash(slot: u64, value: Scalar<'_>) -> u64 {
    use std::hash::Hasher as _;
    let mut hasher = SipHasher13::new_with_keys(slot, 0);
    match value {
        Scalar::Missing => return 0,
        Scalar::Text(text) => hasher.write(text.as_bytes()),
        Scalar::Bool(value) => hasher.write_u64(f64::from(u8::from(value)).to_bits()),
        Scalar::Int(value) => hasher.write_u64((value as f64).to_bits()),
        Scalar::Float(value) => hasher.write_u64(if value == 0.0 { 0 } else { value.to_bits() }),
        Scalar::Time(value) | Scalar::Day(value) => hasher.write_i64(value),
    }
    hasher.finish().max(1)
}

/// The different words of a text, in lower case and without punctuation.
fn words(column: u64, text: &str) -> Vec<u64> {
    let mut words: Vec<u64> = text
        .split(|c: char| c.is_whitespace() || (c.is_ascii_punctuation() && c != '_' && c != '-'))
        .filter(|word| !word.is_empty())
        .take(TOKENS_MAX)
        .map(|word| hash(1_000 + column, Scalar::Text(&word.to_lowercase())))
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// The least hash of the words: two texts share it with the probability of the words they share
/// among all that either has (Broder, "On the resemblance and containment of documents", 1997).
fn sketch(column: u64, words: &[u64]) -> u64 {
    words.iter().map(|word| mix(*word, column)).min().unwrap_or(0)
}

/// Two hashes as one.
pub(crate) fn mix(left: u64, right: u64) -> u64 {
    let mut x = left ^ right.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
impl Encoder {
    /// An encoder of numbers alone, for tests of methods that need no more.
    pub(crate) fn of_numbers(count: usize) -> Self {
        let feature =
            |index| Feature { name: format!("n{index}"), role: Role::Number, distinct: 0.0, coarse: Coarse::None };
        Self { features: (0..count).map(feature).collect(), label: None, classes: HashMap::new(), roles: Vec::new() }
    }
}
