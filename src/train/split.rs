//! A float32 number in two halves: the bfloat16 weight that the model computes with, and 16 bits that it lacks.
//!
//! The weight is the float32 number rounded to nearest, ties to even, as a copy to bfloat16 rounds, so its bits times 2^16 are at most 2^15 away from the
//! number's. That distance fits 16 signed bits but for one value: +2^15, a tie that was rounded down, takes the code of -2^15, a tie that was rounded up,
//! and both round to an even weight. One number in 131 072 is such a tie; their places are kept beside the halves, so nothing is lost.

use tch::{Device, Kind, Tensor};

/// What bfloat16 weights lack of float32 ones. Exact for every number that is not NaN.
#[derive(Debug)]
pub struct Split {
    /// `[n]`, int16.
    low: Tensor,
    /// Places of ties that were rounded down, by the piece they were stored with.
    ties: Vec<Tensor>,
    piece: i64,
}

/// The bits of bfloat16 numbers as the upper half of 32.
fn upper(weights: &Tensor) -> Tensor {
    weights.view_dtype(Kind::Int16).to_kind(Kind::Int).bitwise_left_shift_tensor_scalar(16)
}

impl Split {
    /// For `n` weights that are float32 numbers as they stand; they are loaded and stored in pieces of `piece`.
    pub fn new(n: i64, piece: i64, device: Device) -> Self {
        let none = || Tensor::zeros([0], (Kind::Int64, device));
        let pieces = (n + piece - 1) / piece;
        Self { low: Tensor::zeros([n], (Kind::Int16, device)), ties: (0..pieces).map(|_| none()).collect(), piece }
    }

    /// The float32 numbers behind the piece of weights (`[len]`, bfloat16) that starts at `at`.
    pub fn load(&self, at: i64, weights: &Tensor) -> Tensor {
        // The weights may be on another device than what they lack: an optimizer on the host.
        let mut bits =
            upper(&weights.to_device(self.low.device())) + self.low.narrow(0, at, weights.size()[0]).to_kind(Kind::Int);
        let ties = &self.ties[(at / self.piece) as usize];
        if ties.size()[0] > 0 {
            let _ = bits.index_add_(0, ties, &Tensor::full(ties.size(), 1 << 16, (Kind::Int, bits.device())));
        }
        bits.view_dtype(Kind::Float)
    }

    /// Takes float32 numbers `[len]`: the weights become them, rounded, and what those lack is kept.
    pub fn store(&mut self, at: i64, numbers: &Tensor, weights: &mut Tensor) {
        // Rounded where the numbers are, which may be another device.
        let rounded = numbers.to_kind(weights.kind());
        weights.copy_(&rounded);
        let distance = numbers.view_dtype(Kind::Int) - upper(&rounded);
        self.ties[(at / self.piece) as usize] = distance.eq(1 << 15).nonzero().view([-1]);
        self.low.narrow(0, at, numbers.size()[0]).copy_(&distance);
    }

    /// For a resume: the low halves, and the places of ties among all `n`.
    pub fn state(&self) -> (Tensor, Tensor) {
        let ties: Vec<Tensor> = self.ties.iter().zip(0..).map(|(ties, i)| ties + i * self.piece).collect();
        (self.low.shallow_clone(), Tensor::cat(&ties, 0))
    }

    /// Takes back what [`Split::state`] gave; `None` when it is of another size.
    pub fn restore(&mut self, low: &Tensor, ties: &Tensor) -> Option<()> {
        if low.size() != self.low.size() || ties.dim() != 1 {
            return None;
        }
        self.low.copy_(low);
        let ties = ties.to_device(self.low.device());
        for (i, own) in (0i64..).zip(&mut self.ties) {
            let inside = ties.ge(i * self.piece).logical_and(&ties.lt((i + 1) * self.piece));
            *own = ties.masked_select(&inside) - i * self.piece;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds::Key;

    fn bits(numbers: &Tensor) -> Vec<i64> {
        Vec::try_from(numbers.view_dtype(Kind::Int).to_kind(Kind::Int64)).unwrap()
    }

    /// Every upper half that is a number, with low halves at and around a tie, at the ends, and drawn; in pieces that do not divide the whole.
    #[test]
    fn any_float32_comes_back_bit_for_bit_and_the_weight_is_its_rounding() {
        let key = Key::derive(1, "split", &[]);
        let mut patterns: Vec<i32> = Vec::new();
        for high in 0..=u16::MAX {
            let drawn = (key.uniform(u64::from(high), 0) * 65536.0) as u16;
            for low in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, drawn] {
                let pattern = (u32::from(high) << 16) | u32::from(low);
                if !f32::from_bits(pattern).is_nan() {
                    patterns.push(pattern as i32);
                }
            }
        }
        let n = patterns.len() as i64;
        let numbers = Tensor::from_slice(&patterns).view_dtype(Kind::Float);
        let weights = Tensor::zeros([n], (Kind::BFloat16, Device::Cpu));
        let piece = 1 << 16;
        let mut split = Split::new(n, piece, Device::Cpu);
        for at in (0..n).step_by(piece as usize) {
            let len = piece.min(n - at);
            split.store(at, &numbers.narrow(0, at, len), &mut weights.narrow(0, at, len));
        }
        assert!(weights.to_kind(Kind::Float).equal(&numbers.to_kind(Kind::BFloat16).to_kind(Kind::Float)));
        let (low, ties) = split.state();
        assert!(ties.size()[0] > 30_000, "half of the ties are rounded down");
        let mut resumed = Split::new(n, piece, Device::Cpu);
        resumed.restore(&low, &ties).unwrap();
        for split in [&split, &resumed] {
            for at in (0..n).step_by(piece as usize) {
                let len = piece.min(n - at);
                let back = split.load(at, &weights.narrow(0, at, len));
                assert_eq!(bits(&back), bits(&numbers.narrow(0, at, len)));
            }
        }
        assert!(resumed.restore(&low.narrow(0, 0, 5), &ties).is_none());
    }

    /// A bfloat16 number is a float32 number: nothing is lacking.
    #[test]
    fn fresh_weights_are_their_own_numbers() {
        let weights = Tensor::from_slice(&[0.3f32, -1.7, 0.0]).to_kind(Kind::BFloat16);
        let back = Split::new(3, 4, Device::Cpu).load(0, &weights);
        assert_eq!(bits(&back), bits(&weights.to_kind(Kind::Float)));
    }
}
