//! Row conditions: which rows an expectation is about.

use arrow::{array::BooleanArray, record_batch::RecordBatch};
use serde_json::Value;

use super::{
    kwargs::{Bound, Bounds, Item},
    row::Question,
};
use crate::column::{Column, Kind, Scalar};

/// Conditions within conditions.
const DEPTH_MAX: usize = 4;
const CONDITIONS_MAX: usize = 100;

/// Which rows count.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    IsNull { column: String, wanted: bool },
    Compare { column: String, question: Question, negated: bool },
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

impl Condition {
    pub(crate) fn parse(value: Option<&Value>) -> Result<Option<Self>, String> {
        match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => text_form(text).map(Some),
            Some(value) => object_form(value, 0).map(Some),
        }
    }

    pub(crate) fn columns(&self, names: &mut Vec<String>) {
        match self {
            Self::IsNull { column, .. } | Self::Compare { column, .. } => names.push(column.clone()),
            Self::All(all) | Self::Any(all) => all.iter().for_each(|condition| condition.columns(names)),
        }
    }

    /// For each row of the batch, whether it counts.
    pub(crate) fn holds(&self, batch: &RecordBatch) -> Result<BooleanArray, String> {
        let rows = batch.num_rows();
        let column = |name: &str| -> Result<Column, String> {
            let array =
                batch.column_by_name(name).ok_or_else(|| format!("row_condition: there is no column {name:?}"))?;
            Column::of(array).map_err(|failure| failure.to_string())
        };
        Ok(match self {
            Self::IsNull { column: name, wanted } => {
                let column = column(name)?;
                (0..rows).map(|row| Some(column.is_missing(row) == *wanted)).collect()
            }
            Self::Compare { column: name, question, negated } => {
                let column = column(name)?;
                let test = match column.kind() {
                    Kind::Other => return Err(format!("row_condition: column {name:?} cannot be compared")),
                    kind => question.compile(kind).map_err(|what| format!("row_condition: {what}"))?,
                };
                // What is missing equals nothing, so it is unequal, as in pandas.
                let holds = |row| match column.scalar(row) {
                    Scalar::Missing => *negated,
                    value => test.holds(value) != *negated,
                };
                (0..rows).map(|row| Some(holds(row))).collect()
            }
            Self::All(all) | Self::Any(all) => {
                let parts = all.iter().map(|c| c.holds(batch)).collect::<Result<Vec<_>, _>>()?;
                let all = matches!(self, Self::All(_));
                (0..rows)
                    .map(|row| {
                        let mut parts = parts.iter().map(|part| part.value(row));
                        Some(if all { parts.all(|p| p) } else { parts.any(|p| p) })
                    })
                    .collect()
            }
        })
    }
}

fn object_form(value: &Value, depth: usize) -> Result<Condition, String> {
    let object = value.as_object().ok_or("row_condition must be an object or text")?;
    if depth > DEPTH_MAX {
        return Err("row_condition is nested too deeply".into());
    }
    let column = || -> Result<String, String> {
        match object.get("column") {
            Some(Value::String(name)) => Ok(name.clone()),
            Some(Value::Object(column)) => column
                .get("name")
                .and_then(Value::as_str)
                .map(str::to_owned)
                .ok_or("row_condition names no column".into()),
            _ => Err("row_condition names no column".into()),
        }
    };
    match object.get("type").and_then(Value::as_str) {
        Some("nullity") => {
            let wanted = object.get("is_null").and_then(Value::as_bool).ok_or("row_condition: is_null is missing")?;
            Ok(Condition::IsNull { column: column()?, wanted })
        }
        Some("comparison") => {
            let operator = object.get("operator").and_then(Value::as_str).ok_or("row_condition has no operator")?;
            let parameter = object.get("parameter").ok_or("row_condition has no parameter")?;
            compare(column()?, operator, parameter)
        }
        Some(kind @ ("and" | "or")) => {
            let list = object.get("conditions").and_then(Value::as_array).ok_or("row_condition has no conditions")?;
            if list.len() > CONDITIONS_MAX {
                return Err(format!("row_condition has more than {CONDITIONS_MAX} parts"));
            }
            let parts = list.iter().map(|part| object_form(part, depth + 1)).collect::<Result<_, _>>()?;
            Ok(if kind == "and" { Condition::All(parts) } else { Condition::Any(parts) })
        }
        _ => Err("row_condition is a comparison, nullity, and, or; filters of pandas and Spark are not run".into()),
    }
}

