//! Recipes: YAML as written → resolved, with every problem reported at once.

pub mod types;

pub use types::*;
