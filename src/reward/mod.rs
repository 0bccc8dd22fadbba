//! Rewards of a completion, as R1-AQA's trainer gives them (xiaomi-research/r1-aqa at 5d24f31).
//!
//! One departure, declared: the reference first asks math-verify 0.7.0 whether the two texts are symbolically equal, and only
//! then compares strings. That step is left out here. It can only add reward, and only where [`needs_symbolic`] holds of the
//! solution ("Room 101" then passes for "Channel 101"), so a trainer counts those when it loads its questions.

use crate::prompt::python::{is_space, strip};

const OPEN: &str = "<answer>";
const CLOSE: &str = "</answer>";

/// What counts as the answer in a text: the inside of the first `<answer>(.*?)</answer>` that lies within one line, else the
/// whole text; stripped. `.` is Python's: it stops at `\n` only.
pub fn answer(text: &str) -> &str {
    strip(tagged(text).unwrap_or(text))
}

fn tagged(text: &str) -> Option<&str> {
    text.match_indices(OPEN).find_map(|(at, _)| {
        let inside = &text[at + OPEN.len()..];
        let inside = &inside[..inside.find(CLOSE)?];
        (!inside.contains('\n')).then_some(inside)
    })
}

/// 1 when the completion's answer is, letter by letter, the solution's (`<answer>…</answer>`), else 0. Without tags the whole
/// text counts, so an untagged exact answer earns 1.
pub fn accuracy(completion: &str, solution: &str) -> f64 {
    f64::from(answer(completion) == answer(solution))
}

/// 1 when the completion is `<answer>`, anything, `</answer>` and nothing else (a line break after it earns 0; two blocks in a
/// row earn 1): Python's `fullmatch` of `<answer>.*?</answer>` with DOTALL.
pub fn format(completion: &str) -> f64 {
    f64::from(completion.strip_prefix(OPEN).is_some_and(|rest| rest.ends_with(CLOSE)))
}

/// Whether math-verify 0.7.0 can find something symbolic in a solution, so that the reference might reward what string
/// comparison does not: a number after white space, `=` or at the very start (`**`, one currency sign, `-` and `(` may stand
/// between), or LaTeX. `<answer>3</answer>` holds none: the digit follows `>`. Meant never to be false where math-verify finds
/// something; a number behind a bracket or after digits that are not ASCII, or a `$` behind a digit, may be flagged in vain.
pub fn needs_symbolic(solution: &str) -> bool {
    has_number(solution) || has_latex(solution)
}

/// `currency_units` of math_verify/parser.py at 0.7.0.
const CURRENCY: &str = "$€£¥₹₽₪₩₫฿₡₢₣₤₥₦₧₨₭₮₯₰₱₲₳₴₵₶₷₸₺₻₼₾₿";

fn has_number(text: &str) -> bool {
    let opens = text.char_indices().filter(|&(_, c)| c == '=' || is_space(c)).map(|(at, c)| at + c.len_utf8());
    std::iter::once(0).chain(opens).any(|at| {
        let rest = &text[at..];
        let rest = rest.strip_prefix("**").unwrap_or(rest);
        let rest = rest.strip_prefix(|c| CURRENCY.contains(c)).unwrap_or(rest);
        let rest = rest.trim_start_matches(['-', '(']);
        rest.strip_prefix('.').unwrap_or(rest).starts_with(|c: char| c.is_ascii_digit())
    })
}

fn has_latex(text: &str) -> bool {
    let between = |open: &str, close: &str| text.find(open).is_some_and(|at| text[at + open.len()..].contains(close));
    let bracketed = text.char_indices().filter(|&(_, c)| c == '[').any(|(at, _)| {
        let inside = text[at + 1..].split_once(']');
        text[..at].ends_with(is_space) && inside.is_some_and(|(_, after)| after.starts_with(is_space))
    });
    between("$", "$")
        || between("\\(", "\\)")
        || between("\\[", "\\]")
        || bracketed
        || text.contains("\\boxed{")
        || text.contains("\\frac{")
}
