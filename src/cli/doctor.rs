//! `doctor`: what this machine has, in a form to paste into an issue.

use super::{DoctorArgs, print};
use crate::error::Result;
use crate::fetch::{CacheState, Settings};
use crate::text;
use indicatif::DecimalBytes;
use std::fmt::Write;

/// What moves the caches or forbids requests. Those that hold a token or an address with a password in it are not among them.
const VARIABLES: [&str; 7] = [
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "XDG_CACHE_HOME",
    "AQA_CACHE",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
];
/// Folders of a cache that are shown; the rest is in its sum.
const SHOWN: usize = 12;

pub(super) fn run(args: &DoctorArgs) -> Result<()> {
    #[cfg(feature = "torch")]
    if let Some(model) = &args.model {
        return super::hearing::run(model, args);
    }
    #[cfg(not(feature = "torch"))]
    if args.model.is_some() {
        return Err(super::no_engine());
    }
    let mut out = format!("aqa-bench  {} ({})\n", env!("CARGO_PKG_VERSION"), env!("AQA_COMMIT"));
    engine(&mut out);
    let threads = std::thread::available_parallelism().map_or_else(|e| e.to_string(), |n| n.to_string());
    let _ = writeln!(out, "cores      {threads}");
    let _ = writeln!(out, "memory     {}", memory().unwrap_or_else(|| "unknown (no /proc/meminfo)".into()));
    match Settings::from_env() {
        Ok(settings) => inputs(&mut out, &settings),
        // What this machine is does not depend on it.
        Err(e) => _ = writeln!(out, "inputs     cannot be fetched: {e}"),
    }
    print(&out)
}

/// Where inputs come from and go to.
fn inputs(out: &mut String, settings: &Settings) {
    let network = if settings.offline { "offline: no request is made" } else { "online" };
    let token = if settings.token.is_some() { "a token is set, which is not shown" } else { "no token" };
    let _ = writeln!(out, "hub        {} ({network}; {token})", settings.endpoint);
    let set = VARIABLES.iter().filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)));
    let set: Vec<String> = set.collect();
    let set = if set.is_empty() { "none that concerns the caches".to_owned() } else { set.join(", ") };
    let _ = writeln!(out, "variables  {set}");
    cache(out, "hub cache", "HF_HOME or HF_HUB_CACHE", settings.hub_state());
    cache(out, "cache", "AQA_CACHE", settings.own_state());
}

/// A cache, the largest of its folders below it.
fn cache(out: &mut String, what: &str, moves: &str, state: Result<CacheState>) {
    let state = match state {
        Ok(state) => state,
        Err(e) => {
            let _ = writeln!(out, "{what:<10} {e}");
            return;
        }
    };
    let (path, free) = (state.path.display(), DecimalBytes(state.free));
    let there = match state.held.files {
        0 if !state.path.is_dir() => "not there yet".to_owned(),
        files => format!("{} in {}", DecimalBytes(state.held.bytes), text::count(files, "file")),
    };
    let _ = writeln!(out, "{what:<10} {path}: {there}, {free} free there ({moves} moves it)");
    let mut folders = state.folders;
    folders.sort_by_key(|(_, held)| std::cmp::Reverse(held.bytes));
    for (name, held) in folders.iter().take(SHOWN) {
        let (name, files) = (name.replace("--", "/"), text::count(held.files, "file"));
        let _ = writeln!(out, "           {}, {files}  {name}", DecimalBytes(held.bytes));
    }
    if folders.len() > SHOWN {
        let _ = writeln!(out, "           and {} more folders", folders.len() - SHOWN);
    }
}

#[cfg(feature = "torch")]
fn engine(out: &mut String) {
    use tch::Cuda;
    let _ = writeln!(out, "libtorch   {} from {}", env!("AQA_LIBTORCH"), env!("AQA_LIBTORCH_DIR"));
    let built = format!("built for {}", env!("AQA_LIBTORCH_FOR"));
    let _ = writeln!(out, "cuda       {built}, {} devices", Cuda::device_count());
}

#[cfg(not(feature = "torch"))]
fn engine(out: &mut String) {
    out.push_str("libtorch   none: this build has no engine (recipes, scores, reports and checks work)\n");
}

/// Total and available memory of a Linux machine.
fn memory() -> Option<String> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let gib = |key: &str| {
        let line = text.lines().find(|l| l.starts_with(key))?;
        let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib / f64::from(1 << 20))
    };
    Some(format!("{:.1} GiB, {:.1} GiB free", gib("MemTotal:")?, gib("MemAvailable:")?))
}
