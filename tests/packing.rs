//! The packed rows of training, in which completions share their prompt and what they begin with, equal the plain way: one row a completion, padded on the left,
//! audio repeated, no packing.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::audio::Features;
use aqa_bench::model::Qwen2Audio;
use aqa_bench::model::mask::LeftPadded;
use aqa_bench::model::params::EMBED_POSITIONS;
use aqa_bench::recipe::Numerics;
use aqa_bench::seeds::Key;
use aqa_bench::train::logps::{Group, Packed, completion_logprobs};
use support::*;
use tch::{Device, Kind, Tensor};

/// The case of each question and its completions.
type Batch = Vec<(&'static str, Vec<Vec<i64>>)>;

/// Ids that the tokenizer has, and some beyond it that only the embedding has; ends with an end token.
fn completion(length: usize, seed: u64) -> Vec<i64> {
    let mut draw = Key::derive(seed, "completion", &[&length.to_string()]).stream();
    let mut ids: Vec<i64> = (1..length).map(|_| draw.below(384) as i64).collect();
    ids.push(ENDS[1]);
    ids
}

/// Groups of several sizes over prompts of several lengths.
fn batches() -> Vec<(&'static str, Batch)> {
    let group =
        |lengths: &[usize], seed| lengths.iter().zip(seed..).map(|(&n, s)| completion(n, s)).collect::<Vec<_>>();
    let mut heard = completion(6, 70);
    heard[2] = PLACEHOLDER;
    heard[3] = PLACEHOLDER;
    // What a policy says that has learnt the format: one beginning, a few answers, some of them again and again.
    let (begin, end) = (completion(4, 90)[..3].to_vec(), completion(3, 91));
    let alike =
        |answers: &[usize]| answers.iter().map(|&n| [&begin, &completion(n, 95)[..n - 1], &end].concat()).collect();
    vec![
        ("one completion", vec![("one", group(&[5], 1))]),
        ("a group of five", vec![("half", group(&[7, 1, 12, 3, 12], 10))]),
        ("prompts of five lengths, two clips", {
            let names = ["odd", "half", "one", "long", "two"];
            names.into_iter().zip(20..).map(|(name, s)| (name, group(&[4, 9], 10 * s))).collect()
        }),
        ("completions that end at once", vec![("odd", group(&[1, 1, 1], 40)), ("long", group(&[1, 1, 8], 50))]),
        (
            "a sampled audio placeholder",
            vec![("two", vec![vec![PLACEHOLDER, ENDS[0]], heard, completion(3, 60)]), ("odd", group(&[2, 2, 2], 80))],
        ),
        (
            "one beginning, equal answers",
            vec![("one", alike(&[3, 5, 3, 3, 5, 9])), ("half", alike(&[2, 2, 2, 2, 2, 2]))],
        ),
        (
            "one that is cut where another goes on, groups of two sizes",
            vec![
                ("odd", vec![begin.clone(), [&begin[..], &end].concat(), begin[..1].to_vec()]),
                ("long", vec![end.clone()]),
            ],
        ),
    ]
}

/// Log-probabilities and entropies of the tokens of each completion, one row a completion.
fn plain(model: &Qwen2Audio, groups: &[Group<'_>]) -> (Vec<Tensor>, f64) {
    let rows: Vec<(&Group<'_>, &[i64])> =
        groups.iter().flat_map(|g| g.completions.iter().map(move |&c| (g, c))).collect();
    let whole: Vec<Vec<i64>> = rows.iter().map(|(group, completion)| [group.prompt, completion].concat()).collect();
    let batch = LeftPadded::new(&whole, PAD);
    let text = |ids: &[i64]| model.language().embed(&Tensor::from_slice(ids).unsqueeze(0));
    let embeds: Vec<Tensor> = rows
        .iter()
        .zip(&batch.pads)
        .map(|((group, completion), &pads)| {
            let audio = model.encode_audio(&group.audio).unwrap();
            let prompt = model.embed(&[group.prompt.to_vec()], Some(&audio)).unwrap();
            Tensor::cat(&[text(&vec![PAD; pads as usize]), prompt, text(completion)], 1)
        })
        .collect();
    let (positions, mask) = (batch.position_ids(Device::Cpu), batch.prefill_mask(Device::Cpu));
    let hidden = model.language().forward(&Tensor::cat(&embeds, 0), &positions, &mask, None, None);
    let all = model.language().logits(&hidden).log_softmax(-1, None::<Kind>);
    let (mut out, mut entropy, mut tokens) = (Vec::new(), 0.0, 0);
    for (i, (_, completion)) in rows.iter().enumerate() {
        let n = completion.len() as i64;
        let at = all.get(i as i64).narrow(0, batch.len() - n - 1, n);
        entropy -= (at.exp() * &at).sum(None::<Kind>).double_value(&[]);
        tokens += n;
        out.push(at.gather(-1, &Tensor::from_slice(completion).unsqueeze(1), false).squeeze_dim(1));
    }
    (out, entropy / tokens as f64)
}

/// Weights that no two tokens share, so that a gradient at the wrong token shows.
fn weights(count: usize, length: usize, kind: Kind) -> Tensor {
    let mut draw = Key::derive(3, "weights", &[]).stream();
    let values: Vec<f64> = (0..count * length).map(|_| draw.normal()).collect();
    Tensor::from_slice(&values).view([count as i64, length as i64]).to_kind(kind)
}

/// Largest deviations of log-probabilities, and of gradients relative to their tensor's largest entry.
fn compare(model: &Qwen2Audio, batch: &Batch, kind: Kind) -> (f64, f64) {
    let cases: Vec<(Case, &Vec<Vec<i64>>)> = batch.iter().map(|(name, rows)| (case(name), rows)).collect();
    let groups: Vec<Group<'_>> = cases
        .iter()
        .map(|(case, rows)| Group {
            prompt: &case.ids,
            audio: case.features.iter().collect::<Vec<&Features>>(),
            completions: rows.iter().map(Vec::as_slice).collect(),
        })
        .collect();
    let lengths: Vec<usize> = batch.iter().flat_map(|(_, rows)| rows.iter().map(Vec::len)).collect();
    let longest = *lengths.iter().max().unwrap();
    let weights = weights(lengths.len(), longest, kind);

    let packed_model = trainable(&in_kind(model, kind));
    let packed = completion_logprobs(&packed_model, &groups, PAD, Numerics::Fp32Logprobs).unwrap();
    assert_eq!(packed.logprobs.size(), [lengths.len() as i64, longest as i64]);
    (&packed.logprobs * &weights).sum(None::<Kind>).backward();

    let plain_model = trainable(&in_kind(model, kind));
    let (rows, entropy) = plain(&plain_model, &groups);
    let row = |i: usize| weights.get(i as i64).narrow(0, 0, lengths[i] as i64);
    let terms: Vec<Tensor> = rows.iter().enumerate().map(|(i, r)| (r * row(i)).sum(None::<Kind>)).collect();
    Tensor::stack(&terms, 0).sum(None::<Kind>).backward();

    let mut apart = (packed.entropy - entropy).abs();
    for (i, expected) in rows.iter().enumerate() {
        let (found, mask) = (packed.logprobs.get(i as i64), packed.mask.get(i as i64));
        apart = apart.max(difference(&found.narrow(0, 0, lengths[i] as i64), expected));
        let real: Vec<f64> = (0..longest).map(|t| f64::from(u8::from(t < lengths[i]))).collect();
        assert_eq!(numbers(&mask), real, "mask of row {i}");
        assert!(numbers(&found)[lengths[i]..].iter().all(|&x| x == 0.0), "row {i} is not 0 behind its end");
    }
    let (found, expected) = (gradients(&packed_model), gradients(&plain_model));
    let relative = expected.iter().map(|(name, g)| {
        assert!(largest(g) > 0.0, "{name} takes no part");
        difference(&found[name], g) / largest(g)
    });
    for model in [&packed_model, &plain_model] {
        let positions = model.params().get(EMBED_POSITIONS).unwrap();
        assert!(!positions.requires_grad() && !positions.grad().defined(), "the encoder's positions take a gradient");
    }
    (apart, relative.fold(0.0, f64::max))
}

/// Both ways sum in another order. Float64: 2e-16 a sum over a few thousand terms. Float32: log-probabilities of about 6 hold 5e-7, and
/// gradients sum up to a thousand positions, with entries that nearly cancel: 1e-4 of the largest is what the reference stack keeps too.
#[test]
fn packed_rows_equal_one_row_a_completion() {
    for name in ["mha", "gqa", "tied"] {
        let model = checkpoint(name).model;
        for (what, batch) in batches() {
            for (kind, width) in [(Kind::Double, "float64"), (Kind::Float, "float32")] {
                let (apart, relative) = compare(&model, &batch, kind);
                let what = format!("{name}, {what}");
                within(&format!("fast/packed-logps-{width}"), &what, batch.len(), apart);
                within(&format!("fast/packed-gradients-{width}"), &what, batch.len(), relative);
            }
        }
    }
}

/// Equal completions cost one, a common beginning is there once, and no position is asked twice what comes next.
#[test]
fn what_completions_share_is_computed_once() {
    let odd = case("odd");
    let packed = |completions: &[&[i64]]| {
        let group = [Group { prompt: &odd.ids, audio: odd.audio(), completions: completions.to_vec() }];
        let packed = Packed::new(&group, PAD, Device::Cpu).unwrap();
        let asked = ids(&packed.predictors);
        assert_eq!(asked.iter().collect::<std::collections::BTreeSet<_>>().len(), asked.len());
        (packed.positions.size()[1] - odd.ids.len() as i64, asked.len())
    };
    assert_eq!(packed(&[&[1, 2, 3]]), (3, 3));
    assert_eq!(packed(&[&[1i64, 2, 3][..]; 8]), (3, 3));
    assert_eq!(packed(&[&[1, 2, 3], &[1, 2, 4, 5], &[1, 2]]), (5, 4));
    assert_eq!(packed(&[&[1, 2], &[2, 1]]), (4, 3));
}

#[test]
fn groups_that_cannot_be_packed_are_refused() {
    let model = checkpoint("mha").model;
    let (odd, end) = (case("odd"), [ENDS[1]]);
    let group = |completions| Group { prompt: &odd.ids, audio: odd.audio(), completions };
    let refused = |groups: &[Group<'_>]| {
        completion_logprobs(&model, groups, PAD, Numerics::Fp32Logprobs).err().map(|e| e.to_string())
    };
    assert!(refused(&[group(vec![&end]), group(vec![])]).unwrap().contains("at least one token"));
    assert!(refused(&[group(vec![&end, &[]])]).unwrap().contains("at least one token"));
    assert!(refused(&[]).is_some());
    let deaf = Group { prompt: &odd.ids, audio: Vec::new(), completions: vec![&end] };
    assert!(refused(&[deaf]).unwrap().contains("8 audio placeholders in the ids, but 0 audio embeddings"));
}
