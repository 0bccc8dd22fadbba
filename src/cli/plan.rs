//! `plan` and `verify`: what would be done, and whether the inputs are what was pinned.

use super::{Format, RecipeArgs, bundle, pretty, print};
use crate::error::{Error, Result};
use crate::lock::{self, Lock};
use crate::plan::memory::Capacity;
use crate::plan::{self, Plan};
use crate::progress::say;
use crate::recipe::{self, Recipe};
use std::fmt::Write;
use std::path::PathBuf;

/// The recipe, completed by its lock where there is one, its plan and its run folder.
pub(super) fn load(args: &RecipeArgs) -> Result<(Recipe, Plan, PathBuf)> {
    let mut recipe = recipe::load(&args.recipe, &args.sets)?;
    if let Some(lock) = Lock::of(&recipe.path, &recipe.name)? {
        lock::complete(&mut recipe, &lock)?;
    }
    let plan = plan::build(&recipe, args.limit.map(|n| n as usize))?;
    let run = args.run_dir.clone().unwrap_or_else(|| PathBuf::from("runs").join(&recipe.name));
    Ok((recipe, plan, run))
}

pub(super) fn plan(args: &RecipeArgs, memory: Option<&str>, format: Format) -> Result<()> {
    let capacity = match memory {
        Some("here") => Some(super::memory::here()),
        Some(size) => Some(Capacity::Apart { device: Some(bytes(size)?), host: None }),
        None => None,
    };
    let (_, plan, run) = load(args)?;
    match format {
        Format::Text => print(&plan.to_text(&run, capacity.as_ref())?),
        Format::Json => print(&pretty(&plan.to_json(&run, capacity.as_ref())?)?),
    }
}

/// A size of memory: a number with B, kB, MB, GB (powers of ten), KiB, MiB, GiB (powers of two) behind it.
fn bytes(text: &str) -> Result<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let factor = match text[digits..].trim() {
        "B" => Some(1.0),
        "kB" | "KB" => Some(1e3),
        "MB" => Some(1e6),
        "GB" => Some(1e9),
        "KiB" => Some(f64::from(1 << 10)),
        "MiB" => Some(f64::from(1 << 20)),
        "GiB" => Some(f64::from(1 << 30)),
        _ => None,
    };
    let size = text[..digits].parse::<f64>().ok().zip(factor).map(|(number, factor)| number * factor);
    let size = size.filter(|size| *size >= 1.0 && *size < 1e18);
    size.map(|size| size as u64).ok_or_else(|| {
        Error::request(format!("--memory: expected `here` or a size such as 80GB or 139GiB, found {text:?}"))
    })
}

pub(super) fn verify(args: &RecipeArgs, format: Format) -> Result<()> {
    if bundle::is_bundle(&args.recipe)? {
        return bundle::verify(args, format);
    }
    let (recipe, plan, _) = load(args)?;
    let inputs = plan::inputs(&plan, plan::Look::Whole)?;
    match format {
        Format::Json => print(&pretty(&inputs)?)?,
        Format::Text => {
            let mut text = String::new();
            for input in inputs.iter().filter(|i| i.problem.is_none()) {
                let state = if input.pin.is_empty() { "found (not pinned)" } else { "as pinned" };
                let _ = writeln!(text, "{state}: {}: {} {}", input.what, input.at, input.pin);
            }
            if inputs.is_empty() {
                let _ = writeln!(
                    text,
                    "recipe {} takes no input from outside: everything is made from its seeds",
                    recipe.name
                );
            }
            if !text.is_empty() {
                print(&text)?;
            }
        }
    }
    let wrong = inputs.iter().filter_map(|i| i.problem.as_ref().map(|p| format!("{}: {}: {p}", i.what, i.at)));
    let wrong: Vec<String> = wrong.collect();
    if !wrong.is_empty() {
        return Err(Error::inputs(wrong.join("\n")));
    }
    match Lock::of(&recipe.path, &recipe.name)? {
        Some(lock) => {
            lock::check(&plan, &lock)?;
            say(format_args!("every file is the one in {}", lock::path(&recipe.path).display()));
        }
        None => say(format_args!("no lock beside {} (aqa-bench lock makes one)", recipe.path.display())),
    }
    Ok(())
}
