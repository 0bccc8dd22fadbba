//! Which pins two locks differ in.

use super::{Lock, Locked};
use crate::error::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A pin that is not the same in both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What it pins: `model revision`, `audio of data set NAME: clip.wav`.
    pub what: String,
    /// In the first lock; `None` where it has no such pin.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
}

/// Every pin that is not the same, in the order of the locks' text.
///
/// # Errors
/// Internal: a lock cannot be written as JSON.
pub fn differ(a: &Lock, b: &Lock) -> Result<Vec<Difference>> {
    let (a, b) = (pins(a)?, pins(b)?);
    let all: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let one = |what: &String| {
        let (a, b) = (a.get(what).cloned(), b.get(what).cloned());
        (a != b).then(|| Difference { what: what.clone(), a, b })
    };
    Ok(all.into_iter().filter_map(one).collect())
}

fn pins(lock: &Lock) -> Result<BTreeMap<String, String>> {
    let mut out = BTreeMap::new();
    for (what, Locked { source, revision, archive, missing, kept_ids, files }) in &lock.inputs {
        let facts = [
            ("source", (!source.is_empty()).then(|| source.clone())),
            ("revision", revision.as_ref().map(ToString::to_string)),
            ("archive", archive.as_ref().map(|hash| format!("sha256 {hash}"))),
            ("kept ids", kept_ids.as_ref().map(|hash| format!("sha256 {hash}"))),
            ("missing clips", (*missing > 0).then(|| missing.to_string())),
        ];
        for (name, value) in facts {
            out.extend(value.map(|value| (format!("{what} {name}"), value)));
        }
        out.extend(files.iter().map(|(name, pin)| (format!("{what}: {name}"), pin.0.to_string())));
    }
    out.extend(lock.prompts.iter().map(|(name, hash)| (format!("prompt {name}"), format!("sha256 {hash}"))));
    for (eval, decoding) in &lock.decoding {
        let text = |value: &Value| serde_json::to_string(value).internal(|| "cannot write a setting".to_owned());
        match decoding {
            Value::Object(settings) => {
                for (key, value) in settings {
                    out.insert(format!("decoding of {eval}: {key}"), text(value)?);
                }
            }
            other => _ = out.insert(format!("decoding of {eval}"), text(other)?),
        }
    }
    Ok(out)
}
