//! Scores are those of MMAU's script; what cannot be judged is refused by row. `tests/parity/score` holds a Python port of the rule
//! and what it gave.

use aqa_bench::data::mmau;
use aqa_bench::recipe::{Extract, Rule};
use aqa_bench::score::{Judged, Ledger, Score, Verdict, extract, floors, official, score_file, score_rows};
use serde_json::{Value, json};
use std::path::Path;

mod measured;
mod real_data;

use real_data::mmau as mmau_folder;

fn python(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/score").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn verdicts_are_those_of_the_python_port() {
    let python = python("official.json");
    let cases = python["cases"].as_array().unwrap();
    assert_eq!(cases.iter().filter(|c| c[3] == true).count(), 150);
    assert_eq!(cases.len(), 300);
    for case in cases {
        let choices: Vec<String> = serde_json::from_value(case[2].clone()).unwrap();
        let verdict = official::judge(case[0].as_str().unwrap(), case[1].as_str().unwrap(), &choices);
        let differs = f64::from((verdict == Verdict::Correct) != case[3].as_bool().unwrap());
        measured::within("score/rule", &case.to_string(), 1, differs);
    }
}

#[test]
fn public_predictions_score_as_by_the_script() {
    let Some(folder) = mmau_folder("public_predictions_score_as_by_the_script") else { return };
    let python = python("real_predictions.json");
    let questions = folder.join("mmau-test-mini.2025-03-25.json");
    for (name, accuracy, tasks) in
        [("r1-aqa.json", 64.5, [69.37, 67.37, 56.76]), ("qwen2-audio-7b-instruct.json", 52.9, [62.46, 55.09, 41.14])]
    {
        let file = folder.join("predictions").join(name);
        let score = score_file(&file, Rule::Official, None).unwrap();
        assert_eq!(score.accuracy, accuracy);
        assert_eq!(["sound", "music", "speech"].map(|task| score.task[task].accuracy), tasks);
        let expected = &python["predictions"][name];
        let ours = [json!(score.total), json!(score.correct), json!(score.accuracy)];
        let theirs = ["total", "correct", "accuracy"].map(|key| expected[key].clone());
        measured::within("score/predictions", name, 3, measured::differing(&ours, &theirs));
        for (by, cells) in
            [("task", &score.task), ("difficulty", &score.difficulty), ("sub-category", &score.sub_category)]
        {
            let theirs = expected[by].as_object().unwrap();
            assert_eq!(cells.len(), theirs.len());
            for (label, cell) in cells {
                let ours = [json!(cell.total), json!(cell.correct), json!(cell.accuracy)];
                let differing = measured::differing(&ours, theirs[label].as_array().unwrap());
                measured::within("score/predictions", &format!("{name}: {by} {label}"), 3, differing);
            }
        }
        assert_eq!(score_file(&file, Rule::Official, Some(&questions)).unwrap(), score);
        // Predictions for 1000 questions do not belong to a file of 73, nor to a later version.
        for other in ["mmau-test-mini.with-audio.json", "mmau-test-mini.2025-08-09.json"] {
            let error = score_file(&file, Rule::Official, Some(&folder.join(other))).unwrap_err();
            assert_eq!((error.exit_code(), error.to_string().lines().count()), (2, 22), "{error}");
        }
    }
}

#[test]
fn floors_are_those_of_the_python_port() {
    let Some(folder) = mmau_folder("floors_are_those_of_the_python_port") else { return };
    for (name, expected) in python("real_predictions.json")["floors"].as_object().unwrap() {
        let examples = mmau::load(&folder.join(name), Path::new("")).unwrap();
        let floors = floors(Rule::Official, &examples).unwrap();
        let ours = [json!(floors.all.total), json!(floors.all.first)];
        let theirs = [expected["rows"].clone(), expected["first"].clone()];
        measured::within("score/floors", name, 2, measured::differing(&ours, &theirs));
        assert!((floors.all.random - expected["random"].as_f64().unwrap()).abs() < 1e-9);
        assert_eq!(floors.task.values().map(|f| f.first).sum::<u64>(), floors.all.first);
        assert_eq!(floors.task.values().map(|f| f.total).sum::<u64>(), floors.all.total);
        assert_eq!(json!(aqa_bench::data::notes(&examples).duplicate_choices), expected["duplicate_choices"]);
        let gold = |e: &&aqa_bench::data::Example| {
            let answer = e.answer.as_ref().unwrap();
            official::judge(answer, answer, &e.choices) == Verdict::Correct
        };
        assert_eq!(json!(examples.iter().filter(gold).count()), expected["gold"]);
    }
}

