//! The rows of a file that is a JSON array of objects, read as they come: what no one asks for is never kept, so that a file takes little more memory
//! than its own size, whatever is in it.

use super::row::{Problems, describe};
use crate::error::{Error, Result};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

/// What a file should be.
const EXPECTED: &str = "expected a JSON array of questions";
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The rows of a file with all their keys.
///
/// # Errors
/// Exit code 2: it is no JSON array of objects, with the place and, for the usual mishaps (JSON lines, NaN, UTF-16, half a file), the way out.
pub(crate) fn rows(bytes: &[u8], name: &str) -> Result<Vec<Map<String, Value>>> {
    read(None, bytes, name)
}

/// [`rows`] with these keys of each and no others: half the time for a predictions file, most of which no verdict depends on.
pub(crate) fn rows_with(keys: &[&str], bytes: &[u8], name: &str) -> Result<Vec<Map<String, Value>>> {
    read(Some(keys), bytes, name)
}

/// A text without the byte order mark that some programs put in front.
pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BOM).unwrap_or(bytes)
}

fn read(keys: Option<&[&str]>, bytes: &[u8], name: &str) -> Result<Vec<Map<String, Value>>> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Error::request(format!("{name}: expected UTF-8, found UTF-16 (save it as UTF-8)")));
    }
    let text = without_mark(bytes);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::request(format!("{name}: {EXPECTED}, found an empty file")));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let items =
        match (Item { keys, file: Some(name) }).deserialize(&mut reader).and_then(|found| reader.end().map(|()| found))
        {
            Err(e) => return Err(no_json(text, name, &e)),
            Ok(Found::Items(items)) => items,
            Ok(Found::Row(_)) => {
                return Err(Error::request(format!("{name}: {EXPECTED}, found an object (put it in [ ])")));
            }
            Ok(Found::Other(what)) => return Err(Error::request(format!("{name}: {EXPECTED}, found {what}"))),
        };
    let (rows, problems) = items;
    if rows.is_empty() && problems.is_empty() {
        return Err(Error::request(format!("{name}: {EXPECTED}, found an empty one")));
    }
    problems.or(rows)
}

/// What is wrong with a text that is no JSON, and what it probably is.
fn no_json(text: &[u8], name: &str, e: &serde_json::Error) -> Error {
    let line_starts = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let line = std::iter::once(0).chain(line_starts).nth(e.line().saturating_sub(1)).unwrap_or(text.len());
    let at = |column: usize| text.get(line + column..).unwrap_or_default();
    let not_a_number = |column| [&b"NaN"[..], b"Infinity"].iter().any(|word| at(column).starts_with(word));
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let way_out = if not_a_number(e.column().saturating_sub(1)) || not_a_number(e.column()) {
        " (JSON has no NaN; Python's json writes it for a missing value: leave the key out where there is no prediction)"
    } else if first == Some(&b'{') && e.to_string().starts_with("trailing characters") {
        " (JSON lines? `jq -s . FILE` makes an array of them)"
    } else if e.is_eof() {
        " (the file ends early: was it copied in part?)"
    } else {
        ""
    };
    Error::request(format!("{name}:{}:{}: {EXPECTED}, found no JSON: {e}{way_out}", e.line(), e.column()))
}

/// What a value is.
enum Found {
    Row(Map<String, Value>),
    /// The file's array: its objects, and what was there beside them.
    Items((Vec<Map<String, Value>>, Problems)),
    Other(Other),
}

/// A value that is no object, in a few words when it is asked for them.
enum Other {
    Scalar(Value),
    /// A list of so many.
    List(u64),
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Scalar(value) => f.write_str(&describe(value)),
            Self::List(count) => write!(f, "a list of {count}"),
        }
    }
}

/// A value of a file: the file as a whole, by its name, or an item of its array.
struct Item<'k> {
    /// The keys to keep; all where there are none.
    keys: Option<&'k [&'k str]>,
    file: Option<&'k str>,
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Found, D::Error> {
        reader.deserialize_any(self)
    }
}

