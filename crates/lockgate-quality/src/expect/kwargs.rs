//! Reading an expectation's arguments, strictly: what is not known is an error that names the
//! nearest known word.

use lockgate_core::nearest;
use serde_json::{Map, Value};

use super::{dates, row::Interval};

/// The arguments of one expectation.
pub(crate) struct Kwargs<'a>(pub(crate) &'a Map<String, Value>);

/// One end of a range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bound {
    Number(f64),
    Text(String),
}

/// A range as the suite gives it, each end with whether it is open.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) low: Option<(Bound, bool)>,
    pub(crate) high: Option<(Bound, bool)>,
}

impl Bounds {
    pub(crate) fn range(self) -> Interval<Bound> {
        Interval { low: self.low, high: self.high }
    }

    pub(crate) fn numbers(&self) -> Result<Interval<f64>, String> {
        self.clone().range().map(|bound| match bound {
            Bound::Number(number) => Ok(number),
            Bound::Text(_) => Err("min_value and max_value must be numbers here".into()),
        })
    }

    pub(crate) fn times(&self) -> Result<Interval<i64>, String> {
        self.clone().range().map(|bound| match bound {
            Bound::Text(text) => dates::moment(&text).ok_or_else(|| "min_value or max_value is not a date".to_owned()),
            Bound::Number(_) => Err("the column holds times, min_value or max_value is a number".into()),
        })
    }
}

/// A member of a set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item(pub(crate) Value);

impl Item {
    pub(crate) fn number(&self) -> Option<f64> {
        match &self.0 {
            Value::Number(number) => number.as_f64(),
            Value::Bool(value) => Some(f64::from(u8::from(*value))),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_str()
    }
}

impl Kwargs<'_> {
    /// Demands that nothing but `known` is there, beside what every expectation may have.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), String> {
        const ALWAYS: [&str; 7] =
            ["batch_id", "result_format", "catch_exceptions", "row_condition", "condition_parser", "windows", "meta"];
        for key in self.0.keys() {
            if !known.contains(&key.as_str()) && !ALWAYS.contains(&key.as_str()) {
                return Err(match nearest(key, known.iter().copied()) {
                    Some(near) => format!("unknown argument {key:?}; did you mean {near:?}?"),
                    None => format!("unknown argument {key:?}; known: {}", known.join(", ")),
                });
            }
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, key: &str) -> Result<String, String> {
        match self.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(format!("{key} must be text")),
            None => Err(format!("{key} is missing")),
        }
    }

    pub(crate) fn text_or(&self, key: &str, otherwise: &str) -> Result<String, String> {
        if self.get(key).is_none() { Ok(otherwise.to_owned()) } else { self.text(key) }
    }

    pub(crate) fn flag(&self, key: &str, otherwise: bool) -> Result<bool, String> {
        match self.get(key) {
            None => Ok(otherwise),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(format!("{key} must be true or false")),
        }
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| format!("{key} must be a number")),
        }
    }

    pub(crate) fn demanded_number(&self, key: &str) -> Result<f64, String> {
        self.number(key)?.ok_or_else(|| format!("{key} is missing"))
    }

    /// The share of values that must pass.
    pub(crate) fn mostly(&self) -> Result<f64, String> {
        let mostly = self.number("mostly")?.unwrap_or(1.0);
        if (0.0..=1.0).contains(&mostly) { Ok(mostly) } else { Err("mostly must be between 0 and 1".into()) }
    }

    pub(crate) fn list(&self, key: &str) -> Result<Vec<Item>, String> {
        const ITEMS_MAX: usize = 100_000;
        match self.get(key) {
            Some(Value::Array(items)) if items.len() <= ITEMS_MAX => Ok(items.iter().cloned().map(Item).collect()),
            Some(Value::Array(_)) => Err(format!("{key} has more than {ITEMS_MAX} members")),
            Some(_) => Err(format!("{key} must be a list")),
            None => Err(format!("{key} is missing")),
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        self.list(key)?
            .into_iter()
            .map(|item| item.text().map(str::to_owned).ok_or_else(|| format!("{key} must hold text")))
            .collect()
    }

    pub(crate) fn object(&self, key: &str) -> Result<Option<&Map<String, Value>>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(format!("{key} must be an object")),
        }
    }

    pub(crate) fn bounds(&self) -> Result<Bounds, String> {
        let end = |key: &str, strict: &str| -> Result<Option<(Bound, bool)>, String> {
            let strict = self.flag(strict, false)?;
            Ok(match self.get(key) {
                None => None,
                Some(Value::Number(number)) => {
                    Some((Bound::Number(number.as_f64().ok_or_else(|| format!("{key} is too large"))?), strict))
                }
                Some(Value::String(text)) => Some((Bound::Text(text.clone()), strict)),
                Some(_) => return Err(format!("{key} must be a number or a date")),
            })
        };
        Ok(Bounds { low: end("min_value", "strict_min")?, high: end("max_value", "strict_max")? })
    }
}
