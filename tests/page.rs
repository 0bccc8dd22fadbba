//! Run folders → pictures and a page.

mod page_runs;
mod report_runs;

/// Writes the runs that `scripts/test-browser.sh` makes a page of; does nothing without `AQA_BROWSER_RUNS`, the folder to write them into.
#[test]
#[ignore = "writes runs for the browser test"]
fn runs_for_the_browser() {
    let Ok(folder) = std::env::var("AQA_BROWSER_RUNS") else { return };
    let folder = std::path::PathBuf::from(folder);
    page_runs::run(folder.join("quickstart"), 1000);
    page_runs::other(folder.join("elsewhere"), 1000);
}
