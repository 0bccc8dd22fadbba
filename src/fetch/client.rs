//! Requests: redirects followed by hand, so that the token goes to the endpoint's host and to no other.

use super::refusal::{Hub, refusal};
use super::retry::{Failure, asked_pause};
use super::settings::{Settings, Token};
use crate::error::Error;
use std::time::SystemTime;
use ureq::http::uri::{Authority, Scheme};
use ureq::http::{HeaderMap, Response, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Redirects that are followed, at most.
const REDIRECTS: usize = 10;

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    /// The address.
    pub url: &'a str,
    /// What it is, for a person.
    pub what: &'a str,
    /// The hub's side, where the hub is asked.
    pub hub: Option<Hub<'a>>,
    /// The first byte wanted; 0 asks for the whole.
    pub offset: u64,
    /// The `ETag` of the bytes that are there already: others are sent from the start.
    pub if_range: Option<&'a str>,
}

/// An answer with status 200 or 206.
pub(super) struct Reply {
    /// 200 (everything) or 206 (from the offset on).
    pub partial: bool,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its bytes.
    pub body: Body,
    /// Where it came from in the end.
    pub url: String,
}

impl Reply {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The one HTTP client of a fetcher.
pub(super) struct Client {
    agent: Agent,
    endpoint: Option<Origin>,
    token: Option<Token>,
}

#[derive(Debug, PartialEq, Eq)]
struct Origin(String, String, u16);

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
        Some(Self(scheme, uri.host()?.to_ascii_lowercase(), port))
    }
}

impl Client {
    pub fn new(settings: &Settings) -> Self {
        let silence = Some(settings.retry.silence);
        let agent = Agent::config_builder()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("aqa-bench/", env!("CARGO_PKG_VERSION")))
            // Bytes are hashed as they are served: no encoding in between.
            .accept_encoding("identity")
            .timeout_connect(silence)
            .timeout_recv_response(silence)
            .timeout_per_read(silence)
            // The machine's own certificates, as a company's proxy needs.
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .build()
            .new_agent();
        let endpoint = settings.endpoint.parse().ok().as_ref().and_then(Origin::of);
        Self { agent, endpoint, token: settings.token.clone() }
    }

    /// Asks once.
    pub fn get(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let mut url = ask.url.to_owned();
        for _ in 0..=REDIRECTS {
            let uri: Uri = url.parse().map_err(|e| no_address(ask.what, &url, &e))?;
            let response = self.one(ask, &uri)?;
            let Some(location) = redirect(&response) else { return judge(ask, url, response) };
            let next = join(&uri, &location)
                .ok_or_else(|| no_address(ask.what, &location, &"a redirect that leads nowhere"))?;
            if !may_lead(&uri, &next) {
                let says = format!("{}: a redirect from https to {}", ask.what, shown(&next.to_string()));
                return Err(Error::inputs(format!("{says} (refused: it could be read and changed on its way)")).into());
            }
            url = next.to_string();
        }
        Err(Error::inputs(format!("{}: more than {REDIRECTS} redirects from {}", ask.what, shown(ask.url))).into())
    }

    fn one(&self, ask: &Ask<'_>, uri: &Uri) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(uri);
        if ask.offset > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", ask.offset));
            if let Some(etag) = ask.if_range {
                request = request.header(header::IF_RANGE, etag);
            }
        }
        if let Some(token) = self.token.as_ref().filter(|_| self.endpoint.is_some() && Origin::of(uri) == self.endpoint)
        {
            request = request.header(header::AUTHORIZATION, token.header());
        }
        request.call().map_err(|e| network(ask.what, uri, e))
    }
}

fn no_address(what: &str, url: &str, why: &dyn std::fmt::Display) -> Error {
    Error::inputs(format!("{what}: expected an address, found {} ({why})", shown(url)))
}

/// A failure below HTTP. Only what the network may do better next time is tried again.
fn network(what: &str, uri: &Uri, error: ureq::Error) -> Failure {
    use ureq::Error as E;
    let host = uri.host().unwrap_or("the server").to_owned();
    match error {
        E::Io(e) => Failure::again(format!("{host}: {e}")),
        E::Timeout(_) => Failure::again(format!("{host} does not answer")),
        E::HostNotFound => Failure::again(format!("no host {host} (is this machine online?)")),
        E::ConnectionFailed => Failure::again(format!("no connection to {host}")),
        E::Protocol(e) => Failure::again(format!("{host} was cut off ({e})")),
        e => Failure::Never(Error::inputs(format!("{what}: {host}: {e}"))),
    }
}

