//! The next token of every row, from logits on the device. Few numbers come to the host: the largest logits of each row, of which at most `top_k` survive
//! the filters. Filters and noise are those of [`crate::sampling`], so the tokens are the same as from whole rows, which [`from_whole_rows`] still takes where the
//! survivors may be more.

use crate::error::{Error, Result};
use crate::sampling::{Filters, choose, choose_listed};
use crate::seeds::Key;
use tch::{Device, Kind, Tensor};

/// Logits beyond `top_k` that are looked at: as many may equal the last survivor.
const SPARE: usize = 8;
/// Survivors above which whole rows are taken.
const MANY: usize = 1024;

/// A row that wants a token.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'a> {
    /// The key of its noise, or `None` for the most likely token.
    pub key: Option<Key>,
    /// Prompt and new ids so far, without padding.
    pub seen: &'a [i64],
    /// New tokens so far.
    pub position: u64,
}

/// The next token of each row of `logits` `[R, vocab]`.
///
/// # Errors
/// Internal, when logits are not numbers.
pub fn next_tokens(logits: &Tensor, draws: &[Draw<'_>], filters: &Filters) -> Result<Vec<i64>> {
    let (_, vocab) = logits.size2().map_err(|e| Error::internal(e.to_string()))?;
    let vocab = vocab as usize;
    let sampled = draws.iter().any(|d| d.key.is_some());
    let survivors = if sampled { filters.top_k } else { 1 };
    let penalise = filters.repetition_penalty != 1.0;
    let nothing_seen = penalise && draws.iter().any(|d| d.seen.is_empty());
    if survivors == 0 || survivors > MANY || survivors + SPARE >= vocab || nothing_seen {
        return from_whole_rows(logits, draws, filters);
    }
    let listed = survivors + SPARE;
    let logits = logits.to_kind(Kind::Float);
    let logits = if penalise { penalised(&logits, draws, filters.repetition_penalty) } else { logits };
    let (values, ids) = logits.topk(listed as i64, -1, true, true);
    let values: Vec<f32> = host(&values)?;
    let ids: Vec<i64> = host(&ids)?;
    if values.iter().any(|x| x.is_nan()) {
        return Err(not_numbers());
    }
    let lists = values.chunks_exact(listed).zip(ids.chunks_exact(listed));
    let mut tokens = Vec::with_capacity(draws.len());
    for (row, ((values, ids), draw)) in lists.zip(draws).enumerate() {
        let wanted = if draw.key.is_some() { survivors } else { 1 };
        let scaled = |x: f32| if draw.key.is_some() { x / filters.temperature } else { x };
        if scaled(values[listed - 1]) >= scaled(values[wanted - 1]) {
            // More logits than were looked at equal the last survivor.
            let whole = logits.narrow(0, row as i64, 1);
            let unpenalised = Filters { repetition_penalty: 1.0, ..*filters };
            tokens.extend(from_whole_rows(&whole, &[*draw], &unpenalised)?);
            continue;
        }
        let mut list: Vec<(i64, f32)> = ids.iter().copied().zip(values.iter().copied()).collect();
        list.sort_unstable_by_key(|(id, _)| *id);
        let (ids, mut values): (Vec<i64>, Vec<f32>) = list.into_iter().unzip();
        tokens.push(choose_listed(&ids, &mut values, filters, draw.key, draw.position));
    }
    Ok(tokens)
}

/// The same from whole rows on the host: the slow, obvious way.
///
/// # Errors
/// As [`next_tokens`].
pub fn from_whole_rows(logits: &Tensor, draws: &[Draw<'_>], filters: &Filters) -> Result<Vec<i64>> {
    let (_, vocab) = logits.size2().map_err(|e| Error::internal(e.to_string()))?;
    let mut values: Vec<f32> = host(&logits.to_kind(Kind::Float))?;
    let pick = |(draw, logits): (&Draw<'_>, &mut [f32])| {
        if logits.iter().any(|x| x.is_nan()) {
            return Err(not_numbers());
        }
        Ok(choose(logits, draw.seen, filters, draw.key, draw.position))
    };
    draws.iter().zip(values.chunks_mut(vocab as usize)).map(pick).collect()
}

/// The repetition penalty, on the device; every row has seen an id.
fn penalised(logits: &Tensor, draws: &[Draw<'_>], penalty: f32) -> Tensor {
    // Shorter rows repeat their first id: it is penalised once all the same.
    let longest = draws.iter().map(|d| d.seen.len()).max().unwrap_or(0);
    let row = |d: &Draw<'_>| {
        let first = d.seen[0];
        let fill = longest - d.seen.len();
        d.seen.iter().copied().chain(std::iter::repeat_n(first, fill)).collect::<Vec<_>>()
    };
    let seen: Vec<i64> = draws.iter().flat_map(row).collect();
    let seen = Tensor::from_slice(&seen).view([draws.len() as i64, -1]).to_device(logits.device());
    let old = logits.gather(-1, &seen, false);
    // A tensor: CUDA multiplies with the rounded inverse of a number.
    let penalty = Tensor::from_slice(&[penalty]).to_device(logits.device());
    let new = (&old * &penalty).where_self(&old.lt(0.0), &(&old / &penalty));
    logits.scatter(-1, &seen, &new)
}

fn host<T: tch::kind::Element + Default + Clone>(tensor: &Tensor) -> Result<Vec<T>> {
    let tensor = tensor.to_device(Device::Cpu).contiguous();
    let mut out = vec![T::default(); tensor.numel()];
    let count = out.len();
    tensor.f_copy_data(&mut out, count).map_err(|e| Error::internal(e.to_string()))?;
    Ok(out)
}

fn not_numbers() -> Error {
    Error::internal("the model's logits are not numbers (NaN): the weights or the training have gone wrong")
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: i64 = 64;

    fn rows(tied: bool) -> Tensor {
        let logits = Tensor::randn([R, 1500], (Kind::Float, Device::Cpu)) * 2.0;
        // Steps of a quarter: dozens of tokens share each of the upper values.
        if tied { (logits * 4.0).round() / 4.0 } else { logits }
    }

    #[test]
    fn few_numbers_give_the_tokens_that_whole_rows_give() {
        let seen: Vec<Vec<i64>> = (0..R).map(|r| (0..20 + r).map(|i| (i * 37 + r) % 1500).collect()).collect();
        let settings =
            [(1.0, 50, 1.0, 1.0), (0.7, 20, 0.5, 1.1), (1.3, 1, 1.0, 1.5), (1.0, 300, 0.9, 0.8), (1.0, 0, 1.0, 1.0)];
        for (temperature, top_k, top_p, repetition_penalty) in settings {
            let filters = Filters { temperature, top_k, top_p, repetition_penalty };
            for tied in [false, true] {
                let logits = rows(tied);
                for share in [0, 2, 1] {
                    let key = |r: i64| Key::derive(4, "choice", &[&r.to_string()]);
                    let key = |r: i64| (share > 0 && r % share == 0).then(|| key(r));
                    let draw = |r: i64| Draw { key: key(r), seen: &seen[r as usize], position: r as u64 };
                    let draws: Vec<Draw<'_>> = (0..R).map(draw).collect();
                    let whole = from_whole_rows(&logits, &draws, &filters).unwrap();
                    assert_eq!(next_tokens(&logits, &draws, &filters).unwrap(), whole, "{filters:?} {tied} {share}");
                }
            }
        }
    }

    #[test]
    fn logits_that_are_not_numbers_are_an_error() {
        let logits = rows(false);
        let _ = logits.get(5).get(77).fill_(f64::NAN);
        let draws = vec![Draw { key: None, seen: &[1], position: 0 }; R as usize];
        for top_k in [0, 50] {
            let filters = Filters { temperature: 1.0, top_k, top_p: 1.0, repetition_penalty: 1.1 };
            assert!(next_tokens(&logits, &draws, &filters).unwrap_err().to_string().contains("NaN"));
        }
    }
}
