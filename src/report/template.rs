//! The template environment: strict about names it does not know.

use crate::error::{Context, Result};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;

/// A table as a template prints it: every cell is text in the format's own spelling.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct View {
    pub heading: String,
    pub head: Vec<String>,
    pub rule: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub notes: Vec<String>,
    pub held: Vec<String>,
    pub caption: Vec<String>,
}

/// Renders a template over some tables.
pub(super) fn render(source: &str, title: &str, views: Vec<View>) -> Result<String> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    env.set_syntax(syntax.internal(|| "the report's template syntax is broken".into())?);
    let template = env.template_from_str(source).internal(|| "a report template is broken".into())?;
    template.render(context! { title, tables => Serde(views) }).internal(|| "a report template failed".into())
}
