//! One line of `metrics.jsonl` a step.

use serde::{Deserialize, Deserializer, Serialize};

/// What is logged of one optimizer step. Fields that a method does not have are absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Optimizer steps done, this one included.
    pub step: u64,
    /// The loss that was minimised, mean over the step.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// Global norm of the gradient before clipping.
    #[serde(deserialize_with = "number")]
    pub grad_norm: f64,
    /// Learning rate of this step.
    #[serde(deserialize_with = "number")]
    pub learning_rate: f64,
    /// Mean entropy (nats) of the policy where it chose a completion token.
    #[serde(deserialize_with = "number")]
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
    #[serde(deserialize_with = "number")]
    pub seconds: f64,
    /// GRPO: mean sum of the rewards. The fields from here to `rollout_seconds` are absent in SFT.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_number")]
    pub reward: Option<f64>,
    /// Mean accuracy reward; absent, as each of the rewards, when the recipe does not use it.
    #[serde(
        rename = "reward/accuracy",
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "some_number"
    )]
    pub reward_accuracy: Option<f64>,
    /// Mean accuracy reward by string comparison alone.
    #[serde(
        rename = "reward/accuracy-string",
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "some_number"
    )]
    pub reward_accuracy_string: Option<f64>,
    /// Mean format reward.
    #[serde(
        rename = "reward/format",
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "some_number"
    )]
    pub reward_format: Option<f64>,
    /// Mean format reward of the think mode.
    #[serde(
        rename = "reward/format-think",
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "some_number"
    )]
    pub reward_format_think: Option<f64>,
    /// Completions whose accuracy reward is that of the string comparison, since math-verify's verdict on them is not known; absent
    /// without that reward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<u64>,
    /// Mean over groups of the unbiased deviation of the reward.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_number")]
    pub reward_std: Option<f64>,
    /// Fraction of groups whose rewards are all equal: they teach nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_number")]
    pub frac_reward_zero_std: Option<f64>,
    /// Mean KL to the reference, the k3 estimator.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_number")]
    pub kl: Option<f64>,
    /// Mean length of the completions in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_number")]
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
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_number")]
    pub rollout_seconds: Option<f64>,
}

/// JSON has no NaN and no infinity: both are written as `null`, and read back as NaN.
fn number<'de, D: Deserializer<'de>>(reader: D) -> Result<f64, D::Error> {
    Option::<f64>::deserialize(reader).map(|value| value.unwrap_or(f64::NAN))
}

/// As [`number`]; only a key that is not there is `None`.
fn some_number<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<f64>, D::Error> {
    number(reader).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_read_back_as_nan_and_what_is_absent_as_absent() {
        let step = Step { step: 3, loss: f64::NAN, kl: Some(f64::INFINITY), reward: Some(0.5), ..Step::default() };
        let line = serde_json::to_string(&step).unwrap();
        assert!(line.contains("\"loss\":null") && line.contains("\"kl\":null"), "{line}");
        let back: Step = serde_json::from_str(&line).unwrap();
        assert!(back.loss.is_nan() && back.kl.is_some_and(f64::is_nan));
        assert_eq!((back.step, back.reward, back.completion_length), (3, Some(0.5), None));
    }
}
