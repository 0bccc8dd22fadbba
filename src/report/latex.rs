//! How a row looks in LaTeX (`booktabs`).

use super::markdown;
use super::table::{Row, Table};
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
    let cells = row.cells.iter().map(|cell| match cell {
        None => "--".to_owned(),
        Some(cell) => {
            let value = if cell.best { format!("\\textbf{{{}}}", cell.text) } else { cell.text.clone() };
            cell.interval
                .as_ref()
                .map_or(value.clone(), |[low, high]| format!("{value} {{\\scriptsize [{low}, {high}]}}"))
        }
    });
    let label = format!("{}{partial}{note}", escape(&row.label));
    let ledger = markdown::ledger(row.ledger.as_ref());
    [label, escape(&markdown::kind(row))].into_iter().chain(cells).chain(ledger).collect()
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
        assert_eq!(prose("see `a_b` #1"), "see \\texttt{a\\_b} \\#1");
    }
}
