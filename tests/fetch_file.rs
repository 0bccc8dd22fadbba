//! Single files: https addresses, Google Drive, and files of this machine.

mod hub;

use aqa_bench::fetch::{Fetcher, Settings};
use aqa_bench::pins::Pin;
use hub::{Fault, Stand, git_blob, noise, sha256};
use std::fs;
use std::path::{Path, PathBuf};

const LEN: usize = 200_000;

fn kept(dir: &Path, pin: &Pin) -> PathBuf {
    dir.join(".cache/aqa-bench/files").join(pin.as_str())
}

#[track_caller]
fn fails(result: aqa_bench::Result<PathBuf>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    error.to_string()
}

#[test]
fn a_file_is_kept_under_its_hash_whichever_kind_of_hash_it_is() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let bytes = noise(LEN);
    let url = stand.page("/a/questions.json", &bytes, &[("ETag", "\"one\"")]);
    for pin in [sha256(&bytes), git_blob(&bytes)] {
        let fetcher = stand.fetcher(dir.path());
        assert_eq!(fetcher.known_file(&pin).missing_files, 1);
        assert!(fails(fetcher.verify_file(&pin)).contains("not in the cache"));
        let path = fetcher.url(&url, &pin).unwrap();
        assert_eq!(path, kept(dir.path(), &pin));
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(stand.asked().len(), 1);
        assert_eq!(fetcher.url(&url, &pin).unwrap(), path);
        assert_eq!(
            stand.offline(dir.path()).url("https://gone.invalid/x", &pin).unwrap(),
            path,
            "its hash is its name"
        );
        assert_eq!(fetcher.verify_file(&pin).unwrap(), path);
        assert_eq!((fetcher.known_file(&pin).missing_files, fetcher.known_file(&pin).bytes), (0, LEN as u64));
        assert!(stand.asked().is_empty(), "everything was there");
    }
}

#[test]
fn a_file_goes_on_where_an_earlier_process_was_cut() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let (bytes, pin) = (noise(LEN), sha256(&noise(LEN)));
    let url = stand.page("/f", &bytes, &[("ETag", "\"one\"")]);
    let mut once = stand.settings(dir.path());
    once.retry.attempts = 1;
    stand.faults("/f", [Fault::Cut(70_000)]);
    fails(Fetcher::new(once.clone()).url(&url, &pin));
    let error = fails(stand.offline(dir.path()).url(&url, &pin));
    assert!(error.contains("70000 bytes are there") && error.contains("HF_HUB_OFFLINE"), "{error}");
    stand.fetcher(dir.path()).url(&url, &pin).unwrap();
    let asked = stand.asked();
    assert_eq!(asked.iter().map(|a| a.sent).collect::<Vec<_>>(), [70_000, LEN - 70_000]);
    assert_eq!(asked[1].if_range.as_deref(), Some("\"one\""));

    // The file changed on the server meanwhile: its ETag says so, and all of it is sent.
    fs::remove_file(kept(dir.path(), &pin)).unwrap();
    stand.page("/f", &noise(LEN + 1), &[("ETag", "\"older\"")]);
    stand.faults("/f", [Fault::Cut(70_000)]);
    fails(Fetcher::new(once).url(&url, &pin));
    stand.page("/f", &bytes, &[("ETag", "\"one\"")]);
    stand.asked();
    stand.fetcher(dir.path()).url(&url, &pin).unwrap();
    assert_eq!(stand.asked().iter().map(|a| a.sent).collect::<Vec<_>>(), [LEN]);

    // A process may end between the last byte and the rename: nothing is missing then.
    let part = kept(dir.path(), &pin).with_extension("incomplete");
    fs::rename(kept(dir.path(), &pin), part).unwrap();
    stand.fetcher(dir.path()).url(&url, &pin).unwrap();
    assert!(stand.asked().is_empty());
}

#[test]
fn other_bytes_are_named_and_not_kept() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let (url, pin) = (stand.page("/f?key=secret", b"version 2", &[]), git_blob(b"version 1"));
    let error = fails(stand.fetcher(dir.path()).url(&url, &pin));
    assert!(error.contains(&format!("expected {pin}, found {}", git_blob(b"version 2"))), "{error}");
    assert!(!error.contains("secret"), "what stands behind the question mark can be a key: {error}");
    assert_eq!(fs::read_dir(dir.path().join(".cache/aqa-bench/files")).unwrap().count(), 0);
    let error = fails(stand.fetcher(dir.path()).url(&format!("{}/none", stand.endpoint()), &pin));
    assert!(error.contains("401"), "{error}");
}

#[test]
fn redirects_are_followed_to_an_end() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let (url, pin) = (stand.page("/f", b"moved", &[]), sha256(b"moved"));
    let moved = |to: &str| Fault::Status(302, vec![("Location", to.to_owned())]);
    stand.faults("/old", [moved("/older"), moved("/older")]);
    stand.faults("/older", [moved(&url), moved("/old")]);
    let old = format!("{}/old", stand.endpoint());
    stand.fetcher(dir.path()).url(&old, &pin).unwrap();
    let paths: Vec<String> = stand.asked().into_iter().map(|a| a.path).collect();
    assert_eq!(paths, ["/old", "/older", "/f"]);
    stand.faults("/old", vec![moved("/old"); 50]);
    let error = fails(stand.fetcher(dir.path()).url(&old, &sha256(b"")));
    assert!(error.contains("more than 10 redirects") && stand.asked().len() == 11, "{error}");
}

