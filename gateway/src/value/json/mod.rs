//! `json`: checked, kept as it is written. `jsonb`: brought to Postgres' normal form.

mod lexer;
mod normal;
mod parser;

pub(super) use normal::normalize;
pub(crate) use normal::{write as write_node, write_string};
pub(super) use parser::check;
pub(crate) use parser::{Node, document};
