//! `claims` on the command line: the reviewed list of what cannot be in the numbers that others printed. Needs no libtorch.

mod program;

use program::{aqa, redact};
use serde_json::{Value, json};
use std::fs;
use tempfile::tempdir;

#[test]
fn the_findings_are_the_reviewed_ones() {
    for name in ["r1-aqa-claims.json", "mmau-original-claims.json", "mmau-v05.15.25-claims.json"] {
        insta::assert_snapshot!(name, aqa(["claims", name]).succeeds());
    }
    let all = aqa(["claims"]).succeeds();
    let shipped = fs::read_dir("recipes/data").unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let shipped: Vec<String> = shipped.filter(|name| name.contains("claims")).collect();
    assert_eq!(shipped.len(), 3);
    for name in shipped {
        assert!(all.contains(&format!("{name}: ")), "{name} is looked at without being named");
    }
    // The path of a file does as its name.
    let path = "recipes/data/r1-aqa-claims.json";
    assert_eq!(
        aqa(["claims", path]).succeeds().replace(path, "r1-aqa-claims.json"),
        aqa(["claims", "r1-aqa-claims.json"]).succeeds()
    );
}

#[test]
fn programs_read_the_same_findings() {
    let files: Vec<Value> = serde_json::from_str(&aqa(["claims", "--format", "json"]).succeeds()).unwrap();
    let findings = files[0]["findings"].as_array().unwrap();
    let known = findings.iter().find(|f| f["claim"] == "paper-zero-shot-cot").unwrap();
    assert_eq!(
        (&known["column"], &known["printed"], &known["kind"]),
        (&"sound".into(), &"61.68".into(), &"impossible".into())
    );
    assert!(known["perhaps"].as_str().unwrap().contains("206 of 333"));
}

#[test]
fn a_file_of_ones_own_is_looked_at_and_a_wrong_one_is_refused_by_claim() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("own.json");
    let file = |average: &str, questions: Value| {
        let claims = json!({
            "schema": 1, "what": "-", "name": "Own", "sources": {"page": "a page"}, "origins": {"them": "theirs"}, "versions": {"all": []},
            "questions": questions,
            "claims": [{"id": "one", "table": "page", "split": "all", "model": "M", "method": "", "average": average, "origin": "them"}],
        });
        fs::write(&path, claims.to_string()).unwrap();
        aqa(["claims", path.to_str().unwrap()])
    };
    let all = json!({"all": {"average": 8}});
    let text = file("12", all.clone()).succeeds();
    assert!(text.contains("half even") && text.contains("1 of 8, half way, rounded to even"), "{text}");
    assert!(file("13", all.clone()).succeeds().contains("half up"));
    assert!(
        file("14", all.clone())
            .succeeds()
            .contains("no count of 8 gives it: 1 is 12, 2 is 25; it may be the mean of columns whose")
    );
    let text = file("13", json!({})).succeeds();
    assert!(
        text.contains("1 row, 1 number: 0 contradictions, 0 findings about how")
            && text.contains("questions: not known"),
        "{text}"
    );

    for (average, questions, says) in [
        ("64,5", all.clone(), "claim one: average: expected a percentage as printed, found \"64,5\""),
        ("101", all.clone(), "found \"101\""),
        ("NaN", all.clone(), "found \"NaN\""),
        ("", all, "claim one: average: expected a number as printed, found none"),
        ("13", json!({"some": {"average": 8}}), "questions: some: this split is not declared in versions"),
        ("13", json!({"all": {"mean": 8}}), "questions: all: mean: expected one of sound, music, speech, average"),
        ("13", json!({"all": {"average": 0}}), "questions: all: average: expected"),
    ] {
        let error = file(average, questions).fails(2);
        let error = redact(&error, dir.path());
        assert!(error.starts_with("error: DIR/own.json: ") && error.contains(says), "{says}\n{error}");
    }
    fs::write(&path, "[]").unwrap();
    aqa(["claims", path.to_str().unwrap()]).fails(4);
    let error = aqa(["claims", "r1-aqa.json"]).fails(2);
    assert!(error.contains("claims r1-aqa.json: no such file, and not shipped (r1-aqa-claims.json,"), "{error}");
}
