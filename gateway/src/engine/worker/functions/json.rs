//! `json` and `jsonb` as Postgres has them, over their text.

use super::{Failure, Outcome, Value, json_scan as scan, list};
use crate::value::json::{Node, document, write_node, write_string};
use scan::Shape;

pub(super) fn tree(text: &str) -> Outcome<Node> {
    Ok(document(text, true)?)
}

pub(super) fn shown(node: Node) -> Outcome<Value> {
    let mut out = String::new();
    write_node(node, &mut out)?;
    Ok(Value::Text(out))
}

/// Text to `json`: checked, kept as written.
pub fn check(args: &[Option<&str>]) -> Outcome<Value> {
    let text = super::text(args, 0);
    document(text, false)?;
    Ok(Value::Text(text.to_owned()))
}

/// Text to `jsonb`.
pub fn normal(args: &[Option<&str>]) -> Outcome<Value> {
    shown(tree(super::text(args, 0))?)
}

/// A text as a JSON string.
pub fn quote(args: &[Option<&str>]) -> Outcome<Value> {
    let mut out = String::new();
    write_string(super::text(args, 0), &mut out);
    Ok(Value::Text(out))
}

/// `{"k" : v, …}` of names and values that are JSON already; a name must not be NULL.
pub fn object(args: &[Option<&str>]) -> Outcome<Value> {
    let mut out = String::from("{");
    for (n, pair) in args.chunks(2).enumerate() {
        let Some(Some(name)) = pair.first() else {
            return Err(Failure::new("22023", format!("argument {}: key must not be null", 2 * n + 1)));
        };
        out.push_str(if n == 0 { "" } else { ", " });
        write_string(name, &mut out);
        out.push_str(" : ");
        out.push_str(pair.get(1).copied().flatten().unwrap_or("null"));
    }
    out.push('}');
    Ok(Value::Text(out))
}

/// A row: `{"k":v,"l":w}`.
pub fn row(args: &[Option<&str>]) -> Outcome<Value> {
    let mut out = String::from("{");
    for (n, pair) in args.chunks(2).enumerate() {
        out.push_str(if n == 0 { "" } else { "," });
        write_string(pair.first().copied().flatten().unwrap_or(""), &mut out);
        out.push(':');
        out.push_str(pair.get(1).copied().flatten().unwrap_or("null"));
    }
    out.push('}');
    Ok(Value::Text(out))
}

/// `[a, b]` of values that are JSON already.
pub fn array(args: &[Option<&str>]) -> Outcome<Value> {
    let items: Vec<&str> = args.iter().map(|a| a.unwrap_or("null")).collect();
    Ok(Value::Text(format!("[{}]", items.join(", "))))
}

/// One member of `json_object_agg`.
pub fn pair(args: &[Option<&str>]) -> Outcome<Value> {
    let [Some(name), value] = args else {
        return Err(Failure::new("22023", "field name must not be null"));
    };
    let mut out = String::new();
    write_string(name, &mut out);
    out.push_str(" : ");
    out.push_str(value.unwrap_or("null"));
    Ok(Value::Text(out))
}

pub(super) fn found(value: Option<&str>, text: bool) -> Outcome<Value> {
    Ok(match value {
        None => Value::Null,
        Some(value) if text => match scan::as_text(value) {
            Some(text) if text.contains('\0') => {
                return Err(Failure::new("22P05", "unsupported Unicode escape sequence"));
            }
            text => text.map_or(Value::Null, Value::Text),
        },
        Some(value) => Value::Text(value.trim().to_owned()),
    })
}

/// `j -> name`, `j ->> name`.
pub fn member(args: &[Option<&str>]) -> Outcome<Value> {
    found(scan::member(super::text(args, 0), super::text(args, 1)), false)
}

pub fn member_text(args: &[Option<&str>]) -> Outcome<Value> {
    found(scan::member(super::text(args, 0), super::text(args, 1)), true)
}

/// `j -> index`, `j ->> index`.
pub fn element(args: &[Option<&str>]) -> Outcome<Value> {
    found(scan::element(super::text(args, 0), super::integer(args, 1)), false)
}

pub fn element_text(args: &[Option<&str>]) -> Outcome<Value> {
    found(scan::element(super::text(args, 0), super::integer(args, 1)), true)
}

