//! Files of the hub: the real client against a stand-in for the hub and its storage host.

mod hub;

use aqa_bench::fetch::{Fetcher, HubRepo, RepoKind, Settings};
use hub::{Fault, REVISION, Stand, TOKEN, git_blob, noise, revision, sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ID: &str = "Qwen/Qwen2-Audio-7B";
const CONFIG: &[u8] = b"{\"model_type\": \"qwen2_audio\"}\n";
const WEIGHTS: usize = 300_000;

/// A model of one small file, one in a folder with a name that addresses must escape, and large weights.
fn model(stand: &Stand) -> HubRepo {
    let files: [(&str, &[u8], bool); 3] = [
        ("config.json", CONFIG, false),
        ("folder/a b+ü.txt", b"words\n", false),
        ("model.safetensors", &noise(WEIGHTS), true),
    ];
    stand.repo(RepoKind::Model, ID, &files)
}

fn blob_of_weights(dir: &Path) -> PathBuf {
    let cache = dir.join(".cache/huggingface/hub/models--Qwen--Qwen2-Audio-7B");
    cache.join("blobs").join(sha256(&noise(WEIGHTS)).as_str())
}

fn store_path() -> String {
    format!("/store/{}", sha256(&noise(WEIGHTS)).as_str())
}

fn bytes_of_weights(stand: &Stand) -> usize {
    stand.asked().iter().filter(|asked| asked.host == "store").map(|asked| asked.sent).sum()
}

#[track_caller]
fn fails(result: aqa_bench::Result<impl std::fmt::Debug>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    error.to_string()
}

#[test]
fn a_first_fetch_fills_the_cache_and_a_second_asks_for_nothing() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    assert_eq!(
        stand.fetcher(dir.path()).known_hub(&repo, &revision(), &[]).unwrap(),
        None,
        "nobody knows its files yet"
    );
    let snapshot = stand.fetcher(dir.path()).hub(&repo, &revision(), &[]).unwrap();
    let names: Vec<&str> = snapshot.files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["config.json", "folder/a b+ü.txt", "model.safetensors"]);
    assert_eq!(snapshot.files[0].pin, git_blob(CONFIG));
    assert_eq!(snapshot.files[2].pin, sha256(&noise(WEIGHTS)));
    assert_eq!(fs::read(snapshot.dir.join("config.json")).unwrap(), CONFIG);
    assert_eq!(fs::read(snapshot.dir.join("folder/a b+ü.txt")).unwrap(), b"words\n");
    assert_eq!(fs::read(snapshot.dir.join("model.safetensors")).unwrap(), noise(WEIGHTS));
    let link = fs::read_link(snapshot.dir.join("folder/a b+ü.txt")).unwrap();
    assert_eq!(link, Path::new("../../../blobs").join(git_blob(b"words\n").as_str()));
    let left: Vec<PathBuf> =
        fs::read_dir(blob_of_weights(dir.path()).parent().unwrap()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left.len(), 3, "no parts stay: {left:?}");
    assert!(!stand.asked().is_empty());

    assert_eq!(stand.fetcher(dir.path()).hub(&repo, &revision(), &[]).unwrap(), snapshot);
    assert!(stand.asked().is_empty(), "everything was there");
    assert_eq!(stand.offline(dir.path()).hub(&repo, &revision(), &[]).unwrap(), snapshot);
    assert_eq!(stand.fetcher(dir.path()).verify_hub(&repo, &revision(), &[]).unwrap(), snapshot);
    let known = stand.fetcher(dir.path()).known_hub(&repo, &revision(), &[]).unwrap().unwrap();
    assert_eq!((known.missing_files, known.missing_bytes, known.path), (0, 0, snapshot.dir));
    assert!(stand.asked().is_empty());
}

