//! Goldens as CI meets them: annotations, summary, JSON, JUnit, and the action that ties them together. Needs no libtorch.

mod program;
mod report_runs;

use aqa_bench::report::golden::update;
use program::{Said, command, said};
use report_runs::{edit, questions, quickstart, said as answers, write};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::{TempDir, tempdir};

/// A folder with a run, and its golden in `golden/quickstart`.
struct Project(TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempdir().unwrap());
        update(&write(project.at("run"), &quickstart()), &project.at("golden/quickstart"), "first").unwrap();
        project
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// One verdict, one prompt and one line of the table are others; a task's name would be taken for a command and for Markdown.
    fn break_golden(&self) {
        let golden = self.at("golden/quickstart");
        edit(&golden.join("grpo/verdicts.json"), |v| v["q01"] = "wrong".into());
        edit(&golden.join("sft/prompts.json"), |p| p["by_id"]["q04"] = "0".repeat(64).into());
        let table = fs::read_to_string(golden.join("leaderboard.md")).unwrap();
        let (_, rest) = table.split_once('\n').unwrap();
        fs::write(golden.join("leaderboard.md"), format!("# Another title\n{rest}")).unwrap();
    }

    fn check(&self, args: &[&str]) -> Said {
        let mut command = command(["check"]);
        command.args(args).current_dir(self.0.path());
        for name in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"] {
            command.env_remove(name);
        }
        said(&command.output().unwrap())
    }
}

