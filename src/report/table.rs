//! Results → tables of rows: what shares a table, which rows, rounded once, best marked.

use super::breakdown::{self, Breakdown};
use super::caption;
use super::claims::{Claim, Claims};
use super::group::{self, Summary};
use super::judge;
use super::load::{Evaluation, Run};
use super::rank;
use super::verdict::{self, Held};
use crate::data::versions;
use crate::error::Result;
use crate::recipe::Rule;
use crate::score::{Cell as Counts, Floor, Score, floors, stats};
use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

/// Where a row's numbers are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Answered and scored by a run.
    Measured,
    /// Printed by others; not run here.
    Quoted,
    /// Follows from the questions alone, or from other rows.
    Computed,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What it is called.
    pub label: String,
    /// Where its numbers are from.
    pub kind: Kind,
    /// For quoted rows, the sources: `paper, readme`; `from a file` for measured ones whose predictions were there already. Else empty.
    pub source: String,
    /// One for each column of the table; `None` where the row has no number.
    pub cells: Vec<Option<Cell>>,
    /// What stands beside every measured accuracy.
    pub ledger: Option<RowLedger>,
    /// Questions asked and questions of the data set, when these differ.
    pub partial: Option<[u64; 2]>,
    /// Number of a note below the table, from 1.
    pub note: Option<usize>,
}

/// A number of a table, in percent, ready to print.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cell {
    /// Two decimals; verbatim when quoted; `withheld` where nobody outside can score.
    pub text: String,
    /// Correct and total, when measured.
    pub counts: Option<[u64; 2]>,
    /// 95 % Wilson interval, one decimal, when measured.
    pub interval: Option<[String; 2]>,
    /// How far the interval reaches below the number and above it, one decimal, when measured.
    pub margin: Option<[String; 2]>,
    /// Whether it is the best measured one of its column. Rows on part of the questions do not compete.
    pub best: bool,
    /// Whether it is the next best.
    pub second: bool,
}

impl Cell {
    /// A number that was not measured.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// Counts beside a measured row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are the words of the design")]
pub struct RowLedger {
    /// `None` where the answers are withheld.
    pub wrong: Option<u64>,
    pub no_answer: u64,
    pub missing: u64,
    pub failed: u64,
    pub cropped: u64,
    pub truncated: u64,
}

/// A table: rows on versions of one data set that may be compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// The data set, for people.
    pub heading: String,
    /// Columns with a number: the tasks, then `average`.
    pub columns: Vec<String>,
    /// Measured, then computed, then quoted.
    pub rows: Vec<Row>,
    /// The measured rows by difficulty and by sub-category.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breakdowns: Vec<Breakdown>,
    /// What the rows of groups are made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Summary>,
    /// What is wrong or particular about quoted rows.
    pub notes: Vec<String>,
    /// Measured rows held against claims, a line each.
    pub held: Vec<String>,
    /// The same for programs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Held>,
    /// How the numbers came to be, a line each.
    pub caption: Vec<String>,
    /// The same of the breakdowns.
    #[serde(skip)]
    pub breakdown_caption: Vec<String>,
}

/// An evaluation with the run it belongs to and the label it has in its table.
pub(super) struct Entry<'a> {
    pub run: &'a Run,
    pub eval: &'a Evaluation,
    pub label: String,
}

/// The tables of some runs, in order of first appearance.
///
/// # Errors
/// A question file or claims that contradict themselves (exit code 4 or 2).
pub fn tables(runs: &[Run]) -> Result<Vec<Table>> {
    grouped(runs)?.into_iter().map(table).collect()
}

/// The evaluations of each table, in the order of its first rows.
pub(super) fn grouped(runs: &[Run]) -> Result<Vec<Vec<Entry<'_>>>> {
    let mut groups: IndexMap<(&str, String, &str), Vec<Entry<'_>>> = IndexMap::new();
    for run in runs {
        for eval in &run.evals {
            let (record, version) = (&eval.record, versions::group(&eval.record.dataset_sha256)?);
            // Rows that were judged by different rules never share a table.
            let key = (record.dataset_format.as_str(), version, record.rule.as_str());
            groups.entry(key).or_default().push(Entry { run, eval, label: eval.record.label.clone() });
        }
    }
    Ok(groups.into_values().map(|entries| name_apart(entries, runs)).collect())
}

