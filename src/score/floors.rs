//! What an answer is worth that looks at neither clip nor question.

use super::{Verdict, judge};
use crate::data::Example;
use crate::recipe::Rule;
use indexmap::IndexMap;
use serde::Serialize;

/// The floors of some questions, as counts: divide by `total` for the share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Floor {
    /// Questions.
    pub total: u64,
    /// Correct when the answer is always the first option.
    pub first: u64,
    /// Expected number correct when an option is drawn uniformly, each entry of the list being as likely.
    pub random: f64,
}

/// The floors of a data set, whole and by task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Floors {
    /// All questions.
    pub all: Floor,
    /// By task, in order of first appearance.
    pub task: IndexMap<String, Floor>,
}

/// The floors of a data set by a rule, of answers in the form that the rule reads; `None` when an answer is withheld, since then nobody outside can tell.
pub fn floors(rule: Rule, examples: &[Example]) -> Option<Floors> {
    let mut floors = Floors { all: Floor::default(), task: IndexMap::new() };
    for example in examples {
        let answer = example.answer.as_ref()?;
        let passes = |choice: &String| {
            let said = match rule {
                Rule::AnswerTag => format!("<answer>{choice}</answer>"),
                Rule::Official | Rule::Parsed | Rule::Exact => choice.clone(),
            };
            judge(rule, answer, &said, &example.choices) == Verdict::Correct
        };
        let passes: Vec<bool> = example.choices.iter().map(passes).collect();
        let first = passes.first().is_some_and(|&p| p);
        let share = passes.iter().filter(|&&p| p).count() as f64 / passes.len().max(1) as f64;
        for floor in [&mut floors.all, floors.task.entry(example.task.clone()).or_default()] {
            floor.total += 1;
            floor.first += u64::from(first);
            floor.random += share;
        }
    }
    Some(floors)
}
