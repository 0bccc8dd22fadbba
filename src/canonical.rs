//! One spelling for every value: canonical JSON (sorted keys, no spaces) and its SHA-256, which names stages.

use crate::error::{Context, Result};
use crate::pins::Sha256;
use serde::Serialize;
use serde_json::Value;

/// Canonical JSON of a value: keys sorted, no white space, numbers as serde_json prints them.
///
/// # Errors
/// Internal, for a value that serde cannot turn into JSON. A NaN or an infinity would become null: recipes refuse both when they are read.
pub fn to_string(value: &impl Serialize) -> Result<String> {
    let value = serde_json::to_value(value).internal(|| "cannot write canonical JSON".into())?;
    let mut out = String::new();
    write(&value, &mut out);
    Ok(out)
}

/// SHA-256 of the canonical JSON.
pub fn fingerprint(value: &impl Serialize) -> Result<Sha256> {
    Ok(Sha256::of(to_string(value)?.as_bytes()))
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(&map[key], out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn key_order_does_not_change_the_fingerprint() {
        let a = json!({"b": [1, 2.5, "x\n"], "a": {"d": null, "c": true}});
        let b = json!({"a": {"c": true, "d": null}, "b": [1, 2.5, "x\n"]});
        assert_eq!(to_string(&a).unwrap(), r#"{"a":{"c":true,"d":null},"b":[1,2.5,"x\n"]}"#);
        assert_eq!(fingerprint(&a).unwrap(), fingerprint(&b).unwrap());
        assert_ne!(fingerprint(&a).unwrap(), fingerprint(&json!({"a": 1})).unwrap());
    }
}
