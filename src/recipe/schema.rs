//! The JSON schema of recipes, written from the same table that validates them.

use super::known_tasks;
use super::shape::{Bound, Object, Shape};
use serde_json::{Map, Value, json};

const NAME: &str = "^[a-z0-9][a-z0-9-]{0,63}$";

/// The JSON schema (draft 2020-12) of recipes, for editors that complete and check YAML by one.
pub fn schema() -> Value {
    let mut out = Map::new();
    out.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    out.insert("title".into(), json!("aqa-bench recipe"));
    out.extend(object(&super::keys::RECIPE, None));
    Value::Object(out)
}

fn object(of: &'static Object, tag: Option<(&str, &str)>) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in of.keys() {
        let mut value = match tag {
            Some((name, word)) if name == key.name => json!({"const": word}),
            _ => shape(&key.shape),
        };
        if key.name == "tasks" {
            value["items"]["enum"] = json!(known_tasks());
        }
        value["description"] = json!(key.doc);
        properties.insert(key.name.into(), value);
        if key.required {
            required.push(key.name);
        }
    }
    let mut out = Map::new();
    out.insert("description".into(), json!(of.doc));
    out.insert("type".into(), json!("object"));
    out.insert("additionalProperties".into(), json!(false));
    out.insert("required".into(), json!(required));
    out.insert("properties".into(), Value::Object(properties));
    out
}

fn shape(of: &Shape) -> Value {
    match of {
        Shape::Text => json!({"type": "string", "pattern": "\\S"}),
        Shape::Name => json!({"type": "string", "pattern": NAME}),
        Shape::Hex(len) => json!({"type": "string", "pattern": format!("^[0-9a-f]{{{len}}}$")}),
        Shape::Commit => json!({"type": "string", "pattern": "^[0-9a-f]{7,40}$"}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Int(low, i64::MAX) => json!({"type": "integer", "minimum": low}),
        Shape::Int(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
        Shape::Number(low, high) => {
            let mut out = json!({"type": "number"});
            match low {
                Bound::None => {}
                Bound::To(x) => out["minimum"] = json!(x),
                Bound::Beyond(x) => out["exclusiveMinimum"] = json!(x),
            }
            match high {
                Bound::None => {}
                Bound::To(x) => out["maximum"] = json!(x),
                Bound::Beyond(x) => out["exclusiveMaximum"] = json!(x),
            }
            out
        }
        Shape::Choice(words) => json!({"enum": words}),
        Shape::Object(of) => Value::Object(object(of, None)),
        Shape::Tagged { tag, variants } => {
            let forms: Vec<_> = variants.iter().map(|(word, of)| object(of, Some((tag, word)))).collect();
            json!({"type": "object", "oneOf": forms})
        }
        Shape::ByKey(variants) => {
            let forms: Vec<_> = variants.iter().map(|(_, of)| object(of, None)).collect();
            json!({"type": "object", "oneOf": forms})
        }
        Shape::List(items, low, high) => {
            let mut out = json!({"type": "array", "items": shape(items), "minItems": low});
            if *high != usize::MAX {
                out["maxItems"] = json!(high);
            }
            out
        }
        Shape::Map(_, names, values) => match names {
            Shape::Name => {
                json!({"type": "object", "propertyNames": {"pattern": NAME}, "additionalProperties": shape(values)})
            }
            _ => json!({"type": "object", "additionalProperties": shape(values)}),
        },
        Shape::Or(value, of) => json!({"anyOf": [shape(value), object(of, None)]}),
    }
}
