//! Quality rules of a contract: what is counted, and what the count must be.

use lockgate_core::{Failure, Result, nearest};
use regex::Regex;
use serde_json::Value;

use crate::{expect::Suite, odcs};

/// A rule about a dataset or one of its columns.
#[derive(Clone, Debug)]
pub struct QualityRule {
    /// Its name, or what it counts.
    pub name: String,
    /// The column's place in the contract.
    pub column: Option<usize>,
    pub metric: Metric,
    pub demand: Demand,
    pub unit: Unit,
    /// A rule of severity `warning` or `info` is reported and stops nothing.
    pub severity: Severity,
}

/// What is counted.
#[derive(Clone, Debug)]
pub enum Metric {
    RowCount,
    NullValues,
    /// Null, or one of these.
    MissingValues(Vec<String>),
    /// Neither one of these values nor matched by the pattern, where each is given.
    InvalidValues {
        valid: Option<Vec<String>>,
        pattern: Option<Regex>,
    },
    /// Rows whose values in these columns occurred before.
    DuplicateValues(Vec<usize>),
    /// The single number that a query gives.
    Sql(String),
    /// An expectation of Great Expectations, which is met or not.
    Expectation(Suite),
    /// For people to read.
    Text(String),
    /// The age in days of the newest or the oldest moment of a column.
    Age(usize, End),
    /// Rows whose values in these columns no row of another dataset has.
    References(Reference),
}

/// Which moment of a column is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Newest,
    Oldest,
}

/// A relationship to another dataset, or to the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub columns: Vec<usize>,
    pub dataset: String,
    /// The other dataset's columns, in the same order.
    pub to: Vec<String>,
}

/// What a count must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Demand {
    Be(f64),
    NotBe(f64),
    GreaterThan(f64),
    GreaterOrEqualTo(f64),
    LessThan(f64),
    LessOrEqualTo(f64),
    Between(f64, f64),
    NotBetween(f64, f64),
    /// Nothing: the rule is text, or an expectation that demands by itself.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Rows,
    Percent,
    Days,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

impl Demand {
    pub fn holds(self, observed: f64) -> bool {
        match self {
            Self::Be(value) => observed == value,
            Self::NotBe(value) => observed != value,
            Self::GreaterThan(value) => observed > value,
            Self::GreaterOrEqualTo(value) => observed >= value,
            Self::LessThan(value) => observed < value,
            Self::LessOrEqualTo(value) => observed <= value,
            Self::Between(low, high) => (low..=high).contains(&observed),
            Self::NotBetween(low, high) => !(low..=high).contains(&observed),
            Self::Nothing => true,
        }
    }

    /// Whether no row at all may be counted.
    pub(crate) fn is_none(self) -> bool {
        matches!(self, Self::Be(0.0) | Self::LessOrEqualTo(0.0))
    }
}

impl std::fmt::Display for Demand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Be(value) => write!(f, "must be {value}"),
            Self::NotBe(value) => write!(f, "must not be {value}"),
            Self::GreaterThan(value) => write!(f, "must be greater than {value}"),
            Self::GreaterOrEqualTo(value) => write!(f, "must be at least {value}"),
            Self::LessThan(value) => write!(f, "must be less than {value}"),
            Self::LessOrEqualTo(value) => write!(f, "must be at most {value}"),
            Self::Between(low, high) => write!(f, "must be between {low} and {high}"),
            Self::NotBetween(low, high) => write!(f, "must not be between {low} and {high}"),
            Self::Nothing => Ok(()),
        }
    }
}

const METRICS: [&str; 5] = ["rowCount", "nullValues", "missingValues", "invalidValues", "duplicateValues"];

/// Reads a rule; `names` are the contract's columns, `column` is the one that it stands at.
pub(super) fn rule(rule: &odcs::QualityRule, column: Option<usize>, names: &[String]) -> Result<QualityRule> {
    let metric_name = rule.metric.as_deref().or(rule.rule.as_deref());
    let kind = rule.kind.as_deref().unwrap_or(if metric_name.is_some() { "library" } else { "text" });
    let (metric, demand) = match kind {
        "library" => (library(rule, metric_name, column, names)?, demand(rule)?),
        "sql" => {
            let query = rule.query.clone().ok_or_else(|| Failure::input("a quality rule of type sql needs a query"))?;
            (Metric::Sql(query), demand(rule)?)
        }
        "text" => (Metric::Text(rule.description.clone().unwrap_or_default()), Demand::Nothing),
        "custom" => (custom(rule, column, names)?, Demand::Nothing),
        other => {
            return Err(Failure::input(format!("a quality rule has the type {other:?}"))
                .hint("one of library, sql, text, custom"));
        }
    };
    let unit = match rule.unit.as_deref() {
        None | Some("rows") => Unit::Rows,
        Some("percent" | "%") => Unit::Percent,
        Some(other) => {
            return Err(Failure::input(format!("a quality rule has the unit {other:?}")).hint("rows or percent"));
        }
    };
    let severity = match rule.severity.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("warning" | "warn" | "info" | "low") => Severity::Warning,
        _ => Severity::Error,
    };
    let name = rule.name.clone().or_else(|| rule.id.clone()).or_else(|| metric_name.map(str::to_owned));
    Ok(QualityRule { name: name.unwrap_or_else(|| kind.to_owned()), column, metric, demand, unit, severity })
}

