//! Hand-made run folders: what `reproduce` leaves, small enough to check by hand.
#![allow(missing_docs, dead_code)]

use aqa_bench::artifact::jsonl::Appender;
use aqa_bench::artifact::write::{create_json, replace_json};
use aqa_bench::artifact::{
    EvalRecord, Expectation, Group, Hearing, Manifest, Provenance, RunFolder, SCHEMA, Sample, StageState, TrainedBy,
};
use aqa_bench::data::{Example, mmau};
use aqa_bench::pins::Sha256;
use aqa_bench::prompt::{self, ChatTemplate};
use aqa_bench::recipe::{PromptStyle, Rule};
use aqa_bench::score::{self, Judged, Verdict};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub const JANUARY: &str = "ed2fd6b6c24ebec1a5a496de5d767e7ebfe79556044d8f0d8bd00ad0cf02d623";
pub const MARCH: &str = "e8cc09223b497191781756212cb616315690aaa6ea7ac359db1b65d97d1e2433";
pub const AUGUST: &str = "9f18fda99f8dbc2bc5ecd6323fb5063309f54969810b5c6f1caeb3b8d904cf1c";

/// One evaluation: questions (MMAU rows) and what was said to each; `None` could not be put to the model.
pub struct Eval {
    pub name: &'static str,
    pub label: &'static str,
    pub trained: bool,
    pub policy: Option<TrainedBy>,
    pub format: &'static str,
    pub dataset: &'static str,
    pub sha256: Sha256,
    pub questions: u64,
    pub rows: Vec<Value>,
    pub said: Vec<Option<String>>,
}

/// A run.
pub struct Spec {
    pub recipe: &'static str,
    pub title: &'static str,
    pub evals: Vec<Eval>,
    pub claims: Vec<String>,
    pub expect: Vec<Expectation>,
    pub groups: Vec<Group>,
}

/// Twelve questions, four of each task, the answer at place `i % 3` of three options.
pub fn questions() -> Vec<Value> {
    let options = [["dog", "cat", "car horn"], ["piano", "violin", "drum"], ["two", "three", "it's one"]];
    let row = |i: usize| {
        let choices = options[i % 3];
        let answer = choices[i / 3 % 3];
        json!({
            "id": format!("q{i:02}"), "audio_id": format!("./audio/q{i:02}.wav"),
            "question": format!("Which one is it in clip {i}?"), "choices": choices, "answer": answer,
            "task": (["sound", "music", "speech"][i % 3]), "category": "Reasoning", "sub-category": "",
            "difficulty": (["easy", "hard"][i % 2]),
        })
    };
    (0..12).map(row).collect()
}

/// The right answer to the first `correct` questions in the order of `order`, then wrong ones.
pub fn said(rows: &[Value], correct: &[usize]) -> Vec<Option<String>> {
    let one = |(i, row): (usize, &Value)| {
        let answer = row["answer"].as_str().unwrap();
        let wrong =
            row["choices"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).find(|c| *c != answer).unwrap();
        Some(if correct.contains(&i) { answer } else { wrong }.to_owned())
    };
    rows.iter().enumerate().map(one).collect()
}

/// An evaluation over [`questions`] of the synthetic set.
pub fn synthetic(name: &'static str, label: &'static str, trained: bool, correct: &[usize]) -> Eval {
    let rows = questions();
    let said = said(&rows, correct);
    let sha256 = Sha256::of(b"held-out");
    let policy = None;
    Eval { name, label, trained, policy, format: "synthetic", dataset: "held-out", sha256, questions: 12, rows, said }
}

/// The quickstart in small: a start, SFT with one failure and one silence, GRPO.
pub fn quickstart() -> Spec {
    let mut sft = synthetic("sft", "SFT", true, &[0, 1, 3, 4, 6]);
    (sft.said[2], sft.said[5]) = (None, Some("…".into()));
    let evals = vec![
        synthetic("start", "Start", false, &[1]),
        sft,
        synthetic("grpo", "GRPO | G=8", true, &[0, 1, 2, 3, 4, 6, 7, 9, 10]),
    ];
    Spec {
        recipe: "quickstart",
        title: "Quickstart: a tiny policy learns to listen",
        evals,
        claims: vec![],
        expect: vec![],
        groups: vec![],
    }
}

/// A run on (what claims to be) a version of MMAU.
pub fn on_mmau(recipe: &'static str, label: &'static str, sha256: &str, correct: &[usize]) -> Spec {
    let mut eval = synthetic("grpo", label, true, correct);
    (eval.format, eval.dataset, eval.sha256) = ("mmau", "test-mini", Sha256::parse(sha256).unwrap());
    let expect = vec![Expectation { eval: "grpo".into(), claim: "paper-grpo-2".into(), expect: None }];
    Spec {
        recipe,
        title: "R1-AQA",
        evals: vec![eval],
        claims: vec!["r1-aqa-claims.json".into()],
        expect,
        groups: vec![],
    }
}

