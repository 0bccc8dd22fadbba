//! `doctor`: what this machine has, in a form to paste into an issue.

use super::{DoctorArgs, print};
use crate::error::Result;
use std::fmt::Write;

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
    let cache = std::env::var("AQA_CACHE")
        .map_or_else(|_| "~/.cache/aqa-bench (AQA_CACHE moves it)".into(), |c| format!("{c} (AQA_CACHE)"));
    let _ = writeln!(out, "cache      {cache}");
    print(&out)
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
