//! Operators.

use duckmesh_catalog::{
    ColumnType,
    types::{TextType, oid},
};
use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

use super::{
    Ex, Kind, NUMERIC, Rewriter,
    number::{any_long, is_exact, is_long},
    rows::row_items,
    signature::shown,
};
use crate::{
    sql::quote::{self, HOLE},
    wire::error::{PgError, PgResult, SqlState},
};

pub(super) fn is_int(ty: &ColumnType) -> bool {
    matches!(ty.base(), ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8)
}

pub(super) fn is_number(ty: &ColumnType) -> bool {
    is_int(ty)
        || matches!(ty, ColumnType::Float4 | ColumnType::Float8 | ColumnType::Numeric(..))
        || matches!(ty, ColumnType::Other(name) if name.contains("int"))
}

pub(super) fn is_text(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Text | ColumnType::Varchar(_) | ColumnType::Char(_))
        || matches!(ty, ColumnType::System(system) if system.base() == ColumnType::Text)
}

pub(super) fn is_time_point(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Date | ColumnType::Timestamp | ColumnType::Timestamptz)
}

pub(super) fn is_json(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Json | ColumnType::Jsonb)
}

/// A comparison of lists or rows for which the engine finds no BETWEEN: it makes one of two that stand beside each other, and
/// then fails on it.
pub(super) fn apart(sql: String, op: &str) -> String {
    match op {
        "<" | "<=" | ">" | ">=" => format!("(CASE WHEN {sql} THEN TRUE WHEN NOT {sql} THEN FALSE END)"),
        _ => sql,
    }
}

/// Whether Postgres compares them.
pub(in crate::sql) fn comparable(a: &ColumnType, b: &ColumnType) -> bool {
    let (a, b) = (a.bare(), b.bare());
    a == b
        || (is_number(a) && is_number(b))
        || (is_text(a) && is_text(b))
        || (is_time_point(a) && is_time_point(b))
        || super::held::common_held(a, b).is_some()
        || matches!((a, b), (ColumnType::Record(_), ColumnType::Record(_)))
        || matches!((a, b), (ColumnType::Other(_), _) | (_, ColumnType::Other(_)))
        || matches!(
            (a, b),
            (ColumnType::Array(a) | ColumnType::Grid(a), ColumnType::Array(b) | ColumnType::Grid(b)) if comparable(a, b)
        )
}

/// Width of a number's type among numbers.
fn rank(ty: &ColumnType) -> u8 {
    match ty {
        // An integer beside an oid is one.
        ColumnType::System(system) if system.base() != ColumnType::Text => 3,
        ColumnType::Int2 => 1,
        ColumnType::Int4 => 2,
        ColumnType::Int8 => 3,
        ColumnType::Numeric(..) => 4,
        ColumnType::Float4 => 5,
        ColumnType::Float8 => 6,
        _ => 0,
    }
}

/// The type that holds both.
pub(super) fn common(a: &ColumnType, b: &ColumnType) -> Option<ColumnType> {
    if a == b {
        return Some(a.clone());
    }
    let (a, b) = (a.bare(), b.bare());
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (ColumnType::Numeric(..), ColumnType::Numeric(..)) if is_long(a) || is_long(b) => {
            Some(super::scale::long_of([super::scale::bound_of(a), super::scale::bound_of(b)]))
        }
        (ColumnType::Numeric(1.., one), ColumnType::Numeric(1.., other)) if one == other => {
            Some(super::scale::computed(*one))
        }
        (ColumnType::Numeric(..), ColumnType::Numeric(..)) => Some(NUMERIC),
        _ if rank(a) > 0 && rank(b) > 0 => {
            let wide = if rank(a) > rank(b) || matches!(a, ColumnType::System(_)) { a } else { b };
            Some(match wide {
                ty @ ColumnType::Numeric(..) if is_long(ty) => ty.clone(),
                ColumnType::Numeric(..) => NUMERIC,
                other => other.clone(),
            })
        }
        // Postgres takes the first where both casts are implicit; `varchar` gives way, `text` does not.
        _ if is_text(a) && is_text(b) => Some(match (a, b) {
            (a, _) if a.oid() == oid::NAME => a.clone(),
            (ColumnType::Varchar(_), b) if b.oid() == oid::NAME => b.clone(),
            _ => ColumnType::Text,
        }),
        _ if is_time_point(a) && is_time_point(b) => {
            Some(if *a == ColumnType::Timestamptz || *b == ColumnType::Timestamptz {
                ColumnType::Timestamptz
            } else {
                ColumnType::Timestamp
            })
        }
        (ColumnType::Array(x), ColumnType::Array(y)) => Some(ColumnType::Array(Box::new(common(x, y)?))),
        (ColumnType::Array(x) | ColumnType::Grid(x), ColumnType::Array(y) | ColumnType::Grid(y)) => {
            Some(ColumnType::Grid(Box::new(common(x, y)?)))
        }
        (ColumnType::Record(_), ColumnType::Record(_)) => Some(a.clone()),
        _ => super::held::common_held(a, b),
    }
}

