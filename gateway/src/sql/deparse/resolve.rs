//! From what was written to what PostgreSQL makes of it: operators found, constants typed, casts put in.

use sqlparser::ast::{BinaryOperator as B, CaseWhen, CastKind, DataType, Expr, Ident, UnaryOperator, Value};

use super::{
    call,
    node::{Class, Logic, Node, Typed},
};
use crate::{
    pgcatalog::sql_schema,
    sql::{
        quote::{self, fold},
        types,
    },
};
use duckmesh_catalog::{ColumnType, EnumType};

/// Where names are looked up.
pub trait Names {
    /// A column by its name, and its table's where that is said: as it is shown, and its type.
    fn column(&self, parts: &[String]) -> Option<(String, Class)>;

    /// The enums that its columns are of.
    fn enums(&self) -> Vec<&EnumType> {
        Vec::new()
    }

    /// The name of an enum by its oid.
    fn enum_name(&self, oid: u32) -> Option<String> {
        self.enums().into_iter().find(|of| of.oid() == oid).map(super::enum_named)
    }

    /// Whether that column is of a domain: operators take it as the type below it.
    fn is_of_domain(&self, _parts: &[String]) -> bool {
        false
    }
}

/// None: something is not understood, and the whole is shown as it was written.
pub fn expression(expr: &Expr, names: &dyn Names) -> Option<Typed> {
    let resolver = Resolver { names };
    resolver.expr(expr)
}

/// A constant that nothing gave a type is text.
pub fn settled(typed: Typed) -> Option<Typed> {
    match typed.class {
        Some(_) => Some(typed),
        None => to(typed, Class::Text),
    }
}

pub(super) struct Resolver<'a> {
    names: &'a dyn Names,
}

