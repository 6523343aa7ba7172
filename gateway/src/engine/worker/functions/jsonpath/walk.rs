//! Walks a document along a path.

use std::{cell::RefCell, rc::Rc};

use super::{
    super::Failure,
    compare::compare,
    item::Item,
    method,
    moment::Moment,
    parser::{Expr, Method, Path, Step},
};

use crate::value::TimeZone;

/// Why a walk ended.
#[derive(Debug)]
pub enum Stop {
    /// What the document is not: `silent` hides it, and in a predicate it is unknown.
    Silent(Failure),
    /// What nothing hides.
    Loud(Failure),
}

type Walked<T> = Result<T, Stop>;

fn silent<T>(state: &'static str, message: impl Into<String>) -> Walked<T> {
    Err(Stop::Silent(Failure::new(state, message)))
}

pub struct Walk<'a> {
    path: &'a Path,
    root: &'a Item,
    variables: &'a [(String, Item)],
    /// Values that may still be made.
    left: usize,
    /// Whether structure that is not there is nothing rather than an error.
    forgiving: bool,
    /// What `@` is.
    current: Vec<Item>,
    /// Sizes of the arrays whose subscripts are looked at.
    sizes: Vec<usize>,
    /// The session's time zone, where comparisons may use it.
    zone: Option<TimeZone>,
}

impl<'a> Walk<'a> {
    pub fn new(
        path: &'a Path,
        root: &'a Item,
        variables: &'a [(String, Item)],
        left: usize,
        zone: Option<TimeZone>,
    ) -> Self {
        Self { path, root, variables, left, forgiving: path.lax, current: Vec::new(), sizes: Vec::new(), zone }
    }

    pub fn run(&mut self, out: &mut Vec<Item>) -> Walked<()> {
        let path = self.path;
        self.expr(&path.expr, out)
    }

    fn lax(&self) -> bool {
        self.path.lax
    }

