//! Which option of a question a text names.

use super::phrase::{found, normal, peel, plain};
use crate::prompt::python::{is_space, is_word, strip};

/// The options of a question. Options that read the same are one: it does not matter which of them is named.
pub(super) struct Options {
    /// Their texts as compared, in order; the right answer at the end where it is none of them.
    texts: Vec<String>,
    /// How many have a letter.
    lettered: usize,
    /// The first place of the right answer's text.
    gold: usize,
}

/// What a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// One option, by the first place of its text.
    One(usize),
    /// Different ones.
    Several,
}

impl Options {
    pub(super) fn of(answer: &str, choices: &[impl AsRef<str>]) -> Self {
        let mut texts: Vec<String> = choices.iter().map(|choice| normal(choice.as_ref())).collect();
        let (lettered, right) = (texts.len(), normal(answer));
        let gold = texts.iter().position(|text| *text == right).unwrap_or(lettered);
        if gold == lettered {
            texts.push(right);
        }
        Self { texts, lettered, gold }
    }

    /// Whether it is the right answer.
    pub(super) fn is_gold(&self, named: Named) -> bool {
        named == Named::One(self.gold)
    }

    /// Reads a text that is an answer and nothing else: an option's text; `(A) text`, `A. text`, `A: text`, `A) text`, where letter and text must
    /// agree; a letter alone. In this order: where an option is itself a letter, as chords are, its text comes first.
    pub(super) fn whole(&self, text: &str) -> Option<Named> {
        if let Some(place) = self.text(text) {
            return Some(Named::One(place));
        }
        if let Some((letter, rest)) = self.marked(text)
            && let Some(place) = self.text(rest)
        {
            return Some(if place == letter { Named::One(place) } else { Named::Several });
        }
        let alone = peel(text);
        self.letter(alone.strip_suffix([')', ']']).unwrap_or(alone)).map(Named::One)
    }

    /// Reads what follows the last `answer is` or `answer:` that names an option, up to the next one: the rest of its line or its first sentence as a
    /// whole, else what that sentence names. A denial (`answer is not`) names none.
    pub(super) fn after_cue(&self, text: &str) -> Option<Named> {
        let lower = text.to_ascii_lowercase();
        let mut end = text.len();
        lower.rmatch_indices(CUE).find_map(|(at, _)| {
            let from = behind_cue(&lower, at)?;
            let said = strip(&text[from..end]);
            end = at;
            if said.split(is_space).next().is_some_and(|word| word.eq_ignore_ascii_case("not")) {
                return None;
            }
            let line = said.split('\n').next().unwrap_or_default();
            let sentence = sentence(line);
            self.whole(line).or_else(|| self.whole(sentence)).or_else(|| self.running(sentence))
        })
    }

    /// Reads running text: options whose text stands in it, letters in brackets, a letter with its mark at the beginning.
    pub(super) fn running(&self, text: &str) -> Option<Named> {
        let phrases: Vec<&str> = self.texts.iter().map(String::as_str).collect();
        let mut places: Vec<usize> = found(&plain(text), &phrases).into_iter().map(|place| self.first(place)).collect();
        places.extend(self.bracketed(text));
        places.extend(self.marked(text).filter(|(_, rest)| rest.is_empty() || rest.starts_with(is_space)).map(|m| m.0));
        let first = *places.first()?;
        Some(if places.iter().all(|&place| place == first) { Named::One(first) } else { Named::Several })
    }

    /// The option of this text.
    fn text(&self, text: &str) -> Option<usize> {
        let text = normal(text);
        self.texts.iter().position(|option| !text.is_empty() && *option == text)
    }

    fn first(&self, place: usize) -> usize {
        self.texts.iter().position(|text| *text == self.texts[place]).unwrap_or(place)
    }

    /// The option of this letter, of either case.
    fn letter(&self, text: &str) -> Option<usize> {
        let &[letter] = text.as_bytes() else { return None };
        let place = usize::from(letter.to_ascii_uppercase().checked_sub(b'A')?);
        (place < self.lettered).then(|| self.first(place))
    }

    /// An upper-case letter and its mark at the beginning, and what follows: `(A)`, `[A]`, `A)`, `A.`, `A:`.
    fn marked<'t>(&self, text: &'t str) -> Option<(usize, &'t str)> {
        let text = text.trim_start_matches(|c| is_space(c) || "\"'`*_".contains(c));
        let open = text.strip_prefix(['(', '[']);
        let inner = open.unwrap_or(text);
        let letter = inner.get(..1).filter(|letter| letter.as_bytes()[0].is_ascii_uppercase())?;
        let marks: &[char] = if open.is_some() { &[')', ']'] } else { &[')', '.', ':'] };
        let rest = inner[1..].trim_start_matches(['*', '_']).strip_prefix(marks)?;
        let rest = if open.is_some() { rest.trim_start_matches(['.', ':']) } else { rest };
        Some((self.letter(letter)?, rest.trim_start_matches(['*', '_'])))
    }

    /// Upper-case letters in brackets, `(A)` or `[A]`, that no word stands right before.
    fn bracketed(&self, text: &str) -> Vec<usize> {
        let (mut before, mut out) = (None, Vec::new());
        for (at, c) in text.char_indices() {
            if matches!(c, '(' | '[')
                && !before.is_some_and(is_word)
                && let [letter, b')' | b']', ..] = text.as_bytes()[at + 1..]
                && letter.is_ascii_uppercase()
            {
                out.extend(self.letter(&text[at + 1..at + 2]).filter(|place| !out.contains(place)));
            }
            before = Some(c);
        }
        out
    }
}

/// The word of `answer is` and `answer:`.
const CUE: &str = "answer";

/// Where what is called the answer begins, if the word at this place of a lower-case text is followed by `is`, `:` or `=`; quotes and emphasis
/// between do not matter.
fn behind_cue(lower: &str, at: usize) -> Option<usize> {
    let rest = &lower[at + CUE.len()..];
    let next = rest.trim_start_matches(|c| is_space(c) || "\"'`*_".contains(c));
    let said = match next.strip_prefix([':', '=']) {
        Some(said) => said,
        None => {
            let said = next.strip_prefix("is").filter(|_| next.len() < rest.len())?;
            said.strip_prefix(':').or_else(|| said.starts_with(|c| !is_word(c)).then_some(said))?
        }
    };
    (!lower[..at].ends_with(is_word)).then_some(lower.len() - said.len())
}

/// The text up to the end of its first sentence: a full stop, question or exclamation mark with white space behind.
fn sentence(text: &str) -> &str {
    let ends = text.match_indices(['.', '!', '?']).map(|(at, _)| at + 1);
    let end = ends.into_iter().find(|&end| text[end..].starts_with(is_space));
    end.map_or(text, |end| &text[..end])
}
