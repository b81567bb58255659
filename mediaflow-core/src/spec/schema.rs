use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{JobSpec, Pipeline};

/// The JSON Schema (draft 2020-12) of the spec, with the parameters of these operations, as
/// [`Registry::schemas`](crate::Registry::schemas) gives them.
#[must_use]
pub fn json_schema(operations: impl IntoIterator<Item = (&'static str, Schema)>) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let pipeline = generator.subschema_for::<Pipeline>();
    let mut root = generator.into_root_schema_for::<JobSpec>().to_value();
    let parameters: Map<String, Value> =
        operations.into_iter().map(|(kind, schema)| (kind.to_owned(), schema.to_value())).collect();
    let rules: Vec<Value> = parameters
        .keys()
        .map(|kind| {
            json!({
                "if": { "properties": { "op": { "const": kind } }, "required": ["op"] },
                "then": { "properties": { "with": { "$ref": format!("#/$defs/operations/{kind}") } } }
            })
        })
        .collect();
    if let Some(step) = root.pointer_mut("/$defs/StepSpec").and_then(Value::as_object_mut)
        && !rules.is_empty()
    {
        step.insert("allOf".to_owned(), Value::Array(rules));
    }
    if let Some(definitions) = root.pointer_mut("/$defs").and_then(Value::as_object_mut) {
        definitions.insert("operations".to_owned(), Value::Object(parameters));
    }
    if let Some(object) = root.as_object_mut() {
        object
            .insert("if".to_owned(), json!({ "properties": { "kind": { "const": "pipeline" } } }));
        object.insert("then".to_owned(), json!({ "properties": { "with": pipeline.to_value() } }));
    }
    root
}
