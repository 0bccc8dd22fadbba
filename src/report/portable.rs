//! What was made on one machine, without its folders: for what is kept elsewhere.

use super::load;
use crate::artifact::Provenance;
use std::path::Path;

/// The run without the folders of the machine it ran on: the program by its name, no `--run-dir`, other absolute paths by their
/// last part.
pub(super) fn portable(run: load::Run) -> load::Run {
    let overrides = self::overrides(&run.overrides);
    load::Run { overrides, provenance: provenance(run.provenance), ..run }
}

/// What was there, the command line without folders.
pub(super) fn provenance(was: Provenance) -> Provenance {
    let mut argv = Vec::new();
    let mut words = was.argv.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--run-dir" => drop(words.next()),
            w if w.starts_with("--run-dir=") => {}
            w => argv.push(without_folders(w)),
        }
    }
    Provenance { argv, ..was }
}

/// Overrides without folders.
pub(super) fn overrides(was: &[String]) -> Vec<String> {
    was.iter().map(|o| without_folders(o)).collect()
}

/// The last part of a path, absolute or not; empty where there is none.
pub(super) fn file_name(path: &str) -> String {
    Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A message with the last part of every path alone: `cannot read /a/b/c.wav: …` → `cannot read …/c.wav: …`.
pub(super) fn without_paths(message: &str) -> String {
    let last = |word: &str| match word.rsplit_once('/') {
        Some((folder, name)) if word.starts_with('/') && !folder.is_empty() => format!("…/{name}"),
        _ => word.to_owned(),
    };
    message.split(' ').map(last).collect::<Vec<_>>().join(" ")
}

/// `/a/b/c.yaml` → `c.yaml`, `data.dir=/a/b` → `data.dir=b`; anything else as it is.
fn without_folders(word: &str) -> String {
    let (key, value) = word.split_once('=').map_or(("", word), |(k, v)| (k, v));
    match Path::new(value).file_name() {
        Some(name) if value.starts_with('/') => {
            let name = name.to_string_lossy();
            if key.is_empty() { name.into_owned() } else { format!("{key}={name}") }
        }
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_go_and_names_stay() {
        for (word, expected) in [
            ("/a/b/c.yaml", "c.yaml"),
            ("recipes/c.yaml", "recipes/c.yaml"),
            ("data.dir=/a/b", "data.dir=b"),
            ("data.sets.x.file=https://a.org/b", "data.sets.x.file=https://a.org/b"),
            ("scores.x=", "scores.x="),
        ] {
            assert_eq!(without_folders(word), expected);
        }
        for (path, name) in [("/a/b/c.yaml", "c.yaml"), ("../me/c.yaml", "c.yaml"), ("c.yaml", "c.yaml"), ("", "")] {
            assert_eq!(file_name(path), name);
        }
        let message = "cannot read /home/me/clips/a.wav: no such file (looked in /home/me and x/y)";
        assert_eq!(without_paths(message), "cannot read …/a.wav: no such file (looked in …/me and x/y)");
        assert_eq!(without_paths("a / b at /tmp"), "a / b at /tmp");
    }
}
