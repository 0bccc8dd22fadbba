//! What a run leaves on the disk, and what it needs while it trains.

use super::memory::{Part, counts, training};
use super::{Plan, Work};
use crate::architecture::Config;
use crate::recipe::{Dtype, Train};
use serde::Serialize;

/// Bytes that a training stage writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// The stage.
    pub stage: String,
    /// Checkpoints that stay.
    pub checkpoints: u64,
    /// Bytes of each.
    pub each: u64,
    /// What a resume needs, while the stage trains: a checkpoint that may not stay, master weights and moments.
    pub resume: u64,
}

impl Disk {
    /// The most that is there at once.
    pub fn most(&self) -> u64 {
        self.checkpoints * self.each + self.resume
    }
}

impl Plan {
    /// What each training stage writes, where the model's shape is known.
    pub fn disk(&self) -> Vec<Disk> {
        let one = |stage: &super::Stage| match &stage.work {
            Work::Train { train, policy, .. } => {
                self.config(policy).ok().and_then(|config| of(&stage.name, &config, train))
            }
            _ => None,
        };
        self.stages.iter().filter_map(one).collect()
    }
}

fn of(stage: &str, config: &Config, train: &Train) -> Option<Disk> {
    let width = if config.dtype == Dtype::Float32 { 4 } else { 2 };
    let each = counts(config).all * width;
    let whole = train.steps / train.checkpoint_every;
    let checkpoints = whole + u64::from(!train.steps.is_multiple_of(train.checkpoint_every));
    let forecast = training(config, train, 0).ok()?;
    let loading = forecast.phases.first()?;
    let state =
        loading.device.iter().chain(&loading.host).filter(|(part, _)| matches!(part, Part::Master | Part::Moments));
    Some(Disk { stage: stage.to_owned(), checkpoints, each, resume: each + state.map(|(_, bytes)| bytes).sum::<u64>() })
}
