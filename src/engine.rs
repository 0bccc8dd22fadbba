//! The `aqa-bench-engine` program: the commands of `aqa-bench` that need libtorch. Users start `aqa-bench`.

fn main() {
    aqa_bench::cli::engine()
}
