//! Undisturbed runs: what they leave, that they repeat, what the options do.

use crate::folder::{self, THREADS, TINY, arguments, copy, done, json, lines, reference, reproduce, rows, stage};
use crate::program::{aqa, command, said};
use aqa_bench::pins::Sha256;
use safetensors::SafeTensors;
use serde_json::{Value, json as value};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use tempfile::tempdir;

const STAGES: [&str; 7] = ["init", "data-questions", "sft", "grpo", "data-held-out", "after-sft", "after-grpo"];

#[test]
fn a_run_leaves_what_the_contract_says() {
    let run = reference();
    let manifest = json(&run.join("manifest.json"));
    assert_eq!((&manifest["status"], &manifest["recipe"]), (&value!("done"), &value!("tiny")));
    assert_eq!(manifest["recipe_sha256"], Sha256::of_file(Path::new(TINY)).unwrap().to_string());
    assert_eq!(manifest["provenance"]["threads"].to_string(), THREADS);
    assert_eq!(manifest["provenance"]["libtorch"], "2.11.0");
    let argv = &manifest["provenance"]["argv"];
    assert_eq!((argv[0].as_str(), argv[1].as_str()), (Some(env!("CARGO_BIN_EXE_aqa-bench")), Some("reproduce")));
    let mut names: Vec<&str> = Vec::new();
    for stage in manifest["stages"].as_array().unwrap() {
        assert_eq!(stage["done"], true);
        assert!(run.join(stage["folder"].as_str().unwrap()).is_dir(), "{stage}");
        names.push(stage["name"].as_str().unwrap());
    }
    names.sort_unstable();
    let mut expected = STAGES;
    expected.sort_unstable();
    assert_eq!(names, expected);
    let unfinished = folder::results(run).into_keys().filter(|name| name.contains("partial"));
    assert_eq!(unfinished.count(), 0, "nothing temporary stays");
}

#[test]
fn metrics_hold_one_line_a_step_with_every_figure() {
    let common =
        ["step", "loss", "grad_norm", "learning_rate", "entropy", "prompt_tokens", "completion_tokens", "seconds"];
    let grpo = [
        "reward",
        "reward/accuracy",
        "reward/format",
        "unjudged",
        "reward_std",
        "frac_reward_zero_std",
        "kl",
        "completion_length",
        "completion_length_min",
        "completion_length_max",
        "truncated",
        "rollout_seconds",
    ];
    for (name, count, keys) in [("sft", 4, &common[..]), ("grpo", 3, &[&common[..], &grpo[..]].concat()[..])] {
        let steps = lines(&done(reference(), name).join("metrics.jsonl"));
        let numbers: Vec<&Value> = steps.iter().map(|s| &s["step"]).collect();
        assert_eq!(numbers, (1..=count).map(Value::from).collect::<Vec<_>>().iter().collect::<Vec<_>>());
        for (step, key) in steps.iter().flat_map(|s| keys.iter().map(move |k| (s, *k))) {
            let number = step[key].as_f64().unwrap_or_else(|| panic!("{name}: {key} in {step}"));
            assert!(number.is_finite() && (number >= 0.0 || key == "loss"), "{name}: {key} is {number}");
        }
    }
    // TensorBoard's file has an event a step and one that says what it is: as many records, whole to the last byte.
    for (name, count) in [("sft", 4), ("grpo", 3)] {
        let bytes = fs::read(done(reference(), name).join("events.out.tfevents.aqa-bench")).unwrap();
        let (mut at, mut records) = (0, 0);
        while at < bytes.len() {
            at += 16 + u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
            records += 1;
        }
        assert_eq!((at, records), (bytes.len(), count + 1), "{name}");
    }
    // Linear, one step of warm-up, six long: 0, then from the peak towards 0 at step 6.
    let steps = lines(&done(reference(), "sft").join("metrics.jsonl"));
    let rates: Vec<f64> = steps.iter().map(|s| s["learning_rate"].as_f64().unwrap()).collect();
    for (rate, expected) in rates.iter().zip([0.0, 1e-3, 0.8e-3, 0.6e-3]) {
        assert!((rate - expected).abs() < 1e-12, "{rates:?}");
    }
    for step in lines(&done(reference(), "grpo").join("metrics.jsonl")) {
        let of = |key: &str| step[key].as_f64().unwrap();
        assert!(
            of("completion_length_min") <= of("completion_length")
                && of("completion_length") <= of("completion_length_max")
        );
        assert!(of("completion_length_max") <= 6.0 && of("truncated") <= 8.0 && of("frac_reward_zero_std") <= 1.0);
        assert_eq!(of("completion_tokens"), of("completion_length") * 8.0);
        assert!((of("reward") - of("reward/accuracy") - of("reward/format")).abs() < 1e-12);
    }
    let last = lines(&done(reference(), "grpo").join("metrics.jsonl")).pop().unwrap();
    assert!(last["kl"].as_f64().unwrap() > 0.0, "training moved the policy away from its reference: {last}");
}

