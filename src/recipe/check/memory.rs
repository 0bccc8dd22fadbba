//! Memory settings that contradict the rest of a training stage, or save nothing beside it.

use super::super::problem::Problems;
use super::super::spot::Spot;

/// `dtype`: the number type of the recipe's model, where the recipe says it. (That of a policy which another recipe leaves is seen before it is loaded.)
pub(super) fn memory(stage: &Spot<'_>, dtype: Option<&str>, problems: &mut Problems) {
    let Some(memory) = stage.get("memory") else { return };
    let lora = stage.get("lora").is_some();
    if let Some(spot) = memory.get("master").filter(|s| s.text() == Some("split")) {
        let hint = if dtype == Some("float32") {
            "a float32 policy is its own master: remove master, or write model.dtype: bfloat16"
        } else if lora {
            "adapters are float32 and have no master: remove master"
        } else if memory.text_at("optimizer") == Some("host") {
            "split saves memory of the device, where optimizer: host leaves no master: remove one of the two"
        } else {
            ""
        };
        if !hint.is_empty() {
            spot.problem(problems, "float32 here", "split", hint);
        }
    }
    if let Some(spot) = memory.get("reference").filter(|s| s.text() == Some("host")) {
        let no_kl = stage.get("grpo").and_then(|g| g.get("beta")).is_some_and(|b| b.is_zero());
        let hint = if lora {
            "adapters leave the weights below them as they were, so the reference is no second copy: remove reference"
        } else if no_kl {
            "with beta: 0 there is no reference: remove it"
        } else {
            ""
        };
        if !hint.is_empty() {
            spot.problem(problems, "device here", "host", hint);
        }
    }
    if let (Some(batch), Some(questions)) = (memory.get("rollout_batch"), stage.count_at("questions_per_step"))
        && batch.count().is_some_and(|n| n > questions)
    {
        let hint = "it is the part of a step whose completions are drawn at once";
        batch.problem(problems, format!("at most questions_per_step ({questions})"), batch.node.describe(), hint);
    }
}
