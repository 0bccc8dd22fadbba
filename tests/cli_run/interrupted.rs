//! Runs that are killed: whatever the moment, the same call goes on and ends with the same bytes.

use crate::folder::{
    TINY, arguments, copy, done, json, kill_when, lines, reference, reproduce, results, same_results, stage,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// A stage, and whether it has come so far; true from then on, since on a busy machine the moment itself may pass unseen.
type Moment<'a> = (&'static str, Box<dyn Fn() -> bool + 'a>);

/// The moments at which the run is killed, in the order in which they come.
fn moments(run: &Path) -> Vec<Moment<'_>> {
    // One of these is there in the folder of a stage under way.
    let begun = move |name: &'static str, inside: &'static [&'static str]| -> Moment<'_> {
        let there = move |folder: PathBuf| inside.iter().any(|file| folder.join(file).exists());
        (name, Box::new(move || stage(run, name, "").is_some() || stage(run, name, ".partial").is_some_and(there)))
    };
    let lines = move |name: &'static str, file: &'static str, least: usize| -> Moment<'_> {
        let count = move |folder: PathBuf| fs::read_to_string(folder.join(file)).map_or(0, |t| t.matches('\n').count());
        let so_far = move || stage(run, name, ".partial").map_or(0, count) >= least;
        (name, Box::new(move || stage(run, name, "").is_some() || so_far()))
    };
    vec![
        begun("init", &[""]),
        begun("data-questions", &["audios"]),
        begun("sft", &[""]),
        lines("sft", "metrics.jsonl", 1),
        begun("sft", &["checkpoint-1/trainer", "checkpoint-2"]),
        begun("sft", &["checkpoint-2.partial", "checkpoint-2"]),
        lines("sft", "metrics.jsonl", 3),
        lines("grpo", "metrics.jsonl", 1),
        begun("grpo", &["checkpoint-2/trainer", "checkpoint-3"]),
        begun("data-held-out", &["audios"]),
        lines("after-sft", "samples.jsonl", 1),
        lines("after-sft", "samples.jsonl", 7),
        lines("after-grpo", "samples.jsonl", 3),
    ]
}

#[test]
fn a_run_killed_anywhere_ends_as_an_undisturbed_one() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    let args = arguments(TINY, &run, &[]);
    // Some of these are over within a millisecond: a kill may come a little late, but most must hit the stage itself.
    let mut inside = 0;
    let moments = moments(&run);
    for (name, when) in &moments {
        if !kill_when(&args, when) {
            break;
        }
        inside += usize::from(stage(&run, name, ".partial").is_some());
        if run.join("manifest.json").exists() {
            assert_ne!(json(&run.join("manifest.json"))["status"], "done");
        }
    }
    assert!(inside >= 7, "only {inside} of {} kills came while their stage was under way", moments.len());
    reproduce(TINY, &run, &[]).succeeds();
    same_results(&run, reference());
}

/// A run killed in a stage when it holds `has` and not yet `not`. On a busy machine the moment can be missed: then once more.
pub fn killed_between(run: &Path, more: &[&str], name: &str, has: &str, not: &str) -> PathBuf {
    for _ in 0..5 {
        let at = || stage(run, name, ".partial").is_some_and(|folder| folder.join(has).exists());
        let killed = kill_when(&arguments(TINY, run, more), at);
        match stage(run, name, ".partial") {
            Some(folder) if killed && !folder.join(not).exists() => return folder,
            _ => fs::remove_dir_all(run).unwrap(),
        }
    }
    panic!("five times {name} was killed too late: it should hold {has} and not {not}");
}

#[test]
fn a_run_killed_after_any_time_ends_as_an_undisturbed_one() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    let args = arguments(TINY, &run, &[]);
    let mut kills = 0;
    // Each attempt gets a little longer than the one before, so that the whole run is walked through in steps.
    for attempt in 1..40 {
        let end = Instant::now() + Duration::from_millis(120 * attempt);
        if !kill_when(&args, || Instant::now() >= end) {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 3, "killed only {kills} times");
    reproduce(TINY, &run, &[]).succeeds();
    same_results(&run, reference());
}

/// The checkpoint that a resume starts from is dropped on the way; what it held must reach the ones after it.
#[test]
fn a_resume_outlives_the_checkpoint_it_started_from() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    let more = ["--set", "train.sft.checkpoint_every=4", "--until", "sft"];
    killed_between(&run, &more, "sft", "checkpoint-1/trainer", "checkpoint-3");
    reproduce(TINY, &run, &more).succeeds();
    let files = |run: &Path| -> Vec<(String, String)> {
        let all = results(&done(run, "sft")).into_iter();
        all.filter(|(name, _)| name.starts_with("checkpoint-4/") || name == "metrics.jsonl").collect()
    };
    assert!(files(reference()).len() > 10);
    assert_eq!(files(&run), files(reference()));
}

