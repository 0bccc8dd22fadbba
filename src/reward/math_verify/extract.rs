//! Where math-verify looks for an answer in a text, and in which order (math_verify/parser.py at 0.7.0: LaTeX and plain
//! expressions, `any_match`, the first text kept as a fallback).

use super::expr::Expr;
use super::plain::Digits;
use super::{Unsupported, latex, normalize, plain};
use crate::reward::pattern::{Pattern, TooManySteps};
use std::cmp::Reverse;
use std::sync::LazyLock;

/// Signs that may stand before a number.
const CURRENCY: &str = "$€£¥₹₽₪₩₫฿₡₢₣₤₥₦₧₨₭₮₯₰₱₲₳₴₵₶₷₸₺₻₼₾₿";

/// What was found in a text.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The value of the best match that could be read.
    pub value: Option<Expr>,
    /// The text of the best match, read or not.
    pub text: Option<String>,
    /// Why it is not known whether there is a value, or which.
    pub unknown: Option<Unsupported>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Latex,
    Plain,
}

/// The patterns with their kinds; those of one group compete by their place in the text.
static GROUPS: LazyLock<Vec<Vec<(Kind, Pattern)>>> = LazyLock::new(|| {
    let (latex, boxed, number) = (latex_run("plain"), latex_run("boxed"), plain_number());
    let (sum, either) = (plain_sum(), format!("(?:{}|{number})", plain_sum()));
    let is_latex = |pattern: String| (Kind::Latex, Pattern::new(&pattern, true));
    let is_plain = |pattern: String| (Kind::Plain, Pattern::new(&pattern, false));
    let hope = r"\.?\s?I hope";
    let after_equals = r"(?:.{0,100}=\s*|.{0,50}?)";
    vec![
        vec![
            is_latex(format!(r"(?i:final answer is):?\s*{latex}{hope}")),
            is_plain(format!(r"(?i:final answer is):?\s*{either}{hope}")),
        ],
        vec![
            is_latex(format!(r"(?i:final answer.{{0,100}}?)\s+is:?\s*{latex}")),
            is_latex(boxed),
            is_latex(r"(?P<first_Boxed>\\boxed\{.+\})".to_owned()),
            is_plain(format!(r"(?i:final answer.{{0,100}}?)\s+is:?{either}")),
        ],
        vec![
            is_latex(format!(r"(?i:answer):.{{0,50}}?{latex}")),
            is_plain(format!(r"(?i:answer):{after_equals}{either}(?!\s*=)")),
        ],
        vec![
            is_latex(format!(r"(?i:answer).{{0,50}}?{latex}")),
            is_plain(format!(r"(?i:answer){after_equals}{either}(?!\s*=)")),
        ],
        vec![is_latex(latex), is_plain(sum), is_plain(number)],
    ]
});

/// What may stand directly before a number or a sum.
const BEFORE: &str = r"(?:^|\s|=)(?:\*\*)?";

fn plain_number() -> String {
    let digits = concat!(
        r"(?:(?P<integer1>-?[1-9]\d{0,2}(?:[ ,]\d{3})+)(?P<decimal1>\.\d+)?",
        r"|(?P<integer2>-?\d+)(?P<decimal2>[.,]\d+)|(?P<decimal3>\.\d+)|(?P<integer3>-?\d+))"
    );
    let percent = r"(?P<percent>\s*(?:%|[Pp]ercent|\s*[Pp]ercentage|\s*[Pp]ct))?";
    format!(r"(?:{BEFORE}[{CURRENCY}]?(?<!\d){digits}{percent})")
}

/// Upstream ends in `$`; `\Z` is the same behind `\s`, and leaves the pattern to the regex crate.
fn plain_sum() -> String {
    let marks = r"\+\-*×/^()÷";
    let any = format!(r"[\d.\s{marks}]");
    format!(r"(?:{BEFORE}(?P<sum>-?\(?-?\d{any}*[{marks}]{any}+\)?)(?:\*\*)?(?:\.|,|:|\s|\)|\$|\Z))")
}

/// Up to six LaTeX parts, joined by commas, `and` or `or`.
fn latex_run(kind: &str) -> String {
    let mut out = latex_part("first", kind);
    for i in 1..6 {
        let gap = if kind == "boxed" { r"\s*" } else { "" };
        out += &format!(r"{gap}(?:\s*(?:,?and|,?or|,)\s*{})?", latex_part(&format!("next{i}"), kind));
    }
    if kind == "boxed" { out } else { format!("(?:{out})") }
}

fn latex_part(name: &str, kind: &str) -> String {
    let inside = |content: &str| match kind {
        "boxed" => format!(r"{content}*?\\boxed\{{{content}+?\}}{content}*?"),
        _ => format!("{content}+?"),
    };
    let group = |of: &str, content: &str| format!("(?P<{name}_{of}>{})", inside(content));
    let mut forms = vec![
        format!(r"(?<!\\)\$\${}(?<!\\)\$\$", group("Dollars", r"(?:[^$]|\$(?!\$))")),
        format!(r"(?<!\\)\\\[{}(?<!\\)\\\]", group("Display", r"(?:[^\\]|\\(?!\]))")),
        format!(r"(?<!\\|\d)\${}(?<!\\)\$", group("Dollar", r"(?:\\[$]|[^\n$])")),
        format!(r"(?<!\\)\\\({}(?<!\\)\\\)", group("Inline", r"(?:[^\\\n]|\\(?!\)))")),
        format!(r"\s\[{}\]\s", group("Bracket", r"[^\n\]\[]")),
    ];
    if kind == "plain" {
        let number = r"-?\d+(?:[.,]\d+)?";
        forms.push(format!(r"(?P<{name}_Fraction>-?\\frac\{{{number}\}}\{{{number}\}})"));
    }
    let percent = format!(r"(?P<{name}_percent>(?:\\?%|[Pp]ercent|[Pp]ercentage|[Pp]ct))?");
    format!(r"(?:(?:{})\s*{percent})", forms.join("|"))
}

