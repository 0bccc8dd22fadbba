//! The parser: tokens to a value, by the grammar's precedence.

use super::super::Unsupported;
use super::super::expr::{Constant, DEEPEST, Expr, Symbol};
use super::super::number::Number;
use super::set;
use super::tokens::Token;

/// Why reading ended.
pub(super) enum Stop {
    /// The reference's parser refuses it too.
    Error,
    Unsupported(Unsupported),
}

impl From<Unsupported> for Stop {
    fn from(why: Unsupported) -> Self {
        Self::Unsupported(why)
    }
}

fn beyond<T>(why: &'static str) -> Result<T, Stop> {
    Err(Stop::Unsupported(Unsupported(why)))
}

pub(super) struct Reader {
    tokens: Vec<Token>,
    at: usize,
    /// Whether symbols are real.
    real: bool,
    /// Signs and brackets open here.
    depth: usize,
}

impl Reader {
    pub fn new(tokens: Vec<Token>, real: bool) -> Self {
        Self { tokens, at: 0, real, depth: 0 }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn eat(&mut self, token: &Token) -> bool {
        let here = self.peek() == Some(token);
        self.at += usize::from(here);
        here
    }

    /// `a, b, c`: the whole text.
    pub fn elements(&mut self) -> Result<Expr, Stop> {
        let mut all = vec![self.relation()?];
        while self.eat(&Token::Comma) {
            all.push(self.relation()?);
        }
        match self.peek() {
            None => {}
            Some(Token::Semicolon) => return beyond("semicolons in LaTeX"),
            Some(Token::Other(what)) => return beyond(what),
            Some(_) => return Err(Stop::Error),
        }
        if all.len() == 1 {
            return Ok(all.swap_remove(0));
        }
        Ok(set(all)?)
    }

    /// `a = b = c`.
    fn relation(&mut self) -> Result<Expr, Stop> {
        let mut sides = vec![self.sum()?];
        while self.eat(&Token::Equals) {
            sides.push(self.sum()?);
        }
        Ok(if sides.len() == 1 { sides.swap_remove(0) } else { Expr::Equation(sides) })
    }

    fn sum(&mut self) -> Result<Expr, Stop> {
        let mut left = self.product()?;
        loop {
            left = if self.eat(&Token::Plus) {
                left.plus(self.product()?)
            } else if self.eat(&Token::Minus) {
                left.plus(self.product()?.negated())
            } else {
                return Ok(left);
            };
        }
    }

    fn product(&mut self) -> Result<Expr, Stop> {
        let mut left = self.signed()?;
        loop {
            left = if self.eat(&Token::Times) {
                left.times(self.signed()?)
            } else if self.eat(&Token::Over) {
                over(left, self.signed()?)?
            } else {
                return Ok(left);
            };
        }
    }

    fn signed(&mut self) -> Result<Expr, Stop> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return beyond("deeply nested brackets or signs");
        }
        let value = if self.eat(&Token::Plus) {
            self.signed()?
        } else if self.eat(&Token::Minus) {
            self.signed()?.negated()
        } else {
            self.juxtaposed()?
        };
        self.depth -= 1;
        Ok(value)
    }

    /// `3 x y`: side by side is a product, read from the right; a whole number before a fraction is a mixed number.
    fn juxtaposed(&mut self) -> Result<Expr, Stop> {
        let mut parts = vec![self.powers()?];
        while self.begins_part()? {
            parts.push(self.powers()?);
        }
        let mut product = parts.pop().expect("there is one");
        for part in parts.into_iter().rev() {
            product = match (part, product) {
                (Expr::Number(whole), Expr::Number(part)) if whole.is_integer() && !part.float && part.num > 0 => {
                    let part = if whole.num < 0 { part.negated() } else { part };
                    Expr::Number(whole.plus(part)?)
                }
                (part, product) => part.times(product),
            };
        }
        Ok(product)
    }

    fn begins_part(&self) -> Result<bool, Stop> {
        match self.peek() {
            Some(Token::Open('(')) => Ok(true),
            Some(Token::Open(_)) => beyond("square or curly brackets in LaTeX"),
            Some(Token::Other(what)) => beyond(what),
            Some(token) => Ok(!matches!(
                token,
                Token::Plus
                    | Token::Minus
                    | Token::Times
                    | Token::Over
                    | Token::Equals
                    | Token::Comma
                    | Token::Semicolon
                    | Token::Caret
                    | Token::Underscore
                    | Token::Close(_)
            )),
            None => Ok(false),
        }
    }

    fn powers(&mut self) -> Result<Expr, Stop> {
        let mut base = self.atom()?;
        let mut powers = 0;
        while self.eat(&Token::Caret) {
            let exponent = match self.peek() {
                Some(Token::Number(digits)) => {
                    let number = Number::parse(digits)?;
                    self.at += 1;
                    Expr::Number(number)
                }
                Some(Token::Open('{')) => {
                    self.at += 1;
                    let inside = self.sum()?;
                    self.close('}')?;
                    inside
                }
                None | Some(Token::Plus | Token::Minus | Token::Times | Token::Over) => return Err(Stop::Error),
                _ => return beyond("an exponent that is no number"),
            };
            // A name in an exponent may mean a transposition or degrees.
            if exponent.value()?.number().is_none() || self.peek() == Some(&Token::Underscore) {
                return beyond("an exponent that is no number");
            }
            base = Expr::Power(Box::new(base), Box::new(exponent));
            powers += 1;
            if powers > DEEPEST {
                return beyond("a tower of powers");
            }
        }
        Ok(base)
    }

    fn close(&mut self, bracket: char) -> Result<(), Stop> {
        if self.eat(&Token::Close(bracket)) {
            return Ok(());
        }
        match self.peek() {
            Some(Token::Comma | Token::Semicolon | Token::Equals) => beyond("tuples, intervals and sets in brackets"),
            Some(Token::Other(what)) => beyond(what),
            Some(Token::Close(_)) => beyond("brackets of two kinds"),
            _ => Err(Stop::Error),
        }
    }

    fn atom(&mut self) -> Result<Expr, Stop> {
        let Some(token) = self.peek().cloned() else { return Err(Stop::Error) };
        self.at += 1;
        match token {
            Token::Number(digits) => {
                if self.peek() == Some(&Token::Underscore) {
                    return beyond("a number with an index");
                }
                Ok(Expr::Number(Number::parse(&digits)?))
            }
            Token::Percent(digits) => Ok(Expr::Number(Number::parse(&digits)?).percent()),
            Token::SmallE => self.alone(Expr::Constant(Constant::E)),
            Token::BigE => self.alone(self.symbol("e".to_owned())),
            Token::Differential(letter) => self.alone(self.symbol(format!("d{letter}"))),
            Token::Letter('I') => self.alone(Expr::Constant(Constant::I)).and_then(|i| self.not_called(i)),
            Token::Letter(c) => self.named(c.to_string()),
            Token::Greek(name) | Token::Text(name) => self.named(name),
            Token::Frac => {
                let above = self.braced()?;
                let below = self.braced()?;
                Ok(over(above, below)?)
            }
            Token::Open('(') => {
                let inside = self.sum()?;
                self.close(')')?;
                Ok(inside)
            }
            Token::Open(_) => beyond("square or curly brackets in LaTeX"),
            Token::Other(what) => beyond(what),
            _ => Err(Stop::Error),
        }
    }

    fn braced(&mut self) -> Result<Expr, Stop> {
        if !self.eat(&Token::Open('{')) {
            return Err(Stop::Error);
        }
        if matches!(self.peek(), Some(Token::Differential(_))) {
            return beyond("a fraction of differentials");
        }
        let inside = self.sum()?;
        self.close('}')?;
        Ok(inside)
    }

    fn symbol(&self, name: String) -> Expr {
        Expr::Symbol(Symbol { name, real: self.real })
    }

    /// A symbol that takes no index.
    fn alone(&self, symbol: Expr) -> Result<Expr, Stop> {
        let special = matches!(symbol, Expr::Constant(_));
        match self.peek() {
            Some(Token::Underscore) => beyond("an index of more than a letter or a number"),
            Some(Token::Caret) if special => beyond("a power of e or I"),
            _ => Ok(symbol),
        }
    }

    /// A symbol in lower case, with its index if it has one. `pi` is the number.
    fn named(&mut self, mut name: String) -> Result<Expr, Stop> {
        if self.eat(&Token::Underscore) {
            let braces = self.eat(&Token::Open('{'));
            let index = match self.peek() {
                Some(Token::Number(digits)) => digits.clone(),
                Some(Token::Letter(c)) => c.to_string(),
                _ => return beyond("an index of more than a letter or a number"),
            };
            self.at += 1;
            if braces && !self.eat(&Token::Close('}')) {
                return beyond("an index of more than a letter or a number");
            }
            name += &if index.len() > 1 { format!("_{{{index}}}") } else { format!("_{index}") };
        }
        let name = name.to_lowercase();
        let symbol = if name == "pi" { Expr::Constant(Constant::Pi) } else { self.symbol(name) };
        self.not_called(symbol)
    }

    /// A name before a bracket may be a function.
    fn not_called(&self, symbol: Expr) -> Result<Expr, Stop> {
        match self.peek() {
            Some(Token::Open(_)) => beyond("a letter before a bracket, which may be a function"),
            _ => Ok(symbol),
        }
    }
}

fn over(above: Expr, below: Expr) -> Result<Expr, Unsupported> {
    match (&above, &below) {
        (Expr::Number(a), Expr::Number(b)) if a.is_integer() && b.is_integer() => {
            Ok(Expr::Number(a.times(b.inverse()?)?))
        }
        _ => Ok(above.over(below)),
    }
}
