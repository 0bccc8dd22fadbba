//! Training stages, evaluations and scored files: names, references, steps.

use super::super::problem::{At, Problems};
use super::super::spot::Spot;
use super::super::tree::quote;
use super::inputs::home;
use super::memory::memory;
use super::{hint_from, report};

/// Names of stages that the plan makes by itself; so are all that begin with `data-`.
const RESERVED: [&str; 4] = ["model", "data", "init", "report"];

pub(super) fn stages(root: &Spot<'_>, problems: &mut Problems) {
    let (trains, evals, scores) = (root.list("train"), root.list("eval"), root.list("scores"));
    if trains.is_empty() && evals.is_empty() && scores.is_empty() {
        let list = |key: &str| root.get(key).is_none_or(|s| s.node.describe() == "an empty list");
        if list("train") && list("eval") && list("scores") {
            let hint = "add a stage to train or an evaluation to eval";
            problems.add(&root.node.at, "", "at least one stage", "none", hint);
        }
    }
    names(trains.iter().chain(&evals).chain(&scores), problems);
    let sets: Vec<&str> =
        root.dig(&["data", "sets"]).map_or_else(Vec::new, |s| s.fields().iter().map(|f| f.0).collect());
    for (i, stage) in trains.iter().enumerate() {
        from(stage, &trains, &evals, i, problems);
        reference(stage, &sets, problems);
        steps(stage, problems);
        grpo(stage, problems);
        let dtype = root.dig(&["model", "dtype"]).and_then(|s| s.text());
        numerics(stage, dtype, problems);
        memory(stage, dtype, problems);
    }
    for eval in &evals {
        from(eval, &trains, &evals, trains.len(), problems);
        reference(eval, &sets, problems);
        at_step(eval, &trains, problems);
        system(eval, problems);
        tagged(eval, problems);
        if let Some(decoding) = eval.get("decoding") {
            greedy(&decoding, problems);
        }
    }
    for scored in &scores {
        reference(scored, &sets, problems);
        predictions(scored, problems);
        tagged(scored, problems);
    }
    report::report(root, &evals, &scores, problems);
}

/// The chat template writes the tokens around a turn; in its text they would open turns of their own.
fn system(eval: &Spot<'_>, problems: &mut Problems) {
    let Some((spot, text)) = eval.get("system").and_then(|s| s.text().map(|t| (s, t))) else { return };
    if text.contains("<|") {
        let hint = "the chat template writes those: leave them out";
        spot.problem(problems, "plain text without special tokens such as <|im_start|>", quote(text), hint);
    }
}

/// A file of predictions is the user's own: nothing fetches it.
fn predictions(scored: &Spot<'_>, problems: &mut Problems) {
    let Some((spot, text)) = scored.get("file").and_then(|s| s.text().map(|t| (s, t))) else { return };
    home(&spot, problems);
    if text.contains("://") {
        spot.problem(problems, "a path", quote(text), "download the predictions and name the file");
    }
}

/// The rule looks for the tag itself: taken off before, every answer would be none.
fn tagged(stage: &Spot<'_>, problems: &mut Problems) {
    if stage.text_at("rule") != Some("answer-tag") {
        return;
    }
    if let Some(extract) = stage.get("extract").filter(|s| s.text().is_some_and(|text| text != "whole")) {
        let hint = "the rule takes the answer from the tag itself; with the tag taken off every answer would be none";
        extract.problem(problems, "whole with rule: answer-tag", extract.node.describe(), hint);
    }
}

fn names<'a, 's: 'a>(stages: impl Iterator<Item = &'a Spot<'s>>, problems: &mut Problems) {
    let mut seen: Vec<(&str, &At)> = Vec::new();
    for name in stages.filter_map(|stage| stage.get("name")) {
        let Some(text) = name.text() else { continue };
        if RESERVED.contains(&text) || text.starts_with("data-") {
            let hint =
                format!("{} and data-SET are stages that the plan makes: choose another name", RESERVED.join(", "));
            name.problem(problems, "a name that is free", quote(text), &hint);
        } else if let Some((_, first)) = seen.iter().find(|(seen, _)| *seen == text) {
            let hint = match first {
                At::File(line, _) => {
                    format!("line {line} has it already: names are unique among training and evaluation")
                }
                At::Set(key) => format!("--set {key} gives it already: names are unique among training and evaluation"),
            };
            name.problem(problems, "a name that is free", quote(text), &hint);
        }
        seen.push((text, &name.node.at));
    }
}

