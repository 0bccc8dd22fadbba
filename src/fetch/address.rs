//! Addresses of files: what a recipe writes, taken apart once.

use crate::error::{Error, Result};
use hf_hub::{Repo, RepoType};
use std::fmt;
use std::path::PathBuf;

/// What a repository of the hub holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepoKind {
    /// A model.
    Model,
    /// A data set.
    Dataset,
}

/// A repository of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubRepo {
    kind: RepoKind,
    owner: String,
    name: String,
}

impl HubRepo {
    /// A repository by its parts.
    ///
    /// # Errors
    /// Exit code 2: a name that the hub does not allow; names become folders and parts of addresses.
    pub fn new(kind: RepoKind, owner: &str, name: &str) -> Result<Self> {
        for part in [owner, name] {
            let allowed = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            if !allowed || part.is_empty() || part.starts_with(['.', '-']) || part.contains("..") || part.contains("--")
            {
                let rule = "letters, digits, '-', '_' and '.', no '--' or '..', not beginning with '-' or '.'";
                return Err(Error::request(format!("a name on the hub: expected {rule}, found {part:?}")));
            }
        }
        Ok(Self { kind, owner: owner.to_owned(), name: name.to_owned() })
    }

    /// `models` or `datasets`: the first part of its addresses in the API, and of its folder in the cache.
    pub(super) fn plural(&self) -> &'static str {
        match self.kind {
            RepoKind::Model => "models",
            RepoKind::Dataset => "datasets",
        }
    }

    /// `OWNER/NAME`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The repository at a revision, as hf-hub knows it: it spells folders and addresses.
    pub(super) fn at(&self, revision: &str) -> Repo {
        let kind = match self.kind {
            RepoKind::Model => RepoType::Model,
            RepoKind::Dataset => RepoType::Dataset,
        };
        Repo::with_revision(self.id(), kind, revision.to_owned())
    }
}

impl fmt::Display for HubRepo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf://{}/{}", self.plural(), self.id())
    }
}

/// Where an input is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `hf://models/OWNER/NAME[/FILE]` or `hf://datasets/…`; without a file, the whole repository.
    Hub(HubRepo, Option<String>),
    /// `https://…`.
    Url(String),
    /// `drive://ID`: a file on Google Drive.
    Drive(String),
    /// A path on this machine.
    Path(PathBuf),
}

impl Address {
    /// Takes an address apart.
    ///
    /// # Errors
    /// Exit code 2: another scheme, or a part that is missing or not allowed; the message says what was expected.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |expected: &str| Err(Error::request(format!("an address: expected {expected}, found {text:?}")));
        let Some((scheme, rest)) = text.split_once("://") else { return Ok(Address::Path(PathBuf::from(text))) };
        match scheme {
            "hf" => {
                let mut parts = rest.splitn(4, '/');
                let (kind, owner, name) = (parts.next(), parts.next(), parts.next());
                let kind = match kind {
                    Some("models") => RepoKind::Model,
                    Some("datasets") => RepoKind::Dataset,
                    _ => return wrong("hf://models/OWNER/NAME[/FILE] or hf://datasets/OWNER/NAME[/FILE]"),
                };
                let (Some(owner), Some(name)) = (owner, name) else {
                    return wrong("hf://models/OWNER/NAME[/FILE] or hf://datasets/OWNER/NAME[/FILE]");
                };
                let repo = HubRepo::new(kind, owner, name)?;
                match parts.next() {
                    Some(file) if !is_plain(file) => wrong("the name of a file in the repository"),
                    file => Ok(Address::Hub(repo, file.map(str::to_owned))),
                }
            }
            "drive" if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) => {
                Ok(Address::Drive(rest.to_owned()))
            }
            "drive" => wrong("drive://ID, with the letters and digits of a Google Drive file id"),
            "https" | "http" if !rest.is_empty() && is_safe(text) => Ok(Address::Url(text.to_owned())),
            _ => wrong("hf://…, https://…, drive://ID or a path"),
        }
    }
}

/// Whether nobody can change what an address serves on its way: encrypted, or from this machine.
pub(super) fn is_safe(url: &str) -> bool {
    let here = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
    url.starts_with("https://") || here.iter().any(|here| url.starts_with(here))
}

/// Whether a name from outside stays below the folder it is put into: `a/b.c`, no `..`, no absolute path, nothing empty.
pub(super) fn is_plain(name: &str) -> bool {
    !name.contains(['\\', '\0']) && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_printed_again() {
        let Address::Hub(repo, file) = Address::parse("hf://datasets/gamma-lab-umd/MMAU-test/a/b.json").unwrap() else {
            panic!("no hub address")
        };
        assert_eq!(
            (repo.to_string().as_str(), file.as_deref()),
            ("hf://datasets/gamma-lab-umd/MMAU-test", Some("a/b.json"))
        );
        assert_eq!(repo.at("r").folder_name(), "datasets--gamma-lab-umd--MMAU-test");
        assert!(matches!(Address::parse("hf://models/Qwen/Qwen2-Audio-7B").unwrap(), Address::Hub(_, None)));
        assert_eq!(Address::parse("drive://1fER-_x").unwrap(), Address::Drive("1fER-_x".into()));
        assert_eq!(Address::parse("a/b").unwrap(), Address::Path("a/b".into()));
        assert_eq!(Address::parse("https://x/y?z").unwrap(), Address::Url("https://x/y?z".into()));
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for bad in [
            "hf://models/a",
            "hf://spaces/a/b",
            "hf://models/../b",
            "hf://models/a/..",
            "hf://models/a/b--c",
            "hf://models/a/b/../../c",
            "hf://models/a/b//c",
            "hf://models/a/b?x=1",
            "drive://",
            "drive://a/b",
            "http://x/y",
            "ftp://x/y",
            "file:///etc/passwd",
            "https://",
        ] {
            let error = Address::parse(bad).expect_err(bad);
            assert_eq!(error.exit_code(), 2, "{bad}: {error}");
        }
        assert!(is_plain("a/b.c") && is_plain("..a") && !is_plain("/a") && !is_plain("a/../b") && !is_plain(""));
    }
}
