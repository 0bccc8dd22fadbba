//! Python's `re` on a `str`, as far as the reference's patterns need it: a backtracking matcher, so that of several matches the
//! one is found that Python finds, with its groups.
//!
//! Rust's regex crate has neither look-behind nor Python's classes. Known: literals, `.`, classes, `\d \s \b`, `^`, `$`,
//! groups (`(?:…)`, `(?P<name>…)`, `(?i:…)`), `|`, `* + ? {m,n}` greedy and lazy, `(?=…)`, `(?!…)` and look-behind over one
//! character. A repeated part must not match nothing.

mod syntax;

use crate::prompt::python::{is_digit, is_space, is_word};
use std::ops::Range;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    program: Vec<Step>,
    /// Names of the groups, `None` for those without; group 0 is the whole match.
    names: Vec<Option<String>>,
}

/// One instruction of the matcher.
#[derive(Debug)]
enum Step {
    One(Set),
    /// Goes on at the first; on failure at the second.
    Split(usize, usize),
    Jump(usize),
    /// Notes the position: group n begins at slot 2n and ends at 2n + 1.
    Slot(usize),
    Start,
    /// `$`: the end, or before a line break at the end.
    End,
    WordBoundary,
    Look {
        inside: Vec<Step>,
        behind: bool,
        wanted: bool,
    },
    Done,
}

/// A set of characters.
#[derive(Debug, Clone)]
enum Set {
    Char(char),
    /// A lower-case ASCII letter under `(?i:…)`.
    AnyCase(char),
    Range(char, char),
    Digit,
    Space,
    Word,
    /// Every character, or (`.` without DOTALL) every one but the line feed.
    Any,
    NotNewline,
    Either(Vec<Set>),
    Not(Box<Set>),
}

impl Set {
    fn has(&self, c: char) -> bool {
        match self {
            Self::Char(own) => c == *own,
            // Python's IGNORECASE also lets the dotted and dotless i and the long s in.
            Self::AnyCase(own) => {
                c.eq_ignore_ascii_case(own) || matches!((*own, c), ('i', 'ı' | 'İ') | ('s', 'ſ') | ('k', '\u{212a}'))
            }
            Self::Range(from, to) => (*from..=*to).contains(&c),
            Self::Digit => is_digit(c),
            Self::Space => is_space(c),
            Self::Word => is_word(c),
            Self::Any => true,
            Self::NotNewline => c != '\n',
            Self::Either(sets) => sets.iter().any(|set| set.has(c)),
            Self::Not(set) => !set.has(c),
        }
    }
}

/// A match within a text of characters.
#[derive(Debug)]
pub(super) struct Match<'p> {
    pattern: &'p Pattern,
    slots: Vec<Option<usize>>,
}

impl Match<'_> {
    /// Where the whole match lies.
    pub fn range(&self) -> Range<usize> {
        self.group(0).expect("a match has a beginning and an end")
    }

    /// Where a numbered group lies, if it took part.
    pub fn group(&self, n: usize) -> Option<Range<usize>> {
        Some(self.slots[2 * n]?..self.slots[2 * n + 1]?)
    }

    /// Where a named group lies, if it took part.
    pub fn named(&self, name: &str) -> Option<Range<usize>> {
        let n = self.pattern.names.iter().position(|n| n.as_deref() == Some(name))?;
        self.group(n)
    }

    /// The groups that have a name and took part, in the order of the pattern.
    pub fn all_named(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        let names = self.pattern.names.iter().enumerate();
        names.filter_map(|(n, name)| Some((name.as_deref()?, self.group(n)?)))
    }
}

impl Pattern {
    /// Compiles a pattern; `dotall` lets `.` match a line feed. Patterns are constants of this program: a wrong one panics.
    pub fn new(pattern: &str, dotall: bool) -> Self {
        syntax::compile(pattern, dotall)
    }

    /// The first match that begins at `from` or later.
    pub fn search(&self, text: &[char], from: usize) -> Option<Match<'_>> {
        // An attempt that fails leaves the slots as they were: empty.
        let mut slots = vec![None; 2 * self.names.len()];
        let (start, end) = (from..=text.len()).find_map(|at| Some((at, run(&self.program, text, at, &mut slots)?)))?;
        (slots[0], slots[1]) = (Some(start), Some(end));
        Some(Match { pattern: self, slots })
    }

    /// Python's `finditer`.
    pub fn find_all(&self, text: &[char]) -> Vec<Match<'_>> {
        let (mut out, mut from) = (Vec::new(), 0);
        while let Some(found) = self.search(text, from) {
            let range = found.range();
            from = range.end.max(range.start + 1);
            out.push(found);
        }
        out
    }

    /// Python's `sub`: every match is replaced by what `with` makes of it.
    pub fn replace(&self, text: &str, with: impl Fn(&Match<'_>, &[char]) -> String) -> String {
        let chars: Vec<char> = text.chars().collect();
        let (mut out, mut done) = (String::new(), 0);
        for found in self.find_all(&chars) {
            let range = found.range();
            out.extend(&chars[done..range.start]);
            out.push_str(&with(&found, &chars));
            done = range.end;
        }
        out.extend(&chars[done..]);
        out
    }
}

