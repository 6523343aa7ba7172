//! The normal form of `jsonb`: members sorted, the last of equal names kept, numbers as numeric.

use std::fmt::Write;

use super::super::numeric::{self, Parsed};
use super::parser::{Node, document};
use crate::wire::error::PgResult;

/// `jsonb_in` and `jsonb_out`, appended to `out`.
pub(in crate::value) fn normalize(text: &str, out: &mut String) -> PgResult<()> {
    let node = document(text, true)?;
    write(node, out)
}

/// A value in the normal form.
pub(crate) fn write(node: Node, out: &mut String) -> PgResult<()> {
    match node {
        Node::Null => out.push_str("null"),
        Node::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Node::Number(text) => {
            if let Parsed::Finite(decimal) = numeric::read(text.as_bytes())? {
                numeric::write_decimal(&decimal, out);
            }
        }
        Node::String(text) => write_string(&text, out),
        Node::Array(elements) => {
            out.push('[');
            for (i, element) in elements.into_iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                write(element, out)?;
            }
            out.push(']');
        }
        Node::Object(mut members) => {
            // Stable: of equal names the last one comes last.
            members.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes())));
            out.push('{');
            let mut first = true;
            let mut members = members.into_iter().peekable();
            while let Some((name, value)) = members.next() {
                if members.peek().is_some_and(|(next, _)| *next == name) {
                    continue;
                }
                out.push_str(if first { "" } else { ", " });
                first = false;
                write_string(&name, out);
                out.push_str(": ");
                write(value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// `escape_json`.
pub(crate) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
