//! Two sides → the questions that both answered, the same in both.

use super::side::{Asked, Side};
use crate::error::{Error, Result};
use crate::score::Verdict;
use crate::text::count;
use serde::Serialize;

/// One question that both sides answered.
pub(super) struct Both<'a> {
    pub id: &'a str,
    pub task: &'a str,
    pub sub_category: &'a str,
    pub before: Verdict,
    pub after: Verdict,
}

/// How many questions of the two sides are compared, and why the others are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Questions {
    /// Answered by both, and the same in both.
    pub compared: u64,
    /// A has them and B does not.
    pub only_in_a: u64,
    /// B has them and A does not.
    pub only_in_b: u64,
    /// Both have them, and A has no prediction.
    pub no_prediction_in_a: u64,
    /// Both have them, and B has no prediction.
    pub no_prediction_in_b: u64,
    /// Both have the id, and question, options or answer differ.
    pub changed: u64,
}

/// The questions that can be compared, in the order of A. Those that differ are left out where `identical` allows it.
///
/// # Errors
/// Exit code 2: questions of one id differ, or there is nothing to compare.
pub(super) fn join<'a>(a: &'a Side, b: &'a Side, identical: bool) -> Result<(Vec<Both<'a>>, Questions)> {
    let mut questions = Questions { only_in_b: missing(b, a), only_in_a: missing(a, b), ..Questions::default() };
    let (mut both, mut first) = (Vec::new(), None);
    for (id, asked) in &a.asked {
        let Some(other) = b.asked.get(id) else { continue };
        if let Some(what) = difference(asked, other) {
            questions.changed += 1;
            first.get_or_insert(format!("{id}: {what}"));
            continue;
        }
        questions.no_prediction_in_a += u64::from(asked.verdict.is_none());
        questions.no_prediction_in_b += u64::from(other.verdict.is_none());
        if let (Some(before), Some(after)) = (asked.verdict, other.verdict) {
            let (task, sub_category) = (asked.example.task.as_str(), asked.example.sub_category.as_str());
            both.push(Both { id, task, sub_category, before, after });
        }
    }
    questions.compared = both.len() as u64;
    if let Some(first) = first.filter(|_| !identical) {
        return Err(Error::request(format!(
            "{} of one id differ, such as {first}: {} and {} are on different versions of the questions (`aqa-bench identify FILE` says which); \
             --identical compares the {} that are the same in both",
            count(questions.changed, "question"),
            a.name,
            b.name,
            questions.compared
        )));
    }
    if both.is_empty() {
        return Err(Error::request(format!(
            "{} and {} have no question in common that both answered: {}",
            a.name,
            b.name,
            questions.left_out().join(", ")
        )));
    }
    Ok((both, questions))
}

fn missing(side: &Side, from: &Side) -> u64 {
    side.asked.keys().filter(|id| !from.asked.contains_key(*id)).count() as u64
}

/// What differs in a question, if anything that a verdict depends on does.
fn difference(a: &Asked, b: &Asked) -> Option<String> {
    let (a, b) = (&a.example, &b.example);
    if a.question != b.question {
        return Some(format!("question: {:?} in A, {:?} in B", a.question, b.question));
    }
    if a.choices != b.choices {
        return Some(format!("choices: {:?} in A, {:?} in B", a.choices, b.choices));
    }
    (a.answer != b.answer).then(|| {
        let word = |answer: &Option<String>| answer.clone().unwrap_or_else(|| "withheld".into());
        format!("answer: {:?} in A, {:?} in B", word(&a.answer), word(&b.answer))
    })
}

impl Questions {
    /// The questions that are not compared, a part each; empty where all are.
    pub fn left_out(&self) -> Vec<String> {
        let parts = [
            (self.only_in_a, "in A alone"),
            (self.only_in_b, "in B alone"),
            (self.no_prediction_in_a, "without a prediction in A"),
            (self.no_prediction_in_b, "without a prediction in B"),
            (self.changed, "differ between A and B in question, options or answer"),
        ];
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect()
    }
}
