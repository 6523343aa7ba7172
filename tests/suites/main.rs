//! All suites, one module each.
#![allow(missing_docs, reason = "the names of tests say what they prove")]

mod stand;
mod temporary;

mod bad_input;
mod canary;
mod cancel;
mod captures;
mod catalog;
mod clients;
mod clocks;
mod config;
mod consistency;
mod copy;
mod copy_formats;
mod copy_property;
mod crash;
mod databases;
mod deploy;
mod differential;
mod expiry;
mod extended;
mod faults;
mod fleet;
mod flights;
mod hanging;
mod interop;
mod merging;
mod pgbouncer;
mod planning;
mod portals;
mod postgres;
mod pressure;
mod proxied;
mod psql;
mod s3;
mod sequences;
mod settings;
mod sql;
mod starting;
mod takeover;
mod tokens;
mod transactions;
mod types;
mod validation;
mod worker_kill;