#[test]
fn only_what_is_wanted_is_fetched_and_patterns_without_files_are_named() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    let snapshot = stand.fetcher(dir.path()).hub(&repo, &revision(), &["*.json", "*.jinja"]).unwrap();
    assert_eq!(snapshot.files.len(), 1);
    assert_eq!(snapshot.unmatched, ["*.jinja"]);
    assert_eq!(bytes_of_weights(&stand), 0);
    let known = stand.fetcher(dir.path()).known_hub(&repo, &revision(), &[]).unwrap().unwrap();
    assert_eq!((known.missing_files, known.missing_bytes), (2, WEIGHTS as u64 + 6));
    let path = stand.fetcher(dir.path()).hub_file(&repo, &revision(), "folder/a b+ü.txt").unwrap();
    assert_eq!(fs::read(path).unwrap(), b"words\n");
    assert!(fails(stand.fetcher(dir.path()).hub_file(&repo, &revision(), "*.json")).contains("none of its 3 files"));
    let error = fails(stand.fetcher(dir.path()).hub(&repo, &revision(), &["*.gguf"]));
    assert!(error.contains("none of its 3 files matches *.gguf"), "{error}");
    let error = fails(stand.offline(dir.path()).hub(&repo, &revision(), &[]));
    for part in ["1 of its files are missing", "300000 bytes", "model.safetensors", "HF_HUB_OFFLINE"] {
        assert!(error.contains(part), "{error}");
    }
    let error = fails(stand.fetcher(dir.path()).verify_hub(&repo, &revision(), &[]));
    assert!(error.contains("fetch them first"), "{error}");
}

#[test]
fn offline_and_never_fetched_is_said_without_a_request() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    let error = fails(stand.offline(dir.path()).hub(&repo, &revision(), &[]));
    assert!(error.contains("never asked for") && error.contains("HF_HUB_OFFLINE"), "{error}");
    let error = fails(stand.fetcher(dir.path()).verify_hub(&repo, &revision(), &[]));
    assert!(error.contains("never fetched"), "{error}");
    assert!(stand.asked().is_empty());
}

#[test]
fn a_file_goes_on_where_it_was_cut() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    // Cut twice within one call: three requests, each byte once.
    stand.faults(&store_path(), [Fault::Cut(100_000), Fault::Cut(50_000)]);
    stand.fetcher(dir.path()).hub(&repo, &revision(), &["model.safetensors"]).unwrap();
    let asked: Vec<_> = stand.asked().into_iter().filter(|a| a.host == "store").collect();
    let ranges: Vec<Option<&str>> = asked.iter().map(|a| a.range.as_deref()).collect();
    assert_eq!(ranges, [None, Some("bytes=100000-"), Some("bytes=150000-")]);
    let etag = format!("\"of-the-store-{}\"", &sha256(&noise(WEIGHTS)).as_str()[..8]);
    assert_eq!(asked[1].if_range.as_deref(), Some(etag.as_str()));
    assert_eq!(asked.iter().map(|a| a.sent).sum::<usize>(), WEIGHTS);
}

#[test]
fn a_part_of_an_earlier_process_is_continued() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    let once = Fetcher::new(Settings {
        retry: aqa_bench::fetch::Retry { attempts: 1, ..stand.settings(dir.path()).retry },
        ..stand.settings(dir.path())
    });
    stand.faults(&store_path(), [Fault::Cut(120_000)]);
    let error = fails(once.hub(&repo, &revision(), &[]));
    assert!(error.contains("run the same command again"), "{error}");
    let known = once.known_hub(&repo, &revision(), &["*.safetensors"]).unwrap().unwrap();
    assert_eq!((known.missing_files, known.missing_bytes), (1, WEIGHTS as u64 - 120_000));
    assert_eq!(bytes_of_weights(&stand), 120_000);
    stand.fetcher(dir.path()).hub(&repo, &revision(), &[]).unwrap();
    assert_eq!(bytes_of_weights(&stand), WEIGHTS - 120_000, "only the rest is sent");

    // What huggingface_hub left has no note of its ETag, and is continued as well.
    let blob = blob_of_weights(dir.path());
    fs::remove_file(&blob).unwrap();
    fs::write(blob.with_extension("incomplete"), &noise(WEIGHTS)[..250_000]).unwrap();
    stand.fetcher(dir.path()).hub(&repo, &revision(), &[]).unwrap();
    assert_eq!(bytes_of_weights(&stand), 50_000);
}

