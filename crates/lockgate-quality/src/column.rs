//! A column of a batch as the checks see it: one of a few kinds, whatever Arrow type it came in.
//!
//! A value is missing when it is null or not a number (NaN), as in pandas.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray as _, BooleanArray, Float64Array, Int32Array, Int64Array, PrimitiveArray, StringArray,
    },
    compute::{CastOptions, cast, cast_with_options},
    datatypes::{
        ArrowPrimitiveType, DataType, Float64Type, Int32Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
        UInt64Type,
    },
    util::display::FormatOptions,
};
use lockgate_core::{Failure, Result};

/// Whether two tables have the same columns in the same order, however their files hold them.
pub fn same_columns(left: &Schema, right: &Schema) -> bool {
    let column = |field: &arrow::datatypes::FieldRef| (field.name().clone(), Kind::of(field.data_type()));
    left.fields().iter().map(column).eq(right.fields().iter().map(column))
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int,
    Float,
    Text,
    /// Microseconds since 1970, without regard to a time zone.
    Time,
    /// A day, in microseconds since 1970.
    Day,
    Other,
}

impl Kind {
    /// The kind that columns of `data_type` are seen as.
    pub(crate) fn of(data_type: &DataType) -> Self {
        use DataType as T;
        match data_type {
            T::Boolean => Self::Bool,
            T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 => Self::Int,
            T::UInt64
            | T::Float16
            | T::Float32
            | T::Float64
            | T::Decimal32(..)
            | T::Decimal64(..)
            | T::Decimal128(..)
            | T::Decimal256(..) => Self::Float,
            // A column without a type has no value.
            T::Null | T::Utf8 | T::LargeUtf8 | T::Utf8View => Self::Text,
            T::Date32 | T::Date64 => Self::Day,
            T::Timestamp(..) => Self::Time,
            T::Dictionary(_, value) => Self::of(value),
            _ => Self::Other,
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Bool | Self::Int | Self::Float)
    }

    pub(crate) fn is_time(self) -> bool {
        matches!(self, Self::Time | Self::Day)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bool => "booleans",
            Self::Int => "integers",
            Self::Float => "numbers",
            Self::Text => "text",
            Self::Time => "timestamps",
            Self::Day => "dates",
            Self::Other => "nested or binary values",
        }
    }
}

/// The values of one column in one batch.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    Bool(BooleanArray),
    Int(Int64Array),
    Float(Float64Array),
    Text(Texts),
    Time(Int64Array),
    Day(Int64Array),
    Other(ArrayRef),
}

/// Text, each value once where the file has it so.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    pub(crate) values: StringArray,
    /// Which value each row has; without keys, row `i` has value `i`.
    pub(crate) keys: Option<Int32Array>,
}

impl Texts {
    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        let index = match &self.keys {
            Some(keys) if keys.is_null(row) => return None,
            Some(keys) => keys.value(row) as usize,
            None => row,
        };
        (!self.values.is_null(index)).then(|| self.values.value(index))
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.keys.as_ref().map_or(self.values.len(), Array::len)
    }

    /// Calls `each` with every text that some row has, how many rows have it and the first of them;
    /// without keys once for each row. What only the dictionary has is no row's.
    pub(crate) fn each(&self, mut each: impl FnMut(&str, u64, usize)) {
        let Some(keys) = &self.keys else {
            for (row, text) in self.values.iter().enumerate().filter_map(|(row, text)| Some((row, text?))) {
                each(text, 1, row);
            }
            return;
        };
        let mut seen: Vec<(u64, usize)> = vec![(0, 0); self.values.len()];
        each_valid(keys, |row, key| {
            if let Some((count, first)) = seen.get_mut(key as usize) {
                if *count == 0 {
                    *first = row;
                }
                *count += 1;
            }
        });
        for (text, (count, first)) in self.values.iter().zip(seen).filter(|(_, (count, _))| *count > 0) {
            if let Some(text) = text {
                each(text, count, first);
            }
        }
    }
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Missing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    Time(i64),
    Day(i64),
}

pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

