//! What does not fit is refused before anything is computed; ways of spending memory change no result.

use crate::folder::{TINY, reproduce};
use tempfile::tempdir;

#[test]
fn what_cannot_fit_is_refused_before_anything_is_made() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    let error = reproduce(TINY, &run, &["--set", "train.sft.questions_per_step=50000000"]).fails(5);
    assert_eq!(error.lines().count(), 1, "{error}");
    for part in ["sft: needs ", "activations ", "there are ", "what helps: --set train.sft.micro_batch=1 ("] {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
    let made: Vec<_> = std::fs::read_dir(&run).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(made, [".lock"]);
}
