//! The text of the user turn, by named style.

use super::repr;
use crate::data::Example;
use crate::recipe::PromptStyle;

/// The text that follows the clip in the user turn, as R1-AQA (xiaomi-research/r1-aqa at 5d24f31, src/test_mmau.py and
/// src/dataset/dataset.py) writes it. Prompt 1, whose code was not published, is the same sentence without a tag instruction.
pub fn text(style: PromptStyle, example: &Example) -> String {
    let asked = format!(
        "{} Please choose the answer from the following options: {}.",
        example.question,
        repr::list(&example.choices)
    );
    match style {
        PromptStyle::R1Aqa1 => asked,
        PromptStyle::R1Aqa2 => asked + " Output the final answer in <answer> </answer>.",
        PromptStyle::R1Aqa3 => {
            asked + " Output the thinking process in <think> </think> and final answer in <answer> </answer>."
        }
    }
}
