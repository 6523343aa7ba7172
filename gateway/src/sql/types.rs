//! Type names of SQL as types of columns.
//!
//! What a lake cannot hold is refused with a hint, never stored as something near to it.

use duckmesh_catalog::{
    ColumnType,
    types::{
        DEFAULT_NUMERIC, TextType,
        modifier::{self, IntervalRange, PRECISION_MAX},
    },
};
use sqlparser::{
    ast::{ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, IntervalFields, ObjectName, TimezoneInfo},
    parser::Parser,
};

use super::ddl::place;
use crate::sql::dialect::Postgres;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Postgres' greatest n of varchar(n) and char(n).
const LENGTH_MAX: u64 = 10_485_760;
/// Postgres' greatest n of bit(n): eight times as many as characters.
const BITS_MAX: u64 = LENGTH_MAX * 8;
/// Postgres' greatest precision of numeric.
const POSTGRES_NUMERIC_PRECISION_MAX: u64 = 1000;
/// The lake's greatest precision of numeric.
const LAKE_NUMERIC_PRECISION_MAX: u64 = 38;
/// The deepest nesting of array declarations looked at: Postgres has six dimensions at most.
const DIMENSIONS_MAX: usize = 6;
const HINT_LAKE: &str = "A lake holds boolean, smallint, integer, bigint, real, double precision, numeric(p,s), text, varchar, char, \
     bytea, date, time, timestamp, timestamptz, interval, uuid, json, jsonb, bit strings and arrays of these.";

/// The column type of a type's syntax. Its errors have no position: see [`resolve_at`].
pub fn resolve(ty: &DataType) -> PgResult<ColumnType> {
    resolve_nested(ty, 0)
}

/// The same, with the position in the statement's text where the syntax tree knows it.
pub fn resolve_at(ty: &DataType, text: &str) -> PgResult<ColumnType> {
    resolve(ty).map_err(|error| match ty {
        DataType::Custom(name, _) => error.or_position(place::of_name(text, name)),
        _ => error,
    })
}

/// Bytes of a type's name in text: the parser nests an array for each pair of brackets, on threads whose stack is not large.
const NAME_BYTES_MAX: usize = 1024;

/// The column type of a type's name in text, as in `'integer'::regtype` or `pg_typeof`.
pub fn name_to_type(name: &str) -> PgResult<ColumnType> {
    let undefined = || undefined(name.trim());
    if name.len() > NAME_BYTES_MAX {
        return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "a type's name is too long"));
    }
    let dialect = Postgres {};
    let mut parser = Parser::new(&dialect).try_with_sql(name).map_err(|_| undefined())?;
    let ty = parser.parse_data_type().map_err(|_| undefined())?;
    match parser.peek_token().token {
        sqlparser::tokenizer::Token::EOF => resolve(&ty),
        _ => Err(undefined()),
    }
}

/// Whether it is `numeric` without precision: stored as `numeric(38,9)`, which CREATE TABLE says in a NOTICE.
#[must_use]
pub fn is_plain_numeric(ty: &DataType) -> bool {
    match ty {
        DataType::Numeric(ExactNumberInfo::None)
        | DataType::Decimal(ExactNumberInfo::None)
        | DataType::Dec(ExactNumberInfo::None) => true,
        DataType::Custom(name, modifiers) => modifiers.is_empty() && builtin(name) == "numeric",
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::Qualified(element, _)) => {
            is_plain_numeric(element)
        }
        _ => false,
    }
}

/// `type "x" does not exist`.
#[must_use]
pub fn undefined(name: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))
}

/// A column's type: with several pairs of brackets one of arrays of any dimensions, which a list of the lake does not hold.
#[must_use]
pub fn of_column(declared: &DataType, ty: ColumnType) -> ColumnType {
    let array = |ty: &DataType| match ty {
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => Some((**element).clone()),
        _ => None,
    };
    match ty {
        ColumnType::Array(element)
            if array(declared).is_some_and(|inner| array(&inner).is_some())
                && !matches!(*element, ColumnType::Enum(_) | ColumnType::Record(_) | ColumnType::System(_)) =>
        {
            ColumnType::Grid(element)
        }
        ty => ty,
    }
}

