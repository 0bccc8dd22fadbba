//! The filters of `generate()` in transformers 4.49.0's order: repetition penalty, temperature, top-k, top-p.
//!
//! One difference on purpose: transformers 4.49 penalises the padding token in left-padded rows, so that a row's scores depend on
//! its batch; here only ids that the row holds are penalised.

use crate::error::{Error, Result};
use crate::recipe::Decoding;
use serde_json::Value;

/// What is done to the logits before a token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filters {
    /// Logits are divided by it.
    pub temperature: f32,
    /// This many largest logits are kept, and all that equal the smallest of them; 0 keeps every token.
    pub top_k: usize,
    /// The smallest set of largest probabilities whose sum is at least this is kept; 1.0 keeps every token.
    pub top_p: f64,
    /// Logits of ids already seen are divided by it when positive, multiplied when negative.
    pub repetition_penalty: f32,
}

/// A token that survives the filters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Token id.
    pub id: usize,
    /// Its logit after penalty and temperature.
    pub logit: f32,
}

impl Filters {
    /// The recipe's values; what it leaves open the checkpoint's `generation_config.json` decides, then transformers' defaults
    /// (temperature 1.0, top_k 50, top_p 1.0, repetition_penalty 1.0).
    ///
    /// # Errors
    /// Exit code 4 when the checkpoint's value is not a number in range.
    pub fn resolve(decoding: &Decoding, generation_config: &Value) -> Result<Self> {
        let pick = |key: &str, own: Option<f64>, library: f64, least: f64| -> Result<f64> {
            let value = match (own, generation_config.get(key)) {
                (Some(v), _) => v,
                (None, None | Some(Value::Null)) => library,
                (None, Some(v)) => v.as_f64().unwrap_or(f64::NAN),
            };
            if value >= least && value.is_finite() {
                return Ok(value);
            }
            let found = generation_config.get(key).unwrap_or(&Value::Null);
            Err(Error::inputs(format!(
                "generation_config.json: {key}: expected a number of at least {least}, found {found}"
            )))
        };
        Ok(Self {
            temperature: pick("temperature", decoding.temperature, 1.0, 1e-6)? as f32,
            top_k: pick("top_k", decoding.top_k.map(|k| k as f64), 50.0, 0.0)? as usize,
            top_p: pick("top_p", decoding.top_p, 1.0, 0.0)?,
            repetition_penalty: pick("repetition_penalty", decoding.repetition_penalty, 1.0, 1e-6)? as f32,
        })
    }

    /// Applies the repetition penalty in place, once for each distinct id of `seen`.
    pub fn penalise(&self, logits: &mut [f32], seen: &[i64]) {
        if self.repetition_penalty == 1.0 {
            return;
        }
        let mut ids: Vec<i64> = seen.to_vec();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            if let Some(x) = usize::try_from(id).ok().and_then(|i| logits.get_mut(i)) {
                *x = if *x < 0.0 { *x * self.repetition_penalty } else { *x / self.repetition_penalty };
            }
        }
    }

    /// Temperature, top-k, top-p: the tokens that survive, largest logit first, equals by id.
    pub fn candidates(&self, logits: &mut [f32]) -> Vec<Candidate> {
        if self.temperature != 1.0 {
            logits.iter_mut().for_each(|x| *x /= self.temperature);
        }
        let least = self.kth_largest(logits);
        let mut kept: Vec<Candidate> = logits
            .iter()
            .enumerate()
            .filter(|(_, x)| **x >= least && **x > f32::NEG_INFINITY)
            .map(|(id, &logit)| Candidate { id, logit })
            .collect();
        kept.sort_by(|a, b| b.logit.total_cmp(&a.logit).then(a.id.cmp(&b.id)));
        self.nucleus(kept)
    }

    fn kth_largest(&self, logits: &[f32]) -> f32 {
        if self.top_k == 0 || self.top_k >= logits.len() {
            return f32::NEG_INFINITY;
        }
        let mut copy = logits.to_vec();
        *copy.select_nth_unstable_by(self.top_k - 1, |a, b| b.total_cmp(a)).1
    }

    /// Drops the tail whose probabilities, summed from the smallest, do not exceed 1 - top_p; keeps at least one. Among equal
    /// probabilities at the edge lower ids go first (transformers leaves that to an unstable sort). Probabilities, their sums and
    /// the bound are compared as float32, as transformers does: a tail that only float64 lifts over the bound is dropped.
    fn nucleus(&self, mut kept: Vec<Candidate>) -> Vec<Candidate> {
        if self.top_p >= 1.0 || kept.is_empty() {
            return kept;
        }
        let top = f64::from(kept[0].logit);
        let weights: Vec<f64> = kept.iter().map(|c| libm::exp(f64::from(c.logit) - top)).collect();
        let total: f64 = weights.iter().sum();
        let mut ascending: Vec<usize> = (0..kept.len()).collect();
        ascending.sort_by(|&a, &b| kept[a].logit.total_cmp(&kept[b].logit).then(kept[a].id.cmp(&kept[b].id)));
        let bound = (1.0 - self.top_p) as f32;
        let mut sum = 0.0;
        let mut drop = vec![false; kept.len()];
        for &i in &ascending[..kept.len() - 1] {
            sum += f64::from((weights[i] / total) as f32);
            drop[i] = sum as f32 <= bound;
        }
        let mut index = 0;
        kept.retain(|_| {
            index += 1;
            !drop[index - 1]
        });
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ids(f: &Filters, logits: &[f32]) -> Vec<usize> {
        f.candidates(&mut logits.to_vec()).iter().map(|c| c.id).collect()
    }

    #[test]
    fn top_k_keeps_ties_at_its_edge() {
        let f = Filters { temperature: 1.0, top_k: 2, top_p: 1.0, repetition_penalty: 1.0 };
        assert_eq!(ids(&f, &[1.0, 3.0, 2.0, 2.0]), [1, 2, 3]);
    }

    #[test]
    fn top_p_keeps_at_least_one() {
        let f = Filters { temperature: 1.0, top_k: 0, top_p: 0.0, repetition_penalty: 1.0 };
        assert_eq!(ids(&f, &[1.0, 3.0, 2.0]), [1]);
    }

    #[test]
    fn the_penalty_counts_an_id_once_and_goes_by_sign() {
        let f = Filters { temperature: 1.0, top_k: 0, top_p: 1.0, repetition_penalty: 2.0 };
        let mut x = [4.0, -4.0, 4.0];
        f.penalise(&mut x, &[0, 0, 1]);
        assert_eq!(x, [2.0, -8.0, 4.0]);
    }

    #[test]
    fn the_recipe_wins_then_the_checkpoint_then_the_library() {
        let open = Decoding {
            do_sample: true,
            max_new_tokens: 4,
            temperature: Some(0.9),
            top_k: None,
            top_p: None,
            repetition_penalty: None,
        };
        let f = Filters::resolve(&open, &json!({"temperature": 0.7, "top_k": 20, "repetition_penalty": 1.1})).unwrap();
        assert_eq!(f, Filters { temperature: 0.9, top_k: 20, top_p: 1.0, repetition_penalty: 1.1 });
        assert!(Filters::resolve(&open, &json!({"top_p": "x"})).unwrap_err().to_string().contains("top_p"));
    }
}
