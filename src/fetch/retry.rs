//! Patience: what is tried again, how often, and after how long. Every pause is said.

use super::settings::Retry;
use crate::error::{Error, Result};
use crate::progress::say;
use std::time::{Duration, SystemTime};
use ureq::http::HeaderMap;

/// Why a try failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another try may work.
    Again {
        /// What happened, for a person.
        why: String,
        /// The pause that the server asks for.
        pause: Option<Duration>,
        /// Something arrived before it failed: the count of tries begins anew.
        gained: bool,
    },
    /// The server has no bytes where the part that is there ends: it is of another file.
    Beyond,
    /// Another try would end the same way.
    Never(Error),
}

impl Failure {
    /// Another try may work, after a pause of our choice.
    pub fn again(why: impl Into<String>) -> Self {
        Failure::Again { why: why.into(), pause: None, gained: false }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Never(error)
    }
}

/// Tries until it works, or until patience is at its end (exit code 4).
pub(super) fn patiently<T>(retry: &Retry, what: &str, mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T> {
    let mut tries = 0;
    loop {
        let (why, asked, gained) = match attempt() {
            Ok(value) => return Ok(value),
            Err(Failure::Never(error)) => return Err(error),
            Err(Failure::Again { why, pause, gained }) => (why, pause, gained),
            Err(Failure::Beyond) => ("the server has no more bytes".to_owned(), None, false),
        };
        tries = if gained { 1 } else { tries + 1 };
        let way_out = "run the same command again later: it continues where it stopped";
        if tries >= retry.attempts {
            return Err(Error::inputs(format!("{what}: {why}, {tries} times in a row ({way_out})")));
        }
        if let Some(asked) = asked.filter(|asked| *asked > retry.longest) {
            let asked = asked.as_secs();
            return Err(Error::inputs(format!("{what}: {why}, and asks to wait {asked} s ({way_out})")));
        }
        let pause = asked.unwrap_or(retry.pause * (1 << (tries - 1).min(16))).min(retry.longest);
        let (next, all, pause_s) = (tries + 1, retry.attempts, pause.as_secs_f64());
        say(format_args!("{what}: {why}; trying again in {pause_s:.1} s ({next} of {all})"));
        std::thread::sleep(pause);
    }
}

/// The pause that a server asks for: `Retry-After` in seconds or as a date, or `t=` of the hub's `RateLimit`.
pub(super) fn asked_pause(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(text) = header("retry-after") {
        let text = text.trim();
        let until = || httpdate::parse_http_date(text).ok().map(|at| at.duration_since(now).unwrap_or_default());
        return text.parse().ok().map(Duration::from_secs).or_else(until);
    }
    let seconds = header("ratelimit")?.split(';').find_map(|part| part.trim().strip_prefix("t="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick() -> Retry {
        Retry { attempts: 3, pause: Duration::ZERO, ..Retry::default() }
    }

    #[test]
    fn patience_ends_after_tries_in_a_row_and_not_while_something_comes() {
        let mut calls = 0;
        let error = patiently::<()>(&quick(), "x", || {
            calls += 1;
            Err(Failure::again("cut"))
        });
        assert_eq!(calls, 3);
        let error = error.unwrap_err();
        assert!(error.exit_code() == 4 && error.to_string().contains("cut, 3 times in a row"), "{error}");

        let mut calls = 0;
        patiently(&quick(), "x", || {
            calls += 1;
            let gained = calls % 2 == 0;
            if calls == 20 { Ok(()) } else { Err(Failure::Again { why: "cut".into(), pause: None, gained }) }
        })
        .unwrap();

        let mut calls = 0;
        let error = patiently::<()>(&quick(), "x", || {
            calls += 1;
            Err(Failure::Never(Error::inputs("no such file")))
        });
        assert_eq!((calls, error.unwrap_err().to_string().as_str()), (1, "no such file"));
    }

    #[test]
    fn a_server_that_asks_for_too_long_is_not_waited_for() {
        let mut calls = 0;
        let error = patiently::<()>(&quick(), "x", || {
            calls += 1;
            Err(Failure::Again { why: "busy".into(), pause: Some(Duration::from_secs(3600)), gained: false })
        });
        assert_eq!(calls, 1);
        assert!(error.unwrap_err().to_string().contains("asks to wait 3600 s"));
    }

    #[test]
    fn pauses_are_read_from_every_spelling() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let pause = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            asked_pause(&headers, now).map(|d| d.as_secs())
        };
        assert_eq!(pause("retry-after", "7"), Some(7));
        assert_eq!(pause("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(pause("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "a date that has passed");
        assert_eq!(pause("ratelimit", "\"api\";r=0;t=55"), Some(55));
        assert_eq!(pause("retry-after", "soon"), None);
        assert_eq!(pause("date", "7"), None);
    }
}
