//! The inputs that a plan takes from outside: whether they are there, whether they are what was pinned, and how they get here.

mod clips;
mod local;
mod remote;

pub(crate) use clips::{ClipsTaken, taken};
pub(crate) use remote::Remote;

use super::memory::counts;
use super::{Data, Plan, Policy, Work, known};
use crate::error::{Error, Result};
use crate::fetch::Fetcher;
use crate::pins::{Pin, Sha256};
use crate::recipe::{Checkpoint, Files, Parquet, Scored, Source};
use local::{ANOTHER, OF_MMAU};
use remote::There;
use serde::Serialize;
use std::path::PathBuf;

/// One input from outside.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Input {
    /// What it is for: `data set clips`, `model weights`.
    pub what: String,
    /// Where it is, or where it is fetched from.
    pub at: String,
    /// The pin: `sha256 …`, `git blob …` or `revision …`; empty for a folder of clips, which the questions name one by one, and where a lock must fill it in.
    pub pin: String,
    /// What a fetch would bring; `None` where there is nothing to fetch.
    pub to_fetch: Option<ToFetch>,
    /// `None` when it is what was pinned; otherwise what is wrong with it and the way out.
    pub problem: Option<String>,
}

/// What a fetch would bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ToFetch {
    /// Bytes; `None` where nobody on this machine knows.
    pub bytes: Option<u64>,
    /// Whether they are reckoned from the model's shape, its small files not among them.
    pub reckoned: bool,
}

impl ToFetch {
    fn exactly(bytes: Option<u64>) -> Self {
        Self { bytes, reckoned: false }
    }
}

/// How closely inputs are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// What was fetched by its length, the rest by its hash.
    Quick,
    /// Everything by its hash.
    Whole,
}

/// What stands behind an input.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'p> {
    Model(&'p Checkpoint),
    /// Files, name of the data set, and whether they are MMAU's.
    Questions(&'p Files, &'p str, bool),
    Clips(&'p Files, &'p str, bool),
    /// Questions and clips in one file, and the name of the data set.
    Parquet(&'p Parquet, &'p str),
    /// Predictions that the user has.
    Predictions(&'p Scored),
}

/// What an input is on this machine.
pub(crate) enum Content {
    File(PathBuf),
    Folder(PathBuf),
}

impl Plan {
    /// Each input once, in the order in which stages need them.
    fn wanted(&self) -> Vec<Wanted<'_>> {
        self.named().into_iter().map(|(_, wanted)| wanted).collect()
    }

    /// Where each input is, or will be, by name.
    ///
    /// # Errors
    /// Exit code 4: one is not pinned yet.
    pub(crate) fn contents(&self) -> Result<Vec<(String, Content)>> {
        let content = |(what, wanted): (String, Wanted<'_>)| {
            let content = match wanted {
                Wanted::Model(checkpoint) => Content::Folder(checkpoint.folder()?),
                Wanted::Questions(files, ..) => Content::File(files.questions()?),
                Wanted::Clips(files, ..) => Content::Folder(files.clips()?),
                Wanted::Parquet(parquet, _) => Content::File(parquet.path()?),
                Wanted::Predictions(scored) => Content::File(scored.file.clone()),
            };
            Ok((what, content))
        };
        self.named().into_iter().map(content).collect()
    }

    /// Each input once, by what it is; those of recipes that this one builds on with `RECIPE/` before it.
    pub(crate) fn named<'p>(&'p self) -> Vec<(String, Wanted<'p>)> {
        let mut out: Vec<(String, Wanted<'p>)> = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for stage in &self.stages {
            let (policy, data, scored) = match &stage.work {
                Work::Train { policy, data, .. } | Work::Evaluate { policy, data, .. } => (Some(policy), data, None),
                Work::Score { scored, data, .. } => (None, data, Some(scored)),
                Work::Data(_) | Work::Init { .. } => continue,
            };
            let prefix = if stage.recipe == self.recipe { String::new() } else { format!("{}/", stage.recipe) };
            let mut add = |key: String, wanted: Wanted<'p>| {
                if !seen.contains(&key) {
                    seen.push(key);
                    out.push((format!("{prefix}{}", wanted.what()), wanted));
                }
            };
            if let Some(Policy::Checkpoint(c)) = policy {
                add(format!("{prefix}model {c:?}"), Wanted::Model(c));
            }
            if let Data::Mmau { files, name } | Data::Avqa { files, name } = data {
                let is_mmau = matches!(data, Data::Mmau { .. });
                add(format!("{prefix}questions {name} {files:?}"), Wanted::Questions(files, name, is_mmau));
                // Scoring hears no clip.
                if scored.is_none() {
                    add(format!("{prefix}clips {name} {files:?}"), Wanted::Clips(files, name, is_mmau));
                }
            }
            if let Data::MmauParquet { file, name } = data {
                add(format!("{prefix}parquet {name} {file:?}"), Wanted::Parquet(file, name));
            }
            if let Some(scored) = scored {
                add(format!("{prefix}predictions {scored:?}"), Wanted::Predictions(scored));
            }
        }
        out
    }
}