#[test]
fn annotations_point_at_the_lines_of_the_golden_and_the_job_gets_a_summary() {
    let project = Project::new();
    project.break_golden();
    let (summary, output) = (project.at("summary.md"), project.at("output"));
    fs::write(&summary, "a step before\n").unwrap();
    let mut command = command(["check", "--format", "github", "--run", "run"]);
    command.current_dir(project.0.path()).env("GITHUB_WORKSPACE", project.0.path());
    let out = said(&command.env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_OUTPUT", &output).output().unwrap());
    assert_eq!(out.code, 3);
    assert!(out.err.starts_with("error: 5 differences (a change that is meant is written with `"), "{}", out.err);
    insta::assert_snapshot!("annotations", out.out);
    insta::assert_snapshot!("summary", fs::read_to_string(&summary).unwrap());
    assert_eq!(fs::read_to_string(&output).unwrap(), "differences=5\ngoldens=1\n");
    for line in out.out.lines().filter(|line| line.starts_with("::")) {
        let place = line.split("file=").nth(1).unwrap().split(",title=").next().unwrap();
        let (file, number) = place.split_once(",line=").unwrap();
        let text = fs::read_to_string(project.at(file)).unwrap();
        let shown = text.lines().nth(number.parse::<usize>().unwrap() - 1).unwrap();
        let id = ["q01", "q04"].into_iter().find(|id| line.contains(id));
        if file.ends_with("verdicts.json") || file.ends_with("prompts.json") {
            assert!(shown.contains(&format!("\"{}\":", id.unwrap())), "{line}\n{shown}");
        }
    }
}

#[test]
fn nothing_in_a_golden_is_taken_for_a_command_or_for_markdown() {
    let project = Project::new();
    let golden = project.at("golden/quickstart");
    edit(&golden.join("grpo/predictions.json"), |rows| rows[1]["id"] = "q01\n::error::<b>|100%".into());
    let out = project.check(&["--format", "github", "--summary", "own.md"]);
    assert_eq!(out.code, 3, "{}", out.err);
    let commands: Vec<&str> = out.out.lines().filter(|line| line.trim_start().starts_with("::")).collect();
    assert!(commands.iter().all(|line| line.starts_with("::error file=golden/")), "{commands:?}");
    assert!(commands.iter().any(|line| line.contains("q01\\n::error::<b>|100%25 (music)")), "{commands:?}");
    let summary = fs::read_to_string(project.at("own.md")).unwrap();
    assert!(summary.contains("&lt;b&gt;\\|100%") && !summary.contains("<b>"), "{summary}");
}

#[test]
fn the_json_says_what_the_text_says() {
    let project = Project::new();
    project.break_golden();
    let out = project.check(&["--format", "json", "--run", "run"]);
    assert!(out.code == 3 && out.err.starts_with("error: 5 differences ("), "{}", out.err);
    let json: Value = serde_json::from_str(&out.out).unwrap();
    assert_eq!((&json["goldens"], &json["differences"]), (&json!(1), &json!(5)));
    let text = project.check(&["--run", "run"]).out;
    let findings: Vec<&Value> =
        json["suites"].as_array().unwrap().iter().flat_map(|s| s["findings"].as_array().unwrap()).collect();
    assert_eq!(findings.iter().filter(|f| f["outcome"] == "different").count(), 5);
    assert_eq!(text.lines().filter(|line| line.starts_with('✗')).count(), 5, "{text}");
    for finding in &findings {
        assert!(text.contains(finding["text"].as_str().unwrap()), "{finding}");
    }
    let flips = findings.iter().find(|f| f["kind"] == "verdicts" && f["outcome"] == "different").unwrap();
    let flip = json!({"id": "q01", "task": "music", "before": "wrong", "after": "correct", "cause": null});
    assert_eq!(flips["flips"], json!([flip]));
    assert_eq!(flips["place"]["file"], "golden/quickstart/grpo/verdicts.json");
}

/// Attributes by name.
fn attribute<'a>(node: roxmltree::Node<'a, '_>, name: &str) -> &'a str {
    node.attribute(name).unwrap_or_else(|| panic!("no {name} in {node:?}"))
}

#[test]
fn junit_has_a_suite_for_each_golden_and_a_case_for_each_evaluation_and_kind() {
    let project = Project::new();
    let out = project.check(&["--junit", "deep/check.xml", "--run", "run"]);
    assert_eq!(out.code, 0, "{}", out.err);
    let text = fs::read_to_string(project.at("deep/check.xml")).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let elements = |tag| document.descendants().filter(move |n| n.has_tag_name(tag));
    assert_eq!(elements("testsuite").count(), 2);
    assert_eq!(elements("failure").count() + elements("error").count() + elements("skipped").count(), 0);
    let cases = elements("testcase").map(|case| (attribute(case, "classname"), attribute(case, "name")));
    let cases: Vec<(&str, &str)> = cases.collect();
    let unique: std::collections::BTreeSet<_> = cases.iter().collect();
    assert_eq!(unique.len(), cases.len(), "a case is there twice");
    for kind in ["verdicts", "score", "prompts"] {
        assert!(cases.contains(&("golden/quickstart/sft", kind)), "{kind}: {cases:?}");
    }
    for kind in ["prompts", "outputs", "verdicts", "tolerance"] {
        assert!(cases.contains(&("golden/quickstart and run run/grpo", kind)), "{kind}: {cases:?}");
    }
    assert!(cases.contains(&("golden/quickstart", "table")));

    project.break_golden();
    edit(&project.at("golden/quickstart/grpo/predictions.json"), |rows| rows[1]["task"] = "mu\u{1}s<i>\"c".into());
    assert_eq!(project.check(&["--junit", "check.xml", "--run", "run"]).code, 3);
    let text = fs::read_to_string(project.at("check.xml")).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let elements = |tag| document.descendants().filter(move |n| n.has_tag_name(tag));
    let failures: Vec<_> = elements("failure").collect();
    assert_eq!(failures.len(), 7, "a case has one failure each: {text}");
    for suite in elements("testsuite").chain(elements("testsuites")) {
        let count = |tag| suite.descendants().filter(|n| n.has_tag_name(tag)).count().to_string();
        assert_eq!(attribute(suite, "tests"), count("testcase"));
        assert_eq!(attribute(suite, "failures"), count("failure"));
    }
    let flip = failures.iter().find(|f| attribute(**f, "message").contains("the scoring changed")).unwrap();
    assert!(flip.text().unwrap().contains("q01 (mu\\u{1}s<i>\"c): wrong → correct"), "{text}");
    assert!(failures.iter().any(|f| attribute(*f, "message").contains("the prompt bytes changed")), "{text}");
}

#[test]
fn what_is_not_recorded_is_skipped_in_junit_and_no_failure() {
    let project = Project::new();
    edit(&project.at("golden/quickstart/golden.json"), |g| g["schema"] = 1.into());
    for eval in ["start", "sft", "grpo"] {
        fs::remove_file(project.at("golden/quickstart").join(eval).join("outputs.json")).unwrap();
    }
    let out = project.check(&["--junit", "check.xml"]);
    assert!(out.out.contains("  sft: outputs: not recorded in this golden"), "{}", out.out);
    assert_eq!(out.code, 0);
    let text = fs::read_to_string(project.at("check.xml")).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    assert_eq!(document.descendants().filter(|n| n.has_tag_name("skipped")).count(), 3, "{text}");
    assert_eq!(attribute(document.root_element(), "skipped"), "3");
}

#[test]
fn a_check_that_could_not_be_made_leaves_no_report_that_looks_whole() {
    let project = Project::new();
    project.check(&["--junit", "check.xml"]).succeeds();
    fs::remove_file(project.at("golden/quickstart/grpo/score.json")).unwrap();
    let out = project.check(&["--junit", "check.xml", "--format", "github"]);
    assert_eq!(out.code, 4);
    assert!(out.out.starts_with("::error title=aqa-bench check::cannot read golden/quickstart/grpo/score.json"));
    let text = fs::read_to_string(project.at("check.xml")).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let error = document.descendants().find(|n| n.has_tag_name("error")).unwrap();
    assert!(attribute(error, "message").contains("grpo/score.json"), "{text}");
    assert_eq!(attribute(document.root_element(), "errors"), "1");

    // The summary too, also where another report cannot be written.
    fs::write(project.at("own.md"), "no difference\n").unwrap();
    assert_eq!(project.check(&["--summary", "own.md", "--junit", "golden/quickstart/golden.json/x.xml"]).code, 4);
    let summary = fs::read_to_string(project.at("own.md")).unwrap();
    assert!(summary.starts_with("## aqa-bench check: could not be made\n\ncannot read golden"), "{summary}");

    let error = project.check(&["--update", "--run", "run", "--reason", "x", "--format", "json"]).fails(2);
    assert!(error.contains("--update") && error.contains("--format"), "{error}");
    let unwritable = project.check(&["--junit", "golden/quickstart/golden.json/x.xml"]);
    assert_eq!(unwritable.code, 4, "the golden's own error comes first: {}", unwritable.err);
    assert_eq!(unwritable.err.lines().count(), 2, "{}", unwritable.err);
}

/// A golden of predictions that no model of ours made, as a paper's repository has it.
#[test]
fn a_golden_of_scored_files_needs_no_model() {
    let project = Project::new();
    let mut rows = questions();
    for (row, text) in rows.iter_mut().zip(answers(&questions(), &[0, 1, 2, 3, 4])) {
        row["model_output"] = text.unwrap().into();
    }
    fs::write(project.at("questions.json"), serde_json::to_string(&questions()).unwrap()).unwrap();
    fs::write(project.at("theirs.json"), serde_json::to_string(&rows[..11]).unwrap()).unwrap();
    let pin = aqa_bench::pins::Sha256::of_file(&project.at("questions.json")).unwrap();
    let recipe = format!(
        "name: files\ntitle: \"A file\"\nseed: 1\ndata:\n  sets:\n    made: {{format: mmau, file: questions.json, sha256: {pin}, audio: nowhere}}\nscores:\n  - {{name: theirs, label: \"Theirs\", file: theirs.json, data: made, rule: official}}\n"
    );
    fs::write(project.at("files.yaml"), recipe).unwrap();
    let call = |args: &[&str]| said(&command(args).current_dir(project.0.path()).output().unwrap());
    call(&["reproduce", "files.yaml"]).succeeds();
    let golden = "golden/files";
    call(&["check", "--update", "--run", "runs/files", "--reason", "first", golden]).succeeds();
    let names: Vec<String> = {
        let mut names: Vec<String> = fs::read_dir(project.at("golden/files/theirs"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names, ["eval.json", "predictions.json", "score.json", "verdicts.json"]);
    // Another folder of the same name is no other recipe: overrides are kept without folders.
    let elsewhere = project.at("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for name in ["questions.json", "theirs.json"] {
        fs::copy(project.at(name), elsewhere.join(name)).unwrap();
    }
    let set = format!("data.dir={}", elsewhere.display());
    call(&["reproduce", "files.yaml", "--run-dir", "runs/again", "--set", &set]).succeeds();
    let text = project.check(&["--run", "runs/again", golden]).succeeds();
    assert!(text.contains("note: the recipe file or its overrides"), "{text}");
    call(&["check", "--update", "--run", "runs/again", "--reason", "moved", golden]).succeeds();
    assert!(!project.check(&["--run", "runs/again", golden]).succeeds().contains("note:"));
    let text = project.check(&["--run", "runs/files", golden]).succeeds();
    assert!(text.contains("theirs: 0 flips, within 0 (41.67 → 41.67)") && !text.contains("prompts"), "{text}");
    // The scorer is held to its verdicts.
    edit(&project.at("golden/files/theirs/verdicts.json"), |v| v["q10"] = "correct".into());
    let text = project.check(&[golden]);
    assert_eq!(text.code, 3);
    assert!(text.out.contains("✗ theirs: the scoring changed 1 of 11 verdicts"), "{}", text.out);
}

/// `action.yml`, its steps run as GitHub runs those of a composite action, as far as they are scripts.
struct Action {
    yaml: Value,
    inputs: BTreeMap<String, String>,
}

/// What the steps left.
struct Left {
    codes: Vec<i32>,
    log: String,
    outputs: BTreeMap<String, String>,
    summary: String,
}

impl Action {
    fn new(inputs: &[(&str, &str)]) -> Self {
        let yaml: Value = serde_yaml::from_str(&fs::read_to_string("action.yml").unwrap()).unwrap();
        let given: BTreeMap<&str, &str> = inputs.iter().copied().collect();
        let value = |(name, input): (&String, &Value)| {
            let value = given.get(name.as_str()).copied().unwrap_or(input["default"].as_str().unwrap());
            (name.clone(), value.to_owned())
        };
        let inputs = yaml["inputs"].as_object().unwrap().iter().map(value).collect();
        assert!(given.keys().all(|name| yaml["inputs"].get(name).is_some()), "{given:?}");
        Self { yaml, inputs }
    }

    /// `${{ inputs.X }}` and `${{ steps.ID.outputs.X }}`; any other expression is a defect.
    fn fill(&self, text: &str, steps: &BTreeMap<String, String>) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").expect("an expression ends");
            let value = match expression.trim().split('.').collect::<Vec<_>>().as_slice() {
                ["inputs", name] => self.inputs[*name].clone(),
                ["steps", id, "outputs", name] => steps.get(&format!("{id}.{name}")).cloned().unwrap_or_default(),
                _ => panic!("unknown expression {expression}"),
            };
            out += before;
            out += &value;
            rest = after;
        }
        out + rest
    }

    fn run(&self, workspace: &Path) -> Left {
        let state = tempdir().unwrap();
        let (mut steps, mut codes, mut log) = (BTreeMap::new(), vec![], String::new());
        let summary = state.path().join("summary");
        for step in self.yaml["runs"]["steps"].as_array().unwrap() {
            let Some(script) = step["run"].as_str() else { continue };
            assert_eq!(step["shell"], "bash");
            assert!(!script.contains("${{"), "inputs reach a script by its environment alone");
            let output = state.path().join("output");
            fs::write(&output, "").unwrap();
            let mut bash = Command::new("bash");
            bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).current_dir(workspace);
            bash.env("GITHUB_ACTION_PATH", fs::canonicalize(".").unwrap()).env("GITHUB_WORKSPACE", workspace);
            bash.env("GITHUB_OUTPUT", &output).env("GITHUB_STEP_SUMMARY", &summary).env("HOME", state.path());
            for (key, value) in step["env"].as_object().into_iter().flatten() {
                bash.env(key, self.fill(value.as_str().unwrap(), &steps));
            }
            let ended = said(&bash.output().unwrap());
            codes.push(ended.code);
            log += &ended.out;
            log += &ended.err;
            for line in fs::read_to_string(&output).unwrap().lines() {
                let (key, value) = line.split_once('=').unwrap();
                steps.insert(format!("{}.{key}", step["id"].as_str().unwrap()), value.to_owned());
            }
            if ended.code != 0 {
                break;
            }
        }
        let value =
            |(name, output): (&String, &Value)| (name.clone(), self.fill(output["value"].as_str().unwrap(), &steps));
        let outputs = self.yaml["outputs"].as_object().unwrap().iter().map(value).collect();
        Left { codes, log, outputs, summary: fs::read_to_string(&summary).unwrap_or_default() }
    }
}

