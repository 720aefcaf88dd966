# The whole of it: `make demo` shows the program, `make test` proves it.
# Needs a Rust toolchain, a C compiler, make, and Python 3.11 with venv and pip. What else is
# needed is fetched into target/tools and kept there; nothing outside this tree is changed.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

CARGO ?= cargo
PYTHON ?= python3
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
# Where rustup puts cargo, also for those whose PATH was never told.
export PATH := $(PATH):$(HOME)/.cargo/bin

# With another HOME, rustup's cargo is on the PATH but does not find its toolchains: they lie beside
# its own folder.
ifndef RUSTUP_HOME
ifneq ($(shell RUSTUP_AUTO_INSTALL=0 $(CARGO) --version >/dev/null 2>&1 && echo works),works)
BESIDE_CARGO := $(abspath $(dir $(shell command -v $(CARGO)))/../../.rustup)
ifneq ($(wildcard $(BESIDE_CARGO)/toolchains),)
export RUSTUP_HOME := $(BESIDE_CARGO)
endif
endif
endif

export PINNACE_TOOLS_DIR := $(CURDIR)/target/tools
export PYTHON

# One static binary, where the C library comes as an archive too: what is linked in is a fraction of
# what a shared one keeps resident. Relocations are packed where the linker can.
STATIC := -C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs
LINKING := $(shell echo 'int main(void) { return 0; }' | \
    cc -static-pie -x c -o /dev/null - 2>/dev/null && echo '-- $(STATIC)')
RELEASE := $(CARGO) rustc --release --locked --bin pinnace $(LINKING)

.PHONY: help demo build test lint chaos bench localstack clean toolchain

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: toolchain ## Ship a log through a restart and count every line; needs nothing but this tree
	$(RELEASE)
	"$(TARGET)/release/pinnace" demo

build: toolchain ## Build the release binary
	$(RELEASE)

test: lint ## Run every check: lint, tests with a real LocalStack, chart and manifests
	./localstack/install
	PINNACE_TEST_LOCALSTACK="$(CURDIR)/localstack/start" $(CARGO) test --locked
	$(CARGO) build --locked
	PINNACE_BIN="$(TARGET)/debug/pinnace" $(PYTHON) tests/packaging/run

lint: toolchain ## Check format, lints, documentation and licences
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked
	$(PYTHON) tests/packaging/licences.py

chaos: toolchain ## Kill the agent for CHAOS_SECONDS (600) and print what was lost or doubled
	$(CARGO) test --release --locked --test chaos

# What is measured is the released program: built by itself, and kept where the benches' own build
# does not replace it.
bench: toolchain ## Measure what the agent costs beside a yardstick and peers (BENCH_QUICK=1, BENCH_CASE=text)
	$(RELEASE)
	install -D "$(TARGET)/release/pinnace" "$(TARGET)/bench/pinnace"
	BENCH_AGENT="$(TARGET)/bench/pinnace" $(CARGO) bench --locked --bench agent

localstack: ## Run a real LocalStack on 127.0.0.1:4566 until Ctrl-C (PORT=n for another port)
	@exec ./localstack/start --port "$(or $(PORT),4566)"

clean: ## Remove what the builds made; the fetched tools stay (rm -r target/tools removes them)
	$(CARGO) clean --profile dev
	$(CARGO) clean --profile release
	rm -rf target/doc target/tools/localstack-run target/localstack-try.*

# Says what to do before cargo says something less helpful.
toolchain:
	@command -v $(CARGO) >/dev/null || { \
	    echo "make: cargo is not on the PATH; see https://rustup.rs for the Rust toolchain" >&2; exit 69; }
	@$(CARGO) --version >/dev/null || { \
	    echo "make: cargo does not start; rust-toolchain.toml asks for the version it needs:" \
	        "rustup toolchain install" >&2; exit 69; }
	@for part in fmt clippy; do \
	    $(CARGO) $$part --version >/dev/null 2>&1 && continue; \
	    rustup component add rustfmt clippy && break; \
	    echo "make: cargo $$part is missing; install it with: rustup component add rustfmt clippy" >&2; \
	    exit 69; \
	done
