//! The engine: DuckDB in child processes, and how the gateway asks them.
//!
//! *Invariant:* no DuckDB runs in the gateway's process. A dead or stuck worker costs its statements an error.

pub mod protocol;
pub mod worker;
