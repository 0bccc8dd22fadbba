//! Stages: do what the plan says, and leave artifacts.
//!
//! A stage works in `<folder>.partial` and renames it to `<folder>` when it is whole; a folder without that ending is therefore always a
//! finished artifact. A killed stage goes on from what its partial folder holds.

mod data;
mod evaluate;
mod grpo;
mod metrics;
mod policy;
mod prepare;
mod runner;
mod sft;
mod train;

pub use prepare::{Prepared, prepare};
pub use runner::{Done, Options, places_up_to, run};

use crate::data::{Example, avqa, mmau};
use crate::error::{Error, Result};
use crate::plan::{Data, Plan};
use crate::recipe::Source;
use std::path::{Path, PathBuf};
use tch::Device;

/// What every stage needs to know.
pub(crate) struct Context<'a> {
    plan: &'a Plan,
    run: &'a Path,
    device: Device,
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
        let local = |source: &Source| match source {
            Source::Path(path) => Ok(path.clone()),
            Source::Hub(at) | Source::Url(at) => Err(Error::inputs(format!("{at}: this version cannot fetch it"))),
        };
        match data {
            Data::Stage { index, .. } => {
                let dir = self.artifact(*index)?;
                mmau::load(&dir.join("questions.json"), &dir.join("audios"))
            }
            Data::Mmau { files, .. } => mmau::load(&local(&files.file)?, &local(&files.audio)?),
            Data::Avqa { files, .. } => avqa::load(&local(&files.file)?, &local(&files.audio)?),
        }
    }
}
