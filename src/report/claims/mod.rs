//! Claims: numbers that others printed, kept as the text that was printed.

pub mod lint;
mod mean;
pub mod number;
pub mod show;

use number::Printed;

use crate::artifact::RunFolder;
use crate::artifact::read;
use crate::error::{Context, Error, Result};
use crate::pins::Sha256;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// Claim files that are part of the program, by file name.
const SHIPPED: [(&str, &str); 3] = [
    ("r1-aqa-claims.json", include_str!("../../../recipes/data/r1-aqa-claims.json")),
    ("mmau-original-claims.json", include_str!("../../../recipes/data/mmau-original-claims.json")),
    ("mmau-v05.15.25-claims.json", include_str!("../../../recipes/data/mmau-v05.15.25-claims.json")),
];

/// The columns of a claim, the average last.
pub const COLUMNS: [&str; 4] = ["sound", "music", "speech", "average"];

/// A claims file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Version of the shape; 1.
    pub schema: u32,
    /// For readers of the file.
    pub what: String,
    /// Whose claims they are.
    pub name: String,
    /// Where each of its tables was printed.
    pub sources: IndexMap<String, String>,
    /// What `origin` says about a row.
    pub origins: IndexMap<String, String>,
    /// By split, the hashes of the dataset versions that the numbers can be held against; none known: empty.
    pub versions: IndexMap<String, Vec<Sha256>>,
    /// By split, how many questions each column is a share of; what is not here is not known.
    #[serde(default)]
    pub questions: IndexMap<String, IndexMap<String, u64>>,
    /// The rows, in the order of the source.
    pub claims: Vec<Claim>,
}

/// One printed row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Unique in the file.
    pub id: String,
    /// Which source it was printed in: a key of [`Claims::sources`].
    pub table: String,
    /// Which split: a key of [`Claims::versions`].
    pub split: String,
    /// As printed.
    pub model: String,
    /// As printed.
    pub method: String,
    /// As printed; empty where only an average was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sound: String,
    /// Likewise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub music: String,
    /// Likewise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub speech: String,
    /// As printed.
    pub average: String,
    /// A key of [`Claims::origins`].
    pub origin: String,
    /// What is wrong or particular about it, in our words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why its numbers need not be counts of all questions, where they need not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncounted: Option<String>,
    /// The id of a row that prints the same model with the same numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
}

