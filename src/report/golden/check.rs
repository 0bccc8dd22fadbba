//! Checks goldens: stored predictions scored again, prompts and tables rendered again, fresh runs held against them.

use super::compare;
use super::files::{self, Folder, Prompts};
use crate::data::Example;
use crate::error::{Error, Result};
use crate::prompt::ChatTemplate;
use crate::report::judge::{self, Verdicts};
use crate::report::{Format, load, render_loaded};
use crate::score::Verdict;
use indexmap::IndexMap;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Changes printed of one kind; the rest is counted.
const SHOWN: usize = 20;

/// What a check that found no difference says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// For people: a line for each thing that was checked.
    pub text: String,
    /// Goldens checked; at least one.
    pub goldens: usize,
}

/// The lines of a check, and how many of them tell a difference.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub text: String,
    pub differences: usize,
}

impl Findings {
    pub fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    pub fn differs(&mut self, line: impl AsRef<str>) {
        self.differences += 1;
        self.line(line);
    }
}

/// Checks goldens. Each of `dirs` is a golden, or a folder of goldens; none means `golden/` here. Without a run, verdicts,
/// scores, prompts and tables of the stored predictions must come out exactly the same. With a run, its verdicts and scores are
/// held too against the goldens of its recipe, within their tolerances and conditions.
///
/// # Errors
/// Exit code 3: a difference; the message is the whole report. Exit code 4: no golden found, one that is incomplete or has a
/// file that nothing refers to, or none of the run's recipe. Exit code 2: a run that is not finished.
pub fn check(dirs: &[PathBuf], run: Option<&Path>) -> Result<CheckReport> {
    let here = [PathBuf::from("golden")];
    let dirs = if dirs.is_empty() { &here } else { dirs };
    let mut folders = Vec::new();
    for dir in dirs {
        for path in goldens(dir)? {
            folders.push(files::read_folder(&path)?);
        }
    }
    let mut findings = Findings::default();
    for folder in &folders {
        findings.line(format!("golden {}", folder.path.display()));
        stored(folder, &mut findings)?;
    }
    if let Some(path) = run {
        let run = load::run(path)?;
        let mut matching = folders.iter().filter(|f| f.golden.how_made.recipe == run.recipe).peekable();
        if matching.peek().is_none() {
            let found: Vec<&str> = folders.iter().map(|f| f.golden.how_made.recipe.as_str()).collect();
            let (recipe, found) = (&run.recipe, found.join(", "));
            return Err(Error::inputs(format!("{}: no golden of recipe {recipe} (found {found})", path.display())));
        }
        for folder in matching {
            findings.line(format!("run {} against golden {}", path.display(), folder.path.display()));
            compare::run(folder, path, &run, &mut findings)?;
        }
    }
    match findings.differences {
        0 => Ok(CheckReport { text: findings.text, goldens: folders.len() }),
        1 => Err(Error::difference(format!("{}1 difference", findings.text))),
        n => Err(Error::difference(format!("{}{n} differences", findings.text))),
    }
}

/// A golden itself, or every folder in a folder of goldens; each must be one. Beside them only a README.md may lie.
fn goldens(dir: &Path) -> Result<Vec<PathBuf>> {
    if dir.join("golden.json").exists() {
        return Ok(vec![dir.to_owned()]);
    }
    let mut paths = Vec::new();
    for (name, is_dir) in files::list(dir)? {
        let path = dir.join(&name);
        match (is_dir, name.as_str()) {
            (true, _) if path.join("golden.json").exists() => paths.push(path),
            (true, _) => {
                return Err(Error::inputs(format!("{}: no golden.json there: not a golden", path.display())));
            }
            (false, "README.md") => {}
            (false, _) => return Err(Error::inputs(format!("{}: belongs to no golden", path.display()))),
        }
    }
    if paths.is_empty() {
        return Err(Error::inputs(format!("{}: no golden found, so nothing was checked", dir.display())));
    }
    Ok(paths)
}

/// The stored predictions, scored and rendered again.
pub(super) fn stored(folder: &Folder, findings: &mut Findings) -> Result<()> {
    for (eval, (verdicts, prompts)) in folder.run.evals.iter().zip(&folder.stored) {
        let name = &eval.record.name;
        let (score, now) = judge::rescore(&eval.predictions, &eval.record.rule, &failed(verdicts))?;
        flips(name, &eval.predictions, verdicts, &now, findings, true);
        let was = eval.scored()?;
        if score == *was {
            findings.line(format!("  {name}: score {:.2} ({}/{}): same", score.accuracy, score.correct, score.total));
        } else {
            let is = &score;
            findings.differs(format!(
                "  {name}: score.json changed: {:.2} ({}/{}) → {:.2} ({}/{}){}",
                was.accuracy,
                was.correct,
                was.total,
                is.accuracy,
                is.correct,
                is.total,
                if (was.correct, was.total) == (is.correct, is.total) { ", in a breakdown or the ledger" } else { "" },
            ));
        }
        let rendered = render_prompts(&judge::template(&eval.record)?, &eval.record.prompt, &eval.predictions)?;
        compare_prompts(name, prompts, &rendered, findings);
    }
    conditions(folder, &folder.run, findings)?;
    let table = render_loaded(std::slice::from_ref(&folder.run), Format::Markdown)?;
    match first_difference(&folder.leaderboard, &table) {
        None => findings.line("  leaderboard.md: same"),
        Some((line, was, is)) => {
            findings.differs(format!("  leaderboard.md: line {line} changed\n    before: {was}\n    after:  {is}"));
        }
    }
    Ok(())
}

