//! What a plan says about memory: the figures of the 8.4-billion model, what each setting changes, what fits where.

use aqa_bench::architecture::Config;
use aqa_bench::plan::memory::{Capacity, Fit, Forecast, Part, counts, training};
use aqa_bench::plan::{self, Plan};
use aqa_bench::recipe::{self, Activations, Dtype, Lora, Master, Memory, Method, Moments, Numerics, Place, Train};
use std::path::Path;

/// The paper's recipe over the published configuration.
fn paper(sets: &[&str]) -> Plan {
    let weights = "model.weights={model.safetensors: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}";
    let base = ["model.source=recipes/data/qwen2-audio-7b-instruct", "model.revision=", weights];
    let sets: Vec<String> = base.iter().chain(sets).map(|s| (*s).to_owned()).collect();
    plan::build(&recipe::load(Path::new("recipes/r1-aqa.yaml"), &sets).unwrap(), None).unwrap()
}

fn published_config() -> Config {
    Config::load(Path::new("recipes/data/qwen2-audio-7b-instruct")).unwrap()
}

/// The training stage of the paper's recipe, everything kept on the device and one question at a time.
fn stage() -> Train {
    let recipe = recipe::load(Path::new("recipes/r1-aqa.yaml"), &[]).unwrap();
    let train = recipe.train.into_iter().next().unwrap();
    Train { memory: Memory::default(), micro_batch: 1, ..train }
}

fn forecast(train: &Train) -> Forecast {
    training(&published_config(), train, 750).unwrap()
}

/// Bytes of parts in the phase that sets the step, on the device and on the host.
fn in_step(forecast: &Forecast, wanted: &[Part]) -> (f64, f64) {
    let step = forecast.phases.iter().find(|p| p.name == "optimizer step").unwrap();
    let sum = |parts: &[(Part, u64)]| parts.iter().filter(|(p, _)| wanted.contains(p)).map(|(_, b)| *b).sum::<u64>();
    (sum(&step.device) as f64 / 1e9, sum(&step.host) as f64 / 1e9)
}

const SETTLED: [Part; 5] = [Part::Weights, Part::Gradients, Part::Master, Part::Moments, Part::Reference];

#[track_caller]
fn about(found: f64, gigabytes: f64) {
    assert!((found - gigabytes).abs() < 0.1, "expected {gigabytes} GB, found {found}");
}

/// Nothing of the recipe's memory settings.
const PLAIN: [&str; 2] = ["train.grpo.memory={activations: keep}", "train.grpo.micro_batch=1"];

#[test]
fn the_published_model_has_its_published_size() {
    let counts = counts(&published_config());
    assert_eq!(counts.all, 8_397_094_912);
    assert_eq!((counts.largest, counts.trained), (156_032 * 4096, counts.all - 1500 * 1280));
}

/// Weights, gradients, optimizer and reference of full training with bfloat16 gradients, in the four forms that are compared everywhere.
#[test]
fn full_training_takes_what_is_known_of_it() {
    let mut train = stage();
    train.numerics = Numerics::ReferenceBf16;
    let plain = forecast(&train);
    about(in_step(&plain, &[Part::Weights]).0, 16.8);
    about(in_step(&plain, &[Part::Gradients]).0, 16.8);
    about(in_step(&plain, &[Part::Master, Part::Moments]).0, 100.8);
    about(in_step(&plain, &[Part::Reference]).0, 16.8);
    about(in_step(&plain, &SETTLED).0, 151.1);
    train.memory.master = Master::Split;
    about(in_step(&forecast(&train), &SETTLED).0, 134.4);
    train.memory.reference = Place::Host;
    about(in_step(&forecast(&train), &SETTLED).0, 117.6);
    let mut train = stage();
    train.numerics = Numerics::ReferenceBf16;
    train.memory.optimizer = Place::Host;
    about(in_step(&forecast(&train), &SETTLED).0, 50.4);
    about(in_step(&forecast(&train), &SETTLED).1, 100.8);
    let mut train = stage();
    train.numerics = Numerics::ReferenceBf16;
    train.memory.moments = Moments::Int8;
    about(in_step(&forecast(&train), &SETTLED).0, 101.0);
}

