//! The recipes that make up the paper's table: all of them load and plan, docs/recipes.md lists them with their cost, and they differ in
//! what they should.

use aqa_bench::data::versions;
use aqa_bench::plan::memory::{Capacity, Fit};
use aqa_bench::plan::{self, Data, Plan, Work};
use aqa_bench::recipe::{self, Dataset, Extract, Method, Model, Recipe, RewardName, Source, Train};
use aqa_bench::report::claims::{self, Claims};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const DOC: &str = include_str!("../docs/recipes.md");

/// Every recipe of `recipes/` by name, those of the hub over the published configuration, one that asks for its folder with one.
fn shipped() -> BTreeMap<String, Recipe> {
    let mut out = BTreeMap::new();
    for entry in std::fs::read_dir("recipes").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut sets = Vec::new();
        if text.contains("source: hf://") {
            let weights = format!("model.weights={{model.safetensors: {}}}", "a".repeat(64));
            sets.extend([
                "model.source=recipes/data/qwen2-audio-7b-instruct".into(),
                "model.revision=".into(),
                weights,
            ]);
        }
        if text.contains("dir: {ask:") {
            sets.push("data.dir=somewhere".into());
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        out.insert(name, recipe::load(&path, &sets).unwrap_or_else(|e| panic!("{e}")));
    }
    assert!(out.len() >= 13, "only {:?}", out.keys());
    out
}

fn load(name: &str) -> Recipe {
    recipe::load(Path::new(&format!("recipes/{name}.yaml")), &[]).unwrap_or_else(|e| panic!("{e}"))
}

fn planned(recipe: &Recipe) -> Plan {
    plan::build(recipe, None).unwrap()
}

#[test]
fn every_recipe_is_planned() {
    for (name, recipe) in shipped() {
        let plan = planned(&recipe);
        assert!(!plan.stages.is_empty(), "{name}");
        let asked = recipe.train.len() + recipe.eval.len() + recipe.scores.len();
        let own = |w: &Work| !matches!(w, Work::Data(_) | Work::Init { .. });
        let own = plan.stages.iter().filter(|s| s.recipe == name && own(&s.work)).count();
        assert_eq!(own, asked, "{name}: every stage of the recipe is in its plan");
        let text = plan.to_text(Path::new("runs/none"), None).unwrap();
        assert!(plan.stages.iter().all(|s| text.contains(&s.name)), "{text}");
    }
}

/// The rows of the page's table: file name to cells.
fn rows() -> BTreeMap<String, Vec<String>> {
    let mut out = BTreeMap::new();
    for line in DOC.lines().filter_map(|l| l.strip_prefix("| [")) {
        let (name, rest) = line.split_once(']').unwrap();
        let (link, _) = rest.strip_prefix('(').unwrap().split_once(')').unwrap();
        assert_eq!(link, format!("../recipes/{name}"));
        let cells = line.trim_end_matches('|').split(" | ").skip(1).map(|c| c.trim().to_owned()).collect();
        assert!(out.insert(name.to_owned(), cells).is_none(), "{name} is there twice");
    }
    out
}

#[test]
fn the_page_lists_every_recipe_and_nothing_else() {
    let files: BTreeSet<String> = shipped().keys().map(|name| format!("{name}.yaml")).collect();
    assert_eq!(rows().into_keys().collect::<BTreeSet<_>>(), files);
}

/// The cost on the page is what the plan says, rounded.
#[test]
fn the_cost_on_the_page_is_the_plans() {
    let rows = rows();
    for (name, recipe) in shipped() {
        let cells = &rows[&format!("{name}.yaml")];
        let (memory, training, evaluation) = cost(&recipe);
        assert_eq!(cells[1..4], [memory, training, evaluation], "{name}: memory, training, evaluation");
    }
}

fn size(bytes: u64) -> String {
    if bytes >= 1_000_000_000 {
        format!("{:.0} GB", bytes as f64 / 1e9)
    } else {
        format!("{:.0} MB", bytes as f64 / 1e6)
    }
}

