//! The archive's form: the same contents are the same bytes.

use super::contents::Contents;
use crate::error::{Context, Result};
use crate::pins::Sha256;
use flate2::{Compression, GzBuilder};
use std::io;
use tar::{Builder, EntryType, Header};

/// The list of checksums, as `sha256sum -c` takes it.
pub(super) const SUMS: &str = "SHA256SUMS";

/// The folder that everything in a bundle is in.
pub(super) fn folder(recipe: &str) -> String {
    format!("{recipe}-bundle")
}

/// A line for each file, sorted.
pub(super) fn sums(contents: &Contents) -> String {
    contents.iter().map(|(name, bytes)| format!("{}  {name}\n", Sha256::of(bytes))).collect()
}

/// A `.tar.gz` of plain files, sorted, without times, owners or a file name in its head.
pub(super) fn pack(folder: &str, contents: &Contents) -> Result<Vec<u8>> {
    let packed = || -> io::Result<Vec<u8>> {
        /// What gzip writes for "unknown".
        const NO_SYSTEM: u8 = 255;
        let gz = GzBuilder::new().mtime(0).operating_system(NO_SYSTEM).write(Vec::new(), Compression::best());
        let mut tar = Builder::new(gz);
        for (name, bytes) in contents {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            tar.append_data(&mut header, format!("{folder}/{name}"), bytes.as_slice())?;
        }
        tar.into_inner()?.finish()
    };
    packed().internal(|| "cannot pack the bundle".into())
}
