//! In float32 a sample's tokens are a function of its prompt, its clips and its key: alone, in any batch, at any place, whatever is beside it and
//! however long that goes on. (After a resume too: `tests/cli_run/interrupted.rs` kills runs and compares every file.)
#![cfg(feature = "torch")]

mod support;

use aqa_bench::generate::{Completion, Request, Stop, generate};
use aqa_bench::model::Qwen2Audio;
use aqa_bench::sampling::Filters;
use aqa_bench::seeds::Key;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use support::*;

const LENGTH: usize = 12;
const FILTERS: [Filters; 3] = [
    // R1-AQA's rollouts, Qwen2-Audio's own settings, and no filter at all.
    Filters { temperature: 1.0, top_k: 50, top_p: 1.0, repetition_penalty: 1.0 },
    Filters { temperature: 0.7, top_k: 20, top_p: 0.5, repetition_penalty: 1.1 },
    PLAIN,
];

/// One completion that is asked for: which case, and which key; 0 is the most likely tokens.
type Asked = (usize, u64);

fn key(case: &Case, draw: u64) -> Option<Key> {
    (draw > 0).then(|| Key::derive(17, "invariance", &[&case.name, &draw.to_string()]))
}

/// Completions of a batch of prompts, each with several keys. The end ids are tokens that these models say now and then, so that rows
/// leave the batch at different times.
fn run(
    model: &Qwen2Audio,
    cases: &[Case],
    batch: &[(usize, Vec<u64>)],
    filters: &Filters,
    eos: &[i64],
) -> Vec<Vec<Completion>> {
    let requests: Vec<Request<'_>> = batch
        .iter()
        .map(|(at, draws)| {
            let case = &cases[*at];
            Request { ids: &case.ids, audio: case.audio(), keys: draws.iter().map(|&draw| key(case, draw)).collect() }
        })
        .collect();
    generate(model, &requests, filters, &Stop { eos: eos.to_vec(), max_new_tokens: LENGTH, pad: PAD }).unwrap()
}

#[test]
fn a_sample_is_the_same_in_every_batch() {
    let cases = cases();
    let batches = proptest::collection::vec((0..cases.len(), proptest::collection::vec(0u64..6, 1..4)), 1..7);
    for name in ["mha", "gqa", "tied"] {
        let model = checkpoint(name).model;
        for (f, filters) in FILTERS.iter().enumerate() {
            // Ends that come early: what the first case says at places 3 and 7.
            let said = run(&model, &cases, &[(0, vec![0])], filters, &[]).remove(0).remove(0).ids;
            let eos = [said[3], said[7]];
            let alone: RefCell<HashMap<Asked, Completion>> = RefCell::default();
            let (samples, stopped) = (Cell::new(0), Cell::new(0));
            let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
            let seed = [f as u8 + 1; 32];
            let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
            runner
                .run(&batches, |batch| {
                    let found = run(&model, &cases, &batch, filters, &eos);
                    for ((at, draws), completions) in batch.iter().zip(&found) {
                        for (&draw, completion) in draws.iter().zip(completions) {
                            let mut alone = alone.borrow_mut();
                            let own = alone.entry((*at, draw)).or_insert_with(|| {
                                run(&model, &cases, &[(*at, vec![draw])], filters, &eos).remove(0).remove(0)
                            });
                            samples.set(samples.get() + 1);
                            stopped.set(stopped.get() + usize::from(completion.stopped));
                            let differ = f64::from(u8::from(completion.ids != own.ids));
                            within("invariance/batch", &format!("{name}, filters {f}, {batch:?}"), 1, differ);
                            prop_assert_eq!(completion.stopped, own.stopped);
                        }
                    }
                    Ok(())
                })
                .unwrap();
            let (samples, stopped) = (samples.get(), stopped.get());
            assert!(samples > 40 && stopped > 0 && stopped < samples, "{name}, filters {f}: {stopped} of {samples}");
        }
    }
}