/// Ids of questions that could not be put to the model.
pub(super) fn failed(verdicts: &Verdicts) -> BTreeSet<&str> {
    verdicts.iter().filter(|(_, v)| **v == Verdict::Failed).map(|(id, _)| id.as_str()).collect()
}

/// Prompts of all questions.
pub(super) fn render_prompts(template: &ChatTemplate, style: &str, rows: &[Example]) -> Result<Prompts> {
    let hashes = rows.iter().map(|row| Ok((row.id.clone(), judge::prompt_sha256(template, style, row)?)));
    Ok(Prompts::of(hashes.collect::<Result<IndexMap<_, _>>>()?))
}

/// Lists the verdicts that differ, in the order of the questions, and returns how many. They count as one difference if
/// `is_difference`.
pub(super) fn flips(
    name: &str,
    rows: &[Example],
    before: &Verdicts,
    after: &Verdicts,
    findings: &mut Findings,
    is_difference: bool,
) -> u64 {
    let tasks: IndexMap<&str, &str> = rows.iter().map(|r| (r.id.as_str(), r.task.as_str())).collect();
    let ids: indexmap::IndexSet<&str> = before.keys().chain(after.keys()).map(String::as_str).collect();
    let changed: Vec<&str> = ids.into_iter().filter(|id| before.get(*id) != after.get(*id)).collect();
    let count = before.len();
    if changed.is_empty() {
        findings.line(format!("  {name}: {count} verdicts: same"));
        return 0;
    }
    let mut text = format!("  {name}: {} of {count} verdicts changed", changed.len());
    let word = |v: Option<&Verdict>| match v {
        None => "absent",
        Some(Verdict::Correct) => "correct",
        Some(Verdict::Wrong) => "wrong",
        Some(Verdict::NoAnswer) => "no answer",
        Some(Verdict::Failed) => "failed",
    };
    for id in changed.iter().take(SHOWN) {
        let task = tasks.get(id).copied().unwrap_or("no such question");
        let _ = write!(text, "\n    {id} ({task}): {} → {}", word(before.get(*id)), word(after.get(*id)));
    }
    if changed.len() > SHOWN {
        let _ = write!(text, "\n    and {} more", changed.len() - SHOWN);
    }
    if is_difference {
        findings.differs(text)
    } else {
        findings.line(text)
    }
    changed.len() as u64
}

/// Tells which prompts differ.
pub(super) fn compare_prompts(name: &str, before: &Prompts, after: &Prompts, findings: &mut Findings) {
    if before == after {
        findings.line(format!("  {name}: {} prompts: same", after.by_id.len()));
        return;
    }
    let ids: indexmap::IndexSet<&String> = before.by_id.keys().chain(after.by_id.keys()).collect();
    let changed: Vec<&String> = ids.into_iter().filter(|id| before.by_id.get(*id) != after.by_id.get(*id)).collect();
    let Some(first) = changed.first() else {
        findings.differs(format!("  {name}: prompts.json: its hash over all is not that of its prompts"));
        return;
    };
    let short = |p: &Prompts| p.by_id.get(*first).map_or("absent".to_owned(), |hash| hash.short().to_owned());
    findings.differs(format!(
        "  {name}: {} of {} prompts changed\n    first: {first}: {} → {}",
        changed.len(),
        before.by_id.len(),
        short(before),
        short(after),
    ));
}

/// The golden's conditions on the results of a run or of the golden itself.
pub(super) fn conditions(folder: &Folder, run: &load::Run, findings: &mut Findings) -> Result<()> {
    for condition in &folder.golden.conditions {
        let eval = compare::eval(run, &condition.eval)?;
        let (high, low) = (compare::accuracy(eval), compare::reference(run, eval, &condition.above)?);
        let line = format!(
            "  condition: {} {high:.2} − {} {low:.2} = {:.2} points, at least {}",
            condition.eval,
            condition.above,
            high - low,
            condition.by
        );
        // Accuracies are quotients of counts: a difference of exactly `by` may come out a rounding below it.
        if high - low >= condition.by - 1e-9 {
            findings.line(format!("{line}: holds"));
        } else {
            findings.differs(format!("{line}: does not hold"));
        }
    }
    Ok(())
}

/// The first line that differs: its number, before, after.
fn first_difference(before: &str, after: &str) -> Option<(usize, String, String)> {
    if before == after {
        return None;
    }
    // `split`, not `lines`: a missing last newline and a carriage return are differences too.
    let (mut a, mut b) = (before.split('\n'), after.split('\n'));
    for number in 1.. {
        match (a.next(), b.next()) {
            (None, None) => break,
            (x, y) if x == y => {}
            (x, y) => {
                let show = |line: Option<&str>| line.map_or("(no line)".to_owned(), |l| format!("{l:?}"));
                return Some((number, show(x), show(y)));
            }
        }
    }
    None
}
