//! Suites that run the real server as a process and look at it from outside: over the wire, on disk, and with other software.

pub mod captures;
pub mod checker;
pub mod deployment;
pub mod differential;
pub mod fake_s3;
pub mod harness;
pub mod ledger;
pub mod nemesis;
pub mod random;
pub mod slt;
pub mod tcp_proxy;
pub mod workload;
