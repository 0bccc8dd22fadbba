//! Claims: numbers that a paper printed, kept as the text that was printed.

use crate::artifact::RunFolder;
use crate::artifact::read;
use crate::error::{Context, Error, Result};
use crate::pins::Sha256;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Claim files that are part of the program, by file name.
const SHIPPED: [(&str, &str); 1] = [("r1-aqa-claims.json", include_str!("../../recipes/data/r1-aqa-claims.json"))];

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
    /// As printed.
    pub sound: String,
    /// As printed.
    pub music: String,
    /// As printed.
    pub speech: String,
    /// As printed.
    pub average: String,
    /// A key of [`Claims::origins`].
    pub origin: String,
    /// What is wrong or particular about it, in our words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The id of a row that prints the same model with the same numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
}

impl Claim {
    /// The printed text for `sound`, `music`, `speech` or `average`.
    pub fn cell(&self, column: &str) -> Option<&str> {
        match column {
            "sound" => Some(&self.sound),
            "music" => Some(&self.music),
            "speech" => Some(&self.speech),
            "average" => Some(&self.average),
            _ => None,
        }
    }
}

/// Whether `correct / total` in percent can have been printed as `text`: rounded to the decimals that `text` has.
pub fn possible(text: &str, total: u64) -> bool {
    let Ok(value) = text.parse::<f64>() else { return false };
    let decimals = text.split_once('.').map_or(0, |(_, d)| d.len());
    let nearest = (value * total as f64 / 100.0).round();
    (-1..=1).any(|step| {
        let count = nearest + f64::from(step);
        count >= 0.0 && count <= total as f64 && format!("{:.decimals$}", 100.0 * count / total as f64) == text
    })
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
        return Err(Error::request(format!(
            "claims {name}: not in the run's claims folder, and not shipped ({known})"
        )));
    };
    serde_json::from_str(text).internal(|| format!("recipes/data/{name}"))
}

fn check(file: &Claims) -> Result<()> {
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
        for (column, text) in ["sound", "music", "speech", "average"].map(|c| (c, claim.cell(c).unwrap_or_default())) {
            if text.parse::<f64>().is_err() {
                return bad(format!("{column}: expected a number as printed, found {text:?}"));
            }
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

    const TOTALS: [(&str, u64); 4] = [("sound", 333), ("music", 334), ("speech", 333), ("average", 1000)];

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
            for (column, _) in TOTALS {
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
            for ((column, total), count) in TOTALS.into_iter().zip(counts) {
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
    fn every_impossible_number_has_a_note_and_the_known_ones_are_found() {
        let mut impossible = Vec::new();
        // People were not asked every question, so the human row need not be a count of all.
        for claim in file().claims.iter().filter(|c| c.split == "test-mini" && !c.id.ends_with("human")) {
            for (column, total) in TOTALS {
                let text = claim.cell(column).unwrap();
                if !possible(text, total) {
                    assert!(
                        claim.note.as_ref().is_some_and(|n| n.contains(text) || n.contains("figures of")),
                        "{}: {text}",
                        claim.id
                    );
                    impossible.push(format!("{} {text}", claim.id));
                }
            }
        }
        for known in ["paper-qwen2-audio 50.98", "readme-llama3-strong-cap 48.93", "paper-audio-reasoner 61.71"] {
            assert!(impossible.iter().any(|i| i == known), "{known} in {impossible:?}");
        }
        assert!(possible("69.37", 333) && !possible("50.98", 334) && possible("0.00", 333) && possible("100.00", 333));
        assert!(!possible("100.30", 333) && !possible("-", 333));
    }

    #[test]
    fn rows_that_are_the_same_print_the_same() {
        let file = file();
        for claim in file.claims.iter().filter(|c| c.same_as.is_some()) {
            let other = file.claims.iter().find(|c| Some(&c.id) == claim.same_as.as_ref()).unwrap();
            assert!(other.same_as.is_none());
            TOTALS.iter().for_each(|(column, _)| assert_eq!(claim.cell(column), other.cell(column), "{}", claim.id));
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
