//! The words in which the schema of recipes is written. One table ([`super::keys`]) drives validation, the list of known
//! keys in messages and the JSON schema, so that they cannot drift apart.

/// The shape of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// One line of text that is not empty.
    Text,
    /// Lower-case letters, digits and dashes, 64 at most.
    Name,
    /// Lower-case hexadecimal digits, so many.
    Hex(usize),
    /// A commit: 7 to 40 lower-case hexadecimal digits.
    Commit,
    Bool,
    /// A whole number, from, to.
    Int(i64, i64),
    /// A number within bounds.
    Number(Bound, Bound),
    /// One of these words.
    Choice(&'static [&'static str]),
    Object(&'static Object),
    /// Maps whose keys depend on the value of one key.
    Tagged {
        tag: &'static str,
        variants: &'static [(&'static str, &'static Object)],
    },
    /// Maps whose keys depend on which of these keys is there.
    ByKey(&'static [(&'static str, &'static Object)]),
    /// A list of so many at least, at most.
    List(&'static Shape, usize, usize),
    /// A map with names of the user's choice: what a key is, shape of the keys, of the values.
    Map(&'static str, &'static Shape, &'static Shape),
    /// A value of the first shape, or, in its place, a map of the second.
    Or(&'static Shape, &'static Object),
}

/// A bound of a number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    None,
    /// The bound itself is allowed.
    To(f64),
    /// The bound itself is not allowed.
    Beyond(f64),
}

/// A map with known keys. Groups, so that variants can share keys.
#[derive(Debug)]
pub(super) struct Object {
    pub doc: &'static str,
    pub groups: &'static [&'static [Key]],
}

impl Object {
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|k| k.name == name)
    }
}

/// A key of a map.
#[derive(Debug)]
pub(super) struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub required: bool,
    /// What it is; the description in the JSON schema, and the hint of a message when there is no better one.
    pub doc: &'static str,
    /// How to get the value; empty when `doc` says enough.
    pub hint: &'static str,
}

impl Key {
    pub const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: true, doc, hint: "" }
    }

    pub const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: false, doc, hint: "" }
    }

    pub const fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    /// The way out when the value is missing or wrong.
    pub fn way_out(&self) -> &'static str {
        if self.hint.is_empty() { self.doc } else { self.hint }
    }
}

impl Shape {
    /// What is expected, for a message.
    pub fn describe(&self) -> String {
        match self {
            Shape::Text => "text".into(),
            Shape::Name => "a name of lower-case letters, digits and dashes".into(),
            Shape::Hex(64) => "a SHA-256 (64 lower-case hexadecimal digits)".into(),
            Shape::Commit => {
                "a commit (40 lower-case hexadecimal digits, or the first 7 or more, for a lock to fill in)".into()
            }
            Shape::Hex(n) => format!("{n} lower-case hexadecimal digits"),
            Shape::Bool => "true or false".into(),
            Shape::Int(low, i64::MAX) => format!("a whole number of at least {low}"),
            Shape::Int(low, high) => format!("a whole number from {low} to {high}"),
            Shape::Number(low, high) => {
                let low = match low {
                    Bound::None => None,
                    Bound::To(x) => Some(format!("of at least {x}")),
                    Bound::Beyond(x) => Some(format!("above {x}")),
                };
                let high = match high {
                    Bound::None => None,
                    Bound::To(x) => Some(format!("at most {x}")),
                    Bound::Beyond(x) => Some(format!("below {x}")),
                };
                let bounds: Vec<String> = low.into_iter().chain(high).collect();
                format!("a number {}", bounds.join(" and ")).trim_end().to_owned()
            }
            Shape::Choice([only]) => format!("the word {only}"),
            Shape::Choice(words) => format!("one of {}", words.join(", ")),
            Shape::Object(_) | Shape::Tagged { .. } | Shape::ByKey(_) => "a map".into(),
            Shape::Map(what, _, _) => format!("a map by {what}"),
            Shape::List(_, low, high) if low == high => format!("a list of {low}"),
            Shape::List(_, 0, _) => "a list".into(),
            Shape::List(_, low, _) => format!("a list of at least {low}"),
            Shape::Or(value, _) => value.describe(),
        }
    }

    /// The objects that a map of this shape may be.
    pub fn objects(&self) -> Vec<&'static Object> {
        match self {
            Shape::Object(object) | Shape::Or(_, object) => vec![object],
            Shape::Tagged { variants, .. } | Shape::ByKey(variants) => variants.iter().map(|(_, o)| *o).collect(),
            _ => Vec::new(),
        }
    }
}

/// Whether a number is within bounds.
pub(super) fn within(x: f64, low: Bound, high: Bound) -> bool {
    let above = match low {
        Bound::None => true,
        Bound::To(bound) => x >= bound,
        Bound::Beyond(bound) => x > bound,
    };
    let below = match high {
        Bound::None => true,
        Bound::To(bound) => x <= bound,
        Bound::Beyond(bound) => x < bound,
    };
    above && below
}

/// The longest name; stages become folders.
pub(super) const LONGEST_NAME: usize = 64;

/// Whether a text is a name: lower-case letters, digits and dashes, beginning with a letter or digit.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
