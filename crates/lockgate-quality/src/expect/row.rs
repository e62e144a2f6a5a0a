//! Questions about the values of one column, row by row, compiled for the column's kind.

use std::{fmt, ops::Range};

use arrow::array::Array as _;
use hashbrown::HashSet;

use super::{
    dates,
    kwargs::{Bound, Bounds, Item},
    text::{self, Strptime},
};
use crate::column::{Column, Kind, Scalar, Texts, each_valid};

/// A question as the suite asks it, whatever the column holds.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    Between(Bounds),
    InSet(Vec<Item>),
    NotInSet(Vec<Item>),
    Lengths(Bounds),
    /// Some pattern, all of them or none is in the text.
    Regex(Vec<String>, Match),
    Like(Vec<String>, Option<char>, Match),
    Strptime(String),
    Date,
    Json,
    JsonSchema(serde_json::Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    Any,
    All,
    None,
}

/// A question for one kind of column.
pub(crate) enum Test {
    Always(bool),
    Number(Interval<f64>),
    Time(Interval<i64>),
    Words(Interval<String>),
    Integers { set: HashSet<i64>, within: bool },
    Numbers { set: HashSet<u64>, within: bool },
    Times { set: HashSet<i64>, within: bool },
    Texts { set: HashSet<String>, within: bool },
    Text(Box<dyn Fn(&str) -> bool + Send + Sync>),
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Test")
    }
}

/// A range, each end open or closed.
#[derive(Clone, Debug)]
pub(crate) struct Interval<T> {
    pub(crate) low: Option<(T, bool)>,
    pub(crate) high: Option<(T, bool)>,
}

impl<T: PartialOrd> Interval<T> {
    pub(crate) fn holds(&self, value: &T) -> bool {
        let above = match &self.low {
            Some((low, true)) => value > low,
            Some((low, false)) => value >= low,
            None => true,
        };
        let below = match &self.high {
            Some((high, true)) => value < high,
            Some((high, false)) => value <= high,
            None => true,
        };
        above && below
    }
}

impl<T> Interval<T> {
    /// The same range over other values.
    pub(crate) fn map<U>(self, mut f: impl FnMut(T) -> Result<U, String>) -> Result<Interval<U>, String> {
        let mut end =
            |end: Option<(T, bool)>| end.map(|(value, strict)| Ok::<_, String>((f(value)?, strict))).transpose();
        Ok(Interval { low: end(self.low)?, high: end(self.high)? })
    }
}

/// The rows of a batch that fail a test.
#[derive(Debug)]
pub(crate) struct Failing {
    pub(crate) count: u64,
    /// The first of them.
    pub(crate) rows: Vec<usize>,
    wanted: usize,
}

impl Failing {
    pub(crate) fn new(wanted: usize) -> Self {
        Self { count: 0, rows: Vec::new(), wanted }
    }

    pub(crate) fn push(&mut self, row: usize) {
        self.count += 1;
        if self.rows.len() < self.wanted {
            self.rows.push(row);
        }
    }
}

impl Question {
    /// Whether missing values are asked, too. They never are, by the standard.
    pub(crate) fn compile(&self, kind: Kind) -> Result<Test, String> {
        match self {
            Self::Between(bounds) => between(bounds, kind),
            Self::InSet(items) => Ok(set(items, kind, true)),
            Self::NotInSet(items) => Ok(set(items, kind, false)),
            Self::Lengths(bounds) => {
                let range = bounds.numbers()?;
                Ok(Test::Text(Box::new(move |text| range.holds(&(text.chars().count() as f64)))))
            }
            Self::Regex(patterns, how) => {
                let all = patterns.iter().map(|p| text::regex(p)).collect::<Result<Vec<_>, _>>()?;
                Ok(patterns_test(all, *how))
            }
            Self::Like(patterns, escape, how) => {
                let all = patterns.iter().map(|p| text::like(p, *escape)).collect::<Result<Vec<_>, _>>()?;
                Ok(patterns_test(all, *how))
            }
            Self::Strptime(format) => {
                demand_text(kind, "strftime_format")?;
                let format = Strptime::new(format)?;
                Ok(Test::Text(Box::new(move |text| format.accepts(text))))
            }
            Self::Date => {
                demand_text(kind, "dates to be parsed")?;
                Ok(Test::Text(Box::new(dates::is_date)))
            }
            // Python reads no JSON from what is no text.
            Self::Json if kind != Kind::Text => Ok(Test::Always(false)),
            Self::Json => Ok(Test::Text(Box::new(text::is_json))),
            Self::JsonSchema(schema) => {
                demand_text(kind, "json_schema")?;
                let schema = text::json_schema(schema)?;
                Ok(Test::Text(Box::new(move |text| text::satisfies(&schema, text))))
            }
        }
    }
}