#[test]
fn a_part_of_another_file_is_thrown_away() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    let blob = blob_of_weights(dir.path());
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    let cases: [(usize, Option<&str>, usize); 3] = [
        // The right length, other bytes, no note: seen by the hash when all is there.
        (200_000, None, 100_000 + WEIGHTS),
        // The ETag of other bytes: the server sends all of its own.
        (200_000, Some("\"of-another-file\""), WEIGHTS),
        // Longer than the file.
        (WEIGHTS + 1, None, WEIGHTS),
    ];
    for (len, etag, sent) in cases {
        fs::write(blob.with_extension("incomplete"), vec![7; len]).unwrap();
        if let Some(etag) = etag {
            fs::write(blob.with_extension("incomplete.etag"), etag).unwrap();
        }
        stand.fetcher(dir.path()).hub(&repo, &revision(), &["*.safetensors"]).unwrap();
        assert_eq!(fs::read(&blob).unwrap(), noise(WEIGHTS));
        assert_eq!(bytes_of_weights(&stand), sent, "a part of {len} bytes, ETag {etag:?}");
        fs::remove_file(&blob).unwrap();
    }
}

#[test]
fn a_server_without_ranges_sends_everything_again() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    stand.faults(&store_path(), [Fault::Cut(100_000), Fault::NoRange]);
    stand.fetcher(dir.path()).hub(&repo, &revision(), &["*.safetensors"]).unwrap();
    assert_eq!(bytes_of_weights(&stand), 100_000 + WEIGHTS);
}

#[test]
fn a_server_that_ends_early_or_begins_elsewhere_is_not_believed() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    stand.faults(&store_path(), [Fault::Unannounced(100_000), Fault::Shifted]);
    let snapshot = stand.fetcher(dir.path()).hub(&repo, &revision(), &["*.safetensors"]).unwrap();
    assert_eq!(fs::read(snapshot.dir.join("model.safetensors")).unwrap(), noise(WEIGHTS));
    let ranges: Vec<_> = stand.asked().into_iter().filter(|a| a.host == "store").map(|a| a.range).collect();
    assert_eq!(ranges, [None, Some("bytes=100000-".to_owned()), None], "the part cannot be trusted then");
}

#[test]
fn wrong_content_is_named_and_not_kept() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    stand.faults(&store_path(), [Fault::Wrong]);
    let error = fails(stand.fetcher(dir.path()).hub(&repo, &revision(), &["*.safetensors"]));
    let other: Vec<u8> = noise(WEIGHTS).iter().map(|b| b ^ 1).collect();
    assert!(error.contains(&format!("expected {}, found {}", sha256(&noise(WEIGHTS)), sha256(&other))), "{error}");
    let blobs = blob_of_weights(dir.path()).parent().unwrap().to_owned();
    assert_eq!(fs::read_dir(blobs).unwrap().count(), 0, "neither the file nor a part of it");
    let config = format!("/{ID}/resolve/{REVISION}/config.json");
    stand.faults(&config, [Fault::Wrong]);
    let error = fails(stand.fetcher(dir.path()).hub(&repo, &revision(), &["config.json"]));
    assert!(error.contains(&format!("expected {}", git_blob(CONFIG))), "{error}");
}

