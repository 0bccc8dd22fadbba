//! The whole of a commit of which only the beginning is known.

use super::Fetcher;
use super::address::HubRepo;
use super::client::Ask;
use super::refusal::Hub;
use super::retry::{Failure, patiently};
use crate::error::{Context, Error, Result};
use crate::pins::{Commit, Revision};
use std::io::Read;

/// Bytes of the hub's answer, at most.
const ANSWER: u64 = 64 << 20;

impl Fetcher {
    /// Asks the hub which commit begins so.
    ///
    /// # Errors
    /// Exit code 4: the hub knows none, or answers with another; refused; offline.
    pub fn commit(&self, repo: &HubRepo, commit: &Commit) -> Result<Revision> {
        if let Some(whole) = commit.whole() {
            return Ok(whole);
        }
        let what = format!("{repo} at {commit}");
        self.online(&what, "only the beginning of its commit is known")?;
        let endpoint = &self.settings.endpoint;
        let page = repo.at(commit.as_str()).url();
        let hub = Hub { endpoint, page: &page, revision: commit.as_str(), token: self.settings.token.is_some() };
        let url = format!("{endpoint}/api/{}/{}/revision/{commit}", repo.plural(), repo.id());
        let ask = Ask { url: &url, what: &what, hub: Some(hub), offset: 0, if_range: None };
        let text = patiently(&self.settings.retry, &what, || {
            let mut text = Vec::new();
            let read = self.client.get(&ask)?.body.into_reader().take(ANSWER).read_to_end(&mut text);
            read.map_err(|e| Failure::again(format!("the answer was cut off ({e})")))?;
            Ok(text)
        })?;
        #[derive(serde::Deserialize)]
        struct Answer {
            sha: Revision,
        }
        let answer: Answer = serde_json::from_slice(&text).inputs(|| format!("{what}: the hub names no commit"))?;
        if !answer.sha.as_str().starts_with(commit.as_str()) {
            let says = format!("expected a commit that begins with {commit}, the hub answers with {}", answer.sha);
            return Err(Error::inputs(format!("{what}: {says}")));
        }
        Ok(answer.sha)
    }
}
