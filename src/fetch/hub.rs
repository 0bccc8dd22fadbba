//! Files of a repository on the hub, in the user's Hugging Face cache. The layout is `huggingface_hub`'s, so that each reads what the other
//! fetched: `blobs/HASH`, and `snapshots/REVISION/FILE` as links to them.

use super::address::HubRepo;
use super::client::Ask;
use super::disk;
use super::listing::{Entry, Listing};
use super::refusal::Hub;
use super::transfer::{Job, Meter, beside, length};
use super::{Fetcher, Known, Verified};
use crate::error::{Context, Error, Result};
use crate::pins::{Pin, Revision};
use crate::progress::{Progress, say};
use globset::{Glob, GlobSet, GlobSetBuilder};
use hf_hub::{Cache, CacheRepo};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Characters of a file's name that stand for themselves in an address.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Files of a repository, all of them verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The folder they are in, under their names. Files that nobody asked for may be there, too.
    pub dir: PathBuf,
    /// What was asked for.
    pub files: Vec<Verified>,
    /// Patterns that no file of the repository matches.
    pub unmatched: Vec<String>,
}

/// Where a repository's files are in the cache.
struct Place {
    repo: CacheRepo,
    dir: PathBuf,
    locks: PathBuf,
}

/// How a file in the cache is.
enum State {
    /// What it should be, and under its name.
    Whole,
    /// What it should be, but its name is missing.
    Unnamed,
    /// Not there.
    Absent,
    /// Something else.
    Damaged(PathBuf, u64, Pin),
}

impl Place {
    fn file(&self, entry: &Entry) -> PathBuf {
        self.dir.join(&entry.name)
    }

    fn blob(&self, entry: &Entry) -> PathBuf {
        self.repo.blob_path(entry.pin.as_str())
    }

    /// How many bytes of a file are there, by length alone.
    fn there(&self, entry: &Entry) -> (bool, u64) {
        let whole = |path: &Path| path.metadata().is_ok_and(|m| m.is_file() && m.len() == entry.bytes);
        if whole(&self.file(entry)) || whole(&self.blob(entry)) {
            return (true, entry.bytes);
        }
        (false, length(&beside(&self.blob(entry), ".incomplete")).min(entry.bytes))
    }

    /// Looks at a file, and hashes it.
    fn state(&self, entry: &Entry, read: &mut dyn FnMut(u64)) -> Result<State> {
        for (path, named) in [(self.file(entry), true), (self.blob(entry), false)] {
            // `exists` follows links: one that leads nowhere is no file.
            if !path.exists() {
                continue;
            }
            let found = entry.pin.of_file(&path, read)?;
            return Ok(match (found == entry.pin, named) {
                (true, true) => State::Whole,
                (true, false) => State::Unnamed,
                (false, _) => State::Damaged(path.clone(), length(&path), found),
            });
        }
        Ok(State::Absent)
    }

    /// Gives a blob its name in the snapshot.
    fn name(&self, entry: &Entry) -> Result<()> {
        let file = self.file(entry);
        disk::make_parent(&file)?;
        // From `snapshots/REVISION`, and from each folder below it.
        let up = "../".repeat(2 + entry.name.matches('/').count());
        let target = format!("{up}blobs/{}", entry.pin.as_str());
        // A link that leads nowhere is in the way; another process may make the same link at the same time.
        if !file.exists() {
            disk::remove(&file)?;
        }
        match symlink(target, &file) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(disk::failed("make the link", &file, &e)),
            _ => Ok(()),
        }
    }
}

impl Fetcher {
    /// Gets the files of a repository that match a pattern (`*.safetensors`, `config.json`; `*` also stands for `/`; no pattern is every file),
    /// and verifies them all, also those that were there.
    ///
    /// # Errors
    /// Exit code 4: refused, missing, cut off too often, no room, no file matches, offline and not everything there, or a file of the cache is
    /// damaged and [`refetch`](super::Settings::refetch) is not set; 2: a pattern that is none; 1: the machine failed under it.
    pub fn hub(&self, repo: &HubRepo, revision: &Revision, wanted: &[&str]) -> Result<Snapshot> {
        let listing = self.listing(repo, revision)?;
        self.bring(repo, &listing, wanted, true)
    }

    /// Gets one file of a repository, by its name, and says where it is.
    ///
    /// # Errors
    /// As [`Fetcher::hub`].
    pub fn hub_file(&self, repo: &HubRepo, revision: &Revision, name: &str) -> Result<PathBuf> {
        Ok(self.hub(repo, revision, &[&globset::escape(name)])?.dir.join(name))
    }

