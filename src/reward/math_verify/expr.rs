//! Expressions as the reference holds them: unevaluated trees, told apart by their shape, and their value.

use super::Unsupported;
use super::number::Number;
use std::collections::BTreeMap;

/// A tree whose shape is sympy's with `evaluate=False`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Expr {
    Number(Number),
    Symbol(Symbol),
    Constant(Constant),
    Sum(Vec<Expr>),
    Product(Vec<Expr>),
    Power(Box<Expr>, Box<Expr>),
    /// A chain of equations: `a = b = c`; at least two members.
    Equation(Vec<Expr>),
    /// In the order written, no member twice.
    Set(Vec<Expr>),
}

/// A variable. sympy tells a real one from another of the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Symbol {
    pub name: String,
    pub real: bool,
}

/// Numbers without digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Constant {
    E,
    Pi,
    I,
}

/// Powers beyond are not worked out.
const HIGHEST: i128 = 64;

/// Products of more terms are not multiplied out.
const MOST_TERMS: usize = 10_000;

/// Brackets, signs and powers nested deeper are not read.
pub(super) const DEEPEST: usize = 100;

/// What a term of a polynomial multiplies: names with their exponents.
type Monomial = BTreeMap<Expr, i128>;

/// A sum of terms, none of them 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Polynomial(BTreeMap<Monomial, Number>);

impl Expr {
    pub fn integer(value: i128) -> Self {
        Self::Number(Number::integer(value))
    }

    /// `x` percent: sympy's product of it and 1/100, in this order.
    pub fn percent(self) -> Self {
        Self::Product(vec![self, Self::hundredth()])
    }

    /// A sum whose terms stand in one row.
    pub fn plus(self, other: Self) -> Self {
        let terms = |of: Self| match of {
            Self::Sum(terms) => terms,
            other => vec![other],
        };
        let mut all = terms(self);
        all.extend(terms(other));
        Self::Sum(all)
    }

    /// A product whose factors stand in one row.
    pub fn times(self, other: Self) -> Self {
        let factors = |of: Self| match of {
            Self::Product(factors) => factors,
            other => vec![other],
        };
        let mut all = factors(self);
        all.extend(factors(other));
        Self::Product(all)
    }

    pub fn negated(self) -> Self {
        match self {
            Self::Number(number) => Self::Number(number.negated()),
            other => Self::integer(-1).times(other),
        }
    }

    /// Times the power of -1.
    pub fn over(self, below: Self) -> Self {
        self.times(Self::Power(Box::new(below), Box::new(Self::integer(-1))))
    }

    fn hundredth() -> Self {
        Self::Number(Number { num: 1, den: 100, float: false })
    }

    /// A number, or a number in percent.
    pub fn plain_number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Product(factors) => match factors.as_slice() {
                [Self::Number(number), of] if *of == Self::hundredth() => Some(*number),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn is_relation(&self) -> bool {
        matches!(self, Self::Equation(_))
    }

    /// An equation whose first member is made of symbols only.
    pub fn is_assignment(&self) -> bool {
        matches!(self, Self::Equation(members) if members[0].only_symbols())
    }

    fn only_symbols(&self) -> bool {
        match self {
            Self::Symbol(_) => true,
            Self::Sum(of) | Self::Product(of) => of.iter().all(Self::only_symbols),
            // 1/A counts as A does.
            Self::Power(base, exponent) => {
                base.only_symbols() && (**exponent == Self::integer(-1) || exponent.only_symbols())
            }
            Self::Number(_) | Self::Constant(_) | Self::Equation(_) | Self::Set(_) => false,
        }
    }

    /// Whether a float stands anywhere in it.
    pub fn has_float(&self) -> bool {
        match self {
            Self::Number(number) => number.float,
            Self::Symbol(_) | Self::Constant(_) => false,
            Self::Sum(of) | Self::Product(of) | Self::Equation(of) | Self::Set(of) => of.iter().any(Self::has_float),
            Self::Power(base, exponent) => base.has_float() || exponent.has_float(),
        }
    }

    /// The value, multiplied out. Not for equations and sets.
    pub fn value(&self) -> Result<Polynomial, Unsupported> {
        match self {
            Self::Number(number) => Ok(Polynomial::constant(*number)),
            Self::Symbol(_) | Self::Constant(_) => {
                Ok(Polynomial([([(self.clone(), 1)].into(), Number::integer(1))].into()))
            }
            Self::Sum(of) => of.iter().try_fold(Polynomial::default(), |sum, term| sum.plus(&term.value()?)),
            Self::Product(of) => {
                let one = Polynomial::constant(Number::integer(1));
                of.iter().try_fold(one, |product, factor| product.times(&factor.value()?))
            }
            Self::Power(base, exponent) => base.value()?.power(exponent.value()?.number()),
            Self::Equation(_) | Self::Set(_) => Err(Unsupported("an equation or a set within an expression")),
        }
    }
}

impl Polynomial {
    fn constant(number: Number) -> Self {
        let mut out = Self::default();
        if !number.is_zero() {
            out.0.insert(Monomial::new(), number);
        }
        out
    }

