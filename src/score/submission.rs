//! Predictions that are scored elsewhere (MMAU test): whether their file is whole.

use crate::data::{Example, mmau};
use crate::error::{Error, Result};
use std::path::Path;

/// Holds a predictions file against the questions that it answers: every question once, in their order, as it was asked, with a text under
/// `model_prediction` (an empty one where there is no answer).
///
/// # Errors
/// Exit code 4: it cannot be read, or is not whole; the first row that differs is named. Exit code 2: it is no list of MMAU rows.
pub fn complete(file: &Path, questions: &[Example]) -> Result<()> {
    let rows = mmau::load(file, Path::new(""))?;
    let bad = |what: String| Err(Error::inputs(format!("{}: {what}", file.display())));
    if rows.len() != questions.len() {
        return bad(format!("expected {} predictions, one a question, found {}", questions.len(), rows.len()));
    }
    for (place, (row, question)) in rows.iter().zip(questions).enumerate() {
        if row.id != question.id {
            return bad(format!("row {place}: expected question {}, found {}", question.id, row.id));
        }
        let asked = question.row.iter().find(|(key, value)| row.row.get(*key) != Some(value));
        if let Some((key, value)) = asked {
            let found = row.row.get(key).map_or("nothing".to_owned(), ToString::to_string);
            return bad(format!("row {place} ({}): {key}: expected {value}, found {found}", row.id));
        }
        if !row.row.get("model_prediction").is_some_and(serde_json::Value::is_string) {
            return bad(format!("row {place} ({}): expected a text under model_prediction, found none", row.id));
        }
    }
    Ok(())
}
