//! The plan: the ordered stages that a recipe needs, each named by the hash of its inputs. Pure, printable, runs nothing.

mod build;
mod disk;
mod inputs;
mod keep;
mod known;
mod manifest;
pub mod memory;
mod pace;
mod show;
mod walk;

pub use build::build;
pub use disk::Disk;
pub(crate) use inputs::{ClipsTaken, Content, Remote, Wanted, taken};
pub use inputs::{Input, Look, ToFetch, fetch, inputs, verify};
pub use manifest::manifest;
pub use pace::{Estimate, Pace, note};
pub use walk::{Done, walk};

use crate::error::{Error, Result};
use crate::fetch::Fetcher;
use crate::pins::Sha256;
use crate::recipe::{Checkpoint, Eval, Files, Init, Parquet, Scored, Synthetic, Train};
use std::path::{Path, PathBuf};

/// The stages of a recipe, in an order in which they can run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the recipe.
    pub recipe: String,
    /// Stages; each depends on earlier ones only. Those of other recipes that this one starts from come first.
    pub stages: Vec<Stage>,
}

/// One stage.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Name, unique in the plan: the recipe's own, or `RECIPE/STAGE` for a stage of another recipe.
    pub name: String,
    /// The recipe that it belongs to.
    pub recipe: String,
    /// Hash of everything that decides its result.
    pub fingerprint: Sha256,
    /// Its folder below the run folder.
    pub folder: String,
    /// What is to be done.
    pub work: Work,
}

/// What a stage does.
#[derive(Debug, Clone)]
pub enum Work {
    /// Makes a synthetic data set.
    Data(Synthetic),
    /// Makes a policy from a seed.
    Init {
        /// Its shape.
        init: Init,
        /// The recipe's seed.
        seed: u64,
    },
    /// Trains.
    Train {
        /// The recipe's settings.
        train: Box<Train>,
        /// The recipe's seed.
        seed: u64,
        /// Where training starts.
        policy: Policy,
        /// Questions.
        data: Data,
    },
    /// Evaluates and scores.
    Evaluate {
        /// The recipe's settings.
        eval: Box<Eval>,
        /// The recipe's seed.
        seed: u64,
        /// What is evaluated.
        policy: Policy,
        /// Questions.
        data: Data,
        /// Only the first so many questions.
        limit: Option<usize>,
    },
    /// Scores predictions that are there already; runs no model.
    Score {
        /// The recipe's settings.
        scored: Box<Scored>,
        /// Questions.
        data: Data,
        /// Only the first so many questions.
        limit: Option<usize>,
    },
}

/// A policy that a stage starts from.
#[derive(Debug, Clone)]
pub enum Policy {
    /// What an earlier stage leaves.
    Stage {
        /// Its place in the plan.
        index: usize,
        /// The optimizer step whose checkpoint is meant; `None` is the last (or the only one).
        step: Option<u64>,
    },
    /// A checkpoint that is not made here.
    Checkpoint(Checkpoint),
}

/// Questions that a stage needs.
#[derive(Debug, Clone)]
pub enum Data {
    /// What an earlier stage makes.
    Stage {
        /// Its place in the plan.
        index: usize,
        /// Name of the data set in the recipe.
        name: String,
    },
    /// An MMAU file.
    Mmau {
        /// Where, with its pin.
        files: Files,
        /// Name of the data set in the recipe.
        name: String,
    },
    /// MMAU as one Parquet file with the clips in it.
    MmauParquet {
        /// Where, with its pin.
        file: Parquet,
        /// Name of the data set in the recipe.
        name: String,
    },
    /// An AVQA file.
    Avqa {
        /// Where, with its pin.
        files: Files,
        /// Name of the data set in the recipe.
        name: String,
    },
}

