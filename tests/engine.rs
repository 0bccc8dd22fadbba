//! What generation and training promise whatever the weights are: a sample depends on its prompt and key alone, and the same work gives
//! the same bits.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::audio::{Features, mel};
use aqa_bench::error::Kind as ErrorKind;
use aqa_bench::generate::{Completion, Request, Stop, generate};
use aqa_bench::model::Qwen2Audio;
use aqa_bench::model::encoder::{Encoder, frames_needed, of_like_length, pooled_length};
use aqa_bench::recipe::Numerics;
use aqa_bench::recipe::Optimizer;
use aqa_bench::sampling::Filters;
use aqa_bench::seeds::Key;
use aqa_bench::train::advantage;
use aqa_bench::train::grpo::{Inputs, loss};
use aqa_bench::train::logps::{Group, completion_logprobs};
use aqa_bench::train::optimizer::AdamW;
use std::collections::BTreeSet;
use support::*;
use tch::{Kind, Tensor, no_grad};

/// Qwen2-Audio's published settings, but a wider nucleus: more tokens to choose from.
const SAMPLED: Filters = Filters { temperature: 1.0, top_k: 50, top_p: 0.95, repetition_penalty: 1.1 };
const NEW: usize = 24;

fn keys(case: &Case, count: usize) -> Vec<Option<Key>> {
    (0..count).map(|slot| Some(Key::derive(9, "engine", &[&case.name, &slot.to_string()]))).collect()
}

/// `count` completions of each case, drawn with the case's own keys; ended only by `eos` and by length.
fn draw(model: &Qwen2Audio, cases: &[&Case], count: usize, eos: &[i64], length: usize) -> Vec<Vec<Completion>> {
    let requests: Vec<Request<'_>> =
        cases.iter().map(|case| Request { ids: &case.ids, audio: case.audio(), keys: keys(case, count) }).collect();
    let stop = Stop { eos: eos.to_vec(), max_new_tokens: length, pad: PAD };
    generate(model, &requests, &SAMPLED, &stop).unwrap()
}

/// A sample's logits differ by some 1e-6 between batches, and its choice only where two scores lie closer than that: never here.
#[test]
fn a_sample_depends_on_its_prompt_and_key_and_nothing_else() {
    let (model, cases) = (checkpoint("mha").model, cases());
    let all: Vec<&Case> = cases.iter().collect();
    let batch = draw(&model, &all, 4, &[], NEW);
    assert_eq!(batch, draw(&model, &all, 4, &[], NEW), "the same call twice");
    for (i, case) in all.iter().enumerate() {
        let distinct: BTreeSet<&Vec<i64>> = batch[i].iter().map(|c| &c.ids).collect();
        assert_eq!(distinct.len(), 4, "the completions of {} are not four different ones", case.name);
        let alone = draw(&model, &[case], 4, &[], NEW);
        assert_eq!(alone[0], batch[i], "{} alone", case.name);
        let first = draw(&model, &[case], 1, &[], NEW);
        assert_eq!(first[0][0], batch[i][0], "{} asked once", case.name);
    }
    let mut backwards = draw(&model, &all.iter().rev().copied().collect::<Vec<_>>(), 4, &[], NEW);
    backwards.reverse();
    assert_eq!(backwards, batch, "the batch in reverse order");
    let some = draw(&model, &[all[3], all[0]], 2, &[], NEW);
    assert_eq!(
        (&some[0][..], &some[1][..]),
        (&batch[3][..2], &batch[0][..2]),
        "two of the five, half of the completions"
    );
    // The first tokens do not know how many follow.
    let short = draw(&model, &all, 4, &[], 5);
    for (short, long) in short.iter().flatten().zip(batch.iter().flatten()) {
        assert_eq!((&short.ids[..], short.stopped), (&long.ids[..5], false));
    }
}

#[test]
fn completions_without_a_key_are_the_most_likely_tokens_whoever_is_beside_them() {
    let (model, case) = (checkpoint("gqa").model, case("half"));
    let run = |keys: Vec<Option<Key>>, filters: &Filters| {
        let request = Request { ids: &case.ids, audio: case.audio(), keys };
        let stop = Stop { eos: ENDS.to_vec(), max_new_tokens: NEW, pad: PAD };
        generate(&model, &[request], filters, &stop).unwrap().remove(0)
    };
    let greedy = run(vec![None], &PLAIN).remove(0);
    let [key, other] = [keys(&case, 2)[0], keys(&case, 2)[1]];
    let mixed = run(vec![key, None, other, None], &PLAIN);
    assert_eq!((&mixed[1], &mixed[3]), (&greedy, &greedy));
    assert!(mixed[0] != greedy && mixed[2] != greedy && mixed[0] != mixed[2]);
    assert_eq!(run(vec![key], &PLAIN)[0], mixed[0]);
    // Temperature, top-k and top-p leave the most likely token where it is.
    assert_eq!(run(vec![None], &Filters { repetition_penalty: 1.0, temperature: 0.3, ..SAMPLED })[0], greedy);
}

