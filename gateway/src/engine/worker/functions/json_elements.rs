//! `jsonb -> index`, where a scalar counts as an array of one.

use super::{Outcome, Value, json::found, json_scan as scan};

/// `jsonb -> index`: a scalar is an array of one.
pub fn element_of_binary(args: &[Option<&str>]) -> Outcome<Value> {
    binary_element(args, false)
}

pub fn element_of_binary_text(args: &[Option<&str>]) -> Outcome<Value> {
    binary_element(args, true)
}

fn binary_element(args: &[Option<&str>], as_text: bool) -> Outcome<Value> {
    let json = super::text(args, 0);
    if json.trim_start().starts_with(['[', '{']) {
        return found(scan::element(json, super::integer(args, 1)), as_text);
    }
    found(matches!(super::integer(args, 1), 0 | -1).then_some(json), as_text)
}
