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
    let parameters = operations.into_iter().map(|(kind, schema)| {
        let mut schema = schema.to_value();
        move_references(&mut schema, &format!("#/$defs/operations/{kind}/$defs/"));
        (kind.to_owned(), schema)
    });
    let parameters: Map<String, Value> = parameters.collect();
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

/// Lets the references in a schema, which are from its own root, begin at another one.
fn move_references(schema: &mut Value, to: &str) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "$ref" => {
                        if let Some(rest) = text.strip_prefix("#/$defs/") {
                            *text = format!("{to}{rest}");
                        }
                    }
                    other => move_references(other, to),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_references(item, to)),
        _ => {}
    }
}
