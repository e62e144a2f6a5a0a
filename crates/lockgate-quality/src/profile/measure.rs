//! Measuring: one pass over batches, states that merge, and at the end a profile without what
//! must not be in it.

use std::collections::BTreeMap;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datasketches::{
    common::SearchCriteria,
    frequencies::{ErrorType, FrequentItemsSketch},
    hash::value::{canonical_float, raw_bytes},
    hll::{HllSketch, HllType, HllUnion},
    kll::{KllFloat, KllSketch, SortedView},
};
use lockgate_core::{Failure, Result, SplitMix64};

use super::{
    ColumnProfile, Histogram, Profile, RANKS,
    histogram::BIN_ROWS_MIN,
    pairs::{Block, Pairs, Patterns},
};
use crate::{
    Moments,
    column::{Column, Kind, Texts, day_text, each_valid, time_text},
};

/// Registers of a HyperLogLog, as a power of two.
const HLL_LG_K: u8 = 12;
/// A rank is off by at most 0.7 % with 99 % confidence.
const KLL_K: u16 = 400;
/// Frequent values that are followed; the error is at most 3.5 in so many of all rows.
const FREQUENT_MAX: usize = 2_048;
/// Frequent values that a profile keeps.
const TOP_MAX: usize = 256;
/// Values of a column that are looked into for entities.
const SAMPLE_MAX: usize = 2_000;
/// Rows of one batch that are offered to the sample, evenly.
const SAMPLED_OF_BATCH: usize = 512;
/// Longer values are not kept as frequent ones.
const TOP_BYTES_MAX: usize = 128;
const BINS: usize = 24;

/// What was found in some values of a column.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// Entities by how many of the values hold them.
    pub entities: BTreeMap<String, u64>,
    /// For each value, the entity that makes it personal, if one does.
    pub personal: Vec<Option<String>>,
}

impl Inspection {
    /// What makes a column personal: one finding among hundreds of values is chance, more is what
    /// the column holds. Where few different values are shared by many rows they are `categories`,
    /// of which some may sound like a name.
    pub fn what_is_personal(&self, categories: bool) -> Option<&String> {
        let mut counts: BTreeMap<&String, u64> = BTreeMap::new();
        for entity in self.personal.iter().flatten() {
            *counts.entry(entity).or_default() += 1;
        }
        let all = self.personal.len() as u64;
        // Names among categories do not count towards the total.
        let counts: Vec<(&String, u64)> = counts
            .into_iter()
            .filter(|(entity, count)| !categories || *entity != "PERSON" || count * 4 >= all)
            .collect();
        let total: u64 = counts.iter().map(|(_, count)| count).sum();
        let (entity, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        (total * 100 >= all).then_some(entity)
    }
}

/// Finds personal values; the detection engine, as a rule.
pub trait Inspector {
    /// Looks into values of the column `name`.
    fn inspect(&self, name: &str, values: &[&str]) -> Result<Inspection>;
}

/// How a profile is made.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Columns whose values stay out of the profile, whatever is found in them.
    pub confidential: Vec<String>,
    /// Columns whose values may be shown, whatever is found in them: somebody says so.
    pub public: Vec<String>,
}

/// Measures batches of one table.
#[derive(Debug)]
pub struct Profiler {
    names: Vec<String>,
    kinds: Vec<Kind>,
    columns: Vec<Measured>,
    pairs: Pairs,
    patterns: Patterns,
    rows: u64,
}

#[derive(Debug)]
struct Measured {
    kind: Kind,
    missing: u64,
    distinct: HllSketch,
    moments: Moments,
    quantiles: KllSketch<KllFloat<f64>>,
    frequent: FrequentItemsSketch<String>,
    lengths: Moments,
    types: BTreeMap<&'static str, u64>,
    sample: Vec<String>,
    seen: u64,
    random: SplitMix64,
}

