//! Goldens: written from a run, held against themselves and against fresh runs.

mod report_runs;

use aqa_bench::artifact::layout::RunFolder;
use aqa_bench::data::mmau;
use aqa_bench::pins::Sha256;
use aqa_bench::prompt::{self, ChatTemplate};
use aqa_bench::recipe::PromptStyle;
use aqa_bench::report::golden::{check, update};
use report_runs::{edit, questions, quickstart, said, synthetic, write};
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

struct Fixture {
    dir: TempDir,
    run: PathBuf,
    golden: PathBuf,
}

/// A run and the golden made from it, with a margin for GRPO and conditions.
fn fixture() -> Fixture {
    let dir = tempdir().unwrap();
    let run = write(dir.path().join("run"), &quickstart());
    let golden = dir.path().join("golden/quickstart");
    update(&run, &golden, "first").unwrap();
    edit(&golden.join("golden.json"), |g| {
        g["evals"][2]["tolerance"] = json!({"margin": 20.0});
        g["evals"][2]["why"] = json!("trained: rounding differs between machines");
        g["conditions"] = json!([
            {"eval": "grpo", "above": "sft", "by": 20.0},
            {"eval": "grpo", "above": "floor:first", "by": 20.0},
            {"eval": "grpo", "above": "floor:random", "by": 20.0},
        ]);
    });
    Fixture { dir, run, golden }
}

impl Fixture {
    fn check(&self, run: Option<&Path>) -> (u8, String) {
        let (code, text) = match check(&[self.dir.path().join("golden")], run) {
            Ok(report) => {
                assert_eq!(report.goldens, 1);
                let differences = report.suites.iter().map(|suite| suite.differences()).sum::<usize>();
                assert_eq!(report.differences, differences);
                (if differences == 0 { 0 } else { 3 }, format!("{}{}\n", report.to_text(), report.count()))
            }
            Err(error) => (error.exit_code(), error.to_string()),
        };
        (code, text.replace(self.dir.path().to_str().unwrap(), "DIR"))
    }

    /// A fresh run whose GRPO row has these questions right.
    fn fresh(&self, correct: &[usize]) -> PathBuf {
        let mut spec = quickstart();
        spec.evals[2].said = said(&questions(), correct);
        write(self.dir.path().join("fresh"), &spec)
    }
}

#[test]
fn what_was_just_written_is_the_same_with_and_without_its_run() {
    let f = fixture();
    let (code, text) = f.check(Some(&f.run));
    assert_eq!(code, 0, "{text}");
    insta::assert_snapshot!("same", text);
    let golden: serde_json::Value = serde_json::from_slice(&fs::read(f.golden.join("golden.json")).unwrap()).unwrap();
    assert_eq!(golden["how_made"]["command"], "aqa-bench reproduce 'recipes/a b.yaml'", "no folder of this machine");
    assert!(!fs::read_to_string(f.golden.join("leaderboard.md")).unwrap().contains("/srv"));
}

#[test]
fn a_flipped_verdict_is_told_with_its_question() {
    let f = fixture();
    edit(&f.golden.join("grpo/verdicts.json"), |v| v["q01"] = "wrong".into());
    let (code, text) = f.check(None);
    assert_eq!(code, 3);
    insta::assert_snapshot!("flipped", text);
}

#[test]
fn a_changed_prompt_is_told() {
    let f = fixture();
    edit(&f.golden.join("sft/prompts.json"), |p| p["by_id"]["q04"] = "0".repeat(64).into());
    let (code, text) = f.check(None);
    assert_eq!(code, 3);
    insta::assert_snapshot!("prompt", text);

    let f = fixture();
    edit(&f.golden.join("sft/prompts.json"), |p| p["all"] = "0".repeat(64).into());
    let (code, text) = f.check(None);
    assert!(code == 3 && text.contains("hash over all"), "{text}");
}

