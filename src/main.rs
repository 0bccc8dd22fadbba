//! The `aqa-bench` program: parse, run, print the error once, leave with the documented exit code. It must not load libtorch,
//! so it reaches nothing of the engine: that is `aqa-bench-engine`, which it starts.

fn main() -> std::process::ExitCode {
    aqa_bench::cli::main()
}
