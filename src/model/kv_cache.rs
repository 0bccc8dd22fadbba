//! The key/value cache: preallocated, passed in, never hidden in the model.

use super::config::TextConfig;
use tch::{Device, Kind, Tensor};

/// Keys and values of every layer, `[B, kv_heads, capacity, head_dim]` each, of which the first `len` positions are filled.
#[derive(Debug)]
pub struct KvCache {
    layers: Vec<(Tensor, Tensor)>,
    len: i64,
}

impl KvCache {
    /// Room for `capacity` positions of `batch` rows.
    pub fn new(config: &TextConfig, batch: i64, capacity: i64, kind: Kind, device: Device) -> Self {
        let shape = [batch, config.num_key_value_heads, capacity, config.head_dim()];
        let empty = || Tensor::zeros(shape, (kind, device));
        Self { layers: (0..config.num_hidden_layers).map(|_| (empty(), empty())).collect(), len: 0 }
    }

    /// Filled positions.
    pub fn len(&self) -> i64 {
        self.len
    }

    /// Whether nothing is filled.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes the keys and values of a layer behind the filled positions and returns all of them up to there,
    /// `[B, kv_heads, len + T, head_dim]`. The length moves with [`KvCache::advance`], after the last layer.
    pub(super) fn append(&mut self, layer: usize, k: &Tensor, v: &Tensor) -> (Tensor, Tensor) {
        let t = k.size()[2];
        let (keys, values) = &self.layers[layer];
        keys.narrow(2, self.len, t).copy_(k);
        values.narrow(2, self.len, t).copy_(v);
        (keys.narrow(2, 0, self.len + t), values.narrow(2, 0, self.len + t))
    }

    /// Counts positions that every layer has written.
    pub(super) fn advance(&mut self, t: i64) {
        self.len += t;
    }

    /// The cache of the given rows, in that order; a row may be taken several times (a prompt that its group shares).
    pub fn select(&self, rows: &Tensor) -> Self {
        let pick = |(k, v): &(Tensor, Tensor)| (k.index_select(0, rows), v.index_select(0, rows));
        Self { layers: self.layers.iter().map(pick).collect(), len: self.len }
    }
}
