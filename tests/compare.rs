//! `compare` on the command line: two runs or predictions files, question by question. Needs no libtorch.

mod program;
mod report_runs;

use program::{aqa, redact, shared};
use report_runs::{edit, questions, quickstart, synthetic, write};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use tempfile::{TempDir, tempdir};

/// A predictions file on the twelve questions: right where listed, without a prediction where `None`.
fn predictions(dir: &TempDir, name: &str, right: &[usize], change: impl Fn(usize, &mut Value)) -> String {
    let rows: Vec<Value> = questions()
        .into_iter()
        .enumerate()
        .map(|(i, mut row)| {
            row["model_output"] = if right.contains(&i) { row["answer"].clone() } else { "none of these".into() };
            change(i, &mut row);
            row
        })
        .collect();
    let path = dir.path().join(name);
    fs::write(&path, serde_json::to_string(&rows).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn json_of(args: &[&str]) -> Value {
    let all = ["compare", "--format", "json"].iter().chain(args);
    serde_json::from_str(&aqa(all).succeeds()).unwrap()
}

/// The real pair. Counts and p-values are those of a Python port of MMAU's rule with `scipy.stats.binomtest` 1.17.1 and statsmodels'
/// `mcnemar(exact=True)` 0.15.0, run once on the two files.
#[test]
fn the_public_predictions_compare_as_scipy_says() {
    let Some(shared) = shared("the_public_predictions_compare_as_scipy_says") else { return };
    let file = |name: &str| shared.join("data/mmau/predictions").join(name).to_str().unwrap().to_owned();
    let (base, tuned) = (file("qwen2-audio-7b-instruct.json"), file("r1-aqa.json"));
    let found = json_of(&[&base, &tuned]);
    assert_eq!(found["pairs"], json!({"both": 460, "only_a": 69, "only_b": 185, "neither": 286}));
    let is = |value: &Value, expected: f64| {
        let value = value.as_f64().unwrap();
        assert!((value / expected - 1.0).abs() < 1e-9, "{value} for {expected}");
    };
    is(&found["mcnemar"], 2.0324866842125562e-13);
    for (task, gained, lost, p) in [
        ("sound", 49, 26, 0.01058211705170527),
        ("speech", 72, 20, 4.606251020832626e-08),
        ("music", 64, 23, 1.2653512115621955e-05),
    ] {
        let cell = &found["task"][task];
        assert_eq!((&cell["pairs"]["only_b"], &cell["pairs"]["only_a"]), (&gained.into(), &lost.into()));
        is(&cell["mcnemar"], p);
    }
    is(&found["difference"]["micro"], 11.6);
    assert_eq!(found["flips"].as_array().unwrap().len(), 254);
    // Both ways to an interval say the same within a tenth of a point or two.
    let interval = |key: &str| [0, 1].map(|i| found["difference"][key][i].as_f64().unwrap());
    let (drawn, analytic) = (interval("micro_interval"), interval("micro_interval_analytic"));
    assert!((drawn[0] - analytic[0]).abs() < 0.3 && (drawn[1] - analytic[1]).abs() < 0.3, "{drawn:?} {analytic:?}");
    let text = aqa(["compare", &base, &tuned, "--flips", "2"]).succeeds();
    insta::assert_snapshot!(
        "compare-real",
        redact(&text, &shared).lines().filter(|l| !l.contains("→")).collect::<Vec<_>>().join("\n")
    );

    // The version of August shares 894 ids, of which 258 differ: without leave nothing is compared, with it the others are.
    let august: Vec<Value> =
        serde_json::from_slice(&fs::read(shared.join("data/mmau/mmau-test-mini.2025-08-09.json")).unwrap()).unwrap();
    let dir = tempdir().unwrap();
    let answered: Vec<Value> = august
        .into_iter()
        .map(|mut row| {
            row["model_output"] = row["answer"].clone();
            row
        })
        .collect();
    let other = dir.path().join("august.json");
    fs::write(&other, serde_json::to_string(&answered).unwrap()).unwrap();
    let other = other.to_str().unwrap();
    let error = aqa(["compare", &tuned, other]).fails(2);
    assert!(
        error.contains("258 questions of one id differ") && error.contains("--identical compares the 636"),
        "{error}"
    );
    let found = json_of(&[&tuned, other, "--identical"]);
    let questions = json!({
        "compared": 636, "only_in_a": 106, "only_in_b": 106, "no_prediction_in_a": 0, "no_prediction_in_b": 0, "changed": 258,
    });
    assert_eq!(found["questions"], questions);
    assert_eq!(found["pairs"]["only_a"], 0, "the right answer is right");
}

#[test]
fn evaluations_of_runs_are_compared_by_name_and_a_failure_is_told_from_a_wrong_answer() {
    let dir = tempdir().unwrap();
    let run = write(dir.path().join("r"), &quickstart());
    let run = run.to_str().unwrap();
    let text = aqa(["compare", run, run, "--eval", "sft", "--eval", "grpo"]).succeeds();
    insta::assert_snapshot!("compare-runs", redact(&text, dir.path()));
    let found = json_of(&[run, run, "--eval", "sft", "--eval", "grpo"]);
    assert_eq!(found["pairs"], json!({"both": 5, "only_a": 0, "only_b": 4, "neither": 3}));
    assert!((found["mcnemar"].as_f64().unwrap() - 0.125).abs() < 1e-12, "{found}");
    assert_eq!(found["flips"][0], json!({"id": "q02", "task": "speech", "before": "failed", "after": "correct"}));

    let error = aqa(["compare", run, run]).fails(2);
    assert!(error.contains("which evaluations?") && error.contains("has start, sft, grpo"), "{error}");
    let error = aqa(["compare", run, run, "--eval", "gpro"]).fails(2);
    assert!(error.contains("--eval gpro") && error.contains("start, sft, grpo"), "{error}");

    // One evaluation each: no name is needed, whatever they are called.
    let mut one = quickstart();
    one.evals.truncate(2);
    one.evals.remove(0);
    let mut other_spec = quickstart();
    other_spec.evals = vec![synthetic("after", "After", true, &[0, 1, 2])];
    let paths = [write(dir.path().join("one"), &one), write(dir.path().join("other"), &other_spec)];
    let [one, other] = paths.map(|p: PathBuf| p.to_str().unwrap().to_owned());
    assert_eq!(json_of(&[&one, &other])["pairs"], json!({"both": 2, "only_a": 3, "only_b": 1, "neither": 6}));

    // A run beside a file with the same questions.
    let file = predictions(&dir, "f.json", &[0, 1, 2], |_, _| ());
    for key in ["pairs", "difference", "bootstrap"] {
        assert_eq!(json_of(&[&one, &file])[key], json_of(&[&one, &other])[key], "the same answers in another dress");
    }
    assert_eq!(json_of(&[run, &file, "--eval", "sft"])["pairs"], json_of(&[&one, &file])["pairs"]);
    let error = aqa(["compare", run, &file]).fails(2);
    assert!(error.contains("which evaluation?"), "{error}");

    // A copy that was cut off says so: its failures would be others.
    let cut = write(dir.path().join("cut"), &other_spec);
    let samples =
        fs::read_dir(&cut).unwrap().map(|e| e.unwrap().path().join("samples.jsonl")).find(|p| p.exists()).unwrap();
    let text = fs::read_to_string(&samples).unwrap();
    fs::write(&samples, &text[..text.len() - 9]).unwrap();
    let error = aqa(["compare", cut.to_str().unwrap(), &other]).fails(4);
    assert!(error.contains("samples.jsonl: its last line is cut off"), "{error}");

    // Scored by another rule: said, not passed over.
    let folder = fs::read_dir(&one).unwrap().map(|e| e.unwrap().path()).find(|p| p.join("eval.json").exists()).unwrap();
    edit(&folder.join("eval.json"), |e| e["rule"] = "parsed".into());
    edit(&folder.join("score.json"), |s| s["rule"] = "parsed".into());
    let error = aqa(["compare", &one, &other]).fails(2);
    assert!(error.contains("scored by the rule parsed") && error.contains("--rule"), "{error}");
    aqa(["compare", &one, &other, "--rule", "official"]).succeeds();
}

#[test]
fn what_is_not_compared_is_counted_and_what_differs_is_refused() {
    let dir = tempdir().unwrap();
    let a = predictions(&dir, "a.json", &[0, 1, 2, 3, 4, 5], |i, row| {
        if i == 7 {
            row.as_object_mut().unwrap().remove("model_output");
        }
    });
    let b = predictions(&dir, "b.json", &[0, 1, 2, 3, 8, 9], |i, row| {
        if i == 11 {
            row["id"] = "another".into();
        }
    });
    let text = aqa(["compare", &a, &b]).succeeds();
    insta::assert_snapshot!("compare-left-out", redact(&text, dir.path()));

    let changed = predictions(&dir, "c.json", &[0, 1, 2], |i, row| {
        if i == 5 {
            row["answer"] = row["choices"][0].clone();
        }
    });
    let error = redact(&aqa(["compare", &b, &changed]).fails(2), dir.path());
    assert!(error.contains("1 question of one id differ, such as q05: answer:"), "{error}");
    assert!(error.contains("--identical compares the 10"), "{error}");
    let text = aqa(["compare", &b, &changed, "--identical"]).succeeds();
    assert!(text.contains("left out  1 differ between A and B"), "{text}");

    let stranger = predictions(&dir, "d.json", &[], |i, row| row["id"] = format!("s{i}").into());
    let error = aqa(["compare", &a, &stranger]).fails(2);
    assert!(error.contains("no question in common that both answered: 12 in A alone, 12 in B alone"), "{error}");

    let withheld = predictions(&dir, "e.json", &[], |_, row| row["answer"] = "".into());
    let error = aqa(["compare", &withheld, &a]).fails(4);
    assert!(error.contains("its answer is withheld"), "{error}");
}

#[test]
fn files_without_questions_take_them_from_a_data_set() {
    let dir = tempdir().unwrap();
    let bare = |name: &str, right: &[usize]| {
        predictions(&dir, name, right, |_, row| *row = json!({"id": row["id"], "model_output": row["model_output"]}))
    };
    let (a, b) = (bare("a.json", &[0, 1]), bare("b.json", &[1, 2, 3]));
    let dataset = dir.path().join("questions.json");
    fs::write(&dataset, serde_json::to_string(&questions()).unwrap()).unwrap();
    let found = json_of(&[&a, &b, "--dataset", dataset.to_str().unwrap()]);
    assert_eq!(found["pairs"], json!({"both": 1, "only_a": 1, "only_b": 2, "neither": 8}));
    aqa(["compare", &a, &b]).fails(2);
}

#[test]
fn the_seed_follows_from_what_is_compared_unless_it_is_given_and_is_always_said() {
    let dir = tempdir().unwrap();
    let (a, b) = (
        predictions(&dir, "a.json", &[0, 1, 2, 3], |_, _| ()),
        predictions(&dir, "b.json", &[2, 3, 4, 5, 6], |_, _| ()),
    );
    let found = json_of(&[&a, &b]);
    assert_eq!(found, json_of(&[&a, &b]));
    let seed = found["bootstrap"]["seed"].to_string();
    assert_eq!(json_of(&[&a, &b, "--seed", &seed]), found);
    assert!(aqa(["compare", &a, &b]).succeeds().contains(&format!("10000 resamples, seed {seed}")));
    let other = json_of(&[&a, &b, "--seed", "7", "--resamples", "200"]);
    assert_eq!(other["bootstrap"], json!({"seed": 7, "resamples": 200}));
    // The other way round everything that is counted is mirrored, and the seed is another.
    let turned = json_of(&[&b, &a]);
    assert_ne!(turned["bootstrap"]["seed"], found["bootstrap"]["seed"]);
    assert_eq!((&turned["pairs"]["only_a"], &turned["mcnemar"]), (&found["pairs"]["only_b"], &found["mcnemar"]));
    assert_eq!(turned["difference"]["micro"].as_f64(), found["difference"]["micro"].as_f64().map(|d| -d));
    // A file and itself: nothing differs, and no interval pretends otherwise.
    let same = json_of(&[&a, &a]);
    assert_eq!(
        (&same["mcnemar"], &same["difference"]["micro_interval"], &same["flips"]),
        (&json!(1.0), &json!([0.0, 0.0]), &json!([]))
    );
}

#[test]
fn wrong_requests_are_exit_code_2() {
    let dir = tempdir().unwrap();
    let a = predictions(&dir, "a.json", &[0], |_, _| ());
    for (args, says) in [
        (vec![a.as_str()], "2 values required"),
        (vec![], "required"),
        (vec![&a, &a, "--eval", "x"], "both are files"),
        (vec![&a, &a, "--resamples", "5"], "--resamples"),
        (vec![&a, &a, "--locks", &a, &a], "cannot be used with"),
        (vec!["--locks", &a, &a, "--seed", "3"], "cannot be used with"),
    ] {
        let error = aqa(["compare"].iter().chain(&args)).fails(2);
        assert!(error.contains(says), "{args:?}: {error}");
    }
    let missing = dir.path().join("none.json");
    let error = aqa(["compare", &a, missing.to_str().unwrap()]).fails(4);
    assert!(error.contains("cannot read") && error.contains("none.json"), "{error}");
}
