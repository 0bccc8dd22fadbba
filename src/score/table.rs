//! A score as text.

use super::{Bounds, Cells, Score, stats};
use std::fmt::Write;

/// See [`Score::to_text`].
pub(super) fn text(score: &Score) -> String {
    let breakdowns = [("task", &score.task), ("difficulty", &score.difficulty), ("sub-category", &score.sub_category)];
    let names = breakdowns.iter().flat_map(|(by, cells)| std::iter::once(*by).chain(cells.keys().map(String::as_str)));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0).max("total".len());
    let ledger = &score.ledger;
    let mut out = String::new();
    let mut put = |line: std::fmt::Arguments| writeln!(out, "{line}").expect("writing to a String cannot fail");
    put(format_args!("accuracy  {:.2} %, {} of {} questions", score.accuracy, score.correct, score.total));
    put(format_args!("interval  {:.1} to {:.1} % (Wilson, 95 %)", score.interval[0], score.interval[1]));
    put(format_args!(
        "ledger    {} wrong, {} no answer, {} missing, {} failed",
        ledger.wrong, ledger.no_answer, ledger.missing, ledger.failed
    ));
    if let Some(Bounds { strict, best, .. }) = score.bounds() {
        let (total, correct) = (strict.total, strict.correct);
        put(format_args!(
            "strict    {:.2} %, {correct} of {total} questions (missing ones count against it; the worst case)",
            strict.accuracy
        ));
        put(format_args!(
            "best case {:.2} %, {} of {total} questions (missing and failed ones right)",
            best.accuracy, best.correct
        ));
    }
    put(format_args!("rule      {}", score.rule));
    for (by, cells) in breakdowns {
        if !cells.is_empty() {
            rows(&mut put, by, cells, width);
        }
    }
    out
}

fn rows(put: &mut impl FnMut(std::fmt::Arguments), by: &str, cells: &Cells, width: usize) {
    put(format_args!(""));
    put(format_args!("{by:width$}  accuracy  correct  total  interval"));
    for (name, cell) in cells {
        let [low, high] = stats::wilson(cell.correct, cell.total);
        put(format_args!(
            "{name:width$}  {:>8.2}  {:>7}  {:>5}  {low:>4.1} to {high:.1}",
            cell.accuracy, cell.correct, cell.total
        ));
    }
}
