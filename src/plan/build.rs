//! Recipe to plan. The same recipe gives the same plan anywhere; the one thing looked at on the disk is what a checkpoint folder holds beside
//! its weights (configuration, tokenizer, template), which no pin names and which decides results.

use super::{Data, Plan, Policy, Stage, Work};
use crate::canonical::fingerprint;
use crate::data::avqa;
use crate::error::{Error, Result};
use crate::pins::Sha256;
use crate::recipe::{Dataset, Files, Model, Recipe, Train};
use serde_json::{Value, json};

/// Counts changes of what stages of a kind compute: a new number makes every earlier artifact of that kind stale.
fn computes(kind: &str) -> u32 {
    match kind {
        // 2: the accuracy reward asks math-verify before it compares strings. 3: as sft's 2, and rollouts decode with other roundings.
        // 4: as sft's 3, and completions share what they begin with.
        "grpo" => 4,
        // 2: the record says whether the policy heard, and how answers were taken. 3: decoding rounds otherwise. 4: as sft's 3.
        "evaluate" => 4,
        // 2: the last layer computes only what is asked for, and the optimizer works in pieces: other roundings. 3: clips of unlike length are
        // encoded apart.
        "sft" => 3,
        _ => 1,
    }
}

/// The plan of a recipe. `limit` keeps the first so many questions of every evaluation.
///
/// # Errors
/// Internal: the recipe was resolved, so its references hold.
pub fn build(recipe: &Recipe, limit: Option<usize>) -> Result<Plan> {
    let mut builder = Builder { recipe, stages: Vec::new() };
    let model = builder.model()?;
    for train in &recipe.train {
        let policy = builder.policy(&train.from, None, &model)?;
        let data = builder.data(&train.data)?;
        let inputs = json!({"policy": builder.policy_id(&policy), "data": builder.data_id(&data)});
        // A seed of the stage's own stands where the recipe's would: the same number is the same stage.
        let (seed, train) = (train.seed.unwrap_or(recipe.seed), Train { seed: None, ..train.clone() });
        let spec = json!({"train": train, "seed": seed});
        let work = Work::Train { train: Box::new(train.clone()), seed, policy, data };
        builder.push(&train.name, work, spec, inputs)?;
    }
    for eval in &recipe.eval {
        let policy = builder.policy(&eval.from, eval.at_step, &model)?;
        let data = builder.data(&eval.data)?;
        let inputs = json!({"policy": builder.policy_id(&policy), "data": builder.data_id(&data)});
        let spec = json!({"eval": eval, "seed": recipe.seed, "limit": limit});
        let work = Work::Evaluate { eval: Box::new(eval.clone()), seed: recipe.seed, policy, data, limit };
        builder.push(&eval.name, work, spec, inputs)?;
    }
    for scored in &recipe.scores {
        let data = builder.data(&scored.data)?;
        // What is not pinned is named by what is there now, so that another file makes another stage.
        let found = match &scored.sha256 {
            Some(_) => None,
            None => Sha256::of_file(&scored.file).ok(),
        };
        let inputs = json!({"predictions": found, "data": builder.data_id(&data)});
        let spec = json!({"score": scored, "limit": limit});
        let work = Work::Score { scored: Box::new(scored.clone()), data, limit };
        builder.push(&scored.name, work, spec, inputs)?;
    }
    Ok(Plan { recipe: recipe.name.clone(), stages: builder.stages })
}

struct Builder<'r> {
    recipe: &'r Recipe,
    stages: Vec<Stage>,
}