fn demand_text(kind: Kind, what: &str) -> Result<(), String> {
    if kind == Kind::Text { Ok(()) } else { Err(format!("{what} asks for text; the column holds {}", kind.name())) }
}

fn patterns_test(all: Vec<fancy_regex::Regex>, how: Match) -> Test {
    Test::Text(Box::new(move |value| match how {
        Match::Any => all.iter().any(|regex| text::matches(regex, value)),
        Match::All => all.iter().all(|regex| text::matches(regex, value)),
        Match::None => !all.iter().any(|regex| text::matches(regex, value)),
    }))
}

fn between(bounds: &Bounds, kind: Kind) -> Result<Test, String> {
    if bounds.low.is_none() && bounds.high.is_none() {
        return Err("min_value and max_value cannot both be missing".into());
    }
    if kind.is_number() {
        let range = bounds.numbers()?;
        if let (Some((low, _)), Some((high, _))) = (&range.low, &range.high)
            && low > high
        {
            return Err("min_value is greater than max_value".into());
        }
        return Ok(Test::Number(range));
    }
    if kind.is_time() {
        return Ok(Test::Time(bounds.times()?));
    }
    demand_text(kind, "between")?;
    Ok(Test::Words(bounds.clone().range().map(|bound| match bound {
        Bound::Text(text) => Ok(text),
        Bound::Number(_) => Err("the column holds text, min_value or max_value is a number".to_owned()),
    })?))
}

fn set(items: &[Item], kind: Kind, within: bool) -> Test {
    if kind == Kind::Int {
        // Not as doubles, which cannot tell large integers apart.
        let whole =
            |item: &Item| item.0.as_i64().or_else(|| item.number().filter(|n| n.fract() == 0.0).map(|n| n as i64));
        return Test::Integers { set: items.iter().filter_map(whole).collect(), within };
    }
    if kind.is_number() {
        let set = items.iter().filter_map(Item::number).map(number_key).collect();
        return Test::Numbers { set, within };
    }
    if kind.is_time() {
        let set = items.iter().filter_map(Item::text).filter_map(dates::moment).collect();
        return Test::Times { set, within };
    }
    Test::Texts { set: items.iter().filter_map(Item::text).map(str::to_owned).collect(), within }
}

fn number_key(value: f64) -> u64 {
    if value == 0.0 { 0 } else { value.to_bits() }
}

/// Whether a column of this kind has one of the types; Python, NumPy and pandas name them.
pub(crate) fn types(names: &[String], kind: Kind) -> Result<bool, String> {
    const KNOWN: [(&[&str], &[Kind]); 6] = [
        (&["int", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "INTEGER", "BIGINT"], &[Kind::Int]),
        (
            &["float", "float16", "float32", "float64", "double", "FLOAT", "DOUBLE", "DOUBLE_PRECISION", "uint64"],
            &[Kind::Float],
        ),
        (&["str", "string", "object", "VARCHAR", "TEXT"], &[Kind::Text]),
        (&["bool", "boolean", "BOOLEAN"], &[Kind::Bool]),
        (&["datetime", "datetime64", "datetime64[ns]", "Timestamp", "TIMESTAMP", "DATETIME"], &[Kind::Time]),
        (&["date", "DATE"], &[Kind::Day]),
    ];
    let mut known = false;
    for name in names {
        if let Some((_, kinds)) = KNOWN.iter().find(|(all, _)| all.contains(&name.as_str())) {
            known = true;
            if kinds.contains(&kind) {
                return Ok(true);
            }
        }
    }
    if known { Ok(false) } else { Err(format!("no type of {names:?} is known")) }
}

