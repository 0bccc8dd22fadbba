//! The page's HTML: tables, pictures and the frame that the script fills.

use crate::error::{Context, Result};
use crate::report::load::Run;
use crate::report::plot::{About, Figure};
use crate::report::table::Table;
use indexmap::IndexMap;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;

/// What lies beside the page.
pub(super) const ASSETS: [(&str, &str); 2] =
    [("page.css", include_str!("assets/page.css")), ("page.js", include_str!("assets/page.js"))];

/// Pictures of one part, under a heading.
#[derive(Serialize)]
struct Part<'a> {
    name: &'a str,
    figures: Vec<&'a Figure>,
}

/// `index.html`.
pub(super) fn index(runs: &[Run], tables: &[Table], figures: &[Figure], notes: &[String]) -> Result<String> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.add_filter("prose", prose);
    env.add_filter("title", |text: String| super::super::markdown::title(&text));
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    env.set_syntax(syntax.internal(|| "the page's template syntax is broken".into())?);
    let template = env.template_from_str(include_str!("assets/index.html.j2"));
    let template = template.internal(|| "the page's template is broken".into())?;
    let mut titles: Vec<&str> = runs.iter().map(|r| r.title.as_str()).collect();
    titles.dedup();
    let about = |about: About| {
        let mut parts: IndexMap<&str, Vec<&Figure>> = IndexMap::new();
        for figure in figures.iter().filter(|f| f.about == about) {
            parts.entry(&figure.part).or_default().push(figure);
        }
        let part = |(name, figures)| Part { name, figures };
        Serde(parts.into_iter().map(part).collect::<Vec<_>>())
    };
    let page = template.render(context! {
        title => titles.join("; "),
        version => env!("CARGO_PKG_VERSION"),
        tables => Serde(tables),
        training => about(About::Training),
        categories => about(About::Categories),
        versus => about(About::Versus),
        notes => Serde(notes),
    });
    page.internal(|| "the page's template failed".into())
}

/// A caption: what back-ticks enclose is code; everything is escaped.
fn prose(text: String) -> Value {
    let part = |(i, part): (usize, &str)| {
        let part = crate::report::plot::escape(part);
        if i % 2 == 0 { part } else { format!("<code>{part}</code>") }
    };
    Value::from_safe_string(text.split('`').enumerate().map(part).collect())
}
