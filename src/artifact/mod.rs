//! What is kept: the files of a run folder and how they are written (temporary name, sync, rename; never overwritten).

pub mod types;

pub use types::{EvalRecord, Manifest, Provenance, SCHEMA, Sample, StageState};
