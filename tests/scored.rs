//! Recipes that score files: rows from predictions that are there already. Needs no libtorch.

mod program;
mod report_runs;

use aqa_bench::pins::Sha256;
use program::{Said, aqa, redact, shared};
use report_runs::questions;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use tempfile::{TempDir, tempdir};

/// A folder with twelve questions, a recipe that scores two files on them, and these files.
struct World(TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempdir().unwrap());
        fs::write(world.at("questions.json"), serde_json::to_string(&questions()).unwrap()).unwrap();
        let pin = Sha256::of_file(&world.at("questions.json")).unwrap();
        // Nine right, one wrong, one silent, one row left out.
        world.predict("ours.json", "model_prediction", |i, row| match i {
            9 => Some("none of these".into()),
            10 => Some(String::new()),
            11 => None,
            _ => Some(format!("I think <answer>{}</answer>, not another", row["answer"].as_str().unwrap())),
        });
        world.predict("theirs.json", "model_output", |_, row| Some(row["choices"][0].as_str().unwrap().into()));
        let pinned = Sha256::of_file(&world.at("theirs.json")).unwrap();
        let recipe = format!(
            r#"name: files
title: "Two files"
seed: 1
data:
  sets:
    made: {{format: mmau, file: questions.json, sha256: {pin}, audio: nowhere}}
scores:
  - {{name: ours, label: "Ours", file: ours.json, data: made, extract: answer-tag, rule: official}}
  - {{name: theirs, label: "Theirs", file: theirs.json, sha256: {pinned}, data: made, rule: official}}
"#
        );
        fs::write(world.at("files.yaml"), recipe).unwrap();
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn predict(&self, name: &str, key: &str, said: impl Fn(usize, &Value) -> Option<String>) {
        let rows = questions().into_iter().enumerate().filter_map(|(i, mut row)| {
            row[key] = said(i, &row)?.into();
            Some(row)
        });
        fs::write(self.at(name), serde_json::to_string(&rows.collect::<Vec<_>>()).unwrap()).unwrap();
    }

    fn call(&self, command: &str, more: &[&str]) -> Said {
        let (recipe, run) = (self.at("files.yaml"), self.at("run"));
        let all = [command, recipe.to_str().unwrap(), "--run-dir", run.to_str().unwrap()];
        aqa(all.iter().chain(more))
    }
}

fn line<'t>(table: &'t str, label: &str) -> &'t str {
    table.lines().find(|l| l.starts_with(&format!("| {label}"))).unwrap_or_else(|| panic!("no {label} in\n{table}"))
}

#[test]
fn files_become_rows_that_say_so_without_an_engine() {
    let world = World::new();
    let said = world.call("reproduce", &[]);
    assert!(said.err.contains("2 files scored, 0 taken as they were"), "{}", said.err);
    assert!(said.err.contains("ours: accuracy 81.82 (9 of 11), 1 missing"), "{}", said.err);
    let table = said.succeeds();
    let cells = |label: &str| line(&table, label).split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
    let ours = cells("Ours");
    assert_eq!(ours[2], "measured from a file");
    assert!(ours[6].contains("81.82") && ours[6].contains("9/11"), "{ours:?}");
    assert_eq!(ours[7..13], ["1", "1", "1", "0", "0", "0"], "wrong, no answer, missing, failed, cropped, truncated");
    // The first option is what a floor says, and the floor is computed from the questions.
    // The row that lacks a prediction does not compete: the other is the best.
    let floor = cells("Always the first option")[6].clone();
    assert_eq!(cells("Theirs")[6].split(' ').next(), Some(format!("**{floor}**").as_str()));
    assert!(ours[1].contains("(partial: 11 of 12)"), "{ours:?}");
    let sha256 = Sha256::of_file(&world.at("ours.json")).unwrap();
    assert!(table.contains(&format!("`ours.json` (sha256 `{sha256}`), which no stage of this run made")), "{table}");

    let again = world.call("eval", &[]);
    assert!(again.err.contains("0 files scored, 2 taken as they were"), "{}", again.err);
    assert_eq!(again.succeeds(), table);
    let run = world.at("run");
    assert_eq!(aqa(["report", run.to_str().unwrap()]).succeeds(), table);
    let csv = aqa(["report", run.to_str().unwrap(), "--format", "csv"]).succeeds();
    assert!(csv.lines().any(|l| l.contains("Ours,measured,from a file,")), "{csv}");
}

