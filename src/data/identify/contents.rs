//! What a file of MMAU's rows holds, and what is odd about it.

use crate::data::Row;
use crate::text;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value};

/// How MMAU spells its difficulties, but for six rows of the first uploads.
const DIFFICULTIES: [&str; 3] = ["easy", "medium", "hard"];

/// Counts of a file's rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Contents {
    /// All of them.
    pub rows: u64,
    /// By task: sound, music, speech, then others in order of appearance.
    pub task: IndexMap<String, u64>,
    /// By difficulty as spelt: easy, medium, hard, then others in order of appearance.
    pub difficulty: IndexMap<String, u64>,
    /// Rows without `id` (the first upload).
    pub without_id: u64,
    /// The answer is none of the choices (147 in the upload of 2025-05-15).
    pub answers_outside: u64,
    /// The answer is an empty text (the test file).
    pub withheld: u64,
    /// The same choice stands twice.
    pub duplicate_choices: u64,
    /// `category` is a list of one text, which a reader must take as the text.
    pub category_lists: u64,
}

impl Contents {
    /// Counts rows.
    pub(super) fn of(rows: &[Map<String, Value>]) -> Self {
        let known = |names: [&str; 3]| names.map(|name| (name.to_owned(), 0)).into_iter().collect();
        let (task, difficulty) = (known(["sound", "music", "speech"]), known(DIFFICULTIES));
        let mut all = Self { rows: rows.len() as u64, task, difficulty, ..Self::default() };
        for object in rows {
            let row = Row(object);
            let label = |key| row.optional_text(key).ok().flatten();
            let mut count = |counts: fn(&mut Self) -> &mut IndexMap<String, u64>, key| {
                if let Some(name) = label(key) {
                    *counts(&mut all).entry(name.to_owned()).or_default() += 1;
                }
            };
            count(|all| &mut all.task, "task");
            count(|all| &mut all.difficulty, "difficulty");
            all.without_id += u64::from(!object.contains_key("id"));
            all.category_lists += u64::from(matches!(object.get("category"), Some(Value::Array(_))));
            all.withheld += u64::from(label("answer") == Some(""));
            if let Ok(choices) = row.texts("choices", 1) {
                let outside = label("answer").is_some_and(|a| !a.is_empty() && !choices.iter().any(|c| c == a));
                all.answers_outside += u64::from(outside);
                let twice = choices.iter().enumerate().any(|(at, choice)| choices[..at].contains(choice));
                all.duplicate_choices += u64::from(twice);
            }
        }
        all.task.retain(|_, count| *count > 0);
        all.difficulty.retain(|_, count| *count > 0);
        all
    }

    /// What is odd, a sentence each.
    pub fn odd(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                out.push(format!("{} {what}", text::count(count, "row")));
            }
        };
        say(self.answers_outside, "with an answer that is none of the choices");
        say(self.without_id, "without `id`");
        for (label, count) in self.difficulty.iter().filter(|(d, _)| !DIFFICULTIES.contains(&d.as_str())) {
            say(*count, &format!("with the difficulty {label:?}, which is none of easy, medium and hard"));
        }
        say(self.withheld, "with the answer withheld");
        say(self.duplicate_choices, "with the same choice twice");
        say(self.category_lists, "with a list as category");
        out
    }
}
