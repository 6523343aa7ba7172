//! DEFAULT: constants in the lake's text form, anything else as an expression.

use duckmesh_catalog::{ColumnType, schema::DefaultValue, types::oid};
use sqlparser::ast::{CastKind, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, UnaryOperator, Value};

use uuid::Uuid;

use super::{Planner, column::type_name, place};
use crate::{
    pgcatalog::definitions::{self, Seen},
    sql::{
        check, default,
        plan::{DefaultProgram, PlanContext},
        sequence, types, user_type,
    },
    value::{ColumnBuilder, ValueContext, lake_text},
    wire::error::{PgError, PgResult, SqlState},
};

/// A constant as it was written.
#[derive(Clone, Debug, PartialEq)]
enum Constant {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
}

impl Planner<'_> {
    /// The default of a column that may be of a domain: NULL stands against the domain's own.
    pub(super) fn default_over(
        &mut self,
        expr: &Expr,
        column: &str,
        ty: &ColumnType,
        domain: Option<Uuid>,
    ) -> PgResult<Option<DefaultValue>> {
        let found = self.default(expr, column, ty)?;
        let null = domain.map(|_| DefaultValue::Expression(format!("NULL::{}", type_name(ty))));
        Ok(found.or(null))
    }

    /// A column's default; none for NULL.
    pub(super) fn default(&mut self, expr: &Expr, column: &str, ty: &ColumnType) -> PgResult<Option<DefaultValue>> {
        let at = place::of_span(self.text, expr.span());
        if let Some(name) = nextval(expr) {
            let sequence = sequence::resolve(&name, &self.ctx.schema, &self.ctx.search_path)?;
            let space = self.ctx.schema.schema_name(sequence.schema_id).unwrap_or_default();
            return Ok(Some(DefaultValue::Expression(sequence::default_text(space, &sequence.name))));
        }
        // What a name stands for is looked up when the default is computed.
        let named = matches!(ty, ColumnType::System(system) if system.is_named());
        let looked_up = |constant: &Constant| match constant {
            Constant::Null => false,
            // A cast of its own says which numbers are an oid.
            Constant::Number(number) => named || ty.oid() == oid::OID && number_type(number) != "numeric",
            Constant::Bool(_) | Constant::Text(_) => named,
        };
        match constant(expr, ty, self.ctx).filter(|constant| !looked_up(constant)) {
            Some(Constant::Null) => Ok(None),
            Some(constant) => match assign(&constant, column, ty, &self.ctx.values) {
                Ok(text) => {
                    let shown = definitions::default(&DefaultValue::Literal(text.clone()), ty, &Seen::default());
                    let written = written(&constant, ty).filter(|written| *written != shown);
                    let written = written.or(self.unfitted(&constant, ty, &text)?);
                    Ok(Some(match written {
                        Some(expression) => DefaultValue::Expression(expression),
                        None => DefaultValue::Literal(text),
                    }))
                }
                // As in Postgres, a constant that only its column's modifier or width refuses fails where it is used.
                Err(error) => match self.too_large(&constant, ty, &error) {
                    Some(expression) => Ok(Some(DefaultValue::Expression(expression))),
                    None => Err(error.or_position(at_unless_mismatch(&constant, at))),
                },
            },
            None => {
                let sql = user_type::stored(expr, self.ctx);
                if sql.to_ascii_lowercase().contains("nextval(") {
                    return self.default_of_numbers(&sql, ty).map(Some).map_err(|e| e.or_position(at));
                }
                let program = default::compile(&sql, ty, self.ctx).map_err(|e| match at {
                    // It counts from the expression's start.
                    Some(at) => e.position(at),
                    None => e,
                })?;
                Ok(match program {
                    DefaultProgram::Null => None,
                    DefaultProgram::Constant(text) if number_of_cast(expr, self.ctx).is_none() => {
                        Some(DefaultValue::Literal(text))
                    }
                    _ => Some(DefaultValue::Expression(sql)),
                })
            }
        }
    }

    /// A constant that its column's modifier changes: in each row, and it is shown as it was written.
    fn unfitted(&self, constant: &Constant, ty: &ColumnType, fitted: &str) -> PgResult<Option<String>> {
        let (Constant::Text(text), ColumnType::Modified(bare, _)) = (constant, ty) else { return Ok(None) };
        // A number without a unit is what the fields say.
        if **bare == ColumnType::Interval {
            return Ok(None);
        }
        let whole = to_lake_text(text, bare, &self.ctx.values)?;
        Ok((whole != fitted).then(|| format!("'{}'::{bare}", text.replace('\'', "''"))))
    }

    /// A constant that is one of its column's type, and too long or too large for the column: as it was written.
    fn too_large(&self, constant: &Constant, ty: &ColumnType, error: &PgError) -> Option<String> {
        if !matches!(error.code(), SqlState::STRING_DATA_RIGHT_TRUNCATION | SqlState::NUMERIC_VALUE_OUT_OF_RANGE) {
            return None;
        }
        let text = match constant {
            Constant::Number(number) => return number_as_written(number),
            Constant::Text(text) => text,
            Constant::Null | Constant::Bool(_) => return None,
        };
        let quoted = |name: &str| format!("'{}'::{name}", text.replace('\'', "''"));
        match ty {
            ColumnType::Varchar(Some(_)) => Some(quoted("character varying")),
            ColumnType::Char(_) => Some(quoted("bpchar")),
            ColumnType::Numeric(1.., _) => is_decimal(text.trim()).then(|| quoted("numeric")),
            ColumnType::Modified(bare, _) => {
                to_lake_text(text, bare, &self.ctx.values).ok().map(|_| quoted(&bare.to_string()))
            }
            _ => None,
        }
    }

    /// A default that computes with numbers of sequences: their schemas are named, as where a number stands alone.
    fn default_of_numbers(&self, sql: &str, ty: &ColumnType) -> PgResult<DefaultValue> {
        let (mut text, names) = sequence::without_numbers(sql)?;
        check::compile_with_numbers(&text, names.len(), ty, self.ctx)?;
        for (index, name) in names.iter().enumerate() {
            let sequence = sequence::resolve(name, &self.ctx.schema, &self.ctx.search_path)?;
            let space = self.ctx.schema.schema_name(sequence.schema_id).unwrap_or_default();
            let call = sequence::default_text(space, &sequence.name);
            text = text.replacen(&sequence::number_column(index), &call, 1);
        }
        Ok(DefaultValue::Expression(text))
    }
}