/// `from` is the model or a training stage that stands before `limit`.
fn from(stage: &Spot<'_>, trains: &[Spot<'_>], evals: &[Spot<'_>], limit: usize, problems: &mut Problems) {
    let Some((spot, text)) = stage.get("from").and_then(|s| s.text().map(|t| (s, t))) else { return };
    let name =
        |s: &Spot<'_>| s.node.entry("name").and_then(|_| s.get("name")).and_then(|n| n.text().map(str::to_owned));
    if text == "model" || trains[..limit].iter().any(|t| name(t).as_deref() == Some(text)) {
        return;
    }
    let expected = "model or an earlier training stage";
    let known: Vec<String> = trains[..limit].iter().filter_map(name).collect();
    let known: Vec<&str> = std::iter::once("model").chain(known.iter().map(String::as_str)).collect();
    let hint = if trains[limit..].iter().any(|t| name(t).as_deref() == Some(text)) {
        if stage.text_at("name") == Some(text) {
            "a stage cannot start from itself".to_owned()
        } else {
            format!("{text} comes later: move it up")
        }
    } else if evals.iter().any(|e| name(e).as_deref() == Some(text)) {
        format!("{text} is an evaluation and leaves no weights")
    } else {
        hint_from(text, &known, "known here")
    };
    spot.problem(problems, expected, quote(text), &hint);
}

fn reference(stage: &Spot<'_>, sets: &[&str], problems: &mut Problems) {
    let Some((spot, text)) = stage.get("data").and_then(|s| s.text().map(|t| (s, t))) else { return };
    if !sets.contains(&text) {
        spot.problem(problems, "a data set of data.sets", quote(text), &hint_from(text, sets, "data sets"));
    }
}

fn steps(stage: &Spot<'_>, problems: &mut Problems) {
    if let (Some(micro), Some(questions)) = (stage.get("micro_batch"), stage.count_at("questions_per_step"))
        && micro.count().is_some_and(|n| n > questions)
    {
        let hint = "it is the part of a step that goes through the model at once";
        micro.problem(problems, format!("at most questions_per_step ({questions})"), micro.node.describe(), hint);
    }
    let Some(schedule) = stage.get("schedule").filter(|s| s.text_at("shape") == Some("linear")) else { return };
    let Some(total) = schedule.count_at("total_steps") else { return };
    if let Some(steps) = stage.get("steps").filter(|s| s.count().is_some_and(|n| n > total)) {
        let hint = "the learning rate is 0 from there on: raise schedule.total_steps or stop earlier";
        steps.problem(problems, format!("at most schedule.total_steps ({total})"), steps.node.describe(), hint);
    }
    if let Some(warmup) = schedule.get("warmup_steps").filter(|s| s.count().is_some_and(|n| n > total)) {
        warmup.problem(
            problems,
            format!("at most total_steps ({total})"),
            warmup.node.describe(),
            "the peak is never reached",
        );
    }
}

fn grpo(stage: &Spot<'_>, problems: &mut Problems) {
    let Some(grpo) = stage.get("grpo") else { return };
    let mut seen = Vec::new();
    for reward in grpo.list("rewards") {
        let Some(name) = reward.text() else { continue };
        if seen.contains(&name) {
            reward.problem(problems, "each reward once", quote(name), "rewards have equal weight: remove one");
        }
        seen.push(name);
        format_asked_for(&reward, name, stage.text_at("prompt"), problems);
    }
    if let Some(rollout) = grpo.get("rollout").filter(|r| r.flag_at("do_sample") == Some(false))
        && let Some(spot) = rollout.get("do_sample")
    {
        let hint = "equal completions of a group have no advantage over each other";
        spot.problem(problems, "true", "false", hint);
    }
}

/// Prompt tokens that R1-AQA's trainer looks at (`max_prompt_length` of its train.py).
const REFERENCE_WINDOW: i128 = 512;

