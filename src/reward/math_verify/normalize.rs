//! How LaTeX is tidied before it is read; the tidied text is also what is compared as a string
//! (latex2sympy2_extended/math_normalization.py at 1.10.1 with basic_latex, units, malformed_operators, nits and boxed).

use crate::prompt::python::{is_space, strip};
use crate::reward::pattern::{Match, Pattern, TooManySteps};
use std::sync::LazyLock;

/// One substitution: every match is replaced by these pieces.
struct Rule(Pattern, &'static [Piece]);

/// A piece of a replacement.
enum Piece {
    Text(&'static str),
    Group(usize),
}

use Piece::{Group, Text};

impl Rule {
    fn new(pattern: &str, by: &'static [Piece]) -> Self {
        Self(Pattern::new(pattern, false), by)
    }

    fn apply(&self, text: &str) -> Result<String, TooManySteps> {
        self.0.replace(text, |found| self.1.iter().map(|piece| piece.of(found)).collect())
    }
}

impl Piece {
    fn of<'t>(&self, found: &Match<'t>) -> &'t str {
        match self {
            Text(text) => text,
            Group(n) => found.get(*n).map_or("", |group| group.as_str()),
        }
    }
}

/// Brackets that `\left` and `\right` may size.
const LEFT: &str = r"\\\{|\{|\\\||\||\[|\(|\\rbracl|\\lgroup|\\lbrace|\\lbrack|\\vert|\\lvert|\\lceil|\\lfloor|\\langle|\\llcorner|\\ulcorner";
const RIGHT: &str =
    r"\\\}|\}|\\\||\||\]|\)|\\rbrack|\\rgroup|\\rbrace|\\vert|\\rvert|\\rceil|\\rfloor|\\rangle|\\lrcorner|\\urcorner";

