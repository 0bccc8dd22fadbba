//! One predictions file by several rules on several versions: the counts against counting by hand, and against the real files' known ones.

mod program;

use aqa_bench::recipe::Rule;
use aqa_bench::score::{Matrix, Which, matrix};
use program::{aqa, redact, shared};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

fn question(i: usize) -> Value {
    let task = ["sound", "music"][i % 2];
    json!({
        "id": format!("q{i}"), "audio_id": format!("q{i}.wav"), "question": format!("What is in clip {i}?"),
        "choices": ["a dog", "a cat", "rain"], "answer": "a dog", "task": task, "category": "c", "sub-category": "s",
        "difficulty": "easy",
    })
}

/// Questions of a later version: 0 and 1 are gone, 2 has another question, 3 other options, 4 another answer, 9 and 10 are new.
fn later() -> Vec<Value> {
    let mut rows: Vec<Value> = (2..11).map(question).collect();
    rows[0]["question"] = json!("Which animal?");
    rows[1]["choices"] = json!(["a dog", "a cat", "wind"]);
    rows[2]["answer"] = json!("a cat");
    rows.reverse();
    rows
}

/// Predictions on nine questions: `a dog`, but a letter for 5, two options for 6, nothing at all for 7, and no row's key for 8.
fn predictions() -> Vec<Value> {
    let said = |i: usize| match i {
        5 => Some("A"),
        6 => Some("a dog or a cat"),
        7 => Some(""),
        8 => None,
        _ => Some("a dog"),
    };
    let row = |i: usize| {
        let mut row = question(i);
        if let Some(said) = said(i) {
            row["model_prediction"] = json!(said);
        }
        row
    };
    (0..9).map(row).collect()
}

struct World(TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempdir().unwrap());
        world.write("p.json", &json!(predictions()));
        world.write("later.json", &json!(later()));
        world.write("own.json", &json!((0..9).map(question).collect::<Vec<_>>()));
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, rows: &Value) {
        fs::write(self.at(name), rows.to_string()).unwrap();
    }

    fn call(&self, file: &str, more: &[&str]) -> program::Said {
        let mut args = vec!["score".to_owned(), self.at(file).to_str().unwrap().to_owned()];
        args.extend(more.iter().map(|word| match word.strip_prefix('@') {
            Some(name) => self.at(name).to_str().unwrap().to_owned(),
            None => (*word).to_owned(),
        }));
        aqa(args)
    }

    fn redacted(&self, text: &str) -> String {
        redact(text, self.0.path())
    }
}

/// Correct and total of a cell.
fn cell(matrix: &Matrix, set: usize, which: Which, rule: Rule) -> (u64, u64) {
    let over = matrix.sets[set].over.iter().find(|over| over.which == which).unwrap();
    let score = over.scores.iter().find(|score| score.rule == rule.name()).unwrap();
    let ledger = &score.ledger;
    assert_eq!(score.correct + ledger.wrong + ledger.no_answer, score.total);
    assert_eq!(score.total + ledger.missing, over.questions);
    (score.correct, score.total)
}

#[test]
fn cells_are_what_counting_by_hand_gives() {
    let world = World::new();
    let files = ["own.json", "later.json"].map(|name| world.at(name));
    let matrix = matrix(&world.at("p.json"), &Rule::ALL, &files).unwrap();
    assert_eq!((matrix.rows, matrix.answered, matrix.common), (9, 8, 7));
    let names: Vec<&str> = matrix.sets.iter().map(|set| set.name.as_str()).collect();
    assert_eq!(names, ["own rows", "own.json", "later.json"]);
    let shared = matrix
        .sets
        .iter()
        .map(|s| [s.questions, s.shared, s.identical, s.not_compared, s.only_in_predictions, s.only_in_dataset]);
    assert_eq!(shared.collect::<Vec<_>>(), [[9, 9, 9, 0, 0, 0], [9, 9, 9, 0, 0, 0], [9, 7, 4, 0, 2, 2]]);
    let which: Vec<Vec<Which>> = matrix.sets.iter().map(|s| s.over.iter().map(|o| o.which).collect()).collect();
    let (all, common, identical) = (Which::Shared, Which::Common, Which::Identical);
    assert_eq!(which, [vec![all, common], vec![all, common], vec![all, identical]]);
    for set in [0, 1] {
        // `a dog` is said to five; parsed reads the letter too.
        assert_eq!(cell(&matrix, set, all, Rule::Official), (5, 8));
        assert_eq!(cell(&matrix, set, all, Rule::Parsed), (6, 8));
        assert_eq!(cell(&matrix, set, all, Rule::Exact), (5, 8));
        assert_eq!(cell(&matrix, set, all, Rule::AnswerTag), (0, 8));
        assert_eq!(cell(&matrix, set, common, Rule::Official), (3, 6));
    }
    assert_eq!(cell(&matrix, 2, all, Rule::Official), (2, 6), "of 4 the answer is another now");
    assert_eq!(cell(&matrix, 2, all, Rule::Parsed), (3, 6));
    assert_eq!(cell(&matrix, 2, identical, Rule::Official), (0, 3), "5 to 8 are the same questions");
    assert_eq!(cell(&matrix, 2, identical, Rule::Parsed), (1, 3));
}