#[test]
fn checkpoints_are_in_hugging_face_layout() {
    let run = reference();
    let mut hashes = Vec::new();
    for (stage, steps, kept) in [("sft", 4, vec![2, 4]), ("grpo", 3, vec![3])] {
        let folder = done(run, stage);
        let found: Vec<u64> = (0..=steps).filter(|s| folder.join(format!("checkpoint-{s}")).is_dir()).collect();
        assert_eq!(found, kept, "{stage}");
        for step in kept {
            let dir = folder.join(format!("checkpoint-{step}"));
            let config = json(&dir.join("config.json"));
            assert_eq!((&config["model_type"], &config["torch_dtype"]), (&value!("qwen2_audio"), &value!("float32")));
            for file in [
                "tokenizer.json",
                "tokenizer_config.json",
                "generation_config.json",
                "preprocessor_config.json",
                "chat_template.json",
            ] {
                json(&dir.join(file));
            }
            let map = json(&dir.join("model.safetensors.index.json"))["weight_map"].as_object().unwrap().clone();
            let shard = dir.join("model-00001-of-00001.safetensors");
            let bytes = fs::read(&shard).unwrap();
            let tensors = SafeTensors::deserialize(&bytes).unwrap();
            assert_eq!(tensors.len(), map.len());
            for (name, file) in &map {
                assert_eq!(file, shard.file_name().unwrap().to_str().unwrap());
                tensors.tensor(name).unwrap();
            }
            assert!(
                map.contains_key("language_model.model.layers.0.self_attn.q_proj.weight"),
                "transformers 4.x names"
            );
            assert_eq!(dir.join("trainer").is_dir(), step == steps, "{stage}: a resume starts from the newest only");
            hashes.push(Sha256::of(&bytes).to_string());
        }
    }
    hashes.push(Sha256::of_file(&done(run, "init").join("model-00001-of-00001.safetensors")).unwrap().to_string());
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 4, "every stage changes the weights");
}

#[test]
fn evaluations_leave_samples_predictions_and_a_score_that_agree() {
    for (name, trained) in [("after-sft", true), ("after-grpo", true)] {
        let folder = done(reference(), name);
        let (samples, predictions) = (lines(&folder.join("samples.jsonl")), json(&folder.join("predictions.json")));
        let predictions = predictions.as_array().unwrap();
        assert_eq!((samples.len(), predictions.len()), (12, 12));
        for (sample, row) in samples.iter().zip(predictions) {
            assert_eq!(sample["id"], row["id"]);
            assert_eq!(sample["answer"], row["model_prediction"]);
            assert!(sample["error"].is_null() && sample["prompt_sha256"].as_str().unwrap().len() == 64, "{sample}");
            assert!((1..=4).contains(&sample["tokens"].as_u64().unwrap()), "{sample}");
        }
        let score = json(&folder.join("score.json"));
        let correct = samples.iter().filter(|s| s["verdict"] == "correct").count();
        assert_eq!((&score["total"], &score["correct"]), (&value!(12), &value!(correct)));
        // The program's own scorer on the predictions says the same.
        let file = folder.join("predictions.json");
        let again = aqa(["score", file.to_str().unwrap(), "--format", "json"]).succeeds();
        assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), score);
        let record = json(&folder.join("eval.json"));
        assert_eq!(
            (&record["trained"], &record["asked"], &record["questions"]),
            (&value!(trained), &value!(12), &value!(12))
        );
    }
}

#[test]
fn a_second_call_runs_nothing_and_prints_the_same_table() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    copy(reference(), &run);
    let before = folder::results(&run);
    let provenance = json(&run.join("manifest.json"))["provenance"].clone();
    // Other threads: what is there was not made with them, and the manifest must not say so.
    let said = aqa(["reproduce", TINY, "--run-dir", run.to_str().unwrap(), "--threads", "1"]);
    assert!(said.err.contains("0 stages run, 7 taken as they were"), "{}", said.err);
    let table = said.succeeds();
    assert_eq!(table, fs::read_to_string(reference().join("report/leaderboard.md")).unwrap());
    assert_eq!(folder::results(&run), before);
    assert_eq!(json(&run.join("manifest.json"))["provenance"], provenance);
    let plan = aqa(["plan", TINY, "--run-dir", run.to_str().unwrap(), "--format", "json"]).succeeds();
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert!(plan["stages"].as_array().unwrap().iter().all(|s| s["state"] == "done"), "{plan}");
}

#[test]
fn two_runs_are_bit_identical_and_another_seed_is_not() {
    let dir = tempdir().unwrap();
    reproduce(TINY, &dir.path().join("again"), &[]).succeeds();
    folder::same_results(&dir.path().join("again"), reference());
    reproduce(TINY, &dir.path().join("other"), &["--set", "seed=8"]).succeeds();
    let (other, ours) = (folder::results(&dir.path().join("other")), folder::results(reference()));
    let weights = |all: &std::collections::BTreeMap<String, String>| -> Vec<String> {
        all.iter().filter(|(name, _)| name.ends_with(".safetensors")).map(|(_, hash)| hash.clone()).collect()
    };
    assert!(weights(&other).iter().all(|hash| !weights(&ours).contains(hash)));
}

