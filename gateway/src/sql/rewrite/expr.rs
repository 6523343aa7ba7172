//! Expressions: which part writes which node.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{Array, BinaryOperator, Expr, Query, SetExpr, Spanned, TypedString, UnaryOperator, Value};

use super::{NUMERIC, Rewriter, Scope, operator, rowless, scale};
use crate::{
    sql::{empty_list, plan::Origin, quote},
    wire::error::{PgError, PgResult, SqlState},
};

/// Terms of one AND or OR: whoever clones or prints the tree goes as deep.
const TERMS_MAX: usize = 10_000;

/// A written expression and what is known of it.
#[derive(Clone, Debug)]
pub(in crate::sql) struct Ex {
    pub sql: String,
    /// Without its modifier, which is beside it: `timestamp(3)` computes as `timestamp` does.
    pub ty: Option<ColumnType>,
    pub modifier: Option<i32>,
    pub kind: Kind,
    pub origin: Option<Origin>,
    pub position: Option<u32>,
}

/// What decides how an expression gets its type.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sql) enum Kind {
    Plain,
    /// A string without a type yet.
    Str(String),
    /// A parameter without a type yet.
    Param(usize),
    /// A parameter whose type is known.
    Typed(usize),
    Null,
    /// A number as written.
    Number(String),
    /// A number that is text, with its decimal.
    Mixed(Box<super::scale::Mixed>),
    /// A row: names, texts and types of its fields.
    Row(Vec<(String, String, Option<ColumnType>)>),
}

impl Ex {
    pub fn plain(sql: impl Into<String>, ty: Option<ColumnType>) -> Self {
        let (ty, modifier) = match ty.map(ColumnType::split) {
            Some((ty, modifier)) => (Some(ty), modifier),
            None => (None, None),
        };
        Self { sql: sql.into(), ty, modifier, kind: Kind::Plain, origin: None, position: None }
    }

    pub fn of(sql: impl Into<String>, ty: ColumnType) -> Self {
        Self::plain(sql, Some(ty))
    }

    pub fn at(mut self, position: Option<u32>) -> Self {
        self.position = self.position.or(position);
        self
    }

    /// The type with its modifier: what a column of it has.
    pub fn full_type(&self) -> Option<ColumnType> {
        self.ty.clone().map(|ty| ty.modified(self.modifier))
    }

    /// Whether it takes the type of what it meets.
    pub fn is_unknown(&self) -> bool {
        matches!(self.kind, Kind::Str(_) | Kind::Param(_) | Kind::Null)
    }
}

/// Whether a constant is as long as the type: it is shown as it is then.
fn fills(kind: &Kind, length: u32) -> bool {
    match kind {
        Kind::Null => true,
        Kind::Str(text) => u32::try_from(text.chars().count()) == Ok(length),
        _ => false,
    }
}