/// The whole stage, rows as long as the recipe allows, on the two cards that matter.
#[test]
fn full_training_fits_one_h200_and_with_the_optimizer_on_the_host_one_80_gb_card() {
    let fits = |sets: &[&str], device: u64, host: Option<u64>| {
        let plan = paper(sets);
        plan.fit(plan.stage("grpo").unwrap(), &Capacity::Apart { device: Some(device), host }).unwrap()
    };
    // The recipe as it stands, with 8 GB to spare.
    assert_eq!(fits(&[], 141_000_000_000, None), Fit::Fits);
    assert!(matches!(fits(&PLAIN, 149_000_000_000, None), Fit::Lacks(_)));
    let h100 = [
        "train.grpo.memory={optimizer: host, reference: host, activations: recompute, micro_batch_tokens: 4096, rollout_batch: 4}",
    ];
    assert_eq!(fits(&h100, 85_000_000_000, Some(128 << 30)), Fit::Fits);
    assert!(
        matches!(fits(&h100, 85_000_000_000, Some(64 << 30)), Fit::Lacks(why) if why.contains("of the host's memory"))
    );
}

#[test]
fn each_setting_lessens_its_own_part_and_no_other() {
    type Change = fn(&mut Train);
    let changes: [(Part, Change); 5] = [
        (Part::Master, |t| t.memory.master = Master::Split),
        (Part::Moments, |t| t.memory.moments = Moments::Int8),
        (Part::Activations, |t| t.memory.activations = Activations::Recompute),
        (Part::KvCache, |t| t.memory.rollout_batch = Some(1)),
        (Part::Reference, |t| t.memory.reference = Place::Host),
    ];
    let most = |forecast: &Forecast, part: Part| -> u64 {
        let of = |parts: &[(Part, u64)]| parts.iter().filter(|(p, _)| *p == part).map(|(_, b)| *b).max().unwrap_or(0);
        forecast.phases.iter().filter(|p| !p.name.starts_with("reference")).map(|p| of(&p.device)).max().unwrap_or(0)
    };
    let base = forecast(&stage());
    let all = [Part::Weights, Part::Master, Part::Moments, Part::Reference, Part::KvCache];
    for (part, change) in changes {
        let mut train = stage();
        change(&mut train);
        let changed = forecast(&train);
        assert!(most(&changed, part) < most(&base, part), "{part:?}");
        for other in all.into_iter().filter(|&other| other != part) {
            assert_eq!(most(&changed, other), most(&base, other), "{part:?} changes {other:?}");
        }
        assert!(changed.device().on_device() <= base.device().on_device());
    }
}

#[test]
fn adapters_need_no_second_copy_and_little_else() {
    let mut train = stage();
    train.lora = Some(Lora { rank: 16, alpha: 32.0, targets: vec!["all-linear".into()] });
    let (device, host) = in_step(&forecast(&train), &SETTLED);
    assert!(device > 17.0 && device < 18.0, "{device}");
    assert_eq!(host, 0.0);
}

#[test]
fn longer_rows_and_larger_parts_take_more() {
    let base = forecast(&stage());
    let more = |change: fn(&mut Train)| {
        let mut train = stage();
        change(&mut train);
        forecast(&train)
    };
    let grpo = |train: &mut Train, f: fn(&mut recipe::Grpo)| match &mut train.method {
        Method::Grpo(settings) => f(settings),
        Method::Sft => unreachable!(),
    };
    // A budget that the longest row does not fill lets two in, one that it fills lets one.
    let budget = |t: &mut Train| (t.micro_batch, t.memory.micro_batch_tokens) = (16, Some(512 + 8 * 256 + 1));
    assert_eq!(more(budget).rows.questions, 2);
    assert_eq!(more(|t| (t.micro_batch, t.memory.micro_batch_tokens) = (16, Some(512 + 8 * 256))).rows.questions, 1);
    let mut longer = stage();
    grpo(&mut longer, |settings| settings.rollout.max_new_tokens = 512);
    let mut wider = stage();
    grpo(&mut wider, |settings| settings.group_size = 16);
    for larger in [more(|t| t.micro_batch = 2), more(budget), forecast(&longer), forecast(&wider)] {
        let forward = |f: &Forecast| f.phases.iter().find(|p| p.name == "forward").unwrap().on_device();
        assert!(forward(&larger) > forward(&base));
    }
    let float32 = training(&Config { dtype: Dtype::Float32, ..published_config() }, &stage(), 750).unwrap();
    assert!(
        float32.device().device.iter().all(|(part, _)| *part != Part::Master),
        "a float32 policy is its own master"
    );
}

