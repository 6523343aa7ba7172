//! All suites, one module each.
#![allow(missing_docs, reason = "the names of tests say what they prove")]

mod stand;

mod config;
mod copy;
mod crash;
mod differential;
mod extended;
mod faults;
mod flights;
mod interop;
mod merging;
mod planning;
mod psql;
mod sql;
mod tokens;
mod transactions;
mod validation;
mod worker_kill;
