//! The Open Data Contract Standard v3.1 as it is written, and what v3.2 adds:
//! <https://bitol-io.github.io/open-data-contract-standard/>.
//! Keys that this version does not interpret are accepted and kept out of the way.

use lockgate_core::yaml::Spanned;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "the standard's fields are listed so that only unknown ones are errors")]
pub(crate) struct Document {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) status: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) data_product: Option<String>,
    pub(crate) authoritative_definitions: Option<Value>,
    pub(crate) description: Option<Description>,
    pub(crate) schema: Vec<SchemaObject>,
    pub(crate) support: Option<Value>,
    pub(crate) price: Option<Value>,
    pub(crate) team: Option<Team>,
    pub(crate) roles: Option<Value>,
    #[serde(default)]
    pub(crate) sla_properties: Vec<SlaProperty>,
    pub(crate) sla_default_element: Option<String>,
    #[serde(default)]
    pub(crate) servers: Vec<Server>,
    pub(crate) tags: Option<Value>,
    #[serde(default)]
    pub(crate) custom_properties: Vec<CustomProperty>,
    pub(crate) contract_created_ts: Option<Value>,
    pub(crate) context: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "as above")]
pub(crate) struct Description {
    pub(crate) purpose: Option<String>,
    pub(crate) usage: Option<String>,
    pub(crate) limitations: Option<String>,
    pub(crate) authoritative_definitions: Option<Value>,
    pub(crate) custom_properties: Option<Value>,
}

/// Where the data lies; only those in files are read.
#[derive(Debug, Deserialize)]
pub(crate) struct Server {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) path: Option<String>,
}

/// An object in v3.1, a list of members before.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Team {
    Members(Vec<Member>),
    Team { members: Vec<Member> },
}

#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) username: String,
    pub(crate) role: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "as above")]
pub(crate) struct SlaProperty {
    pub(crate) id: Option<String>,
    pub(crate) property: Spanned<String>,
    pub(crate) value: Value,
    pub(crate) value_ext: Option<Value>,
    pub(crate) unit: Option<String>,
    pub(crate) element: Option<String>,
    pub(crate) driver: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) scheduler: Option<String>,
    pub(crate) schedule: Option<String>,
    pub(crate) custom_properties: Option<Value>,
    pub(crate) authoritative_definitions: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "as above")]
pub(crate) struct CustomProperty {
    pub(crate) id: Option<String>,
    pub(crate) property: String,
    pub(crate) value: Value,
    pub(crate) description: Option<String>,
    pub(crate) vendor: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "as above")]
pub(crate) struct SchemaObject {
    pub(crate) id: Option<String>,
    pub(crate) name: Spanned<String>,
    pub(crate) physical_name: Option<String>,
    pub(crate) physical_type: Option<String>,
    pub(crate) logical_type: Option<String>,
    pub(crate) business_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) data_granularity_description: Option<String>,
    pub(crate) authoritative_definitions: Option<Value>,
    #[serde(default)]
    pub(crate) relationships: Vec<Relationship>,
    #[serde(default)]
    pub(crate) quality: Vec<QualityRule>,
    pub(crate) tags: Option<Value>,
    #[serde(default)]
    pub(crate) custom_properties: Vec<CustomProperty>,
    pub(crate) synonyms: Option<Value>,
    pub(crate) context: Option<Value>,
    pub(crate) properties: Vec<Property>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "as above")]
pub(crate) struct Property {
    pub(crate) id: Option<String>,
    pub(crate) name: Spanned<String>,
    pub(crate) physical_name: Option<String>,
    pub(crate) physical_type: Option<String>,
    pub(crate) logical_type: Option<String>,
    #[serde(default)]
    pub(crate) logical_type_options: LogicalTypeOptions,
    pub(crate) business_name: Option<String>,
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) required: bool,
    #[serde(default)]
    pub(crate) unique: bool,
    #[serde(default)]
    pub(crate) primary_key: bool,
    pub(crate) primary_key_position: Option<i64>,
    pub(crate) partitioned: Option<bool>,
    pub(crate) partition_key_position: Option<i64>,
    pub(crate) classification: Option<String>,
    pub(crate) encrypted_name: Option<String>,
    pub(crate) transform_source_objects: Option<Value>,
    pub(crate) transform_logic: Option<String>,
    pub(crate) transform_description: Option<String>,
    pub(crate) examples: Option<Value>,
    pub(crate) critical_data_element: Option<bool>,
    pub(crate) authoritative_definitions: Option<Value>,
    #[serde(default)]
    pub(crate) relationships: Vec<Relationship>,
    #[serde(default)]
    pub(crate) quality: Vec<QualityRule>,
    pub(crate) tags: Option<Value>,
    pub(crate) custom_properties: Option<Value>,
    /// The values there are, as they are or as objects with a `value`; v3.2.
    #[serde(rename = "enum")]
    pub(crate) values: Option<Vec<Value>>,
    pub(crate) semantic_type: Option<String>,
    pub(crate) synonyms: Option<Value>,
    pub(crate) items: Option<Value>,
    pub(crate) properties: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "as above")]
pub(crate) struct LogicalTypeOptions {
    pub(crate) format: Option<String>,
    pub(crate) pattern: Option<String>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    /// Numbers for numbers, text for dates and times.
    pub(crate) minimum: Option<Value>,
    pub(crate) maximum: Option<Value>,
    pub(crate) exclusive_minimum: Option<Value>,
    pub(crate) exclusive_maximum: Option<Value>,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) unique_items: Option<bool>,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    /// Properties that an object must have.
    pub(crate) required: Option<Vec<String>>,
    pub(crate) timezone: Option<bool>,
    pub(crate) default_timezone: Option<String>,
}

/// A reference to another dataset; `from` is left out on a column.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "as above")]
pub(crate) struct Relationship {
    pub(crate) id: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) from: Option<Columns>,
    pub(crate) to: Columns,
    pub(crate) custom_properties: Option<Value>,
}

/// One reference or several, as `table.column`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Columns {
    One(String),
    Many(Vec<String>),
}

/// A quality rule of type `library`, `sql`, `text` or `custom`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(dead_code, reason = "as above")]
pub(crate) struct QualityRule {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) metric: Option<String>,
    /// The metric's name before v3.1.
    pub(crate) rule: Option<String>,
    pub(crate) arguments: Option<Value>,
    pub(crate) query: Option<String>,
    pub(crate) engine: Option<String>,
    pub(crate) implementation: Option<Value>,
    pub(crate) unit: Option<String>,
    pub(crate) must_be: Option<Value>,
    pub(crate) must_not_be: Option<Value>,
    pub(crate) must_be_greater_than: Option<f64>,
    pub(crate) must_be_greater_or_equal_to: Option<f64>,
    pub(crate) must_be_less_than: Option<f64>,
    pub(crate) must_be_less_or_equal_to: Option<f64>,
    pub(crate) must_be_between: Option<(f64, f64)>,
    pub(crate) must_not_be_between: Option<(f64, f64)>,
    pub(crate) severity: Option<String>,
    pub(crate) dimension: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) schedule: Option<String>,
    pub(crate) scheduler: Option<String>,
    pub(crate) business_impact: Option<String>,
    pub(crate) tags: Option<Value>,
    pub(crate) custom_properties: Option<Value>,
    pub(crate) authoritative_definitions: Option<Value>,
}
