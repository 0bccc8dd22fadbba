//! The model and the data sets.

use super::super::known_tasks;
use super::super::problem::Problems;
use super::super::spot::Spot;
use super::super::tree::quote;
use super::hint_from;

const REVISION: &str =
    "the 40 digits of a commit, from the page `Files and versions` on the hub; `main` moves and pins nothing";
const WEIGHTS: &str = "`sha256sum *.safetensors` in the folder prints them; no run without a pin";

/// Data sets that people name and that come as Arrow files with the clips in them.
const ARROW: [&str; 1] = ["hf://datasets/gijs/avqa-processed"];

pub(super) fn model(root: &Spot<'_>, problems: &mut Problems) {
    let Some(model) = root.get("model") else {
        let runs_none = root.list("train").is_empty() && root.list("eval").is_empty();
        if !runs_none || root.list("scores").is_empty() {
            let hint = "The policy that training starts from: init, source or recipe.";
            root.lacks(problems, "model", "a map", hint);
        }
        return;
    };
    if let Some(init) = model.get("init") {
        shape(&init, problems);
    }
    let Some((source, text)) = model.get("source").and_then(|s| s.text().map(|t| (s, t))) else { return };
    home(&source, problems);
    if text.starts_with("hf://") {
        let repository = text.strip_prefix("hf://models/").filter(|rest| rest.split('/').count() == 2);
        if !repository.is_some_and(is_hub_path) {
            let hint = "for example hf://models/Qwen/Qwen2-Audio-7B-Instruct";
            source.problem(problems, "hf://models/OWNER/NAME", quote(text), hint);
        }
        if model.get("revision").is_none() {
            model.lacks(problems, "revision", "the commit of the model (40 lower-case hexadecimal digits)", REVISION);
        }
    } else if text.contains("://") {
        let hint = "download it and name the folder, with the hashes of its weights";
        source.problem(problems, "hf://models/OWNER/NAME or a folder", quote(text), hint);
    } else {
        let hint = "a folder is pinned by the hashes of its weights: remove revision";
        model.needless(problems, "revision", "for a folder", hint);
        match model.get("weights") {
            None => model.lacks(problems, "weights", "the SHA-256 of every weight file of the folder", WEIGHTS),
            Some(weights) if weights.node.entries().is_empty() => {
                weights.problem(problems, "the SHA-256 of every weight file of the folder", "none", WEIGHTS);
            }
            Some(weights) => {
                for (file, pin) in weights.fields().into_iter().filter(|(file, _)| !is_file_name(file)) {
                    let hint = "weights lie in the folder itself";
                    problems.add(pin.owner, &pin.path, "a file name", quote(file), hint);
                }
            }
        }
    }
}

/// The heads divide the widths, as attention needs.
fn shape(init: &Spot<'_>, problems: &mut Problems) {
    divides(
        init,
        "hidden_size",
        "heads",
        2,
        "rotary embedding turns pairs: the width of a head must be even",
        problems,
    );
    divides(init, "heads", "kv_heads", 1, "every key/value head serves the same number of heads", problems);
    if let Some(audio) = init.get("audio") {
        divides(&audio, "d_model", "heads", 1, "every head takes the same share of the width", problems);
        if let Some(d_model) = audio.get("d_model").filter(|s| s.count().is_some_and(|n| n % 2 == 1)) {
            let hint = "sinusoidal positions are pairs of sine and cosine";
            d_model.problem(problems, "an even number", d_model.node.describe(), hint);
        }
    }
}

fn divides(of: &Spot<'_>, whole: &str, part: &str, factor: i128, hint: &str, problems: &mut Problems) {
    let (Some(n), Some(spot)) = (of.count_at(whole), of.get(part)) else { return };
    let Some(parts) = spot.count() else { return };
    if parts.checked_mul(factor).is_none_or(|product| n % product != 0) {
        let what = if factor == 1 { "a divisor" } else { "half of an even divisor" };
        spot.problem(problems, format!("{what} of {whole} ({n})"), parts, hint);
    }
}

pub(super) fn data(root: &Spot<'_>, alone: bool, problems: &mut Problems) {
    let Some(data) = root.get("data") else { return };
    if let Some(dir) = data.get("dir") {
        home(&dir, problems);
        if let Some(what) = dir.text_at("ask") {
            let hint = match alone {
                true => "add --set data.dir=FOLDER",
                false => "a recipe that another one builds on takes no --set: write the folder there",
            };
            dir.problem(problems, what, "no folder yet", hint);
        }
    }
    for (_, set) in data.get("sets").map_or_else(Vec::new, |sets| sets.fields()) {
        match set.text_at("format") {
            Some("synthetic") => tasks(&set, problems),
            Some("mmau" | "mmau-parquet" | "avqa") => {
                files(&set, problems);
                pins(&set, problems);
            }
            _ => {}
        }
    }
}

