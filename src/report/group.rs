//! Groups: evaluations that are one measurement made several times. Mean, spread and best of them become rows.

use super::judge::{self, Verdicts};
use super::table::{Cell, Entry, Kind, Row};
use crate::error::Result;
use crate::score::Verdict;
use crate::score::stats::{self, Optimism};
use indexmap::IndexMap;
use serde::Serialize;

/// A group, for programs: percentages without rounding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Its name in the recipe.
    pub name: String,
    /// What its rows are called.
    pub label: String,
    /// Labels of the rows that it is made of.
    pub rows: Vec<String>,
    /// How many these are.
    pub n: usize,
    /// By column.
    pub columns: IndexMap<String, Spread>,
    /// The label of the row with the highest average, the first of equals: the best of n.
    pub best: String,
    /// By how many points the best of n is expected to lie above the mean when all are equally good; `None` where the rows did not all
    /// answer the same questions.
    pub optimism: Option<Optimism>,
    /// Questions asked and questions of the data set, when these differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial: Option<[u64; 2]>,
}

/// How the percentages of a column lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation, with n - 1.
    pub standard_deviation: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// That of the row with the highest average.
    pub best: f64,
}

impl Spread {
    /// Of two values or more; `best` is the place of the row with the highest average.
    pub fn of(values: &[f64], best: usize) -> Option<Self> {
        let n = values.len() as f64;
        let best = *values.get(best)?;
        if values.len() < 2 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), &v| (low.min(v), high.max(v)));
        Some(Self { mean, standard_deviation: (squares / (n - 1.0)).sqrt(), low, high, best })
    }
}

/// The groups whose evaluations are in a table, and are scored.
///
/// # Errors
/// Exit code 4: predictions of a group that cannot be judged.
pub(super) fn summaries(entries: &[Entry<'_>], columns: &[String]) -> Result<Vec<Summary>> {
    let mut out = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        // Each run once, at its first row.
        if entries[..place].iter().any(|earlier| std::ptr::eq(earlier.run, entry.run)) {
            continue;
        }
        for group in &entry.run.groups {
            let member =
                |name: &String| entries.iter().find(|e| std::ptr::eq(e.run, entry.run) && e.eval.record.name == *name);
            // Those on another data set have their rows there.
            let Some(members) = group.evals.iter().map(member).collect::<Option<Vec<_>>>() else { continue };
            if members.iter().any(|m| missing(m) > 0) {
                continue;
            }
            let values: Vec<Option<f64>> = members.iter().map(|m| percent(m, "average")).collect();
            let Some(values) = values.into_iter().collect::<Option<Vec<f64>>>() else { continue };
            let best = (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best });
            let spread = |column: &String| {
                let values: Option<Vec<f64>> = members.iter().map(|m| percent(m, column)).collect();
                Some((column.clone(), Spread::of(&values?, best)?))
            };
            out.push(Summary {
                name: group.name.clone(),
                label: group.label.clone(),
                rows: members.iter().map(|m| m.label.clone()).collect(),
                n: members.len(),
                columns: columns.iter().filter_map(spread).collect(),
                best: members[best].label.clone(),
                optimism: optimism(&members)?,
                partial: members.iter().find_map(|m| m.eval.part()),
            });
        }
    }
    Ok(out)
}

/// Questions that the predictions of a row lack.
fn missing(entry: &Entry<'_>) -> u64 {
    entry.eval.score.as_ref().map_or(0, |score| score.ledger.missing)
}

/// Groups that have no rows, since predictions of one of theirs are missing: a mean of rows on different questions would look like one on the same.
pub(super) fn lacking(entries: &[Entry<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in entries.iter().filter(|entry| missing(entry) > 0) {
        for group in entry.run.groups.iter().filter(|group| group.evals.contains(&entry.eval.record.name)) {
            lines.push(format!(
                "{} has no rows of mean and spread: {} predictions of {} are missing.",
                group.label,
                missing(entry),
                entry.label
            ));
        }
    }
    lines
}

/// What choosing the best of rows adds, from their verdicts by question.
fn optimism(members: &[&Entry<'_>]) -> Result<Option<Optimism>> {
    let verdicts = |m: &&Entry<'_>| {
        let (_, verdicts) = judge::rescore(&m.eval.predictions, &m.eval.record.rule, &Default::default())?;
        Ok(verdicts)
    };
    let verdicts: Vec<Verdicts> = members.iter().map(verdicts).collect::<Result<_>>()?;
    let Some(first) = verdicts.first() else { return Ok(None) };
    let right = |row: &Verdicts| {
        let one = |id: &String| Some(*row.get(id)? == Verdict::Correct);
        if row.len() == first.len() { first.keys().map(one).collect::<Option<Vec<bool>>>() } else { None }
    };
    let rows: Option<Vec<Vec<bool>>> = verdicts.iter().map(right).collect();
    Ok(rows.and_then(|rows| stats::optimism(&rows)))
}

/// A column of a row in percent, from its counts.
fn percent(entry: &Entry<'_>, column: &str) -> Option<f64> {
    let score = entry.eval.score.as_ref()?;
    let (correct, total) = match column {
        "average" => (score.correct, score.total),
        task => score.task.get(task).map(|cell| (cell.correct, cell.total))?,
    };
    (total > 0).then(|| 100.0 * correct as f64 / total as f64)
}

impl Summary {
    /// Its four rows.
    pub(super) fn rows(&self, columns: &[String]) -> [Row; 4] {
        let Self { label, n, best, .. } = self;
        let row = |what: String, text: fn(&Spread) -> String| Row {
            label: format!("{label}: {what}"),
            kind: Kind::Computed,
            source: String::new(),
            cells: columns.iter().map(|column| Some(Cell::plain(text(self.columns.get(column)?)))).collect(),
            ledger: None,
            partial: self.partial,
            note: None,
        };
        [
            row(format!("mean of {n}"), |s| format!("{:.2}", s.mean)),
            row(format!("standard deviation of {n}"), |s| format!("{:.2}", s.standard_deviation)),
            row(format!("range of {n}"), |s| format!("{:.2} to {:.2}", s.low, s.high)),
            row(format!("best of {n} ({best})"), |s| format!("{:.2}", s.best)),
        ]
    }

    /// What its rows are, in a line.
    pub(super) fn in_words(&self) -> String {
        let Self { label, n, rows, .. } = self;
        let above = self.columns.get("average").map(|s| format!(", {:.2} points above their mean", s.best - s.mean));
        let chance = match self.optimism {
            Some(Optimism { expected, independent }) => format!(
                "were all {n} equally good, the best would be expected {expected:.2} points above their mean by chance alone \
                 ({independent:.2} if their errors were independent)"
            ),
            None => {
                "by how much that raises it is not known, since the rows did not all answer the same questions".into()
            }
        };
        format!(
            "The rows of {label} are computed from n = {n} rows: {}. The standard deviation is that of a sample (n - 1). Best of {n} is the \
             row with the highest average{}. It is chosen on these very questions: {chance}.",
            rows.join(", "),
            above.unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn a_spread_is_what_a_textbook_says() {
        let spread = Spread::of(&[60.0, 64.0, 62.0], 1).unwrap();
        let Spread { mean, standard_deviation, low, high, best } = spread;
        assert_eq!((mean, standard_deviation, low, high, best), (62.0, 2.0, 60.0, 64.0, 64.0));
        assert_eq!(Spread::of(&[5.0, 5.0], 0).unwrap().standard_deviation, 0.0);
        assert_eq!(Spread::of(&[60.0], 0), None, "one value has no spread");
        assert_eq!(Spread::of(&[], 0), None);
    }
}