/// Sizes, permutations and what is dropped.
static BASIC: LazyLock<[Rule; 4]> = LazyLock::new(|| {
    let term = r"([a-zA-Z0-9+\-*/\\ ]+?)";
    [
        Rule::new(&format!(r"\\m?left({LEFT})"), &[Group(1)]),
        Rule::new(&format!(r"\\m?right({RIGHT})"), &[Group(1)]),
        Rule::new(
            &format!(r"\({term}\)_\{{{term}\}}"),
            &[Text(r"\frac{("), Group(1), Text(")!}{(("), Group(1), Text(")-("), Group(2), Text("))!}")],
        ),
        Rule::new(r#"\\mathrm\{th\}|\\!\s*|\\text\s*\{\s*\}|\\\$|\$|(?<!\\)["']|\\displaystyle"#, &[]),
    ]
});

/// Spellings and what they become. All are looked for at once: the first that matches at a place wins.
const SPELLINGS: [(&str, &str); 16] = [
    (r"\\math(?:rm|it|bf)", r"\text"),
    (r"\\text(?:normal|bf|it|rm)", r"\text"),
    (r"\\(?:d|t|c)frac", r"\frac"),
    (r"\s\.", " 0."),
    (r"\{\.", "{0."),
    (r"~=", r"\approx"),
    (r"\s*\{\s*,\s*\}", ","),
    (r"(?<![a-zA-Z]),?\s*(?:and|or)(?![a-zA-Z])", ","),
    (r",?\s*\\text{\s*(?:and|or)\s*}", ","),
    (r"(?<!\\)\\\s", " "),
    ("infinity", r"\infty"),
    (r",?\\ldots", " "),
    // Two backslashes: what follows reads them as a row break, so that `50 percent` has no value.
    (r"\s*percent", r"\\%"),
    (r"\\text\{percent\}", r"\\%"),
    (r"(?<!\\)inf(?!inity)", r"\infty"),
    (" sqrt", r"\sqrt"),
];

static SPELLING: LazyLock<Pattern> = LazyLock::new(|| {
    let each: Vec<String> = SPELLINGS.iter().map(|(pattern, _)| format!("({pattern})")).collect();
    Pattern::new(&each.join("|"), false)
});

static DOUBLED_BACKSLASH: LazyLock<Rule> = LazyLock::new(|| Rule::new(r"\\\\(?=[a-zA-Z])", &[Text("\\")]));

/// A unit at the end, with its power. Of the many words that upstream lists as units its pattern can only match this one:
/// it asks for white space where the word begins.
static UNITS: LazyLock<[Rule; 3]> = LazyLock::new(|| {
    [
        Rule::new(r"(\\(?:text|mbox)\{.*?\})(\^\d|\{\^\d\})?$", &[]),
        Rule::new(r" m east(?:s|es)?(?:$|\W)", &[]),
        Rule::new(r"\\text\s*\{\s*\}", &[Text(" ")]),
    ]
});

static OPERATORS: LazyLock<[Rule; 7]> = LazyLock::new(|| {
    [
        Rule::new(r"\^\s?\((.*?)\)", &[Text("^{"), Group(1), Text("}")]),
        Rule::new(r"sqrt\s?\((.*?)\)", &[Text(r"\sqrt{"), Group(1), Text("}")]),
        Rule::new(r"\\frac\s?(\d)\s?(\d+)", &[Text(r"\frac{"), Group(1), Text("}{"), Group(2), Text("}")]),
        Rule::new(r"\\log_\s?(\d)\s?(\d+)", &[Text(r"\log_{"), Group(1), Text("}{"), Group(2), Text("}")]),
        Rule::new(r"\\frac\s?\{(.*?)\}\s?(\d)", &[Text(r"\frac{"), Group(1), Text("}{"), Group(2), Text("}")]),
        Rule::new(r"\\frac\s?(\d)\s?\{(.*?)\}", &[Text(r"\frac{"), Group(1), Text("}{"), Group(2), Text("}")]),
        Rule::new(r"\\sqrt\s?(\d)", &[Text(r"\sqrt{"), Group(1), Text("}")]),
    ]
});

/// The tidied text. `last`: of several boxes only the last run counts, else all.
pub(super) fn normalize(text: &str, last: bool) -> Result<String, TooManySteps> {
    let mut text = boxed(text, last);
    for (from, to) in [
        (r"\mathrm{T}", "T"),
        (r"\mathrm{d}", "d"),
        (r"{\rm d}", "d"),
        (r"\left[\begin{matrix}", r"\begin{bmatrix}"),
        (r"\end{matrix}\right]", r"\end{bmatrix}"),
    ] {
        text = text.replace(from, to);
    }
    text = BASIC.iter().try_fold(text, |text, rule| rule.apply(&text))?;
    text = SPELLING.replace(&text, |found| {
        let which = (0..SPELLINGS.len()).find(|n| found.get(n + 1).is_some());
        SPELLINGS[which.expect("one of the spellings matched")].1.to_owned()
    })?;
    text = text.replace(['\n', '\t'], " ");
    if !text.contains("matrix") {
        text = DOUBLED_BACKSLASH.apply(&text)?;
    }
    text = units(text)?;
    if text.starts_with('.') {
        text.insert(0, '0');
    }
    if text == "0.5" {
        text = r"\frac{1}{2}".to_owned();
    }
    text = OPERATORS.iter().try_fold(text, |text, rule| rule.apply(&text))?;
    text = text.replace(" sqrt", r"\sqrt");
    Ok(strip(&slashed(fractions(roots(text)))).to_owned())
}

fn units(mut text: String) -> Result<String, TooManySteps> {
    let [unit, word, empty] = &*UNITS;
    let without = unit.apply(&text)?;
    if !strip(&without).is_empty() {
        text = strip(&without).to_owned();
    }
    for _ in 0..2 {
        let without = word.apply(&text)?;
        if !without.is_empty() {
            text = without;
        }
    }
    empty.apply(&text)
}

/// The content of `\boxed{…}` and `\fbox{…}`, several joined by commas; the text itself if there is none.
fn boxed(text: &str, last: bool) -> String {
    let chars: Vec<char> = text.chars().collect();
    let begins = |at: usize, word: &str| chars[at..].iter().take(word.len()).copied().eq(word.chars());
    let rightmost =
        |word: &str, limit: usize| (0..(limit + 1).saturating_sub(word.len())).rev().find(|&at| begins(at, word));
    let whole = |from: usize, to: usize| chars[from..to].iter().collect::<String>();
    let mut found: Vec<String> = Vec::new();
    let (mut limit, mut after) = (chars.len(), None);
    loop {
        let (boxed, fbox) = (rightmost("\\boxed", limit), rightmost("\\fbox", limit));
        let Some(start) = boxed.max(fbox) else { break };
        let mut open = start + if boxed > fbox { 6 } else { 5 };
        // Of a text that ends right after the command nothing is taken. A box stops where the one behind it begins.
        while open < limit && is_space(chars[open]) {
            open += 1;
        }
        if open >= limit {
            break;
        }
        let close = if chars[open] == '{' { closing(&chars[..limit], open) } else { None };
        let Some(close) = close else {
            if found.is_empty() {
                found.push(whole(open, chars.len()));
            }
            break;
        };
        if last && let Some(after) = after {
            let between = whole(close + 1, after);
            let joined = ["and", "or", ",", ";"].iter().any(|word| between.contains(word));
            if between.chars().count() >= 70 || !joined {
                break;
            }
        }
        found.push(strip(&whole(open + 1, close)).to_owned());
        (limit, after) = (start, Some(start));
    }
    if found.is_empty() {
        return text.to_owned();
    }
    found.reverse();
    found.join(",")
}

/// Where the brace that opens here closes.
fn closing(chars: &[char], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    (open..chars.len()).find(|&at| {
        match chars[at] {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

/// `\sqrt3` as `\sqrt{3}`.
fn roots(text: String) -> String {
    let mut parts = text.split(r"\sqrt");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let part = part.trim_start_matches(is_space);
        out += r"\sqrt";
        match part.chars().next() {
            Some(c) if c != '{' && c != '[' => out += &format!("{{{c}}}{}", &part[c.len_utf8()..]),
            _ => out += part,
        }
    }
    out
}

/// `\frac12` and `\frac1{2}` with braces; a `\frac` with less than two characters behind it leaves the text as it is.
fn fractions(text: String) -> String {
    let mut parts = text.split(r"\frac");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let part = part.trim_start_matches(is_space);
        out += r"\frac";
        if part.starts_with('{') {
            out += part;
            continue;
        }
        let mut chars = part.chars();
        let (Some(above), Some(below)) = (chars.next(), chars.next()) else { return text };
        match below {
            '{' => out += &format!("{{{above}}}{{{}", chars.as_str()),
            _ => out += &format!("{{{above}}}{{{below}}}{}", chars.as_str()),
        }
    }
    out
}

/// A text that is nothing but `a/b` as a fraction.
fn slashed(text: String) -> String {
    let whole = |part: &str| {
        let digits = part.strip_prefix('-').unwrap_or(part);
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        plain && (part == "0" || !digits.starts_with('0'))
    };
    match text.split_once('/') {
        Some((above, below)) if whole(above) && whole(below) => format!(r"\frac{{{above}}}{{{below}}}"),
        _ => text,
    }
}
