//! What was, against what is: verdicts, prompts, outputs, tables. Pure.

use super::files::{Folder, Hashes};
use super::finding::{Cause, Finding, Flip, Kind, Outcome, Place, plain, short};
use crate::data::Example;
use crate::report::judge::Verdicts;
use crate::score::Verdict;
use indexmap::{IndexMap, IndexSet};

/// The verdicts that differ, in the order of the questions.
pub(super) fn flips(
    rows: &[Example],
    before: &Verdicts,
    after: &Verdicts,
    cause: impl Fn(&str) -> Option<Cause>,
) -> Vec<Flip> {
    let tasks: IndexMap<&str, &str> = rows.iter().map(|r| (r.id.as_str(), r.task.as_str())).collect();
    let ids: IndexSet<&str> = before.keys().chain(after.keys()).map(String::as_str).collect();
    let flip = |id: &str| {
        let (before, after) = (before.get(id).copied(), after.get(id).copied());
        // A question that could not be put to the model has neither prompt nor output to compare.
        let judged = |v: Option<Verdict>| v.is_some_and(|v| v != Verdict::Failed);
        let cause = if judged(before) && judged(after) { cause(id) } else { None };
        let task = tasks.get(id).map(|task| (*task).to_owned());
        (before != after).then(|| Flip { id: id.to_owned(), task, before, after, cause })
    };
    ids.into_iter().filter_map(flip).collect()
}

/// Verdicts: the same, or the flips. Those of stored predictions are differences, and the scorer's; those of a run are for its tolerance to judge.
pub(super) fn verdicts(folder: &Folder, eval: &str, count: usize, flips: Vec<Flip>, outcome: Outcome) -> Finding {
    let Some(first) = flips.first() else {
        return Finding::of(eval, Kind::Verdicts, Outcome::Same, format!("{count} verdicts: same"));
    };
    let place = Place::key(&folder.path, eval, "verdicts.json", &first.id);
    let changed = format!("{} of {count} verdicts", flips.len());
    let text = match outcome {
        Outcome::Different => format!("the scoring changed {changed}"),
        _ => format!("{changed} changed"),
    };
    Finding { flips, ..Finding::of(eval, Kind::Verdicts, outcome, text).at(place) }
}

/// Ids whose hashes differ, in order.
fn changed<'a>(before: &'a Hashes, after: &'a Hashes) -> Vec<&'a str> {
    let ids: IndexSet<&str> = before.by_id.keys().chain(after.by_id.keys()).map(String::as_str).collect();
    ids.into_iter().filter(|id| before.by_id.get(*id) != after.by_id.get(*id)).collect()
}

fn first(before: &Hashes, after: &Hashes, id: &str) -> String {
    format!("first: {}: {} → {}", plain(id), short(before.by_id.get(id)), short(after.by_id.get(id)))
}

/// The bytes that the model is given, before audio tokens are expanded.
pub(super) fn prompts(folder: &Folder, eval: &str, before: &Hashes, after: &Hashes) -> Finding {
    let count = before.by_id.len();
    let of = |outcome, text| Finding::of(eval, Kind::Prompts, outcome, text);
    if before == after {
        return of(Outcome::Same, format!("{count} prompts: same"));
    }
    let changed = changed(before, after);
    let Some(id) = changed.first() else {
        return of(Outcome::Different, "prompts.json: its hash over all is not that of its prompts".into())
            .at(Place::key(&folder.path, eval, "prompts.json", "all"));
    };
    of(Outcome::Different, format!("the prompt bytes changed: {} of {count} prompts", changed.len()))
        .detail(first(before, after, id))
        .at(Place::key(&folder.path, eval, "prompts.json", id))
}

/// What the model said in a run, against what it said when the golden was written. Whether that is too much is for the tolerance to say.
pub(super) fn outputs(folder: &Folder, eval: &str, hashes: Compared<'_>, flips: &[Flip]) -> Finding {
    let of = |outcome, text| Finding::of(eval, Kind::Outputs, outcome, text);
    let (Some(before), after) = hashes.outputs else { return not_recorded(eval) };
    let changed = changed(before, after);
    let count = before.by_id.len();
    let Some(id) = changed.first() else { return of(Outcome::Same, format!("{count} outputs: same")) };
    let (same_prompt, other_prompt): (Vec<&str>, Vec<&str>) = changed.iter().partition(|id| hashes.same_prompt(id));
    let flipped = flips.iter().filter(|flip| changed.contains(&flip.id.as_str())).count();
    let text = match (same_prompt.len(), other_prompt.len()) {
        (n, 0) => format!("the model's output changed: {n} of {count}, under the same prompts"),
        (0, n) => format!("outputs changed: {n} of {count}, all under other prompts"),
        (n, m) => format!("the model's output changed: {n} of {count} under the same prompts, {m} under other prompts"),
    };
    of(Outcome::Noted, text)
        .detail(first(before, after, id))
        .detail(format!("{flipped} of them with another verdict"))
        .at(Place::key(&folder.path, eval, "outputs.json", id))
}

/// A golden from before outputs were recorded.
pub(super) fn not_recorded(eval: &str) -> Finding {
    let text = "outputs: not recorded in this golden (`aqa-bench check --update` from a run records them)";
    Finding::of(eval, Kind::Outputs, Outcome::NotRecorded, text)
}

/// The hashes of a golden and of a run.
#[derive(Clone, Copy)]
pub(super) struct Compared<'a> {
    pub prompts: (&'a Hashes, &'a Hashes),
    /// The golden's may not be recorded.
    pub outputs: (Option<&'a Hashes>, &'a Hashes),
}

impl Compared<'_> {
    fn same_prompt(&self, id: &str) -> bool {
        self.prompts.0.by_id.get(id) == self.prompts.1.by_id.get(id)
    }

    /// Why the verdict of a question changed, as far as hashes tell.
    pub fn cause(&self, id: &str) -> Option<Cause> {
        if !self.same_prompt(id) {
            return Some(Cause::Prompt);
        }
        let (before, after) = self.outputs;
        Some(if before?.by_id.get(id) == after.by_id.get(id) { Cause::Scoring } else { Cause::Output })
    }
}

/// The rendered table.
pub(super) fn table(folder: &Folder, rendered: &str) -> Finding {
    let of = |outcome, text| Finding::whole(Kind::Table, outcome, text);
    match first_difference(&folder.leaderboard, rendered) {
        None => of(Outcome::Same, "leaderboard.md: same".into()),
        Some((line, was, is)) => of(Outcome::Different, format!("leaderboard.md: line {line} changed"))
            .detail(format!("before: {was}"))
            .detail(format!("after:  {is}"))
            .at(Place { file: folder.path.join("leaderboard.md"), line }),
    }
}

/// The first line that differs: its number, before, after.
pub(in crate::report) fn first_difference(before: &str, after: &str) -> Option<(usize, String, String)> {
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
