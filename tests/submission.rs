//! Predictions to hand in: whole, or refused by the row that is wrong.

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