    /// The same as [`Fetcher::hub`] without a request: every file that is wanted must be there, and what it should be.
    ///
    /// # Errors
    /// As [`Fetcher::hub`] offline.
    pub fn verify_hub(&self, repo: &HubRepo, revision: &Revision, wanted: &[&str]) -> Result<Snapshot> {
        let listing = self.kept_listing(repo, revision)?;
        let never =
            || Error::inputs(format!("{repo} at {revision}: was never fetched with this cache (fetch it first)"));
        self.bring(repo, &listing.ok_or_else(never)?, wanted, false)
    }

    /// What is there and what is missing, by length alone and without a request. `None`: the list of files was never asked for.
    ///
    /// # Errors
    /// As [`Fetcher::hub`], as far as no network is needed.
    pub fn known_hub(&self, repo: &HubRepo, revision: &Revision, wanted: &[&str]) -> Result<Option<Known>> {
        let Some(listing) = self.kept_listing(repo, revision)? else { return Ok(None) };
        let (place, chosen) = (self.place(repo, revision), choose(&listing, wanted)?.0);
        let mut known = Known { path: place.dir.clone(), ..Known::default() };
        for entry in chosen {
            let (whole, bytes) = place.there(entry);
            known.missing_files += usize::from(!whole);
            known.missing_bytes += entry.bytes - bytes;
            known.bytes += entry.bytes;
        }
        Ok(Some(known))
    }

    /// The files of a repository that match a pattern, as the hub lists them: nothing is fetched but the list.
    ///
    /// # Errors
    /// As [`Fetcher::hub`], as far as the list goes.
    pub fn listed(&self, repo: &HubRepo, revision: &Revision, wanted: &[&str]) -> Result<Vec<Verified>> {
        let listing = self.listing(repo, revision)?;
        let files = choose(&listing, wanted)?.0.into_iter();
        Ok(files.map(|e| Verified { name: e.name.clone(), bytes: e.bytes, pin: e.pin.clone() }).collect())
    }

    /// What the hub's list of files, where it was asked for, says of a file.
    ///
    /// # Errors
    /// Exit code 4: the list is damaged, or has no such file.
    pub fn kept_pin(&self, repo: &HubRepo, revision: &Revision, name: &str) -> Result<Option<Pin>> {
        let Some(listing) = self.kept_listing(repo, revision)? else { return Ok(None) };
        let entry = listing.files.iter().find(|entry| entry.name == name);
        let none = || Error::inputs(format!("{repo} at {revision}: has no file {name}"));
        entry.map(|entry| Some(entry.pin.clone())).ok_or_else(none)
    }

    /// The folder of a repository's files at a revision, whether they are there or not.
    pub fn snapshot_place(&self, repo: &HubRepo, revision: &Revision) -> PathBuf {
        self.place(repo, revision).dir
    }

    fn place(&self, repo: &HubRepo, revision: &Revision) -> Place {
        let repo = repo.at(revision.as_str());
        let locks = self.settings.hub_cache.join(".locks").join(repo.folder_name());
        let repo = Cache::new(self.settings.hub_cache.clone()).repo(repo);
        Place { dir: repo.pointer_path(revision.as_str()), repo, locks }
    }

