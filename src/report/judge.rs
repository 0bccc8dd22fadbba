//! What reports and goldens ask of prompts and scores, on rows as `predictions.json` has them.

use crate::artifact::EvalRecord;
use crate::data::{Example, mmau};
use crate::error::{Context, Error, Kind, Result};
use crate::pins::Sha256;
use crate::prompt::{self, ChatTemplate};
use crate::recipe::{PromptStyle, Rule};
use crate::score::{self, Score, Verdict};
use indexmap::IndexMap;
use std::collections::BTreeSet;
use std::path::Path;

/// Verdicts by question id, in the order of the rows.
pub type Verdicts = IndexMap<String, Verdict>;

/// Reads `predictions.json`: MMAU rows with the predictions in [`Example::row`].
///
/// # Errors
/// Exit code 4: it cannot be read, it is no list of MMAU rows, or an id is there twice: it is a file that a run left.
pub fn predictions(path: &Path) -> Result<Vec<Example>> {
    let bytes = std::fs::read(path).inputs(|| format!("cannot read {}", path.display()))?;
    let rows = mmau::from_slice(&bytes, &path.display().to_string(), Path::new(""))
        .map_err(|e| if e.kind() == Kind::Request { Error::inputs(e.to_string()) } else { e })?;
    let mut ids = BTreeSet::new();
    match rows.iter().find(|r| !ids.insert(r.id.as_str())) {
        Some(row) => Err(Error::inputs(format!("{}: question {} is there twice", path.display(), row.id))),
        None => Ok(rows),
    }
}

/// The rule that a record names.
///
/// # Errors
/// Exit code 4: there is none of this name.
pub fn rule(name: &str) -> Result<Rule> {
    Rule::named(name).ok_or_else(|| {
        let known = Rule::ALL.map(Rule::name).join(", ");
        Error::inputs(format!("rule: expected one of {known}, found {name:?}"))
    })
}

/// Scores rows. `failed` are the questions that could not be put to the model, which predictions alone do not tell from those
/// without an answer: both have an empty `model_prediction`.
///
/// # Errors
/// Exit code 4: an unknown rule, a withheld answer, or a failed question that has an answer.
pub fn rescore(rows: &[Example], rule: &str, failed: &BTreeSet<&str>) -> Result<(Score, Verdicts)> {
    let rule = self::rule(rule)?;
    let (mut verdicts, mut missing) = (Verdicts::new(), 0);
    let mut judged = Vec::with_capacity(rows.len());
    for row in rows {
        let answer = row.answer.as_deref().ok_or_else(|| {
            Error::inputs(format!("question {}: its answer is withheld, so that nothing can be scored", row.id))
        })?;
        let verdict = match row.row.get("model_prediction").map(|v| v.as_str()) {
            None => {
                missing += 1;
                continue;
            }
            Some(None) => return Err(Error::inputs(format!("question {}: model_prediction is no text", row.id))),
            Some(Some("")) if failed.contains(row.id.as_str()) => Verdict::Failed,
            Some(Some(_)) if failed.contains(row.id.as_str()) => {
                return Err(Error::inputs(format!("question {}: failed, and yet it has a prediction", row.id)));
            }
            Some(Some(text)) => score::judge(rule, answer, text, &row.choices),
        };
        let (task, difficulty, sub_category) = (&row.task, &row.difficulty, &row.sub_category);
        judged.push(score::Judged { task, difficulty, sub_category, verdict });
        verdicts.insert(row.id.clone(), verdict);
    }
    Ok((score::score_rows(rule, judged, missing), verdicts))
}

/// The chat template of a checkpoint that has none of its own, with the system turn of an evaluation.
///
/// # Errors
/// As [`ChatTemplate::qwen2_audio`].
pub fn template(record: &EvalRecord) -> Result<ChatTemplate> {
    Ok(ChatTemplate::qwen2_audio()?.with_system(record.system.as_deref()))
}

/// SHA-256 of the prompt that a checkpoint without a chat template of its own is given, before audio tokens are expanded; `template` as [`template`]
/// gives it.
///
/// # Errors
/// Exit code 4: an unknown prompt style, or a text that no prompt can hold.
pub fn prompt_sha256(template: &ChatTemplate, style: &str, row: &Example) -> Result<Sha256> {
    let style = match style {
        "r1-aqa-1" => PromptStyle::R1Aqa1,
        "r1-aqa-2" => PromptStyle::R1Aqa2,
        "r1-aqa-3" => PromptStyle::R1Aqa3,
        "mmau" => PromptStyle::Mmau,
        _ => {
            let known = "r1-aqa-1, r1-aqa-2, r1-aqa-3 or mmau";
            return Err(Error::inputs(format!("prompt: expected {known}, found {style:?}")));
        }
    };
    Ok(Sha256::of(template.render(&prompt::text(style, row), 1)?.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Three rows by every rule: what an evaluation recorded under a rule is judged again by that rule.
    #[test]
    fn rows_are_scored_again_by_the_rule_of_their_record() {
        let said = ["(A) a dog", "a dog", "<answer>a dog</answer>"];
        let row = |(i, said): (usize, &&str)| {
            json!({
                "id": i.to_string(), "audio_id": "x.wav", "question": "What?", "choices": ["a dog", "cat B"], "answer": "a dog",
                "task": "sound", "difficulty": "easy", "model_prediction": said,
            })
        };
        let rows: Vec<_> = said.iter().enumerate().map(row).collect();
        let rows = mmau::from_slice(json!(rows).to_string().as_bytes(), "p.json", Path::new("")).unwrap();
        for (rule, expected) in [
            ("official", ["correct", "correct", "correct"]),
            ("parsed", ["correct", "correct", "correct"]),
            ("exact", ["wrong", "correct", "wrong"]),
            ("answer-tag", ["no_answer", "no_answer", "correct"]),
        ] {
            let (score, verdicts) = rescore(&rows, rule, &BTreeSet::new()).unwrap();
            assert_eq!(score.rule, rule);
            let found: Vec<_> = verdicts.values().map(|verdict| serde_json::to_value(verdict).unwrap()).collect();
            assert_eq!(found, expected, "{rule}");
        }
        let error = rescore(&rows, "offical", &BTreeSet::new()).unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert_eq!(error.to_string(), "rule: expected one of official, parsed, exact, answer-tag, found \"offical\"");
    }
}
