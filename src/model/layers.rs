//! The small parts: linear layers, norms, rotary positions, attention. Struct fields carry the checkpoint's names.

use super::lora::Adapter;
use super::params::{Params, adjacent, wide};
use crate::error::Result;
use crate::native::{Part, grad_enabled, skinny_linear};
use tch::{Kind, Tensor};

/// `y = x Wᵀ + b`, and what the layer's adapter adds where it has one.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
    adapter: Option<Adapter>,
}

impl Linear {
    /// With weight `[out, in]` and bias `[out]`.
    pub fn with_bias(params: &Params, at: &str) -> Result<Self> {
        Ok(Self { bias: Some(params.get(&format!("{at}.bias"))?), ..Self::no_bias(params, at)? })
    }

    /// With weight `[out, in]` alone.
    pub fn no_bias(params: &Params, at: &str) -> Result<Self> {
        Ok(Self { weight: params.get(&format!("{at}.weight"))?, bias: None, adapter: params.adapter(at) })
    }

    /// A weight that is another part's: the embedding as the output head.
    pub fn tied(weight: &Tensor) -> Self {
        Self { weight: weight.shallow_clone(), bias: None, adapter: None }
    }

    /// `[…, in]` to `[…, out]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.adapted(x.linear(&self.weight, self.bias.as_ref()), x)
    }

    /// The same for decoding: a few rows, without gradient. It may round otherwise than [`Linear::forward`].
    pub fn few(&self, x: &Tensor) -> Tensor {
        skinny_linear(x, &[self.part()]).map_or_else(|| self.forward(x), |y| self.adapted(y, x))
    }

    fn part(&self) -> Part<'_> {
        Part { weight: &self.weight, bias: self.bias.as_ref() }
    }

    /// `y`, the layer's output for `x`, with what the adapter adds.
    fn adapted(&self, y: Tensor, x: &Tensor) -> Tensor {
        match &self.adapter {
            Some(adapter) => adapter.add_to(&y, x),
            None => y,
        }
    }
}

/// Linear layers with one input, computed as one product where that is possible: their weights lie side by side in one tensor (see
/// [`Params::packed`]) and no gradient is wanted, or the product is one of few rows on the CPU.
#[derive(Debug)]
pub struct Joined<const N: usize> {
    layers: [Linear; N],
    /// Width of each output.
    widths: [i64; N],
    /// All weights as one `[sum of out, in]`, and all biases.
    whole: Option<(Tensor, Option<Tensor>)>,
}

impl<const N: usize> Joined<N> {
    /// Over layers that all take the same input.
    pub fn new(layers: [Linear; N]) -> Self {
        let widths = layers.each_ref().map(|layer| layer.weight.size()[0]);
        let biases: Vec<&Tensor> = layers.iter().filter_map(|layer| layer.bias.as_ref()).collect();
        let weights = layers.each_ref().map(|layer| &layer.weight);
        let whole = match adjacent(&weights) {
            Some(weight) if biases.is_empty() => Some((weight, None)),
            Some(weight) if biases.len() == N => adjacent(&biases).map(|bias| (weight, Some(bias))),
            _ => None,
        };
        Self { layers, widths, whole }
    }

    /// `[…, in]` to `[…, out]` of each layer, a product each, with gradients and without: policy and reference of the same weights say the same.
    pub fn forward(&self, x: &Tensor) -> [Tensor; N] {
        self.layers.each_ref().map(|layer| layer.forward(x))
    }

    /// The same for decoding: a few rows, without gradient, in one product.
    pub fn few(&self, x: &Tensor) -> [Tensor; N] {
        self.product(x).map_or_else(|| self.forward(x), |joined| self.split(&joined, x))
    }

    /// The same as one tensor, the outputs side by side. `None` where they come apart: a layer has an adapter, or one product is not possible.
    pub fn few_whole(&self, x: &Tensor) -> Option<Tensor> {
        let adapted = self.layers.iter().any(|layer| layer.adapter.is_some());
        if adapted { None } else { self.product(x) }
    }

    /// The outputs side by side, without what adapters add.
    fn product(&self, x: &Tensor) -> Option<Tensor> {
        let general = || {
            let (weight, bias) = self.whole.as_ref().filter(|_| !grad_enabled())?;
            Some(x.linear(weight, bias.as_ref()))
        };
        skinny_linear(x, &self.layers.each_ref().map(Linear::part)).or_else(general)
    }

