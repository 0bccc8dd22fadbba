//! Paired comparison: two runs, or predictions files, on the same questions.

mod join;
mod show;
mod side;

pub use join::Questions;

use super::load;
use crate::error::{Error, Result};
use crate::pins::Sha256;
use crate::recipe::Rule;
use crate::score::Verdict;
use crate::score::stats::{self, Pairs};
use crate::seeds::Key;
use indexmap::IndexMap;
use join::Both;
use serde::Serialize;
use side::Side;
use std::path::{Path, PathBuf};

/// What is to be compared, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// A run folder or a predictions file: before.
    pub a: PathBuf,
    /// Likewise: after.
    pub b: PathBuf,
    /// Names of evaluations: one for both sides or one for each; none where there is only one.
    pub evals: Vec<String>,
    /// The questions of predictions files.
    pub dataset: Option<PathBuf>,
    /// How answers are judged; `None` is `official`, and runs must have been scored by it.
    pub rule: Option<Rule>,
    /// Whether questions that differ between the sides are left out; else they are refused.
    pub identical: bool,
    /// Where the resampling starts; `None` derives it from what is compared.
    pub seed: Option<u64>,
    /// How often the questions are drawn anew.
    pub resamples: u64,
}

/// Two sides compared. Accuracies in percent and differences in points, unrounded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Before.
    pub a: Accuracy,
    /// After.
    pub b: Accuracy,
    /// The rule that both are judged by.
    pub rule: String,
    /// What is compared and what is not.
    pub questions: Questions,
    /// How the questions came out.
    pub pairs: Pairs,
    /// Two-sided p-value of McNemar's exact test.
    pub mcnemar: f64,
    /// B - A.
    pub difference: Difference,
    /// How the intervals were drawn.
    pub bootstrap: Bootstrap,
    /// By task, in order of first appearance.
    pub task: IndexMap<String, ByTask>,
    /// Questions that are correct in one alone, in the order of A.
    pub flips: Vec<Flip>,
}

/// One side's accuracy on the compared questions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Accuracy {
    /// What it is.
    pub name: String,
    /// SHA-256 of its predictions.
    pub sha256: Sha256,
    /// Of the compared questions.
    pub correct: u64,
    /// Share of all questions.
    pub micro: f64,
    /// Its 95 % Wilson interval.
    pub interval: [f64; 2],
    /// Mean of the tasks' shares.
    #[serde(rename = "macro")]
    pub macro_mean: f64,
}

/// B - A.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Of the micro accuracies.
    pub micro: f64,
    /// 95 %, by paired bootstrap over all questions.
    pub micro_interval: [f64; 2],
    /// 95 %, by arithmetic (Newcombe's for paired shares).
    pub micro_interval_analytic: [f64; 2],
    /// Of the macro accuracies.
    #[serde(rename = "macro")]
    pub macro_mean: f64,
    /// 95 %, by paired bootstrap within each task.
    pub macro_interval: [f64; 2],
}

/// How the intervals were drawn: with these two numbers they come out the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bootstrap {
    /// Where it started.
    pub seed: u64,
    /// How often the questions were drawn anew.
    pub resamples: u64,
}

/// The questions of one task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ByTask {
    /// How they came out.
    pub pairs: Pairs,
    /// B - A.
    pub difference: f64,
    /// Two-sided p-value of McNemar's exact test.
    pub mcnemar: f64,
}

/// A question that is correct in one side alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flip {
    /// Its id.
    pub id: String,
    /// Its task.
    pub task: String,
    /// Its sub-category; empty when it has none.
    #[serde(rename = "sub-category", skip_serializing_if = "String::is_empty")]
    pub sub_category: String,
    /// In A.
    pub before: Verdict,
    /// In B.
    pub after: Verdict,
}

