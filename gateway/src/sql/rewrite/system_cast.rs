//! Casts to and from the types of Postgres' own catalog: `oid`, `name`, `"char"`, `regclass` and their like.

use duckmesh_catalog::{
    ColumnType,
    types::{SystemType, oid},
};

use super::{
    Ex, Kind, Rewriter,
    cast::assignable,
    operator::{is_int, is_text},
    signature::shown,
};
use crate::{
    pgcatalog::functions,
    wire::error::{PgError, PgResult, SqlState},
};

/// The largest number of an object.
const OID_MAX: u32 = u32::MAX;

/// Whether there is a cast, as in `pg_cast`; `implied` asks for those that an assignment makes by itself.
pub(super) fn castable(from: &ColumnType, to: &ColumnType, implied: bool) -> bool {
    use ColumnType as T;
    use SystemType as S;
    match (from, to) {
        (T::System(S::Text(oid::CHAR)), T::Int4) | (T::Int4, T::System(S::Text(oid::CHAR))) => !implied,
        (from, T::System(S::Text(oid::CHAR))) => is_text(from),
        (T::System(S::Text(oid::CHAR)), to) => is_text(to),
        (T::System(S::Number(_)), T::System(S::Number(_))) => true,
        (from, T::System(S::Number(_))) => is_int(from) || (!implied && is_text(from)),
        (T::System(S::Number(_)), to) => matches!(to, T::Int4 | T::Int8) || is_text(to),
        // Everything has a text.
        (_, T::System(S::Text(_))) => true,
        (T::System(_), to) if !implied && is_text(from) => !matches!(to, T::System(_)),
        (from, to) => assignable(&from.base(), &to.base()),
    }
}

impl Rewriter<'_> {
    /// Casts to Postgres' own types.
    pub(super) fn system_cast(&mut self, ex: Ex, ty: &ColumnType, at: Option<u32>) -> PgResult<Ex> {
        use ColumnType as T;
        match &ex.kind {
            Kind::Param(_) => return self.settle(ex, ty),
            Kind::Null => return Ok(Ex { kind: Kind::Plain, ..self.settle(ex, ty)? }),
            Kind::Str(text) => {
                let text = text.clone();
                return self.constant(&text, ty, at);
            }
            _ => {}
        }
        let from = ex.ty.clone();
        if let (Some(from), T::System(_)) = (&from, ty)
            && from != ty
            && !matches!(from, T::Other(_))
            && !castable(from, ty, false)
        {
            let message = format!("cannot cast type {} to {}", shown(from), shown(ty));
            return Err(PgError::new(SqlState::CANNOT_COERCE, message).or_position(at));
        }
        let sql = match (from.as_ref(), ty) {
            (Some(from), ty) if from == ty => ex.sql,
            // A name in a column: what it finds.
            (Some(from), T::System(system)) if is_text(from) && system.is_named() => {
                self.looked_up(functions::input(system.oid()), "", &[&ex.sql])
            }
            (Some(T::Int4), T::System(SystemType::Text(oid::CHAR))) => byte_of_number(&ex.sql),
            (_, T::System(SystemType::Text(oid::CHAR))) if self.has_functions() => {
                format!("pg_char_in({})", self.text_of(ex)?.sql)
            }
            (_, T::System(SystemType::Text(oid::CHAR))) => format!("left({}, 1)", self.text_of(ex)?.sql),
            // Through its text form, where a cast to text has one of its own.
            (Some(T::Bool), T::System(SystemType::Text(oid::NAME))) => {
                format!("(CASE {} WHEN TRUE THEN 't' WHEN FALSE THEN 'f' END)", ex.sql)
            }
            (Some(T::AsText(_)), T::System(SystemType::Text(oid::NAME))) => ex.sql,
            (_, T::System(SystemType::Text(oid::JSONPATH))) if self.has_functions() => {
                format!("pg_jsonpath({})", self.text_of(ex)?.sql)
            }
            (_, T::System(SystemType::Text(oid::NAME))) if self.has_functions() => {
                format!("pg_cut_name({})", self.text_of(ex)?.sql)
            }
            (_, T::System(SystemType::Text(_))) => self.text_of(ex)?.sql,
            // The bits of a negative one here too.
            (Some(from), T::System(SystemType::Number(oid::OID))) if is_text(from) => {
                let x = format!("CAST({} AS BIGINT)", ex.sql);
                format!(
                    "(CASE WHEN {x} BETWEEN -2147483648 AND {OID_MAX} THEN {x} & {OID_MAX} \
                     WHEN {x} IS NOT NULL THEN error('SQLSTATE 22003: value \"' || {x} || '\" is out of range for type oid') END)"
                )
            }
            // The bits of a negative one, as in Postgres.
            (Some(T::Int2 | T::Int4), T::System(_)) => format!("(CAST({} AS BIGINT) & {OID_MAX})", ex.sql),
            (Some(T::Int8), T::System(SystemType::Number(number))) if *number != oid::XID8 => {
                let x = &ex.sql;
                format!(
                    "(CASE WHEN {x} NOT BETWEEN 0 AND {OID_MAX} THEN error('SQLSTATE 22003: OID out of range') ELSE {x} END)"
                )
            }
            (_, T::System(_)) => format!("CAST({} AS BIGINT)", ex.sql),
            (_, T::Array(_)) => ty.cast(&ex.sql),
            _ => return self.refuse("this cast", at),
        };
        Ok(Ex::plain(sql, Some(ty.clone())).at(at))
    }

    /// The number of a byte.
    pub(super) fn number_of_byte(&self, ex: &Ex) -> Ex {
        let x = &ex.sql;
        let octal = "ascii(substr({x}, 2, 1)) * 64 + ascii(substr({x}, 3, 1)) * 8 + ascii(substr({x}, 4, 1))";
        let octal = octal.replace("{x}", x);
        Ex::of(
            format!("(CASE WHEN {x} = '' THEN 0 WHEN length({x}) = 4 THEN {octal} - 3504 - 256 ELSE ascii({x}) END)"),
            ColumnType::Int4,
        )
    }
}

/// The bits of an object's number as an integer.
pub(super) fn as_signed(ex: &Ex) -> Ex {
    let x = &ex.sql;
    let half = i32::MAX;
    let sql = format!("CAST(CASE WHEN {x} > {half} THEN {x} - 4294967296 ELSE {x} END AS INTEGER)");
    Ex::of(sql, ColumnType::Int4)
}

/// A number as the byte of a `"char"`; what is not ASCII is shown in octal digits.
fn byte_of_number(x: &str) -> String {
    format!(
        "(CASE WHEN {x} NOT BETWEEN -128 AND 127 THEN error('SQLSTATE 22003: \"char\" out of range') \
         WHEN {x} = 0 THEN '' WHEN {x} < 0 THEN '\\' || to_base({x} + 256, 8) ELSE chr({x}) END)"
    )
}
