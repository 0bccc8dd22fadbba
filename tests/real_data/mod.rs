//! Where the real data are, which are no part of the repository.
#![allow(missing_docs, dead_code)]

use std::path::PathBuf;

/// The folder of real data (`AQA_SHARED`, default `../shared`); says that a test is skipped where there is none.
pub fn shared(test: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var("AQA_SHARED").unwrap_or_else(|_| "../shared".into()));
    let found = folder.join("data/mmau").is_dir();
    if !found {
        eprintln!("skipped {test}: no data/mmau in {} (AQA_SHARED)", folder.display());
    }
    found.then_some(folder)
}

/// The folder of MMAU in it.
pub fn mmau(test: &str) -> Option<PathBuf> {
    Some(shared(test)?.join("data/mmau"))
}
