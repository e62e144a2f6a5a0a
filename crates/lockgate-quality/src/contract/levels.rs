//! Service levels: how old data may be, and how often it comes.

use lockgate_core::{Failure, Result, nearest};
use serde_json::Value;

use super::{Demand, End, LogicalType, Metric, QualityRule, Severity, TODO, Unit, orphaned};
use crate::odcs;

/// Service levels that are held against data, and those of the standard that data cannot tell of.
const ENFORCED: [&str; 7] = ["retention", "re", "freshness", "latency", "ly", "frequency", "fy"];
const PROMISES: [&str; 16] = [
    "generalAvailability",
    "ga",
    "endOfSupport",
    "es",
    "endOfLife",
    "el",
    "timeOfAvailability",
    "availability",
    "av",
    "throughput",
    "th",
    "errorRate",
    "er",
    "timeToDetect",
    "timeToNotify",
    "timeToRepair",
];
const RETENTION_HINT: &str = "slaProperties: [{property: retention, value: 3, unit: y}]";

/// What a contract promises of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    pub(super) retention_days: u32,
    /// A snapshot comes at least this often.
    pub(super) frequency_days: Option<f64>,
    pub(super) rules: Vec<QualityRule>,
}

/// Reads the service levels of a document whose columns are `columns`.
pub(super) fn read(document: &odcs::Document, columns: &[super::Column], file: &str) -> Result<Levels> {
    let mut levels = Levels::default();
    let mut retained = false;
    for sla in &document.sla_properties {
        let name = sla.property.value.as_str();
        let at = sla.property.referenced;
        let place =
            |failure: Failure| failure.at(format!("{file}:{}:{}: service level {name:?}", at.line(), at.column()));
        match name {
            "retention" | "re" => {
                let days = days(sla, Months::Short).map_err(place)?;
                if !(1.0..=36_500.0).contains(&days) {
                    let failure = Failure::input("retention must be between a day and a hundred years");
                    return Err(failure.hint(RETENTION_HINT));
                }
                // The shortest holds.
                levels.retention_days = if retained { levels.retention_days.min(days as u32) } else { days as u32 };
                retained = true;
                if sla.element.is_some() {
                    levels.rules.push(age(document, sla, columns, End::Oldest, days).map_err(place)?);
                }
            }
            "freshness" | "latency" | "ly" => {
                let days = days(sla, Months::Spelled).map_err(place)?;
                levels.rules.push(age(document, sla, columns, End::Newest, days).map_err(place)?);
            }
            "frequency" | "fy" => levels.frequency_days = Some(days(sla, Months::Spelled).map_err(place)?),
            // Of these no data tells.
            _ if PROMISES.contains(&name) => {}
            _ => {
                let known = ENFORCED.iter().chain(&PROMISES).copied();
                let near = nearest(name, known).map(|near| format!("did you mean {near:?}?"));
                return Err(place(Failure::input("it is unknown, so it would not be enforced"))
                    .hint(near.unwrap_or_else(|| format!("enforced are {}", ENFORCED.join(", ")))));
            }
        }
    }
    if !retained {
        return Err(orphaned("retention", RETENTION_HINT).at(file));
    }
    Ok(levels)
}

/// Whether `m` stands for months. Where minutes are as likely it must be spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Months {
    Short,
    Spelled,
}

fn days(sla: &odcs::SlaProperty, months: Months) -> Result<f64> {
    let value = match &sla.value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text != TODO => text.parse().ok(),
        _ => None,
    };
    let per_unit = match sla.unit.as_deref() {
        Some("s" | "second" | "seconds") => 1.0 / 86_400.0,
        Some("min" | "minute" | "minutes") => 1.0 / 1_440.0,
        Some("h" | "hr" | "hour" | "hours") => 1.0 / 24.0,
        Some("d" | "day" | "days") => 1.0,
        Some("w" | "week" | "weeks") => 7.0,
        Some("m") if months == Months::Short => 30.0,
        Some("mo" | "month" | "months") => 30.0,
        Some("y" | "yr" | "year" | "years") => 365.0,
        _ => {
            return Err(Failure::input("it needs a unit").hint("one of s, min, h, d, w, mo and y"));
        }
    };
    value
        .map(|value: f64| value * per_unit)
        .filter(|days| *days > 0.0 && days.is_finite())
        .ok_or_else(|| Failure::input("its value must be a number above 0"))
}

fn age(
    document: &odcs::Document,
    sla: &odcs::SlaProperty,
    columns: &[super::Column],
    end: End,
    days: f64,
) -> Result<QualityRule> {
    let element = sla.element.as_ref().or(document.sla_default_element.as_ref()).ok_or_else(|| {
        Failure::input("it names no column that says how old a row is, so it would not be enforced")
            .hint("element: the column, as dataset.column")
    })?;
    let (dataset, name) = element.rsplit_once('.').map_or((None, element.as_str()), |(d, name)| (Some(d), name));
    let own = document.schema.first();
    let known = |dataset: &str| {
        own.is_some_and(|own| own.name.value == dataset || own.physical_name.as_deref() == Some(dataset))
    };
    if element.contains(',') || dataset.is_some_and(|dataset| !known(dataset)) {
        return Err(Failure::input(format!("its element {element:?} is not a column of this dataset"))
            .hint("element: one column, as dataset.column; write a service level for each"));
    }
    let place = columns.iter().position(|column| column.name == name).ok_or_else(|| {
        Failure::input(format!("its element {element:?} is not a column"))
            .hint("element: the column, as dataset.column")
    })?;
    let dated = columns.get(place).map(|column| column.logical_type);
    if !matches!(dated, Some(LogicalType::Date | LogicalType::Timestamp)) {
        return Err(Failure::input(format!("its element {element:?} is neither a date nor a timestamp")));
    }
    Ok(QualityRule {
        name: match end {
            End::Newest => format!("{}: age of the newest row", sla.property.value),
            End::Oldest => "retention: age of the oldest row".to_owned(),
        },
        column: Some(place),
        metric: Metric::Age(place, end),
        demand: Demand::LessOrEqualTo(days),
        unit: Unit::Days,
        severity: Severity::Error,
    })
}
