//! From tidied LaTeX to its value (the grammar of latex2sympy2_extended 1.10.1 and its conversion, the part that answer
//! options use).

mod reader;
mod tokens;

use super::Unsupported;
use super::expr::Expr;
use super::number::Number;
use crate::reward::pattern::Pattern;
use reader::{Reader, Stop};
use std::sync::LazyLock;

/// Texts that make every symbol a complex one.
static COMPLEX: LazyLock<Pattern> = LazyLock::new(|| {
    let alternatives = [
        r"\\mathbb\{C\}",
        r"\bi\b",
        r"\\text\{i\}",
        r"\\mathrm\{i\}",
        r"\\imath\b",
        r"\\det",
        r"\\operatorname\{tr\}",
        r"\\operatorname\{rank\}",
        r"\\text\{rank\}",
        r"\\arg\{",
        r"\\Re\{",
        r"\\Im\{",
        r"\\operatorname\{Re\}",
        r"\\operatorname\{Im\}",
        r"\\text\{Re\}",
        r"\\text\{Im\}",
    ];
    Pattern::new(&alternatives.join("|"), false)
});

static EQUALS: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(r"(?<!\\|<|!|>)=", false));

/// The value of a tidied text. `None` where the reference cannot read it: such a text has no value and is compared as a string.
pub(super) fn read(text: &str) -> Result<Option<Expr>, Unsupported> {
    match whole(text)? {
        Some(value) => Ok(Some(value)),
        None => last_side(text)?.map_or(Ok(None), whole),
    }
}

/// What stands behind the last `=` of a chain.
fn last_side(text: &str) -> Result<Option<&str>, Unsupported> {
    let signs = EQUALS.find_all(text)?;
    let chain = signs.len() > 1 && !text.contains([',', ';']);
    let last = signs.last().and_then(|found| found.get(0)).filter(|_| chain);
    Ok(last.map(|sign| &text[sign.end()..]))
}

fn whole(text: &str) -> Result<Option<Expr>, Unsupported> {
    let real = !COMPLEX.is_in(text)?;
    let Some(tokens) = tokens::tokens(text)? else { return Ok(None) };
    match Reader::new(tokens, real).elements() {
        Ok(_) if thousands(text)? => separated(text),
        Ok(value) => Ok(Some(value)),
        Err(Stop::Error) => Ok(None),
        Err(Stop::Unsupported(why)) => Err(why),
    }
}

/// Whether a text is a number with commas between its thousands.
fn thousands(text: &str) -> Result<bool, Unsupported> {
    static THOUSANDS: LazyLock<Pattern> =
        LazyLock::new(|| Pattern::new(r"^\s*-?\d\d?\d?(?:,\d{3})+(?:\.\d+)?\s*$", false));
    Ok(THOUSANDS.is_in(text)?)
}

/// Such a number; one that begins with 0 has a comma for its point.
fn separated(text: &str) -> Result<Option<Expr>, Unsupported> {
    let point = if text.starts_with('0') { "." } else { "" };
    let digits = text.replace(',', point);
    let digits = digits.trim_start_matches('0');
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    let zeros = digits.starts_with('-') && unsigned.starts_with('0') && !unsigned.contains('.');
    if unsigned.matches('.').count() > 1 || zeros {
        return Ok(None);
    }
    let number = Number::parse(unsigned)?;
    Ok(Some(Expr::Number(if digits.starts_with('-') { number.negated() } else { number })))
}

/// A set of values, or the value if there is one.
pub(super) fn set(values: Vec<Expr>) -> Result<Expr, Unsupported> {
    if values.len() > 100 {
        return Err(Unsupported("a set of more than 100 members"));
    }
    let mut members: Vec<Expr> = Vec::new();
    for value in values {
        if members.contains(&value) {
            continue;
        }
        if matches!(value, Expr::Equation(_)) {
            return Err(Unsupported("a set of equations"));
        }
        let new = value.value()?;
        for member in &members {
            if member.value()? == new {
                return Err(Unsupported("a set that holds a value twice, written differently"));
            }
        }
        members.push(value);
    }
    Ok(Expr::Set(members))
}

/// The members of a set, or the value alone.
pub(super) fn members(of: Expr) -> Vec<Expr> {
    match of {
        Expr::Set(members) => members,
        other => vec![other],
    }
}
