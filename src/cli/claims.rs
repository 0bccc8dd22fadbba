//! The claim files that a recipe names: kept with the run that is reported against them, and checked before anything is computed.

use crate::artifact::layout::RunFolder;
use crate::artifact::write;
use crate::error::{Context, Error, Result};
use crate::recipe::Recipe;
use crate::report::claims;
use crate::text::nearest;

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
