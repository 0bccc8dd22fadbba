//! Every path of a run folder, in one place.

use crate::pins::Sha256;
use std::path::{Path, PathBuf};

/// A run folder: `runs/<recipe name>/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The run folder at a path; nothing is touched.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// `manifest.json`.
    pub fn manifest(&self) -> PathBuf {
        self.0.join("manifest.json")
    }

    /// The folder that the manifest names for a stage.
    pub fn folder(&self, folder: &str) -> StageFolder {
        StageFolder(self.0.join(folder))
    }

    /// The folder that the manifest names for a stage, here or, for a stage that another recipe's run left, in a run folder beside this one:
    /// its name holds its fingerprint. `None` where it is in neither.
    pub fn find(&self, folder: &str) -> Option<StageFolder> {
        let here = self.folder(folder);
        if here.root().is_dir() {
            return Some(here);
        }
        let root = self.0.canonicalize().ok()?;
        let mut beside: Vec<PathBuf> = std::fs::read_dir(root.parent()?).ok()?.flatten().map(|e| e.path()).collect();
        beside.sort();
        beside.into_iter().map(|run| run.join(folder)).find(|path| path.is_dir()).map(StageFolder)
    }

    /// The folder of a stage, named by its fingerprint.
    pub fn stage(&self, name: &str, fingerprint: &Sha256) -> StageFolder {
        self.folder(&Self::stage_name(name, fingerprint))
    }

    /// `<stage>-<first 12 digits of the fingerprint>`: what [`crate::artifact::StageState::folder`] says.
    pub fn stage_name(name: &str, fingerprint: &Sha256) -> String {
        format!("{name}-{}", fingerprint.short())
    }

    /// `claims/NAME`: a claim file of the user's own, kept with the run.
    pub fn claims(&self, name: &str) -> PathBuf {
        self.0.join("claims").join(name)
    }

    /// `recipe/`: the recipe as it was, with those that it builds on and their locks.
    pub fn recipe(&self) -> PathBuf {
        self.0.join("recipe")
    }

    /// A file that says that [`Self::recipe`] was made by a run, so that a run may change it.
    pub fn recipe_mark(&self) -> PathBuf {
        self.0.join(".recipe")
    }

    /// `report/`.
    pub fn report(&self) -> PathBuf {
        self.0.join("report")
    }

    /// `report/page/`: the report as a page, with its pictures.
    pub fn page(&self) -> PathBuf {
        self.report().join("page")
    }

    /// `report/leaderboard.EXTENSION`.
    pub fn leaderboard(&self, extension: &str) -> PathBuf {
        self.report().join(format!("leaderboard.{extension}"))
    }

    /// `report/breakdowns.EXTENSION`.
    pub fn breakdowns(&self, extension: &str) -> PathBuf {
        self.report().join(format!("breakdowns.{extension}"))
    }
}

/// The folder of one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageFolder(PathBuf);

impl StageFolder {
    /// The stage folder at a path; nothing is touched.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Training: one line a step.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// Training: the same for TensorBoard.
    pub fn events(&self) -> PathBuf {
        self.0.join("events.out.tfevents.aqa-bench")
    }

    /// Training: the checkpoint after an optimizer step, in Hugging Face layout.
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.0.join(format!("checkpoint-{step}"))
    }

    /// Training: what a resume at that step needs beside the weights.
    pub fn trainer(&self, step: u64) -> PathBuf {
        self.checkpoint(step).join("trainer")
    }

    /// Evaluation: what the row is.
    pub fn eval(&self) -> PathBuf {
        self.0.join("eval.json")
    }

    /// Evaluation: one line a sample, appended as it is done.
    pub fn samples(&self) -> PathBuf {
        self.0.join("samples.jsonl")
    }

    /// Evaluation: MMAU's rows with `model_prediction`.
    pub fn predictions(&self) -> PathBuf {
        self.0.join("predictions.json")
    }

    /// Evaluation: the score.
    pub fn score(&self) -> PathBuf {
        self.0.join("score.json")
    }
}