    fn bring(&self, repo: &HubRepo, listing: &Listing, wanted: &[&str], may_fetch: bool) -> Result<Snapshot> {
        let what = format!("{repo} at {}", listing.revision);
        let place = self.place(repo, &listing.revision);
        let (chosen, unmatched) = choose(listing, wanted)?;
        let (mut absent, mut damaged) = (Vec::new(), Vec::new());
        let present: u64 = chosen.iter().map(|e| place.there(e)).filter(|there| there.0).map(|there| there.1).sum();
        let mut progress = Progress::bytes(&format!("verify {}", repo.id()), 0, present);
        let mut done = 0;
        for entry in &chosen {
            let state = place.state(entry, &mut |read| progress.at(done + read, ""))?;
            match state {
                State::Whole => done += entry.bytes,
                State::Unnamed => {
                    place.name(entry)?;
                    done += entry.bytes;
                }
                State::Absent => absent.push(*entry),
                State::Damaged(path, bytes, found) => damaged.push((*entry, path, bytes, found)),
            }
        }
        progress.clear();
        let mend = may_fetch && self.settings.refetch && !self.settings.offline;
        if !mend && !damaged.is_empty() {
            let lines = damaged.iter().map(|(entry, path, bytes, found)| {
                let expected = format!("expected {} of {} bytes", entry.pin, entry.bytes);
                let way_out = "the file was changed or cut: remove it and fetch again";
                format!("{what}: {}: {expected}, found {found} of {bytes} bytes ({way_out})", path.display())
            });
            return Err(Error::inputs(lines.collect::<Vec<_>>().join("\n")));
        }
        for (entry, path, _, found) in &damaged {
            let path = path.display();
            say(format_args!("{what}: {path}: expected {}, found {found}: fetching it again", entry.pin));
            disk::remove(&place.file(entry))?;
            disk::remove(&place.blob(entry))?;
            absent.push(entry);
        }
        if !absent.is_empty() {
            let missing: u64 = absent.iter().map(|e| e.bytes).sum();
            let names: Vec<&str> = absent.iter().map(|e| e.name.as_str()).collect();
            let lacks = format!("{} of its files are missing, {missing} bytes: {}", absent.len(), names.join(", "));
            if !may_fetch {
                return Err(Error::inputs(format!("{what}: {lacks} (fetch them first)")));
            }
            self.online(&what, &lacks)?;
            self.get_all(repo, listing, &place, &absent)?;
        }
        let verified = |e: &&Entry| Verified { name: e.name.clone(), bytes: e.bytes, pin: e.pin.clone() };
        Ok(Snapshot { dir: place.dir, files: chosen.iter().map(verified).collect(), unmatched })
    }

    fn get_all(&self, repo: &HubRepo, listing: &Listing, place: &Place, absent: &[&Entry]) -> Result<()> {
        let total: u64 = absent.iter().map(|e| e.bytes).sum();
        let there: u64 = absent.iter().map(|e| place.there(e).1).sum();
        let settings = &self.settings;
        let what = format!("{repo} at {}", listing.revision);
        disk::room(&settings.hub_cache, total - there, settings.free_space, &what, "HF_HUB_CACHE")?;
        let mut meter = Meter::new(&repo.id(), there, Some(total));
        let mut before = 0;
        for entry in absent {
            meter.behind(before);
            self.get_one(repo, listing, place, entry, &mut meter)?;
            before += entry.bytes;
        }
        meter.finish();
        Ok(())
    }

    fn get_one(&self, repo: &HubRepo, list: &Listing, place: &Place, entry: &Entry, meter: &mut Meter) -> Result<()> {
        let endpoint = &self.settings.endpoint;
        let at = repo.at(list.revision.as_str());
        let (page, revision) = (at.url(), at.url_revision());
        let url = format!("{endpoint}/{page}/resolve/{revision}/{}", utf8_percent_encode(&entry.name, NAME));
        let what = format!("{repo}/{}", entry.name);
        let hub = Hub { endpoint, page: &page, revision: &revision, token: self.settings.token.is_some() };
        let open = |offset: u64, if_range: Option<&str>| {
            self.client.get(&Ask { url: &url, what: &what, hub: Some(hub.clone()), offset, if_range })
        };
        let job = Job {
            what: &what,
            target: place.blob(entry),
            lock: place.locks.join(format!("{}.lock", entry.pin.as_str())),
            pin: Some(&entry.pin),
            bytes: Some(entry.bytes),
            variable: "HF_HUB_CACHE",
            open: &open,
        };
        job.run(&self.settings, meter)?;
        place.name(entry)
    }
}

/// The files that match a pattern, and the patterns that match none.
fn choose<'a>(listing: &'a Listing, wanted: &[&str]) -> Result<(Vec<&'a Entry>, Vec<String>)> {
    let wanted = if wanted.is_empty() { &["*"] } else { wanted };
    let (set, mut hits) = (globs(wanted)?, vec![false; wanted.len()]);
    let chosen = |entry: &&Entry| {
        let matches = set.matches(&entry.name);
        matches.iter().for_each(|i| hits[*i] = true);
        !matches.is_empty()
    };
    let files: Vec<&Entry> = listing.files.iter().filter(chosen).collect();
    if files.is_empty() {
        let (repo, revision) = (&listing.repo, &listing.revision);
        let all = listing.files.len();
        return Err(Error::inputs(format!(
            "{repo} at {revision}: none of its {all} files matches {}",
            wanted.join(", ")
        )));
    }
    let unmatched = wanted.iter().zip(&hits).filter(|(_, hit)| !**hit).map(|(pattern, _)| pattern.to_string());
    Ok((files, unmatched.collect()))
}

fn globs(patterns: &[&str]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).request(|| format!("the pattern {pattern:?}"))?);
    }
    set.build().request(|| "the patterns".to_owned())
}
