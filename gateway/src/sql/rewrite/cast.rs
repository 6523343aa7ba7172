//! Casts.

use duckmesh_catalog::{
    ColumnType, EnumRef,
    types::{DEFAULT_NUMERIC, SystemType, oid},
};
use sqlparser::ast::{ArrayElemTypeDef, DataType, Expr, Spanned};

use super::{
    Ex, Kind, LONG, NUMERIC, Rewriter,
    literal::duckdb,
    operator::{is_number, is_text},
    scale,
    signature::shown,
    system_cast,
};
use crate::{
    pgcatalog::{self, functions},
    sql::{quote, types, user_type},
    wire::error::{PgError, PgResult, SqlState},
};

impl Rewriter<'_> {
    /// `CAST(x AS t)`, `x::t`.
    pub fn cast_expr(&mut self, whole: &Expr, expr: &Expr, data_type: &DataType) -> PgResult<Ex> {
        let at = self.at_expr(expr);
        if super::text_cast::is_bare_bpchar(data_type) {
            let ex = self.expr(expr)?;
            // Characters of any number: a constant has as many as it has. That blanks at its end do not count is lost for others.
            let ty = match &ex.kind {
                Kind::Str(text) => ColumnType::Char(u32::try_from(text.chars().count().max(1)).unwrap_or(1)),
                _ => ColumnType::Text,
            };
            return self.cast(ex, &ty, at).map_err(|e| self.at_impossible_cast(e, whole));
        }
        if let Some(ty) = system_type(data_type) {
            let ex = self.expr(expr)?;
            return self.system_cast(ex, &ty, at).map_err(|e| self.at_impossible_cast(e, whole));
        }
        if let Some((precision, scale)) = types::wide_numeric(data_type).filter(|_| self.has_functions()) {
            let ex = self.expr(expr)?;
            let ex = self.cast(ex, &NUMERIC, at).map_err(|e| self.at_impossible_cast(e, whole))?;
            let sql = format!("pg_num_fit({}, '{precision}', '{scale}')", self.long(ex)?.sql);
            return Ok(Ex::of(sql, LONG).at(at));
        }
        let placed = |r: &Self, e: PgError| e.or_position(r.at_cast_type(whole));
        if let Expr::Array(array) = expr
            && !array.elem.is_empty()
            && let ColumnType::Array(element) = self.type_of(data_type).map_err(|e| placed(self, e))?
        {
            let ex = self.cast_elements(&array.elem, &element)?.at(at);
            return match user_type::domain(data_type, self.ctx) {
                Some(domain) => self.domain_checked(ex, &domain),
                None => Ok(ex),
            };
        }
        let ex = self.expr(expr)?;
        if self.has_functions()
            && let Some(row) = self.composite(data_type)
        {
            return self.composite_cast(ex, row).map_err(|e| self.at_impossible_cast(e, whole));
        }
        if let Some(domain) = user_type::domain(data_type, self.ctx) {
            return self.domain_cast(ex, &domain, data_type, at).map_err(|e| self.at_impossible_cast(e, whole));
        }
        let ty = self.type_of(data_type).map_err(|e| placed(self, e));
        if let Kind::Str(text) = &ex.kind {
            // An interval with fields has words of its own.
            if !matches!(data_type, DataType::Interval { fields: Some(_), .. }) {
                ty?;
            }
            let text = text.clone();
            return self.cast_text(&text, data_type, at);
        }
        self.cast(ex, &ty?, at).map_err(|e| self.at_impossible_cast(e, whole))
    }

    /// `ARRAY['a', b]::t[]`: each element is cast, so that constants are read as what they are meant to be.
    fn cast_elements(&mut self, items: &[Expr], element: &ColumnType) -> PgResult<Ex> {
        let mut exs = Vec::with_capacity(items.len());
        for item in items {
            let at = self.at_expr(item);
            exs.push(match item {
                Expr::Array(inner) if !inner.elem.is_empty() => self.cast_elements(&inner.elem, element)?,
                item => {
                    let ex = self.expr(item)?;
                    // A value that is an array itself makes one more dimension.
                    let target = match &ex.ty {
                        Some(ColumnType::Array(_) | ColumnType::Grid(_)) if !ex.is_unknown() => {
                            ColumnType::Array(Box::new(element.clone()))
                        }
                        _ => element.clone(),
                    };
                    self.cast(ex, &target, at)?
                }
            });
        }
        let nested =
            exs.iter().find_map(|e| e.ty.clone().filter(|t| matches!(t, ColumnType::Array(_) | ColumnType::Grid(_))));
        if let Some(ex) = self.stacked(&exs, nested.as_ref())? {
            return Ok(ex);
        }
        let free = matches!(element, ColumnType::Numeric(0, _)) && self.has_functions();
        let long = free || exs.iter().any(|e| e.ty.as_ref().is_some_and(super::number::is_long));
        let mut texts = Vec::with_capacity(exs.len());
        for ex in exs {
            texts.push(if long { self.long(ex)?.sql } else { ex.sql });
        }
        let ty = if long { LONG } else { element.clone() };
        Ok(Ex::of(format!("[{}]", texts.join(", ")), ColumnType::Array(Box::new(ty))))
    }

    /// A type's name; `numeric` without precision stays open.
    pub fn type_of(&self, data_type: &DataType) -> PgResult<ColumnType> {
        let ty = user_type::resolve(data_type, self.ctx).map_err(|e| e.or_position(self.at_type(data_type)))?.ty;
        Ok(match ty {
            ColumnType::Numeric(p, s) if (p, s) == DEFAULT_NUMERIC && types::is_plain_numeric(data_type) => NUMERIC,
            ty => ty,
        })
    }

    fn at_type(&self, data_type: &DataType) -> Option<u32> {
        match data_type {
            DataType::Custom(name, _) => self.at(name.span()),
            _ => None,
        }
    }

    /// `date '2024-01-01'`, `'12'::int`.
    pub fn cast_text(&mut self, text: &str, data_type: &DataType, at: Option<u32>) -> PgResult<Ex> {
        if let Some(ty) = system_type(data_type) {
            return self.constant(text, &ty, at);
        }
        let ty = self.type_of(data_type)?;
        match &ty {
            // A cast cuts, an assignment refuses.
            ColumnType::Varchar(Some(n)) => {
                let cut: String = text.chars().take(usize::try_from(*n).unwrap_or(usize::MAX)).collect();
                Ok(Ex::of(quote::literal(&cut)?, ty).at(at))
            }
            ColumnType::Char(n) => {
                let cut: String = text.chars().take(usize::try_from(*n).unwrap_or(usize::MAX)).collect();
                Ok(Ex::of(quote::literal(cut.trim_end_matches(' '))?, ty).at(at))
            }
            ty => self.constant(text, ty, at),
        }
    }

    /// A cast as written in SQL.
    pub fn cast(&mut self, ex: Ex, ty: &ColumnType, at: Option<u32>) -> PgResult<Ex> {
        use ColumnType as T;
        if let (bare, Some(modifier)) = ty.clone().split() {
            // What is read knows what the modifier makes of it.
            if let Kind::Str(text) = &ex.kind {
                return self.constant(&text.clone(), ty, at);
            }
            if bare == super::bits::BIT && matches!(ex.ty, Some(T::Int4 | T::Int8)) && !ex.is_unknown() {
                return self.bits_of_number(&ex, modifier);
            }
            let ex = self.cast(ex, &bare, at)?;
            return self.fitted(ex, modifier, true);
        }
        if let T::Record(row) = ty {
            return self.composite_cast(ex, (**row).clone());
        }
        match &ex.kind {
            Kind::Param(_) => {
                let target = match ty {
                    T::Varchar(Some(_)) => T::Varchar(None),
                    T::Char(_) => T::Text,
                    T::Numeric(1.., _) => NUMERIC,
                    other => other.clone(),
                };
                let ex = self.settle(ex, &target)?;
                return if target == *ty { Ok(ex) } else { self.cast(ex, ty, at) };
            }
            Kind::Str(text) => {
                let text = text.clone();
                return self.constant(&text, ty, at);
            }
            // From here on it is a value like others.
            Kind::Null => {
                let null = super::literal::typed_null(self.settle(ex, ty)?);
                return Ok(Ex { kind: Kind::Plain, ..null });
            }
            Kind::Number(n) if matches!(ty, T::Float8 | T::Float4) => in_range(n, ty)?,
            _ => {}
        }
        if let (Some(T::System(SystemType::Text(oid::CHAR))), T::Int4) = (&ex.ty, ty) {
            return Ok(self.number_of_byte(&ex));
        }
        if let (Some(T::System(SystemType::Number(_))), T::Int4) = (&ex.ty, ty) {
            return Ok(system_cast::as_signed(&ex));
        }
        if let Some(T::System(system)) = &ex.ty
            && !is_text(ty)
            && (matches!(ty, T::System(_)) || system_cast::castable(&T::System(*system), ty, false))
        {
            let held = system.base();
            // What is cast is no column any more.
            return self.cast(Ex { ty: Some(held), origin: None, ..ex }, ty, at);
        }
        if let Some(cast) = self.cast_grid(&ex, ty)? {
            return Ok(cast);
        }
        if let Some(from) = ex.ty.clone()
            && let Some(cast) = self.cast_held(&ex, &from, ty)?
        {
            return Ok(cast);
        }
        if let Some(cast) = self.cast_to_texts(&ex, ty)? {
            return Ok(cast);
        }
        let Some(from) = ex.ty.clone() else {
            return Ok(match ty {
                T::Text | T::Varchar(None) => Ex::of(format!("CAST({} AS VARCHAR)", ex.sql), ty.clone()),
                T::Varchar(Some(n)) => Ex::of(format!("left(CAST({} AS VARCHAR), {n})", ex.sql), ty.clone()),
                T::Char(n) => Ex::of(format!("rtrim(left(CAST({} AS VARCHAR), {n}), ' ')", ex.sql), ty.clone()),
                T::Numeric(0, 0) => Ex::plain(format!("CAST({} AS {})", ex.sql, duckdb(ty)), Some(NUMERIC)),
                _ => Ex::of(super::literal::cast_to(&ex.sql, ty), ty.clone()),
            });
        };
        if !castable(&from, ty) {
            return Err(PgError::new(
                SqlState::CANNOT_COERCE,
                format!("cannot cast type {} to {}", shown(&from), shown(ty)),
            )
            .or_position(at));
        }
        if let Kind::Mixed(parts) = &ex.kind
            && super::scale::is_mixed(&ex)
            && self.takes_parts()
            && is_number(ty)
            && *ty != NUMERIC
        {
            return self.cast(Ex::of(parts.value.clone(), NUMERIC).at(ex.position), ty, at);
        }
        if super::number::is_long(&from)
            && let Some(sql) = self.cast_long(&ex, ty)
        {
            let ty = if *ty == NUMERIC { from } else { ty.clone() };
            return Ok(Ex::of(sql, ty).at(ex.position));
        }
        if *ty == NUMERIC && self.has_functions() {
            match &from {
                T::Float4 | T::Float8 => return self.long(ex),
                t if is_text(t) => {
                    return Ok(Ex::of(format!("pg_num_in({})", ex.sql), LONG).at(ex.position));
                }
                T::Json | T::Jsonb => {
                    return Ok(Ex::of(format!("pg_json_scalar({}, 'numeric')", ex.sql), LONG).at(ex.position));
                }
                _ => {}
            }
        }
        let position = ex.position;
        let origin_free = |sql: String| Ex::of(sql, ty.clone()).at(position);
        Ok(match (&from, ty) {
            (a, b) if a == b => Ex { ty: Some(ty.clone()), modifier: None, ..ex },
            (_, T::System(_)) => return self.system_cast(ex, ty, at),
            (a, b) if is_text(a) && super::text_cast::is_read(b) && self.has_functions() => {
                let sql = self.read_text(&ex.sql, b)?;
                origin_free(sql)
            }
            (T::Array(a), T::Array(b)) if is_text(a) && super::text_cast::is_read(b) && self.has_functions() => {
                let name = format!("t_{}", self.number());
                let each = self.read_text(&name, b)?;
                origin_free(format!("list_transform({}, lambda {name}: {each})", ex.sql))
            }
            (a, T::Bytea) if is_text(a) && self.has_functions() => origin_free(super::bytea::of_text(ex.clone())),
            // Of one dimension: how many a text has is not known before it is read.
            (a, T::Array(element)) if is_text(a) && self.has_functions() => {
                let name = format!("t_{}", self.number());
                let each = self.cast(Ex::of(name.clone(), T::Text), element, at)?;
                let element = each.ty.clone().unwrap_or(T::Text);
                let sql = format!("list_transform(pg_grid_flat({}), lambda {name}: {})", ex.sql, each.sql);
                Ex::of(sql, T::Array(Box::new(element))).at(position)
            }
            (T::Array(a), T::Array(b)) if is_text(a) && matches!(**b, T::Record(_)) => {
                let T::Record(row) = &**b else { return self.refuse("this cast", at) };
                let name = format!("r_{}", self.number());
                let each = self.record_of_text(&Ex::of(name.clone(), T::Text), row)?.sql;
                origin_free(format!("list_transform({}, lambda {name}: {each})", ex.sql))
            }
            (a, T::Enum(of)) if is_text(a) => origin_free(enum_of_text(&ex.sql, of, &self.ctx.search_path)?),
            (T::Array(a), T::Array(b)) if is_text(a) && matches!(**b, T::Enum(_)) => {
                let T::Enum(of) = &**b else { return self.refuse("this cast", at) };
                let name = format!("e_{}", self.number());
                let each = enum_of_text(&name, of, &self.ctx.search_path)?;
                origin_free(format!("list_transform({}, lambda {name}: {each})", ex.sql))
            }
            (a, T::Text | T::Varchar(None)) if is_text(a) => origin_free(ex.sql),
            (a, T::Varchar(Some(n))) if is_text(a) => origin_free(format!("left({}, {n})", ex.sql)),
            (a, T::Char(n)) if is_text(a) => origin_free(format!("rtrim(left({}, {n}), ' ')", ex.sql)),
            (_, T::Text | T::Varchar(None)) => origin_free(self.text_of(ex)?.sql),
            (_, T::Varchar(Some(n))) => origin_free(format!("left({}, {n})", self.text_of(ex)?.sql)),
            (_, T::Char(n)) => origin_free(format!("rtrim(left({}, {n}), ' ')", self.text_of(ex)?.sql)),
            // Whole numbers keep their digits; `numeric` alone would show nine zeros.
            (T::Int2, T::Numeric(0, 0)) => Ex::of(format!("CAST({} AS DECIMAL(5,0))", ex.sql), scale::computed(0)),
            (T::Int4, T::Numeric(0, 0)) => Ex::of(format!("CAST({} AS DECIMAL(10,0))", ex.sql), scale::computed(0)),
            (T::Int8, T::Numeric(0, 0)) => Ex::of(format!("CAST({} AS DECIMAL(19,0))", ex.sql), scale::computed(0)),
            (T::Numeric(..), T::Numeric(0, 0)) => Ex { ty: Some(scale::without_modifier(from)), ..ex },
            // The engine looks at the range before it rounds.
            (T::Float4 | T::Float8, T::Int2 | T::Int4 | T::Int8) => {
                origin_free(ty.cast(&format!("round_even(CAST({} AS DOUBLE), 0)", ex.sql)))
            }
            (T::Bool, T::Int4) => origin_free(format!("CAST({} AS INTEGER)", ex.sql)),
            (T::Json, T::Jsonb) if self.has_functions() => origin_free(format!("pg_jsonb({})", ex.sql)),
            (a, T::Json) if is_text(a) && self.has_functions() => origin_free(format!("pg_json({})", ex.sql)),
            (a, T::Jsonb) if is_text(a) && self.has_functions() => origin_free(format!("pg_jsonb({})", ex.sql)),
            (T::Jsonb | T::Json, T::Json | T::Jsonb) => origin_free(ex.sql),
            (T::Jsonb, b) if self.has_functions() && (is_number(b) || *b == T::Bool) => {
                let text = format!("pg_json_scalar({}, '{}')", ex.sql, shown(b));
                match b {
                    T::Bool => origin_free(format!("CAST({text} AS BOOLEAN)")),
                    _ => {
                        let long = Ex::of(text, LONG);
                        origin_free(self.cast_long(&long, b).unwrap_or(long.sql))
                    }
                }
            }
            (T::Jsonb | T::Json, b) if is_number(b) || *b == T::Bool => {
                origin_free(format!("CAST(json_extract_string({}, '$') AS {})", ex.sql, duckdb(ty)))
            }
            // The engine's cast knows of what is too large, not of what is too small.
            (T::Float8, T::Float4) if self.has_functions() => origin_free(format!("pg_real({})", ex.sql)),
            // Infinity has no time of day.
            (T::Timestamp | T::Timestamptz, T::Time) => {
                let x = &ex.sql;
                origin_free(format!("(CASE WHEN isfinite({x}) THEN CAST(CAST({x} AS TIMESTAMP) AS TIME) END)"))
            }
            (T::Time, T::Interval) => origin_free(format!("to_microseconds(epoch_us({}))", ex.sql)),
            (T::Interval, T::Time) => {
                origin_free(format!("CAST((TIMESTAMP '2000-01-01 00:00:00' + {}) AS TIME)", ex.sql))
            }
            _ => origin_free(super::literal::cast_to(&ex.sql, ty)),
        })
    }

    /// A value in Postgres' text form.
    pub fn text_of(&mut self, ex: Ex) -> PgResult<Ex> {
        use ColumnType as T;
        let held = if self.has_functions() { self.text_of_held(&ex) } else { None };
        if let Some(sql) = held {
            return Ok(Ex::of(sql, T::Text).at(ex.position));
        }
        let sql = match &ex.ty {
            Some(T::System(system)) if system.is_named() => {
                self.looked_up(functions::output(system.oid()), "", &[&ex.sql])
            }
            Some(t) if is_text(t) => return Ok(ex),
            Some(T::Record(row)) if self.has_functions() => self.text_of_row(&ex, &row.clone())?,
            Some(T::Grid(_) | T::Record(_)) => ex.sql.clone(),
            Some(t) if super::number::is_long(t) => ex.sql.clone(),
            Some(T::Float4) if self.has_functions() => format!("pg_real_text(CAST({} AS VARCHAR))", ex.sql),
            Some(T::Float4 | T::Float8) => format!("pg_text_float({})", ex.sql),
            Some(T::Interval) => format!("pg_text_interval({})", ex.sql),
            Some(T::Bytea) => format!("pg_text_bytea({})", ex.sql),
            Some(T::Timestamptz) => format!("pg_text_timestamptz({})", ex.sql),
            Some(T::Array(_)) if super::vector::is_vector(&ex) => format!("array_to_string({}, ' ')", ex.sql),
            Some(T::Array(_)) => self.grid_text(ex.clone())?,
            Some(T::Date | T::Timestamp) if self.has_functions() => {
                format!("pg_text_time(CAST({} AS VARCHAR))", ex.sql)
            }
            Some(T::Numeric(..)) => self.decimal_text(&ex),
            _ => format!("CAST({} AS VARCHAR)", ex.sql),
        };
        let sql = self.styled(sql, ex.ty.as_ref())?;
        Ok(Ex::of(sql, T::Text).at(ex.position))
    }

    /// Assigns to a column's type: what INSERT does.
    pub fn assign(&mut self, ex: Ex, ty: &ColumnType, column: &str, at: Option<u32>) -> PgResult<Ex> {
        let ex = self.assigned(ex, ty, column, at)?;
        Ok(self.made_once(ex))
    }

    fn assigned(&mut self, ex: Ex, ty: &ColumnType, column: &str, at: Option<u32>) -> PgResult<Ex> {
        let (bare, modifier) = ty.clone().split();
        if let Some(modifier) = modifier {
            // Fields say what a number without a unit is.
            if let (Kind::Str(text), ColumnType::Interval) = (&ex.kind, &bare) {
                return self.constant(&text.clone(), ty, at);
            }
            let ex = self.assigned(ex, &bare, column, at)?;
            return self.fitted(ex, modifier, false);
        }
        if let (ColumnType::Record(row), Kind::Row(_)) = (ty, &ex.kind) {
            return self.composite_cast(ex, (**row).clone());
        }
        if ex.is_unknown() {
            return self.settle(ex, ty);
        }
        let Some(from) = ex.ty.clone() else {
            return self.length_checked(ex, ty);
        };
        if let (ColumnType::Record(row), ColumnType::Record(_)) = (&from, ty)
            && row.oid == oid::RECORD
        {
            let message = format!("cannot cast type record to {}", shown(ty));
            return Err(PgError::new(SqlState::CANNOT_COERCE, message).or_position(at));
        }
        if !assignable(&from, ty) {
            return Err(PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!("column \"{column}\" is of type {} but expression is of type {}", shown(ty), shown(&from)),
            )
            .hint("You will need to rewrite or cast the expression.")
            .or_position(at));
        }
        if let ColumnType::Grid(element) = ty {
            return self.gridded(ex, element);
        }
        let ex = self.flat(ex)?;
        self.length_checked(ex, ty)
    }

    /// An assignment to varchar(n) fails where a cast would cut.
    pub(super) fn length_checked(&mut self, ex: Ex, ty: &ColumnType) -> PgResult<Ex> {
        let (n, name) = match ty {
            ColumnType::Varchar(Some(n)) => (n, "character varying"),
            ColumnType::Char(n) => (n, "character"),
            _ => {
                let at = ex.position;
                return self.cast(ex, ty, at);
            }
        };
        let text = match &ex.ty {
            None => format!("CAST({} AS VARCHAR)", ex.sql),
            Some(_) => self.text_of(ex)?.sql,
        };
        Ok(Ex::of(
            format!(
                "(CASE WHEN length(rtrim({text}, ' ')) > {n} THEN error('SQLSTATE 22001: value too long for type {name}({n})') \
                 ELSE left({text}, {n}) END)"
            ),
            ty.clone(),
        ))
    }
}

