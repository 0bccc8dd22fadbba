//! What a golden folder holds, as written on disk, and how it is read.

use crate::artifact::{Expectation, Group, Provenance, RunFolder, read};
use crate::error::{Error, Result};
use crate::pins::Sha256;
use crate::report::judge::{self, Verdicts};
use crate::report::{claims, load};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Version of a golden's files. 1: first.
pub const SCHEMA: u32 = 1;

/// `golden.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// Version of this file.
    pub schema: u32,
    /// How the results came to be.
    pub how_made: HowMade,
    /// Names of the claim files that its table quotes.
    pub claims: Vec<String>,
    /// Rows held against claims.
    pub expect: Vec<Expectation>,
    /// Evaluations that are one measurement made several times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// The evaluations, in the order of the table.
    pub evals: Vec<EvalGolden>,
    /// What must hold between evaluations, here and in every fresh run.
    pub conditions: Vec<Condition>,
    /// Why it was written, each time; oldest first.
    pub log: Vec<LogEntry>,
}

/// How a golden's results came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HowMade {
    /// The command line, without the folders of the machine it ran on.
    pub command: String,
    /// Recipe name.
    pub recipe: String,
    /// Recipe title.
    pub title: String,
    /// SHA-256 of the recipe file.
    pub recipe_sha256: Sha256,
    /// `--set` overrides.
    pub overrides: Vec<String>,
    /// Versions, commit, device.
    pub provenance: Provenance,
}

/// One evaluation of a golden.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvalGolden {
    /// Its name, and that of its folder.
    pub name: String,
    /// How far a fresh run may differ.
    pub tolerance: Tolerance,
    /// Why so far.
    pub why: String,
}

/// How far a fresh run may differ from a golden.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Tolerance {
    /// At most so many verdicts may change. 0 for what no training stands behind.
    Flips(u64),
    /// The accuracy may change by at most so many points, whatever the verdicts. For trained policies.
    Margin(f64),
}

/// `eval` is at least `by` points above `above`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Name of an evaluation.
    pub eval: String,
    /// Name of another one, or `floor:first` or `floor:random` on the questions of `eval`.
    pub above: String,
    /// Percentage points.
    pub by: f64,
}

/// One writing of a golden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogEntry {
    /// Why it was written.
    pub reason: String,
    /// Commit of the program that made the run.
    pub commit: String,
}

/// `prompts.json`: every rendered prompt by its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompts {
    /// SHA-256 of the lines `ID HASH`, in order.
    pub all: Sha256,
    /// By question id.
    pub by_id: IndexMap<String, Sha256>,
}

impl Prompts {
    /// Hashes over the hashes.
    pub fn of(by_id: IndexMap<String, Sha256>) -> Self {
        let lines: String = by_id.iter().map(|(id, hash)| format!("{id} {hash}\n")).collect();
        Self { all: Sha256::of(lines.as_bytes()), by_id }
    }
}

/// A golden folder, read whole.
#[derive(Debug)]
pub(super) struct Folder {
    pub path: PathBuf,
    pub golden: Golden,
    /// Its evaluations as a report sees them.
    pub run: load::Run,
    /// Verdicts and prompts, one for each of `golden.evals`.
    pub stored: Vec<(Verdicts, Prompts)>,
    pub leaderboard: String,
}

/// File names of an evaluation's folder.
pub(super) const EVAL_FILES: [&str; 5] =
    ["eval.json", "predictions.json", "verdicts.json", "score.json", "prompts.json"];

