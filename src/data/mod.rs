//! Questions: the shapes they have in the wild, read into one.

use serde::Serialize;
use std::path::PathBuf;

pub mod avqa;
pub mod avqa_arrow;
mod clips;
pub mod identify;
pub mod mmau;
pub mod mmau_parquet;
pub mod prepare;
mod row;
mod rows;
pub mod versions;

pub use clips::{Clips, file_names};
pub(crate) use row::{Problems, Row, describe, id_of};

/// One question about one clip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// Unique in its data set.
    pub id: String,
    /// Where the clip should be; it may be missing, which is counted when it is needed.
    pub audio: PathBuf,
    /// The question as written (AVQA: after `video` became `audio`).
    pub question: String,
    /// The options, in order; duplicates are kept.
    pub choices: Vec<String>,
    /// The right option's text; `None` where it is withheld (MMAU test).
    pub answer: Option<String>,
    /// Sound, music or speech; empty for AVQA.
    pub task: String,
    /// Easy, medium or hard; empty for AVQA.
    pub difficulty: String,
    /// MMAU's `sub-category`; empty for AVQA.
    pub sub_category: String,
    /// The row as it was in the file, keys in order, so that predictions can be written back beside it.
    #[serde(skip)]
    pub row: serde_json::Map<String, serde_json::Value>,
}

/// What is odd about a data set without making it unusable; counts of questions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Notes {
    /// The same option stands twice.
    pub duplicate_choices: usize,
    /// The answer is none of the options (147 in MMAU's upload of 15 May 2025).
    pub answers_outside: usize,
    /// There is no answer (MMAU test).
    pub withheld: usize,
}

/// Counts what is odd about some questions.
pub fn notes(examples: &[Example]) -> Notes {
    let count = |odd: fn(&Example) -> bool| examples.iter().filter(|e| odd(e)).count();
    Notes {
        duplicate_choices: count(|e| e.choices.iter().enumerate().any(|(i, c)| e.choices[..i].contains(c))),
        answers_outside: count(|e| e.answer.as_ref().is_some_and(|a| !e.choices.contains(a))),
        withheld: count(|e| e.answer.is_none()),
    }
}
