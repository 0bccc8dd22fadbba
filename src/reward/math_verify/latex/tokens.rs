//! The words of LaTeX (the lexer rules of latex2sympy2_extended's PS.g4).

use super::super::Unsupported;

/// A word. What the grammar knows and the reader beside this file does not is [`Token::Other`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// `12`, `1.5`, `.5`.
    Number(String),
    /// A number with its percent sign, which is left out here.
    Percent(String),
    /// A letter other than `e` and `E`.
    Letter(char),
    /// `d` and the letter behind it are one symbol.
    Differential(char),
    SmallE,
    BigE,
    /// A Greek letter by its command.
    Greek(String),
    /// What stands in `\text{…}` or `\mbox{…}`.
    Text(String),
    Frac,
    Plus,
    Minus,
    Times,
    Over,
    Equals,
    Comma,
    Semicolon,
    Caret,
    Underscore,
    Open(char),
    Close(char),
    Other(&'static str),
}

/// Words without a backslash that are no product of letters: names of functions, which the grammar only takes within
/// `\operatorname`. The longest wins.
const NAMES: [&str; 41] = [
    "arcsinh",
    "arsinh",
    "arccosh",
    "arcosh",
    "arctanh",
    "artanh",
    "gcd",
    "lcm",
    "floor",
    "ceil",
    "eye",
    "zeros",
    "ones",
    "cols",
    "rows",
    "diag",
    "norm",
    "rank",
    "trace",
    "tr",
    "rref",
    "hstack",
    "vstack",
    "orth",
    "ortho",
    "orthogonal",
    "orthogonalize",
    "nullspace",
    "eig",
    "eigen",
    "diagonalize",
    "eigenvals",
    "eigenvalues",
    "eigenvects",
    "eigenvectors",
    "svd",
    "SVD",
    "matrix",
    "pmatrix",
    "bmatrix",
    "vmatrix",
];

const GREEK: [&str; 34] = [
    "alpha",
    "beta",
    "delta",
    "Delta",
    "epsilon",
    "varepsilon",
    "zeta",
    "eta",
    "theta",
    "Theta",
    "vartheta",
    "iota",
    "kappa",
    "lambda",
    "Lambda",
    "mu",
    "nu",
    "xi",
    "Xi",
    "omicron",
    "pi",
    "Pi",
    "rho",
    "varrho",
    "sigma",
    "Sigma",
    "tau",
    "phi",
    "Phi",
    "varphi",
    "chi",
    "psi",
    "omega",
    "Omega",
];

/// Signs beyond ASCII that the grammar knows, apart from those read here.
const OTHER_SIGNS: &str =
    "≎≏≐≑≒≓≔≕≖≗≟≡≣<>≪≺⋖≫≻⋗≃≅≈≊≋≤≦≲≾≥≧≳≿≁≄≇≉≠≢|&!'±∓ΓΔΘΛΞΠΣΥΦΨΩαβγδεζηθικλμνξοπρςστυφχψωϑϕϖϱϵℂℕℙℚℝℤℵℶℷℸ∅∉∖∩∪⊆⊇";

/// The words of a text. `None` where the reference's lexer stops with an error, or where a word can stand nowhere.
pub(super) fn tokens(text: &str) -> Result<Option<Vec<Token>>, Unsupported> {
    let mut rest = text;
    let mut out = Vec::new();
    while let Some(c) = rest.chars().next() {
        let (token, length) = match c {
            ' ' | '\t' | '\r' | '\n' => (None, 1),
            '0'..='9' | '.' => match number(rest) {
                Some((token, length)) => (Some(token), length),
                // A point that begins no number.
                None => return Ok(None),
            },
            'a'..='z' | 'A'..='Z' => match word(rest)? {
                Some((token, length)) => (Some(token), length),
                None => return Ok(None),
            },
            '\\' => match command(rest)? {
                Some((token, length)) => (token, length),
                None => return Ok(None),
            },
            _ => match sign(rest, c) {
                Some(token) => (Some(token), c.len_utf8()),
                None => return Ok(None),
            },
        };
        out.extend(token);
        rest = &rest[length..];
    }
    Ok(Some(out))
}

