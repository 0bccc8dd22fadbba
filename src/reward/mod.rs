//! Rewards of a completion, as R1-AQA's trainer gives them (xiaomi-research/r1-aqa at 5d24f31,
//! src/trainer/grpo_trainer.py and the README's think mode).
//!
//! The accuracy reward first asks math-verify 0.7.0 whether the two whole texts are symbolically equal, and only then compares
//! the answers as strings. [`math_verify`] answers in its place.

pub mod math_verify;
mod pattern;
mod tags;

pub use tags::{answer, answer_after_think, answer_dotall, last_answer, response, tagged};

use crate::prompt::python::is_space;
use crate::recipe::RewardName;
use math_verify::Verdict;
use std::collections::BTreeMap;
use tags::{CLOSE, OPEN};

/// What a completion earns, and whether it is known to be what the reference gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// 0 or 1.
    pub value: f64,
    /// Why math-verify's verdict is not known; the value is then that of the string comparison.
    pub unjudged: Option<&'static str>,
}

impl Outcome {
    fn known(right: bool) -> Self {
        Self { value: f64::from(right), unjudged: None }
    }
}

/// The reward of a name for a completion. `solution` is the right answer in its tags: `<answer>…</answer>`.
pub fn of(name: RewardName, completion: &str, solution: &str) -> Outcome {
    match name {
        RewardName::Accuracy => accuracy(completion, solution),
        RewardName::AccuracyString => Outcome::known(same_answer(completion, solution)),
        RewardName::Format => Outcome::known(is_answer_block(completion)),
        RewardName::FormatThink => Outcome::known(is_thought_and_answer(completion)),
    }
}

/// The reference's accuracy reward: math-verify's verdict on the whole texts, the completion in the place of its gold answer;
/// else whether the answers are the same strings.
pub fn accuracy(completion: &str, solution: &str) -> Outcome {
    if same_answer(completion, solution) {
        return Outcome::known(true);
    }
    match math_verify::verify(completion, solution) {
        Verdict::Verified => Outcome::known(true),
        Verdict::Different => Outcome::known(false),
        Verdict::Unsupported(why) => Outcome { value: 0.0, unjudged: Some(why) },
    }
}

/// What to say of answers that the accuracy reward cannot judge as the reference does; `None` if it can judge all.
pub fn unjudged_line<'a>(answers: impl Iterator<Item = &'a str>) -> Option<String> {
    let (mut of, mut reasons) = (0, BTreeMap::<&str, usize>::new());
    for answer in answers {
        of += 1;
        if let Some(why) = math_verify::unjudged(&format!("{OPEN}{answer}{CLOSE}")) {
            *reasons.entry(why).or_default() += 1;
        }
    }
    let count: usize = reasons.values().sum();
    let reasons: Vec<String> = reasons.iter().map(|(why, n)| format!("{why}: {n}")).collect();
    (count > 0).then(|| {
        format!(
            "{count} of {of} answers cannot be judged as the reference's accuracy reward would ({}); completions are compared with them as strings and counted as unjudged where that decides (docs/methodology.md)",
            reasons.join(", ")
        )
    })
}

/// Whether the completion's answer is, letter by letter, the solution's. Without tags the whole text counts, so an untagged exact
/// answer is right.
pub fn same_answer(completion: &str, solution: &str) -> bool {
    answer(completion) == answer(solution)
}

/// Whether the completion is `<answer>`, anything, `</answer>` and nothing else (a line break after it is too much; two blocks in
/// a row are not): Python's `fullmatch` of `<answer>.*?</answer>` with DOTALL.
pub fn is_answer_block(completion: &str) -> bool {
    completion.strip_prefix(OPEN).is_some_and(|rest| rest.ends_with(CLOSE))
}

/// Whether the completion is a thought and an answer, at most white space between them: Python's `fullmatch` of
/// `<think>.*?</think>\s*<answer>.*?</answer>` with DOTALL. Either may hold further tags.
pub fn is_thought_and_answer(completion: &str) -> bool {
    const THOUGHT_ENDS: &str = "</think>";
    let Some(rest) = completion.strip_prefix("<think>") else { return false };
    let behind = rest.match_indices(THOUGHT_ENDS).map(|(at, end)| &rest[at + end.len()..]);
    behind.map(|rest| rest.trim_start_matches(is_space)).any(is_answer_block)
}
