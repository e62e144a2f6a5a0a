//! A contract resolved: what the standard's document means for Lockgate, with everything that
//! governance needs present.

mod dates;
mod diff;
mod infer;
mod keys;
mod levels;
mod measure;
mod nested;
mod quality;

use std::path::Path;

use lockgate_core::{Classification, Digest, Failure, Name, Result, nearest, yaml};
use regex::Regex;
use serde_json::{Value, json};

use crate::{expect, odcs};

pub use dates::DateFormat;
pub use diff::{Change, Kind as ChangeKind, diff};
pub use infer::{Draft, infer};
pub use keys::{Keys, ReferenceKeys};
pub use measure::{Measures, RuleOutcome};
pub use nested::Shape;
pub use quality::{Demand, End, Metric, QualityRule, Reference, Severity, Unit};

/// What a dataset promises. Owner, classification, retention, purpose and the subject rule are
/// never absent: a document without one of them is refused as orphaned.
#[derive(Clone, Debug)]
pub struct Contract {
    pub dataset: Name,
    pub version: String,
    pub owner: String,
    pub purpose: String,
    /// The lawful basis that the data is held on, where the contract says so.
    pub lawful_basis: Option<String>,
    pub retention_days: u32,
    /// A snapshot comes at least this often.
    pub frequency_days: Option<f64>,
    /// Files in which the data lies, by the document's servers.
    pub files: Vec<String>,
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
    /// How dates or times are written, where it is not as ISO 8601 has it.
    pub date_format: Option<DateFormat>,
    /// The earliest and the latest time of day as text, and whether each is itself left out.
    pub time_low: Option<(String, bool)>,
    pub time_high: Option<(String, bool)>,
    /// What a nested value must be.
    pub shape: Option<Shape>,
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
    /// A time of day, as text.
    Time,
    /// Nested values, as JSON text.
    Object,
    Array,
}

