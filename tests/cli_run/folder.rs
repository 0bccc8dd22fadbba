//! Run folders: made, read, compared.

use crate::program::{Said, aqa, command, said};
use aqa_bench::pins::Sha256;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};

pub const TINY: &str = "tests/inputs/tiny/tiny.yaml";
/// On the CPU a result is repeatable for the same number only.
pub const THREADS: &str = "2";

/// `reproduce` on a recipe, in a run folder.
pub fn arguments(recipe: &str, run: &Path, more: &[&str]) -> Vec<String> {
    let run = run.to_str().expect("test folders are UTF-8");
    let all = ["reproduce", recipe, "--run-dir", run, "--threads", THREADS];
    all.iter().chain(more).map(|s| (*s).to_owned()).collect()
}

pub fn reproduce(recipe: &str, run: &Path, more: &[&str]) -> Said {
    aqa(arguments(recipe, run, more))
}

/// A finished, undisturbed run of the tiny recipe, made once for all tests. Not to be changed: see [`copy`].
pub fn reference() -> &'static Path {
    static RUN: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, run) = RUN.get_or_init(|| {
        let dir = tempdir().unwrap();
        let run = dir.path().join("run");
        let table = reproduce(TINY, &run, &[]).succeeds();
        assert!(table.contains("| SFT + GRPO"), "{table}");
        (dir, run)
    });
    run
}

/// A copy of a folder that a test may change.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// The stage folder of that name; with `.partial` for one that is not done.
pub fn stage(run: &Path, name: &str, ending: &str) -> Option<PathBuf> {
    let is_it = |file: &str| {
        let digits = file.strip_prefix(name)?.strip_prefix('-')?.strip_suffix(ending)?;
        (digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(())
    };
    let entries = fs::read_dir(run).ok()?;
    entries.flatten().find(|e| e.file_name().to_str().and_then(is_it).is_some()).map(|e| e.path())
}

/// The stage folder of a stage that is done.
#[track_caller]
pub fn done(run: &Path, name: &str) -> PathBuf {
    stage(run, name, "").unwrap_or_else(|| panic!("{name} is not done in {}", run.display()))
}

pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The lines of a JSON-lines file.
pub fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{}: {e}: {l}", path.display()))).collect()
}

/// Metrics without wall-clock times.
pub fn metrics(path: &Path) -> Vec<Value> {
    let mut steps = lines(path);
    for step in &mut steps {
        let step = step.as_object_mut().unwrap();
        step.remove("seconds").expect("every step says how long it took");
        step.remove("rollout_seconds");
    }
    steps
}

/// Everything that a run computed, by path: hashes of files, metrics without times. Left out is what says when and how the
/// program was called: the manifest, the report's caption (its rows are in), the lock.
pub fn results(run: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, dir: &Path, out: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let content = match name.rsplit('/').next() {
                _ if path.is_dir() => {
                    walk(root, &path, out);
                    continue;
                }
                _ if matches!(name.as_str(), "manifest.json" | ".lock") => continue,
                Some("metrics.jsonl") => serde_json::to_string(&metrics(&path)).unwrap(),
                // The same numbers with the time of day.
                Some("events.out.tfevents.aqa-bench") => continue,
                Some("leaderboard.md" | "leaderboard.tex" | "breakdowns.md" | "breakdowns.tex") => {
                    rows(&fs::read_to_string(&path).unwrap())
                }
                Some("leaderboard.json") => json(&path)["tables"][0]["rows"].to_string(),
                Some("index.html") => cells(&fs::read_to_string(&path).unwrap()),
                _ => Sha256::of_file(&path).unwrap().to_string(),
            };
            assert!(!content.is_empty(), "{name}: nothing to compare");
            out.insert(name, content);
        }
    }
    let mut out = BTreeMap::new();
    walk(run, run, &mut out);
    out
}

/// The rows of a report's tables, in Markdown or LaTeX.
pub fn rows(report: &str) -> String {
    report.lines().filter(|l| l.starts_with('|') || l.ends_with("\\\\")).collect::<Vec<_>>().join("\n")
}

/// The cells of a page's tables and the elements of its pictures, a line each.
fn cells(page: &str) -> String {
    let starts = ["<th ", "<td ", "<line ", "<rect ", "<path ", "<text "];
    page.lines().filter(|line| starts.iter().any(|start| line.starts_with(start))).collect::<Vec<_>>().join("\n")
}

/// Fails with the paths that differ.
#[track_caller]
pub fn same_results(run: &Path, expected: &Path) {
    let (found, expected) = (results(run), results(expected));
    assert!(expected.len() > 40 && expected.keys().filter(|k| k.ends_with(".safetensors")).count() >= 5);
    let names = found.keys().chain(expected.keys());
    let mut differ: Vec<&String> = names.filter(|name| found.get(*name) != expected.get(*name)).collect();
    differ.dedup();
    assert!(differ.is_empty(), "not as in an undisturbed run: {differ:#?}");
}

/// Starts a run and kills it as soon as `when` says so. Whether it was killed, not ended by itself.
pub fn kill_when(args: &[String], when: impl Fn() -> bool) -> bool {
    let mut child = command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    loop {
        if when() {
            // SIGKILL: the program gets no chance to tidy up.
            child.kill().unwrap();
            return child.wait().unwrap().code().is_none();
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(started.elapsed() < Duration::from_secs(300), "it hangs");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Starts the program with its output kept.
pub fn start(args: &[String]) -> Child {
    command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
pub fn finish(child: Child) -> Said {
    said(&child.wait_with_output().unwrap())
}
