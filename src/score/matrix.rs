//! One predictions file by several rules and on several versions of its questions.

use super::file::{self, Facts};
use super::{Score, Verdict, judge, score_rows};
use crate::data::{Example, Problems, Row, id_of, mmau, versions};
use crate::error::{Context, Error, Result};
use crate::pins::Sha256;
use crate::recipe::Rule;
use indexmap::IndexMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

mod show;

/// What the predictions are worth by each rule on each set of questions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Matrix {
    /// The predictions file.
    pub predictions: String,
    /// Its hash.
    pub sha256: Sha256,
    /// Its rows.
    pub rows: u64,
    /// Those that have a prediction.
    pub answered: u64,
    /// Ids that every set has and the predictions too.
    pub common: u64,
    /// The columns.
    pub rules: Vec<&'static str>,
    /// Why the file's own rows are not among the sets, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_left_out: Option<String>,
    /// The rows: the file's own questions where it carries them, then the data sets that were asked for.
    pub sets: Vec<Set>,
}

/// Questions that the predictions are held against.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Set {
    /// `own rows`, a known version's name, or the file's name.
    pub name: String,
    /// The questions file; none for the predictions' own rows.
    pub file: Option<String>,
    /// Its hash.
    pub sha256: Option<Sha256>,
    /// Its questions.
    pub questions: u64,
    /// Ids that it shares with the predictions.
    pub shared: u64,
    /// Of these, questions with the question, options and answer that the predictions carry, word for word.
    pub identical: u64,
    /// Of these, questions that could not be compared so, since the predictions do not carry them.
    pub not_compared: u64,
    /// Ids of the predictions that it does not have.
    pub only_in_predictions: u64,
    /// Its ids that the predictions do not have.
    pub only_in_dataset: u64,
    /// The scores, over which questions.
    pub over: Vec<Over>,
}

/// Scores over some of a set's questions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Over {
    /// Which.
    pub which: Which,
    /// How many: those that count, and those without a prediction.
    pub questions: u64,
    /// By rule, in the order of the matrix.
    #[serde(serialize_with = "bounded")]
    pub scores: Vec<Score>,
}

fn bounded<S: Serializer>(scores: &[Score], writer: S) -> Result<S::Ok, S::Error> {
    writer.collect_seq(scores.iter().map(Score::bounded))
}

/// Some of a set's questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// All that the predictions have the id of.
    Shared,
    /// Those whose id every set of the matrix has; only where these are fewer.
    Common,
    /// Those that are in both word for word (question, options, answer); only where these are fewer.
    Identical,
}

/// A row of the predictions.
struct Said<'a> {
    row: &'a Map<String, Value>,
    prediction: Option<&'a str>,
}

/// A question of a set that the predictions have.
struct Asked<'a> {
    id: &'a str,
    facts: Facts,
    prediction: Option<&'a str>,
    /// Whether it is the one that the predictions carry; `None` where they carry too little.
    identical: Option<bool>,
}

/// Scores a predictions file by every rule, on its own rows where they carry their questions and on each data set. Of a data set only the questions
/// count that the predictions have the id of, by the data set's own options and answers.
///
/// # Errors
/// Exit code 4: a file cannot be read. Exit code 2: rows that cannot be judged (every problem by row), no prediction at all, a data set without answers
/// or without a common id.
pub fn matrix(predictions: &Path, rules: &[Rule], datasets: &[PathBuf]) -> Result<Matrix> {
    let name = predictions.display().to_string();
    let bytes = std::fs::read(predictions).inputs(|| format!("cannot read {name}"))?;
    let rows = file::answered(&bytes, &name)?;
    let mut problems = Problems::of(&name);
    let (mut seen, mut all) = (HashMap::new(), IndexMap::new());
    for (index, row) in rows.iter().enumerate() {
        let place = mmau::Place(index, row);
        let read = id_of(&Row(row), &place, &mut seen).and_then(|id| Ok((id, file::prediction(&Row(row))?)));
        match read {
            Ok((id, prediction)) => drop(all.insert(id, Said { row, prediction })),
            Err(what) => problems.add(place, what),
        }
    }
    let all = problems.or(all)?;
    let count = all.values().filter(|said| said.prediction.is_some()).count() as u64;
    if count == 0 {
        return Err(file::none(&name, rows.len()));
    }

    let (mut sets, mut own_left_out) = (Vec::new(), None);
    match own(&all, &name) {
        Ok(asked) => sets.push((Set::own(&asked), asked)),
        Err(e) if datasets.is_empty() => return Err(e),
        Err(e) => own_left_out = e.to_string().lines().next().map(|line| line.replace(file::GIVE, "")),
    }
    let read: Vec<(&PathBuf, Vec<Example>)> =
        datasets.iter().map(|file| Ok((file, mmau::load(file, Path::new(""))?))).collect::<Result<_>>()?;
    for (file, examples) in &read {
        let asked = shared(&all, examples, &name, file)?;
        sets.push((Set::of(file, examples.len(), all.len(), &asked)?, asked));
    }
    name_apart(sets.iter_mut().map(|(set, _)| set).collect());
    let mut common: HashSet<&str> = all.keys().map(String::as_str).collect();
    for (_, asked) in &sets {
        let ids: HashSet<&str> = asked.iter().map(|a| a.id).collect();
        common.retain(|id| ids.contains(id));
    }
    let sets = sets.into_iter().map(|(set, asked)| set.scored(rules, &asked, &common)).collect();
    Ok(Matrix {
        predictions: name,
        sha256: Sha256::of(&bytes),
        rows: all.len() as u64,
        answered: count,
        common: common.len() as u64,
        rules: rules.iter().map(|rule| rule.name()).collect(),
        own_left_out,
        sets,
    })
}