impl Claim {
    /// The printed text for `sound`, `music`, `speech` or `average`; `None` where none was printed.
    pub fn cell(&self, column: &str) -> Option<&str> {
        let text = match column {
            "sound" => &self.sound,
            "music" => &self.music,
            "speech" => &self.speech,
            "average" => &self.average,
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// The number that was printed for a column.
    pub fn printed(&self, column: &str) -> Option<Printed> {
        Printed::parse(self.cell(column)?)
    }

    /// `MODEL, METHOD` as printed.
    pub fn label(&self) -> String {
        let parts = [self.model.as_str(), self.method.as_str()];
        parts.into_iter().filter(|p| !matches!(*p, "" | "-")).collect::<Vec<_>>().join(", ")
    }
}

impl Claims {
    /// How many questions a column of a claim is a share of; `None` where nobody says.
    pub fn total(&self, claim: &Claim, column: &str) -> Option<u64> {
        if claim.uncounted.is_some() {
            return None;
        }
        self.questions.get(&claim.split)?.get(column).copied()
    }
}

/// The files that are part of the program.
///
/// # Errors
/// Exit code 1: one of them is broken (a test holds that none is).
pub fn all_shipped() -> Result<Vec<(&'static str, Claims)>> {
    SHIPPED.iter().map(|(name, _)| Ok((*name, load(name, None)?))).collect()
}

/// A claims file of the user's, or the shipped one of that name.
///
/// # Errors
/// Exit code 4: it is there and cannot be read, or is no claims file. Exit code 2: there is neither, or it contradicts itself.
pub fn open(path: &Path) -> Result<Claims> {
    if !path.exists() {
        let name = path.display().to_string();
        let whole = if name.ends_with(".json") { name } else { name + ".json" };
        return load(&whole, None);
    }
    let claims = read::json(path)?;
    check(&claims).map_err(|e| e.within(path.display()))?;
    Ok(claims)
}

/// The claims file that a run names: its own copy, else the shipped one of that name.
///
/// # Errors
/// Exit code 2 when there is neither, or it contradicts itself.
pub fn load(name: &str, run: Option<&RunFolder>) -> Result<Claims> {
    let own = run.map(|r| r.claims(name)).filter(|p| p.exists());
    let claims = match own {
        Some(path) => read::json(&path)?,
        None => shipped(name)?,
    };
    check(&claims).map_err(|e| e.within(name))?;
    Ok(claims)
}

fn shipped(name: &str) -> Result<Claims> {
    let Some((_, text)) = SHIPPED.iter().find(|(n, _)| *n == name) else {
        let known = SHIPPED.map(|(n, _)| n).join(", ");
        return Err(Error::request(format!("claims {name}: no such file, and not shipped ({known})")));
    };
    serde_json::from_str(text).internal(|| format!("recipes/data/{name}"))
}

fn check(file: &Claims) -> Result<()> {
    if file.schema != 1 {
        return Err(Error::request(format!(
            "schema: expected 1, found {} (a claims file of another version)",
            file.schema
        )));
    }
    let mut ids = BTreeSet::new();
    for claim in &file.claims {
        let bad = |what: String| Err(Error::request(format!("claim {}: {what}", claim.id)));
        if !ids.insert(&claim.id) {
            return bad("its id is there twice".into());
        }
        for (key, value, known) in [
            ("table", &claim.table, file.sources.contains_key(&claim.table)),
            ("split", &claim.split, file.versions.contains_key(&claim.split)),
            ("origin", &claim.origin, file.origins.contains_key(&claim.origin)),
        ] {
            if !known {
                return bad(format!("{key} {value} is not declared in the file"));
            }
        }
        if claim.cell("average").is_none() {
            return bad("average: expected a number as printed, found none".into());
        }
        for (column, text) in COLUMNS.into_iter().filter_map(|c| Some((c, claim.cell(c)?))) {
            if Printed::parse(text).is_none() {
                return bad(format!("{column}: expected a percentage as printed, found {text:?}"));
            }
        }
    }
    for (split, totals) in &file.questions {
        let bad = |what: String| Err(Error::request(format!("questions: {split}: {what}")));
        if !file.versions.contains_key(split) {
            return bad("this split is not declared in versions".into());
        }
        if let Some((column, _)) = totals.iter().find(|(c, n)| !COLUMNS.contains(&c.as_str()) || **n == 0) {
            return bad(format!("{column}: expected one of {} with a number of questions", COLUMNS.join(", ")));
        }
    }
    match file.claims.iter().find(|c| c.same_as.as_ref().is_some_and(|id| !ids.contains(id))) {
        Some(claim) => Err(Error::request(format!("claim {}: same_as names no claim of the file", claim.id))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Claims {
        load("r1-aqa-claims.json", None).unwrap()
    }

    #[test]
    fn every_number_is_the_printed_text_and_the_sources_are_there() {
        let file = file();
        assert_eq!(file.claims.iter().filter(|c| c.table == "paper").count(), 13);
        assert_eq!(file.claims.iter().filter(|c| c.table == "readme" && c.split == "test-mini").count(), 14);
        assert_eq!(file.claims.iter().filter(|c| c.split == "test").count(), 10);
        for claim in &file.claims {
            for column in COLUMNS {
                let text = claim.cell(column).unwrap();
                let (whole, decimals) = text.split_once('.').unwrap();
                assert!(whole.len() == 2 && decimals.len() == 2, "{}: {text}", claim.id);
            }
        }
        let grpo = file.claims.iter().find(|c| c.id == "paper-grpo-2").unwrap();
        let printed = [&grpo.sound, &grpo.music, &grpo.speech, &grpo.average];
        assert_eq!(printed, ["69.37", "66.77", "57.36", "64.50"]);
        assert_eq!(file.versions["test-mini"].len(), 2);
        assert!(file.versions["test"].is_empty(), "no hash of the test split is known");
    }

    #[test]
    fn the_authors_grpo_rows_are_counts_that_add_up() {
        let file = file();
        let counts = |id: &str, counts: [u64; 4]| {
            let claim = file.claims.iter().find(|c| c.id == id).unwrap();
            for (column, count) in COLUMNS.into_iter().zip(counts) {
                let total = file.total(claim, column).unwrap();
                assert_eq!(claim.cell(column).unwrap(), format!("{:.2}", 100.0 * count as f64 / total as f64), "{id}");
            }
            assert_eq!(counts[..3].iter().sum::<u64>(), counts[3], "{id}");
        };
        counts("paper-grpo-2", [231, 223, 191, 645]);
        counts("readme-grpo-1", [231, 223, 191, 645]);
        counts("paper-grpo-3", [222, 210, 179, 611]);
        counts("readme-grpo-2", [229, 215, 212, 656]);
        counts("readme-zero-shot-cot", [206, 188, 184, 578]);
    }

    #[test]
    fn rows_that_are_the_same_print_the_same() {
        let file = file();
        for claim in file.claims.iter().filter(|c| c.same_as.is_some()) {
            let other = file.claims.iter().find(|c| Some(&c.id) == claim.same_as.as_ref()).unwrap();
            assert!(other.same_as.is_none());
            COLUMNS.iter().for_each(|column| assert_eq!(claim.cell(column), other.cell(column), "{}", claim.id));
        }
    }

    #[test]
    fn unknown_files_and_contradictions_are_named() {
        assert!(load("none.json", None).unwrap_err().to_string().contains("r1-aqa-claims.json"));
        let dir = tempfile::tempdir().unwrap();
        let run = RunFolder::new(dir.path());
        let mut own = file();
        own.claims[1].id = own.claims[0].id.clone();
        crate::artifact::write::create_json(&run.claims("own.json"), &own).unwrap();
        let error = load("own.json", Some(&run)).unwrap_err().to_string();
        assert_eq!(error, "own.json: claim paper-human: its id is there twice");
    }
}
