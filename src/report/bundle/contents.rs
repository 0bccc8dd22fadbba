//! What of a run goes into its bundle, by name: listed, so that weights and clips cannot slip in.

use crate::artifact::{Manifest, RunFolder, Sample, StageState, read};
use crate::error::{Context, Error, Result};
use crate::pins::Sha256;
use crate::report::recorded::samples;
use crate::report::{load, portable};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes by name, `/` between folders, in the order of the archive.
pub(super) type Contents = BTreeMap<String, Vec<u8>>;

/// The files of `run/` and `plots/`, and what their maker should know.
pub(super) fn gather(path: &Path, recipe: Option<&Path>) -> Result<(Contents, Vec<String>)> {
    let run = load::run(path)?;
    let folder = RunFolder::new(path);
    let manifest = read::manifest(&folder)?;
    let mut gathered = Gathered::default();
    gathered.recipe(&folder, &manifest, recipe)?;
    for (name, claims) in &run.claims {
        match std::fs::read(folder.claims(name)) {
            Ok(bytes) => gathered.add(format!("run/claims/{name}"), bytes),
            // A shipped one: with the bundle it stays what it was.
            Err(_) => gathered.json(format!("run/claims/{name}"), claims)?,
        }
    }
    for eval in &run.evals {
        gathered.evaluation(&folder, eval)?;
    }
    for stage in manifest.stages.iter().filter(|s| matches!(s.kind.as_str(), "sft" | "grpo")) {
        gathered.training(&folder, stage)?;
    }
    gathered.plots(&folder)?;
    let provenance = portable::provenance(manifest.provenance.clone());
    let overrides = portable::overrides(&manifest.overrides);
    let recipe_file = portable::file_name(&manifest.recipe_file);
    gathered.json("run/manifest.json".into(), &Manifest { provenance, overrides, recipe_file, ..manifest })?;
    Ok((gathered.contents, gathered.notes))
}

#[derive(Default)]
struct Gathered {
    contents: Contents,
    notes: Vec<String>,
}

impl Gathered {
    fn add(&mut self, name: String, bytes: Vec<u8>) {
        self.contents.insert(name, bytes);
    }

    fn copy(&mut self, name: String, from: &Path) -> Result<()> {
        let bytes = std::fs::read(from).inputs(|| format!("cannot read {}", from.display()))?;
        self.add(name, bytes);
        Ok(())
    }

    fn json(&mut self, name: String, value: &impl Serialize) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(value).internal(|| format!("cannot write {name}"))?;
        bytes.push(b'\n');
        self.add(name, bytes);
        Ok(())
    }

    /// The recipe that the manifest has the hash of, with what lies beside it in the run's `recipe/`.
    fn recipe(&mut self, folder: &RunFolder, manifest: &Manifest, given: Option<&Path>) -> Result<()> {
        let kept = folder.recipe();
        let mut files: Vec<PathBuf> = match given {
            Some(path) => vec![path.to_owned(), path.with_extension("lock")],
            None => std::fs::read_dir(&kept).into_iter().flatten().flatten().map(|e| e.path()).collect(),
        };
        files.retain(|path| path.is_file() || Some(path.as_path()) == given);
        files.sort();
        let mut found = false;
        for path in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = std::fs::read(&path).inputs(|| format!("cannot read {}", path.display()))?;
            found |= Sha256::of(&bytes) == manifest.recipe_sha256;
            self.notes.extend(folders_of_this_machine(&name, &String::from_utf8_lossy(&bytes)));
            self.add(format!("run/recipe/{name}"), bytes);
        }
        if found {
            return Ok(());
        }
        let expected = format!("expected the recipe {} (sha256 {})", manifest.recipe, manifest.recipe_sha256);
        Err(Error::inputs(match given {
            Some(path) => format!("{}: {expected}, found another file", path.display()),
            None => format!(
                "{}: {expected}, found none (run `aqa-bench reproduce` with it again, which keeps it and computes \
                 nothing that is there; or name it with --recipe FILE)",
                kept.display()
            ),
        }))
    }

    fn evaluation(&mut self, folder: &RunFolder, eval: &load::Evaluation) -> Result<()> {
        let at = folder.folder(&eval.folder);
        let name = |file: &str| format!("run/{}/{file}", eval.folder);
        self.copy(name("eval.json"), &at.eval())?;
        self.copy(name("predictions.json"), &at.predictions())?;
        if eval.score.is_some() {
            self.copy(name("score.json"), &at.score())?;
        }
        if eval.record.file.is_none() {
            let mut text = Vec::new();
            for sample in samples(folder.root(), eval)?.into_values() {
                let sample = Sample { error: sample.error.as_deref().map(portable::without_paths), ..sample };
                serde_json::to_writer(&mut text, &sample).internal(|| "cannot write a sample".into())?;
                text.push(b'\n');
            }
            self.add(name("samples.jsonl"), text);
        }
        Ok(())
    }

    /// The steps of a training stage, which may lie in a run folder beside this one: where page and plots find them.
    fn training(&mut self, folder: &RunFolder, stage: &StageState) -> Result<()> {
        match folder.find(&stage.folder).map(|at| at.metrics()).filter(|path| path.is_file()) {
            Some(path) => self.copy(format!("run/{}/metrics.jsonl", stage.folder), &path),
            None => {
                let why =
                    "no metrics.jsonl of it in the run folder or in one beside it, so the bundle has no curves of it";
                self.notes.push(format!("stage {}: {why}", stage.name));
                Ok(())
            }
        }
    }

    /// Pictures of the report, in its folder or in `plots` there.
    fn plots(&mut self, folder: &RunFolder) -> Result<()> {
        for at in [folder.report(), folder.report().join("plots")] {
            let mut found: Vec<PathBuf> =
                std::fs::read_dir(at).into_iter().flatten().flatten().map(|e| e.path()).collect();
            found.retain(|path| path.extension().is_some_and(|e| e == "svg") && path.is_file());
            found.sort();
            for path in found {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                self.copy(format!("plots/{name}"), &path)?;
            }
        }
        Ok(())
    }
}

/// A recipe is bundled byte for byte, or it would not be the one of the manifest: folders that it names are told.
fn folders_of_this_machine(name: &str, text: &str) -> Vec<String> {
    let is_folder = |word: &&str| word.starts_with('/') && word[1..].contains('/');
    let told = |(line, text): (usize, &str)| {
        let text = text.split(" #").next().unwrap_or_default();
        let folder = text.split([' ', '"', '\'', '=', ',', '{', '}']).find(is_folder)?;
        Some(format!("{name}:{}: the bundle's copy of it names a folder of this machine: {folder}", line + 1))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#')).filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_machine_are_told_and_addresses_are_none() {
        let text = "# /home/me/x\nname: a\nfile: https://a.org/b/c.json\ndir: \"/home/me/mmau\"\naudio: a/b # /x/y\nm: hf://models/a/b\n";
        let told = folders_of_this_machine("r.yaml", text);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("r.yaml:4:") && told[0].ends_with("/home/me/mmau"), "{told:?}");
    }
}
