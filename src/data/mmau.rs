//! MMAU's question files (Sakshi113/MMAU, mmau-test-mini.json and mmau-test.json), as they are in the wild.

use super::row::describe;
use super::{Example, Problems, Row, id_of};
use crate::error::{Context, Error, Result};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// Keys of a prediction: MMAU's script reads the first, R1-AQA writes the second.
pub(crate) const PREDICTIONS: [&str; 2] = ["model_output", "model_prediction"];

/// Reads a question file. Clips are looked for in `audio_dir` by the file name of `audio_id`; whether they are there is not
/// checked here. `category` may be a text or a list of one; there are two options or more, the same one may stand twice; an
/// absent or empty `answer` is withheld; one that is no option is accepted (see [`super::notes`]).
///
/// # Errors
/// The file cannot be read (exit code 4). It is not a JSON array of such rows: every problem by row and key, up to 20 (exit
/// code 2).
pub fn load(file: &Path, audio_dir: &Path) -> Result<Vec<Example>> {
    let bytes = std::fs::read(file).inputs(|| format!("cannot read {}", file.display()))?;
    from_slice(&bytes, &file.display().to_string(), audio_dir)
}

/// Reads the content of a question file; `name` names it in messages. See [`load`].
///
/// # Errors
/// As [`load`].
pub fn from_slice(bytes: &[u8], name: &str, audio_dir: &Path) -> Result<Vec<Example>> {
    of_rows(rows(bytes, name)?, name, audio_dir)
}

/// Questions from the rows of a file.
pub(super) fn of_rows(rows: Vec<Map<String, Value>>, name: &str, audio_dir: &Path) -> Result<Vec<Example>> {
    let mut problems = Problems::of(name);
    let mut seen = HashMap::new();
    let mut examples = Vec::with_capacity(rows.len());
    for (index, row) in rows.into_iter().enumerate() {
        let place = Place(index, &row).to_string();
        match example(row, &place, &mut seen, audio_dir) {
            Ok(example) => examples.push(example),
            Err(all) => all.iter().for_each(|what| problems.add(&place, what)),
        }
    }
    problems.or(examples)
}

/// The rows of a file that is a JSON array of objects.
pub(crate) fn rows(bytes: &[u8], name: &str) -> Result<Vec<Map<String, Value>>> {
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(e) => {
            return Err(Error::request(format!(
                "{name}:{}:{}: expected a JSON array of questions, found no JSON: {e}",
                e.line(),
                e.column()
            )));
        }
    };
    let Value::Array(items) = value else {
        return Err(Error::request(format!("{name}: expected a JSON array of questions, found {}", describe(&value))));
    };
    let mut problems = Problems::of(name);
    let mut rows = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        match item {
            Value::Object(row) => rows.push(row),
            other => problems.add(format!("row {index}"), format!("expected an object, found {}", describe(&other))),
        }
    }
    if rows.is_empty() && problems.is_empty() {
        return Err(Error::request(format!("{name}: expected a JSON array of questions, found an empty one")));
    }
    problems.or(rows)
}

/// [`rows`] with these keys of each and no others: half the time for a predictions file, most of which no verdict depends on.
pub(crate) fn rows_with(keys: &[&str], bytes: &[u8], name: &str) -> Result<Vec<Map<String, Value>>> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = RowsWith(keys).deserialize(&mut reader).and_then(|rows| reader.end().map(|()| rows));
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        // What is wrong is said by the reader of everything, which also takes keys with escapes.
        _ => rows(bytes, name),
    }
}

/// An array of objects, then an object, of which some keys are kept.
struct RowsWith<'k>(&'k [&'k str]);
struct RowWith<'k>(&'k [&'k str]);

impl<'de> DeserializeSeed<'de> for RowsWith<'_> {
    type Value = Vec<Map<String, Value>>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsWith<'_> {
    type Value = Vec<Map<String, Value>>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = items.next_element_seed(RowWith(self.0))? {
            rows.push(row);
        }
        Ok(rows)
    }
}

impl<'de> DeserializeSeed<'de> for RowWith<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowWith<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut row = Map::new();
        while let Some(key) = entries.next_key::<&str>()? {
            if self.0.contains(&key) {
                row.insert(key.to_owned(), entries.next_value()?);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(row)
    }
}

/// How messages name a row: its index from 0, and its id where there is one.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a>(pub(crate) usize, pub(crate) &'a Map<String, Value>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1.get("id") {
            Some(Value::String(id)) => write!(f, "row {} ({id})", self.0),
            _ => write!(f, "row {}", self.0),
        }
    }
}

fn example(
    object: Map<String, Value>,
    place: &String,
    seen: &mut HashMap<String, String>,
    audio_dir: &Path,
) -> Result<Example, Vec<String>> {
    let row = Row(&object);
    let mut problems = Vec::new();
    let id = keep(&mut problems, id_of(&row, place, seen));
    let audio = keep(&mut problems, file_name(&row, "audio_id"));
    let question = keep(&mut problems, row.text("question"));
    let choices = keep(&mut problems, row.texts("choices", 2));
    let answer = keep(&mut problems, row.optional_text("answer"));
    let task = keep(&mut problems, row.text("task"));
    let difficulty = keep(&mut problems, row.text("difficulty"));
    let sub_category = keep(&mut problems, row.optional_text("sub-category"));
    keep(&mut problems, row.text_or_single("category"));
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Example {
        id,
        audio: audio_dir.join(audio),
        question: question.to_owned(),
        choices,
        answer: answer.filter(|a| !a.is_empty()).map(str::to_owned),
        task: task.to_owned(),
        difficulty: difficulty.to_owned(),
        sub_category: sub_category.unwrap_or_default().to_owned(),
        row: object,
    })
}

/// The value, or its default with the problem noted.
pub(super) fn keep<T: Default>(problems: &mut Vec<String>, result: Result<T, String>) -> T {
    result.unwrap_or_else(|problem| {
        problems.push(problem);
        T::default()
    })
}

/// The last component of a path with `/`, which must name a file.
pub(super) fn file_name<'a>(row: &Row<'a>, key: &str) -> Result<&'a str, String> {
    let path = row.text(key)?;
    match path.rsplit('/').next() {
        Some(name) if !matches!(name, "" | "." | "..") => Ok(name),
        _ => Err(format!("{key}: expected the path of a clip, found {path:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reading everything and leaving out the rest is the same, errors included.
    #[test]
    fn rows_with_some_keys_are_rows_without_the_others() {
        let keys = ["id", "choices", "answer"];
        let plain = |text: &str| {
            let mut all = rows(text.as_bytes(), "f.json").map_err(|e| e.to_string())?;
            all.iter_mut().for_each(|row| row.retain(|key, _| keys.contains(&key.as_str())));
            Ok::<_, String>(all)
        };
        let mut read = 0;
        for text in [
            r#"[{"id": "a", "more": [1, {"id": "no"}], "choices": ["x", "y"], "answer": null}, {}, {"other": 1}]"#,
            r#"[{"answer": "first", "id": 1, "answer": "second"}] "#,
            r#"[{"\u0069d": "escaped", "answer": "a\u00e9\n"}, {"id": "b"}]"#,
            "[]",
            "{}",
            "[{}] []",
            r#"[{"id": 1}, 3, "x"]"#,
            r#"[{"id": 1, "more": }]"#,
            r#"[{"id": "#,
            "",
        ] {
            let found = rows_with(&keys, text.as_bytes(), "f.json").map_err(|e| e.to_string());
            assert_eq!(found, plain(text), "{text}");
            read += usize::from(found.is_ok());
        }
        assert_eq!(read, 3);
    }
}
