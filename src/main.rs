//! The `aqa-bench` program: parse, run, print the error once, leave with the documented exit code.

fn main() -> std::process::ExitCode {
    aqa_bench::cli::main()
}
