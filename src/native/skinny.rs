//! Products of a few rows with float32 weights on the CPU, at the speed at which memory gives the weights.
//!
//! Decoding multiplies one row a completion with every weight of the model. A general product (libtorch's) reads the weights at a quarter of
//! the memory's speed there; `skinny.cpp` says why this one does not. A row's result depends neither on the rows beside it nor on the number of
//! threads. libtorch's own product is the slow, obvious path; `tests/skinny.rs` holds the two together.

use super::on_threads;
#[cfg(target_arch = "x86_64")]
use super::{Instructions, instructions};
use tch::{Device, Kind, Tensor};

/// Rows up to which this is known to be faster: at 32 it takes two thirds of the general product's time (docs/performance.md).
const FEW: i64 = 32;
/// Rows of weights that a thread takes at a time.
const PIECE: i64 = 48;

/// Weights `[out, in]` and their bias `[out]`.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Weights.
    pub weight: &'a Tensor,
    /// Bias.
    pub bias: Option<&'a Tensor>,
}

type Rows = unsafe extern "C" fn(*const f32, i64, i64, *const f32, *const f32, i64, *mut f32, i64);

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    fn aqa_skinny_rows_avx512(
        x: *const f32,
        m: i64,
        k: i64,
        w: *const f32,
        b: *const f32,
        n: i64,
        y: *mut f32,
        ys: i64,
    );
    fn aqa_skinny_rows_avx2(x: *const f32, m: i64, k: i64, w: *const f32, b: *const f32, n: i64, y: *mut f32, ys: i64);
}

/// The kernel of this machine, if it has one.
#[cfg(target_arch = "x86_64")]
fn kernel() -> Option<Rows> {
    Some(match instructions()? {
        Instructions::Avx512 => aqa_skinny_rows_avx512,
        Instructions::Avx2 => aqa_skinny_rows_avx2,
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn kernel() -> Option<Rows> {
    None
}

/// Memory that pieces of one product share.
struct Shared<'a> {
    x: *const f32,
    m: i64,
    k: i64,
    /// Weights, bias (or null), rows and the first column in `y` of each part.
    parts: Vec<(*const f32, *const f32, i64, i64)>,
    /// Part and first row of each piece.
    pieces: Vec<(usize, i64)>,
    y: *mut f32,
    width: i64,
    _borrowed: std::marker::PhantomData<&'a Tensor>,
}

// SAFETY: pieces read x and the weights, and write columns of y that no other piece writes.
unsafe impl Sync for Shared<'_> {}

/// `[…, in]` times each part, side by side: `[…, sum of out]`. `None` where the general product is to be taken: on another device, in another number type, with
/// many rows, where gradients are wanted, or on a processor without the instructions.
pub fn linear(x: &Tensor, parts: &[Part<'_>]) -> Option<Tensor> {
    let mut shape = x.size();
    let k = shape.pop()?;
    let m: i64 = shape.iter().product();
    let plain = |t: &Tensor| t.kind() == Kind::Float && t.device() == Device::Cpu;
    let fits = |p: &Part<'_>| {
        plain(p.weight)
            && p.weight.is_contiguous()
            && p.weight.size().get(1) == Some(&k)
            && p.bias.is_none_or(|b| plain(b) && b.is_contiguous())
    };
    if !(1..=FEW).contains(&m) || !plain(x) || !parts.iter().all(fits) || wants_grad(x, parts) {
        return None;
    }
    let rows = kernel()?;
    let x = x.contiguous();
    let widths: Vec<i64> = parts.iter().map(|p| p.weight.size()[0]).collect();
    let width: i64 = widths.iter().sum();
    shape.push(width);
    let y = Tensor::empty(&shape, (Kind::Float, Device::Cpu));
    let data = |t: &Tensor| t.data_ptr().cast_const().cast::<f32>();
    let mut column = 0;
    let mut shared = Shared {
        x: data(&x),
        m,
        k,
        parts: Vec::with_capacity(parts.len()),
        pieces: Vec::new(),
        y: y.data_ptr().cast(),
        width,
        _borrowed: std::marker::PhantomData,
    };
    for (index, (part, out)) in parts.iter().zip(widths).enumerate() {
        shared.parts.push((data(part.weight), part.bias.map_or(std::ptr::null(), data), out, column));
        shared.pieces.extend((0..out).step_by(PIECE as usize).map(|row| (index, row)));
        column += out;
    }
    let piece = |index: i64| {
        let shared = &shared;
        let (part, row) = shared.pieces[index as usize];
        let (weight, bias, out, column) = shared.parts[part];
        let count = PIECE.min(out - row);
        // SAFETY: shapes were checked above; rows row..row + count lie inside the weights, their columns inside y.
        unsafe {
            let bias = if bias.is_null() { bias } else { bias.offset(row as isize) };
            let weight = weight.offset((row * shared.k) as isize);
            let y = shared.y.offset((column + row) as isize);
            rows(shared.x, shared.m, shared.k, weight, bias, count, y, shared.width);
        }
    };
    on_threads(tch::get_num_threads(), shared.pieces.len() as i64, piece);
    Some(y)
}

fn wants_grad(x: &Tensor, parts: &[Part<'_>]) -> bool {
    super::grad_enabled()
        && (x.requires_grad()
            || parts.iter().any(|p| p.weight.requires_grad() || p.bias.is_some_and(Tensor::requires_grad)))
}