impl Item<'_> {
    fn scalar<E>(value: impl Into<Value>) -> Result<Found, E> {
        Ok(Found::Other(Other::Scalar(value.into())))
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Found, A::Error> {
        let Some(file) = self.file else {
            let mut count = 0;
            while items.next_element::<IgnoredAny>()?.is_some() {
                count += 1;
            }
            return Ok(Found::Other(Other::List(count)));
        };
        let (mut rows, mut problems, mut index) = (Vec::new(), Problems::of(file), 0);
        while let Some(found) = items.next_element_seed(Item { file: None, ..self })? {
            match found {
                Found::Row(row) => rows.push(row),
                Found::Other(what) => {
                    problems.add(format_args!("row {index}"), format_args!("expected an object, found {what}"))
                }
                // Only the file itself is read as items.
                Found::Items(_) => {}
            }
            index += 1;
        }
        Ok(Found::Items((rows, problems)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Found, A::Error> {
        let mut row = Map::new();
        while let Some(Key(key)) = entries.next_key()? {
            if self.keys.is_none_or(|keys| keys.contains(&key.as_ref())) {
                row.insert(key.into_owned(), entries.next_value()?);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Found::Row(row))
    }

    fn visit_str<E>(self, text: &str) -> Result<Found, E> {
        Self::scalar(text)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Found, E> {
        Self::scalar(number)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Found, E> {
        Self::scalar(number)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Found, E> {
        Self::scalar(number)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Found, E> {
        Self::scalar(is)
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Self::scalar(Value::Null)
    }
}

/// A key, borrowed from the file unless it has escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    /// What a tree of the whole file holds: its objects, or nothing where it is anything but a list of them.
    fn by_tree(text: &str, keys: &[&str]) -> Option<Vec<Map<String, Value>>> {
        let Value::Array(items) = serde_json::from_str(text).ok()? else { return None };
        let mut rows: Vec<_> = items.iter().map(|item| item.as_object().cloned()).collect::<Option<_>>()?;
        rows.iter_mut().for_each(|row| row.retain(|key, _| keys.contains(&key.as_str())));
        (!rows.is_empty()).then_some(rows)
    }

    #[test]
    fn rows_are_what_a_tree_of_the_file_holds() {
        let keys = ["id", "choices", "answer"];
        let all = [&keys[..], &["more", "other"]].concat();
        let mut read = 0;
        for text in [
            r#"[{"id": "a", "more": [1, {"id": "no"}], "choices": ["x", "y"], "answer": null}, {}, {"other": 1}]"#,
            r#"[{"answer": "first", "id": 1, "answer": "second"}] "#,
            r#"[{"\u0069d": "escaped", "answer": "a\u00e9\n"}, {"id": "b"}]"#,
            "[]",
            "{}",
            "3",
            "[{}] []",
            r#"[{"id": 1}, 3, "x"]"#,
            r#"[{"id": 1}, [{"id": 2}]]"#,
            r#"[{"id": 1, "more": }]"#,
            r#"[{"id": "#,
            "",
        ] {
            let found = rows_with(&keys, text.as_bytes(), "f.json").ok();
            assert_eq!(found, by_tree(text, &keys), "{text}");
            assert_eq!(rows(text.as_bytes(), "f.json").ok(), by_tree(text, &all), "{text}");
            let windows = format!("\u{feff}{}\r\n", text.replace(' ', "\r\n"));
            assert_eq!(rows_with(&keys, windows.as_bytes(), "f.json").ok(), found, "{windows:?}");
            read += usize::from(found.is_some());
        }
        assert_eq!(read, 3);
    }

    #[test]
    fn what_is_no_list_of_objects_is_said_with_the_way_out() {
        let said = |text: &[u8]| rows(text, "f.json").unwrap_err().to_string();
        for (text, expected) in [
            (
                "[{\"a\": 1}, 7, \"x\", [1, 2], null]",
                "f.json: row 1: expected an object, found the number 7\nf.json: row 2: expected an object, found the text \"x\"\nf.json: row 3: expected an object, found a list of 2\nf.json: row 4: expected an object, found null",
            ),
            ("{\"a\": 1}", "f.json: expected a JSON array of questions, found an object (put it in [ ])"),
            ("true", "f.json: expected a JSON array of questions, found true"),
            (" \r\n", "f.json: expected a JSON array of questions, found an empty file"),
            ("[]", "f.json: expected a JSON array of questions, found an empty one"),
            (
                "{\"a\": 1}\n{\"a\": 2}\n",
                "f.json:2:1: expected a JSON array of questions, found no JSON: trailing characters at line 2 column 1 (JSON lines? `jq -s . FILE` makes an array of them)",
            ),
            (
                "[{\"a\": \"b",
                "f.json:1:9: expected a JSON array of questions, found no JSON: EOF while parsing a string at line 1 column 9 (the file ends early: was it copied in part?)",
            ),
        ] {
            assert_eq!(said(text.as_bytes()), expected);
        }
        for number in ["NaN", "-Infinity", "Infinity"] {
            let message = said(format!("[\n{{\"a\": {number}}}]").as_bytes());
            assert!(message.starts_with("f.json:2:") && message.contains("JSON has no NaN"), "{number}: {message}");
        }
        assert!(said(b"\xff\xfe[\0]\0").contains("found UTF-16"));
    }
}
