//! Clips that are missing, damaged or no clips: counted where a row is measured, refused where a policy would be trained on less
//! than the recipe says.

use crate::folder::{TINY, copy, done, json, lines, reference, reproduce, rows, stage};
use crate::program::{Said, aqa};
use crate::report_runs::questions;
use aqa_bench::pins::Sha256;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::{TempDir, tempdir};

const TRAIN: &str = r#"
train:
  - name: sft
    method: sft
    from: model
    data: clips
    prompt: r1-aqa-2
    steps: 1
    questions_per_step: 2
    optimizer: {learning_rate: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0}
    schedule: {shape: constant, warmup_steps: 0}
    order: {seed: 42}
"#;

/// Twelve questions in MMAU's format and a folder of clips, and a recipe that pins them.
struct World {
    dir: TempDir,
}

impl World {
    /// All clips are there and sound; `rest` is put at the end of the recipe.
    fn new(rest: &str) -> Self {
        let dir = tempdir().unwrap();
        fs::create_dir(dir.path().join("audios")).unwrap();
        let world = Self { dir };
        for i in 0..12 {
            fs::copy("tests/parity/model/clips/half.wav", world.clip(i)).unwrap();
        }
        world.ask(&questions());
        let text = fs::read_to_string("tests/inputs/tiny/clips.yaml").unwrap();
        let sha256 = Sha256::of_file(&world.at("questions.json")).unwrap().to_string();
        fs::write(world.at("recipe.yaml"), text.replace(&"0".repeat(64), &sha256) + rest).unwrap();
        world
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn clip(&self, i: usize) -> std::path::PathBuf {
        self.at(&format!("audios/q{i:02}.wav"))
    }

    fn ask(&self, rows: &[Value]) {
        fs::write(self.at("questions.json"), serde_json::to_vec(rows).unwrap()).unwrap();
    }

    fn reproduce(&self, more: &[&str]) -> Said {
        let dir = format!("data.dir={}", self.dir.path().display());
        let more: Vec<&str> = ["--set", &dir].into_iter().chain(more.iter().copied()).collect();
        reproduce(self.at("recipe.yaml").to_str().unwrap(), &self.at("run"), &more)
    }
}

/// 16-bit mono WAV of silence at 16 kHz.
fn wav(seconds: u32) -> Vec<u8> {
    let bytes = seconds * 32_000;
    let mut out = b"RIFF".to_vec();
    out.extend((36 + bytes).to_le_bytes());
    out.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    out.extend(16_000u32.to_le_bytes());
    out.extend(32_000u32.to_le_bytes());
    out.extend(b"\x02\0\x10\0data");
    out.extend(bytes.to_le_bytes());
    out.resize(out.len() + bytes as usize, 0);
    out
}

#[test]
fn clips_that_cannot_be_heard_are_counted_and_the_run_goes_on() {
    let world = World::new("");
    let whole = fs::read(world.clip(0)).unwrap();
    fs::remove_file(world.clip(1)).unwrap();
    fs::write(world.clip(2), &whole[..30]).unwrap();
    fs::write(world.clip(3), "").unwrap();
    fs::write(world.clip(4), "this is no audio").unwrap();
    fs::write(world.clip(5), "<html>404</html>").unwrap();
    fs::copy("tests/parity/audio/clips/odd-truncated.wav", world.clip(6)).unwrap();
    fs::copy("tests/parity/audio/clips/mp3-44100-2ch.wav", world.clip(7)).unwrap();
    fs::remove_file(world.clip(8)).unwrap();
    fs::create_dir(world.clip(8)).unwrap();
    fs::write(world.clip(9), wav(0)).unwrap();
    fs::write(world.clip(10), wav(31)).unwrap();

    let table = world.reproduce(&[]).succeeds();
    let folder = done(&world.at("run"), "clips");
    let samples = lines(&folder.join("samples.jsonl"));
    let mut told = String::new();
    for sample in &samples {
        let (verdict, error) = (sample["verdict"].as_str().unwrap(), sample["error"].as_str().unwrap_or("-"));
        assert_eq!(verdict == "failed", error != "-", "{sample}");
        // What an untrained policy says is no business of this test.
        let verdict = if verdict == "failed" { verdict } else { "heard" };
        let damage = sample["damage"].as_str().unwrap_or("");
        let cropped = if sample["cropped"] == true { "cropped" } else { "" };
        told += &format!("{} {verdict} {error} {damage}{cropped}\n", sample["id"].as_str().unwrap());
    }
    insta::assert_snapshot!("clips", crate::program::redact(&told, world.dir.path()));

    let score = json(&folder.join("score.json"));
    assert_eq!((&score["ledger"]["failed"], &score["total"]), (&7.into(), &12.into()));
    let record = json(&folder.join("eval.json"));
    assert_eq!((&record["cropped"], &record["damaged"], &record["asked"]), (&1.into(), &1.into(), &12.into()));
    // In the table: 7 failed, 1 cropped. In the predictions: every row, so that the official script counts them as wrong.
    let row = rows(&table).lines().find(|l| l.contains("Untrained")).unwrap().to_owned();
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    assert_eq!(cells[cells.len() - 4..cells.len() - 2], ["7", "1"], "{row}");
    let predictions = json(&folder.join("predictions.json"));
    let silent = predictions.as_array().unwrap().iter().filter(|r| r["model_prediction"] == "").count();
    assert!(predictions.as_array().unwrap().len() == 12 && silent >= 7, "{predictions}");
    let official = aqa(["score", folder.join("predictions.json").to_str().unwrap(), "--format", "json"]).succeeds();
    let official: Value = serde_json::from_str(&official).unwrap();
    assert_eq!((&official["total"], &official["correct"]), (&score["total"], &score["correct"]));
}

#[test]
fn a_clip_that_is_there_when_the_run_goes_on_is_asked_again_and_counted_once() {
    let (whole, gap) = (World::new(""), World::new(""));
    whole.reproduce(&[]).succeeds();
    let clip = fs::read(gap.clip(1)).unwrap();
    fs::remove_file(gap.clip(1)).unwrap();
    gap.reproduce(&[]).succeeds();
    // As if the run had been killed after five samples, and the clip put there since.
    let run = gap.at("run");
    let folder = done(&run, "clips");
    let partial = folder.with_file_name(format!("{}.partial", folder.file_name().unwrap().to_str().unwrap()));
    fs::rename(&folder, &partial).unwrap();
    let text = fs::read_to_string(partial.join("samples.jsonl")).unwrap();
    assert!(text.lines().nth(1).unwrap().contains("\"verdict\":\"failed\""));
    let five: String = text.lines().take(5).map(|l| format!("{l}\n")).collect();
    fs::write(partial.join("samples.jsonl"), five).unwrap();
    fs::write(gap.clip(1), clip).unwrap();
    gap.reproduce(&[]).succeeds();
    for file in ["samples.jsonl", "predictions.json", "score.json", "eval.json"] {
        let read = |world: &World| fs::read_to_string(done(&world.at("run"), "clips").join(file)).unwrap();
        assert_eq!(read(&gap), read(&whole), "{file}");
    }
}

/// Nothing of a run was computed.
#[track_caller]
fn nothing_computed(run: &Path) {
    for name in ["init", "sft", "clips"] {
        for ending in ["", ".partial"] {
            assert!(stage(run, name, ending).is_none(), "{name}{ending} is there");
        }
    }
}

#[test]
fn training_leaves_no_clip_out() {
    let world = World::new(TRAIN);
    fs::remove_file(world.clip(3)).unwrap();
    fs::remove_file(world.clip(7)).unwrap();
    let error = world.reproduce(&[]).fails(4);
    assert!(error.contains("2 of 12 clips are missing") && error.contains("q03.wav"), "{error}");
    nothing_computed(&world.at("run"));
    // A clip that is there and cannot be decoded is found when its turn comes: named, and nothing else is lost.
    let whole = fs::read(world.clip(0)).unwrap();
    for i in 0..12 {
        fs::write(world.clip(i), "no audio").unwrap();
    }
    let error = world.reproduce(&[]).fails(4);
    assert!(error.contains("stage sft") && error.contains("question q") && error.contains(".wav"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    done(&world.at("run"), "init");
    for i in 0..12 {
        fs::write(world.clip(i), &whole).unwrap();
    }
    world.reproduce(&[]).succeeds();
}

#[test]
fn withheld_answers_are_no_score() {
    let world = World::new("");
    let mut rows = questions();
    rows[4]["answer"] = "".into();
    world.ask(&rows);
    let pin = format!("data.sets.clips.sha256={}", Sha256::of_file(&world.at("questions.json")).unwrap());
    let error = world.reproduce(&["--set", &pin]).fails(4);
    assert!(error.contains("withheld") && error.contains("q04"), "{error}");
    nothing_computed(&world.at("run"));
    // The first four have answers.
    world.reproduce(&["--set", &pin, "--limit", "4"]).succeeds();
}

/// Where nobody outside can score, the predictions are what is wanted: whole, with the failures counted.
#[test]
fn answers_that_are_all_withheld_leave_predictions_to_hand_in() {
    let world = World::new("");
    let mut rows = questions();
    rows.iter_mut().for_each(|row| row["answer"] = "".into());
    world.ask(&rows);
    fs::remove_file(world.clip(3)).unwrap();
    let pin = format!("data.sets.clips.sha256={}", Sha256::of_file(&world.at("questions.json")).unwrap());
    let said = world.reproduce(&["--set", &pin]);
    assert!(said.err.contains("12 predictions written; the answers are withheld"), "{}", said.err);
    let table = said.succeeds();
    assert!(table.contains("| withheld") && table.contains("and 1 failed: whole, to be handed in"), "{table}");
    let clips = done(&world.at("run"), "clips");
    assert!(!clips.join("score.json").exists());
    let text = fs::read_to_string(clips.join("predictions.json")).unwrap();
    let predictions: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(predictions.as_array().unwrap().len(), 12);
    assert_eq!(predictions[3]["model_prediction"], "");
}

#[test]
fn another_questions_file_is_refused_before_anything_is_computed() {
    let world = World::new("");
    let pinned = Sha256::of_file(&world.at("questions.json")).unwrap().to_string();
    world.ask(&questions()[..11]);
    let found = Sha256::of_file(&world.at("questions.json")).unwrap().to_string();
    let error = world.reproduce(&[]).fails(4);
    assert!(error.contains(&pinned) && error.contains(&found) && error.contains("questions.json"), "{error}");
    nothing_computed(&world.at("run"));
    assert!(!world.at("run").exists());

    // The right hash of a file that is no questions file.
    fs::write(world.at("questions.json"), "[{\"id\": 1}]").unwrap();
    let pin = format!("data.sets.clips.sha256={}", Sha256::of_file(&world.at("questions.json")).unwrap());
    let error = world.reproduce(&["--set", &pin]).fails(2);
    assert!(error.contains("questions.json: row 0") && error.contains("choices"), "{error}");
    nothing_computed(&world.at("run"));
}

#[test]
fn questions_that_the_program_made_and_someone_changed_are_refused() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    copy(reference(), &run);
    let made = done(&run, "data-held-out");
    let file = made.join("questions.json");
    let text = fs::read_to_string(&file).unwrap();
    let pinned = Sha256::of(text.as_bytes()).to_string();
    fs::write(&file, text.replacen("\"answer\": \"", "\"answer\": \"x", 1)).unwrap();
    let found = Sha256::of_file(&file).unwrap().to_string();
    let error = reproduce(TINY, &run, &["--limit", "3"]).fails(4);
    assert!(error.contains(&pinned) && error.contains(&found) && error.contains("to make it again"), "{error}");
    fs::remove_dir_all(&made).unwrap();
    reproduce(TINY, &run, &["--limit", "3"]).succeeds();
}

#[test]
fn a_generator_that_makes_other_questions_than_pinned_is_told() {
    let dir = tempdir().unwrap();
    let zeros = "0".repeat(64);
    let set = format!("data.sets.questions.sha256={zeros}");
    let error = reproduce(TINY, &dir.path().join("run"), &["--set", &set]).fails(4);
    let made = Sha256::of_file(&done(reference(), "data-questions").join("questions.json")).unwrap().to_string();
    assert!(error.contains(&zeros) && error.contains(&format!("--set data.sets.questions.sha256={made}")), "{error}");
}

const CLAIM: &str = r#"
report:
  claims: [own.json]
  expect: [{eval: clips, claim: CLAIM}]
"#;

#[test]
fn claims_of_ones_own_are_kept_with_the_run_and_checked_first() {
    let world = World::new(&CLAIM.replace("CLAIM", "paper-grpo-3"));
    let error = world.reproduce(&[]).fails(2);
    assert!(error.contains("claims own.json") && error.contains("not shipped"), "{error}");
    nothing_computed(&world.at("run"));

    // The shipped claims under another name, as measured on the questions of this test.
    let mut claims = json(Path::new("recipes/data/r1-aqa-claims.json"));
    let sha256 = Sha256::of_file(&world.at("questions.json")).unwrap().to_string();
    claims["versions"]["test-mini"] = vec![sha256].into();
    fs::write(world.at("own.json"), claims.to_string()).unwrap();
    let table = world.reproduce(&[]).succeeds();
    assert!(table.contains("`own.json`") && table.contains("Held against claims"), "{table}");
    // The run is whole by itself: the report needs neither the recipe nor its file.
    fs::remove_file(world.at("own.json")).unwrap();
    assert_eq!(aqa(["report", world.at("run").to_str().unwrap()]).succeeds(), table);

    let world = World::new(&CLAIM.replace("CLAIM", "paper-grpo-9"));
    fs::write(world.at("own.json"), claims.to_string()).unwrap();
    let error = world.reproduce(&[]).fails(2);
    assert!(error.contains("\"paper-grpo-9\" (did you mean paper-grpo-"), "{error}");
    nothing_computed(&world.at("run"));
}
