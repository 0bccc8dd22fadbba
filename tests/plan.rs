//! Plans: what a fingerprint depends on, and what it does not.

use aqa_bench::plan::{self, Plan};
use aqa_bench::recipe;
use std::path::Path;

fn plan_of(recipe: &str, sets: &[&str], limit: Option<usize>) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes").join(recipe);
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    plan::build(&recipe::load(&path, &sets).unwrap(), limit).unwrap()
}

/// Names of the stages whose fingerprints differ.
fn changed(a: &Plan, b: &Plan) -> Vec<String> {
    assert_eq!(a.stages.len(), b.stages.len());
    let pairs = a.stages.iter().zip(&b.stages);
    pairs.filter(|(x, y)| x.fingerprint != y.fingerprint).map(|(x, _)| x.name.clone()).collect()
}

#[test]
fn every_stage_comes_after_what_it_needs_and_fingerprints_are_distinct() {
    for (recipe, sets) in [("quickstart.yaml", &[][..]), ("r1-aqa.yaml", &[]), ("mmau-clips.yaml", &["data.dir=x"])] {
        let plan = plan_of(recipe, sets, None);
        assert!(!plan.stages.is_empty());
        for (index, stage) in plan.stages.iter().enumerate() {
            assert!(stage.work.needs().iter().all(|&need| need < index), "{recipe}: {}", stage.name);
            assert!(plan.stages[..index].iter().all(|s| s.fingerprint != stage.fingerprint && s.name != stage.name));
        }
    }
}

#[test]
fn a_change_reaches_what_depends_on_it_and_nothing_else() {
    let base = plan_of("quickstart.yaml", &[], None);
    let of = |sets: &[&str]| changed(&base, &plan_of("quickstart.yaml", sets, None));
    assert_eq!(of(&[]), [""; 0]);
    assert_eq!(of(&["title=another title"]), [""; 0]);
    assert_eq!(of(&["train.grpo.steps=3"]), ["grpo", "held-out-grpo"]);
    assert_eq!(of(&["eval.held-out-sft.batch_size=7"]), ["held-out-sft"]);
    let held_out = of(&["data.sets.held-out.seed=9"]);
    assert_eq!(held_out, ["data-held-out", "held-out-sft", "held-out-grpo", "held-out-sft-more"]);
    let by_seed = of(&["seed=9"]);
    assert!(by_seed.iter().all(|name| !name.starts_with("data-")), "a data set has a seed of its own: {by_seed:?}");
    assert_eq!(by_seed.len(), base.stages.iter().filter(|s| !s.name.starts_with("data-")).count());
}

#[test]
fn where_files_lie_is_in_no_fingerprint_and_how_many_are_asked_is() {
    let here = plan_of("mmau-clips.yaml", &["data.dir=here"], None);
    assert_eq!(changed(&here, &plan_of("mmau-clips.yaml", &["data.dir=/elsewhere"], None)), [""; 0]);
    assert_eq!(
        changed(&here, &plan_of("mmau-clips.yaml", &["data.dir=here"], Some(5))),
        ["clips-before", "clips-after"]
    );
}

#[test]
fn a_recipe_that_builds_on_another_has_its_very_stages() {
    let own = plan_of("quickstart.yaml", &[], None);
    let clips = plan_of("mmau-clips.yaml", &["data.dir=x"], None);
    let taken: Vec<_> = clips.stages.iter().filter(|s| s.recipe == "quickstart").collect();
    assert!(taken.iter().any(|s| s.name == "quickstart/grpo"));
    for stage in taken {
        let original = own.stage(stage.name.trim_start_matches("quickstart/")).unwrap();
        assert_eq!((&stage.fingerprint, &stage.folder), (&original.fingerprint, &original.folder));
    }
}

#[test]
fn up_to_a_stage_is_that_stage_and_what_it_needs() {
    let plan = plan_of("quickstart.yaml", &[], None);
    let names = |name: &str| -> Vec<&str> {
        plan.up_to(name).unwrap().into_iter().map(|i| plan.stages[i].name.as_str()).collect()
    };
    assert_eq!(names("held-out-sft"), ["init", "data-train-sft", "sft", "data-held-out", "held-out-sft"]);
    assert!(plan.up_to("nothing").is_none());
}

/// A recipe that trains, evaluates and scores files: the files come last, and change nothing of what is trained and evaluated.
#[test]
fn files_that_are_scored_beside_training_are_stages_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string("recipes/quickstart.yaml").unwrap();
    let plain = text.replace("data/", concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/data/"));
    let plan = |more: &str| {
        let path = dir.path().join("mixed.yaml");
        std::fs::write(&path, plain.clone() + more).unwrap();
        plan::build(&recipe::load(&path, &[]).unwrap_or_else(|e| panic!("{e}")), None).unwrap()
    };
    let scored = |pin: &str, data: &str| {
        format!("\nscores:\n  - {{name: theirs, label: \"Theirs\", file: p.json{pin}, data: {data}, rule: official}}\n")
    };
    let (alone, mixed) = (plan(""), plan(&scored("", "held-out")));
    let names = |plan: &Plan| plan.stages.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&mixed), [names(&alone), vec!["theirs".to_owned()]].concat(), "last, and nothing else is new");
    for (own, with) in alone.stages.iter().zip(&mixed.stages) {
        assert_eq!(own.fingerprint, with.fingerprint, "{}: a file beside it is none of its inputs", own.name);
    }
    let stage = mixed.stages.last().unwrap();
    assert_eq!(stage.work.kind(), "score");
    let questions = mixed.stages.iter().position(|s| s.name == "data-held-out").unwrap();
    assert_eq!(stage.work.needs(), [questions], "the questions that an earlier stage makes, and no policy");

    let theirs = |plan: &Plan| plan.stages.last().unwrap().fingerprint.clone();
    let pinned = |c: char| scored(&format!(", sha256: \"{}\"", c.to_string().repeat(64)), "held-out");
    assert_eq!(theirs(&plan(&pinned('a'))), theirs(&plan(&pinned('a'))));
    assert_ne!(theirs(&plan(&pinned('a'))), theirs(&plan(&pinned('b'))), "another pin, another stage");
    assert_ne!(
        theirs(&plan(&pinned('a'))),
        theirs(&plan(&pinned('a').replace("held-out", "train-sft"))),
        "other questions"
    );
    // A file that nobody pinned is named by what is there.
    std::fs::write(dir.path().join("p.json"), "[]").unwrap();
    let there = plan(&scored("", "held-out"));
    assert_ne!(theirs(&there), theirs(&mixed));
    std::fs::write(dir.path().join("p.json"), "[ ]").unwrap();
    assert_ne!(theirs(&plan(&scored("", "held-out"))), theirs(&there));
    let text = mixed.to_text(Path::new("runs/none"), None).unwrap();
    assert!(text.contains("theirs") && text.contains("score") && text.contains("grpo"), "{text}");
}
