//! How a row looks in CSV (RFC 4180): one line a row, all tables together, counts and intervals in columns of their own.

use super::markdown;
use super::table::{Row, Table};
use indexmap::IndexSet;

const LEDGER: [&str; 6] = ["wrong", "no_answer", "missing", "failed", "cropped", "truncated"];

/// All tables as one, with the data set in the first column.
pub(super) fn render(tables: &[Table]) -> String {
    // The average is the last column of each table and of all.
    let tasks: IndexSet<&str> =
        tables.iter().flat_map(|t| &t.columns).map(String::as_str).filter(|c| *c != "average").collect();
    let columns: Vec<&str> = tasks.into_iter().chain(["average"]).collect();
    let mut head: Vec<String> = ["data", "row", "kind", "source", "asked", "questions"].map(str::to_owned).to_vec();
    for column in &columns {
        head.extend(["", "_correct", "_total", "_low", "_high"].map(|part| format!("{column}{part}")));
    }
    head.extend(LEDGER.map(str::to_owned));
    let rows = tables.iter().flat_map(|t| t.rows.iter().map(|row| line(t, row, &columns)));
    std::iter::once(head)
        .chain(rows)
        .map(|cells| cells.iter().map(|c| quote(c)).collect::<Vec<_>>().join(",") + "\n")
        .collect()
}

/// The breakdowns of all tables as one, a line a number.
pub(super) fn breakdowns(tables: &[Table]) -> String {
    let head = ["data", "by", "name", "task", "row", "percent", "correct", "total", "low", "high"];
    let mut out = head.join(",") + "\n";
    for table in tables {
        for breakdown in &table.breakdowns {
            for line in &breakdown.rows {
                for (label, cell) in breakdown.columns.iter().zip(&line.cells) {
                    let Some(cell) = cell else { continue };
                    let [correct, total] = cell.counts.map_or_else(Default::default, |c| c.map(|n| n.to_string()));
                    let [low, high] = cell.interval.clone().unwrap_or_default();
                    let task = line.task.clone().unwrap_or_default();
                    let cells = [&table.heading, &breakdown.by, &line.name, &task, label, &cell.text];
                    let cells = cells.into_iter().chain([&correct, &total, &low, &high]).map(|c| quote(c));
                    out += &(cells.collect::<Vec<_>>().join(",") + "\n");
                }
            }
        }
    }
    out
}

fn line(table: &Table, row: &Row, columns: &[&str]) -> Vec<String> {
    let kind = markdown::kind(row).split(' ').next().unwrap_or_default().to_owned();
    let [asked, questions] = row.partial.map_or_else(Default::default, |p| p.map(|n| n.to_string()));
    let mut cells = vec![table.heading.clone(), row.label.clone(), kind, row.source.clone(), asked, questions];
    for column in columns {
        let cell = table.columns.iter().position(|c| c == column).and_then(|i| row.cells[i].as_ref());
        let counts = cell.and_then(|c| c.counts).map_or_else(Default::default, |c| c.map(|n| n.to_string()));
        let interval = cell.and_then(|c| c.interval.clone()).unwrap_or_default();
        cells.push(cell.map(|c| c.text.clone()).unwrap_or_default());
        cells.extend(counts);
        cells.extend(interval);
    }
    cells.extend(markdown::ledger(row.ledger.as_ref()));
    cells
}

fn quote(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
