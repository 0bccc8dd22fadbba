//! The command line as people and scripts meet it: exit codes, standard output, standard error. Needs no libtorch.

mod program;
mod report_runs;

use aqa_bench::pins::Sha256;
use program::{Said, aqa, command, redact, said};
use serde_json::{Value, json};
use std::fs;
use std::io::pipe;
use std::path::Path;
use std::process::Stdio;
use tempfile::tempdir;

const COMMANDS: [&str; 19] = [
    "reproduce",
    "plan",
    "verify",
    "fetch",
    "lock",
    "compare",
    "train",
    "eval",
    "score",
    "identify",
    "prepare",
    "report",
    "claims",
    "check",
    "bundle",
    "submission",
    "inspect",
    "schema",
    "doctor",
];

#[test]
fn help_names_every_command_and_every_exit_code() {
    let help = aqa(["--help"]).succeeds();
    insta::assert_snapshot!("help", help);
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in the help");
        let own = aqa([command, "--help"]).succeeds();
        assert!(own.contains("Usage: aqa-bench ") && own.lines().all(|l| l.chars().count() <= 100), "{own}");
    }
    insta::assert_snapshot!("help-reproduce", aqa(["reproduce", "--help"]).succeeds());
    assert_eq!(aqa(["--version"]).succeeds(), concat!("aqa-bench ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_wrong_request_is_exit_code_2_with_the_way_out() {
    for (args, says) in [
        (vec![], "Usage: aqa-bench <COMMAND>"),
        (vec!["scor"], "'score'"),
        (vec!["score"], "<FILE>"),
        (vec!["score", "x.json", "--rule", "oficial"], "official"),
        (vec!["plan", "recipes/quickstart.yaml", "--limit", "0"], "--limit"),
        (vec!["reproduce", "recipes/quickstart.yaml", "--threads", "0"], "--threads"),
        (vec!["plan", "recipes/quickstrat.yaml"], "did you mean recipes/quickstart.yaml?"),
        (vec!["plan", "recipes"], "found a folder"),
        (vec!["plan", "recipes/quickstart.yaml", "--set", "sede=2"], "did you mean seed?"),
        (vec!["check", "--update"], "--run"),
        (vec!["completions", "cmd"], "bash"),
    ] {
        let Said { code, out, err } = aqa(&args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(err.contains(says), "{args:?}: {err}");
    }
}

#[test]
fn the_schema_is_the_one_that_recipes_are_checked_by() {
    let schema: Value = serde_json::from_str(&aqa(["schema"]).succeeds()).unwrap();
    assert_eq!(schema, aqa_bench::recipe::schema());
    assert!(schema["properties"]["train"].is_object());
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = aqa(["completions", shell]).succeeds();
        COMMANDS.iter().for_each(|c| assert!(script.contains(c), "{shell}: {c}"));
    }
    let dir = tempdir().unwrap();
    let path = dir.path().join("aqa-bench.bash");
    fs::write(&path, aqa(["completions", "bash"]).succeeds()).unwrap();
    for (words, offers) in [("sc", "score schema"), ("plan --for", "--format"), ("score --format j", "json")] {
        let current = words.rsplit(' ').next().unwrap();
        let previous = format!("aqa-bench {words}").split(' ').nth_back(1).unwrap().to_owned();
        let ask = format!(
            "source {}; COMP_WORDS=(aqa-bench {words}); COMP_CWORD={}; _aqa__bench aqa-bench {current} {previous}; \
             echo ${{COMPREPLY[@]}}",
            path.display(),
            words.split(' ').count()
        );
        let bash = std::process::Command::new("bash").args(["--norc", "-c", &ask]).output().expect("bash is there");
        assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), offers, "{words}");
    }
}

/// Fingerprints change with every setting of a recipe: what is held here is everything else.
fn without_fingerprints(plan: &str) -> String {
    let hex = |c: char| c.is_ascii_hexdigit();
    let word = |w: &str| match w.len() {
        12 if w.chars().all(hex) => "<12 digits.>".to_owned(),
        _ => w.to_owned(),
    };
    plan.lines().map(|l| l.split(' ').map(word).collect::<Vec<_>>().join(" ").trim_end().to_owned() + "\n").collect()
}

