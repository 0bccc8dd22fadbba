//! Training: the parts that the loops of [`crate::stage`] are made of.

pub mod advantage;
pub mod grpo;
pub mod head;
pub mod logps;
pub mod moments;
pub mod optimizer;
pub mod order;
pub mod parts;
pub mod recompute;
pub mod schedule;
pub mod split;
pub mod streamed;
mod tree;
