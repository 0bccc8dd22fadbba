//! Where files come from and go to. The variables are those of `huggingface_hub`, so that both programs share one cache.

use super::disk;
use crate::error::{Error, Result};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A token of the hub. It goes into a header of requests to the endpoint, and nowhere else: it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token; `None` for an empty one.
    ///
    /// # Errors
    /// Exit code 2: a character that no header may hold. The message does not show the token.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        let text = text.trim();
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            let found = "expected letters, digits and signs, found another character";
            return Err(Error::request(format!("the hub's token (HF_TOKEN, or the token file): {found}")));
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// How often a request is tried again, and after how long. A pause is twice the one before it, unless the server names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Tries in a row that bring nothing, at most.
    pub attempts: u32,
    /// The first pause.
    pub pause: Duration,
    /// The longest pause. A server that asks for a longer one is not waited for.
    pub longest: Duration,
    /// A connection on which nothing arrives for so long is cut.
    pub silence: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { attempts: 5, pause: seconds(1), longest: seconds(330), silence: seconds(60) }
    }
}

/// Where files come from and go to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The hub, without a slash at the end (`HF_ENDPOINT`).
    pub endpoint: String,
    /// Where Google Drive serves files, without a slash at the end.
    pub drive: String,
    /// The user's Hugging Face cache (`HF_HUB_CACHE`, or `hub` in `HF_HOME`).
    pub hub_cache: PathBuf,
    /// This program's cache (`AQA_CACHE`).
    pub own_cache: PathBuf,
    /// Sent to the endpoint only (`HF_TOKEN`, or the token file).
    pub token: Option<Token>,
    /// No request at all (`HF_HUB_OFFLINE`).
    pub offline: bool,
    /// Files of the caches that are not what they should be are fetched again, where they are an error otherwise.
    pub refetch: bool,
    /// How often, and after how long.
    pub retry: Retry,
    /// Bytes that a folder's file system has free; tests put another one here.
    pub free_space: fn(&Path) -> io::Result<u64>,
}

impl Settings {
    /// From the environment.
    ///
    /// # Errors
    /// Exit code 2: neither `HOME` nor the variables that replace it, an endpoint that is no address, or a token that is none.
    pub fn from_env() -> Result<Self> {
        Self::from_variables(&|name| std::env::var(name).ok())
    }