/// The same file by four rules: four stages, and no table in which rows of different rules stand side by side.
#[test]
fn rows_of_different_rules_never_share_a_table() {
    let world = World::new();
    let recipe = fs::read_to_string(world.at("files.yaml")).unwrap();
    let (head, _) = recipe.split_once("scores:").unwrap();
    let rules = ["official", "parsed", "exact", "answer-tag"];
    let line =
        |rule: &str| format!("  - {{name: by-{rule}, label: By {rule}, file: ours.json, data: made, rule: {rule}}}\n");
    let lines: String = rules.iter().map(|rule| line(rule)).collect();
    fs::write(world.at("files.yaml"), format!("{head}scores:\n{lines}")).unwrap();
    let said = world.call("reproduce", &[]);
    assert!(said.err.contains("4 files scored"), "{}", said.err);
    let table = said.succeeds();
    let tables: Vec<&str> = table.split("\n## ").collect();
    for (rule, accuracy) in rules.iter().zip(["9/11", "9/11", "0/11", "9/11"]) {
        let own: Vec<_> = tables.iter().filter(|t| t.contains(&format!("| By {rule}"))).collect();
        assert_eq!(own.len(), 1, "{table}");
        assert!(line_of(own[0], rule).contains(accuracy), "{}", own[0]);
        assert!(own[0].contains(&format!("Scored by the {rule} rule")), "{}", own[0]);
        assert_eq!(own[0].matches("| By ").count(), 1, "{}", own[0]);
        // A floor is what an answer is worth in the form that the rule reads.
        let floor = own[0].lines().find(|l| l.starts_with("| Always the first")).unwrap();
        assert_eq!(floor.matches(" 50.00 ").count(), 4, "{floor}");
    }
    insta::assert_snapshot!(
        "rules-headings",
        table.lines().filter(|l| l.starts_with('#') || l.contains("Scored by")).collect::<Vec<_>>().join("\n")
    );
}

fn line_of<'t>(table: &'t str, rule: &str) -> &'t str {
    line(table, &format!("By {rule}"))
}