const PROGRAM: (&str, &str) = ("program", env!("CARGO_BIN_EXE_aqa-bench"));

#[test]
fn the_action_checks_and_scores_and_says_so_in_its_outputs() {
    let project = Project::new();
    let predictions = "golden/quickstart/grpo/predictions.json";
    let left = Action::new(&[PROGRAM, ("run", "run"), ("predictions", predictions)]).run(project.0.path());
    assert_eq!(left.codes, [0, 0, 0], "{}", left.log);
    let output = |name: &str| left.outputs[name].as_str();
    assert_eq!((output("differences"), output("goldens"), output("exit-code")), ("0", "1", "0"));
    assert_eq!(output("accuracy"), "75.0");
    let junit = fs::canonicalize(project.at("aqa-bench-junit.xml")).unwrap();
    assert_eq!(Path::new(output("junit")), junit);
    roxmltree::Document::parse(&fs::read_to_string(junit).unwrap()).unwrap();
    assert!(left.summary.contains("## aqa-bench check: no difference in 1 golden"), "{}", left.summary);
    assert!(left.summary.contains("## aqa-bench score: 75.0 %"), "{}", left.summary);

    project.break_golden();
    let left = Action::new(&[PROGRAM, ("predictions", predictions), ("junit", "")]).run(project.0.path());
    assert_eq!(left.codes, [0, 0, 3], "{}", left.log);
    assert_eq!((left.outputs["differences"].as_str(), left.outputs["exit-code"].as_str()), ("3", "3"));
    assert_eq!(left.outputs["accuracy"], "75.0", "what else was asked for is done");
    assert!(left.log.contains("::error file=golden/quickstart/grpo/verdicts.json,line="), "{}", left.log);
    assert_eq!(left.outputs["junit"], "");
}

