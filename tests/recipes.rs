//! The recipes that come with the program load, and the loader, the JSON schema and the files agree.

mod json_schema;

use aqa_bench::recipe::{self, Dataset, Method, Model, Recipe, Shape, Source};
use json_schema::*;
use proptest::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Every key that a recipe can have.
const FULL: &str = include_str!("inputs/full.yaml");

fn shipped() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir("recipes")
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= 3, "only {files:?}");
    files
}

/// Loads a shipped recipe; one that asks for its folder gets one.
fn load_shipped(path: &Path) -> Recipe {
    let asks = std::fs::read_to_string(path).unwrap().contains("ask:");
    let sets: Vec<String> = asks.then(|| "data.dir=somewhere".to_owned()).into_iter().collect();
    recipe::load(path, &sets).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn every_shipped_recipe_loads_and_is_named_like_its_file() {
    for path in shipped() {
        let recipe = load_shipped(&path);
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), recipe.name);
        assert_eq!(recipe.path, path);
        assert_eq!(recipe.sha256, aqa_bench::pins::Sha256::of_file(&path).unwrap());
        assert!(recipe.overrides.iter().all(|s| s == "data.dir=somewhere"));
        aqa_bench::canonical::fingerprint(&recipe).unwrap();
    }
}

#[test]
fn the_papers_recipe_says_what_the_reference_says() {
    let recipe = load_shipped(Path::new("recipes/r1-aqa.yaml"));
    let Model::Checkpoint(model) = &recipe.model else { panic!() };
    assert_eq!(model.source, Source::Hub("hf://models/Qwen/Qwen2-Audio-7B-Instruct".into()));
    assert!(model.revision.is_some());
    let [train] = &recipe.train[..] else { panic!() };
    let Method::Grpo(grpo) = &train.method else { panic!() };
    assert_eq!((train.steps, train.questions_per_step, grpo.group_size), (1000, 16, 8));
    assert_eq!((grpo.beta, grpo.advantage_eps, grpo.max_prompt_length), (0.04, 1e-4, 512));
    assert_eq!((grpo.rollout.top_k, grpo.rollout.max_new_tokens), (Some(50), 256));
    assert_eq!((train.optimizer.learning_rate, train.optimizer.beta2), (1e-6, 0.999));
    assert_eq!((train.schedule.shape, train.schedule.total_steps, train.order.seed), (Shape::Linear, 1000, 42));
    let steps: Vec<Option<u64>> = recipe.eval.iter().map(|e| e.at_step).collect();
    assert_eq!(steps, std::iter::once(None).chain((1..=10).map(|k| Some(k * 100))).collect::<Vec<_>>());
    for eval in &recipe.eval {
        assert!(eval.decoding.do_sample && eval.decoding.temperature.is_none() && eval.decoding.top_k.is_none());
    }
    let Dataset::Avqa(avqa) = &recipe.data["avqa"] else { panic!() };
    assert!(avqa.sha256.is_none() && avqa.git_blob.is_some());
    assert_eq!(avqa.audio, Source::Path("inputs/avqa/audios".into()));
}

#[test]
fn third_row_of_the_quickstart_sees_as_many_questions_as_grpo() {
    let recipe = load_shipped(Path::new("recipes/quickstart.yaml"));
    let seen = |name: &str| {
        let train = recipe.train.iter().find(|t| t.name == name).unwrap();
        (train.from.clone(), train.data.clone(), train.steps * train.questions_per_step as u64)
    };
    assert_eq!(seen("grpo"), seen("sft-more"));
    assert_eq!(seen("grpo"), ("sft".into(), "train-grpo".into(), 4000));
}

#[test]
fn the_clips_recipe_asks_for_its_folder_and_builds_on_the_quickstart() {
    let path = Path::new("recipes/mmau-clips.yaml");
    let message = recipe::load(path, &[]).unwrap_err().to_string();
    assert!(message.contains("data.dir: expected the folder that holds"), "{message}");
    assert!(message.contains("(add --set data.dir=FOLDER)\n1 problem in recipes/mmau-clips.yaml"), "{message}");
    let recipe = recipe::load(path, &["data.dir=../shared/data/mmau".into()]).unwrap();
    let Dataset::Mmau(files) = &recipe.data["clips"] else { panic!() };
    assert_eq!(files.file, Source::Path("../shared/data/mmau/mmau-test-mini.with-audio.json".into()));
    let Model::Stage(stage) = &recipe.model else { panic!() };
    assert_eq!(*stage.recipe, load_shipped(Path::new("recipes/quickstart.yaml")));
}