/// The sequence's name where the expression is `nextval('name')`.
pub(in crate::sql) fn nextval(expr: &Expr) -> Option<String> {
    let call = match expr {
        Expr::Nested(inner) => return nextval(inner),
        Expr::Function(call) => call,
        _ => return None,
    };
    let name = call.name.0.last()?.as_ident()?;
    let FunctionArguments::List(list) = &call.args else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))] = list.args.as_slice() else { return None };
    if !name.value.eq_ignore_ascii_case("nextval") {
        return None;
    }
    let mut arg = arg;
    while let Expr::Cast { expr, .. } = arg {
        arg = expr;
    }
    match arg {
        Expr::Value(value) => crate::sql::rewrite::string_of(&value.value),
        _ => None,
    }
}

/// A constant has the position of its text only where the text itself is wrong.
fn at_unless_mismatch(constant: &Constant, at: Option<u32>) -> Option<u32> {
    matches!(constant, Constant::Text(_)).then_some(at).flatten()
}

/// The constant an expression is; none where it must be computed. A cast to the column's own type says nothing more.
fn constant(expr: &Expr, ty: &ColumnType, ctx: &PlanContext) -> Option<Constant> {
    match expr {
        Expr::Nested(inner) => constant(inner, ty, ctx),
        Expr::Value(value) => match &value.value {
            Value::Null => Some(Constant::Null),
            Value::Boolean(b) => Some(Constant::Bool(*b)),
            Value::Number(n, _) => Some(Constant::Number(n.clone())),
            Value::SingleQuotedString(s) | Value::EscapedStringLiteral(s) => Some(Constant::Text(s.clone())),
            Value::DollarQuotedString(s) => Some(Constant::Text(s.value.clone())),
            _ => None,
        },
        Expr::UnaryOp { op, expr } => match (op, constant(expr, ty, ctx)?) {
            (UnaryOperator::Minus, Constant::Number(n)) if !n.starts_with('-') => {
                Some(Constant::Number(format!("-{n}")))
            }
            (UnaryOperator::Plus, Constant::Number(n)) => Some(Constant::Number(n)),
            _ => None,
        },
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, .. } => {
            let target = user_type::resolve(data_type, ctx).ok()?.ty;
            // A cast cuts what is too long, an assignment refuses it: varchar(n) and char(n) are computed.
            let exact = !matches!(target, ColumnType::Varchar(Some(_)) | ColumnType::Char(_));
            match constant(expr, ty, ctx)? {
                Constant::Null => Some(Constant::Null),
                text @ Constant::Text(_) if exact && (target == *ty || is_text(&target) && is_text(ty)) => Some(text),
                _ => None,
            }
        }
        Expr::TypedString(typed) => {
            let target = user_type::resolve(&typed.data_type, ctx).ok()?.ty;
            match &typed.value.value {
                Value::SingleQuotedString(s) if target == *ty => Some(Constant::Text(s.clone())),
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_number(ty: &ColumnType) -> bool {
    use ColumnType as T;
    matches!(ty, T::Int2 | T::Int4 | T::Int8 | T::Numeric(..) | T::Float4 | T::Float8)
}

fn is_text(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Text | ColumnType::Varchar(_) | ColumnType::Char(_))
}

/// Assigns a constant to a column as INSERT would, and gives the lake's text of it.
fn assign(constant: &Constant, column: &str, ty: &ColumnType, ctx: &ValueContext) -> PgResult<String> {
    let text = match constant {
        Constant::Null => String::new(),
        Constant::Text(text) => text.clone(),
        Constant::Bool(value) if matches!(ty, ColumnType::Bool) || is_text(ty) => value.to_string(),
        Constant::Bool(_) => return Err(mismatch(column, ty, "boolean")),
        Constant::Number(number) => match ty {
            ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 => whole(number),
            ColumnType::Float4 | ColumnType::Float8 | ColumnType::Numeric(..) | ColumnType::Money => {
                number.strip_prefix('-').map_or_else(|| number.clone(), types::negated)
            }
            _ if is_text(ty) => number.clone(),
            _ => return Err(mismatch(column, ty, number_type(number))),
        },
    };
    to_lake_text(&text, ty, ctx).map_err(|error| match (constant, ty) {
        // A number is cast, not read: the cast has words of its own.
        (Constant::Number(_), ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8)
            if error.code() == SqlState::NUMERIC_VALUE_OUT_OF_RANGE =>
        {
            PgError::new(error.code(), format!("{ty} out of range"))
        }
        _ => error,
    })
}

/// Whether a default is NULL, of whatever type.
pub(in crate::sql) fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(expr) | Expr::Cast { expr, .. } => is_null(expr),
        Expr::Value(value) => matches!(value.value, Value::Null),
        _ => false,
    }
}

