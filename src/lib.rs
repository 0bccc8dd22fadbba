//! aqa-bench reproduces audio-question-answering results from one pinned recipe.
//!
//! The flow: a [`recipe`] says what is asked, a [`plan`] lists the stages, `stage`s leave [`artifact`]s, and [`report`]
//! renders them. Commands meet through artifacts on disk, never through memory.
//!
//! Modules are declared in dependency order: a module uses only modules that stand above it here. Everything that needs
//! libtorch is behind the `torch` feature; `tests/layers.rs` holds the order.

// 1. words everyone shares (rustfmt sorts neighbours by name; blank lines keep an order that matters)
pub mod error;

pub mod pins;

pub mod canonical;
pub mod progress;
pub mod seeds;
pub mod text;

// 2. what was asked
pub mod recipe;

pub mod architecture;

// 3. inputs
pub mod audio;
pub mod data;
pub mod prompt;
pub mod synth;

// 4. judgement: pure functions of texts
pub mod reward;
pub mod score;

// 5. what is kept, what is got from outside, and what will be done
pub mod artifact;
pub mod fetch;
pub mod plan;

pub mod scored;

// 6. generation without an engine: filters, noise, choice
pub mod sampling;

// 7. what a recipe resolved to, file by file
pub mod lock;

// 8. the engine
#[cfg(feature = "torch")]
pub mod native;

#[cfg(feature = "torch")]
pub mod model;

#[cfg(feature = "torch")]
pub mod generate;

#[cfg(feature = "torch")]
pub mod train;

#[cfg(feature = "torch")]
pub mod stage;

// 9. show it
pub mod report;

// 10. command line
pub mod cli;

pub use error::{Error, Result};