#[test]
fn a_rate_limit_is_waited_for_and_errors_of_the_server_pass() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    let config = format!("/{ID}/resolve/{REVISION}/config.json");
    stand.faults(&config, [Fault::Status(429, vec![("Retry-After", "1".into())]), Fault::Status(500, vec![])]);
    stand.faults(&store_path(), [Fault::Status(503, vec![]), Fault::Status(403, vec![])]);
    let started = Instant::now();
    stand.fetcher(dir.path()).hub(&repo, &revision(), &["config.json", "*.safetensors"]).unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1), "the server asked for a second");
    let asked = stand.asked();
    let of = |path: &str| asked.iter().filter(|a| a.path == path).map(|a| a.status).collect::<Vec<_>>();
    assert_eq!(of(&config), [429, 500, 200]);
    assert_eq!(of(&store_path()), [503, 403, 200]);
    let links = of(&format!("/{ID}/resolve/{REVISION}/model.safetensors"));
    assert_eq!(links, [302, 302, 302], "a new link for each try");

    stand.faults(&config, vec![Fault::Status(500, vec![]); 9]);
    let other = tempfile::tempdir().unwrap();
    let error = fails(stand.fetcher(other.path()).hub(&repo, &revision(), &["config.json"]));
    assert!(error.contains("status 500, 5 times in a row"), "{error}");
    assert_eq!(stand.asked().iter().filter(|a| a.path == config).count(), 5, "patience has an end");
}

#[test]
fn slow_is_waited_for_and_silence_is_not() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    let mut settings = stand.settings(dir.path());
    settings.retry.silence = Duration::from_millis(400);
    let fetcher = Fetcher::new(settings);
    // Longer than the silence altogether, but never silent.
    stand.faults(&store_path(), [Fault::Silent, Fault::Slow(30_000, Duration::from_millis(60))]);
    let snapshot = fetcher.hub(&repo, &revision(), &["*.safetensors"]).unwrap();
    assert_eq!(fs::read(snapshot.dir.join("model.safetensors")).unwrap(), noise(WEIGHTS));
    assert_eq!(stand.asked().iter().filter(|a| a.host == "store").count(), 2);
}

#[test]
fn the_token_goes_to_the_endpoint_and_nowhere_else() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    stand.gate(ID);
    let snapshot = stand.with_token(dir.path(), TOKEN).hub(&repo, &revision(), &[]).unwrap();
    assert_eq!(snapshot.files.len(), 3);
    let asked = stand.asked();
    let (mut hub, mut store) = (0, 0);
    for a in &asked {
        if a.host == "hub" {
            hub += 1;
            assert_eq!(a.authorization.as_deref(), Some("Bearer hf_the_good_token"), "{a:?}");
        } else {
            store += 1;
            assert_eq!(a.authorization, None, "{a:?}");
        }
    }
    assert!(hub >= 5 && store == 1, "{asked:?}");
    // Nor does anything that is left hold it, or the signature of a link.
    let mut looked_at = 0;
    let mut folders = vec![dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains("hf_the_good") && !text.contains("Signature"), "{}", path.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 6, "only {looked_at} files");
}

#[test]
fn gated_private_and_missing_are_told_apart() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    let none = HubRepo::new(RepoKind::Model, "Qwen", "none").unwrap();
    let says = |error: String, parts: &[&str]| {
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert!(!error.contains("hf_"), "a token is shown: {error}");
    };
    let ask = |fetcher: Fetcher, repo: &HubRepo| fails(fetcher.hub(repo, &revision(), &[]));
    says(ask(stand.fetcher(dir.path()), &none), &["needs a token, or does not exist", "HF_TOKEN"]);
    says(ask(stand.with_token(dir.path(), TOKEN), &none), &["does not exist: look at its name"]);
    let other = aqa_bench::pins::Revision::parse(&"1".repeat(40)).unwrap();
    let error = fails(stand.fetcher(dir.path()).hub(&repo, &other, &[]));
    says(error, &["has no revision 1111"]);
    stand.gate(ID);
    let terms = format!("accept its terms at {}/{ID}", stand.endpoint());
    says(ask(stand.fetcher(dir.path()), &repo), &["is gated", &terms, "set HF_TOKEN"]);
    says(ask(stand.with_token(dir.path(), "hf_another"), &repo), &["is gated", &terms, "the token's account"]);
    // A refusal is no reason to ask again.
    assert_eq!(stand.asked().len(), 5);
}