/// Memory at the worst moment, what is trained, what is asked, as the page spells it.
fn cost(recipe: &Recipe) -> (String, String, String) {
    let plan = planned(recipe);
    let forecasts = plan.stages.iter().filter_map(|s| plan.memory(s)).map(Result::unwrap);
    let (device, host) =
        forecasts.fold((0, 0), |(device, host), f| (device.max(f.device().on_device()), host.max(f.host().on_host())));
    let memory = match (device, host) {
        (0, _) => "none".to_owned(),
        (device, host) if host >= 1_000_000_000 => format!("{} and {} of the host", size(device), size(host)),
        (device, _) => size(device),
    };
    let own = || plan.stages.iter().filter(|s| s.recipe == recipe.name);
    let (steps, seen) = own().fold((0, 0), |(steps, seen), s| match &s.work {
        Work::Train { train, .. } => (steps + train.steps, seen + train.steps * train.questions_per_step as u64),
        _ => (steps, seen),
    });
    let training = if steps == 0 { "none".to_owned() } else { format!("{steps} steps, {seen} questions") };
    let asked: Vec<u64> = own()
        .filter_map(|s| match &s.work {
            Work::Evaluate { data, .. } | Work::Score { data, .. } => Some(questions(&plan, data)),
            _ => None,
        })
        .collect();
    assert!(asked.iter().all(|n| *n == asked[0]), "{}: the page has one number", recipe.name);
    (memory, training, format!("{} x {} questions", asked.len(), asked[0]))
}

/// Questions of a data set, from the table of versions or the recipe.
fn questions(plan: &Plan, data: &Data) -> u64 {
    match data {
        Data::Stage { index, .. } => match &plan.stages[*index].work {
            Work::Data(spec) => spec.count as u64,
            other => panic!("{other:?}"),
        },
        Data::Mmau { files, .. } => match (&files.sha256, &files.git_blob) {
            (Some(sha256), _) => versions::find(sha256).unwrap().map_or(73, |v| v.rows),
            (None, Some(blob)) => versions::shipped().unwrap().test.iter().find(|t| t.git_blob == *blob).unwrap().rows,
            (None, None) => panic!("no pin"),
        },
        Data::MmauParquet { .. } => panic!("no shipped recipe reads it"),
        Data::Avqa { .. } => panic!("nothing is evaluated on AVQA"),
    }
}

/// What `from` says with these words put in place of others.
fn with(recipe: &Recipe, changes: &[(&str, &str)]) -> Value {
    let mut text = serde_json::to_string(recipe).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is not in {}", recipe.name);
        text = text.replace(from, to);
    }
    serde_json::from_str(&text).unwrap()
}

#[test]
fn thinking_differs_from_the_papers_recipe_in_the_prompt_and_its_reward_alone() {
    let (base, think) = (load("r1-aqa"), load("r1-aqa-think"));
    let title = [format!("{:?}", base.title), format!("{:?}", think.title)];
    let changes = [
        ("\"name\":\"r1-aqa\"", "\"name\":\"r1-aqa-think\""),
        (title[0].as_str(), title[1].as_str()),
        ("\"r1-aqa-2\"", "\"r1-aqa-3\""),
        ("\"format\"]", "\"format-think\"]"),
        ("paper-grpo-2", "paper-grpo-3"),
    ];
    assert_eq!(with(&base, &changes), serde_json::to_value(&think).unwrap());
    let Method::Grpo(grpo) = &think.train[0].method else { panic!() };
    assert_eq!(grpo.rewards, [RewardName::Accuracy, RewardName::FormatThink]);
}

#[test]
fn seeds_are_the_papers_stage_stopped_at_step_500_but_for_the_seed() {
    let (base, seeds) = (load("r1-aqa"), load("r1-aqa-seeds"));
    assert_eq!((&base.model, &base.data), (&seeds.model, &seeds.data));
    let paper = &base.train[0];
    assert!(seeds.train.len() >= 3, "two say little of a spread");
    let mut found: Vec<u64> = Vec::new();
    for train in &seeds.train {
        let seed = train.seed.unwrap();
        assert!(!found.contains(&seed), "{seed} twice");
        found.push(seed);
        let every = (500, 500);
        let expected = Train {
            name: format!("grpo-{seed}"),
            seed: Some(seed),
            steps: every.0,
            checkpoint_every: every.1,
            ..paper.clone()
        };
        assert_eq!(*train, expected);
    }
    let [group] = &seeds.report.groups[..] else { panic!() };
    assert_eq!(group.evals, seeds.eval.iter().map(|e| e.name.clone()).collect::<Vec<_>>());
    let step = base.eval.iter().find(|e| e.at_step == Some(500)).unwrap();
    for (eval, train) in seeds.eval.iter().zip(&seeds.train) {
        assert_eq!(eval.from, train.name);
        assert_eq!((eval.prompt, &eval.decoding, eval.extract), (step.prompt, &step.decoding, step.extract));
    }
}