impl Builder<'_> {
    fn push(&mut self, name: &str, work: Work, spec: Value, inputs: Value) -> Result<usize> {
        let kind = work.kind();
        let fingerprint =
            fingerprint(&json!({"kind": kind, "computes": computes(kind), "spec": spec, "inputs": inputs}))?;
        let folder = crate::artifact::layout::RunFolder::stage_name(name, &fingerprint);
        self.stages.push(Stage { name: name.to_owned(), recipe: self.recipe.name.clone(), fingerprint, folder, work });
        Ok(self.stages.len() - 1)
    }

    /// What `from: model` means; `None` where the recipe has no model.
    fn model(&mut self) -> Result<Option<Policy>> {
        match &self.recipe.model {
            Model::Absent => Ok(None),
            Model::Checkpoint(checkpoint) => Ok(Some(Policy::Checkpoint(checkpoint.clone()))),
            Model::Init(init) => {
                let seed = self.recipe.seed;
                let work = Work::Init { init: init.clone(), seed };
                let index = self.push("init", work, json!({"init": init, "seed": seed}), Value::Null)?;
                Ok(Some(Policy::Stage { index, step: None }))
            }
            Model::Stage(from) => {
                let other = build(&from.recipe, None)?;
                let wanted = other.up_to(&from.stage);
                let wanted =
                    wanted.ok_or_else(|| Error::internal(format!("no stage {:?} to start from", from.stage)))?;
                for (new, &old) in wanted.iter().enumerate() {
                    let mut stage = other.stages[old].clone();
                    stage.name =
                        if stage.name.contains('/') { stage.name } else { format!("{}/{}", other.recipe, stage.name) };
                    stage.work.renumber(&wanted);
                    self.stages.push(stage);
                    debug_assert_eq!(self.stages.len(), new + 1);
                }
                Ok(Some(Policy::Stage { index: self.stages.len() - 1, step: None }))
            }
        }
    }

    fn policy(&self, from: &str, step: Option<u64>, model: &Option<Policy>) -> Result<Policy> {
        if from == "model" {
            let absent = || Error::internal(format!("recipe {}: no model", self.recipe.name));
            return model.clone().ok_or_else(absent);
        }
        Ok(Policy::Stage { index: self.index(from)?, step })
    }

    fn index(&self, name: &str) -> Result<usize> {
        let found = self.stages.iter().position(|s| s.name == name);
        found.ok_or_else(|| Error::internal(format!("recipe {}: no stage {name:?}", self.recipe.name)))
    }

    /// The questions of a data set; a synthetic one becomes a stage the first time it is needed.
    fn data(&mut self, name: &str) -> Result<Data> {
        let set = self.recipe.data.get(name);
        let set = set.ok_or_else(|| Error::internal(format!("recipe {}: no data set {name:?}", self.recipe.name)))?;
        match set.clone() {
            Dataset::Mmau(files) => Ok(Data::Mmau { files, name: name.to_owned() }),
            Dataset::MmauParquet(file) => Ok(Data::MmauParquet { file, name: name.to_owned() }),
            Dataset::Avqa(files) => Ok(Data::Avqa { files, name: name.to_owned() }),
            Dataset::Synthetic(spec) => {
                let stage = format!("data-{name}");
                let index = match self.index(&stage) {
                    Ok(index) => index,
                    Err(_) => self.push(&stage, Work::Data(spec.clone()), json!(spec), Value::Null)?,
                };
                Ok(Data::Stage { index, name: name.to_owned() })
            }
        }
    }

    /// What identifies a policy in a fingerprint.
    fn policy_id(&self, policy: &Policy) -> Value {
        match policy {
            Policy::Stage { index, step } => json!({"stage": self.stages[*index].fingerprint, "step": step}),
            Policy::Checkpoint(c) => {
                let files = match &c.source {
                    crate::recipe::Source::Path(dir) => super::inputs::small_files(dir),
                    _ => Value::Null,
                };
                json!({"revision": c.revision, "weights": c.weights, "files": files, "dtype": c.dtype})
            }
        }
    }

    /// What identifies questions in a fingerprint: hashes, never paths.
    fn data_id(&self, data: &Data) -> Value {
        match data {
            Data::Stage { index, .. } => json!({"stage": self.stages[*index].fingerprint}),
            Data::Mmau { files, .. } => pins(files),
            Data::Avqa { files, .. } => {
                let mut pins = pins(files);
                // Of AVQA's own file the questions are kept whose clips are there: which ones, is known when both are.
                if let (Ok(questions), Ok(clips)) = (files.questions(), files.clips())
                    && let Ok(Some(prepared)) = avqa::kept(&questions, &clips)
                {
                    pins["kept_ids"] = json!(prepared.kept_ids);
                }
                pins
            }
            // Where only a commit pins it, the file's name says which of that commit's.
            Data::MmauParquet { file, .. } => match &file.sha256 {
                Some(sha256) => json!({"sha256": sha256, "git_blob": null}),
                None => json!({"revision": file.revision, "file": file.file}),
            },
        }
    }
}

/// What fixes a data set, as far as the recipe says it; keys that it leaves out are not named, so that stages from before they existed stay what they were.
fn pins(files: &Files) -> Value {
    let mut pins = json!({"sha256": files.sha256, "git_blob": files.git_blob});
    if let Some(revision) = &files.revision {
        pins["revision"] = json!(revision);
    }
    if let Some(archive) = &files.audio_sha256 {
        pins["audio_sha256"] = json!(archive);
    }
    pins
}

impl Work {
    /// Places in the plan become places in a sub-plan that holds only `kept`.
    fn renumber(&mut self, kept: &[usize]) {
        let place = |index: &mut usize| {
            if let Some(new) = kept.iter().position(|old| old == index) {
                *index = new;
            }
        };
        if let Work::Train { policy, .. } | Work::Evaluate { policy, .. } = self
            && let Policy::Stage { index, .. } = policy
        {
            place(index);
        }
        if let Work::Train { data, .. } | Work::Evaluate { data, .. } | Work::Score { data, .. } = self
            && let Data::Stage { index, .. } = data
        {
            place(index);
        }
    }
}
