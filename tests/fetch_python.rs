//! One cache for two programs: what we fetch, Python's `huggingface_hub` finds, and the other way round. Needs a Python that has it: `AQA_PYTHON`, or
//! the one that `scripts/python-with.sh` keeps for the parity fixtures.

mod hub;

use aqa_bench::fetch::{HubRepo, RepoKind};
use hub::{REVISION, Stand, noise, revision, sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python with huggingface_hub; says that a test is skipped where there is none.
fn python(test: &str) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = set("AQA_CACHE").or_else(|| Some(set("HOME")?.join(".cache/aqa-bench")));
    let kept = cache.and_then(|cache| fs::read_dir(cache).ok()).into_iter().flatten().flatten();
    let kept = kept.filter(|e| e.file_name().to_string_lossy().starts_with("parity-"));
    let mut candidates = set("AQA_PYTHON").into_iter().chain(kept.map(|e| e.path().join("bin/python")));
    let has_it = |python: &PathBuf| {
        Command::new(python).args(["-c", "import huggingface_hub"]).output().is_ok_and(|out| out.status.success())
    };
    let found = candidates.find(has_it);
    if found.is_none() {
        eprintln!("skipped {test}: no Python with huggingface_hub here");
    }
    found
}

/// Runs a script with nothing of this machine's settings for the hub.
fn run(python: &Path, dir: &Path, endpoint: &str, offline: bool, script: &str) -> String {
    let mut command = Command::new(python);
    command.args(["-c", script]).env_clear().env("HOME", dir).env("HF_ENDPOINT", endpoint);
    command.env("HF_HUB_DISABLE_TELEMETRY", "1").env("NO_PROXY", "127.0.0.1");
    if offline {
        command.env("HF_HUB_OFFLINE", "1");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn model(stand: &Stand) -> HubRepo {
    let files: [(&str, &[u8], bool); 3] = [
        ("config.json", b"{}\n", false),
        ("folder/a.txt", b"words\n", false),
        ("model.safetensors", &noise(300_000), true),
    ];
    stand.repo(RepoKind::Model, "Qwen/Qwen2-Audio-7B", &files)
}

#[test]
fn huggingface_hub_finds_what_we_fetched() {
    let Some(python) = python("huggingface_hub_finds_what_we_fetched") else { return };
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let snapshot = stand.fetcher(dir.path()).hub(&model(&stand), &revision(), &[]).unwrap();
    stand.asked();
    let script = format!(
        "import huggingface_hub as h\n\
         print(h.snapshot_download('Qwen/Qwen2-Audio-7B', revision='{REVISION}', local_files_only=True))\n\
         print(h.hf_hub_download('Qwen/Qwen2-Audio-7B', 'folder/a.txt', revision='{REVISION}'))\n\
         info = h.scan_cache_dir()\n\
         print(len(info.warnings), [(r.repo_id, r.nb_files, r.size_on_disk) for r in info.repos])"
    );
    let said = run(&python, dir.path(), &stand.endpoint(), true, &script);
    let folder = snapshot.dir.display();
    let size = 300_000 + 3 + 6;
    let expected = format!("{folder}\n{folder}/folder/a.txt\n0 [('Qwen/Qwen2-Audio-7B', 3, {size})]");
    assert_eq!(said, expected);
    assert!(stand.asked().is_empty());
}

#[test]
fn we_find_what_huggingface_hub_fetched_and_go_on_where_it_stopped() {
    let Some(python) = python("we_find_what_huggingface_hub_fetched_and_go_on_where_it_stopped") else { return };
    let (stand, dir) = (Stand::start(), tempfile::tempdir().unwrap());
    let repo = model(&stand);
    let script = format!(
        "import huggingface_hub as h\nprint(h.snapshot_download('Qwen/Qwen2-Audio-7B', revision='{REVISION}'))"
    );
    let said = run(&python, dir.path(), &stand.endpoint(), false, &script);
    let blob = |dir: &Path| dir.join("../../blobs").join(sha256(&noise(300_000)).as_str());
    stand.asked();
    let snapshot = stand.fetcher(dir.path()).hub(&repo, &revision(), &[]).unwrap();
    assert_eq!(snapshot.dir, Path::new(&said));
    assert_eq!(snapshot.files.len(), 3);
    assert!(stand.asked().iter().all(|a| a.path.contains("/tree/")), "only the list of files was asked for");

    // Our part, huggingface_hub's end.
    let blob = fs::canonicalize(blob(&snapshot.dir)).unwrap();
    fs::remove_file(snapshot.dir.join("model.safetensors")).unwrap();
    fs::remove_file(&blob).unwrap();
    fs::write(blob.with_extension("incomplete"), &noise(300_000)[..200_000]).unwrap();
    run(&python, dir.path(), &stand.endpoint(), false, &script);
    let sent: usize = stand.asked().iter().filter(|a| a.host == "store").map(|a| a.sent).sum();
    assert_eq!(sent, 100_000);
    stand.offline(dir.path()).hub(&repo, &revision(), &[]).unwrap();
}