#[test]
fn plans_are_printed_and_nothing_is_run() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    let run = run.to_str().unwrap();
    for recipe in ["quickstart", "r1-aqa"] {
        let plan = aqa(["plan", &format!("recipes/{recipe}.yaml"), "--run-dir", run]).succeeds();
        insta::assert_snapshot!(format!("plan-{recipe}"), redact(&without_fingerprints(&plan), dir.path()));
    }
    assert!(!Path::new(run).exists(), "planning leaves nothing behind");
}

#[test]
fn a_plan_for_programs_says_what_the_one_for_people_says() {
    let plan = |args: &[&str]| -> Value {
        let args = ["plan", "recipes/quickstart.yaml", "--format", "json"].iter().chain(args);
        serde_json::from_str(&aqa(args).succeeds()).unwrap()
    };
    let first = plan(&[]);
    assert_eq!((&first["recipe"], &first["run_dir"]), (&json!("quickstart"), &json!("runs/quickstart")));
    let stages = first["stages"].as_array().unwrap();
    let text = aqa(["plan", "recipes/quickstart.yaml"]).succeeds();
    for stage in stages {
        let (name, print) = (stage["name"].as_str().unwrap(), stage["fingerprint"].as_str().unwrap());
        let line = text.lines().find(|l| l.split_whitespace().next() == Some(name)).unwrap();
        assert!(line.contains(stage["kind"].as_str().unwrap()) && line.contains(&print[..12]), "{line}");
        assert_eq!(stage["folder"], format!("{name}-{}", &print[..12]));
    }
    let keys: Vec<&String> = stages[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["name", "kind", "fingerprint", "folder", "state", "questions", "steps", "memory", "time"]);

    // What decides a result changes its name, and the names of all that builds on it; nothing else does.
    let changed = |other: &Value| -> Vec<String> {
        let pairs = stages.iter().zip(other["stages"].as_array().unwrap());
        pairs.filter(|(a, b)| a["folder"] != b["folder"]).map(|(a, _)| a["name"].as_str().unwrap().into()).collect()
    };
    assert!(changed(&plan(&[])).is_empty());
    assert!(changed(&plan(&["--run-dir", "elsewhere", "--set", "title=Another"])).is_empty());
    let grpo = changed(&plan(&["--set", "train.grpo.optimizer.learning_rate=1e-4"]));
    assert_eq!(grpo, ["grpo", "held-out-grpo"]);
    let evals = changed(&plan(&["--limit", "7"]));
    assert_eq!(evals, ["held-out-sft", "held-out-grpo", "held-out-sft-more"]);
    assert_eq!(
        changed(&plan(&["--set", "data.sets.held-out.seed=9"])),
        ["data-held-out", "held-out-sft", "held-out-grpo", "held-out-sft-more"]
    );
    let seed = changed(&plan(&["--set", "seed=99"]));
    assert_eq!(seed.len(), stages.len() - 3, "all but the three data sets, which have seeds of their own: {seed:?}");
}

#[test]
fn a_recipe_that_asks_for_a_folder_says_so() {
    let error = aqa(["plan", "recipes/mmau-clips.yaml"]).fails(2);
    insta::assert_snapshot!("clips-without-folder", error);
    let plan = aqa(["plan", "recipes/mmau-clips.yaml", "--set", "data.dir=nowhere"]).succeeds();
    assert!(plan.contains("nowhere/mmau-test-mini.with-audio.json"), "{plan}");
}

#[test]
fn five_mistakes_are_five_lines_and_a_count() {
    let path = "tests/inputs/bad/five-mistakes.yaml";
    for command in ["plan", "verify"] {
        let error = aqa([command, path]).fails(2);
        let lines: Vec<&str> = error.trim_end().lines().collect();
        assert_eq!(lines.len(), 6, "{error}");
        for line in &lines[..5] {
            let place: Vec<&str> = line.trim_start_matches("error: ").splitn(4, ':').collect();
            assert_eq!(place[0], path, "{line}");
            assert!(place[1].parse::<usize>().is_ok() && place[2].parse::<usize>().is_ok(), "{line}");
        }
        assert_eq!(lines[5], format!("5 problems in {path}"));
    }
}

