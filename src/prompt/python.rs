//! What Python's `str` and `re` say about characters. Prompts and verdicts of the reference depend on it.
//!
//! The classes are those of CPython 3.11, Unicode 14.0, whatever Unicode this program's libraries know: a code point that a
//! later Unicode assigned stays unassigned here (escaped in a `repr`, no letter of a word). Compared with CPython over all
//! code points in `tests/prompt_python.rs`.

use regex_syntax::hir::{Class, HirKind};
use std::sync::LazyLock;

/// Sorted, disjoint, inclusive ranges of code points.
struct Ranges(Vec<(char, char)>);

impl Ranges {
    /// The ranges of a regular expression that is one character class.
    fn of(class: &str) -> Self {
        let hir = regex_syntax::parse(class).expect("the class is a constant of this file");
        match hir.into_kind() {
            HirKind::Class(Class::Unicode(class)) => Self(class.iter().map(|r| (r.start(), r.end())).collect()),
            other => unreachable!("{class} is not a class of Unicode characters: {other:?}"),
        }
    }

    fn contains(&self, c: char) -> bool {
        let after = self.0.partition_point(|&(start, _)| start <= c);
        after > 0 && c <= self.0[after - 1].1
    }
}

static PRINTABLE: LazyLock<Ranges> = LazyLock::new(|| Ranges::of(r"[ [\p{Age=14.0}--[\p{C}\p{Z}]]]"));
static DIGITS: LazyLock<Ranges> = LazyLock::new(|| Ranges::of(DIGIT));
static WORDS: LazyLock<Ranges> = LazyLock::new(|| Ranges::of(WORD));

/// [`is_digit`] as a class of regex-syntax.
pub(crate) const DIGIT: &str = r"[\p{Age=14.0}&&\p{Nd}]";
/// [`is_space`] as a class of regex-syntax.
pub(crate) const SPACE: &str = r"[\p{White_Space}\x1c-\x1f]";
/// [`is_word`] as a class of regex-syntax.
pub(crate) const WORD: &str = r"[_[\p{Age=14.0}&&[\p{L}\p{N}]]]";

/// `str.isprintable` of one character: no category C or Z, the space excepted.
pub fn is_printable(c: char) -> bool {
    if c.is_ascii() { matches!(c, ' '..='~') } else { PRINTABLE.contains(c) }
}

/// `\w` of `re` on a `str`: `str.isalnum` or `_`. Unlike Rust's regex crate it takes no combining marks and no joiners.
pub fn is_word(c: char) -> bool {
    match c {
        '\0'..='\x7f' => c.is_ascii_alphanumeric() || c == '_',
        // Latin and general punctuation, where no Unicode differs: most texts need no table of all classes.
        '\u{80}'..='\u{24f}' | '\u{2000}'..='\u{206f}' => c.is_alphanumeric(),
        _ => WORDS.contains(c),
    }
}

/// `\d` of `re` on a `str`: category Nd, so the digits of every script.
pub fn is_digit(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { DIGITS.contains(c) }
}

/// `str.isspace` of one character: Unicode's White_Space and the four information separators U+001C to U+001F.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_differs_from_rust_where_it_should() {
        assert_eq!(strip("\x1c\u{a0} a b \x1f\n"), "a b");
        assert_eq!(strip("\u{200b}a"), "\u{200b}a");
        for mark in ['\u{301}', '\u{200d}', '-', '\''] {
            assert!(!is_word(mark), "{mark:?}");
        }
        for digit in ['7', '٣', '７'] {
            assert!(is_digit(digit), "{digit:?}");
        }
        for other in ['²', '½', 'Ⅷ', 'a'] {
            assert!(!is_digit(other), "{other:?}");
        }
        let spaces = Ranges::of(SPACE);
        assert!((char::MIN..=char::MAX).all(|c| spaces.contains(c) == is_space(c)));
        for letter in ['_', 'é', '中', '²', '½', '٣', 'Ⅷ'] {
            assert!(is_word(letter), "{letter:?}");
        }
    }
}