#[test]
fn damage_in_the_cache_is_found_and_mended_only_on_request() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    let snapshot = stand.fetcher(dir.path()).hub(&repo, &revision(), &[]).unwrap();
    let blob = blob_of_weights(dir.path());
    let mut changed = noise(WEIGHTS);
    changed[WEIGHTS / 2] ^= 1;
    let cut = &noise(WEIGHTS)[..WEIGHTS - 1];
    for damaged in [changed.as_slice(), cut, b""] {
        fs::write(&blob, damaged).unwrap();
        stand.asked();
        let expected = format!("expected {} of {WEIGHTS} bytes, found {} of", sha256(&noise(WEIGHTS)), sha256(damaged));
        for fetcher in [stand.fetcher(dir.path()), stand.offline(dir.path())] {
            let error = fails(fetcher.hub(&repo, &revision(), &[]));
            assert!(error.contains(&expected) && error.contains("remove it and fetch again"), "{error}");
        }
        assert!(fails(stand.fetcher(dir.path()).verify_hub(&repo, &revision(), &[])).contains(&expected));
        assert!(stand.asked().is_empty(), "nothing is fetched unasked");
        assert_eq!(fs::read(&blob).unwrap(), damaged, "and nothing is removed");
        let mending = Fetcher::new(Settings { refetch: true, ..stand.settings(dir.path()) });
        assert_eq!(mending.hub(&repo, &revision(), &[]).unwrap(), snapshot);
        assert_eq!(bytes_of_weights(&stand), WEIGHTS, "only the damaged file");
    }
    // A file that lost its name gets it back without a request; so does one whose link leads elsewhere, on request.
    let name = snapshot.dir.join("model.safetensors");
    fs::remove_file(&name).unwrap();
    stand.offline(dir.path()).hub(&repo, &revision(), &[]).unwrap();
    assert!(name.exists() && stand.asked().is_empty());
    fs::remove_file(&name).unwrap();
    std::os::unix::fs::symlink("config.json", &name).unwrap();
    let error = fails(stand.fetcher(dir.path()).hub(&repo, &revision(), &[]));
    assert!(error.contains("model.safetensors: expected sha256"), "{error}");
}

#[test]
fn too_little_space_is_said_before_anything_is_fetched() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    let full = |free_space| Fetcher::new(Settings { free_space, ..stand.settings(dir.path()) });
    let error = fails(full(|_| Ok(300_000)).hub(&repo, &revision(), &[]));
    let needed = WEIGHTS + CONFIG.len() + 6;
    for part in [&format!("needs {needed} bytes"), "300000 are free", "HF_HUB_CACHE"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(stand.asked().iter().all(|a| a.path.starts_with("/api/")), "only the list of files was asked for");
    full(|_| Ok(300_000)).hub(&repo, &revision(), &["*.safetensors"]).unwrap();
}

#[test]
fn two_at_once_fetch_each_file_once() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    stand.faults(&store_path(), [Fault::Slow(30_000, Duration::from_millis(20))]);
    let snapshots = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| stand.fetcher(dir.path()).hub(&repo, &revision(), &[]).unwrap()));
        both.map(|thread| thread.join().unwrap())
    });
    assert_eq!(snapshots[0], snapshots[1]);
    assert_eq!(fs::read(snapshots[0].dir.join("model.safetensors")).unwrap(), noise(WEIGHTS));
    assert_eq!(bytes_of_weights(&stand), WEIGHTS);
}

#[test]
fn data_sets_have_folders_and_addresses_of_their_own() {
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo =
        stand.repo(RepoKind::Dataset, "gamma/MMAU", &[("a.json", b"[]", false), ("a.tar.gz", &noise(5000), true)]);
    let snapshot = stand.fetcher(dir.path()).hub(&repo, &revision(), &[]).unwrap();
    let folder = format!(".cache/huggingface/hub/datasets--gamma--MMAU/snapshots/{REVISION}");
    assert_eq!(snapshot.dir, dir.path().join(folder));
    assert!(stand.asked().iter().any(|a| a.path == format!("/datasets/gamma/MMAU/resolve/{REVISION}/a.tar.gz")));
}