    fn split(&self, joined: &Tensor, x: &Tensor) -> [Tensor; N] {
        let mut start = 0;
        std::array::from_fn(|i| {
            let y = joined.narrow(-1, start, self.widths[i]);
            start += self.widths[i];
            self.layers[i].adapted(y, x)
        })
    }
}

/// LayerNorm over the last dimension, eps 1e-5 (PyTorch's default, which the audio tower uses).
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    /// Reads `at.weight` and `at.bias`.
    pub fn new(params: &Params, at: &str) -> Result<Self> {
        Ok(Self { weight: params.get(&format!("{at}.weight"))?, bias: params.get(&format!("{at}.bias"))? })
    }

    /// Shape is kept.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), 1e-5, false)
    }
}

/// RMSNorm: the mean square in float32, the weight multiplied in the model's dtype.
#[derive(Debug)]
pub struct RmsNorm {
    weight: Tensor,
    eps: f64,
}

impl RmsNorm {
    /// Reads `at.weight`.
    pub fn new(params: &Params, at: &str, eps: f64) -> Result<Self> {
        Ok(Self { weight: params.get(&format!("{at}.weight"))?, eps })
    }

    /// Shape is kept. transformers 4.49.0 `Qwen2RMSNorm.forward`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let dtype = x.kind();
        let x = x.to_kind(wide(dtype));
        let mean_square = (&x * &x).mean_dim(-1, true, None::<Kind>);
        let normed: Tensor = &x * (mean_square + self.eps).rsqrt();
        &self.weight * normed.to_kind(dtype)
    }

    /// The same for decoding. On a GPU one kernel in place of eight, which rounds once where [`RmsNorm::forward`] rounds twice.
    pub fn few(&self, x: &Tensor) -> Tensor {
        if x.device().is_cuda() { self.in_one(x) } else { self.forward(x) }
    }

    fn in_one(&self, x: &Tensor) -> Tensor {
        x.rms_norm(self.weight.size(), Some(&self.weight), self.eps)
    }
}

/// Cosines and sines of rotary positions, `[B, 1, T, D]` each, in the model's dtype.
#[derive(Debug)]
pub struct Rotary {
    cos: Tensor,
    /// Those of the first half of D negated: what is multiplied with the halves that change places.
    sin: Tensor,
}

impl Rotary {
    /// For `position_ids` `[B, T]` and heads of width `head_dim`; angles in float32 as transformers computes them.
    pub fn new(position_ids: &Tensor, head_dim: i64, theta: f64, kind: Kind) -> Self {
        let device = position_ids.device();
        let exponents = Tensor::arange_start_step(0, head_dim, 2, (Kind::Float, device)) / head_dim as f64;
        // Made on the device: a copy from the host would have a GPU wait at every step.
        let theta = Tensor::full([0i64; 0], f64::from(theta as f32), (Kind::Float, device));
        let inv_freq = theta.pow(&exponents).reciprocal();
        let angles = position_ids.unsqueeze(-1).to_kind(Kind::Float) * inv_freq;
        let sin = angles.sin().to_kind(kind);
        let cos = angles.cos().to_kind(kind);
        let twice = |first: &Tensor, second: &Tensor| Tensor::cat(&[first, second], -1).unsqueeze(1);
        Self { cos: twice(&cos, &cos), sin: twice(&sin.neg(), &sin) }
    }

    /// Turns `[B, heads, T, D]` (NeoX halves).
    pub fn apply(&self, x: &Tensor) -> Tensor {
        let halves = x.chunk(2, -1);
        let swapped = Tensor::cat(&[&halves[1], &halves[0]], -1);
        x * &self.cos + swapped * &self.sin
    }
}

/// `[B, T, heads * D]` to `[B, heads, T, D]`.
pub fn split_heads(x: &Tensor, heads: i64) -> Tensor {
    let (b, t, width) = x.size3().expect("split_heads takes [B, T, width]");
    x.view([b, t, heads, width / heads]).transpose(1, 2)
}

/// `[B, heads, T, D]` to `[B, T, heads * D]`.
pub fn join_heads(x: &Tensor) -> Tensor {
    let (b, heads, t, d) = x.size4().expect("join_heads takes [B, heads, T, D]");
    x.transpose(1, 2).reshape([b, t, heads * d])
}

