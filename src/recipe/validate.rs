//! Validation of the tree against the schema. Every problem is kept; what is valid comes out as a plain value.

use super::problem::{At, Problems};
use super::shape::{Key, LONGEST_NAME, Object, Shape, is_name, within};
use super::tree::{Entry, Node, Scalar, Value, join, quote};
use crate::text::nearest;
use serde_yaml::{Mapping, Value as Plain};

/// A form that a map may have: what chooses it, and its keys.
type Form = (String, &'static Object);

/// Checks a node; `owner` is where a missing key is reported (the key that holds this node). Gives the value when it is valid.
pub(super) fn validate(node: &Node, owner: &At, path: &str, key: &Key, problems: &mut Problems) -> Option<Plain> {
    check(node, owner, path, &key.shape, key.way_out(), problems)
}

fn check(node: &Node, owner: &At, path: &str, shape: &Shape, hint: &str, problems: &mut Problems) -> Option<Plain> {
    match (shape, &node.value) {
        (_, Value::Refused) => None,
        (Shape::Object(object), Value::Map(entries)) => fields(entries, owner, path, object, &[], problems),
        (Shape::Tagged { tag, variants }, Value::Map(_)) => tagged(node, owner, path, tag, variants, problems),
        (Shape::ByKey(variants), Value::Map(_)) => by_key(node, owner, path, variants, problems),
        (Shape::Or(_, object), Value::Map(entries)) => fields(entries, owner, path, object, &[], problems),
        (Shape::Or(value, _), _) => check(node, owner, path, value, hint, problems),
        (Shape::Map(what, names, values), Value::Map(entries)) => {
            let mut out = Some(Mapping::new());
            for Entry { key, at, node } in entries {
                let path = join(path, key);
                if matches!(names, Shape::Name) && !is_name(key) {
                    let found = quote(key);
                    let hint = format!("a {what} is written like `held-out`");
                    problems.add(at, &path, names.describe(), found, &hint);
                    out = None;
                }
                let value = check(node, at, &path, values, hint, problems);
                out = out.zip(value).map(|(mut map, value)| {
                    map.insert(key.as_str().into(), value);
                    map
                });
            }
            out.map(Plain::Mapping)
        }
        (Shape::List(items, low, high), Value::List(nodes)) => {
            if nodes.len() < *low || nodes.len() > *high {
                problems.add(&node.at, path, shape.describe(), node.describe(), hint);
                return None;
            }
            let checked: Vec<_> = (nodes.iter().enumerate())
                .map(|(i, node)| check(node, &node.at, &format!("{path}[{i}]"), items, hint, problems))
                .collect();
            checked.into_iter().collect::<Option<Vec<_>>>().map(Plain::Sequence)
        }
        (_, Value::Scalar { text, .. }) => scalar(node, text, path, shape, hint, problems),
        _ => {
            problems.add(&node.at, path, shape.describe(), node.describe(), hint);
            None
        }
    }
}

fn scalar(node: &Node, text: &str, path: &str, shape: &Shape, hint: &str, problems: &mut Problems) -> Option<Plain> {
    let meaning = node.scalar()?;
    let value = match (shape, &meaning) {
        (Shape::Bool, Scalar::Bool(b)) => Some(Plain::from(*b)),
        (Shape::Int(low, high), Scalar::Int(n)) => {
            i64::try_from(*n).ok().filter(|n| (low..=high).contains(&n)).map(Plain::from)
        }
        (Shape::Number(low, high), Scalar::Int(_) | Scalar::Float(_)) => {
            text.parse().ok().filter(|x| within(*x, *low, *high)).map(|x: f64| Plain::from(x))
        }
        (Shape::Text, Scalar::Text(text)) => {
            Some(Plain::from(*text)).filter(|_| !text.trim().is_empty() && !text.contains(char::is_control))
        }
        (Shape::Name, Scalar::Text(text)) => Some(Plain::from(*text)).filter(|_| is_name(text)),
        (Shape::Choice(words), Scalar::Text(text)) => Some(Plain::from(*text)).filter(|_| words.contains(text)),
        // Digits alone are a pin too, whatever else they may mean.
        (Shape::Hex(_) | Shape::Commit, _) => {
            let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            let long = match shape {
                Shape::Hex(len) => text.len() == *len,
                _ => (7..=40).contains(&text.len()),
            };
            Some(Plain::from(text)).filter(|_| hex && long)
        }
        _ => None,
    };
    if value.is_none() {
        let hint = scalar_hint(node, text, &meaning, shape).unwrap_or_else(|| hint.to_owned());
        problems.add(&node.at, path, shape.describe(), node.describe(), &hint);
    }
    value
}

/// The way out for the mistakes that YAML invites.
fn scalar_hint(node: &Node, text: &str, meaning: &Scalar<'_>, shape: &Shape) -> Option<String> {
    let quoted = matches!(node.value, Value::Scalar { plain: false, .. });
    let number = matches!(shape, Shape::Int(..) | Shape::Number(..));
    let bare = text.replace('_', "");
    match meaning {
        Scalar::Null => None,
        Scalar::Int(_) | Scalar::Float(_)
            if matches!(shape, Shape::Int(_, i64::MAX)) && text.parse::<f64>().is_ok_and(|x| x > i64::MAX as f64) =>
        {
            Some(format!("at most {}", i64::MAX))
        }
        Scalar::Text(_) if number && quoted && text.parse::<f64>().is_ok() => {
            Some(format!("write it without quotes: {text}"))
        }
        Scalar::Text(_) if number && bare != text && bare.parse::<f64>().is_ok() => {
            Some(format!("write it without underscores: {bare}"))
        }
        Scalar::Text(_) if number && text.len() > 1 && text.parse::<i64>().is_ok() => {
            Some(format!("write it as {}", text.parse::<i64>().ok()?))
        }
        Scalar::Text(_) if number && text.starts_with('.') && text.parse::<f64>().is_ok() => {
            Some(format!("write it as 0{text}"))
        }
        Scalar::Float(x) if matches!(shape, Shape::Int(..)) && x.fract() == 0.0 && x.abs() < 1e15 => {
            Some(format!("write it as {x:.0}: `1e3` and `2.0` are not whole numbers in YAML"))
        }
        Scalar::Text(t) if matches!(shape, Shape::Bool) && matches!(*t, "yes" | "no" | "on" | "off") => {
            Some("YAML 1.2 has only true and false".to_owned())
        }
        Scalar::Bool(_) if quoted && matches!(shape, Shape::Bool) => Some("write it without quotes".to_owned()),
        Scalar::Text(t) => match shape {
            Shape::Text if t.contains(char::is_control) => Some("one line, without control characters".to_owned()),
            Shape::Name if t.len() > LONGEST_NAME => Some(format!("at most {LONGEST_NAME} characters")),
            Shape::Choice(words) => nearest(t, words.iter().copied()).map(|w| format!("did you mean {w}?")),
            Shape::Commit if text.len() == 40 && text.to_ascii_lowercase() != text => {
                Some("write it in lower case".to_owned())
            }
            Shape::Hex(len) if text.len() == *len && text.to_ascii_lowercase() != text => {
                Some("write it in lower case".to_owned())
            }
            _ => None,
        },
        _ if matches!(shape, Shape::Text | Shape::Name | Shape::Choice(_)) => {
            Some(format!("put it in quotes if the text {text} is meant"))
        }
        _ => None,
    }
}

fn fields(
    entries: &[Entry],
    owner: &At,
    path: &str,
    object: &'static Object,
    siblings: &[Form],
    problems: &mut Problems,
) -> Option<Plain> {
    let mut out = Some(Mapping::new());
    for Entry { key, at, node } in entries {
        let path = join(path, key);
        let value = match object.key(key) {
            Some(known) => validate(node, at, &path, known, problems),
            None => {
                unknown(key, at, &path, &[object], siblings, problems);
                None
            }
        };
        out = out.zip(value).map(|(mut map, value)| {
            map.insert(key.as_str().into(), value);
            map
        });
    }
    for key in object.keys().filter(|k| k.required) {
        if !entries.iter().any(|e| e.key == key.name) {
            missing(key, owner, path, problems);
            out = None;
        }
    }
    out.map(Plain::Mapping)
}

/// Says that a required key is missing, at the key that holds the map.
pub(super) fn missing(key: &Key, owner: &At, path: &str, problems: &mut Problems) {
    problems.add(owner, &join(path, key.name), key.shape.describe(), "nothing", key.way_out());
}

/// Says that a key is not known here; `siblings` are the other forms of this map.
pub(super) fn unknown(
    key: &str,
    at: &At,
    path: &str,
    objects: &[&'static Object],
    siblings: &[Form],
    problems: &mut Problems,
) {
    if let Some((form, _)) = siblings.iter().find(|(_, s)| s.key(key).is_some()) {
        let hint = format!("{key} goes with {form}");
        return problems.add(at, path, "no such key here", quote(key), &hint);
    }
    let mut known: Vec<&str> = Vec::new();
    for key in objects.iter().flat_map(|o| o.keys()) {
        if !known.contains(&key.name) {
            known.push(key.name);
        }
    }
    let hint = match nearest(key, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the keys here are {}", known.join(", ")),
    };
    problems.add(at, path, "a known key", quote(key), &hint);
}

fn tagged(
    node: &Node,
    owner: &At,
    path: &str,
    tag: &str,
    variants: &'static [(&'static str, &'static Object)],
    problems: &mut Problems,
) -> Option<Plain> {
    let entries = node.entries();
    let chosen = match node.entry(tag).and_then(|e| e.node.scalar()) {
        Some(Scalar::Text(text)) => variants.iter().find(|(name, _)| *name == text),
        _ => None,
    };
    let all: Vec<&'static Object> = variants.iter().map(|(_, o)| *o).collect();
    if let Some((_, object)) = chosen {
        let forms: Vec<Form> = variants.iter().map(|(word, o)| (format!("{tag}: {word}"), *o)).collect();
        return fields(entries, owner, path, object, &forms, problems);
    }
    // Which keys belong here is not known: report the tag, and what no form has or every form needs.
    for Entry { key, at, node } in entries {
        let path = join(path, key);
        match all.iter().find_map(|o| o.key(key)) {
            Some(known) => drop(validate(node, at, &path, known, problems)),
            None => unknown(key, at, &path, &all, &[], problems),
        }
    }
    let first = all.first()?;
    for key in first.keys().filter(|k| k.required && all.iter().all(|o| o.key(k.name).is_some_and(|k| k.required))) {
        if node.entry(key.name).is_none() {
            missing(key, owner, path, problems);
        }
    }
    None
}

fn by_key(
    node: &Node,
    owner: &At,
    path: &str,
    variants: &'static [(&'static str, &'static Object)],
    problems: &mut Problems,
) -> Option<Plain> {
    let names: Vec<&str> = variants.iter().map(|(name, _)| *name).collect();
    let expected = format!("one of the keys {}", names.join(", "));
    let all: Vec<&'static Object> = variants.iter().map(|(_, o)| *o).collect();
    let mut given = node.entries().iter().filter(|e| names.contains(&e.key.as_str()));
    let Some(first) = given.next() else {
        for Entry { key, at, .. } in node.entries().iter().filter(|e| all.iter().all(|o| o.key(&e.key).is_none())) {
            unknown(key, at, &join(path, key), &all, &[], problems);
        }
        let forms: Vec<String> =
            variants.iter().map(|(n, o)| format!("{n}: {}", o.doc.trim_end_matches('.'))).collect();
        problems.add(owner, path, expected, "none of them", &forms.join("; "));
        return None;
    };
    if let Some(second) = given.next() {
        let found = format!("both {} and {}", first.key, second.key);
        problems.add(&second.at, &join(path, &second.key), expected, found, "they exclude each other: remove one");
        return None;
    }
    let (_, object) = variants.iter().find(|(name, _)| *name == first.key)?;
    let forms: Vec<Form> = variants.iter().map(|(name, o)| ((*name).to_owned(), *o)).collect();
    fields(node.entries(), owner, path, object, &forms, problems)
}
