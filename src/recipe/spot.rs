//! A place in the tree that knows its path, for checks that look across keys. Lenient: what has the wrong shape is not
//! there (it is reported already), so that cross checks speak even while other problems stand.

use super::problem::{At, Problems};
use super::tree::{Node, Scalar, Value, join};
use std::fmt::Display;

/// A node and its path.
#[derive(Debug, Clone)]
pub(super) struct Spot<'a> {
    pub node: &'a Node,
    pub path: String,
    /// Where the key stands that holds this node.
    pub owner: &'a At,
}

impl<'a> Spot<'a> {
    pub fn root(node: &'a Node) -> Self {
        Self { node, path: String::new(), owner: &node.at }
    }

    pub fn get(&self, key: &str) -> Option<Spot<'a>> {
        let entry = self.node.entry(key)?;
        Some(Spot { node: &entry.node, path: join(&self.path, key), owner: &entry.at })
    }

    /// The spot below several keys.
    pub fn dig(&self, keys: &[&str]) -> Option<Spot<'a>> {
        keys.iter().try_fold(self.clone(), |spot, key| spot.get(key))
    }

    /// The elements of a list; none for anything else.
    pub fn items(&self) -> Vec<Spot<'a>> {
        match &self.node.value {
            Value::List(items) => (items.iter().enumerate())
                .map(|(i, node)| Spot { node, path: format!("{}[{i}]", self.path), owner: &node.at })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The elements of the list at a key.
    pub fn list(&self, key: &str) -> Vec<Spot<'a>> {
        self.get(key).map_or_else(Vec::new, |spot| spot.items())
    }

    /// The names and spots of a map.
    pub fn fields(&self) -> Vec<(&'a str, Spot<'a>)> {
        (self.node.entries().iter())
            .map(|e| (e.key.as_str(), Spot { node: &e.node, path: join(&self.path, &e.key), owner: &e.at }))
            .collect()
    }

    pub fn text(&self) -> Option<&'a str> {
        match self.node.scalar()? {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn text_at(&self, key: &str) -> Option<&'a str> {
        self.node.entry(key).and_then(|e| match e.node.scalar()? {
            Scalar::Text(text) => Some(text),
            _ => None,
        })
    }

    /// A whole number above 0, as all counts are that checks compare.
    pub fn count(&self) -> Option<i128> {
        match self.node.scalar()? {
            Scalar::Int(n) if n > 0 => Some(n),
            _ => None,
        }
    }

    /// The number 0, however it is written.
    pub fn is_zero(&self) -> bool {
        match self.node.scalar() {
            Some(Scalar::Int(n)) => n == 0,
            Some(Scalar::Float(x)) => x == 0.0,
            _ => false,
        }
    }

    pub fn count_at(&self, key: &str) -> Option<i128> {
        self.get(key)?.count()
    }

    pub fn flag_at(&self, key: &str) -> Option<bool> {
        match self.node.entry(key)?.node.scalar()? {
            Scalar::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// Reports a problem at the value.
    pub fn problem(&self, problems: &mut Problems, expected: impl Display, found: impl Display, hint: &str) {
        problems.add(&self.node.at, &self.path, expected, found, hint);
    }

    /// Reports that a key is missing below this one.
    pub fn lacks(&self, problems: &mut Problems, key: &str, expected: impl Display, hint: &str) {
        problems.add(self.owner, &join(&self.path, key), expected, "nothing", hint);
    }

    /// Reports that a key stands where it says nothing.
    pub fn needless(&self, problems: &mut Problems, key: &str, when: &str, hint: &str) {
        if let Some(entry) = self.node.entry(key) {
            let found = entry.node.describe();
            problems.add(&entry.at, &join(&self.path, key), format!("no {key} {when}"), found, hint);
        }
    }
}
