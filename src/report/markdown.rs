//! How a row looks in Markdown.

use super::breakdown::Breakdown;
use super::table::{Cell, Kind, Row, RowLedger, Table};
use super::template::View;

/// Columns of the ledger, after the numbers.
const LEDGER: [&str; 6] = ["Wrong", "No answer", "Missing", "Failed", "Cropped", "Truncated"];

/// The table in Markdown, its columns padded so that the source reads as a table too.
pub(super) fn view(table: &Table) -> View {
    let numbers = table.columns.iter().map(|c| title(c));
    let head = ["Row".to_owned(), "Kind".to_owned()].into_iter().chain(numbers).chain(LEDGER.map(str::to_owned));
    let mut lines: Vec<Vec<String>> = vec![head.collect()];
    lines.extend(table.rows.iter().map(row));
    View {
        notes: table.notes.iter().map(|n| escape(n)).collect(),
        held: table.held.iter().map(|n| escape(n)).collect(),
        caption: table.caption.iter().map(|n| prose(n)).collect(),
        ..grid(escape(&table.heading), &lines, 2 + table.columns.len())
    }
}

/// The breakdowns of a table in Markdown.
pub(super) fn breakdowns(table: &Table) -> Vec<View> {
    let one = |breakdown: &Breakdown| {
        let head =
            [title(&breakdown.by), "Task".to_owned()].into_iter().chain(breakdown.columns.iter().map(|c| escape(c)));
        let mut lines: Vec<Vec<String>> = vec![head.collect()];
        lines.extend(breakdown.rows.iter().map(|line| {
            let cells = line.cells.iter().map(|c| c.as_ref().map_or_else(|| "–".to_owned(), cell));
            let task = line.task.as_deref().unwrap_or("all");
            [escape(&line.name), escape(task)].into_iter().chain(cells).collect()
        }));
        View {
            caption: table.breakdown_caption.iter().map(|n| prose(n)).collect(),
            ..grid(escape(&format!("{}, by {}", table.heading, breakdown.by)), &lines, lines[0].len())
        }
    };
    table.breakdowns.iter().map(one).collect()
}

/// Lines as a grid, the first one its head; the columns from `left` on are numbers, set to the right.
fn grid(heading: String, lines: &[Vec<String>], left: usize) -> View {
    let widths: Vec<usize> =
        (0..lines[0].len()).map(|i| lines.iter().map(|l| l[i].chars().count()).max().unwrap_or(0).max(3)).collect();
    let rule = |i: usize, w: usize| if i < left { "-".repeat(w) } else { format!("{}:", "-".repeat(w - 1)) };
    let pad = |i: usize, text: &str| {
        let space = " ".repeat(widths[i] - text.chars().count());
        if i < left { format!("{text}{space}") } else { format!("{space}{text}") }
    };
    let mut padded = lines.iter().map(|l| l.iter().enumerate().map(|(i, text)| pad(i, text)).collect::<Vec<String>>());
    View {
        heading,
        head: padded.next().unwrap_or_default(),
        rows: padded.collect(),
        rule: widths.iter().enumerate().map(|(i, w)| rule(i, *w)).collect(),
        ..View::default()
    }
}

/// A column's title: its name with a capital letter.
pub(super) fn title(column: &str) -> String {
    let mut chars = column.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn row(row: &Row) -> Vec<String> {
    let note = row.note.map(superscript).unwrap_or_default();
    let partial = row.partial.map(|[asked, all]| format!(" (partial: {asked} of {all})")).unwrap_or_default();
    let cells = row.cells.iter().map(|c| c.as_ref().map_or_else(|| "–".to_owned(), cell));
    let label = format!("{}{partial}{note}", escape(&row.label));
    [label, kind(row)].into_iter().chain(cells).chain(ledger(row.ledger.as_ref())).collect()
}

/// `measured`, `measured from a file`, `computed`, `quoted (paper)`.
pub(super) fn kind(row: &Row) -> String {
    match row.kind {
        Kind::Measured => format!("measured {}", row.source).trim_end().to_owned(),
        Kind::Computed => "computed".into(),
        Kind::Quoted => format!("quoted ({})", row.source),
    }
}

fn cell(cell: &Cell) -> String {
    let value = if cell.best { format!("**{}**", cell.text) } else { cell.text.clone() };
    match (&cell.interval, cell.counts) {
        (Some([low, high]), Some([correct, total])) => format!("{value} [{low}, {high}] {correct}/{total}"),
        _ => value,
    }
}

/// The six counts; empty where the row has none, or does not know one.
pub(super) fn ledger(ledger: Option<&RowLedger>) -> [String; 6] {
    ledger.map_or_else(Default::default, |l| {
        let known = [l.no_answer, l.missing, l.failed, l.cropped, l.truncated].map(Some);
        let [no_answer, missing, failed, cropped, truncated] = known;
        [l.wrong, no_answer, missing, failed, cropped, truncated].map(|n| n.map_or_else(String::new, |n| n.to_string()))
    })
}

fn superscript(number: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    format!(" {}", number.to_string().bytes().map(|b| DIGITS[usize::from(b - b'0')]).collect::<String>())
}

/// Text that is to be read as it stands.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '|' | '<' | '*' | '`' => out.extend(['\\', c]),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A caption: back-ticks keep their meaning, what they enclose is verbatim, the rest is escaped.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(i, part)| if i % 2 == 0 { escape(part) } else { format!("`{}`", part.replace('\n', " ")) });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_break_the_table() {
        assert_eq!(escape("a|b*c\nd <2> `e` \\"), "a\\|b\\*c d \\<2> \\`e\\` \\\\");
        assert_eq!(prose("run `a|b *c*` on x|y"), "run `a|b *c*` on x\\|y");
        assert_eq!(superscript(12), " ¹²");
        assert_eq!(title("average"), "Average");
    }
}
