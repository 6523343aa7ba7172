//! A node as PostgreSQL writes it: `pg_get_expr` and its kin, with all parentheses or only those that are needed.

use std::fmt::Write as _;

use super::node::{Class, Logic, Node};
use crate::pgcatalog::names;

/// Blanks that a CASE's parts are indented by.
const INDENT: usize = 4;

/// Where a text is written.
pub struct Printer<'a> {
    /// Only the parentheses that are needed.
    pub pretty: bool,
    /// Blanks at the start of a line.
    pub indent: usize,
    /// What there is.
    pub out: String,
    /// Names of enums by their oid.
    enums: &'a dyn Fn(u32) -> Option<String>,
}

impl<'a> Printer<'a> {
    pub fn new(pretty: bool, indent: usize, enums: &'a dyn Fn(u32) -> Option<String>) -> Self {
        Self { pretty, indent, out: String::new(), enums }
    }

    fn name_of(&self, class: Class) -> String {
        match class {
            Class::Enum(oid) => (self.enums)(oid),
            _ => None,
        }
        .unwrap_or_else(|| class.name().to_owned())
    }

    /// A new line with a word; what blanks there are before it go.
    fn line(&mut self, word: &str) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
        self.out.push_str(&" ".repeat(self.indent));
        self.out.push_str(word);
    }

    fn open(&mut self) {
        if !self.pretty {
            self.out.push('(');
        }
    }

    fn close(&mut self) {
        if !self.pretty {
            self.out.push(')');
        }
    }

    /// A node below another: in parentheses where it needs them.
    fn below(&mut self, node: &Node, parent: &Node, casts: bool) {
        let wrap = self.pretty && !is_simple(node, parent);
        if wrap {
            self.out.push('(');
        }
        self.node(node, casts);
        if wrap {
            self.out.push(')');
        }
    }

    fn list(&mut self, nodes: &[Node]) {
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.node(node, true);
        }
    }

    /// `casts`: also those that nobody wrote.
    pub fn node(&mut self, node: &Node, casts: bool) {
        match node {
            Node::Var(name) | Node::Domain(name) => self.out.push_str(name),
            Node::Word(word) => self.out.push_str(word),
            Node::Const(text, class) => self.constant(text, *class),
            Node::Null(class) => {
                let _ = write!(self.out, "NULL::{}", self.name_of(*class));
            }
            Node::Op(op, left, right) => {
                self.open();
                match left {
                    Some(left) => {
                        self.below(left, node, true);
                        let _ = write!(self.out, " {op} ");
                    }
                    None => {
                        let _ = write!(self.out, "{op} ");
                    }
                }
                self.below(right, node, true);
                self.close();
            }
            Node::Any(left, op, all, right) => {
                self.open();
                self.below(left, node, true);
                let _ = write!(self.out, " {op} {} (", if *all { "ALL" } else { "ANY" });
                self.below(right, node, true);
                self.out.push(')');
                self.close();
            }
            Node::Array(items) => {
                self.out.push_str("ARRAY[");
                self.list(items);
                self.out.push(']');
            }
            Node::Call(name, args) => {
                let _ = write!(self.out, "{}(", function_name(name));
                self.list(args);
                self.out.push(')');
            }
            Node::Choice(name, args) => {
                let _ = write!(self.out, "{name}(");
                self.list(args);
                self.out.push(')');
            }
            Node::Words(words, args) => {
                let mut args = args.iter();
                for word in words {
                    self.out.push_str(word);
                    if let Some(arg) = args.next() {
                        self.node(arg, false);
                    }
                }
            }
            Node::Cast(arg, _, true, _) if !casts => self.below(arg, node, false),
            Node::Cast(arg, name, ..) => {
                self.open();
                self.below(arg, node, false);
                self.close();
                let _ = write!(self.out, "::{name}");
            }
            Node::Logic(logic, args) => self.logic(node, *logic, args),
            Node::Test(arg, what) => {
                self.open();
                self.below(arg, node, true);
                let _ = write!(self.out, " {what}");
                self.close();
            }
            Node::Distinct(left, right) => {
                self.open();
                self.below(left, node, true);
                self.out.push_str(" IS DISTINCT FROM ");
                self.below(right, node, true);
                self.close();
            }
            Node::Case(operand, arms, last) => self.case(operand.as_deref(), arms, last.as_deref()),
        }
    }

    fn logic(&mut self, node: &Node, logic: Logic, args: &[Node]) {
        let word = match logic {
            Logic::And => " AND ",
            Logic::Or => " OR ",
            Logic::Not => "NOT ",
        };
        self.open();
        for (index, arg) in args.iter().enumerate() {
            if index > 0 || logic == Logic::Not {
                self.out.push_str(word);
            }
            self.below(arg, node, false);
        }
        self.close();
    }

    fn case(&mut self, operand: Option<&Node>, arms: &[(Node, Node)], last: Option<&Node>) {
        self.line("CASE");
        if let Some(operand) = operand {
            self.out.push(' ');
            self.node(operand, true);
        }
        self.indent += INDENT;
        for (condition, result) in arms {
            self.line("WHEN ");
            self.node(condition, false);
            self.out.push_str(" THEN ");
            self.node(result, true);
        }
        if let Some(last) = last {
            self.line("ELSE ");
            self.node(last, true);
        }
        self.indent -= INDENT;
        self.line("END");
    }

    fn constant(&mut self, text: &str, class: Class) {
        let signed = text.starts_with('-');
        let plain = match class {
            Class::Bool => true,
            Class::Int4 => !signed,
            Class::Numeric => text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(['.', 'e', 'E']),
            _ => false,
        };
        if plain {
            self.out.push_str(text);
        } else {
            let _ = write!(self.out, "{}::{}", literal(text), self.name_of(class));
        }
    }
}