fn row(id: &str, prediction: Value) -> Value {
    json!({
        "id": id, "audio_id": format!("{id}.wav"), "question": "What?", "choices": ["a dog", "a cat"], "answer": "a dog",
        "task": "sound", "difficulty": "easy", "sub-category": "s", "model_output": prediction,
    })
}

fn edit(mut row: Value, change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Value {
    change(row.as_object_mut().unwrap());
    row
}

/// Scores rows from a file, with or without a file of questions.
fn scored(rows: &Value, questions: Option<&Value>) -> Result<Score, String> {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        std::fs::write(dir.path().join(name), value.to_string()).unwrap();
        dir.path().join(name)
    };
    let file = write("p.json", rows);
    let questions = questions.map(|q| write("q.json", q));
    score_file(&file, Rule::Official, questions.as_deref()).map_err(|e| {
        assert_eq!(e.exit_code(), 2);
        e.to_string().replace(&format!("{}/", dir.path().display()), "")
    })
}

#[test]
fn the_ledger_keeps_four_things_apart() {
    let rows = json!([
        row("1", json!("A dog.")),
        row("2", json!("a cat")),
        row("3", json!("")),
        edit(row("4", json!("")), |r| drop(r.remove("model_output"))),
        edit(row("5", json!("a dog")), |r| {
            r.insert("model_prediction".into(), json!("a dog"));
        }),
    ]);
    let score = scored(&rows, None).unwrap();
    assert_eq!((score.total, score.correct, score.accuracy), (4, 2, 50.0));
    assert_eq!(score.ledger, Ledger { wrong: 1, no_answer: 1, missing: 1, failed: 0 });
    let questions = json!([rows[0], rows[1], rows[2], rows[3], rows[4], row("6", json!(null))]);
    assert_eq!(scored(&rows, Some(&questions)).unwrap().ledger.missing, 2);

    let judged = [Verdict::Correct, Verdict::Failed, Verdict::Wrong].map(|verdict| Judged {
        task: "t",
        difficulty: "d",
        sub_category: "",
        verdict,
    });
    let score = score_rows(Rule::Official, judged, 4);
    assert_eq!((score.total, score.correct, score.accuracy), (3, 1, 33.33));
    assert_eq!(score.ledger, Ledger { wrong: 1, no_answer: 0, missing: 4, failed: 1 });
    assert!(score.sub_category.is_empty());
}

#[test]
fn bare_rows_take_their_questions_from_the_data_set() {
    let bare = json!([{"id": "1", "model_prediction": "a dog"}]);
    let error = scored(&bare, None).unwrap_err();
    let expected = "p.json: row 0 (1): choices: expected a list of at least 1 texts, found none (give the questions with --dataset FILE)";
    assert_eq!(error, expected);
    assert_eq!(scored(&bare, Some(&json!([row("1", json!(null))]))).unwrap().correct, 1);
    let corrected = edit(row("1", json!(null)), |r| {
        r.insert("answer".into(), json!("a cat"));
    });
    assert_eq!(scored(&json!([row("1", json!("a cat"))]), Some(&json!([corrected]))).unwrap().correct, 1);
}

