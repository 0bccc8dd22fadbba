//! Archives: what is unpacked, and what is refused.

use aqa_bench::fetch::{Limits, unpack, verify_unpacked};
use aqa_bench::pins::{Pin, Sha256};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// Name, kind and body of a member.
type Member<'a> = (&'a str, EntryType, &'a [u8]);

/// A member as it stands in the archive: the name is written as it is, which `tar`'s own writer would refuse.
fn member(tar: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, body: &[u8]) {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(body.len() as u64);
    header.set_mode(0o644);
    if matches!(kind, EntryType::Symlink | EntryType::Link) {
        header.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
    }
    header.set_cksum();
    tar.append(&header, body).unwrap();
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn archive(dir: &Path, members: &[Member<'_>]) -> PathBuf {
    let mut tar = Builder::new(Vec::new());
    for (name, kind, body) in members {
        member(&mut tar, name, *kind, body);
    }
    let path = dir.join("a.tar.gz");
    fs::write(&path, gz(&tar.into_inner().unwrap())).unwrap();
    path
}

/// Unpacking must fail, name what it found and leave nothing.
#[track_caller]
fn refuses(path: &Path, limits: Limits, says: &str) {
    let dir = path.parent().unwrap();
    let error = unpack(path, &dir.join("out"), &[], limits).unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    assert!(error.to_string().contains(says), "expected {says:?} in: {error}");
    let mut left: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["a.tar.gz", "out.lock"], "nothing is kept");
}

const FILE: EntryType = EntryType::Regular;

#[test]
fn files_are_unpacked_hashed_and_verified_again() {
    let dir = tempfile::tempdir().unwrap();
    let members: [Member<'_>; 5] = [
        ("./", EntryType::Directory, b""),
        ("./clips/", EntryType::Directory, b""),
        ("./clips/a.wav", FILE, b"sound a"),
        ("clips/deep/b.wav", FILE, b""),
        ("README", FILE, b"words"),
    ];
    let path = archive(dir.path(), &members);
    let out = dir.path().join("out");
    let unpacked = unpack(&path, &out, &[".wav"], Limits::default()).unwrap();
    assert_eq!((unpacked.dir.as_path(), unpacked.skipped), (out.join("files").as_path(), 1));
    let names: Vec<_> = unpacked.files.iter().map(|f| (f.name.as_str(), f.bytes)).collect();
    assert_eq!(names, [("clips/a.wav", 7), ("clips/deep/b.wav", 0)]);
    assert_eq!(unpacked.files[0].pin, Pin::Sha256(Sha256::of(b"sound a")));
    assert_eq!(fs::read(unpacked.dir.join("clips/a.wav")).unwrap(), b"sound a");
    assert!(!unpacked.dir.join("README").exists());
    assert_eq!(unpack(&path, &out, &[".wav"], Limits::default()).unwrap(), unpacked);
    assert_eq!(verify_unpacked(&out).unwrap(), unpacked);

    let error = unpack(&path, &out, &[], Limits::default()).unwrap_err().to_string();
    assert!(error.contains("with the endings []") && error.contains("[\".wav\"]"), "{error}");
    fs::write(unpacked.dir.join("clips/a.wav"), b"sound b").unwrap();
    fs::remove_file(unpacked.dir.join("clips/deep/b.wav")).unwrap();
    let error = verify_unpacked(&out).unwrap_err();
    let found = format!("expected sha256 {}, found sha256 {}", Sha256::of(b"sound a"), Sha256::of(b"sound b"));
    assert!(error.exit_code() == 4 && error.to_string().contains(&found), "{error}");
    assert!(error.to_string().contains("deep/b.wav"), "every problem at once: {error}");
}

#[test]
fn an_interrupted_unpacking_begins_again_and_a_foreign_folder_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = archive(dir.path(), &[("a", FILE, b"a")]);
    fs::create_dir_all(dir.path().join("out.partial/files")).unwrap();
    fs::write(dir.path().join("out.partial/files/a"), "half").unwrap();
    let unpacked = unpack(&path, &dir.path().join("out"), &[], Limits::default()).unwrap();
    assert_eq!(fs::read(unpacked.dir.join("a")).unwrap(), b"a");
    assert!(!dir.path().join("out.partial").exists());

    fs::create_dir(dir.path().join("mine")).unwrap();
    fs::write(dir.path().join("mine/thesis"), "years").unwrap();
    let error = unpack(&path, &dir.path().join("mine"), &[], Limits::default()).unwrap_err().to_string();
    assert!(error.contains("already there") && dir.path().join("mine/thesis").exists(), "{error}");
}

#[test]
fn what_leads_out_of_the_folder_is_refused() {
    for name in ["../a", "a/../../b", "/etc/a", "a//b", "a/./b", "..", "a\\..\\b"] {
        let dir = tempfile::tempdir().unwrap();
        let path = archive(dir.path(), &[("fine", FILE, b"x"), (name, FILE, b"x")]);
        refuses(&path, Limits::default(), "leads out of the folder");
        assert!(!dir.path().parent().unwrap().join("b").exists());
    }
}

