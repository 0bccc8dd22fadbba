//! Clips that come inside their data set's Parquet file, as files: once, in this program's cache, as `clips/HASH/files/ID.wav` beside a manifest.

use super::unpacked::{Unpacked, once};
use super::{Fetcher, Verified, disk};
use crate::data::mmau_parquet;
use crate::error::Result;
use crate::pins::{Pin, Sha256};
use crate::progress::Progress;
use std::fs;
use std::path::{Path, PathBuf};

impl Fetcher {
    /// Unpacks the clips of a Parquet file, or verifies them where they were unpacked before. The folder is named by the file's hash, so that the
    /// same bytes are unpacked once wherever they lie; each clip is its row's bytes, named by [`mmau_parquet::clip_name`].
    ///
    /// # Errors
    /// As [`mmau_parquet::clips`]; exit code 4: no room, or a clip that was unpacked before is not what it was; 1: the machine failed under it.
    pub fn clips(&self, parquet: &Path) -> Result<Unpacked> {
        let sha256 = Sha256::of_file(parquet)?;
        let folder = self.clips_folder(&sha256);
        once(parquet, sha256, &folder, &[], |dir| {
            let bytes = mmau_parquet::bytes_of_clips(parquet)?;
            disk::room(dir, bytes, self.settings.free_space, &parquet.display().to_string(), "AQA_CACHE")?;
            let mut progress = Progress::bytes("unpack", 0, bytes);
            let (mut files, mut done) = (Vec::new(), 0);
            mmau_parquet::clips(parquet, &mut |name, clip| {
                let path = dir.join(name);
                fs::write(&path, clip).map_err(|e| disk::failed("write", &path, &e))?;
                let (name, bytes) = (name.to_owned(), clip.len() as u64);
                files.push(Verified { name, bytes, pin: Pin::Sha256(Sha256::of(clip)) });
                done += bytes;
                progress.at(done, "");
                Ok(())
            })?;
            progress.clear();
            Ok((files, 0))
        })
    }

    /// Where the clips of a Parquet file are, or will be.
    pub fn clips_folder(&self, parquet: &Sha256) -> PathBuf {
        self.settings.own_cache.join("clips").join(parquet.as_str())
    }
}