/// Scaled dot-product attention. `q` `[B, H, T, D]`, `k` and `v` `[B, H or fewer, S, D]`; `mask` broadcasts to `[B, H, T, S]`, true
/// where a query may look. Every query must have a key to look at.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Tensor {
    let (b, heads, _, d) = q.size4().expect("attention takes [B, H, T, D]");
    let (_, kv_heads, s, _) = k.size4().expect("attention takes [B, H, S, D]");
    if kv_heads == heads {
        return Tensor::scaled_dot_product_attention(q, k, v, mask, 0.0, false, None, false);
    }
    let repeat =
        |x: &Tensor| x.unsqueeze(2).expand([b, kv_heads, heads / kv_heads, s, d], false).reshape([b, heads, s, d]);
    Tensor::scaled_dot_product_attention(q, &repeat(k), &repeat(v), mask, 0.0, false, None, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn random(shape: &[i64], kind: Kind) -> Tensor {
        Tensor::randn(shape, (Kind::Float, Device::Cpu)).to_kind(kind)
    }

    /// As transformers writes it: `x * cos + rotate_half(x) * sin`.
    #[test]
    fn rotary_positions_turn_as_rotate_half_does_bit_for_bit() {
        for kind in [Kind::Float, Kind::BFloat16] {
            let (positions, x) = (Tensor::from_slice(&[0i64, 3, 700]).view([1, 3]), random(&[1, 2, 3, 8], kind));
            let rotary = Rotary::new(&positions, 8, 1e4, kind);
            let exponents = Tensor::arange_start_step(0, 8, 2, (Kind::Float, Device::Cpu)) / 8.0;
            let inv_freq = Tensor::full([0i64; 0], 1e4, (Kind::Float, Device::Cpu)).pow(&exponents).reciprocal();
            let angles = positions.unsqueeze(-1).to_kind(Kind::Float) * inv_freq;
            let angles = Tensor::cat(&[&angles, &angles], -1).unsqueeze(1);
            let halves = x.chunk(2, -1);
            let rotated = Tensor::cat(&[&halves[1].neg(), &halves[0]], -1);
            let wanted = &x * angles.cos().to_kind(kind) + rotated * angles.sin().to_kind(kind);
            assert!(rotary.apply(&x).equal(&wanted), "{kind:?}");
        }
    }

    #[test]
    fn a_norm_in_one_kernel_is_the_norm_but_for_a_rounding() {
        // In bfloat16 one rounding is 2^-8 at most: the one of the kernel, and the two of `forward`, with a little for float32.
        for (kind, within) in [(Kind::Double, 1e-12), (Kind::Float, 1e-6), (Kind::BFloat16, 3.1 / 256.0)] {
            let norm = RmsNorm { weight: random(&[64], kind), eps: 1e-6 };
            let x = random(&[5, 1, 64], kind);
            let (one, wanted) = (norm.in_one(&x), norm.forward(&x));
            assert_eq!((one.kind(), one.size()), (kind, x.size()));
            let off = ((one - &wanted).abs() / (wanted.abs() + 1e-3)).max().double_value(&[]);
            assert!(off < within, "{kind:?}: {off:e}");
        }
    }

    /// Queries, keys and values of a few rows, together and each by itself.
    #[test]
    fn joined_outputs_lie_side_by_side() {
        for kind in [Kind::Float, Kind::Double] {
            outputs_lie_side_by_side(kind);
        }
    }

    /// Of few rows in float32 the kernel's product where the processor has it, in float64 libtorch's.
    fn outputs_lie_side_by_side(kind: Kind) {
        let (weight, bias) = (random(&[16, 16], kind), random(&[16], kind));
        let layer = |at: i64, out: i64| Linear {
            weight: weight.narrow(0, at, out),
            bias: Some(bias.narrow(0, at, out)),
            adapter: None,
        };
        let joined = Joined::new([layer(0, 8), layer(8, 4), layer(12, 4)]);
        let x = random(&[3, 1, 16], kind);
        tch::no_grad(|| {
            let Some(whole) = joined.few_whole(&x) else { panic!("no adapter, no gradient") };
            assert!(whole.equal(&Tensor::cat(&joined.few(&x), -1)));
            let off = (whole - Tensor::cat(&joined.forward(&x), -1)).abs().max().double_value(&[]);
            assert!(off < 1e-5, "{off:e}");
        });
    }
}
