//! Whether a model hears is found out from its logits alone, and a deaf one is told from one that listens.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::artifact::Hearing;
use aqa_bench::audio;
use aqa_bench::generate::hearing::{hearing, scale};
use aqa_bench::model::Qwen2Audio;
use aqa_bench::model::checkpoint::Checkpoint;
use support::*;
use tch::{Device, no_grad};

const TEXT: &str = "What is heard?";

fn clip(name: &str) -> (Vec<f32>, String) {
    (audio::load(&fixture("clips").join(format!("{name}.wav"))).unwrap().samples, TEXT.to_owned())
}

fn find(policy: &Checkpoint, clips: Vec<(Vec<f32>, String)>, enough: usize) -> Option<Hearing> {
    hearing(policy, clips.into_iter(), enough).unwrap()
}

/// A copy of a checkpoint's model in which the tensors that `is` names are zero.
fn without(policy: &mut Checkpoint, is: impl Fn(&str) -> bool) {
    let params = policy.model.params().deep_copy();
    let mut zeroed = 0;
    no_grad(|| {
        for (name, tensor) in params.iter().filter(|(name, _)| is(name)) {
            assert!(largest(tensor) > 0.0, "{name}");
            let _ = tensor.shallow_clone().zero_();
            zeroed += 1;
        }
    });
    assert!(zeroed > 0);
    policy.model = Qwen2Audio::new(policy.model.config().clone(), params, Device::Cpu).unwrap();
}

#[test]
fn every_fixture_model_hears_in_both_number_types() {
    for name in ["mha", "gqa", "tied", "bf16", "v5"] {
        let policy = checkpoint(name);
        let found = find(&policy, vec![clip("one"), clip("long"), (scale(), TEXT.to_owned())], 9).unwrap();
        println!("{name}: {}", found.in_words());
        assert!(found.heard() && found.in_words().starts_with("audio was heard (3 clips)"), "{name}: {found:?}");
        // 25 tokens of one second, 42 of 1.7, 50 of two.
        assert_eq!((found.audio_tokens, found.audio_embeddings), (117, 117), "{name}");
    }
}

/// Both ways of being deaf: nothing of the audio reaches the language model, or the same thing whatever the clip.
#[test]
fn a_deaf_model_is_told_from_one_that_hears() {
    for part in ["multi_modal_projector.linear.weight", "audio_tower.layer_norm.weight"] {
        let mut policy = checkpoint("mha");
        without(&mut policy, |name| name == part);
        let found = find(&policy, vec![clip("one")], 1).unwrap();
        assert_eq!((found.silence, found.shuffled), (0.0, 0.0), "{part}: nothing else differs, not even rounding");
        assert!(!found.heard() && found.in_words().starts_with("AUDIO WAS NOT HEARD"), "{part}");
    }
}

/// Silence has no order to shuffle, and a constant the same one in any order.
#[test]
fn the_clip_that_moves_least_decides_and_clips_that_cannot_tell_are_passed_over() {
    let policy = checkpoint("mha");
    let silent = (vec![0.0; 16_000], TEXT.to_owned());
    let constant = (vec![0.25; 16_000], TEXT.to_owned());
    assert_eq!(find(&policy, vec![silent.clone(), constant.clone()], 4), None);
    let each: Vec<Hearing> = ["one", "long"].map(|name| find(&policy, vec![clip(name)], 4).unwrap()).into();
    let both = find(&policy, vec![silent, clip("one"), constant, clip("long")], 4).unwrap();
    assert_eq!(both.clips, 2);
    assert_eq!(both.silence, each[0].silence.min(each[1].silence));
    assert_eq!(both.shuffled, each[0].shuffled.min(each[1].shuffled));
    assert_eq!(find(&policy, vec![clip("one"), clip("long")], 1).as_ref(), Some(&each[0]), "enough is enough");
    let deaf = Hearing { shuffled: 0.0, ..each[0].clone() };
    assert!(!deaf.heard(), "order must count too");
    assert!(!Hearing { audio_embeddings: 24, ..each[0].clone() }.heard(), "and so must every token");
}