/// Rows of the same label are told apart by their recipe, and where that is the same too, by the run's place in the request.
fn name_apart<'a>(mut entries: Vec<Entry<'a>>, runs: &[Run]) -> Vec<Entry<'a>> {
    let labels: Vec<(String, String)> = entries.iter().map(|e| (e.label.clone(), e.run.recipe.clone())).collect();
    for (i, entry) in entries.iter_mut().enumerate() {
        if labels.iter().filter(|l| l.0 == labels[i].0).count() == 1 {
            continue;
        }
        let place = runs.iter().position(|r| std::ptr::eq(r, entry.run)).unwrap_or_default() + 1;
        let same_recipe = labels.iter().filter(|l| **l == labels[i]).count() > 1;
        let run = if same_recipe { format!(", run {place}") } else { String::new() };
        entry.label = format!("{} ({}{run})", entry.label, entry.run.recipe);
    }
    entries
}

fn table(entries: Vec<Entry<'_>>) -> Result<Table> {
    let columns = columns(&entries);
    let mut rows: Vec<Row> = entries.iter().map(|e| measured(e, &columns)).collect();
    rank::mark(&mut rows, columns.len());
    let groups = group::summaries(&entries, &columns)?;
    rows.extend(groups.iter().flat_map(|group| group.rows(&columns)));
    rows.extend(trivial(&entries, &columns)?);
    let mut notes = Vec::new();
    rows.extend(quoted(&entries, &columns, &mut notes));
    let (heading, caption) = (caption::heading(&entries)?, caption::caption(&entries, &rows, &groups)?);
    let breakdown_caption = caption::of_breakdowns(&entries, &rows)?;
    let (verdicts, breakdowns) = (verdict::held(&entries), breakdown::of(&entries));
    let held = verdicts.iter().map(Held::in_words).collect();
    Ok(Table { heading, held, verdicts, columns, rows, breakdowns, groups, notes, caption, breakdown_caption })
}