    fn push(&mut self, item: Item, out: &mut Vec<Item>) -> Walked<()> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| Stop::Loud(Failure::new("54000", "a jsonpath finds too many values")))?;
        out.push(item);
        Ok(())
    }

    /// The values of an expression.
    fn expr(&mut self, expr: &Expr, out: &mut Vec<Item>) -> Walked<()> {
        if expr.is_predicate() {
            let truth = match self.truth(expr)? {
                Some(value) => Item::Bool(value),
                None => Item::Null,
            };
            return self.push(truth, out);
        }
        match expr {
            Expr::Steps(base, steps) => {
                let mut bases = Vec::new();
                self.expr(base, &mut bases)?;
                for item in bases {
                    self.steps(&item, steps, self.lax(), out)?;
                }
                Ok(())
            }
            Expr::Root => self.push(self.root.clone(), out),
            Expr::Current => match self.current.last().cloned() {
                Some(item) => self.push(item, out),
                None => Ok(()),
            },
            Expr::Last => {
                let size = self.sizes.last().copied().unwrap_or(0);
                let last = i64::try_from(size).unwrap_or(i64::MAX) - 1;
                self.push(Item::number(last.to_string()), out)
            }
            Expr::Variable(name) => match self.variables.iter().find(|(n, _)| n == name) {
                Some((_, item)) => self.push(item.clone(), out),
                None => {
                    let message = format!("could not find jsonpath variable \"{name}\"");
                    Err(Stop::Loud(Failure::new("42704", message)))
                }
            },
            Expr::Constant(item) => self.push(item.clone(), out),
            Expr::Sign(sign, inner) => {
                for item in self.unwrapped(inner)? {
                    let Item::Number(text) = &item else {
                        let message = format!("operand of unary jsonpath operator {sign} is not a numeric value");
                        return silent("2203B", message);
                    };
                    let value = if *sign == '-' { method::negated(text).map_err(Stop::Silent)? } else { item };
                    self.push(value, out)?;
                }
                Ok(())
            }
            Expr::Arithmetic(op, left, right) => {
                let (l, r) = (self.unwrapped(left)?, self.unwrapped(right)?);
                let number = |side: &str, items: &[Item]| match items {
                    [Item::Number(text)] => Ok(Rc::clone(text)),
                    _ => silent(
                        "22038",
                        format!("{side} operand of jsonpath operator {op} is not a single numeric value"),
                    ),
                };
                let (l, r) = (number("left", &l)?, number("right", &r)?);
                let value = method::arithmetic(*op, &l, &r).map_err(Stop::Silent)?;
                self.push(value, out)
            }
            _ => Ok(()),
        }
    }

    /// The values of an operand: in lax mode arrays are their elements.
    fn unwrapped(&mut self, expr: &Expr) -> Walked<Vec<Item>> {
        let mut found = Vec::new();
        self.expr(expr, &mut found)?;
        if !self.lax() {
            return Ok(found);
        }
        let mut all = Vec::with_capacity(found.len());
        for item in found {
            match item {
                Item::Array(items) => all.extend(items.iter().cloned()),
                other => all.push(other),
            }
        }
        Ok(all)
    }

    fn steps(&mut self, item: &Item, steps: &[Step], unwrap: bool, out: &mut Vec<Item>) -> Walked<()> {
        let Some((step, rest)) = steps.split_first() else {
            return self.push(item.clone(), out);
        };
        if unwrap
            && let Item::Array(items) = item
            && unwraps(step)
        {
            for item in items.iter() {
                self.steps(item, steps, false, out)?;
            }
            return Ok(());
        }
        match step {
            Step::Member(name) => self.member(item, name, rest, out),
            Step::AnyMember => match item {
                Item::Object(members) => {
                    for (_, item) in members.iter() {
                        self.steps(item, rest, self.lax(), out)?;
                    }
                    Ok(())
                }
                _ if self.forgiving => Ok(()),
                _ => silent("2203C", "jsonpath wildcard member accessor can only be applied to an object"),
            },
            Step::AnyElement => match item {
                Item::Array(items) => {
                    for item in items.iter() {
                        self.steps(item, rest, self.lax(), out)?;
                    }
                    Ok(())
                }
                other if self.lax() => self.steps(other, rest, true, out),
                _ if self.forgiving => Ok(()),
                _ => silent("22039", "jsonpath wildcard array accessor can only be applied to an array"),
            },
            Step::Elements(subscripts) => self.elements(item, subscripts, rest, out),
            Step::Deep(first, last) => {
                let before = std::mem::replace(&mut self.forgiving, true);
                let result = self.deep(item, 0, (*first, *last), rest, out);
                self.forgiving = before;
                result
            }
            Step::Filter(condition) => {
                self.current.push(item.clone());
                let truth = self.truth(condition);
                self.current.pop();
                match truth? {
                    Some(true) => self.steps(item, rest, self.lax(), out),
                    _ => Ok(()),
                }
            }
            Step::Method(method) => self.method(*method, item, rest, out),
            Step::Datetime(template) => {
                let Item::String(text) = item else {
                    return silent("22031", "jsonpath item method .datetime() can only be applied to a string");
                };
                let moment = match template {
                    Some(template) => Moment::templated(text, template),
                    None => Moment::read(text),
                };
                let moment = Item::Moment(Rc::new(moment.map_err(Stop::Silent)?));
                self.steps(&moment, rest, self.lax(), out)
            }
        }
    }

    fn member(&mut self, item: &Item, name: &str, rest: &[Step], out: &mut Vec<Item>) -> Walked<()> {
        if !matches!(item, Item::Object(_)) {
            return match self.forgiving {
                true => Ok(()),
                false => silent("2203A", "jsonpath member accessor can only be applied to an object"),
            };
        }
        match item.member(name) {
            Some(found) => self.steps(&found.clone(), rest, self.lax(), out),
            None if self.forgiving => Ok(()),
            None => silent("2203A", format!("JSON object does not contain key \"{name}\"")),
        }
    }

    fn elements(
        &mut self,
        item: &Item,
        subscripts: &[(Expr, Option<Expr>)],
        rest: &[Step],
        out: &mut Vec<Item>,
    ) -> Walked<()> {
        let items: Rc<Vec<Item>> = match item {
            Item::Array(items) => Rc::clone(items),
            other if self.lax() => Rc::new(vec![other.clone()]),
            _ if self.forgiving => return Ok(()),
            _ => return silent("22039", "jsonpath array accessor can only be applied to an array"),
        };
        let size = i64::try_from(items.len()).unwrap_or(i64::MAX);
        for (from, to) in subscripts {
            self.sizes.push(items.len());
            let from = self.index(from);
            let to = match to {
                Some(to) => self.index(to),
                None => from.as_ref().map(|n| *n).map_err(|_| Stop::Silent(Failure::new("22033", ""))),
            };
            self.sizes.pop();
            let (mut from, mut to) = (from?, to?);
            if !self.forgiving && (from < 0 || from > to || to >= size) {
                return silent("22033", "jsonpath array subscript is out of bounds");
            }
            from = from.max(0);
            to = to.min(size - 1);
            for at in from..=to {
                if let Some(item) = usize::try_from(at).ok().and_then(|at| items.get(at)) {
                    self.steps(item, rest, self.lax(), out)?;
                }
            }
        }
        Ok(())
    }

    fn index(&mut self, expr: &Expr) -> Walked<i64> {
        let mut found = Vec::new();
        self.expr(expr, &mut found)?;
        let [Item::Number(text)] = found.as_slice() else {
            return silent("22033", "jsonpath array subscript is not a single numeric value");
        };
        let cut = text.split_once('.').map_or(&**text, |(whole, _)| whole);
        match cut.parse::<i32>() {
            Ok(index) => Ok(i64::from(index)),
            Err(_) => silent("22033", "jsonpath array subscript is out of integer range"),
        }
    }

    fn deep(&mut self, item: &Item, level: u32, range: (u32, u32), rest: &[Step], out: &mut Vec<Item>) -> Walked<()> {
        // `last` alone means the leaves.
        let leaf = !matches!(item, Item::Array(_) | Item::Object(_));
        let here = level >= range.0 || (range.0 == u32::MAX && range.1 == u32::MAX && leaf);
        if here {
            self.steps(item, rest, self.lax(), out)?;
        }
        if level >= range.1 {
            return Ok(());
        }
        match item {
            Item::Array(items) => {
                for item in items.iter() {
                    self.deep(item, level + 1, range, rest, out)?;
                }
            }
            Item::Object(members) => {
                for (_, item) in members.iter() {
                    self.deep(item, level + 1, range, rest, out)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn method(&mut self, of: Method, item: &Item, rest: &[Step], out: &mut Vec<Item>) -> Walked<()> {
        let value = match (of, item) {
            (Method::Type, item) => Item::string(item.type_name()),
            (Method::Size, Item::Array(items)) => Item::number(items.len().to_string()),
            (Method::Size, _) if self.lax() => Item::number("1"),
            (Method::Size, _) if self.forgiving => return Ok(()),
            (Method::Size, _) => {
                return silent("22039", "jsonpath item method .size() can only be applied to an array");
            }
            (Method::KeyValue, Item::Object(members)) => {
                for (name, item) in members.iter() {
                    let pair = vec![
                        ("id".to_owned(), Item::number("0")),
                        ("key".to_owned(), Item::string(name.as_str())),
                        ("value".to_owned(), item.clone()),
                    ];
                    self.steps(&Item::Object(Rc::new(pair)), rest, self.lax(), out)?;
                }
                return Ok(());
            }
            (Method::KeyValue, _) => {
                return silent("2203C", "jsonpath item method .keyvalue() can only be applied to an object");
            }
            (of, item) => method::apply(of, item).map_err(Stop::Silent)?,
        };
        self.steps(&value, rest, self.lax(), out)
    }

    /// The truth of a predicate; none is unknown.
    fn truth(&mut self, expr: &Expr) -> Walked<Option<bool>> {
        Ok(match expr {
            Expr::And(a, b) => match self.truth(a)? {
                Some(false) => Some(false),
                first => match (first, self.truth(b)?) {
                    (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                },
            },
            Expr::Or(a, b) => match self.truth(a)? {
                Some(true) => Some(true),
                first => match (first, self.truth(b)?) {
                    (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
            },
            Expr::Not(inner) => self.truth(inner)?.map(|truth| !truth),
            Expr::IsUnknown(inner) => Some(self.truth(inner)?.is_none()),
            Expr::Exists(inner) => {
                let mut found = Vec::new();
                match hidden(self.expr(inner, &mut found))? {
                    Some(()) => Some(!found.is_empty()),
                    None if self.lax() && !found.is_empty() => Some(true),
                    None => None,
                }
            }
            Expr::Compare(op, a, b) => {
                let (zone, failed) = (self.zone.clone(), RefCell::new(None));
                let truth = self.pairs(a, Some(b), &|a, b| match compare(op, a, b?, zone.as_ref()) {
                    Ok(truth) => truth,
                    Err(failure) => {
                        failed.borrow_mut().get_or_insert(failure);
                        None
                    }
                })?;
                match failed.into_inner() {
                    Some(failure) => return Err(Stop::Loud(failure)),
                    None => truth,
                }
            }
            Expr::StartsWith(a, b) => self.pairs(a, Some(b), &|a, b| match (a, b?) {
                (Item::String(text), Item::String(prefix)) => Some(text.starts_with(&**prefix)),
                _ => None,
            })?,
            Expr::LikeRegex(a, like) => self.pairs(a, None, &|a, _| match a {
                Item::String(text) => Some(like.regex.is_match(text)),
                _ => None,
            })?,
            _ => None,
        })
    }

    /// Whether a test holds for a pair of values.
    fn pairs(
        &mut self,
        left: &Expr,
        right: Option<&Expr>,
        test: &dyn Fn(&Item, Option<&Item>) -> Option<bool>,
    ) -> Walked<Option<bool>> {
        let Some(l) = hidden(self.unwrapped(left))? else { return Ok(None) };
        let r: Vec<Option<Item>> = match right {
            Some(right) => match hidden(self.unwrapped(right))? {
                Some(items) => items.into_iter().map(Some).collect(),
                None => return Ok(None),
            },
            None => vec![None],
        };
        let (mut unknown, mut found) = (false, false);
        for a in &l {
            for b in &r {
                match test(a, b.as_ref()) {
                    None if !self.lax() => return Ok(None),
                    None => unknown = true,
                    Some(true) if self.lax() => return Ok(Some(true)),
                    Some(true) => found = true,
                    Some(false) => {}
                }
            }
        }
        Ok(match (found, unknown) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        })
    }
}

/// Whether a step looks into the elements of an array in lax mode.
fn unwraps(step: &Step) -> bool {
    match step {
        Step::Member(_) | Step::AnyMember | Step::Filter(_) | Step::Datetime(_) => true,
        Step::Method(of) => !matches!(of, Method::Type | Method::Size),
        Step::AnyElement | Step::Elements(_) | Step::Deep(..) => false,
    }
}

/// Errors that a predicate hides.
fn hidden<T>(result: Walked<T>) -> Walked<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Stop::Silent(_)) => Ok(None),
        Err(loud) => Err(loud),
    }
}
