//! Attention of one decode step over a prompt that the completions of a question share, float32 on the CPU. libtorch's products are the slow, obvious path
//! (`model/kv_cache.rs`, whose test holds both to attention over whole sequences).

use super::on_threads;
#[cfg(target_arch = "x86_64")]
use super::{Instructions, instructions};
use tch::{Device, Kind, Tensor};

/// Queries that the kernel takes at a time.
const BLOCK: i64 = 8;

/// One head of one question: as in `attend.cpp`, field by field.
#[repr(C)]
struct Call {
    /// Queries `[n, d]`, scaled.
    q: *const f32,
    n: i64,
    d: i64,
    /// `[d, positions]` and `[positions, d]`, of which the first `pads` positions are padding.
    prompt_keys: *const f32,
    prompt_values: *const f32,
    positions: i64,
    pads: i64,
    /// Of each query its own keys and values `[own, d]`.
    keys: *const *const f32,
    values: *const *const f32,
    own: i64,
    /// Room for min(n, [`BLOCK`]) x (positions + own).
    scores: *mut f32,
    /// `[n, d]`.
    out: *mut f32,
}

type Attend = unsafe extern "C" fn(*const Call);

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    fn aqa_attend_avx512(call: *const Call);
    fn aqa_attend_avx2(call: *const Call);
}

/// The kernel of this machine for heads of width `d`, if it has one.
#[cfg(target_arch = "x86_64")]
fn kernel(d: i64) -> Option<Attend> {
    match instructions()? {
        Instructions::Avx512 if d % 16 == 0 => Some(aqa_attend_avx512),
        _ => (d % 8 == 0).then_some(aqa_attend_avx2 as Attend),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn kernel(_: i64) -> Option<Attend> {
    None
}

/// What the completions attend to in one layer: Q questions, R completions, KV key/value heads of width D.
#[derive(Debug)]
pub struct Sight<'a> {
    /// Keys of the prompts `[Q, KV, D, P]`.
    pub prompt_keys: &'a Tensor,
    /// Values of the prompts `[Q, KV, P, D]`.
    pub prompt_values: &'a Tensor,
    /// Padding of each prompt.
    pub pads: &'a [i64],
    /// The first row of each question, and R at the end: rows stand by question.
    pub starts: &'a [i64],
    /// The completions' own keys `[R, KV, capacity, D]`.
    pub keys: &'a Tensor,
    /// The completions' own values, as their keys.
    pub values: &'a Tensor,
    /// Filled positions of the completions.
    pub own: i64,
}

impl Sight<'_> {
    /// What the kernel does not ask: that everything it is to read is there.
    fn check(&self, rows: i64, [questions, kv, positions, d]: [i64; 4]) {
        let capacity = self.keys.size()[2];
        assert_eq!(self.prompt_keys.size(), [questions, kv, d, positions]);
        assert_eq!(self.prompt_values.size(), [questions, kv, positions, d]);
        assert_eq!(self.keys.size(), [rows, kv, capacity, d]);
        assert_eq!(self.values.size(), self.keys.size());
        assert!((0..=capacity).contains(&self.own), "{} of {capacity} positions", self.own);
        assert_eq!((self.pads.len(), self.starts.len()), (questions as usize, questions as usize + 1));
        assert!(self.pads.iter().all(|pad| (0..=positions).contains(pad)), "{:?} of {positions}", self.pads);
        let ascends = self.starts.is_sorted() && self.starts[0] == 0 && self.starts[questions as usize] == rows;
        assert!(ascends, "{:?} of {rows} rows", self.starts);
    }
}

/// Pointers of one call; pieces write rows and heads of `out` that no other piece writes.
struct Shared {
    q: *const f32,
    out: *mut f32,
    prompt_keys: *const f32,
    prompt_values: *const f32,
    keys: *const f32,
    values: *const f32,
}

// SAFETY: see above; everything else is only read.
unsafe impl Sync for Shared {}

/// `q` `[R, H, 1, D]` to `[R, H, 1, D]`. `None` where libtorch is to be asked: another device or number type, a head of odd width, a processor without the
/// instructions.
pub fn attend(q: &Tensor, sight: &Sight<'_>) -> Option<Tensor> {
    let (rows, heads, _, d) = q.size4().ok()?;
    let (questions, kv, _, positions) = sight.prompt_keys.size4().ok()?;
    let capacity = sight.keys.size()[2];
    let all = [q, sight.prompt_keys, sight.prompt_values, sight.keys, sight.values];
    let plain = |t: &&Tensor| t.kind() == Kind::Float && t.device() == Device::Cpu;
    if !all.iter().all(plain)
        || !all[1..].iter().all(|t| t.is_contiguous())
        || super::grad_enabled() && q.requires_grad()
    {
        return None;
    }
    let kernel = kernel(d)?;
    sight.check(rows, [questions, kv, positions, d]);
    let q = q.contiguous();
    let out = Tensor::empty([rows, heads, 1, d], (Kind::Float, Device::Cpu));
    let data = |t: &Tensor| t.data_ptr().cast_const().cast::<f32>();
    let shared = Shared {
        q: data(&q),
        out: out.data_ptr().cast(),
        prompt_keys: data(sight.prompt_keys),
        prompt_values: data(sight.prompt_values),
        keys: data(sight.keys),
        values: data(sight.values),
    };
    let (pads, starts, own_positions) = (sight.pads, sight.starts, sight.own);
    let (repeat, scale) = (heads / kv, 1.0 / (d as f64).sqrt());
    let piece = |index: i64| {
        let shared = &shared;
        let (question, head) = (index / kv, index % kv);
        let rows = starts[question as usize]..starts[question as usize + 1];
        // Query i of the piece: its row, and its place in q and out.
        let places: Vec<(i64, i64)> =
            rows.flat_map(|row| (0..repeat).map(move |r| (row, (row * heads + head * repeat + r) * d))).collect();
        let n = places.len();
        let mut queries = vec![0f32; n * d as usize];
        let mut outputs = vec![0f32; n * d as usize];
        let mut scores = vec![0f32; BLOCK.min(n as i64) as usize * (positions + own_positions) as usize];
        // SAFETY: every offset lies inside the tensors, by `Sight::check`.
        unsafe {
            for (query, &(_, place)) in queries.chunks_exact_mut(d as usize).zip(&places) {
                let from = std::slice::from_raw_parts(shared.q.offset(place as isize), d as usize);
                query.iter_mut().zip(from).for_each(|(to, x)| *to = (f64::from(*x) * scale) as f32);
            }
            let own = |base: *const f32| -> Vec<*const f32> {
                places.iter().map(|(row, _)| base.offset(((row * kv + head) * capacity * d) as isize)).collect()
            };
            let at = ((question * kv + head) * positions * d) as isize;
            let (keys, values) = (own(shared.keys), own(shared.values));
            kernel(&Call {
                q: queries.as_ptr(),
                n: n as i64,
                d,
                prompt_keys: shared.prompt_keys.offset(at),
                prompt_values: shared.prompt_values.offset(at),
                positions,
                pads: pads[question as usize],
                keys: keys.as_ptr(),
                values: values.as_ptr(),
                own: own_positions,
                scores: scores.as_mut_ptr(),
                out: outputs.as_mut_ptr(),
            });
            for (output, &(_, place)) in outputs.chunks_exact(d as usize).zip(&places) {
                let to = std::slice::from_raw_parts_mut(shared.out.offset(place as isize), d as usize);
                to.copy_from_slice(output);
            }
        }
    };
    on_threads(tch::get_num_threads(), questions * kv, piece);
    Some(out)
}