/// `j #> path`, `j #>> path`; the path is a list of texts.
pub fn path(args: &[Option<&str>]) -> Outcome<Value> {
    found(scan::follow(super::text(args, 0), &list(super::text(args, 1))), false)
}

pub fn path_text(args: &[Option<&str>]) -> Outcome<Value> {
    found(scan::follow(super::text(args, 0), &list(super::text(args, 1))), true)
}

/// `json_extract_path(j, a, b)`.
pub fn steps(args: &[Option<&str>]) -> Outcome<Value> {
    found(scan::follow(super::text(args, 0), &rest(args)), false)
}

pub fn steps_text(args: &[Option<&str>]) -> Outcome<Value> {
    found(scan::follow(super::text(args, 0), &rest(args)), true)
}

fn rest(args: &[Option<&str>]) -> Vec<Option<String>> {
    args.iter().skip(1).map(|a| a.map(str::to_owned)).collect()
}

pub fn type_of(args: &[Option<&str>]) -> Outcome<Value> {
    Ok(Value::Text(
        match scan::shape(super::text(args, 0)) {
            Shape::Object => "object",
            Shape::Array => "array",
            Shape::String => "string",
            Shape::Number => "number",
            Shape::Boolean => "boolean",
            Shape::Null => "null",
        }
        .to_owned(),
    ))
}

pub fn length(args: &[Option<&str>]) -> Outcome<Value> {
    let text = super::text(args, 0);
    match scan::shape(text) {
        Shape::Array => Ok(Value::Int(i64::try_from(scan::parts(text).count()).unwrap_or(i64::MAX))),
        Shape::Object => Err(Failure::new("22023", "cannot get array length of a non-array")),
        _ => Err(Failure::new("22023", "cannot get array length of a scalar")),
    }
}

fn array_of(text: &str) -> Outcome<scan::Parts<'_>> {
    match scan::shape(text) {
        Shape::Array => Ok(scan::parts(text)),
        Shape::Object => Err(Failure::new("22023", "cannot extract elements from an object")),
        _ => Err(Failure::new("22023", "cannot extract elements from a scalar")),
    }
}

pub fn elements(args: &[Option<&str>]) -> Outcome<Value> {
    Ok(Value::Texts(array_of(super::text(args, 0))?.map(|(_, v)| Some(v.to_owned())).collect()))
}

pub fn elements_text(args: &[Option<&str>]) -> Outcome<Value> {
    Ok(Value::Texts(array_of(super::text(args, 0))?.map(|(_, v)| scan::as_text(v)).collect()))
}

fn object_of<'a>(text: &'a str, what: &str) -> Outcome<scan::Parts<'a>> {
    match (scan::shape(text), what) {
        (Shape::Object, _) => Ok(scan::parts(text)),
        (Shape::Array, "") => Err(Failure::new("22023", "cannot call json_object_keys on an array")),
        (_, "") => Err(Failure::new("22023", "cannot call json_object_keys on a scalar")),
        (_, name) => Err(Failure::new("22023", format!("cannot call {name} on a non-object"))),
    }
}

pub fn keys(args: &[Option<&str>]) -> Outcome<Value> {
    let parts = object_of(super::text(args, 0), "")?;
    Ok(Value::Texts(parts.map(|(k, _)| Some(scan::unquoted(k.unwrap_or_default()))).collect()))
}

pub fn values(args: &[Option<&str>]) -> Outcome<Value> {
    let parts = object_of(super::text(args, 0), "jsonb_each")?;
    Ok(Value::Texts(parts.map(|(_, v)| Some(v.to_owned())).collect()))
}

pub fn values_text(args: &[Option<&str>]) -> Outcome<Value> {
    let parts = object_of(super::text(args, 0), "jsonb_each_text")?;
    Ok(Value::Texts(parts.map(|(_, v)| scan::as_text(v)).collect()))
}

/// `jsonb ? text`.
pub fn exists(args: &[Option<&str>]) -> Outcome<Value> {
    Ok(Value::Bool(has(super::text(args, 0), super::text(args, 1))))
}