/// A folder with a questions file, and a recipe that pins it by `sha256`.
fn pinned(dir: &Path, sha256: &str) -> String {
    let text = fs::read_to_string("tests/inputs/tiny/clips.yaml").unwrap();
    let path = dir.join("clips.yaml");
    fs::write(&path, text.replace(&"0".repeat(64), sha256)).unwrap();
    fs::create_dir_all(dir.join("data/audios")).unwrap();
    fs::write(dir.join("data/questions.json"), questions_text(3)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn questions_text(count: usize) -> String {
    serde_json::to_string(&report_runs::questions()[..count]).unwrap()
}

#[test]
fn inputs_are_held_against_their_pins() {
    let dir = tempdir().unwrap();
    let set = format!("data.dir={}", dir.path().join("data").display());
    let found = Sha256::of(questions_text(3).as_bytes()).to_string();
    let recipe = pinned(dir.path(), &found);
    let verify = || aqa(["verify", &recipe, "--set", &set]);
    insta::assert_snapshot!("verify", redact(&verify().succeeds(), dir.path()));

    // Another version of the file: both hashes, in both forms.
    fs::write(dir.path().join("data/questions.json"), questions_text(4)).unwrap();
    let other = Sha256::of(questions_text(4).as_bytes()).to_string();
    let error = verify().fails(4);
    assert!(error.contains(&found) && error.contains(&other) && error.contains("questions.json"), "{error}");
    let json = aqa(["verify", &recipe, "--set", &set, "--format", "json"]);
    assert_eq!(json.code, 4);
    let inputs: Value = serde_json::from_str(&json.out).unwrap();
    assert!(inputs[0]["problem"].as_str().unwrap().contains(&other) && inputs[1]["problem"].is_null(), "{inputs}");

    fs::remove_dir_all(dir.path().join("data")).unwrap();
    let error = verify().fails(4);
    insta::assert_snapshot!("verify-nothing-there", redact(&error, dir.path()));
    let none = aqa(["verify", "recipes/quickstart.yaml"]).succeeds();
    assert!(none.contains("takes no input from outside"), "{none}");
    let empty = said(&command(["verify", "recipes/r1-aqa.yaml"]).env("HOME", dir.path()).output().unwrap()).fails(4);
    for part in
        ["model: hf://models/Qwen/Qwen2-Audio-7B-Instruct: was never fetched", "data set avqa", "fetch it first"]
    {
        assert!(empty.contains(part), "{part:?} is not in: {empty}");
    }
}

#[test]
fn tables_come_from_finished_runs_only() {
    let dir = tempdir().unwrap();
    let run = report_runs::write(dir.path().join("run"), &report_runs::quickstart());
    let run = run.to_str().unwrap();
    let table = aqa(["report", run]).succeeds();
    assert!(table.contains("| SFT"), "{table}");
    for (format, starts) in [("csv", "data,row,"), ("json", "{"), ("latex", "%")] {
        let out = aqa(["report", run, "--format", format]).succeeds();
        assert!(out.starts_with(starts) || format == "latex" && out.contains("\\begin{"), "{format}: {out}");
    }
    let out = dir.path().join("out/table.md");
    assert_eq!(aqa(["report", run, "--out", out.to_str().unwrap()]).succeeds(), "");
    assert_eq!(fs::read_to_string(&out).unwrap(), table);

    let error = aqa(["report", dir.path().to_str().unwrap()]).fails(4);
    assert!(error.contains("no manifest.json"), "{error}");
    report_runs::edit(&dir.path().join("run/manifest.json"), |m| m["stages"][0]["done"] = json!(false));
    let error = aqa(["report", run]).fails(2);
    assert!(error.contains("not finished") && error.contains("it continues where it stopped"), "{error}");
}

#[test]
fn a_check_of_nothing_is_no_pass() {
    let dir = tempdir().unwrap();
    let error = aqa(["check", dir.path().to_str().unwrap()]).fails(4);
    assert!(error.contains("no golden found"), "{error}");
    let nowhere = said(&command(["check"]).current_dir(dir.path()).output().unwrap()).fails(4);
    assert!(nowhere.contains("golden"), "{nowhere}");
}

#[test]
fn doctor_says_what_is_here() {
    let text = aqa(["doctor"]).succeeds();
    for key in ["aqa-bench", "libtorch", "cores", "memory", "cache"] {
        assert!(text.lines().any(|l| l.starts_with(key)), "{key}: {text}");
    }
    let engine = text.lines().find(|l| l.starts_with("libtorch")).unwrap();
    assert_eq!(engine.contains("2.11.0"), cfg!(feature = "torch"), "{engine}");
}

/// What is asked in an issue about a download, without what must not stand there.
#[test]
fn doctor_says_where_inputs_come_from_and_how_large_the_caches_are() {
    let dir = tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let blobs = at("hf/hub/models--owner--model/blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join("b"), vec![0; 2_500_000]).unwrap();
    let snapshot = at("hf/hub/models--owner--model/snapshots/s");
    fs::create_dir_all(&snapshot).unwrap();
    std::os::unix::fs::symlink(blobs.join("b"), snapshot.join("model.safetensors")).unwrap();
    fs::create_dir_all(at("own/files")).unwrap();
    fs::write(at("own/files/f"), vec![0; 1000]).unwrap();
    let run = |variables: &[(&str, &str)]| {
        let mut command = command(["doctor"]);
        for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "HF_HUB_OFFLINE", "HF_ENDPOINT"] {
            command.env_remove(name);
        }
        command.env("HF_HOME", at("hf")).env("AQA_CACHE", at("own")).env("HF_TOKEN", "hf_secret");
        said(&command.envs(variables.iter().copied()).output().unwrap()).succeeds()
    };
    let text = run(&[("HF_ENDPOINT", "https://mirror.example")]);
    let line = |text: &str, start: &str| text.lines().find(|l| l.trim_start().starts_with(start)).unwrap().to_owned();
    assert_eq!(line(&text, "hub "), "hub        https://mirror.example (online; a token is set, which is not shown)");
    assert!(!text.contains("hf_secret"), "{text}");
    assert!(line(&text, "variables").contains(&format!("HF_HOME={}", at("hf").display())), "{text}");
    let hub = line(&text, "hub cache");
    assert!(hub.contains("2.50 MB in 1 file,") && hub.contains("free there"), "a link is no second copy: {hub}");
    assert!(line(&text, "2.50 MB, 1 file").ends_with("models/owner/model"), "{text}");
    assert!(line(&text, "cache ").contains("1.00 kB in 1 file,"), "{text}");

    let text = run(&[("HF_HUB_OFFLINE", "1"), ("HF_TOKEN", ""), ("AQA_CACHE", at("none").to_str().unwrap())]);
    assert!(line(&text, "hub ").ends_with("(offline: no request is made; no token)"), "{text}");
    assert!(line(&text, "cache ").contains("not there yet"), "{text}");
    let text = run(&[("HF_ENDPOINT", "https://me:hf_secret@mirror.example")]);
    assert!(text.contains("inputs     cannot be fetched: HF_ENDPOINT") && !text.contains("hf_secret"), "{text}");
}

/// A reader that went away (`| head -1`) ends the output, not the program; whichever stream it read.
#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_panic() {
    let closed = || {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    for args in [
        vec!["schema"],
        vec!["--help"],
        vec!["completions", "bash"],
        vec!["plan", "recipes/r1-aqa.yaml"],
        vec!["doctor"],
    ] {
        let output =
            command(&args).stdout(closed()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        let said = said(&output);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{args:?}");
    }
    // The same with standard error: the exit code is what it would have been.
    for (args, code) in [(vec!["plan", "nowhere.yaml"], 2), (vec!["score", "nowhere.json"], 4), (vec!["nothing"], 2)] {
        let status = command(&args).stdout(Stdio::null()).stderr(closed()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_the_results_is_an_error() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(["schema"]).stdout(full()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let error = said(&output).fails(1);
    assert!(error.contains("standard output"), "{error}");
}

#[cfg(not(feature = "torch"))]
#[test]
fn a_build_without_libtorch_says_so() {
    let clip = "tests/parity/model/clips/odd.wav";
    for args in [
        vec!["reproduce", "recipes/quickstart.yaml"],
        vec!["train", "recipes/quickstart.yaml"],
        vec!["eval", "recipes/quickstart.yaml"],
        vec!["inspect", "--model", "tests", "--audio", clip, "--prompt", "x", "--out", "x.safetensors"],
    ] {
        let error = aqa(&args).fails(2);
        assert!(error.contains("built without libtorch") && error.contains("make build"), "{error}");
    }
}
