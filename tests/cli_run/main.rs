//! Whole runs of a tiny recipe through the program: what they leave, that they repeat, that nothing that interrupts them or is
//! wrong with their input changes a result or loses one. `tests/inputs/tiny` holds the recipes.
#![cfg(feature = "torch")]

#[path = "../program/mod.rs"]
mod program;
#[path = "../report_runs/mod.rs"]
mod report_runs;

mod bad_clips;
mod bad_disk;
mod bad_model;
mod doctor;
mod folder;
mod inspect;
mod interrupted;
mod memory;
mod modes;
mod replay;
mod whole;
