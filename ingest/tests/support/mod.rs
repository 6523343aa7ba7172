//! What the suites of this crate share.

#![allow(dead_code)]

pub mod gate;
pub mod postgres;
pub mod world;