    /// From variables by name; empty ones count as not set.
    ///
    /// # Errors
    /// As [`Settings::from_env`].
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let first = |names: &[&str]| names.iter().find_map(|name| set(name));
        let home = set("HOME").map(PathBuf::from);
        let path = |text: String| match (text.strip_prefix("~/"), &home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(text),
        };
        let caches = || {
            let named = set("XDG_CACHE_HOME").map(path).or_else(|| home.as_ref().map(|home| home.join(".cache")));
            named.ok_or_else(|| Error::request("no folder for the caches: set HOME, or HF_HOME and AQA_CACHE"))
        };
        let hf_home = || match set("HF_HOME") {
            Some(text) => Ok(path(text)),
            None => Ok(caches()?.join("huggingface")),
        };
        let hub_cache = match first(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]) {
            Some(text) => path(text),
            None => hf_home()?.join("hub"),
        };
        let own_cache = match set("AQA_CACHE") {
            Some(text) => path(text),
            None => caches()?.join("aqa-bench"),
        };
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let endpoint = endpoint.trim().trim_end_matches('/').to_owned();
        // The endpoint stands in messages: a password in it would, too.
        if endpoint.contains('@') {
            return Err(Error::request("HF_ENDPOINT: expected https://HOST, found a name or password before the host"));
        }
        if !["https://", "http://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
            return Err(Error::request(format!("HF_ENDPOINT: expected https://HOST, found {endpoint:?}")));
        }
        let yes = |name: &str| {
            set(name).is_some_and(|v| ["1", "on", "yes", "true"].contains(&v.trim().to_lowercase().as_str()))
        };
        let token = match first(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]) {
            _ if yes("HF_HUB_DISABLE_IMPLICIT_TOKEN") => None,
            Some(text) => Token::parse(&text)?,
            None => {
                let file = set("HF_TOKEN_PATH").map(path).or_else(|| Some(hf_home().ok()?.join("token")));
                // No file is no token: most repositories need none.
                let text = file.and_then(|file| std::fs::read_to_string(file).ok());
                text.map_or(Ok(None), |text| Token::parse(&text))?
            }
        };
        Ok(Self {
            endpoint,
            drive: "https://drive.usercontent.google.com".to_owned(),
            hub_cache,
            own_cache,
            token,
            offline: yes("HF_HUB_OFFLINE") || yes("TRANSFORMERS_OFFLINE"),
            refetch: false,
            retry: Retry::default(),
            free_space: disk::free_space,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings> {
        let map: BTreeMap<String, String> = variables.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Settings::from_variables(&|name| map.get(name).cloned())
    }

    #[test]
    fn the_caches_are_where_huggingface_hub_has_them() {
        let hub = |variables: &[(&str, &str)]| settings(variables).unwrap().hub_cache.display().to_string();
        assert_eq!(hub(&[("HOME", "/h")]), "/h/.cache/huggingface/hub");
        assert_eq!(hub(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), "/x/huggingface/hub");
        assert_eq!(hub(&[("HOME", "/h"), ("HF_HOME", "~/hf"), ("XDG_CACHE_HOME", "/x")]), "/h/hf/hub");
        assert_eq!(hub(&[("HOME", "/h"), ("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/c")]), "/c");
        assert_eq!(hub(&[("HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/old")]), "/old");
        assert_eq!(hub(&[("HOME", "/h"), ("HF_HUB_CACHE", "")]), "/h/.cache/huggingface/hub", "empty is not set");
        assert_eq!(settings(&[("HOME", "/h")]).unwrap().own_cache, Path::new("/h/.cache/aqa-bench"));
        assert_eq!(settings(&[("HOME", "/h"), ("AQA_CACHE", "/a")]).unwrap().own_cache, Path::new("/a"));
        assert_eq!(settings(&[]).unwrap_err().exit_code(), 2);
        assert!(settings(&[("HF_HOME", "/hf"), ("AQA_CACHE", "/a")]).is_ok(), "HOME is not needed then");
    }

    #[test]
    fn offline_and_endpoint_are_read_as_huggingface_hub_reads_them() {
        for (value, offline) in [("1", true), ("ON", true), ("yes", true), ("True", true), ("0", false), ("no", false)]
        {
            assert_eq!(settings(&[("HOME", "/h"), ("HF_HUB_OFFLINE", value)]).unwrap().offline, offline, "{value}");
        }
        let with = |endpoint| settings(&[("HOME", "/h"), ("HF_ENDPOINT", endpoint)]);
        assert_eq!(with("https://mirror.example/hf/").unwrap().endpoint, "https://mirror.example/hf");
        let error = with("mirror.example").unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("found \"mirror.example\""), "{error}");
        let error = with("https://me:secret@mirror.example").unwrap_err();
        assert!(error.exit_code() == 2 && !error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_token_comes_from_the_variable_or_the_file_and_is_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap();
        std::fs::write(dir.path().join("token"), "hf_of_the_file\n").unwrap();
        let token = |variables: &[(&str, &str)]| settings(variables).unwrap().token.map(|t| t.header());
        assert_eq!(token(&[("HOME", "/h")]), None);
        let file = [("HOME", "/h"), ("HF_HOME", home)];
        assert_eq!(token(&file).unwrap(), "Bearer hf_of_the_file");
        let both = [file[0], file[1], ("HF_TOKEN", " hf_of_the_variable ")];
        assert_eq!(token(&both).unwrap(), "Bearer hf_of_the_variable");
        assert_eq!(token(&[both[0], both[1], both[2], ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
        let shown = format!("{:?}", settings(&both).unwrap());
        assert!(shown.contains("Token(hidden)") && !shown.contains("hf_of"), "{shown}");
        let error = settings(&[("HOME", "/h"), ("HF_TOKEN", "hf_secret\nX-Other: 1")]).unwrap_err();
        assert!(error.exit_code() == 2 && !error.to_string().contains("hf_secret"), "{error}");
    }
}
