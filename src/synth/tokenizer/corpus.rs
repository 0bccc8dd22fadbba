//! What the tokenizer learns its words from: everything that a prompt or an answer of the synthetic world can say.

use crate::synth::tasks::tasks;

/// The chat scaffold and the sentences around a question (Qwen2-Audio's chat template; R1-AQA's prompts 1 to 3, src/dataset/dataset.py
/// and README), with the options left out: they come word by word.
const SCAFFOLD: &[&str] = &[
    "system\nYou are a helpful assistant.",
    "user\nAudio 1: ",
    "assistant\n",
    "Please choose the answer from the following options: ['",
    "', '",
    "'].",
    "']. Output the final answer in <answer> </answer>.",
    "']. Output the thinking process in <think> </think> and final answer in <answer> </answer>.",
    "<answer>",
    "</answer>",
    "<think>",
    "</think>",
];

/// How often a word counts beside a sentence: words of options are learnt whole before any sentence is.
const WORD_WEIGHT: u64 = 16;

/// Texts and how often each counts.
///
/// An option stands alone, never behind `>` or a quotation mark: so no merge joins it with what precedes it, and it is one
/// and the same token in the list of options and in the answer.
pub fn corpus() -> Vec<(String, u64)> {
    let mut texts: Vec<(String, u64)> = SCAFFOLD.iter().map(|text| ((*text).to_owned(), 4)).collect();
    for task in tasks() {
        // With the space that joins them to the sentence after.
        texts.extend(task.phrasings.iter().map(|text| (format!("{text} "), 2)));
        texts.extend(task.classes.iter().flat_map(|c| c.names).map(|name| ((*name).to_owned(), WORD_WEIGHT)));
    }
    texts
}
