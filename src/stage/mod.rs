//! Stages: do what the plan says, and leave artifacts.
//!
//! A stage works in `<folder>.partial` and renames it to `<folder>` when it is whole; a folder without that ending is therefore always a
//! finished artifact. A killed stage goes on from what its partial folder holds.

mod alone;
mod data;
mod evaluate;
pub mod feed;
mod grpo;
mod metrics;
mod policy;
mod prepare;
mod runner;
mod sft;
mod train;

pub use crate::plan::places_up_to;
pub use alone::Alone;
pub use evaluate::{Replay, replay};
pub use metrics::Step;
pub use prepare::{Prepared, prepare};
pub use runner::{Options, run};

use crate::data::{Example, avqa, mmau, mmau_parquet};
use crate::error::{Error, Result};
use crate::fetch::Fetcher;
use crate::pins::Sha256;
use crate::plan::{Data, Plan, Work};
use std::path::{Path, PathBuf};
use tch::Device;

/// What every stage needs to know.
pub(crate) struct Context<'a> {
    plan: &'a Plan,
    run: &'a Path,
    device: Device,
    /// Clips heard so far: stages of a run ask for the same ones.
    clips: feed::Clips,
}

impl Context<'_> {
    /// The finished artifact of a stage that another depends on.
    fn artifact(&self, index: usize) -> Result<PathBuf> {
        let stage = &self.plan.stages[index];
        stage.find(self.run, &self.plan.recipe).ok_or_else(|| {
            Error::inputs(format!("stage {} is not done: run it first (reproduce runs all that is needed)", stage.name))
        })
    }

    /// The questions of a data set.
    fn examples(&self, data: &Data) -> Result<Vec<Example>> {
        match data {
            Data::Stage { index, .. } => {
                let dir = self.artifact(*index)?;
                let questions = dir.join("questions.json");
                if let Work::Data(spec) = &self.plan.stages[*index].work {
                    unchanged(&questions, &spec.sha256, &dir)?;
                }
                mmau::load(&questions, &dir.join("audios"))
            }
            Data::Mmau { files, .. } => mmau::load(&files.questions()?, &files.clips()?),
            Data::MmauParquet { file, .. } => {
                let path = file.path()?;
                let clips = Fetcher::from_env()?.clips(&path)?;
                mmau_parquet::load(&path, &clips.dir)
            }
            Data::Avqa { files, .. } => avqa::load(&files.questions()?, &files.clips()?),
        }
    }
}

/// A data set that was made earlier is still the pinned one.
fn unchanged(questions: &Path, expected: &Sha256, dir: &Path) -> Result<()> {
    let found = Sha256::of_file(questions)?;
    if found == *expected {
        return Ok(());
    }
    Err(Error::inputs(format!(
        "{}: expected sha256 {expected}, found {found}: it was changed after it was made (remove {} to make it again)",
        questions.display(),
        dir.display()
    )))
}
