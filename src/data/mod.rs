//! Questions: the shapes they have in the wild, read into one.

use serde::Serialize;
use std::path::PathBuf;

pub mod avqa;
pub mod mmau;

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