/// A text constant: with backslashes it is written in the other form.
fn literal(text: &str) -> String {
    let quoted = names::literal(text);
    if text.contains('\\') { format!("E{}", quoted.replace('\\', "\\\\")) } else { quoted }
}

/// Names that are words of the grammar stand in quotes.
fn function_name(name: &str) -> String {
    match name {
        "left" | "right" | "substring" | "overlay" | "position" | "trim" | "char_length" | "character_length"
            if !matches!(name, "char_length" | "character_length") =>
        {
            format!("\"{name}\"")
        }
        other => names::quoted(other),
    }
}

/// Postgres' `isSimpleNode`: whether a node needs no parentheses below that parent.
fn is_simple(node: &Node, parent: &Node) -> bool {
    let high = |op: &str| matches!(op, "*" | "/" | "%");
    let low = |op: &str| matches!(op, "+" | "-");
    match node {
        Node::Var(_)
        | Node::Domain(_)
        | Node::Const(..)
        | Node::Null(_)
        | Node::Array(_)
        | Node::Call(..)
        | Node::Words(..) => true,
        Node::Choice(..) | Node::Word(_) | Node::Case(..) => true,
        // A cast that is a function is one; one that only gives another name is as simple as what it is of.
        Node::Cast(arg, _, _, relabel) => !relabel || is_simple(arg, node),
        Node::Op(op, Some(_), _) if matches!(parent, Node::Op(_, Some(_), _)) => {
            let Node::Op(above, Some(left), _) = parent else { return false };
            if !(high(op) || low(op)) || !(high(above) || low(above)) {
                return false;
            }
            high(op) && low(above) || high(op) == high(above) && std::ptr::eq(left.as_ref(), node)
        }
        Node::Op(..) | Node::Test(..) | Node::Distinct(..) => {
            matches!(parent, Node::Logic(..) | Node::Array(_) | Node::Choice(..) | Node::Case(..) | Node::Call(..))
        }
        Node::Logic(logic, _) => match parent {
            Node::Logic(above, _) => match logic {
                Logic::Not | Logic::And => *above != Logic::Not,
                Logic::Or => *above == Logic::Or,
            },
            Node::Array(_) | Node::Choice(..) | Node::Case(..) | Node::Call(..) => true,
            _ => false,
        },
        Node::Any(..) => false,
    }
}
