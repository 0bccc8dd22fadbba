//! Inputs that are fetched: what is there of them, where they are put, and how they are got.

use super::ToFetch;
use crate::error::{Error, Result};
use crate::fetch::{Address, Fetcher, HubRepo, Limits, unpack, verify_unpacked};
use crate::pins::{Commit, Pin, Revision, Sha256};
use crate::recipe::{Checkpoint, Files, Parquet, Source};
use std::path::{Path, PathBuf};

/// What is read of a model's repository: weights, configurations, tokenizer, templates.
const MODEL: [&str; 4] = ["*.safetensors", "*.json", "*.jinja", "*.txt"];

/// An input that comes from elsewhere.
pub(crate) enum Remote {
    /// Files of a repository of the hub: the commit, as far as it is pinned, and patterns; of one file also its own pin, where the recipe gives one beside
    /// the commit.
    Hub { repo: HubRepo, commit: Option<Commit>, wanted: Vec<String>, inside: Option<String>, pin: Option<Pin> },
    /// A file from another address.
    File { address: Address, pin: Option<Pin> },
    /// An archive, of which a folder is used.
    Archive { packed: Box<Remote>, folder: Option<String> },
}

/// What is there of an input, by length alone.
pub(super) enum There {
    /// All of it.
    All,
    /// Not all.
    Lacks(ToFetch),
}

fn address(source: &Source) -> Result<Option<Address>> {
    match source {
        Source::Path(_) => Ok(None),
        Source::Hub(text) | Source::Url(text) => Address::parse(text).map(Some),
    }
}

impl Remote {
    /// A model; `None` for a folder.
    pub fn model(checkpoint: &Checkpoint) -> Result<Option<Self>> {
        Ok(match address(&checkpoint.source)? {
            Some(Address::Hub(repo, None)) => {
                let wanted = MODEL.map(str::to_owned).to_vec();
                Some(Remote::Hub { repo, commit: checkpoint.revision.clone(), wanted, inside: None, pin: None })
            }
            Some(_) => return Err(Error::internal("a model comes from a folder or from a repository of the hub")),
            None => None,
        })
    }

    /// The questions of a data set; `None` for a path.
    pub fn questions(files: &Files) -> Result<Option<Self>> {
        Ok(address(&files.file)?.map(|at| Self::file(at, files.revision.as_ref(), files.pin())))
    }

    /// Questions and clips in one file; `None` for a path.
    pub fn parquet(parquet: &Parquet) -> Result<Option<Self>> {
        Ok(address(&parquet.file)?.map(|at| Self::file(at, parquet.revision.as_ref(), parquet.pin())))
    }

    /// The clips of a data set; `None` for a folder of this machine.
    pub fn clips(files: &Files) -> Result<Option<Self>> {
        let Some(at) = address(&files.audio)? else { return Ok(None) };
        if files.is_packed() {
            let packed = Self::file(at, files.revision.as_ref(), files.audio_sha256.clone().map(Pin::Sha256));
            return Ok(Some(Remote::Archive { packed: Box::new(packed), folder: files.audio_folder.clone() }));
        }
        match at {
            Address::Hub(repo, folder) => {
                let wanted = vec![folder.as_ref().map_or("*".to_owned(), |f| format!("{}/*", globset::escape(f)))];
                Ok(Some(Remote::Hub { repo, commit: files.revision.clone(), wanted, inside: folder, pin: None }))
            }
            _ => Err(Error::internal("clips from an address of their own are packed")),
        }
    }

    fn file(at: Address, commit: Option<&Commit>, pin: Option<Pin>) -> Self {
        match at {
            Address::Hub(repo, file) => {
                let wanted = vec![file.as_deref().map_or("*".to_owned(), globset::escape)];
                Remote::Hub { repo, commit: commit.cloned(), wanted, inside: file, pin }
            }
            address => Remote::File { address, pin },
        }
    }