/// A seed of a stage is the recipe's seed for that stage, and no other thing.
#[test]
fn a_stages_own_seed_stands_in_place_of_the_recipes() {
    let print = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
        let plan = planned(&recipe::load(Path::new("recipes/quickstart.yaml"), &sets).unwrap());
        let of = |name: &str| plan.stage(name).unwrap().fingerprint.clone();
        (of("sft"), of("grpo"), of("held-out-grpo"))
    };
    let plain = print(&[]);
    assert_eq!(print(&["train.grpo.seed=1"]), plain, "the recipe's own seed, said twice");
    let other = print(&["train.grpo.seed=2"]);
    assert_eq!(other.0, plain.0);
    assert!(other.1 != plain.1 && other.2 != plain.2);
    let recipe = recipe::load(Path::new("recipes/quickstart.yaml"), &["train.grpo.seed=2".into()]).unwrap();
    for stage in planned(&recipe).stages {
        if let Work::Train { train, seed, .. } = stage.work {
            assert_eq!(seed, if train.name == "grpo" { 2 } else { 1 });
        }
    }
}

#[test]
fn the_supervised_rows_see_what_grpo_sees_with_prompt_1() {
    let base = load("r1-aqa");
    let paper = &base.train[0];
    for (name, lora) in [("sft-full", false), ("sft-lora", true)] {
        let recipe = load(name);
        assert_eq!((&base.model, &base.data), (&recipe.model, &recipe.data));
        let [train] = &recipe.train[..] else { panic!() };
        assert_eq!(train.method, Method::Sft);
        assert_eq!(train.lora.is_some(), lora);
        assert_eq!((&train.data, &train.order), (&paper.data, &paper.order));
        assert_eq!((train.steps, train.questions_per_step), (paper.steps, paper.questions_per_step));
        assert!(recipe.eval.iter().all(|e| e.prompt == train.prompt && e.prompt == recipe::PromptStyle::R1Aqa1));
        assert_eq!(recipe.eval.last().unwrap().at_step, Some(train.steps), "held against the claim: the last");
        assert_eq!(recipe.report.expect[0].eval, recipe.eval.last().unwrap().name);
    }
}

#[test]
fn grpo_through_adapters_is_the_papers_grpo_and_fits_48_gb() {
    let (base, recipe) = (load("r1-aqa"), load("grpo-lora"));
    let (paper, train) = (&base.train[0], &recipe.train[0]);
    assert_eq!(train.method, paper.method);
    let changed = Train {
        lora: train.lora.clone(),
        memory: train.memory,
        optimizer: recipe::Optimizer { learning_rate: train.optimizer.learning_rate, ..paper.optimizer.clone() },
        ..paper.clone()
    };
    assert!(train.lora.is_some());
    assert_eq!(*train, changed);
    assert!(recipe.report.expect.is_empty(), "the paper has no such row");

    // CUDA itself takes 2 to 3 GB of the 48.
    let fits = |name: &str, stage: &str, device: u64| {
        let plan = planned(&shipped()[name]);
        plan.fit(plan.stage(stage).unwrap(), &Capacity::Apart { device: Some(device), host: Some(64 << 30) }).unwrap()
    };
    for stage in ["grpo", "base", "step-1000"] {
        assert_eq!(fits("grpo-lora", stage, 45_000_000_000), Fit::Fits, "{stage}");
    }
    assert!(matches!(fits("r1-aqa", "grpo", 45_000_000_000), Fit::Lacks(_)), "the whole model does not");
    assert_eq!(fits("sft-lora", "sft", 45_000_000_000), Fit::Fits);
    assert_eq!(fits("sft-full", "sft", 141_000_000_000), Fit::Fits);
}

const PAPER_ERA: &str = "ed2fd6b6c24ebec1a5a496de5d767e7ebfe79556044d8f0d8bd00ad0cf02d623";
const CURRENT: &str = "9f18fda99f8dbc2bc5ecd6323fb5063309f54969810b5c6f1caeb3b8d904cf1c";

