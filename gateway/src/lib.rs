//! The door: the only crate that knows the wire, SQL and DuckDB. The one binary, `duckmesh`, is made of it.
//!
//! Only the engine worker calls DuckDB; only `wire` writes to client sockets; only `wire/error.rs` knows SQLSTATEs.
#![allow(missing_docs)]

pub mod cli;
pub mod config;
pub mod limits;
pub mod memory;
pub mod serve;

pub mod wire;

pub mod session;

pub mod sql;

pub mod commands;

pub mod copy;

pub mod value;

pub mod pgcatalog;

pub mod engine;
mod fleet;

pub mod http;
