//! Single files from outside the hub, in this program's cache: `files/HASH`, so that the same bytes are kept once wherever they came from.

use super::address::{Address, is_plain, is_safe};
use super::client::{Ask, shown};
use super::drive;
use super::transfer::{Job, Meter, Open, beside, length};
use super::{Fetcher, Known, disk};
use crate::error::{Error, Result};
use crate::pins::{Pin, Sha256};
use crate::progress::say;
use std::path::{Path, PathBuf};

impl Fetcher {
    /// Gets a file by its `https` address, verifies it, and says where it is. One that is there is verified again, not fetched.
    ///
    /// # Errors
    /// Exit code 4: refused, missing, cut off too often, no room, offline, other bytes than pinned, or the cached file is damaged and
    /// [`refetch`](super::Settings::refetch) is not set; 2: another address; 1: the machine failed under it.
    pub fn url(&self, url: &str, pin: &Pin) -> Result<PathBuf> {
        if !is_safe(url) {
            return Err(Error::request(format!("expected an address that begins with https://, found {}", shown(url))));
        }
        let what = shown(url);
        let open = |offset: u64, if_range: Option<&str>| {
            self.client.get(&Ask { url, what: &what, hub: None, offset, if_range })
        };
        self.keep(&what, pin, &open)
    }