/// The type of what is compared with it: `varchar` has no operators of its own.
pub(super) fn compared(ty: &ColumnType) -> ColumnType {
    match ty {
        ColumnType::Varchar(_) => ColumnType::Text,
        // `cidr` has no operators of its own either.
        ColumnType::AsText(TextType::Cidr) => ColumnType::AsText(TextType::Inet),
        // With all its digits: the column's scale would round it.
        ColumnType::Numeric(1.., _) => NUMERIC,
        // Whole, however long: no value of the column is like it then.
        ColumnType::Char(_) => ColumnType::Char(u32::MAX),
        other => other.clone(),
    }
}

/// Whether one is `real` and the other an exact number.
pub(super) fn is_widened(a: &Option<ColumnType>, b: &Option<ColumnType>) -> bool {
    let real = |ty: &Option<ColumnType>| *ty == Some(ColumnType::Float4);
    let exact = |ty: &Option<ColumnType>| ty.as_ref().is_some_and(is_exact);
    (real(a) && exact(b)) || (exact(a) && real(b))
}

/// Whether one is `char(n)`, whose blanks at the end are nothing, and the other `varchar`: that is compared as the first.
pub(super) fn is_blank_filled(a: &Option<ColumnType>, b: &Option<ColumnType>) -> bool {
    use ColumnType as T;
    matches!((a, b), (Some(T::Char(_)), Some(T::Varchar(_))) | (Some(T::Varchar(_)), Some(T::Char(_))))
}

/// A `varchar` beside `char(n)`.
fn without_blanks(beside: &Ex, ex: Ex) -> Ex {
    match is_blank_filled(&beside.ty, &ex.ty) && matches!(ex.ty, Some(ColumnType::Varchar(_))) {
        true => Ex { sql: format!("rtrim({}, ' ')", ex.sql), ..ex },
        false => ex,
    }
}

/// A `real` and an exact number are compared as double precision: `0.1::real` is not `0.1`.
fn widened(beside: &Ex, ex: Ex) -> Ex {
    if is_widened(&beside.ty, &ex.ty) {
        return Ex { sql: format!("CAST({} AS DOUBLE)", ex.sql), ty: Some(ColumnType::Float8), ..ex };
    }
    ex
}