impl Resolver<'_> {
    pub(super) fn expr(&self, expr: &Expr) -> Option<Typed> {
        Some(match expr {
            Expr::Nested(inner) => self.expr(inner)?,
            Expr::Identifier(name) => self.column(std::slice::from_ref(name))?,
            Expr::CompoundIdentifier(parts) => self.column(parts)?,
            Expr::Value(value) => constant(&value.value)?,
            Expr::TypedString(typed) => {
                let text = crate::sql::rewrite::string_of(&typed.value.value)?;
                let class = Class::of(&types::resolve(&typed.data_type).ok()?);
                to(Typed { node: Node::Const(text, Class::Text), class: None }, class)?
            }
            Expr::Interval(interval) if interval.leading_field.is_none() => {
                let Expr::Value(value) = interval.value.as_ref() else { return None };
                let text = crate::sql::rewrite::string_of(&value.value)?;
                to(Typed { node: Node::Const(text, Class::Text), class: None }, Class::Interval)?
            }
            Expr::Interval(_) => return None,
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, .. } => {
                self.cast(expr, data_type)?
            }
            Expr::IsNull(x) => self.test(x, "IS NULL")?,
            Expr::IsNotNull(x) => self.test(x, "IS NOT NULL")?,
            Expr::IsTrue(x) => self.test(x, "IS TRUE")?,
            Expr::IsNotTrue(x) => self.test(x, "IS NOT TRUE")?,
            Expr::IsFalse(x) => self.test(x, "IS FALSE")?,
            Expr::IsNotFalse(x) => self.test(x, "IS NOT FALSE")?,
            Expr::IsUnknown(x) => self.test(x, "IS UNKNOWN")?,
            Expr::IsNotUnknown(x) => self.test(x, "IS NOT UNKNOWN")?,
            Expr::IsDistinctFrom(l, r) => self.distinct(l, r)?,
            Expr::IsNotDistinctFrom(l, r) => negated(self.distinct(l, r)?),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr)?,
            Expr::BinaryOp { left, op: B::And, right } => self.logic(Logic::And, left, right)?,
            Expr::BinaryOp { left, op: B::Or, right } => self.logic(Logic::Or, left, right)?,
            Expr::BinaryOp { left, op, right } => operation(operator(op)?, self.expr(left)?, self.expr(right)?)?,
            Expr::Like { negated, any: false, expr, pattern, escape_char: None } => {
                operation(if *negated { "!~~" } else { "~~" }, self.expr(expr)?, self.expr(pattern)?)?
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char: None } => {
                operation(if *negated { "!~~*" } else { "~~*" }, self.expr(expr)?, self.expr(pattern)?)?
            }
            Expr::Between { expr, negated, low, high } => self.between(expr, *negated, low, high)?,
            Expr::AnyOp { left, compare_op, right, .. } => self.any(left, operator(compare_op)?, right, false)?,
            Expr::AllOp { left, compare_op, right } => self.any(left, operator(compare_op)?, right, true)?,
            Expr::AtTimeZone { timestamp, time_zone } => self.at_zone(timestamp, time_zone)?,
            Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated)?,
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())?
            }
            other => return call::resolve(self, other),
        })
    }

    fn column(&self, parts: &[Ident]) -> Option<Typed> {
        let parts: Vec<String> = parts.iter().map(fold).collect();
        if let Some((shown, class)) = self.names.column(&parts) {
            let node = if self.names.is_of_domain(&parts) { Node::Domain(shown) } else { Node::Var(shown) };
            return Some(Typed::new(node, class));
        }
        let word = match parts.as_slice() {
            [word] => word.as_str(),
            _ => return None,
        };
        call::word(word)
    }

    fn cast(&self, expr: &Expr, data_type: &DataType) -> Option<Typed> {
        if let Some(class) = self.enum_class(data_type) {
            let value = self.expr(expr)?;
            let able = value.class.is_none_or(|own| own == class);
            return if able { to(value, class) } else { None };
        }
        let ty = types::resolve(data_type).ok()?;
        if let (ColumnType::Array(_), Expr::Array(list)) = (&ty, plain(expr)) {
            return list.elem.is_empty().then(|| Typed::new(Node::Var(format!("ARRAY[]::{ty}")), Class::Other));
        }
        let class = Some(Class::of(&ty)).filter(|class| *class != Class::Other)?;
        let value = self.expr(expr)?;
        let limited = match &ty {
            ColumnType::Varchar(Some(_)) | ColumnType::Char(_) | ColumnType::Modified(..) => true,
            // What has a modifier is shown as it was written.
            ColumnType::Numeric(..) if !types::is_plain_numeric(data_type) => return None,
            _ => false,
        };
        let name = if limited { ty.to_string() } else { class.name().to_owned() };
        if value.class.is_none() {
            if limited {
                return None;
            }
            return to(value, class);
        }
        if value.class == Some(class) {
            return (!limited).then_some(value);
        }
        let relabel = value.class == Some(Class::Varchar) && class == Class::Text;
        Some(Typed::new(Node::Cast(Box::new(value.node), name, false, relabel), class))
    }

    /// The enum of a type's name as expressions are stored.
    fn enum_class(&self, ty: &DataType) -> Option<Class> {
        let DataType::Custom(name, modifiers) = ty else { return None };
        let [schema, name] = <[String; 2]>::try_from(quote::parts(name).filter(|_| modifiers.is_empty())?).ok()?;
        let enums = self.names.enums();
        let found = enums.into_iter().find(|of| of.name == name && sql_schema(&of.schema) == schema)?;
        Some(Class::Enum(found.oid()))
    }

    fn test(&self, expr: &Expr, what: &'static str) -> Option<Typed> {
        let value = settled(self.expr(expr)?)?;
        Some(Typed::new(Node::Test(Box::new(value.node), what), Class::Bool))
    }

    fn distinct(&self, left: &Expr, right: &Expr) -> Option<Typed> {
        let (left, right, _) = operands("=", self.expr(left)?, self.expr(right)?)?;
        Some(Typed::new(Node::Distinct(Box::new(left), Box::new(right)), Class::Bool))
    }

    fn unary(&self, op: UnaryOperator, expr: &Expr) -> Option<Typed> {
        let value = self.expr(expr)?;
        match (op, &value.node, value.class?) {
            (UnaryOperator::Not, _, Class::Bool) => Some(negated(value)),
            (UnaryOperator::Minus, Node::Const(text, class), _) if class.is_number() && !text.starts_with('-') => {
                Some(Typed::new(Node::Const(format!("-{text}"), *class), *class))
            }
            (UnaryOperator::Minus, _, class) if class.is_number() => {
                Some(Typed::new(Node::Op("-", None, Box::new(value.node)), class))
            }
            (UnaryOperator::Plus, Node::Const(_, class), _) if class.is_number() => Some(value),
            _ => None,
        }
    }

    fn logic(&self, logic: Logic, left: &Expr, right: &Expr) -> Option<Typed> {
        let mut all = Vec::new();
        for (side, first) in [(left, true), (right, false)] {
            let value = self.expr(side)?;
            if value.class != Some(Class::Bool) {
                return None;
            }
            match value.node {
                // As in Postgres' grammar: what comes before is one list, whatever its parentheses; what comes after is not.
                Node::Logic(inner, nodes) if first && inner == logic && is_written(side, logic) => all.extend(nodes),
                node => all.push(node),
            }
        }
        Some(Typed::new(Node::Logic(logic, all), Class::Bool))
    }

    fn between(&self, expr: &Expr, not: bool, low: &Expr, high: &Expr) -> Option<Typed> {
        let value = self.expr(expr)?;
        let (first, second, logic) = if not { ("<", ">", Logic::Or) } else { (">=", "<=", Logic::And) };
        let low = operation(first, value.clone(), self.expr(low)?)?.node;
        let high = operation(second, value, self.expr(high)?)?.node;
        Some(Typed::new(Node::Logic(logic, vec![low, high]), Class::Bool))
    }

    fn in_list(&self, expr: &Expr, list: &[Expr], not: bool) -> Option<Typed> {
        let op = if not { "<>" } else { "=" };
        let value = settled(self.expr(expr)?)?;
        let items: Vec<Typed> = list.iter().map(|item| self.expr(item)).collect::<Option<_>>()?;
        if let [one] = items.as_slice() {
            return operation(op, value, one.clone());
        }
        let mut class = value.class?;
        for item in &items {
            class = common(class, item.class.unwrap_or(class))?;
        }
        let items = items.into_iter().map(|item| Some(to(item, class)?.node)).collect::<Option<Vec<_>>>()?;
        let mut array = Node::Array(items);
        let value = to(value, class)?;
        let value = match class {
            // There is no operator for it: both sides become text.
            Class::Varchar => {
                array = Node::Cast(Box::new(array), "text[]".to_owned(), true, true);
                to(value, Class::Text)?
            }
            _ => value,
        };
        Some(Typed::new(Node::Any(Box::new(value.node), op, not, Box::new(array)), Class::Bool))
    }

    /// `x = ANY (ARRAY[…])`, and as dumps write it: `ANY ((ARRAY[…])::text[])`.
    fn any(&self, left: &Expr, op: &'static str, right: &Expr, all: bool) -> Option<Typed> {
        let value = settled(self.expr(left)?)?;
        let (list, cast) = match plain(right) {
            Expr::Array(list) => (&list.elem, false),
            Expr::Cast { expr, data_type, .. } => {
                let to_texts = types::resolve(data_type).ok()? == ColumnType::Array(Box::new(ColumnType::Text));
                let Expr::Array(list) = plain(expr) else { return None };
                (&list.elem, to_texts.then_some(true)?)
            }
            _ => return None,
        };
        let items: Vec<Typed> = list.iter().map(|item| self.expr(item)).collect::<Option<_>>()?;
        let mut class = items.iter().find_map(|item| item.class).unwrap_or(Class::Text);
        for item in &items {
            class = common(class, item.class.unwrap_or(class))?;
        }
        let items = items.into_iter().map(|item| Some(to(item, class)?.node)).collect::<Option<Vec<_>>>()?;
        // A cast of the constructor is one of each of its values.
        let items = match cast {
            true if class == Class::Varchar => {
                let text = |item| Node::Cast(Box::new(item), "text".to_owned(), false, true);
                items.into_iter().map(text).collect()
            }
            true => return None,
            false => items,
        };
        if cast {
            class = Class::Text;
        }
        let array = Node::Array(items);
        let own = value.class?;
        let value = match (own, class) {
            (own, class) if own == class && own != Class::Varchar => to(value, own)?,
            (own, class) if own.is_integer() && class.is_integer() => to(value, own)?,
            (Class::Varchar, Class::Text) => to(value, Class::Text)?,
            _ => return None,
        };
        (!op.contains('~') && !matches!(op, "+" | "-" | "*" | "/" | "%" | "||")).then_some(())?;
        Some(Typed::new(Node::Any(Box::new(value.node), op, all, Box::new(array)), Class::Bool))
    }

    fn at_zone(&self, moment: &Expr, zone: &Expr) -> Option<Typed> {
        let (moment, zone) = (self.expr(moment)?, self.expr(zone)?);
        let class = match moment.class? {
            Class::Timestamptz => Class::Timestamp,
            Class::Timestamp => Class::Timestamptz,
            _ => return None,
        };
        let zone = match zone.class {
            None | Some(Class::Text | Class::Varchar) => to(zone, Class::Text)?,
            Some(_) => return None,
        };
        let words = ["(", " AT TIME ZONE ", ")"].map(str::to_owned).to_vec();
        Some(Typed::new(Node::Words(words, vec![moment.node, zone.node]), class))
    }

    fn case(&self, operand: Option<&Expr>, whens: &[CaseWhen], otherwise: Option<&Expr>) -> Option<Typed> {
        if operand.is_some() {
            return None;
        }
        let mut class: Option<Class> = None;
        let mut arms = Vec::new();
        for when in whens {
            let condition = self.expr(&when.condition)?;
            if condition.class != Some(Class::Bool) {
                return None;
            }
            arms.push((condition.node, self.expr(&when.result)?));
        }
        let last = otherwise.map(|expr| self.expr(expr)).transpose_option()?;
        for result in arms.iter().map(|(_, result)| result).chain(last.as_ref()) {
            if let Some(found) = result.class {
                class = Some(class.map_or(Some(found), |known| common(known, found))?);
            }
        }
        let class = class.unwrap_or(Class::Text);
        let arms: Option<Vec<_>> =
            arms.into_iter().map(|(condition, result)| Some((condition, to(result, class)?.node))).collect();
        let last = match last {
            Some(last) => to(last, class)?.node,
            None => Node::Null(class),
        };
        Some(Typed::new(Node::Case(None, arms?, Some(Box::new(last))), class))
    }
}

