//! What a repository holds at a revision: names, lengths and hashes, as the hub's tree API names them. Asked once and kept in this
//! program's cache, so that files can be verified without the network.

use super::Fetcher;
use super::address::{HubRepo, is_plain};
use super::client::{Ask, join};
use super::disk::Lock;
use super::refusal::Hub;
use super::retry::{Failure, patiently};
use crate::artifact::write;
use crate::error::{Context, Error, Result};
use crate::pins::{Pin, Revision, Sha256};
use hf_hub::Repo;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;

/// Pages of a listing, at most; the hub puts a thousand files on each.
const PAGES: usize = 1000;
/// Bytes of a page, at most.
const PAGE: u64 = 64 << 20;

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its name below the root of the repository, with `/` between folders.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// LFS files have a SHA-256, the others git's id.
    pub pin: Pin,
}

/// All files of a repository at a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listing {
    /// `hf://models/OWNER/NAME`.
    pub repo: String,
    /// The commit.
    pub revision: Revision,
    /// By name, in the hub's order.
    pub files: Vec<Entry>,
}

/// An entry as the hub spells it.
#[derive(Deserialize)]
struct Node {
    r#type: String,
    path: String,
    oid: String,
    #[serde(default)]
    size: u64,
    lfs: Option<Lfs>,
}

/// The large file that a pointer in git stands for.
#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

impl Fetcher {
    /// The listing that is kept, if it was ever asked for.
    pub(super) fn kept_listing(&self, repo: &HubRepo, revision: &Revision) -> Result<Option<Listing>> {
        let path = self.listing_path(repo, revision);
        let Ok(bytes) = std::fs::read(&path) else { return Ok(None) };
        let whole = serde_json::from_slice(&bytes).map_err(|e| e.to_string()).and_then(|listing: Listing| {
            let (found, expected) = (format!("{} {}", listing.repo, listing.revision), format!("{repo} {revision}"));
            if found == expected { Ok(listing) } else { Err(format!("expected that of {expected}, found {found}")) }
        });
        whole.map(Some).inputs(|| format!("the kept listing {} (remove it: it is asked for again)", path.display()))
    }

    /// The listing, kept or asked for.
    pub(super) fn listing(&self, repo: &HubRepo, revision: &Revision) -> Result<Listing> {
        if let Some(listing) = self.kept_listing(repo, revision)? {
            return Ok(listing);
        }
        let what = format!("{repo} at {revision}");
        self.online(&what, "its list of files was never asked for")?;
        let path = self.listing_path(repo, revision);
        let _lock = Lock::take(&self.own_lock(&format!("{}-{revision}", repo.at("").folder_name())), &what)?;
        if let Some(listing) = self.kept_listing(repo, revision)? {
            // Another process asked while we waited.
            return Ok(listing);
        }
        let at = repo.at(revision.as_str());
        let files = self.ask_listing(repo, &at, &what)?;
        let listing = Listing { repo: repo.to_string(), revision: revision.clone(), files };
        write::replace_json(&path, &listing)?;
        Ok(listing)
    }

    fn listing_path(&self, repo: &HubRepo, revision: &Revision) -> PathBuf {
        self.settings.own_cache.join("hub").join(repo.at("").folder_name()).join(format!("{revision}.json"))
    }

    fn ask_listing(&self, repo: &HubRepo, at: &Repo, what: &str) -> Result<Vec<Entry>> {
        let endpoint = &self.settings.endpoint;
        let (page, revision) = (at.url(), at.url_revision());
        let hub = Hub { endpoint, page: &page, revision: &revision, token: self.settings.token.is_some() };
        let mut url = format!("{endpoint}/api/{}/{}/tree/{revision}?recursive=true", repo.plural(), repo.id());
        let mut files = Vec::new();
        for _ in 0..PAGES {
            let ask = Ask { url: &url, what, hub: Some(hub.clone()), offset: 0, if_range: None };
            let (nodes, next) = patiently(&self.settings.retry, what, || {
                let reply = self.client.get(&ask)?;
                let next = reply.header("link").and_then(next_page);
                let next = next.and_then(|link| join(&reply.url.parse().ok()?, link)).map(|uri| uri.to_string());
                let mut text = Vec::new();
                let read = reply.body.into_reader().take(PAGE).read_to_end(&mut text);
                read.map_err(|e| Failure::again(format!("the list of files was cut off ({e})")))?;
                let nodes: Vec<Node> = serde_json::from_slice(&text)
                    .inputs(|| format!("{what}: the hub's list of files is not what it should be"))?;
                Ok((nodes, next))
            })?;
            files.extend(nodes);
            match next {
                Some(next) => url = next,
                None => return entries(files).map_err(|e| e.within(what)),
            }
        }
        Err(Error::inputs(format!("{what}: more than {PAGES} pages of files")))
    }
}

