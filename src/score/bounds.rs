//! What a score would be if the questions without a usable prediction counted.

use super::{Cell, Score, stats};
use serde::Serialize;

/// Bounds of an accuracy over all questions that were asked: those that count, and the missing ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bounds {
    /// Missing questions count as not correct.
    pub strict: Cell,
    /// Every missing question wrong: the strict accuracy, since a failed question is not correct anyway.
    pub worst: Cell,
    /// Every missing and every failed question right.
    pub best: Cell,
}

/// A score as `score --format json` prints it: with its bounds where they differ from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bounded<'a> {
    /// The score.
    #[serde(flatten)]
    pub score: &'a Score,
    /// Its bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
}

impl Score {
    /// The bounds; `None` where no question is missing and none failed, so that they are the accuracy itself.
    pub fn bounds(&self) -> Option<Bounds> {
        let (missing, failed) = (self.ledger.missing, self.ledger.failed);
        let total = self.total + missing;
        let cell = |correct| Cell { total, correct, accuracy: stats::percent(correct, total) };
        (missing + failed > 0).then(|| Bounds {
            strict: cell(self.correct),
            worst: cell(self.correct),
            best: cell(self.correct + missing + failed),
        })
    }

    /// The score with its bounds, to be printed.
    pub fn bounded(&self) -> Bounded<'_> {
        Bounded { score: self, bounds: self.bounds() }
    }
}
