//! `fetch`, `lock` and `compare --locks`: inputs from elsewhere, what they resolved to, and how two resolutions differ.

use super::{Format, RecipeArgs, plan, pretty, print};
use crate::error::{Error, Result};
use crate::fetch::{Fetcher, Settings};
use crate::lock::{self, Lock};
use crate::plan::{self as planning, Look, Plan};
use crate::progress::say;
use crate::recipe::Recipe;
use std::fmt::Write;
use std::path::Path;

/// Gets what is missing, and says where everything is.
pub(super) fn fetch(args: &RecipeArgs, again: bool) -> Result<()> {
    let (recipe, plan, _) = plan::load(args)?;
    let fetcher = Fetcher::new(Settings { refetch: again, ..Settings::from_env()? });
    let got = planning::fetch(&plan, &fetcher)?;
    let mut text = String::new();
    for (what, path) in &got {
        let _ = writeln!(text, "{what}: {}", path.display());
    }
    if got.is_empty() {
        let _ = writeln!(text, "recipe {} takes no input from elsewhere: there is nothing to fetch", recipe.name);
    }
    print(&text)
}

/// Fetches what is not here yet, and holds everything against the lock, where there is one.
pub(super) fn bring(recipe: &Recipe, plan: &Plan) -> Result<()> {
    let missing = planning::inputs(plan, Look::Quick)?.into_iter().any(|input| input.to_fetch.is_some());
    if missing {
        planning::fetch(plan, &Fetcher::from_env()?)?;
    }
    match Lock::of(&recipe.path, &recipe.name)? {
        Some(lock) => lock::check(plan, &lock),
        None => Ok(()),
    }
}

/// Writes the lock of a recipe, or says what would change. `again`: what the cache has without a pin is asked for anew.
pub(super) fn lock(args: &RecipeArgs, again: bool) -> Result<()> {
    let places = |set: &String| set.starts_with("data.dir=") || set.starts_with("data.sets.");
    if args.limit.is_some() || !args.sets.iter().all(places) {
        let way_out = "it is about the recipe as it is; --set may only say where its data are (data.dir, data.sets)";
        return Err(Error::request(format!("lock: takes no --limit and no such --set ({way_out})")));
    }
    let recipe = crate::recipe::load(&args.recipe, &args.sets)?;
    let plan = planning::build(&recipe, None)?;
    let before = Lock::of(&recipe.path, &recipe.name)?;
    let lock = lock::make(&plan, &Fetcher::new(Settings { refetch: again, ..Settings::from_env()? }))?;
    if let Some(before) = &before {
        let differences = lock::differ(before, &lock)?;
        if differences.is_empty() {
            return print(&format!("{}: unchanged\n", lock::path(&recipe.path).display()));
        }
        say(format_args!("{} pins differ from the lock that was there:", differences.len()));
        say(text(&differences).trim_end());
    }
    let files: usize = lock.inputs.values().map(|input| input.files.len()).sum();
    let path = lock.save(&recipe.path)?;
    print(&format!("{}: {} inputs, {files} files\n", path.display(), lock.inputs.len()))
}

/// Which pins of two locks differ; exit code 3 when any does.
pub(super) fn compare(a: &Path, b: &Path, format: Format) -> Result<()> {
    let (one, other) = (Lock::load(a)?, Lock::load(b)?);
    let differences = lock::differ(&one, &other)?;
    match format {
        Format::Json => print(&pretty(&differences)?)?,
        Format::Text if differences.is_empty() => print("the same pins\n")?,
        Format::Text => print(&text(&differences))?,
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::difference(format!("{} pins differ between {} and {}", differences.len(), a.display(), b.display())))
}

fn text(differences: &[lock::Difference]) -> String {
    let mut out = String::new();
    for lock::Difference { what, a, b } in differences {
        let or_none = |pin: &Option<String>| pin.clone().unwrap_or_else(|| "none".to_owned());
        let _ = writeln!(out, "{what}: {} → {}", or_none(a), or_none(b));
    }
    out
}
