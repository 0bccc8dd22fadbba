//! `claims`: what cannot be in claim files. And the files that a recipe names: kept with the run that is reported against them, and checked
//! before anything is computed.

use super::{Format, pretty, print};
use crate::artifact::layout::RunFolder;
use crate::artifact::write;
use crate::error::{Context, Error, Result};
use crate::recipe::Recipe;
use crate::report::claims::{self, Claims, lint, show};
use crate::text::nearest;
use std::path::Path;

/// Prints the findings of a claims file, of every shipped one without a name.
pub(super) fn run(file: Option<&Path>, format: Format) -> Result<()> {
    let files: Vec<(String, Claims)> = match file {
        Some(path) => vec![(path.display().to_string(), claims::open(path)?)],
        None => claims::all_shipped()?.into_iter().map(|(name, claims)| (name.to_owned(), claims)).collect(),
    };
    let found = files.iter().map(|(name, file)| (name, file, lint::lint(file)));
    match format {
        Format::Text => {
            let texts: Vec<String> = found.map(|(name, file, findings)| show::text(name, file, &findings)).collect();
            print(&texts.join("\n"))
        }
        Format::Json => {
            let files = found.map(|(name, file, findings)| {
                serde_json::json!({"file": name, "name": file.name, "rows": file.claims.len(), "findings": findings})
            });
            print(&pretty(&files.collect::<Vec<_>>())?)
        }
    }
}

/// Copies the claim files into the run folder. One that is not where the recipe says must be a shipped one.
///
/// # Errors
/// Exit code 2: a file that is not there and not shipped, two of one name, or an expected claim that none of them has. Exit
/// code 4: a file that cannot be read or holds no claims.
pub(super) fn keep(recipe: &Recipe, folder: &RunFolder) -> Result<()> {
    let (mut names, mut ids) = (Vec::new(), Vec::new());
    for path in &recipe.report.claims {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if names.contains(&name) {
            let two = "two claim files of that name: rename one";
            return Err(Error::request(format!("{}: report.claims: {name}: {two}", recipe.path.display())));
        }
        if path.is_file() {
            let bytes = std::fs::read(path).inputs(|| format!("cannot read {}", path.display()))?;
            write::replace(&folder.claims(&name), &bytes)?;
        }
        ids.extend(claims::load(&name, Some(folder))?.claims.into_iter().map(|claim| claim.id));
        names.push(name);
    }
    for expect in &recipe.report.expect {
        if !ids.contains(&expect.claim) {
            let near = nearest(&expect.claim, ids.iter().map(String::as_str));
            let hint = near.map_or_else(|| format!("there are {}", ids.join(", ")), |id| format!("did you mean {id}?"));
            return Err(Error::request(format!(
                "{}: report.expect: eval {}: expected a claim of {}, found {:?} ({hint})",
                recipe.path.display(),
                expect.eval,
                if names.is_empty() { "report.claims, which is empty".to_owned() } else { names.join(", ") },
                expect.claim
            )));
        }
    }
    Ok(())
}
