//! All suites, one module each.
#![allow(missing_docs, reason = "the names of tests say what they prove")]

mod config;