impl Test {
    /// The rows of `column` in `range` whose value is there and fails.
    pub(crate) fn failing(&self, column: &Column, range: Range<usize>, wanted: usize) -> Failing {
        let mut failing = Failing::new(wanted);
        let all = range == (0..column.len());
        match (self, column) {
            (Self::Always(true), _) => {}
            (Self::Number(bounds), Column::Float(array)) if all => {
                let (low, high) = (bounds.low, bounds.high);
                each_bad(array.values(), array.nulls(), &mut failing, |v| {
                    // NaN is missing, not wrong.
                    low.is_some_and(|(low, strict)| v < low || (strict && v == low))
                        || high.is_some_and(|(high, strict)| v > high || (strict && v == high))
                });
            }
            (Self::Number(bounds), Column::Int(array)) if all => {
                let range = bounds.clone();
                each_bad(array.values(), array.nulls(), &mut failing, |v| !range.holds(&(v as f64)));
            }
            (Self::Time(bounds), Column::Time(array) | Column::Day(array)) if all => {
                each_bad(array.values(), array.nulls(), &mut failing, |v| !bounds.holds(&v));
            }
            (Self::Integers { set, within }, Column::Int(array)) if all => {
                each_valid(array, |row, v| {
                    if set.contains(&v) != *within {
                        failing.push(row);
                    }
                });
            }
            (Self::Words(_) | Self::Texts { .. } | Self::Text(_), Column::Text(texts)) if all => {
                self.failing_texts(texts, &mut failing);
            }
            _ => {
                for row in range {
                    let value = column.scalar(row);
                    if value != Scalar::Missing && !self.holds(value) {
                        failing.push(row);
                    }
                }
            }
        }
        failing
    }

    /// Where values stand once with keys to them, each is judged once.
    fn failing_texts(&self, texts: &Texts, failing: &mut Failing) {
        let Some(keys) = &texts.keys else {
            for (row, text) in texts.values.iter().enumerate() {
                if text.is_some_and(|text| !self.holds_text(text)) {
                    failing.push(row);
                }
            }
            return;
        };
        let verdicts: Vec<bool> =
            texts.values.iter().map(|text| text.is_some_and(|text| !self.holds_text(text))).collect();
        if !verdicts.contains(&true) {
            return;
        }
        each_valid(keys, |row, key| {
            if verdicts.get(key as usize) == Some(&true) {
                failing.push(row);
            }
        });
    }

    fn holds_text(&self, text: &str) -> bool {
        match self {
            Self::Words(range) => {
                let above =
                    range.low.as_ref().is_none_or(|(low, strict)| text > low.as_str() || (!strict && text == low));
                let below =
                    range.high.as_ref().is_none_or(|(high, strict)| text < high.as_str() || (!strict && text == high));
                above && below
            }
            Self::Texts { set, within } => set.contains(text) == *within,
            Self::Text(test) => test(text),
            Self::Always(verdict) => *verdict,
            _ => false,
        }
    }

    /// Whether a value that is there passes.
    pub(crate) fn holds(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Always(verdict), _) => *verdict,
            (Self::Number(range), value) => number(value).is_some_and(|number| range.holds(&number)),
            (Self::Integers { set, within }, Scalar::Int(value)) => set.contains(&value) == *within,
            (Self::Numbers { set, within }, value) => {
                number(value).is_some_and(|number| set.contains(&number_key(number)) == *within)
            }
            (Self::Time(range), Scalar::Time(value) | Scalar::Day(value)) => range.holds(&value),
            (Self::Times { set, within }, Scalar::Time(value) | Scalar::Day(value)) => set.contains(&value) == *within,
            (_, Scalar::Text(text)) => self.holds_text(text),
            (Self::Texts { within, .. }, _) => !*within,
            (_, value) => value.to_text().is_some_and(|text| self.holds_text(&text)),
        }
    }
}

pub(crate) fn number(value: Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Bool(value) => Some(f64::from(u8::from(value))),
        Scalar::Int(value) => Some(value as f64),
        Scalar::Float(value) => Some(value),
        _ => None,
    }
}

/// Counts first, which the compiler does many at a time, and looks for rows only if there are any.
fn each_bad<T: Copy>(
    values: &[T],
    nulls: Option<&arrow::buffer::NullBuffer>,
    failing: &mut Failing,
    bad: impl Fn(T) -> bool,
) {
    match nulls.filter(|nulls| nulls.null_count() > 0) {
        None => {
            let count = values.iter().map(|value| u64::from(bad(*value))).sum::<u64>();
            if count == 0 {
                return;
            }
            for (row, _) in values.iter().enumerate().filter(|(_, value)| bad(**value)).take(failing.wanted) {
                failing.rows.push(row);
            }
            failing.count += count;
        }
        Some(nulls) => {
            for row in nulls.valid_indices() {
                if values.get(row).is_some_and(|value| bad(*value)) {
                    failing.push(row);
                }
            }
        }
    }
}
