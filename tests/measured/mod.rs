//! Errors against the reference stack, held to the one list of tolerances: `tests/parity/table.tsv`.
//!
//! With `AQA_MEASURED=FOLDER` they are also noted there, one line a call, and `scripts/parity-table.sh` renders them into
//! docs/methodology.md beside the tolerances.
#![allow(dead_code)] // each test binary uses its part

use std::io::Write;
use std::path::Path;

/// A row of the table.
struct Row {
    /// `exact`, or a number.
    tolerance: f64,
}

fn row(id: &str) -> Row {
    let text = include_str!("../parity/table.tsv");
    let line = text.lines().find(|l| l.split('\t').next() == Some(id));
    let line = line.unwrap_or_else(|| panic!("tests/parity/table.tsv has no row {id:?}"));
    let cell = line.split('\t').nth(3).unwrap_or_else(|| panic!("tests/parity/table.tsv, row {id:?}: no tolerance"));
    let tolerance = if cell == "exact" { 0.0 } else { cell.parse().unwrap_or_else(|e| panic!("{id}: {cell:?}: {e}")) };
    Row { tolerance }
}

/// Asserts that an error is a number within the tolerance of row `id`, and notes it with how many values were compared. For a row that
/// is `exact` the error is the number of values that differ. `what` names the case in the message.
pub fn within(id: &str, what: &str, compared: usize, error: f64) {
    let tolerance = row(id).tolerance;
    assert!(compared > 0, "{id}, {what}: nothing was compared");
    assert!(error <= tolerance, "{id}, {what}: error {error:e}, the tolerance is {tolerance:e}");
    let Some(folder) = std::env::var_os("AQA_MEASURED") else { return };
    let path = Path::new(&folder).join(format!("{}.tsv", std::process::id()));
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
    file.write_all(format!("{id}\t{compared}\t{error:e}\n").as_bytes()).unwrap();
}

/// The tolerance of a row, for tests that use it in a wider condition.
pub fn tolerance(id: &str) -> f64 {
    row(id).tolerance
}

/// The error of an `exact` row: the number of places where two lists differ, all of them if one is longer.
pub fn differing<T: PartialEq>(ours: &[T], theirs: &[T]) -> f64 {
    if ours.len() != theirs.len() {
        return ours.len().max(theirs.len()) as f64;
    }
    ours.iter().zip(theirs).filter(|(a, b)| a != b).count() as f64
}