fn tasks(set: &Spot<'_>, problems: &mut Problems) {
    let mut seen: Vec<&str> = Vec::new();
    for task in set.list("tasks") {
        let Some(name) = task.text() else { continue };
        if !known_tasks().contains(&name) {
            let hint = hint_from(name, known_tasks(), "the tasks");
            task.problem(problems, "a task that the program can make", quote(name), &hint);
        } else if seen.contains(&name) {
            task.problem(problems, "each task once", quote(name), "remove it: questions are spread evenly over tasks");
        }
        seen.push(name);
    }
    if let (Some(count), n) = (set.get("count"), seen.len() as i128)
        && count.count().is_some_and(|questions| questions < n)
    {
        let hint = "every task needs at least one question";
        count.problem(problems, format!("at least {n} questions for {n} tasks"), count.node.describe(), hint);
    }
}

fn files(set: &Spot<'_>, problems: &mut Problems) {
    for (key, parts, form) in [("file", 3, "hf://datasets/OWNER/NAME/FILE"), ("audio", 2, "hf://datasets/OWNER/NAME")] {
        let Some((spot, text)) = set.get(key).and_then(|s| s.text().map(|t| (s, t))) else { continue };
        home(&spot, problems);
        let hint = format!("a path, {form}, https://… or drive://ID");
        if text.starts_with("hf://") {
            if ARROW.iter().any(|at| text.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
            {
                let hint = "`aqa-bench prepare avqa-arrow` makes lines and a folder of clips of them, to be named here";
                spot.problem(problems, "questions or clips as files", "Arrow files, which are not read", hint);
                continue;
            }
            let inside = text.strip_prefix("hf://datasets/").filter(|rest| rest.split('/').count() >= parts);
            if !inside.is_some_and(is_hub_path) {
                spot.problem(problems, form, quote(text), &hint);
            }
        } else if text.contains("://") && !is_elsewhere(text) {
            spot.problem(problems, "https:// or drive:// or hf:// or a path", quote(text), &hint);
        }
    }
}

/// An address outside the hub.
fn is_elsewhere(text: &str) -> bool {
    let id = text
        .strip_prefix("drive://")
        .is_some_and(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')));
    // What this machine serves needs no encryption on its way.
    let here = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
    id || text.starts_with("https://") || here.iter().any(|here| text.starts_with(here))
}

/// What fixes the questions and the clips of a data set.
fn pins(set: &Spot<'_>, problems: &mut Problems) {
    let on_hub = |key: &str| set.text_at(key).is_some_and(|text| text.starts_with("hf://"));
    let revision = set.get("revision");
    if (on_hub("file") || on_hub("audio")) && revision.is_none() {
        set.lacks(problems, "revision", "the commit of the data set on the hub", REVISION);
    }
    if let Some(revision) = revision.as_ref().filter(|_| !on_hub("file") && !on_hub("audio")) {
        revision.problem(problems, "no revision for what is not on the hub", revision.node.describe(), "remove it");
    }
    if set.get("sha256").is_none() && set.get("git_blob").is_none() && !(on_hub("file") && revision.is_some()) {
        let (what, hint) = match set.text_at("format") {
            Some("mmau-parquet") => ("the SHA-256 of the file", "`sha256sum FILE` prints it; no run without a pin"),
            _ => (
                "the SHA-256 or the git_blob of the questions file",
                "`sha256sum FILE` prints it; where only the git blob id is known, give git_blob",
            ),
        };
        set.lacks(problems, "sha256", what, hint);
    }
    let audio = set.text_at("audio").unwrap_or_default();
    let packed = is_elsewhere(audio) || audio.ends_with(".tar.gz") || audio.ends_with(".tgz");
    for key in ["audio_sha256", "audio_folder"] {
        if let Some(spot) = set.get(key).filter(|_| !audio.is_empty() && !packed) {
            spot.problem(
                problems,
                "no such key for a folder of clips",
                spot.node.describe(),
                "it is about an archive: remove it",
            );
        }
    }
    if let Some(folder) = set.get("audio_folder").filter(|s| s.text().is_some_and(|text| !is_inside(text))) {
        folder.problem(problems, "a folder of the archive", folder.node.describe(), "for example test-mini-audios");
    }
}

/// A relative path that stays below where it starts.
fn is_inside(path: &str) -> bool {
    !path.contains('\\') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\']) && !name.contains(char::is_control)
}

/// `~` is the shell's word, and a shell leaves it alone in the middle of `--set data.dir=~/x`.
pub(super) fn home(path: &Spot<'_>, problems: &mut Problems) {
    if let Some(text) = path.text().filter(|text| *text == "~" || text.starts_with("~/")) {
        path.problem(
            problems,
            "a path",
            quote(text),
            "~ is not expanded here: write the full path, or \"$HOME\" in a shell",
        );
    }
}

/// Path segments that a hub's address can have.
fn is_hub_path(path: &str) -> bool {
    path.split('/').all(|part| {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !part.is_empty() && part != "." && part != ".." && part.chars().all(word)
    })
}