/// What is offered as a way out is one by the plan's own arithmetic, and settings that would be refused are not offered.
#[test]
fn ways_out_help_and_are_accepted() {
    let plan = paper(&PLAIN);
    let capacity = Capacity::Apart { device: Some(149_000_000_000), host: None };
    let Fit::Lacks(why) = plan.fit(plan.stage("grpo").unwrap(), &capacity).unwrap() else { panic!("it fits") };
    assert!(why.starts_with("needs ") && !why.contains('\n'), "{why}");
    let ways = why.split("what helps: ").nth(1).unwrap();
    let singles: Vec<&str> = ways.split("--set ").skip(1).map(|way| way.split(" (").next().unwrap()).collect();
    assert!(singles.len() >= 3, "{ways}");
    let before = plan.memory(plan.stage("grpo").unwrap()).unwrap().unwrap().device().on_device();
    for way in singles {
        let way = way.trim().trim_matches('\'');
        let changed = paper(&[&PLAIN[..], &[way]].concat());
        let after = changed.memory(changed.stage("grpo").unwrap()).unwrap().unwrap().device().on_device();
        assert!(after < before, "{way}: {after} is not below {before}");
    }
}

#[test]
fn what_is_not_known_is_said() {
    let unknown = ["model.source=hf://models/someone/model".to_owned()];
    let recipe = recipe::load(Path::new("recipes/r1-aqa.yaml"), &unknown).unwrap();
    let plan = plan::build(&recipe, None).unwrap();
    let why = plan.memory(plan.stage("grpo").unwrap()).unwrap().unwrap_err();
    assert!(why.contains("config.json is not here yet"), "{why}");
    assert_eq!(plan.fit(plan.stage("grpo").unwrap(), &Capacity::Shared(Some(1))), None);
    assert!(plan.disk().is_empty());
    // Published shapes are known before anything is fetched.
    let published = plan::build(&recipe::load(Path::new("recipes/r1-aqa.yaml"), &[]).unwrap(), None).unwrap();
    let grpo = published.stage("grpo").unwrap();
    assert_eq!(published.memory(grpo).unwrap().unwrap(), paper(&[]).memory(grpo).unwrap().unwrap());
    let disk = published.disk().remove(0);
    assert_eq!((disk.checkpoints, disk.each), (10, 2 * counts(&published_config()).all));
    // Weights, split master and two moments of every number that is trained.
    about(disk.resume as f64 / 1e9, 16.8 + 16.8 + 67.2);
}

/// A stage from before the keys existed keeps its fingerprint when the defaults are spelt out; any other setting makes another stage.
#[test]
fn defaults_of_memory_are_in_no_fingerprint() {
    let print = |sets: &[&str]| paper(&[&PLAIN, sets].concat()).stage("grpo").unwrap().fingerprint.clone();
    let spelt = "train.grpo.memory={activations: keep, master: float32, reference: device, optimizer: device, moments: float32, rollout_batch: 16}";
    assert_eq!(print(&[spelt]), print(&[]));
    for set in [
        "activations=recompute",
        "master=split",
        "reference=host",
        "optimizer=host",
        "moments=int8",
        "rollout_batch=2",
        "micro_batch_tokens=9",
    ] {
        assert_ne!(print(&[&format!("train.grpo.memory.{set}")]), print(&[]), "{set}");
    }
}