impl Column {
    pub(crate) fn of(array: &ArrayRef) -> Result<Self> {
        let lost = |_| Failure::input(format!("a column of type {} cannot be read as it should be", array.data_type()));
        Ok(match Kind::of(array.data_type()) {
            Kind::Bool => Self::Bool(cast(array, &DataType::Boolean).map_err(lost)?.as_boolean().clone()),
            Kind::Int => Self::Int(cast(array, &DataType::Int64).map_err(lost)?.as_primitive::<Int64Type>().clone()),
            Kind::Float => Self::Float(floats(array).map_err(lost)?),
            Kind::Text => Self::Text(texts(array).map_err(lost)?),
            Kind::Time => {
                let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None)).map_err(lost)?;
                Self::Time(micros.as_primitive::<TimestampMicrosecondType>().reinterpret_cast::<Int64Type>())
            }
            Kind::Day => {
                let days = cast(array, &DataType::Date32).map_err(lost)?;
                let days = cast(&days, &DataType::Int32).map_err(lost)?;
                Self::Day(days.as_primitive::<Int32Type>().unary(|day| i64::from(day) * DAY_MICROS))
            }
            Kind::Other => Self::Other(Arc::clone(array)),
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::Float(_) => Kind::Float,
            Self::Text(_) => Kind::Text,
            Self::Time(_) => Kind::Time,
            Self::Day(_) => Kind::Day,
            Self::Other(_) => Kind::Other,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bool(array) => array.len(),
            Self::Int(array) | Self::Time(array) | Self::Day(array) => array.len(),
            Self::Float(array) => array.len(),
            Self::Text(texts) => texts.rows(),
            Self::Other(array) => array.len(),
        }
    }

    pub(crate) fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Bool(array) => array.is_null(row),
            Self::Int(array) | Self::Time(array) | Self::Day(array) => array.is_null(row),
            Self::Float(array) => array.is_null(row) || array.value(row).is_nan(),
            Self::Text(texts) => texts.get(row).is_none(),
            Self::Other(array) => array.is_null(row),
        }
    }

    /// How many values are missing.
    pub(crate) fn missing(&self) -> usize {
        match self {
            Self::Bool(array) => array.null_count(),
            Self::Int(array) | Self::Time(array) | Self::Day(array) => array.null_count(),
            Self::Float(array) => {
                if array.null_count() == 0 {
                    array.values().iter().filter(|value| value.is_nan()).count()
                } else {
                    (0..array.len()).filter(|row| self.is_missing(*row)).count()
                }
            }
            Self::Text(Texts { values, keys: None }) => values.null_count(),
            Self::Text(Texts { values, keys: Some(keys) }) if values.null_count() == 0 => keys.null_count(),
            Self::Text(_) => (0..self.len()).filter(|row| self.is_missing(*row)).count(),
            Self::Other(array) => array.null_count(),
        }
    }

    pub(crate) fn scalar(&self, row: usize) -> Scalar<'_> {
        if self.is_missing(row) {
            return Scalar::Missing;
        }
        match self {
            Self::Bool(array) => Scalar::Bool(array.value(row)),
            Self::Int(array) => Scalar::Int(array.value(row)),
            Self::Float(array) => Scalar::Float(array.value(row)),
            Self::Text(texts) => texts.get(row).map_or(Scalar::Missing, Scalar::Text),
            Self::Time(array) => Scalar::Time(array.value(row)),
            Self::Day(array) => Scalar::Day(array.value(row)),
            Self::Other(_) => Scalar::Missing,
        }
    }

    /// Calls `each` with the row and the value of every number that is there. Times count as
    /// microseconds.
    pub(crate) fn each_number(&self, mut each: impl FnMut(usize, f64)) {
        match self {
            Self::Bool(array) => {
                for (row, value) in array.iter().enumerate() {
                    if let Some(value) = value {
                        each(row, f64::from(u8::from(value)));
                    }
                }
            }
            Self::Int(array) | Self::Time(array) | Self::Day(array) => {
                each_valid(array, |row, value| each(row, value as f64));
            }
            Self::Float(array) => each_valid(array, |row, value| {
                if !value.is_nan() {
                    each(row, value);
                }
            }),
            Self::Text(_) | Self::Other(_) => {}
        }
    }
}

