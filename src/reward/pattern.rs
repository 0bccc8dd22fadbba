//! Python's `re` on a `str`, as far as the reference's patterns need it: fancy-regex with Python's classes, `\b` and `$`.
//!
//! fancy-regex backtracks as Python does where a pattern needs it, and hands the rest to the regex crate, whose matches are the
//! same; so of several matches the one is found that Python finds, with its groups. A search that takes more than
//! [`MOST_STEPS`] steps back is given up and said to be [`TooManySteps`].

use crate::prompt::python::{DIGIT, SPACE, WORD};
use fancy_regex::{Captures, Regex, RegexBuilder};

/// How often one search may step back: about a second's work. Of 4000 texts of 800 to 5000 characters that were made to be slow
/// five took more, none of them shorter than 2500.
const MOST_STEPS: usize = 30_000_000;

/// A search was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManySteps;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern(Regex);

/// A match, with its groups.
pub(super) type Match<'t> = Captures<'t, str>;

impl Pattern {
    /// Compiles a pattern in Python's syntax, but for braces that are meant literally: those are escaped. `dotall` lets `.`
    /// match a line feed. Patterns are constants of this program: a wrong one panics.
    pub fn new(pattern: &str, dotall: bool) -> Self {
        let mut builder = RegexBuilder::new(&translated(pattern));
        let regex = builder.dot_matches_new_line(dotall).backtrack_limit(MOST_STEPS).build();
        Self(regex.unwrap_or_else(|error| panic!("{pattern}: {error}")))
    }

    /// Python's `search(…) is not None`.
    pub fn is_in(&self, text: &str) -> Result<bool, TooManySteps> {
        self.0.is_match(text).map_err(|_| TooManySteps)
    }