fn redirect(response: &Response<Body>) -> Option<String> {
    let leads_on = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(header::LOCATION).filter(|_| leads_on)?;
    location.to_str().ok().map(str::to_owned)
}

/// Success, something for later, or a refusal.
fn judge(ask: &Ask<'_>, url: String, response: Response<Body>) -> Result<Reply, Failure> {
    let status = response.status().as_u16();
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or("the server").to_owned();
    if matches!(status, 200 | 206) {
        let (parts, body) = response.into_parts();
        return Ok(Reply { partial: status == 206, headers: parts.headers, body, url });
    }
    let first: Option<Uri> = ask.url.parse().ok();
    let elsewhere = first.as_ref().and_then(Origin::of) != uri.as_ref().and_then(Origin::of);
    let pause = asked_pause(response.headers(), SystemTime::now());
    let again = |why: String| Err(Failure::Again { why, pause, gained: false });
    match status {
        429 => again(format!("{host} has had too many requests (429)")),
        408 | 425 | 500..=599 => again(format!("{host} answers with status {status}")),
        // The link of a storage host is good for some minutes; asking the hub again gives a new one.
        400 | 401 | 403 if elsewhere => again(format!("{host} takes the link no more (status {status})")),
        416 => Err(Failure::Beyond),
        _ => {
            let code = response.headers().get("x-error-code").and_then(|v| v.to_str().ok()).unwrap_or_default();
            Err(refusal(ask, status, code).into())
        }
    }
}

/// Whether a redirect may be followed: what began encrypted stays so.
fn may_lead(from: &Uri, to: &Uri) -> bool {
    from.scheme() != Some(&Scheme::HTTPS) || to.scheme() == Some(&Scheme::HTTPS)
}

/// An address as it may be shown: what stands behind `?` can be a signature, and what stands before `@` a password.
pub(super) fn shown(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = plain.split_once("://") else { return plain.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default())
}

/// Where a `Location` or `Link` leads from here.
pub(super) fn join(base: &Uri, location: &str) -> Option<Uri> {
    let (scheme, authority): (&Scheme, &Authority) = (base.scheme()?, base.authority()?);
    if location.contains("://") {
        return location.parse().ok();
    }
    if location.starts_with("//") {
        return format!("{scheme}:{location}").parse().ok();
    }
    let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    let slash = if location.starts_with('/') { String::new() } else { format!("{folder}/") };
    format!("{scheme}://{authority}{slash}{location}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_they_say() {
        let base: Uri = "https://hub:8443/a/b/c?x=1".parse().unwrap();
        let to = |location: &str| join(&base, location).unwrap().to_string();
        assert_eq!(to("https://cdn/f?sig=1"), "https://cdn/f?sig=1");
        assert_eq!(to("//cdn/f"), "https://cdn/f");
        assert_eq!(to("/api/x?y=%2F"), "https://hub:8443/api/x?y=%2F");
        assert_eq!(to("d"), "https://hub:8443/a/b/d");
        let may = |from: &str, to: &str| may_lead(&from.parse().unwrap(), &to.parse().unwrap());
        assert!(
            may("https://a/x", "https://b/y") && may("http://a/x", "https://b/y") && may("http://a/x", "http://b/y")
        );
        assert!(!may("https://a/x", "http://b/y") && !may("https://a/x", "ftp://b/y"));
    }

    #[test]
    fn a_host_is_another_with_another_port_or_scheme() {
        let origin = |url: &str| Origin::of(&url.parse().unwrap()).unwrap();
        assert_eq!(origin("https://Hub/x"), origin("https://hub:443/y?z"));
        for other in ["http://hub", "https://hub:444", "https://hub.evil", "https://evil/hub"] {
            assert_ne!(origin("https://hub/x"), origin(other), "{other}");
        }
    }

    #[test]
    fn shown_addresses_keep_secrets() {
        assert_eq!(shown("https://user:pw@host/a?sig=x#y"), "https://host/a");
        assert_eq!(shown("https://host/a@b"), "https://host/a@b");
    }
}
