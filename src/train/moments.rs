//! AdamW's moments: float32, or 8 bits in blocks of 256 that share a scale, which is not exact.
//!
//! The first moment is kept by the square root of its size (127 steps a sign), the second by its fourth root (255 steps), rounded up: small entries of
//! a block keep some of their digits, and no second moment that is above 0 becomes 0, which would make a step of any length.

use crate::plan::memory::MOMENT_BLOCK;
use tch::{Device, Kind, Tensor};

/// Entries that share a scale.
const BLOCK: i64 = MOMENT_BLOCK as i64;

/// Which moment it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The mean of gradients: of either sign.
    First,
    /// The mean of their squares.
    Second,
}

/// One moment of one parameter, `[n]`.
#[derive(Debug)]
pub enum Moment {
    /// In the kind that the step computes in.
    Wide(Tensor),
    /// Codes `[n]` (int8, or uint8 for the second) and the largest size of each block, float32.
    Coded {
        /// Which moment.
        order: Order,
        /// Codes.
        codes: Tensor,
        /// Scales.
        scales: Tensor,
    },
}

impl Moment {
    /// Zeros.
    pub fn wide(n: i64, kind: Kind, device: Device) -> Self {
        Self::Wide(Tensor::zeros([n], (kind, device)))
    }

    /// Zeros, in 8 bits.
    pub fn coded(order: Order, n: i64, device: Device) -> Self {
        let kind = if order == Order::First { Kind::Int8 } else { Kind::Uint8 };
        let scales = Tensor::zeros([(n + BLOCK - 1) / BLOCK], (Kind::Float, device));
        Self::Coded { order, codes: Tensor::zeros([n], (kind, device)), scales }
    }

    /// `len` entries from `at`, a multiple of [`MOMENT_BLOCK`]: a view that may be changed in place, or numbers made of codes.
    pub fn load(&self, at: i64, len: i64) -> Tensor {
        match self {
            Self::Wide(values) => values.narrow(0, at, len),
            Self::Coded { order, codes, scales } => {
                let codes = blocks(&codes.narrow(0, at, len).to_kind(Kind::Float));
                let scales = scales.narrow(0, at / BLOCK, codes.size()[0]).unsqueeze(1);
                let values = match order {
                    Order::First => (&codes * codes.abs()) / (127.0 * 127.0),
                    Order::Second => (codes / 255.0).square().square(),
                };
                (values * scales).view([-1]).narrow(0, 0, len)
            }
        }
    }

    /// Takes entries from `at` on; what [`Moment::load`] gave of wide ones is there already.
    pub fn store(&mut self, at: i64, values: &Tensor) {
        let Self::Coded { order, codes, scales } = self else { return };
        let rows = blocks(values);
        let most = rows.abs().amax([1i64].as_slice(), true);
        // A block of zeros has codes 0 whatever it is divided by.
        let part = &rows / most.clamp_min(f64::from(f32::MIN_POSITIVE));
        let coded = match order {
            Order::First => part.sign() * (part.abs().sqrt() * 127.0).round(),
            Order::Second => (part.sqrt().sqrt() * 255.0).ceil().clamp_max(255.0),
        };
        let len = values.size()[0];
        codes.narrow(0, at, len).copy_(&coded.view([-1]).narrow(0, 0, len));
        scales.narrow(0, at / BLOCK, most.size()[0]).copy_(&most.squeeze_dim(1));
    }

    /// For a resume: its tensors by the ends of their names.
    pub fn state(&self) -> Vec<(&'static str, Tensor)> {
        match self {
            Self::Wide(values) => vec![("", values.shallow_clone())],
            Self::Coded { codes, scales, .. } => {
                vec![(".codes", codes.shallow_clone()), (".scales", scales.shallow_clone())]
            }
        }
    }
}

/// `[n]` to `[blocks, BLOCK]`, filled with zeros.
fn blocks(values: &Tensor) -> Tensor {
    let missing = (BLOCK - values.size()[0] % BLOCK) % BLOCK;
    let whole = if missing == 0 { values.shallow_clone() } else { values.constant_pad_nd([0, missing]) };
    whole.view([-1, BLOCK])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds::Key;

    /// Sizes over nine decades, as moments have within a block; errors as the steps of the codes allow.
    #[test]
    fn codes_are_near_and_second_moments_are_never_less_nor_zero() {
        let (key, n) = (Key::derive(1, "moments", &[]), 1000);
        let values: Vec<f32> = (0..n).map(|i| (key.normal(i, 0) * (-20.0 * key.uniform(i, 1)).exp()) as f32).collect();
        let values = Tensor::from_slice(&values);
        for (order, values) in [(Order::First, values.shallow_clone()), (Order::Second, values.square())] {
            let mut moment = Moment::coded(order, n as i64, Device::Cpu);
            assert_eq!(moment.load(0, n as i64).abs().max().double_value(&[]), 0.0);
            moment.store(0, &values);
            let back = moment.load(0, n as i64);
            let largest = blocks(&values).abs().amax([1i64].as_slice(), true).expand([4, BLOCK], false);
            let part = (blocks(&values) / &largest).abs();
            let error = (blocks(&back) - blocks(&values)) / &largest;
            // The slope of the code's inverse times half a step, or a whole one where codes are rounded up.
            let allowed = match order {
                Order::First => part.sqrt() / 127.0 + 1.0 / (127.0 * 127.0),
                Order::Second => ((part.sqrt().sqrt() + 1.0 / 255.0).square().square()) - &part + 1e-6,
            };
            assert_eq!(error.abs().gt_tensor(&allowed).any().int64_value(&[]), 0, "{order:?}");
            if order == Order::Second {
                assert!(error.min().double_value(&[]) >= -1e-6);
                assert_eq!(values.gt(0.0).logical_and(&back.le(0.0)).any().int64_value(&[]), 0);
            }
        }
    }
}
