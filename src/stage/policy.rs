//! The policy that a stage starts from, and the checkpoints that it leaves.

use super::Context;
use crate::architecture::Config;
use crate::artifact::TrainedBy;
use crate::artifact::layout::StageFolder;
use crate::artifact::write::failed;
use crate::error::{Error, Result};
use crate::model::checkpoint::{ADAPTER, Checkpoint};
use crate::model::lora::Adapters;
use crate::model::weights::{load_tensors, save_tensors};
use crate::plan::{Policy, Work};
use crate::recipe::{Dtype, Train};
use crate::train::optimizer::AdamW;
use std::path::{Path, PathBuf};
use tch::Device;

/// What a resume needs beside the weights, in a checkpoint's `trainer/`.
const OPTIMIZER: &str = "optimizer.safetensors";

impl Context<'_> {
    /// The folder of a policy, and the number type to load it as.
    pub(super) fn policy_dir(&self, policy: &Policy) -> Result<(PathBuf, Dtype)> {
        let dir = match policy {
            Policy::Checkpoint(c) => return Ok((c.folder()?, c.dtype)),
            Policy::Stage { index, step } => {
                let artifact = self.artifact(*index)?;
                match &self.plan.stages[*index].work {
                    Work::Train { train, .. } => StageFolder::new(artifact).checkpoint(step.unwrap_or(train.steps)),
                    _ => artifact,
                }
            }
        };
        let dtype = Config::load(&dir)?.dtype;
        Ok((dir, dtype))
    }

    /// The configuration that a policy has or, where its stage is still to come, will have: training changes none.
    pub(super) fn config(&self, policy: &Policy) -> Result<Config> {
        let Policy::Stage { index, .. } = policy else {
            let (dir, dtype) = self.policy_dir(policy)?;
            return Ok(Config { dtype, ..Config::load(&dir)? });
        };
        match &self.plan.stages[*index].work {
            Work::Init { init, .. } => {
                // The id of the placeholder decides nothing that is asked of a configuration here.
                Ok(Config::from_init(init, init.vocab_size as i64, 0))
            }
            Work::Train { policy, .. } => self.config(policy),
            _ => Err(Error::internal("a policy comes from a stage that leaves weights")),
        }
    }

    /// Where a policy stands in its training, when a stage of the plan trained it.
    pub(super) fn trained_by(&self, policy: &Policy) -> Option<TrainedBy> {
        let Policy::Stage { index, step } = policy else { return None };
        match &self.plan.stages[*index].work {
            Work::Train { train, .. } => {
                Some(TrainedBy { stage: train.name.clone(), step: step.unwrap_or(train.steps) })
            }
            _ => None,
        }
    }

    /// Loads a policy onto a device.
    pub(super) fn load_policy(&self, policy: &Policy, device: Device) -> Result<Checkpoint> {
        let (dir, dtype) = self.policy_dir(policy)?;
        Checkpoint::load(&dir, dtype, device)
    }
}

/// The policy as it was after `done` steps of a training stage. With adapters it is the weights that the stage started from and the checkpoint's
/// adapters: its own weights have them merged in.
pub(super) fn start(
    ctx: &Context<'_>,
    train: &Train,
    seed: u64,
    start: &Policy,
    partial: &Path,
    done: u64,
) -> Result<Checkpoint> {
    let dir = StageFolder::new(partial).checkpoint(done);
    let Some(lora) = &train.lora else {
        return if done == 0 {
            ctx.load_policy(start, ctx.device)
        } else {
            Checkpoint::load(&dir, Config::load(&dir)?.dtype, ctx.device)
        };
    };
    let mut policy = ctx.load_policy(start, ctx.device)?;
    let config = policy.model.config();
    let adapters = if done == 0 {
        Adapters::new(config, lora, seed, &train.name, ctx.device).map_err(|e| e.within(train.name.clone()))?
    } else {
        Adapters::load(&dir.join(ADAPTER), config, lora, ctx.device)?
    };
    policy.model = policy.model.with_adapters(adapters)?;
    Ok(policy)
}

/// Leaves `checkpoint-STEP` in Hugging Face layout, with what a resume needs in its `trainer/`. The folder appears whole or not at all.
pub(super) fn save(partial: &Path, step: u64, policy: &Checkpoint, optimizer: &AdamW) -> Result<()> {
    let dir = StageFolder::new(partial).checkpoint(step);
    if dir.is_dir() {
        return Ok(());
    }
    let staging = dir.with_extension("partial");
    let _ = std::fs::remove_dir_all(&staging);
    let trainer = staging.join("trainer");
    std::fs::create_dir_all(&trainer).map_err(|e| failed("make the folder", &trainer, &e))?;
    policy.save(&staging)?;
    save_tensors(optimizer.state().into_iter(), &trainer.join(OPTIMIZER))?;
    std::fs::rename(&staging, &dir).map_err(|e| failed("rename", &staging, &e))
}

/// The checkpoints in a partial folder, by step.
pub(super) fn saved(partial: &Path) -> Result<Vec<u64>> {
    let entries = std::fs::read_dir(partial).map_err(|e| failed("list", partial, &e))?;
    let step = |name: &str| name.strip_prefix("checkpoint-")?.parse().ok();
    let mut steps: Vec<u64> = entries.flatten().filter_map(|e| step(e.file_name().to_str()?)).collect();
    steps.sort_unstable();
    Ok(steps)
}

/// Drops what older checkpoints hold only for a resume: all of one that the recipe does not keep, `trainer/` of the others.
pub(super) fn prune(partial: &Path, newest: u64, keep: impl Fn(u64) -> bool) -> Result<()> {
    for step in saved(partial)?.into_iter().filter(|&s| s < newest) {
        let dir = StageFolder::new(partial).checkpoint(step);
        let gone = if keep(step) { StageFolder::new(partial).trainer(step) } else { dir };
        if gone.is_dir() {
            std::fs::remove_dir_all(&gone).map_err(|e| failed("remove", &gone, &e))?;
        }
    }
    Ok(())
}

/// Takes up the optimizer's state of a checkpoint.
pub(super) fn restore(partial: &Path, step: u64, optimizer: &mut AdamW) -> Result<()> {
    let path = StageFolder::new(partial).trainer(step).join(OPTIMIZER);
    // From the host, tensor by tensor into what is there: the device never holds two states.
    optimizer.restore(&load_tensors(&path, Device::Cpu)?)
}

/// How a recipe spells an enum's value.
pub(super) fn spelling(value: &impl serde::Serialize) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => Ok(text),
        other => Err(Error::internal(format!("expected a word, found {other:?}"))),
    }
}