impl Rewriter<'_> {
    /// `operator does not exist: integer + text`.
    pub fn undefined_operator(
        &self,
        op: &str,
        left: Option<&ColumnType>,
        right: Option<&ColumnType>,
        at: Option<u32>,
    ) -> PgError {
        let name = |t: Option<&ColumnType>| t.map_or_else(|| "unknown".to_owned(), shown);
        let text = match left {
            Some(_) => format!("{} {op} {}", name(left), name(right)),
            None => format!("{op} {}", name(right)),
        };
        PgError::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {text}"))
            .hint("No operator matches the given name and argument types. You might need to add explicit type casts.")
            .or_position(at)
    }

    /// Two sides of a comparison: unknown ones take the other's type.
    pub fn meet(&mut self, l: Ex, r: Ex, op: &str) -> PgResult<(Ex, Ex)> {
        let at = l.position.or(r.position);
        let (l, r) = match (l.is_unknown(), r.is_unknown()) {
            (true, true) => (self.settle_unknown(l, &ColumnType::Text)?, self.settle_unknown(r, &ColumnType::Text)?),
            (true, false) => match r.ty.as_ref().map(compared) {
                Some(ty) => (self.settle(l, &ty)?, r),
                None => (self.settle_parameter(l)?, r),
            },
            (false, true) => match l.ty.as_ref().map(compared) {
                Some(ty) => {
                    let r = self.settle(r, &ty)?;
                    (l, r)
                }
                None => (l, self.settle_parameter(r)?),
            },
            (false, false) => (l, r),
        };
        let (l, r) = match (&l.ty, &r.ty) {
            (Some(ColumnType::Time), Some(ColumnType::Interval)) => (self.cast(l, &ColumnType::Interval, at)?, r),
            (Some(ColumnType::Interval), Some(ColumnType::Time)) => (l, self.cast(r, &ColumnType::Interval, at)?),
            _ => (l, r),
        };
        if let (Some(a), Some(b)) = (&l.ty, &r.ty)
            && !comparable(a, b)
        {
            return Err(self.undefined_operator(op, Some(a), Some(b), at));
        }
        if super::grid::is_grid(&l) || super::grid::is_grid(&r) {
            return self.meet_grid(l, r);
        }
        if [&l, &r].into_iter().all(|ex| ex.ty == Some(ColumnType::Interval)) && self.has_functions() {
            let key = |ex: Ex| Ex { sql: super::interval::key(&ex.sql), ty: None, ..ex };
            return Ok((key(l), key(r)));
        }
        if matches!((&l.ty, &r.ty), (Some(ColumnType::Record(_)), Some(ColumnType::Record(_)))) && self.has_functions()
        {
            return self.meet_records(l, r);
        }
        if let Some(keys) = self.meet_keyed_lists(&l, &r).filter(|_| self.has_functions()) {
            return Ok(keys);
        }
        if [&l.ty, &r.ty].into_iter().flatten().any(super::held::is_held) {
            return self.meet_held(l, r, op);
        }
        // By value: `1.0` and `1` are one number there.
        let jsonb = |e: &Ex| e.ty.as_ref().is_none_or(|ty| *ty == ColumnType::Jsonb);
        if l.ty == Some(ColumnType::Jsonb) && jsonb(&r) && op != "@>" && self.has_functions() {
            let key = |e: Ex| Ex { sql: format!("pg_jsonb_order({})", e.sql), ty: None, ..e };
            return Ok((key(l), key(r)));
        }
        if any_long([&l.ty, &r.ty]) {
            return Ok(self.meet_long(l, r, op));
        }
        let (l, r) = (without_blanks(&r, l.clone()), without_blanks(&l, r));
        Ok((widened(&r, l.clone()), widened(&l, r)))
    }

    /// Beside something of unknown type: only a parameter must be given one.
    pub fn settle_parameter(&mut self, ex: Ex) -> PgResult<Ex> {
        match ex.kind {
            Kind::Param(_) => self.settle(ex, &ColumnType::Text),
            _ => Ok(ex),
        }
    }

    /// `=`, `<` and their like.
    pub fn compare(&mut self, left: &Expr, op: &str, right: &Expr) -> PgResult<Ex> {
        if let (Some(l), Expr::Subquery(query)) = (row_items(left), right) {
            return self.compare_row_query(&l, op, query);
        }
        if let (Some(l), Some(r)) = (row_items(left), row_items(right)) {
            return self.compare_rows(&l, op, &r);
        }
        let l = self.expr(left)?;
        let r = self.expr(right)?;
        let (l, r) = self.rows_meet(l, r)?;
        let row = |e: &Ex| matches!(e.ty, Some(ColumnType::Record(_))) && !e.is_unknown();
        if op.starts_with("IS") && row(&l) && row(&r) && self.has_functions() {
            let (l, r) = (self.sorted(l), self.sorted(r));
            return Ok(Ex::of(format!("({l} {op} {r})"), ColumnType::Bool));
        }
        if let (Some(a), Some(b)) = (self.row_fields(&l)?, self.row_fields(&r)?) {
            let compared = self.compare_fields(&a, op, &b, self.at_expr(left))?;
            return Ok(unless_null(compared, &[&l, &r]));
        }
        let shown_op = if op.len() > 2 { "=" } else { op };
        let (l, r) = self.meet(l, r, shown_op)?;
        if l.ty.as_ref().or(r.ty.as_ref()) == Some(&ColumnType::Json) {
            return Err(self.undefined_operator(shown_op, l.ty.as_ref(), r.ty.as_ref(), self.at_expr(left)));
        }
        let sql = format!("({} {op} {})", l.sql, r.sql);
        let sql = if matches!(l.ty, Some(ColumnType::Array(_))) { apart(sql, op) } else { sql };
        Ok(Ex::of(sql, ColumnType::Bool))
    }

    /// Two sides of a comparison: a constant or parameter beside a row is one.
    pub(super) fn rows_meet(&mut self, l: Ex, r: Ex) -> PgResult<(Ex, Ex)> {
        let row = |e: &Ex| e.ty.clone().filter(|ty| matches!(ty, ColumnType::Record(_)) && !e.is_unknown());
        Ok(match (row(&l), row(&r)) {
            (Some(ColumnType::Record(row)), None) if r.is_unknown() && row.uuid.is_some() => {
                let r = self.composite_cast(r, *row)?;
                (l, r)
            }
            (None, Some(ColumnType::Record(row))) if l.is_unknown() && row.uuid.is_some() => {
                (self.composite_cast(l, *row)?, r)
            }
            _ => (l, r),
        })
    }

    /// A binary operator other than AND and OR.
    pub fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> PgResult<Ex> {
        use BinaryOperator as B;
        let at = self.at_expr(left);
        match op {
            B::Eq => return self.compare(left, "=", right),
            B::NotEq => return self.compare(left, "<>", right),
            B::Lt => return self.compare(left, "<", right),
            B::LtEq => return self.compare(left, "<=", right),
            B::Gt => return self.compare(left, ">", right),
            B::GtEq => return self.compare(left, ">=", right),
            B::PGRegexMatch => return self.regex(left, right, false, ""),
            B::PGRegexIMatch => return self.regex(left, right, false, "i"),
            B::PGRegexNotMatch => return self.regex(left, right, true, ""),
            B::PGRegexNotIMatch => return self.regex(left, right, true, "i"),
            B::PGLikeMatch => return self.like("LIKE", false, left, right, None),
            B::PGNotLikeMatch => return self.like("LIKE", true, left, right, None),
            B::PGILikeMatch => return self.like("ILIKE", false, left, right, None),
            B::PGNotILikeMatch => return self.like("ILIKE", true, left, right, None),
            B::Overlaps => return self.overlaps(left, right),
            // `j->-1`: an operator of these letters does not end with a minus.
            B::Custom(op) if matches!(op.as_str(), "->-" | "->>-") => {
                let base = if op == "->-" { B::Arrow } else { B::LongArrow };
                let minus = Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(right.clone()) };
                return self.binary(left, &base, &minus);
            }
            B::PGCustomBinaryOperator(path) => return self.named_operator(left, path, right),
            _ => {}
        }
        let l = self.expr(left)?;
        let r = self.expr(right)?;
        if let Some(ex) = self.grid_operator(&op.to_string(), &l, &r)? {
            return Ok(ex);
        }
        if let Some(ex) = self.held_operator(&op.to_string(), &l, &r, at)? {
            return Ok(ex);
        }
        match op {
            B::Plus => self.add(l, r, at),
            B::Minus => self.subtract(l, r, at),
            B::Multiply => self.multiply(l, r, at),
            B::Divide => self.divide(l, r, "/", at),
            B::Modulo => self.divide(l, r, "%", at),
            B::PGExp => {
                let (l, r) = (self.as_number(l)?, self.as_number(r)?);
                let exact = self.number_type(&l, &r, "^", at)?.filter(|t| matches!(t, ColumnType::Numeric(..)));
                if exact.is_some() && self.has_functions() {
                    return self.long_call("pg_num_power", vec![l, r]);
                }
                let l = if l.ty.as_ref().is_some_and(is_long) { self.cast(l, &ColumnType::Float8, at)? } else { l };
                let r = if r.ty.as_ref().is_some_and(is_long) { self.cast(r, &ColumnType::Float8, at)? } else { r };
                let ty = match (&l.ty, &r.ty) {
                    (Some(a), Some(b))
                        if matches!(a, ColumnType::Numeric(..)) || matches!(b, ColumnType::Numeric(..)) =>
                    {
                        None
                    }
                    (Some(_), Some(_)) => Some(ColumnType::Float8),
                    _ => None,
                };
                let function = if self.has_functions() { "pg_float_power" } else { "pow" };
                Ok(Ex::plain(format!("{function}({}, {})", l.sql, r.sql), ty))
            }
            B::StringConcat => self.concat(l, r, at),
            B::BitwiseAnd => self.bits(l, r, "&", at),
            B::BitwiseOr => self.bits(l, r, "|", at),
            B::PGBitwiseXor => self.bits(l, r, "#", at),
            B::PGBitwiseShiftLeft => self.bits(l, r, "<<", at),
            B::PGBitwiseShiftRight => self.bits(l, r, ">>", at),
            B::Arrow => self.json_step(l, r, false),
            B::LongArrow => self.json_step(l, r, true),
            B::HashArrow => self.json_path(l, r, false, at),
            B::HashLongArrow => self.json_path(l, r, true, at),
            B::AtArrow => self.contains(l, r, at),
            B::ArrowAt => self.contains(r, l, at),
            B::PGOverlap => {
                let (l, r) = self.meet(l, r, "&&")?;
                Ok(Ex::of(format!("list_has_any({}, {})", l.sql, r.sql), ColumnType::Bool))
            }
            B::Question if self.has_functions() => self.json_has(l, "?", r),
            B::QuestionPipe if self.has_functions() => self.json_has(l, "?|", r),
            B::QuestionAnd if self.has_functions() => self.json_has(l, "?&", r),
            B::HashMinus if self.has_functions() => {
                let l = self.settle(l, &ColumnType::Jsonb)?;
                let path = self.path_text(r)?;
                Ok(Ex::of(format!("pg_jsonb_delete({}, {path})", l.sql), ColumnType::Jsonb))
            }
            B::AtQuestion if self.has_functions() => self.json_path_operator(l, "@?", r),
            B::AtAt if self.has_functions() => self.json_path_operator(l, "@@", r),
            B::AtQuestion | B::AtAt => self.refuse("a JSON path in a view that any DuckDB reads", at),
            B::Question => match &r.kind {
                Kind::Str(key) => {
                    let path = quote::literal(&json_key(key))?;
                    Ok(Ex::of(format!("json_exists({}, {path})", l.sql), ColumnType::Bool))
                }
                _ => self.refuse("this operator", at),
            },
            B::PGStartsWith => {
                let l = self.settle(l, &ColumnType::Text)?;
                let r = self.settle(r, &ColumnType::Text)?;
                Ok(Ex::of(format!("starts_with({}, {})", l.sql, r.sql), ColumnType::Bool))
            }
            other => Err(self.undefined_operator(&other.to_string(), l.ty.as_ref(), r.ty.as_ref(), at)),
        }
    }

    /// `OPERATOR(pg_catalog.~)`.
    pub fn named_operator(&mut self, left: &Expr, path: &[String], right: &Expr) -> PgResult<Ex> {
        let name = match path {
            [name] => name,
            [schema, name] if schema == "pg_catalog" => name,
            _ => return self.refuse("this operator", self.at_expr(left)),
        };
        let op = match name.as_str() {
            "=" => BinaryOperator::Eq,
            "<>" | "!=" => BinaryOperator::NotEq,
            "<" => BinaryOperator::Lt,
            ">" => BinaryOperator::Gt,
            "<=" => BinaryOperator::LtEq,
            ">=" => BinaryOperator::GtEq,
            "~" => BinaryOperator::PGRegexMatch,
            "~*" => BinaryOperator::PGRegexIMatch,
            "!~" => BinaryOperator::PGRegexNotMatch,
            "!~*" => BinaryOperator::PGRegexNotIMatch,
            "~~" => BinaryOperator::PGLikeMatch,
            "~~*" => BinaryOperator::PGILikeMatch,
            "!~~" => BinaryOperator::PGNotLikeMatch,
            "!~~*" => BinaryOperator::PGNotILikeMatch,
            "||" => BinaryOperator::StringConcat,
            "+" => BinaryOperator::Plus,
            "-" => BinaryOperator::Minus,
            "*" => BinaryOperator::Multiply,
            "/" => BinaryOperator::Divide,
            _ => return self.refuse("this operator", self.at_expr(left)),
        };
        self.binary(left, &op, right)
    }

    pub fn concat(&mut self, l: Ex, r: Ex, at: Option<u32>) -> PgResult<Ex> {
        use ColumnType as T;
        let (l, r) = self.meet_number_lists(l, r)?;
        if let (Some(T::Array(a)), Some(T::Array(b))) = (&l.ty, &r.ty) {
            let ty = common(a, b).map(|t| T::Array(Box::new(t)));
            return Ok(Ex::plain(joined(&l.sql, &r.sql), ty));
        }
        if let Some(T::Array(element)) = l.ty.clone() {
            if r.is_unknown() {
                let r = self.settle(r, &T::Array(element.clone()))?;
                return Ok(Ex::of(joined(&l.sql, &r.sql), T::Array(element)));
            }
            return Ok(Ex::plain(format!("list_append({}, {})", l.sql, r.sql), l.ty));
        }
        if let Some(T::Array(element)) = r.ty.clone() {
            if l.is_unknown() {
                let l = self.settle(l, &T::Array(element.clone()))?;
                return Ok(Ex::of(joined(&l.sql, &r.sql), T::Array(element)));
            }
            return Ok(Ex::plain(format!("list_prepend({}, {})", l.sql, r.sql), r.ty));
        }
        let binary = |e: &Ex| e.ty == Some(T::Jsonb) && !e.is_unknown();
        if self.has_functions() && ((binary(&l) && (binary(&r) || r.is_unknown())) || (binary(&r) && l.is_unknown())) {
            return self.json_concat(l, r);
        }
        if l.ty.as_ref().is_some_and(is_json) && r.ty.as_ref().is_some_and(is_json) {
            return Err(self.undefined_operator("||", l.ty.as_ref(), r.ty.as_ref(), at));
        }
        if l.ty == Some(T::Bytea) && (r.ty == Some(T::Bytea) || r.is_unknown()) {
            let r = self.settle(r, &T::Bytea)?;
            return Ok(Ex::of(format!("({} || {})", l.sql, r.sql), T::Bytea));
        }
        if (l.kind == Kind::Null && r.ty.as_ref().is_none_or(is_text))
            || (r.kind == Kind::Null && l.ty.as_ref().is_none_or(is_text))
        {
            return Ok(Ex::of("CAST(NULL AS VARCHAR)", T::Text));
        }
        let textual = |e: &Ex| e.is_unknown() || e.ty.as_ref().is_none_or(is_text);
        if !textual(&l) && !textual(&r) {
            return Err(self.undefined_operator("||", l.ty.as_ref(), r.ty.as_ref(), at));
        }
        let l = self.settle(l, &T::Text)?;
        let r = self.settle(r, &T::Text)?;
        // As a cast, which for `inet` is more than its output.
        let (at_l, at_r) = (l.position, r.position);
        let (l, r) = (self.cast(l, &T::Text, at_l)?, self.cast(r, &T::Text, at_r)?);
        let sql = format!("({} || {})", l.sql, r.sql);
        // A parameter can be NULL, and what the engine makes of that has no type.
        Ok(Ex::of(if sql.contains(HOLE) { format!("CAST({sql} AS VARCHAR)") } else { sql }, T::Text))
    }

    pub fn contains(&mut self, l: Ex, r: Ex, at: Option<u32>) -> PgResult<Ex> {
        let (l, r) = self.meet(l, r, "@>")?;
        let sql = match &l.ty {
            Some(ColumnType::Array(_)) => super::grid::list_contains(&l.sql, &r.sql),
            Some(ColumnType::Jsonb) if self.has_functions() => format!("pg_jsonb_contains({}, {})", l.sql, r.sql),
            Some(ColumnType::Jsonb) => format!("json_contains({}, {})", l.sql, r.sql),
            Some(_) => return Err(self.undefined_operator("@>", l.ty.as_ref(), r.ty.as_ref(), at)),
            None => return self.refuse("this operator on a value whose type is not known", at),
        };
        Ok(Ex::of(sql, ColumnType::Bool))
    }

    /// `j -> key`, `j ->> key`.
    pub fn json_step(&mut self, l: Ex, r: Ex, text: bool) -> PgResult<Ex> {
        let at = l.position;
        let l = self.settle(l, &ColumnType::Json)?;
        if let Some(ty) = l.ty.as_ref().filter(|t| !is_json(t)) {
            let op = if text { "->>" } else { "->" };
            return Err(self.undefined_operator(op, Some(ty), r.ty.as_ref(), at));
        }
        if self.has_functions() {
            return self.json_member(l, r, text);
        }
        let path = match &r.kind {
            Kind::Str(key) => quote::literal(&json_key(key))?,
            Kind::Number(n) => match n.parse::<i64>() {
                Ok(n) if n < 0 => quote::literal(&format!("$[#{n}]"))?,
                Ok(n) => quote::literal(&format!("$[{n}]"))?,
                Err(_) => return self.refuse("this JSON index", at),
            },
            _ => {
                let r = self.settle(r, &ColumnType::Text)?;
                match &r.ty {
                    Some(ty) if is_int(ty) => format!("'$[' || CAST({} AS VARCHAR) || ']'", r.sql),
                    _ => format!("'$.\"' || {} || '\"'", r.sql),
                }
            }
        };
        let function = if text { "json_extract_string" } else { "json_extract" };
        let ty = if text { ColumnType::Text } else { l.ty.clone().unwrap_or(ColumnType::Json) };
        Ok(Ex::of(format!("{function}({}, {path})", l.sql), ty))
    }

    /// `j #> '{a,0}'`.
    pub fn json_path(&mut self, l: Ex, r: Ex, text: bool, at: Option<u32>) -> PgResult<Ex> {
        let l = self.settle(l, &ColumnType::Json)?;
        if self.has_functions() {
            let function = if text { "pg_json_path_text" } else { "pg_json_path" };
            let ty = if text { ColumnType::Text } else { l.ty.clone().unwrap_or(ColumnType::Json) };
            let path = self.path_text(r)?;
            return Ok(Ex::of(format!("{function}({}, {path})", l.sql), ty));
        }
        let Kind::Str(path) = &r.kind else {
            return self.refuse("a JSON path that is not a constant", at);
        };
        let inner = path.trim().strip_prefix('{').and_then(|p| p.strip_suffix('}'));
        let Some(inner) = inner.filter(|p| !p.contains(['"', '\\'])) else {
            return self.refuse("this JSON path", at);
        };
        let mut json = "$".to_owned();
        for step in inner.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            match step.parse::<u32>() {
                Ok(n) => json.push_str(&format!("[{n}]")),
                Err(_) => json.push_str(json_key(step).get(1..).unwrap_or_default()),
            }
        }
        let function = if text { "json_extract_string" } else { "json_extract" };
        let ty = if text { ColumnType::Text } else { l.ty.clone().unwrap_or(ColumnType::Json) };
        Ok(Ex::of(format!("{function}({}, {})", l.sql, quote::literal(&json)?), ty))
    }
}