impl LogicalType {
    const ALL: [(&'static str, Self); 9] = [
        ("string", Self::String),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("date", Self::Date),
        ("timestamp", Self::Timestamp),
        ("time", Self::Time),
        ("object", Self::Object),
        ("array", Self::Array),
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
        let columns = columns(&document, file)?;
        let levels = levels::read(&document, &columns.columns, file)?;
        resolve(document, columns, levels, text).map_err(|failure| failure.at(file))
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

/// Columns, and what stands at them beside their own rules.
#[derive(Default)]
struct Columns {
    columns: Vec<Column>,
    /// Position in the primary key and place.
    key: Vec<(i64, usize)>,
    quality: Vec<QualityRule>,
    at_dataset: Vec<QualityRule>,
}

/// Reads the columns, and the rules of the dataset; what is wrong is said with its line and column in
/// the file.
fn columns(document: &odcs::Document, file: &str) -> Result<Columns> {
    let mut out = Columns::default();
    let Some(object) = document.schema.first() else { return Ok(out) };
    let names: Vec<String> = object.properties.iter().map(|property| property.name.value.clone()).collect();
    for (index, property) in object.properties.iter().enumerate() {
        let at = property.name.referenced;
        let name = &property.name.value;
        let place = |failure: Failure| failure.at(format!("{file}:{}:{}: column {name:?}", at.line(), at.column()));
        if out.columns.iter().any(|c| c.name == *name) {
            return Err(place(Failure::input("it stands twice")));
        }
        if property.primary_key {
            out.key.push((property.primary_key_position.unwrap_or(index as i64 + 1), index));
        }
        out.columns.push(column(property).map_err(place)?);
        for rule in &property.quality {
            let rule = quality::rule(rule, Some(index), &names).map_err(place)?;
            // What no row may break is held against each row, so that others may enter.
            match (out.columns.last_mut(), &rule.metric) {
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
                _ => out.quality.push(rule),
            }
        }
        for relationship in &property.relationships {
            out.quality.push(reference(relationship, Some(name), &names).map_err(place)?);
        }
    }
    let at = object.name.referenced;
    let name = &object.name.value;
    let place = |failure: Failure| failure.at(format!("{file}:{}:{}: dataset {name:?}", at.line(), at.column()));
    for rule in &object.quality {
        out.at_dataset.push(quality::rule(rule, None, &names).map_err(place)?);
    }
    for relationship in &object.relationships {
        out.at_dataset.push(reference(relationship, None, &names).map_err(place)?);
    }
    Ok(out)
}

/// A relationship as a rule: no row refers to what is not there.
fn reference(relationship: &odcs::Relationship, own: Option<&String>, names: &[String]) -> Result<QualityRule> {
    let list = |columns: &odcs::Columns| match columns {
        odcs::Columns::One(one) => vec![one.clone()],
        odcs::Columns::Many(many) => many.clone(),
    };
    if let Some(kind) = relationship.kind.as_deref().filter(|kind| *kind != "foreignKey") {
        return Err(Failure::input(format!("a relationship of type {kind:?} would not be enforced, so it is refused"))
            .hint("foreignKey is enforced"));
    }
    let from = match (&relationship.from, own) {
        (Some(from), _) => list(from),
        (None, Some(own)) => vec![own.clone()],
        (None, None) => return Err(Failure::input("a relationship of a dataset needs `from`")),
    };
    let short = |name: &String| name.rsplit('.').next().unwrap_or(name).to_owned();
    let columns = from
        .iter()
        .map(|name| {
            let name = short(name);
            names
                .iter()
                .position(|known| *known == name)
                .ok_or_else(|| Failure::input(format!("a relationship starts at {name:?}, which is not a column")))
        })
        .collect::<Result<Vec<_>>>()?;
    let to = list(&relationship.to);
    let dataset = |name: &String| name.rsplit_once('.').map(|(dataset, _)| dataset.to_owned());
    let datasets: Vec<Option<String>> = to.iter().map(dataset).collect();
    let (Some(Some(dataset)), true) = (datasets.first(), datasets.iter().all(|own| Some(own) == datasets.first()))
    else {
        return Err(Failure::input("a relationship leads to the columns of one dataset")
            .hint("to: dataset.column, or a list of them"));
    };
    if to.len() != columns.len() {
        return Err(Failure::input("a relationship has as many columns on one side as on the other"));
    }
    Ok(QualityRule {
        name: format!("refers to {dataset}"),
        column: (columns.len() == 1).then(|| columns.first().copied()).flatten(),
        metric: Metric::References(Reference {
            columns,
            // The standard may lead through the file that describes the other dataset.
            dataset: dataset.rsplit('/').next().unwrap_or(dataset).to_owned(),
            to: to.iter().map(short).collect(),
        }),
        demand: Demand::Be(0.0),
        unit: Unit::Rows,
        severity: Severity::Error,
    })
}

fn resolve(document: odcs::Document, read: Columns, levels: levels::Levels, text: &str) -> Result<Contract> {
    if !document.api_version.starts_with("v3.") || document.kind != "DataContract" {
        return Err(Failure::input("this is not a data contract of ODCS v3")
            .hint("start with `apiVersion: v3.1.0` and `kind: DataContract`"));
    }
    let owner = owner(&document)?;
    let custom = |name: &str| {
        let own = document.schema.first().into_iter().flat_map(|object| &object.custom_properties);
        own.chain(&document.custom_properties)
            .find(|custom| custom.property == name)
            .and_then(|custom| custom.value.as_str())
            .map(str::to_owned)
    };
    let lawful_basis = custom("lawfulBasis");
    let described = || document.description.as_ref().and_then(|d| d.purpose.clone());
    let purpose = custom("purpose")
        .or_else(described)
        .filter(|purpose| !purpose.trim().is_empty() && purpose != TODO)
        .ok_or_else(|| orphaned("purpose", "description.purpose: what the data is for"))?;
    let Columns { mut columns, mut key, quality: mut at_columns, at_dataset } = read;
    let files = document
        .servers
        .iter()
        .filter(|server| server.kind.as_deref() == Some("local"))
        .filter_map(|server| server.path.clone())
        .collect();
    let [object] = <[odcs::SchemaObject; 1]>::try_from(document.schema)
        .map_err(|all| Failure::input(format!("a contract describes one table; this one has {}", all.len())))?;
    let dataset: Name = object.name.value.parse()?;
    let mut quality = at_dataset;
    quality.append(&mut at_columns);
    quality.extend(levels.rules);
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
        lawful_basis,
        retention_days: levels.retention_days,
        frequency_days: levels.frequency_days,
        files,
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
    if matches!(logical_type, LogicalType::Object | LogicalType::Array) {
        rules.shape = Some(nested::Shape::of(&nested_property(property, logical_type), classification)?);
    }
    Ok(Column { name: property.name.value.clone(), logical_type, classification, rules })
}

/// A nested property as the document has it.
fn nested_property(property: &odcs::Property, logical_type: LogicalType) -> Value {
    let options = &property.logical_type_options;
    let mut given = serde_json::Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            given.insert(key.to_owned(), value);
        }
    };
    put("minItems", options.min_items.map(Value::from));
    put("maxItems", options.max_items.map(Value::from));
    put("uniqueItems", options.unique_items.map(Value::from));
    put("minProperties", options.min_properties.map(Value::from));
    put("maxProperties", options.max_properties.map(Value::from));
    put("required", options.required.clone().map(Value::from));
    let mut whole = json!({"logicalType": logical_type.as_str(), "logicalTypeOptions": given});
    if let Some(object) = whole.as_object_mut() {
        object.extend(property.items.clone().map(|items| ("items".to_owned(), items)));
        object.extend(property.properties.clone().map(|inner| ("properties".to_owned(), inner)));
    }
    whole
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
            LogicalType::Time => {
                let time = value.as_str().filter(|text| time_of_day().is_ok_and(|re| re.is_match(text)));
                let time = time.ok_or_else(|| {
                    Failure::input(format!("{name} must be a time of day here")).hint("write it in quotes: '08:30:00'")
                })?;
                *(if is_low { &mut rules.time_low } else { &mut rules.time_high }) = Some((with_seconds(time), strict));
            }
            LogicalType::String | LogicalType::Boolean | LogicalType::Object | LogicalType::Array => {
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
    if logical_type == LogicalType::Time {
        rules.pattern = Some(time_of_day()?);
    }
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
        LogicalType::Date | LogicalType::Timestamp => rules.date_format = dates::DateFormat::of(name)?,
        LogicalType::Time if matches!(name, "HH:mm:ss" | "HH:mm" | "time") => {}
        LogicalType::Time => return Err(wrong("times of day are read as HH:mm:ss".into())),
        LogicalType::Object | LogicalType::Array => return Err(Failure::input("nested values have no format")),
        LogicalType::Boolean => return Err(Failure::input("booleans have no format")),
    }
    Ok(())
}

/// A time of day that may lack its seconds, so that text sorts as time does.
pub(crate) fn with_seconds(time: &str) -> String {
    if time.len() == 5 { format!("{time}:00") } else { time.to_owned() }
}

/// Hours, minutes, and seconds where they are there.
fn time_of_day() -> Result<Regex> {
    pattern(r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?$")
}