fn resolve_nested(ty: &DataType, depth: usize) -> PgResult<ColumnType> {
    Ok(match ty {
        DataType::Bool | DataType::Boolean => ColumnType::Bool,
        DataType::SmallInt(None) | DataType::Int2(None) => ColumnType::Int2,
        DataType::Int(None) | DataType::Int4(None) | DataType::Integer(None) => ColumnType::Int4,
        DataType::BigInt(None) | DataType::Int8(None) => ColumnType::Int8,
        DataType::Real | DataType::Float4 => ColumnType::Float4,
        DataType::DoublePrecision | DataType::Float8 => ColumnType::Float8,
        DataType::Float(info) => float(info)?,
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => numeric(info)?,
        DataType::Text => ColumnType::Text,
        DataType::Varchar(n) | DataType::CharVarying(n) | DataType::CharacterVarying(n) | DataType::Nvarchar(n) => {
            ColumnType::Varchar(length(n.as_ref(), "varchar")?)
        }
        DataType::Char(n) | DataType::Character(n) => ColumnType::Char(length(n.as_ref(), "char")?.unwrap_or(1)),
        DataType::Bytea => ColumnType::Bytea,
        DataType::Date => ColumnType::Date,
        DataType::Time(n, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => ColumnType::Time.modified(digits(*n)),
        DataType::Time(n, _) => ColumnType::AsText(TextType::Timetz).modified(digits(*n)),
        DataType::Timestamp(n, zone) => timestamp(*n, zone),
        DataType::Interval { fields, precision } => interval(fields.as_ref(), *precision)?,
        DataType::Bit(n) => bits(TextType::Bit, *n)?,
        DataType::BitVarying(n) | DataType::VarBit(n) => bits(TextType::Varbit, *n)?,
        DataType::Uuid => ColumnType::Uuid,
        DataType::JSON => ColumnType::Json,
        DataType::JSONB => ColumnType::Jsonb,
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::Qualified(element, _)) => {
            array(element, depth)?
        }
        DataType::Custom(name, modifiers) => custom(name, modifiers)?,
        other => return Err(foreign(other)),
    })
}

/// Postgres declares `int[][]` as `int[]`: dimensions of a declaration mean nothing there either.
fn array(element: &DataType, depth: usize) -> PgResult<ColumnType> {
    if depth >= DIMENSIONS_MAX {
        return Err(PgError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("number of array dimensions ({}) exceeds the maximum allowed ({DIMENSIONS_MAX})", depth + 1),
        ));
    }
    Ok(match resolve_nested(element, depth + 1)? {
        ColumnType::Array(inner) => ColumnType::Array(inner),
        scalar => ColumnType::Array(Box::new(scalar)),
    })
}

fn float(info: &ExactNumberInfo) -> PgResult<ColumnType> {
    let invalid = |message: &str| PgError::new(SqlState::INVALID_PARAMETER_VALUE, message);
    match info {
        ExactNumberInfo::None => Ok(ColumnType::Float8),
        ExactNumberInfo::Precision(0) => Err(invalid("precision for type float must be at least 1 bit")),
        ExactNumberInfo::Precision(1..=24) => Ok(ColumnType::Float4),
        ExactNumberInfo::Precision(25..=53) => Ok(ColumnType::Float8),
        ExactNumberInfo::Precision(_) => Err(invalid("precision for type float must be less than 54 bits")),
        ExactNumberInfo::PrecisionAndScale(..) => {
            Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \",\""))
        }
    }
}

/// Precision and scale of a `numeric` that no lake can store: a value of a query can be so wide.
pub fn wide_numeric(data_type: &DataType) -> Option<(u64, i64)> {
    let (DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info)) = data_type else { return None };
    let (precision, scale) = match info {
        ExactNumberInfo::None => return None,
        ExactNumberInfo::Precision(p) => (*p, 0),
        ExactNumberInfo::PrecisionAndScale(p, s) => (*p, *s),
    };
    let wide = LAKE_NUMERIC_PRECISION_MAX + 1..=POSTGRES_NUMERIC_PRECISION_MAX;
    (wide.contains(&precision) && scale >= 0 && u64::try_from(scale).is_ok_and(|s| s <= precision))
        .then_some((precision, scale))
}

