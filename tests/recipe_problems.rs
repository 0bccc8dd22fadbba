//! What is said about bad recipes, word for word, and what overrides do.

use aqa_bench::recipe::{self, Dataset, Model, Recipe, Source};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

/// Every key that a recipe can have.
const FULL: &str = include_str!("inputs/full.yaml");

#[test]
fn every_bad_recipe_gets_its_messages() {
    let mut files: Vec<PathBuf> = std::fs::read_dir("tests/inputs/bad").unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 25, "only {} files", files.len());
    for path in files {
        let error = recipe::load(&path, &[]).expect_err(&format!("{} loads", path.display()));
        assert_eq!(error.exit_code(), 2, "{error}");
        let message = error.to_string();
        hold_the_form(&message);
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(path.file_stem().unwrap().to_str().unwrap(), message);
        });
    }
}

/// `file:line:column: key.path: expected …, found … (hint)`, then the count of the lines before.
/// Holds for every list of problems.
#[track_caller]
fn hold_the_form(message: &str) {
    let (lines, last) = message.rsplit_once('\n').unwrap();
    for line in lines.lines() {
        let (place, rest) = line.split_once(": ").unwrap();
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let mut parts = place.rsplitn(3, ':');
        let position = parts.by_ref().take(2).all(digits) && parts.next().is_some_and(|f| f.ends_with(".yaml"));
        assert!(position || place.starts_with("--set "), "{line}");
        assert!(rest.contains(": expected ") && rest.contains(", found ") && rest.ends_with(')'), "{line}");
    }
    let counted: usize = last.split(", ").map(|part| part.split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(counted, lines.lines().count(), "{message}");
}

#[test]
fn five_mistakes_are_five_problems() {
    let message = recipe::load(Path::new("tests/inputs/bad/five-mistakes.yaml"), &[]).unwrap_err().to_string();
    assert!(message.ends_with("\n5 problems in tests/inputs/bad/five-mistakes.yaml"), "{message}");
}

#[test]
fn what_cannot_be_read_is_said_in_one_line() {
    for (path, part) in [
        ("recipes/quickstrat.yaml", "found none (did you mean recipes/quickstart.yaml?)"),
        ("recipes", "found a folder"),
        ("nowhere/at/all.yaml", "found none"),
    ] {
        let error = recipe::load(Path::new(path), &[]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(part) && error.to_string().lines().count() == 1, "{error}");
    }
}

/// Loads the recipe with every key, with overrides.
fn full(sets: &[&str]) -> aqa_bench::Result<Recipe> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("full.yaml");
    std::fs::write(&path, FULL).unwrap();
    recipe::load(&path, &sets.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
}

#[test]
fn overrides_reach_every_place() {
    let recipe = full(&[
        "seed=9",
        "title=A new title",
        "train.grpo.steps=5",
        "train[0].micro_batch=1",
        "train.0.optimizer.learning_rate=5e-4",
        "train.grpo.grpo.rewards=[accuracy, format-think]",
        "eval.e1.decoding.temperature=",
        "data.sets.made.count=12",
        "model.weights[\"model.safetensors\"]=1111111111111111111111111111111111111111111111111111111111111111",
        "report.expect=",
        "seed=10",
    ])
    .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((recipe.seed, recipe.title.as_str()), (10, "A new title"));
    assert_eq!((recipe.train[1].steps, recipe.train[0].micro_batch), (5, 1));
    assert_eq!(recipe.train[0].optimizer.learning_rate, 5e-4);
    assert_eq!(recipe.eval[0].decoding.temperature, None);
    assert!(recipe.report.expect.is_empty());
    let Dataset::Synthetic(made) = &recipe.data["made"] else { panic!() };
    assert_eq!(made.count, 12);
    let Model::Checkpoint(model) = &recipe.model else { panic!() };
    assert_eq!(model.weights["model.safetensors"].as_str(), "1".repeat(64));
    assert_eq!(recipe.overrides.len(), 11);
    assert_eq!(recipe.overrides[1], "title=A new title");
}

#[test]
fn an_override_changes_the_resolved_recipe_and_not_the_hash_of_the_file() {
    let (plain, changed) = (full(&[]).unwrap(), full(&["seed=8"]).unwrap());
    let print = |r: &Recipe| aqa_bench::canonical::fingerprint(r).unwrap();
    assert_eq!(plain.sha256, changed.sha256);
    assert_ne!(print(&plain), print(&changed));
    assert_eq!((changed.seed, changed.overrides), (8, vec!["seed=8".to_owned()]));
}

#[test]
fn paths_of_the_file_start_at_its_folder_and_paths_of_set_at_the_current_one() {
    let audio = |sets: &[&str]| match &full(sets).unwrap().data["mini"] {
        Dataset::Mmau(files) => files.audio.clone(),
        other => panic!("{other:?}"),
    };
    let Source::Path(path) = audio(&[]) else { panic!() };
    assert!(path.is_absolute() && path.ends_with("inputs/clips"), "{path:?}");
    assert_eq!(audio(&["data.dir=here"]), Source::Path("here/clips".into()));
    assert_eq!(audio(&["data.dir=."]), Source::Path("clips".into()));
    assert_eq!(audio(&["data.sets.mini.audio=./x"]), Source::Path("x".into()));
    assert_eq!(audio(&["data.dir=here", "data.sets.mini.audio=/x"]), Source::Path("/x".into()));
    let Source::Path(path) = audio(&["data.dir="]) else { panic!() };
    assert!(path.is_absolute() && path.ends_with("clips") && !path.ends_with("inputs/clips"), "{path:?}");
}

#[test]
fn bad_overrides_name_themselves_and_the_nearest() {
    for (set, message) in [
        ("sede=1", "--set sede: sede: expected a known key, found \"sede\" (did you mean seed?)"),
        (
            "train.gropo.steps=1",
            "--set train.gropo.steps: train.gropo: expected an index from 0 to 1 or the name of an element, found \"gropo\" (did you mean grpo?)",
        ),
        ("train[2].steps=1", "--set train[2].steps: train.2: expected an index from 0 to 1"),
        (
            "train.grpo.grpo.group_sise=4",
            "--set train.grpo.grpo.group_sise: train[1].grpo.group_sise: expected a known key, found \"group_sise\" (did you mean group_size?)",
        ),
        (
            "train.grpo.grpo.group_size=1",
            "--set train.grpo.grpo.group_size: train[1].grpo.group_size: expected a whole number of at least 2, found 1 (",
        ),
        (
            "data.sets.mni.file=x",
            "--set data.sets.mni.file: data.sets.mni: expected the data set name of one that is there, found \"mni\" (did you mean mini?)",
        ),
        ("data.dri=x", "--set data.dri: data.dri: expected a known key, found \"dri\" (did you mean dir?)"),
        ("seed=", "--set seed: seed: expected a whole number of at least 0, found nothing ("),
        ("seed=[1", "--set seed: seed: expected YAML, found "),
        ("seed.x=1", "--set seed.x: seed.x: expected seed to be a map or a list, found a whole number"),
        ("seed", "--set seed: recipe: expected KEY=VALUE, found \"seed\" ("),
        ("=1", "--set =1: recipe: expected KEY=VALUE"),
        ("a..b=1", "--set a..b: a..b: expected a key path"),
        ("title=a: b", "--set title: title: expected text, found a map ("),
        ("data.dir=~/x", "--set data.dir: data.dir: expected a path, found \"~/x\" (~ is not expanded here"),
        ("train.sft.name=model", "--set train.sft.name: train[0].name: expected a name that is free, found \"model\""),
        (
            "eval.e1.at_step=7",
            "--set eval.e1.at_step: eval[0].at_step: expected a step that leaves a checkpoint (a multiple of 5, or the last, 10), found 7",
        ),
    ] {
        let error = full(&[set]).expect_err(set);
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().lines().any(|line| line.starts_with(message)), "{set}:\n{message}\n{error}");
        hold_the_form(&error.to_string());
    }
}