#[test]
fn links_and_devices_are_refused() {
    for (kind, says) in [
        (EntryType::Symlink, "a link"),
        (EntryType::Link, "a link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a device"),
        (EntryType::new(b'V'), "neither a file nor a folder"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        refuses(&archive(dir.path(), &[("fine", FILE, b"x"), ("x", kind, b"")]), Limits::default(), says);
    }
}

#[test]
fn the_same_name_twice_is_refused_however_it_is_spelt() {
    let folder = EntryType::Directory;
    let cases: [(&[Member<'_>], &str); 5] = [
        (&[("a", FILE, b"1"), ("a", FILE, b"2")], "there before"),
        (&[("a", FILE, b"1"), ("./a", FILE, b"1")], "there before"),
        (&[("a", FILE, b"1"), ("a/", folder, b"")], "there before"),
        (&[("a/b", FILE, b"1"), ("a", FILE, b"1")], "there before"),
        (&[("a", FILE, b"1"), ("a/b", FILE, b"1")], "a file in a file"),
    ];
    for (members, says) in cases {
        let dir = tempfile::tempdir().unwrap();
        refuses(&archive(dir.path(), members), Limits::default(), says);
    }
    let dir = tempfile::tempdir().unwrap();
    let twice: [Member<'_>; 3] = [("a/", folder, b""), ("a/b", FILE, b"1"), ("a/", folder, b"")];
    unpack(&archive(dir.path(), &twice), &dir.path().join("out"), &[], Limits::default())
        .expect("a folder may come again");
}

#[test]
fn bombs_are_refused_with_their_numbers() {
    let zeros = vec![0u8; 8 << 20];
    let dir = tempfile::tempdir().unwrap();
    let path = archive(dir.path(), &[("zeros", FILE, &zeros)]);
    refuses(&path, Limits::default(), "at most 100 times its packed size, found ");
    refuses(&path, Limits { ratio: 2000, bytes: 5 << 20, ..Limits::default() }, "at most 5242880 bytes, found more");
    unpack(&path, &dir.path().join("out"), &[], Limits { ratio: 2000, ..Limits::default() }).expect("it is only zeros");

    let dir = tempfile::tempdir().unwrap();
    let path = archive(dir.path(), &[("a", FILE, b""), ("b", FILE, b""), ("c", FILE, b"")]);
    refuses(&path, Limits { members: 2, ..Limits::default() }, "at most 2 members");
    // A bomb among files that nobody wants is one as well.
    let dir = tempfile::tempdir().unwrap();
    let path = archive(dir.path(), &[("zeros", FILE, &zeros)]);
    let error = unpack(&path, &dir.path().join("out"), &[".wav"], Limits::default()).unwrap_err();
    assert!(error.to_string().contains("refused as a bomb"), "{error}");
}

#[test]
fn an_archive_that_is_cut_or_changed_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let body: Vec<u8> = (0..50_000u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 16).to_le_bytes()).collect();
    let path = archive(dir.path(), &[("a", FILE, &body), ("b", FILE, &body)]);
    let whole = fs::read(&path).unwrap();
    // In the middle, in the last member, and without gzip's checksum.
    for len in [0, 5, whole.len() / 2, whole.len() - 1000, whole.len() - 8, whole.len() - 1] {
        fs::write(&path, &whole[..len]).unwrap();
        refuses(&path, Limits::default(), "not a whole .tar.gz archive");
    }
    let mut changed = whole.clone();
    let last = changed.len() - 8;
    changed[last] ^= 1;
    fs::write(&path, changed).unwrap();
    refuses(&path, Limits::default(), "not a whole .tar.gz archive");
    fs::write(&path, b"no archive at all").unwrap();
    refuses(&path, Limits::default(), "not a whole .tar.gz archive");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in an archive: all files end up below the folder, or none.
    #[test]
    fn nothing_lands_beside_the_folder(members in prop::collection::vec(
        (prop::sample::select(vec!["a", "b", "..", ".", "", "c.wav"]), prop::sample::select(vec!["a", "..", "b", ""]),
         prop::sample::select(vec![b'0', b'5', b'2', b'1', b'3']), prop::collection::vec(any::<u8>(), 0..20)), 0..6))
    {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let names: Vec<String> = members.iter().map(|(a, b, ..)| format!("{a}/{b}")).collect();
        let list: Vec<_> = members.iter().zip(&names).map(|((_, _, kind, body), name)| {
            let kind = EntryType::new(*kind);
            (name.as_str(), kind, if kind == FILE { body.as_slice() } else { &[] })
        }).collect();
        let path = archive(&inner, &list);
        let result = unpack(&path, &inner.join("out"), &[], Limits::default());
        let beside: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        prop_assert_eq!(beside, ["inner"]);
        let mut there: Vec<_> = fs::read_dir(&inner).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        match result {
            Ok(unpacked) => {
                prop_assert_eq!(there, ["a.tar.gz", "out", "out.lock"]);
                prop_assert_eq!(verify_unpacked(&inner.join("out")).unwrap().files.len(), unpacked.files.len());
            }
            Err(error) => {
                prop_assert_eq!(error.exit_code(), 4, "{}", error);
                prop_assert_eq!(there, ["a.tar.gz", "out.lock"]);
            }
        }
    }
}
