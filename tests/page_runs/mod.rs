//! Runs with everything that a page shows: training logs, checkpoints, clips, many questions, answers that look like markup.
#![allow(missing_docs, dead_code)]

use crate::report_runs::{Eval, Spec, edit, write};
use aqa_bench::artifact::jsonl::Appender;
use aqa_bench::artifact::{RunFolder, Step, TrainedBy};
use aqa_bench::pins::Sha256;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A model's output that would take over a page that believed it.
pub const HOSTILE: &str =
    "</script><img src=x onerror=\"window.hacked=1\"><svg onload=window.hacked=1> & \"quotes\" `ticks` {{ 1 }}";

const TASKS: [&str; 3] = ["sound", "music", "speech"];
const SUBS: [&str; 9] = [
    "Acoustic Source Inference",
    "Ambient Sound Interpretation",
    "Temporal Event Reasoning",
    "Instrumentation",
    "Melodic Structure Interpretation",
    "Rhythm and Tempo Understanding",
    "Conversational Fact Retrieval",
    "Emotion State summarisation",
    "Phonemic Stress Pattern Analysis",
];

/// Numbers that look random and are the same everywhere: 0 to 999.
pub fn draw(seed: usize, i: usize) -> u64 {
    let mut x = (seed as u64) << 32 | i as u64;
    for _ in 0..3 {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(0x9e37_79b9);
        x ^= x >> 27;
    }
    (x >> 20) % 1000
}

/// So many questions in nine sub-categories.
pub fn questions(count: usize) -> Vec<Value> {
    let row = |i: usize| {
        let sub = draw(1, i) as usize % SUBS.len();
        let choices = ["a dog", "two cats", "car horn", "thunder"];
        json!({
            "id": format!("held-out-{i:04}"), "audio_id": format!("./audios/held-out-{i:04}.wav"),
            "question": format!("What is heard first in clip {i}, before the second sound begins?"),
            "choices": choices, "answer": choices[draw(2, i) as usize % 4], "task": TASKS[sub / 3], "category": "Reasoning",
            "sub-category": SUBS[sub], "difficulty": (["easy", "medium", "hard"][draw(3, i) as usize % 3]),
        })
    };
    (0..count).map(row).collect()
}

/// An evaluation of these questions, of which so many in a thousand are answered correctly; question 7 with markup, question 8 failed, question
/// 9 with nothing.
fn eval(name: &'static str, label: &'static str, rows: &[Value], seed: usize, permille: u64) -> Eval {
    let said = |(i, row): (usize, &Value)| {
        let answer = row["answer"].as_str().unwrap();
        let wrong =
            row["choices"].as_array().unwrap().iter().filter_map(|c| c.as_str()).find(|c| *c != answer).unwrap();
        match i {
            7 => Some(HOSTILE.to_owned()),
            8 => None,
            9 => Some("…".into()),
            // Half of it hangs on the question, so that evaluations agree more than by chance.
            _ if (draw(5, i) + draw(seed, i)) / 2 < permille => Some(answer.to_owned()),
            _ => Some(wrong.to_owned()),
        }
    };
    Eval {
        name,
        label,
        trained: true,
        policy: None,
        format: "synthetic",
        dataset: "held-out",
        sha256: Sha256::of(&questions_file(rows)),
        questions: rows.len() as u64,
        said: rows.iter().enumerate().map(said).collect(),
        rows: rows.to_vec(),
    }
}

fn questions_file(rows: &[Value]) -> Vec<u8> {
    serde_json::to_vec(rows).unwrap()
}