impl Profiler {
    pub fn new(schema: &SchemaRef) -> Result<Self> {
        let names = schema.fields().iter().map(|field| field.name().clone()).collect();
        let kinds: Vec<Kind> = schema.fields().iter().map(|field| Kind::of(field.data_type())).collect();
        let columns =
            kinds.iter().enumerate().map(|(place, kind)| Measured::new(*kind, place)).collect::<Result<_>>()?;
        Ok(Self { names, kinds, columns, pairs: Pairs::default(), patterns: Patterns::default(), rows: 0 })
    }

    /// Takes in a batch.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns: Vec<Column> = batch.columns().iter().map(Column::of).collect::<Result<_>>()?;
        if columns.len() != self.columns.len() {
            return Err(Failure::bug("a batch has other columns than its table"));
        }
        self.rows += batch.num_rows() as u64;
        let mut blocks = Vec::new();
        for (place, (column, measured)) in columns.iter().zip(&mut self.columns).enumerate() {
            let missing = column.missing();
            measured.missing += missing as u64;
            match column {
                Column::Text(texts) => measured.texts(texts),
                Column::Other(_) => {}
                _ => {
                    let values = measured.numbers(column, missing);
                    if matches!(column, Column::Int(_) | Column::Float(_)) {
                        blocks.push(Block { place, values, has_missing: missing > 0 });
                    }
                }
            }
        }
        self.pairs.update(&blocks);
        self.patterns.update(&columns, batch.num_rows());
        Ok(())
    }

    /// Takes over what `other` measured of other rows.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        if self.names != other.names || self.kinds != other.kinds {
            return Err(Failure::input("tables with different columns have no common profile"));
        }
        self.rows += other.rows;
        for (own, other) in self.columns.iter_mut().zip(other.columns) {
            own.merge(other)?;
        }
        self.pairs.merge(other.pairs);
        self.patterns.merge(other.patterns);
        Ok(())
    }

    /// The profile, without values that must not be in it.
    pub fn finish(self, inspector: &dyn Inspector, options: &Options) -> Result<Profile> {
        let rows = self.rows;
        let columns: Vec<ColumnProfile> = self
            .names
            .iter()
            .zip(self.columns)
            .map(|(name, column)| column.finish(name, rows, inspector, options))
            .collect::<Result<_>>()?;
        // By a correlation near one, a column that is withheld could be computed from another.
        let open = |place: usize| columns.get(place).is_some_and(|column| column.withheld.is_none());
        let correlations = self.pairs.finish().into_iter().filter(|c| open(c.left) && open(c.right)).collect();
        Ok(Profile { rows, correlations, columns, missing_patterns: self.patterns.finish() })
    }
}

impl Measured {
    fn new(kind: Kind, place: usize) -> Result<Self> {
        let broken = |_| Failure::bug("a sketch could not be made");
        Ok(Self {
            kind,
            missing: 0,
            distinct: HllSketch::new(HLL_LG_K, HllType::Hll8).map_err(broken)?,
            moments: Moments::default(),
            quantiles: KllSketch::new(KLL_K).map_err(broken)?,
            frequent: FrequentItemsSketch::new(FREQUENT_MAX).map_err(broken)?,
            lengths: Moments::default(),
            types: BTreeMap::new(),
            sample: Vec::new(),
            seen: 0,
            random: SplitMix64::new(place as u64),
        })
    }

    /// Measures numbers and times; gives them back, missing ones as NaN.
    fn numbers(&mut self, column: &Column, missing: usize) -> Vec<f64> {
        let mut all = if missing > 0 { vec![f64::NAN; column.len()] } else { Vec::with_capacity(column.len()) };
        let mut present = Vec::with_capacity(if missing > 0 { column.len() } else { 0 });
        column.each_number(|row, value| {
            if missing > 0 {
                if let Some(place) = all.get_mut(row) {
                    *place = value;
                }
                present.push(value);
            } else {
                all.push(value);
            }
        });
        let values = if missing > 0 { &present } else { &all };
        self.moments.add_all(values);
        if let Column::Int(array) = column {
            each_valid(array, |_, value| self.distinct.update(value));
        }
        for value in values {
            if !matches!(column, Column::Int(_)) {
                self.distinct.update(canonical_float::from_f64(*value));
            }
            if let Ok(value) = KllFloat::<f64>::new(*value) {
                self.quantiles.update(value);
            }
        }
        match column {
            // Fractions repeat too seldom to have frequent values.
            Column::Float(_) => {}
            Column::Bool(array) => {
                let truths = array.true_count() as u64;
                self.frequent.update_with_count_ref("true", truths);
                self.frequent.update_with_count_ref("false", values.len() as u64 - truths);
            }
            _ => self.count_numbers(column),
        }
        if matches!(self.kind, Kind::Int | Kind::Float) {
            self.sample_numbers(column);
        }
        all
    }

