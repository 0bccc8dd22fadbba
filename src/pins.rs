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
    }
}
