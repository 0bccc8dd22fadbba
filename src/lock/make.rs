//! Making a lock: everything is resolved to hashes. Weights on the hub are taken from its list of files, without a download; everything else is fetched.

use super::{FilePin, Lock, Locked, SCHEMA};
use crate::data::{file_names, mmau};
use crate::error::{Context, Error, Result};
use crate::fetch::Fetcher;
use crate::pins::{Pin, Sha256};
use crate::plan::{ClipsTaken, Plan, Policy, Remote, Wanted, Work, taken};
use crate::progress::{Progress, say};
use crate::prompt;
use crate::recipe::{Checkpoint, Files, PromptStyle, Source};
use crate::sampling::Filters;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Resolves a plan. Pins that a lock must fill in are looked up; what is pinned already is held to it.
///
/// # Errors
/// Exit code 4: an input cannot be had, or is not what is pinned; 2: questions that cannot be read.
pub fn make(plan: &Plan, fetcher: &Fetcher) -> Result<Lock> {
    let mut inputs = BTreeMap::new();
    for (what, wanted) in plan.named() {
        let shown = wanted.shown();
        let within = |e: Error| match e.to_string().starts_with("hf://") {
            true => e.within(&what),
            false => e.within(format!("{what}: {shown}")),
        };
        let locked = match wanted {
            Wanted::Model(checkpoint) => model(checkpoint, fetcher),
            Wanted::Questions(files, ..) => single(Remote::questions(files)?, &files.file, files.pin(), fetcher),
            Wanted::Clips(files, _, is_mmau) => clips(files, is_mmau, fetcher),
            Wanted::Parquet(parquet, _) => single(Remote::parquet(parquet)?, &parquet.file, parquet.pin(), fetcher),
            Wanted::Predictions(scored) => {
                let pin = scored.sha256.clone().map(Pin::Sha256);
                single(None, &Source::Path(scored.file.clone()), pin, fetcher)
            }
        };
        inputs.insert(what.clone(), locked.map_err(within)?);
        say(format_args!("{what}: {} files", inputs[&what].files.len()));
    }
    Ok(Lock {
        schema: SCHEMA,
        recipe: plan.recipe.clone(),
        inputs,
        prompts: prompts(plan)?,
        decoding: decodings(plan, fetcher)?,
    })
}

fn source(source: &Source) -> String {
    match source {
        Source::Path(_) => String::new(),
        Source::Hub(text) | Source::Url(text) => text.clone(),
    }
}

fn model(checkpoint: &Checkpoint, fetcher: &Fetcher) -> Result<Locked> {
    let mut locked = Locked { source: source(&checkpoint.source), ..Locked::default() };
    match (Remote::model(checkpoint)?, &checkpoint.source) {
        (Some(Remote::Hub { repo, commit: Some(commit), wanted, .. }), _) => {
            let revision = fetcher.commit(&repo, &commit)?;
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let files = fetcher.listed(&repo, &revision, &wanted)?;
            locked.files = files.into_iter().map(|file| (file.name, FilePin(file.pin))).collect();
            locked.revision = Some(revision);
        }
        (None, Source::Path(dir)) => {
            let wanted = |name: &str| {
                let small = ["json", "jinja", "txt"].iter().any(|end| name.ends_with(&format!(".{end}")));
                small || checkpoint.weights.contains_key(name)
            };
            let names = names(dir)?.into_iter().filter(|name| wanted(name)).collect::<Vec<_>>();
            locked.files = hashed(dir, &names)?;
        }
        _ => return Err(Error::internal("a model comes from a folder or from a commit of the hub")),
    }
    Ok(locked)
}

/// The names of a folder's files.
fn names(dir: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = file_names(dir)?.into_iter().collect();
    names.sort();
    Ok(names)
}

fn hashed(dir: &Path, names: &[String]) -> Result<BTreeMap<String, FilePin>> {
    let (mut progress, mut out) = (Progress::start("hash", 0, names.len() as u64), BTreeMap::new());
    for (done, name) in names.iter().enumerate() {
        progress.at(done as u64, "");
        out.insert(name.clone(), FilePin(Pin::Sha256(Sha256::of_file(&dir.join(name))?)));
    }
    progress.clear();
    Ok(out)
}

/// Gets an input, its pins completed: where it is, and what they turned out to be.
fn got(remote: Option<Remote>, from: &Source, fetcher: &Fetcher) -> Result<(PathBuf, Locked)> {
    let mut locked = Locked { source: source(from), ..Locked::default() };
    match (remote, from) {
        (Some(remote), _) => {
            let remote = remote.completed(fetcher)?;
            (locked.revision, locked.archive) = (remote.commit(), remote.archive());
            Ok((remote.get(fetcher)?, locked))
        }
        (None, Source::Path(path)) => Ok((path.clone(), locked)),
        (None, _) => Err(Error::internal("an input is here or elsewhere")),
    }
}

