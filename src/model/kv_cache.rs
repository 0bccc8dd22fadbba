//! The key/value cache: passed in, never hidden in the model. A prompt is kept once however many completions it gets; what each
//! completion adds stands in rows of its own, preallocated.

use super::mask::LeftPadded;
use super::params::wide;
use crate::architecture::TextConfig;
use crate::native::{Sight, attend};
use tch::{Device, Kind, Tensor};

/// Keys and values of every layer.
#[derive(Debug)]
pub struct KvCache {
    /// Keys `[Q, kv_heads, head_dim, P]` and values `[Q, kv_heads, P, head_dim]` of Q prompts padded on the left to P.
    prompts: Vec<(Tensor, Tensor)>,
    /// Keys and values of R completions, `[R, kv_heads, capacity, head_dim]` each, of which the first `len` positions are filled.
    own: Vec<(Tensor, Tensor)>,
    len: i64,
    rows: Rows,
}

/// Which rows are completions of which prompt.
#[derive(Debug)]
struct Rows {
    /// Padding and length of each prompt.
    pads: Vec<i64>,
    length: i64,
    /// Prompt of each row; rows stand by prompt.
    of: Vec<i64>,
    /// The first row of each prompt, and R at the end.
    starts: Vec<i64>,
    /// True at padding `[Q, 1, 1, P]`, where there is any.
    padding: Option<Tensor>,
    /// Rows as a grid `[Q, G]`, where prompts have fewer than G rows filled up with row 0; the place of each row in the grid.
    grid: Option<(Tensor, Tensor)>,
    /// G, the most rows of a prompt.
    most: i64,
    device: Device,
}

impl Rows {
    fn new(pads: Vec<i64>, length: i64, of: Vec<i64>, device: Device) -> Self {
        let questions = pads.len() as i64;
        let starts: Vec<i64> = (0..=questions).map(|q| of.partition_point(|&p| p < q) as i64).collect();
        let most = starts.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0);
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(device);
        let even = starts.windows(2).all(|w| w[1] - w[0] == most);
        let grid = (!even).then(|| {
            let slots = |w: &[i64]| (w[0]..w[0] + most).map(|row| if row < w[1] { row } else { 0 }).collect::<Vec<_>>();
            let slots: Vec<i64> = starts.windows(2).flat_map(slots).collect();
            let places: Vec<i64> =
                of.iter().enumerate().map(|(row, &q)| q * most + row as i64 - starts[q as usize]).collect();
            (tensor(&slots), tensor(&places))
        });
        let at = Tensor::arange(length, (Kind::Int64, device)).view([1, 1, 1, -1]);
        let padded = pads.iter().any(|&pad| pad > 0);
        let padding = padded.then(|| at.lt_tensor(&tensor(&pads).view([-1, 1, 1, 1])));
        Self { pads, length, of, starts, padding, grid, most, device }
    }

    /// `[R, …]` to `[Q, G, …]`.
    fn to_grid(&self, x: &Tensor) -> Tensor {
        let mut shape = vec![self.pads.len() as i64, self.most];
        shape.extend(&x.size()[1..]);
        match &self.grid {
            Some((slots, _)) => x.index_select(0, slots).view(&shape[..]),
            None => x.reshape(&shape[..]),
        }
    }

    /// `[Q, G, …]` to `[R, …]`.
    fn to_rows(&self, x: &Tensor) -> Tensor {
        let flat = x.flatten(0, 1);
        match &self.grid {
            Some((_, places)) => flat.index_select(0, places),
            None => flat,
        }
    }
}

impl KvCache {
    /// For prompts whose layers are about to run.
    pub fn new(prompts: &LeftPadded, device: Device) -> Self {
        let rows = Rows::new(prompts.pads.clone(), prompts.len(), Vec::new(), device);
        Self { prompts: Vec::new(), own: Vec::new(), len: 0, rows }
    }

    /// Takes the keys and values `[Q, kv_heads, P, head_dim]` of the next layer of the prompts.
    pub(super) fn keep_prompt(&mut self, k: &Tensor, v: &Tensor) {
        self.prompts.push((k.transpose(2, 3).contiguous(), v.contiguous()));
    }

