//! The text of the user turn, by named style.

use super::repr;
use crate::data::Example;
use crate::recipe::PromptStyle;

/// The text that follows the clip in the user turn, as R1-AQA (xiaomi-research/r1-aqa at 5d24f31, src/test_mmau.py and
/// src/dataset/dataset.py) writes it. Prompt 1, whose code was not published, is the same sentence without a tag instruction.
///
/// `mmau` is the sentence that MMAU's authors name as theirs for Qwen2-Audio (Sakshi113/MMAU, issue 3). What stands around it is not
/// published: a line break and a Python list, as public programs that quote it write it.
pub fn text(style: PromptStyle, example: &Example) -> String {
    let asked = format!(
        "{} Please choose the answer from the following options: {}.",
        example.question,
        repr::list(&example.choices)
    );
    match style {
        PromptStyle::Mmau => format!(
            "{} Select one option from the provided choices.\n{}.",
            example.question,
            repr::list(&example.choices)
        ),
        PromptStyle::R1Aqa1 => asked,
        PromptStyle::R1Aqa2 => asked + " Output the final answer in <answer> </answer>.",
        PromptStyle::R1Aqa3 => {
            asked + " Output the thinking process in <think> </think> and final answer in <answer> </answer>."
        }
    }
}
