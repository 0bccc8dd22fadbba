//! Getting inputs from outside, byte for byte what was pinned: resumed where a part is there, verified always, offline where everything is there.
//!
//! [`Fetcher`] is the one way in. Files of the hub go into the user's Hugging Face cache and are read by `huggingface_hub` as well; everything
//! else goes into this program's own cache, under its hash. Transfers are our own (`transfer.rs` says why); hf-hub spells the cache.

mod address;
mod archive;
mod bounded;
mod caches;
mod client;
mod commit;
mod disk;
mod drive;
mod embedded;
mod file;
mod hub;
mod listing;
mod manifest;
mod refusal;
mod retry;
mod settings;
mod transfer;
mod unpacked;

pub use address::{Address, HubRepo, RepoKind};
pub use archive::{Limits, unpack, unpack_into};
pub use caches::{CacheState, Held};
pub use hub::Snapshot;
pub use manifest::verify_unpacked;
pub use settings::{Retry, Settings, Token};
pub use unpacked::Unpacked;

use crate::error::{Error, Result};
use crate::pins::Pin;
use client::Client;
use std::path::{Path, PathBuf};

/// Errs (exit code 4) when `bytes` do not fit where `folder` is, or will be; `moves` is the option or variable that names another place.
///
/// # Errors
/// They do not fit, or the disk could not be asked (exit code 1).
pub fn room(folder: &Path, bytes: u64, what: &str, moves: &str) -> Result<()> {
    disk::room(folder, bytes, disk::free_space, what, moves)
}

/// Gets and verifies files.
pub struct Fetcher {
    settings: Settings,
    client: Client,
}

/// A file whose bytes are what they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its name, with `/` between folders.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its hash.
    pub pin: Pin,
}

/// What a cache holds of something, by length alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Where it is, or will be.
    pub path: PathBuf,
    /// Its bytes altogether; 0 where no one knows them yet.
    pub bytes: u64,
    /// Files that are missing or cut.
    pub missing_files: usize,
    /// Bytes that would have to be fetched, parts that are there taken off.
    pub missing_bytes: u64,
}

impl Fetcher {
    /// With the settings of the environment.
    ///
    /// # Errors
    /// As [`Settings::from_env`].
    pub fn from_env() -> Result<Self> {
        Ok(Self::new(Settings::from_env()?))
    }

    /// With these settings.
    pub fn new(settings: Settings) -> Self {
        let client = Client::new(&settings);
        Self { settings, client }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A file on this machine: verified where it is, never copied.
    ///
    /// # Errors
    /// Exit code 4: missing, or not what was pinned.
    pub fn local(&self, path: &Path, pin: &Pin) -> Result<PathBuf> {
        let shown = path.display();
        if !path.is_file() {
            return Err(Error::inputs(format!("{shown}: no such file (put it there, or say where it is)")));
        }
        let found = pin.of_file(path, &mut |_| ())?;
        if found != *pin {
            return Err(Error::inputs(format!(
                "{shown}: expected {pin}, found {found} (the file is not the pinned one)"
            )));
        }
        Ok(path.to_owned())
    }

    /// Errs (exit code 4) where no request may be made.
    fn online(&self, what: &str, lacks: &str) -> Result<()> {
        if self.settings.offline {
            return Err(Error::inputs(format!(
                "{what}: {lacks}; HF_HUB_OFFLINE forbids to ask for it (unset it, or fetch on a machine that is online and copy the cache)"
            )));
        }
        Ok(())
    }

    fn own_lock(&self, name: &str) -> PathBuf {
        self.settings.own_cache.join("locks").join(format!("{name}.lock"))
    }
}
