//! A recipe as written: YAML read into a small tree that knows where every key and value stands.
//!
//! The dialect is YAML 1.2's core schema, made narrower where it surprises: numbers are decimal, without underscores,
//! leading zeros or signs of `+`; anchors, aliases, merge keys, tags and several documents are refused, so that what a
//! line says can be read on that line. `1e3` is a float, never a whole number.

use super::problem::{At, Problems};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Recipes are shallow; a deeper file is a mistake or an attack.
const MAX_DEPTH: usize = 32;

/// The merge key of YAML 1.1. It is refused, and its value dropped; so is the value of any other key that is refused.
const MERGE: &str = "<<";

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub at: At,
    pub value: Value,
}

/// What is written there.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// `plain` means: without quotes, so that it may be a number, a boolean or nothing.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Something that is reported already; nothing more is said about it.
    Refused,
}

/// A key of a map with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: String,
    pub at: At,
    pub node: Node,
}

/// What a scalar means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'a str),
}

impl Node {
    pub fn scalar(&self) -> Option<Scalar<'_>> {
        match &self.value {
            Value::Scalar { text, plain: true } => Some(classify(text)),
            Value::Scalar { text, plain: false } => Some(Scalar::Text(text)),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        self.scalar() == Some(Scalar::Null)
    }

    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|e| e.key == key)
    }

    /// What is there, for a message.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::List(items) if items.is_empty() => "an empty list".to_owned(),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Map(_) => "a map".to_owned(),
            Value::Refused => "what is refused".to_owned(),
            Value::Scalar { text, plain } => match classify(text) {
                Scalar::Null if *plain => "nothing".to_owned(),
                _ if text.is_empty() => "an empty text".to_owned(),
                Scalar::Text(_) => quote(text),
                _ if *plain => text.clone(),
                _ => format!("the text {}", quote(text)),
            },
        }
    }
}

/// Text in quotes, escaped and cut to a length that fits a line.
pub(super) fn quote(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn classify(text: &str) -> Scalar<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole: &str = digits.split(['.', 'e', 'E']).next().unwrap_or_default();
    let decimal = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'));
    if !decimal || !digits.starts_with(|c: char| c.is_ascii_digit()) || (whole.len() > 1 && whole.starts_with('0')) {
        return Scalar::Text(text);
    }
    if let Ok(int) = text.parse() {
        return Scalar::Int(int);
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Scalar::Float(float),
        _ => Scalar::Text(text),
    }
}

/// Reads a recipe file's text. What is wrong with the YAML goes to `problems`; `None` when there is no tree to go on with.
pub(super) fn parse(source: &str, problems: &mut Problems) -> Option<Node> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let node = read(source, "", &|span| At::File(span.start.line(), span.start.col() + 1), problems)?;
    if matches!(node.value, Value::Map(_)) {
        return Some(node);
    }
    let found = if node.is_null() { "an empty file".to_owned() } else { node.describe() };
    let hint = "start from one of the recipes that come with the program, or see `aqa-bench schema`";
    problems.add(&node.at, "", "a map with the keys of a recipe", found, hint);
    None
}

/// Reads the value of `--set KEY=VALUE`: the same YAML as in the file, so that a value means the same in both.
pub(super) fn parse_value(text: &str, key: &str, problems: &mut Problems) -> Option<Node> {
    read(text, key, &|_| At::Set(key.to_owned()), problems)
}

fn read(source: &str, base: &str, at: &dyn Fn(&Span) -> At, problems: &mut Problems) -> Option<Node> {
    let mut builder = Builder { problems, base, stack: Vec::new(), root: None, documents: 0 };
    for event in Parser::new_from_str(source) {
        match event {
            Ok((event, span)) => builder.event(event, at(&span))?,
            Err(error) => {
                let mark = error.marker();
                let place = at(&Span::empty(*mark));
                let line = source.lines().nth(mark.line().saturating_sub(1)).unwrap_or_default();
                let hint = if line.trim_start_matches(' ').starts_with('\t') {
                    "this line begins with a tab; YAML is indented with spaces"
                } else {
                    "check quotes, colons and indentation here and on the lines above"
                };
                builder.problems.add(&place, base, "YAML", format!("a syntax error: {}", error.info()), hint);
                return None;
            }
        }
    }
    let first = at(&Span::empty(saphyr_parser::Marker::new(0, 1, 0)));
    Some(builder.root.unwrap_or(Node { at: first, value: Value::Scalar { text: String::new(), plain: true } }))
}

/// Builds the tree from the parser's events with a stack of its own, so that depth is bounded by us.
struct Builder<'p> {
    problems: &'p mut Problems,
    /// The path of the whole text: nothing for a file, the key of `--set` for its value.
    base: &'p str,
    stack: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

/// A list or map that is not closed yet.
struct Open {
    at: At,
    value: Value,
    /// The key that waits for its value; `None` in a list, or when a key is due.
    key: Option<(String, At)>,
}