/// The prompts of an evaluation with a system turn of its own are rendered again with it, and the table says it.
#[test]
fn a_system_turn_is_part_of_the_prompts_that_are_rendered_again() {
    let dir = tempdir().unwrap();
    let run = write(dir.path().join("run"), &quickstart());
    let sft = RunFolder::new(&run).stage("sft", &Sha256::of(b"sft"));
    let system = "Respond in <THINK> and <RESPONSE>.";
    edit(&sft.eval(), |record| record["system"] = system.into());
    let golden = dir.path().join("golden/quickstart");
    let error = update(&run, &golden, "first").unwrap_err();
    assert!(
        error.exit_code() == 3 && error.to_string().contains("the prompt bytes changed: 11 of 12 prompts"),
        "{error}"
    );

    let rows = fs::read(sft.predictions()).unwrap();
    let template = ChatTemplate::qwen2_audio().unwrap().with_system(Some(system));
    let hashes: HashMap<String, String> = mmau::from_slice(&rows, "rows", Path::new(""))
        .unwrap()
        .iter()
        .map(|row| {
            let rendered = template.render(&prompt::text(PromptStyle::R1Aqa2, row), 1).unwrap();
            (row.id.clone(), Sha256::of(rendered.as_bytes()).to_string())
        })
        .collect();
    let lines = fs::read_to_string(sft.samples()).unwrap();
    let lines = lines.lines().map(|line| {
        let mut sample: serde_json::Value = serde_json::from_str(line).unwrap();
        sample["prompt_sha256"] = hashes[sample["id"].as_str().unwrap()].clone().into();
        format!("{sample}\n")
    });
    fs::write(sft.samples(), lines.collect::<String>()).unwrap();
    update(&run, &golden, "first").unwrap();
    check(&[dir.path().join("golden")], Some(&run)).unwrap();
    let table = fs::read_to_string(golden.join("leaderboard.md")).unwrap();
    assert!(table.contains(&format!("prompt `r1-aqa-2` behind the system turn `{system}`;")), "{table}");
}

#[test]
fn a_changed_table_is_told_by_its_first_line_and_every_byte_counts() {
    let f = fixture();
    let path = f.golden.join("leaderboard.md");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("75.00", "75.01")).unwrap();
    let (code, report) = f.check(None);
    assert_eq!(code, 3);
    insta::assert_snapshot!("table", report);
    for changed in [text.trim_end().to_owned(), text.replace('\n', "\r\n"), format!("{text}\n")] {
        fs::write(&path, changed).unwrap();
        assert_eq!(f.check(None).0, 3);
    }
    fs::write(&path, &text).unwrap();
    assert_eq!(f.check(None).0, 0);
}

#[test]
fn a_changed_score_is_told() {
    let f = fixture();
    edit(&f.golden.join("grpo/score.json"), |s| s["ledger"]["wrong"] = 2.into());
    let (code, text) = f.check(None);
    assert!(code == 3 && text.contains("score.json changed: 75.00 (9/12) → 75.00 (9/12), in a breakdown"), "{text}");
}

#[test]
fn an_incomplete_or_empty_golden_is_an_error_and_not_a_pass() {
    let f = fixture();
    fs::write(f.golden.join("grpo/notes.txt"), "").unwrap();
    let (code, text) = f.check(None);
    assert!(code == 4 && text.contains("not referenced by golden.json: grpo/notes.txt"), "{text}");

    for file in ["golden.json", "leaderboard.md", "grpo/prompts.json", "sft/predictions.json", "start/verdicts.json"] {
        let f = fixture();
        fs::remove_file(f.golden.join(file)).unwrap();
        let (code, text) = f.check(None);
        assert!(code == 4 && text.contains(file.rsplit('/').next().unwrap()), "{file}: {text}");
    }

    let empty = tempdir().unwrap();
    let error = check(&[empty.path().to_owned()], None).unwrap_err();
    assert!(error.exit_code() == 4 && error.to_string().contains("no golden found"), "{error}");
    fs::create_dir(empty.path().join("x")).unwrap();
    assert_eq!(check(&[empty.path().to_owned()], None).unwrap_err().exit_code(), 4);
    assert_eq!(check(&[empty.path().join("none")], None).unwrap_err().exit_code(), 4);

    let f = fixture();
    edit(&f.golden.join("golden.json"), |g| g["evals"] = json!([]));
    assert_eq!(f.check(None).0, 4);
}