/// The named parts of a match.
type Parts<'t> = Vec<(&'static str, &'t str)>;

/// The matches of a group's patterns: the one that ends last, of those the longest, comes first.
fn matches<'t>(group: &'static [(Kind, Pattern)], text: &'t str) -> Result<Vec<(Kind, Parts<'t>)>, TooManySteps> {
    let mut out = Vec::new();
    for (kind, pattern) in group {
        for found in pattern.find_all(text)? {
            let range = found.get(0).expect("a match lies somewhere").range();
            out.push(((Reverse(range.end), range.start), (*kind, pattern.named(&found))));
        }
    }
    out.sort_by_key(|(place, _)| *place);
    Ok(out.into_iter().map(|(_, found)| found).collect())
}

/// What math-verify's `parse` makes of a text.
pub(super) fn find(text: &str) -> Result<Found, TooManySteps> {
    let mut out = Found::default();
    for group in &*GROUPS {
        for (kind, parts) in matches(group, text)? {
            let read = match kind {
                Kind::Latex => from_latex(&parts)?,
                Kind::Plain => from_plain(&parts),
            };
            match read {
                // Behind a match that may or may not have a value this may or may not be reached.
                Ok(None) => return Ok(Found { unknown: out.unknown, ..Found::default() }),
                Ok(Some((value, text))) => {
                    let found = value.is_some();
                    if out.unknown.is_none() {
                        out.text = out.text.or(Some(text).filter(|text| !text.is_empty()));
                        out.value = value;
                    }
                    if found {
                        return Ok(out);
                    }
                }
                Err((why, text)) => {
                    if out.unknown.is_none() {
                        out.text = out.text.or(Some(text).filter(|text| !text.is_empty()));
                    }
                    out.unknown = out.unknown.or(Some(why));
                }
            }
        }
    }
    Ok(out)
}

/// The value, if the text can be read, and the text. `None`: the whole answer is refused.
type Read = Result<Option<(Option<Expr>, String)>, (Unsupported, String)>;

fn from_plain(parts: &Parts<'_>) -> Read {
    let part = |name: &str| parts.iter().find(|(own, _)| *own == name).map(|(_, text)| (*text).to_owned());
    let either = |name: &str| ["1", "2", "3"].iter().find_map(|n| part(&format!("{name}{n}"))).unwrap_or_default();
    let (integer, decimal) = (either("integer"), either("decimal"));
    if integer.is_empty() && decimal.is_empty() {
        let text = part("sum").unwrap_or_default();
        return match plain::sum(&text.replace('\n', " ").replace('^', "**")) {
            Ok(value) => Ok(Some((value, text))),
            Err(why) => Err((why, text)),
        };
    }
    let digits = Digits { integer: &integer, decimal: &decimal, percent: part("percent").is_some() };
    let Some(text) = digits.text() else { return Ok(None) };
    match digits.value(&text) {
        Ok(value) => Ok(Some((Some(value), text))),
        Err(why) => Err((why, text)),
    }
}

fn from_latex(parts: &Parts<'_>) -> Result<Read, TooManySteps> {
    let (mut values, mut texts) = (Vec::new(), Vec::new());
    for (name, written) in parts.iter().filter(|(name, _)| !name.ends_with("percent")) {
        let (place, form) = name.split_once('_').expect("LaTeX groups are named place_form");
        let text = normalize::normalize(written, form == "Boxed")?;
        let percent = parts.iter().any(|(other, _)| other.strip_suffix("_percent") == Some(place));
        values.push(match latex::read(&text) {
            Ok(Some(Expr::Equation(_) | Expr::Set(_))) if percent => {
                Err(Unsupported("an equation or a set in percent"))
            }
            Ok(Some(value)) if percent => Ok(Some(value.percent())),
            other => other,
        });
        texts.push(text);
    }
    Ok(together(values, &texts))
}

/// Several parts make a set when each of them can be read; else only the first counts.
fn together(mut values: Vec<Result<Option<Expr>, Unsupported>>, texts: &[String]) -> Read {
    let (first, text) = (values.remove(0), texts[0].clone());
    if values.is_empty() || first == Ok(None) || values.contains(&Ok(None)) {
        return match first {
            Ok(value) => Ok(Some((value, text))),
            Err(why) => Err((why, text)),
        };
    }
    let all: Result<Vec<_>, _> = std::iter::once(first).chain(values).collect();
    let all = all.map_err(|why| (why, String::new()))?;
    let set = latex::set(all.into_iter().flatten().flat_map(latex::members).collect());
    Ok(Some((Some(set.map_err(|why| (why, texts.join(" and ")))?), texts.join(" and "))))
}
