//! What does not fit is refused before anything is computed; ways of spending memory change no result.

use crate::folder::{TINY, done, lines, reproduce};
use aqa_bench::pins::Sha256;
use std::path::Path;
use tempfile::tempdir;

#[test]
fn what_cannot_fit_is_refused_before_anything_is_made() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    let large = ["--set", "train.sft.questions_per_step=4000000", "--set", "train.sft.micro_batch=4000000"];
    let error = reproduce(TINY, &run, &large).fails(5);
    for part in ["sft: needs ", "activations ", "there are ", "what helps: --set train.sft.micro_batch="] {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
    assert_eq!(error.lines().count(), 1, "{error}");
    let made: Vec<_> = std::fs::read_dir(&run).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(made, [".lock"]);
}

/// What training leaves: weights, and rewards, KLs and norms of its steps.
fn trained(run: &Path, more: &[&str]) -> (Sha256, Vec<serde_json::Value>) {
    let all = [["--set", "model.dtype=bfloat16", "--until", "grpo"].as_slice(), more].concat();
    reproduce(TINY, run, &all).succeeds();
    let grpo = done(run, "grpo");
    let mut steps = lines(&grpo.join("metrics.jsonl"));
    for step in &mut steps {
        step.as_object_mut().unwrap().retain(|key, _| !key.contains("seconds"));
    }
    (Sha256::of_file(&grpo.join("checkpoint-3/model-00001-of-00001.safetensors")).unwrap(), steps)
}

#[test]
fn exact_ways_of_spending_memory_leave_the_same_weights() {
    let dir = tempdir().unwrap();
    let plain = trained(&dir.path().join("plain"), &[]);
    assert!(plain.1.len() == 3 && plain.1[0]["kl"].is_number());
    let lean = [
        "--set",
        "train.sft.memory={activations: recompute, master: split}",
        "--set",
        "train.grpo.memory={activations: recompute, master: split, reference: host}",
    ];
    assert_eq!(plain, trained(&dir.path().join("lean"), &lean));
    let host =
        ["--set", "train.sft.memory.optimizer=host", "--set", "train.grpo.memory={optimizer: host, reference: host}"];
    assert_eq!(plain, trained(&dir.path().join("host"), &host));
    // The same completions, in batches of their own.
    let (_, steps) = trained(&dir.path().join("one"), &["--set", "train.grpo.memory.rollout_batch=1"]);
    assert_eq!(steps[0]["completion_tokens"], plain.1[0]["completion_tokens"]);
    let (weights, _) = trained(&dir.path().join("int8"), &["--set", "train.grpo.memory.moments=int8"]);
    assert_ne!(weights, plain.0, "8-bit moments are not exact");
}

#[test]
fn split_is_refused_for_a_float32_policy() {
    let dir = tempdir().unwrap();
    let error = reproduce(TINY, &dir.path().join("run"), &["--set", "train.sft.memory.master=split"]).fails(2);
    assert!(error.contains("train[0].memory.master") && error.contains("its own master"), "{error}");
}
