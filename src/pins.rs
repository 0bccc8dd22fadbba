//! Pins: the hashes and revisions that fix an input byte for byte. Parsed in one place, so that they cannot be mixed up.

use crate::error::{Context, Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256 as Hasher};
use std::fmt;
use std::io::Read;
use std::path::Path;

fn is_lower_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

macro_rules! hex_newtype {
    ($name:ident, $len:literal, $what:literal) => {
        #[doc = $what]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Parses it; the message says what was expected.
            pub fn parse(text: &str) -> std::result::Result<Self, String> {
                if is_lower_hex(text, $len) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(format!(concat!("expected ", $what, ", found {:?}"), text))
                }
            }

            /// The hexadecimal text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
                Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_newtype!(Sha256, 64, "a SHA-256 (64 lower-case hexadecimal digits)");
hex_newtype!(Revision, 40, "a revision (40 lower-case hexadecimal digits)");

/// A commit of a repository, whole or its beginning. Only a whole one pins anything: a beginning waits for a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commit(String);

impl Commit {
    /// Parses 7 to 40 digits; the message says what was expected.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        if (7..=40).contains(&text.len()) && is_lower_hex(text, text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("expected a commit (7 to 40 lower-case hexadecimal digits), found {text:?}"))
    }

    /// The hexadecimal text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The revision, if it is whole.
    pub fn whole(&self) -> Option<Revision> {
        Revision::parse(&self.0).ok()
    }
}

impl From<Revision> for Commit {
    fn from(revision: Revision) -> Self {
        Self(revision.0)
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Commit {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

impl Sha256 {
    /// The hash of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex(&Hasher::digest(bytes)))
    }

    /// The hash of a file's content, read as a stream.
    pub fn of_file(path: &Path) -> Result<Self> {
        let mut file = std::fs::File::open(path).inputs(|| format!("cannot open {}", path.display()))?;
        let mut hasher = Hasher::new();
        let mut buffer = vec![0u8; 1 << 16];
        loop {
            let n = file.read(&mut buffer).inputs(|| format!("cannot read {}", path.display()))?;
            if n == 0 {
                return Ok(Self(hex(&hasher.finalize())));
            }
            hasher.update(&buffer[..n]);
        }
    }

    /// Errs (exit code 4) unless `found` is this hash, naming both.
    pub fn expect(&self, found: &Sha256, what: impl fmt::Display) -> Result<()> {
        if self == found {
            return Ok(());
        }
        Err(Error::inputs(format!("{what}: expected sha256 {self}, found {found} (the file is not the pinned one)")))
    }

    /// The first 12 digits, enough to name a folder.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

/// What fixes a file byte for byte: its SHA-256, or the id git gives its content where nobody published a SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pin {
    /// SHA-256 of the bytes.
    Sha256(Sha256),
    /// Git's id of the bytes: sha1 of `blob LEN\0` and the bytes.
    GitBlob(Revision),
}

impl Pin {
    /// The hexadecimal text.
    pub fn as_str(&self) -> &str {
        match self {
            Pin::Sha256(hash) => hash.as_str(),
            Pin::GitBlob(id) => id.as_str(),
        }
    }

    /// The pin of the same kind that a file has, read as a stream; `read` is told the bytes read so far.
    ///
    /// # Errors
    /// Exit code 4: the file cannot be read.
    pub fn of_file(&self, path: &Path, read: &mut dyn FnMut(u64)) -> Result<Pin> {
        let mut file = std::fs::File::open(path).inputs(|| format!("cannot open {}", path.display()))?;
        let len = file.metadata().inputs(|| format!("cannot read {}", path.display()))?.len();
        let mut hashing = Hashing::start(self, len);
        let mut buffer = vec![0u8; 1 << 16];
        let mut at = 0;
        loop {
            let n = file.read(&mut buffer).inputs(|| format!("cannot read {}", path.display()))?;
            if n == 0 {
                return Ok(hashing.finish());
            }
            hashing.update(&buffer[..n]);
            at += n as u64;
            read(at);
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pin::Sha256(hash) => write!(f, "sha256 {hash}"),
            Pin::GitBlob(id) => write!(f, "git blob {id}"),
        }
    }
}

/// A pin being computed from bytes as they come.
pub enum Hashing {
    /// Towards a SHA-256.
    Sha256(Hasher),
    /// Towards a git blob id.
    GitBlob(sha1::Sha1),
}

impl Hashing {
    /// Begins a pin of the kind of `like`; git's ids begin with the length, so `len` is the bytes that will come.
    pub fn start(like: &Pin, len: u64) -> Self {
        match like {
            Pin::Sha256(_) => Hashing::Sha256(Hasher::new()),
            Pin::GitBlob(_) => Hashing::GitBlob(sha1::Sha1::new_with_prefix(format!("blob {len}\0"))),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Hashing::Sha256(hasher) => hasher.update(bytes),
            Hashing::GitBlob(hasher) => hasher.update(bytes),
        }
    }

    /// The pin of all bytes taken.
    pub fn finish(self) -> Pin {
        match self {
            Hashing::Sha256(hasher) => Pin::Sha256(Sha256(hex(&hasher.finalize()))),
            Hashing::GitBlob(hasher) => Pin::GitBlob(Revision(hex(&hasher.finalize()))),
        }
    }
}

impl Revision {
    /// Git's id of a file's content: sha1 of `blob LEN\0` and the bytes.
    pub fn of_blob(bytes: &[u8]) -> Self {
        let mut hasher = sha1::Sha1::new();
        hasher.update(format!("blob {}\0", bytes.len()));
        hasher.update(bytes);
        Self(hex(&hasher.finalize()))
    }

    /// The first 7 digits, as git shows a commit.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_nothing_is_the_published_constant() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256::of(b"").as_str(), empty);
    }

    #[test]
    fn git_blob_ids_are_the_ones_git_prints() {
        // `git hash-object` of an empty file and of "hello\n".
        assert_eq!(Revision::of_blob(b"").as_str(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(Revision::of_blob(b"hello\n").as_str(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn pins_refuse_what_is_not_lower_case_hex_of_the_right_length() {
        for bad in ["", "abc", &"A".repeat(64), &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
            assert!(Sha256::parse(bad).unwrap_err().contains("64 lower-case"));
        }
        assert!(Revision::parse("main").unwrap_err().contains("found \"main\""));
        assert!(Commit::parse("main").is_err() && Commit::parse("e1068").is_err() && Commit::parse("E1068F8").is_err());
        assert_eq!(Commit::parse("e1068f8").unwrap().whole(), None);
        assert!(Commit::parse(&"a".repeat(40)).unwrap().whole().is_some());
    }
    #[test]
    fn a_files_pin_is_of_the_kind_that_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hello");
        std::fs::write(&path, "hello\n").unwrap();
        // `sha256sum` and `git hash-object` of this file.
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let blob = "ce013625030ba8dba906f756967f9e9ca394464a";
        let mut read = 0;
        let pin = Pin::Sha256(Sha256::of(b""));
        assert_eq!(pin.of_file(&path, &mut |n| read = n).unwrap().to_string(), format!("sha256 {sha256}"));
        assert_eq!(read, 6);
        let pin = Pin::GitBlob(Revision::parse(&"0".repeat(40)).unwrap());
        assert_eq!(pin.of_file(&path, &mut |_| ()).unwrap().to_string(), format!("git blob {blob}"));
        assert_eq!(pin.of_file(&dir.path().join("none"), &mut |_| ()).unwrap_err().exit_code(), 4);
    }
}
