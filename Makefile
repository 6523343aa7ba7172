# Every command a person or the CI needs. `make demo` and `make test` each work alone on a fresh clone.
# Every build is of the whole workspace: a part alone resolves features differently, and everything would be built twice.

CARGO ?= cargo
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)
ifeq ($(NEXTEST),)
RUN_TESTS = $(CARGO) test --workspace --no-fail-fast
RUN_CLIENTS = $(CARGO) test --workspace --test suites --no-fail-fast -- --include-ignored clients
RUN_FAULTS = $(CARGO) test --workspace --test suites --no-fail-fast -- --include-ignored --nocapture --test-threads 1 crash worker_kill faults
RUN_COPY = $(CARGO) test --workspace --test suites --no-fail-fast -- --nocapture copy_of
else
RUN_COPY = $(CARGO) nextest run --workspace --no-fail-fast --no-capture -E 'package(duckmesh-tests) and test(copy_of)'
RUN_TESTS = $(CARGO) nextest run --workspace --no-fail-fast --failure-output immediate-final
RUN_CLIENTS = $(CARGO) nextest run --workspace --no-fail-fast --run-ignored all -E 'package(duckmesh-tests) and test(clients)'
RUN_FAULTS = $(CARGO) nextest run --workspace --no-fail-fast --run-ignored all --no-capture --profile faults -E 'package(duckmesh-tests) and (test(crash) or test(worker_kill) or test(faults))'
endif

.PHONY: help duckdb setup build run demo test test-clients test-copy test-faults object-stores fuzz bench bench-catalog bench-production lint stack-up stack-status stack-down

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

duckdb: ## the official prebuilt DuckDB library, into .duckdb/lib
	@deploy/fetch-duckdb.sh

setup: ## what the tests need from the system, and .venv with the official DuckDB
	@deploy/setup.sh

build: duckdb ## the server, target/debug/duckmesh
	$(CARGO) build --workspace --bins

run: build ## the server in the foreground
	$${CARGO_TARGET_DIR:-target}/debug/duckmesh serve

stack-up: setup build ## production shape as local processes: PostgreSQL, an S3 server, two gateways, two coordinators
	@deploy/stack.sh up

stack-status: ## what runs of it
	@deploy/stack.sh status

stack-down: ## stops it and deletes what it wrote
	@deploy/stack.sh down

demo: setup build ## write, token, read, kill -9, and the same lake in plain DuckDB
	@tests/demo.sh

lint: duckdb ## formatting, clippy, and licences where cargo-deny is there
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny check; fi

# Clippy judges while it builds what is then tested: two passes would compile every dependency twice.
test: export RUSTC_WORKSPACE_WRAPPER = clippy-driver
test: export CLIPPY_ARGS = -D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__
test: setup duckdb ## everything the CI runs
	$(CARGO) fmt --all --check
	$(CARGO) build --workspace --tests --bins
	$(RUN_TESTS)

test-clients: setup duckdb ## programs of real clients, also those that need Node, Java, ODBC and Rust drivers
	@tests/clients/install.sh all
	$(CARGO) build --workspace --tests --bins
	$(RUN_CLIENTS)

test-faults: setup duckdb ## the crash loops, for long (DUCKMESH_FAULT_ROUNDS=n)
	$(CARGO) build --workspace --tests --bins
	DUCKMESH_FAULT_ROUNDS=$${DUCKMESH_FAULT_ROUNDS:-100} $(RUN_FAULTS)

object-stores: ## S3 servers of others, into .s3, for make test-faults
	$(CARGO) install --locked --root .s3 s3s-fs@0.14.1 --features binary
	npm install --prefix .s3 --no-audit --no-fund s3rver@3.7.1

test-copy: setup duckdb ## random tables through every format of COPY, for long (DUCKMESH_COPY_ROUNDS=n, DUCKMESH_SEED=n)
	$(CARGO) build --workspace --tests --bins
	DUCKMESH_COPY_ROUNDS=$${DUCKMESH_COPY_ROUNDS:-500} DUCKMESH_PARQUET_MUTATIONS=$${DUCKMESH_PARQUET_MUTATIONS:-2000} $(RUN_COPY)

fuzz: duckdb ## changed bytes for every decoder, for long (DUCKMESH_FUZZ_SECONDS=n for each, DUCKMESH_SEED=n)
	DUCKMESH_FUZZ_SECONDS=$${DUCKMESH_FUZZ_SECONDS:-600} $(CARGO) test --workspace --test fuzz -- --nocapture --test-threads 2

bench-catalog: duckdb ## what clients ask of the catalog, with a thousand tables; prints times
	$(CARGO) build --release --workspace --bins
	BENCH_ONLY=catalog $${CARGO_TARGET_DIR:-target}/release/bench

bench-production: duckdb ## several servers over Postgres, many connections, files and lakes; prints figures
	$(CARGO) build --release --workspace --bins
	BENCH_ONLY=production $${CARGO_TARGET_DIR:-target}/release/bench

bench: duckdb ## side by side with PostgreSQL and DuckDB; prints ratios
	@deploy/setup.sh bench
	$(CARGO) build --release --workspace --bins
	$${CARGO_TARGET_DIR:-target}/release/bench
