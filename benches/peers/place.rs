//! Where a worker computes, and in what number type.

use aqa_bench::cli::device;
use aqa_bench::error::{Error, Result};
use aqa_bench::recipe::Dtype;
use tch::{Cuda, Device};

/// A device and the number type of the models on it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The device.
    pub device: Device,
    /// Of weights and activations.
    pub dtype: Dtype,
}

impl Place {
    /// Float32 on the CPU.
    pub const CPU: Self = Self { device: Device::Cpu, dtype: Dtype::Float32 };

    /// By their names.
    pub fn of(device: &str, dtype: &str) -> Result<Self> {
        let dtype = match dtype {
            "float32" => Dtype::Float32,
            "bfloat16" => Dtype::Bfloat16,
            other => return Err(Error::request(format!("expected float32 or bfloat16, found {other:?}"))),
        };
        Ok(Self { device: device::parse(device)?, dtype })
    }

    /// Waits until the device has done all that it was asked: before a clock starts, and before it stops.
    pub fn finish(self) {
        if let Device::Cuda(index) = self.device {
            Cuda::synchronize(index as i64);
        }
    }
}
