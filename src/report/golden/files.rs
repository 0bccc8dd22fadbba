//! What a golden folder holds, as written on disk, and how it is read.

use crate::artifact::{Expectation, Group, Provenance, RunFolder, read};
use crate::error::{Context, Error, Result};
use crate::pins::Sha256;
use crate::report::judge::{self, Verdicts};
use crate::report::{claims, load};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Version of a golden's files. 1: first. 2: with the hashes of what the model said (`outputs.json`), and evaluations scored from a file.
pub const SCHEMA: u32 = 2;

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
    /// SHA-256 of `predictions.json`; absent in goldens that were written before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictions_sha256: Option<Sha256>,
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

/// `prompts.json`, `outputs.json`: every rendered prompt, and every text that the model said to one, by its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashes {
    /// SHA-256 of the lines `ID HASH`, in order.
    pub all: Sha256,
    /// By question id.
    pub by_id: IndexMap<String, Sha256>,
}

impl Hashes {
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
    /// One for each of `golden.evals`.
    pub stored: Vec<Stored>,
    pub leaderboard: String,
}

/// What a golden keeps of an evaluation beside its record, its predictions and its score.
#[derive(Debug)]
pub(super) struct Stored {
    pub verdicts: Verdicts,
    /// `None` where a file was scored: no model was asked.
    pub prompts: Option<Hashes>,
    /// Likewise, and `None` in a golden of schema 1.
    pub outputs: Option<Hashes>,
}

/// `golden.json`, its version told before its shape is judged.
///
/// # Errors
/// Exit code 4: missing, not JSON, of another version, or not this shape.
pub(super) fn read_golden(path: &Path) -> Result<Golden> {
    let file = path.join("golden.json");
    let value: serde_json::Value = read::json(&file).map_err(|e| {
        Error::new(e.kind(), format!("{e} (bring the golden back from version control, or write it anew from a run)"))
    })?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(found) if (1..=u64::from(SCHEMA)).contains(&found) => {}
        Some(found) => {
            let other = if found > u64::from(SCHEMA) { "a newer" } else { "another" };
            let anew = format!("aqa-bench check --update --run RUN --reason TEXT {}", path.display());
            let use_that = "use that version, or move the golden away and write it anew with";
            let way_out = format!("written by {other} version of aqa-bench: {use_that} `{anew}`");
            let expected = format!("expected schema 1 to {SCHEMA}, found {found}");
            return Err(Error::inputs(format!("{}: {expected} ({way_out})", file.display())));
        }
        None => return Err(Error::inputs(format!("{}: no `schema`: not a golden of aqa-bench", file.display()))),
    }
    serde_json::from_value(value).inputs(|| file.display().to_string())
}

/// Reads a golden folder.
///
/// # Errors
/// Exit code 4: of another version, or a file is missing, broken, or not referenced; no evaluation; a condition or a log that says
/// nothing.
pub(super) fn read_folder(path: &Path) -> Result<Folder> {
    let bad = |what: String| Err(Error::inputs(format!("{}: {what}", path.display())));
    let golden = read_golden(path)?;
    if golden.evals.is_empty() {
        return bad("golden.json: no evaluation, so it checks nothing".into());
    }
    if golden.log.iter().all(|entry| entry.reason.trim().is_empty()) {
        return bad("golden.json: no reason in the log".into());
    }
    let names: BTreeSet<&str> = golden.evals.iter().map(|e| e.name.as_str()).collect();
    for condition in &golden.conditions {
        let known = |name: &str| names.contains(name);
        if !known(&condition.eval) || !(known(&condition.above) || condition.above.starts_with("floor:")) {
            return bad(format!("golden.json: condition on unknown {} above {}", condition.eval, condition.above));
        }
    }
    let mut files: BTreeSet<PathBuf> = ["golden.json", "leaderboard.md"].map(PathBuf::from).into();
    files.extend(golden.claims.iter().map(|c| Path::new("claims").join(c)));
    let (mut evals, mut stored) = (Vec::new(), Vec::new());
    for eval in &golden.evals {
        let at = RunFolder::new(path).folder(&eval.name);
        let record = read::eval(&at)?;
        let has_prompts = record.file.is_none();
        let has_outputs = has_prompts && golden.schema >= 2;
        let found = ["eval.json", "predictions.json", "verdicts.json", "score.json"].into_iter();
        let found = found.chain(has_prompts.then_some("prompts.json")).chain(has_outputs.then_some("outputs.json"));
        files.extend(found.map(|name| Path::new(&eval.name).join(name)));
        let predictions = judge::predictions(&at.predictions())?;
        let score = Some(read::score(&at)?);
        let found = load::Evaluation { record, score, predictions, folder: eval.name.clone() };
        if found.predictions.is_empty() {
            return bad(format!("{}/predictions.json: no question, so it checks nothing", eval.name));
        }
        evals.push(load::checked(found, at.root())?);
        let hashes = |name: &str, has: bool| has.then(|| read::json(&at.root().join(name))).transpose();
        stored.push(Stored {
            verdicts: read::json(&at.root().join("verdicts.json"))?,
            prompts: hashes("prompts.json", has_prompts)?,
            outputs: hashes("outputs.json", has_outputs)?,
        });
    }
    unreferenced(path, &files)?;
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

fn unreferenced(path: &Path, known: &BTreeSet<PathBuf>) -> Result<()> {
    let mut found = BTreeSet::new();
    walk(path, Path::new(""), &mut found)?;
    let strange: Vec<String> = found.difference(known).map(|p| p.display().to_string()).collect();
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
