//! A question about a clip: which task, which class, which words, in which order.

use super::clip::Clearness;
use super::sounds::Sound;
use super::tasks::{self, TaskInfo};
use crate::error::{Error, Result};
use crate::pins::Sha256;
use crate::recipe::Synthetic;
use crate::seeds::Key;
use serde::Serialize;

/// A question before its clip is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// `SPLIT-SEED-INDEX`, the index in five digits.
    pub id: String,
    /// What is heard.
    pub sound: Sound,
    /// The question's text.
    pub text: &'static str,
    /// Four words, in random order.
    pub choices: Vec<&'static str>,
    /// The one that is right.
    pub answer: &'static str,
    /// `easy`, `medium` or `hard`, by the background noise.
    pub difficulty: &'static str,
    name: &'static str,
}

impl Question {
    /// Question `index` of a split, for a task; a function of these four and nothing else.
    pub fn draw(seed: u64, split: &str, index: usize, task: &'static TaskInfo) -> Self {
        let mut draw = Key::derive(seed, "synth.question", &[split, &index.to_string()]).stream();
        let mut classes: Vec<usize> = (0..task.classes.len()).collect();
        draw.shuffle(&mut classes);
        let mut choices: Vec<&'static str> =
            classes[..4].iter().map(|&c| task.classes[c].names[draw.below(task.classes[c].names.len())]).collect();
        let answer = choices[0];
        draw.shuffle(&mut choices);
        Self {
            id: format!("{split}-{seed}-{index:05}"),
            sound: task.classes[classes[0]].sound,
            text: task.phrasings[draw.below(task.phrasings.len())],
            choices,
            answer,
            difficulty: Clearness::draw(seed, split, index).difficulty(),
            name: task.name,
        }
    }

    /// The task it was drawn for.
    pub fn task(&self) -> &'static TaskInfo {
        tasks::find(self.name).expect("a question is only drawn for a task that exists")
    }

    /// The row of `questions.json`: MMAU's keys in MMAU's order, then `audio_sha256`.
    pub(super) fn row<'a>(&'a self, split: &'a str, audio_sha256: &'a Sha256) -> Row<'a> {
        let task = self.task();
        Row {
            id: &self.id,
            audio_id: format!("./audios/{}.wav", self.id),
            question: self.text,
            choices: &self.choices,
            answer: self.answer,
            dataset: "aqa-bench-synthetic",
            task: task.task,
            split,
            category: task.category,
            sub_category: task.sub_category,
            difficulty: self.difficulty,
            audio_sha256,
        }
    }
}

/// A row as MMAU writes it.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    id: &'a str,
    audio_id: String,
    question: &'a str,
    choices: &'a [&'static str],
    answer: &'a str,
    dataset: &'a str,
    task: &'a str,
    split: &'a str,
    category: &'a str,
    #[serde(rename = "sub-category")]
    sub_category: &'a str,
    difficulty: &'a str,
    audio_sha256: &'a Sha256,
}

/// The questions of a data set, without their clips: spread evenly over the tasks (the first take what is left over), then
/// shuffled.
///
/// # Errors
/// Request errors: no questions, no task, an unknown task, a task named twice, a split that cannot be part of a file name.
pub fn questions(spec: &Synthetic) -> Result<Vec<Question>> {
    let Synthetic { seed, split, tasks: names, count, .. } = spec;
    if split.is_empty() || !split.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err(Error::request(format!(
            "synthetic split: expected lower-case letters, digits and dashes, found {split:?}"
        )));
    }
    if *count == 0 {
        return Err(Error::request("synthetic count: expected at least 1 question, found 0"));
    }
    let tasks: Vec<&'static TaskInfo> = names.iter().map(|name| tasks::find(name)).collect::<Result<_>>()?;
    if tasks.is_empty() {
        return Err(Error::request("synthetic tasks: expected at least one task, found none"));
    }
    if let Some((i, name)) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        return Err(Error::request(format!("synthetic tasks: {name:?} is named twice (again as number {})", i + 1)));
    }
    let mut order: Vec<&'static TaskInfo> = (0..*count).map(|i| tasks[i % tasks.len()]).collect();
    Key::derive(*seed, "synth.order", &[split]).stream().shuffle(&mut order);
    Ok(order.into_iter().enumerate().map(|(i, task)| Question::draw(*seed, split, i, task)).collect())
}