/// `Option<Option<T>>` the other way round, where the outer none is no failure.
trait TransposeOption<T> {
    fn transpose_option(self) -> Option<Option<T>>;
}

impl<T> TransposeOption<T> for Option<Option<T>> {
    fn transpose_option(self) -> Option<Option<T>> {
        match self {
            None => Some(None),
            Some(inner) => inner.map(Some),
        }
    }
}

/// Whether it is an AND or OR as such: BETWEEN becomes one, and stays by itself.
fn is_written(expr: &Expr, logic: Logic) -> bool {
    match expr {
        Expr::Nested(inner) => is_written(inner, logic),
        Expr::BinaryOp { op: B::And, .. } => logic == Logic::And,
        Expr::BinaryOp { op: B::Or, .. } => logic == Logic::Or,
        _ => false,
    }
}

/// Without parentheses around it.
fn plain(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => plain(inner),
        other => other,
    }
}

/// A value of a domain as one of the type below it.
fn below_domain(value: Typed, own: Class) -> Typed {
    Typed::new(Node::Cast(Box::new(value.node), own.name().to_owned(), true, true), own)
}

fn negated(value: Typed) -> Typed {
    Typed::new(Node::Logic(Logic::Not, vec![value.node]), Class::Bool)
}

fn constant(value: &Value) -> Option<Typed> {
    Some(match value {
        Value::Number(text, _) => {
            let class = if text.parse::<i32>().is_ok() {
                Class::Int4
            } else if text.parse::<i64>().is_ok() {
                Class::Int8
            } else {
                Class::Numeric
            };
            // Numerals that Postgres 15 does not have, or writes otherwise.
            if !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') || text.starts_with('.') || text.ends_with('.') {
                return None;
            }
            Typed::new(Node::Const(text.clone(), class), class)
        }
        Value::Boolean(value) => Typed::new(Node::Const(value.to_string(), Class::Bool), Class::Bool),
        Value::Null => Typed { node: Node::Null(Class::Text), class: None },
        // The constant has no length, and a bare `bit` has one.
        Value::SingleQuotedByteStringLiteral(bits) => Typed::new(Node::Var(format!("'{bits}'::\"bit\"")), Class::Other),
        other => {
            let text = crate::sql::rewrite::string_of(other)?;
            Typed { node: Node::Const(text, Class::Text), class: None }
        }
    })
}

