//! `--set key.path=value`: put into the tree before it is validated, so that a value given there is checked as if written.
//!
//! A key path is keys joined by dots. An element of a list is named by its index (`train[0].steps`, `train.0.steps`) or,
//! where elements have names, by its `name` (`train.grpo.steps`). An odd key is quoted: `model.weights["a.b"]`. An empty
//! value (or `null`) takes an optional key out, or a named element out of its list. A later override of the same key wins.

use super::problem::{At, Problems};
use super::shape::{Object, Shape};
use super::tree::{Entry, Node, Scalar, Value, join, parse_value, quote};
use super::validate::unknown;
use crate::text::nearest;

/// Puts the overrides into the tree, in order.
pub(super) fn apply(root: &mut Node, overrides: &[String], problems: &mut Problems) {
    for text in overrides {
        let Some((path, value)) = text.split_once('=').filter(|(path, _)| !path.trim().is_empty()) else {
            let at = At::Set(text.clone());
            problems.add(&at, "", "KEY=VALUE", quote(text), "for example --set data.dir=FOLDER");
            continue;
        };
        let path = path.trim();
        let at = At::Set(path.to_owned());
        let Some(steps) = split(path) else {
            let hint = "keys joined by dots, list elements by name or index: train.grpo.steps, train[0].steps";
            problems.add(&at, path, "a key path", quote(path), hint);
            continue;
        };
        if let Some(node) = parse_value(value, path, problems) {
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            Set { new: node, at: &at, problems }.put(root, &Shape::Object(&super::keys::RECIPE), &steps, "");
        }
    }
}

/// The steps of a key path; `None` when it is not one.
fn split(path: &str) -> Option<Vec<String>> {
    let mut steps = Vec::new();
    let mut rest = path;
    loop {
        if let Some(inner) = rest.strip_prefix("[\"") {
            let (key, after) = inner.split_once("\"]")?;
            steps.push(key.to_owned());
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']')?;
            steps.push(index.parse::<usize>().ok()?.to_string());
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            steps.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        if steps.last().is_some_and(String::is_empty) {
            return None;
        }
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Some(steps),
            None if rest.starts_with('[') => {}
            None => return None,
        }
    }
}

/// One override on its way to its place.
struct Set<'a> {
    new: Node,
    at: &'a At,
    problems: &'a mut Problems,
}

impl Set<'_> {
    fn put(self, node: &mut Node, shape: &Shape, steps: &[&str], path: &str) {
        let Some((step, rest)) = steps.split_first() else {
            *node = self.new;
            return;
        };
        match shape {
            Shape::List(items, ..) => self.list(node, items, step, rest, path),
            Shape::Map(_, _, values) if rest.is_empty() || node.entry(step).is_some() => {
                self.entry(node, step, values, true, rest, path);
            }
            Shape::Map(what, ..) => {
                let names: Vec<&str> = node.entries().iter().map(|e| e.key.as_str()).collect();
                let expected = format!("the {what} of one that is there");
                self.problems.add(self.at, &join(path, step), expected, quote(step), &near(step, &names));
            }
            _ => {
                let objects = own_first(shape, node);
                let keys: Vec<_> = objects.iter().filter_map(|o| o.key(step)).collect();
                match keys.first() {
                    Some(key) => {
                        self.entry(node, step, &key.shape, keys.iter().any(|k| !k.required), rest, path);
                    }
                    None if objects.is_empty() => {
                        let expected = format!("{path} to be a map or a list");
                        let hint = format!("leave out what follows {path}");
                        self.problems.add(self.at, &join(path, step), expected, shape.describe(), &hint);
                    }
                    None => unknown(step, self.at, &join(path, step), &objects, &[], self.problems),
                }
            }
        }
    }

    /// Goes into, adds, replaces or takes out a key of a map.
    fn entry(self, node: &mut Node, key: &str, shape: &Shape, optional: bool, rest: &[&str], path: &str) {
        let path = join(path, key);
        if !matches!(node.value, Value::Map(_)) {
            // What stands here cannot hold the key: the override takes its place.
            *node = Node { at: self.at.clone(), value: Value::Map(Vec::new()) };
        }
        let Value::Map(entries) = &mut node.value else { return };
        if optional && rest.is_empty() && self.new.is_null() {
            entries.retain(|e| e.key != key);
            return;
        }
        let index = entries.iter().position(|e| e.key == key).unwrap_or_else(|| {
            let value = match shape {
                Shape::List(..) => Value::List(Vec::new()),
                _ => Value::Map(Vec::new()),
            };
            let node = Node { at: self.at.clone(), value };
            entries.push(Entry { key: key.to_owned(), at: self.at.clone(), node });
            entries.len() - 1
        });
        self.put(&mut entries[index].node, shape, rest, &path);
    }

    fn list(self, node: &mut Node, items: &Shape, step: &str, rest: &[&str], path: &str) {
        let mut none = Vec::new();
        let elements: &mut Vec<Node> = match &mut node.value {
            Value::List(elements) => elements,
            _ => &mut none,
        };
        let name = |node: &Node| match node.entry("name").and_then(|e| e.node.scalar()) {
            Some(Scalar::Text(text)) => Some(text.to_owned()),
            _ => None,
        };
        let names: Vec<String> = elements.iter().filter_map(name).collect();
        let index = (elements.iter().position(|node| name(node).as_deref() == Some(step)))
            .or_else(|| step.parse().ok().filter(|i| *i < elements.len()));
        if let Some(i) = index {
            if rest.is_empty() && self.new.is_null() && name(&elements[i]).as_deref() == Some(step) {
                elements.remove(i);
                return;
            }
            return self.put(&mut elements[i], items, rest, &format!("{path}[{i}]"));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let expected = match elements.len() {
            0 => "an element of a list that is not empty".to_owned(),
            1 => "the index 0 or the name of the element".to_owned(),
            n => format!("an index from 0 to {} or the name of an element", n - 1),
        };
        self.problems.add(self.at, &join(path, step), expected, quote(step), &near(step, &names));
    }
}

/// The objects that a map of this shape may be; the one that its tag says it is comes first, since the same key may mean different things.
fn own_first(shape: &Shape, node: &Node) -> Vec<&'static Object> {
    let mut objects = shape.objects();
    if let Shape::Tagged { tag, variants } = shape
        && let Some(Scalar::Text(word)) = node.entry(tag).and_then(|e| e.node.scalar())
        && let Some(own) = variants.iter().position(|(name, _)| *name == word)
    {
        objects[..=own].rotate_right(1);
    }
    objects
}

fn near(step: &str, names: &[&str]) -> String {
    match nearest(step, names.iter().copied()) {
        Some(name) => format!("did you mean {name}?"),
        None if names.is_empty() => "there are no names here".to_owned(),
        None => format!("the names here are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_paths_split_by_dots_brackets_and_quotes() {
        for (path, steps) in [
            ("seed", vec!["seed"]),
            ("data.dir", vec!["data", "dir"]),
            ("train[0].steps", vec!["train", "0", "steps"]),
            ("train.0.steps", vec!["train", "0", "steps"]),
            ("a[\"b.c\"]", vec!["a", "b.c"]),
            ("a[\"b.c\"].d", vec!["a", "b.c", "d"]),
        ] {
            assert_eq!(split(path).unwrap(), steps, "{path}");
        }
        for bad in ["a..b", ".a", "a.", "a[", "a[x]", "a[0]b", "a[\"b]", ""] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
