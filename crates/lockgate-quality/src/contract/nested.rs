//! Nested columns: objects and arrays, which travel as their JSON text. What the contract says of
//! what is in them becomes a JSON Schema.

use std::sync::Arc;

use lockgate_core::{Failure, Result};
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
    /// The shape of a property, given as the document has it.
    pub(super) fn of(property: &Value) -> Result<Self> {
        let schema = schema(property, 0)?;
        let validator = jsonschema::validator_for(&schema)
            .map_err(|_| Failure::input("what it says of nested values is no rule that can be checked"))?;
        Ok(Self { schema: schema.to_string(), validator: Arc::new(validator) })
    }

    /// Whether a JSON text has this shape.
    pub(crate) fn holds(&self, text: &str) -> bool {
        serde_json::from_str(text).is_ok_and(|value: Value| self.validator.is_valid(&value))
    }
}

fn schema(property: &Value, depth: usize) -> Result<Value> {
    if depth > DEPTH_MAX {
        return Err(Failure::input(format!("values are nested more than {DEPTH_MAX} deep")));
    }
    let kind = property.get("logicalType").and_then(Value::as_str).unwrap_or("string");
    let mut out = Map::new();
    match kind {
        "string" | "date" | "timestamp" | "time" => out.insert("type".into(), "string".into()),
        "integer" | "number" | "boolean" | "object" | "array" => out.insert("type".into(), kind.into()),
        other => return Err(Failure::input(format!("unknown logicalType {other:?} in a nested value"))),
    };
    let options = property.get("logicalTypeOptions").and_then(Value::as_object);
    for (key, value) in options.into_iter().flatten() {
        // The standard has these names and meanings from JSON Schema.
        let known = [
            "pattern",
            "minLength",
            "maxLength",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
            "minItems",
            "maxItems",
            "uniqueItems",
            "minProperties",
            "maxProperties",
            "required",
        ];
        let dated = matches!(kind, "date" | "timestamp" | "time");
        if known.contains(&key.as_str()) && !dated {
            out.insert(key.clone(), value.clone());
        }
    }
    if let Some(items) = property.get("items") {
        out.insert("items".into(), schema(items, depth + 1)?);
    }
    let mut needed: Vec<Value> = match out.get("required") {
        Some(Value::Array(names)) => names.clone(),
        _ => Vec::new(),
    };
    if let Some(inner) = property.get("properties").and_then(Value::as_array) {
        let mut properties = Map::new();
        for own in inner {
            let name = own
                .get("name")
                .and_then(Value::as_str)
                .ok_or_else(|| Failure::input("a nested property has no name"))?;
            let mut one = schema(own, depth + 1)?;
            if own.get("required").and_then(Value::as_bool) == Some(true) {
                needed.push(name.into());
            } else {
                one = json!({"anyOf": [one, {"type": "null"}]});
            }
            properties.insert(name.to_owned(), one);
        }
        out.insert("properties".into(), Value::Object(properties));
        // What nobody described must not flow.
        out.insert("additionalProperties".into(), false.into());
    }
    if needed.is_empty() {
        out.remove("required");
    } else {
        out.insert("required".into(), Value::Array(needed));
    }
    Ok(Value::Object(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_values_are_held_to_their_shape() {
        let shape = Shape::of(&json!({"logicalType": "array", "logicalTypeOptions": {"minItems": 1}, "items": {
            "logicalType": "object", "properties": [
                {"name": "sku", "logicalType": "string", "required": true, "logicalTypeOptions": {"pattern": "^S"}},
                {"name": "count", "logicalType": "integer", "logicalTypeOptions": {"minimum": 1}}]}}))
        .unwrap();
        assert!(shape.holds(r#"[{"sku": "S1", "count": 2}, {"sku": "S2", "count": null}]"#));
        for bad in ["[]", "{}", "", r#"[{"count": 2}]"#, r#"[{"sku": "X"}]"#, r#"[{"sku": "S1", "more": 1}]"#] {
            assert!(!shape.holds(bad), "{bad}");
        }
        let mut deep = json!({"logicalType": "string"});
        for _ in 0..40 {
            deep = json!({"logicalType": "array", "items": deep});
        }
        assert!(Shape::of(&deep).is_err());
    }
}