#[test]
fn damage_is_found_and_mended_only_on_request() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let (url, pin) = (stand.page("/f", b"the bytes", &[]), sha256(b"the bytes"));
    let path = stand.fetcher(dir.path()).url(&url, &pin).unwrap();
    fs::write(&path, b"the byt").unwrap();
    stand.asked();
    let found = format!("expected {pin}, found {} of 7 bytes", sha256(b"the byt"));
    assert!(fails(stand.fetcher(dir.path()).url(&url, &pin)).contains(&found));
    assert!(fails(stand.fetcher(dir.path()).verify_file(&pin)).contains(&found));
    assert!(stand.asked().is_empty());
    let mending = Fetcher::new(Settings { refetch: true, ..stand.settings(dir.path()) });
    assert_eq!(fs::read(mending.url(&url, &pin).unwrap()).unwrap(), b"the bytes");
}

#[test]
fn space_and_addresses_are_looked_at_first() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let (url, pin) = (stand.page("/f", &noise(LEN), &[]), sha256(&noise(LEN)));
    let full = Fetcher::new(Settings { free_space: |_| Ok(1000), ..stand.settings(dir.path()) });
    let error = fails(full.url(&url, &pin));
    assert!(error.contains("needs 200000 bytes") && error.contains("set AQA_CACHE"), "{error}");
    for bad in ["http://example.org/f", "ftp://example.org/f", "file:///etc/passwd", "/etc/passwd"] {
        let error = stand.fetcher(dir.path()).url(bad, &pin).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("begins with https://"), "{error}");
    }
}

#[test]
fn two_at_once_fetch_it_once() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let (url, pin) = (stand.page("/f", &noise(LEN), &[]), sha256(&noise(LEN)));
    stand.faults("/f", [Fault::Slow(20_000, std::time::Duration::from_millis(20))]);
    std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| stand.fetcher(dir.path()).url(&url, &pin).unwrap()));
        both.map(|thread| thread.join().unwrap())
    });
    assert_eq!(fs::read(kept(dir.path(), &pin)).unwrap(), noise(LEN));
    assert_eq!(stand.asked().iter().map(|a| a.sent).sum::<usize>(), LEN);
}

#[test]
fn google_drive_serves_at_once_or_behind_its_form() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let (small, large) = (b"small".as_slice(), noise(LEN));
    let first = "/download?id=SMALL&export=download&confirm=t";
    stand.page(first, small, &[("Content-Type", "application/octet-stream")]);
    assert_eq!(fs::read(stand.fetcher(dir.path()).drive("SMALL", &sha256(small)).unwrap()).unwrap(), small);

    let form = r#"<html><title>Google Drive - Virus scan warning</title><form action="https://elsewhere.invalid/download">
        <input type="submit" value="Download anyway"/><input type="hidden" name="id" value="LARGE"><input type="hidden" name="confirm" value="t">
        <input type="hidden" name="uuid" value="a/b"></form></html>"#;
    let html = [("Content-Type", "text/html; charset=utf-8")];
    stand.page("/download?id=LARGE&export=download&confirm=t", form.as_bytes(), &html);
    stand.page("/download?id=LARGE&confirm=t&uuid=a/b", &large, &[("ETag", "\"x\"")]);
    stand.faults("/download?id=LARGE&confirm=t&uuid=a%2Fb", [Fault::Cut(50_000)]);
    stand.asked();
    stand.fetcher(dir.path()).drive("LARGE", &sha256(&large)).unwrap();
    let sent: Vec<usize> = stand.asked().iter().map(|a| a.sent).collect();
    assert_eq!(sent, [form.len(), 50_000, form.len(), LEN - 50_000], "the form is asked again, the file goes on");
}

#[test]
fn google_drives_pages_are_no_files() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let html = [("Content-Type", "text/html")];
    let page =
        "<title>Google Drive - Quota exceeded</title>Too many users have viewed or downloaded this file recently.";
    stand.page("/download?id=FULL&export=download&confirm=t", page.as_bytes(), &html);
    // Even a page whose hash is pinned is none: nobody means the page.
    let error = fails(stand.fetcher(dir.path()).drive("FULL", &sha256(page.as_bytes())));
    assert!(error.contains("drive://FULL") && error.contains("too many people"), "{error}");
    let error = stand.fetcher(dir.path()).drive("../x", &sha256(b"")).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
}

#[test]
fn files_of_this_machine_are_verified_where_they_are() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let path = dir.path().join("questions.json");
    fs::write(&path, b"[]").unwrap();
    let fetcher = stand.offline(dir.path());
    assert_eq!(fetcher.local(&path, &sha256(b"[]")).unwrap(), path);
    assert_eq!(fetcher.local(&path, &git_blob(b"[]")).unwrap(), path);
    let error = fails(fetcher.local(&path, &sha256(b"[1]")));
    assert!(error.contains(&format!("expected {}, found {}", sha256(b"[1]"), sha256(b"[]"))), "{error}");
    assert!(fails(fetcher.local(&dir.path().join("none"), &sha256(b""))).contains("no such file"));
}
