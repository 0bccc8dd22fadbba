//! One line of `metrics.jsonl` a step, and the same for TensorBoard.

use crate::artifact::events::Events;
use crate::artifact::jsonl::{self, Appender};
use crate::artifact::layout::StageFolder;
use crate::artifact::write;
use crate::error::{Context, Result};
use serde::{Deserialize, Serialize};

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

/// What a stage logs: `metrics.jsonl`, and beside it the same numbers for TensorBoard.
pub(super) struct Log {
    lines: Appender,
    events: Events,
}

impl Log {
    /// The log of a stage, cut to the steps before `done` (a resume repeats the others). TensorBoard's file is written anew from what stays; when those
    /// steps were done is told by their seconds, counted back from now.
    pub(super) fn open(folder: &StageFolder, done: u64) -> Result<Self> {
        let path = folder.metrics();
        let mut kept: Vec<Step> = Vec::new();
        if path.exists() {
            kept = jsonl::read::<Step>(&path)?.rows.into_iter().filter(|s| s.step <= done).collect();
            let mut text = Vec::new();
            for step in &kept {
                serde_json::to_writer(&mut text, step).map_err(|e| write::failed("write", &path, &e.into()))?;
                text.push(b'\n');
            }
            write::replace(&path, &text)?;
        }
        let lines = Appender::open(&path)?;
        let mut time = now() - kept.iter().map(|s| s.seconds).sum::<f64>();
        let mut log = Self { lines, events: Events::create(&folder.events(), time)? };
        for step in &kept {
            time += step.seconds;
            log.event(time, step)?;
        }
        Ok(log)
    }

    /// Logs a step.
    pub(super) fn append(&mut self, step: &Step) -> Result<()> {
        self.lines.append(step)?;
        self.event(now(), step)
    }

    /// Ends the log.
    pub(super) fn finish(self) -> Result<()> {
        self.lines.finish()
    }

    fn event(&mut self, time: f64, step: &Step) -> Result<()> {
        let value = serde_json::to_value(step).internal(|| "cannot log a step".into())?;
        // JSON has no NaN: it is null there.
        let number = |v: &serde_json::Value| v.as_f64().or(v.is_null().then_some(f64::NAN));
        let fields = value.as_object().into_iter().flatten().filter(|(key, _)| *key != "step");
        let values: Vec<(&str, f64)> = fields.filter_map(|(key, v)| Some((key.as_str(), number(v)?))).collect();
        self.events.append(time, step.step, &values)
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}
