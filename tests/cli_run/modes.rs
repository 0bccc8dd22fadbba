//! Ways of training that a recipe names: adapters, and the reference's number types.

use crate::folder::{TINY, done, json, lines, reproduce, results, same_results, stage};
use crate::interrupted::killed_between;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::tempdir;

const LORA: [&str; 6] = [
    "--set",
    "train.sft.lora={rank: 4, alpha: 8, targets: [q_proj, v_proj, linear]}",
    "--set",
    "train.grpo.lora={rank: 2, alpha: 2, targets: [all-linear]}",
    "--set",
    "train.grpo.resume_every=1",
];

/// Tensors of a checkpoint's file by name: shape and bytes.
fn tensors(path: &Path) -> BTreeMap<String, (Vec<usize>, Dtype, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let view = |(name, view): (&str, safetensors::tensor::TensorView<'_>)| {
        (name.to_owned(), (view.shape().to_vec(), view.dtype(), view.data().to_vec()))
    };
    file.iter().map(view).collect()
}

#[test]
fn adapters_are_trained_merged_kept_and_resumed() {
    let dir = tempdir().unwrap();
    let (whole, killed) = (dir.path().join("whole"), dir.path().join("killed"));
    reproduce(TINY, &whole, &LORA).succeeds();
    let file = "model-00001-of-00001.safetensors";
    let start = tensors(&done(&whole, "init").join(file));
    let sft = done(&whole, "sft").join("checkpoint-4");
    let merged = tensors(&sft.join(file));
    assert_eq!(start.keys().collect::<Vec<_>>(), merged.keys().collect::<Vec<_>>());
    for (name, tensor) in &merged {
        let adapted = ["q_proj.weight", "v_proj.weight", "linear.weight"].iter().any(|end| name.ends_with(end));
        assert_eq!(start[name] != *tensor, adapted, "{name}");
    }
    let config = json(&sft.join("adapter/adapter_config.json"));
    assert_eq!((config["r"].as_u64(), config["lora_alpha"].as_f64()), (Some(4), Some(8.0)));
    assert_eq!(config["target_modules"].as_array().unwrap().len(), 3);
    let adapters = tensors(&sft.join("adapter/adapter_model.safetensors"));
    // Two towers of one layer with q_proj and v_proj, and the projector; two halves each.
    assert_eq!(adapters.len(), 10);
    assert!(adapters.values().all(|(shape, dtype, _)| shape.contains(&4) && *dtype == Dtype::F32));
    let grpo = done(&whole, "grpo").join("checkpoint-3");
    assert_eq!(json(&grpo.join("adapter/adapter_config.json"))["target_modules"], "all-linear");
    // The reference of GRPO is the policy before its own adapters, and the first step has no KL to it yet.
    let steps = lines(&done(&whole, "grpo").join("metrics.jsonl"));
    assert_eq!(steps[0]["kl"], 0.0);

    killed_between(&killed, &LORA, "grpo", "checkpoint-1/trainer", "checkpoint-3");
    reproduce(TINY, &killed, &LORA).succeeds();
    same_results(&killed, &whole);
}

#[test]
fn a_target_that_no_layer_has_stops_before_anything_is_computed() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    // Also in a stage that comes later.
    let wrong = ["--set", "train.grpo.lora={rank: 4, alpha: 8, targets: [q_proj, w_proj]}"];
    let error = reproduce(TINY, &run, &wrong).fails(2);
    assert!(stage(&run, "init", "").is_none() && stage(&run, "sft", "").is_none(), "nothing was computed");
    assert!(
        error.contains("grpo: lora.targets") && error.contains("\"w_proj\"") && error.contains("did you mean"),
        "{error}"
    );
}

#[test]
fn the_reference_s_numerics_are_a_way_of_their_own() {
    let dir = tempdir().unwrap();
    let trained = |run: &Path, more: &[&str]| -> BTreeMap<String, String> {
        let all = [["--set", "model.dtype=bfloat16", "--until", "grpo"].as_slice(), more].concat();
        reproduce(TINY, run, &all).succeeds();
        results(&done(run, "grpo"))
    };
    // A question at a time, as a device of the reference takes them.
    let one = ["--set", "train.sft.micro_batch=1"];
    let both = |sft, grpo| [one[0], one[1], "--set", sft, "--set", grpo];
    let bf16 = both("train.sft.numerics=reference-bf16", "train.grpo.numerics=reference-bf16");
    let named = both("train.sft.numerics=fp32-logprobs", "train.grpo.numerics=fp32-logprobs");
    let wide = trained(&dir.path().join("wide"), &one);
    assert_eq!(wide, trained(&dir.path().join("named"), &named), "the default has a name");
    assert_ne!(wide, trained(&dir.path().join("reference"), &bf16));

    let run = dir.path().join("refused");
    let error = reproduce(TINY, &run, &bf16).fails(2);
    assert!(
        error.contains("train[1].numerics") && error.contains("expected fp32-logprobs for a float32 policy"),
        "{error}"
    );
    let long =
        [&bf16[..], &["--set", "model.dtype=bfloat16", "--set", "train.grpo.grpo.max_prompt_length=600"]].concat();
    let error = reproduce(TINY, &run, &long).fails(2);
    assert!(error.contains("at most 512, the reference's window") && error.contains("trains on its tail"), "{error}");
    let several = ["--set", "model.dtype=bfloat16", "--set", "train.sft.numerics=reference-bf16"];
    let error = reproduce(TINY, &run, &several).fails(2);
    assert!(error.contains("train[0].micro_batch") && error.contains("write micro_batch: 1"), "{error}");
    // A prompt that is longer than its limit, while training.
    let short = ["--set", "train.grpo.grpo.max_prompt_length=100"];
    let error = reproduce(TINY, &run, &short).fails(2);
    assert!(error.contains("tokens, max_prompt_length is 100") && error.contains("train on its tail"), "{error}");
}

/// Prompt 3 from training to the table: its own format reward, its own way to take the answer.
#[test]
fn think_mode_runs_from_rewards_to_the_table() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    let think = [
        "--set",
        "train.grpo.prompt=r1-aqa-3",
        "--set",
        "train.grpo.grpo.rewards=[accuracy-string, format-think]",
        "--set",
        "eval.after-grpo.prompt=r1-aqa-3",
        "--set",
        "eval.after-grpo.extract=after-think",
    ];
    let table = reproduce(TINY, &run, &think).succeeds();
    assert!(table.contains("prompt `r1-aqa-3`") && table.contains("answers taken by `after-think`"), "{table}");
    assert!(table.contains("prompt `r1-aqa-2`") && table.contains("answers taken by `answer-tag`"), "{table}");
    let steps = lines(&done(&run, "grpo").join("metrics.jsonl"));
    for step in &steps {
        assert!(step["reward/format-think"].is_number() && step["reward/accuracy-string"].is_number(), "{step}");
        assert!(step.get("reward/format").is_none() && step.get("reward/accuracy").is_none(), "{step}");
    }
    assert_eq!(json(&done(&run, "after-grpo").join("eval.json"))["extract"], "after-think");

    let mixed = ["--set", "train.grpo.prompt=r1-aqa-3"];
    let error = reproduce(TINY, &dir.path().join("refused"), &mixed).fails(2);
    assert!(error.contains("format-think") && error.contains("r1-aqa-3"), "{error}");
}
