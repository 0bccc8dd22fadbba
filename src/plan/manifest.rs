//! The manifest of a run whose stages have not been run by this call.

use super::{Plan, Stage};
use crate::artifact::{Expectation, Group, Manifest, Provenance, RunFolder, SCHEMA, StageState};
use crate::recipe::Recipe;
use std::path::PathBuf;

/// What a run folder says of a recipe and its plan before this call has done anything: status `running`, and the stages that are there.
pub fn manifest(recipe: &Recipe, plan: &Plan, folder: &RunFolder, provenance: Provenance) -> Manifest {
    let state = |s: &Stage| StageState {
        name: s.name.clone(),
        kind: s.work.kind().into(),
        fingerprint: s.fingerprint.clone(),
        folder: s.folder.clone(),
        done: s.find(folder.root(), &plan.recipe).is_some(),
    };
    let claim_name = |p: &PathBuf| p.file_name().map(|n| n.to_string_lossy().into_owned());
    let report = &recipe.report;
    let expectation =
        |e: &crate::recipe::Expect| Expectation { eval: e.eval.clone(), claim: e.claim.clone(), expect: e.expect };
    let group =
        |g: &crate::recipe::Group| Group { name: g.name.clone(), label: g.label.clone(), evals: g.evals.clone() };
    Manifest {
        schema: SCHEMA,
        recipe: recipe.name.clone(),
        title: recipe.title.clone(),
        recipe_file: recipe.path.display().to_string(),
        recipe_sha256: recipe.sha256.clone(),
        overrides: recipe.overrides.clone(),
        status: "running".into(),
        stages: plan.stages.iter().map(state).collect(),
        provenance,
        claims: report.claims.iter().filter_map(claim_name).collect(),
        expect: report.expect.iter().map(expectation).collect(),
        groups: report.groups.iter().map(group).collect(),
    }
}