#[test]
fn the_action_passes_on_what_is_wrong() {
    let project = Project::new();
    let run = |inputs: &[(&str, &str)]| {
        let left = Action::new(inputs).run(project.0.path());
        (left.codes.last().copied().unwrap(), left.log, left.outputs)
    };
    let (code, log, _) = run(&[PROGRAM, ("golden", "")]);
    assert!(code == 2 && log.contains("::error title=aqa-bench::nothing to do"), "{log}");
    let (code, log, _) = run(&[PROGRAM, ("golden", "no such folder\n\ngolden")]);
    assert!(code == 4 && log.contains("cannot read no such folder"), "a folder a line, spaces and all: {log}");
    let (code, log, outputs) = run(&[PROGRAM, ("golden", ""), ("predictions", "none.json")]);
    assert!(code == 4 && log.contains("::error title=aqa-bench::error: cannot read none.json"), "{log}");
    assert_eq!((outputs["accuracy"].as_str(), outputs["exit-code"].as_str()), ("", "4"));
    let predictions = "golden/quickstart/grpo/predictions.json";
    let (code, log, outputs) = run(&[PROGRAM, ("golden", ""), ("predictions", predictions), ("rule", "all")]);
    assert!(code == 2 && log.contains("::error title=aqa-bench::rule all gives more than one accuracy, "), "{log}");
    assert_eq!((outputs["accuracy"].as_str(), outputs["exit-code"].as_str()), ("", "2"));
    let (code, log, _) = run(&[PROGRAM, ("golden", ""), ("predictions", "100%.json")]);
    assert!(code == 4 && log.contains("cannot read 100%25.json"), "one line is escaped as many are: {log}");
    let left = Action::new(&[PROGRAM, ("golden", "none")]).run(project.0.path());
    assert!(left.summary.contains("## aqa-bench check: could not be made\n\ncannot read none"), "{}", left.summary);
    let (code, log, _) = run(&[PROGRAM, ("predictions", "$(touch owned)"), ("golden", "; touch owned")]);
    assert!(code == 4 && !project.at("owned").exists(), "{log}");
    let (code, log, _) = run(&[("program", "no-such-program")]);
    assert!(code == 4 && log.contains("no program at no-such-program"), "{log}");
    let golden = project.at("golden");
    fs::create_dir(project.at("paper")).unwrap();
    fs::rename(golden, project.at("paper/golden")).unwrap();
    project.break_moved();
    let (code, log, _) = run(&[PROGRAM, ("working-directory", "paper")]);
    assert!(code == 3 && log.contains("file=paper/golden/quickstart/grpo/verdicts.json"), "{log}");
}