    /// Gets a file from Google Drive by its id.
    ///
    /// # Errors
    /// As [`Fetcher::url`]; where Drive shows a page in place of the file, exit code 4 and the page's reason.
    pub fn drive(&self, id: &str, pin: &Pin) -> Result<PathBuf> {
        if !is_plain(id) || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
            return Err(Error::request(format!("expected the id of a file on Google Drive, found {id:?}")));
        }
        let what = format!("drive://{id}");
        let open = |offset: u64, if_range: Option<&str>| {
            drive::open(&self.client, &self.settings.drive, id, &what, offset, if_range)
        };
        self.keep(&what, pin, &open)
    }

    /// The kept file of a pin, verified without a request.
    ///
    /// # Errors
    /// Exit code 4: not there, or damaged.
    pub fn verify_file(&self, pin: &Pin) -> Result<PathBuf> {
        let path = self.kept(pin);
        if !path.exists() {
            return Err(Error::inputs(format!(
                "{pin}: not in the cache, expected at {} (fetch it first)",
                path.display()
            )));
        }
        match self.damage(pin)? {
            None => Ok(path),
            Some(damage) => Err(Error::inputs(damage)),
        }
    }

    /// What is there of a pinned file, by length alone and without a request. How long a missing one is, its server knows.
    pub fn known_file(&self, pin: &Pin) -> Known {
        let path = self.kept(pin);
        let bytes = length(&path);
        Known { missing_files: usize::from(!path.is_file()), path, bytes, missing_bytes: 0 }
    }

    /// Gets a file that nobody has pinned yet, and says what it is. It is kept like any other, and an interrupted download goes on. Where an earlier call
    /// got it from this address and what it kept is still that, the server is not asked, unless [`refetch`](super::Settings::refetch) is set.
    ///
    /// # Errors
    /// As [`Fetcher::url`].
    pub fn learn(&self, address: &Address) -> Result<(Sha256, PathBuf)> {
        let (whole, what, open): (String, String, Box<Open<'_>>) = match address {
            Address::Url(url) => {
                let what = shown(url);
                let (ask, url) = (what.clone(), url.clone());
                let whole = url.clone();
                let open = move |offset: u64, if_range: Option<&str>| {
                    self.client.get(&Ask { url: &url, what: &ask, hub: None, offset, if_range })
                };
                (whole, what, Box::new(open))
            }
            Address::Drive(id) => {
                let what = format!("drive://{id}");
                let (ask, id) = (what.clone(), id.clone());
                let open = move |offset: u64, if_range: Option<&str>| {
                    drive::open(&self.client, &self.settings.drive, &id, &ask, offset, if_range)
                };
                (what.clone(), what, Box::new(open))
            }
            Address::Hub(..) | Address::Path(_) => {
                return Err(Error::internal("only files from elsewhere are learnt: the hub names hashes itself"));
            }
        };
        // Named by the whole address, a query included: another one is another file.
        let name = Sha256::of(whole.as_bytes());
        let target = self.settings.own_cache.join("learnt").join(name.as_str());
        let note = beside(&target, ".sha256");
        if let Some(found) = self.learnt(&note)?.filter(|_| !self.settings.refetch || self.settings.offline) {
            say(format_args!("{what}: taken from the cache as it was fetched before, sha256 {}", found.0));
            return Ok(found);
        }
        self.online(&what, "its hash is not known yet")?;
        // A whole one of an earlier process may be out of date.
        disk::remove(&target)?;
        let lock = self.own_lock(name.as_str());
        let job = Job {
            what: &what,
            target: target.clone(),
            lock,
            pin: None,
            bytes: None,
            variable: "AQA_CACHE",
            open: &*open,
        };
        let mut meter = Meter::new(&what, 0, None);
        job.run(&self.settings, &mut meter)?;
        meter.finish();
        let sha256 = Sha256::of_file(&target)?;
        let path = self.kept(&Pin::Sha256(sha256.clone()));
        disk::make_parent(&path)?;
        std::fs::rename(&target, &path).map_err(|e| disk::failed("rename", &target, &e))?;
        std::fs::write(&note, sha256.as_str()).map_err(|e| disk::failed("write", &note, &e))?;
        Ok((sha256, path))
    }

    /// What a note says that an address had, where the kept file is still that. A note that is none, or of a file that was changed or removed since, is
    /// as good as none.
    fn learnt(&self, note: &Path) -> Result<Option<(Sha256, PathBuf)>> {
        let Ok(text) = std::fs::read_to_string(note) else { return Ok(None) };
        let Ok(sha256) = Sha256::parse(text.trim()) else { return Ok(None) };
        let pin = Pin::Sha256(sha256.clone());
        let path = self.kept(&pin);
        Ok((path.is_file() && self.damage(&pin)?.is_none()).then_some((sha256, path)))
    }

    /// Where the file of a pin is, or will be.
    pub fn file_place(&self, pin: &Pin) -> PathBuf {
        self.kept(pin)
    }

    /// Where an archive's files are, or will be.
    pub fn unpacked_place(&self, archive: &Pin) -> PathBuf {
        self.settings.own_cache.join("unpacked").join(archive.as_str())
    }

    fn kept(&self, pin: &Pin) -> PathBuf {
        self.settings.own_cache.join("files").join(pin.as_str())
    }

    /// What is wrong with a kept file.
    fn damage(&self, pin: &Pin) -> Result<Option<String>> {
        let path = self.kept(pin);
        let found = pin.of_file(&path, &mut |_| ())?;
        let (shown, bytes) = (path.display(), length(&path));
        let way_out = "the file was changed or cut: remove it and fetch again";
        Ok((found != *pin).then(|| format!("{shown}: expected {pin}, found {found} of {bytes} bytes ({way_out})")))
    }

    fn keep(&self, what: &str, pin: &Pin, open: &Open<'_>) -> Result<PathBuf> {
        let path = self.kept(pin);
        if path.exists() {
            let Some(damage) = self.damage(pin)? else { return Ok(path) };
            if !self.settings.refetch || self.settings.offline {
                return Err(Error::inputs(format!("{what}: {damage}")));
            }
            say(format_args!("{what}: {damage}: fetching it again"));
            disk::remove(&path)?;
        }
        let part = length(&beside(&path, ".incomplete"));
        let part = if part > 0 { format!(" ({part} bytes are there)") } else { String::new() };
        self.online(what, &format!("{pin} is not in the cache{part}"))?;
        let lock = self.own_lock(pin.as_str());
        let job = Job { what, target: path.clone(), lock, pin: Some(pin), bytes: None, variable: "AQA_CACHE", open };
        let mut meter = Meter::new(what, 0, None);
        job.run(&self.settings, &mut meter)?;
        meter.finish();
        Ok(path)
    }
}