fn operator(op: &B) -> Option<&'static str> {
    Some(match op {
        B::Plus => "+",
        B::Minus => "-",
        B::Multiply => "*",
        B::Divide => "/",
        B::Modulo => "%",
        B::Eq => "=",
        B::NotEq => "<>",
        B::Lt => "<",
        B::Gt => ">",
        B::LtEq => "<=",
        B::GtEq => ">=",
        B::StringConcat => "||",
        B::PGRegexMatch => "~",
        B::PGRegexIMatch => "~*",
        B::PGRegexNotMatch => "!~",
        B::PGRegexNotIMatch => "!~*",
        _ => return None,
    })
}

/// An operator with two arguments.
pub(super) fn operation(op: &'static str, left: Typed, right: Typed) -> Option<Typed> {
    let (left, right, class) = operands(op, left, right)?;
    Some(Typed::new(Node::Op(op, Some(Box::new(left)), Box::new(right)), class))
}

/// The arguments as the operator takes them, and its result.
fn operands(op: &str, left: Typed, right: Typed) -> Option<(Node, Node, Class)> {
    let arithmetic = matches!(op, "+" | "-" | "*" | "/" | "%");
    let pattern = op.contains('~') || op == "||";
    let (l, r) = match (left.class, right.class) {
        (None, None) => (Class::Text, Class::Text),
        (Some(class), None) | (None, Some(class)) if !arithmetic || class.is_number() => (class, class),
        (Some(l), Some(r)) => (l, r),
        _ => return None,
    };
    let both = |class: Class| Some((class, class));
    let (l_to, r_to) = if pattern {
        if !(l.is_text() && r.is_text()) || op != "||" && (l == Class::Char || r == Class::Char) {
            return None;
        }
        both(Class::Text)?
    } else if l.is_text() && r.is_text() {
        both(if l == Class::Char && r == Class::Char { Class::Char } else { Class::Text })?
    } else if l.is_number() && r.is_number() {
        numbers(l, r)
    } else if arithmetic {
        return dates(op, left, right, l, r);
    } else if l == r && !matches!(l, Class::Json | Class::Other) || l.is_day() && r.is_day() {
        (l, r)
    } else {
        return None;
    };
    if arithmetic && l_to.is_text() {
        return None;
    }
    let result = match (op, arithmetic) {
        ("||", _) => Class::Text,
        (_, false) => Class::Bool,
        _ => wider(l_to, r_to),
    };
    Some((to(left, l_to)?.node, to(right, r_to)?.node, result))
}