#[test]
fn a_limit_marks_the_row_as_partial_and_reuses_training() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    copy(reference(), &run);
    let said = reproduce(TINY, &run, &["--limit", "5"]);
    assert!(said.err.contains("2 stages run, 5 taken as they were"), "{}", said.err);
    let table = said.succeeds();
    insta::assert_snapshot!("limit", rows(&table));
    assert!(table.contains("partial, 5 of 12 questions asked"), "{table}");
    // The whole result is still there.
    let again = reproduce(TINY, &run, &[]);
    assert!(again.err.contains("0 stages run"), "{}", again.err);
}

#[test]
fn parts_of_a_plan_stop_where_asked_and_say_so() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    let said = reproduce(TINY, &run, &["--until", "sft"]);
    assert!(
        said.err.contains("stopped as asked; still to do: grpo, data-held-out, after-sft, after-grpo ("),
        "{}",
        said.err
    );
    assert_eq!(said.succeeds(), "", "no table of an unfinished run");
    assert_eq!(json(&run.join("manifest.json"))["status"], "stopped");
    done(&run, "sft");
    assert!(stage(&run, "grpo", "").is_none() && stage(&run, "grpo", ".partial").is_none());
    let report = aqa(["report", run.to_str().unwrap()]).fails(2);
    assert!(report.contains("grpo") && report.contains("not finished"), "{report}");

    let part = |command: &str| {
        let mut args = arguments(TINY, &run, &[]);
        args[0] = command.to_owned();
        aqa(args)
    };
    let train = part("train");
    assert!(train.err.contains("1 stages run, 3 taken as they were"), "{}", train.err);
    assert_eq!(train.succeeds(), "");
    let eval = part("eval");
    assert!(eval.err.contains("3 stages run, 4 taken as they were"), "{}", eval.err);
    assert!(eval.succeeds().contains("| SFT + GRPO"));
    folder::same_results(&run, reference());

    let error = reproduce(TINY, &run, &["--until", "gropo"]).fails(2);
    assert!(error.contains("did you mean \"grpo\"?") && error.contains("after-sft"), "{error}");
    let recipe = "tests/inputs/tiny/clips.yaml";
    let error = aqa(["train", recipe, "--set", "data.dir=.", "--run-dir", dir.path().to_str().unwrap()]).fails(2);
    assert!(error.contains("no train stages"), "{error}");
}

#[test]
fn a_device_that_is_not_there_is_a_wrong_request() {
    let dir = tempdir().unwrap();
    for (device, says) in [("gpu", "cpu, cuda or cuda:N"), ("cuda:x", "cpu, cuda or cuda:N")] {
        let error = reproduce(TINY, &dir.path().join("run"), &["--device", device]).fails(2);
        assert!(error.contains(says), "{error}");
    }
    if tch::Cuda::is_available() {
        eprintln!("skipped in part a_device_that_is_not_there_is_a_wrong_request: this machine has CUDA");
        return;
    }
    let error = reproduce(TINY, &dir.path().join("run"), &["--device", "cuda"]).fails(2);
    assert!(error.contains("DEVICE=cuda make build") && error.contains("--device cpu"), "{error}");
    assert!(!dir.path().join("run").exists());
}

#[test]
fn two_runs_in_one_folder_do_not_mix() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    // A run under way holds the folder's lock.
    let first = folder::start(&arguments(TINY, &run, &[]));
    while stage(&run, "init", ".partial").is_none() && stage(&run, "init", "").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let lock = fs::File::open(run.join(".lock")).unwrap();
    assert!(matches!(lock.try_lock(), Err(fs::TryLockError::WouldBlock)));
    folder::finish(first).succeeds();
    // While somebody holds it no other run touches the folder; a run that is over, or was killed, holds nothing.
    lock.try_lock().unwrap();
    let error = reproduce(TINY, &run, &[]).fails(2);
    assert!(
        error.contains("another aqa-bench is working in this run folder") && error.contains("--run-dir"),
        "{error}"
    );
    drop(lock);
    reproduce(TINY, &run, &[]).succeeds();
    folder::same_results(&run, reference());
}

#[test]
fn nobody_listening_does_not_end_a_run() {
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    copy(reference(), &run);
    let args = arguments(TINY, &run, &["--limit", "2"]);
    let output = command(&args).stdout(Stdio::piped()).stderr(closed()).spawn().unwrap().wait_with_output().unwrap();
    assert!(said(&output).succeeds().contains("| SFT"));
    let output = command(&args).stdout(closed()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    said(&output).succeeds();
}
