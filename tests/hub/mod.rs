//! A stand-in for the Hugging Face hub and its storage host, and for Google Drive: two small HTTP servers on this machine that log what they are
//! asked and what they send, and fail as they are told to.
#![allow(missing_docs, dead_code)] // each test binary uses its part

mod serve;

use aqa_bench::fetch::{Fetcher, HubRepo, RepoKind, Retry, Settings, Token};
use aqa_bench::pins::{Hashing, Pin, Revision, Sha256};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The token that may read gated repositories.
pub const TOKEN: &str = "hf_the_good_token";
/// The one revision of the stand-in's repositories.
pub const REVISION: &str = "0a095220c30b7b31434169c3086508ef3ea5bf0a";

/// What goes wrong with one request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Another status, with these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// A pause after each so many bytes.
    Slow(usize, Duration),
    /// Other bytes of the same length.
    Wrong,
    /// Everything, whatever range was asked for.
    NoRange,
    /// No length is announced, and the connection ends after so many bytes: only who knows the length sees it.
    Unannounced(usize),
    /// A range that begins a byte later than the one asked for.
    Shifted,
    /// No answer until the stand-in ends.
    Silent,
}

/// A request that was made.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `hub` or `store`.
    pub host: &'static str,
    pub path: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
    pub if_range: Option<String>,
    pub status: u16,
    /// Bytes of the body that were sent.
    pub sent: usize,
}

/// A body by its address.
#[derive(Debug, Clone)]
pub struct Page {
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
    /// Where the storage host has it.
    pub stored: Option<String>,
    /// The repository whose terms must be accepted first.
    pub repo: Option<String>,
}

#[derive(Default)]
pub struct State {
    pub pages: BTreeMap<String, Page>,
    pub repos: BTreeSet<String>,
    pub gated: BTreeSet<String>,
    pub faults: BTreeMap<String, VecDeque<Fault>>,
    pub asked: Vec<Asked>,
}

pub struct Stand {
    pub state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    addresses: [SocketAddr; 2],
    threads: Vec<JoinHandle<()>>,
}