/// Single changes to a good recipe, and what they are told.
#[test]
fn elements_are_checked_one_by_one() {
    for (from, to, expected) in [
        ("seed: 7", "seed: 1e3", Some("seed: expected a whole number of at least 0, found 1e3 (write it as 1000:")),
        (
            "seed: 7",
            "seed: 1_000",
            Some("seed: expected a whole number of at least 0, found \"1_000\" (write it without underscores: 1000)"),
        ),
        ("seed: 7", "seed: \"7\"", Some("found the text \"7\" (write it without quotes: 7)")),
        ("seed: 7", "seed: 9223372036854775808", Some("seed: expected a whole number")),
        ("seed: 7", "seed: 9223372036854775807", None),
        ("learning_rate: 1e-3", "learning_rate: 1e-6", None),
        (
            "learning_rate: 1e-3",
            "learning_rate: 0",
            Some("train[0].optimizer.learning_rate: expected a number above 0, found 0"),
        ),
        ("beta: 0,", "beta: 1,", None),
        ("temperature: 0.7", "temperature: 0.0", Some("eval[0].decoding.temperature: expected a number above 0")),
        ("top_p: 0.5", "top_p: 0", Some("expected a number above 0 and at most 1, found 0")),
        ("top_p: 0.5", "top_p: 1", None),
        (
            "do_sample: true, max_new_tokens: 8",
            "do_sample: yes, max_new_tokens: 8",
            Some("expected true or false, found \"yes\" (YAML 1.2 has only true and false)"),
        ),
        ("at_step: 5", "at_step: 10", None),
        (
            "at_step: 5",
            "at_step: 4",
            Some(
                "expected a step that leaves a checkpoint (a multiple of 5, or the last, 10), found 4 (the nearest is 5;",
            ),
        ),
        (
            "total_steps: 20",
            "total_steps: 9",
            Some("train[0].steps: expected at most schedule.total_steps (9), found 10"),
        ),
        (
            "micro_batch: 2",
            "micro_batch: 5",
            Some("train[0].micro_batch: expected at most questions_per_step (4), found 5"),
        ),
        (
            "rewards: [accuracy]",
            "rewards: []",
            Some("train[1].grpo.rewards: expected a list of at least 1, found an empty list"),
        ),
        (
            "tasks: [snd, spk]",
            "tasks: [snd, spkk]",
            Some(
                "data.sets.made.tasks[1]: expected a task that the program can make, found \"spkk\" (did you mean spk?)",
            ),
        ),
        (
            "betas: [0.9, 0.999]",
            "betas: [0.9]",
            Some("train[0].optimizer.betas: expected a list of 2, found a list of 1"),
        ),
        ("  dtype: float32\n", "", Some("model.dtype: expected one of float32, bfloat16, found nothing")),
        (
            "from: sft",
            "from: grpo",
            Some(
                "train[1].from: expected model or an earlier training stage, found \"grpo\" (a stage cannot start from itself)",
            ),
        ),
        (
            "expect: [{eval: e1",
            "expect: [{eval: e2",
            Some("report.expect[0].eval: expected the name of an eval, found \"e2\" (did you mean e1?)"),
        ),
        ("  claims: [data/claims.json]\n", "", Some("report.expect[0]: expected report.claims beside report.expect")),
        (
            "title: \"Every key\"",
            "title: \"two\\nlines\"",
            Some("title: expected text, found \"two\\nlines\" (one line, without control characters)"),
        ),
        (
            "{model.safetensors:",
            "{../model.safetensors:",
            Some("model.weights[\"../model.safetensors\"]: expected a file name, found \"../model.safetensors\""),
        ),
        ("title: \"Every key\"", "title: \" \"", Some("title: expected text, found \" \"")),
        (
            "name: full",
            "name: true",
            Some(
                "name: expected a name of lower-case letters, digits and dashes, found true (put it in quotes if the text true is meant)",
            ),
        ),
    ] {
        assert!(FULL.contains(from), "{from}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("full.yaml");
        std::fs::write(&path, FULL.replacen(from, to, 1)).unwrap();
        match (recipe::load(&path, &[]), expected) {
            (Ok(_), None) => {}
            (Err(error), Some(expected)) => {
                let message = error.to_string();
                hold_the_form(&message);
                assert!(message.contains(expected), "{to}\n{expected}\n{message}");
            }
            (Ok(_), Some(expected)) => panic!("{to} loads; expected {expected}"),
            (Err(error), None) => panic!("{to}: {error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// However a recipe is damaged, it loads or it gets messages of the one form.
    #[test]
    fn damaged_recipes_get_messages(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..12usize, "[-:a-z0-9\\[\\]{}\"'#&*!|>%@`,?\t\n ~.é]{0,4}"), 1..4)
    ) {
        let mut text: Vec<char> = FULL.chars().collect();
        for (at, len, new) in cuts {
            let at = at.index(text.len());
            let end = (at + len).min(text.len());
            text.splice(at..end, new.chars());
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("damaged.yaml");
        std::fs::write(&path, text.into_iter().collect::<String>()).unwrap();
        if let Err(error) = recipe::load(&path, &[]) {
            prop_assert_eq!(error.exit_code(), 2, "{}", error);
            hold_the_form(&error.to_string());
        }
    }

    /// So do overrides, whatever they say.
    #[test]
    fn any_override_gets_messages(set in "(seed|train|train.grpo|data.sets.made|model.weights|eval.e1.decoding|zebra)?[.\\[\"a-z0-9\\]]{0,4}=?[-a-z0-9\\[\\]{}:, \"&*\n]{0,6}") {
        if let Err(error) = full(&[&set]) {
            prop_assert_eq!(error.exit_code(), 2, "{}", error);
            hold_the_form(&error.to_string());
        }
    }
}
