//! Devices by the names that users give them.

use crate::error::{Error, Result};
use tch::{Cuda, Device};

/// `cpu`, `cuda` or `cuda:N`, when the machine has it.
///
/// # Errors
/// Exit code 2 for another name, or a device that is not there.
pub fn parse(name: &str) -> Result<Device> {
    let index = match name {
        "cpu" => return Ok(Device::Cpu),
        "cuda" => Some(0),
        other => other.strip_prefix("cuda:").and_then(|n| n.parse::<usize>().ok()),
    };
    let index =
        index.ok_or_else(|| Error::request(format!("--device: expected cpu, cuda or cuda:N, found {name:?}")))?;
    if !Cuda::is_available() {
        let hint = if env!("AQA_LIBTORCH_FOR") == "CUDA" {
            "it is built for CUDA: install NVIDIA's driver, see nvidia-smi, or use --device cpu"
        } else {
            "build against the CUDA libraries with `DEVICE=cuda make build` on a machine with an NVIDIA driver, or use --device cpu"
        };
        return Err(Error::request(format!("--device {name}: this program finds no CUDA device ({hint})")));
    }
    let found = Cuda::device_count();
    if index as i64 >= found {
        return Err(Error::request(format!("--device {name}: this machine has {found} CUDA devices, numbered from 0")));
    }
    Ok(Device::Cuda(index))
}

/// For the manifest.
pub(super) fn describe(device: Device) -> String {
    match device {
        Device::Cuda(n) => format!("cuda:{n}"),
        _ => "cpu".into(),
    }
}

/// Cores of this machine.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
