//! The types of parameters: given by the client, or found where they are used.

use std::borrow::Cow;

use duckmesh_catalog::{
    ColumnType,
    types::{DEFAULT_NUMERIC, TextType, oid},
};

use super::{Ex, Kind, NUMERIC, Rewriter};
use crate::{
    pgcatalog::functions,
    sql::{plan::ParamType, quote::HOLE, user_type},
    wire::error::{PgError, PgResult, SqlState},
};

/// The protocol's limit.
const PARAMS_MAX: usize = 65_535;

impl Rewriter<'_> {
    /// `$n`.
    pub fn param(&mut self, text: &str, at: Option<u32>) -> PgResult<Ex> {
        let number = text.strip_prefix('$').and_then(|n| n.parse::<usize>().ok());
        let Some(index) = number.filter(|n| (1..=PARAMS_MAX).contains(n)).map(|n| n - 1) else {
            return Err(
                PgError::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter {text}")).or_position(at)
            );
        };
        self.bounded("parameter")?;
        if self.params.len() <= index {
            self.params.resize(index + 1, None);
        }
        let given = self
            .ctx
            .param_types
            .get(index)
            .filter(|oid| **oid != 0 && **oid != oid::UNKNOWN)
            .and_then(|oid| user_type::of_oid(*oid, self.ctx));
        if let Some(ty) = given
            && let Some(slot) = self.params.get_mut(index)
        {
            *slot = Some(ty);
        }
        let mut known = self.params.get(index).cloned().flatten();
        if let Some(ColumnType::Array(element)) = &known
            && self.ctx.grids.contains(&index)
        {
            known = Some(ColumnType::Grid(element.clone()));
        }
        let sql = self.param_text(index, known.as_ref().unwrap_or(&ColumnType::Text));
        // Its value has the digits that it has.
        if known == Some(ColumnType::Numeric(DEFAULT_NUMERIC.0, DEFAULT_NUMERIC.1)) {
            known = Some(NUMERIC);
        }
        let mut ex = Ex::plain(sql, known.clone()).at(at);
        ex.kind = if known.is_some() { Kind::Typed(index) } else { Kind::Param(index) };
        Ok(ex)
    }

    /// A parameter's text in the query: of a `regclass` and its like the client may give the number or the name.
    pub fn param_text(&mut self, index: usize, ty: &ColumnType) -> String {
        let hole = format!("{HOLE}p{index}{HOLE}");
        match ty {
            ColumnType::System(system) if system.is_named() => {
                self.looked_up(functions::input_of_parameter(system.oid()), "", &[&hole])
            }
            _ => hole,
        }
    }

    /// A parameter is used as a type.
    pub fn param_is(&mut self, index: usize, ty: &ColumnType, at: Option<u32>) -> PgResult<()> {
        let ty = match ty.bare() {
            ColumnType::Numeric(0 | 39.., _) => ColumnType::Numeric(DEFAULT_NUMERIC.0, DEFAULT_NUMERIC.1),
            ColumnType::Other(_) => ColumnType::Text,
            other => other.clone(),
        };
        let Some(slot) = self.params.get_mut(index) else {
            return Ok(());
        };
        match slot {
            None => *slot = Some(ty),
            Some(old) if old.oid() == ty.oid() => {}
            Some(old) => {
                return Err(PgError::new(
                    SqlState::AMBIGUOUS_PARAMETER,
                    format!("inconsistent types deduced for parameter ${}", index + 1),
                )
                .detail(format!("{} versus {}", super::signature::shown(old), super::signature::shown(&ty)))
                .or_position(at));
            }
        }
        Ok(())
    }
}

/// A parameter of which only is asked whether it is NULL: see `SqlPart::Tested`.
pub(super) fn tested(sql: &str) -> Cow<'_, str> {
    let index = sql.strip_prefix(HOLE).and_then(|rest| rest.strip_prefix('p')).and_then(|rest| rest.strip_suffix(HOLE));
    match index {
        Some(index) if index.bytes().all(|b| b.is_ascii_digit()) => Cow::Owned(format!("{HOLE}t{index}{HOLE}")),
        _ => Cow::Borrowed(sql),
    }
}

/// A parameter's hole as what can stand after `IN`; none where it is no such hole.
pub(super) fn listed(sql: &str) -> Option<String> {
    let index = sql.strip_prefix(HOLE)?.strip_prefix('p')?.strip_suffix(HOLE)?;
    index.bytes().all(|b| b.is_ascii_digit()).then(|| format!("{HOLE}l{index}{HOLE}"))
}

/// All parameters' types.
pub(super) fn finish(rewriter: &Rewriter<'_>) -> PgResult<Vec<ParamType>> {
    let given = &rewriter.ctx.param_types;
    let count = rewriter.params.len().max(given.len());
    (0..count)
        .map(|n| {
            let oid_given = given.get(n).copied().unwrap_or(0);
            let found = rewriter.params.get(n).cloned().flatten();
            if oid_given != 0 && oid_given != oid::UNKNOWN {
                let grid = rewriter.ctx.grids.contains(&n);
                let ty = user_type::of_oid(oid_given, rewriter.ctx)
                    .map(|ty| match ty {
                        ColumnType::Array(element) if grid => ColumnType::Grid(element),
                        ty => ty,
                    })
                    .ok_or_else(|| PgError::unsupported(format!("parameters of type {oid_given} are not supported")))?;
                return Ok(described(oid_given, ty));
            }
            match found {
                Some(ty) => Ok(described(ty.oid(), ty)),
                None => Err(PgError::new(
                    SqlState::INDETERMINATE_DATATYPE,
                    format!("could not determine data type of parameter ${}", n + 1),
                )),
            }
        })
        .collect()
}

/// A `regclass` and its like may be given as a name: it is then looked up where it is used.
fn described(oid: u32, ty: ColumnType) -> ParamType {
    ParamType { oid, ty: if oid::is_named(oid) { ColumnType::Text } else { ty } }
}

/// The type of a parameter's oid.
pub(in crate::sql) fn of_oid(number: u32) -> Option<ColumnType> {
    Some(match number {
        oid::BOOL => ColumnType::Bool,
        oid::INT2 => ColumnType::Int2,
        oid::INT4 => ColumnType::Int4,
        oid::INT8 => ColumnType::Int8,
        oid::FLOAT4 => ColumnType::Float4,
        oid::FLOAT8 => ColumnType::Float8,
        oid::NUMERIC => ColumnType::Numeric(DEFAULT_NUMERIC.0, DEFAULT_NUMERIC.1),
        oid::TEXT | oid::BPCHAR | oid::UNKNOWN => ColumnType::Text,
        oid::VARCHAR => ColumnType::Varchar(None),
        oid::BYTEA => ColumnType::Bytea,
        oid::DATE => ColumnType::Date,
        oid::TIME => ColumnType::Time,
        oid::TIMESTAMP => ColumnType::Timestamp,
        oid::TIMESTAMPTZ => ColumnType::Timestamptz,
        oid::INTERVAL => ColumnType::Interval,
        oid::UUID => ColumnType::Uuid,
        oid::JSON => ColumnType::Json,
        oid::JSONB => ColumnType::Jsonb,
        oid::MONEY => ColumnType::Money,
        other if TextType::of_oid(other).is_some() => ColumnType::AsText(TextType::of_oid(other)?),
        other => match ColumnType::system(other) {
            Some(ty) => ty,
            None => ColumnType::Array(Box::new(of_oid(oid::element_of(other)?)?)),
        },
    })
}
