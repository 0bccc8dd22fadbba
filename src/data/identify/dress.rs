//! The same rows in other bytes: what was put around them, and how it is taken off.

use crate::data::mmau::PREDICTIONS;
use crate::error::{Error, Result};
use crate::text;
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, PrettyFormatter, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

/// What distinguishes a file from the version that it holds, without changing a row of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Dress {
    /// A byte order mark in front.
    Bom,
    /// CRLF at the ends of lines.
    Crlf,
    /// A line end at the end of the file more or less.
    FinalNewline,
    /// Other white space, other escapes, or keys in another order.
    Rewritten,
    /// A model's answers beside the questions.
    Predictions {
        /// `model_output` or `model_prediction`.
        key: String,
        /// Rows that have one.
        rows: u64,
    },
    /// A key that MMAU does not have.
    ExtraKey {
        /// The key.
        key: String,
        /// Rows that have it.
        rows: u64,
    },
    /// The rows stand in another order.
    Reordered,
    /// The rows are in a Parquet file with their clips, letters before the choices ([`crate::data::mmau_parquet`]).
    Parquet,
}

impl fmt::Display for Dress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |rows: &u64| text::count(*rows, "row");
        match self {
            Self::Bom => f.write_str("a byte order mark in front"),
            Self::Crlf => f.write_str("CRLF line ends"),
            Self::FinalNewline => f.write_str("another end of the last line"),
            Self::Rewritten => f.write_str("written anew (white space, escapes or the order of keys)"),
            Self::Predictions { key, rows } => write!(f, "predictions of {} under `{key}`", of(rows)),
            Self::ExtraKey { key, rows } => write!(f, "the key `{key}` in {}", of(rows)),
            Self::Reordered => f.write_str("rows in another order"),
            Self::Parquet => f.write_str("a Parquet file with the clips, `(A) ` before each choice"),
        }
    }
}

/// The bytes without a byte order mark and with LF line ends, and which of them there were.
///
/// # Errors
/// Exit code 2: UTF-16, told by its byte order mark.
pub(super) fn plain<'b>(bytes: &'b [u8], name: &str, dress: &mut Vec<Dress>) -> Result<Cow<'b, [u8]>> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Error::request(format!(
            "{name}: expected UTF-8, found UTF-16 (save it as UTF-8; the downloaded file is)"
        )));
    }
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if body.len() < bytes.len() {
        dress.push(Dress::Bom);
    }
    // A bare CR or LF cannot stand in a JSON text, so nothing of the rows is touched.
    if !body.windows(2).any(|pair| pair == b"\r\n") {
        return Ok(body.into());
    }
    dress.push(Dress::Crlf);
    let kept = body.iter().enumerate().filter(|(at, byte)| **byte != b'\r' || body.get(at + 1) != Some(&b'\n'));
    Ok(kept.map(|(_, byte)| *byte).collect::<Vec<_>>().into())
}

/// Takes predictions and keys that are none of `known` off the rows, and says what was taken.
pub(super) fn bare(rows: &[Map<String, Value>], known: &[&str]) -> (Vec<Map<String, Value>>, Vec<Dress>) {
    let mut counts: indexmap::IndexMap<&str, u64> = indexmap::IndexMap::new();
    let mut out = rows.to_vec();
    for (row, bare) in rows.iter().zip(&mut out) {
        bare.retain(|key, _| known.contains(&key.as_str()));
        for key in row.keys().filter(|key| !known.contains(&key.as_str())) {
            *counts.entry(key).or_default() += 1;
        }
    }
    let dress = counts.into_iter().map(|(key, rows)| match key.to_owned() {
        key if PREDICTIONS.contains(&key.as_str()) => Dress::Predictions { key, rows },
        key => Dress::ExtraKey { key, rows },
    });
    (out, dress.collect())
}

/// How Python's `json.dump` writes a file: the known versions were written so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    indent: &'static str,
    ascii: bool,
    newline: bool,
}

/// The ways that MMAU's authors wrote it, and their neighbours.
pub(super) fn styles() -> impl Iterator<Item = Style> {
    let all = ["  ", "    "].into_iter().flat_map(|indent| [true, false].map(|ascii| (indent, ascii)));
    all.flat_map(|(indent, ascii)| [true, false].map(|newline| Style { indent, ascii, newline }))
}

impl Style {
    /// The rows written so.
    ///
    /// # Errors
    /// Exit code 1: none that is known of.
    pub(super) fn write(self, rows: &[Map<String, Value>]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let style = Python { pretty: PrettyFormatter::with_indent(self.indent.as_bytes()), ascii: self.ascii };
        rows.serialize(&mut Serializer::with_formatter(&mut out, style))
            .map_err(|e| Error::internal(format!("cannot write JSON: {e}")))?;
        out.extend(self.newline.then_some(b'\n'));
        Ok(out)
    }
}

/// serde_json's pretty form, with Python's escapes where only ASCII is wanted.
struct Python {
    pretty: PrettyFormatter<'static>,
    ascii: bool,
}

impl Formatter for Python {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        // Python also escapes DEL, which is ASCII.
        if !self.ascii || text.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return out.write_all(text.as_bytes());
        }
        for c in text.chars() {
            match c {
                ' '..='~' => out.write_all(&[c as u8])?,
                _ => c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))?,
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        self.pretty.write_char_escape(out, escape)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_object_value(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_are_written_as_python_writes_them() {
        let rows = [json!({"a": "\u{7f}\u{e9}\u{1f3b5}\n\"", "b": ["x"], "c": []})];
        let rows: Vec<_> = rows.iter().filter_map(|row| row.as_object().cloned()).collect();
        let style = Style { indent: "  ", ascii: true, newline: true };
        // json.dumps(rows, indent=2) of CPython 3.11, and with ensure_ascii=False.
        let ascii = "[\n  {\n    \"a\": \"\\u007f\\u00e9\\ud83c\\udfb5\\n\\\"\",\n    \"b\": [\n      \"x\"\n    ],\n    \"c\": []\n  }\n]\n";
        assert_eq!(String::from_utf8(style.write(&rows).unwrap()).unwrap(), ascii);
        let style = Style { ascii: false, newline: false, ..style };
        let other = ascii.trim_end().replace("\\u007f\\u00e9\\ud83c\\udfb5", "\u{7f}\u{e9}\u{1f3b5}");
        assert_eq!(String::from_utf8(style.write(&rows).unwrap()).unwrap(), other);
    }
}
