//! The inputs that a plan takes from outside, and whether they are what was pinned.

use super::{Data, Plan, Policy, Work};
use crate::error::{Error, Result};
use crate::pins::{Revision, Sha256};
use crate::recipe::{Files, Scored, Source};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One file from outside.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Input {
    /// What it is for: `data set clips`, `model weights`.
    pub what: String,
    /// Where it is, or where it would be fetched from.
    pub at: String,
    /// The pin: `sha256 …` or `git blob …`; empty for a folder of clips, which the questions name one by one.
    pub pin: String,
    /// `None` when it is what was pinned; otherwise what is wrong with it and the way out.
    pub problem: Option<String>,
}

/// What is said where a file is there and is not the pinned one, and what is said more of MMAU's.
const ANOTHER: &str = "another version of the file";
const OF_MMAU: &str = "another version of the file: `aqa-bench identify` tells which";

/// Every input of a plan, looked at and hashed.
pub fn inputs(plan: &Plan) -> Vec<Input> {
    let mut out: Vec<Input> = Vec::new();
    let mut add = |input: Input| {
        if !out.contains(&input) {
            out.push(input);
        }
    };
    for stage in &plan.stages {
        if let Work::Score { scored, data, .. } = &stage.work {
            // Scoring hears no clip.
            if let Data::Mmau { files, name } | Data::Avqa { files, name } = data {
                add(questions(files, name, if matches!(data, Data::Mmau { .. }) { OF_MMAU } else { ANOTHER }));
            }
            add(predictions(scored));
        }
        let (Work::Train { policy, data, .. } | Work::Evaluate { policy, data, .. }) = &stage.work else { continue };
        if let Policy::Checkpoint(c) = policy {
            match &c.source {
                Source::Path(dir) => {
                    for (name, sha256) in &c.weights {
                        add(file("model weights", &dir.join(name), Pinned::Sha256(sha256), ANOTHER));
                    }
                    unpinned(dir, &c.weights).into_iter().for_each(&mut add);
                }
                other => {
                    add(remote("model", other, c.revision.as_ref().map(|r| format!("revision {r}")), "model.source"))
                }
            }
        }
        if let Data::Mmau { files, name } | Data::Avqa { files, name } = data {
            add(questions(files, name, if matches!(data, Data::Mmau { .. }) { OF_MMAU } else { ANOTHER }));
            match &files.audio {
                Source::Path(dir) => add(folder(&format!("audio of data set {name}"), dir)),
                other => {
                    add(remote(&format!("audio of data set {name}"), other, None, &format!("data.sets.{name}.audio")))
                }
            }
        }
    }
    out
}

/// Hashes of the JSON, Jinja and text files of a checkpoint folder, by name: everything beside the weights that is read of it. Empty where the
/// folder cannot be read; [`verify`] says so before anything runs.
pub(super) fn small_files(dir: &std::path::Path) -> serde_json::Value {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let small = entries
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|x| ["json", "jinja", "txt"].iter().any(|k| x == *k)));
    let named =
        small.filter_map(|p| Some((p.file_name()?.to_str()?.to_owned(), Sha256::of_file(&p).ok()?.to_string())));
    let sorted: std::collections::BTreeMap<String, String> = named.collect();
    serde_json::json!(sorted)
}

/// Errs (exit code 4) with every input that is missing or not what was pinned.
pub fn verify(plan: &Plan) -> Result<()> {
    let problems: Vec<String> =
        inputs(plan).into_iter().filter_map(|i| i.problem.map(|p| format!("{}: {}: {p}", i.what, i.at))).collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::inputs(problems.join("\n"))) }
}

