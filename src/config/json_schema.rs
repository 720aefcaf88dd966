//! The JSON schema of the configuration (draft 2020-12), made from the description of the keys.
//! Editors check with it while one types; the agent itself does not use it.

use serde_json::{Map, Value, json};

use super::describe::{Absent, Key, Kind, Section};
use super::keys::ROOT;

/// The schema as pretty JSON with a newline at its end.
pub(crate) fn json_schema() -> String {
    let mut schema = section(&ROOT, None);
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".to_owned(), json!("Pinnace configuration"));
    schema.insert(
        "$defs".to_owned(),
        json!({
            "interpolated": {
                "description": "A value with ${VAR} or ${VAR:-default} in it.",
                "type": "string",
                "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"
            }
        }),
    );
    // Serializing a value that holds only strings, numbers and maps cannot fail.
    let mut text = serde_json::to_string_pretty(&Value::Object(schema)).unwrap_or_default();
    text.push('\n');
    text
}

/// `fixed_type` is the one value that the key `type` may have.
fn section(section: &Section, fixed_type: Option<&str>) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in section.keys() {
        let value = match fixed_type {
            Some(name) if key.name == "type" => json!({ "const": name, "description": key.doc }),
            _ => described(key),
        };
        properties.insert(key.name.to_owned(), value);
        if matches!(key.absent, Absent::Required) {
            required.push(json!(key.name));
        }
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("description".to_owned(), json!(section.doc));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("additionalProperties".to_owned(), json!(false));
    if !required.is_empty() {
        schema.insert("required".to_owned(), Value::Array(required));
    }
    schema
}

fn described(key: &Key) -> Value {
    let mut schema = kind(&key.kind);
    if let Some(schema) = schema.as_object_mut() {
        let doc = match key.absent {
            Absent::Means(what) => format!("{} Left out: {what}.", key.doc),
            _ => key.doc.to_owned(),
        };
        schema.insert("description".to_owned(), json!(doc));
        if let Absent::Default(text) = key.absent {
            schema.insert("default".to_owned(), default(&key.kind, text));
        }
    }
    schema
}

fn default(kind: &Kind, text: &str) -> Value {
    match kind {
        Kind::Flag => json!(text == "true"),
        Kind::Number(_) | Kind::Count { .. } => text
            .parse::<u32>()
            .map_or_else(|_| json!(text), |n| json!(n)),
        Kind::List { .. } => json!([]),
        Kind::Map { .. } => json!({}),
        _ => json!(text),
    }
}

fn kind(kind: &Kind) -> Value {
    match kind {
        // Text is taken as it is written, so a number will do where a text belongs.
        Kind::Text(rule) | Kind::Secret(rule) => match rule.pattern {
            Some(pattern) => or_interpolated(&json!({ "type": "string", "pattern": pattern })),
            None => json!({ "type": ["string", "number", "boolean"] }),
        },
        Kind::Template(_) => json!({ "type": ["string", "number", "boolean"] }),
        Kind::Flag => or_interpolated(&json!({ "type": "boolean" })),
        Kind::Size { least, most } => or_interpolated(&json!({
            "anyOf": [
                { "type": "integer", "minimum": least, "maximum": most },
                { "type": "string", "pattern": r"^\s*[0-9]+\s*([KkMmGgTt]([Ii][Bb]?|[Bb])|[Bb])?\s*$" }
            ]
        })),
        Kind::Duration { .. } => or_interpolated(&json!({
            "type": "string", "pattern": r"^\s*([0-9]+\s*(ms|s|m|h))+\s*$"
        })),
        Kind::Number(allowed) => or_interpolated(&json!({ "enum": allowed })),
        Kind::Count { least, most } => or_interpolated(&json!({
            "type": "integer", "minimum": least, "maximum": most
        })),
        Kind::Choice(words) => {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            or_interpolated(&json!({ "enum": all }))
        }
        Kind::Listen => or_interpolated(&json!({
            "anyOf": [
                { "enum": ["off", false] },
                { "type": "string", "pattern": r"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}$" }
            ]
        })),
        Kind::List { of, least } => json!({
            "type": "array", "items": self::kind(of), "minItems": least
        }),
        Kind::Map { keys, of, most } => {
            let mut schema = json!({
                "type": "object", "additionalProperties": self::kind(of), "maxProperties": most
            });
            if let (Some(pattern), Some(schema)) = (keys.pattern, schema.as_object_mut()) {
                schema.insert("propertyNames".to_owned(), json!({ "pattern": pattern }));
            }
            schema
        }
        Kind::Section(inner) => Value::Object(section(inner, None)),
        Kind::ByType(sections) => {
            let all: Vec<Value> = sections
                .iter()
                .map(|(name, inner)| Value::Object(section(inner, Some(name))))
                .collect();
            json!({ "oneOf": all })
        }
    }
}

fn or_interpolated(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "$ref": "#/$defs/interpolated" }] })
}