/// Compares two sides, question by question.
///
/// # Errors
/// Exit code 4: something is not there, or the answers are withheld. Exit code 2: a run that is not finished, a file that holds no
/// predictions, evaluations that are not named and could be several, questions that differ (the way out is in the message), or nothing to
/// compare.
pub fn compare(request: &Request) -> Result<Comparison> {
    let (a, b) = sides(request)?;
    let (both, questions) = join::join(&a, &b, request.identical)?;
    let (mut pairs, mut task) = (Pairs::default(), IndexMap::<&str, Pairs>::new());
    for Both { task: name, before, after, .. } in &both {
        pairs.count(is_right(*before), is_right(*after));
        task.entry(name).or_default().count(is_right(*before), is_right(*after));
    }
    let strata: Vec<Pairs> = task.values().copied().collect();
    let seed = request.seed.unwrap_or_else(|| seed_of(&both));
    let drawn = |what: &str, strata: &[Pairs]| {
        let drawn = stats::bootstrap(strata, Key::derive(seed, "compare", &[what]), request.resamples);
        drawn.ok_or_else(|| Error::internal("a comparison of no questions, or with too few resamples"))
    };
    let macro_mean = |of: fn(&Pairs) -> f64| strata.iter().map(of).sum::<f64>() / strata.len() as f64;
    let flips = both.iter().filter(|q| is_right(q.before) != is_right(q.after));
    Ok(Comparison {
        a: accuracy(&a, pairs.a(), macro_mean(|p| share(p.a()))),
        b: accuracy(&b, pairs.b(), macro_mean(|p| share(p.b()))),
        rule: request.rule.unwrap_or(Rule::Official).name().into(),
        questions,
        mcnemar: pairs.mcnemar(),
        difference: Difference {
            micro: pairs.difference(),
            micro_interval: drawn("micro", &[pairs])?,
            micro_interval_analytic: pairs.interval(),
            macro_mean: macro_mean(Pairs::difference),
            macro_interval: drawn("macro", &strata)?,
        },
        bootstrap: Bootstrap { seed, resamples: request.resamples },
        task: task.iter().map(|(name, pairs)| ((*name).to_owned(), by_task(*pairs))).collect(),
        flips: flips.map(flip).collect(),
        pairs,
    })
}

fn sides(request: &Request) -> Result<(Side, Side)> {
    let Request { a, b, evals, dataset, .. } = request;
    let (rule, asked_for) = (request.rule.unwrap_or(Rule::Official), request.rule.is_some());
    let run = |path: &Path| if path.is_dir() { load::run(path).map(Some) } else { Ok(None) };
    let file = |path: &Path| side::of_file(path, dataset.as_deref(), rule);
    let (run_a, run_b) = (run(a)?, run(b)?);
    if run_a.is_some() && run_b.is_some() && dataset.is_some() {
        return Err(Error::request("--dataset is for predictions files, and both are run folders (leave it out)"));
    }
    if evals.len() > 2 {
        return Err(Error::request(format!("--eval: expected one name or two, found {}", evals.len())));
    }
    if evals.len() == 2 && (run_a.is_none() || run_b.is_none()) {
        return Err(Error::request("--eval: expected one name, for the run folder, found two"));
    }
    Ok(match (&run_a, &run_b) {
        (Some(run_a), Some(run_b)) => {
            let (one, other) = side::choose(run_a, run_b, evals)?;
            (side::of_run(run_a, one, rule, asked_for)?, side::of_run(run_b, other, rule, asked_for)?)
        }
        (Some(run), None) => (side::of_run(run, side::only(run, evals)?, rule, asked_for)?, file(b)?),
        (None, Some(run)) => (file(a)?, side::of_run(run, side::only(run, evals)?, rule, asked_for)?),
        (None, None) if !evals.is_empty() => {
            return Err(Error::request(
                "--eval names an evaluation of a run folder, and both are files (leave it out)",
            ));
        }
        (None, None) => (file(a)?, file(b)?),
    })
}

/// A seed that follows from what is compared, ids and whether each is correct: the same questions and answers give the same interval,
/// whatever files they are in, and nobody can choose it to please.
fn seed_of(both: &[Both<'_>]) -> u64 {
    let line = |q: &Both<'_>| format!("{}\t{}\t{}\n", q.id, is_right(q.before), is_right(q.after));
    let mut lines: Vec<String> = both.iter().map(line).collect();
    lines.sort();
    // 32 bits: every reader of JSON keeps them.
    u64::from_str_radix(&Sha256::of(lines.concat().as_bytes()).as_str()[..8], 16).expect("a SHA-256 is hexadecimal")
}

fn is_right(verdict: Verdict) -> bool {
    verdict == Verdict::Correct
}

fn share([correct, total]: [u64; 2]) -> f64 {
    100.0 * correct as f64 / total as f64
}

fn accuracy(side: &Side, [correct, total]: [u64; 2], macro_mean: f64) -> Accuracy {
    Accuracy {
        name: side.name.clone(),
        sha256: side.sha256.clone(),
        correct,
        micro: share([correct, total]),
        interval: stats::wilson(correct, total),
        macro_mean,
    }
}

fn by_task(pairs: Pairs) -> ByTask {
    ByTask { pairs, difference: pairs.difference(), mcnemar: pairs.mcnemar() }
}

fn flip(both: &Both<'_>) -> Flip {
    Flip {
        id: both.id.to_owned(),
        task: both.task.to_owned(),
        sub_category: both.sub_category.to_owned(),
        before: both.before,
        after: both.after,
    }
}