fn sign(rest: &str, c: char) -> Option<Token> {
    Some(match c {
        '+' | '∔' | '⊕' | '⊞' => Token::Plus,
        '-' | '−' | '∸' => Token::Minus,
        _ if "*×⋅⋄⊡∗⋆∘∙⊗⊠⋈⋉⋊".contains(c) => Token::Times,
        '/' | '÷' | '∕' | ':' => Token::Over,
        '=' if rest.starts_with("==") => Token::Other("=="),
        '=' => Token::Equals,
        ',' => Token::Comma,
        ';' => Token::Semicolon,
        '^' => Token::Caret,
        '_' => Token::Underscore,
        '(' | '[' | '{' => Token::Open(c),
        ')' | ']' | '}' => Token::Close(c),
        '~' if rest.starts_with("~=") => Token::Other("~="),
        _ if OTHER_SIGNS.contains(c) => Token::Other("a sign of relations, sets or functions"),
        _ => return None,
    })
}

fn digits(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
}

fn number(rest: &str) -> Option<(Token, usize)> {
    let whole = digits(rest);
    let part = rest[whole..].strip_prefix('.').map_or(0, digits);
    let length = if part > 0 { whole + 1 + part } else { whole };
    if length == 0 {
        return None;
    }
    let (number, after) = rest.split_at(length);
    if let Some(power) = after.strip_prefix('E')
        && digits(power.strip_prefix(['+', '-']).unwrap_or(power)) > 0
    {
        return Some((Token::Other("a number with an exponent after E"), length + 1));
    }
    let spaced = after.strip_prefix([' ', '\t', '\r', '\n']).unwrap_or(after);
    for sign in ["\\%", "%"] {
        if let Some(end) = spaced.strip_prefix(sign) {
            return Some((Token::Percent(number.to_owned()), rest.len() - end.len()));
        }
    }
    Some((Token::Number(number.to_owned()), length))
}

fn word(rest: &str) -> Result<Option<(Token, usize)>, Unsupported> {
    if NAMES.iter().any(|name| rest.starts_with(name)) {
        return Ok(None);
    }
    let c = rest.chars().next().expect("a word begins with a letter");
    if c == 'd' {
        let after = rest[1..].trim_start_matches([' ', '\t', '\r', '\n']);
        match after.chars().next() {
            Some(letter) if letter.is_ascii_alphabetic() => {
                return Ok(Some((Token::Differential(letter), rest.len() - after.len() + 1)));
            }
            Some('\\') => return Err(Unsupported("d before a command")),
            _ => {}
        }
    }
    let token = match c {
        'e' => Token::SmallE,
        'E' => Token::BigE,
        c => Token::Letter(c),
    };
    Ok(Some((token, 1)))
}

/// `None` within: space, which is skipped.
fn command(rest: &str) -> Result<Option<(Option<Token>, usize)>, Unsupported> {
    let after = &rest[1..];
    let length = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
    let name = &after[..length];
    let token = match name {
        "frac" => Token::Frac,
        "times" | "cdot" => Token::Times,
        "div" => Token::Over,
        "quad" | "qquad" => return Ok(Some((None, 1 + length))),
        "text" | "mbox" => return text(rest, 1 + length).map(|(token, length)| Some((Some(token), length))),
        _ if GREEK.contains(&name) => Token::Greek(name.to_owned()),
        "" => {
            return match after.chars().next() {
                Some(',' | ':' | ';' | '!' | '$') => Ok(Some((None, 2))),
                // A percent sign belongs to a number; here it is an error.
                Some('%' | '#') | None => Ok(None),
                Some('\\') if after[1..].starts_with('%') => Ok(None),
                _ => Err(Unsupported("a command of LaTeX beyond fractions, text and Greek letters")),
            };
        }
        _ => return Err(Unsupported("a command of LaTeX beyond fractions, text and Greek letters")),
    };
    Ok(Some((Some(token), 1 + length)))
}

fn text(rest: &str, command: usize) -> Result<(Token, usize), Unsupported> {
    let after = &rest[command..];
    let inside = after.strip_prefix([' ', '\t', '\r', '\n']).unwrap_or(after).strip_prefix('{');
    let inside = inside.ok_or(Unsupported("\\text without braces"))?;
    let end = inside.find('}').ok_or(Unsupported("\\text without its closing brace"))?;
    let content = &inside[..end];
    let plain: String = content.chars().filter(|c| !matches!(c, ' ' | '(' | ')')).collect();
    if plain.is_empty() || !plain.is_ascii() || plain.contains(['\\', '{', '"', '^', '_']) {
        return Err(Unsupported("\\text of more than words"));
    }
    Ok((Token::Text(plain), rest.len() - inside.len() + end + 1))
}