/// A run of `count` questions: SFT, then GRPO with three checkpoints, each evaluated; logs of both; a clip for every question but the third.
pub fn run(at: PathBuf, count: usize) -> PathBuf {
    let rows = questions(count);
    let mut evals = vec![eval("sft", "SFT", &rows, 11, 460)];
    for (name, label, step, permille) in [
        ("grpo-80", "GRPO, 80 steps", 80, 530),
        ("grpo-160", "GRPO, 160 steps", 160, 590),
        ("grpo", "GRPO <G = 8>", 240, 640),
    ] {
        let policy = Some(TrainedBy { stage: "grpo".into(), step });
        evals.push(Eval { policy, ..eval(name, label, &rows, 12 + step as usize, permille) });
    }
    let spec = Spec {
        recipe: "quickstart",
        title: "Quickstart: a tiny policy learns to <listen> & answer",
        evals,
        claims: vec![],
        expect: vec![],
        groups: vec![],
    };
    let run = write(at, &spec);
    let folder = RunFolder::new(&run);
    let stage = |name: &str, kind: &str| {
        let fingerprint = Sha256::of(kind.as_bytes());
        (
            folder.stage(name, &fingerprint),
            json!({
                "name": name, "kind": kind, "fingerprint": fingerprint.as_str(), "folder": RunFolder::stage_name(name, &fingerprint), "done": true
            }),
        )
    };
    let (data, data_state) = stage("data-held-out", "data");
    let (grpo, grpo_state) = stage("grpo-training", "grpo");
    edit(&folder.manifest(), |m| {
        let stages = m["stages"].as_array_mut().unwrap();
        stages.insert(0, data_state);
        stages.insert(2, grpo_state);
    });
    fs::create_dir_all(data.root().join("audios")).unwrap();
    fs::write(data.root().join("questions.json"), questions_file(&rows)).unwrap();
    for (i, row) in rows.iter().enumerate().filter(|(i, _)| *i != 2) {
        let name = row["audio_id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        fs::write(data.root().join("audios").join(name), tone(200.0 + i as f64)).unwrap();
    }
    log(&folder.stage("sft", &Sha256::of(b"sft")).metrics(), 30, sft);
    log(&grpo.metrics(), 240, reinforced);
    run
}

/// Another run on the same questions: one evaluation, whose label the first run has too.
pub fn other(at: PathBuf, count: usize) -> PathBuf {
    let rows = questions(count);
    let spec = Spec {
        recipe: "elsewhere",
        title: "Elsewhere",
        evals: vec![eval("sft", "SFT", &rows, 99, 500)],
        claims: vec![],
        expect: vec![],
        groups: vec![],
    };
    let run = write(at, &spec);
    edit(&run.join("manifest.json"), |m| m["stages"].as_array_mut().unwrap().retain(|s| s["kind"] != "sft"));
    run
}

fn log(path: &Path, steps: u64, step: fn(u64) -> Step) {
    let mut log = Appender::open(path).unwrap();
    (1..=steps).for_each(|i| log.append(&step(i)).unwrap());
    log.finish().unwrap();
}

fn wave(seed: usize, i: u64) -> f64 {
    draw(seed, i as usize) as f64 / 1000.0
}

/// Step 17 of SFT has no finite loss.
fn sft(i: u64) -> Step {
    let loss = if i == 17 { f64::NAN } else { 2.4 * 0.93f64.powi(i as i32) + 0.1 * wave(21, i) };
    Step { step: i, loss, grad_norm: 1.0 + wave(22, i), entropy: 1.2 * 0.95f64.powi(i as i32), ..Step::default() }
}

fn reinforced(i: u64) -> Step {
    let learnt = 1.0 - 0.985f64.powi(i as i32);
    let (accuracy, format) = (0.4 + 0.35 * learnt + 0.2 * (wave(31, i) - 0.5), 0.8 + 0.2 * learnt * wave(32, i).sqrt());
    Step {
        step: i,
        loss: 0.01 * wave(33, i),
        grad_norm: 0.6 + 1.5 * wave(34, i),
        entropy: 0.9 - 0.5 * learnt,
        reward: Some(accuracy + format),
        reward_accuracy: Some(accuracy),
        reward_format: Some(format),
        kl: Some(0.25 * learnt * (0.7 + 0.6 * wave(35, i))),
        completion_length: Some(6.0 + 2.0 * learnt + 0.5 * wave(36, i)),
        completion_length_min: Some(4),
        completion_length_max: Some(8 + draw(37, i as usize) % 4),
        ..Step::default()
    }
}

/// A fifth of a second of a tone: 16-bit PCM, one channel, 8 kHz.
fn tone(hertz: f64) -> Vec<u8> {
    let samples: Vec<i16> =
        (0..1600).map(|i| (8000.0 * (std::f64::consts::TAU * hertz * f64::from(i) / 8000.0).sin()) as i16).collect();
    let bytes = 2 * samples.len() as u32;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    for half in [1u16, 1] {
        wav.extend(half.to_le_bytes());
    }
    wav.extend(8000u32.to_le_bytes());
    wav.extend(16000u32.to_le_bytes());
    for half in [2u16, 16] {
        wav.extend(half.to_le_bytes());
    }
    wav.extend(b"data");
    wav.extend(bytes.to_le_bytes());
    wav.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
    wav
}