fn has(json: &str, name: &str) -> bool {
    match scan::shape(json) {
        Shape::Object => scan::member(json, name).is_some(),
        Shape::Array => scan::parts(json).any(|(_, v)| scan::shape(v) == Shape::String && scan::unquoted(v) == name),
        Shape::String => scan::unquoted(json) == name,
        _ => false,
    }
}

/// `jsonb ?| array`.
pub fn exists_any(args: &[Option<&str>]) -> Outcome<Value> {
    let json = super::text(args, 0);
    Ok(Value::Bool(list(super::text(args, 1)).iter().flatten().any(|name| has(json, name))))
}

/// `jsonb ?& array`.
pub fn exists_all(args: &[Option<&str>]) -> Outcome<Value> {
    let json = super::text(args, 0);
    Ok(Value::Bool(list(super::text(args, 1)).iter().flatten().all(|name| has(json, name))))
}

fn trim_numbers(node: &mut Node) {
    match node {
        Node::Number(text) => {
            let short = super::number::Number::read(text).map(|n| n.write()).unwrap_or_else(|_| text.clone());
            *text = match short.contains('.') {
                true => short.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => short,
            };
        }
        Node::Array(items) => items.iter_mut().for_each(trim_numbers),
        Node::Object(members) => members.iter_mut().for_each(|(_, v)| trim_numbers(v)),
        _ => {}
    }
}

/// `a @> b`.
pub fn contains(args: &[Option<&str>]) -> Outcome<Value> {
    let (mut a, mut b) = (tree(super::text(args, 0))?, tree(super::text(args, 1))?);
    trim_numbers(&mut a);
    trim_numbers(&mut b);
    // An array contains a scalar of its own, at the top only.
    let bare = match (&a, &b) {
        (Node::Array(items), Node::Object(_) | Node::Array(_)) => {
            let _ = items;
            false
        }
        (Node::Array(items), scalar) => items.iter().any(|i| same(i, scalar)),
        _ => false,
    };
    Ok(Value::Bool(bare || holds(&a, &b)))
}

fn holds(a: &Node, b: &Node) -> bool {
    match (a, b) {
        (Node::Object(a), Node::Object(b)) => {
            b.iter().all(|(name, value)| a.iter().rev().find(|(n, _)| n == name).is_some_and(|(_, v)| holds(v, value)))
        }
        (Node::Array(a), Node::Array(b)) => b.iter().all(|value| a.iter().any(|v| holds(v, value))),
        (a, b) => same(a, b),
    }
}

fn same(a: &Node, b: &Node) -> bool {
    match (a, b) {
        (Node::Null, Node::Null) => true,
        (Node::Bool(a), Node::Bool(b)) => a == b,
        (Node::Number(a), Node::Number(b)) | (Node::String(a), Node::String(b)) => a == b,
        _ => false,
    }
}

/// `a || b`.
pub fn concat(args: &[Option<&str>]) -> Outcome<Value> {
    let (a, b) = (tree(super::text(args, 0))?, tree(super::text(args, 1))?);
    shown(match (a, b) {
        (Node::Object(mut a), Node::Object(b)) => {
            a.extend(b);
            Node::Object(a)
        }
        (Node::Array(mut a), Node::Array(b)) => {
            a.extend(b);
            Node::Array(a)
        }
        (Node::Array(mut a), b) => {
            a.push(b);
            Node::Array(a)
        }
        (a, Node::Array(mut b)) => {
            b.insert(0, a);
            Node::Array(b)
        }
        (a, b) => Node::Array(vec![a, b]),
    })
}

/// `jsonb - text`.
pub fn without(args: &[Option<&str>]) -> Outcome<Value> {
    drop_names(super::text(args, 0), &[Some(super::text(args, 1).to_owned())])
}

/// `jsonb - text[]`.
pub fn without_all(args: &[Option<&str>]) -> Outcome<Value> {
    drop_names(super::text(args, 0), &list(super::text(args, 1)))
}

fn drop_names(json: &str, names: &[Option<String>]) -> Outcome<Value> {
    let gone = |name: &str| names.iter().flatten().any(|n| n == name);
    match tree(json)? {
        Node::Object(mut members) => {
            members.retain(|(name, _)| !gone(name));
            shown(Node::Object(members))
        }
        Node::Array(mut items) => {
            items.retain(|item| !matches!(item, Node::String(s) if gone(s)));
            shown(Node::Array(items))
        }
        _ => Err(Failure::new("22023", "cannot delete from scalar")),
    }
}

