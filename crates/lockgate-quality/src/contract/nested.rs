//! Nested columns: objects and arrays, which travel as their JSON text. What the contract says of
//! what is in them becomes a JSON Schema.

use std::sync::Arc;

use lockgate_core::{Classification, Failure, Result};
use serde_json::{Map, Value, json};

/// Objects within objects.
const DEPTH_MAX: usize = 32;

/// What a nested value must be. Two are the same when they were read from the same words.
#[derive(Clone, Debug)]
pub struct Shape {
    schema: String,
    validator: Arc<jsonschema::Validator>,
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema
    }
}

impl Shape {
    /// The shape of a property of `classification`, given as the document has it.
    pub(super) fn of(property: &Value, classification: Classification) -> Result<Self> {
        let schema = schema(property, classification, 0)?;
        // The engine that is linear in the text.
        let validator = jsonschema::options()
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .build(&schema)
            .map_err(|_| Failure::input("what it says of nested values is no rule that can be checked"))?;
        Ok(Self { schema: schema.to_string(), validator: Arc::new(validator) })
    }

    /// Whether a JSON text has this shape.
    pub(crate) fn holds(&self, text: &str) -> bool {
        serde_json::from_str(text).is_ok_and(|value: Value| self.validator.is_valid(&value))
    }
}

/// What is understood of a nested property, beside words for people.
const KEYS: [&str; 20] = [
    "name",
    "logicalType",
    "logicalTypeOptions",
    "required",
    "properties",
    "items",
    "classification",
    "id",
    "physicalName",
    "physicalType",
    "businessName",
    "description",
    "examples",
    "tags",
    "customProperties",
    "authoritativeDefinitions",
    "criticalDataElement",
    "semanticType",
    "synonyms",
    "transformDescription",
];

fn schema(property: &Value, classification: Classification, depth: usize) -> Result<Value> {
    if depth > DEPTH_MAX {
        return Err(Failure::input(format!("values are nested more than {DEPTH_MAX} deep")));
    }
    let own = property.as_object().ok_or_else(|| Failure::input("a nested property is no mapping"))?;
    let name = own.get("name").and_then(Value::as_str).unwrap_or("items");
    let place = |failure: Failure| failure.at(format!("nested {name:?}"));
    if let Some(key) = own.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(place(Failure::input(format!("{key:?} would not be enforced here, so it is refused"))));
    }
    if let Some(word) = own.get("classification").and_then(Value::as_str) {
        let inner = Classification::parse(word)
            .ok_or_else(|| place(Failure::input(format!("unknown classification {word:?}"))))?;
        if inner > classification {
            return Err(place(Failure::input(format!("it is {inner} in a column that is {classification}")))
                .hint("a column is protected as a whole: classify it by the highest in it"));
        }
    }
    let kind = own.get("logicalType").and_then(Value::as_str).unwrap_or("string");
    let mut out = Map::new();
    match kind {
        "string" | "date" | "timestamp" | "time" => out.insert("type".into(), "string".into()),
        "integer" | "number" | "boolean" | "object" | "array" => out.insert("type".into(), kind.into()),
        other => return Err(place(Failure::input(format!("unknown logicalType {other:?}")))),
    };
    let known: &[&str] = match kind {
        "string" => &["pattern", "minLength", "maxLength"],
        "integer" | "number" => &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
        "array" => &["minItems", "maxItems", "uniqueItems"],
        "object" => &["minProperties", "maxProperties", "required"],
        _ => &[],
    };
    for (key, value) in own.get("logicalTypeOptions").and_then(Value::as_object).into_iter().flatten() {
        // The standard has these names and meanings from JSON Schema.
        if !known.contains(&key.as_str()) {
            return Err(place(Failure::input(format!(
                "{key:?} of a nested {kind} would not be enforced, so it is refused"
            ))));
        }
        if let (true, Some(text)) = (key == "pattern", value.as_str()) {
            super::pattern(text).map_err(place)?;
        }
        out.insert(key.clone(), value.clone());
    }
    match (kind, own.get("items"), own.get("properties").and_then(Value::as_array)) {
        ("array", Some(items), _) => {
            out.insert("items".into(), schema(items, classification, depth + 1)?);
        }
        ("object", _, Some(inner)) => properties(inner, classification, depth, &mut out)?,
        ("array", None, _) => {
            return Err(place(Failure::input("an array needs `items`: what nobody described must not flow")));
        }
        ("object", _, None) => {
            return Err(place(Failure::input("an object needs `properties`: what nobody described must not flow")));
        }
        _ => {}
    }
    Ok(Value::Object(out))
}

fn properties(
    inner: &[Value],
    classification: Classification,
    depth: usize,
    out: &mut Map<String, Value>,
) -> Result<()> {
    let mut needed: Vec<Value> = match out.remove("required") {
        Some(Value::Array(names)) => names,
        _ => Vec::new(),
    };
    let mut properties = Map::new();
    for own in inner {
        let name =
            own.get("name").and_then(Value::as_str).ok_or_else(|| Failure::input("a nested property has no name"))?;
        let mut one = schema(own, classification, depth + 1)?;
        if own.get("required").and_then(Value::as_bool) == Some(true) {
            needed.push(name.into());
        } else {
            one = json!({"anyOf": [one, {"type": "null"}]});
        }
        if properties.insert(name.to_owned(), one).is_some() {
            return Err(Failure::input(format!("the nested property {name:?} stands twice")));
        }
    }
    out.insert("properties".into(), Value::Object(properties));
    out.insert("additionalProperties".into(), false.into());
    if !needed.is_empty() {
        out.insert("required".into(), Value::Array(needed));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_values_are_held_to_their_shape() {
        let shape = Shape::of(
            &json!({"logicalType": "array", "logicalTypeOptions": {"minItems": 1}, "items": {
            "logicalType": "object", "properties": [
                {"name": "sku", "logicalType": "string", "required": true, "logicalTypeOptions": {"pattern": "^S"}},
                {"name": "count", "logicalType": "integer", "logicalTypeOptions": {"minimum": 1}}]}}),
            Classification::Internal,
        )
        .unwrap();
        assert!(shape.holds(r#"[{"sku": "S1", "count": 2}, {"sku": "S2", "count": null}]"#));
        for bad in ["[]", "{}", "", r#"[{"count": 2}]"#, r#"[{"sku": "X"}]"#, r#"[{"sku": "S1", "more": 1}]"#] {
            assert!(!shape.holds(bad), "{bad}");
        }
        let mut deep = json!({"logicalType": "string"});
        for _ in 0..40 {
            deep = json!({"logicalType": "array", "items": deep});
        }
        assert!(Shape::of(&deep, Classification::Internal).is_err());
        for refused in [
            json!({"logicalType": "array"}),
            json!({"logicalType": "object"}),
            json!({"logicalType": "array", "items": {"logicalType": "string", "classification": "restricted"}}),
            json!({"logicalType": "array", "items": {"logicalType": "string", "quality": []}}),
            json!({"logicalType": "array", "items": {"logicalType": "date", "logicalTypeOptions": {"minimum": "2020-01-01"}}}),
            json!({"logicalType": "array", "items": {"logicalType": "string", "logicalTypeOptions": {"pattern": "(?=a)a"}}}),
        ] {
            assert!(Shape::of(&refused, Classification::Internal).is_err(), "{refused}");
        }
    }
}