fn compare(column: String, operator: &str, parameter: &Value) -> Result<Condition, String> {
    let bound = || match parameter {
        Value::Number(number) => number.as_f64().map(Bound::Number).ok_or("row_condition: the number is too large"),
        Value::String(text) => Ok(Bound::Text(text.clone())),
        _ => Err("row_condition compares with a number or text"),
    };
    let list = || {
        let items = parameter.as_array().ok_or("row_condition: IN needs a list")?;
        Ok::<_, String>(items.iter().cloned().map(Item).collect())
    };
    let (question, negated) = match operator.to_ascii_uppercase().replace('_', " ").as_str() {
        "==" => (Question::InSet(vec![Item(parameter.clone())]), false),
        "!=" => (Question::InSet(vec![Item(parameter.clone())]), true),
        "IN" => (Question::InSet(list()?), false),
        "NOT IN" => (Question::InSet(list()?), true),
        "<" => (Question::Between(Bounds { low: None, high: Some((bound()?, true)) }), false),
        "<=" => (Question::Between(Bounds { low: None, high: Some((bound()?, false)) }), false),
        ">" => (Question::Between(Bounds { low: Some((bound()?, true)), high: None }), false),
        ">=" => (Question::Between(Bounds { low: Some((bound()?, false)), high: None }), false),
        other => return Err(format!("row_condition: unknown operator {other:?}")),
    };
    Ok(Condition::Compare { column, question, negated })
}

/// `col("name") > 5`, `col("name") == "text"` and `col("name").notNull()`.
fn text_form(text: &str) -> Result<Condition, String> {
    let wrong = "row_condition as text is `col(\"name\") OPERATOR literal` or `col(\"name\").notNull()`";
    let rest = text.trim().strip_prefix("col(").ok_or(wrong)?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or(wrong)?;
    let (name, rest) = rest.get(1..).and_then(|rest| rest.split_once(quote)).ok_or(wrong)?;
    let rest = rest.trim_start().strip_prefix(')').ok_or(wrong)?.trim();
    let column = name.to_owned();
    if rest == ".notNull()" {
        return Ok(Condition::IsNull { column, wanted: false });
    }
    let operator = ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|op| rest.starts_with(op)).ok_or(wrong)?;
    let literal = rest.get(operator.len()..).unwrap_or_default().trim();
    let literal = literal.strip_prefix("date(").and_then(|l| l.strip_suffix(')')).unwrap_or(literal);
    let unquoted = ['"', '\'']
        .into_iter()
        .find_map(|q| literal.strip_prefix(q)?.strip_suffix(q).filter(|inner| !inner.contains(q)));
    let parameter = match unquoted {
        Some(text) => Value::String(text.to_owned()),
        None => serde_json::from_str::<serde_json::Number>(literal).map(Value::Number).map_err(|_| wrong)?,
    };
    compare(column, operator, &parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_as_text() {
        for good in
            ["col(\"a\") > 5", "col('a b')==\"x\"", "col(\"a\").notNull()", "col(\"t\") >= date(\"2020-01-01\")"]
        {
            assert!(text_form(good).is_ok(), "{good}");
        }
        for bad in ["a > 5", "col(\"a\")", "col(\"a\") > ", "col(\"a\") > __import__", "col(a) > 1", "col(\"a\") ~ 1"] {
            assert!(text_form(bad).is_err(), "{bad}");
        }
    }
}
