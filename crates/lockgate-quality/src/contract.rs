//! A contract resolved: what the standard's document means for Lockgate, with everything that
//! governance needs present.

use std::path::Path;

use lockgate_core::{Classification, Digest, Failure, Name, Result, nearest, yaml};
use regex::Regex;
use serde_json::Value;

use crate::odcs;

/// What a dataset promises. Owner, classification, retention, purpose and the subject rule are
/// never absent: a document without one of them is refused as orphaned.
#[derive(Clone, Debug)]
pub struct Contract {
    pub dataset: Name,
    pub version: String,
    pub owner: String,
    pub purpose: String,
    pub retention_days: u32,
    pub subject: Subject,
    pub columns: Vec<Column>,
    /// Columns of the primary key in their order.
    pub primary_key: Vec<usize>,
    /// The document as it was read, and its digest.
    pub text: String,
    pub digest: Digest,
}

/// Whom a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The index of the column that identifies the data subject.
    Column(usize),
    /// The contract states that rows are about nobody.
    None,
}

/// One column and its rules.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub logical_type: LogicalType,
    pub classification: Classification,
    pub rules: Rules,
}

/// What each value must satisfy.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub required: bool,
    pub unique: bool,
    pub pattern: Option<Regex>,
    pub length_min: Option<u64>,
    pub length_max: Option<u64>,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    pub exclusive_minimum: Option<f64>,
    pub exclusive_maximum: Option<f64>,
    pub valid_values: Option<Vec<String>>,
}

/// The standard's logical types that a column of a table can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogicalType {
    String,
    Integer,
    Number,
    Boolean,
    Date,
    Timestamp,
}

impl LogicalType {
    const ALL: [(&'static str, Self); 6] = [
        ("string", Self::String),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("date", Self::Date),
        ("timestamp", Self::Timestamp),
    ];

    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("string", |(name, _)| name)
    }
}

impl Contract {
    /// Reads the contract at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&yaml::read_text(path)?, &path.display().to_string())
    }

    /// Parses ODCS YAML; `file` names it in errors.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let document: odcs::Document = yaml::parse(text, file)?;
        resolve(document, text).map_err(|failure| failure.at(file))
    }

    /// The position of the column `name`.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The highest classification of any column.
    pub fn classification(&self) -> Classification {
        self.columns.iter().map(|column| column.classification).max().unwrap_or(Classification::Restricted)
    }
}

fn resolve(document: odcs::Document, text: &str) -> Result<Contract> {
    if !document.api_version.starts_with("v3.") || document.kind != "DataContract" {
        return Err(Failure::input("this is not a data contract of ODCS v3")
            .hint("start with `apiVersion: v3.1.0` and `kind: DataContract`"));
    }
    let owner = owner(&document)?;
    let purpose = document
        .description
        .as_ref()
        .and_then(|d| d.purpose.clone())
        .filter(|purpose| !purpose.trim().is_empty())
        .ok_or_else(|| orphaned("purpose", "description.purpose: what the data is for"))?;
    let retention_days = retention(&document)?;
    let [object] = <[odcs::SchemaObject; 1]>::try_from(document.schema)
        .map_err(|all| Failure::input(format!("a contract describes one table; this one has {}", all.len())))?;
    let dataset: Name = object.name.parse()?;
    let mut columns = Vec::new();
    let mut key = Vec::new();
    for (index, property) in object.properties.iter().enumerate() {
        if columns.iter().any(|c: &Column| c.name == property.name) {
            return Err(Failure::input(format!("column {:?} stands twice", property.name)));
        }
        if property.primary_key {
            key.push((property.primary_key_position.unwrap_or(index as i64 + 1), index));
        }
        columns.push(column(property).map_err(|f| f.at(format!("column {:?}", property.name)))?);
    }
    if columns.is_empty() || columns.len() > lockgate_core::limits::COLUMNS_MAX {
        return Err(Failure::input("a contract needs between 1 and 2,000 columns"));
    }
    key.sort_unstable();
    let subject = subject(&document.custom_properties, &object.custom_properties, &columns)?;
    if let Subject::Column(index) = subject
        && let Some(column) = columns.get_mut(index)
    {
        // A row that is about somebody must say about whom, or it could never be erased.
        column.rules.required = true;
    }
    Ok(Contract {
        dataset,
        version: document.version,
        owner,
        purpose,
        retention_days,
        subject,
        columns,
        primary_key: key.into_iter().map(|(_, index)| index).collect(),
        text: text.to_owned(),
        digest: Digest::of(text.as_bytes()),
    })
}

fn orphaned(what: &str, hint: &str) -> Failure {
    Failure::input(format!("orphaned dataset: the contract states no {what}")).hint(format!("add {hint}"))
}

