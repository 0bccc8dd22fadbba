//! Run folders → tables.

mod report_runs;

use aqa_bench::artifact::Group;
use aqa_bench::pins::Sha256;
use aqa_bench::report::table::{Kind, tables};
use aqa_bench::report::{Format, load, render};
use aqa_bench::score::{self, Judged, Verdict};
use proptest::prelude::*;
use report_runs::{AUGUST, Eval, JANUARY, MARCH, Spec, edit, on_mmau, quickstart, write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::tempdir;

#[test]
fn a_finished_run_becomes_a_table_in_each_format() {
    let dir = tempdir().unwrap();
    let run = write(dir.path().join("quickstart"), &quickstart());
    for (name, format) in
        [("quickstart.md", Format::Markdown), ("quickstart.tex", Format::Latex), ("quickstart.csv", Format::Csv)]
    {
        insta::assert_snapshot!(name, render(std::slice::from_ref(&run), format).unwrap());
    }
    let json: serde_json::Value = serde_json::from_str(&render(&[run], Format::Json).unwrap()).unwrap();
    assert_eq!(json["tables"][0]["rows"][2]["cells"][3]["counts"], serde_json::json!([9, 12]));
}

#[test]
fn the_paper_era_files_share_a_table_with_the_claims_and_the_file_of_august_does_not() {
    let dir = tempdir().unwrap();
    let runs = [
        write(dir.path().join("a"), &on_mmau("january", "GRPO", JANUARY, &[0, 1, 2, 3, 4, 5, 6])),
        write(dir.path().join("b"), &on_mmau("march", "GRPO", MARCH, &[0, 1, 2, 3, 4, 5, 6, 7])),
        write(dir.path().join("c"), &on_mmau("august", "GRPO", AUGUST, &[0])),
        write(dir.path().join("d"), &quickstart()),
    ];
    let text = render(&runs, Format::Markdown).unwrap();
    insta::assert_snapshot!("versions.md", text);

    let loaded: Vec<load::Run> = runs.iter().map(|r| load::run(r).unwrap()).collect();
    let tables = tables(&loaded).unwrap();
    let measured = |i: usize| tables[i].rows.iter().filter(|r| r.kind == Kind::Measured).count();
    let quoted = |i: usize| tables[i].rows.iter().filter(|r| r.kind == Kind::Quoted).count();
    assert_eq!(tables.len(), 3);
    assert_eq!([measured(0), measured(1), measured(2)], [2, 1, 3]);
    assert_eq!([quoted(0), quoted(1), quoted(2)], [20, 0, 0], "quoted only beside the version they were measured on");
    assert!(tables[1].held[0].contains("another version"), "{:?}", tables[1].held);
}

#[test]
fn the_leaderboard_of_the_current_version_is_quoted_beside_it_also_rows_with_an_average_alone() {
    let dir = tempdir().unwrap();
    let mut spec = on_mmau("august", "GRPO", AUGUST, &[0]);
    spec.claims = vec!["r1-aqa-claims.json".into(), "mmau-v05.15.25-claims.json".into()];
    let run = write(dir.path().join("a"), &spec);
    let tables = tables(&[load::run(&run).unwrap()]).unwrap();
    let quoted: Vec<_> = tables[0].rows.iter().filter(|r| r.kind == Kind::Quoted).collect();
    assert_eq!(quoted.len(), 17, "test-mini's rows of the leaderboard, none of the paper");
    let row = |label: &str| *quoted.iter().find(|r| r.label == label).unwrap();
    let texts = |label: &str| row(label).cells.iter().map(|c| c.as_ref().map(|c| c.text.clone())).collect::<Vec<_>>();
    assert_eq!(texts("Step-Audio-2"), [None, None, None, Some("77.58".to_owned())]);
    assert_eq!(texts("AF3"), ["79.58", "73.95", "66.37", "73.30"].map(|text| Some(text.to_owned())));
    let text = render(&[run], Format::Markdown).unwrap();
    assert!(text.contains("which of the eight sound files of that label a row was measured on is not said"), "{text}");
}

#[test]
fn a_partial_evaluation_is_marked_and_does_not_compete() {
    let dir = tempdir().unwrap();
    let mut spec = quickstart();
    let grpo = &mut spec.evals[2];
    grpo.rows.truncate(2);
    grpo.said.truncate(2);
    let text = render(&[write(dir.path().join("r"), &spec)], Format::Markdown).unwrap();
    let line = |label: &str| text.lines().find(|l| l.starts_with(&format!("| {label}"))).unwrap().to_owned();
    assert!(line("GRPO").contains("(partial: 2 of 12)") && !line("GRPO").contains("**"), "{}", line("GRPO"));
    assert!(line("SFT").contains("**41.67**"), "{}", line("SFT"));
    assert!(text.contains("partial, 2 of 12 questions asked") && text.contains("do not compete"));
}

#[test]
fn a_row_with_missing_predictions_is_marked_does_not_compete_and_is_in_no_mean() {
    let dir = tempdir().unwrap();
    let mut spec = quickstart();
    let evals = ["start", "sft", "grpo"].map(str::to_owned).to_vec();
    spec.groups = vec![Group { name: "all".into(), label: "All three".into(), evals }];
    let run = write(dir.path().join("r"), &spec);
    // Of twelve, the best row answered two, both right.
    let folder = load::run(&run).unwrap().evals[2].folder.clone();
    edit(&run.join(folder).join("score.json"), |score| {
        (score["total"], score["correct"], score["accuracy"]) = (2.into(), 2.into(), 100.0.into());
        score["ledger"] = serde_json::json!({"wrong": 0, "no_answer": 0, "missing": 10, "failed": 0});
        score["task"] = serde_json::json!({"sound": {"total": 2, "correct": 2, "accuracy": 100.0}});
        (score["difficulty"], score["sub-category"]) = (serde_json::json!({}), serde_json::json!({}));
    });
    let text = render(&[run], Format::Markdown).unwrap();
    let line = |label: &str| text.lines().find(|l| l.starts_with(&format!("| {label}"))).unwrap().to_owned();
    assert!(line("GRPO").contains("(partial: 2 of 12)") && line("GRPO").contains("100.00"), "{}", line("GRPO"));
    assert!(!line("GRPO").contains("**") && line("SFT").contains("**41.67**"), "{text}");
    assert!(text.contains("do not compete") && !text.contains("All three: mean"), "{text}");
    assert!(text.contains("All three has no rows of mean and spread: 10 predictions of GRPO"), "{text}");
    assert!(text.contains("10 missing and 0 failed. With the missing ones as not correct 16.67 (2/12)"), "{text}");
}

#[test]
fn unfinished_and_contradicting_runs_are_refused_by_name() {
    let dir = tempdir().unwrap();
    let run = write(dir.path().join("r"), &quickstart());
    let error = |run: &Path| render(&[run.to_owned()], Format::Markdown).unwrap_err();

    edit(&run.join("manifest.json"), |m| {
        m["stages"][0]["done"] = false.into();
        m["stages"][3]["done"] = false.into();
    });
    let unfinished = error(&run);
    assert_eq!(unfinished.exit_code(), 2);
    let text = unfinished.to_string();
    assert!(text.contains("stages sft, grpo (evaluate) missing; run `aqa-bench reproduce`"), "{text}");

    let run = write(dir.path().join("s"), &quickstart());
    let score = load::run(&run).unwrap().evals[2].folder.clone() + "/score.json";
    edit(&run.join(&score), |s| s["accuracy"] = 99.0.into());
    let wrong = error(&run);
    assert_eq!(wrong.exit_code(), 4);
    assert!(wrong.to_string().contains("total: 9 of 12 is not 99 %"), "{wrong}");
    std::fs::remove_file(run.join(&score)).unwrap();
    assert!(error(&run).to_string().contains("score.json"), "{}", error(&run));

    assert_eq!(render(&[], Format::Markdown).unwrap_err().exit_code(), 2);
    assert_eq!(error(&dir.path().join("none")).exit_code(), 4);
}

#[test]
fn real_predictions_give_the_published_row_and_the_floors_of_the_paper_era_file() {
    let shared = PathBuf::from(std::env::var("AQA_SHARED").unwrap_or_else(|_| "../shared".into()));
    let file = shared.join("data/mmau/predictions/r1-aqa.json");
    if !file.exists() {
        eprintln!("skipped real_predictions_give_the_published_row_and_the_floors: no {}", file.display());
        return;
    }
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let said = rows.iter().map(|r| Some(r["model_prediction"].as_str().unwrap().to_owned())).collect();
    let mut spec = on_mmau("r1-aqa", "mispeech/r1-aqa", MARCH, &[]);
    let (sha256, questions) = (Sha256::parse(MARCH).unwrap(), rows.len() as u64);
    spec.evals = vec![Eval { rows, said, sha256, questions, ..spec.evals.pop().unwrap() }];
    let dir = tempdir().unwrap();
    let text = render(&[write(dir.path().join("r"), &spec)], Format::Markdown).unwrap();
    let row = |label: &str| {
        let line = text.lines().find(|l| l.starts_with(&format!("| {label}"))).unwrap();
        line.split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        row("mispeech/r1-aqa")[3..7],
        [
            "**69.37** [64.2, 74.1] 231/333",
            "**67.37** [62.2, 72.2] 225/334",
            "**56.76** [51.4, 62.0] 189/333",
            "**64.50** [61.5, 67.4] 645/1000"
        ]
    );
    assert_eq!(row("Always the first option")[6], "37.80");
    assert_eq!(row("Uniformly random option")[6], "25.43");
    assert!(
        text.contains("against the claim 64.50") && text.contains("inside: measured 64.50 less claimed 64.50 is +0.00"),
        "{text}"
    );
}

/// A run of one evaluation a count triple: correct answers of 8 sound, 8 music and 8 speech questions.
fn counted(rows: &[([u64; 3], bool)]) -> load::Run {
    static BASE: LazyLock<load::Run> = LazyLock::new(|| {
        let dir = tempdir().unwrap();
        load::run(&write(dir.path().join("r"), &quickstart())).unwrap()
    });
    let mut run = BASE.clone();
    let eval = run.evals[0].clone();
    let tasks = ["sound", "music", "speech"];
    run.evals = rows
        .iter()
        .enumerate()
        .map(|(i, (correct, partial))| {
            let mut eval = eval.clone();
            let judged = tasks.iter().zip(correct).flat_map(|(task, right)| {
                (0..8).map(move |n| {
                    let verdict = if n < *right { Verdict::Correct } else { Verdict::Wrong };
                    Judged { task, difficulty: "", sub_category: "", verdict }
                })
            });
            eval.score = Some(score::score_rows(aqa_bench::recipe::Rule::Official, judged, 0));
            eval.record.label = format!("row {i}");
            (eval.record.asked, eval.record.questions) = (24, if *partial { 48 } else { 24 });
            eval
        })
        .collect();
    run
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bold_marks_are_exactly_the_maxima_of_whole_measured_rows(
        rows in prop::collection::vec(([0u64..=8, 0u64..=8, 0u64..=8], prop::bool::weighted(0.2)), 1..7)
    ) {
        let tables = tables(&[counted(&rows)]).unwrap();
        prop_assert_eq!(tables.len(), 1);
        for column in 0..4 {
            let value = |c: &[u64; 3]| if column == 3 { c.iter().sum() } else { c[column] };
            let best = rows.iter().filter(|(_, partial)| !partial).map(|(c, _)| value(c)).max();
            for (row, (correct, partial)) in tables[0].rows.iter().zip(&rows) {
                prop_assert_eq!(row.kind, Kind::Measured);
                let marked = row.cells[column].as_ref().unwrap().best;
                prop_assert_eq!(marked, !partial && Some(value(correct)) == best);
            }
            prop_assert!(tables[0].rows[rows.len()..].iter().all(|r| r.cells[column].as_ref().is_none_or(|c| !c.best)));
        }
    }
}

#[test]
fn runs_of_the_same_label_and_recipe_are_told_apart() {
    let dir = tempdir().unwrap();
    let spec: Spec = quickstart();
    let runs = [write(dir.path().join("a"), &spec), write(dir.path().join("b"), &spec)];
    let text = render(&runs, Format::Csv).unwrap();
    for label in ["SFT (quickstart, run 1)", "SFT (quickstart, run 2)"] {
        assert_eq!(text.matches(label).count(), 1, "{text}");
    }
}

#[test]
fn a_group_is_four_computed_rows_in_every_format_and_numbers_for_programs() {
    let dir = tempdir().unwrap();
    let mut spec = quickstart();
    // Averages: 1, 5 and 9 of 12.
    let evals = ["start", "sft", "grpo"].map(str::to_owned).to_vec();
    spec.groups = vec![Group { name: "all".into(), label: "All three".into(), evals }];
    let run = write(dir.path().join("r"), &spec);
    let text = render(std::slice::from_ref(&run), Format::Markdown).unwrap();
    let average = |label: &str| {
        let line = text.lines().find(|l| l.starts_with(&format!("| {label}"))).unwrap_or_else(|| panic!("{text}"));
        let line = line.replace("\\|", "/");
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells[2], "computed", "{line}");
        cells[6].to_owned()
    };
    assert_eq!(average("All three: mean of 3"), "41.67");
    assert_eq!(average("All three: standard deviation of 3"), "33.33");
    assert_eq!(average("All three: range of 3"), "8.33 to 75.00");
    assert_eq!(average("All three: best of 3 (GRPO"), text_of(&run, "grpo"));
    assert!(
        text.contains("The rows of All three are computed from n = 3 rows") && text.contains("The other computed rows")
    );
    let tex = render(std::slice::from_ref(&run), Format::Latex).unwrap();
    assert!(tex.contains("All three: standard deviation of 3 & computed &"), "{tex}");

    let json: serde_json::Value = serde_json::from_str(&render(&[run], Format::Json).unwrap()).unwrap();
    let group = &json["tables"][0]["groups"][0];
    assert_eq!((&group["name"], &group["n"]), (&"all".into(), &3.into()));
    // Eight questions are answered right by one or two of the three: 0.8463 sqrt(8 / 3) / 12.
    let optimism = |key: &str| group["optimism"][key].as_f64().unwrap();
    assert!((optimism("expected") - 11.5166).abs() < 1e-3 && optimism("independent") > optimism("expected"), "{group}");
    assert!(text.contains("the best would be expected 11.52 points above their mean by chance alone"), "{text}");
    assert!(text.contains("row with the highest average, 33.33 points above their mean"), "{text}");
    let mean = group["columns"]["average"]["mean"].as_f64().unwrap();
    assert!((mean - 100.0 * 15.0 / 36.0).abs() < 1e-9, "{mean}");
}