/// `jsonb - index`.
pub fn without_at(args: &[Option<&str>]) -> Outcome<Value> {
    match tree(super::text(args, 0))? {
        Node::Array(mut items) => {
            if let Some(at) = place(super::integer(args, 1), items.len()).filter(|at| *at < items.len()) {
                items.remove(at);
            }
            shown(Node::Array(items))
        }
        Node::Object(_) => Err(Failure::new("22023", "cannot delete from object using integer index")),
        _ => Err(Failure::new("22023", "cannot delete from scalar")),
    }
}

/// An index from the front; none before the first.
fn place(index: i64, count: usize) -> Option<usize> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    usize::try_from(if index < 0 { count + index } else { index }).ok()
}

/// What happens at the end of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Delete,
    Set { create: bool },
    Insert { after: bool },
}

/// `jsonb #- path`.
pub fn delete_path(args: &[Option<&str>]) -> Outcome<Value> {
    changed(args, &list(super::text(args, 1)), None, Change::Delete)
}

/// `jsonb_set(j, path, value, create)`.
pub fn set(args: &[Option<&str>]) -> Outcome<Value> {
    let value = tree(super::text(args, 2))?;
    changed(args, &list(super::text(args, 1)), Some(value), Change::Set { create: super::flag(args, 3) })
}

/// `jsonb_insert(j, path, value, after)`.
pub fn insert(args: &[Option<&str>]) -> Outcome<Value> {
    let value = tree(super::text(args, 2))?;
    changed(args, &list(super::text(args, 1)), Some(value), Change::Insert { after: super::flag(args, 3) })
}

fn changed(args: &[Option<&str>], path: &[Option<String>], value: Option<Node>, change: Change) -> Outcome<Value> {
    let mut node = tree(super::text(args, 0))?;
    if !matches!(node, Node::Object(_) | Node::Array(_)) {
        let what = if change == Change::Delete { "delete path in scalar" } else { "set path in scalar" };
        return Err(Failure::new("22023", format!("cannot {what}")));
    }
    let empty = match &node {
        Node::Object(members) => members.is_empty(),
        Node::Array(items) => items.is_empty(),
        _ => false,
    };
    let nothing = empty && matches!(change, Change::Delete | Change::Set { create: false });
    if !path.is_empty() && !nothing {
        let mut value = value;
        change_at(&mut node, path, 1, &mut value, change)?;
    }
    shown(node)
}