fn numeric(info: &ExactNumberInfo) -> PgResult<ColumnType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => {
            return Ok(ColumnType::Numeric(DEFAULT_NUMERIC.0, DEFAULT_NUMERIC.1));
        }
        ExactNumberInfo::Precision(p) => (*p, 0),
        ExactNumberInfo::PrecisionAndScale(p, s) => (*p, *s),
    };
    if !(1..=POSTGRES_NUMERIC_PRECISION_MAX).contains(&precision) {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("NUMERIC precision {precision} must be between 1 and {POSTGRES_NUMERIC_PRECISION_MAX}"),
        ));
    }
    if !(-1000..=1000).contains(&scale) {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("NUMERIC scale {scale} must be between -1000 and 1000"),
        ));
    }
    let refused =
        |hint: &str| Err(PgError::unsupported(format!("a lake cannot hold numeric({precision},{scale})")).hint(hint));
    if precision > LAKE_NUMERIC_PRECISION_MAX {
        return refused("Use a precision of at most 38, double precision, or text.");
    }
    if scale < 0 {
        return refused("Use a scale of 0 or more.");
    }
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(p), Ok(s)) if i64::from(p) >= scale => Ok(ColumnType::Numeric(p, s)),
        _ => refused("Use a scale not greater than the precision."),
    }
}

fn length(n: Option<&CharacterLength>, name: &str) -> PgResult<Option<u32>> {
    let Some(n) = n else { return Ok(None) };
    let CharacterLength::IntegerLength { length, unit: None } = n else {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{n}\"")));
    };
    let invalid =
        |what: String| PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("length for type {name} {what}"));
    match *length {
        0 => Err(invalid("must be at least 1".into())),
        n if n > LENGTH_MAX => Err(invalid(format!("cannot exceed {LENGTH_MAX}"))),
        n => Ok(u32::try_from(n).ok()),
    }
}

fn timestamp(precision: Option<u64>, zone: &TimezoneInfo) -> ColumnType {
    match zone {
        TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => ColumnType::Timestamp,
        TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => ColumnType::Timestamptz,
    }
    .modified(digits(precision))
}

/// The digits of a second that are kept. A lake's times have microseconds, whatever was declared.
fn digits(precision: Option<u64>) -> Option<i32> {
    // Postgres reduces more than 6 to 6, with a warning.
    precision.map(|digits| i32::try_from(digits).unwrap_or(PRECISION_MAX).min(PRECISION_MAX))
}

/// `interval`, `interval(3)`, `interval day to second(3)`.
pub fn interval(fields: Option<&IntervalFields>, precision: Option<u64>) -> PgResult<ColumnType> {
    use IntervalRange as R;
    let (minute, second) = (R::MINUTE, R::SECOND);
    let range = match fields {
        None => R::ALL,
        Some(IntervalFields::Year) => R::YEAR,
        Some(IntervalFields::Month) => R::MONTH,
        Some(IntervalFields::Day) => R::DAY,
        Some(IntervalFields::Hour) => R::HOUR,
        Some(IntervalFields::Minute) => minute,
        Some(IntervalFields::Second) => second,
        Some(IntervalFields::YearToMonth) => R::YEAR.and(R::MONTH),
        Some(IntervalFields::DayToHour) => R::DAY.and(R::HOUR),
        Some(IntervalFields::DayToMinute) => R::DAY.and(R::HOUR).and(minute),
        Some(IntervalFields::DayToSecond) => R::DAY.and(R::HOUR).and(minute).and(second),
        Some(IntervalFields::HourToMinute) => R::HOUR.and(minute),
        Some(IntervalFields::HourToSecond) => R::HOUR.and(minute).and(second),
        Some(IntervalFields::MinuteToSecond) => minute.and(second),
    };
    if precision.is_some() && !range.has(second) {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"(\""));
    }
    let says_something = fields.is_some() || precision.is_some();
    Ok(ColumnType::Interval.modified(says_something.then(|| modifier::interval(range, digits(precision)))))
}

