//! What a server's refusal means, in words that say what to do.

use super::client::{Ask, shown};
use crate::error::Error;

/// The hub's side of a request, for words about access.
#[derive(Debug, Clone)]
pub(super) struct Hub<'a> {
    /// The endpoint.
    pub endpoint: &'a str,
    /// The repository's page below it: `OWNER/NAME`, `datasets/OWNER/NAME`.
    pub page: &'a str,
    /// The revision that is asked for.
    pub revision: &'a str,
    /// Whether a token goes along.
    pub token: bool,
}

/// The error (exit code 4) of an answer that another try would not change. `code` is the hub's own `X-Error-Code`.
pub(super) fn refusal(ask: &Ask<'_>, status: u16, code: &str) -> Error {
    let what = ask.what;
    let Some(Hub { endpoint, page, revision, token }) = ask.hub.as_ref() else {
        let said = match status {
            401 | 403 => "refuses access (download it yourself and give its path instead)",
            404 | 410 => "has no such file (look at the address; download it yourself and give its path instead)",
            _ => "does not serve it",
        };
        return Error::inputs(format!("{what}: {} {said}: status {status}", shown(ask.url)));
    };
    let said = match (status, code) {
        (_, "GatedRepo") | (403, _) if !token => format!(
            "is gated: accept its terms at {endpoint}/{page}, make a token at {endpoint}/settings/tokens and set HF_TOKEN to it"
        ),
        (_, "GatedRepo") | (403, _) => format!(
            "is gated, and the token's account may not read it: accept its terms at {endpoint}/{page} with that account, and let the token read gated repositories ({endpoint}/settings/tokens)"
        ),
        // The hub answers so for repositories that do not exist, too: it does not say which of them are private.
        (401, _) if !token => format!(
            "needs a token, or does not exist: look at its name; where it is private, make a token at {endpoint}/settings/tokens and set HF_TOKEN to it"
        ),
        (401, _) => format!(
            "is refused with this token: it may have expired, or the repository does not exist (make a new one at {endpoint}/settings/tokens, or unset HF_TOKEN and remove the token file)"
        ),
        (404, "RepoNotFound") => "does not exist: look at its name".to_owned(),
        (404, "RevisionNotFound") => format!("has no revision {revision}"),
        (404, "EntryNotFound") => "is not in the repository at this revision".to_owned(),
        (404 | 410, _) => "is not there: look at the name and the revision".to_owned(),
        _ => format!("is not served: {endpoint} answers with status {status}"),
    };
    Error::inputs(format!("{what}: {said} (status {status})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(status: u16, code: &str, token: bool) -> String {
        let hub = Hub { endpoint: "https://hub", page: "datasets/a/b", revision: "abc", token };
        let ask = Ask { url: "https://hub/x", what: "hf://datasets/a/b", hub: Some(hub), offset: 0, if_range: None };
        let error = refusal(&ask, status, code);
        assert_eq!(error.exit_code(), 4);
        error.to_string()
    }

    #[test]
    fn gated_missing_and_refused_are_told_apart() {
        for (status, code, token, says) in [
            (401, "GatedRepo", false, "accept its terms at https://hub/datasets/a/b, make a token"),
            (403, "GatedRepo", true, "the token's account may not read it"),
            (401, "RepoNotFound", false, "needs a token, or does not exist"),
            (401, "", true, "refused with this token"),
            (404, "RepoNotFound", true, "does not exist: look at its name"),
            (404, "RevisionNotFound", true, "has no revision abc"),
            (404, "EntryNotFound", false, "is not in the repository"),
            (418, "", false, "status 418"),
        ] {
            let text = words(status, code, token);
            assert!(text.starts_with("hf://datasets/a/b: ") && text.contains(says), "{text}");
        }
    }

    #[test]
    fn what_a_link_carries_behind_its_question_mark_is_not_shown() {
        let url = "https://cdn/file?Signature=secret";
        let error = refusal(&Ask { url, what: "f", hub: None, offset: 0, if_range: None }, 404, "");
        assert!(error.to_string().contains("https://cdn/file has no such file"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