fn change_at(
    node: &mut Node,
    path: &[Option<String>],
    depth: usize,
    value: &mut Option<Node>,
    change: Change,
) -> Outcome<()> {
    let Some((step, rest)) = path.split_first() else {
        return Ok(());
    };
    let Some(step) = step else {
        return Err(Failure::new("22004", format!("path element at position {depth} is null")));
    };
    match node {
        Node::Object(members) => {
            let at = members.iter().rposition(|(name, _)| name == step);
            if !rest.is_empty() {
                return match at.and_then(|at| members.get_mut(at)) {
                    Some((_, inner)) => change_at(inner, rest, depth + 1, value, change),
                    None => Ok(()),
                };
            }
            change_member(members, at, step, value, change)
        }
        Node::Array(items) => {
            let Ok(index) = step.trim().parse::<i64>() else {
                return Err(Failure::new(
                    "22P02",
                    format!("path element at position {depth} is not an integer: \"{step}\""),
                ));
            };
            let at = place(index, items.len());
            if !rest.is_empty() {
                return match at.and_then(|at| items.get_mut(at)) {
                    Some(inner) => change_at(inner, rest, depth + 1, value, change),
                    None => Ok(()),
                };
            }
            change_element(items, at, value, change);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn change_member(
    members: &mut Vec<(String, Node)>,
    at: Option<usize>,
    name: &str,
    value: &mut Option<Node>,
    change: Change,
) -> Outcome<()> {
    match (change, at) {
        (Change::Delete, Some(at)) => {
            members.remove(at);
        }
        (Change::Set { .. }, Some(at)) => {
            if let (Some(slot), Some(value)) = (members.get_mut(at), value.take()) {
                slot.1 = value;
            }
        }
        (Change::Set { create: true } | Change::Insert { .. }, None) => {
            members.extend(value.take().map(|v| (name.to_owned(), v)));
        }
        (Change::Insert { .. }, Some(_)) => {
            return Err(Failure::new("22023", "cannot replace existing key"));
        }
        _ => {}
    }
    Ok(())
}

fn change_element(items: &mut Vec<Node>, at: Option<usize>, value: &mut Option<Node>, change: Change) {
    let inside = at.filter(|at| *at < items.len());
    match (change, inside) {
        (Change::Delete, Some(at)) => {
            items.remove(at);
        }
        (Change::Set { .. }, Some(at)) => {
            if let (Some(slot), Some(value)) = (items.get_mut(at), value.take()) {
                *slot = value;
            }
        }
        (Change::Insert { after }, Some(at)) => {
            items.splice(at + usize::from(after)..at + usize::from(after), value.take());
        }
        (Change::Set { create: true } | Change::Insert { .. }, None) => {
            let front = at.is_none();
            if let Some(value) = value.take() {
                if front { items.insert(0, value) } else { items.push(value) }
            }
        }
        _ => {}
    }
}

/// `jsonb_pretty`.
pub fn pretty(args: &[Option<&str>]) -> Outcome<Value> {
    let mut out = String::new();
    pretty_at(super::text(args, 0), 0, &mut out);
    Ok(Value::Text(out))
}

fn pretty_at(text: &str, level: usize, out: &mut String) {
    let (open, close) = match scan::shape(text) {
        Shape::Object => ('{', '}'),
        Shape::Array => ('[', ']'),
        _ => {
            out.push_str(text.trim());
            return;
        }
    };
    out.push(open);
    for (n, (name, value)) in scan::parts(text).enumerate() {
        out.push_str(if n == 0 { "\n" } else { ",\n" });
        out.push_str(&"    ".repeat(level + 1));
        if let Some(name) = name {
            out.push_str(name);
            out.push_str(": ");
        }
        pretty_at(value, level + 1, out);
    }
    out.push('\n');
    out.push_str(&"    ".repeat(level));
    out.push(close);
}

/// The text that a cast to a number or boolean reads; other shapes are Postgres' error.
pub fn scalar(args: &[Option<&str>]) -> Outcome<Value> {
    let (text, to) = (super::text(args, 0), super::text(args, 1));
    let wanted = if to == "boolean" { Shape::Boolean } else { Shape::Number };
    let shape = scan::shape(text);
    if shape == wanted {
        return Ok(Value::Text(text.trim().to_owned()));
    }
    let what = match shape {
        Shape::Object => "object",
        Shape::Array => "array",
        Shape::String => "string",
        Shape::Number => "numeric",
        Shape::Boolean => "boolean",
        Shape::Null => "null",
    };
    Err(Failure::new("22023", format!("cannot cast jsonb {what} to type {to}")))
}

/// `json_object(keys, values)`.
pub fn zipped(args: &[Option<&str>]) -> Outcome<Value> {
    if args.iter().flatten().any(|text| text.trim_start().starts_with("{{")) {
        return Err(Failure::new("2202E", "wrong number of array subscripts"));
    }
    let names = list(super::text(args, 0));
    let values = list(super::text(args, 1));
    if names.len() != values.len() {
        return Err(Failure::new("2202E", "mismatched array dimensions"));
    }
    written_pairs(names.iter().zip(&values))
}

/// `{"k" : "v", …}` of texts.
pub(super) fn written_pairs<'a>(
    pairs: impl Iterator<Item = (&'a Option<String>, &'a Option<String>)>,
) -> Outcome<Value> {
    let mut out = String::from("{");
    for (n, (name, value)) in pairs.enumerate() {
        let Some(name) = name else {
            return Err(Failure::new("22004", "null value not allowed for object key"));
        };
        out.push_str(if n == 0 { "" } else { ", " });
        write_string(name, &mut out);
        out.push_str(" : ");
        match value {
            Some(value) => write_string(value, &mut out),
            None => out.push_str("null"),
        }
    }
    out.push('}');
    Ok(Value::Text(out))
}
