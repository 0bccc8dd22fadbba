//! A validator of the part of JSON schema that `aqa_bench::recipe::schema` emits; it panics at any other word.

use serde_json::Value;
use std::collections::BTreeSet;

/// YAML as JSON.
pub fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

/// JSON pointers to every value below the root.
pub fn pointers(value: &Value) -> Vec<String> {
    let below = |key: &str, value: &Value| {
        let mut out = vec![format!("/{key}")];
        out.extend(pointers(value).into_iter().map(|p| format!("/{key}{p}")));
        out
    };
    match value {
        Value::Object(map) => map.iter().flat_map(|(k, v)| below(k, v)).collect(),
        Value::Array(items) => items.iter().enumerate().flat_map(|(i, v)| below(&i.to_string(), v)).collect(),
        _ => Vec::new(),
    }
}

/// Every key path that the schema names.
pub fn keys(schema: &Value, path: &str, out: &mut BTreeSet<String>) {
    for form in ["oneOf", "anyOf"].iter().flat_map(|k| schema[k].as_array().into_iter().flatten()) {
        keys(form, path, out);
    }
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        assert_eq!(schema["additionalProperties"], Value::Bool(false), "{path}");
        assert!(below["description"].as_str().is_some_and(|d| !d.is_empty()), "{path}.{key} has no description");
        out.insert(format!("{path}.{key}"));
        keys(below, &format!("{path}.{key}"), out);
    }
    if schema["items"].is_object() {
        keys(&schema["items"], &format!("{path}[]"), out);
    }
    if schema["additionalProperties"].is_object() {
        keys(&schema["additionalProperties"], &format!("{path}.*"), out);
    }
}

/// Whether a value is valid; panics at a word of JSON schema that it does not know. Key paths used go to `used`.
pub fn accepts(schema: &Value, value: &Value, path: &str, used: &mut BTreeSet<String>) -> Result<(), String> {
    let fail = |why: String| Err(format!("{path}: {why}, found {value}"));
    for (word, rule) in schema.as_object().unwrap() {
        let number = || rule.as_f64().unwrap();
        let ok = match word.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                other => panic!("unknown type {other}"),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "minimum" => value.as_f64().is_none_or(|x| x >= number()),
            "maximum" => value.as_f64().is_none_or(|x| x <= number()),
            "exclusiveMinimum" => value.as_f64().is_none_or(|x| x > number()),
            "exclusiveMaximum" => value.as_f64().is_none_or(|x| x < number()),
            "minItems" => value.as_array().is_none_or(|a| a.len() as u64 >= rule.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|a| a.len() as u64 <= rule.as_u64().unwrap()),
            "pattern" => value.as_str().is_none_or(|s| matches(rule.as_str().unwrap(), s)),
            "required" => value
                .as_object()
                .is_none_or(|m| rule.as_array().unwrap().iter().all(|k| m.contains_key(k.as_str().unwrap()))),
            "propertyNames" => {
                value.as_object().is_none_or(|m| m.keys().all(|k| matches(rule["pattern"].as_str().unwrap(), k)))
            }
            "properties" => {
                for (key, below) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        let path = format!("{path}.{key}");
                        accepts(below, value, &path, used)?;
                        used.insert(path);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object();
                for (key, value) in value.as_object().into_iter().flatten() {
                    if known.is_some_and(|k| k.contains_key(key)) {
                        continue;
                    }
                    if rule == &Value::Bool(false) {
                        return Err(format!("{path}: unknown key {key}"));
                    }
                    accepts(rule, value, &format!("{path}.*"), used)?;
                }
                true
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    accepts(rule, item, &format!("{path}[]"), used)?;
                }
                true
            }
            "oneOf" | "anyOf" => {
                let mut errors = Vec::new();
                let mut fits = 0;
                for form in rule.as_array().unwrap() {
                    let mut below = BTreeSet::new();
                    match accepts(form, value, path, &mut below) {
                        Ok(()) => {
                            fits += 1;
                            used.extend(below);
                        }
                        Err(e) => errors.push(e),
                    }
                }
                if fits == 0 || (word == "oneOf" && fits > 1) {
                    return Err(format!("{path}: {fits} forms fit: {}", errors.join(" | ")));
                }
                true
            }
            other => panic!("unknown word {other}"),
        };
        if !ok {
            return fail(format!("{word} {rule}"));
        }
    }
    Ok(())
}

/// The patterns that our schema uses, by hand.
fn matches(pattern: &str, text: &str) -> bool {
    let hex = |n: usize| text.len() == n && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match pattern {
        "\\S" => text.chars().any(|c| !c.is_whitespace()),
        "^[a-z0-9][a-z0-9-]{0,63}$" => {
            text.len() <= 64
                && !text.is_empty()
                && !text.starts_with('-')
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        }
        "^[0-9a-f]{64}$" => hex(64),
        "^[0-9a-f]{40}$" => hex(40),
        "^[0-9a-f]{7,40}$" => (7..=40).any(hex),
        other => panic!("unknown pattern {other}"),
    }
}