#[test]
fn a_fresh_run_passes_within_its_margin_and_not_beyond() {
    let f = fixture();
    // 9 right became 11 of 12: 16.67 points, within 20.
    let (code, text) = f.check(Some(&f.fresh(&[0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11])));
    assert_eq!(code, 0, "{text}");
    insta::assert_snapshot!("within", text);
    fs::remove_dir_all(f.dir.path().join("fresh")).unwrap();
    // 6 right: 25 points less, and no longer 20 above SFT.
    let (code, text) = f.check(Some(&f.fresh(&[0, 1, 2, 3, 4, 6])));
    assert_eq!(code, 3);
    insta::assert_snapshot!("beyond", text);
}

#[test]
fn what_no_training_stands_behind_must_repeat_exactly() {
    let f = fixture();
    let mut spec = quickstart();
    spec.evals[0] = synthetic("start", "Start", false, &[2]);
    let run = write(f.dir.path().join("fresh"), &spec);
    let (code, text) = f.check(Some(&run));
    assert!(code == 3 && text.contains("start: 2 flips, at most 0 allowed (8.33 → 8.33)"), "{text}");
}

#[test]
fn other_questions_prompts_or_recipes_are_not_compared_silently() {
    let f = fixture();
    let mut spec = quickstart();
    spec.evals[0].sha256 = aqa_bench::pins::Sha256::of(b"others");
    spec.evals.pop();
    let (code, text) = f.check(Some(&write(f.dir.path().join("fresh"), &spec)));
    assert!(code == 3 && text.contains("start: other questions") && text.contains("grpo: the golden has it"), "{text}");

    spec.recipe = "another";
    let (code, text) = f.check(Some(&write(f.dir.path().join("another"), &spec)));
    assert!(code == 4 && text.contains("no golden of recipe another (found quickstart)"), "{text}");

    let run = write(f.dir.path().join("prompts"), &quickstart());
    let samples = fs::read_dir(&run).unwrap().map(|e| e.unwrap().path().join("samples.jsonl"));
    let samples = samples.filter(|p| p.to_str().unwrap().contains("/start-")).find(|p| p.exists()).unwrap();
    let text = fs::read_to_string(&samples).unwrap();
    let hash = text.split("\"prompt_sha256\":\"").nth(1).unwrap()[..64].to_owned();
    fs::write(&samples, text.replace(&hash, &"1".repeat(64))).unwrap();
    let (code, text) = f.check(Some(&run));
    assert!(code == 3 && text.contains("start: the prompt bytes changed: 1 of 12"), "{text}");
    assert!(text.contains("start: 12 outputs: same"), "the prompt changed and what was said did not: {text}");
}

/// The samples of an evaluation of a run.
fn samples(run: &Path, eval: &str) -> PathBuf {
    let folders = fs::read_dir(run).unwrap().map(|e| e.unwrap().path().join("samples.jsonl"));
    folders.filter(|p| p.to_str().unwrap().contains(&format!("/{eval}-"))).find(|p| p.exists()).unwrap()
}