impl Project {
    fn break_moved(&self) {
        edit(&self.at("paper/golden/quickstart/grpo/verdicts.json"), |v| v["q01"] = "wrong".into());
    }
}

#[test]
fn the_action_is_whole_and_every_input_reaches_its_script() {
    let action = Action::new(&[]);
    let text = fs::read_to_string("action.yml").unwrap();
    assert_eq!(action.yaml["runs"]["using"], "composite");
    for (name, input) in action.yaml["inputs"].as_object().unwrap() {
        assert!(text.contains(&format!("inputs.{name} ")), "{name} is asked for and not used");
        assert!(input["description"].as_str().is_some_and(|d| d.ends_with('.')), "{name}");
    }
    let script = fs::read_to_string("scripts/action.sh").unwrap();
    for step in action.yaml["runs"]["steps"].as_array().unwrap() {
        for key in step["env"].as_object().into_iter().flatten().map(|(key, _)| key) {
            assert!(script.contains(&format!("${key}")), "{key} is given and not used");
        }
        if let Some(run) = step["run"].as_str() {
            let name = run.rsplit(' ').next().unwrap();
            assert!(script.contains(&format!("\n{name}() {{")), "{name}");
        }
    }
    let syntax = Command::new("bash").args(["-n", "scripts/action.sh"]).output().unwrap();
    assert!(syntax.status.success(), "{}", String::from_utf8_lossy(&syntax.stderr));
}

