//! Casts of texts that are no constants: the engine reads other forms than Postgres, and some of them otherwise.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::DataType;

use super::Rewriter;
use crate::{
    sql::{plan::SessionValue, quote},
    wire::error::PgResult,
};

/// The forms that most texts have, which the engine reads as Postgres does, and faster.
const DAY: &str = "[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}";
const TIME: &str = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?";
const OFFSET: &str = "(Z|[+-][0-9]{2}(:[0-9]{2})?)?";
/// Texts that are longer are written once, and read by a function: others several times, and casts can be inside each other.
const WRITTEN_BYTES_MAX: usize = 1024;
/// What the engine takes within a whole number, and Postgres does not.
const NOT_WHOLE: &str = ".eExXoObB_";

/// Whether it is `bpchar` without a length, as dumps write the constants of `char(n)`.
pub(super) fn is_bare_bpchar(ty: &DataType) -> bool {
    let DataType::Custom(name, modifiers) = ty else { return false };
    let parts = quote::parts(name).unwrap_or_default();
    modifiers.is_empty() && matches!(parts.as_slice(), [.., last] if last == "bpchar" && parts.len() < 3)
}

/// Whether texts are read as the type here.
pub(super) fn is_read(ty: &ColumnType) -> bool {
    use ColumnType as T;
    matches!(
        ty,
        T::Date
            | T::Time
            | T::Timestamp
            | T::Timestamptz
            | T::Interval
            | T::Bool
            | T::Int2
            | T::Int4
            | T::Int8
            | T::Float4
            | T::Float8
            | T::Numeric(1.., _)
    )
}

impl Rewriter<'_> {
    /// Text as one of these types.
    pub(super) fn read_text(&mut self, text: &str, ty: &ColumnType) -> PgResult<String> {
        use ColumnType as T;
        if let T::Numeric(precision, scale) = ty {
            return Ok(decimal_of_text(text, *precision, *scale));
        }
        if text.len() > WRITTEN_BYTES_MAX {
            return self.read_once(text, ty);
        }
        match ty {
            T::Bool => Ok(flag_of_text(text)),
            T::Int2 | T::Int4 | T::Int8 => Ok(whole_of_text(text, ty)),
            T::Float4 | T::Float8 => Ok(float_of_text(text, ty)),
            _ => self.moment_of_text(text, ty),
        }
    }

    /// Text as any of them, by Postgres' own rules.
    fn read_once(&mut self, text: &str, ty: &ColumnType) -> PgResult<String> {
        use ColumnType as T;
        let (oid, engine) = (ty.oid(), ty.duckdb());
        // What needs no setting stays the same for ever: a generated column may be made of it.
        if !matches!(ty, T::Date | T::Time | T::Timestamp | T::Timestamptz | T::Interval) {
            return Ok(format!("CAST(pg_read('{oid}', {text}, '', '') AS {engine})"));
        }
        let styles = quote::literal(&self.ctx.values.styles())?;
        let now = self.session_value(SessionValue::TransactionTime);
        Ok(format!("CAST(pg_read('{oid}', {text}, {styles}, CAST(epoch_us({now}) AS VARCHAR)) AS {engine})"))
    }

    /// Text as a date, a time or an interval.
    fn moment_of_text(&mut self, text: &str, ty: &ColumnType) -> PgResult<String> {
        use ColumnType as T;
        let plain = match ty {
            T::Date => DAY.to_owned(),
            T::Time => TIME.to_owned(),
            T::Timestamp => format!("{DAY}( {TIME})?"),
            T::Timestamptz => format!("{DAY} {TIME}{OFFSET}"),
            _ => String::new(),
        };
        let engine = ty.duckdb();
        let read = self.read_once(text, ty)?;
        if plain.is_empty() {
            return Ok(read);
        }
        let plain = quote::literal(&plain)?;
        Ok(format!("(CASE WHEN regexp_full_match({text}, {plain}) THEN CAST({text} AS {engine}) ELSE {read} END)"))
    }
}

/// Text as a decimal of so many digits: with an exponent, and too large, as Postgres has it.
fn decimal_of_text(text: &str, precision: u8, scale: i8) -> String {
    let engine = format!("DECIMAL({precision},{scale})");
    let read = format!("CAST(pg_num_fit(pg_num_in({text}), '{precision}', '{scale}') AS {engine})");
    let whole = i16::from(precision) - i16::from(scale);
    if whole < 1 || scale < 0 || text.len() > WRITTEN_BYTES_MAX {
        return read;
    }
    // What fits as it is written.
    let plain = format!("[+-]?[0-9]{{1,{whole}}}([.][0-9]{{1,{}}})?", scale.max(1));
    let plain = if scale == 0 { format!("[+-]?[0-9]{{1,{whole}}}") } else { plain };
    format!("(CASE WHEN regexp_full_match({text}, '{plain}') THEN CAST({text} AS {engine}) ELSE {read} END)")
}

/// Text as a flag.
fn flag_of_text(text: &str) -> String {
    let word = format!("lower(trim({text}, ' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13)))");
    format!(
        "(CASE WHEN {word} IN ('t', 'tr', 'tru', 'true', 'y', 'ye', 'yes', 'on', '1') THEN TRUE \
         WHEN {word} IN ('f', 'fa', 'fal', 'fals', 'false', 'n', 'no', 'of', 'off', '0') THEN FALSE \
         WHEN {text} IS NOT NULL \
         THEN CAST(error('SQLSTATE 22P02: invalid input syntax for type boolean: \"' || {text} || '\"') AS BOOLEAN) END)"
    )
}

/// Text as a number with a fraction: what the type cannot hold is an error, not infinity or zero.
fn float_of_text(text: &str, ty: &ColumnType) -> String {
    let value = format!("CAST({text} AS {})", ty.duckdb());
    let error = |code: &str, before: &str, behind: &str| {
        format!("CAST(error('SQLSTATE {code}: {before}\"' || {text} || '\"{behind}') AS {})", ty.duckdb())
    };
    let invalid = error("22P02", &format!("invalid input syntax for type {ty}: "), "");
    let range = error("22003", "", &format!(" is out of range for type {ty}"));
    format!(
        "(CASE WHEN contains({text}, '_') THEN {invalid} WHEN isinf({value}) AND NOT contains(lower({text}), 'n') THEN {range} \
         WHEN {value} = 0 AND regexp_matches({text}, '^[^eE]*[1-9]') THEN {range} ELSE {value} END)"
    )
}

/// Text as a whole number.
fn whole_of_text(text: &str, ty: &ColumnType) -> String {
    let engine = ty.duckdb();
    format!(
        "(CASE WHEN translate({text}, '{NOT_WHOLE}', '') = {text} THEN CAST({text} AS {engine}) WHEN {text} IS NOT NULL \
         THEN CAST(error('SQLSTATE 22P02: invalid input syntax for type {ty}: \"' || {text} || '\"') AS {engine}) END)"
    )
}
