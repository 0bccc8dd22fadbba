//! Options found in running text: each as a phrase of its own, not as a part of a longer option's.

use crate::prompt::python::{is_digit, is_space, is_word};

/// A text for comparison: lower case, straight quotes, white space as single spaces, none around, one behind a comma (MMAU has `was,panel` beside
/// `course, of`) except in a number.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        let (lower, mut before) = (word.to_lowercase(), None);
        let mut chars = lower.chars().peekable();
        while let Some(c) = chars.next() {
            out.push(match c {
                '‘' | '’' | 'ʼ' => '\'',
                '“' | '”' | '„' => '"',
                other => other,
            });
            if c == ','
                && let Some(&next) = chars.peek()
                && !(before.is_some_and(is_digit) && is_digit(next))
            {
                out.push(' ');
            }
            before = Some(c);
        }
    }
    out
}

/// [`plain`] without quotes, marks of emphasis and closing punctuation around it, and without brackets around the whole. A text of nothing else
/// stays what it is.
pub(super) fn normal(text: &str) -> String {
    let plain = plain(text);
    match peel(&plain) {
        "" => plain,
        peeled if peeled.len() == plain.len() => plain,
        peeled => peeled.to_owned(),
    }
}

/// Takes off what may stand around an answer without being part of it.
pub(super) fn peel(text: &str) -> &str {
    let around = |c: char| is_space(c) || "\"'`*_“”‘’".contains(c);
    let mut inner = text;
    loop {
        let before = inner;
        inner = inner.trim_start_matches(around).trim_end_matches(|c| around(c) || ".,;:!?".contains(c));
        inner = [('(', ')'), ('[', ']'), ('{', '}')].iter().find_map(|&pair| unwrapped(inner, pair)).unwrap_or(inner);
        if inner.len() == before.len() {
            return inner;
        }
    }
}

/// The inside of a text that stands in one pair of brackets as a whole.
fn unwrapped(text: &str, (open, close): (char, char)) -> Option<&str> {
    let inside = text.strip_prefix(open)?.strip_suffix(close)?;
    let mut depth = 0;
    for c in inside.chars() {
        depth += i32::from(c == open) - i32::from(c == close);
        if depth < 0 {
            return None;
        }
    }
    (depth == 0).then_some(inside)
}

/// Which of some phrases a [`plain`] text holds, by place: those that occur word-bounded somewhere outside longer ones. A single letter is never
/// found (`a` and `i` are words, and a letter may name an option instead).
pub(super) fn found(text: &str, phrases: &[&str]) -> Vec<usize> {
    let stands = |phrase: &str| {
        let longer: Vec<(&str, Vec<usize>)> = phrases
            .iter()
            .filter(|other| other.len() > phrase.len())
            .map(|other| (*other, places(other, phrase).collect()))
            .collect();
        let within_longer = |at: usize| {
            longer.iter().any(|(other, offsets)| {
                offsets.iter().filter_map(|offset| at.checked_sub(*offset)).any(|start| stands_at(text, other, start))
            })
        };
        places(text, phrase).any(|at| stands_at(text, phrase, at) && !within_longer(at))
    };
    (0..phrases.len()).filter(|&which| !is_letter(phrases[which]) && stands(phrases[which])).collect()
}

fn is_letter(phrase: &str) -> bool {
    let mut chars = phrase.chars();
    chars.next().is_none_or(|c| chars.next().is_none() && !is_digit(c))
}

/// Where a phrase is in a text, with or without bounds; occurrences may overlap.
fn places(text: &str, phrase: &str) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + text.get(from..)?.find(phrase)?;
        from = at + text[at..].chars().next().map_or(1, char::len_utf8);
        Some(at)
    })
}

/// Whether a phrase stands at this place of a text, word-bounded.
fn stands_at(text: &str, phrase: &str, at: usize) -> bool {
    let behind = text.get(at..).and_then(|rest| rest.strip_prefix(phrase));
    behind.is_some_and(|behind| is_bounded(&text[..at], phrase, behind))
}

