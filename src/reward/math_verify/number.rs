//! Numbers as sympy 1.14 has them: exact rationals, and floats that know their decimal digits.

use super::Unsupported;

/// A rational number in lowest terms, or a float of 15 decimal digits, held by its exact decimal value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number {
    pub num: i128,
    /// Above 0.
    pub den: i128,
    /// sympy's `Float`: `2.0` is not the integer 2 to it.
    pub float: bool,
}

/// Digits that sympy gives a float made from fewer; with more, its precision would decide.
const DIGITS: u32 = 15;

fn too_long<T>(value: Option<T>) -> Result<T, Unsupported> {
    value.ok_or(Unsupported("a number with very many digits"))
}

impl Number {
    pub const fn integer(value: i128) -> Self {
        Self { num: value, den: 1, float: false }
    }

    /// `None` where sympy would give an infinity.
    fn ratio(num: i128, den: i128, float: bool) -> Result<Option<Self>, Unsupported> {
        if den == 0 {
            return Ok(None);
        }
        let divisor = gcd(num.unsigned_abs(), den.unsigned_abs());
        let divisor = too_long(i128::try_from(divisor).ok())?;
        let sign = den.signum();
        Ok(Some(Self { num: sign * (num / divisor), den: sign * (den / divisor), float }))
    }

    /// Digits, with a point in a float: `12`, `0.50`, `.5`, `1.`; no sign.
    pub fn parse(text: &str) -> Result<Self, Unsupported> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits: String = [whole, part].concat();
        let significant = digits.trim_start_matches('0').len();
        if text.contains('.') && significant > DIGITS as usize {
            return Err(Unsupported("a decimal number of more than 15 digits"));
        }
        let value: i128 = if digits.is_empty() { 0 } else { too_long(digits.parse().ok())? };
        let scale = too_long(10i128.checked_pow(part.len() as u32))?;
        too_long(Self::ratio(value, scale, text.contains('.'))?)
    }

    pub fn is_integer(&self) -> bool {
        self.den == 1 && !self.float
    }

    pub fn is_zero(&self) -> bool {
        self.num == 0
    }

    pub fn negated(self) -> Self {
        Self { num: -self.num, ..self }
    }

    pub fn plus(self, other: Self) -> Result<Self, Unsupported> {
        let (a, b) = (self.num.checked_mul(other.den), other.num.checked_mul(self.den));
        let num = a.zip(b).and_then(|(a, b)| a.checked_add(b));
        let sum = Self::ratio(too_long(num)?, too_long(self.den.checked_mul(other.den))?, self.float || other.float)?;
        Ok(sum.expect("denominators are above 0"))
    }

    pub fn minus(self, other: Self) -> Result<Self, Unsupported> {
        self.plus(other.negated())
    }

    pub fn times(self, other: Self) -> Result<Self, Unsupported> {
        let (num, den) = (self.num.checked_mul(other.num), self.den.checked_mul(other.den));
        let product = Self::ratio(too_long(num)?, too_long(den)?, self.float || other.float)?;
        Ok(product.expect("denominators are above 0"))
    }

    pub fn inverse(self) -> Result<Self, Unsupported> {
        Self::ratio(self.den, self.num, self.float)?.ok_or(Unsupported("a division by zero"))
    }

    /// The whole number below or at it.
    pub fn floor(self) -> Self {
        Self::integer(self.num.div_euclid(self.den))
    }

    /// Whether two different numbers are so near that float arithmetic decides what sympy makes of their difference.
    pub fn nearly(self, other: Self) -> Result<bool, Unsupported> {
        let gap = self.minus(other)?;
        Ok(!gap.is_zero()
            && gap.num.unsigned_abs().checked_mul(1_000_000_000).is_some_and(|n| n < gap.den.unsigned_abs()))
    }

    /// Whether two numbers of a usual size differ before the fifth decimal.
    pub fn far_from(self, other: Self) -> bool {
        let usual = |n: Self| n.num.unsigned_abs() / n.den.unsigned_abs() < 1_000_000;
        let far = |gap: Self| gap.num.unsigned_abs().checked_mul(100_000).is_none_or(|n| n > gap.den.unsigned_abs());
        usual(self) && usual(other) && self.minus(other).is_ok_and(far)
    }

    /// Whether the number is exact in binary.
    pub fn is_binary(self) -> bool {
        self.den & (self.den - 1) == 0
    }

    /// What sympy's `round(6)` gives, to be compared with what it gives for another number.
    pub fn rounded(self) -> Result<Rounded, Unsupported> {
        if self.is_integer() {
            return Ok(Rounded { value: self, digits: None });
        }
        if self.is_zero() {
            return Ok(Rounded { value: self, digits: Some(DIGITS as i32) });
        }
        let size = magnitude(self)?;
        if size < -4 {
            return Err(Unsupported("a number below 0.00001"));
        }
        let allowed = size + 6;
        let (precision, allowed) = match self.float {
            true => (DIGITS as i32, allowed.min(DIGITS as i32)),
            false => (allowed.max(DIGITS as i32), allowed),
        };
        let shift = precision - size;
        let digits = nearest(self, shift)?;
        let value = if shift > 6 { nearest_even(digits, 10i128.pow((shift - 6) as u32)) } else { digits };
        let scale = too_long(10i128.checked_pow(shift.max(0) as u32))?;
        let value = Self::ratio(value, scale, true)?.expect("a power of ten is above 0");
        let digits = if value.den == 1 { precision } else { allowed };
        Ok(Rounded { value, digits: Some(digits) })
    }
}

/// A rounded number. sympy tells floats of different precision apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rounded {
    value: Number,
    digits: Option<i32>,
}

/// Digits before the point: 2 for 12, 0 for 0.5, -1 for 0.012.
fn magnitude(of: Number) -> Result<i32, Unsupported> {
    let (num, den) = (of.num.unsigned_abs(), of.den.unsigned_abs());
    let mut size = 0;
    let mut above = den;
    while num >= above {
        above = too_long(above.checked_mul(10))?;
        size += 1;
    }
    let mut scaled = too_long(num.checked_mul(10))?;
    while size <= 0 && scaled < den {
        scaled = too_long(scaled.checked_mul(10))?;
        size -= 1;
    }
    Ok(size)
}

/// The number times ten to the `shift`, as a whole number.
fn nearest(of: Number, shift: i32) -> Result<i128, Unsupported> {
    let factor = too_long(10i128.checked_pow(shift.unsigned_abs()))?;
    let (num, den) = match shift >= 0 {
        true => (too_long(of.num.checked_mul(factor))?, of.den),
        false => (of.num, too_long(of.den.checked_mul(factor))?),
    };
    let (whole, rest) = (num / den, (num % den).unsigned_abs());
    match (rest * 2).cmp(&den.unsigned_abs()) {
        std::cmp::Ordering::Less => Ok(whole),
        std::cmp::Ordering::Greater => Ok(whole + num.signum()),
        std::cmp::Ordering::Equal => Err(Unsupported("a tie behind the digits that sympy keeps")),
    }
}

/// Rounds to a multiple of `unit`, ties to the even one, as Python's `round` does.
fn nearest_even(value: i128, unit: i128) -> i128 {
    let (below, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
    let up = rest * 2 > unit || (rest * 2 == unit && below % 2 != 0);
    (below + i128::from(up)) * unit
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}