/// What an end token does: the completion stops with it, and no other row notices.
#[test]
fn an_end_token_cuts_its_row_and_changes_no_other() {
    let (model, cases) = (checkpoint("mha").model, cases());
    let all: Vec<&Case> = cases.iter().collect();
    let free = draw(&model, &all, 3, &[], NEW);
    assert!(free.iter().flatten().all(|c| c.ids.len() == NEW && !c.stopped), "length alone ended them");
    let token = |row: usize, at: usize| free[row][0].ids[at];
    let early: Vec<i64> = free.iter().map(|group| group[0].ids[0]).collect();
    for eos in [vec![token(0, 5)], vec![token(2, 9), token(4, 3)], vec![token(1, NEW - 1)], early, vec![PAD, 1_000_000]]
    {
        let found = draw(&model, &all, 3, &eos, NEW);
        let mut ended = 0;
        for (found, free) in found.iter().flatten().zip(free.iter().flatten()) {
            let end = free.ids.iter().position(|id| eos.contains(id));
            ended += usize::from(end.is_some());
            let expected =
                Completion { ids: free.ids[..end.map_or(NEW, |at| at + 1)].to_vec(), stopped: end.is_some() };
            assert_eq!(found, &expected, "ends {eos:?}");
        }
        assert!(ended > 0 || eos.contains(&PAD), "no row met {eos:?}");
    }
}

