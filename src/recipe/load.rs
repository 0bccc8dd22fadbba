//! From a file to a resolved recipe, other recipes that it builds on included.

use super::check::check;
use super::keys::RECIPE;
use super::problem::{self, At, Problems};
use super::resolve::{self, Places};
use super::shape::{Key, Shape};
use super::spot::Spot;
use super::tree::{self, Node, quote};
use super::types::{Model, Recipe};
use super::{overrides, validate, wire};
use crate::error::{Context, Error, Result};
use crate::pins::Sha256;
use crate::text::nearest;
use std::path::{Path, PathBuf};

/// Reads, checks and resolves a recipe.
///
/// `sets` are `KEY.PATH=VALUE` overrides, applied in order before anything is checked; other recipes that this one builds
/// on (`model.recipe`) take none. Relative paths are joined to the recipe's folder (data sets: to `data.dir`); paths given
/// by an override are relative to the current folder.
///
/// # Errors
/// Every problem of the file and of the recipes that it builds on, one a line as
/// `file:line:column: key.path: expected …, found … (hint)` (`--set key.path` in place of the position for overrides), in
/// the order of the file; the last line counts them. Exit code 2.
pub fn load(path: &Path, sets: &[String]) -> Result<Recipe> {
    let mut files = Vec::new();
    match read(path, sets, &mut Vec::new(), &mut files)? {
        Some(recipe) if files.iter().all(Problems::is_empty) => Ok(recipe),
        _ => Err(problem::error(files)),
    }
}

/// Reads one recipe and those that it builds on; problems go to `files`. `chain` holds the recipes that led here.
fn read(path: &Path, sets: &[String], chain: &mut Vec<PathBuf>, files: &mut Vec<Problems>) -> Result<Option<Recipe>> {
    let bytes = bytes(path).map_err(|(found, hint)| {
        Error::request(format!("{}: expected a recipe file, found {found} ({hint})", path.display()))
    })?;
    let mut problems = Problems::new(path);
    let root = (text(&bytes, &mut problems)).and_then(|text| tree::parse(text, &mut problems));
    let Some(mut root) = root else {
        files.push(problems);
        return Ok(None);
    };
    overrides::apply(&mut root, sets, &mut problems);
    let whole = Key::required("", Shape::Object(&RECIPE), RECIPE.doc);
    let value = validate::validate(&root, &root.at, "", &whole, &mut problems);
    check(&root, chain.is_empty(), &mut problems);
    let folder = path.parent().unwrap_or(Path::new(""));
    let at = files.len();
    let base = base(&root, path, folder, chain, &mut problems, files)?;
    let valid = value.filter(|_| problems.is_empty());
    files.insert(at, problems);
    let Some(value) = valid else { return Ok(None) };
    let wire: wire::Recipe = serde_yaml::from_value(value)
        .internal(|| format!("the schema and the wire shape differ, {}", path.display()))?;
    let builds_on_other = wire.model.as_ref().is_some_and(|model| model.recipe.is_some());
    if builds_on_other && base.is_none() {
        return Ok(None);
    }
    let places = Places::new(&root, folder);
    let dir = resolve::dir(&wire.data, &places);
    Ok(Some(Recipe {
        name: wire.name,
        title: wire.title,
        seed: wire.seed,
        model: wire.model.map_or(Ok(Model::Absent), |model| resolve::model(model, base, &places))?,
        data: resolve::data(wire.data, &places),
        train: wire.train.into_iter().map(resolve::train).collect::<Result<_>>()?,
        eval: wire.eval.into_iter().map(resolve::eval).collect(),
        scores: resolve::scores(wire.scores, &dir, &places),
        report: resolve::report(wire.report, &places),
        path: path.to_owned(),
        sha256: Sha256::of(&bytes),
        overrides: sets.to_vec(),
    }))
}

/// The recipe that `model.recipe` names, when there is one and it is sound.
fn base(
    root: &Node,
    path: &Path,
    folder: &Path,
    chain: &mut Vec<PathBuf>,
    problems: &mut Problems,
    files: &mut Vec<Problems>,
) -> Result<Option<Recipe>> {
    let places = Places::new(root, folder);
    let Some((spot, text)) = places.root.dig(&["model", "recipe"]).and_then(|s| s.text().map(|t| (s, t))) else {
        return Ok(None);
    };
    let other = places.path(&["model", "recipe"], text, folder);
    // Links and `..` may spell one file in several ways; what is not there spells itself.
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    chain.push(real(path));
    let target = real(&other);
    if let Some(start) = chain.iter().position(|p| *p == target) {
        let name = |p: &PathBuf| p.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let round: Vec<String> = chain[start..].iter().chain([&target]).map(name).collect();
        let hint = "a recipe cannot build on itself: name another one";
        spot.problem(problems, "a recipe that does not lead back to this one", round.join(" → "), hint);
        chain.pop();
        return Ok(None);
    }
    if let Err((found, hint)) = bytes(&other) {
        spot.problem(problems, format!("a recipe file at {}", other.display()), found, &hint);
        chain.pop();
        return Ok(None);
    }
    let recipe = read(&other, &[], chain, files)?;
    chain.pop();
    if let Some(recipe) = &recipe {
        stage(&places.root, recipe, problems);
    }
    Ok(recipe)
}

/// `model.stage` is a training stage of the other recipe.
fn stage(root: &Spot<'_>, other: &Recipe, problems: &mut Problems) {
    let Some((spot, text)) = root.dig(&["model", "stage"]).and_then(|s| s.text().map(|t| (s, t))) else { return };
    let names: Vec<&str> = other.train.iter().map(|t| t.name.as_str()).collect();
    if !names.contains(&text) {
        let hint = match nearest(text, names.iter().copied()) {
            Some(name) => format!("did you mean {name}?"),
            None => format!("its training stages: {}", names.join(", ")),
        };
        spot.problem(problems, format!("a training stage of {}", other.path.display()), quote(text), &hint);
    }
}

/// The bytes of a recipe file, or what was found instead and the way out.
fn bytes(path: &Path) -> Result<Vec<u8>, (String, String)> {
    if path.is_dir() {
        return Err(("a folder".to_owned(), "name a .yaml file in it".to_owned()));
    }
    std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ("none".to_owned(), similar(path)),
        _ => ("one that cannot be read".to_owned(), error.to_string()),
    })
}

/// The way out when a file is not there.
fn similar(path: &Path) -> String {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else {
        return format!("the folder {} cannot be read", folder.display());
    };
    let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".yaml") || name.ends_with(".yml"));
    names.sort();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    match nearest(&wanted, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean {}?", folder.join(name).display()),
        None => "give the path of a .yaml file".to_owned(),
    }
}

/// The bytes as text.
fn text<'b>(bytes: &'b [u8], problems: &mut Problems) -> Option<&'b str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let (before, rest) = bytes.split_at(error.valid_up_to());
            let before = String::from_utf8_lossy(before);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let found = format!("the byte 0x{:02x}", rest.first().copied().unwrap_or_default());
            problems.add(&At::File(line, column), "", "UTF-8 text", found, "save the file as UTF-8");
            None
        }
    }
}