    fn count_numbers(&mut self, column: &Column) {
        use std::fmt::Write as _;
        let (Column::Int(array) | Column::Time(array) | Column::Day(array)) = column else { return };
        let mut values = Vec::with_capacity(column.len());
        each_valid(array, |_, value| values.push(value));
        // A batch's values sorted, so that each is written once.
        values.sort_unstable();
        let mut text = String::new();
        for run in values.chunk_by(|a, b| a == b) {
            let Some(value) = run.first() else { continue };
            text.clear();
            let _ = match self.kind {
                Kind::Day => write!(text, "{}", day_text(*value)),
                Kind::Time => write!(text, "{}", time_text(*value)),
                _ => write!(text, "{value}"),
            };
            self.frequent.update_with_count_ref(text.as_str(), run.len() as u64);
        }
    }

    /// Numbers may be telephone numbers, cards or identifiers.
    fn sample_numbers(&mut self, column: &Column) {
        for row in (0..column.len()).step_by((column.len() / SAMPLED_OF_BATCH).max(1)) {
            if let Some(text) = column.scalar(row).to_text() {
                self.take_sample(&text);
            }
        }
    }

    fn texts(&mut self, texts: &Texts) {
        texts.each(|text, count, _| self.text(text, count));
        let rows = texts.rows();
        for row in (0..rows).step_by((rows / SAMPLED_OF_BATCH).max(1)) {
            if let Some(text) = texts.get(row) {
                self.take_sample(text);
            }
        }
    }

    fn text(&mut self, text: &str, count: u64) {
        self.distinct.update(raw_bytes::from_str(text));
        if text.len() <= TOP_BYTES_MAX {
            self.frequent.update_with_count_ref(text, count);
        }
        let length = if text.is_ascii() { text.len() } else { text.chars().count() } as f64;
        self.lengths.merge(&Moments {
            count,
            mean: length,
            min: length,
            max: length,
            sum: length * count as f64,
            ..Moments::default()
        });
        *self.types.entry(looks_like(text)).or_default() += count;
    }

    /// Vitter's algorithm R: every value that is offered stays with the same probability.
    fn take_sample(&mut self, text: &str) {
        self.seen += 1;
        if self.sample.len() < SAMPLE_MAX {
            self.sample.push(text.to_owned());
            return;
        }
        let place = self.random.below(self.seen) as usize;
        if let Some(own) = self.sample.get_mut(place) {
            text.clone_into(own);
        }
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        let broken = |_| Failure::bug("sketches of one size cannot be merged");
        self.missing += other.missing;
        let mut union = HllUnion::new(HLL_LG_K).map_err(broken)?;
        union.update(&self.distinct);
        union.update(&other.distinct);
        self.distinct = union.to_sketch(HllType::Hll8);
        self.moments.merge(&other.moments);
        self.quantiles.merge(&other.quantiles).map_err(broken)?;
        self.frequent.merge(&other.frequent);
        self.lengths.merge(&other.lengths);
        for (kind, count) in other.types {
            *self.types.entry(kind).or_default() += count;
        }
        // Each place is drawn from either side in proportion to how much it was offered.
        let (mut own, mut theirs) = (std::mem::take(&mut self.sample), other.sample);
        let (mut weight, mut their_weight) = (self.seen, other.seen);
        while self.sample.len() < SAMPLE_MAX && !(own.is_empty() && theirs.is_empty()) {
            let from_own =
                theirs.is_empty() || (!own.is_empty() && self.random.below((weight + their_weight).max(1)) < weight);
            let (side, weight) = if from_own { (&mut own, &mut weight) } else { (&mut theirs, &mut their_weight) };
            // What one value stands for leaves with it.
            *weight = weight.saturating_sub((*weight / side.len().max(1) as u64).max(1));
            let place = self.random.below(side.len() as u64) as usize;
            self.sample.push(side.swap_remove(place));
        }
        self.seen += other.seen;
        Ok(())
    }