impl Builder<'_> {
    /// Takes one event; `None` when reading must stop.
    fn event(&mut self, event: Event<'_>, at: At) -> Option<()> {
        let anchored = |id: usize| id != 0;
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let hint = "a recipe is one document: remove the line `---`";
                    self.problems.add(&at, self.base, "one YAML document", "a second one", hint);
                    return None;
                }
            }
            Event::Alias(_) => {
                let hint = "write the value out: a recipe is read line by line";
                self.refuse(&at, "a plain value", "a YAML alias", hint);
                self.put(Node { at, value: Value::Refused });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.marks(&at, anchored(anchor), tag.as_deref());
                let plain = style == ScalarStyle::Plain;
                self.put(Node { at, value: Value::Scalar { text: text.into_owned(), plain } });
            }
            Event::SequenceStart(anchor, tag) => {
                self.marks(&at, anchored(anchor), tag.as_deref());
                self.open(at, Value::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.marks(&at, anchored(anchor), tag.as_deref());
                self.open(at, Value::Map(Vec::new()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { at, value, .. }) = self.stack.pop() {
                    self.put(Node { at, value });
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Some(())
    }

    fn open(&mut self, at: At, value: Value) -> Option<()> {
        if self.stack.len() >= MAX_DEPTH {
            let expected = format!("at most {MAX_DEPTH} levels of lists and maps");
            self.refuse(&at, &expected, "more", "a recipe needs far fewer");
            return None;
        }
        self.stack.push(Open { at, value, key: None });
        Some(())
    }

    fn put(&mut self, node: Node) {
        let path = self.path();
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        let entries = match &mut open.value {
            Value::Map(entries) => entries,
            Value::List(items) => return items.push(node),
            Value::Scalar { .. } | Value::Refused => return,
        };
        match open.key.take() {
            None => {
                let key = match node.value {
                    Value::Scalar { text, .. } if text == MERGE => {
                        let hint = "write the keys out: a recipe is read line by line";
                        self.problems.add(&node.at, &path, "plain keys", "the YAML merge key `<<`", hint);
                        text
                    }
                    Value::Scalar { text, .. } => text,
                    _ => {
                        let hint = "keys are names; put lists and maps behind the colon";
                        self.problems.add(&node.at, &path, "a name as key", "a list or map", hint);
                        MERGE.to_owned()
                    }
                };
                open.key = Some((key, node.at));
            }
            Some((key, _)) if key == MERGE => {}
            Some((key, at)) => match entries.iter().find(|e| e.key == key) {
                Some(first) => {
                    let found = format!("{} a second time", quote(&key));
                    let hint = match &first.at {
                        At::File(line, _) => format!("it is given at line {line} already: remove one of them"),
                        At::Set(_) => "remove one of them".to_owned(),
                    };
                    self.problems.add(&at, &path, "each key once", found, &hint);
                }
                None => entries.push(Entry { key, at, node }),
            },
        }
    }

    fn marks(&mut self, at: &At, anchor: bool, tag: Option<&saphyr_parser::Tag>) {
        if anchor {
            self.refuse(at, "a plain value", "a YAML anchor", "write the value out where it is needed, without `&`");
        }
        if let Some(tag) = tag {
            let tag = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
            self.refuse(at, "a plain value", &format!("the YAML tag {}", quote(&tag)), "remove the tag");
        }
    }

    fn refuse(&mut self, at: &At, expected: &str, found: &str, hint: &str) {
        let path = self.path();
        self.problems.add(at, &path, expected, found, hint);
    }

    /// The path of what is being read.
    fn path(&self) -> String {
        self.stack.iter().fold(self.base.to_owned(), |path, open| match (&open.value, &open.key) {
            (Value::List(items), _) => format!("{path}[{}]", items.len()),
            (_, Some((key, _))) => join(&path, key),
            _ => path,
        })
    }
}

/// The path of a key below a path: `train[1]` and `steps` give `train[1].steps`; odd keys are quoted: `weights["a.b"]`.
pub(super) fn join(path: &str, key: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if key.is_empty() || !key.chars().all(word) {
        format!("{path}[{}]", quote(key))
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_the_core_schema_says_or_are_text() {
        for (text, meaning) in [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("true", Scalar::Bool(true)),
            ("yes", Scalar::Text("yes")),
            ("0", Scalar::Int(0)),
            ("-3", Scalar::Int(-3)),
            ("1e-6", Scalar::Float(1e-6)),
            ("1e3", Scalar::Float(1000.0)),
            ("0.04", Scalar::Float(0.04)),
            ("2.", Scalar::Float(2.0)),
            ("1_000", Scalar::Text("1_000")),
            ("007", Scalar::Text("007")),
            ("0x10", Scalar::Text("0x10")),
            ("+1", Scalar::Text("+1")),
            (".5", Scalar::Text(".5")),
            ("1e999", Scalar::Text("1e999")),
            (".inf", Scalar::Text(".inf")),
            ("nan", Scalar::Text("nan")),
            ("1-2", Scalar::Text("1-2")),
            ("-", Scalar::Text("-")),
        ] {
            assert_eq!(classify(text), meaning, "{text:?}");
        }
    }
}