#[test]
fn another_file_is_another_stage_and_a_pinned_one_must_be_the_pinned_one() {
    let world = World::new();
    world.call("reproduce", &[]).succeeds();
    world.predict("ours.json", "model_prediction", |_, row| Some(row["answer"].as_str().unwrap().into()));
    let said = world.call("reproduce", &[]);
    assert!(said.err.contains("1 file scored, 1 taken as they were"), "{}", said.err);
    assert!(line(&said.succeeds(), "Ours").contains("12/12"));

    world.predict("theirs.json", "model_output", |_, _| Some("dog".into()));
    let error = world.call("reproduce", &[]).fails(4);
    let found = Sha256::of_file(&world.at("theirs.json")).unwrap().to_string();
    assert!(error.contains("predictions of theirs") && error.contains(&found), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_exit_code_4_with_the_way_out_and_the_way_out_works() {
    let world = World::new();
    fs::remove_file(world.at("theirs.json")).unwrap();
    let error = world.call("reproduce", &[]).fails(4);
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("DIR/theirs.json") || redact(&error, world.0.path()).contains("DIR/theirs.json"), "{error}");
    assert!(error.contains("--set scores.theirs.file=FILE") && error.contains("--set scores.theirs="), "{error}");
    assert!(!world.at("run").join("manifest.json").exists(), "nothing is done");
    let verify = world.call("verify", &[]);
    assert!(verify.out.contains("found (not pinned): predictions of ours"), "{}", verify.out);
    verify.fails(4);

    let table = world.call("reproduce", &["--set", "scores.theirs="]).succeeds();
    assert!(table.contains("| Ours") && !table.contains("Theirs"), "{table}");
    let elsewhere = world.at("elsewhere.json");
    fs::copy(world.at("ours.json"), &elsewhere).unwrap();
    let sets = [format!("scores.theirs.file={}", elsewhere.display()), "scores.theirs.sha256=".into()];
    world.call("reproduce", &["--set", &sets[0], "--set", &sets[1]]).succeeds();
}

#[test]
fn predictions_on_other_questions_are_refused_row_by_row() {
    let world = World::new();
    let mut rows: Vec<Value> = serde_json::from_slice(&fs::read(world.at("ours.json")).unwrap()).unwrap();
    rows[1]["choices"][0] = "wolf".into();
    rows[2]["id"] = "stranger".into();
    fs::write(world.at("ours.json"), serde_json::to_string(&rows).unwrap()).unwrap();
    let error = world.call("reproduce", &[]).fails(2);
    for says in ["row 1 (q01): choices: expected", "row 2 (stranger): id: \"stranger\" is no question of data set made"]
    {
        assert!(error.contains(says), "{says}\n{error}");
    }
    // The questions themselves are no predictions.
    fs::copy(world.at("questions.json"), world.at("ours.json")).unwrap();
    let error = world.call("reproduce", &[]).fails(2);
    assert!(error.contains("found none in 12 rows"), "{error}");
}

#[test]
fn withheld_answers_cannot_score_a_file() {
    let world = World::new();
    let rows: Vec<Value> = questions()
        .into_iter()
        .map(|mut row| {
            row["answer"] = "".into();
            row
        })
        .collect();
    fs::write(world.at("questions.json"), serde_json::to_string(&rows).unwrap()).unwrap();
    let pin = format!("data.sets.made.sha256={}", Sha256::of_file(&world.at("questions.json")).unwrap());
    let error = world.call("reproduce", &["--set", &pin]).fails(4);
    assert!(error.contains("ours: the answer to question q00 is withheld"), "{error}");
}

#[test]
fn part_of_the_questions_and_one_of_the_files_can_be_asked_for() {
    let world = World::new();
    let said = world.call("reproduce", &["--limit", "4", "--until", "ours"]);
    assert!(said.err.contains("still to do: theirs"), "{}", said.err);
    assert_eq!(said.succeeds(), "", "no table of half a run");
    let table = world.call("reproduce", &["--limit", "4"]).succeeds();
    assert!(line(&table, "Ours (partial: 4 of 12)").contains("4/4"), "{table}");
    let error = world.call("reproduce", &["--until", "our"]).fails(2);
    assert!(error.contains("did you mean \"ours\"?"), "{error}");
}

/// The shipped recipe on the real files.
#[test]
fn the_public_predictions_score_what_the_claims_recipe_says() {
    let Some(shared) = shared("the_public_predictions_score_what_the_claims_recipe_says") else { return };
    let run = tempdir().unwrap();
    let data = shared.join("data/mmau");
    let sets = [
        format!("data.dir={}", data.display()),
        format!("data.sets.test-mini.file={}", data.join("mmau-test-mini.2025-03-25.json").display()),
        "scores.audio-reasoner=".into(),
        "scores.audio-flamingo-2=".into(),
        "scores.gemini-2-0-flash=".into(),
    ];
    let mut args = vec!["reproduce", "recipes/claims.yaml", "--run-dir", run.path().to_str().unwrap()];
    args.extend(sets.iter().flat_map(|set| ["--set", set.as_str()]));
    let table = aqa(&args).succeeds();
    let row = line(&table, "mispeech/r1-aqa, public predictions");
    for cell in ["69.37", "67.37", "56.76", "645/1000", "measured from a file"] {
        assert!(row.contains(cell), "{cell}: {row}");
    }
    let row = line(&table, "Qwen2-Audio-7B-Instruct, public predictions");
    for cell in ["62.46", "55.09", "41.14", "529/1000"] {
        assert!(row.contains(cell), "{cell}: {row}");
    }
    assert!(
        table.contains("against the claim 64.50")
            && table.contains("inside: measured 64.50 less claimed 64.50 is +0.00"),
        "{table}"
    );
    for says in [
        "less claimed 64.50 is +0.00, 95 % interval -4.2 to +4.2.",
        "against the claim 49.20 (Qwen2-Audio-7B-Instruct, Direct\\*): inside: measured 52.90 less claimed 49.20 is +3.70, 95 % interval -0.7 to +8.1.",
        "music 50.98: no count of 334 gives it: 170 is 50.90, 171 is 51.20; average 49.20: the columns give 49.30 to 49.40",
    ] {
        assert!(table.contains(says), "{says}\n{table}");
    }
    let report = aqa(["report", run.path().to_str().unwrap(), "--format", "json"]).succeeds();
    let verdicts = &serde_json::from_str::<Value>(&report).unwrap()["tables"][0]["verdicts"];
    assert_eq!((&verdicts[0]["place"], &verdicts[0]["must_be_inside"]), (&"inside".into(), &true.into()));
    assert_eq!(verdicts[0]["against"]["claimed_counts"], json!([645, 1000]));
    let high = verdicts[1]["against"]["interval"][1].as_f64().unwrap();
    assert!((high - 8.060269959082055).abs() < 1e-9, "statsmodels: {high}");
    assert_eq!(verdicts[1]["flags"].as_array().unwrap().len(), 2);
}

/// A claims file about the twelve questions with this average (and this in every column), and a recipe that expects to be inside of it.
fn claim(world: &World, average: &str, columns: &str) {
    let pin = Sha256::of_file(&world.at("questions.json")).unwrap();
    let claims = json!({
        "schema": 1, "what": "A claim about twelve questions.", "name": "Theirs", "sources": {"page": "a page"}, "origins": {"them": "theirs"},
        "versions": {"all": [pin]}, "questions": {"all": {"sound": 4, "music": 4, "speech": 4, "average": 12}},
        "claims": [{
            "id": "theirs", "table": "page", "split": "all", "model": "M", "method": "", "origin": "them",
            "sound": columns, "music": columns, "speech": columns, "average": average,
        }],
    });
    fs::write(world.at("own.json"), claims.to_string()).unwrap();
    let recipe = fs::read_to_string(world.at("files.yaml")).unwrap();
    let recipe = recipe.split("report:").next().unwrap();
    let report = "report:\n  claims: [own.json]\n  expect: [{eval: ours, claim: theirs, expect: inside}, {eval: theirs, claim: theirs}]\n";
    fs::write(world.at("files.yaml"), format!("{recipe}{report}")).unwrap();
}

#[test]
fn a_recipe_that_expects_inside_ends_with_3_after_everything_is_written_when_it_is_not() {
    let world = World::new();
    // Nine of twelve: the question without a prediction counts.
    claim(&world, "75.00", "75.00");
    let table = world.call("reproduce", &[]).succeeds();
    let says = "Ours against the claim 75.00 (M): inside: measured 75.00 (1 without a prediction count as not correct) less claimed 75.00 is +0.00";
    assert!(table.contains(says), "{table}");

    // One of twelve is far off; that the other row is too is not asked about.
    claim(&world, "8.33", "");
    let said = world.call("reproduce", &[]);
    assert!(
        said.out.contains("outside: measured 75.00") && said.out.contains("Theirs against the claim"),
        "{}",
        said.out
    );
    assert_eq!(fs::read_to_string(world.at("run/report/leaderboard.md")).unwrap(), said.out, "the report is whole");
    let error = said.fails(3);
    assert!(
        error.contains("eval ours: expected inside of the claim 8.33 (theirs), found outside: measured 75.00"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1, "{error}");

    // What no count of twelve gives, and what was not measured on all of them, is not inside either.
    claim(&world, "75.10", "75.00");
    let error = world.call("reproduce", &[]).fails(3);
    assert!(error.contains("found impossible: no count of 12 questions gives 75.10 %; measured 75.00"), "{error}");
    // Without columns it may be a mean: it is judged, and flagged.
    claim(&world, "75.10", "");
    let table = world.call("reproduce", &[]).succeeds();
    assert!(
        table.contains("is -0.10, 95 % interval") && table.contains("average 75.10: no count of 12 gives it"),
        "{table}"
    );
    claim(&world, "75.00", "75.00");
    let error = world.call("reproduce", &["--limit", "4"]).fails(3);
    assert!(error.contains("found not held against it: only 4 of 12 questions were asked"), "{error}");

    let recipe = fs::read_to_string(world.at("files.yaml")).unwrap();
    fs::write(world.at("files.yaml"), recipe.replace("expect: inside", "expect: insid")).unwrap();
    let error = world.call("reproduce", &[]).fails(2);
    assert!(error.contains("files.yaml:") && error.contains("inside"), "{error}");
}

#[test]
fn files_are_grouped_as_evaluations_are() {
    let world = World::new();
    // The row that was missing, so that both answer the same questions.
    world.predict("ours.json", "model_prediction", |i, row| {
        Some(if i < 9 { row["answer"].as_str().unwrap().into() } else { String::new() })
    });
    let recipe = fs::read_to_string(world.at("files.yaml")).unwrap();
    let report = "report:\n  groups: [{name: both, label: Both, evals: [ours, theirs]}]\n";
    fs::write(world.at("files.yaml"), format!("{recipe}{report}")).unwrap();
    let table = world.call("reproduce", &[]).succeeds();
    assert!(
        line(&table, "Both: best of 2 (Ours)").contains("75.00")
            && line(&table, "Both: mean of 2").contains("computed"),
        "{table}"
    );
    assert!(table.contains("were all 2 equally good, the best would be expected"), "{table}");
    // Where one left a question out, nobody can tell which of the others decided.
    World::predict(&world, "ours.json", "model_prediction", |i, row| {
        (i < 11).then(|| row["answer"].as_str().unwrap().into())
    });
    let table = world.call("reproduce", &[]).succeeds();
    assert!(table.contains("Both has no rows of mean and spread: 1 predictions of Ours are missing"), "{table}");
}

/// AVQA's questions have nothing that a table could be made by.
#[test]
fn files_on_avqa_are_refused_before_anything_is_scored() {
    let world = World::new();
    let recipe = fs::read_to_string(world.at("files.yaml")).unwrap().replace("format: mmau", "format: avqa");
    fs::write(world.at("files.yaml"), recipe).unwrap();
    let error = world.call("reproduce", &[]).fails(2);
    assert!(error.contains("data set made: expected questions with task and difficulty"), "{error}");
    assert!(!world.at("run").join("report").exists());
}
