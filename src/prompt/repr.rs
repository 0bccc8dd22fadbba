//! Python's `repr` of a `str` and of a list of `str`: R1-AQA's prompts hold the options as `{choices}` prints them.

use super::python::is_printable;
use std::fmt::Write;

/// `repr(text)` of CPython 3.11: single quotes, or double ones when the text holds `'` and no `"`; backslash, the quote in use,
/// `\n`, `\r`, `\t` escaped; what is not printable as `\xNN`, `\uNNNN` or `\UNNNNNNNN`; the rest verbatim.
pub fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push(&mut out, text);
    out
}

/// `repr(items)` of a list of `str`: `['a', 'b']`.
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    let mut out = String::from("[");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        push(&mut out, item.as_ref());
    }
    out.push(']');
    out
}

fn push(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c == quote || c == '\\' => out.extend(['\\', c]),
            _ if is_printable(c) => out.push(c),
            _ => {
                let point = u32::from(c);
                let written = match point {
                    ..=0xff => write!(out, "\\x{point:02x}"),
                    0x100..=0xffff => write!(out, "\\u{point:04x}"),
                    _ => write!(out, "\\U{point:08x}"),
                };
                written.expect("writing to a String cannot fail");
            }
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a Python string literal back, as far as `repr` writes them.
    fn unescape(literal: &str) -> String {
        let mut chars = literal.chars();
        let quote = chars.next().unwrap();
        let mut out = String::new();
        loop {
            match chars.next().unwrap() {
                c if c == quote => break,
                '\\' => {
                    let kind = chars.next().unwrap();
                    let digits = match kind {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        'n' => return out + "\n" + &unescape(&format!("{quote}{}", chars.as_str())),
                        'r' => return out + "\r" + &unescape(&format!("{quote}{}", chars.as_str())),
                        't' => return out + "\t" + &unescape(&format!("{quote}{}", chars.as_str())),
                        '\\' | '\'' | '"' => {
                            out.push(kind);
                            continue;
                        }
                        other => panic!("{other:?} is not an escape of repr"),
                    };
                    let code: String = chars.by_ref().take(digits).collect();
                    out.push(char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap());
                }
                c => out.push(c),
            }
        }
        assert_eq!(chars.next(), None, "nothing follows the closing quote");
        out
    }

    proptest! {
        #[test]
        fn a_repr_reads_back_as_the_text(text in r#"(['"\\\n\r\t\x00é中]|\PC|.){0,20}"#) {
            let literal = string(&text);
            prop_assert_eq!(unescape(&literal), text);
            prop_assert!(literal.chars().all(is_printable));
        }
    }

    #[test]
    fn quotes_are_chosen_per_element() {
        assert_eq!(list(&["a", "it's", "\"b\"", "'\""]), r#"['a', "it's", '"b"', '\'"']"#);
        assert_eq!(list::<&str>(&[]), "[]");
    }
}
