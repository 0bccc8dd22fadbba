//! Checks a bundle: its files, the scores of its predictions, its tables.

use super::contents::Contents;
use super::{TABLES, archive, staging, table_name};
use crate::artifact::{Manifest, RunFolder, read};
use crate::error::{Context, Error, Result};
use crate::fetch::{self, Limits};
use crate::pins::Sha256;
use crate::report::golden::{contradictions, first_difference, fresh, not_taken};
use crate::report::judge::Verdicts;
use crate::report::load::{self, Evaluation, Run};
use crate::report::recorded::{Samples, samples};
use crate::report::render_loaded;
use crate::score::Score;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How much a bundle may unpack to: 9000 samples take some ten megabytes.
const LIMITS: Limits = Limits { bytes: 4_000_000_000, members: 100_000, ratio: 200 };

/// Problems shown in full; the others are counted.
const SHOWN: usize = 10;

/// What was checked of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Recipe name.
    pub recipe: String,
    /// The program that made the run.
    pub version: String,
    /// Its commit.
    pub commit: String,
    /// One for each thing that was checked.
    pub checks: Vec<Line>,
    /// Checks that found a difference.
    pub differences: usize,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What.
    pub what: String,
    /// Whether it is the same.
    pub same: bool,
    /// What was found.
    pub found: String,
}

impl Verification {
    /// For people: a line for each check.
    pub fn to_text(&self) -> String {
        let Self { recipe, version, commit, .. } = self;
        let mut text = format!("bundle of recipe {recipe}, run by aqa-bench {version} at commit {commit}\n");
        for Line { what, same, found } in &self.checks {
            let end = if *same { "same" } else { "DIFFERENT" };
            text += &format!("  {what}: {found}: {end}\n");
        }
        text
    }
}

/// Whether a file is an archive by its first bytes, whatever it is called.
///
/// # Errors
/// Exit code 4: it cannot be read.
pub fn is_bundle(path: &Path) -> Result<bool> {
    let mut magic = [0; 2];
    let mut file = File::open(path).inputs(|| format!("cannot open {}", path.display()))?;
    let read = file.read(&mut magic).inputs(|| format!("cannot read {}", path.display()))?;
    Ok(magic[..read] == [0x1f, 0x8b])
}

/// Checks every file of a bundle against its checksum, scores its predictions again and renders its tables again. Nothing is written but in a
/// folder that goes away.
///
/// # Errors
/// Exit code 4: the archive is broken, was tampered with (a file is not the one of its checksum, or has none), or is no bundle. Exit code
/// 2: the run in it is not finished. Differences are no error here.
pub fn verify(path: &Path) -> Result<Verification> {
    let place = staging()?;
    let within = |e: Error| e.within(path.display());
    let unpacked = fetch::unpack_into(path, place.path(), LIMITS)?;
    let names: Vec<&str> = unpacked.iter().map(|file| file.name.as_str()).collect();
    let folder = single_folder(&names).map_err(within)?;
    let top = place.path().join(folder);
    let hashes = unpacked.iter().map(|file| (file.name[folder.len() + 1..].to_owned(), file.pin.as_str().to_owned()));
    let count = checksums(&top, hashes.collect()).map_err(within)?;
    // Messages name the file in the bundle, not the folder that goes away.
    let shown = place.path().display().to_string();
    let named = |e: Error| Error::new(e.kind(), e.to_string().replace(&format!("{shown}/"), "")).within(path.display());
    inside(&read::manifest(&RunFolder::new(top.join("run"))).map_err(named)?).map_err(within)?;
    let run = load::run(&top.join("run")).map_err(named)?;
    let mut checks = vec![
        Line { what: archive::SUMS.into(), same: true, found: format!("{count} files") },
        recipe(&top, &run).map_err(named)?,
    ];
    for eval in &run.evals {
        checks.extend(evaluation(&top.join("run"), eval).map_err(named)?);
    }
    for format in TABLES {
        let name = table_name(format);
        let kept =
            std::fs::read_to_string(top.join(&name)).inputs(|| format!("no {name} in the bundle")).map_err(within)?;
        let rendered = render_loaded(std::slice::from_ref(&run), format).map_err(named)?;
        checks.push(match first_difference(&kept, &rendered) {
            None => Line { what: name, same: true, found: "rendered again".into() },
            Some((line, was, is)) => {
                let (was, is) = excerpts(&was, &is);
                Line { what: name, same: false, found: format!("line {line}: …{was}…, rendered again …{is}…") }
            }
        });
    }
    let differences = checks.iter().filter(|line| !line.same).count();
    let (version, commit) = (run.provenance.version, run.provenance.commit);
    Ok(Verification { recipe: run.recipe, version, commit, checks, differences })
}

/// The folder that everything is in.
fn single_folder<'n>(names: &[&'n str]) -> Result<&'n str> {
    let folder = names.first().and_then(|name| name.split_once('/')).map(|(folder, _)| folder);
    let inside = |folder: &&str| {
        let prefix = format!("{folder}/");
        names.iter().all(|name| name.starts_with(&prefix))
            && names.contains(&format!("{prefix}{}", archive::SUMS).as_str())
    };
    folder.filter(inside).ok_or_else(|| {
        let found = names.first().map_or("nothing".to_owned(), |name| format!("{name:?} first of {}", names.len()));
        let expected = "expected a bundle as `aqa-bench bundle RUN` makes it (one folder with SHA256SUMS in it)";
        Error::inputs(format!("{expected}, found {found}"))
    })
}

