//! Recipes: YAML as written → resolved, with every problem reported at once.
//!
//! The file becomes a tree that knows its lines and columns (`tree`), overrides are put into it (`overrides`), one table
//! of keys (`keys`, in the words of `shape`) validates it (`validate`) and writes the JSON schema (`schema`), checks look
//! across keys (`check`), and what is sound becomes a [`Recipe`] (`wire`, `resolve`).

mod check;
mod keys;
mod load;
mod overrides;
mod problem;
mod resolve;
mod schema;
mod shape;
mod spot;
mod tree;
pub mod types;
mod validate;
mod wire;

pub use load::load;
pub use schema::schema;
pub use types::*;

/// Names of the synthetic tasks that a recipe may ask for.
pub fn known_tasks() -> &'static [&'static str] {
    &["snd", "ins", "vow", "spk"]
}
