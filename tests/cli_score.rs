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