fn library(rule: &odcs::QualityRule, name: Option<&str>, column: Option<usize>, names: &[String]) -> Result<Metric> {
    let name = name.ok_or_else(|| Failure::input("a quality rule of type library needs a metric"))?;
    let argument = |key: &str| rule.arguments.as_ref().and_then(|arguments| arguments.get(key));
    let texts = |key: &str| -> Option<Vec<String>> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        argument(key).and_then(Value::as_array).map(|values| values.iter().map(text).collect())
    };
    if !METRICS.contains(&name) {
        let failure = Failure::input(format!("unknown quality metric {name:?}"));
        return Err(match nearest(name, METRICS) {
            Some(near) => failure.hint(format!("did you mean {near:?}?")),
            None => failure.hint(format!("one of {}", METRICS.join(", "))),
        });
    }
    if name != "rowCount" && name != "duplicateValues" && column.is_none() {
        return Err(Failure::input(format!("quality rule {name} stands at a column, not at the dataset")));
    }
    Ok(match name {
        "rowCount" if column.is_some() => {
            return Err(Failure::input("quality rule rowCount stands at the dataset, not at a column"));
        }
        "rowCount" => Metric::RowCount,
        "nullValues" => Metric::NullValues,
        "missingValues" => Metric::MissingValues(texts("missingValues").unwrap_or_default()),
        "invalidValues" => {
            let pattern = argument("pattern").and_then(Value::as_str).map(super::pattern).transpose()?;
            let valid = texts("validValues");
            if valid.is_none() && pattern.is_none() {
                return Err(Failure::input("invalidValues needs arguments.validValues or arguments.pattern"));
            }
            Metric::InvalidValues { valid, pattern }
        }
        "duplicateValues" => match (column, texts("properties")) {
            (Some(column), _) => Metric::DuplicateValues(vec![column]),
            (None, Some(properties)) => Metric::DuplicateValues(
                properties
                    .iter()
                    .map(|name| {
                        // A column may be named with its dataset before it.
                        let short = name.rsplit('.').next().unwrap_or(name);
                        names.iter().position(|known| known == short).ok_or_else(|| {
                            Failure::input(format!("duplicateValues names {name:?}, which is not a column"))
                        })
                    })
                    .collect::<Result<_>>()?,
            ),
            (None, None) => return Err(Failure::input("duplicateValues of a dataset needs arguments.properties")),
        },
        _ => return Err(Failure::bug("a known metric has no meaning")),
    })
}

/// A rule for another engine: expectations are run, the rest would not be enforced.
fn custom(rule: &odcs::QualityRule, column: Option<usize>, names: &[String]) -> Result<Metric> {
    let engine = rule.engine.as_deref().unwrap_or_default();
    if !engine.eq_ignore_ascii_case("greatExpectations") && !engine.eq_ignore_ascii_case("great-expectations") {
        return Err(Failure::input(format!("a quality rule is for the engine {engine:?}")).hint(
            "greatExpectations is run here; rules for other engines would not be enforced, so they are refused",
        ));
    }
    let implementation = match &rule.implementation {
        Some(Value::String(text)) => lockgate_core::yaml::parse::<Value>(text, "implementation")?,
        Some(value) => value.clone(),
        None => return Err(Failure::input("a custom quality rule needs an implementation")),
    };
    let list = match implementation {
        Value::Array(list) => list,
        one => vec![one],
    };
    let own = column.and_then(|column| names.get(column));
    let expectations: Vec<Value> = list
        .into_iter()
        .map(|mut expectation| {
            // A rule that stands at a column need not name it again.
            if let (Some(name), Some(object)) = (own, expectation.as_object_mut()) {
                let kwargs = object.entry("kwargs").or_insert_with(|| Value::Object(serde_json::Map::new()));
                if let Some(kwargs) = kwargs.as_object_mut() {
                    kwargs.entry("column").or_insert_with(|| Value::String(name.clone()));
                }
            }
            expectation
        })
        .collect();
    let suite = serde_json::json!({"name": "contract", "expectations": expectations}).to_string();
    Suite::parse(&suite, "implementation").map(Metric::Expectation)
}

fn demand(rule: &odcs::QualityRule) -> Result<Demand> {
    let number = |value: &Value| {
        value.as_f64().ok_or_else(|| Failure::input("mustBe and mustNotBe of a quality rule need a number"))
    };
    let all = [
        rule.must_be.as_ref().map(|value| number(value).map(Demand::Be)),
        rule.must_not_be.as_ref().map(|value| number(value).map(Demand::NotBe)),
        rule.must_be_greater_than.map(|value| Ok(Demand::GreaterThan(value))),
        rule.must_be_greater_or_equal_to.map(|value| Ok(Demand::GreaterOrEqualTo(value))),
        rule.must_be_less_than.map(|value| Ok(Demand::LessThan(value))),
        rule.must_be_less_or_equal_to.map(|value| Ok(Demand::LessOrEqualTo(value))),
        rule.must_be_between.map(|(low, high)| Ok(Demand::Between(low, high))),
        rule.must_not_be_between.map(|(low, high)| Ok(Demand::NotBetween(low, high))),
    ];
    let mut given = all.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(demand), None) => demand,
        (None, _) => Err(Failure::input("a quality rule demands nothing")
            .hint("add one of mustBe, mustNotBe, mustBeGreaterThan, mustBeGreaterOrEqualTo, mustBeLessThan, mustBeLessOrEqualTo, mustBeBetween, mustNotBeBetween")),
        (Some(_), Some(_)) => Err(Failure::input("a quality rule demands two things").hint("write two rules")),
    }
}