fn owner(document: &odcs::Document) -> Result<String> {
    let members = match &document.team {
        Some(odcs::Team::Members(members) | odcs::Team::Team { members }) => members.as_slice(),
        None => &[],
    };
    members
        .iter()
        .find(|m| m.role.as_deref().is_some_and(|role| role.eq_ignore_ascii_case("owner")))
        .map(|member| member.username.clone())
        .ok_or_else(|| orphaned("owner", "team.members with a `username` and `role: owner`"))
}

fn retention(document: &odcs::Document) -> Result<u32> {
    let hint = "slaProperties: [{property: retention, value: 3, unit: y}]";
    let sla = document
        .sla_properties
        .iter()
        .find(|sla| sla.property == "retention")
        .ok_or_else(|| orphaned("retention", hint))?;
    let value = match &sla.value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let per_unit = match sla.unit.as_deref() {
        Some("d" | "day" | "days") => 1.0,
        Some("m" | "month" | "months") => 30.0,
        Some("y" | "year" | "years") => 365.0,
        _ => return Err(Failure::input("retention needs a unit of d, m or y").hint(hint)),
    };
    match value.map(|value| value * per_unit) {
        Some(days) if (1.0..=36_500.0).contains(&days) => Ok(days as u32),
        _ => Err(Failure::input("retention must be between a day and a hundred years").hint(hint)),
    }
}

fn subject(document: &[odcs::CustomProperty], object: &[odcs::CustomProperty], columns: &[Column]) -> Result<Subject> {
    let hint = "customProperties: [{property: dataSubject, value: <column>}], or value: none";
    let rule = object
        .iter()
        .chain(document)
        .find(|custom| custom.property == "dataSubject")
        .and_then(|custom| custom.value.as_str())
        .ok_or_else(|| orphaned("data subject", hint))?;
    if rule == "none" {
        return Ok(Subject::None);
    }
    columns
        .iter()
        .position(|column| column.name == rule)
        .map(Subject::Column)
        .ok_or_else(|| Failure::input(format!("dataSubject names {rule:?}, which is not a column")).hint(hint))
}

fn column(property: &odcs::Property) -> Result<Column> {
    let word = property.logical_type.as_deref().unwrap_or("string");
    let known = LogicalType::ALL;
    let logical_type = known.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind).ok_or_else(|| {
        let near = nearest(word, known.iter().map(|(name, _)| *name)).unwrap_or("string");
        Failure::input(format!("unknown logicalType {word:?}")).hint(format!("did you mean {near:?}?"))
    })?;
    let word = property
        .classification
        .as_deref()
        .ok_or_else(|| orphaned("classification", "classification: public, internal, confidential or restricted"))?;
    let classification = Classification::parse(word).ok_or_else(|| {
        Failure::input(format!("unknown classification {word:?}"))
            .hint("one of public, internal, confidential, restricted")
    })?;
    let options = &property.logical_type_options;
    let pattern = options
        .pattern
        .as_deref()
        .map(|text| {
            regex::RegexBuilder::new(text).size_limit(1 << 20).build().map_err(|_| {
                Failure::input("the pattern is not a regular expression")
                    .hint("look-around and back-references are not supported")
            })
        })
        .transpose()?;
    Ok(Column {
        name: property.name.clone(),
        logical_type,
        classification,
        rules: Rules {
            required: property.required || property.primary_key,
            unique: property.unique,
            pattern,
            length_min: options.min_length,
            length_max: options.max_length,
            minimum: options.minimum,
            maximum: options.maximum,
            exclusive_minimum: options.exclusive_minimum,
            exclusive_maximum: options.exclusive_maximum,
            valid_values: valid_values(&property.quality)?,
        },
    })
}

/// The enumeration: `metric: invalidValues` with `arguments.validValues` and `mustBe: 0`.
fn valid_values(rules: &[odcs::QualityRule]) -> Result<Option<Vec<String>>> {
    let rule = match rules {
        [] => return Ok(None),
        [rule] => rule,
        _ => return Err(Failure::input("a column can have one quality rule")),
    };
    let metric = rule.metric.as_deref().or(rule.rule.as_deref());
    if metric != Some("invalidValues") {
        let name = metric.unwrap_or("without a metric");
        return Err(Failure::input(format!("quality rule {name:?} is not supported on a column"))
            .hint("use invalidValues; other rules would not be enforced, so they are refused"));
    }
    let strict = rule.must_be.as_ref().and_then(Value::as_f64) == Some(0.0);
    let values = rule.arguments.as_ref().and_then(|arguments| arguments.get("validValues")).and_then(Value::as_array);
    let (true, Some(values)) = (strict, values) else {
        return Err(Failure::input("invalidValues needs arguments.validValues and mustBe: 0"));
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(Some(values.iter().map(text).collect()))
}
