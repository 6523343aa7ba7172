//! Casts.

use duckmesh_catalog::{ColumnType, types::DEFAULT_NUMERIC};
use sqlparser::ast::{DataType, Expr, ObjectName, Spanned};

use super::{
    Ex, Kind, NUMERIC, Rewriter,
    literal::duckdb,
    operator::{is_number, is_text},
    signature::shown,
};
use crate::{
    pgcatalog::{self, functions, oids},
    sql::{quote, types},
    wire::error::{PgError, PgResult, SqlState},
};

impl Rewriter<'_> {
    /// `CAST(x AS t)`, `x::t`.
    pub fn cast_expr(&mut self, expr: &Expr, data_type: &DataType) -> PgResult<Ex> {
        let at = self.at_expr(expr);
        if let Some(name) = system_type(data_type) {
            let ex = self.expr(expr)?;
            return self.system_cast(ex, &name, at);
        }
        let ex = self.expr(expr)?;
        if let Kind::Str(text) = &ex.kind {
            let text = text.clone();
            return self.cast_text(&text, data_type, at);
        }
        let ty = self.type_of(data_type)?;
        self.cast(ex, &ty, at)
    }

    /// A type's name; `numeric` without precision stays open.
    pub fn type_of(&self, data_type: &DataType) -> PgResult<ColumnType> {
        let ty = types::resolve(data_type).map_err(|e| e.or_position(self.at_type(data_type)))?;
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
        if let Some(name) = system_type(data_type) {
            let mut ex = Ex::of(quote::literal(text)?, ColumnType::Text).at(at);
            ex.kind = Kind::Str(text.to_owned());
            return self.system_cast(ex, &name, at);
        }
        if let DataType::Interval { fields: Some(_), .. } = data_type {
            return self.refuse("an interval with fields", at);
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
        match &ex.kind {
            Kind::Param(_) => {
                let target = match ty {
                    T::Varchar(Some(_)) => T::Varchar(None),
                    T::Char(_) => T::Text,
                    other => other.clone(),
                };
                let ex = self.settle(ex, &target)?;
                return if target == *ty { Ok(ex) } else { self.cast(ex, ty, at) };
            }
            Kind::Str(text) => {
                let text = text.clone();
                return self.constant(&text, ty, at);
            }
            Kind::Null => return self.settle(ex, ty),
            Kind::Number(n) if matches!(ty, T::Float8 | T::Float4) => in_range(n, ty, at)?,
            _ => {}
        }
        let Some(from) = ex.ty.clone() else {
            return Ok(match ty {
                T::Text | T::Varchar(None) => Ex::of(format!("CAST({} AS VARCHAR)", ex.sql), ty.clone()),
                T::Varchar(Some(n)) => Ex::of(format!("left(CAST({} AS VARCHAR), {n})", ex.sql), ty.clone()),
                T::Char(n) => Ex::of(format!("rtrim(left(CAST({} AS VARCHAR), {n}), ' ')", ex.sql), ty.clone()),
                T::Numeric(0, 0) => Ex::plain(format!("CAST({} AS {})", ex.sql, duckdb(ty)), Some(NUMERIC)),
                _ => Ex::of(format!("CAST({} AS {})", ex.sql, duckdb(ty)), ty.clone()),
            });
        };
        if !castable(&from, ty) {
            return Err(PgError::new(
                SqlState::CANNOT_COERCE,
                format!("cannot cast type {} to {}", shown(&from), shown(ty)),
            )
            .or_position(at));
        }
        let position = ex.position;
        let origin_free = |sql: String| Ex::of(sql, ty.clone()).at(position);
        Ok(match (&from, ty) {
            (a, b) if a == b => Ex { ty: Some(ty.clone()), ..ex },
            (a, T::Text | T::Varchar(None)) if is_text(a) => origin_free(ex.sql),
            (a, T::Varchar(Some(n))) if is_text(a) => origin_free(format!("left({}, {n})", ex.sql)),
            (a, T::Char(n)) if is_text(a) => origin_free(format!("rtrim(left({}, {n}), ' ')", ex.sql)),
            (_, T::Text | T::Varchar(None)) => origin_free(self.text_of(ex)?.sql),
            (_, T::Varchar(Some(n))) => origin_free(format!("left({}, {n})", self.text_of(ex)?.sql)),
            (_, T::Char(n)) => origin_free(format!("rtrim(left({}, {n}), ' ')", self.text_of(ex)?.sql)),
            // Whole numbers keep their digits; `numeric` alone would show nine zeros.
            (T::Int2, T::Numeric(0, 0)) => Ex::of(format!("CAST({} AS DECIMAL(5,0))", ex.sql), NUMERIC),
            (T::Int4, T::Numeric(0, 0)) => Ex::of(format!("CAST({} AS DECIMAL(10,0))", ex.sql), NUMERIC),
            (T::Int8, T::Numeric(0, 0)) => Ex::of(format!("CAST({} AS DECIMAL(19,0))", ex.sql), NUMERIC),
            (T::Numeric(..), T::Numeric(0, 0)) => Ex { ty: Some(from), ..ex },
            (T::Bool, T::Int4) => origin_free(format!("CAST({} AS INTEGER)", ex.sql)),
            (T::Jsonb | T::Json, T::Json | T::Jsonb) => origin_free(ex.sql),
            (T::Jsonb | T::Json, b) if is_number(b) || *b == T::Bool => {
                origin_free(format!("CAST(json_extract_string({}, '$') AS {})", ex.sql, duckdb(ty)))
            }
            (T::Timestamptz, T::Time) => origin_free(format!("CAST(CAST({} AS TIMESTAMP) AS TIME)", ex.sql)),
            (T::Time, T::Interval) => origin_free(format!("to_microseconds(epoch_us({}))", ex.sql)),
            (T::Interval, T::Time) => {
                origin_free(format!("CAST((TIMESTAMP '2000-01-01 00:00:00' + {}) AS TIME)", ex.sql))
            }
            _ => origin_free(format!("CAST({} AS {})", ex.sql, duckdb(ty))),
        })
    }

    /// A value in Postgres' text form.
    pub fn text_of(&mut self, ex: Ex) -> PgResult<Ex> {
        use ColumnType as T;
        let sql = match &ex.ty {
            Some(t) if is_text(t) => return Ok(ex),
            Some(T::Float4 | T::Float8) => format!("pg_text_float({})", ex.sql),
            Some(T::Interval) => format!("pg_text_interval({})", ex.sql),
            Some(T::Bytea) => format!("pg_text_bytea({})", ex.sql),
            Some(T::Timestamptz) => format!("pg_text_timestamptz({})", ex.sql),
            Some(T::Array(_)) => format!("pg_text_array({})", ex.sql),
            _ => format!("CAST({} AS VARCHAR)", ex.sql),
        };
        Ok(Ex { sql, ty: Some(T::Text), kind: Kind::Plain, origin: None, position: ex.position })
    }

    /// Assigns to a column's type: what INSERT does.
    pub fn assign(&mut self, ex: Ex, ty: &ColumnType, column: &str, at: Option<u32>) -> PgResult<Ex> {
        if ex.is_unknown() {
            return self.settle(ex, ty);
        }
        let Some(from) = ex.ty.clone() else {
            return self.length_checked(ex, ty);
        };
        if !assignable(&from, ty) {
            return Err(PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!("column \"{column}\" is of type {} but expression is of type {}", shown(ty), shown(&from)),
            )
            .hint("You will need to rewrite or cast the expression.")
            .or_position(at));
        }
        self.length_checked(ex, ty)
    }

    /// An assignment to varchar(n) fails where a cast would cut.
    fn length_checked(&mut self, ex: Ex, ty: &ColumnType) -> PgResult<Ex> {
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

    /// Casts to Postgres' internal types, which only catalog queries use.
    fn system_cast(&mut self, ex: Ex, name: &str, at: Option<u32>) -> PgResult<Ex> {
        Ok(match name {
            "regclass" => match &ex.kind {
                Kind::Str(text) => match text.parse::<u32>() {
                    Ok(oid) => Ex::plain(oid.to_string(), None),
                    Err(_) => self.regclass(text, at)?,
                },
                // A name in a column: the relation it finds. An oid: how the relation is called.
                _ if ex.ty.as_ref().is_some_and(is_text) => {
                    Ex::plain(self.looked_up(functions::TO_REGCLASS, name, &[&ex.sql]), Some(ColumnType::Int8))
                }
                _ => self.looked_up_text(functions::REGCLASS_TEXT, &ex),
            },
            "regtype" => match &ex.kind {
                Kind::Str(text) if text.parse::<u32>().is_err() => {
                    let ty = types::name_to_type(text).map_err(|e| e.or_position(at))?;
                    Ex::plain(ty.oid().to_string(), None)
                }
                Kind::Str(text) => Ex::plain(text.clone(), None),
                _ => {
                    let text = self.looked_up(functions::FORMAT_TYPE, name, &[&ex.sql, "NULL"]);
                    Ex::of(text, ColumnType::Text)
                }
            },
            "oid" | "xid" | "cid" => match &ex.kind {
                Kind::Str(text) => {
                    let n: u32 = text.trim().parse().map_err(|_| {
                        PgError::new(
                            SqlState::INVALID_TEXT_REPRESENTATION,
                            format!("invalid input syntax for type oid: \"{text}\""),
                        )
                        .or_position(at)
                    })?;
                    Ex::plain(n.to_string(), None)
                }
                _ => {
                    let ex = self.settle_unknown(ex, &ColumnType::Int8)?;
                    Ex::plain(format!("CAST({} AS BIGINT)", ex.sql), None)
                }
            },
            "regnamespace" | "regproc" | "regrole" | "regprocedure" => match &ex.kind {
                Kind::Str(text) => self.oid_constant(name, text, at)?,
                _ => self.looked_up_text(
                    match name {
                        "regnamespace" => functions::REGNAMESPACE_TEXT,
                        "regrole" => functions::REGROLE_TEXT,
                        _ => functions::REGPROC_TEXT,
                    },
                    &ex,
                ),
            },
            // name, "char"
            _ => {
                let ex = self.settle(ex, &ColumnType::Text)?;
                Ex::plain(format!("CAST({} AS VARCHAR)", ex.sql), Some(ColumnType::Text))
            }
        }
        .at(at))
    }

    /// `'orders'::regclass`: the number pgcatalog gives the relation.
    fn regclass(&mut self, text: &str, at: Option<u32>) -> PgResult<Ex> {
        let missing =
            || PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{text}\" does not exist")).or_position(at);
        let mut parser = sqlparser::parser::Parser::new(&sqlparser::dialect::PostgreSqlDialect {})
            .try_with_sql(text)
            .map_err(|_| missing())?;
        let name: ObjectName = parser.parse_object_name(false).map_err(|_| missing())?;
        use super::relations::Target;
        let oid = match self.resolve(&name).map_err(|_| missing())? {
            Target::Table(table, _) => oids::table(table.id),
            Target::View(view, _) => oids::view(view.id),
            Target::System(shape) => shape.oid,
            Target::Cte(_) | Target::Extra(_) => return Err(missing()),
        };
        Ok(Ex::plain(oid.to_string(), None))
    }

    /// An oid as the name of what it is of.
    fn looked_up_text(&mut self, text: &'static str, oid: &Ex) -> Ex {
        Ex::of(self.looked_up(text, "", &[&oid.sql]), ColumnType::Text)
    }

    /// `'public'::regnamespace`, `'array_in'::regproc`.
    fn oid_constant(&self, ty: &str, text: &str, at: Option<u32>) -> PgResult<Ex> {
        if let Ok(oid) = text.parse::<u32>() {
            return Ok(Ex::plain(oid.to_string(), None));
        }
        let plain = text.trim_matches('"');
        let (oid, what) = match ty {
            "regnamespace" => (oids::namespace(&self.ctx.schema, plain), "schema"),
            "regrole" => ((plain == self.ctx.user).then_some(oids::OWNER), "role"),
            _ => (pgcatalog::procedure(text.split('(').next().unwrap_or_default()), "function"),
        };
        let code = match what {
            "schema" => SqlState::INVALID_SCHEMA_NAME,
            "role" => SqlState::UNDEFINED_OBJECT,
            _ => SqlState::UNDEFINED_FUNCTION,
        };
        let oid = oid.ok_or_else(|| PgError::new(code, format!("{what} \"{text}\" does not exist")).or_position(at))?;
        Ok(Ex::plain(oid.to_string(), None))
    }
}

