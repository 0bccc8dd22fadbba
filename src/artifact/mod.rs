//! What is kept: the files of a run folder and how they are written (temporary name, sync, rename; never overwritten).

pub mod events;
pub mod jsonl;
pub mod layout;
pub mod lock;
mod metrics;
pub mod read;
pub mod types;
pub mod write;

pub use layout::{RunFolder, StageFolder};
pub use metrics::Step;
pub use types::{
    EvalRecord, Expectation, FromFile, Group, Hearing, Manifest, Provenance, SCHEMA, Sample, StageState, TrainedBy,
    Withheld,
};
