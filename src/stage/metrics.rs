//! One line of `metrics.jsonl` a step.

use crate::artifact::jsonl::{self, Appender};
use crate::artifact::write;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What is logged of one optimizer step. Fields that a method does not have are absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Optimizer steps done, this one included.
    pub step: u64,
    /// The loss that was minimised, mean over the step.
    pub loss: f64,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Mean entropy (nats) of the policy where it chose a completion token.
    pub entropy: f64,
    /// Prompt tokens of the questions, audio included, each question once.
    pub prompt_tokens: u64,
    /// Tokens trained on.
    pub completion_tokens: u64,
    /// Clips of this step that were cropped to 30 s.
    pub cropped: u64,
    /// Clips of this step that were damaged though they could be read.
    pub damaged: u64,
    /// Wall-clock time of the step.
    pub seconds: f64,
    /// GRPO: mean sum of the rewards. The fields from here to `rollout_seconds` are absent in SFT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reward: Option<f64>,
    /// Mean accuracy reward; absent, as each of the rewards, when the recipe does not use it.
    #[serde(rename = "reward/accuracy", skip_serializing_if = "Option::is_none")]
    pub reward_accuracy: Option<f64>,
    /// Mean accuracy reward by string comparison alone.
    #[serde(rename = "reward/accuracy-string", skip_serializing_if = "Option::is_none")]
    pub reward_accuracy_string: Option<f64>,
    /// Mean format reward.
    #[serde(rename = "reward/format", skip_serializing_if = "Option::is_none")]
    pub reward_format: Option<f64>,
    /// Mean format reward of the think mode.
    #[serde(rename = "reward/format-think", skip_serializing_if = "Option::is_none")]
    pub reward_format_think: Option<f64>,
    /// Completions whose accuracy reward is that of the string comparison, since math-verify's verdict on them is not known; absent
    /// without that reward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<u64>,
    /// Mean over groups of the unbiased deviation of the reward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reward_std: Option<f64>,
    /// Fraction of groups whose rewards are all equal: they teach nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frac_reward_zero_std: Option<f64>,
    /// Mean KL to the reference, the k3 estimator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
    /// Mean length of the completions in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_length: Option<f64>,
    /// Shortest completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_length_min: Option<u64>,
    /// Longest completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_length_max: Option<u64>,
    /// Completions that no end token ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<u64>,
    /// Part of the step spent drawing completions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout_seconds: Option<f64>,
}

/// The metrics file of a stage, cut to the steps before `done` (a resume repeats the others).
pub(super) fn open(path: &Path, done: u64) -> Result<Appender> {
    if path.exists() {
        let mut kept = Vec::new();
        for step in jsonl::read::<Step>(path)?.rows.into_iter().filter(|s| s.step <= done) {
            serde_json::to_writer(&mut kept, &step).map_err(|e| write::failed("write", path, &e.into()))?;
            kept.push(b'\n');
        }
        write::replace(path, &kept)?;
    }
    Appender::open(path)
}
