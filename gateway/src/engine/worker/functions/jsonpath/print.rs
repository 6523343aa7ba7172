//! The text of a path, as Postgres' output function writes it.

use std::fmt::Write as _;

use super::{
    item::Item,
    parser::{Expr, Path, Step},
};
use crate::value::json::write_string;

/// A path's text.
pub fn shown(path: &Path) -> String {
    let mut out = String::new();
    if !path.lax {
        out.push_str("strict ");
    }
    write(&path.expr, true, &mut out);
    out
}

/// How tightly it binds.
fn binds(expr: &Expr) -> u8 {
    match expr {
        Expr::Or(..) => 0,
        Expr::And(..) => 1,
        Expr::Compare(..) | Expr::StartsWith(..) => 2,
        Expr::Arithmetic('+' | '-', ..) => 3,
        Expr::Arithmetic(..) => 4,
        Expr::Sign(..) if number(expr).is_none() => 5,
        Expr::Steps(base, _) => binds(base),
        _ => 6,
    }
}

/// A number, with its signs.
fn number(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Constant(Item::Number(text)) => Some(text.to_string()),
        Expr::Sign('-', inner) => number(inner).map(|text| match text.strip_prefix('-') {
            Some(plain) => plain.to_owned(),
            None if text.bytes().all(|b| matches!(b, b'0' | b'.')) => text,
            None => format!("-{text}"),
        }),
        Expr::Sign(_, inner) => number(inner),
        _ => None,
    }
}

/// Writes it; `closed`: in parentheses where it is an operation.
fn write(expr: &Expr, closed: bool, out: &mut String) {
    if let Some(text) = number(expr) {
        out.push_str(&text);
        return;
    }
    match expr {
        Expr::Root => out.push('$'),
        Expr::Current => out.push('@'),
        Expr::Last => out.push_str("last"),
        Expr::Variable(name) => {
            out.push('$');
            write_string(name, out);
        }
        Expr::Constant(item) => out.push_str(&item.write()),
        Expr::Steps(base, steps) => {
            match number(base) {
                Some(text) => {
                    let _ = write!(out, "({text})");
                }
                None => write(base, closed, out),
            }
            steps.iter().for_each(|step| write_step(step, out));
        }
        Expr::Sign(sign, inner) => enclosed(closed, out, |out| {
            out.push(*sign);
            write(inner, binds(inner) <= binds(expr), out);
        }),
        Expr::Arithmetic(op, a, b) => operation(expr, (a, &op.to_string(), b), closed, out),
        Expr::And(a, b) => operation(expr, (a, "&&", b), closed, out),
        Expr::Or(a, b) => operation(expr, (a, "||", b), closed, out),
        Expr::Compare(op, a, b) => operation(expr, (a, if *op == "<>" { "!=" } else { op }, b), closed, out),
        Expr::StartsWith(a, b) => operation(expr, (a, "starts with", b), closed, out),
        Expr::Not(inner) => called("!(", inner, ")", out),
        Expr::IsUnknown(inner) => called("(", inner, ") is unknown", out),
        Expr::Exists(inner) => called("exists (", inner, ")", out),
        Expr::LikeRegex(inner, like) => enclosed(closed, out, |out| {
            write(inner, true, out);
            out.push_str(" like_regex ");
            write_string(&like.pattern, out);
            let flags: String = "ismxq".chars().filter(|flag| like.flags.contains(*flag)).collect();
            if !flags.is_empty() {
                let _ = write!(out, " flag \"{flags}\"");
            }
        }),
    }
}

fn enclosed(closed: bool, out: &mut String, inner: impl FnOnce(&mut String)) {
    out.push_str(if closed { "(" } else { "" });
    inner(out);
    out.push_str(if closed { ")" } else { "" });
}

fn called(before: &str, inner: &Expr, after: &str, out: &mut String) {
    out.push_str(before);
    write(inner, false, out);
    out.push_str(after);
}

fn operation(whole: &Expr, (a, op, b): (&Expr, &str, &Expr), closed: bool, out: &mut String) {
    enclosed(closed, out, |out| {
        write(a, binds(a) <= binds(whole), out);
        let _ = write!(out, " {op} ");
        write(b, binds(b) <= binds(whole), out);
    });
}

fn write_step(step: &Step, out: &mut String) {
    match step {
        Step::Member(name) => {
            out.push('.');
            write_string(name, out);
        }
        Step::AnyMember => out.push_str(".*"),
        Step::AnyElement => out.push_str("[*]"),
        Step::Elements(all) => {
            for (n, (from, to)) in all.iter().enumerate() {
                out.push(if n == 0 { '[' } else { ',' });
                write(from, false, out);
                if let Some(to) = to {
                    out.push_str(" to ");
                    write(to, false, out);
                }
            }
            out.push(']');
        }
        Step::Deep(first, last) => {
            let level = |n: &u32| if *n == u32::MAX { "last".to_owned() } else { n.to_string() };
            let _ = match (*first, *last) {
                (0, u32::MAX) => write!(out, ".**"),
                (a, b) if a == b => write!(out, ".**{{{}}}", level(first)),
                _ => write!(out, ".**{{{} to {}}}", level(first), level(last)),
            };
        }
        Step::Filter(condition) => called("?(", condition, ")", out),
        Step::Method(method) => {
            let _ = write!(out, ".{}()", method.name());
        }
        Step::Datetime(template) => {
            out.push_str(".datetime(");
            if let Some(template) = template {
                write_string(template, out);
            }
            out.push(')');
        }
    }
}