#[test]
fn evaluations_ask_the_questions_of_the_papers_time_and_of_today() {
    for (name, repository, prompt, extract) in [
        ("eval-r1-aqa", "mispeech/r1-aqa", "r1-aqa-2", Extract::AnswerTag),
        ("eval-qwen2-audio", "Qwen/Qwen2-Audio-7B-Instruct", "mmau", Extract::Whole),
        ("eval-zero-shot-cot", "Qwen/Qwen2-Audio-7B-Instruct", "r1-aqa-3", Extract::AfterThink),
        ("eval-audio-reasoner", "zhifeixie/Audio-Reasoner", "r1-aqa-1", Extract::ResponseTag),
    ] {
        let recipe = load(name);
        let Model::Checkpoint(model) = &recipe.model else { panic!() };
        assert_eq!(model.source, Source::Hub(format!("hf://models/{repository}")));
        assert!(recipe.train.is_empty());
        let sets: Vec<String> = recipe
            .eval
            .iter()
            .map(|eval| match &recipe.data[&eval.data] {
                Dataset::Mmau(files) => files.sha256.as_ref().unwrap().to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(sets, [PAPER_ERA, CURRENT], "{name}");
        for eval in &recipe.eval {
            assert_eq!((serde_json::to_value(eval.prompt).unwrap(), eval.extract), (prompt.into(), extract), "{name}");
            let own = eval.decoding.do_sample && eval.decoding.temperature.is_none();
            assert!(own || name == "eval-audio-reasoner", "{name}: the checkpoint's own decoding");
        }
        // Each is held against a claim on its own questions; the current ones have no row of R1-AQA.
        let files = ["r1-aqa-claims.json", "mmau-v05.15.25-claims.json"].map(|name| claims::load(name, None).unwrap());
        assert_eq!(recipe.report.claims.len(), files.len());
        for expect in &recipe.report.expect {
            let sha256 = if expect.eval == "current" { CURRENT } else { PAPER_ERA };
            let claim = |file: &Claims| {
                file.claims.iter().find(|c| c.id == expect.claim).map(|c| file.versions[&c.split].clone())
            };
            let versions = files.iter().find_map(claim).unwrap();
            assert!(versions.iter().any(|v| v.as_str() == sha256), "{name}: {}", expect.claim);
        }
    }
}

/// What its authors published is in the recipe; a system turn is part of the stage's name, and a stage without one keeps the name it had.
#[test]
fn audio_reasoner_is_asked_as_its_authors_ask() {
    let recipe = load("eval-audio-reasoner");
    let Model::Checkpoint(model) = &recipe.model else { panic!() };
    let revision = model.revision.as_ref().unwrap().whole().unwrap();
    assert!(revision.as_str().starts_with("f38198d"), "as the hub's page shows it");
    for eval in &recipe.eval {
        assert_eq!((eval.decoding.do_sample, eval.decoding.max_new_tokens), (false, 2048));
        let system = eval.system.as_deref().unwrap();
        for part in ["two parts: <THINK> and <RESPONSE>", "<PLANNING>, <CAPTION>, <REASONING>, and <SUMMARY>."] {
            assert!(system.contains(part), "{system}");
        }
    }
    let print = |recipe: &Recipe| planned(recipe).stage("paper-era").unwrap().fingerprint.clone();
    let (mut other, mut none) = (recipe.clone(), recipe.clone());
    other.eval[0].system = Some("Be brief.".into());
    none.eval[0].system = None;
    assert!(print(&recipe) != print(&other) && print(&recipe) != print(&none) && print(&other) != print(&none));
    assert!(!serde_json::to_string(&none.eval[0]).unwrap().contains("system"), "what is not set is not named");
}

#[test]
fn the_large_test_is_pinned_by_its_blob_and_claims_take_no_model() {
    let test = load("mmau-test");
    let Dataset::Mmau(files) = &test.data["test"] else { panic!() };
    assert_eq!(files.git_blob.as_ref().unwrap().as_str(), "344d99bb206f8be8e69b4507988556fb52b36b02");
    assert!(test.report.expect.is_empty(), "nothing is held against what nobody can score");

    let claims = load("claims");
    assert_eq!(claims.model, Model::Absent);
    assert!(claims.train.is_empty() && claims.eval.is_empty());
    assert_eq!(claims.scores.iter().filter(|s| s.sha256.is_some()).count(), 2, "the two public files");
    assert!(planned(&claims).stages.iter().all(|s| matches!(s.work, Work::Score { .. })));
}
