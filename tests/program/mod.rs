//! Runs the program as a person would, and reads what it says.
#![allow(missing_docs, dead_code, unused_imports)]

#[path = "../real_data/mod.rs"]
pub mod real_data;

pub use real_data::shared;

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a call left.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Standard error without progress lines: what an error is made of.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        let at = self.err.find("error: ").unwrap_or_else(|| panic!("no error is named:\n{}", self.err));
        self.err[at..].to_owned()
    }

    #[track_caller]
    pub fn succeeds(self) -> String {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self.out
    }
}

/// The program in the repository's root, with nothing of this terminal.
pub fn command(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aqa-bench"));
    // A cache of this test binary's own: what was measured on this machine is in the user's, and plans show it.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cache-{}", std::process::id()));
    command.args(args).env_remove("COLUMNS").env("AQA_CACHE", cache).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn aqa(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Said {
    said(&command(args).output().expect("the program starts"))
}

/// What an ended process said. A panic is a defect whatever the test is about.
#[track_caller]
pub fn said(output: &Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the program writes UTF-8");
    let said = Said { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) };
    assert!(!said.err.contains("panicked"), "{}", said.err);
    assert!(output.status.code().is_some(), "killed by a signal: {}\n{}", output.status, said.err);
    said
}

/// The text with a folder's name replaced.
pub fn redact(text: &str, folder: &Path) -> String {
    text.replace(folder.to_str().expect("test folders are UTF-8"), "DIR")
}