    /// Starts completions: one row for each entry of `of`, the prompts in ascending order, of at most `capacity` positions.
    pub fn start(&mut self, config: &TextConfig, of: Vec<i64>, capacity: i64, kind: Kind) {
        let shape = [of.len() as i64, config.num_key_value_heads, capacity, config.head_dim()];
        let empty = || Tensor::zeros(shape, (kind, self.rows.device));
        self.own = (0..config.num_hidden_layers).map(|_| (empty(), empty())).collect();
        self.len = 0;
        self.rows = Rows::new(std::mem::take(&mut self.rows.pads), self.rows.length, of, self.rows.device);
    }

    /// Position ids `[R, 1]` of the next token of every row.
    pub fn next_positions(&self) -> Tensor {
        let at = |&q: &i64| self.rows.length + self.len - self.rows.pads[q as usize];
        let positions: Vec<i64> = self.rows.of.iter().map(at).collect();
        Tensor::from_slice(&positions).to_device(self.rows.device).unsqueeze(1)
    }

    /// Only the given rows go on, in their order. A prompt all of whose completions are done goes too.
    pub fn keep(&mut self, going: &[i64]) {
        let of: Vec<i64> = going.iter().map(|&row| self.rows.of[row as usize]).collect();
        let index = Tensor::from_slice(going).to_device(self.rows.device);
        for (k, v) in &mut self.own {
            (*k, *v) = (k.index_select(0, &index), v.index_select(0, &index));
        }
        let mut left = of.clone();
        left.dedup();
        if left.len() < self.rows.pads.len() {
            let index = Tensor::from_slice(&left).to_device(self.rows.device);
            for (k, v) in &mut self.prompts {
                (*k, *v) = (k.index_select(0, &index), v.index_select(0, &index));
            }
        }
        let pads = left.iter().map(|&q| self.rows.pads[q as usize]).collect();
        let of = of.iter().map(|q| left.partition_point(|l| l < q) as i64).collect();
        self.rows = Rows::new(pads, self.rows.length, of, self.rows.device);
    }

    /// Writes the keys and values `[R, kv_heads, 1, head_dim]` of a layer's new tokens behind the filled positions, and lets the queries
    /// `[R, heads, 1, head_dim]` look at their prompt and at their own positions up to there. The length moves with [`KvCache::advance`], after the last layer.
    pub(super) fn attend(&mut self, layer: usize, q: &Tensor, k: &Tensor, v: &Tensor) -> Tensor {
        let ((prompt_keys, prompt_values), (keys, values)) = (&self.prompts[layer], &self.own[layer]);
        keys.narrow(2, self.len, 1).copy_(k);
        values.narrow(2, self.len, 1).copy_(v);
        let sight = Sight {
            prompt_keys,
            prompt_values,
            pads: &self.rows.pads,
            starts: &self.rows.starts,
            keys,
            values,
            own: self.len + 1,
        };
        attend(q, &sight).unwrap_or_else(|| self.attend_by_products(q, &sight))
    }

    /// The same with libtorch's products, on every device: each prompt's keys against all its rows, each row's own keys, one softmax over both.
    fn attend_by_products(&self, q: &Tensor, sight: &Sight<'_>) -> Tensor {
        let size = q.size();
        let (heads, d) = (size[1], size[3]);
        let (kv, own) = (sight.keys.size()[1], sight.own);
        let q = (q / (d as f64).sqrt()).reshape([-1, kv, heads / kv, d]); // [R, KV, r, D]
        let rows = &self.rows;
        // [R, KV, r, x] to [Q, KV, G * r, x] and back.
        let gather = |x: &Tensor| rows.to_grid(x).transpose(1, 2).flatten(2, 3);
        let spread = |x: &Tensor| rows.to_rows(&x.unflatten(2, [rows.most, heads / kv].as_slice()).transpose(1, 2));
        let mut scores = gather(&q).matmul(sight.prompt_keys);
        if let Some(padding) = &rows.padding {
            let _ = scores.masked_fill_(padding, f64::NEG_INFINITY);
        }
        let own_scores = q.matmul(&sight.keys.narrow(2, 0, own).transpose(2, 3)); // [R, KV, r, own]
        let weights = Tensor::cat(&[&spread(&scores), &own_scores], -1);
        let weights = weights.softmax(-1, wide(q.kind())).to_kind(q.kind());
        let prompt = spread(&gather(&weights.narrow(-1, 0, rows.length)).matmul(sight.prompt_values));
        let mine = weights.narrow(-1, rows.length, own).matmul(&sight.values.narrow(2, 0, own));
        (prompt + mine).reshape([-1, heads, 1, d])
    }