/// Sets of one name are called by their files.
fn name_apart(sets: Vec<&mut Set>) {
    let names: Vec<String> = sets.iter().map(|set| set.name.clone()).collect();
    for set in sets {
        if let Some(file) = set.file.as_ref().filter(|_| names.iter().filter(|name| **name == set.name).count() > 1) {
            set.name.clone_from(file);
        }
    }
}

/// The questions that the predictions carry themselves.
fn own<'a>(all: &'a IndexMap<String, Said<'a>>, name: &str) -> Result<Vec<Asked<'a>>> {
    let mut problems = Problems::of(name);
    let mut asked = Vec::with_capacity(all.len());
    for (index, (id, said)) in all.iter().enumerate() {
        match Facts::own(&Row(said.row)) {
            Ok(facts) => asked.push(Asked { id, facts, prediction: said.prediction, identical: Some(true) }),
            // As when it is scored alone: a missing question is only counted.
            Err(_) if said.prediction.is_none() => {
                asked.push(Asked { id, facts: Facts::default(), prediction: None, identical: None });
            }
            Err(what) => problems.add(mmau::Place(index, said.row), what + file::GIVE),
        }
    }
    problems.or(asked)
}

/// The questions of a data set that the predictions have the id of, in the data set's order.
fn shared<'a>(
    all: &IndexMap<String, Said<'a>>,
    examples: &'a [Example],
    name: &str,
    file: &Path,
) -> Result<Vec<Asked<'a>>> {
    let mut asked = Vec::new();
    for example in examples {
        let Some(said) = all.get(&example.id) else { continue };
        let facts = Facts::of(example).map_err(|what| {
            Error::request(format!("{}: question {}: {what} (leave this data set out)", file.display(), example.id))
        })?;
        let identical = identical(said.row, &example.row);
        asked.push(Asked { id: &example.id, facts, prediction: said.prediction, identical });
    }
    if asked.iter().all(|a| a.prediction.is_none()) {
        let file = file.display();
        return Err(Error::request(format!(
            "{name}: expected predictions for questions of {file}, found none by its ids (`aqa-bench identify FILE` tells what either file is)"
        )));
    }
    Ok(asked)
}

/// Whether a row of predictions carries the data set's question, options and answer; `None` where it leaves one out and nothing differs.
fn identical(row: &Map<String, Value>, example: &Map<String, Value>) -> Option<bool> {
    let keys = ["question", "choices", "answer"].map(|key| Some(row.get(key)? == example.get(key)?));
    if keys.contains(&Some(false)) { Some(false) } else { keys.iter().all(Option::is_some).then_some(true) }
}

impl Set {
    fn own(asked: &[Asked<'_>]) -> Self {
        let all = asked.len() as u64;
        Self {
            name: "own rows".into(),
            file: None,
            sha256: None,
            questions: all,
            shared: all,
            identical: all,
            not_compared: 0,
            only_in_predictions: 0,
            only_in_dataset: 0,
            over: Vec::new(),
        }
    }

    fn of(file: &Path, questions: usize, rows: usize, asked: &[Asked<'_>]) -> Result<Self> {
        let sha256 = Sha256::of_file(file)?;
        let plain = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        let name = versions::find(&sha256)?.map_or(plain, |v| v.name.clone());
        let count = |is: Option<bool>| asked.iter().filter(|a| a.identical == is).count() as u64;
        Ok(Self {
            name,
            file: Some(file.display().to_string()),
            sha256: Some(sha256),
            questions: questions as u64,
            shared: asked.len() as u64,
            identical: count(Some(true)),
            not_compared: count(None),
            only_in_predictions: (rows - asked.len()) as u64,
            only_in_dataset: (questions - asked.len()) as u64,
            over: Vec::new(),
        })
    }

    fn scored(mut self, rules: &[Rule], asked: &[Asked<'_>], common: &HashSet<&str>) -> Self {
        let verdicts: Vec<Vec<Option<Verdict>>> = rules
            .iter()
            .map(|&rule| {
                asked.iter().map(|a| Some(judge(rule, &a.facts.answer, a.prediction?, &a.facts.choices))).collect()
            })
            .collect();
        let over = |which: Which, keep: &dyn Fn(&Asked<'_>) -> bool| {
            let scores = rules.iter().zip(&verdicts).map(|(&rule, verdicts)| {
                let kept = asked.iter().zip(verdicts).filter(|(a, _)| keep(a));
                let missing = kept.clone().filter(|(_, verdict)| verdict.is_none()).count() as u64;
                let judged = kept.filter_map(|(a, verdict)| Some(a.facts.judged((*verdict)?)));
                score_rows(rule, judged, missing)
            });
            let questions = asked.iter().filter(|a| keep(a)).count() as u64;
            Over { which, questions, scores: scores.collect() }
        };
        let all = over(Which::Shared, &|_| true);
        let common = over(Which::Common, &|a| common.contains(a.id));
        let identical = over(Which::Identical, &|a| a.identical == Some(true));
        let narrower = [common, identical].into_iter().filter(|o| o.questions > 0 && o.questions < all.questions);
        self.over = std::iter::once(all.clone()).chain(narrower).collect();
        self
    }
}