/// Sums and differences of moments.
fn dates(op: &str, left: Typed, right: Typed, l: Class, r: Class) -> Option<(Node, Node, Class)> {
    use Class as C;
    let result = match (op, l, r) {
        ("+" | "-", C::Date, C::Int4) => C::Date,
        ("-", C::Date, C::Date) => C::Int4,
        ("+" | "-", C::Date, C::Interval) => C::Timestamp,
        ("+" | "-", C::Timestamp | C::Timestamptz, C::Interval) => l,
        ("-", C::Timestamp, C::Timestamp) | ("-", C::Timestamptz, C::Timestamptz) => C::Interval,
        ("+" | "-", C::Interval, C::Interval) => C::Interval,
        _ => return None,
    };
    let known = left.class.is_some() && right.class.is_some();
    known.then_some((left.node, right.node, result))
}

/// What two numbers become for an operator: integers of all widths have operators with each other, and so have floats.
fn numbers(l: Class, r: Class) -> (Class, Class) {
    let one = |own: Class, other: Class| match (own, other) {
        (own, other) if own.is_integer() && other.is_integer() => own,
        (own, _) if own.is_float() => own,
        (_, other) if other.is_float() => Class::Float8,
        _ => Class::Numeric,
    };
    (one(l, r), one(r, l))
}

fn wider(l: Class, r: Class) -> Class {
    use Class as C;
    for class in [C::Float8, C::Float4, C::Numeric, C::Int8, C::Int4] {
        if l == class || r == class {
            return class;
        }
    }
    l
}

/// The type of several values beside each other.
pub(super) fn common(l: Class, r: Class) -> Option<Class> {
    match (l, r) {
        (l, r) if l == r => Some(l),
        (l, r) if l.is_number() && r.is_number() => {
            let float = l.is_float() || r.is_float();
            Some(if float && l != r { Class::Float8 } else { wider(l, r) })
        }
        (Class::Text, r) if r.is_text() => Some(Class::Text),
        (l, Class::Text) if l.is_text() => Some(Class::Text),
        _ => None,
    }
}

/// A value as another type, as far as Postgres does that by itself.
pub(super) fn to(value: Typed, class: Class) -> Option<Typed> {
    let Some(own) = value.class else {
        let node = match value.node {
            Node::Null(_) => Node::Null(class),
            Node::Const(text, _) => Node::Const(super::normal(&text, class)?, class),
            _ => return None,
        };
        return Some(Typed::new(node, class));
    };
    let relabel = own == Class::Varchar && class == Class::Text || own == Class::Text && class == Class::Varchar;
    let value = match value.node {
        Node::Domain(_) if own == class || !relabel => below_domain(value, own),
        _ => value,
    };
    if own == class {
        return Some(value);
    }
    let able = match (own, class) {
        (own, class) if own.is_text() && class.is_text() => true,
        (own, class) => own.is_number() && class.is_number(),
    };
    able.then(|| Typed::new(Node::Cast(Box::new(value.node), class.name().to_owned(), true, relabel), class))
}
