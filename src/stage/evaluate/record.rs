//! What an evaluation leaves: predictions, score, and what the row is.

use super::super::{Context, policy};
use super::Job;
use crate::artifact::layout::StageFolder;
use crate::artifact::{EvalRecord, Hearing, SCHEMA, Sample, Withheld, write};
use crate::data::{Example, identify};
use crate::error::{Error, Result};
use crate::pins::Sha256;
use crate::plan::{Data, Policy, Work};
use crate::recipe::Eval;
use crate::sampling::Filters;
use crate::score::{self, Judged, Verdict};
use std::path::PathBuf;

/// What an evaluation found, question by question.
pub(super) struct Answers<'a> {
    /// The questions that were asked.
    pub examples: &'a [Example],
    /// One a question, in their order.
    pub samples: &'a [&'a Sample],
    /// Questions of the data set.
    pub questions: usize,
    /// How tokens were chosen.
    pub filters: &'a Filters,
    /// Whether the policy heard.
    pub hearing: Option<Hearing>,
}

/// Writes predictions, score and what the row is. Where the answers are withheld there is no score: the predictions are to be handed in, so
/// their file is read back and held against the questions.
pub(super) fn write(
    ctx: &Context<'_>,
    job: &Job<'_>,
    folder: &StageFolder,
    found: Answers<'_>,
) -> Result<Option<score::Score>> {
    let Answers { examples, samples, questions, filters, hearing } = found;
    let predictions: Vec<serde_json::Value> = examples
        .iter()
        .zip(samples)
        .map(|(example, sample)| {
            let mut row = example.row.clone();
            row.insert("model_prediction".into(), sample.answer.clone().into());
            serde_json::Value::Object(row)
        })
        .collect();
    write::replace_json(&folder.predictions(), &predictions)?;
    let (dataset_format, dataset_sha256, packed) = ctx.dataset_id(job.data)?;
    let count = |f: fn(&Sample) -> bool| samples.iter().filter(|s| f(s)).count() as u64;
    let withheld = examples.iter().all(|e| e.answer.is_none()).then(|| Withheld {
        no_answer: count(|s| s.verdict == Some(Verdict::NoAnswer)),
        failed: count(|s| s.verdict == Some(Verdict::Failed)),
    });
    let score = match withheld {
        Some(_) => {
            score::submission::complete(&folder.predictions(), examples)?;
            None
        }
        None => Some(scored(job.eval, examples, samples)?),
    };
    if let Some(score) = &score {
        write::replace_json(&folder.score(), score)?;
    }
    let record = EvalRecord {
        schema: SCHEMA,
        name: job.eval.name.clone(),
        label: job.eval.label.clone(),
        policy: ctx.trained_by(job.policy),
        trained: ctx.is_trained(job.policy),
        dataset_format,
        dataset: job.eval.data.clone(),
        dataset_sha256,
        packed,
        asked: examples.len() as u64,
        questions: questions as u64,
        system: job.eval.system.clone(),
        prompt: policy::spelling(&job.eval.prompt)?,
        decoding: describe(job.eval, filters),
        extract: policy::spelling(&job.eval.extract)?,
        rule: policy::spelling(&job.eval.rule)?,
        cropped: count(|s| s.cropped),
        truncated: count(|s| s.truncated),
        damaged: count(|s| !s.damage.is_empty()),
        hearing,
        file: None,
        withheld,
    };
    write::replace_json(&folder.eval(), &record)?;
    Ok(score)
}

/// The score of an evaluation whose answers are known.
fn scored(eval: &Eval, examples: &[Example], samples: &[&Sample]) -> Result<score::Score> {
    let judged = examples.iter().zip(samples).map(|(example, sample)| {
        let unjudged = || Error::internal(format!("question {}: it was not judged", sample.id));
        let Example { task, difficulty, sub_category, .. } = example;
        Ok(Judged { task, difficulty, sub_category, verdict: sample.verdict.ok_or_else(unjudged)? })
    });
    Ok(score::score_rows(eval.rule, judged.collect::<Result<Vec<_>>>()?, 0))
}

/// How tokens were chosen, in one line.
fn describe(eval: &Eval, filters: &Filters) -> String {
    let new = format!("at most {} new tokens", eval.decoding.max_new_tokens);
    let penalty = if filters.repetition_penalty == 1.0 {
        String::new()
    } else {
        format!("repetition penalty {}, ", filters.repetition_penalty)
    };
    if eval.decoding.do_sample {
        let Filters { temperature, top_k, top_p, .. } = filters;
        format!("sampled (temperature {temperature}, top-k {top_k}, top-p {top_p}), {penalty}{new}")
    } else {
        format!("greedy, {penalty}{new}")
    }
}

impl Context<'_> {
    /// Whether a stage of this run trained the policy.
    fn is_trained(&self, policy: &Policy) -> bool {
        match policy {
            Policy::Stage { index, .. } => matches!(self.plan.stages[*index].work, Work::Train { .. }),
            Policy::Checkpoint(_) => false,
        }
    }

    /// Format and hash of a data set's questions file; of a Parquet file that has the rows of a known version, those of the version and the file's own.
    pub(in crate::stage) fn dataset_id(&self, data: &Data) -> Result<(String, Sha256, Option<Sha256>)> {
        let of_file = |sha256: &Option<Sha256>, file: &dyn Fn() -> Result<PathBuf>| match sha256 {
            Some(sha256) => Ok(sha256.clone()),
            None => Sha256::of_file(&file()?),
        };
        match data {
            Data::Stage { index, .. } => match &self.plan.stages[*index].work {
                Work::Data(spec) => Ok(("synthetic".into(), spec.sha256.clone(), None)),
                _ => Err(Error::internal("a data set comes from a data stage")),
            },
            Data::Mmau { files, .. } => Ok(("mmau".into(), of_file(&files.sha256, &|| files.questions())?, None)),
            Data::MmauParquet { file, .. } => {
                let found = identify::counted(&file.path()?, of_file(&file.sha256, &|| file.path())?)?;
                Ok((found.format.into(), found.sha256, found.packed))
            }
            Data::Avqa { files, .. } => Ok(("avqa".into(), of_file(&files.sha256, &|| files.questions())?, None)),
        }
    }
}
