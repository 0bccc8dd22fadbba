//! One request of the stand-in.

use super::{Asked, Fault, Page, State, TOKEN};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

struct Head {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn empty(status: u16, headers: Vec<(&'static str, String)>) -> Self {
        Self { status, headers, body: Vec::new() }
    }
}

fn head(stream: &TcpStream) -> Option<Head> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Some(Head { method, path, headers: headers.collect() })
}

/// Answers one request and closes the connection.
pub fn one(mut stream: TcpStream, host: &'static str, store: SocketAddr, state: &Mutex<State>, stop: &AtomicBool) {
    let Some(head) = head(&stream) else { return };
    // The query of a link of the store is a signature, and everything else's is part of the address.
    let path = if host == "store" { head.path.split('?').next().unwrap().to_owned() } else { head.path.clone() };
    let (fault, answer, at) = {
        let mut state = state.lock().unwrap();
        let fault = state.faults.get_mut(&path).and_then(|faults| faults.pop_front());
        let answer = match &fault {
            Some(Fault::Status(status, headers)) => Answer::empty(*status, headers.clone()),
            _ => answer(&head, &path, host, store, &state, fault.as_ref()),
        };
        let header = |name: &str| head.headers.get(name).cloned();
        let (authorization, range, if_range) = (header("authorization"), header("range"), header("if-range"));
        state.asked.push(Asked { host, path, authorization, range, if_range, status: answer.status, sent: 0 });
        (fault, answer, state.asked.len() - 1)
    };
    if matches!(fault, Some(Fault::Silent)) {
        while !stop.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        return;
    }
    let mut text = format!("HTTP/1.1 {} Said\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        text += &format!("{name}: {value}\r\n");
    }
    if !matches!(fault, Some(Fault::Unannounced(_))) {
        text += &format!("Content-Length: {}\r\n", answer.body.len());
    }
    text += "\r\n";
    let _ = stream.write_all(text.as_bytes());
    if head.method == "HEAD" {
        return;
    }
    let (mut body, mut pause) = (answer.body.as_slice(), None);
    match fault {
        Some(Fault::Cut(after) | Fault::Unannounced(after)) => body = &body[..after.min(body.len())],
        Some(Fault::Slow(piece, time)) => pause = Some((piece, time)),
        _ => {}
    }
    for piece in body.chunks(pause.map_or(1 << 16, |(piece, _)| piece)) {
        if stream.write_all(piece).is_err() {
            break;
        }
        // Who takes the log away meanwhile does not count these bytes.
        if let Some(asked) = state.lock().unwrap().asked.get_mut(at) {
            asked.sent += piece.len();
        }
        if let Some((_, time)) = pause {
            std::thread::sleep(time);
        }
    }
}

fn answer(head: &Head, path: &str, host: &str, store: SocketAddr, state: &State, fault: Option<&Fault>) -> Answer {
    let authorization = head.headers.get("authorization");
    let code = |status: u16, code: &str| Answer::empty(status, vec![("X-Error-Code", code.to_owned())]);
    let here = |page: &&Page| host == "hub" || page.repo.is_none();
    let Some(page) = state.pages.get(&percent_decoded(path)).filter(here) else {
        let known = state.repos.iter().find(|repo| path.contains(&format!("/{repo}/")));
        return match known {
            None if authorization.is_none() => code(401, "RepoNotFound"),
            None => code(404, "RepoNotFound"),
            Some(_) if path.contains(super::REVISION) => code(404, "EntryNotFound"),
            Some(_) => code(404, "RevisionNotFound"),
        };
    };
    if page.repo.as_ref().is_some_and(|repo| state.gated.contains(repo)) {
        match authorization.map(String::as_str) {
            None => return code(401, "GatedRepo"),
            Some(text) if text != format!("Bearer {TOKEN}") => return code(403, "GatedRepo"),
            _ => {}
        }
    }
    if let Some(stored) = &page.stored {
        let mut headers = page.headers.clone();
        headers.push(("Location", format!("http://{store}{stored}?Signature=of-this-link")));
        return Answer::empty(302, headers);
    }
    let mut body = page.body.clone();
    if matches!(fault, Some(Fault::Wrong)) {
        body.iter_mut().for_each(|byte| *byte ^= 1);
    }
    let mut headers = page.headers.clone();
    let etag = page.headers.iter().find(|(name, _)| *name == "ETag").map(|(_, value)| value);
    let same = head.headers.get("if-range").is_none_or(|asked| Some(asked) == etag);
    let range = head.headers.get("range").filter(|_| same && !matches!(fault, Some(Fault::NoRange)));
    let from = range.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let from = from.map(|from| from + usize::from(matches!(fault, Some(Fault::Shifted))));
    match from {
        Some(from) if from >= body.len() => Answer::empty(416, headers),
        Some(from) => {
            headers.push(("Content-Range", format!("bytes {from}-{}/{}", body.len() - 1, body.len())));
            Answer { status: 206, headers, body: body.split_off(from) }
        }
        None => Answer { status: 200, headers, body },
    }
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|h| u8::from_str_radix(h, 16).ok());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap()
}
