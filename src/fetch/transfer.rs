//! One file, from an address to its place: resumed where a part is there, hashed, and renamed only when whole.
//!
//! The part is `TARGET.incomplete`, the name that `huggingface_hub` gives it too; `TARGET.incomplete.etag` beside it says which bytes of the
//! server it is of. The hash is computed from the disk when all is there: it then also covers what an earlier process wrote.

use super::client::Reply;
use super::disk::{self, Lock};
use super::retry::{Failure, patiently};
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::pins::Pin;
use crate::progress::{Progress, say};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// A try that brought so many bytes was worth it: the count of tries begins anew.
const GAINED: u64 = 1 << 20;

/// Asks for the bytes from an offset on; the second argument is the `ETag` of those that are there.
pub(super) type Open<'a> = dyn Fn(u64, Option<&str>) -> Result<Reply, Failure> + 'a;

/// A file to get.
pub(super) struct Job<'a> {
    /// What it is, for a person.
    pub what: &'a str,
    /// Where it goes. Nothing is there yet.
    pub target: PathBuf,
    /// The lock that keeps other processes from it.
    pub lock: PathBuf,
    /// What its bytes must be; `None` where nobody knows yet.
    pub pin: Option<&'a Pin>,
    /// How many they are, where that is known.
    pub bytes: Option<u64>,
    /// The variable that moves the cache, for words about space.
    pub variable: &'static str,
    /// Asks for its bytes.
    pub open: &'a Open<'a>,
}

/// How far a download of one or several files is.
pub(super) struct Meter {
    label: String,
    before: u64,
    progress: Option<Progress>,
}

impl Meter {
    /// Of files of `total` bytes together, of which `done` are there; without a total it waits for the server to say one.
    pub fn new(label: &str, done: u64, total: Option<u64>) -> Self {
        let progress = total.map(|total| Progress::bytes(label, done, total));
        Self { label: label.to_owned(), before: 0, progress }
    }

    /// The next file begins; the ones before it have so many bytes.
    pub fn behind(&mut self, before: u64) {
        self.before = before;
    }

    fn expect(&mut self, done: u64, total: u64) {
        self.progress.get_or_insert_with(|| Progress::bytes(&self.label, done, total));
    }

    fn at(&mut self, done: u64) {
        if let Some(progress) = &mut self.progress {
            progress.at(self.before + done, "");
        }
    }

    /// Ends it and says how long it took.
    pub fn finish(self) {
        if let Some(progress) = self.progress {
            progress.finish("");
        }
    }
}