enum Pinned<'a> {
    Sha256(&'a Sha256),
    GitBlob(&'a Revision),
}

fn questions(files: &Files, name: &str, another: &str) -> Input {
    let what = format!("data set {name}");
    match (&files.file, &files.sha256, &files.git_blob) {
        (Source::Path(path), Some(sha256), _) => file(&what, path, Pinned::Sha256(sha256), another),
        (Source::Path(path), None, Some(blob)) => file(&what, path, Pinned::GitBlob(blob), another),
        (source, sha256, blob) => {
            let pin = sha256.as_ref().map(|h| format!("sha256 {h}"));
            remote(
                &what,
                source,
                pin.or(blob.as_ref().map(|b| format!("git blob {b}"))),
                &format!("data.sets.{name}.file"),
            )
        }
    }
}

/// Predictions that the user has, pinned or not.
fn predictions(scored: &Scored) -> Input {
    let (name, path) = (&scored.name, &scored.file);
    let what = format!("predictions of {name}");
    let input = match &scored.sha256 {
        Some(sha256) => file(&what, path, Pinned::Sha256(sha256), "another file"),
        None => Input { what, at: path.display().to_string(), pin: String::new(), problem: None },
    };
    let absent = format!(
        "no such file (put the predictions there, say where they are with --set scores.{name}.file=FILE, or leave the row out with --set scores.{name}=)"
    );
    let problem = if path.is_file() { input.problem } else { Some(absent) };
    Input { problem, ..input }
}

/// `another` is said where the file is there and is not the pinned one.
fn file(what: &str, path: &Path, pinned: Pinned<'_>, another: &str) -> Input {
    let absent = || "no such file (put it there, or say where it is with --set)".to_owned();
    let (pin, problem) = match pinned {
        Pinned::Sha256(want) => {
            let problem = match Sha256::of_file(path) {
                Ok(found) if found == *want => None,
                Ok(found) => Some(format!("expected sha256 {want}, found {found} ({another})")),
                Err(_) if !path.exists() => Some(absent()),
                Err(e) => Some(e.to_string()),
            };
            (format!("sha256 {want}"), problem)
        }
        Pinned::GitBlob(want) => {
            let problem = match std::fs::read(path) {
                Ok(bytes) => {
                    let found = Revision::of_blob(&bytes);
                    (found != *want).then(|| format!("expected git blob {want}, found {found} ({another})"))
                }
                Err(_) if !path.exists() => Some(absent()),
                Err(e) => Some(format!("cannot read it: {e}")),
            };
            (format!("git blob {want}"), problem)
        }
    };
    Input { what: what.to_owned(), at: path.display().to_string(), pin, problem }
}

/// Weight files of a folder that the recipe does not pin: they would be loaded with the others.
fn unpinned(dir: &Path, weights: &BTreeMap<String, Sha256>) -> Vec<Input> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".safetensors") && !weights.contains_key(name));
    names.sort();
    let input = |name: &String| {
        let found =
            Sha256::of_file(&dir.join(name)).map_or_else(|e| e.to_string(), |sha256| format!("sha256 {sha256}"));
        let problem = format!(
            "expected a pin for every weight file, found none for this one ({found}: add it to model.weights, or move the file away)"
        );
        let at = dir.join(name).display().to_string();
        Input { what: "model weights".to_owned(), at, pin: String::new(), problem: Some(problem) }
    };
    names.iter().map(input).collect()
}

fn folder(what: &str, dir: &Path) -> Input {
    let problem =
        (!dir.is_dir()).then(|| "no such folder (put the clips there, or say where they are with --set)".to_owned());
    Input { what: what.to_owned(), at: dir.display().to_string(), pin: String::new(), problem }
}

fn remote(what: &str, source: &Source, pin: Option<String>, key: &str) -> Input {
    let at = match source {
        Source::Path(path) => PathBuf::from(path).display().to_string(),
        Source::Hub(text) | Source::Url(text) => text.clone(),
    };
    let also = if key == "model.source" {
        " --set model.revision= --set 'model.weights[\"FILE\"]=SHA256' for each weight file"
    } else {
        ""
    };
    let problem =
        format!("this version cannot fetch it: download it yourself and say where it is: --set {key}=PATH{also}");
    Input { what: what.to_owned(), at, pin: pin.unwrap_or_default(), problem: Some(problem) }
}