/// An input of one file, with the pin that the recipe gives it.
fn single(remote: Option<Remote>, from: &Source, pin: Option<Pin>, fetcher: &Fetcher) -> Result<Locked> {
    let (path, mut locked) = got(remote, from, fetcher)?;
    if let Some(pin) = pin {
        fetcher.local(&path, &pin)?;
    }
    let name = match from {
        // In the cache it is named by its hash.
        Source::Url(text) => text.rsplit('/').next().unwrap_or(text).to_owned(),
        _ => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    locked.files = BTreeMap::from([(name, FilePin(Pin::Sha256(Sha256::of_file(&path)?)))]);
    Ok(locked)
}

fn clips(files: &Files, is_mmau: bool, fetcher: &Fetcher) -> Result<Locked> {
    let (dir, mut locked) = got(Remote::clips(files)?, &files.audio, fetcher)?;
    let (questions, _) = got(Remote::questions(files)?, &files.file, fetcher)?;
    let ClipsTaken { there, missing, kept } = taken(&questions, &dir, is_mmau)?;
    if let Some(kept) = kept {
        say(kept.in_words());
        locked.missing = kept.missing.len() as u64;
        locked.kept_ids = Some(kept.kept_ids);
    }
    locked.missing += missing.len() as u64;
    if let Some(first) = missing.first() {
        say(format_args!(
            "{} of {} clips are not there, the first is {first}: the lock counts them",
            missing.len(),
            missing.len() + there.len()
        ));
    }
    locked.files = hashed(&dir, &there.into_iter().collect::<Vec<_>>())?;
    Ok(locked)
}

/// Every prompt that the plan uses, as it renders one question.
fn prompts(plan: &Plan) -> Result<BTreeMap<String, Sha256>> {
    let row = json!({"id": "1", "audio_id": "1.wav", "question": "What is \"this\"?", "choices": ["it's a dog", "a cat"],
                     "answer": "a cat", "task": "sound", "difficulty": "easy"});
    let example = mmau::from_slice(json!([row]).to_string().as_bytes(), "the fixed question", Path::new(""))?.remove(0);
    let mut out = BTreeMap::new();
    for stage in &plan.stages {
        let style: PromptStyle = match &stage.work {
            Work::Train { train, .. } => train.prompt,
            Work::Evaluate { eval, .. } => eval.prompt,
            _ => continue,
        };
        let name = serde_json::to_value(style).internal(|| "a prompt has a name".to_owned())?;
        let name = name.as_str().unwrap_or_default().to_owned();
        out.insert(name, Sha256::of(prompt::text(style, &example).as_bytes()));
    }
    Ok(out)
}

/// How each evaluation chooses tokens.
fn decodings(plan: &Plan, fetcher: &Fetcher) -> Result<BTreeMap<String, Value>> {
    let mut out = BTreeMap::new();
    for stage in &plan.stages {
        let Work::Evaluate { eval, policy, data: _, .. } = &stage.work else { continue };
        let own = generation_config(plan, policy, fetcher)?;
        let filters = Filters::resolve(&eval.decoding, &own)?;
        let chosen = json!({
            "do_sample": eval.decoding.do_sample, "max_new_tokens": eval.decoding.max_new_tokens,
            "temperature": filters.temperature, "top_k": filters.top_k, "top_p": filters.top_p,
            "repetition_penalty": filters.repetition_penalty,
        });
        out.insert(stage.name.clone(), chosen);
    }
    Ok(out)
}

/// The settings that a policy's checkpoint brings: training keeps those of the model it started from.
fn generation_config(plan: &Plan, policy: &Policy, fetcher: &Fetcher) -> Result<Value> {
    let checkpoint = match policy {
        Policy::Checkpoint(checkpoint) => checkpoint,
        Policy::Stage { index, .. } => match &plan.stages[*index].work {
            Work::Train { policy, .. } => return generation_config(plan, policy, fetcher),
            _ => return Ok(Value::Null),
        },
    };
    const NAME: &str = "generation_config.json";
    let path = match (Remote::model(checkpoint)?, &checkpoint.source) {
        (Some(Remote::Hub { repo, commit: Some(commit), .. }), _) => {
            let revision = fetcher.commit(&repo, &commit)?;
            if fetcher.listed(&repo, &revision, &["*"])?.iter().all(|file| file.name != NAME) {
                return Ok(Value::Null);
            }
            fetcher.hub_file(&repo, &revision, NAME)?
        }
        (_, Source::Path(dir)) => dir.join(NAME),
        _ => return Ok(Value::Null),
    };
    if !path.is_file() {
        return Ok(Value::Null);
    }
    let bytes = std::fs::read(&path).inputs(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).inputs(|| format!("{}: is no JSON", path.display()))
}
