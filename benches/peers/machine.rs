//! What the machine can do, and what this process took of it.

use super::inputs::number;
use aqa_bench::error::{Context, Error, Result};
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Instant;
use tch::{Device, Kind, Tensor};

/// Both pools of threads, libtorch's and rayon's, get so many.
pub fn use_threads(threads: &str) -> Result<()> {
    let count = threads.parse().ok().filter(|n| *n > 0);
    let count: usize =
        count.ok_or_else(|| Error::request(format!("expected a number of threads, found {threads:?}")))?;
    tch::set_num_threads(count as i32);
    rayon::ThreadPoolBuilder::new().num_threads(count).build_global().internal(|| "cannot set rayon's threads".into())
}

/// Resident memory of this process in bytes: now, and at its highest since the process began.
pub fn memory() -> Result<Value> {
    let status = std::fs::read_to_string("/proc/self/status").internal(|| "cannot read /proc/self/status".into())?;
    let bytes = |key: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    };
    match (bytes("VmRSS"), bytes("VmHWM")) {
        (Some(now), Some(peak)) => Ok(json!({"now": now, "peak": peak})),
        _ => Err(Error::internal("/proc/self/status: expected VmRSS and VmHWM")),
    }
}

/// Float operations a second of a product `[rows, inner] x [inner, columns]` in float32, as a layer of the model computes it, and bytes a second of
/// reading a tensor far larger than the caches. Each is the best of several tries: what the machine can do, not what it does on average.
pub fn throughput(request: &Value) -> Result<Value> {
    let [rows, inner, columns] = ["rows", "inner", "columns"].map(|key| number(request, key).map(|n| n as i64));
    let (rows, inner, columns) = (rows?, inner?, columns?);
    let noise = |shape: &[i64]| Tensor::rand(shape, (Kind::Float, Device::Cpu));
    let (a, b) = (noise(&[rows, inner]), noise(&[columns, inner]).tr());
    let product = best(40, || _ = black_box(a.matmul(&b)));
    let large = Tensor::ones([64 << 20], (Kind::Float, Device::Cpu));
    let read = best(10, || _ = black_box(large.sum(Kind::Float)));
    Ok(json!({
        "flops": (2 * rows * inner * columns) as f64 / product,
        "bytes": (large.numel() * 4) as f64 / read,
    }))
}

/// The least seconds of several tries.
fn best(tries: usize, mut work: impl FnMut()) -> f64 {
    let one = |_| {
        let started = Instant::now();
        work();
        started.elapsed().as_secs_f64()
    };
    (0..tries).map(one).fold(f64::INFINITY, f64::min)
}
