//! Whether the answers on record follow: from what the model said, and to the predictions that are scored.

use crate::recipe::Extract;
use crate::report::load::Evaluation;
use crate::report::recorded::Samples;
use crate::score::{self, Verdict};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as Unknown;
use serde_json::Value;

/// Ids of samples that contradict the rest of their evaluation, in the order of its predictions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::report) struct Contradictions {
    /// The answer is not the prediction.
    pub predicted: Vec<String>,
    /// The answer is not what the recorded way of taking it gives of the output.
    pub taken: Vec<String>,
}

/// Holds the answer of every sample against prediction and output. A sample that failed has neither output nor answer, and a record need not
/// say how answers were taken, or may name a way of another version: of these only the prediction is held.
pub(in crate::report) fn contradictions(eval: &Evaluation, samples: &Samples) -> Contradictions {
    let how = way(&eval.record.extract);
    let mut found = Contradictions::default();
    for row in &eval.predictions {
        let sample = samples.get(&row.id);
        let answer = sample.map(|s| s.answer.as_str());
        if answer != row.row.get("model_prediction").and_then(Value::as_str) {
            found.predicted.push(row.id.clone());
        }
        let said = sample.filter(|s| s.verdict != Some(Verdict::Failed));
        if said.zip(how).is_some_and(|(s, how)| s.answer != score::extract(how, &s.output)) {
            found.taken.push(row.id.clone());
        }
    }
    found
}

/// What was found of [`Contradictions::taken`], in words; `None` where there are none.
pub(in crate::report) fn not_taken(eval: &Evaluation, ids: &[String]) -> Option<String> {
    let first = ids.first()?;
    let (count, how) = (ids.len(), &eval.record.extract);
    let (answers, outputs) = if count == 1 { ("answer is", "output") } else { ("answers are", "outputs") };
    Some(format!(
        "samples.jsonl: {count} {answers} not what `{how}` takes from the {outputs}, first of question {first}"
    ))
}

/// The way that a record names; `None` where it names none, or one that this program does not have.
fn way(name: &str) -> Option<Extract> {
    let spelt: serde::de::value::StrDeserializer<'_, Unknown> = name.into_deserializer();
    Extract::deserialize(spelt).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_known_as_recipes_spell_them() {
        assert_eq!(way("answer-tag"), Some(Extract::AnswerTag));
        assert_eq!(way("whole"), Some(Extract::Whole));
        assert_eq!((way(""), way("of-tomorrow")), (None, None));
    }
}