/// A text as an enum's label, with Postgres' error.
fn enum_of_text(sql: &str, of: &EnumRef, search_path: &[String]) -> PgResult<String> {
    let ty = of.duckdb();
    let message =
        quote::literal(&format!("SQLSTATE 22P02: invalid input value for enum {}: \"", of.shown_in(search_path)))?;
    let labels: Vec<String> = of.labels.iter().map(|l| quote::literal(&l.name)).collect::<PgResult<_>>()?;
    let fails = format!("CAST(error({message} || {sql} || '\"') AS {ty})");
    if labels.is_empty() {
        return Ok(format!("(CASE WHEN {sql} IS NOT NULL THEN {fails} END)"));
    }
    Ok(format!("(CASE WHEN {sql} NOT IN ({}) THEN {fails} ELSE CAST({sql} AS {ty}) END)", labels.join(", ")))
}

/// A type that only the system's relations have, or an array of such.
pub(super) fn system_type(ty: &DataType) -> Option<ColumnType> {
    let (name, quoted) = match ty {
        DataType::Regclass => ("regclass".to_owned(), false),
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => {
            return system_type(element).map(|element| ColumnType::Array(Box::new(element)));
        }
        DataType::Custom(name, modifiers) if modifiers.is_empty() => {
            let quoted = name.to_string().ends_with("\"char\"");
            match quote::parts(name)?.as_slice() {
                [one] => (one.clone(), quoted),
                [schema, one] if schema == "pg_catalog" => (one.clone(), quoted),
                _ => return None,
            }
        }
        _ => return None,
    };
    match name.as_str() {
        "char" if !quoted => None,
        // Values of lakes that other parts know, or nobody does.
        "inet" | "pg_lsn" => None,
        name => pgcatalog::types::by_name(name)
            .and_then(|ty| ColumnType::system(ty.oid))
            .filter(|ty| !matches!(ty, ColumnType::AsText(_))),
    }
}

