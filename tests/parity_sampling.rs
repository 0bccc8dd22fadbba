//! The distribution that tokens are drawn from is transformers 4.49.0's, and our draws follow it. Fixtures: `tests/parity/model/sampling.*`.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::sampling::{Filters, choose};
use aqa_bench::seeds::Key;
use serde_json::Value;
use support::*;
use tch::Kind;

fn filters(setting: &Value) -> Filters {
    let number = |key: &str| setting[key].as_f64().unwrap();
    Filters {
        temperature: number("temperature") as f32,
        top_k: number("top_k") as usize,
        top_p: number("top_p"),
        repetition_penalty: number("repetition_penalty") as f32,
    }
}

/// The softmax over what survives, by id; 0 for what does not.
fn probabilities(filters: &Filters, logits: &[f32], seen: &[i64]) -> Vec<f64> {
    let mut logits = logits.to_vec();
    filters.penalise(&mut logits, seen);
    let survivors = filters.candidates(&mut logits);
    let top = survivors.iter().map(|c| f64::from(c.logit)).fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = survivors.iter().map(|c| (f64::from(c.logit) - top).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut out = vec![0.0; logits.len()];
    survivors.iter().zip(weights).for_each(|(c, w)| out[c.id] = w / total);
    out
}

/// 1e-6: a softmax of at most 64 float32 numbers. What the reference drops has exactly 0 there, and so it must here, or be so small
/// that float32 holds no such number.
#[test]
fn filtered_distributions_are_those_of_transformers() {
    let (file, theirs) = (json("sampling.json"), Tensors::load("sampling.safetensors"));
    let rows = texts(&file["rows"]);
    let settings = file["settings"].as_array().unwrap();
    assert!(settings.len() >= 15 && rows.len() >= 8);
    for (i, s) in settings.iter().enumerate() {
        let filters = filters(s);
        let cut = theirs.ids(&format!("{i}.tie_cut"));
        for (r, row) in rows.iter().enumerate() {
            let at = |name: &str| theirs.get(name).get(r as i64);
            let logits: Vec<f32> = Vec::try_from(&at("logits")).unwrap();
            let mut found = probabilities(&filters, &logits, &ids(&at("seen_ids")));
            let mut want = numbers(&at(&format!("{i}.probs")).to_kind(Kind::Double));
            if cut[r] == 1 {
                found.sort_by(f64::total_cmp);
                want.sort_by(f64::total_cmp);
            }
            let mut worst = 0.0f64;
            for (id, (&f, &w)) in found.iter().zip(&want).enumerate() {
                let dropped_alike = w > 0.0 || f < f64::from(f32::MIN_POSITIVE);
                assert!(dropped_alike, "setting {i}, row {row}, id {id}: {f} where the reference drops");
                assert!(w == 0.0 || f > 0.0, "setting {i}, row {row}, id {id}: dropped where the reference has {w}");
                worst = worst.max((f - w).abs());
            }
            within("sampling/distribution", &format!("setting {i}, row {row}"), want.len(), worst);
        }
    }
}

/// The 99.99 % point of chi-square with `freedom` degrees (Wilson and Hilferty 1931).
fn critical(freedom: f64) -> f64 {
    let part = 2.0 / (9.0 * freedom);
    freedom * (1.0 - part + 3.719 * part.sqrt()).powi(3)
}

/// Draws at fixed keys against the reference's probabilities: the keys are part of the test, so it cannot flake.
#[test]
fn draws_follow_the_distribution_of_transformers() {
    const DRAWS: u64 = 5000;
    let (file, theirs) = (json("sampling.json"), Tensors::load("sampling.safetensors"));
    let rows = texts(&file["rows"]);
    let mut tested = 0;
    for (i, setting) in file["settings"].as_array().unwrap().iter().enumerate() {
        let filters = filters(setting);
        let cut = theirs.ids(&format!("{i}.tie_cut"));
        // Where the cut goes through equal scores the reference's own choice of them is an accident.
        for (r, row) in rows.iter().enumerate().filter(|(r, _)| cut[*r] == 0) {
            let at = |name: &str| theirs.get(name).get(r as i64);
            let logits: Vec<f32> = Vec::try_from(&at("logits")).unwrap();
            let (seen, probs) = (ids(&at("seen_ids")), numbers(&at(&format!("{i}.probs")).to_kind(Kind::Double)));
            let mut counts = vec![0u64; probs.len()];
            for n in 0..DRAWS {
                let key = Key::derive(3, "frequencies", &[&i.to_string(), row, &n.to_string()]);
                counts[choose(&mut logits.clone(), &seen, &filters, Some(key), n % 7) as usize] += 1;
            }
            // Cells of at least five expected draws; the rest is one cell.
            let cells = probs.iter().zip(&counts).map(|(p, &n)| (p * DRAWS as f64, n as f64));
            let (large, small): (Vec<_>, Vec<_>) = cells.partition(|(want, _)| *want >= 5.0);
            let rest = small.iter().fold((0.0, 0.0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
            let never: f64 = probs.iter().zip(&counts).filter(|(p, _)| **p == 0.0).map(|(_, &n)| n as f64).sum();
            assert_eq!(never, 0.0, "setting {i}, row {row}: a dropped token was drawn");
            let cells: Vec<(f64, f64)> = large.into_iter().chain((rest.0 > 1.0).then_some(rest)).collect();
            if cells.len() < 2 {
                continue;
            }
            let chi: f64 = cells.iter().map(|(want, n)| (n - want).powi(2) / want).sum();
            let ratio = chi / critical(cells.len() as f64 - 1.0);
            within("sampling/frequencies", &format!("setting {i}, row {row}"), DRAWS as usize, ratio);
            tested += 1;
        }
    }
    assert!(tested > 60, "{tested} distributions");
}
