//! How a row looks in LaTeX (`booktabs`).

use super::breakdown::{Breakdown, Line};
use super::markdown;
use super::table::{Cell, Row, Table};
use super::template::View;

/// The table in LaTeX.
pub(super) fn view(table: &Table) -> View {
    let head =
        ["Row".to_owned(), "Kind".to_owned()].into_iter().chain(table.columns.iter().map(|c| markdown::title(c)));
    let ledger = ["Wr.", "No ans.", "Miss.", "Fail.", "Crop.", "Trunc."].map(str::to_owned);
    let all = |lines: &[String]| lines.iter().map(|l| prose(l)).collect();
    View {
        heading: escape(&table.heading),
        head: head.chain(ledger).map(|h| escape(&h)).collect(),
        rule: vec!["l".repeat(2) + &"r".repeat(table.columns.len() + 6)],
        rows: table.rows.iter().map(row).collect(),
        notes: all(&table.notes),
        held: all(&table.held),
        caption: all(&table.caption),
    }
}

fn row(row: &Row) -> Vec<String> {
    let note = row.note.map(|n| format!("\\textsuperscript{{{n}}}")).unwrap_or_default();
    let partial = row.partial.map(|[asked, all]| format!(" (partial: {asked} of {all})")).unwrap_or_default();
    let cells = row.cells.iter().map(|c| c.as_ref().map_or_else(|| "--".to_owned(), cell));
    let label = format!("{}{partial}{note}", first_cell(&row.label));
    let ledger = markdown::ledger(row.ledger.as_ref());
    [label, escape(&markdown::kind(row))].into_iter().chain(cells).chain(ledger).collect()
}

/// The number with how far its interval reaches; bold when it is the best, underlined when it is the next.
fn cell(cell: &Cell) -> String {
    let value = match cell {
        Cell { best: true, text, .. } => format!("\\textbf{{{text}}}"),
        Cell { second: true, text, .. } => format!("\\underline{{{text}}}"),
        Cell { text, .. } => escape(text),
    };
    match &cell.margin {
        Some([below, above]) => format!("{value} {{\\scriptsize$^{{+{above}}}_{{-{below}}}$}}"),
        None => value,
    }
}

/// The breakdowns of a table in LaTeX.
pub(super) fn breakdowns(table: &Table) -> Vec<View> {
    let one = |breakdown: &Breakdown| {
        let head = [markdown::title(&breakdown.by), "Task".to_owned()].into_iter().chain(breakdown.columns.clone());
        let line = |line: &Line| {
            let cells = line.cells.iter().map(|c| c.as_ref().map_or_else(|| "--".to_owned(), cell));
            [first_cell(&line.name), escape(line.task.as_deref().unwrap_or("all"))].into_iter().chain(cells).collect()
        };
        View {
            heading: escape(&format!("{}, by {}", table.heading, breakdown.by)),
            head: head.map(|h| escape(&h)).collect(),
            rule: vec!["l".repeat(2) + &"r".repeat(breakdown.columns.len())],
            rows: breakdown.rows.iter().map(line).collect(),
            caption: table.breakdown_caption.iter().map(|l| prose(l)).collect(),
            ..View::default()
        }
    };
    table.breakdowns.iter().map(one).collect()
}

/// The text that a row begins with: behind the end of the row before, TeX takes [ and * for arguments of that end.
fn first_cell(text: &str) -> String {
    let guard = if text.starts_with(['[', '*']) { "{}" } else { "" };
    format!("{guard}{}", escape(text))
}

/// Text that is to be read as it stands.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            '\n' | '\r' => out.push(' '),
            // Two hyphens would become a dash.
            '-' if out.ends_with('-') => out.push_str("{}-"),
            c => out.push(c),
        }
    }
    out
}

/// A caption: what back-ticks enclose is set as code.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(i, part)| if i % 2 == 0 { escape(part) } else { format!("\\texttt{{{}}}", escape(part)) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(escape("50% & <2>_{x}"), "50\\% \\& \\textless{}2\\textgreater{}\\_\\{x\\}");
        assert_eq!(prose("see `a_b --c` #1"), "see \\texttt{a\\_b -{}-c} \\#1");
    }
}