    /// The number it is, if it holds no name.
    pub fn number(&self) -> Option<Number> {
        match self.0.len() {
            0 => Some(Number::integer(0)),
            1 => self.0.get(&Monomial::new()).copied(),
            _ => None,
        }
    }

    fn plus(mut self, other: &Self) -> Result<Self, Unsupported> {
        for (names, number) in &other.0 {
            let sum = match self.0.get(names) {
                Some(own) => own.plus(*number)?,
                None => *number,
            };
            if sum.is_zero() {
                self.0.remove(names);
            } else {
                self.0.insert(names.clone(), sum);
            }
        }
        Ok(self)
    }

    pub fn minus(self, other: &Self) -> Result<Self, Unsupported> {
        self.plus(&other.negated())
    }

    pub fn negated(&self) -> Self {
        Self(self.0.iter().map(|(names, number)| (names.clone(), number.negated())).collect())
    }

    fn times(&self, other: &Self) -> Result<Self, Unsupported> {
        if self.0.len() * other.0.len() > MOST_TERMS {
            return Err(Unsupported("a product of very long sums"));
        }
        let mut out = Self::default();
        for (names, number) in &self.0 {
            for (more, factor) in &other.0 {
                let mut product = names.clone();
                for (name, exponent) in more {
                    *product.entry(name.clone()).or_insert(0) += exponent;
                }
                product.retain(|_, exponent| *exponent != 0);
                if product.values().any(|exponent| exponent.abs() > HIGHEST * HIGHEST) {
                    return Err(Unsupported("a very high power"));
                }
                if product.get(&Expr::Constant(Constant::I)).is_some_and(|n| *n != 1) {
                    return Err(Unsupported("a power of the imaginary unit"));
                }
                out = out.plus(&Self([(product, number.times(*factor)?)].into()))?;
            }
        }
        Ok(out)
    }

    fn power(&self, exponent: Option<Number>) -> Result<Self, Unsupported> {
        let exponent = exponent.filter(|n| n.is_integer() && n.num.abs() <= HIGHEST);
        let exponent = exponent.ok_or(Unsupported("a power that is not a small whole number"))?.num;
        let base = match (exponent < 0, self.number()) {
            (false, _) => self.clone(),
            (true, Some(number)) => Self::constant(number.inverse()?),
            (true, None) => return Err(Unsupported("a division by a symbol")),
        };
        let one = Self::constant(Number::integer(1));
        (0..exponent.abs()).try_fold(one, |product, _| product.times(&base))
    }

    /// Whether it is linear in one symbol and holds no other name.
    pub fn is_linear_in_one(&self) -> bool {
        let mut names = self.0.keys().filter(|names| !names.is_empty());
        let first = names.next();
        let single = |names: &Monomial| {
            names.len() == 1 && names.iter().all(|(name, n)| matches!(name, Expr::Symbol(_)) && *n == 1)
        };
        first.is_some_and(single) && names.next().is_none()
    }
}