#[test]
fn a_matrix_is_printed_for_people_and_for_programs() {
    let world = World::new();
    let both = ["--rule", "all", "--dataset", "@own.json", "--dataset", "@later.json"];
    insta::assert_snapshot!("score-matrix-text", world.redacted(&world.call("p.json", &both).succeeds()));
    let some = ["--rule", "parsed", "--rule", "official", "--rule", "parsed", "--dataset", "@later.json"];
    let json = world.call("p.json", &[&some[..], &["--format", "json"]].concat()).succeeds();
    insta::assert_snapshot!("score-matrix-json", world.redacted(&json));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rules"], json!(["parsed", "official"]), "each once, as asked for");
    // A cell is what the same rule alone says.
    let alone = world.call("p.json", &["--rule", "parsed", "--format", "json"]).succeeds();
    assert_eq!(json["sets"][0]["over"][0]["scores"][0], serde_json::from_str::<Value>(&alone).unwrap());
    // Two data sets make a matrix of one rule.
    let text = world.call("p.json", &["--dataset", "@own.json", "--dataset", "@later.json"]).succeeds();
    assert!(text.lines().any(|l| l.starts_with("accuracy") && l.ends_with("official")), "{text}");
}

#[test]
fn rows_without_their_questions_are_judged_on_data_sets_alone() {
    let world = World::new();
    let bare: Vec<Value> = predictions()
        .into_iter()
        .map(|row| json!({"id": row["id"], "model_output": row["model_prediction"].as_str().unwrap_or("")}))
        .collect();
    world.write("bare.json", &json!(bare));
    let text = world.call("bare.json", &["--rule", "all", "--dataset", "@later.json"]).succeeds();
    insta::assert_snapshot!("score-matrix-bare", world.redacted(&text));
    let error = world.call("bare.json", &["--rule", "all"]).fails(2);
    assert!(error.contains("choices: expected a list") && error.contains("--dataset FILE"), "{error}");
}

#[test]
fn what_makes_no_matrix_is_refused_with_the_way_out() {
    let world = World::new();
    let mut withheld = later();
    withheld[0]["answer"] = json!("");
    withheld[0]["id"] = json!("q0");
    world.write("withheld.json", &json!(withheld));
    let mut others = later();
    for (i, row) in others.iter_mut().enumerate() {
        row["id"] = json!(format!("other {i}"));
    }
    world.write("others.json", &json!(others));
    let mut twice = predictions();
    twice.push(twice[0].clone());
    twice[1]["model_output"] = json!("a cat");
    twice[2]["model_prediction"] = json!(["a dog"]);
    world.write("twice.json", &json!(twice));
    let mut all = String::new();
    for (file, set) in [
        ("p.json", "@withheld.json"),
        ("p.json", "@others.json"),
        ("twice.json", "@own.json"),
        ("own.json", "@own.json"),
        ("p.json", "@p2.json"),
    ] {
        let said = world.call(file, &["--rule", "all", "--dataset", set]);
        let code = if set == "@p2.json" { 4 } else { 2 };
        all.push_str(&world.redacted(&said.fails(code)));
    }
    insta::assert_snapshot!("score-matrix-refused", all);
}

