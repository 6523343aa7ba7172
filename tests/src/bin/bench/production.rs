//! Production shape: servers over Postgres beside the embedded one, many connections, many files, many lakes.
//!
//! `BENCH_FILES` (100000), `BENCH_LAKES` (1000) and `BENCH_IDLE` (1000 connections) make it smaller for a try.

mod fleet;
mod scale;

/// Everything of it.
pub fn run(seconds: u64) {
    fleet::rates(seconds);
    scale::connections();
    scale::files();
    scale::lakes();
}

/// A number of the environment.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}