/// A copy of the reference in which a stage is under way again, and what comes after it is not there.
fn back_to(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    let run = dir.join(name);
    copy(reference(), &run);
    for later in ["grpo", "after-sft", "after-grpo"].iter().skip_while(|later| **later != name).skip(1) {
        fs::remove_dir_all(done(&run, later)).unwrap();
    }
    let whole = done(&run, name);
    let partial = whole.with_file_name(format!("{}.partial", whole.file_name().unwrap().to_str().unwrap()));
    fs::rename(&whole, &partial).unwrap();
    (run, partial)
}

#[test]
fn samples_cut_at_any_byte_are_completed_and_the_whole_ones_kept() {
    let dir = tempdir().unwrap();
    let (run, partial) = back_to(dir.path(), "after-grpo");
    let file = partial.join("samples.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let partial_again = |cut: usize| {
        if !partial.exists() {
            fs::rename(done(&run, "after-grpo"), &partial).unwrap();
        }
        for file in ["predictions.json", "score.json", "eval.json"] {
            let _ = fs::remove_file(partial.join(file));
        }
        fs::write(&file, &text[..cut]).unwrap();
    };
    // In the middle of a line, between lines inside a batch, before a newline, in the first line, nothing at all.
    for cut in [ends[4] + 30, ends[4] + 1, ends[5], ends[0] - 5, 0] {
        partial_again(cut);
        reproduce(TINY, &run, &[]).succeeds();
        same_results(&run, reference());
    }
    // A sample that is there is not asked again: a mark in it survives.
    partial_again(ends[3] + 1);
    let marked = fs::read_to_string(&file).unwrap().replacen("\"error\":null", "\"error\":\"kept\"", 1);
    fs::write(&file, marked).unwrap();
    reproduce(TINY, &run, &[]).succeeds();
    let samples = lines(&done(&run, "after-grpo").join("samples.jsonl"));
    assert_eq!((samples.len(), samples[0]["error"].as_str()), (12, Some("kept")));

    // A line that no kill leaves is not thrown away in silence.
    partial_again(text.len());
    fs::write(&file, text.replacen("{\"id\"", "{\"di\"", 1)).unwrap();
    let error = reproduce(TINY, &run, &[]).fails(4);
    assert!(error.contains("samples.jsonl:1: not a whole record") && error.contains("move it away"), "{error}");
}

#[test]
fn training_goes_on_from_its_newest_checkpoint_and_logs_each_step_once() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    let partial = killed_between(&run, &[], "grpo", "checkpoint-2/trainer", "checkpoint-3");

    // Marks in the first two steps survive: they are not done again. The third was logged and is not in a checkpoint: done again,
    // logged once; the half line is dropped.
    let log = partial.join("metrics.jsonl");
    let mut steps = lines(&log);
    steps.truncate(2);
    steps.push(steps[1].clone());
    steps[2]["step"] = 3.into();
    let text: String = steps.iter_mut().map(|s| (s["seconds"] = 777.0.into(), format!("{s}\n")).1).collect();
    fs::write(&log, text + "{\"step\":4,\"lo").unwrap();
    // What a kill between two moves of the same moment leaves: the older checkpoint, and a half-written one.
    copy(&partial.join("checkpoint-2"), &partial.join("checkpoint-1"));
    fs::create_dir_all(partial.join("checkpoint-3.partial/trainer")).unwrap();
    fs::write(partial.join("checkpoint-3.partial/model-00001-of-00001.safetensors"), "half").unwrap();

    reproduce(TINY, &run, &[]).succeeds();
    let steps = lines(&done(&run, "grpo").join("metrics.jsonl"));
    let seen: Vec<(u64, bool)> = steps.iter().map(|s| (s["step"].as_u64().unwrap(), s["seconds"] == 777.0)).collect();
    assert_eq!(seen, [(1, true), (2, true), (3, false)]);
    same_results(&run, reference());
}

#[test]
fn a_stage_that_was_all_but_finished_is_not_run_again() {
    let dir = tempdir().unwrap();
    for name in ["grpo", "after-sft", "after-grpo"] {
        let (run, partial) = back_to(dir.path(), name);
        if name == "grpo" {
            // Killed after its last checkpoint, before the one that only a resume needs was dropped.
            copy(&partial.join("checkpoint-3"), &partial.join("checkpoint-2"));
        }
        reproduce(TINY, &run, &[]).succeeds();
        assert_eq!(results(&run).len(), results(reference()).len(), "{name}");
        same_results(&run, reference());
    }
}

#[test]
fn a_broken_resume_state_is_an_error_and_not_a_silent_restart() {
    let dir = tempdir().unwrap();
    let (run, partial) = back_to(dir.path(), "grpo");
    let state = partial.join("checkpoint-3/trainer/optimizer.safetensors");
    let whole = fs::read(&state).unwrap();
    fs::write(&state, &whole[..whole.len() / 2]).unwrap();
    let error = reproduce(TINY, &run, &[]).fails(4);
    assert!(error.contains("optimizer.safetensors") && error.contains("whole safetensors file"), "{error}");
    assert_eq!(json(&run.join("manifest.json"))["status"], "stopped");
    // The way out that the message names.
    fs::remove_dir_all(partial.join("checkpoint-3")).unwrap();
    reproduce(TINY, &run, &[]).succeeds();
    same_results(&run, reference());
}