/// `reference-bf16` is bfloat16 through and through, and has the reference's window. (The number type of a policy that another recipe leaves is
/// seen when it is loaded.)
fn numerics(stage: &Spot<'_>, dtype: Option<&str>, problems: &mut Problems) {
    let Some(spot) = stage.get("numerics").filter(|s| s.text() == Some("reference-bf16")) else { return };
    if dtype == Some("float32") {
        let hint = "the reference's numerics are those of a bfloat16 policy: write model.dtype: bfloat16, or numerics: fp32-logprobs";
        spot.problem(problems, "fp32-logprobs for a float32 policy", "reference-bf16", hint);
    }
    let micro = stage.get("micro_batch").map_or_else(|| stage.count_at("questions_per_step"), |s| s.count());
    if micro.is_some_and(|n| n > 1) {
        let hint = "a device of the reference takes one question at a time, and adds their gradients up in bfloat16: write micro_batch: 1";
        let expected = "micro_batch 1 with numerics: reference-bf16";
        match stage.get("micro_batch") {
            Some(spot) => spot.problem(problems, expected, spot.node.describe(), hint),
            None => stage.lacks(problems, "micro_batch", expected, hint),
        }
    }
    let window = stage.get("grpo").and_then(|grpo| grpo.get("max_prompt_length"));
    if let Some(window) = window.filter(|s| s.count().is_some_and(|n| n > REFERENCE_WINDOW)) {
        let hint = "of a longer prompt the reference cuts the head and trains on its tail as if the policy had said it, which nobody wants: \
                    lower it, or write numerics: fp32-logprobs, which takes prompts of any length";
        let expected = format!("at most {REFERENCE_WINDOW}, the reference's window, with numerics: reference-bf16");
        window.problem(problems, expected, window.node.describe(), hint);
    }
}

/// A prompt that asks for a thought earns nothing by the format without one, and the other way round: every reward would be 0.
fn format_asked_for(reward: &Spot<'_>, name: &str, prompt: Option<&str>, problems: &mut Problems) {
    let (expected, hint) = match (prompt, name) {
        (Some("r1-aqa-3"), "format") => (
            "format-think beside prompt r1-aqa-3",
            "r1-aqa-3 asks for a thought before the answer, which format never rewards: write format-think, or prompt: r1-aqa-2",
        ),
        (Some("r1-aqa-1" | "r1-aqa-2" | "mmau"), "format-think") => (
            "format beside a prompt that asks for no thought",
            "format-think rewards a thought before the answer, which only r1-aqa-3 asks for: write format, or prompt: r1-aqa-3",
        ),
        _ => return,
    };
    reward.problem(problems, expected, quote(name), hint);
}

fn at_step(eval: &Spot<'_>, trains: &[Spot<'_>], problems: &mut Problems) {
    let Some(spot) = eval.get("at_step") else { return };
    let from = eval.text_at("from");
    if from == Some("model") {
        let hint = "the model has no steps: remove at_step, or evaluate a training stage";
        return eval.needless(problems, "at_step", "when from is model", hint);
    }
    let Some(stage) = trains.iter().find(|t| t.text_at("name").is_some() && t.text_at("name") == from) else { return };
    let (Some(at), Some(steps)) = (spot.count(), stage.count_at("steps")) else { return };
    let every = stage.get("checkpoint_every").map_or(Some(steps), |s| s.count());
    let Some(every) = every else { return };
    if at > steps {
        let hint = format!("{} stops there", from.unwrap_or_default());
        spot.problem(problems, format!("at most {steps}"), at, &hint);
    } else if at % every != 0 && at != steps {
        let expected = format!("a step that leaves a checkpoint (a multiple of {every}, or the last, {steps})");
        let below = at / every * every;
        let near = if below > 0 && at - below <= every / 2 { below } else { (below + every).min(steps) };
        spot.problem(problems, expected, at, &format!("the nearest is {near}; checkpoint_every of the stage decides"));
    }
}

/// With do_sample: false the most likely token is taken, and settings of sampling would say nothing.
fn greedy(decoding: &Spot<'_>, problems: &mut Problems) {
    if decoding.flag_at("do_sample") == Some(false) {
        for key in ["temperature", "top_k", "top_p"] {
            let hint = "without sampling it changes nothing: remove it, or write do_sample: true";
            decoding.needless(problems, key, "when do_sample is false", hint);
        }
    }
}
