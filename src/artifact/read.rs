//! Reading a run folder's files back, each with a message that names the file.

use super::jsonl::{self, Lines};
use super::layout::{RunFolder, StageFolder};
use super::types::{EvalRecord, Manifest, SCHEMA, Sample};
use crate::error::{Context, Error, Result};
use crate::score::Score;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;

/// `manifest.json` of a run.
///
/// # Errors
/// Exit code 4: missing, not JSON, or written by another version.
pub fn manifest(run: &RunFolder) -> Result<Manifest> {
    let path = run.manifest();
    if !path.exists() {
        let hint = "expected the folder of a run, as `aqa-bench reproduce RECIPE` leaves it";
        return Err(Error::inputs(format!("{}: no manifest.json there ({hint})", run.root().display())));
    }
    versioned(&path)
}

/// `eval.json` of an evaluation.
///
/// # Errors
/// Exit code 4: missing, not JSON, or written by another version.
pub fn eval(stage: &StageFolder) -> Result<EvalRecord> {
    versioned(&stage.eval())
}

/// `score.json` of an evaluation.
///
/// # Errors
/// Exit code 4: missing or not a score.
pub fn score(stage: &StageFolder) -> Result<Score> {
    json(&stage.score())
}

/// `samples.jsonl` of an evaluation; a half-written last line is dropped and counted.
///
/// # Errors
/// Exit code 4: missing, or another line is bad (the message names it).
pub fn samples(stage: &StageFolder) -> Result<Lines<Sample>> {
    jsonl::read(&stage.samples())
}

/// Any JSON file.
///
/// # Errors
/// Exit code 4: missing, not JSON, or not this shape; the message names file, line and column.
pub fn json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).inputs(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).inputs(|| path.display().to_string())
}

/// A file whose `schema` must be ours: told before its shape is judged.
fn versioned<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let value: Value = json(path)?;
    match value.get("schema").and_then(Value::as_u64) {
        Some(found) if found == u64::from(SCHEMA) => {}
        Some(found) => {
            let hint = "it was written by another version of aqa-bench; use that version, or run it again";
            return Err(Error::inputs(format!("{}: expected schema {SCHEMA}, found {found} ({hint})", path.display())));
        }
        None => return Err(Error::inputs(format!("{}: no `schema`: not a file of aqa-bench", path.display()))),
    }
    serde_json::from_value(value).inputs(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_and_a_missing_manifest_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunFolder::new(dir.path());
        let error = manifest(&run).unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert!(error.to_string().contains("no manifest.json"), "{error}");
        std::fs::write(run.manifest(), "{\"schema\": 99}").unwrap();
        let error = manifest(&run).unwrap_err().to_string();
        assert!(error.contains("expected schema 1, found 99"), "{error}");
        std::fs::write(run.manifest(), "{\"schema\": 1}").unwrap();
        assert!(manifest(&run).unwrap_err().to_string().contains("missing field"), "the missing key is named");
    }
}