/// Sound, music, speech as papers print them; tasks beyond these in order of appearance; the average last.
fn columns(entries: &[Entry<'_>]) -> Vec<String> {
    let scores = entries.iter().filter_map(|e| e.eval.score.as_ref());
    let found: IndexSet<&str> = scores.flat_map(|score| score.task.keys().map(String::as_str)).collect();
    let mut names: IndexSet<&str> = ["sound", "music", "speech"].into();
    names.extend(found);
    names.into_iter().chain(["average"]).map(str::to_owned).collect()
}

fn measured(entry: &Entry<'_>, columns: &[String]) -> Row {
    let record = &entry.eval.record;
    let withheld = || Cell::plain("withheld");
    let cells = columns.iter().map(|column| match (&entry.eval.score, column.as_str()) {
        (None, "average") => Some(withheld()),
        (None, _) => None,
        (Some(score), "average") => counted(score.correct, score.total),
        (Some(score), task) => score.task.get(task).and_then(|c: &Counts| counted(c.correct, c.total)),
    });
    let (wrong, no_answer, missing, failed) = match (&entry.eval.score, &record.withheld) {
        (Some(Score { ledger, .. }), _) => (Some(ledger.wrong), ledger.no_answer, ledger.missing, ledger.failed),
        (None, known) => known.map_or((None, 0, 0, 0), |k| (None, k.no_answer, 0, k.failed)),
    };
    let (cropped, truncated) = (record.cropped, record.truncated);
    Row {
        label: entry.label.clone(),
        kind: Kind::Measured,
        source: if record.file.is_some() { "from a file".into() } else { String::new() },
        cells: cells.collect(),
        ledger: Some(RowLedger { wrong, no_answer, missing, failed, cropped, truncated }),
        partial: entry.eval.part(),
        note: None,
    }
}

/// The only place where a measured number is rounded: from its counts.
pub(super) fn counted(correct: u64, total: u64) -> Option<Cell> {
    (total > 0).then(|| {
        let (percent, [low, high]) = (100.0 * correct as f64 / total as f64, stats::wilson(correct, total));
        Cell {
            text: format!("{percent:.2}"),
            counts: Some([correct, total]),
            interval: Some([low, high].map(|v| format!("{v:.1}"))),
            margin: Some([percent - low, high - percent].map(|v| format!("{v:.1}"))),
            ..Cell::default()
        }
    })
}

/// Correct answers of a trivial policy, expected ones where it draws.
type Policy = fn(&Floor) -> f64;

/// Trivial policies on each version of the questions in the table; where versions agree in every number, once.
fn trivial(entries: &[Entry<'_>], columns: &[String]) -> Result<Vec<Row>> {
    let mut widest: IndexMap<&str, &Entry<'_>> = IndexMap::new();
    for entry in entries {
        let slot = widest.entry(entry.eval.record.dataset_sha256.as_str()).or_insert(entry);
        if entry.eval.predictions.len() > slot.eval.predictions.len() {
            *slot = entry;
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    for (sha256, entry) in &widest {
        let (asked, all) = (entry.eval.predictions.len() as u64, entry.eval.record.questions);
        // Without the answers nobody outside can tell what a trivial policy scores.
        let Some(expected) = floors(judge::rule(&entry.eval.record.rule)?, &entry.eval.predictions) else { continue };
        let policies: [(&str, Policy); 2] =
            [("Always the first option", |f| f.first as f64), ("Uniformly random option", |f| f.random)];
        for (label, correct) in policies {
            let share = |floor: &Floor| {
                let text = format!("{:.2}", 100.0 * correct(floor) / floor.total as f64);
                (floor.total > 0).then(|| Cell::plain(text))
            };
            let cell = |column: &String| match column.as_str() {
                "average" => share(&expected.all),
                task => expected.task.get(task).and_then(share),
            };
            rows.push(Row {
                label: if widest.len() == 1 {
                    label.to_owned()
                } else {
                    format!("{label}, {}", caption::short(sha256)?)
                },
                kind: Kind::Computed,
                source: String::new(),
                cells: columns.iter().map(cell).collect(),
                ledger: None,
                partial: (asked < all).then_some([asked, all]),
                note: None,
            });
        }
    }
    rows.sort_by_key(|row| row.label.clone());
    Ok(merge_equal(rows))
}

/// Versions that differ in an answer here or there often have the same floors: print them once.
fn merge_equal(rows: Vec<Row>) -> Vec<Row> {
    let mut merged: Vec<Row> = Vec::new();
    for row in rows {
        let policy = |label: &str| label.split(',').next().unwrap_or_default().to_owned();
        match merged.last_mut() {
            Some(last) if policy(&last.label) == policy(&row.label) && last.cells == row.cells => {
                last.label = policy(&row.label);
            }
            _ => merged.push(row),
        }
    }
    merged
}

/// Rows of the claim files that the table's runs name, where a version that is in the table is one they were measured on.
fn quoted(entries: &[Entry<'_>], columns: &[String], notes: &mut Vec<String>) -> Vec<Row> {
    let mut seen: IndexSet<&str> = IndexSet::new();
    let mut rows = Vec::new();
    for entry in entries {
        for (name, file) in &entry.run.claims {
            let official = entry.eval.record.rule == Rule::Official.name();
            let fits =
                |claim: &&Claim| official && file.versions[&claim.split].contains(&entry.eval.record.dataset_sha256);
            if !file.claims.iter().any(|c| fits(&c)) || !seen.insert(name.as_str()) {
                continue;
            }
            for claim in file.claims.iter().filter(fits).filter(|c| c.same_as.is_none()) {
                let note = claim.note.as_ref().map(|note| {
                    notes.push(note.clone());
                    notes.len()
                });
                rows.push(Row { note, ..quote(claim, file, columns) });
            }
        }
    }
    rows
}

fn quote(claim: &Claim, file: &Claims, columns: &[String]) -> Row {
    let same = file.claims.iter().filter(|c| c.same_as.as_ref() == Some(&claim.id)).map(|c| c.table.as_str());
    let sources: IndexSet<&str> = [claim.table.as_str()].into_iter().chain(same).collect();
    let cell = |column: &String| claim.cell(column).map(Cell::plain);
    Row {
        label: claim.label(),
        kind: Kind::Quoted,
        source: sources.into_iter().collect::<Vec<_>>().join(", "),
        cells: columns.iter().map(cell).collect(),
        ledger: None,
        partial: None,
        note: None,
    }
}
