//! Training: the parts that the loops of [`crate::stage`] are made of.

pub mod advantage;
pub mod grpo;
pub mod logps;
pub mod optimizer;
pub mod order;
pub mod schedule;
