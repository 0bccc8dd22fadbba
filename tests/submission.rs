//! Predictions to hand in: whole, or refused by the row that is wrong.

mod program;
mod report_runs;

use aqa_bench::data::mmau;
use aqa_bench::score::submission::complete;
use report_runs::questions;
use serde_json::Value;
use std::path::Path;
use tempfile::tempdir;

/// What is done to the rows of a file.
type Change = fn(&mut Vec<Value>);

#[test]
fn a_file_is_whole_only_as_every_question_in_its_place_as_asked_with_a_text() {
    let dir = tempdir().unwrap();
    let asked: Vec<Value> = questions()
        .into_iter()
        .map(|mut row| {
            row["answer"] = "".into();
            row
        })
        .collect();
    let examples = mmau::from_slice(&serde_json::to_vec(&asked).unwrap(), "q", Path::new("")).unwrap();
    let whole = || -> Vec<Value> {
        asked
            .iter()
            .cloned()
            .map(|mut row| {
                row["model_prediction"] = "dog".into();
                row
            })
            .collect()
    };
    let held = |change: Change| {
        let mut rows = whole();
        change(&mut rows);
        let file = dir.path().join("predictions.json");
        std::fs::write(&file, serde_json::to_vec(&rows).unwrap()).unwrap();
        complete(&file, &examples)
    };
    held(|_| {}).unwrap();
    held(|rows| rows[3]["model_prediction"] = "".into()).unwrap();
    let cases: [(Change, &str); 5] = [
        (|rows| drop(rows.pop()), "expected 12 predictions, one a question, found 11"),
        (|rows| rows.swap(2, 5), "row 2: expected question q02, found q05"),
        (|rows| rows[4]["choices"][1] = "wolf".into(), "row 4 (q04): choices: expected"),
        (|rows| drop(rows[7].as_object_mut().unwrap().remove("model_prediction")), "row 7 (q07): expected a text"),
        (|rows| rows[8]["model_prediction"] = 3.into(), "row 8 (q08): expected a text under model_prediction"),
    ];
    for (change, says) in cases {
        let error = held(change).expect_err(says);
        assert_eq!(error.exit_code(), 4);
        assert!(error.to_string().contains(says), "{says}: {error}");
    }
}

/// 9000 questions whose answers are withheld.
fn large() -> Vec<Value> {
    let question = |i: usize| {
        let mut row = questions()[i % 12].clone();
        (row["id"], row["answer"]) = (format!("t{i:04}").into(), "".into());
        row
    };
    (0..9000).map(question).collect()
}

#[test]
fn mmaus_large_test_is_held_to_all_its_questions_by_a_command() {
    let dir = tempdir().unwrap();
    let put = |name: &str, rows: &[Value]| {
        std::fs::write(dir.path().join(name), serde_json::to_vec(rows).unwrap()).unwrap();
    };
    let asked = large();
    let mut whole = asked.clone();
    whole.iter_mut().for_each(|row| row["model_prediction"] = "dog".into());
    whole[7]["model_prediction"] = " ".into();
    put("mmau-test.json", &asked);
    put("ours.json", &whole);
    let call = |args: &[&str]| program::said(&program::command(args).current_dir(dir.path()).output().unwrap());
    let check = |file: &str| call(&["submission", file, "--dataset", "mmau-test.json"]);
    let line = check("ours.json").succeeds();
    let expected = "ours.json: whole: 9000 predictions, 1 of them empty, on questions of no version that is known here";
    assert!(line.starts_with(expected) && line.contains("sonalkum/MMAU-Eval"), "{line}");
    let json = call(&["submission", "ours.json", "--dataset", "mmau-test.json", "--format", "json"]).succeeds();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["predictions"], &json["empty"]), (&9000.into(), &1.into()));

    let mut told = String::new();
    let mut refused = |what: &str, change: &dyn Fn(&mut Vec<Value>)| {
        let mut rows = whole.clone();
        change(&mut rows);
        put("bad.json", &rows);
        let ended = check("bad.json");
        assert_eq!((ended.code, ended.out.as_str()), (4, ""), "{what}: {}", ended.err);
        told.push_str(&format!("{what}\n{}\n", ended.err));
    };
    refused("rows lost", &|rows| drop(rows.drain(100..103)));
    refused("a row twice", &|rows| rows.push(whole[3].clone()));
    refused("two rows changed places", &|rows| rows.swap(10, 11));
    refused("a stranger", &|rows| rows[5]["id"] = "stranger".into());
    refused("a number", &|rows| rows[6]["model_prediction"] = 3.into());
    refused("both keys", &|rows| rows[8]["model_output"] = "cat".into());
    refused("options of another version", &|rows| rows[9]["choices"][0] = "wolf".into());
    refused("the script's key", &|rows| {
        for row in rows {
            let text = row.as_object_mut().unwrap().remove("model_prediction").unwrap();
            row["model_output"] = text;
        }
    });
    for (what, bytes) in [("no JSON", &b"id,answer\n"[..]), ("an object", b"{}"), ("nothing", b"[]")] {
        std::fs::write(dir.path().join("bad.json"), bytes).unwrap();
        told.push_str(&format!("{what}\n{}\n", check("bad.json").fails(2)));
    }
    told.push_str(&format!("no file\n{}\n", check("none.json").fails(4)));
    put("small.json", &questions());
    let small = call(&["submission", "ours.json", "--dataset", "small.json"]).fails(2);
    told.push_str(&format!("other questions\n{small}\n"));
    insta::assert_snapshot!("refused", told);
}