    fn finish(self, name: &str, rows: u64, inspector: &dyn Inspector, options: &Options) -> Result<ColumnProfile> {
        let sample: Vec<&str> = self.sample.iter().map(String::as_str).collect();
        let found = inspector.inspect(name, &sample)?;
        let public = options.public.iter().any(|own| own == name);
        let withheld = if options.confidential.iter().any(|own| own == name) {
            Some("it is confidential".to_owned())
        } else if public {
            None
        } else {
            let categories = self.distinct.estimate() * 20.0 <= self.present(rows) as f64;
            found.what_is_personal(categories).map(|entity| format!("it holds {entity}"))
        };
        let view = self.quantiles.sorted_view();
        let withheld = match withheld {
            None if !public => self.extreme(name, &view, inspector)?,
            withheld => withheld,
        };
        let present = self.present(rows);
        let numeric = !matches!(self.kind, Kind::Text | Kind::Other);
        let (histogram, quantiles) = match &withheld {
            _ if !numeric => (Histogram::default(), Vec::new()),
            Some(_) => {
                let cdf = |x| cdf(&view, x);
                (Histogram::coarse(self.moments.min, self.moments.max, present, cdf), Vec::new())
            }
            None => (self.histogram(&view, present), quantiles(&view, &self.moments)),
        };
        let top_error = self.frequent.maximum_error();
        let (top, lengths) = match &withheld {
            Some(_) => (Vec::new(), None),
            None => (self.top(name, inspector, public)?, Some(self.lengths).filter(|_| self.kind == Kind::Text)),
        };
        // A mean of a handful of people tells of each.
        let tells_of_few = withheld.is_some() && present < BIN_ROWS_MIN;
        let moments = Some(self.moments)
            .filter(|m| numeric && m.count > 0 && !tells_of_few)
            .map(|moments| if withheld.is_some() { rounded(&moments) } else { moments });
        Ok(ColumnProfile {
            name: name.to_owned(),
            kind: if self.kind == Kind::Other { "nested" } else { self.kind.name() }.to_owned(),
            missing: self.missing,
            // An estimate, which cannot be more than there is.
            distinct: self.distinct.estimate().round().min(present as f64),
            moments,
            quantiles,
            rank_error: if self.quantiles.is_estimation_mode() { self.quantiles.normalized_rank_error() } else { 0.0 },
            histogram,
            top,
            top_error,
            lengths,
            types: self.types.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
            entities: found.entities,
            sampled: sample.len() as u64,
            sketch: if withheld.is_none() && numeric { self.quantiles.serialize() } else { Vec::new() },
            withheld,
        })
    }

    /// Why the column is withheld by what its quantiles would show: few rows, or a personal number.
    fn extreme(
        &self,
        name: &str,
        view: &SortedView<KllFloat<f64>>,
        inspector: &dyn Inspector,
    ) -> Result<Option<String>> {
        if self.moments.count == 0 || self.kind == Kind::Bool {
            return Ok(None);
        }
        if self.moments.count < BIN_ROWS_MIN {
            return Ok(Some(format!("fewer than {BIN_ROWS_MIN} rows have a value")));
        }
        let shown: Vec<String> = quantiles(view, &self.moments).iter().map(ToString::to_string).collect();
        let values: Vec<&str> = shown.iter().map(String::as_str).collect();
        let numbers = matches!(self.kind, Kind::Int | Kind::Float);
        let found =
            if numbers { inspector.inspect(name, &values)?.personal.into_iter().flatten().next() } else { None };
        Ok(found.map(|entity| format!("it holds {entity}")))
    }