/// `bit(n)`, one without n; `bit varying(n)`, of any length without.
fn bits(ty: TextType, length: Option<u64>) -> PgResult<ColumnType> {
    let length = length.or((ty == TextType::Bit).then_some(1));
    let invalid = |what: String| {
        let message = format!("length for type {} {what}", ty.internal_name());
        Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message))
    };
    match length {
        Some(0) => invalid("must be at least 1".into()),
        Some(n) if n > BITS_MAX => invalid(format!("cannot exceed {BITS_MAX}")),
        _ => Ok(ColumnType::AsText(ty).modified(length.and_then(|n| i32::try_from(n).ok()))),
    }
}

/// A name that sqlparser does not know as a type: Postgres' internal and quoted names, and everything else.
fn custom(name: &ObjectName, modifiers: &[String]) -> PgResult<ColumnType> {
    let base = builtin(name);
    if base.is_empty() {
        return Err(undefined_object(name));
    }
    let quoted_char = base == "char";
    let number = |index: usize| -> PgResult<Option<i64>> {
        modifiers
            .get(index)
            .map(|m| {
                m.parse().map_err(|_| {
                    PgError::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        "type modifiers must be simple constants or identifiers",
                    )
                })
            })
            .transpose()
    };
    let unsigned = |n: Option<i64>| n.map(|n| u64::try_from(n).unwrap_or(0));
    let first = unsigned(number(0)?);
    let characters = first.map(|length| CharacterLength::IntegerLength { length, unit: None });
    let plain = match base.as_str() {
        "bool" => ColumnType::Bool,
        "int2" => ColumnType::Int2,
        "int4" => ColumnType::Int4,
        "int8" => ColumnType::Int8,
        "float4" => ColumnType::Float4,
        "float8" => ColumnType::Float8,
        "text" => ColumnType::Text,
        "bytea" => ColumnType::Bytea,
        "date" => ColumnType::Date,
        "uuid" => ColumnType::Uuid,
        "json" => ColumnType::Json,
        "money" => ColumnType::Money,
        "timetz" => return Ok(ColumnType::AsText(TextType::Timetz).modified(digits(first))),
        // Without a length the internal names have any.
        "bit" => {
            return if first.is_some() { bits(TextType::Bit, first) } else { Ok(ColumnType::AsText(TextType::Bit)) };
        }
        "varbit" => return bits(TextType::Varbit, first),
        "jsonb" => ColumnType::Jsonb,
        "numeric" => {
            return numeric(&match (first, number(1)?) {
                (None, _) => ExactNumberInfo::None,
                (Some(p), None) => ExactNumberInfo::Precision(p),
                (Some(p), Some(s)) => ExactNumberInfo::PrecisionAndScale(p, s),
            });
        }
        "varchar" => {
            return Ok(ColumnType::Varchar(length(characters.as_ref(), "varchar")?));
        }
        "bpchar" => {
            return match length(characters.as_ref(), "char")? {
                Some(n) => Ok(ColumnType::Char(n)),
                // Without a length it has no limit, but its blanks at the end mean nothing: no type of a lake is like that.
                None => Err(unsupported("bpchar", "char(n) or text")),
            };
        }
        "time" => return Ok(ColumnType::Time.modified(digits(first))),
        "timestamp" => return Ok(ColumnType::Timestamp.modified(digits(first))),
        "timestamptz" => return Ok(ColumnType::Timestamptz.modified(digits(first))),
        "interval" => return interval(None, first),
        "serial" | "serial4" | "bigserial" | "serial8" | "smallserial" | "serial2" => {
            return Err(serial(&base));
        }
        _ if base.starts_with('_') && base.len() > 1 => {
            let element = ObjectName::from(vec![sqlparser::ast::Ident::new(&base[1..])]);
            return match custom(&element, &[]) {
                Ok(ty) => Ok(ColumnType::Array(Box::new(ty))),
                Err(_) => Err(undefined_object(name)),
            };
        }
        _ if modifiers.is_empty() && TextType::of_name(&base).is_some() => {
            return TextType::of_name(&base).map(ColumnType::AsText).ok_or_else(|| undefined_object(name));
        }
        _ if quoted_char => return Err(unsupported("\"char\"", "char(1) or text")),
        _ if POSTGRES_ONLY.contains(&base.as_str()) => {
            return Err(unsupported(&base, substitute(&base)));
        }
        _ => return Err(undefined_object(name)),
    };
    if modifiers.is_empty() {
        Ok(plain)
    } else {
        Err(PgError::new(SqlState::SYNTAX_ERROR, format!("type modifier is not allowed for type \"{base}\"")))
    }
}

