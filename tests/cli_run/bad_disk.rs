//! Disks that are full, folders that cannot be written: one error, exit code 1, and nothing that was computed is lost.

use crate::folder::{TINY, arguments, copy, done, reference, reproduce, same_results};
use crate::program::said;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::tempdir;

/// A shell that runs the program as `"$@"` with the arguments of `reproduce` on the tiny recipe in a run folder.
fn shell(script: &str, run: &Path) -> Command {
    let mut sh = Command::new("sh");
    sh.args(["-c", script, "sh", env!("CARGO_BIN_EXE_aqa-bench")]).args(arguments(TINY, run, &[])).stdin(Stdio::null());
    sh
}

#[test]
fn a_run_folder_that_is_a_file_is_said_so() {
    let dir = tempdir().unwrap();
    for name in ["run", "run/below"] {
        fs::write(dir.path().join("run"), "a file").unwrap();
        let error = reproduce(TINY, &dir.path().join(name), &[]).fails(1);
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains("/run") && error.contains("a file stands where a folder is needed"), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join("run")).unwrap(), "a file");
    }
}

/// `ulimit -f` stops writes within one file; the signal that comes with it is ignored, as a full disk sends none.
#[test]
fn files_that_may_not_grow_stop_the_run_and_nothing_is_lost() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    let mut stopped_at = Vec::new();
    for blocks in [20, 400, 1000, 1400] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let said = said(&shell(&script, &run).output().unwrap());
        if said.code == 0 {
            break;
        }
        let error = said.fails(1);
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains("cannot write ") && error.contains("run the same command again"), "{error}");
        stopped_at.push(error);
    }
    assert!(stopped_at.len() >= 2, "the limits are too high to show anything: {stopped_at:?}");
    reproduce(TINY, &run, &[]).succeeds();
    same_results(&run, reference());
}

/// A small file system of its own, where this machine lets a test mount one: each size stops the run a little later, and a
/// read-only one stops it at once.
#[test]
fn a_full_disk_stops_the_run_and_nothing_is_lost() {
    let dir = tempdir().unwrap();
    let (disk, kept) = (dir.path().join("disk"), dir.path().join("kept"));
    fs::create_dir(&disk).unwrap();
    let space = |script: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["-rm", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_aqa-bench")]);
        unshare
            .args(arguments(TINY, &disk.join("run"), &[]))
            .stdin(Stdio::null())
            .env("DISK", &disk)
            .env("KEPT", &kept);
        unshare.output()
    };
    let possible = space("mount -t tmpfs -o size=64k none \"$DISK\"").is_ok_and(|o| o.status.success());
    if !possible {
        eprintln!(
            "skipped a_full_disk_stops_the_run_and_nothing_is_lost: this machine lets no test mount a file system"
        );
        return;
    }
    let script = r#"
        mount -t tmpfs -o size=64k none "$DISK" || exit 90
        for size in 64k 900k 1800k 2700k 3600k 64m; do
            mount -o remount,size=$size "$DISK" || exit 91
            "$@" >/dev/null 2>"$DISK.err"; code=$?
            echo "$size $code $(grep -c '^error: ' "$DISK.err") $(tail -n 1 "$DISK.err")"
        done
        mount -o remount,ro "$DISK" || exit 92
        "$@" >/dev/null 2>"$DISK.err"; echo "ro $? $(grep -c '^error: ' "$DISK.err") $(tail -n 1 "$DISK.err")"
        cp -a "$DISK/run" "$KEPT"
    "#;
    let output = space(script).unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}\n{told}", output.status);
    let lines: Vec<&str> = told.lines().collect();
    let (full, read_only) = (&lines[..lines.len() - 1], lines[lines.len() - 1]);
    let failed: Vec<&&str> = full.iter().filter(|l| !l.contains(" 0 0 ")).collect();
    assert!(failed.len() >= 3, "{told}");
    for line in failed {
        assert!(line.contains(" 1 1 error: ") && line.contains("No space left"), "{line}");
        assert!(line.contains("free some space") && line.contains(disk.to_str().unwrap()), "{line}");
    }
    assert!(full.last().unwrap().starts_with("64m 0 "), "{told}");
    assert!(read_only.starts_with("ro 1 1 error: ") && read_only.contains("--run-dir"), "{read_only}");
    same_results(&kept, reference());
}

/// The report is the last thing that is written.
#[test]
fn a_report_that_cannot_be_written_costs_nothing_else() {
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    copy(reference(), &run);
    fs::remove_dir_all(run.join("report")).unwrap();
    fs::write(run.join("report"), "in the way").unwrap();
    let error = reproduce(TINY, &run, &[]).fails(1);
    assert!(error.contains("/report") && error.contains("a file stands where a folder is needed"), "{error}");
    done(&run, "after-grpo");
    fs::remove_file(run.join("report")).unwrap();
    reproduce(TINY, &run, &[]).succeeds();
    same_results(&run, reference());
}
