//! From a pattern's text to the matcher's program.

use super::{Pattern, Set, Step};

pub(super) fn compile(pattern: &str, dotall: bool) -> Pattern {
    let mut reader = Reader { chars: pattern.chars().collect(), at: 0, dotall, any_case: false, names: vec![None] };
    let mut program = reader.choice();
    assert!(reader.at == reader.chars.len(), "{pattern}: unbalanced");
    program.push(Step::Done);
    Pattern { program, names: reader.names }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    dotall: bool,
    any_case: bool,
    names: Vec<Option<String>>,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> char {
        let c = self.peek().expect("a pattern ends early");
        self.at += 1;
        c
    }

    fn eat(&mut self, text: &str) -> bool {
        let length = text.chars().count();
        let here = self.chars.get(self.at..self.at + length).is_some_and(|part| part.iter().copied().eq(text.chars()));
        self.at += if here { length } else { 0 };
        here
    }

    /// `a|b|c`. Places within a part count from its own beginning; [`shift`] moves them.
    fn choice(&mut self) -> Vec<Step> {
        let mut parts = vec![self.sequence()];
        while self.eat("|") {
            parts.push(self.sequence());
        }
        let mut out = parts.pop().expect("there is one");
        for part in parts.into_iter().rev() {
            let (first, second) = (part.len(), out.len());
            let mut both = vec![Step::Split(1, first + 2)];
            both.extend(shift(part, 1));
            both.push(Step::Jump(first + 2 + second));
            both.extend(shift(out, first + 2));
            out = both;
        }
        out
    }

    fn sequence(&mut self) -> Vec<Step> {
        let mut out = Vec::new();
        while self.peek().is_some_and(|c| c != '|' && c != ')') {
            let groups = self.names.len();
            let begin = self.at;
            let atom = self.atom();
            let repeated = self.repeated(atom, begin, groups);
            let place = out.len();
            out.extend(shift(repeated, place));
        }
        out
    }

    fn repeated(&mut self, atom: Vec<Step>, begin: usize, groups: usize) -> Vec<Step> {
        let bounds = match self.peek() {
            Some('*') => Some((0, None)),
            Some('+') => Some((1, None)),
            Some('?') => Some((0, Some(1))),
            _ => None,
        };
        let (least, most) = match bounds {
            Some(bounds) => {
                self.at += 1;
                bounds
            }
            None => match self.bounds() {
                Some(bounds) => bounds,
                None => return atom,
            },
        };
        let lazy = self.eat("?");
        // Copies of a part are read anew from its text: a program holds absolute places.
        let copy = |reader: &mut Self| {
            let (here, names) = (reader.at, reader.names.clone());
            reader.at = begin;
            reader.names.truncate(groups);
            let steps = reader.atom();
            reader.at = here;
            reader.names = names;
            steps
        };
        let split = |inside: usize, outside: usize| {
            if lazy { Step::Split(outside, inside) } else { Step::Split(inside, outside) }
        };
        let mut out: Vec<Step> = Vec::new();
        let append = |out: &mut Vec<Step>, steps: Vec<Step>| {
            let place = out.len();
            out.extend(shift(steps, place));
        };
        for _ in 0..least {
            let steps = copy(self);
            append(&mut out, steps);
        }
        match most {
            None => {
                let (length, start) = (atom.len(), out.len());
                out.push(split(start + 1, start + length + 2));
                append(&mut out, atom);
                out.push(Step::Jump(start));
            }
            Some(most) => {
                let length = atom.len() + 1;
                let after = out.len() + (most - least) * length;
                for _ in least..most {
                    let inside = out.len() + 1;
                    out.push(split(inside, after));
                    let steps = copy(self);
                    append(&mut out, steps);
                }
            }
        }
        out
    }

    /// `{m}`, `{m,n}`; any other brace is a literal.
    fn bounds(&mut self) -> Option<(usize, Option<usize>)> {
        if self.peek() != Some('{') {
            return None;
        }
        let close = self.chars[self.at..].iter().position(|&c| c == '}')? + self.at;
        let inside: String = self.chars[self.at + 1..close].iter().collect();
        let (least, most) = inside.split_once(',').unwrap_or((&inside, &inside));
        let bounds = (least.parse().ok()?, Some(most.parse().ok()?));
        self.at = close + 1;
        Some(bounds)
    }

    fn atom(&mut self) -> Vec<Step> {
        match self.next() {
            '(' => self.group(),
            '[' => vec![Step::One(self.class())],
            '.' => vec![Step::One(if self.dotall { Set::Any } else { Set::NotNewline })],
            '^' => vec![Step::Start],
            '$' => vec![Step::End],
            '\\' if self.peek() == Some('b') => {
                self.at += 1;
                vec![Step::WordBoundary]
            }
            '\\' => vec![Step::One(self.escaped())],
            c if self.any_case && c.is_ascii_lowercase() => vec![Step::One(Set::AnyCase(c))],
            c => {
                assert!(!(self.any_case && c.is_alphabetic()), "(?i:…) is known for lower-case ASCII letters");
                vec![Step::One(Set::Char(c))]
            }
        }
    }

    fn escaped(&mut self) -> Set {
        match self.next() {
            'd' => Set::Digit,
            's' => Set::Space,
            'n' => Set::Char('\n'),
            'W' => Set::Not(Box::new(Set::Word)),
            c => {
                assert!(!c.is_alphanumeric(), "\\{c} is not known");
                Set::Char(c)
            }
        }
    }

    fn class(&mut self) -> Set {
        let negated = self.eat("^");
        let mut sets = Vec::new();
        while sets.is_empty() || self.peek() != Some(']') {
            let one = match self.next() {
                '\\' => self.escaped(),
                c => Set::Char(c),
            };
            let ranged = self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|&c| c != ']');
            sets.push(match one {
                Set::Char(from) if ranged => {
                    self.at += 1;
                    Set::Range(from, self.next())
                }
                one => one,
            });
        }
        self.at += 1;
        let set = Set::Either(sets);
        if negated { Set::Not(Box::new(set)) } else { set }
    }

    fn group(&mut self) -> Vec<Step> {
        for (opens, behind, wanted) in
            [("?=", false, true), ("?!", false, false), ("?<!", true, false), ("?<=", true, true)]
        {
            if self.eat(opens) {
                let mut inside = self.choice();
                inside.push(Step::Done);
                self.close();
                return vec![Step::Look { inside, behind, wanted }];
            }
        }
        let outer = self.any_case;
        let mut number = None;
        if self.eat("?P<") {
            let mut name = String::new();
            while self.peek() != Some('>') {
                name.push(self.next());
            }
            self.at += 1;
            number = Some(self.names.len());
            self.names.push(Some(name));
        } else if self.eat("?i:") {
            self.any_case = true;
        } else if !self.eat("?:") {
            number = Some(self.names.len());
            self.names.push(None);
        }
        let inside = self.choice();
        self.any_case = outer;
        self.close();
        match number {
            None => inside,
            Some(n) => {
                let mut out = vec![Step::Slot(2 * n)];
                out.extend(shift(inside, 1));
                out.push(Step::Slot(2 * n + 1));
                out
            }
        }
    }

    fn close(&mut self) {
        assert!(self.eat(")"), "a group is not closed");
    }
}

/// The same steps, standing `by` places later.
fn shift(steps: Vec<Step>, by: usize) -> impl Iterator<Item = Step> {
    steps.into_iter().map(move |step| match step {
        Step::Split(first, second) => Step::Split(first + by, second + by),
        Step::Jump(to) => Step::Jump(to + by),
        other => other,
    })
}
