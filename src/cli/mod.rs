//! The command line: definitions and dispatch, nothing else.
//!
//! There are two programs. `aqa-bench` answers whatever needs no model itself, and starts `aqa-bench-engine`, the one that is
//! linked against libtorch, for the rest: loading libtorch takes longer than scoring a thousand answers.

mod bundle;
mod check;
mod claims;
mod compare;
#[cfg(feature = "torch")]
pub mod device;
mod doctor;
mod fetch;
#[cfg(feature = "torch")]
mod hearing;
mod identify;
#[cfg(feature = "torch")]
mod inspect;
mod leaderboard;
mod memory;
mod plan;
mod prepare;
#[cfg(feature = "torch")]
mod replay;
mod report;
#[cfg(feature = "torch")]
mod reproduce;
mod score;
mod scores;
mod splice;
#[cfg(feature = "torch")]
mod start;
mod submission;

use crate::error::{Error, Result};
use crate::progress::say;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Reproduces audio-question-answering results from one pinned recipe: train, evaluate, score, report.
///
/// Exit codes: 0 done; 1 internal error; 2 the request was wrong; 3 a check found a difference; 4 inputs missing or not what was pinned;
/// 5 the device cannot hold it.
#[derive(Debug, Parser)]
#[command(name = "aqa-bench", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything: plan, verify, train, evaluate, score, report; run again, it continues where it stopped
    Reproduce(RunArgs),
    /// The stages with their fingerprints and what is already there; runs nothing
    Plan {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// Would each stage fit a device of this memory (`80GB`, `139GiB`), or the machine at hand (`here`)?
        #[arg(long, value_name = "SIZE|here")]
        memory: Option<String>,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Checks every input of a recipe against its pin, offline; or a bundle: its files, scores and tables
    Verify {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// The training stages of a recipe, and what they need
    Train(RunArgs),
    /// The evaluations of a recipe, and what they need
    Eval(RunArgs),
    /// Scores a predictions file: MMAU JSON with `model_output` or `model_prediction`
    Score(score::Args),
    /// Get the inputs of a recipe from where it says, verified, into the caches; goes on where it stopped
    Fetch {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// Fetch again what is in a cache and is not what was pinned
        #[arg(long)]
        again: bool,
    },
    /// Resolve everything that a recipe takes to hashes, in NAME.lock beside it
    Lock {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// Ask again for files that nobody pinned, though the cache has what their addresses gave before
        #[arg(long)]
        again: bool,
    },
    /// Two runs or predictions files, question by question: flips, exact McNemar, intervals; with --locks, which pins of two locks differ
    Compare(compare::CompareArgs),
    /// Which MMAU file this is: commit, date, label, what changed, and what it may be compared with
    Identify {
        /// A copy of mmau-test-mini.json or mmau-test.json, also with predictions, written anew, or in part
        file: PathBuf,
        /// End with exit code 4 unless it is this one: 7 or more digits of a commit (any dress) or a sha256 (these bytes)
        #[arg(long, value_name = "COMMIT|SHA256")]
        expect: Option<String>,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Training files made from what data sets publish
    Prepare {
        #[command(subcommand)]
        what: prepare::What,
    },
    /// Tables and pictures of finished runs, or a page with every sample
    Report(report::Args),
    /// Renders the tables inside pages anew, between `<!-- aqa-bench report RUN… -->` and `<!-- /aqa-bench -->`
    Splice(splice::Args),
    /// What cannot be in the numbers that papers and leaderboards printed: every finding of a claims file
    Claims {
        /// A claims file, or the name of a shipped one (default: all shipped ones)
        file: Option<PathBuf>,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Golden regression check: re-scores stored predictions, re-renders prompts and tables; holds a fresh run against them
    Check(check::CheckArgs),
    /// Generates one sample of a run again and shows whether it is the same
    Replay(ReplayArgs),
    /// A finished run as one archive that anybody can check: recipe, predictions, scores, tables, checksums
    Bundle(bundle::BundleArgs),
    /// Whether a predictions file can be handed in where MMAU's large test is scored: whole, and in its format
    Submission(submission::SubmissionArgs),
    /// Writes what the model sees and says about one clip, for debugging and parity
    Inspect(InspectArgs),
    /// The JSON schema of recipes, for editors
    Schema,
    /// Shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// What this machine has: libtorch, CUDA, threads, memory, cache; with --model, whether a model hears
    Doctor(DoctorArgs),
}

/// A recipe, with overrides.
#[derive(Debug, Clone, Args)]
struct RecipeArgs {
    /// The recipe file
    recipe: PathBuf,
    /// Override a key of the recipe, as in `--set seed=2` or `--set train.grpo.steps=5`; kept in the manifest
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// The run folder (default: runs/RECIPE-NAME)
    #[arg(long)]
    run_dir: Option<PathBuf>,
    /// Only the first N questions of every evaluation
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// A run.
#[derive(Debug, Clone, Args)]
struct RunArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Where to compute: cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Stop when this stage is done
    #[arg(long, value_name = "STAGE")]
    until: Option<String>,
    /// Threads to compute with (default: all cores); on the CPU a result is repeatable only for the same number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..1024))]
    threads: Option<u64>,
}

/// What `replay` takes.
#[derive(Debug, Clone, Args)]
struct ReplayArgs {
    /// The run folder
    run: PathBuf,
    /// The question
    #[arg(long)]
    id: String,
    /// The evaluation, where several asked it
    #[arg(long, value_name = "NAME")]
    eval: Option<String>,
    /// The recipe that the run was made by (default: where it lay then)
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Where to compute: cpu, cuda or cuda:N (default: where the run did)
    #[arg(long)]
    device: Option<String>,
    /// Threads to compute with (default: as many as the run did)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..1024))]
    threads: Option<u64>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What `inspect` takes.
#[derive(Debug, Clone, Args)]
struct InspectArgs {
    /// A checkpoint folder in Hugging Face layout
    #[arg(long)]
    model: PathBuf,
    /// The clip
    #[arg(long)]
    audio: PathBuf,
    /// The text of the user turn, after the audio
    #[arg(long)]
    prompt: String,
    /// Where to write the tensors (safetensors)
    #[arg(long)]
    out: PathBuf,
    /// Where to compute: cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Number type to load as (default: what config.json says)
    #[arg(long, value_enum)]
    dtype: Option<DtypeArg>,
}

/// What `doctor` takes.
#[derive(Debug, Clone, Args)]
struct DoctorArgs {
    /// A checkpoint folder in Hugging Face layout: is it whole, and do silence and a shuffled clip change what it says?
    #[arg(long)]
    model: Option<PathBuf>,
    /// The clip to try (default: a scale of eight tones)
    #[arg(long, requires = "model")]
    audio: Option<PathBuf>,
    /// Where to compute: cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu", requires = "model")]
    device: String,
    /// Number type to load as (default: what config.json says)
    #[arg(long, value_enum, requires = "model")]
    dtype: Option<DtypeArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DtypeArg {
    Float32,
    Bfloat16,
}

#[cfg(feature = "torch")]
impl DtypeArg {
    /// The number type to load a checkpoint as: the one asked for, else what its config.json says.
    fn or_of(asked: Option<Self>, model: &std::path::Path) -> Result<crate::recipe::Dtype> {
        use crate::recipe::Dtype;
        match asked {
            Some(DtypeArg::Float32) => Ok(Dtype::Float32),
            Some(DtypeArg::Bfloat16) => Ok(Dtype::Bfloat16),
            None => Ok(crate::architecture::Config::load(model)?.dtype),
        }
    }
}

/// The program `aqa-bench`: parses the arguments, answers the command or starts the engine with it, prints an error once and
/// returns its exit code.
pub fn main() -> ExitCode {
    ExitCode::from(code(answer(Cli::parse().command)))
}

/// The program `aqa-bench-engine`: the same for the commands that need libtorch. Only `aqa-bench` of the same build starts it.
#[cfg(feature = "torch")]
pub fn engine() -> ! {
    crate::native::keep_memory();
    crate::native::leave(code(start::by_the_front().and_then(|()| compute(Cli::parse().command))))
}

/// The exit code; an error is said.
fn code(result: Result<()>) -> u8 {
    match result {
        Ok(()) => 0,
        Err(e) => {
            say(format_args!("error: {e}"));
            e.exit_code()
        }
    }
}

/// What needs no engine. Nothing here may reach libtorch, or the linker would load it with every command.
fn answer(command: Command) -> Result<()> {
    match command {
        Command::Plan { recipe, memory, format } => plan::plan(&recipe, memory.as_deref(), format),
        Command::Verify { recipe, format } => plan::verify(&recipe, format),
        Command::Fetch { recipe, again } => fetch::fetch(&recipe, again),
        Command::Lock { recipe, again } => fetch::lock(&recipe, again),
        Command::Score(args) => score::run(&args),
        Command::Compare(args) => compare::run(args),
        Command::Identify { file, expect, format } => identify::run(&file, expect.as_deref(), format),
        Command::Prepare { what } => prepare::run(&what),
        Command::Report(args) => report::run(&args),
        Command::Splice(args) => splice::run(&args),
        Command::Claims { file, format } => claims::run(file.as_deref(), format),
        Command::Check(args) => check::run(&args),
        Command::Bundle(args) => bundle::run(&args),
        Command::Submission(args) => submission::run(&args),
        Command::Schema => print(&pretty(&crate::recipe::schema())?),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "aqa-bench", &mut script);
            // clap_complete 4.6.11 spells a name with a hyphen in two ways, and bash completes nothing after a command:
            // https://github.com/clap-rs/clap/issues/6421
            print(&String::from_utf8_lossy(&script).replace("aqa__subcmd__bench", "aqa__bench"))
        }
        Command::Reproduce(args) | Command::Eval(args) if scores::run(&args)? => Ok(()),
        #[cfg(not(feature = "torch"))]
        Command::Doctor(args) => doctor::run(&args),
        #[cfg(not(feature = "torch"))]
        Command::Reproduce(_) | Command::Train(_) | Command::Eval(_) | Command::Inspect(_) | Command::Replay(_) => {
            Err(no_engine())
        }
        #[cfg(feature = "torch")]
        Command::Reproduce(_)
        | Command::Train(_)
        | Command::Eval(_)
        | Command::Inspect(_)
        | Command::Replay(_)
        | Command::Doctor(_) => Err(start::engine()),
    }
}

/// What needs the engine.
#[cfg(feature = "torch")]
fn compute(command: Command) -> Result<()> {
    match command {
        Command::Reproduce(args) => reproduce::run(&args, reproduce::Part::All),
        Command::Train(args) => reproduce::run(&args, reproduce::Part::Train),
        Command::Eval(args) => reproduce::run(&args, reproduce::Part::Eval),
        Command::Inspect(args) => inspect::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Plan { .. }
        | Command::Verify { .. }
        | Command::Fetch { .. }
        | Command::Lock { .. }
        | Command::Compare(_)
        | Command::Score(_)
        | Command::Identify { .. }
        | Command::Prepare { .. }
        | Command::Report(_)
        | Command::Splice(_)
        | Command::Claims { .. }
        | Command::Check(_)
        | Command::Bundle(_)
        | Command::Submission(_)
        | Command::Schema
        | Command::Completions { .. } => Err(Error::internal("the engine was started for a command that needs none")),
    }
}

/// Results go to standard output; a reader that closes it early (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    match write!(std::io::stdout().lock(), "{text}{newline}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::internal(format!("cannot write to standard output: {e}")))
        }
        _ => Ok(()),
    }
}

fn pretty(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(value).map_err(|e| Error::internal(format!("cannot write JSON: {e}")))
}

/// What a build without libtorch says to a command that needs it.
#[cfg(not(feature = "torch"))]
fn no_engine() -> Error {
    Error::request("this program was built without libtorch, so it cannot run a model (build it with `make build`)")
}