/// The average of a row, without its interval.
fn text_of(run: &Path, name: &str) -> String {
    let run = load::run(run).unwrap();
    let eval = run.evals.iter().find(|e| e.record.name == name).unwrap();
    format!("{:.2}", eval.score.as_ref().unwrap().accuracy)
}

#[test]
fn a_group_on_no_row_of_a_table_leaves_it_as_it_was() {
    let dir = tempdir().unwrap();
    let plain = render(&[write(dir.path().join("a"), &quickstart())], Format::Json).unwrap();
    let mut spec = quickstart();
    let evals = vec!["grpo".into(), "elsewhere".into()];
    spec.groups = vec![Group { name: "g".into(), label: "G".into(), evals }];
    assert_eq!(render(&[write(dir.path().join("b"), &spec)], Format::Json).unwrap(), plain);
}

#[test]
fn withheld_answers_are_a_row_without_a_score() {
    let dir = tempdir().unwrap();
    let run = write(dir.path().join("r"), &quickstart());
    let folder = load::run(&run).unwrap().evals[2].folder.clone();
    edit(&run.join(&folder).join("eval.json"), |e| {
        e["withheld"] = serde_json::json!({"no_answer": 2, "failed": 1});
        e["dataset_sha256"] = Sha256::of(b"another").to_string().into();
    });
    edit(&run.join(&folder).join("predictions.json"), |rows| {
        rows.as_array_mut().unwrap().iter_mut().for_each(|row| row["answer"] = "".into());
    });
    std::fs::remove_file(run.join(&folder).join("score.json")).unwrap();
    let loaded = load::run(&run).unwrap();
    let tables = tables(std::slice::from_ref(&loaded)).unwrap();
    let [scored, withheld] = &tables[..] else { panic!("{} tables", tables.len()) };
    assert!(scored.rows.iter().all(|r| r.cells.iter().flatten().all(|c| c.text != "withheld")));
    let [row] = &withheld.rows[..] else { panic!("nobody knows a floor: {:?}", withheld.rows) };
    let texts: Vec<Option<&str>> = row.cells.iter().map(|c| c.as_ref().map(|c| c.text.as_str())).collect();
    assert_eq!(texts, [None, None, None, Some("withheld")]);
    let ledger = row.ledger.as_ref().unwrap();
    assert_eq!((ledger.wrong, ledger.no_answer, ledger.failed), (None, 2, 1));
    let text = render(&[run], Format::Markdown).unwrap();
    assert!(
        text.contains(&format!(
            "`{folder}/predictions.json` has 12 of 12 predictions, 2 of them no answer and 1 failed"
        )),
        "{text}"
    );
    assert!(text.contains("sonalkum/MMAU-Eval"), "{text}");
}
