//! When math-verify takes two values for equal (math_verify/grader.py at 0.7.0: strict, six decimals).

use super::Unsupported;
use super::expr::{Constant, Expr, Polynomial};
use super::number::Number;
use crate::prompt::python::strip;

/// Two fallback texts.
pub(super) fn same_text(content: &str, solution: &str) -> bool {
    let (content, solution) = (strip(content), strip(solution));
    !content.is_empty() && content == solution
}

/// Two values, that of the completion first: it stands where the library has the gold answer, and decides whether an equation
/// counts as its right side.
pub(super) fn equal(content: &Expr, solution: &Expr) -> Result<bool, Unsupported> {
    let (mut content, mut solution) = (ends(content), ends(solution));
    if solution.is_relation() && !content.is_relation() {
        solution = right(solution);
    } else if content.is_assignment() && !solution.is_relation() {
        content = right(content);
    }
    if content == solution {
        return Ok(true);
    }
    match (&content, &solution) {
        (Expr::Equation(a), Expr::Equation(b)) => equations(a, b),
        (Expr::Set(_), _) | (_, Expr::Set(_)) => sets(&content, &solution),
        // What is left here are equations that are no assignments: they have no value to compare.
        (Expr::Equation(_), _) | (_, Expr::Equation(_)) => Ok(false),
        (Expr::Symbol(_), _) | (_, Expr::Symbol(_)) => Ok(symbols(&content, &solution)),
        _ => Ok(numbers(&content, &solution)? || same_value(&content, &solution)?),
    }
}

/// `a = b = c` as `a = c`, if its first member is a symbol.
fn ends(of: &Expr) -> Expr {
    match of {
        Expr::Equation(members) if of.is_assignment() => {
            Expr::Equation(vec![members[0].clone(), members[members.len() - 1].clone()])
        }
        other => other.clone(),
    }
}

fn right(of: Expr) -> Expr {
    match of {
        Expr::Equation(mut members) => members.pop().expect("an equation has members"),
        other => other,
    }
}

/// sympy's `a - b` is 0 after simplification.
fn same_value(a: &Expr, b: &Expr) -> Result<bool, Unsupported> {
    let (left, right) = (a.value()?, b.value()?);
    let same = left.clone().minus(&right)?.number().is_some_and(|gap| gap.is_zero());
    // Float arithmetic: what is equal in decimals, or nearly, may differ in binary and the other way round.
    if let (Some(left), Some(right)) = (left.number(), right.number())
        && left.float != right.float
        && (left.nearly(right)? || (same && !left.is_binary()))
    {
        return Err(Unsupported("a result of decimal arithmetic beside an exact number"));
    }
    Ok(same)
}

/// Equality of numbers: to six decimals if one of them is written as a decimal number.
fn numbers(a: &Expr, b: &Expr) -> Result<bool, Unsupported> {
    let (plain_a, plain_b) = (a.plain_number(), b.plain_number());
    if plain_a.is_none() && plain_b.is_none() {
        if a.has_float() || b.has_float() {
            let gap = a.value()?.minus(&b.value()?)?.number();
            let near = match gap {
                Some(gap) => gap.nearly(Number::integer(0))?,
                None => false,
            };
            if near {
                return Err(Unsupported("results of decimal arithmetic that nearly agree"));
            }
            return Ok(gap.is_some_and(|gap| gap.is_zero()));
        }
        return Ok(false);
    }
    if plain_a.is_none_or(|n| !n.float) && plain_b.is_none_or(|n| !n.float) {
        return Ok(false);
    }
    match (a.value()?.number(), b.value()?.number()) {
        (Some(a), Some(b)) => Ok(!a.far_from(b) && a.rounded()? == b.rounded()?),
        _ => Ok(false),
    }
}

/// Where one side is a symbol: its name, or the letters of a product written together (`\text{man}` and `man`).
fn symbols(a: &Expr, b: &Expr) -> bool {
    let name = |of: &Expr| match of {
        Expr::Symbol(symbol) => Some(symbol.name.clone()),
        _ => None,
    };
    let letters = |of: &Expr| match of {
        Expr::Product(factors) => factors
            .iter()
            .map(|factor| match factor {
                Expr::Symbol(symbol) => Some(symbol.name.clone()),
                Expr::Constant(Constant::E) => Some("e".to_owned()),
                _ => None,
            })
            .collect::<Option<String>>(),
        Expr::Constant(Constant::E) => Some("e".to_owned()),
        _ => None,
    };
    match (name(a), name(b)) {
        // A single letter keeps its case (`d` of a differential and the letter after it do too).
        (Some(a), Some(b)) => {
            let folded = |name: String| if name.chars().count() > 1 { name.to_lowercase() } else { name };
            folded(a) == folded(b)
        }
        (Some(name), None) => letters(b).is_some_and(|word| word.to_lowercase() == name.to_lowercase()),
        (None, Some(name)) => letters(a).is_some_and(|word| word.to_lowercase() == name.to_lowercase()),
        (None, None) => false,
    }
}

fn equations(a: &[Expr], b: &[Expr]) -> Result<bool, Unsupported> {
    let ([a_left, a_right], [b_left, b_right]) = (a, b) else {
        return Err(Unsupported("chains of equations"));
    };
    if a.iter().chain(b).any(|side| matches!(side, Expr::Set(_))) {
        return Err(Unsupported("an equation of a set"));
    }
    let (a, b) = (a_left.value()?.minus(&a_right.value()?)?, b_left.value()?.minus(&b_right.value()?)?);
    let none = |gap: Polynomial| gap.number().is_some_and(|gap| gap.is_zero());
    if none(a.clone().minus(&b)?) || none(a.clone().minus(&b.negated())?) {
        return Ok(true);
    }
    // The library then solves both and fails on what it gets for one name.
    match a.is_linear_in_one() && b.is_linear_in_one() {
        true => Ok(false),
        false => Err(Unsupported("equations that have to be solved")),
    }
}

/// Two sets, or a set and a single value.
fn sets(a: &Expr, b: &Expr) -> Result<bool, Unsupported> {
    let members = |of: &Expr| match of {
        Expr::Set(members) => members.clone(),
        other => vec![other.clone()],
    };
    let (mut a, mut b) = (members(a), members(b));
    a.sort();
    b.sort();
    if a == b {
        return Ok(true);
    }
    if a.len() != b.len() {
        return Ok(false);
    }
    // A word in \text equals the product of its letters: with one, pairs in order decide.
    let word = |of: &Expr| matches!(of, Expr::Symbol(symbol) if symbol.name.chars().count() > 1 || symbol.name == "e");
    let exact = |of: &[Expr]| -> Result<Option<Vec<Polynomial>>, Unsupported> {
        let plain = of.iter().all(|m| !m.has_float() && !word(m));
        let mut values = of.iter().map(Expr::value).collect::<Result<Vec<_>, _>>()?;
        values.sort();
        Ok(plain.then_some(values))
    };
    match (exact(&a)?, exact(&b)?) {
        (Some(a), Some(b)) => Ok(a == b),
        _ => Err(Unsupported("sets that are not equal letter by letter")),
    }
}
