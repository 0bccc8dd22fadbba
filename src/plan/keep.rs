//! The recipe itself, kept with the run that is made of it: its bytes, those of the recipes that it builds on, and their locks.

use crate::artifact::RunFolder;
use crate::artifact::write::{self, failed};
use crate::error::{Context, Error, Result};
use crate::pins::Sha256;
use crate::recipe::{Model, Recipe};
use indexmap::IndexMap;
use std::path::Path;

/// Names in the run's `recipe/`, and bytes.
type Files = IndexMap<String, Vec<u8>>;

/// Makes `recipe/` of the run folder what the recipe is now. Nothing is written where it is so already.
///
/// # Errors
/// Exit code 2: a file changed since it was read. Exit code 4: it is gone. Exit code 1: the run folder cannot be written.
pub(super) fn keep(recipe: &Recipe, folder: &RunFolder) -> Result<()> {
    let mut files = Files::new();
    gather(recipe, &mut files)?;
    let at = folder.recipe();
    if at.is_dir() && there(&at).is_some_and(|names| names.len() == files.len()) {
        let same = |(name, bytes): (&String, &Vec<u8>)| std::fs::read(at.join(name)).is_ok_and(|found| found == *bytes);
        if files.iter().all(same) {
            return Ok(());
        }
    }
    let mark = folder.recipe_mark();
    if at.exists() && !mark.exists() {
        return Err(Error::request(format!(
            "{}: expected nothing there, or the recipe that an earlier run kept, found files of somebody else (name another run folder with --run-dir)",
            at.display()
        )));
    }
    write::replace(&mark, b"")?;
    // The recipe may be read from this very folder: what is new is written before what is old goes.
    files.iter().try_for_each(|(name, bytes)| write::replace(&at.join(name), bytes))?;
    for entry in there(&at).into_iter().flatten() {
        if !files.contains_key(&*entry.file_name().to_string_lossy()) {
            let path = entry.path();
            std::fs::remove_file(&path).map_err(|e| failed("remove", &path, &e))?;
        }
    }
    Ok(())
}

fn there(at: &Path) -> Option<Vec<std::fs::DirEntry>> {
    std::fs::read_dir(at).ok()?.collect::<Result<_, _>>().ok()
}

fn gather(recipe: &Recipe, files: &mut Files) -> Result<()> {
    let path = &recipe.path;
    let bytes = std::fs::read(path).inputs(|| format!("cannot read {}", path.display()))?;
    if Sha256::of(&bytes) != recipe.sha256 {
        let changed = "it was changed while it was being read: run the command again";
        return Err(Error::request(format!("{}: {changed}", path.display())));
    }
    add(files, path, bytes);
    let lock = path.with_extension("lock");
    if lock.is_file() {
        let bytes = std::fs::read(&lock).inputs(|| format!("cannot read {}", lock.display()))?;
        add(files, &lock, bytes);
    }
    match &recipe.model {
        Model::Stage(from) => gather(&from.recipe, files),
        _ => Ok(()),
    }
}

/// By its name; the beginning of its hash tells two files of one name apart.
fn add(files: &mut Files, path: &Path, bytes: Vec<u8>) {
    let mut name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if files.get(&name).is_some_and(|other| *other != bytes) {
        name = format!("{}-{name}", Sha256::of(&bytes).short());
    }
    files.insert(name, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(at: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            there(at).unwrap().into_iter().map(|e| e.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_recipe_is_kept_with_its_lock_and_with_what_it_builds_on_and_nothing_older_stays() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["mmau-clips", "quickstart"] {
            let name = format!("{name}.yaml");
            fs::copy(Path::new("recipes").join(&name), dir.path().join(&name)).unwrap();
        }
        fs::write(dir.path().join("quickstart.lock"), "{}").unwrap();
        let path = dir.path().join("mmau-clips.yaml");
        let recipe = crate::recipe::load(&path, &["data.dir=.".into()]).unwrap();
        let folder = RunFolder::new(dir.path().join("run"));
        fs::create_dir_all(folder.recipe()).unwrap();
        fs::write(folder.recipe().join("older.yaml"), "").unwrap();
        let error = keep(&recipe, &folder).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("files of somebody else"), "{error}");
        assert_eq!(names(&folder.recipe()), ["older.yaml"], "what is not ours stays");

        fs::remove_file(folder.recipe().join("older.yaml")).unwrap();
        fs::remove_dir(folder.recipe()).unwrap();
        keep(&recipe, &folder).unwrap();
        fs::write(folder.recipe().join("older.yaml"), "").unwrap();
        keep(&recipe, &folder).unwrap();
        assert_eq!(names(&folder.recipe()), ["mmau-clips.yaml", "quickstart.lock", "quickstart.yaml"]);
        assert_eq!(Sha256::of_file(&folder.recipe().join("mmau-clips.yaml")).unwrap(), recipe.sha256);

        let kept = folder.recipe().join("quickstart.lock");
        let before = fs::metadata(&kept).unwrap().modified().unwrap();
        keep(&recipe, &folder).unwrap();
        assert_eq!(fs::metadata(&kept).unwrap().modified().unwrap(), before, "nothing is written twice");

        fs::write(&path, "name: another").unwrap();
        let error = keep(&recipe, &folder).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("changed while"), "{error}");
    }

    #[test]
    fn two_files_of_one_name_are_both_kept() {
        let mut files = Files::new();
        add(&mut files, Path::new("a/x.yaml"), b"one".to_vec());
        add(&mut files, Path::new("b/x.yaml"), b"two".to_vec());
        add(&mut files, Path::new("c/x.yaml"), b"one".to_vec());
        assert_eq!(files.len(), 2);
        assert!(files.keys().any(|name| *name == format!("{}-x.yaml", Sha256::of(b"two").short())));
    }
}
