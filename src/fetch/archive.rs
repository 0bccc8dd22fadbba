//! `.tar.gz` archives, unpacked as if they came from an enemy: only files below the folder, no links, no devices, nothing twice, and an end
//! to size, count and compression. Every file is hashed; the manifest, written last, says that all of them are there.

use super::address::is_plain;
use super::disk;
use super::unpacked::{Unpacked, once};
use super::{Verified, bounded::Bounded};
use crate::error::{Context, Error, Result};
use crate::pins::{Hashing, Pin, Sha256};
use crate::progress::Progress;
use flate2::read::MultiGzDecoder;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tar::{Archive, Entry, EntryType};

/// How much an archive may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of everything in it, also of what is not wanted.
    pub bytes: u64,
    /// Members, folders included.
    pub members: u64,
    /// Unpacked bytes to packed ones. Sounds are compressed by less than two, text by ten; a bomb by a thousand.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 200_000_000_000, members: 1_000_000, ratio: 100 }
    }
}

/// Unpacks an archive into a folder that is not there yet (`files/…` and `manifest.json`); the files whose names end with one of `suffixes`, or all of them where there are
/// none. Where it was unpacked before, with the same suffixes, its files are verified.
///
/// # Errors
/// Exit code 4: the archive cannot be read, is not what it should be, or a file of an unpacked one was changed; 1: the machine failed under it.
pub fn unpack(archive: &Path, to: &Path, suffixes: &[&str], limits: Limits) -> Result<Unpacked> {
    once(archive, Sha256::of_file(archive)?, to, suffixes, |dir| {
        let mut unpacking =
            Unpacking { dir: dir.to_owned(), suffixes, limits, seen: BTreeSet::new(), ..Unpacking::default() };
        unpacking.all(archive).map_err(|e| e.within(archive.display()))?;
        Ok((unpacking.files, unpacking.skipped))
    })
}

/// Unpacks all of an archive into an empty folder that is thrown away afterwards: no manifest, no lock, nothing is synced.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_into(archive: &Path, dir: &Path, limits: Limits) -> Result<Vec<Verified>> {
    let mut unpacking = Unpacking { dir: dir.to_owned(), limits, ..Unpacking::default() };
    unpacking.all(archive).map_err(|e| e.within(archive.display()))?;
    Ok(unpacking.files)
}

#[derive(Default)]
struct Unpacking<'a> {
    dir: PathBuf,
    suffixes: &'a [&'a str],
    limits: Limits,
    /// Names of files and folders so far; a folder ends with `/`.
    seen: BTreeSet<String>,
    members: u64,
    files: Vec<Verified>,
    skipped: u64,
}

impl Unpacking<'_> {
    fn all(&mut self, archive: &Path) -> Result<()> {
        let file = File::open(archive).inputs(|| "cannot open it".to_owned())?;
        let packed = file.metadata().inputs(|| "cannot read it".to_owned())?.len();
        let mut progress = Progress::bytes("unpack", 0, packed);
        let (mut reader, breach) = Bounded::new(file, MultiGzDecoder::new, self.limits.bytes, self.limits.ratio);
        let mut tar = Archive::new(&mut reader);
        let broken = |e: io::Error| match breach.take() {
            Some(words) => Error::inputs(words),
            None => Error::inputs(format!("is not a whole .tar.gz archive: {e}")),
        };
        for entry in tar.entries().map_err(broken)? {
            self.members += 1;
            if self.members > self.limits.members {
                let limit = self.limits.members;
                return Err(Error::inputs(format!("expected at most {limit} members, found more (refused as a bomb)")));
            }
            let entry = entry.map_err(broken)?;
            if let Some((entry, name)) = self.judge(entry)? {
                self.write(entry, name, &broken)?;
            }
            progress.at(breach.packed(), "");
        }
        // What follows the end mark holds gzip's checksum.
        io::copy(&mut reader, &mut io::sink()).map_err(broken)?;
        progress.clear();
        Ok(())
    }

    /// The member, where it is a wanted file.
    fn judge<'e, R: Read>(&mut self, entry: Entry<'e, R>) -> Result<Option<(Entry<'e, R>, String)>> {
        let bytes = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let kind = match entry.header().entry_type() {
            // A comment on all members, as `git archive` leaves one.
            EntryType::XGlobalHeader => return Ok(None),
            EntryType::Regular | EntryType::Continuous => "",
            EntryType::Directory => "/",
            EntryType::Symlink | EntryType::Link => return Err(refused(&shown, "a link")),
            EntryType::Char | EntryType::Block | EntryType::Fifo => return Err(refused(&shown, "a device")),
            _ => return Err(refused(&shown, "neither a file nor a folder")),
        };
        let Ok(text) = String::from_utf8(bytes) else { return Err(refused(&shown, "a name that is not UTF-8")) };
        let text = text.trim_start_matches("./").trim_end_matches('/');
        if kind == "/" && matches!(text, "" | ".") {
            return Ok(None);
        }
        if !is_plain(text) {
            return Err(refused(&shown, "a name that leads out of the folder"));
        }
        let inner = || text.match_indices('/').map(|(at, _)| &text[..at]);
        if inner().any(|folder| self.seen.contains(folder)) {
            return Err(refused(&shown, "a file in a file"));
        }
        let other = if kind == "/" { text.to_owned() } else { format!("{text}/") };
        if self.seen.contains(&other) || (!self.seen.insert(format!("{text}{kind}")) && kind.is_empty()) {
            return Err(refused(&shown, "a name that was there before"));
        }
        self.seen.extend(inner().map(|folder| format!("{folder}/")));
        if kind == "/" {
            return Ok(None);
        }
        if !self.suffixes.is_empty() && !self.suffixes.iter().any(|suffix| text.ends_with(suffix)) {
            self.skipped += 1;
            return Ok(None);
        }
        Ok(Some((entry, text.to_owned())))
    }

    fn write<R: Read>(
        &mut self,
        mut entry: Entry<'_, R>,
        name: String,
        broken: &dyn Fn(io::Error) -> Error,
    ) -> Result<()> {
        let path = self.dir.join(&name);
        disk::make_parent(&path)?;
        let unwritable = |e: io::Error| disk::failed("write", &path, &e);
        // The folder is new and holds no links, and the name is new: nothing else can be opened by it.
        let mut file = File::create_new(&path).map_err(unwritable)?;
        let mut hashing = Hashing::start(&Pin::Sha256(Sha256::of(b"")), entry.size());
        let (mut buffer, mut bytes) = (vec![0u8; 1 << 16], 0);
        loop {
            let n = entry.read(&mut buffer).map_err(broken)?;
            if n == 0 {
                break;
            }
            hashing.update(&buffer[..n]);
            file.write_all(&buffer[..n]).map_err(unwritable)?;
            bytes += n as u64;
        }
        if bytes != entry.size() {
            return Err(Error::inputs(format!("{name}: expected {} bytes, found {bytes}", entry.size())));
        }
        self.files.push(Verified { name, bytes, pin: hashing.finish() });
        Ok(())
    }
}

fn refused(name: &str, found: &str) -> Error {
    Error::inputs(format!(
        "member {name:?}: expected a file with a plain name, found {found} (refused, nothing is kept)"
    ))
}
