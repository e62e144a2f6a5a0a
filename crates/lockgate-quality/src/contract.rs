//! A contract resolved: what the standard's document means for Lockgate, with everything that
//! governance needs present.

mod diff;
mod infer;
mod measure;
mod quality;

use std::path::Path;

use lockgate_core::{Classification, Digest, Failure, Name, Result, nearest, yaml};
use regex::Regex;
use serde_json::Value;

use crate::{expect, odcs};

pub use diff::{Change, Kind as ChangeKind, diff};
pub use infer::{Draft, infer};
pub use measure::{Measures, RuleOutcome};
pub use quality::{Demand, Metric, QualityRule, Severity, Unit};

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
    /// Rules about more than one value, in the document's order.
    pub quality: Vec<QualityRule>,
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
    pub multiple_of: Option<f64>,
    /// The earliest and the latest moment, in microseconds since 1970, and whether each is itself
    /// left out.
    pub earliest: Option<(i64, bool)>,
    pub latest: Option<(i64, bool)>,
    /// The whole numbers that a format such as `i32` can hold.
    pub integer_range: Option<(i64, i64)>,
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
        .filter(|purpose| !purpose.trim().is_empty() && purpose != TODO)
        .ok_or_else(|| orphaned("purpose", "description.purpose: what the data is for"))?;
    let retention_days = retention(&document)?;
    let [object] = <[odcs::SchemaObject; 1]>::try_from(document.schema)
        .map_err(|all| Failure::input(format!("a contract describes one table; this one has {}", all.len())))?;
    if let Some(relationship) =
        object.relationships.iter().chain(object.properties.iter().flat_map(|p| &p.relationships)).next()
    {
        let to = match &relationship.to {
            odcs::Columns::One(to) => to.clone(),
            odcs::Columns::Many(to) => to.join(", "),
        };
        return Err(Failure::input(format!("the relationship to {to} would not be enforced, so it is refused"))
            .hint("relationships between datasets are not checked yet; test them by a quality rule of type sql"));
    }
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
    let names: Vec<String> = object.properties.iter().map(|property| property.name.clone()).collect();
    let mut quality = Vec::new();
    for rule in &object.quality {
        quality.push(quality::rule(rule, None, &names)?);
    }
    for (index, property) in object.properties.iter().enumerate() {
        for rule in &property.quality {
            let rule =
                quality::rule(rule, Some(index), &names).map_err(|f| f.at(format!("column {:?}", property.name)))?;
            // What no row may break is held against each row, so that others may enter.
            match (columns.get_mut(index), &rule.metric) {
                (Some(column), Metric::NullValues) if rule.demand.is_none() => column.rules.required = true,
                (Some(column), Metric::InvalidValues { valid: Some(valid), pattern: None })
                    if rule.demand.is_none() =>
                {
                    // Beside an enumeration, or another such rule, a value must be valid by both.
                    match &mut column.rules.valid_values {
                        Some(own) => own.retain(|value| valid.contains(value)),
                        none => *none = Some(valid.clone()),
                    }
                }
                _ => quality.push(rule),
            }
        }
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
        quality,
        text: text.to_owned(),
        digest: Digest::of(text.as_bytes()),
    })
}

/// What `contract infer` leaves for people to say.
const TODO: &str = "TODO";

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
        .filter(|name| name != TODO)
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
        .filter(|subject| *subject != TODO)
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
    if property.encrypted_name.is_some() && classification < Classification::Confidential {
        return Err(Failure::input(format!("encryptedName of a column that is {classification}"))
            .hint("what is encrypted is confidential or restricted: say so in its classification"));
    }
    let options = &property.logical_type_options;
    let pattern = options.pattern.as_deref().map(pattern).transpose()?;
    let mut rules = Rules {
        required: property.required || property.primary_key,
        unique: property.unique,
        pattern,
        length_min: options.min_length,
        length_max: options.max_length,
        multiple_of: options.multiple_of.filter(|step| *step > 0.0),
        valid_values: property.values.as_ref().map(|values| values.iter().map(enum_value).collect()),
        ..Rules::default()
    };
    bounds(&mut rules, options, logical_type)?;
    format(&mut rules, options.format.as_deref(), logical_type)?;
    Ok(Column { name: property.name.clone(), logical_type, classification, rules })
}

/// A regular expression that is matched in time linear in the text.
fn pattern(text: &str) -> Result<Regex> {
    regex::RegexBuilder::new(text).size_limit(1 << 20).build().map_err(|_| {
        Failure::input("the pattern is not a regular expression")
            .hint("look-around and back-references are not supported")
    })
}