    fn present(&self, rows: u64) -> u64 {
        rows.saturating_sub(self.missing)
    }

    fn histogram(&self, view: &SortedView<KllFloat<f64>>, present: u64) -> Histogram {
        let (low, high) = (self.moments.min, self.moments.max);
        // Few whole numbers have a bar each.
        let span = high - low;
        let whole = self.kind == Kind::Int && span < BINS as f64;
        if whole && span >= 1.0 {
            let edges = (0..=span as u32 + 1).map(|step| low - 0.5 + f64::from(step)).collect();
            return Histogram::at(edges, present, |x| cdf(view, x));
        }
        Histogram::of(low, high, BINS, present, |x| cdf(view, x))
    }

    /// The most frequent values, without those in which something was found.
    fn top(&self, name: &str, inspector: &dyn Inspector, public: bool) -> Result<Vec<(String, u64)>> {
        let mut rows = self.frequent.frequent_items(ErrorType::NoFalseNegatives);
        rows.sort_by(|a, b| b.lower_bound().cmp(&a.lower_bound()).then_with(|| a.item().cmp(b.item())));
        // What few rows have may tell of them.
        let least = if public || matches!(self.kind, Kind::Bool) { 1 } else { BIN_ROWS_MIN };
        rows.retain(|row| row.lower_bound() >= least);
        rows.truncate(TOP_MAX);
        let values: Vec<&str> = rows.iter().map(|row| row.item().as_str()).collect();
        let personal = if public { Vec::new() } else { inspector.inspect(name, &values)?.personal };
        Ok(rows
            .iter()
            .enumerate()
            .filter(|(index, _)| public || personal.get(*index) == Some(&None))
            .map(|(_, row)| (row.item().clone(), row.lower_bound()))
            .collect())
    }
}

/// Mean and deviation in two digits, and nothing else: a sum or an extreme may be one person's.
fn rounded(moments: &Moments) -> Moments {
    let two = |value: f64| {
        if value == 0.0 || !value.is_finite() {
            return value;
        }
        let step = 10f64.powf(value.abs().log10().floor() - 1.0);
        (value / step).round() * step
    };
    let (mean, deviation, count) = (two(moments.mean()), two(moments.deviation()), moments.count as f64);
    Moments {
        count: moments.count,
        mean,
        m2: deviation * deviation * (count - 1.0),
        m3: f64::NAN,
        m4: f64::NAN,
        min: f64::NAN,
        max: f64::NAN,
        sum: mean * count,
    }
}

fn cdf(view: &SortedView<KllFloat<f64>>, x: f64) -> f64 {
    KllFloat::<f64>::new(x).ok().and_then(|x| view.rank(&x, SearchCriteria::Inclusive)).unwrap_or(0.0)
}

fn quantiles(view: &SortedView<KllFloat<f64>>, moments: &Moments) -> Vec<f64> {
    if moments.count == 0 {
        return Vec::new();
    }
    RANKS
        .iter()
        .map(|rank| match *rank {
            0.0 => moments.min,
            1.0 => moments.max,
            rank => view.quantile(rank, SearchCriteria::Inclusive).ok().flatten().map_or(f64::NAN, |value| *value),
        })
        .collect()
}

/// What a text looks like.
fn looks_like(text: &str) -> &'static str {
    let trimmed = text.trim();
    let Some(first) = trimmed.bytes().next() else { return "empty" };
    if first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.') {
        if trimmed.parse::<i64>().is_ok() {
            return "integer";
        }
        if trimmed.parse::<f64>().is_ok() {
            return "number";
        }
        let dated = trimmed.len() >= 10 && trimmed.as_bytes().get(4) == Some(&b'-');
        if dated && crate::expect::moment(trimmed).is_some() {
            return "date";
        }
    }
    match trimmed {
        "true" | "false" | "True" | "False" | "TRUE" | "FALSE" => "boolean",
        "null" | "NULL" | "None" | "NaN" | "nan" | "N/A" | "n/a" | "NA" | "?" | "-" => "placeholder",
        _ if matches!(first, b'{' | b'[') => "json",
        _ => "text",
    }
}
