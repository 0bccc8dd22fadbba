//! Rows from predictions that are there already: their files are scored, no model is run and no clip is heard.

mod run;

pub use run::run;

use crate::artifact::layout::StageFolder;
use crate::artifact::{EvalRecord, FromFile, SCHEMA, write};
use crate::data::identify::{Counted, counted};
use crate::data::{Example, mmau, mmau_parquet};
use crate::error::{Context, Error, Result};
use crate::pins::Sha256;
use crate::plan::Data;
use crate::recipe::Scored;
use crate::score::{self, Judged, Score};
use serde_json::Value;
use std::path::Path;

/// The questions that predictions are held against.
#[derive(Debug, Clone, PartialEq)]
pub struct Questions {
    /// `mmau` or `mmau-parquet`.
    pub format: String,
    /// SHA-256 of the questions file, or of the version of MMAU whose rows it has.
    pub sha256: Sha256,
    /// SHA-256 of the Parquet file that has them.
    pub packed: Option<Sha256>,
    /// All of them, in the order of the file.
    pub all: Vec<Example>,
}

/// AVQA's questions where they are to be answered: predictions and tables need what they do not have.
pub(crate) fn no_tasks(stage: &str, name: &str) -> Error {
    let expected = "expected questions with task and difficulty, by which tables are made";
    let way_out = "AVQA's are for training: evaluate on MMAU's, or on a synthetic set";
    Error::request(format!("{stage}: data set {name}: {expected}, found AVQA's ({way_out})"))
}

impl Questions {
    /// The questions of a data set that no stage makes.
    ///
    /// # Errors
    /// Exit code 4: the file is not on this machine. As the reader of the format says.
    pub fn load(data: &Data) -> Result<Self> {
        let made = || Error::internal("a data set that a stage makes was asked for as a file");
        let (format, path) = match data {
            Data::Mmau { files, .. } => ("mmau", files.questions()?),
            Data::MmauParquet { file, .. } => ("mmau-parquet", file.path()?),
            Data::Avqa { name, .. } => return Err(no_tasks("scores", name)),
            Data::Stage { .. } => return Err(made()),
        };
        let all = match data {
            Data::MmauParquet { .. } => mmau_parquet::load(&path, Path::new(""))?,
            _ => mmau::load(&path, Path::new(""))?,
        };
        let own = Sha256::of_file(&path)?;
        let Counted { format, sha256, packed } = match data {
            Data::MmauParquet { .. } => counted(&path, own)?,
            _ => Counted { format, sha256: own, packed: None },
        };
        Ok(Self { format: format.into(), sha256, packed, all })
    }
}

/// Scores a file into a stage's folder: `predictions.json` (the questions' rows with what counts as the answer), `score.json`, `eval.json`.
/// Questions without a prediction are missing: counted, and in no total. `limit` keeps the first so many questions.
///
/// # Errors
/// Exit code 4: the file is not there or not the pinned one, or the answers are withheld. Exit code 2: it is no predictions file, or not of
/// these questions; every problem by row.
pub fn score(scored: &Scored, questions: &Questions, limit: Option<usize>, place: &Path) -> Result<Score> {
    let name = scored.file.display().to_string();
    let bytes = std::fs::read(&scored.file).inputs(|| format!("cannot read {name}"))?;
    let sha256 = Sha256::of(&bytes);
    if let Some(pinned) = scored.sha256.as_ref().filter(|pinned| **pinned != sha256) {
        return Err(Error::inputs(format!("{name}: expected sha256 {pinned}, found {sha256} (another file)")));
    }
    let predictions = score::predictions(&bytes, &name, &scored.data, &questions.all)?;
    let asked = &questions.all[..limit.unwrap_or(usize::MAX).min(questions.all.len())];
    let (mut rows, mut judged, mut missing) = (Vec::with_capacity(asked.len()), Vec::with_capacity(asked.len()), 0);
    for example in asked {
        let gold = example.answer.as_deref().ok_or_else(|| {
            let why = "a file cannot be scored against answers that are not published";
            Error::inputs(format!("{}: the answer to question {} is withheld: {why}", scored.name, example.id))
        })?;
        let mut row = example.row.clone();
        match predictions.get(&example.id) {
            None => missing += 1,
            Some(text) => {
                let answer = score::extract(scored.extract, text);
                let verdict = score::judge(scored.rule, gold, &answer, &example.choices);
                let Example { task, difficulty, sub_category, .. } = example;
                judged.push(Judged { task, difficulty, sub_category, verdict });
                row.insert("model_prediction".into(), answer.into());
            }
        }
        rows.push(Value::Object(row));
    }
    let score = score::score_rows(scored.rule, judged, missing);
    let folder = StageFolder::new(place);
    write::replace_json(&folder.predictions(), &rows)?;
    write::replace_json(&folder.score(), &score)?;
    let file = scored.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    write::replace_json(
        &folder.eval(),
        &EvalRecord {
            schema: SCHEMA,
            name: scored.name.clone(),
            label: scored.label.clone(),
            policy: None,
            trained: false,
            dataset_format: questions.format.clone(),
            dataset: scored.data.clone(),
            dataset_sha256: questions.sha256.clone(),
            packed: questions.packed.clone(),
            asked: asked.len() as u64,
            questions: questions.all.len() as u64,
            system: None,
            prompt: String::new(),
            decoding: String::new(),
            extract: spelling(scored)?,
            rule: scored.rule.name().into(),
            cropped: 0,
            truncated: 0,
            damaged: 0,
            hearing: None,
            file: Some(FromFile { name: file, sha256 }),
            withheld: None,
        },
    )?;
    Ok(score)
}

/// How recipes spell the way in which answers are taken.
fn spelling(scored: &Scored) -> Result<String> {
    match serde_json::to_value(scored.extract).internal(|| "cannot spell how answers are taken".into())? {
        Value::String(text) => Ok(text),
        other => Err(Error::internal(format!("how answers are taken is spelt {other}"))),
    }
}
