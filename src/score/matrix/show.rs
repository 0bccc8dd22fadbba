//! The matrix as text: accuracies, what the sets share, and the ledger of every cell.

use super::{Matrix, Over, Set, Which};
use crate::text::count;
use std::fmt::Write;

impl Matrix {
    /// The matrix for a person.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let mut put = |line: &str| writeln!(out, "{}", line.trim_end()).expect("writing to a String cannot fail");
        let rows = count(self.rows, "row");
        put(&format!("predictions  {}: {rows}, {} with a prediction", self.predictions, self.answered));
        if let Some(why) = &self.own_left_out {
            put(&format!("own rows     left out: {why}"));
        }
        put(&format!("ids          {} common to all sets below", self.common));
        put("");
        let head = ["accuracy", "over", "questions"].into_iter().chain(self.rules.iter().copied());
        put_table(&mut put, &[head.map(str::to_owned).collect()], &self.lines(accuracies), 2);
        put("");
        let head = [
            "shared with the predictions",
            "questions",
            "ids",
            "identical",
            "not compared",
            "predictions lack",
            "data set lacks",
        ];
        let shared = self.sets.iter().filter(|set| set.file.is_some());
        let lines: Vec<Vec<String>> = shared.map(Set::shared_line).collect();
        if !lines.is_empty() {
            put_table(&mut put, &[head.map(str::to_owned).to_vec()], &lines, 1);
            put("");
        }
        let head = [
            "ledger",
            "over",
            "rule",
            "correct",
            "wrong",
            "no answer",
            "missing",
            "failed",
            "interval",
            "strict",
            "best case",
        ];
        put_table(&mut put, &[head.map(str::to_owned).to_vec()], &self.lines(ledgers), 3);
        out
    }

    /// Lines of every set over every choice of questions; a set's name stands in its first.
    fn lines(&self, of: impl Fn(&Over) -> Vec<Vec<String>>) -> Vec<Vec<String>> {
        let mut lines = Vec::new();
        for set in &self.sets {
            let mut name = set.name.as_str();
            for over in &set.over {
                let mut which = over.which.in_words(set);
                for cells in of(over) {
                    lines.push(
                        [vec![std::mem::take(&mut name).to_owned(), std::mem::take(&mut which).to_owned()], cells]
                            .concat(),
                    );
                }
            }
        }
        lines
    }
}

impl Set {
    fn shared_line(&self) -> Vec<String> {
        let numbers = [
            self.questions,
            self.shared,
            self.identical,
            self.not_compared,
            self.only_in_dataset,
            self.only_in_predictions,
        ];
        std::iter::once(self.name.clone()).chain(numbers.map(|n| n.to_string())).collect()
    }
}

impl Which {
    fn in_words(self, set: &Set) -> &'static str {
        match self {
            Self::Shared if set.file.is_none() => "all",
            Self::Shared => "shared ids",
            Self::Common => "ids common to all",
            Self::Identical => "identical questions",
        }
    }
}

/// One line: the questions, and each rule's accuracy with its counts.
fn accuracies(over: &Over) -> Vec<Vec<String>> {
    let cells = over.scores.iter().map(|s| format!("{:.2} {}/{}", s.accuracy, s.correct, s.total));
    vec![std::iter::once(over.questions.to_string()).chain(cells).collect()]
}

/// A line a rule.
fn ledgers(over: &Over) -> Vec<Vec<String>> {
    let line = |score: &crate::score::Score| {
        let (ledger, bounds) = (&score.ledger, score.bounds());
        let counts =
            [score.correct, ledger.wrong, ledger.no_answer, ledger.missing, ledger.failed].map(|n| n.to_string());
        let [low, high] = score.interval;
        let bound =
            |of: fn(&crate::score::Bounds) -> f64| bounds.as_ref().map_or(String::new(), |b| format!("{:.2}", of(b)));
        let mut cells = vec![score.rule.clone()];
        cells.extend(counts);
        cells.push(format!("{low:.1} to {high:.1}"));
        cells.extend([bound(|b| b.strict.accuracy), bound(|b| b.best.accuracy)]);
        cells
    };
    over.scores.iter().map(line).collect()
}

/// Columns as wide as they must be, the first `left` aligned to the left; a column without anything is left out.
fn put_table(put: &mut impl FnMut(&str), head: &[Vec<String>], lines: &[Vec<String>], left: usize) {
    let width = |column: usize| {
        let filled = lines.iter().any(|line| !line[column].is_empty());
        let widest = head.iter().chain(lines).map(|line| line[column].chars().count()).max().unwrap_or(0);
        if filled { widest } else { 0 }
    };
    let widths: Vec<usize> = (0..head[0].len()).map(width).collect();
    for line in head.iter().chain(lines) {
        let cells = line.iter().zip(&widths).enumerate().filter(|(_, (_, width))| **width > 0);
        let cells = cells.map(
            |(column, (cell, &width))| {
                if column < left { format!("{cell:width$}") } else { format!("{cell:>width$}") }
            },
        );
        put(&cells.collect::<Vec<_>>().join("  "));
    }
}