/// Holds every file against its checksum, both ways; gives their number.
fn checksums(top: &Path, mut found: BTreeMap<String, String>) -> Result<usize> {
    let sums = std::fs::read_to_string(top.join(archive::SUMS)).inputs(|| archive::SUMS.into())?;
    found.remove(archive::SUMS);
    let count = found.len();
    let mut problems = Vec::new();
    for (at, line) in sums.lines().enumerate() {
        let Some((hash, name)) = line.split_once("  ").filter(|(hash, _)| Sha256::parse(hash).is_ok()) else {
            problems.push(format!("{}:{}: expected `SHA256  NAME`, found {line:?}", archive::SUMS, at + 1));
            continue;
        };
        match found.remove(name) {
            Some(is) if is == hash => {}
            Some(is) => problems.push(format!("{name}: expected sha256 {hash}, found {is}")),
            None => problems.push(format!("{name}: listed in {} and not in the archive", archive::SUMS)),
        }
    }
    problems.extend(found.keys().map(|name| format!("{name}: in the archive and not listed in {}", archive::SUMS)));
    if problems.is_empty() {
        return Ok(count);
    }
    if problems.len() > SHOWN {
        let more = problems.len() - SHOWN;
        problems.truncate(SHOWN);
        problems.push(format!("and {more} more"));
    }
    let way_out = "the bundle was damaged or changed: get it again from its maker";
    Err(Error::inputs(format!("{} ({way_out})", problems.join("\n"))))
}

/// Refuses a manifest whose names lead to files that are not the bundle's.
fn inside(manifest: &Manifest) -> Result<()> {
    let names = manifest.stages.iter().map(|stage| &stage.folder).chain(&manifest.claims);
    let leads_out = |name: &&String| name.contains(['/', '\\', '\0']) || matches!(name.as_str(), "" | "." | "..");
    match names.into_iter().find(leads_out) {
        Some(name) => {
            Err(Error::inputs(format!("run/manifest.json: the name {name:?} leads out of the bundle (refused)")))
        }
        None => Ok(()),
    }
}

/// Where two lines part, with a few letters before.
fn excerpts(was: &str, is: &str) -> (String, String) {
    let same = was.chars().zip(is.chars()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| text.chars().skip(same.saturating_sub(20)).take(40).collect();
    (around(was), around(is))
}

/// Whether a file of `run/recipe/` is the one that the manifest has the hash of.
fn recipe(top: &Path, run: &Run) -> Result<Line> {
    let mut found = Contents::new();
    for entry in std::fs::read_dir(RunFolder::new(top.join("run")).recipe()).into_iter().flatten().flatten() {
        let bytes = std::fs::read(entry.path()).inputs(|| "run/recipe".into())?;
        found.insert(entry.file_name().to_string_lossy().into_owned(), bytes);
    }
    let own = found.iter().find(|(_, bytes)| Sha256::of(bytes) == run.recipe_sha256);
    let what = "recipe".to_owned();
    Ok(match own {
        Some((name, _)) => Line { what, same: true, found: format!("run/recipe/{name} is the one of the manifest") },
        None => {
            let none = format!("no file in run/recipe has the manifest's sha256 {}", run.recipe_sha256);
            Line { what, same: false, found: none }
        }
    })
}

/// The score and the samples of an evaluation, from its predictions.
fn evaluation(run: &Path, eval: &Evaluation) -> Result<Vec<Line>> {
    let name = &eval.record.name;
    let line = |what: &str, same, found| Line { what: format!("{name}: {what}"), same, found };
    let (first, verdicts) = if eval.record.withheld.is_some() {
        let found = format!("{} predictions, the answers are withheld: nothing to score", eval.predictions.len());
        (line("predictions", true, found), None)
    } else {
        let now = fresh(run, eval)?;
        let was = eval.scored()?;
        let words = |s: &Score| format!("{:.2} ({}/{})", s.accuracy, s.correct, s.total);
        let found = match (*was == now.score, words(was) == words(&now.score)) {
            (true, _) => format!("{} of the predictions", words(was)),
            (false, true) => format!("{}, and a breakdown or the ledger is not what the predictions give", words(was)),
            (false, false) => format!("score.json says {}, the predictions give {}", words(was), words(&now.score)),
        };
        (line("score", *was == now.score, found), Some(now.verdicts))
    };
    if eval.record.file.is_some() {
        return Ok(vec![first]);
    }
    let (same, found) = said(eval, &samples(run, eval)?, verdicts.as_ref());
    Ok(vec![first, line("samples", same, found)])
}

/// Whether the samples say what the predictions do, and what follows from their outputs. Without answers there are no verdicts to hold.
fn said(eval: &Evaluation, samples: &Samples, verdicts: Option<&Verdicts>) -> (bool, String) {
    let found = contradictions(eval, samples);
    let differs = |now: &&Verdicts| {
        let differs = |id: &str| samples.get(id).and_then(|s| s.verdict) != now.get(id).copied();
        eval.predictions.iter().filter(|row| differs(&row.id)).count()
    };
    let other = verdicts.as_ref().map_or(0, differs);
    let predicted = match (found.predicted.len(), other) {
        (0, 0) => None,
        (a, v) => Some(format!("{a} answers and {v} verdicts of samples.jsonl are not those of the predictions")),
    };
    let problems: Vec<String> = predicted.into_iter().chain(not_taken(eval, &found.taken)).collect();
    let what = if verdicts.is_some() { "answers and verdicts" } else { "answers" };
    match problems.as_slice() {
        [] => (true, format!("{} {what}", eval.predictions.len())),
        problems => (false, problems.join("; ")),
    }
}
