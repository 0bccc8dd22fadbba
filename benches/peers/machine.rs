//! What the machine can do, and what this process took of it.

use super::inputs::number;
use super::place::Place;
use aqa_bench::error::{Context, Error, Result};
use aqa_bench::model::params::kind;
use aqa_bench::native::device_memory;
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Instant;
use tch::{Kind, Tensor};

/// Both pools of threads, libtorch's and rayon's, get so many.
pub fn use_threads(threads: &str) -> Result<()> {
    let count = threads.parse().ok().filter(|n| *n > 0);
    let count: usize =
        count.ok_or_else(|| Error::request(format!("expected a number of threads, found {threads:?}")))?;
    tch::set_num_threads(count as i32);
    rayon::ThreadPoolBuilder::new().num_threads(count).build_global().internal(|| "cannot set rayon's threads".into())
}

/// Resident memory of this process in bytes: now, and at its highest since the process began. Of a GPU what tensors had and what the allocator held, each at
/// its highest.
pub fn memory(place: Place) -> Result<Value> {
    let status = std::fs::read_to_string("/proc/self/status").internal(|| "cannot read /proc/self/status".into())?;
    let bytes = |key: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    };
    match (bytes("VmRSS"), bytes("VmHWM")) {
        (Some(now), Some(peak)) => {
            let device = device_memory(place.device).map(|m| json!({"used": m.used, "held": m.held}));
            Ok(json!({"now": now, "peak": peak, "device": device}))
        }
        _ => Err(Error::internal("/proc/self/status: expected VmRSS and VmHWM")),
    }
}

/// Has the device do a little of everything, so that what it needs for itself is there.
pub fn touch(place: Place) -> Result<Value> {
    let one = Tensor::ones([256, 256], (kind(place.dtype), place.device));
    let _ = black_box(one.matmul(&one).softmax(-1, Kind::Float).double_value(&[0, 0]));
    memory(place)
}

/// Float operations a second of a product `[rows, inner] x [inner, columns]` in the model's number type, as a layer of the model computes it, and bytes a second
/// of reading, and of copying (bytes read and bytes written), a tensor far larger than the caches. Each is the best of several tries: what the machine
/// can do, not what it does on average.
pub fn throughput(request: &Value, place: Place) -> Result<Value> {
    let [rows, inner, columns] = ["rows", "inner", "columns"].map(|key| number(request, key).map(|n| n as i64));
    let (rows, inner, columns) = (rows?, inner?, columns?);
    let noise = |shape: &[i64]| Tensor::rand(shape, (Kind::Float, place.device)).to_kind(kind(place.dtype));
    let (a, b) = (noise(&[rows, inner]), noise(&[columns, inner]).tr());
    let product = best(place, 40, || _ = black_box(a.matmul(&b)));
    // A GPU reads 256 MiB in the time that some launches take.
    let floats = if place.device.is_cuda() { 1 << 30 } else { 64 << 20 };
    let large = Tensor::ones([floats], (Kind::Float, place.device));
    let read = best(place, 10, || _ = black_box(large.sum(Kind::Float)));
    let mut other = large.empty_like();
    let copy = best(place, 10, || other.copy_(&large));
    Ok(json!({
        "flops": (2 * rows * inner * columns) as f64 / product,
        "bytes": (large.numel() * 4) as f64 / read,
        "copied": (2 * large.numel() * 4) as f64 / copy,
    }))
}

/// The least seconds of several tries.
fn best(place: Place, tries: usize, mut work: impl FnMut()) -> f64 {
    let one = |_| {
        place.finish();
        let started = Instant::now();
        work();
        place.finish();
        started.elapsed().as_secs_f64()
    };
    (0..tries).map(one).fold(f64::INFINITY, f64::min)
}
