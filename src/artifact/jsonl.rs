//! JSON lines that survive a kill: appended one whole line at a time, and read back without the half line a kill leaves.

use super::write::failed;
use crate::error::{Context, Error, Result};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Lines read from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines<T> {
    /// Whole lines, in order.
    pub rows: Vec<T>,
    /// 1 when the last line was half-written and therefore dropped, else 0.
    pub dropped: usize,
}

/// Reads every line of a file.
///
/// # Errors
/// Exit code 4: the file cannot be read, or a line is not a `T`. Only an unfinished last line (no newline, and no whole JSON
/// value) is no error: a kill leaves that.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Lines<T>> {
    let bytes = fs::read(path).inputs(|| format!("cannot read {}", path.display()))?;
    let (whole, half) = split_half_line(&bytes);
    let mut rows = Vec::new();
    for (i, line) in whole.split(|b| *b == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        rows.push(serde_json::from_slice(line).map_err(|e| {
            let hint = "the file was changed by hand, or by another version; move it away to compute it again";
            Error::inputs(format!("{}:{}: not a whole record: {e} ({hint})", path.display(), i + 1))
        })?);
    }
    Ok(Lines { rows, dropped: usize::from(!half.is_empty()) })
}

/// The bytes up to the last whole line, and the half line after it.
fn split_half_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let start = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let (whole, tail) = bytes.split_at(start);
    // An object is whole only with its closing brace, so a cut line never parses; a line that only lacks its newline does.
    if tail.is_empty() || serde_json::from_slice::<IgnoredAny>(tail).is_ok() { (bytes, &[]) } else { (whole, tail) }
}

/// Appends lines to a file, each in one write.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    file: File,
    len: u64,
    dropped: usize,
}

impl Appender {
    /// Opens a file to append to, made if it is not there. A half-written last line is cut off.
    ///
    /// # Errors
    /// Exit code 1 when the file cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| failed("make the folder", folder, &e))?;
        }
        let open = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path);
        let mut file = open.map_err(|e| failed("write", path, &e))?;
        let bytes = fs::read(path).map_err(|e| failed("read", path, &e))?;
        let (whole, half) = split_half_line(&bytes);
        let mut len = whole.len() as u64;
        if !half.is_empty() {
            file.set_len(len).map_err(|e| failed("write", path, &e))?;
        }
        file.seek(SeekFrom::Start(len)).map_err(|e| failed("write", path, &e))?;
        if whole.last().is_some_and(|b| *b != b'\n') {
            file.write_all(b"\n").map_err(|e| failed("write", path, &e))?;
            len += 1;
        }
        Ok(Self { path: path.to_owned(), file, len, dropped: usize::from(!half.is_empty()) })
    }

    /// 1 when opening cut off a half-written line, else 0.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Appends one record; it has left this process when this returns.
    ///
    /// # Errors
    /// Exit code 1 when it cannot be written (full disk); the lines before it stay whole.
    pub fn append(&mut self, record: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(record).internal(|| format!("cannot write {}", self.path.display()))?;
        line.push(b'\n');
        if let Err(e) = self.file.write_all(&line).and_then(|()| self.file.flush()) {
            // Take back what a full disk let through, so that a later line does not continue it. A reader drops it anyway.
            let _ = self.file.set_len(self.len).and_then(|()| self.file.seek(SeekFrom::Start(self.len)).map(|_| ()));
            return Err(failed("write", &self.path, &e));
        }
        self.len += line.len() as u64;
        Ok(())
    }

    /// Syncs to the disk; call it once, when the last line is written.
    ///
    /// # Errors
    /// Exit code 1 when the disk does not take it.
    pub fn finish(self) -> Result<()> {
        self.file.sync_all().map_err(|e| failed("sync", &self.path, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Row = (u32, String);

    #[test]
    fn a_bad_line_that_is_not_the_half_last_one_is_an_error_with_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("samples.jsonl");
        for text in ["[1,\"a\"]\n[2,\n[3,\"c\"]\n", "[1,\"a\"]\n[2,\n"] {
            fs::write(&path, text).unwrap();
            let error = read::<Row>(&path).unwrap_err();
            assert_eq!(error.exit_code(), 4);
            assert!(error.to_string().contains("samples.jsonl:2: not a whole record"), "{error}");
        }
        fs::write(&path, "[1,\"a\"]\n{\"whole\": true}").unwrap();
        assert!(read::<Row>(&path).unwrap_err().to_string().contains("samples.jsonl:2:"), "whole, but another record");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Cut the file anywhere: what is read is the whole lines before the cut; appending the rest restores the file.
        #[test]
        fn a_cut_anywhere_loses_at_most_the_last_line(texts in prop::collection::vec("\\PC{0,12}", 1..8), cut in 0.0f64..1.0) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("s/x.jsonl");
            let rows: Vec<Row> = texts.into_iter().enumerate().map(|(i, t)| (i as u32, t)).collect();
            let mut all = Appender::open(&path).unwrap();
            rows.iter().for_each(|r| all.append(r).unwrap());
            all.finish().unwrap();
            let bytes = fs::read(&path).unwrap();
            let cut = (bytes.len() as f64 * cut) as usize;
            fs::write(&path, &bytes[..cut]).unwrap();

            let before = read::<Row>(&path).unwrap();
            prop_assert_eq!(&before.rows[..], &rows[..before.rows.len()]);
            let newlines = bytes[..cut].iter().filter(|b| **b == b'\n').count();
            prop_assert!(before.rows.len() == newlines || (before.rows.len() == newlines + 1 && bytes[cut] == b'\n'));

            let mut rest = Appender::open(&path).unwrap();
            prop_assert_eq!(rest.dropped(), before.dropped);
            rows[before.rows.len()..].iter().for_each(|r| rest.append(r).unwrap());
            rest.finish().unwrap();
            prop_assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }
}