impl Job<'_> {
    /// Gets it. Returns the bytes it has.
    ///
    /// # Errors
    /// Exit code 4: refused, missing, cut off too often, no room, or other bytes than pinned; 1: the machine failed under it.
    pub fn run(&self, settings: &Settings, meter: &mut Meter) -> Result<u64> {
        let _lock = Lock::take(&self.lock, self.what)?;
        if let Ok(there) = self.target.metadata() {
            // Another process got it while we waited.
            self.expect(&self.target, "the file in the cache")?;
            return Ok(there.len());
        }
        disk::make_parent(&self.target)?;
        let mut inherited = length(&self.part()) > 0;
        // A part without a known length may be the whole: a process can end between the last byte and the rename.
        let whole = inherited && self.bytes.is_none() && self.pin.is_some() && self.is_pinned(&self.part())?.is_ok();
        loop {
            if !whole {
                patiently(&settings.retry, self.what, || self.attempt(settings, meter))?;
            }
            let file = File::open(self.part()).map_err(|e| disk::failed("open", &self.part(), &e))?;
            let judged = self.is_pinned(&self.part())?;
            if judged.is_ok() {
                let bytes = length(&self.part());
                disk::put(&file, &self.part(), &self.target)?;
                disk::remove(&self.etag())?;
                return Ok(bytes);
            }
            self.discard()?;
            if let Err(found) = judged
                && !inherited
            {
                return Err(self.other(&found, "what the server sent"));
            }
            say(format_args!("{}: the part that was there is of another file, beginning again", self.what));
            inherited = false;
        }
    }

    /// Where the bytes are gathered.
    pub fn part(&self) -> PathBuf {
        beside(&self.target, ".incomplete")
    }

    fn etag(&self) -> PathBuf {
        beside(&self.target, ".incomplete.etag")
    }

    fn discard(&self) -> Result<()> {
        disk::remove(&self.part())?;
        disk::remove(&self.etag())
    }

    /// Whether a file is what was pinned, or what it is instead. Anything is, where nothing is pinned.
    fn is_pinned(&self, path: &Path) -> Result<Result<(), Pin>> {
        let Some(pin) = self.pin else { return Ok(Ok(())) };
        let found = pin.of_file(path, &mut |_| ())?;
        Ok(if found == *pin { Ok(()) } else { Err(found) })
    }

    fn expect(&self, path: &Path, place: &str) -> Result<()> {
        self.is_pinned(path)?.map_err(|found| self.other(&found, place))
    }

    fn other(&self, found: &Pin, place: &str) -> Error {
        let what = self.what;
        let pin = self.pin.map(Pin::to_string).unwrap_or_default();
        let way_out = "it is not the pinned file: correct the pin or the address";
        Error::inputs(format!("{what}: expected {pin}, found {found} in {place} ({way_out})"))
    }

    /// One request, from where the part ends.
    fn attempt(&self, settings: &Settings, meter: &mut Meter) -> Result<(), Failure> {
        if self.bytes.is_some_and(|bytes| length(&self.part()) > bytes) {
            self.discard()?;
        }
        let mut offset = length(&self.part());
        if self.bytes == Some(offset) {
            // All is there (or there is nothing to get).
            File::options().create(true).append(true).open(self.part()).map_err(|e| self.unwritable(&e))?;
            return Ok(());
        }
        let etag = fs::read_to_string(self.etag()).ok().filter(|_| offset > 0);
        let reply = match (self.open)(offset, etag.as_deref()) {
            Err(Failure::Beyond) => {
                self.discard()?;
                return Err(Failure::again("the part that was there is longer than the file"));
            }
            other => other?,
        };
        let span = Span::of(&reply);
        let served = reply.header("etag").filter(|tag| !tag.starts_with("W/"));
        let same = etag.as_deref().is_none_or(|had| served.is_none_or(|now| now == had));
        if reply.partial && (span.start != offset || !same) {
            self.discard()?;
            return Err(Failure::again("the server sent other bytes than those asked for, beginning again"));
        }
        if !reply.partial {
            offset = 0;
        }
        self.expect_length(span.total)?;
        let limit = self.bytes.or(span.total);
        if let (None, Some(total)) = (self.bytes, span.total) {
            let folder = self.target.parent().unwrap_or(Path::new("."));
            disk::room(folder, total - offset, settings.free_space, self.what, self.variable)?;
            meter.expect(offset, total);
        }
        let mut file = File::options().create(true).append(true).open(self.part()).map_err(|e| self.unwritable(&e))?;
        file.set_len(offset).map_err(|e| self.unwritable(&e))?;
        match served {
            Some(tag) => fs::write(self.etag(), tag).map_err(|e| disk::failed("write", &self.etag(), &e))?,
            None => disk::remove(&self.etag())?,
        }
        self.pour(reply, &mut file, offset, limit, meter)
    }

    /// The bytes of an answer, behind those that are there.
    fn pour(
        &self,
        reply: Reply,
        file: &mut File,
        from: u64,
        limit: Option<u64>,
        meter: &mut Meter,
    ) -> Result<(), Failure> {
        let mut body = reply.body.into_reader();
        let mut buffer = vec![0u8; 1 << 18];
        let mut at = from;
        let cut = |at: u64, why: String| Failure::Again { why, pause: None, gained: at - from >= GAINED };
        loop {
            let n = match body.read(&mut buffer) {
                Ok(n) => n,
                Err(e) => return Err(cut(at, format!("cut off after {at} bytes ({e})"))),
            };
            if n == 0 {
                break;
            }
            if limit.is_some_and(|limit| at + n as u64 > limit) {
                self.discard()?;
                let limit = limit.unwrap_or_default();
                let says = format!("{}: expected {limit} bytes, the server sends more", self.what);
                return Err(Error::inputs(format!("{says} (not the pinned file)")).into());
            }
            file.write_all(&buffer[..n]).map_err(|e| self.unwritable(&e))?;
            at += n as u64;
            meter.at(at);
        }
        match limit {
            Some(limit) if at < limit => Err(cut(at, format!("cut off after {at} of {limit} bytes"))),
            _ => Ok(()),
        }
    }

    fn unwritable(&self, error: &std::io::Error) -> Error {
        disk::failed("write", &self.part(), error)
    }

    /// A server that announces another length than the pinned file has need not be read.
    fn expect_length(&self, total: Option<u64>) -> Result<()> {
        match (self.bytes, total) {
            (Some(expected), Some(found)) if expected != found => {
                self.discard()?;
                let says = format!("{}: expected {expected} bytes, the server has {found}", self.what);
                Err(Error::inputs(format!("{says} (not the pinned file: correct the pin or the address)")))
            }
            _ => Ok(()),
        }
    }
}

/// Which bytes of how many an answer holds.
struct Span {
    start: u64,
    total: Option<u64>,
}

impl Span {
    fn of(reply: &Reply) -> Self {
        if !reply.partial {
            return Self { start: 0, total: reply.header("content-length").and_then(|text| text.parse().ok()) };
        }
        let parts = reply.header("content-range").and_then(|text| {
            let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
            Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
        });
        // An answer that does not say where it begins begins nowhere.
        parts.map_or(Self { start: u64::MAX, total: None }, |(start, total)| Self { start, total })
    }
}

/// `PATH` with an ending behind its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// The bytes of a file; 0 where there is none.
pub(super) fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |data| data.len())
}