/// Reads a golden folder.
///
/// # Errors
/// Exit code 4: a file is missing, broken, or not referenced; no evaluation; a condition or a log that says nothing.
pub(super) fn read_folder(path: &Path) -> Result<Folder> {
    let bad = |what: String| Err(Error::inputs(format!("{}: {what}", path.display())));
    let golden: Golden = read::json(&path.join("golden.json"))?;
    if golden.schema != SCHEMA {
        return bad(format!("golden.json: expected schema {SCHEMA}, found {}", golden.schema));
    }
    if golden.evals.is_empty() {
        return bad("golden.json: no evaluation, so it checks nothing".into());
    }
    if golden.log.iter().all(|entry| entry.reason.trim().is_empty()) {
        return bad("golden.json: no reason in the log".into());
    }
    unreferenced(path, &golden)?;
    let names: BTreeSet<&str> = golden.evals.iter().map(|e| e.name.as_str()).collect();
    for condition in &golden.conditions {
        let known = |name: &str| names.contains(name);
        if !known(&condition.eval) || !(known(&condition.above) || condition.above.starts_with("floor:")) {
            return bad(format!("golden.json: condition on unknown {} above {}", condition.eval, condition.above));
        }
    }
    let (mut evals, mut stored) = (Vec::new(), Vec::new());
    for eval in &golden.evals {
        let at = RunFolder::new(path).folder(&eval.name);
        let record = read::eval(&at)?;
        let predictions = judge::predictions(&at.predictions())?;
        let score = Some(read::score(&at)?);
        let found = load::Evaluation { record, score, predictions, folder: eval.name.clone() };
        if found.predictions.is_empty() {
            return bad(format!("{}/predictions.json: no question, so it checks nothing", eval.name));
        }
        evals.push(load::checked(found, at.root())?);
        let prompts: Prompts = read::json(&at.root().join("prompts.json"))?;
        stored.push((read::json(&at.root().join("verdicts.json"))?, prompts));
    }
    let leaderboard = path.join("leaderboard.md");
    let leaderboard = std::fs::read_to_string(&leaderboard)
        .map_err(|e| Error::inputs(format!("cannot read {}: {e}", leaderboard.display())))?;
    let how = golden.how_made.clone();
    let folder = RunFolder::new(path);
    let claims =
        golden.claims.iter().map(|n| Ok((n.clone(), claims::load(n, Some(&folder))?))).collect::<Result<_>>()?;
    let run = load::Run {
        from: path.display().to_string(),
        recipe: how.recipe,
        title: how.title,
        recipe_sha256: how.recipe_sha256,
        overrides: how.overrides,
        provenance: how.provenance,
        claims,
        expect: golden.expect.clone(),
        groups: golden.groups.clone(),
        evals,
    };
    Ok(Folder { path: path.to_owned(), golden, run, stored, leaderboard })
}

fn unreferenced(path: &Path, golden: &Golden) -> Result<()> {
    let mut known: BTreeSet<PathBuf> = ["golden.json", "leaderboard.md"].map(PathBuf::from).into();
    known.extend(golden.evals.iter().flat_map(|e| EVAL_FILES.map(|f| Path::new(&e.name).join(f))));
    known.extend(golden.claims.iter().map(|c| Path::new("claims").join(c)));
    let mut found = BTreeSet::new();
    walk(path, Path::new(""), &mut found)?;
    let strange: Vec<String> = found.difference(&known).map(|p| p.display().to_string()).collect();
    if strange.is_empty() {
        return Ok(());
    }
    let hint = "remove it, or write the golden again with `aqa-bench check --update`";
    Err(Error::inputs(format!("{}: not referenced by golden.json: {} ({hint})", path.display(), strange.join(", "))))
}

fn walk(root: &Path, below: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    for (name, is_dir) in list(&root.join(below))? {
        let path = below.join(name);
        if is_dir {
            walk(root, &path, found)?;
        } else {
            found.insert(path);
        }
    }
    Ok(())
}

/// Names in a folder, sorted, and whether each is a folder.
pub(super) fn list(path: &Path) -> Result<Vec<(String, bool)>> {
    let failed = |e: std::io::Error| Error::inputs(format!("cannot read {}: {e}", path.display()));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        names.push((entry.file_name().to_string_lossy().into_owned(), entry.file_type().map_err(failed)?.is_dir()));
    }
    names.sort();
    Ok(names)
}
