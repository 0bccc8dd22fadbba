//! `score` on the command line: what it prints, what it refuses. Needs no libtorch.

mod program;
mod report_runs;

use program::{aqa, redact, shared};
use serde_json::{Value, json};
use std::fs;
use tempfile::{TempDir, tempdir};

fn questions_text(count: usize) -> String {
    serde_json::to_string(&report_runs::questions()[..count]).unwrap()
}

/// Six answered questions: four right, one wrong, one silent; in a file of that name.
fn predictions(dir: &TempDir, name: &str, edit: impl FnOnce(&mut Vec<Value>)) -> String {
    let mut rows = report_runs::questions();
    rows.truncate(6);
    for (i, row) in rows.iter_mut().enumerate() {
        row["model_prediction"] = match i {
            4 => "none of these".into(),
            5 => "".into(),
            _ => row["answer"].clone(),
        };
    }
    edit(&mut rows);
    let path = dir.path().join(name);
    fs::write(&path, serde_json::to_string(&rows).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_score_is_printed_for_people_and_for_programs() {
    let dir = tempdir().unwrap();
    let file = predictions(&dir, "p.json", |_| ());
    insta::assert_snapshot!("score-text", aqa(["score", &file]).succeeds());
    let json = aqa(["score", &file, "--format", "json", "--rule", "official"]).succeeds();
    insta::assert_snapshot!("score-json", json);
    // The key of the official script means the same.
    let other = predictions(&dir, "o.json", |rows| {
        for row in rows {
            let said = row.as_object_mut().unwrap().remove("model_prediction").unwrap();
            row["model_output"] = said;
        }
    });
    assert_eq!(aqa(["score", &other, "--format", "json"]).succeeds(), json);
    // Rows that the data set has and the predictions have not are missing.
    let dataset = dir.path().join("d.json");
    fs::write(&dataset, questions_text(12)).unwrap();
    let against = aqa(["score", &file, "--dataset", dataset.to_str().unwrap(), "--format", "json"]).succeeds();
    let against: Value = serde_json::from_str(&against).unwrap();
    assert_eq!((&against["ledger"]["missing"], &against["total"]), (&json!(6), &json!(6)));
}

#[test]
fn predictions_that_cannot_be_judged_are_refused_by_row() {
    let dir = tempdir().unwrap();
    let file = predictions(&dir, "bad.json", |rows| {
        let twice = rows[0].clone();
        rows.push(twice);
        rows[1].as_object_mut().unwrap().remove("answer");
        rows[2].as_object_mut().unwrap().remove("id");
        rows[3]["model_prediction"] = json!(3);
        rows[4]["model_output"] = json!("something else");
    });
    insta::assert_snapshot!("score-bad", redact(&aqa(["score", &file]).fails(2), dir.path()));

    let dataset = dir.path().join("d.json");
    fs::write(&dataset, questions_text(5)).unwrap();
    let file = predictions(&dir, "unknown.json", |rows| rows[0]["question"] = json!("Another?"));
    let error = aqa(["score", &file, "--dataset", dataset.to_str().unwrap()]).fails(2);
    insta::assert_snapshot!("score-unknown", redact(&error, dir.path()));
}

/// Each mishap in a file of its own; what is said of each, and how each ends.
#[test]
fn usual_mishaps_are_said_with_the_way_out() {
    let dir = tempdir().unwrap();
    let set = dir.path().join("d.json");
    fs::write(&set, questions_text(6)).unwrap();
    let mut all = String::new();
    let mut put = |file: &str, with_set: bool| {
        let mut args = vec!["score", file];
        args.extend(if with_set { vec!["--dataset", set.to_str().unwrap()] } else { vec![] });
        let error = redact(&aqa(args).fails(2), dir.path());
        all.push_str(&format!("{error}\n"));
    };
    put(&predictions(&dir, "another-version.json", |rows| rows[1]["question"] = json!("Which?")), true);
    put(&predictions(&dir, "other-options.json", |rows| rows[1]["choices"] = json!(["a", "b"])), true);
    put(&predictions(&dir, "extra-id.json", |rows| rows[2]["id"] = json!("extra")), true);
    put(&predictions(&dir, "twice.json", |rows| rows[2]["id"] = rows[0]["id"].clone()), false);
    put(&predictions(&dir, "both-keys.json", |rows| rows[2]["model_output"] = json!("something else")), false);
    for (name, value) in
        [("number", json!(3)), ("null", json!(null)), ("list", json!(["dog"])), ("object", json!({"text": "dog"}))]
    {
        put(&predictions(&dir, &format!("{name}.json"), |rows| rows[3]["model_prediction"] = value), false);
    }
    let good = fs::read_to_string(predictions(&dir, "good.json", |_| ())).unwrap();
    let mut write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        put(path.to_str().unwrap(), false);
    };
    // What Python's json writes for float("nan"), as pandas has it for a missing value.
    write("nan.json", &good.replace(r#""model_prediction":"none of these""#, r#""model_prediction": NaN"#));
    write("infinity.json", &good.replace(r#""model_prediction":"none of these""#, r#""model_prediction": -Infinity"#));
    let rows: Vec<Value> = serde_json::from_str(&good).unwrap();
    write("lines.json", &rows.iter().map(|row| format!("{row}\n")).collect::<String>());
    write("half.json", &good[..good.len() / 2]);
    insta::assert_snapshot!("score-mishaps", all);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_change_nothing() {
    let dir = tempdir().unwrap();
    let path = predictions(&dir, "p.json", |_| ());
    let rows: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let expected = aqa(["score", &path]).succeeds();
    let set = dir.path().join("d.json");
    let windows = |text: String| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    fs::write(&path, windows(serde_json::to_string_pretty(&rows).unwrap())).unwrap();
    fs::write(&set, windows(serde_json::to_string_pretty(&report_runs::questions()[..6]).unwrap())).unwrap();
    assert_eq!(aqa(["score", &path]).succeeds(), expected);
    assert_eq!(aqa(["score", &path, "--dataset", set.to_str().unwrap()]).succeeds(), expected);
}

/// Whatever fills a file, only what a verdict depends on is kept of it. (A test with a limit on memory would be one of the allocator's.)
#[test]
fn large_files_score_as_small_ones() {
    let dir = tempdir().unwrap();
    let expected = aqa(["score", &predictions(&dir, "p.json", |_| ())]).succeeds();
    let logits: Value = (0..300_000).collect::<Vec<u32>>().into();
    // The second way is not the fast one: a number for an id is left to the careful reader.
    for id in [json!("q00"), json!(0)] {
        let large = predictions(&dir, "large.json", |rows| {
            rows[0]["id"] = id;
            for row in rows.iter_mut() {
                row["logits"] = logits.clone();
            }
        });
        assert!(fs::metadata(&large).unwrap().len() > 10_000_000);
        assert_eq!(aqa(["score", &large]).succeeds(), expected);
    }
    let numbers = dir.path().join("numbers.json");
    fs::write(&numbers, logits.to_string()).unwrap();
    let error = aqa(["score", numbers.to_str().unwrap()]).fails(2);
    assert_eq!(error.lines().count(), 21);
    assert!(error.trim_end().ends_with("and 299980 more"), "{error}");
}

#[test]
fn bounds_stand_beside_an_accuracy_that_leaves_questions_out() {
    let dir = tempdir().unwrap();
    let whole = predictions(&dir, "whole.json", |_| ());
    let json: Value = serde_json::from_str(&aqa(["score", &whole, "--format", "json"]).succeeds()).unwrap();
    assert_eq!(json.get("bounds"), None, "nothing is missing");
    // Four of six are right; two of the right ones are not there.
    let part = predictions(&dir, "part.json", |rows| {
        for row in &mut rows[..2] {
            row.as_object_mut().unwrap().remove("model_prediction");
        }
    });
    insta::assert_snapshot!("score-bounds-text", aqa(["score", &part]).succeeds());
    let json = aqa(["score", &part, "--format", "json"]).succeeds();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.as_object().unwrap().keys().next_back().unwrap(), "bounds", "behind what the contract has");
    let cell = |correct: u64, accuracy: f64| json!({"total": 6, "correct": correct, "accuracy": accuracy});
    assert_eq!(json["bounds"], json!({"strict": cell(2, 33.33), "worst": cell(2, 33.33), "best": cell(4, 66.67)}));
}

#[test]
fn every_rule_scores_alone() {
    let dir = tempdir().unwrap();
    let file = predictions(&dir, "p.json", |rows| {
        rows[0]["model_prediction"] = json!("A");
        rows[1]["model_prediction"] = json!("<answer>piano</answer>");
    });
    for (rule, correct, no_answer) in [("official", 3, 1), ("parsed", 4, 2), ("exact", 2, 1), ("answer-tag", 1, 5)] {
        let json = aqa(["score", &file, "--rule", rule, "--format", "json"]).succeeds();
        let json: Value = serde_json::from_str(&json).unwrap();
        let found = [&json["rule"], &json["total"], &json["correct"], &json["ledger"]["no_answer"]];
        assert_eq!(found, [&json!(rule), &json!(6), &json!(correct), &json!(no_answer)], "{json}");
    }
}

#[test]
fn what_is_no_predictions_file_is_said_in_one_line() {
    let dir = tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for (name, text) in
        [("empty.json", "[]"), ("no.json", "[{\"id\":\n oops"), ("object.json", "{}"), ("nothing.json", "")]
    {
        fs::write(at(name), text).unwrap();
    }
    fs::write(at("questions.json"), questions_text(3)).unwrap();
    fs::write(at("binary.json"), [0xff, 0xfe, 0x00]).unwrap();
    let mut all = String::new();
    for (name, code) in [
        ("empty.json", 2),
        ("no.json", 2),
        ("object.json", 2),
        ("nothing.json", 2),
        ("binary.json", 2),
        ("questions.json", 2),
        ("absent.json", 4),
        ("", 4),
    ] {
        let error = aqa(["score", &at(name)]).fails(code);
        assert_eq!(error.lines().count(), 1, "{error}");
        all.push_str(&redact(&error, dir.path()));
    }
    insta::assert_snapshot!("score-no-predictions", all);
}

#[test]
fn real_predictions_get_the_published_scores() {
    let Some(folder) = shared("real_predictions_get_the_published_scores") else { return };
    for (file, total, tasks) in [
        ("r1-aqa.json", "64.50", [("sound", "69.37"), ("music", "67.37"), ("speech", "56.76")]),
        ("qwen2-audio-7b-instruct.json", "52.90", [("sound", "62.46"), ("music", "55.09"), ("speech", "41.14")]),
    ] {
        let path = folder.join("data/mmau/predictions").join(file);
        let path = path.to_str().unwrap();
        let text = aqa(["score", path]).succeeds();
        assert!(text.starts_with(&format!("accuracy  {total} %, ")), "{text}");
        for (task, accuracy) in tasks {
            let line = text.lines().find(|l| l.split_whitespace().next() == Some(task)).unwrap();
            assert_eq!(line.split_whitespace().nth(1), Some(accuracy), "{line}");
        }
        let json: Value = serde_json::from_str(&aqa(["score", path, "--format", "json"]).succeeds()).unwrap();
        assert_eq!(format!("{:.2}", json["accuracy"].as_f64().unwrap()), total);
        assert_eq!(json["total"], 1000);
    }
}

#[test]
fn answers_that_differ_from_the_data_sets_are_told_and_the_data_sets_are_used() {
    let dir = tempdir().unwrap();
    let questions = dir.path().join("q.json");
    fs::write(&questions, questions_text(6)).unwrap();
    let file = predictions(&dir, "p.json", |rows| rows[0]["answer"] = rows[0]["choices"][1].clone());
    let said = aqa(["score", &file, "--dataset", questions.to_str().unwrap()]);
    assert!(said.err.contains("1 row has another right answer than") && said.err.contains("q.json"), "{}", said.err);
    assert!(said.succeeds().contains("4 of 6 questions"));
    let same = predictions(&dir, "s.json", |_| ());
    let said = aqa(["score", &same, "--dataset", questions.to_str().unwrap()]);
    assert_eq!(said.err, "");
    said.succeeds();
}