/// A value of an enumeration: itself, or an object with `value`.
fn enum_value(value: &Value) -> String {
    let value = value.get("value").unwrap_or(value);
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Bounds are numbers for numbers and text for dates and times.
fn bounds(rules: &mut Rules, options: &odcs::LogicalTypeOptions, logical_type: LogicalType) -> Result<()> {
    let ends = [
        ("minimum", &options.minimum, false),
        ("maximum", &options.maximum, false),
        ("exclusiveMinimum", &options.exclusive_minimum, true),
        ("exclusiveMaximum", &options.exclusive_maximum, true),
    ];
    for (name, value, strict) in ends {
        let Some(value) = value else { continue };
        let is_low = name.ends_with("inimum");
        match logical_type {
            LogicalType::Integer | LogicalType::Number => {
                let number = value.as_f64().ok_or_else(|| Failure::input(format!("{name} must be a number here")))?;
                let place = match (is_low, strict) {
                    (true, false) => &mut rules.minimum,
                    (false, false) => &mut rules.maximum,
                    (true, true) => &mut rules.exclusive_minimum,
                    (false, true) => &mut rules.exclusive_maximum,
                };
                *place = Some(number);
            }
            LogicalType::Date | LogicalType::Timestamp => {
                let moment = value.as_str().and_then(expect::moment).ok_or_else(|| {
                    Failure::input(format!("{name} must be a date here"))
                        .hint("write it in quotes, such as '2024-01-31'")
                })?;
                *(if is_low { &mut rules.earliest } else { &mut rules.latest }) = Some((moment, strict));
            }
            LogicalType::String | LogicalType::Boolean => {
                return Err(Failure::input(format!("{name} is for numbers, dates and times")));
            }
        }
    }
    Ok(())
}

/// Formats of the standard; what would not be enforced is refused.
fn format(rules: &mut Rules, name: Option<&str>, logical_type: LogicalType) -> Result<()> {
    const TEXT: [(&str, &str); 9] = [
        ("email", r"^[^@\s]+@[^@\s]+\.[^@\s]+$"),
        ("uuid", "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"),
        ("uri", r"^[A-Za-z][A-Za-z0-9+.\-]*:\S+$"),
        ("hostname", r"^[A-Za-z0-9]([A-Za-z0-9\-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9\-]*[A-Za-z0-9])?)*$"),
        ("ipv4", r"^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$"),
        ("ipv6", r"^[0-9a-fA-F:]*:[0-9a-fA-F:.]*$"),
        ("byte", "^[A-Za-z0-9+/]*={0,2}$"),
        ("binary", "^[01]*$"),
        ("password", ""),
    ];
    let Some(name) = name else { return Ok(()) };
    let wrong = |hint: String| {
        Failure::input(format!("the format {name:?} would not be enforced, so it is refused")).hint(hint)
    };
    match logical_type {
        LogicalType::String => {
            let known = TEXT.iter().map(|(name, _)| *name);
            let (_, own) = TEXT
                .iter()
                .find(|(known, _)| *known == name)
                .ok_or_else(|| wrong(format!("one of {}, or a pattern", known.collect::<Vec<_>>().join(", "))))?;
            if !own.is_empty() {
                if rules.pattern.is_some() {
                    return Err(Failure::input("a column has a format and a pattern").hint("keep the pattern"));
                }
                rules.pattern = Some(pattern(own)?);
            }
        }
        LogicalType::Integer => {
            rules.integer_range = Some(match name {
                "i8" => (i64::from(i8::MIN), i64::from(i8::MAX)),
                "i16" => (i64::from(i16::MIN), i64::from(i16::MAX)),
                "i32" => (i64::from(i32::MIN), i64::from(i32::MAX)),
                "i64" | "i128" => (i64::MIN, i64::MAX),
                "u8" => (0, i64::from(u8::MAX)),
                "u16" => (0, i64::from(u16::MAX)),
                "u32" => (0, i64::from(u32::MAX)),
                "u64" | "u128" => (0, i64::MAX),
                _ => return Err(wrong("one of i8, i16, i32, i64, i128, u8, u16, u32, u64, u128".into())),
            });
        }
        LogicalType::Number if matches!(name, "f32" | "f64") => {}
        LogicalType::Number => return Err(wrong("f32 or f64".into())),
        LogicalType::Date if matches!(name, "yyyy-MM-dd" | "date") => {}
        LogicalType::Date => return Err(wrong("dates are read as yyyy-MM-dd".into())),
        LogicalType::Timestamp => {
            if !name.starts_with("yyyy-MM-dd") && name != "date-time" {
                return Err(wrong("timestamps are read as yyyy-MM-dd, then T or a space, then HH:mm:ss".into()));
            }
        }
        LogicalType::Boolean => return Err(Failure::input("booleans have no format")),
    }
    Ok(())
}