/// A type that only the system's relations have.
fn system_type(ty: &DataType) -> Option<String> {
    let name = match ty {
        DataType::Regclass => "regclass".to_owned(),
        DataType::Custom(name, modifiers) if modifiers.is_empty() => match quote::parts(name)?.as_slice() {
            [one] => one.clone(),
            [schema, one] if schema == "pg_catalog" => one.clone(),
            _ => return None,
        },
        _ => return None,
    };
    let quoted_char = matches!(ty, DataType::Custom(n, _) if n.to_string().contains("\"char\""));
    (matches!(
        name.as_str(),
        "regclass"
            | "regtype"
            | "oid"
            | "xid"
            | "cid"
            | "name"
            | "regnamespace"
            | "regproc"
            | "regrole"
            | "regprocedure"
    ) || quoted_char)
        .then_some(name)
}

/// Whether an explicit cast exists.
fn castable(from: &ColumnType, to: &ColumnType) -> bool {
    use ColumnType as T;
    match (from, to) {
        (T::Other(_), _) | (_, T::Other(_)) => true,
        (T::Array(a), T::Array(b)) => castable(a, b),
        _ if is_text(to) || is_text(from) => true,
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
    match (from, to) {
        (a, b) if a == b || a.oid() == b.oid() => true,
        (T::Other(_), _) => true,
        (a, b) if is_number(a) && is_number(b) => true,
        (_, b) if is_text(b) => true,
        (T::Date, T::Timestamp | T::Timestamptz)
        | (T::Timestamp, T::Date | T::Time | T::Timestamptz)
        | (T::Timestamptz, T::Date | T::Time | T::Timestamp)
        | (T::Time, T::Interval)
        | (T::Interval, T::Time)
        | (T::Json, T::Jsonb)
        | (T::Jsonb, T::Json) => true,
        (T::Array(a), T::Array(b)) => assignable(a, b),
        _ => false,
    }
}

/// A number as written that no float of the type comes near is an error, where the engine has infinity or zero.
fn in_range(n: &str, ty: &ColumnType, at: Option<u32>) -> PgResult<()> {
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
    Err(PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, text).or_position(at))
}