impl Rewriter<'_> {
    /// Writes an expression.
    pub fn expr(&mut self, expr: &Expr) -> PgResult<Ex> {
        let is_query = matches!(expr, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. });
        let asks = |scope: &Scope| scope.repeats && (is_query || scope.keys.contains(expr));
        if self.scopes.last().is_some_and(asks) {
            return self.asked(expr);
        }
        let ex = self.deeper(|r| r.expr_here(expr))?;
        Ok(self.once(expr, ex))
    }

    /// A subquery or a key. What is written a second time would have other names inside, and be another expression for the engine.
    fn asked(&mut self, expr: &Expr) -> PgResult<Ex> {
        let only_truth = self.only_truth;
        let known = self.scopes.last().and_then(|scope| {
            scope
                .asked
                .iter()
                .find(|(other, truth, _)| *truth == only_truth && other == expr)
                .map(|(_, _, ex)| ex.clone())
        });
        if let Some(ex) = known {
            self.only_truth = false;
            return Ok(ex);
        }
        let volatile = self.volatile_calls;
        let ex = self.deeper(|r| r.expr_here(expr))?;
        let ex = self.once(expr, ex);
        if volatile == self.volatile_calls
            && let Some(scope) = self.scopes.last_mut()
        {
            scope.asked.push((expr.clone(), only_truth, ex.clone()));
        }
        Ok(ex)
    }

    fn expr_here(&mut self, expr: &Expr) -> PgResult<Ex> {
        let only_truth = std::mem::take(&mut self.only_truth);
        match expr {
            Expr::Identifier(ident) => self.column(ident),
            Expr::CompoundIdentifier(parts) => self.qualified_column(parts),
            Expr::Nested(inner) => {
                self.only_truth = only_truth;
                self.expr(inner)
            }
            Expr::Value(value) => self.value(value),
            Expr::TypedString(typed) => self.typed_string(typed),
            Expr::Interval(interval) => self.interval(interval),
            Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } => {
                self.connective(left, op, right, only_truth)
            }
            Expr::BinaryOp { left, op, right } => {
                self.binary(left, op, right).map_err(|error| self.at_operator(error, op, right))
            }
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::IsFalse(e) => self.is(e, "IS FALSE"),
            Expr::IsNotFalse(e) => self.is(e, "IS NOT FALSE"),
            Expr::IsTrue(e) => self.is(e, "IS TRUE"),
            Expr::IsNotTrue(e) => self.is(e, "IS NOT TRUE"),
            Expr::IsUnknown(e) => self.is(e, "IS NULL"),
            Expr::IsNotUnknown(e) => self.is(e, "IS NOT NULL"),
            Expr::IsNull(e) => self.is_null(e, "IS NULL"),
            Expr::IsNotNull(e) => self.is_null(e, "IS NOT NULL"),
            Expr::IsDistinctFrom(l, r) => self.compare(l, "IS DISTINCT FROM", r),
            Expr::IsNotDistinctFrom(l, r) => self.compare(l, "IS NOT DISTINCT FROM", r),
            Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Expr::InSubquery { expr, subquery, negated } => self.in_subquery(expr, subquery, *negated, only_truth),
            Expr::Between { expr, negated, low, high } => self.between(expr, *negated, low, high),
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like("LIKE", *negated, expr, pattern, escape_char.as_deref())
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like("ILIKE", *negated, expr, pattern, escape_char.as_deref())
            }
            Expr::Like { negated: false, any: true, expr, pattern, escape_char: None } => {
                self.pattern_quantified(expr, "LIKE", pattern, "ANY")
            }
            Expr::ILike { negated: false, any: true, expr, pattern, escape_char: None } => {
                self.pattern_quantified(expr, "ILIKE", pattern, "ANY")
            }
            Expr::Like { negated: true, any: true, expr, pattern, escape_char: None } => {
                self.pattern_quantified(expr, "NOT LIKE", pattern, "ANY")
            }
            Expr::ILike { negated: true, any: true, expr, pattern, escape_char: None } => {
                self.pattern_quantified(expr, "NOT ILIKE", pattern, "ANY")
            }
            Expr::SimilarTo { negated, expr, pattern, escape_char } => {
                self.similar(*negated, expr, pattern, escape_char.as_deref())
            }
            Expr::AnyOp { left, compare_op, right, is_some: _ } => {
                self.quantified(left, compare_op, right, "ANY", only_truth)
            }
            Expr::AllOp { left, compare_op, right } => self.quantified(left, compare_op, right, "ALL", only_truth),
            Expr::Cast { kind: _, expr: inner, data_type, format: None } => self.cast_expr(expr, inner, data_type),
            Expr::AtTimeZone { timestamp, time_zone } => self.at_time_zone(timestamp, time_zone),
            Expr::Extract { field, expr, .. } => self.extract(field, expr),
            Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. }
            | Expr::Overlay { .. } => self.special(expr),
            Expr::Collate { expr, collation } => {
                let name = quote::parts(collation).unwrap_or_default();
                match name.last().map(String::as_str) {
                    // All of these order by bytes here, as the engine does.
                    Some("C" | "POSIX" | "default" | "ucs_basic") => self.expr(expr),
                    _ => Err(PgError::new(
                        SqlState::UNDEFINED_OBJECT,
                        format!("collation \"{}\" for encoding \"UTF8\" does not exist", name.join(".")),
                    )
                    .or_position(self.at(collation.span()))),
                }
            }
            Expr::Function(function) => self.call(function),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::Exists { subquery, negated } => {
                self.bounded("subquery")?;
                self.listless =
                    matches!(subquery.body.as_ref(), SetExpr::Select(s) if empty_list::is_empty(&s.projection));
                let rows = self.query(subquery, None);
                self.listless = false;
                let rows = rows?;
                let not = if *negated { "NOT " } else { "" };
                Ok(Ex::of(format!("({not}EXISTS ({}))", rows.sql), ColumnType::Bool))
            }
            Expr::Subquery(query) => self.scalar_subquery(query),
            Expr::IsNormalized { expr, form, negated } => self.is_normalized(expr, *form, *negated),
            Expr::Tuple(items) => self.row(items),
            Expr::Array(array) => self.array(array),
            Expr::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain),
            Expr::Lambda(_)
            | Expr::JsonAccess { .. }
            | Expr::IsJson { .. }
            | Expr::InUnnest { .. }
            | Expr::Like { .. }
            | Expr::ILike { .. }
            | Expr::RLike { .. }
            | Expr::Convert { .. }
            | Expr::Cast { .. }
            | Expr::Prefixed { .. }
            | Expr::GroupingSets(_)
            | Expr::Cube(_)
            | Expr::Rollup(_)
            | Expr::Struct { .. }
            | Expr::Named { .. }
            | Expr::Dictionary(_)
            | Expr::Map(_)
            | Expr::MatchAgainst { .. }
            | Expr::Wildcard(_)
            | Expr::QualifiedWildcard(..)
            | Expr::OuterJoin(_)
            | Expr::Prior(_)
            | Expr::MemberOf(_) => self.refuse("this form of an expression", self.at_expr(expr)),
        }
    }

    /// AND and OR: long chains are flat, whatever the tree's shape.
    fn connective(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr, only_truth: bool) -> PgResult<Ex> {
        let word = if *op == BinaryOperator::And { "AND" } else { "OR" };
        let mut terms = vec![right];
        let mut rest = left;
        while let Expr::BinaryOp { left, op: inner, right } = rest
            && inner == op
        {
            terms.push(right);
            rest = left;
        }
        terms.push(rest);
        if terms.len() > TERMS_MAX {
            return Err(super::too_complex());
        }
        let mut texts = Vec::with_capacity(terms.len());
        for term in terms.into_iter().rev() {
            self.only_truth = only_truth;
            texts.push(self.condition(term, word)?);
        }
        Ok(Ex::of(format!("({})", texts.join(&format!(" {word} "))), ColumnType::Bool))
    }

    fn is(&mut self, expr: &Expr, what: &str) -> PgResult<Ex> {
        let sql = self.condition(expr, what)?;
        Ok(Ex::of(format!("({sql} {what})"), ColumnType::Bool))
    }

    fn is_null(&mut self, expr: &Expr, what: &str) -> PgResult<Ex> {
        // A row is NULL where all its fields are, and not NULL where none is.
        if let Some(items) = super::rows::row_items(expr).filter(|items| !items.is_empty()) {
            let mut parts = Vec::with_capacity(items.len());
            for item in items {
                parts.push(self.is_null(item, what)?.sql);
            }
            return Ok(Ex::of(format!("({})", parts.join(" AND ")), ColumnType::Bool));
        }
        let ex = self.expr(expr)?;
        if let Kind::Row(fields) = &ex.kind
            && !fields.is_empty()
        {
            let parts: Vec<String> = fields.iter().map(|(_, sql, _)| format!("{sql} {what}")).collect();
            return Ok(Ex::of(format!("({})", parts.join(" AND ")), ColumnType::Bool));
        }
        let ex = self.settle_unknown(ex, &ColumnType::Text)?;
        if let Some(test) = self.row_is_null(&ex, what) {
            return Ok(test);
        }
        Ok(Ex::of(format!("({} {what})", super::params::tested(&ex.sql)), ColumnType::Bool))
    }

    fn typed_string(&mut self, typed: &TypedString) -> PgResult<Ex> {
        let TypedString { data_type, value, uses_odbc_syntax: _ } = typed;
        let at = self.at(value.span);
        let Some(text) = super::literal::string_of(&value.value) else {
            return self.refuse("this form of a literal", at);
        };
        self.cast_text(&text, data_type, at)
    }

    /// The common type of several expressions; unknown ones take it.
    pub fn unify(&mut self, exs: &mut [Ex], place: &str) -> PgResult<Option<ColumnType>> {
        let mut ty: Option<ColumnType> = None;
        let mut sure = true;
        for ex in exs.iter().filter(|e| !e.is_unknown()) {
            match (&ty, &ex.ty) {
                (_, None) => sure = false,
                (None, Some(t)) => ty = Some(t.clone()),
                (Some(a), Some(b)) => match operator::common(a, b) {
                    Some(t) => ty = Some(t),
                    None if operator::comparable(a, b) => sure = false,
                    None => {
                        return Err(PgError::new(
                            SqlState::DATATYPE_MISMATCH,
                            format!(
                                "{place} types {} and {} cannot be matched",
                                super::signature::shown(a),
                                super::signature::shown(b)
                            ),
                        )
                        .or_position(ex.position));
                    }
                },
            }
        }
        // A `bpchar` of no length: blanks at its end count for nothing, and none are added.
        if let Some(ColumnType::Char(n)) = ty
            && exs.iter().any(|ex| ex.is_unknown() && !fills(&ex.kind, n))
        {
            ty = Some(ColumnType::Text);
        }
        let modifier = super::modifier::common(exs);
        let all_null = exs.iter().all(|e| e.kind == Kind::Null);
        let target = match (&ty, sure) {
            (Some(ty), _) => Some(ty.clone()),
            (None, true) if !all_null => Some(ColumnType::Text),
            _ => None,
        };
        let exact = |ty: &ColumnType| matches!(ty, ColumnType::Numeric(..)) && !super::number::is_long(ty);
        if let Some(target) = &target {
            for ex in exs.iter_mut().filter(|e| e.is_unknown()) {
                *ex = match ex.kind {
                    // It has no digits of its own.
                    Kind::Null if exact(target) => Ex { ty: Some(target.clone()), ..ex.clone() },
                    _ => self.settle(ex.clone(), &scale::any_digits(target))?,
                };
            }
        }
        // Each keeps its digits.
        let target = match target {
            Some(ty) if sure && exact(&ty) && self.has_functions() && scale::differ(&*exs) => {
                Some(scale::long_of(exs.iter().filter(|ex| ex.kind != Kind::Null).map(scale::bound_of_value)))
            }
            other => other,
        };
        if let Some(target) = target.as_ref().filter(|_| sure) {
            for ex in exs.iter_mut() {
                *ex = self.unified(ex.clone(), target)?;
            }
        }
        // NULL has no modifier.
        let bare = exs.iter().any(|ex| ex.kind == Kind::Null);
        let target = target.map(|ty| if bare { scale::without_modifier(ty) } else { ty });
        Ok(if sure { target.map(|ty| ty.modified(modifier)) } else { None })
    }

    fn scalar_subquery(&mut self, query: &Query) -> PgResult<Ex> {
        self.bounded("subquery")?;
        if let Some(only) = rowless::value(query) {
            // As it is: the engine takes no subquery in one that has no rows of its own.
            let ex = self.expr(only)?;
            let ex = self.settle_unknown(ex, &ColumnType::Text)?;
            return Ok(Ex::plain(format!("({})", ex.sql), ex.ty));
        }
        let rows = self.query(query, None)?;
        if rows.known && rows.columns.len() != 1 {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "subquery must return only one column")
                .or_position(self.at_query(query).map(|at| self.parenthesis_before(at))));
        }
        let ty = rows.columns.first().and_then(|c| c.ty.clone());
        Ok(Ex::plain(format!("({})", rows.sql), ty.filter(|_| rows.known)))
    }

    fn row(&mut self, items: &[Expr]) -> PgResult<Ex> {
        let mut fields = Vec::new();
        for (n, item) in items.iter().enumerate() {
            fields.push((format!("f{}", n + 1), self.expr(item)?));
        }
        if self.has_functions() {
            return self.record(fields);
        }
        let mut texts = Vec::new();
        for (_, ex) in fields {
            texts.push(self.settle_unknown(ex, &ColumnType::Text)?.sql);
        }
        Ok(Ex::plain(format!("({})", texts.join(", ")), None))
    }

    fn array(&mut self, array: &Array) -> PgResult<Ex> {
        let mut exs = Vec::new();
        for item in &array.elem {
            exs.push(self.expr(item)?);
        }
        let ty = self.unify(&mut exs, "ARRAY")?;
        let texts: Vec<&str> = exs.iter().map(|e| e.sql.as_str()).collect();
        let sql = format!("[{}]", texts.join(", "));
        if exs.is_empty() {
            return Ok(Ex::plain(sql, None));
        }
        if let Some(ex) = self.stacked(&exs, ty.as_ref())? {
            return Ok(ex);
        }
        let ty = ty.filter(|t| !matches!(t, ColumnType::Array(_)));
        Ok(Ex::plain(sql, ty.map(|t| ColumnType::Array(Box::new(t)))))
    }

    fn unary(&mut self, op: UnaryOperator, expr: &Expr) -> PgResult<Ex> {
        let at = self.at_expr(expr);
        if op == UnaryOperator::Not {
            let sql = self.condition(expr, "NOT")?;
            return Ok(Ex::of(format!("(NOT {sql})"), ColumnType::Bool));
        }
        let ex = self.expr(expr)?;
        let ex = match op {
            UnaryOperator::Minus | UnaryOperator::Plus => match ex.kind.clone() {
                Kind::Number(n) if !n.starts_with('-') && op == UnaryOperator::Minus => {
                    let ex = self.number_literal(&format!("-{n}"), at)?;
                    // The engine types the digits before the sign.
                    if ex.ty == Some(ColumnType::Int4) && n.parse::<i32>().is_err() {
                        return Ok(Ex { sql: format!("CAST({} AS INTEGER)", ex.sql), ..ex });
                    }
                    return Ok(ex);
                }
                _ => self.settle_unknown(ex, &ColumnType::Float8)?,
            },
            _ => self.settle_unknown(ex, &ColumnType::Float8)?,
        };
        let ty = ex.ty.clone();
        let float = |t: Option<ColumnType>| match t {
            Some(t) if operator::is_int(&t) => Some(ColumnType::Float8),
            t => t,
        };
        Ok(match op {
            UnaryOperator::Minus => {
                if let Some(t) = &ty
                    && (!operator::is_number(t) || matches!(t, ColumnType::System(_)))
                    && *t != ColumnType::Interval
                {
                    return Err(self.undefined_operator("-", None, Some(t), self.at_before(at, "-").or(at)));
                }
                if ty.as_ref().is_some_and(super::number::is_long) {
                    let text = self.long_call("pg_num_neg", vec![ex.clone()])?;
                    let zero = Ex::of("0", ColumnType::Int4);
                    return Ok(self.with_parts(text, "-", &zero, &ex));
                }
                if let Some(ex) = super::interval::negative(&ex) {
                    return Ok(ex);
                }
                Ex::plain(format!("(- {})", ex.sql), ty.map(scale::without_modifier))
            }
            UnaryOperator::Plus => ex,
            UnaryOperator::BitwiseNot if self.held_not(&ex).is_some() => self.held_not(&ex).unwrap_or(ex),
            UnaryOperator::BitwiseNot => Ex::plain(format!("(~ {})", ex.sql), ty),
            UnaryOperator::PGAbs if ty.as_ref().is_some_and(super::number::is_long) => {
                return self.long_call("pg_num_abs", vec![ex]);
            }
            UnaryOperator::PGSquareRoot | UnaryOperator::PGCubeRoot
                if ty.as_ref().is_some_and(super::number::is_long) =>
            {
                let ex = self.cast(ex, &ColumnType::Float8, at)?;
                let name = if op == UnaryOperator::PGCubeRoot { "cbrt" } else { "sqrt" };
                Ex::of(format!("{name}({})", ex.sql), ColumnType::Float8)
            }
            UnaryOperator::PGSquareRoot => Ex::plain(format!("sqrt({})", ex.sql), float(ty)),
            UnaryOperator::PGCubeRoot => Ex::plain(format!("cbrt({})", ex.sql), Some(ColumnType::Float8)),
            UnaryOperator::PGAbs => Ex::plain(format!("abs({})", ex.sql), ty.map(scale::without_modifier)),
            UnaryOperator::Not => ex,
            UnaryOperator::PGPostfixFactorial
            | UnaryOperator::PGPrefixFactorial
            | UnaryOperator::Hash
            | UnaryOperator::BangNot
            | UnaryOperator::AtDashAt
            | UnaryOperator::DoubleAt
            | UnaryOperator::QuestionDash
            | UnaryOperator::QuestionPipe => return self.refuse("this operator", at),
        })
    }

    fn value(&mut self, value: &sqlparser::ast::ValueWithSpan) -> PgResult<Ex> {
        let at = self.at(value.span);
        match &value.value {
            Value::Number(n, false) => self.number_literal(n, at),
            Value::Boolean(b) => Ok(Ex::of(if *b { "TRUE" } else { "FALSE" }, ColumnType::Bool).at(at)),
            Value::Null => Ok(Ex { kind: Kind::Null, ..Ex::plain("NULL", None).at(at) }),
            Value::Placeholder(name) => self.param(name, at),
            Value::SingleQuotedByteStringLiteral(digits) => self.bit_literal('b', digits, at),
            Value::HexStringLiteral(digits) => self.bit_literal('x', digits, at),
            other => match super::literal::string_of(other) {
                Some(text) => {
                    let mut ex = Ex::of(quote::literal(&text)?, ColumnType::Text).at(at);
                    ex.kind = Kind::Str(text);
                    Ok(ex)
                }
                None => self.refuse("this form of a literal", at),
            },
        }
    }

    /// A number: int4, int8 or numeric, as Postgres reads it.
    pub fn number_literal(&mut self, n: &str, at: Option<u32>) -> PgResult<Ex> {
        let digits = n.strip_prefix('-').unwrap_or(n);
        let fine = !digits.is_empty()
            && digits.len() < 1000
            && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
            && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        if !fine {
            return Err(
                PgError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{n}\"")).or_position(at)
            );
        }
        let ty = if n.parse::<i32>().is_ok() {
            ColumnType::Int4
        } else if n.parse::<i64>().is_ok() {
            ColumnType::Int8
        } else {
            NUMERIC
        };
        if ty == NUMERIC && self.has_functions() {
            // Longer than the engine's decimals, or so small or large that it would take it for a double.
            let exponent = n.contains(['e', 'E']);
            if super::number::is_wide(n) || (exponent && super::literal::plain_decimal(n).is_none()) {
                let mut ex = self.long_constant(n, at)?;
                ex.kind = Kind::Number(n.to_owned());
                return Ok(ex);
            }
        }
        // The engine reads an exponent as a double; Postgres as numeric.
        let text = super::literal::plain_decimal(n).unwrap_or_else(|| n.to_owned());
        let whole = ty == NUMERIC && !text.contains(['.', 'e', 'E']);
        let ty = match text.split_once('.') {
            _ if whole => scale::computed(0),
            Some((_, places)) if ty == NUMERIC && !text.contains(['e', 'E']) && !super::number::is_wide(&text) => {
                i8::try_from(places.len()).map_or(NUMERIC, scale::computed)
            }
            _ => ty,
        };
        let sql = if whole {
            // Else the engine takes it for an integer.
            format!("CAST({text} AS DECIMAL({},0))", text.bytes().filter(u8::is_ascii_digit).count().clamp(1, 38))
        } else if text.starts_with('-') {
            format!("({text})")
        } else {
            text
        };
        let mut ex = Ex::of(sql, ty).at(at);
        ex.kind = Kind::Number(n.to_owned());
        Ok(ex)
    }
}
