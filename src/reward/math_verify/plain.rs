//! Numbers and sums without LaTeX: `1,000`, `50%`, `2+2`.

use super::Unsupported;
use super::expr::{DEEPEST, Expr};
use super::number::Number;
use crate::prompt::python::is_digit;

/// The parts of a number as the extraction found them.
pub(super) struct Digits<'t> {
    /// With its sign and separators; may be empty.
    pub integer: &'t str,
    /// With its point or comma; may be empty.
    pub decimal: &'t str,
    pub percent: bool,
}

impl Digits<'_> {
    /// The number without separators and leading zeros, the percent sign left out. `None` where sympy refuses it: it reads the
    /// text as Python does, where a whole number has no leading zeros and digits are ASCII.
    pub fn text(&self) -> Option<String> {
        let integer: String = self.integer.chars().filter(|c| !matches!(c, ',' | ' ')).collect();
        let integer = integer.trim_start_matches('0');
        let integer = if integer.is_empty() { "0" } else { integer };
        let text = format!("{integer}{}", self.decimal.replace(',', "."));
        let unsigned = text.strip_prefix('-').unwrap_or(&text);
        let zeros = !unsigned.contains('.') && unsigned.starts_with('0') && unsigned.contains(|c| c != '0');
        let foreign = unsigned.contains(|c: char| is_digit(c) && !c.is_ascii());
        (!zeros && !foreign).then_some(text)
    }

    /// The number of such a text.
    pub fn value(&self, text: &str) -> Result<Expr, Unsupported> {
        let number = Number::parse(text.strip_prefix('-').unwrap_or(text))?;
        let value = Expr::Number(if text.starts_with('-') { number.negated() } else { number });
        Ok(if self.percent { value.percent() } else { value })
    }
}

/// A sum as Python reads it, each operation left as written. `None` where Python or sympy refuse it.
pub(super) fn sum(text: &str) -> Result<Option<Expr>, Unsupported> {
    let tokens = match tokens(text)? {
        Some(tokens) => tokens,
        None => return Ok(None),
    };
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let sum = parser.sum()?;
    Ok(sum.filter(|_| parser.at == parser.tokens.len()))
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(Number),
    Mark(&'static str),
}

fn tokens(text: &str) -> Result<Option<Vec<Token>>, Unsupported> {
    let mut rest = text;
    let mut out = Vec::new();
    while let Some(c) = rest.chars().next() {
        if matches!(c, ' ' | '\t' | '\n' | '\x0c') {
            rest = &rest[1..];
        } else if c == '\r' {
            return Err(Unsupported("a carriage return within a sum"));
        } else if c.is_ascii_digit() || c == '.' {
            let whole = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let part = rest[whole..]
                .strip_prefix('.')
                .map_or(0, |part| 1 + part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len()));
            let (number, after) = rest.split_at(whole + part);
            let leading_zero = part == 0 && number.starts_with('0') && number.contains(|c| c != '0');
            if number == "." || leading_zero {
                return Ok(None);
            }
            out.push(Token::Number(Number::parse(number)?));
            rest = after;
        } else if let Some(mark) = ["**", "//", "+", "-", "*", "/", "(", ")"].into_iter().find(|m| rest.starts_with(m))
        {
            out.push(Token::Mark(mark));
            rest = &rest[mark.len()..];
        } else {
            return Ok(None);
        }
    }
    Ok(Some(out))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// Signs and brackets open here.
    depth: usize,
}

impl Parser {
    fn eat(&mut self, marks: &[&'static str]) -> Option<&'static str> {
        let found = marks.iter().find(|mark| self.tokens.get(self.at) == Some(&Token::Mark(mark)))?;
        self.at += 1;
        Some(found)
    }

    fn sum(&mut self) -> Result<Option<Expr>, Unsupported> {
        let Some(mut left) = self.product()? else { return Ok(None) };
        while let Some(mark) = self.eat(&["+", "-"]) {
            let Some(right) = self.product()? else { return Ok(None) };
            left = left.plus(if mark == "-" { right.negated() } else { right });
        }
        Ok(Some(left))
    }

    fn product(&mut self) -> Result<Option<Expr>, Unsupported> {
        let Some(mut left) = self.signed()? else { return Ok(None) };
        while let Some(mark) = self.eat(&["*", "//", "/"]) {
            let Some(right) = self.signed()? else { return Ok(None) };
            left = match (mark, left, right) {
                ("*", left, right) => left.times(right),
                ("/", left, right) => left.over(right),
                (_, Expr::Number(a), Expr::Number(b)) if a.is_integer() && b.is_integer() => {
                    Expr::Number(a.times(b.inverse()?)?.floor())
                }
                _ => return Err(Unsupported("a floor division of parts that are not whole numbers")),
            };
        }
        Ok(Some(left))
    }

    fn signed(&mut self) -> Result<Option<Expr>, Unsupported> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Unsupported("deeply nested brackets or signs"));
        }
        let value = match self.eat(&["+", "-"]) {
            None => self.power()?,
            Some("-") => self.signed()?.map(Expr::negated),
            Some(_) => self.signed()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn power(&mut self) -> Result<Option<Expr>, Unsupported> {
        let Some(base) = self.atom()? else { return Ok(None) };
        if self.eat(&["**"]).is_none() {
            return Ok(Some(base));
        }
        Ok(self.signed()?.map(|exponent| Expr::Power(Box::new(base), Box::new(exponent))))
    }

    /// A number or a bracket. A bracket behind either would be a call, which sympy refuses: the caller finds it left over.
    fn atom(&mut self) -> Result<Option<Expr>, Unsupported> {
        if let Some(Token::Number(number)) = self.tokens.get(self.at) {
            self.at += 1;
            return Ok(Some(Expr::Number(*number)));
        }
        if self.eat(&["("]).is_none() {
            return Ok(None);
        }
        let inside = self.sum()?;
        Ok(inside.filter(|_| self.eat(&[")"]).is_some()))
    }
}