#[test]
fn what_cannot_be_generated_is_refused() {
    let (model, case) = (checkpoint("mha").model, case("odd"));
    let stop = |max_new_tokens| Stop { eos: ENDS.to_vec(), max_new_tokens, pad: PAD };
    let request = |keys| [Request { ids: &case.ids, audio: case.audio(), keys }];
    let error = generate(&model, &request(vec![None]), &PLAIN, &stop(8192)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    for part in ["60 prompt tokens", "8192 new ones", "8192 positions", "max_new_tokens"] {
        assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
    }
    assert_eq!(generate(&model, &[], &PLAIN, &stop(4)).unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(generate(&model, &request(vec![None]), &PLAIN, &stop(0)).unwrap_err().kind(), ErrorKind::Internal);
    let deaf = [Request { ids: &case.ids, audio: Vec::new(), keys: vec![None] }];
    let error = generate(&model, &deaf, &PLAIN, &stop(4)).unwrap_err().to_string();
    assert!(error.contains("8 audio placeholders in the ids, but 0 audio embeddings"), "{error}");
    let _ = no_grad(|| model.params().get("language_model.model.norm.weight").unwrap().fill_(f64::NAN));
    let error = generate(&model, &request(vec![None]), &PLAIN, &stop(4)).unwrap_err();
    assert!(error.to_string().contains("NaN"), "{error}");
}

/// Float rounding: sums over keys run over other lengths, and the largest entry is about 3.
#[test]
fn the_encoder_on_trimmed_frames_equals_the_encoder_on_thirty_seconds() {
    for name in ["mha", "gqa", "tied"] {
        let model = checkpoint(name).model;
        for (kind, row) in [(Kind::Float, "fast/encoder-float32"), (Kind::Double, "fast/encoder-float64")] {
            let model = in_kind(&model, kind);
            let encoder = Encoder::new(&model.config().audio, model.params()).unwrap();
            let cases = cases();
            let clips: Vec<_> = cases.iter().flat_map(|case| &case.features).collect();
            let (cut, valid) = model.input_features(&clips);
            assert_eq!(cut.size()[2], frames_needed(170, 3000));
            let whole: Vec<f32> = clips.iter().flat_map(|f| f.to_frames(3000)).collect();
            let whole = Tensor::from_slice(&whole).view([clips.len() as i64, 128, 3000]);
            let run = |features: &Tensor, valid: &[i64]| no_grad(|| encoder.forward(features, valid)).unwrap();
            let (cut, whole) = (run(&cut, &valid), run(&whole, &valid));
            for (i, &n) in valid.iter().enumerate() {
                let part = |t: &Tensor| t.get(i as i64).narrow(0, 0, pooled_length(n));
                close_to_largest(row, &format!("{name} clip {i}"), &part(&cut), &part(&whole));
                let (own, own_valid) = model.input_features(&[clips[i]]);
                let alone = run(&own, &own_valid).get(0).narrow(0, 0, pooled_length(n));
                close_to_largest(row, &format!("{name} clip {i} alone"), &alone, &part(&whole));
            }
        }
    }
}

/// Clips of unlike length are encoded apart; which clips stand beside one, and in which order, is nothing to it.
#[test]
fn clips_of_unlike_length_are_encoded_apart_and_come_back_in_order() {
    let frames = [600, 2900, 590, 40, 450, 3000, 601, 2100];
    assert_eq!(of_like_length(&frames), [vec![5, 1], vec![7], vec![6, 0, 2, 4], vec![3]]);
    assert_eq!(of_like_length(&[300, 250, 299, 101]), [vec![0, 1, 2, 3]]);
    assert_eq!(of_like_length(&[]), Vec::<Vec<usize>>::new());
    let noise = |seed, seconds: f64| {
        let samples =
            (0..(16_000.0 * seconds) as u64).map(|i| 0.1 * Key::derive(seed, "clip", &[]).normal(i, 0) as f32);
        mel::log_mel(&samples.collect::<Vec<f32>>())
    };
    let clips = [noise(1, 3.0), noise(2, 9.0), noise(3, 3.1), noise(4, 0.5), noise(5, 9.0)];
    let model = in_kind(&checkpoint("mha").model, Kind::Double);
    let encode = |clips: &[&Features]| no_grad(|| model.encode_audio(clips)).unwrap();
    let together = encode(&clips.iter().collect::<Vec<_>>());
    let alone: Vec<Tensor> = clips.iter().map(|clip| encode(&[clip])).collect();
    close_to_largest("fast/encoder-float64", "unlike clips", &together, &Tensor::cat(&alone, 0));
}

/// Every length from the shortest that makes an embedding on: the last valid frames are the ones a wrong cut would lose.
#[test]
fn no_length_of_a_clip_is_cut_too_short() {
    let model = in_kind(&checkpoint("mha").model, Kind::Double);
    let encoder = Encoder::new(&model.config().audio, model.params()).unwrap();
    let values: Vec<f64> = (0..128 * 80).map(|i| Key::derive(4, "features", &[]).normal(i, 0)).collect();
    let features = Tensor::from_slice(&values).view([1, 128, 80]);
    for valid in 3..=40 {
        let needed = frames_needed(valid, 3000);
        let run = |frames: i64| no_grad(|| encoder.forward(&features.narrow(2, 0, frames), &[valid])).unwrap();
        let part = |t: &Tensor| t.narrow(1, 0, pooled_length(valid));
        let (cut, whole) = (run(needed), run(80));
        close_to_largest("fast/encoder-float64", &format!("{valid} frames"), &part(&cut), &part(&whole));
        assert!(encoder.forward(&features.narrow(2, 0, needed - 2), &[valid]).is_err(), "{valid} frames from fewer");
    }
}

/// What was drawn, one entry a question and step, and the trained parameters.
type Trained = (Vec<Vec<Completion>>, Vec<(String, Tensor)>);

/// Two GRPO steps: draw, compare with the frozen start, descend. A completion's reward is its number of small ids.
fn train() -> Trained {
    let (start, cases) = (checkpoint("gqa").model, cases());
    let all: Vec<&Case> = cases.iter().collect();
    let model = trainable(&start);
    let settings =
        Optimizer { learning_rate: 1e-2, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0 };
    let mut optimizer = AdamW::new(model.params(), &settings);
    let mut said = Vec::new();
    for _ in 0..2 {
        let drawn = draw(&model, &all, 4, &ENDS, NEW);
        let groups: Vec<Group<'_>> = all
            .iter()
            .zip(&drawn)
            .map(|(case, group)| Group {
                prompt: &case.ids,
                audio: case.audio(),
                completions: group.iter().map(|c| c.ids.as_slice()).collect(),
            })
            .collect();
        let reward = |c: &Completion| c.ids.iter().filter(|&&id| id < 128).count() as f64;
        let advantages: Vec<f64> = drawn
            .iter()
            .flat_map(|group| advantage::group(&group.iter().map(reward).collect::<Vec<_>>(), 1e-4).advantages)
            .collect();
        let reference = no_grad(|| completion_logprobs(&start, &groups, PAD, Numerics::Fp32Logprobs)).unwrap().logprobs;
        let policy = completion_logprobs(&model, &groups, PAD, Numerics::Fp32Logprobs).unwrap();
        let out = loss(&Inputs {
            logprobs: &policy.logprobs,
            ref_logprobs: &reference,
            advantages: &Tensor::from_slice(&advantages).to_kind(Kind::Float),
            completion_mask: &policy.mask,
            beta: 0.04,
        });
        (out.loss_sum / 20.0).backward();
        assert!(optimizer.clip().unwrap() > 0.0);
        optimizer.step(settings.learning_rate);
        said.extend(drawn);
    }
    let start: Vec<&Tensor> = start.params().trainable().map(|(_, t)| t).collect();
    let end: Vec<(String, Tensor)> = model.params().trainable().map(|(n, t)| (n.clone(), t.detach().copy())).collect();
    assert!(start.iter().zip(&end).all(|(a, (_, b))| !a.equal(b)), "a parameter did not move");
    (said, end)
}

/// Bits, not tolerances: nothing in a step may sum in an order that threads decide.
#[test]
fn training_twice_from_the_same_start_gives_the_same_bits() {
    fixture("");
    tch::set_num_threads(2);
    assert_eq!(tch::get_num_threads(), 2);
    let (said, params) = train();
    for _ in 0..2 {
        let (said_again, params_again) = train();
        assert_eq!(said, said_again);
        for ((name, a), (_, b)) in params.iter().zip(&params_again) {
            assert!(a.equal(b), "{name} differs by {:e}", difference(a, b));
        }
    }
    assert_eq!(tch::get_num_threads(), 2, "another test took the threads away");
}
