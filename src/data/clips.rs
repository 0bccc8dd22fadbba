//! A folder of clips: what lies in it, and in the folders in it.

use crate::error::{Context, Error, Result};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::FileType;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The files of a folder, read once, and those of the folders directly in it, read where the folder itself lacks one: public copies of AVQA spread
/// their clips over several (`VGG10000` to `VGG40000` in Joysw909/AVQA on the hub).
#[derive(Debug, Clone)]
pub struct Clips {
    dir: PathBuf,
    own: HashSet<String>,
    /// Names of the folders that have a file of this name.
    below: OnceLock<Result<HashMap<String, BTreeSet<String>>, String>>,
}

impl Clips {
    /// Reads a folder.
    ///
    /// # Errors
    /// Exit code 4: the folder cannot be read, or is one of Arrow files with the clips in them, as gijs/avqa-processed on the hub.
    pub fn of(dir: &Path) -> Result<Self> {
        let own = file_names(dir)?;
        if is_arrow(dir, &own) {
            return Err(Error::inputs(format!(
                "{}: expected a folder of clips, found Arrow files with the clips in them, as in gijs/avqa-processed (`aqa-bench prepare avqa-arrow` takes them out)",
                dir.display()
            )));
        }
        Ok(Self { dir: dir.to_owned(), own, below: OnceLock::new() })
    }

    /// A folder that nobody looks into: no clip is there, each should be in the folder itself.
    pub fn unread(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), own: HashSet::new(), below: Ok(HashMap::new()).into() }
    }

    /// Where the first of these names is that is there: in the folder itself, else in the folder `near` in it, else in the only one that has it.
    /// `None`: none of them is there.
    ///
    /// # Errors
    /// The name, and the folders that have it, where `near` is none of them: which clip is meant is not known. A folder in it that cannot be read.
    pub fn find(&self, names: &[String], near: Option<&str>) -> Result<Option<PathBuf>, String> {
        for name in names {
            if self.own.contains(name) {
                return Ok(Some(self.dir.join(name)));
            }
            let Some(folders) = self.below()?.get(name) else { continue };
            let only = folders.first().filter(|_| folders.len() == 1).map(String::as_str);
            let Some(folder) = near.filter(|near| folders.contains(*near)).or(only) else {
                let all = folders.iter().map(|f| format!("{f}/")).collect::<Vec<_>>().join(" and ");
                return Err(format!("the clip {name} lies in {all} of {} (leave one)", self.dir.display()));
            };
            return Ok(Some(self.dir.join(folder).join(name)));
        }
        Ok(None)
    }

    /// Where a clip that is not there should be.
    pub fn place(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What the folders in it have. Those whose name begins with `.` are passed over, such as the `.cache` that `hf download` leaves.
    fn below(&self) -> Result<&HashMap<String, BTreeSet<String>>, String> {
        self.below.get_or_init(|| self.read_below()).as_ref().map_err(String::clone)
    }

    fn read_below(&self) -> Result<HashMap<String, BTreeSet<String>>, String> {
        let mut below = HashMap::<String, BTreeSet<String>>::new();
        let folders = names(&self.dir, FileType::is_dir).map_err(|e| e.to_string())?;
        for folder in folders.into_iter().filter(|name| !name.starts_with('.')).collect::<BTreeSet<_>>() {
            let way_out = "clips are looked for in it: make it readable, or move it away";
            for name in file_names(&self.dir.join(&folder)).map_err(|e| format!("{e} ({way_out})"))? {
                below.entry(name).or_default().insert(folder.clone());
            }
        }
        Ok(below)
    }
}

/// Whether a folder is what the `datasets` library saves to a disk: the folders of its splits, or one of them.
fn is_arrow(folder: &Path, names: &HashSet<String>) -> bool {
    let arrow = |name: &String| name.ends_with(".arrow");
    names.contains("dataset_dict.json") || (names.iter().any(arrow) && folder.join("state.json").is_file())
}

/// The names of the files in a folder: a link to a file is one, a name that is not UTF-8 is none of a clip. One reading of the folder is quicker than
/// asking for each of 40 000 clips.
///
/// # Errors
/// Exit code 4: the folder cannot be read.
pub fn file_names(folder: &Path) -> Result<HashSet<String>> {
    names(folder, FileType::is_file)
}

fn names(folder: &Path, wanted: fn(&FileType) -> bool) -> Result<HashSet<String>> {
    let cannot = || format!("cannot read the folder {}", folder.display());
    let mut out = HashSet::new();
    for entry in std::fs::read_dir(folder).inputs(cannot)? {
        let entry = entry.inputs(cannot)?;
        let own = entry.file_type().inputs(cannot)?;
        // A link that leads nowhere is neither.
        let is =
            if own.is_symlink() { entry.path().metadata().is_ok_and(|m| wanted(&m.file_type())) } else { wanted(&own) };
        if let (true, Ok(name)) = (is, entry.file_name().into_string()) {
            out.insert(name);
        }
    }
    Ok(out)
}