#[test]
fn the_clips_are_the_pinned_ones() {
    let shared = std::env::var("AQA_SHARED").unwrap_or_else(|_| "../shared".into());
    let dir = Path::new(&shared).join("data/mmau");
    if !dir.is_dir() {
        return eprintln!("the_clips_are_the_pinned_ones: skipped, no {}", dir.display());
    }
    let recipe = recipe::load(Path::new("recipes/mmau-clips.yaml"), &[format!("data.dir={}", dir.display())]).unwrap();
    let Dataset::Mmau(files) = &recipe.data["clips"] else { panic!() };
    let Source::Path(file) = &files.file else { panic!() };
    assert_eq!(files.sha256.as_ref().unwrap(), &aqa_bench::pins::Sha256::of_file(file).unwrap());
}

/// A recipe for each form of the model, data sets, stages and schedules, and every optional key.
fn every_form() -> Vec<Value> {
    let mut out: Vec<Value> = shipped().iter().map(|p| yaml(&std::fs::read_to_string(p).unwrap())).collect();
    out.push(yaml(FULL));
    out
}

#[test]
fn schema_accepts_every_recipe_and_the_recipes_hold_every_key() {
    let schema = recipe::schema();
    let mut used = std::collections::BTreeSet::new();
    for recipe in every_form() {
        accepts(&schema, &recipe, "", &mut used).unwrap();
    }
    let mut known = std::collections::BTreeSet::new();
    keys(&schema, "", &mut known);
    assert!(known.len() > 80, "{}", known.len());
    assert_eq!(known.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "keys that no recipe here holds");
}

/// Whatever single change is made to a recipe, what the schema refuses the loader refuses; an unknown key both refuse.
#[test]
fn schema_and_loader_agree_on_every_single_change() {
    let schema = recipe::schema();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("changed.yaml");
    let load = |value: &Value| {
        std::fs::write(&path, serde_json::to_string(value).unwrap()).unwrap();
        recipe::load(&path, &[])
    };
    let by_schema = |value: &Value| accepts(&schema, value, "", &mut Default::default());
    let full = yaml(FULL);
    load(&full).unwrap_or_else(|e| panic!("{e}"));
    let mut changes = 0;
    for pointer in pointers(&full) {
        let parent = pointer.rsplit_once('/').map_or("", |(p, _)| p);
        let mut variants = Vec::new();
        if full.pointer(parent).unwrap().is_object() {
            let mut removed = full.clone();
            removed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(pointer.rsplit_once('/').unwrap().1);
            variants.push((removed, false));
        }
        if full.pointer(&pointer).unwrap().is_object() && !pointer.ends_with("/sets") && !pointer.ends_with("/weights")
        {
            let mut added = full.clone();
            added.pointer_mut(&pointer).unwrap().as_object_mut().unwrap().insert("zebra".into(), 1.into());
            variants.push((added, true));
        }
        for wrong in
            [Value::Null, true.into(), (-1).into(), "Not a Name".into(), serde_json::json!([]), serde_json::json!({})]
        {
            let mut replaced = full.clone();
            *replaced.pointer_mut(&pointer).unwrap() = wrong;
            variants.push((replaced, false));
        }
        for (value, must_fail) in variants {
            changes += 1;
            let (schema, loader) = (by_schema(&value), load(&value));
            if schema.is_err() || must_fail {
                assert!(schema.is_err(), "the schema accepts {value}");
                let error = loader.expect_err(&format!("the loader accepts {pointer}: {schema:?}"));
                assert_eq!(error.exit_code(), 2, "{pointer}: {error}");
            }
        }
    }
    assert!(changes > 500, "{changes}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn order_of_top_level_keys_does_not_matter(order in Just((0..9usize).collect::<Vec<_>>()).prop_shuffle()) {
        let Value::Object(map) = yaml(FULL) else { panic!() };
        let keys: Vec<String> = map.keys().cloned().collect();
        prop_assert_eq!(keys.len(), order.len());
        let shuffled: serde_json::Map<_, _> =
            order.iter().map(|&i| (keys[i].clone(), map[&keys[i]].clone())).collect();
        let dir = tempfile::tempdir().unwrap();
        let load = |map| {
            let path = dir.path().join("r.yaml");
            std::fs::write(&path, serde_yaml::to_string(&Value::Object(map)).unwrap()).unwrap();
            aqa_bench::canonical::to_string(&recipe::load(&path, &[]).unwrap()).unwrap()
        };
        prop_assert_eq!(load(shuffled), load(map));
    }
}
