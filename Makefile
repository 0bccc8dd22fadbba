# Two commands do everything: `make quickstart` and `make test`. A CUDA machine adds DEVICE=cuda.
#
# libtorch 2.11.0 comes from PyPI's wheels, pinned by hash, into $AQA_CACHE (default ~/.cache/aqa-bench), once.

DEVICE ?= cpu
RUN_DEVICE = $(if $(filter cuda,$(DEVICE)),cuda,cpu)
PROGRAM = target/release/aqa-bench

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: cargo
cargo:
	@command -v cargo >/dev/null || { echo "error: cargo not found: install the Rust toolchain from https://rustup.rs" >&2; exit 4; }

.PHONY: libtorch
libtorch: cargo ## get libtorch 2.11.0 into the cache and link it as .libtorch
	@scripts/libtorch.sh $(DEVICE)

.PHONY: build
build: libtorch ## the program, target/release/aqa-bench, with aqa-bench-engine beside it
	cargo build --release --locked

.PHONY: quickstart
quickstart: build ## reproduce recipes/quickstart.yaml: about three minutes after the build
	$(PROGRAM) reproduce recipes/quickstart.yaml --device $(RUN_DEVICE)

.PHONY: test
test: libtorch ## everything CI runs
	scripts/test.sh

.PHONY: test-browser
test-browser: cargo ## the page of a report in a headless Chromium, which root installs when there is none (Debian); needs node
	scripts/test-browser.sh

.PHONY: bench
bench: libtorch ## criterion benches of the parts and of the engine; memory predicted against taken
	cargo bench --locked --bench parts --bench engine --bench memory

.PHONY: bench-peers
bench-peers: libtorch ## this program beside transformers and trl, on the same work: reports/bench/DATE (ARGS=--quick for a smoke run)
	@python=$${AQA_PYTHON:-$$(scripts/python-with.sh tests/parity/requirements.txt)} && "$$python" benches/peers/bench.py $(ARGS)

.PHONY: bench-growth
bench-growth: libtorch ## time and memory of a GRPO step as it grows, beside the arithmetic's prediction: reports/bench/DATE
	@python3 benches/peers/growth.py $(ARGS)

.PHONY: gpu-programs
gpu-programs: libtorch ## the programs that scripts/gpu-check.sh takes to a CUDA machine, in target/gpu (with DEVICE=cuda)
	@scripts/gpu-programs.sh

.PHONY: parity-fixtures
parity-fixtures: ## make the parity fixtures anew with the reference stack (needs network for PyPI); reports any change
	scripts/parity-fixtures.sh

.PHONY: properties
properties: cargo ## the tests without libtorch, their properties drawn anew: 10 000 cases where one is quick (PROPTEST_CASES, PROPTEST_RNG_SEED)
	PROPTEST_CASES=$${PROPTEST_CASES:-10000} INSTA_UPDATE=no cargo test --locked --no-default-features --no-fail-fast

.PHONY: mutations
mutations: libtorch ## break what decides the number, a place at a time: each break must make a test fail
	scripts/mutations.py