/// Whether what stands before and behind leaves the phrase alone: no letter or digit, no sharp or flat (`C` is not in `C#`), and nothing that ties
/// it to a word (`non-`, `and/`, `'s`) or a number (`5` is neither in `5.5` nor in `-5`).
fn is_bounded(before: &str, phrase: &str, behind: &str) -> bool {
    let tie = |c: char| matches!(c, '-' | '/' | '\'');
    let mark = |c: char| matches!(c, '.' | ',' | ':');
    let (mut left, mut right) = (before.chars().rev(), behind.chars());
    let (first, last) = (phrase.chars().next(), phrase.chars().next_back());
    let digit = |c: Option<char>| c.is_some_and(is_digit);
    let tied_left = left.next().is_some_and(|c| {
        let next = left.next();
        is_word(c)
            || (tie(c) && next.is_some_and(is_word))
            || (c == '-' && digit(first))
            || (mark(c) && digit(first) && digit(next))
    });
    let tied_right = right.next().is_some_and(|c| {
        let next = right.next();
        is_word(c)
            || matches!(c, '#' | '♯' | '♭')
            || (tie(c) && next.is_some_and(is_word))
            || (mark(c) && digit(last) && digit(next))
    });
    !tied_left && !tied_right
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_compared_without_what_stands_around_them() {
        for text in ["A  dog", " a dog. ", "\"A Dog\"", "**A dog**.", "(a\tdog)", "“A dog.”", "`a\ndog`!"] {
            assert_eq!(normal(text), "a dog", "{text}");
        }
        for (text, kept) in [("C#", "c#"), ("(a) and (b)", "(a) and (b)"), ("...", "..."), ("-5", "-5"), ("", "")] {
            assert_eq!(normal(text), kept);
        }
        assert_eq!(normal("Don’t"), normal("don't"));
        assert_eq!(plain("was,panel,\n1,000 ,2"), "was, panel, 1,000 , 2");
    }

    #[test]
    fn phrases_have_bounds() {
        for (text, phrase, is) in [
            ("it is a dog.", "a dog", true),
            ("a dogged man", "a dog", false),
            ("non-diegetic", "diegetic", false),
            ("c# minor", "c#", true),
            ("key of bb#", "bb", false),
            ("about 5.5 s", "5", false),
            ("it was -55", "55", false),
            ("there were 55.", "55", true),
            ("the man's voice", "the man", false),
            ("rain/wind", "rain", false),
            ("is it a or i", "a", false),
            ("(the cat)", "the cat", true),
        ] {
            assert_eq!(!found(text, &[phrase]).is_empty(), is, "{text}");
        }
        assert_eq!(found("dog barking", &["dog", "dog barking", "cat"]), [1]);
        assert_eq!(found("dog barking, no other dog", &["dog", "dog barking"]), [0, 1]);
        assert_eq!(found("red dog house", &["red dog", "dog house"]), [0, 1], "neither is part of the other");
    }

    /// The same by trying every place for every phrase, with words as lists.
    fn by_words(text: &str, phrases: &[String]) -> Vec<usize> {
        let words: Vec<&str> = text.split(' ').collect();
        let phrases: Vec<Vec<&str>> = phrases.iter().map(|p| p.split(' ').collect()).collect();
        let mut own = Vec::new();
        for (which, phrase) in phrases.iter().enumerate() {
            let at = |p: &[&str], i: usize| i + p.len() <= words.len() && words[i..i + p.len()] == *p;
            let covers = |i: usize| {
                phrases
                    .iter()
                    .filter(|p| p.len() > phrase.len())
                    .any(|p| (0..words.len()).any(|j| at(p, j) && j <= i && i + phrase.len() <= j + p.len()))
            };
            if (0..words.len()).any(|i| at(phrase, i) && !covers(i)) {
                own.push(which);
            }
        }
        own
    }

    proptest! {
        #[test]
        fn found_is_what_a_search_by_words_finds(
            text in "(aa|bb|cc)( (aa|bb|cc)){0,9}",
            phrases in proptest::collection::btree_set("(aa|bb|cc)( (aa|bb|cc)){0,3}", 1..5),
        ) {
            let phrases: Vec<String> = phrases.into_iter().collect();
            let borrowed: Vec<&str> = phrases.iter().map(String::as_str).collect();
            prop_assert_eq!(found(&text, &borrowed), by_words(&text, &phrases));
        }

        #[test]
        fn normal_is_settled(text in "[a-cA-C.,'\"()\\[ *]{0,12}") {
            let once = normal(&text);
            prop_assert_eq!(normal(&once), once);
        }
    }
}
