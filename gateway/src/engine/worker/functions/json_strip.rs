//! `json_strip_nulls` and `jsonb_strip_nulls`: values without the members that are null.

use super::{
    Outcome, Value,
    json::{shown, tree},
};
use crate::value::json::{Node, document, write_string};

/// `jsonb_strip_nulls`.
pub fn strip_nulls(args: &[Option<&str>]) -> Outcome<Value> {
    let mut node = tree(super::text(args, 0))?;
    strip(&mut node);
    shown(node)
}

/// `json_strip_nulls`: members stay in their order, those of equal names too.
pub fn strip_text(args: &[Option<&str>]) -> Outcome<Value> {
    let mut node = document(super::text(args, 0), true)?;
    strip(&mut node);
    let mut out = String::new();
    write_compact(&node, &mut out);
    Ok(Value::Text(out))
}

fn write_compact(node: &Node, out: &mut String) {
    match node {
        Node::Null => out.push_str("null"),
        Node::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Node::Number(text) => out.push_str(text),
        Node::String(text) => write_string(text, out),
        Node::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n == 0 { "" } else { "," });
                write_compact(item, out);
            }
            out.push(']');
        }
        Node::Object(members) => {
            out.push('{');
            for (n, (name, value)) in members.iter().enumerate() {
                out.push_str(if n == 0 { "" } else { "," });
                write_string(name, out);
                out.push(':');
                write_compact(value, out);
            }
            out.push('}');
        }
    }
}

fn strip(node: &mut Node) {
    match node {
        Node::Array(items) => items.iter_mut().for_each(strip),
        Node::Object(members) => {
            members.retain(|(_, v)| !matches!(v, Node::Null));
            members.iter_mut().for_each(|(_, v)| strip(v));
        }
        _ => {}
    }
}
