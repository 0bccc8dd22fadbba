//! Who may look at whom: boolean masks `[B, 1, T, S]`, true where a query may attend. Batches are padded on the left.
//!
//! Every query may look at itself, also on padding: a row without any key would be NaN, and a NaN in the cache spreads.

use tch::{Device, Kind, Tensor};

/// Rows of ids padded on the left to one length, and what follows from the padding.
#[derive(Debug)]
pub struct LeftPadded {
    /// Ids, all of one length.
    pub ids: Vec<Vec<i64>>,
    /// Padding of each row.
    pub pads: Vec<i64>,
}

impl LeftPadded {
    /// Pads with `pad_id`.
    pub fn new(rows: &[Vec<i64>], pad_id: i64) -> Self {
        let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
        let pads: Vec<i64> = rows.iter().map(|r| (longest - r.len()) as i64).collect();
        let pad = |(row, &n): (&Vec<i64>, &i64)| [vec![pad_id; n as usize], row.clone()].concat();
        Self { ids: rows.iter().zip(&pads).map(pad).collect(), pads }
    }

    /// Length of the rows.
    pub fn len(&self) -> i64 {
        self.ids.first().map_or(0, Vec::len) as i64
    }

    /// Whether there are no rows, or rows of nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Position ids `[B, T]`: 0 at the first real token; padding has 0 too.
    pub fn position_ids(&self, device: Device) -> Tensor {
        let pads = Tensor::from_slice(&self.pads).to_device(device).unsqueeze(1);
        (Tensor::arange(self.len(), (Kind::Int64, device)).unsqueeze(0) - pads).clamp_min(0)
    }

    /// The causal mask over the prompt, `[B, 1, T, T]`.
    pub fn prefill_mask(&self, device: Device) -> Tensor {
        let t = self.len();
        let at = Tensor::arange(t, (Kind::Int64, device));
        let (query, key) = (at.view([1, 1, t, 1]), at.view([1, 1, 1, t]));
        let pads = Tensor::from_slice(&self.pads).to_device(device).view([-1, 1, 1, 1]);
        let real = key.ge_tensor(&pads); // [B, 1, 1, T]
        key.le_tensor(&query).logical_and(&real).logical_or(&key.eq_tensor(&query))
    }
}

/// The mask of packed rows. `ends` `[B, T]`: the first position that no longer sees a token. A prompt's token is seen to the end of the
/// row; one of a completion, by what continues it (completions of one row never see each other); padding, by itself alone.
pub fn packed_mask(ends: &Tensor) -> Tensor {
    let t = ends.size()[1];
    let at = Tensor::arange(t, (Kind::Int64, ends.device()));
    let (query, key) = (at.view([1, t, 1]), at.view([1, 1, t]));
    key.le_tensor(&query).logical_and(&query.lt_tensor(&ends.unsqueeze(1))).unsqueeze(1)
}
