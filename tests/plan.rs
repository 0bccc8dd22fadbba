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
