//! `replay`: a sample of a finished run comes out again, and what was changed is told.

use crate::folder::{TINY, copy, done, json, lines, reference, reproduce};
use crate::program::{Said, aqa};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::tempdir;

fn replay(run: &Path, eval: &str, id: &str, more: &[&str]) -> Said {
    let all = ["replay", run.to_str().unwrap(), "--eval", eval, "--id", id];
    aqa(all.into_iter().chain(more.iter().copied()).map(str::to_owned).collect::<Vec<_>>())
}

fn evaluations(run: &Path) -> Vec<String> {
    let manifest = json(&run.join("manifest.json"));
    let stages = manifest["stages"].as_array().unwrap().iter();
    stages.filter(|s| s["kind"] == "evaluate").map(|s| s["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_sample_of_a_run_comes_out_again() {
    let run = reference();
    let evals = evaluations(run);
    assert!(evals.len() > 1);
    for eval in &evals {
        let samples = lines(&done(run, eval).join("samples.jsonl"));
        for sample in samples.iter().take(2).chain(samples.last()) {
            let id = sample["id"].as_str().unwrap();
            let said = replay(run, eval, id, &["--format", "json"]).succeeds();
            let said: Value = serde_json::from_str(&said).unwrap();
            assert_eq!((&said["same"], &said["recorded"]), (&true.into(), sample), "{eval} {id}");
        }
    }
    let id = lines(&done(run, &evals[0]).join("samples.jsonl"))[0]["id"].as_str().unwrap().to_owned();
    let text = replay(run, &evals[0], &id, &[]).succeeds();
    assert!(text.contains("output    same: ") && text.contains("verdict   same: "), "{text}");
}

#[test]
fn a_system_turn_of_the_evaluation_is_in_the_prompt_again() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    copy(reference(), &run);
    reproduce(TINY, &run, &["--set", "eval.after-sft.system=You listen to what is there."]).succeeds();
    let prompt = |run: &Path| lines(&done(run, "after-sft").join("samples.jsonl"))[0].clone();
    let manifest = json(&run.join("manifest.json"));
    let state = manifest["stages"].as_array().unwrap().iter().find(|s| s["name"] == "after-sft").unwrap();
    let sample = lines(&run.join(state["folder"].as_str().unwrap()).join("samples.jsonl"))[0].clone();
    assert_ne!(sample["prompt_sha256"], prompt(reference())["prompt_sha256"], "the turn is in the prompt");
    replay(&run, "after-sft", sample["id"].as_str().unwrap(), &[]).succeeds();
}

#[test]
fn a_record_that_was_changed_is_told_and_nothing_else_is() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    copy(reference(), &run);
    let eval = &evaluations(&run)[0];
    let path = done(&run, eval).join("samples.jsonl");
    let mut samples = lines(&path);
    samples[0]["output"] = "something else".into();
    let text: String = samples.iter().map(|s| s.to_string() + "\n").collect();
    fs::write(&path, text).unwrap();
    let id = |i: usize| samples[i]["id"].as_str().unwrap();
    let told = replay(&run, eval, id(0), &[]).fails(3);
    assert!(told.contains(&format!("{eval}: question {} came out otherwise", id(0))), "{told}");
    replay(&run, eval, id(1), &[]).succeeds();
}

#[test]
fn what_cannot_be_replayed_says_why_and_what_to_do() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    copy(reference(), &run);
    let evals = evaluations(&run);
    let id = lines(&done(&run, &evals[0]).join("samples.jsonl"))[0]["id"].as_str().unwrap().to_owned();

    let told = replay(&run, &evals[0], &format!("{id}9"), &[]).fails(2);
    assert!(told.contains("no question that") && told.contains(&format!("did you mean {id}?")), "{told}");
    let told = replay(&run, "sft", &id, &[]).fails(2);
    assert!(told.contains(&format!("expected a finished evaluation of {}", run.display())), "{told}");

    // The recipe has gone elsewhere, and has changed.
    let mut manifest = json(&run.join("manifest.json"));
    manifest["recipe_file"] = "nowhere.yaml".into();
    fs::write(run.join("manifest.json"), manifest.to_string()).unwrap();
    let told = replay(&run, &evals[0], &id, &[]).fails(4);
    assert!(told.contains("say with --recipe FILE where it is"), "{told}");
    replay(&run, &evals[0], &id, &["--recipe", TINY]).succeeds();
    let changed = dir.path().join("tiny.yaml");
    fs::write(&changed, fs::read_to_string(TINY).unwrap() + "\n# changed\n").unwrap();
    let told = replay(&run, &evals[0], &id, &["--recipe", changed.to_str().unwrap()]).fails(4);
    assert!(told.contains("expected the recipe of") && told.contains("it was changed since"), "{told}");
}