#[test]
fn rows_that_cannot_be_judged_are_named() {
    let rows = json!([
        row("1", json!("a dog")),
        row("1", json!("a dog")),
        row("2", json!(7)),
        row("3", json!(null)),
        edit(row("4", json!("x")), |r| {
            r.insert("model_prediction".into(), json!("y"));
        }),
        edit(row("5", json!("x")), |r| {
            r.insert("answer".into(), json!(""));
        }),
        edit(row("6", json!("x")), |r| drop(r.remove("id"))),
    ]);
    let expected = "\
p.json: row 1 (1): id: \"1\" is already that of row 0 (1)
p.json: row 2 (2): model_output: expected a text, found the number 7
p.json: row 3 (3): model_output: expected a text, found null (leave the key out where there is no prediction)
p.json: row 4 (4): expected one prediction, found model_output \"x\" and model_prediction \"y\" (keep one)
p.json: row 5 (5): answer: expected a text, found an empty one (give the questions with --dataset FILE)
p.json: row 6: id: expected a text, found none";
    assert_eq!(scored(&rows, None).unwrap_err(), expected);

    let question = row("1", json!(null));
    let withheld = edit(row("2", json!(null)), |r| drop(r.remove("answer")));
    let rows = json!([
        row("9", json!("x")),
        edit(row("1", json!("x")), |r| {
            r.insert("choices".into(), json!(["a cat", "a dog"]));
        }),
        row("2", json!("x")),
    ]);
    let error = scored(&rows, Some(&json!([question, withheld]))).unwrap_err();
    let found: Vec<&str> = error.lines().collect();
    assert_eq!(found[0], "p.json: row 0 (9): id: \"9\" is no question of q.json");
    assert!(
        found[1]
            .starts_with("p.json: row 1 (1): choices: expected the data set's [\"a dog\",\"a cat\"], found [\"a cat\"")
    );
    assert_eq!(found[2], "p.json: row 2 (2): answer: expected one in the data set, found it withheld");
    let way_out = "`aqa-bench score p.json --rule all --dataset q.json` scores the questions that both have";
    assert!(found.len() == 4 && found[3].starts_with("p.json: ") && found[3].ends_with(way_out), "{}", found[3]);

    let none = json!([edit(row("1", json!("")), |r| drop(r.remove("model_output")))]);
    assert!(scored(&none, None).unwrap_err().contains("expected predictions under model_output or model_prediction"));
    let absent = score_file(Path::new("no/such.json"), Rule::Official, None).unwrap_err();
    assert_eq!(absent.exit_code(), 4);
}

#[test]
fn scores_print_as_the_contract_says() {
    let judged = |task, verdict| Judged { task, difficulty: "easy", sub_category: "Temporal Reasoning", verdict };
    let rows =
        [judged("sound", Verdict::Correct), judged("sound", Verdict::Correct), judged("music", Verdict::NoAnswer)];
    let score = score_rows(Rule::Official, rows, 0);
    let json = serde_json::to_string(&score).unwrap();
    let expected = concat!(
        r#"{"rule":"official","total":3,"correct":2,"accuracy":66.67,"interval":[20.8,93.9],"#,
        r#""ledger":{"wrong":0,"no_answer":1,"missing":0,"failed":0},"#,
        r#""task":{"sound":{"total":2,"correct":2,"accuracy":100.0},"music":{"total":1,"correct":0,"accuracy":0.0}},"#,
        r#""difficulty":{"easy":{"total":3,"correct":2,"accuracy":66.67}},"#,
        r#""sub-category":{"Temporal Reasoning":{"total":3,"correct":2,"accuracy":66.67}}}"#,
    );
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<Score>(&json).unwrap(), score);
    let text = "\
accuracy  66.67 %, 2 of 3 questions
interval  20.8 to 93.9 % (Wilson, 95 %)
ledger    0 wrong, 1 no answer, 0 missing, 0 failed
rule      official

task                accuracy  correct  total  interval
sound                 100.00        2      2  34.2 to 100.0
music                   0.00        0      1   0.0 to 79.3

difficulty          accuracy  correct  total  interval
easy                   66.67        2      3  20.8 to 93.9

sub-category        accuracy  correct  total  interval
Temporal Reasoning     66.67        2      3  20.8 to 93.9
";
    assert_eq!(score.to_text(), text);
}

#[test]
fn answers_are_extracted_as_r1_aqa_does() {
    let output = "so: <answer> a dog </answer>\n";
    assert_eq!(extract(Extract::AnswerTag, output), "a dog");
    assert_eq!(extract(Extract::Whole, output), "so: <answer> a dog </answer>");
    assert_eq!(extract(Extract::AnswerTag, " a dog\n"), "a dog");
}