#[test]
fn a_changed_output_is_counted_though_its_verdict_stays_and_a_flip_names_its_cause() {
    let f = fixture();
    let run = write(f.dir.path().join("fresh"), &quickstart());
    // One output in other words and with the same answer, one under another prompt.
    let path = samples(&run, "grpo");
    let mut rows: Vec<serde_json::Value> =
        fs::read_to_string(&path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    rows[0]["output"] = "I think of a <answer>dog</answer>".into();
    rows[1]["output"] = "<answer>piano</answer>, I am sure".into();
    rows[1]["prompt_sha256"] = "1".repeat(64).into();
    fs::write(&path, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
    let (code, text) = f.check(Some(&run));
    assert_eq!(code, 3, "the prompt is a difference, the outputs are not: {text}");
    let expected = "grpo: the model's output changed: 1 of 12 under the same prompts, 1 under other prompts";
    assert!(text.contains(expected) && text.contains("0 of them with another verdict"), "{text}");
    assert!(text.contains("grpo: the prompt bytes changed: 1 of 12 prompts"), "{text}");

    // A flip with another output, and one with the same: there the scoring changed.
    fs::remove_dir_all(&run).unwrap();
    let run = f.fresh(&[0, 1, 2, 3, 4, 6, 7, 9]);
    let (_, text) = f.check(Some(&run));
    assert!(text.contains("q10 (music): correct → wrong, another output under the same prompt"), "{text}");
    let answers = fs::read_to_string(samples(&run, "grpo")).unwrap();
    let line = answers.lines().nth(10).unwrap();
    let asked = line.split("\"prompt_sha256\":\"").nth(1).unwrap()[..64].to_owned();
    fs::write(samples(&run, "grpo"), answers.replace(&asked, &"1".repeat(64))).unwrap();
    let (_, text) = f.check(Some(&run));
    assert!(text.contains("q10 (music): correct → wrong, under another prompt"), "{text}");
    let kept = fs::read_to_string(samples(&f.run, "grpo")).unwrap();
    let output = |text: &str| text.lines().nth(10).unwrap().split("\"output\":").nth(1).unwrap().to_owned();
    let output = |text: &str| output(text).split(",\"answer\"").next().unwrap().to_owned();
    fs::write(samples(&run, "grpo"), answers.replacen(&output(&answers), &output(&kept), 99)).unwrap();
    let (_, text) = f.check(Some(&run));
    assert!(text.contains("q10 (music): correct → wrong, the same output"), "{text}");
}

#[test]
fn an_answer_that_does_not_follow_from_its_output_is_a_difference_and_makes_no_golden() {
    let change = |run: &Path, eval: &str, at: usize, key: &str, text: &str| {
        let path = samples(run, eval);
        let mut rows: Vec<serde_json::Value> =
            fs::read_to_string(&path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        rows[at][key] = text.into();
        fs::write(&path, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
    };
    let f = fixture();
    change(&f.run, "grpo", 3, "output", "<answer>none of them</answer>");
    let told = "grpo: samples.jsonl: 1 answer is not what `answer-tag` takes from the output, first of question q03";
    let (code, text) = f.check(Some(&f.run));
    assert!(code == 3 && text.contains(&format!("✗ {told}\n")), "{text}");
    let error = update(&f.run, &f.golden, "anew").unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains(told), "{error}");

    // A record that does not say how answers were taken, or names a way of another version, cannot be held to it.
    let grpo = samples(&f.run, "grpo").with_file_name("eval.json");
    for how in ["", "of-tomorrow"] {
        edit(&grpo, |record| record["extract"] = how.into());
        let (code, text) = f.check(Some(&f.run));
        assert_eq!(code, 0, "{how}: {text}");
    }
    edit(&grpo, |record| record["extract"] = "last-answer-tag".into());
    assert_eq!(f.check(Some(&f.run)).0, 3);

    // An answer that is not the prediction, though it gets the same verdict; a failed question has no output that it could follow from.
    let f = fixture();
    change(&f.run, "sft", 2, "output", "half a line");
    assert_eq!(f.check(Some(&f.run)).0, 0);
    change(&f.run, "grpo", 5, "output", "another");
    change(&f.run, "grpo", 5, "answer", "another");
    let (code, text) = f.check(Some(&f.run));
    assert!(
        code == 3 && text.contains("✗ grpo: score.json or samples.jsonl is not what predictions.json gives"),
        "{text}"
    );
}

#[test]
fn a_condition_on_what_the_run_does_not_evaluate_is_a_difference_and_the_others_are_checked() {
    let f = fixture();
    let conditions = |name: &str, gone: &[&str]| {
        let mut spec = quickstart();
        spec.evals.retain(|e| !gone.contains(&e.name));
        let (code, text) = f.check(Some(&write(f.dir.path().join(name), &spec)));
        assert_eq!(code, 3, "{text}");
        let (_, run) = text.split_once("against golden").unwrap();
        run.lines().filter(|l| l.contains("condition: ")).map(|l| format!("{l}\n")).collect::<String>()
    };
    let mut told = conditions("no-sft", &["sft"]);
    assert!(told.contains("  condition: grpo 75.00 − floor:first 50.00 = 25.00 points, at least 20: holds"), "{told}");
    edit(&f.golden.join("golden.json"), |g| g["conditions"][1]["eval"] = "start".into());
    edit(&f.golden.join("golden.json"), |g| g["conditions"][1]["by"] = json!(-90.0));
    told += &conditions("no-grpo", &["grpo"]);
    told += &conditions("neither", &["sft", "grpo"]);
    insta::assert_snapshot!("absent", told);
}

#[test]
fn a_golden_of_the_first_schema_is_checked_without_the_outputs_that_it_does_not_have() {
    let f = fixture();
    edit(&f.golden.join("golden.json"), |g| g["schema"] = 1.into());
    let (code, text) = f.check(None);
    assert!(code == 4 && text.contains("not referenced by golden.json: grpo/outputs.json"), "{text}");
    for eval in ["start", "sft", "grpo"] {
        fs::remove_file(f.golden.join(eval).join("outputs.json")).unwrap();
    }
    assert_eq!(f.check(None).0, 0);
    let (code, text) = f.check(Some(&f.run));
    assert!(code == 0 && text.contains("grpo: outputs: not recorded in this golden"), "{text}");
    // An update from a run records them.
    update(&f.run, &f.golden, "outputs are recorded").unwrap();
    let (code, text) = f.check(Some(&f.run));
    assert!(code == 0 && text.contains("grpo: 12 outputs: same"), "{text}");
}

#[test]
fn the_list_of_outputs_must_be_whole() {
    type Change = fn(&mut serde_json::Value);
    let changes: [Change; 3] = [
        |o| o["all"] = "0".repeat(64).into(),
        |o| drop(o["by_id"].as_object_mut().unwrap().shift_remove("q03")),
        |o| o["by_id"]["q03"] = "0".repeat(64).into(),
    ];
    for change in changes {
        let f = fixture();
        edit(&f.golden.join("sft/outputs.json"), change);
        let (code, text) = f.check(None);
        assert!(code == 3 && text.contains("sft: outputs.json: not a hash for each prediction"), "{text}");
    }
}

#[test]
fn goldens_of_other_versions_and_half_written_runs_are_refused_with_the_way_out() {
    let mut said = String::new();
    let mut refused = |what: &str, (code, text): (u8, String)| {
        assert_eq!(code, 4, "{what}: {text}");
        said.push_str(&format!("{what}\n{text}\n\n"));
    };
    for (what, schema) in [("a newer golden", json!(3)), ("an older one", json!(0)), ("none", json!(null))] {
        let f = fixture();
        edit(&f.golden.join("golden.json"), |g| (g["schema"], g["surprise"]) = (schema, 1.into()));
        refused(what, f.check(None));
        if what == "a newer golden" {
            let error = update(&f.run, &f.golden, "anew").unwrap_err();
            assert_eq!(error.exit_code(), 4, "its tolerances and its log would be lost: {error}");
        }
    }
    let f = fixture();
    fs::write(f.golden.join("golden.json"), "{\"schema\": 2, \"how_made\"").unwrap();
    refused("a golden cut off", f.check(None));

    let f = fixture();
    let path = samples(&f.run, "sft");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let stage = path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let redacted = |f: &Fixture| {
        let (code, text) = f.check(Some(&f.run));
        (code, text.replace(&stage, "sft-STAGE"))
    };
    refused("a last line cut off", redacted(&f));
    let lines: Vec<&str> = whole.lines().collect();
    fs::write(&path, lines[..9].join("\n") + "\n").unwrap();
    refused("lines lost", redacted(&f));
    fs::remove_file(&path).unwrap();
    refused("no samples", redacted(&f));
    fs::remove_file(f.run.join("manifest.json")).unwrap();
    refused("no manifest", redacted(&f));
    fs::write(f.run.join("manifest.json"), "{\"schema\": 1, \"recipe\": \"qui").unwrap();
    refused("half a manifest", redacted(&f));
    insta::assert_snapshot!("refused", said);

    let f = fixture();
    edit(&f.run.join("manifest.json"), |m| m["stages"][2]["done"] = false.into());
    let (code, text) = f.check(Some(&f.run));
    assert!(code == 2 && text.contains("sft (evaluate) missing; run `aqa-bench reproduce`"), "{text}");
}

#[test]
fn an_update_keeps_tolerances_and_the_log_and_needs_a_reason_and_a_whole_run() {
    let f = fixture();
    let read =
        || serde_json::from_slice::<serde_json::Value>(&fs::read(f.golden.join("golden.json")).unwrap()).unwrap();
    assert_eq!(update(&f.run, &f.golden, "  ").unwrap_err().exit_code(), 2);

    let better = f.fresh(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    update(&better, &f.golden, "a better schedule").unwrap();
    let golden = read();
    assert_eq!(golden["evals"][2]["tolerance"], json!({"margin": 20.0}));
    assert_eq!(golden["conditions"].as_array().unwrap().len(), 3);
    assert_eq!(golden["log"][0]["reason"], "first");
    assert_eq!(golden["log"][1]["reason"], "a better schedule");
    assert_eq!(f.check(Some(&better)).0, 0);
    let names = |dir: &Path| fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names(&f.dir.path().join("golden")), ["quickstart"], "nothing temporary stays");

    // A run that does not meet the conditions, or that was asked only in part, does not replace the golden.
    fs::remove_dir_all(&better).unwrap();
    let worse = f.fresh(&[0]);
    let error = update(&worse, &f.golden, "oops").unwrap_err();
    assert!(error.exit_code() == 3 && error.to_string().contains("does not hold"), "{error}");
    let mut spec = quickstart();
    spec.evals[0].questions = 24;
    let part = write(f.dir.path().join("part"), &spec);
    let error = update(&part, &f.golden, "oops").unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("only part"), "{error}");
    assert_eq!(read(), golden);
}

#[test]
fn stored_predictions_are_held_by_their_hash_and_a_golden_by_its_recipe() {
    let f = fixture();
    // Two wrong answers in other words: every verdict and the table stay.
    let path = f.golden.join("sft/predictions.json");
    edit(&path, |rows| {
        let rows = rows.as_array_mut().unwrap();
        let wrong =
            rows.iter().position(|r| r["model_prediction"] != r["answer"] && r["model_prediction"] != "").unwrap();
        rows[wrong]["model_prediction"] = "none of them".into();
    });
    let (code, text) = f.check(None);
    assert!(code == 3 && text.contains("sft: predictions.json was changed after the golden was made"), "{text}");

    let other = write(f.dir.path().join("other"), &report_runs::on_mmau("another", "Row", report_runs::MARCH, &[0]));
    let error = update(&other, &f.golden, "by mistake").unwrap_err();
    assert!(
        error.exit_code() == 2
            && error.to_string().contains("a run of recipe another, the golden is one of quickstart"),
        "{error}"
    );
}
