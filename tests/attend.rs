//! The kernel of a decode step's attention against its formula in float64, and what it promises beside being right.
#![cfg(feature = "torch")]

use aqa_bench::native::{Sight, all_instructions, attend, with_instructions};
use tch::{Device, Kind, Tensor};

/// Two questions, the second one's prompt padded, with so many completions each.
struct Made {
    prompts: [Tensor; 2],
    own: [Tensor; 2],
    pads: [i64; 2],
    starts: [i64; 3],
    filled: i64,
}

impl Made {
    fn new(rows: [i64; 2], kv: i64, d: i64, positions: i64, filled: i64) -> Self {
        let random = |shape: [i64; 4]| Tensor::randn(shape, (Kind::Float, Device::Cpu));
        let all = rows[0] + rows[1];
        Self {
            prompts: [random([2, kv, d, positions]), random([2, kv, positions, d])],
            own: [random([all, kv, filled + 3, d]), random([all, kv, filled + 3, d])],
            pads: [0, positions / 3],
            starts: [0, rows[0], all],
            filled,
        }
    }

    fn attend(&self, q: &Tensor) -> Tensor {
        let ([prompt_keys, prompt_values], [keys, values]) = (&self.prompts, &self.own);
        let (pads, starts, own) = (&self.pads[..], &self.starts[..], self.filled);
        attend(q, &Sight { prompt_keys, prompt_values, pads, starts, keys, values, own }).expect("the kernel")
    }

    /// One row of question `of`, by itself.
    fn alone(&self, q: &Tensor, row: i64, of: i64) -> Tensor {
        let one = |t: &Tensor, at| t.narrow(0, at, 1).contiguous();
        let prompts = self.prompts.each_ref().map(|t| one(t, of));
        let own = self.own.each_ref().map(|t| one(t, row));
        let sight = Sight {
            prompt_keys: &prompts[0],
            prompt_values: &prompts[1],
            pads: &self.pads[of as usize..][..1],
            starts: &[0, 1],
            keys: &own[0],
            values: &own[1],
            own: self.filled,
        };
        attend(&one(q, row), &sight).expect("the kernel")
    }

    /// softmax(q k / √d) v of one row in float64.
    fn formula(&self, q: &Tensor, row: i64, of: i64) -> Tensor {
        let wide = |t: &Tensor| t.to_kind(Kind::Double);
        let (heads, d) = (q.size()[1], q.size()[3]);
        let (pad, own) = (self.pads[of as usize], self.filled);
        let mine = |t: &Tensor| wide(&t.get(row).narrow(1, 0, own));
        let prompt = |t: &Tensor| wide(t).narrow(1, pad, t.size()[1] - pad);
        let keys = Tensor::cat(&[prompt(&self.prompts[0].get(of).transpose(1, 2)), mine(&self.own[0])], 1);
        let values = Tensor::cat(&[prompt(&self.prompts[1].get(of)), mine(&self.own[1])], 1);
        let each = |t: &Tensor| t.repeat_interleave_self_int(heads / t.size()[0], 0, None);
        let scores = wide(&q.get(row)).matmul(&each(&keys).transpose(1, 2)) / (d as f64).sqrt();
        scores.softmax(-1, Kind::Double).matmul(&each(&values))
    }
}

/// Heads of all widths that the kernels take; prompts shorter than a vector and longer; every path by the number of rows; queries that share keys.
#[test]
fn it_is_the_formula_and_a_row_depends_on_no_other() {
    let sets = all_instructions();
    assert!(!sets.is_empty(), "this machine has no kernel: nothing would be tested");
    sets.into_iter().for_each(|set| with_instructions(set, check));
}

fn check() {
    for (heads, kv, d) in [(2, 2, 8), (2, 2, 16), (4, 2, 24), (2, 1, 40), (2, 1, 64), (1, 1, 80), (3, 3, 128)] {
        // Without the padding of the second question 1, 5, 16, 24, 25, 32, 37, 48, 47 and 70 positions.
        for (positions, filled) in [(1, 1), (5, 2), (24, 1), (37, 1), (48, 3), (70, 19)] {
            for rows in [[1, 2], [8, 3], [15, 5]] {
                let made = Made::new(rows, kv, d, positions, filled);
                let q = Tensor::randn([rows[0] + rows[1], heads, 1, d], (Kind::Float, Device::Cpu)) * 2.0;
                let found = made.attend(&q);
                for row in 0..rows[0] + rows[1] {
                    let of = i64::from(row >= rows[0]);
                    let at = format!("{heads} {kv} {d}, {positions} + {filled}, row {row} of {rows:?}");
                    assert_eq!(found.narrow(0, row, 1), made.alone(&q, row, of), "{at}");
                    let off = (found.get(row).to_kind(Kind::Double) - made.formula(&q, row, of)).abs().max();
                    assert!(off.double_value(&[]) < 1e-5, "{at}: {off:?}");
                }
            }
        }
    }
}
