//! Reading rows of JSON objects with every problem reported at once, each by file, row and key.

use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt::Display;

/// Problems shown in full; the others are counted.
const SHOWN: usize = 20;

/// The problems of one file.
pub(crate) struct Problems {
    file: String,
    lines: Vec<String>,
    more: usize,
}

impl Problems {
    /// None yet, of this file.
    pub(crate) fn of(file: &str) -> Self {
        Self { file: file.to_owned(), lines: Vec::new(), more: 0 }
    }

    /// Adds one; `place` is a row or a line.
    pub(crate) fn add(&mut self, place: impl Display, what: impl Display) {
        if self.lines.len() < SHOWN {
            self.lines.push(format!("{}: {place}: {what}", self.file));
        } else {
            self.more += 1;
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The value if there was no problem.
    pub(crate) fn or<T>(self, value: T) -> Result<T> {
        if self.lines.is_empty() {
            return Ok(value);
        }
        let mut lines = self.lines;
        if self.more > 0 {
            lines.push(format!("and {} more", self.more));
        }
        Err(Error::request(lines.join("\n")))
    }
}

/// One row: a JSON object whose keys are asked for by what they should hold.
pub(crate) struct Row<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Row<'a> {
    /// A text; `None` when the key is absent or null.
    pub(crate) fn optional_text(&self, key: &str) -> Result<Option<&'a str>, String> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!("{key}: expected a text, found {}", describe(other))),
        }
    }

    /// A text that must be there and not be empty.
    pub(crate) fn text(&self, key: &str) -> Result<&'a str, String> {
        match self.optional_text(key)? {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) => Err(format!("{key}: expected a text, found an empty one")),
            None => Err(format!("{key}: expected a text, found none")),
        }
    }

    /// A list of at least `least` texts.
    pub(crate) fn texts(&self, key: &str, least: usize) -> Result<Vec<String>, String> {
        let wrong = |found: &str| format!("{key}: expected a list of at least {least} texts, found {found}");
        let items = match self.0.get(key) {
            Some(Value::Array(items)) => items,
            Some(other) => return Err(wrong(&describe(other))),
            None => return Err(wrong("none")),
        };
        if items.len() < least {
            return Err(wrong(&items.len().to_string()));
        }
        let text = |item: &Value| match item {
            Value::String(text) => Ok(text.clone()),
            other => Err(wrong(&format!("{} among them", describe(other)))),
        };
        items.iter().map(text).collect()
    }

    /// A text or a list of one text, as MMAU's `category` is spelt; absent is fine.
    pub(crate) fn text_or_single(&self, key: &str) -> Result<Option<&'a str>, String> {
        match self.0.get(key) {
            Some(Value::Array(items)) => match items.as_slice() {
                [Value::String(text)] => Ok(Some(text)),
                _ => Err(format!("{key}: expected a text or a list of one, found {}", describe(&self.0[key]))),
            },
            _ => self.optional_text(key),
        }
    }
}

/// The id of a row, a text or a whole number; `seen` holds the places of the ids so far, for the message about a second one.
pub(crate) fn id_of<P: Display + Clone>(row: &Row, place: &P, seen: &mut HashMap<String, P>) -> Result<String, String> {
    let id = match row.0.get("id") {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Number(number)) if number.is_u64() => number.to_string(),
        Some(other) => return Err(format!("id: expected a text, found {}", describe(other))),
        None => return Err("id: expected a text, found none".into()),
    };
    match seen.get(&id) {
        Some(first) => Err(format!("id: {id:?} is already that of {first}")),
        None => {
            seen.insert(id.clone(), place.clone());
            Ok(id)
        }
    }
}

/// A value in a few words.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => format!("the number {n}"),
        Value::String(text) if text.is_empty() => "an empty text".into(),
        Value::String(text) => format!("the text {:?}", text.chars().take(40).collect::<String>()),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".into(),
    }
}