    /// Python's `finditer`.
    pub fn find_all<'t>(&self, text: &'t str) -> Result<Vec<Match<'t>>, TooManySteps> {
        self.0.captures_iter(text).collect::<Result<_, _>>().map_err(|_| TooManySteps)
    }

    /// The groups of a match that have a name and took part, in the order of the pattern.
    pub fn named<'t>(&self, found: &Match<'t>) -> Vec<(&str, &'t str)> {
        let names = self.0.capture_names().enumerate();
        names.filter_map(|(n, name)| Some((name?, found.get(n)?.as_str()))).collect()
    }

    /// Python's `sub`: every match is replaced by what `with` makes of it.
    pub fn replace(&self, text: &str, with: impl Fn(&Match<'_>) -> String) -> Result<String, TooManySteps> {
        let replaced = self.0.try_replacen(text, 0, |found: &Match<'_>| with(found));
        replaced.map(std::borrow::Cow::into_owned).map_err(|_| TooManySteps)
    }
}

/// A pattern with what Python means by `\d`, `\s`, `\W`, `\b`, `\Z`, `$` and `(?i:…)` (of lower-case ASCII) spelt out.
fn translated(pattern: &str) -> String {
    let mut out = String::new();
    let mut chars = pattern.char_indices();
    let (mut in_class, mut depth, mut any_case) = (false, 0, None);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next().expect("a pattern does not end in a backslash").1 {
                'd' => out += DIGIT,
                's' => out += SPACE,
                'Z' => out += r"\z",
                'W' => out += &format!("[^{WORD}]"),
                'b' if !in_class => out += &format!("(?:(?<={WORD})(?!{WORD})|(?<!{WORD})(?={WORD}))"),
                c => {
                    assert!(c == 'n' || !c.is_alphanumeric(), "{pattern}: \\{c} is not known");
                    out.extend(['\\', c]);
                }
            },
            '[' => {
                in_class = true;
                out.push(c);
            }
            ']' => {
                in_class = false;
                out.push(c);
            }
            _ if in_class => out.push(c),
            '$' => out += r"(?=\n?\z)",
            '(' => {
                depth += 1;
                if pattern[at..].starts_with("(?i:") {
                    any_case = Some(depth);
                    chars.nth(2);
                    out += "(?:";
                } else {
                    out.push(c);
                }
            }
            ')' => {
                any_case = any_case.filter(|&begun| begun != depth);
                depth -= 1;
                out.push(c);
            }
            // Python's IGNORECASE also lets the dotted and dotless i, the long s and the sign of the kelvin in.
            'i' if any_case.is_some() => out += "[iIİı]",
            's' if any_case.is_some() => out += "[sSſ]",
            'k' if any_case.is_some() => out += "[kK\u{212a}]",
            c if any_case.is_some() && c.is_alphabetic() => {
                assert!(c.is_ascii_lowercase(), "{pattern}: (?i:…) is known for lower-case ASCII letters");
                out += &format!("[{c}{}]", c.to_ascii_uppercase());
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The groups of the first match, those that took no part as `-`.
    fn groups(pattern: &str, text: &str) -> String {
        let found = Pattern::new(pattern, false).find_all(text).unwrap();
        let Some(found) = found.first() else { return "none".to_owned() };
        let group = |n| found.get(n).map_or("-", |group| group.as_str());
        (0..found.len()).map(group).collect::<Vec<&str>>().join("|")
    }

    #[test]
    fn matches_are_those_of_python() {
        for (pattern, text, expected) in [
            ("a.{0,3}?(b|c)", "a1c2b", "a1c|c"),
            ("a.{0,3}(b|c)", "a1c2b", "a1c2b|b"),
            ("(a|ab)(c|bcd)(d*)", "abcd", "abcd|a|bcd|"),
            ("(a|ab)(c|bcd)(d*)(?!e)", "abcd", "abcd|a|bcd|"),
            ("(a)?b", "cb", "b|-"),
            ("(a)?b(?!c)", "cb", "b|-"),
            (r"(?<!\\|\d)\$(.+?)\$", "3$4 $5$", "$5$|5"),
            (r"(?<!\\|\d)\$(.+?)\$", "٣$4 $5$", "$5$|5"),
            (r"(?:(x)|y){2}", "xy", "xy|x"),
            (r"\d{3}(?!\s*=)", "123 = 456", "456"),
            (r"\d\s\d(?!=)", "1\u{200b}2 ٣=\u{1f}४\u{a0}५", "४\u{a0}५"),
            (r"[.\s]+", "a.\u{1c}\u{85}\u{2028}b", ".\u{1c}\u{85}\u{2028}"),
            ("(?i:answer)b", "ANſWERb", "ANſWERb"),
            ("(?i:answer)b", "answerB", "none"),
            ("(?i:ik)(a)", "ik İ\u{212a}A ıKa", "ıKa|a"),
            (r"^a$", "a\n", "a"),
            (r"a$", "a\nb", "none"),
            (r"a$", "a\n\n", "none"),
            (r"a\Z", "a\n", "none"),
            (r"a.b", "a\nb", "none"),
            (r"a.b", "a\rb", "a\rb"),
            (r"\bi\b", "hi i", "i"),
            // Combining marks and joiners are no letters for Python, numbers of any kind are.
            (r"\bi\b(.)", "i² _i i\u{301}", "i\u{301}|\u{301}"),
            (r"a\W", "aé a½ a\u{200d}", "a\u{200d}"),
            (r"[^\n\]\[x-z]+", "[aw-x", "aw-"),
            (r"[\d.\+\-*()$]+", "x(1+٢)-$.", "(1+٢)-$."),
            (r"\\frac\{-?\d+\}", "\\frac{-1}", "\\frac{-1}"),
        ] {
            assert_eq!(groups(pattern, text), expected, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn replacing_walks_on_behind_each_match() {
        let doubled = |found: &Match<'_>| found[1].repeat(2);
        assert_eq!(Pattern::new("a(b?)", false).replace("xabaay", doubled), Ok("xbby".to_owned()));
    }

    #[test]
    fn groups_with_names_that_took_part_are_told_in_order() {
        let pattern = Pattern::new("(?P<b>x)?(?P<a>y)(z)(?P<c>z)?", false);
        let found = pattern.find_all("yzz").unwrap();
        assert_eq!(pattern.named(&found[0]), [("a", "y"), ("c", "z")]);
    }

    #[test]
    fn a_search_that_takes_too_long_is_given_up() {
        let pattern = Pattern::new("(?:(?:a|aa)+)+(?!a)b", false);
        let text = "a".repeat(60);
        assert_eq!(pattern.is_in(&text), Err(TooManySteps));
        assert_eq!(pattern.find_all(&text).err(), Some(TooManySteps));
        assert_eq!(pattern.replace(&text, |_| String::new()), Err(TooManySteps));
    }
}