impl Stand {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = [listeners[0].local_addr().unwrap(), listeners[1].local_addr().unwrap()];
        let mut threads = Vec::new();
        for (listener, host) in listeners.into_iter().zip(["hub", "store"]) {
            let (state, stop, store) = (state.clone(), stop.clone(), addresses[1]);
            threads.push(std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let (state, stop) = (state.clone(), stop.clone());
                    std::thread::spawn(move || serve::one(stream.unwrap(), host, store, &state, &stop));
                }
            }));
        }
        Self { state, stop, addresses, threads }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addresses[0])
    }

    /// Settings for this stand-in with caches below a folder; pauses are short.
    pub fn settings(&self, dir: &Path) -> Settings {
        let variables = |name: &str| (name == "HOME").then(|| dir.to_str().unwrap().to_owned());
        let mut settings = Settings::from_variables(&variables).unwrap();
        settings.endpoint = self.endpoint();
        settings.drive = self.endpoint();
        settings.retry = Retry { pause: Duration::from_millis(5), ..Retry::default() };
        settings
    }

    pub fn fetcher(&self, dir: &Path) -> Fetcher {
        Fetcher::new(self.settings(dir))
    }

    pub fn offline(&self, dir: &Path) -> Fetcher {
        Fetcher::new(Settings { offline: true, ..self.settings(dir) })
    }

    pub fn with_token(&self, dir: &Path, token: &str) -> Fetcher {
        Fetcher::new(Settings { token: Token::parse(token).unwrap(), ..self.settings(dir) })
    }

    /// A repository of small files and of large ones, which the storage host has.
    pub fn repo(&self, kind: RepoKind, id: &str, files: &[(&str, &[u8], bool)]) -> HubRepo {
        let (plural, page) = match kind {
            RepoKind::Model => ("models", id.to_owned()),
            RepoKind::Dataset => ("datasets", format!("datasets/{id}")),
        };
        let mut state = self.state.lock().unwrap();
        state.repos.insert(page.clone());
        let mut nodes = Vec::new();
        for (name, bytes, large) in files {
            let (oid, sha256) = (git_blob(bytes).as_str().to_owned(), Sha256::of(bytes).to_string());
            let mut node = serde_json::json!({"type": "file", "oid": oid, "size": bytes.len(), "path": name});
            let stored = large.then(|| format!("/store/{sha256}"));
            if *large {
                node["oid"] = "f".repeat(40).into();
                node["lfs"] = serde_json::json!({"oid": sha256, "size": bytes.len(), "pointerSize": 134});
            }
            if let Some(stored) = &stored {
                let headers = vec![("ETag", format!("\"of-the-store-{}\"", &sha256[..8]))];
                let stored_page = Page { body: bytes.to_vec(), headers, stored: None, repo: None };
                state.pages.insert(stored.clone(), stored_page);
            }
            nodes.push(node);
            let headers = match stored {
                Some(_) => vec![
                    ("X-Linked-Etag", format!("\"{sha256}\"")),
                    ("X-Linked-Size", bytes.len().to_string()),
                    ("X-Repo-Commit", REVISION.to_owned()),
                ],
                None => vec![("ETag", format!("\"{oid}\"")), ("X-Repo-Commit", REVISION.to_owned())],
            };
            let there = Page { body: bytes.to_vec(), headers, stored, repo: Some(page.clone()) };
            state.pages.insert(format!("/{page}/resolve/{REVISION}/{name}"), there);
        }
        nodes.push(serde_json::json!({"type": "directory", "oid": "e".repeat(40), "size": 0, "path": "folder"}));
        // Two pages, as the hub cuts long lists.
        let tree = format!("/api/{plural}/{id}/tree/{REVISION}");
        let halves = nodes.split_at(nodes.len() / 2);
        for (query, half) in [("recursive=true", halves.0), ("recursive=true&cursor=2", halves.1)] {
            let mut headers = vec![("Content-Type", "application/json".to_owned())];
            if query == "recursive=true" {
                headers.push(("Link", format!("<{}{tree}?recursive=true&cursor=2>; rel=\"next\"", self.endpoint())));
            }
            let body = serde_json::to_vec(half).unwrap();
            let listing = Page { body, headers, stored: None, repo: Some(page.clone()) };
            state.pages.insert(format!("{tree}?{query}"), listing);
        }
        let info = serde_json::json!({"id": id, "sha": REVISION, "siblings":
            files.iter().map(|f| serde_json::json!({"rfilename": f.0})).collect::<Vec<_>>()});
        let headers = vec![("Content-Type", "application/json".to_owned())];
        let body = serde_json::to_vec(&info).unwrap();
        let info = Page { body, headers, stored: None, repo: Some(page) };
        state.pages.insert(format!("/api/{plural}/{id}/revision/{REVISION}"), info);
        drop(state);
        let (owner, name) = id.split_once('/').unwrap();
        HubRepo::new(kind, owner, name).unwrap()
    }

    /// A file at an address of its own.
    pub fn page(&self, path: &str, body: &[u8], headers: &[(&'static str, &str)]) -> String {
        let headers = headers.iter().map(|(name, value)| (*name, value.to_string())).collect();
        let page = Page { body: body.to_vec(), headers, stored: None, repo: None };
        self.state.lock().unwrap().pages.insert(path.to_owned(), page);
        format!("{}{path}", self.endpoint())
    }

    pub fn gate(&self, page: &str) {
        self.state.lock().unwrap().gated.insert(page.to_owned());
    }

    /// The next requests of a path go wrong, one after the other.
    pub fn faults(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().faults.insert(path.to_owned(), faults.into_iter().collect());
    }

    /// What was asked since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// The log without taking it.
    pub fn log(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for address in self.addresses {
            let _ = TcpStream::connect(address);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

pub fn revision() -> Revision {
    Revision::parse(REVISION).unwrap()
}

pub fn sha256(bytes: &[u8]) -> Pin {
    Pin::Sha256(Sha256::of(bytes))
}

pub fn git_blob(bytes: &[u8]) -> Pin {
    let mut hashing = Hashing::start(&Pin::GitBlob(revision()), bytes.len() as u64);
    hashing.update(bytes);
    hashing.finish()
}

/// Bytes that do not repeat soon: a part at the wrong place is seen.
pub fn noise(len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u8).collect()
}