impl Work {
    /// `data`, `init`, `sft`, `grpo`, `evaluate`, `score`.
    pub fn kind(&self) -> &'static str {
        match self {
            Work::Data(_) => "data",
            Work::Init { .. } => "init",
            Work::Train { train, .. } => match train.method {
                crate::recipe::Method::Sft => "sft",
                crate::recipe::Method::Grpo(_) => "grpo",
            },
            Work::Evaluate { .. } => "evaluate",
            Work::Score { .. } => "score",
        }
    }

    /// Questions that it goes through, and optimizer steps.
    pub fn amount(&self) -> (Option<u64>, u64) {
        match self {
            Work::Data(spec) => (Some(spec.count as u64), 0),
            Work::Init { .. } => (Some(0), 0),
            Work::Train { train, .. } => {
                (Some(train.steps.saturating_mul(train.questions_per_step as u64)), train.steps)
            }
            Work::Evaluate { limit, .. } | Work::Score { limit, .. } => (limit.map(|n| n as u64), 0),
        }
    }
}

impl Stage {
    /// The finished artifact, in the run folder or, for a stage of another recipe, in that recipe's run folder beside it.
    pub fn find(&self, run: &Path, own: &str) -> Option<PathBuf> {
        let here = run.join(&self.folder);
        let beside = run.parent().map(|p| p.join(&self.recipe).join(&self.folder));
        let candidates = [Some(here), beside.filter(|_| self.recipe != own)];
        candidates.into_iter().flatten().find(|p| p.is_dir())
    }
}

impl Plan {
    /// The folders of clips that its evaluations are about and no stage makes, as far as they are on this machine.
    pub fn clip_folders(&self) -> Vec<PathBuf> {
        let folder = |stage: &Stage| match &stage.work {
            Work::Evaluate { data, .. } | Work::Score { data, .. } => match data {
                Data::Mmau { files, .. } | Data::Avqa { files, .. } => files.clips().ok(),
                Data::MmauParquet { file, .. } => {
                    Some(Fetcher::from_env().ok()?.clips_folder(file.sha256.as_ref()?).join("files"))
                }
                Data::Stage { .. } => None,
            },
            Work::Data(_) | Work::Init { .. } | Work::Train { .. } => None,
        };
        let mut folders: Vec<PathBuf> = self.stages.iter().filter_map(folder).filter(|path| path.is_dir()).collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// The stage of that name.
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|s| s.name == name)
    }

    /// The stages that must run for `name` to be done: itself and everything before it that it depends on.
    pub fn up_to(&self, name: &str) -> Option<Vec<usize>> {
        let last = self.stages.iter().position(|s| s.name == name)?;
        let mut wanted = vec![last];
        let mut at = 0;
        while at < wanted.len() {
            let needs = self.stages[wanted[at]].work.needs();
            for index in needs {
                if !wanted.contains(&index) {
                    wanted.push(index);
                }
            }
            at += 1;
        }
        wanted.sort_unstable();
        Some(wanted)
    }
}

impl Work {
    /// Places in the plan of the stages that this one reads.
    pub fn needs(&self) -> Vec<usize> {
        let (policy, data) = match self {
            Work::Data(_) | Work::Init { .. } => return Vec::new(),
            Work::Train { policy, data, .. } | Work::Evaluate { policy, data, .. } => (Some(policy), data),
            Work::Score { data, .. } => (None, data),
        };
        let mut out = Vec::new();
        if let Some(Policy::Stage { index, .. }) = policy {
            out.push(*index);
        }
        if let Data::Stage { index, .. } = data {
            out.push(*index);
        }
        out
    }
}

/// Places in the plan of a stage and of what it needs.
///
/// # Errors
/// Exit code 2: the plan has no stage of that name.
pub fn places_up_to(plan: &Plan, name: &str) -> Result<Vec<usize>> {
    let names = || plan.stages.iter().map(|s| s.name.as_str());
    plan.up_to(name).ok_or_else(|| {
        let hint = crate::text::nearest(name, names()).map_or(String::new(), |n| format!(", did you mean {n:?}?"));
        Error::request(format!("no stage {name:?}: expected one of {}{hint}", names().collect::<Vec<_>>().join(", ")))
    })
}