/// The value of a default that is a number or a text, in the lake's text form; none where it is computed, or does not fit.
pub(in crate::sql) fn fixed(expr: &Expr, ty: &ColumnType, ctx: &PlanContext) -> Option<String> {
    if !(is_number(ty) || is_text(ty)) {
        return None;
    }
    match constant(expr, ty, ctx).or_else(|| number_of_cast(expr, ctx))? {
        Constant::Null => None,
        constant => assign(&constant, "", ty, &ctx.values).ok(),
    }
}

/// `'-1'::integer` as a number.
fn number_of_cast(expr: &Expr, ctx: &PlanContext) -> Option<Constant> {
    let Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, .. } = expr else { return None };
    let Expr::Value(value) = expr.as_ref() else { return None };
    let text = crate::sql::rewrite::string_of(&value.value)?;
    let fits = match user_type::resolve(data_type, ctx).ok()?.ty {
        ColumnType::Int2 => text.parse::<i16>().is_ok(),
        ColumnType::Int4 => text.parse::<i32>().is_ok(),
        ColumnType::Int8 => text.parse::<i64>().is_ok(),
        ColumnType::Numeric(..) => types::is_plain_numeric(data_type) && is_decimal(&text),
        _ => false,
    };
    fits.then_some(Constant::Number(text))
}