/// What the matcher takes back when it fails.
enum Undo {
    Go { step: usize, at: usize },
    Slot { slot: usize, before: Option<usize> },
}

/// Runs a program at a place; the place where it ends, with its slots filled.
fn run(program: &[Step], text: &[char], start: usize, slots: &mut [Option<usize>]) -> Option<usize> {
    let (mut step, mut at) = (0, start);
    let mut undo: Vec<Undo> = Vec::new();
    loop {
        let goes_on = match &program[step] {
            Step::Done => return Some(at),
            Step::One(set) => {
                let taken = text.get(at).is_some_and(|&c| set.has(c));
                at += usize::from(taken);
                taken
            }
            Step::Split(first, second) => {
                undo.push(Undo::Go { step: *second, at });
                step = *first;
                continue;
            }
            Step::Jump(to) => {
                step = *to;
                continue;
            }
            Step::Slot(slot) => {
                undo.push(Undo::Slot { slot: *slot, before: slots[*slot] });
                slots[*slot] = Some(at);
                true
            }
            Step::Start => at == 0,
            Step::End => at == text.len() || (at + 1 == text.len() && text[at] == '\n'),
            Step::WordBoundary => {
                let word = |i: Option<usize>| i.and_then(|i| text.get(i)).is_some_and(|&c| is_word(c));
                word(at.checked_sub(1)) != word(Some(at))
            }
            Step::Look { inside, behind, wanted } => {
                let from = if *behind { at.checked_sub(1) } else { Some(at) };
                let found = from.and_then(|from| run(inside, text, from, &mut []));
                found.is_some_and(|end| !behind || end == at) == *wanted
            }
        };
        if goes_on {
            step += 1;
            continue;
        }
        loop {
            match undo.pop()? {
                Undo::Slot { slot, before } => slots[slot] = before,
                Undo::Go { step: to, at: back } => {
                    (step, at) = (to, back);
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The groups of the first match, those that took no part as `-`.
    fn groups(pattern: &str, text: &str) -> String {
        let (pattern, chars) = (Pattern::new(pattern, false), text.chars().collect::<Vec<_>>());
        let Some(found) = pattern.search(&chars, 0) else { return "none".to_owned() };
        let group = |n| found.group(n).map_or("-".to_owned(), |range| chars[range].iter().collect());
        (0..pattern.names.len()).map(group).collect::<Vec<String>>().join("|")
    }

    #[test]
    fn matches_are_those_of_python() {
        for (pattern, text, expected) in [
            ("a.{0,3}?(b|c)", "a1c2b", "a1c|c"),
            ("a.{0,3}(b|c)", "a1c2b", "a1c2b|b"),
            ("(a|ab)(c|bcd)(d*)", "abcd", "abcd|a|bcd|"),
            ("(a)?b", "cb", "b|-"),
            (r"(?<!\\|\d)\$(.+?)\$", "3$4 $5$", "$5$|5"),
            (r"(?:(x)|y){2}", "xy", "xy|x"),
            (r"\d{3}(?!\s*=)", "123 = 456", "456"),
            ("(?i:answer)b", "ANſWERb", "ANſWERb"),
            ("(?i:answer)b", "answerB", "none"),
            (r"^a$", "a\n", "a"),
            (r"a$", "a\nb", "none"),
            (r"a.b", "a\nb", "none"),
            (r"\bi\b", "hi i", "i"),
            (r"[^\n\]\[x-z]+", "[aw-x", "aw-"),
            (r"\\frac{-?\d+}", "\\frac{-1}", "\\frac{-1}"),
        ] {
            assert_eq!(groups(pattern, text), expected, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn replacing_walks_on_behind_each_match() {
        let pattern = Pattern::new("a(b?)", false);
        let doubled =
            |found: &Match<'_>, chars: &[char]| chars[found.group(1).unwrap()].iter().collect::<String>().repeat(2);
        assert_eq!(pattern.replace("xabaay", doubled), "xbby");
    }
}