/// 64.50 and 52.90 by MMAU's script, on the file's own rows and on both files of that time; 894 ids and 636 questions are left in the later version.
#[test]
fn the_real_files_share_what_is_known() {
    let Some(folder) = shared("the_real_files_share_what_is_known") else { return };
    let folder = folder.join("data/mmau");
    let files =
        ["2025-01-28", "2025-03-25", "2025-08-09"].map(|date| folder.join(format!("mmau-test-mini.{date}.json")));
    let methodology = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/methodology.md")).unwrap();
    for (name, label, official, parsed) in
        [("r1-aqa", "R1-AQA", 645, PARSED[0]), ("qwen2-audio-7b-instruct", "Qwen2-Audio-7B-Instruct", 529, PARSED[1])]
    {
        let file = folder.join("predictions").join(format!("{name}.json"));
        let matrix = matrix(&file, &Rule::ALL, &files).unwrap();
        let names: Vec<&str> = matrix.sets.iter().map(|set| set.name.as_str()).collect();
        let named = ["2025-01-28", "2025-03-25", "2025-08-09"].map(|date| format!("MMAU test-mini of {date}"));
        assert_eq!(names, ["own rows", &named[0], &named[1], &named[2]]);
        for set in 0..3 {
            assert_eq!(cell(&matrix, set, Which::Shared, Rule::Official), (official, 1000));
            assert_eq!(cell(&matrix, set, Which::Shared, Rule::Parsed), (parsed, 1000));
        }
        let shared = matrix.sets.iter().map(|s| (s.shared, s.identical, s.only_in_dataset)).collect::<Vec<_>>();
        assert_eq!(shared, [(1000, 1000, 0), (1000, 999, 0), (1000, 1000, 0), (894, 636, 106)]);
        assert_eq!(matrix.common, 894);
        // A verdict can only change where question, options or answer did.
        let identical = cell(&matrix, 3, Which::Identical, Rule::Official);
        assert_eq!(identical.0, identical_by_hand(&file, &files[2]), "{name}");
        let text = matrix.to_text();
        assert!(text.contains("894") && text.contains("636"), "{text}");
        // The table of docs/methodology.md is this one.
        let table = documented(&matrix, label);
        assert!(methodology.contains(&table), "docs/methodology.md should have\n{table}");
    }
}

/// A part of the documented table: the file's own rows and the last data set, over ids and over equal questions.
fn documented(matrix: &Matrix, label: &str) -> String {
    let line = |label: &str, what: &str, set: usize, which: Which| {
        let over = matrix.sets[set].over.iter().find(|over| over.which == which).unwrap();
        let cells = over.scores[..3].iter().map(|score| format!(" {:.2} |", score.accuracy)).collect::<String>();
        format!("| {label} | {what} | {} |{cells}\n", over.questions).replacen("|  |", "| |", 1)
    };
    [
        line(label, "its own", 0, Which::Shared),
        line("", "its own, of which the later version has the id", 0, Which::Common),
        line("", "the later version's, of these ids", 3, Which::Shared),
        line("", "the same in both, word for word", 3, Which::Identical),
    ]
    .concat()
}

/// Correct by the official rule on the file's own rows, of those that the data set has word for word.
fn identical_by_hand(predictions: &Path, dataset: &Path) -> u64 {
    let read = |path: &Path| serde_json::from_slice::<Vec<Value>>(&fs::read(path).unwrap()).unwrap();
    let later = read(dataset);
    let kept = read(predictions).into_iter().filter(|row| {
        let other = later.iter().find(|other| other["id"] == row["id"]);
        other.is_some_and(|other| ["question", "choices", "answer"].iter().all(|key| row[*key] == other[*key]))
    });
    let kept: Vec<Value> = kept.collect();
    assert_eq!(kept.len(), 636);
    let dir = tempdir().unwrap();
    let file = dir.path().join("kept.json");
    fs::write(&file, json!(kept).to_string()).unwrap();
    aqa_bench::score::score_file(&file, Rule::Official, None).unwrap().correct
}

/// Correct by `parsed`, of 1000.
const PARSED: [u64; 2] = [643, 540];
