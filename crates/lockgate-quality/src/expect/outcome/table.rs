//! Verdicts about a table as a whole: its rows, its columns, and what SQL says.

use lockgate_core::Result;
use serde_json::{Value, json};

use super::{Judge, Verdict};
use crate::{
    column::Kind,
    expect::{kwargs::Bounds, row::types, suite::Check},
};

const NO_SQL: &str = "this expectation is SQL, which is not at hand here";

impl Judge<'_> {
    /// Expectations about the table as a whole.
    pub(super) fn table(&self, check: &Check, rows: u64, place: Option<usize>) -> Result<Verdict> {
        let count = |number: f64, bounds: &Bounds| {
            bounds.numbers().map(|range| (range.holds(&number), json!({"observed_value": number as u64})))
        };
        Ok(match check {
            Check::RowCount(bounds) => count(rows as f64, bounds),
            Check::RowCountEquals(value) => Ok((rows as f64 == *value, json!({"observed_value": rows}))),
            Check::ColumnCount(bounds) => count(self.header.len() as f64, bounds),
            Check::ColumnCountEquals(value) => {
                Ok((self.header.len() as f64 == *value, json!({"observed_value": self.header.len()})))
            }
            Check::ColumnsOrdered(names) => Ok(self.ordered(names)),
            Check::ColumnsSet { names, exact } => {
                let unexpected: Vec<&String> = self.header.iter().filter(|name| !names.contains(name)).collect();
                let missing: Vec<&String> = names.iter().filter(|name| !self.header.contains(name)).collect();
                let success = missing.is_empty() && (unexpected.is_empty() || !exact);
                let details = json!({"mismatched": {"unexpected": unexpected, "missing": missing}});
                Ok((success, json!({"observed_value": self.header, "details": details})))
            }
            Check::ColumnExists { column, index } => {
                let found = self.header.iter().position(|name| name == column);
                Ok((found.is_some() && (index.is_none() || *index == found), json!({})))
            }
            Check::ColumnType { name, .. } => {
                let observed = place.and_then(|place| self.types.get(place)).cloned().unwrap_or_default();
                let bare = observed.split('[').next().unwrap_or_default();
                Ok((observed == *name || (bare == "datetime64" && name == bare), json!({"observed_value": observed})))
            }
            Check::ValueTypes { names, .. } => {
                let kind = place.and_then(|place| self.kinds.get(place)).copied().unwrap_or(Kind::Other);
                let observed = place.and_then(|place| self.types.get(place)).cloned().unwrap_or_default();
                types(names, kind).map(|success| (success, json!({"observed_value": observed})))
            }
            Check::OtherTable(name) => match self.sql {
                None => Err(NO_SQL.into()),
                Some(sql) => match sql.row_count(name) {
                    Ok(other) => Ok((rows == other, json!({"observed_value": {"self": rows, "other": other}}))),
                    Err(failure) => Err(failure.to_string()),
                },
            },
            Check::UnexpectedRows(query) => match self.sql {
                None => Err(NO_SQL.into()),
                Some(sql) => match sql.rows(query) {
                    Ok(count) => Ok((count == 0, json!({"observed_value": count}))),
                    Err(failure) => Err(failure.to_string()),
                },
            },
            Check::QueryMatch { base, comparison, mostly } => match self.sql {
                None => Err(NO_SQL.into()),
                Some(sql) => match sql.compare(base, comparison) {
                    Ok((base, other, matching)) => {
                        let most = base.max(other);
                        let unexpected = most - matching;
                        let percent = if most == 0 { 0.0 } else { (1.0 - matching as f64 / most as f64) * 100.0 };
                        let success = 100.0 - percent >= mostly * 100.0;
                        Ok((success, json!({"unexpected_count": unexpected, "unexpected_percent": percent})))
                    }
                    Err(failure) => Err(failure.to_string()),
                },
            },
            _ => Err("it was not judged".into()),
        })
    }

    fn ordered(&self, names: &[String]) -> (bool, Value) {
        let mismatched: Vec<Value> = (0..names.len().max(self.header.len()))
            .filter(|index| names.get(*index) != self.header.get(*index))
            .map(|index| {
                json!({
                    "Expected Column Position": index,
                    "Expected": names.get(index),
                    "Found": self.header.get(index),
                })
            })
            .collect();
        let success = mismatched.is_empty();
        let mut result = json!({"observed_value": self.header});
        if let (false, Some(object)) = (success, result.as_object_mut()) {
            object.insert("details".into(), json!({"mismatched": mismatched}));
        }
        (success, result)
    }
}