pub(crate) fn each_valid<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, mut each: impl FnMut(usize, T::Native)) {
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => {
            for (row, value) in array.values().iter().enumerate() {
                each(row, *value);
            }
        }
        Some(nulls) => {
            let values = array.values();
            for row in nulls.valid_indices() {
                if let Some(value) = values.get(row) {
                    each(row, *value);
                }
            }
        }
    }
}

fn floats(array: &ArrayRef) -> Result<Float64Array, arrow::error::ArrowError> {
    if let Some(unsigned) = array.as_primitive_opt::<UInt64Type>() {
        return Ok(unsigned.unary(|value| value as f64));
    }
    Ok(cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

fn texts(array: &ArrayRef) -> Result<Texts, arrow::error::ArrowError> {
    if let DataType::Dictionary(_, value) = array.data_type() {
        let wanted = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        // A key that does not fit would become null: refuse instead.
        let options = CastOptions { safe: false, format_options: FormatOptions::default() };
        let array = if **value == DataType::Utf8
            && matches!(array.data_type(), DataType::Dictionary(key, _) if **key == DataType::Int32)
        {
            Arc::clone(array)
        } else {
            cast_with_options(array, &wanted, &options)?
        };
        let dictionary = array.as_dictionary::<Int32Type>();
        return Ok(Texts {
            values: dictionary.values().as_string::<i32>().clone(),
            keys: Some(dictionary.keys().clone()),
        });
    }
    Ok(Texts { values: cast(array, &DataType::Utf8)?.as_string::<i32>().clone(), keys: None })
}

impl Scalar<'_> {
    /// The value as Python prints it, which is what patterns are held against.
    pub(crate) fn to_text(self) -> Option<String> {
        Some(match self {
            Self::Missing => return None,
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => float_text(value),
            Self::Text(value) => value.to_owned(),
            Self::Time(micros) => time_text(micros),
            Self::Day(micros) => day_text(micros),
        })
    }

    pub(crate) fn to_json(self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Missing => Value::Null,
            Self::Bool(value) => value.into(),
            Self::Int(value) => value.into(),
            Self::Float(value) => number_json(value),
            Self::Text(value) => value.into(),
            Self::Time(micros) => time_text(micros).replacen(' ', "T", 1).into(),
            Self::Day(micros) => day_text(micros).into(),
        }
    }
}

/// JSON has no infinity, so it is written as text.
pub(crate) fn number_json(value: f64) -> serde_json::Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => number.into(),
        None if value.is_nan() => serde_json::Value::Null,
        None => if value > 0.0 { "Infinity" } else { "-Infinity" }.into(),
    }
}

/// As Python's `repr`: the shortest digits that give the number back.
fn float_text(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    let text = value.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

pub(crate) fn time_text(micros: i64) -> String {
    arrow::temporal_conversions::timestamp_us_to_datetime(micros)
        .map_or_else(|| micros.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S%.f").to_string())
}

pub(crate) fn day_text(micros: i64) -> String {
    arrow::temporal_conversions::timestamp_us_to_datetime(micros)
        .map_or_else(|| micros.to_string(), |time| time.format("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (value, text) in
            [(1.0, "1.0"), (0.1, "0.1"), (1e16, "1e+16"), (1.5e-5, "1.5e-05"), (-0.0001, "-0.0001"), (1e22, "1e+22")]
        {
            assert_eq!(float_text(value), text);
        }
    }

    #[test]
    fn a_dictionary_gives_what_rows_have() {
        let keys = Int32Array::from(vec![Some(2), None, Some(0), Some(2)]);
        let keyed = Texts { values: StringArray::from(vec!["a", "filtered away", "c"]), keys: Some(keys) };
        let plain = Texts { values: StringArray::from(vec![Some("c"), None, Some("a"), Some("c")]), keys: None };
        let all = |texts: &Texts| {
            let mut all = Vec::new();
            texts.each(|text, count, first| all.push((text.to_owned(), count, first)));
            all
        };
        assert_eq!(all(&keyed), [("a".to_owned(), 1, 2), ("c".to_owned(), 2, 0)]);
        assert_eq!(all(&plain), [("c".to_owned(), 1, 0), ("a".to_owned(), 1, 2), ("c".to_owned(), 1, 3)]);
    }
}
