//! From SQL text to plans: parse, check, rewrite.

pub mod plan;
