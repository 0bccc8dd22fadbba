//! What math-verify 0.7.0 says of two texts: `verify(parse(content), parse(solution))` with its defaults, in the reference's
//! order (the completion where the library expects the gold answer).
//!
//! Sources: math_verify/{parser,grader}.py at 0.7.0, latex2sympy2_extended 1.10.1 and sympy 1.14.0, whose behaviour this is
//! written from. Plain numbers and sums are judged exactly. Of LaTeX, what answer options hold: numbers, fractions, percent,
//! letters and their products and powers, `\text`, equations of a symbol, sets of those. What is beyond is [`Verdict::Unsupported`],
//! never guessed.

mod compare;
mod expr;
mod extract;
mod latex;
mod normalize;
mod number;
mod plain;

use super::pattern::TooManySteps;

/// Why a construct is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unsupported(&'static str);

impl From<TooManySteps> for Unsupported {
    fn from(_: TooManySteps) -> Self {
        Self("a text that takes too many steps to search")
    }
}

/// What math-verify says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// `verify` is true.
    Verified,
    /// `verify` is false, or raises.
    Different,
    /// It depends on a construct that is not judged here.
    Unsupported(&'static str),
}

/// `verify(parse(content), parse(solution))`: true when any value or fallback text of one equals one of the other.
pub fn verify(content: &str, solution: &str) -> Verdict {
    let solution = match extract::find(solution) {
        Ok(found) => found,
        Err(why) => return Verdict::Unsupported(Unsupported::from(why).0),
    };
    // Without anything to compare the completion need not be read.
    if solution.value.is_none() && solution.text.is_none() && solution.unknown.is_none() {
        return Verdict::Different;
    }
    let content = match extract::find(content) {
        Ok(found) => found,
        Err(why) => return Verdict::Unsupported(Unsupported::from(why).0),
    };
    if let (Some(a), Some(b)) = (&content.text, &solution.text)
        && compare::same_text(a, b)
    {
        return Verdict::Verified;
    }
    // A side without a value differs from whatever the other has, where that is not the same text: which must then be known.
    let without = |found: &extract::Found, other: &extract::Found| {
        let text_known = other.unknown.is_none() || other.text.is_some() || found.text.is_none();
        found.value.is_none() && found.unknown.is_none() && text_known
    };
    let judged = match (&content.value, &solution.value) {
        (Some(a), Some(b)) => compare::equal(a, b),
        _ if without(&content, &solution) || without(&solution, &content) => Ok(false),
        _ => Err(content
            .unknown
            .or(solution.unknown)
            .expect("a side that is no value is unknown, or the other's text is")),
    };
    match judged {
        Ok(true) => Verdict::Verified,
        Ok(false) => Verdict::Different,
        Err(why) => Verdict::Unsupported(why.0),
    }
}

/// Why a solution cannot be judged against every completion, if so.
pub fn unjudged(solution: &str) -> Option<&'static str> {
    extract::find(solution).map_or_else(|why| Some(why.into()), |found| found.unknown).map(|why| why.0)
}