/// A constant as Postgres shows it: with the type that it has by itself, not its column's. None: nothing is known here.
fn written(constant: &Constant, ty: &ColumnType) -> Option<String> {
    match constant {
        Constant::Number(number) if is_number(ty) || is_text(ty) => number_as_written(number),
        Constant::Text(text) if is_number(ty) => {
            let text = text.trim();
            let name = match ty {
                ColumnType::Int2 => "smallint",
                ColumnType::Int4 => return number_as_written(&text.parse::<i32>().ok()?.to_string()),
                ColumnType::Int8 => "bigint",
                ColumnType::Float8 | ColumnType::Float4 if text.parse::<f64>().ok()?.to_string() != text => {
                    return None;
                }
                ColumnType::Float8 => "double precision",
                ColumnType::Float4 => "real",
                _ if text.contains('.') && !text.starts_with('-') => return number_as_written(text),
                _ => "numeric",
            };
            is_decimal(text).then(|| format!("'{text}'::{name}"))
        }
        _ => None,
    }
}

/// A number as Postgres shows it; none for forms that it writes otherwise.
fn number_as_written(number: &str) -> Option<String> {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let zeros = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if !is_decimal(digits) || zeros || digits.starts_with('.') || digits.ends_with('.') {
        return None;
    }
    let ty = number_type(number);
    let plain = digits == number && (ty == "integer" || digits.contains('.'));
    Some(if plain { number.to_owned() } else { format!("'{number}'::{ty}") })
}

/// Whether a text is digits, with a sign and a point at most.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.bytes().filter(|b| *b == b'.').count() <= 1
}

/// A value in Postgres' text form as the lake's text.
pub(super) fn to_lake_text(text: &str, ty: &ColumnType, ctx: &ValueContext) -> PgResult<String> {
    let mut builder = ColumnBuilder::new(ty, 1)?;
    builder.append_text(text.as_bytes(), ctx)?;
    let array = builder.finish();
    lake_text(ty, &array, 0)?.ok_or_else(|| PgError::internal("a default that is not NULL became NULL"))
}

fn mismatch(column: &str, ty: &ColumnType, given: &str) -> PgError {
    PgError::new(
        SqlState::DATATYPE_MISMATCH,
        format!("column \"{column}\" is of type {} but default expression is of type {given}", type_name(ty)),
    )
    .hint("You will need to rewrite or cast the expression.")
}

/// The type Postgres gives a number.
fn number_type(number: &str) -> &'static str {
    if number.parse::<i32>().is_ok() {
        "integer"
    } else if number.parse::<i64>().is_ok() {
        "bigint"
    } else {
        "numeric"
    }
}

/// A number assigned to an integer: rounded half away from zero, as numeric is. What is not simple stays as it is and
/// fails as text.
fn whole(number: &str) -> String {
    let Some((integer, fraction)) = number.split_once('.') else {
        return number.to_owned();
    };
    let plain = fraction.bytes().all(|b| b.is_ascii_digit());
    let Ok(value) = format!("{integer}0").parse::<i128>() else {
        return number.to_owned();
    };
    if !plain {
        return number.to_owned();
    }
    let up = fraction.bytes().next().is_some_and(|b| b >= b'5');
    let sign = if integer.starts_with('-') { -1 } else { 1 };
    (value / 10 + if up { sign } else { 0 }).to_string()
}