/// Whether an explicit cast exists.
pub(super) fn castable(from: &ColumnType, to: &ColumnType) -> bool {
    use ColumnType as T;
    match (from.bare(), to.bare()) {
        (T::Other(_), _) | (_, T::Other(_)) => true,
        (T::System(_), _) | (_, T::System(_)) => system_cast::castable(from, to, false),
        (T::Array(a) | T::Grid(a), T::Array(b) | T::Grid(b)) => castable(a, b),
        _ if is_text(to) || is_text(from) => true,
        _ if super::held::castable_held(from, to) == Some(true) => true,
        (T::Array(_), _) | (_, T::Array(_)) => false,
        (T::Bool, T::Int4) | (T::Int4, T::Bool) => true,
        (T::Json | T::Jsonb, T::Json | T::Jsonb) => true,
        (T::Jsonb, b) => is_number(b) || *b == T::Bool,
        _ => assignable(from, to),
    }
}

/// Whether an assignment casts.
pub(in crate::sql) fn assignable(from: &ColumnType, to: &ColumnType) -> bool {
    use ColumnType as T;
    let (from, to) = (from.bare(), to.bare());
    match (from, to) {
        (a, b) if a == b || a.oid() == b.oid() => true,
        (T::Other(_), _) => true,
        (T::System(_), _) | (_, T::System(_)) => system_cast::castable(from, to, true),
        (a, b) if is_number(a) && is_number(b) => true,
        (_, b) if is_text(b) => true,
        (T::Date, T::Timestamp | T::Timestamptz)
        | (T::Timestamp, T::Date | T::Time | T::Timestamptz)
        | (T::Timestamptz, T::Date | T::Time | T::Timestamp)
        | (T::Time, T::Interval)
        | (T::Interval, T::Time)
        | (T::Json, T::Jsonb)
        | (T::Jsonb, T::Json) => true,
        (T::Array(a) | T::Grid(a), T::Array(b) | T::Grid(b)) => assignable(a, b),
        _ => super::held::assignable_held(from, to),
    }
}

/// A number as written that no float of the type comes near is an error, where the engine has infinity or zero.
fn in_range(n: &str, ty: &ColumnType) -> PgResult<()> {
    let mantissa = n.split(['e', 'E']).next().unwrap_or(n);
    let is_zero = !mantissa.bytes().any(|b| (b'1'..=b'9').contains(&b));
    let fits = match ty {
        ColumnType::Float4 => n.parse::<f32>().is_ok_and(|v| v.is_finite() && (v != 0.0 || is_zero)),
        _ => n.parse::<f64>().is_ok_and(|v| v.is_finite() && (v != 0.0 || is_zero)),
    };
    if fits {
        return Ok(());
    }
    // Postgres shows the numeric that it is by then; without end it would be a long message.
    let n = super::literal::written_out(n, -1000..=1000).unwrap_or_else(|| n.to_owned());
    let text = format!("\"{n}\" is out of range for type {}", super::shown(ty));
    Err(PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, text))
}