/// Writes the run folder and returns it.
pub fn write(at: PathBuf, spec: &Spec) -> PathBuf {
    let run = RunFolder::new(&at);
    let mut stages = vec![state("sft", "sft", true)];
    for eval in &spec.evals {
        stages.push(state(eval.name, "evaluate", true));
        write_eval(&run, eval);
    }
    stages.push(state("report", "report", false));
    let manifest = Manifest {
        recipe_file: format!("/srv/recipes/{}.yaml", spec.recipe),
        schema: SCHEMA,
        recipe: spec.recipe.into(),
        title: spec.title.into(),
        recipe_sha256: Sha256::of(spec.recipe.as_bytes()),
        overrides: vec![],
        status: "running".into(),
        stages,
        provenance: Provenance {
            version: "0.1.0".into(),
            commit: "0123456789abcdef0123456789abcdef01234567".into(),
            argv: ["/opt/bin/aqa-bench", "reproduce", "recipes/a b.yaml", "--run-dir", "/srv/runs/x"]
                .map(str::to_owned)
                .into(),
            libtorch: "2.11.0".into(),
            device: "cpu".into(),
            threads: 2,
        },
        claims: spec.claims.clone(),
        expect: spec.expect.clone(),
        groups: spec.groups.clone(),
    };
    create_json(&run.manifest(), &manifest).unwrap();
    at
}

fn state(name: &str, kind: &str, done: bool) -> StageState {
    let fingerprint = Sha256::of(name.as_bytes());
    let folder = RunFolder::stage_name(name, &fingerprint);
    StageState { name: name.into(), kind: kind.into(), fingerprint, folder, done }
}

fn write_eval(run: &RunFolder, eval: &Eval) {
    let at = run.stage(eval.name, &Sha256::of(eval.name.as_bytes()));
    let template = ChatTemplate::qwen2_audio().unwrap();
    let bytes = serde_json::to_vec(&eval.rows).unwrap();
    let examples = mmau::from_slice(&bytes, "questions", Path::new("")).unwrap();
    let mut predictions = eval.rows.clone();
    let mut judged: Vec<(&Example, Verdict)> = Vec::new();
    let mut samples = Appender::open(&at.samples()).unwrap();
    for ((row, example), said) in predictions.iter_mut().zip(&examples).zip(&eval.said) {
        row["model_prediction"] = said.clone().unwrap_or_default().into();
        let verdict = said.as_ref().map_or(Verdict::Failed, |text| {
            score::judge(Rule::Official, example.answer.as_ref().unwrap(), text, &example.choices)
        });
        judged.push((example, verdict));
        let rendered = template.render(&prompt::text(PromptStyle::R1Aqa2, example), 1).unwrap();
        let record = Sample {
            id: example.id.clone(),
            prompt_sha256: said.as_ref().map(|_| Sha256::of(rendered.as_bytes()).to_string()).unwrap_or_default(),
            output: said.clone().unwrap_or_default(),
            answer: said.clone().unwrap_or_default(),
            tokens: 3,
            truncated: false,
            cropped: false,
            damage: String::new(),
            verdict: Some(verdict),
            error: said.is_none().then(|| "no such clip".into()),
        };
        samples.append(&record).unwrap();
    }
    samples.finish().unwrap();
    let rows = judged.iter().map(|(e, verdict)| Judged {
        task: &e.task,
        difficulty: &e.difficulty,
        sub_category: &e.sub_category,
        verdict: *verdict,
    });
    create_json(&at.score(), &score::score_rows(Rule::Official, rows, 0)).unwrap();
    create_json(&at.predictions(), &predictions).unwrap();
    let record = EvalRecord {
        system: None,
        packed: None,
        schema: SCHEMA,
        name: eval.name.into(),
        label: eval.label.into(),
        policy: eval.policy.clone(),
        trained: eval.trained,
        dataset_format: eval.format.into(),
        dataset: eval.dataset.into(),
        dataset_sha256: eval.sha256.clone(),
        asked: eval.rows.len() as u64,
        questions: eval.questions,
        prompt: "r1-aqa-2".into(),
        decoding: "greedy, 16 new tokens".into(),
        extract: if eval.name == "start" { String::new() } else { "answer-tag".into() },
        rule: "official".into(),
        cropped: 1,
        truncated: 0,
        damaged: 0,
        hearing: hearing(eval.name),
        file: None,
        withheld: None,
    };
    create_json(&at.eval(), &record).unwrap();
}

/// One policy hears, one does not, of the others nothing is known.
fn hearing(name: &str) -> Option<Hearing> {
    let found = |silence, shuffled| Hearing { clips: 4, silence, shuffled, audio_tokens: 1000, audio_embeddings: 1000 };
    match name {
        "sft" => Some(found(0.1234, 0.0456)),
        "grpo" => Some(found(0.0, 0.0)),
        _ => None,
    }
}

/// Changes a JSON file in place.
pub fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut value);
    replace_json(path, &value).unwrap();
}
