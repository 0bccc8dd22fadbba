//! A table's measured rows by difficulty and by sub-category: names down, rows across.

use super::rank;
use super::table::{Cell, Entry, Kind, Row, counted};
use crate::score::{Cells, Score};
use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

/// The measured rows of a table by something finer than the task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breakdown {
    /// `difficulty` or `sub-category`.
    pub by: String,
    /// Labels of the measured rows, with `(partial: 2 of 12)` where not all questions were asked.
    pub columns: Vec<String>,
    /// One for each name.
    pub rows: Vec<Line>,
}

/// A name with a number for each measured row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// As the data set has it.
    pub name: String,
    /// The task that its questions belong to; absent where they belong to several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// One for each column; `None` where the row has no question of the name.
    pub cells: Vec<Option<Cell>>,
}

/// The breakdowns of a table. Difficulties stand as easy, medium, hard; sub-categories by task, then by name.
pub(super) fn of(entries: &[Entry<'_>]) -> Vec<Breakdown> {
    let scored: Vec<(&Entry<'_>, &Score)> = entries.iter().filter_map(|e| Some((e, e.eval.score.as_ref()?))).collect();
    let difficulty = lines(&scored, |s| &s.difficulty, &|_| None);
    let tasks = tasks(entries);
    let sub_category = lines(&scored, |s| &s.sub_category, &|name| tasks.get(name).cloned().flatten());
    let columns: Vec<String> = scored
        .iter()
        .map(|(entry, _)| {
            let partial = entry.eval.part().map(|[some, all]| format!(" (partial: {some} of {all})"));
            format!("{}{}", entry.label, partial.unwrap_or_default())
        })
        .collect();
    [("difficulty", sorted(difficulty, difficulty_order)), ("sub-category", sorted(sub_category, task_order))]
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(by, rows)| Breakdown { by: by.into(), columns: columns.clone(), rows })
        .collect()
}

fn lines(
    scored: &[(&Entry<'_>, &Score)],
    cells: impl Fn(&Score) -> &Cells,
    task: &dyn Fn(&str) -> Option<String>,
) -> Vec<Line> {
    let names: IndexSet<&str> = scored.iter().flat_map(|(_, s)| cells(s).keys().map(String::as_str)).collect();
    // Each row of the table is marked within its line, as a column of the table is: so they are marked as a table turned over.
    let mut turned: Vec<Row> = scored
        .iter()
        .map(|(entry, score)| Row {
            label: entry.label.clone(),
            kind: Kind::Measured,
            source: String::new(),
            cells: names.iter().map(|n| cells(score).get(*n).and_then(|c| counted(c.correct, c.total))).collect(),
            ledger: None,
            partial: entry.eval.part(),
            note: None,
        })
        .collect();
    if turned.len() > 1 {
        rank::mark(&mut turned, names.len());
    }
    let line = |(at, name): (usize, &&str)| Line {
        name: (*name).to_owned(),
        task: task(name),
        cells: turned.iter().map(|row| row.cells[at].clone()).collect(),
    };
    names.iter().enumerate().map(line).collect()
}

/// The one task of each sub-category.
fn tasks(entries: &[Entry<'_>]) -> IndexMap<String, Option<String>> {
    let mut tasks: IndexMap<String, Option<String>> = IndexMap::new();
    for example in entries.iter().flat_map(|e| &e.eval.predictions) {
        let slot = tasks.entry(example.sub_category.clone()).or_insert_with(|| Some(example.task.clone()));
        if slot.as_ref() != Some(&example.task) {
            *slot = None;
        }
    }
    tasks
}

fn sorted<K: Ord>(mut lines: Vec<Line>, key: impl Fn(&Line) -> K) -> Vec<Line> {
    lines.sort_by_key(key);
    lines
}

/// Names beyond the three behind them, in order of appearance.
fn difficulty_order(line: &Line) -> usize {
    ["easy", "medium", "hard"].iter().position(|known| *known == line.name).unwrap_or(3)
}

fn task_order(line: &Line) -> (usize, Option<String>, String) {
    let place = |task: &str| ["sound", "music", "speech"].iter().position(|known| *known == task).unwrap_or(3);
    (line.task.as_deref().map_or(4, place), line.task.clone(), line.name.clone())
}
