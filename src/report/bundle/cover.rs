//! What a reader of a bundle meets first: the page about it, the command, whom to cite.

use super::contents::Contents;
use crate::report::caption;
use crate::report::load::Run;

/// The works that a number of this program rests on; printed as their authors print them.
const WORKS: &str = include_str!("citation.bib");

/// Adds `README.md`, `command.txt` and `citation.bib`.
pub(super) fn add(contents: &mut Contents, run: &Run) {
    let provenance = &run.provenance;
    let command = caption::command(&provenance.argv);
    let own = format!(
        "@misc{{aqabench,\n  title        = {{aqa-bench}},\n  howpublished = {{computer program, version {}, commit {}}},\n}}\n",
        provenance.version, provenance.commit
    );
    let readme = readme(contents, run, &command);
    contents.insert("citation.bib".into(), format!("{own}\n{WORKS}").into_bytes());
    contents.insert("command.txt".into(), format!("{command}\n").into_bytes());
    contents.insert("README.md".into(), readme.into_bytes());
}

fn readme(contents: &Contents, run: &Run, command: &str) -> String {
    let recipes = contents.keys().filter(|name| name.starts_with("run/recipe/"));
    let recipes = recipes.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let has = |end: &str| contents.keys().any(|name| name.ends_with(end));
    let line =
        |there: bool, what: &str, words: &str| if there { format!("| {what} | {words} |\n") } else { String::new() };
    let provenance = &run.provenance;
    let mut text = format!("# {}\n\nRun of recipe `{}` (sha256 `{}`)", run.title, run.recipe, run.recipe_sha256);
    text += &format!(" by aqa-bench {} at commit `{}`:\n\n    {command}\n\n", provenance.version, provenance.commit);
    text += "| what | where |\n| --- | --- |\n";
    text += "| tables | `tables/leaderboard.md`, `.tex`, `.csv`, `.json` |\n";
    text += &line(has(".svg"), "pictures", "`plots/`");
    text += &line(true, "recipe", &recipes);
    text += &line(true, "plan, versions, device", "`run/manifest.json`");
    text += &line(true, "predictions and what each row is", "`run/STAGE/predictions.json`, `eval.json`");
    text += &line(has("/score.json"), "scores", "`run/STAGE/score.json`");
    text += &line(has("/samples.jsonl"), "what the model said, question by question", "`run/STAGE/samples.jsonl`");
    text += &line(has("/metrics.jsonl"), "training, step by step", "`run/STAGE/metrics.jsonl`");
    text += &line(has("claims.json"), "published numbers that the tables quote", "`run/claims/`");
    text += &line(true, "whom to cite", "`citation.bib`");
    text += "\n`aqa-bench verify` with the archive holds every file against `SHA256SUMS`, scores the predictions again and renders the tables \
             again, and says whether they are the same. `sha256sum -c SHA256SUMS` checks the files alone. `aqa-bench report run` takes `run/` \
             as any run folder. Neither weights nor clips are in here.\n";
    text
}
