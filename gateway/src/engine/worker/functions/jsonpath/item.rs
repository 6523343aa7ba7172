//! Values that a path walks over: cheap to share.

use std::rc::Rc;

use super::{
    super::{Failure, Outcome},
    moment::Moment,
};
use crate::value::json::{Node, document, write_node, write_string};

/// A JSON value. Numbers are text in Postgres' form.
#[derive(Clone, Debug)]
pub enum Item {
    Null,
    Bool(bool),
    Number(Rc<str>),
    String(Rc<str>),
    Array(Rc<Vec<Item>>),
    Object(Rc<Vec<(String, Item)>>),
    /// What `.datetime()` gives.
    Moment(Rc<Moment>),
}

impl Item {
    /// Reads a document.
    pub fn parse(text: &str) -> Outcome<Self> {
        Self::of(document(text, true)?)
    }

    pub fn string(text: impl Into<Rc<str>>) -> Self {
        Self::String(text.into())
    }

    pub fn number(text: impl Into<Rc<str>>) -> Self {
        Self::Number(text.into())
    }

    fn of(node: Node) -> Outcome<Self> {
        Ok(match node {
            Node::Null => Self::Null,
            Node::Bool(value) => Self::Bool(value),
            Node::String(text) => Self::string(text),
            number @ Node::Number(_) => {
                let mut out = String::new();
                write_node(number, &mut out).map_err(Failure::from)?;
                Self::number(out)
            }
            Node::Array(items) => Self::Array(Rc::new(items.into_iter().map(Self::of).collect::<Outcome<_>>()?)),
            Node::Object(members) => {
                let mut all: Vec<(String, Self)> = Vec::with_capacity(members.len());
                for (name, node) in members {
                    all.push((name, Self::of(node)?));
                }
                // As jsonb has them: sorted, of equal names the last.
                all.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes())));
                all.reverse();
                all.dedup_by(|a, b| a.0 == b.0);
                all.reverse();
                Self::Object(Rc::new(all))
            }
        })
    }

    /// Its text as jsonb shows it.
    pub fn write(&self) -> String {
        let mut out = String::new();
        self.write_to(&mut out);
        out
    }

    fn write_to(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::String(text) => write_string(text, out),
            Self::Moment(moment) => write_string(&moment.text(), out),
            Self::Array(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    out.push_str(if n == 0 { "" } else { ", " });
                    item.write_to(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (n, (name, item)) in members.iter().enumerate() {
                    out.push_str(if n == 0 { "" } else { ", " });
                    write_string(name, out);
                    out.push_str(": ");
                    item.write_to(out);
                }
                out.push('}');
            }
        }
    }

    /// The member of that name.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(n, _)| n == name).map(|(_, item)| item),
            _ => None,
        }
    }

    /// `.type()`
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
            Self::Moment(moment) => moment.type_name(),
        }
    }
}