    /// Counts the position that every layer has written.
    pub(super) fn advance(&mut self) {
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against attention over each row's whole sequence, prompts of three lengths, rows leaving on the way, in float64 (libtorch's products) and float32
    /// (the kernel).
    #[test]
    fn a_shared_prompt_is_seen_as_if_every_row_had_its_own() {
        for (kind, within) in [(Kind::Double, 1e-12), (Kind::Float, 2e-6)] {
            for (heads, kv, d) in [(4, 4, 16), (4, 2, 32), (2, 1, 64), (2, 2, 24)] {
                check(kind, within, [heads, kv, d], [37, 5, 52]);
            }
            // Of one length: nothing is padded.
            check(kind, within, [4, 2, 32], [52; 3]);
        }
    }

    fn check(kind: Kind, within: f64, [heads, kv, d]: [i64; 3], lengths: [usize; 3]) {
        let random = |shape: &[i64]| Tensor::randn(shape, (kind, Device::Cpu));
        let rows: Vec<Vec<i64>> = lengths.iter().map(|&n| vec![1; n]).collect();
        let prompts = LeftPadded::new(&rows, 0);
        let mut cache = KvCache::new(&prompts, Device::Cpu);
        let (pk, pv) = (random(&[3, kv, 52, d]), random(&[3, kv, 52, d]));
        cache.keep_prompt(&pk, &pv);
        let config = TextConfig {
            vocab_size: 1,
            hidden_size: heads * d,
            num_hidden_layers: 1,
            num_attention_heads: heads,
            num_key_value_heads: kv,
            intermediate_size: 1,
            rms_norm_eps: 1e-6,
            rope_theta: 1e4,
            tie_word_embeddings: false,
            max_position_embeddings: 100,
        };
        let mut of: Vec<i64> = [vec![0; 9], vec![1; 9], vec![2; 9]].concat();
        cache.start(&config, of.clone(), 6, kind);
        let mut history: Vec<Vec<(Tensor, Tensor)>> = of.iter().map(|_| Vec::new()).collect();
        for step in 0..6i64 {
            let n = of.len() as i64;
            let (q, k, v) = (random(&[n, heads, 1, d]), random(&[n, kv, 1, d]), random(&[n, kv, 1, d]));
            let found = cache.attend(0, &q, &k, &v);
            for row in 0..n {
                history[row as usize].push((k.narrow(0, row, 1), v.narrow(0, row, 1)));
                let prompt = of[row as usize];
                let pad = prompts.pads[prompt as usize];
                let whole = |prompts: &Tensor, own: Vec<&Tensor>| {
                    let own = Tensor::cat(&own, 2);
                    Tensor::cat(&[&prompts.narrow(0, prompt, 1).narrow(2, pad, 52 - pad), &own], 2)
                };
                let own = &history[row as usize];
                let keys = whole(&pk, own.iter().map(|(k, _)| k).collect());
                let values = whole(&pv, own.iter().map(|(_, v)| v).collect());
                let wanted = super::super::layers::attention(&q.narrow(0, row, 1), &keys, &values, None);
                let off = (found.narrow(0, row, 1) - &wanted).abs().max().double_value(&[]);
                assert!(off < within, "{kind:?} {heads} {kv} {d}, step {step}, row {row}: {off:e}");
            }
            let positions = Vec::<i64>::try_from(cache.next_positions().view([-1])).unwrap();
            for (row, position) in positions.iter().enumerate() {
                assert_eq!(*position, rows[of[row] as usize].len() as i64 + step);
            }
            cache.advance();
            // Row by row they leave: the second prompt's all at once.
            let going: Vec<i64> =
                (0..n).filter(|r| (r * 7 + step) % 5 != 0 && !(step == 2 && of[*r as usize] == 1)).collect();
            cache.keep(&going);
            history = going
                .iter()
                .map(|&r| history[r as usize].iter().map(|(k, v)| (k.shallow_clone(), v.shallow_clone())).collect())
                .collect();
            let mut left: Vec<i64> = going.iter().map(|&r| of[r as usize]).collect();
            of.clone_from(&left);
            left.dedup();
            // `of` here names the first prompts; the cache renumbers its own.
            assert_eq!(cache.rows.pads.len(), left.len());
        }
    }
}
