//! The samples of a page, as its script reads them.

use crate::error::{Context, Result};
use crate::report::answers::{self, Answer};
use crate::report::load::Run;
use crate::report::table;
use indexmap::IndexMap;
use serde::Serialize;

/// Everything that the script shows.
#[derive(Debug, Serialize)]
pub(super) struct Data {
    /// Versions of data sets.
    pub sets: Vec<Set>,
    /// Evaluations, in the order of the tables.
    pub evals: Vec<Eval>,
}

/// One version of a data set: the questions that any evaluation was asked.
#[derive(Debug, Serialize)]
pub(super) struct Set {
    /// Its name in the recipe.
    pub name: String,
    /// `mmau`, `mmau-parquet`, `avqa` or `synthetic`.
    #[serde(skip)]
    pub format: String,
    /// SHA-256 of its questions file.
    pub sha256: String,
    /// In the order of the file.
    pub questions: Vec<Question>,
}

/// One question.
#[derive(Debug, Serialize)]
pub(super) struct Question {
    pub id: String,
    pub question: String,
    pub choices: Vec<String>,
    /// `None` where it is withheld.
    pub gold: Option<String>,
    pub task: String,
    pub sub_category: String,
    pub difficulty: String,
    /// The clip's file name.
    pub audio: String,
    /// Where it can be played, from the page; `None` when it is not there.
    pub clip: Option<String>,
}

/// One evaluation.
#[derive(Debug, Serialize)]
pub(super) struct Eval {
    /// What its row is called.
    pub label: String,
    /// Which table it stands in: only rows of a table may be compared.
    pub table: usize,
    /// Place of its data set.
    pub set: usize,
    /// Its recipe.
    pub recipe: String,
    /// One a question that it was asked, with the place of that question in the set.
    pub answers: Vec<(usize, Answer)>,
}

/// The questions and answers of some runs.
///
/// # Errors
/// As [`answers::answers`].
pub(super) fn data(runs: &[Run]) -> Result<Data> {
    let mut sets: IndexMap<String, (Set, IndexMap<String, usize>)> = IndexMap::new();
    let mut evals = Vec::new();
    for (table, entries) in table::grouped(runs)?.iter().enumerate() {
        for entry in entries {
            let record = &entry.eval.record;
            let answers = answers::answers(entry.run, entry.eval)?;
            let slot = sets.entry(record.dataset_sha256.to_string());
            let at = slot.index();
            let (set, places) = slot.or_insert_with(|| {
                let (name, format) = (record.dataset.clone(), record.dataset_format.clone());
                (
                    Set { name, format, sha256: record.dataset_sha256.to_string(), questions: Vec::new() },
                    IndexMap::new(),
                )
            });
            let mut given = Vec::with_capacity(answers.len());
            for (row, answer) in entry.eval.predictions.iter().zip(answers) {
                let place = *places.entry(row.id.clone()).or_insert_with(|| {
                    set.questions.push(Question {
                        id: row.id.clone(),
                        question: row.question.clone(),
                        choices: row.choices.clone(),
                        gold: row.answer.clone(),
                        task: row.task.clone(),
                        sub_category: row.sub_category.clone(),
                        difficulty: row.difficulty.clone(),
                        audio: row.audio.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                        clip: None,
                    });
                    set.questions.len() - 1
                });
                given.push((place, answer));
            }
            evals.push(Eval {
                label: entry.label.clone(),
                table,
                set: at,
                recipe: entry.run.recipe.clone(),
                answers: given,
            });
        }
    }
    Ok(Data { sets: sets.into_values().map(|(set, _)| set).collect(), evals })
}

impl Data {
    /// The questions of all sets.
    pub(super) fn questions(&self) -> impl Iterator<Item = &Question> {
        self.sets.iter().flat_map(|set| &set.questions)
    }

    /// A script that sets one variable. `<` is spelt as an escape, so that the text is inert wherever it is put.
    pub(super) fn to_js(&self) -> Result<String> {
        let json = serde_json::to_string(self).internal(|| "cannot write the samples of the page".into())?;
        let json = json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        Ok(format!("window.AQA = {json};\n"))
    }
}