/// Types of Postgres that a lake has no values of.
const POSTGRES_ONLY: [&str; 34] = [
    "refcursor",
    "xml",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "tsvector",
    "tsquery",
    "oid",
    "name",
    "regclass",
    "regtype",
    "regproc",
    "regprocedure",
    "regnamespace",
    "regrole",
    "regoper",
    "regoperator",
    "regconfig",
    "regdictionary",
    "regcollation",
    "xid",
    "xid8",
    "cid",
    "tid",
    "int2vector",
    "oidvector",
    "pg_lsn",
    "pg_snapshot",
    "txid_snapshot",
    "jsonpath",
];

fn substitute(name: &str) -> &'static str {
    match name {
        "oid" | "xid" | "xid8" | "cid" | "pg_lsn" => "bigint",
        "point" | "line" | "lseg" | "box" | "path" | "polygon" | "circle" => "double precision columns or text",
        _ => "text",
    }
}

fn unsupported(name: &str, instead: &str) -> PgError {
    PgError::unsupported(format!("type {name} is not supported in a lake")).hint(format!("Use {instead}."))
}

fn serial(name: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))
        .hint("It stands for an integer with a default, in a column's definition only.")
}

/// A type of sqlparser's that is not among a lake's: Postgres' own, or another database's.
fn foreign(ty: &DataType) -> PgError {
    match ty {
        DataType::Regclass => unsupported("regclass", "text"),
        DataType::TsVector => unsupported("tsvector", "text"),
        DataType::TsQuery => unsupported("tsquery", "text"),
        DataType::GeometricType(kind) => {
            unsupported(&kind.to_string().to_lowercase(), "double precision columns or text")
        }
        DataType::Int(Some(_))
        | DataType::Int2(Some(_))
        | DataType::Int4(Some(_))
        | DataType::Int8(Some(_))
        | DataType::Integer(Some(_))
        | DataType::SmallInt(Some(_))
        | DataType::BigInt(Some(_)) => PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"(\""),
        other => {
            let text = other.to_string().to_lowercase();
            let word = text.split(['(', '<', ' ']).next().unwrap_or_default();
            undefined(word).hint(HINT_LAKE)
        }
    }
}

/// The name within `pg_catalog`, folded; empty for a name of another schema.
fn builtin(name: &ObjectName) -> String {
    let parts: Vec<_> = name.0.iter().filter_map(|part| part.as_ident()).collect();
    match parts.as_slice() {
        [only] => fold(only),
        [schema, last] if fold(schema) == "pg_catalog" => match fold(last).as_str() {
            // Not names of types, but grammar: `pg_catalog.integer` does not exist.
            "int" | "integer" | "bigint" | "smallint" | "real" | "decimal" | "boolean" => String::new(),
            folded => folded.to_owned(),
        },
        _ => String::new(),
    }
}

fn undefined_object(name: &ObjectName) -> PgError {
    let parts: Vec<_> = name.0.iter().filter_map(|p| p.as_ident()).map(fold).collect();
    undefined(&parts.join("."))
}

fn fold(ident: &sqlparser::ast::Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// A number as it is written, with its sign turned. Numbers have no zero with a sign: floats alone do.
#[must_use]
pub fn negated(number: &str) -> String {
    let digits = number.split(['e', 'E']).next().unwrap_or_default();
    let is_zero = digits.bytes().all(|byte| matches!(byte, b'0' | b'.' | b'_'));
    if is_zero { number.to_owned() } else { format!("-{number}") }
}

#[cfg(test)]
mod tests;