#[test]
fn the_workflow_that_the_docs_show_names_only_what_there_is() {
    let page = fs::read_to_string("docs/ci.md").unwrap();
    let block = page.split("```yaml\n").nth(1).unwrap().split("\n```").next().unwrap();
    let workflow: Value = serde_yaml::from_str(block).unwrap();
    let action = Action::new(&[]);
    let steps = workflow["jobs"]["check"]["steps"].as_array().unwrap();
    let ours = steps.iter().find(|s| s["uses"].as_str().is_some_and(|u| u.contains("/aqa-bench@"))).unwrap();
    let with = ours["with"].as_object().unwrap();
    assert!(with.len() >= 4);
    for name in with.keys() {
        assert!(action.yaml["inputs"].get(name).is_some(), "docs/ci.md: no input {name}");
    }
    let id = ours["id"].as_str().unwrap();
    let used: Vec<&str> =
        block.split(&format!("steps.{id}.outputs.")).skip(1).map(|t| t.split(' ').next().unwrap()).collect();
    assert!(used.len() >= 2 && used.iter().all(|name| action.yaml["outputs"].get(name).is_some()), "{used:?}");
    for name in
        action.yaml["inputs"].as_object().unwrap().keys().chain(action.yaml["outputs"].as_object().unwrap().keys())
    {
        assert!(page.contains(&format!("`{name}`")), "docs/ci.md does not say what {name} is");
    }
}
