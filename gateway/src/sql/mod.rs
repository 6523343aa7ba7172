//! From SQL text to plans: parse, check, rewrite.
//!
//! Nothing of a client's text reaches the engine: what it gets is written anew from the checked tree.

pub mod plan;

pub mod dialect;
mod empty_list;
mod forms;
mod frame_exclude;
mod grouping_element;
pub mod parse;
mod rows_from;
pub mod statement;
mod symmetric;
pub mod thread;

mod dispatch;
pub mod do_block;
mod postfix;
mod typed_string;
mod written;

pub mod query;

pub mod insert;
mod returning;

pub mod check;
pub mod default;
pub mod deparse;
pub mod domain;
pub mod value_place;
pub mod view;

pub mod explain;

pub mod types;
pub mod user_type;

pub mod scan;

mod backward;
pub mod command;
pub mod copy;
pub mod ddl;
pub mod sequence;
pub mod setting;
mod settings_row;
pub mod transaction;
pub mod utility;

pub mod macros;
pub mod named;
pub mod position;
pub(crate) mod quote;
mod rewrite;

pub use dispatch::plan;
pub use parse::parse;
pub(crate) use rewrite::is_long;
pub use statement::Statement;
pub use user_type::{name_to_oid as type_oid, system_oid as system_type_oid};

#[cfg(test)]
mod tests;