impl Wanted<'_> {
    fn remote(&self) -> Result<Option<Remote>> {
        match self {
            Wanted::Model(checkpoint) => Remote::model(checkpoint),
            Wanted::Questions(files, ..) => Remote::questions(files),
            Wanted::Clips(files, ..) => Remote::clips(files),
            Wanted::Parquet(parquet, _) => Remote::parquet(parquet),
            Wanted::Predictions(_) => Ok(None),
        }
    }

    fn what(&self) -> String {
        match self {
            Wanted::Model(_) => "model".to_owned(),
            Wanted::Questions(_, name, _) | Wanted::Parquet(_, name) => format!("data set {name}"),
            Wanted::Clips(_, name, _) => format!("audio of data set {name}"),
            Wanted::Predictions(scored) => format!("predictions of {}", scored.name),
        }
    }

    /// How to say that it is in another place; `own` where it is this recipe's, and not of one that it builds on.
    fn elsewhere(&self, own: bool) -> String {
        let key = match self {
            Wanted::Model(_) => "model.source=FOLDER".to_owned(),
            Wanted::Questions(_, name, _) | Wanted::Parquet(_, name) => format!("data.sets.{name}.file=FILE"),
            Wanted::Clips(_, name, _) => format!("data.sets.{name}.audio=FOLDER"),
            Wanted::Predictions(scored) => format!("scores.{}.file=FILE", scored.name),
        };
        if own { format!("with --set {key}") } else { "in the recipe that this one builds on".to_owned() }
    }

    fn source(&self) -> Source {
        match self {
            Wanted::Model(checkpoint) => checkpoint.source.clone(),
            Wanted::Questions(files, ..) => files.file.clone(),
            Wanted::Clips(files, ..) => files.audio.clone(),
            Wanted::Parquet(parquet, _) => parquet.file.clone(),
            Wanted::Predictions(scored) => Source::Path(scored.file.clone()),
        }
    }

    /// Bytes of a model's weights by its shape, where that is known. (The hub keeps the Qwen2-Audio family in bfloat16.)
    fn reckoned(&self) -> Option<u64> {
        let Wanted::Model(checkpoint) = self else { return None };
        let known = known::config(&shown(&checkpoint.source)).ok().flatten()?;
        Some(2 * counts(&known).all)
    }

    /// Where it comes from, in words.
    pub fn shown(&self) -> String {
        shown(&self.source())
    }

    fn look(&self, fetcher: &Fetcher, look: Look, own: bool) -> Vec<Input> {
        let (what, source) = (self.what(), self.source());
        if let Source::Path(path) = &source {
            let at = self.elsewhere(own);
            return match self {
                Wanted::Model(checkpoint) => local::weights(path, checkpoint, &at),
                Wanted::Questions(files, _, is_mmau) => {
                    vec![local::pinned(&what, path, files.pin(), if *is_mmau { OF_MMAU } else { ANOTHER }, &at)]
                }
                Wanted::Clips(..) => vec![local::folder(&what, path, &at)],
                Wanted::Parquet(parquet, _) => vec![local::pinned(&what, path, parquet.pin(), ANOTHER, &at)],
                Wanted::Predictions(scored) => vec![local::predictions(scored, &at)],
            };
        }
        let mut input = Input { what, at: shown(&source), ..Input::default() };
        match self.remote() {
            Ok(Some(remote)) => {
                input.pin = remote.pin();
                (input.to_fetch, input.problem) = judged(&remote, fetcher, look);
                if let Some(to_fetch) = input.to_fetch.as_mut().filter(|to_fetch| to_fetch.bytes.is_none()) {
                    *to_fetch =
                        self.reckoned().map_or(*to_fetch, |bytes| ToFetch { bytes: Some(bytes), reckoned: true });
                }
            }
            Ok(None) => {}
            Err(e) => input.problem = Some(e.to_string()),
        }
        vec![input]
    }
}

fn judged(remote: &Remote, fetcher: &Fetcher, look: Look) -> (Option<ToFetch>, Option<String>) {
    if let Some(problem) = remote.unpinned() {
        return (Some(ToFetch::exactly(None)), Some(problem));
    }
    match remote.there(fetcher) {
        Err(e) => (None, Some(e.to_string())),
        // What is there and cut is named by its hash.
        Ok(There::Lacks(lacks)) if look == Look::Whole => (Some(lacks), remote.verify(fetcher).err().map(|e| bare(&e))),
        Ok(There::Lacks(lacks)) => {
            let bytes = lacks.bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
            (Some(lacks), Some(format!("not here yet{bytes} (`aqa-bench fetch RECIPE` gets it)")))
        }
        Ok(There::All) if look == Look::Quick => (None, None),
        Ok(There::All) => (None, remote.verify(fetcher).err().map(|e| bare(&e))),
    }
}

