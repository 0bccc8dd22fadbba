//! Writing SVG: escaped text, numbers rounded once, no scripts, no fonts of its own.

use std::fmt::Write;

/// Where a text stands relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture that grows element by element. Lengths are CSS pixels, y grows downwards.
#[derive(Debug)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// A straight line; `attributes` are ours and are not escaped.
    pub(super) fn line(&mut self, from: [f64; 2], to: [f64; 2], attributes: &str) {
        let [x1, y1, x2, y2] = [from[0], from[1], to[0], to[1]].map(number);
        self.push(&format!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" {attributes}/>"));
    }

    pub(super) fn rect(&mut self, at: [f64; 2], size: [f64; 2], attributes: &str) {
        let [x, y, width, height] = [at[0], at[1], size[0], size[1]].map(number);
        self.push(&format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {attributes}/>"));
    }

    pub(super) fn circle(&mut self, at: [f64; 2], radius: f64, attributes: &str) {
        let [x, y, radius] = [at[0], at[1], radius].map(number);
        self.push(&format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {attributes}/>"));
    }

    /// Lines through points, one sub-path for each run of them.
    pub(super) fn lines(&mut self, runs: &[Vec<[f64; 2]>], attributes: &str) {
        let mut d = String::new();
        for run in runs {
            for (i, [x, y]) in run.iter().enumerate() {
                let letter = if i == 0 { 'M' } else { 'L' };
                let _ = write!(d, "{letter}{} {}", number(*x), number(*y));
            }
        }
        if !d.is_empty() {
            self.push(&format!("<path d=\"{d}\" fill=\"none\" {attributes}/>"));
        }
    }

    /// An area between points.
    pub(super) fn area(&mut self, outline: &[[f64; 2]], attributes: &str) {
        let points: Vec<String> = outline.iter().map(|[x, y]| format!("{},{}", number(*x), number(*y))).collect();
        self.push(&format!("<polygon points=\"{}\" {attributes}/>", points.join(" ")));
    }

    /// A text; it is escaped.
    pub(super) fn text(&mut self, at: [f64; 2], anchor: Anchor, attributes: &str, text: &str) {
        let [x, y] = at.map(number);
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let space = if attributes.is_empty() { "" } else { " " };
        self.push(&format!("<text x=\"{x}\" y=\"{y}\"{anchor}{space}{attributes}>{}</text>", escape(text)));
    }

    /// The file. `name` makes its ids unique on a page that holds several; title and description are what a screen reader says.
    pub(super) fn finish(self, name: &str, title: &str, description: &str) -> String {
        let Self { width, height, body } = self;
        let [width, height] = [width, height].map(number);
        let (name, title, description) = (escape(name), escape(title), escape(description));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-labelledby=\"{name}-title {name}-desc\" font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\" font-size=\"12\" \
             fill=\"currentColor\">\n<title id=\"{name}-title\">{title}</title>\n<desc id=\"{name}-desc\">{description}</desc>\n{body}</svg>\n"
        )
    }

    fn push(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

/// A coordinate with one decimal at most. What is not finite has no place: the caller leaves it out.
pub(super) fn number(value: f64) -> String {
    debug_assert!(value.is_finite(), "{value} has no place in a picture");
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".into() } else { text.into() }
}

/// Text that is to be read as it stands, in elements and in attributes. Characters that XML does not allow become U+FFFD.
pub(in crate::report) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\r' | '\t' => out.push(' '),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// About how wide a text is at a font size: no font is at hand to ask. Wider rather than narrower, capitals and wide scripts counted so.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | '.' | ',' | '\'' | '|' | ' ' | '(' | ')' | '-' => 0.34,
        'm' | 'w' | 'M' | 'W' | '%' => 0.9,
        c if c.is_ascii_uppercase() => 0.7,
        c if c.is_ascii() => 0.57,
        _ => 1.0,
    };
    text.chars().map(em).sum::<f64>() * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_texts_are_inert() {
        assert_eq!([number(1.0), number(-0.04), number(2.25), number(1000.06)], ["1", "0", "2.2", "1000.1"]);
        assert_eq!(escape("a<b> & \"c\"\n\u{1}"), "a&lt;b&gt; &amp; &quot;c&quot; \u{fffd}");
    }
}
