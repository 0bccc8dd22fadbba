//! Evaluations against the first of their table, question by question.

use super::pairs::{self, Pair, Pairs};
use super::{About, Figure, file_name};
use crate::data::Example;
use crate::error::Result;
use crate::report::answers::{Outcome, answers};
use crate::report::table::Entry;
use indexmap::IndexMap;
use std::collections::HashMap;

/// For each question: whether it was answered correctly. Only questions that count in the score.
type Correct<'a> = HashMap<&'a str, bool>;

/// Every scored evaluation of a table against the first one, on the questions that both have.
///
/// # Errors
/// As [`answers`].
pub(super) fn figures(groups: &[Vec<Entry<'_>>]) -> Result<Vec<Figure>> {
    let mut all = Vec::new();
    for (table, entries) in groups.iter().enumerate() {
        let scored: Vec<&Entry<'_>> = entries.iter().filter(|e| e.eval.score.is_some()).collect();
        let Some((first, others)) = scored.split_first() else { continue };
        let before = correct(first)?;
        for (place, other) in others.iter().enumerate() {
            let rows = rows(&first.eval.predictions, &before, &correct(other)?);
            if rows.first().is_some_and(|all| all.total > 0) {
                let number = if groups.len() > 1 { format!("table-{}", table + 1) } else { String::new() };
                let name = file_name(&[
                    &first.run.recipe,
                    &number,
                    &first.eval.record.name,
                    "against",
                    &(place + 2).to_string(),
                    &other.eval.record.name,
                ]);
                all.push(figure(first, other, rows, name));
            }
        }
    }
    Ok(all)
}

fn correct<'a>(entry: &Entry<'a>) -> Result<Correct<'a>> {
    let answers = answers(entry.run, entry.eval)?;
    let both = entry.eval.predictions.iter().zip(&answers);
    let counted = both.filter(|(_, a)| !matches!(a.outcome, Outcome::Missing | Outcome::Withheld));
    Ok(counted.map(|(row, a)| (row.id.as_str(), a.outcome == Outcome::Correct)).collect())
}

/// All questions, then the tasks, then the sub-categories, those with the greatest gain first.
fn rows(questions: &[Example], before: &Correct<'_>, after: &Correct<'_>) -> Vec<Pair> {
    let pair = |label: &str, begins| Pair { label: label.into(), begins, total: 0, both: 0, gained: 0, lost: 0 };
    let mut all = pair("all questions", true);
    let (mut tasks, mut subs) = (IndexMap::<&str, Pair>::new(), IndexMap::<&str, Pair>::new());
    for row in questions {
        let (Some(was), Some(is)) = (before.get(row.id.as_str()), after.get(row.id.as_str())) else { continue };
        let parts = [(&mut tasks, row.task.as_str()), (&mut subs, row.sub_category.as_str())];
        let parts = parts.into_iter().filter(|(_, name)| !name.is_empty());
        let parts = parts.map(|(pairs, name)| pairs.entry(name).or_insert_with(|| pair(name, false)));
        for pair in parts.chain([&mut all]) {
            pair.total += 1;
            match (was, is) {
                (true, true) => pair.both += 1,
                (false, true) => pair.gained += 1,
                (true, false) => pair.lost += 1,
                (false, false) => {}
            }
        }
    }
    let mut subs: Vec<Pair> = subs.into_values().collect();
    // (gained - lost) / total, compared without division.
    let gain = |p: &Pair| i128::from(p.gained) - i128::from(p.lost);
    subs.sort_by(|a, b| {
        (gain(b) * i128::from(a.total)).cmp(&(gain(a) * i128::from(b.total))).then_with(|| a.label.cmp(&b.label))
    });
    let mut tasks: Vec<Pair> = tasks.into_values().collect();
    for part in [&mut tasks, &mut subs] {
        part.first_mut().into_iter().for_each(|first| first.begins = true);
    }
    [all].into_iter().chain(tasks).chain(subs).collect()
}

fn figure(first: &Entry<'_>, other: &Entry<'_>, rows: Vec<Pair>, name: String) -> Figure {
    let (before, after) = (first.label.clone(), other.label.clone());
    let all = &rows[0];
    let title = format!("{after} against {before}");
    let caption = format!(
        "{after} (disc) against {before} (ring) on the {} questions that both have: {} turned correct, {} turned from correct. \
         By task and by sub-category, the greatest gain first. A question that failed counts as not correct.",
        all.total, all.gained, all.lost
    );
    let svg = pairs::draw(&Pairs { before, after, rows }, &name, &title, &caption);
    Figure { name, about: About::Versus, part: first.eval.record.dataset.clone(), title, caption, svg }
}
