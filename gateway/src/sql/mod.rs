//! From SQL text to plans: parse, check, rewrite.

pub mod plan;

pub mod types;

pub mod scan;

pub mod copy;
pub mod ddl;
pub mod setting;
pub mod transaction;