    /// What a lock must fill in, filled in: the whole of a commit, the hash of a file that nobody pinned (which fetches it).
    ///
    /// # Errors
    /// Exit code 4: the hub knows no such commit; the file cannot be had.
    pub fn completed(self, fetcher: &Fetcher) -> Result<Self> {
        Ok(match self {
            Remote::Hub { repo, commit: Some(commit), wanted, inside, pin } => {
                let commit = Some(fetcher.commit(&repo, &commit)?.into());
                Remote::Hub { repo, commit, wanted, inside, pin }
            }
            Remote::File { address, pin: None } => {
                let pin = Some(Pin::Sha256(fetcher.learn(&address)?.0));
                Remote::File { address, pin }
            }
            Remote::Archive { packed, folder } => {
                Remote::Archive { packed: Box::new(packed.completed(fetcher)?), folder }
            }
            settled => settled,
        })
    }

    /// The commit that it is at, where it is on the hub and that is known.
    pub fn commit(&self) -> Option<Revision> {
        match self {
            Remote::Hub { commit, .. } => commit.as_ref().and_then(Commit::whole),
            Remote::File { .. } => None,
            Remote::Archive { packed, .. } => packed.commit(),
        }
    }

    /// The SHA-256 of the archive, where that is what pins it.
    pub fn archive(&self) -> Option<Sha256> {
        match self {
            Remote::Archive { packed, .. } => match packed.as_ref() {
                Remote::File { pin: Some(Pin::Sha256(hash)), .. } => Some(hash.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    /// The pin in words; empty where there is none yet.
    pub fn pin(&self) -> String {
        match self {
            Remote::Hub { commit, .. } => commit.as_ref().map(|c| format!("revision {c}")).unwrap_or_default(),
            Remote::File { pin, .. } => pin.as_ref().map(Pin::to_string).unwrap_or_default(),
            Remote::Archive { packed, .. } => packed.pin(),
        }
    }

    /// What a lock must still fill in, with the way out.
    pub fn unpinned(&self) -> Option<String> {
        let way_out = "`aqa-bench lock RECIPE` finds it and writes it down beside the recipe";
        match self {
            Remote::Hub { commit, .. } => match commit {
                Some(commit) if commit.whole().is_none() => {
                    Some(format!("{commit} is the beginning of a commit, which pins nothing ({way_out})"))
                }
                Some(_) => None,
                None => Some(format!("no revision pins it ({way_out})")),
            },
            Remote::File { pin: None, .. } => Some(format!("no hash pins it ({way_out})")),
            Remote::File { .. } => None,
            Remote::Archive { packed, .. } => packed.unpinned(),
        }
    }

    /// What is there, by length alone and without a request.
    pub(super) fn there(&self, fetcher: &Fetcher) -> Result<There> {
        let lacks = |bytes| Ok(There::Lacks(ToFetch::exactly(bytes)));
        match self {
            Remote::Hub { repo, wanted, .. } => match fetcher.known_hub(repo, &self.revision()?, &refs(wanted))? {
                Some(known) if known.missing_files == 0 => Ok(There::All),
                Some(known) => lacks(Some(known.missing_bytes)),
                None => lacks(None),
            },
            Remote::File { .. } => match fetcher.known_file(&self.file_pin()?).missing_files {
                0 => Ok(There::All),
                _ => lacks(None),
            },
            Remote::Archive { packed, .. } => match self.unpacked(fetcher)? {
                Some(place) if place.join("manifest.json").is_file() => Ok(There::All),
                _ => packed.there(fetcher),
            },
        }
    }

    /// Gets what is missing, and says where it is. What is there is verified.
    pub fn get(&self, fetcher: &Fetcher) -> Result<PathBuf> {
        if let Some(problem) = self.unpinned() {
            return Err(Error::inputs(problem));
        }
        match self {
            Remote::Hub { repo, wanted, .. } => {
                fetcher.hub(repo, &self.revision()?, &refs(wanted))?;
                self.hold(fetcher)?;
            }
            Remote::File { address: Address::Url(url), pin: Some(pin) } => _ = fetcher.url(url, pin)?,
            Remote::File { address: Address::Drive(id), pin: Some(pin) } => _ = fetcher.drive(id, pin)?,
            Remote::File { .. } => {
                return Err(Error::internal("a file of the hub or of this machine is no other file"));
            }
            Remote::Archive { packed, .. } => {
                let place = self.unpacked(fetcher)?;
                match place.filter(|place| place.join("manifest.json").is_file()) {
                    Some(place) => _ = verify_unpacked(&place)?,
                    None => {
                        let archive = packed.get(fetcher)?;
                        let place = self.unpacked(fetcher)?;
                        let place = place.ok_or_else(|| Error::internal("an archive that is there has a hash"))?;
                        unpack(&archive, &place, &[], Limits::default())?;
                    }
                }
            }
        }
        self.place(fetcher)
    }

    /// Hashes everything, without a request.
    pub fn verify(&self, fetcher: &Fetcher) -> Result<()> {
        match self {
            Remote::Hub { repo, wanted, .. } => {
                fetcher.verify_hub(repo, &self.revision()?, &refs(wanted))?;
                self.hold(fetcher)
            }
            Remote::File { .. } => fetcher.verify_file(&self.file_pin()?).map(|_| ()),
            Remote::Archive { packed, .. } => match self.unpacked(fetcher)? {
                Some(place) if place.join("manifest.json").is_file() => {
                    verify_unpacked(&place)?;
                    self.place(fetcher).map(|_| ())
                }
                _ => {
                    packed.verify(fetcher)?;
                    Err(Error::inputs("the archive is there, but not unpacked (fetch does it)"))
                }
            },
        }
    }

    /// Where it is, or will be: a file, or a folder.
    ///
    /// # Errors
    /// Exit code 4: not pinned yet, or an unpacked archive without the folder.
    pub fn place(&self, fetcher: &Fetcher) -> Result<PathBuf> {
        match self {
            Remote::Hub { repo, inside, .. } => {
                let dir = fetcher.snapshot_place(repo, &self.revision()?);
                Ok(inside.as_ref().map_or(dir.clone(), |name| dir.join(name)))
            }
            Remote::File { .. } => Ok(fetcher.file_place(&self.file_pin()?)),
            Remote::Archive { folder, .. } => {
                let place = self.unpacked(fetcher)?;
                let place = place.ok_or_else(|| Error::inputs("the archive is not here (fetch it first)"))?;
                let files = place.join("files");
                let Some(folder) = folder else { return Ok(files) };
                let inside = files.join(folder);
                if files.is_dir() && !inside.is_dir() {
                    let words = format!("the archive has no folder {folder:?}; it has {}", folders(&files));
                    return Err(Error::inputs(format!("{words} (correct audio_folder)")));
                }
                Ok(inside)
            }
        }
    }

    /// Where an archive's files are, or will be; `None` while its hash is not known.
    fn unpacked(&self, fetcher: &Fetcher) -> Result<Option<PathBuf>> {
        let Remote::Archive { packed, .. } = self else { return Ok(None) };
        let pin = match packed.as_ref() {
            Remote::Hub { repo, inside: Some(name), pin, .. } => {
                let kept = fetcher.kept_pin(repo, &packed.revision()?, name)?;
                // An unpacked archive is known by what the hub says of it: a pin beside that must say the same.
                if let (Some(found @ Pin::Sha256(_)), Some(expected)) = (&kept, pin)
                    && found != expected
                {
                    return Err(Error::inputs(format!(
                        "expected {expected}, the hub's file is {found} (correct the pin or the revision)"
                    )));
                }
                kept
            }
            other => Some(other.file_pin()?),
        };
        Ok(pin.map(|pin| fetcher.unpacked_place(&pin)))
    }

    /// Holds a file of the hub to its own pin, where it has one.
    fn hold(&self, fetcher: &Fetcher) -> Result<()> {
        match self {
            Remote::Hub { pin: Some(pin), .. } => fetcher.local(&self.place(fetcher)?, pin).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn revision(&self) -> Result<Revision> {
        self.commit().ok_or_else(|| Error::inputs(self.unpinned().unwrap_or_default()))
    }

    fn file_pin(&self) -> Result<Pin> {
        match self {
            Remote::File { pin: Some(pin), .. } => Ok(pin.clone()),
            _ => Err(Error::inputs(self.unpinned().unwrap_or_default())),
        }
    }
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// The names of the folders in a folder, for a message.
fn folders(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().filter(|e| e.path().is_dir());
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