/// The address of the next page in a `Link` header.
fn next_page(link: &str) -> Option<&str> {
    let one = link.split(',').find(|one| one.split(';').any(|p| matches!(p.trim(), "rel=\"next\"" | "rel=next")))?;
    one.split(';').next()?.trim().strip_prefix('<')?.strip_suffix('>')
}

/// The files among the nodes; names become paths and hashes become names, so both are looked at.
fn entries(nodes: Vec<Node>) -> Result<Vec<Entry>> {
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for node in nodes {
        let Node { r#type, path, oid, size, lfs } = node;
        if r#type == "directory" {
            continue;
        }
        if r#type != "file" || !is_plain(&path) {
            return Err(Error::inputs(format!("expected files with plain names, found {type} {path:?} in its list")));
        }
        if !seen.insert(path.clone()) {
            return Err(Error::inputs(format!("expected each file once, found {path:?} twice in its list")));
        }
        let (bytes, pin) = match lfs {
            Some(lfs) => (lfs.size, Sha256::parse(&lfs.oid).map(Pin::Sha256)),
            None => (size, Revision::parse(&oid).map(Pin::GitBlob)),
        };
        out.push(Entry { pin: pin.inputs(|| format!("the hash of {path:?} in its list"))?, name: path, bytes });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        assert_eq!(next_page("<https://h/a?c=1>; rel=\"next\""), Some("https://h/a?c=1"));
        assert_eq!(next_page("<https://h/0>; rel=\"prev\", </b?c=2>; x=1; rel=\"next\""), Some("/b?c=2"));
        assert_eq!(next_page("<https://h/0>; rel=\"prev\""), None);
    }

    #[test]
    fn lfs_files_are_pinned_by_sha256_and_small_ones_by_git() {
        let (sha256, sha1) = ("a".repeat(64), "b".repeat(40));
        let nodes = serde_json::json!([
            {"type": "directory", "oid": sha1, "size": 0, "path": "d"},
            {"type": "file", "oid": sha1, "size": 12, "path": "config.json"},
            {"type": "file", "oid": sha1, "size": 900, "path": "d/w.bin", "lfs": {"oid": sha256, "size": 900, "pointerSize": 134}},
        ]);
        let found = entries(serde_json::from_value(nodes).unwrap()).unwrap();
        let pins: Vec<String> = found.iter().map(|e| format!("{} {} {}", e.name, e.bytes, e.pin)).collect();
        assert_eq!(pins, [format!("config.json 12 git blob {sha1}"), format!("d/w.bin 900 sha256 {sha256}")]);
    }

    #[test]
    fn names_and_hashes_that_would_lead_elsewhere_are_refused() {
        let node = |path: &str, oid: &str| serde_json::json!({"type": "file", "oid": oid, "size": 1, "path": path});
        let sha1 = "b".repeat(40);
        for bad in [
            vec![node("../x", &sha1)],
            vec![node("/etc/x", &sha1)],
            vec![node("a", "../../x")],
            vec![node("a", &sha1), node("a", &sha1)],
            vec![serde_json::json!({"type": "link", "oid": sha1, "size": 1, "path": "a"})],
        ] {
            let error = entries(serde_json::from_value(bad.clone().into()).unwrap()).expect_err(&format!("{bad:?}"));
            assert_eq!(error.exit_code(), 4, "{error}");
        }
    }
}
