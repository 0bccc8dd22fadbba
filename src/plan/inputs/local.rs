//! Inputs that lie on this machine already: looked at and hashed where they are.

use super::Input;
use crate::pins::{Pin, Sha256};
use crate::recipe::{Checkpoint, Scored};
use std::collections::BTreeMap;
use std::path::Path;

/// What is said where a file is there and is not the pinned one, and what is said more of MMAU's.
pub(super) const ANOTHER: &str = "another version of the file";
pub(super) const OF_MMAU: &str = "another version of the file: `aqa-bench identify` tells which";

/// The weights of a checkpoint folder. Here and below `elsewhere` is how to say that an input is in another place.
pub(super) fn weights(dir: &Path, checkpoint: &Checkpoint, elsewhere: &str) -> Vec<Input> {
    let pinned = checkpoint.weights.iter();
    let pinned = pinned
        .map(|(name, hash)| file("model weights", &dir.join(name), &Pin::Sha256(hash.clone()), ANOTHER, elsewhere));
    pinned.chain(unpinned(dir, &checkpoint.weights)).collect()
}

/// A file that must have a pin: questions, or questions and clips.
pub(super) fn pinned(what: &str, path: &Path, pin: Option<Pin>, another: &str, elsewhere: &str) -> Input {
    match pin {
        Some(pin) => file(what, path, &pin, another, elsewhere),
        None => {
            let problem = Some("no pin (give its sha256)".to_owned());
            Input { what: what.to_owned(), at: path.display().to_string(), problem, ..Input::default() }
        }
    }
}

/// Predictions that the user has, pinned or not.
pub(super) fn predictions(scored: &Scored, elsewhere: &str) -> Input {
    let (name, path) = (&scored.name, &scored.file);
    let what = format!("predictions of {name}");
    let input = match &scored.sha256 {
        Some(sha256) => file(&what, path, &Pin::Sha256(sha256.clone()), "another file", elsewhere),
        None => Input { what, at: path.display().to_string(), ..Input::default() },
    };
    let absent = format!(
        "no such file (put the predictions there, say where they are {elsewhere}, or leave the row out with --set scores.{name}=)"
    );
    let problem = if path.is_file() { input.problem } else { Some(absent) };
    Input { problem, ..input }
}

/// `another` is said where the file is there and is not the pinned one.
fn file(what: &str, path: &Path, pin: &Pin, another: &str, elsewhere: &str) -> Input {
    let problem = match pin.of_file(path, &mut |_| ()) {
        Ok(found) if found == *pin => None,
        Ok(found) => Some(format!("expected {pin}, found {found} ({another})")),
        Err(_) if !path.exists() => Some(format!("no such file (put it there, or say where it is {elsewhere})")),
        Err(e) => Some(e.to_string()),
    };
    Input { what: what.to_owned(), at: path.display().to_string(), pin: pin.to_string(), problem, ..Input::default() }
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
        Input { what: "model weights".to_owned(), at, problem: Some(problem), ..Input::default() }
    };
    names.iter().map(input).collect()
}

/// A folder of clips.
pub(super) fn folder(what: &str, dir: &Path, elsewhere: &str) -> Input {
    let absent = || format!("no such folder (put the clips there, or say where they are {elsewhere})");
    let problem = (!dir.is_dir()).then(absent);
    Input { what: what.to_owned(), at: dir.display().to_string(), problem, ..Input::default() }
}