/// Two lists as one; of two that are NULL the engine makes an empty one. Each is written once: they can be inside each other.
fn joined(l: &str, r: &str) -> String {
    if [l, r].into_iter().any(|list| list.starts_with('[') || list.starts_with("CAST([")) {
        return format!("list_concat({l}, {r})");
    }
    // `p.l` could be a table's column: where one is called `p` it is the engine's first choice.
    format!(
        "list_transform([{{'l': {l}, 'r': {r}}}], lambda p: CASE WHEN struct_extract(p, 'l') IS NOT NULL \
         OR struct_extract(p, 'r') IS NOT NULL THEN list_concat(struct_extract(p, 'l'), struct_extract(p, 'r')) END)[1]"
    )
}

/// A comparison of rows, unless one of them is NULL.
fn unless_null(compared: Ex, sides: &[&Ex]) -> Ex {
    let nullable = sides.iter().filter(|side| !matches!(side.kind, Kind::Row(_)));
    let tests: Vec<String> = nullable.map(|side| format!("{} IS NOT NULL", side.sql)).collect();
    if tests.is_empty() {
        return compared;
    }
    Ex { sql: format!("(CASE WHEN {} THEN {} END)", tests.join(" AND "), compared.sql), ..compared }
}

/// A JSON key as a path.
pub(super) fn json_key(key: &str) -> String {
    format!("$.\"{}\"", key.replace('"', "\\\""))
}