/// A message without the address that it begins with: the input's line has it.
fn bare(error: &Error) -> String {
    let text = error.to_string();
    let address = text.starts_with("hf://").then(|| text.split_once(": ")).flatten();
    address.map_or(text.clone(), |(_, rest)| rest.to_owned())
}

fn shown(source: &Source) -> String {
    match source {
        Source::Path(path) => path.display().to_string(),
        Source::Hub(text) | Source::Url(text) => text.clone(),
    }
}

/// Every input of a plan, looked at.
///
/// # Errors
/// As [`crate::fetch::Settings::from_env`].
pub fn inputs(plan: &Plan, look: Look) -> Result<Vec<Input>> {
    let fetcher = Fetcher::from_env()?;
    let looked = |(name, wanted): &(String, Wanted<'_>)| wanted.look(&fetcher, look, *name == wanted.what());
    Ok(plan.named().iter().flat_map(looked).collect())
}

/// Gets what is missing of every input that is not on this machine, and verifies what is there of them. Those that are files and folders of this machine
/// are left to [`verify`].
///
/// # Errors
/// Exit code 4: one cannot be had, or is not what was pinned. What was got before it stays.
pub fn fetch(plan: &Plan, fetcher: &Fetcher) -> Result<Vec<(String, PathBuf)>> {
    let mut out = Vec::new();
    for wanted in plan.wanted() {
        let within = |e: Error| match bare(&e) {
            short if short != e.to_string() => e.within(wanted.what()),
            _ => e.within(format!("{}: {}", wanted.what(), shown(&wanted.source()))),
        };
        if let Some(remote) = wanted.remote().map_err(within)? {
            out.push((wanted.what(), remote.get(fetcher).map_err(within)?));
        }
    }
    Ok(out)
}

/// Hashes of the JSON, Jinja and text files of a checkpoint folder, by name: everything beside the weights that is read of it. Empty where the
/// folder cannot be read; [`verify`] says so before anything runs.
pub(super) fn small_files(dir: &std::path::Path) -> serde_json::Value {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let small = entries
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|x| ["json", "jinja", "txt"].iter().any(|k| x == *k)));
    let named =
        small.filter_map(|p| Some((p.file_name()?.to_str()?.to_owned(), Sha256::of_file(&p).ok()?.to_string())));
    let sorted: std::collections::BTreeMap<String, String> = named.collect();
    serde_json::json!(sorted)
}

/// Errs (exit code 4) with every input that is missing or not what was pinned.
///
/// # Errors
/// Also as [`crate::fetch::Settings::from_env`].
pub fn verify(plan: &Plan) -> Result<()> {
    let problems: Vec<String> = inputs(plan, Look::Whole)?
        .into_iter()
        .filter_map(|i| i.problem.map(|p| format!("{}: {}: {p}", i.what, i.at)))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::inputs(problems.join("\n"))) }
}

impl Checkpoint {
    /// The folder of its files on this machine, whether they are there or not.
    ///
    /// # Errors
    /// Exit code 4: its commit is not pinned yet.
    pub fn folder(&self) -> Result<PathBuf> {
        place(&self.source, || Remote::model(self))
    }
}

impl Parquet {
    /// What fixes its bytes, beside the revision of a repository.
    pub(crate) fn pin(&self) -> Option<Pin> {
        self.sha256.clone().map(Pin::Sha256)
    }

    /// The file on this machine.
    ///
    /// # Errors
    /// Exit code 4: not pinned yet.
    pub fn path(&self) -> Result<PathBuf> {
        place(&self.file, || Remote::parquet(self))
    }
}

impl Files {
    /// What fixes the questions, beside the revision of a repository.
    pub(crate) fn pin(&self) -> Option<Pin> {
        self.sha256.clone().map(Pin::Sha256).or_else(|| self.git_blob.clone().map(Pin::GitBlob))
    }

    /// The questions file on this machine.
    ///
    /// # Errors
    /// Exit code 4: not pinned yet.
    pub fn questions(&self) -> Result<PathBuf> {
        place(&self.file, || Remote::questions(self))
    }

    /// The folder of clips on this machine.
    ///
    /// # Errors
    /// Exit code 4: not pinned, or an archive that is not here.
    pub fn clips(&self) -> Result<PathBuf> {
        place(&self.audio, || Remote::clips(self))
    }
}

fn place(source: &Source, remote: impl FnOnce() -> Result<Option<Remote>>) -> Result<PathBuf> {
    match (source, remote().map_err(|e| e.within(shown(source)))?) {
        (Source::Path(path), _) => Ok(path.clone()),
        (_, Some(remote)) => remote.place(&Fetcher::from_env()?).map_err(|e| e.within(shown(source))),
        (_, None) => Err(Error::internal(format!("{}: neither here nor elsewhere", shown(source)))),
    }
}
