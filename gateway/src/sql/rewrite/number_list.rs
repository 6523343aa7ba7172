//! Arrays of `numeric`: each element keeps its own digits.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{ArrayElemTypeDef, DataType};

use super::{
    Ex, LONG, NUMERIC, Rewriter,
    number::{is_exact, is_long},
};
use crate::{sql::types, value::held::grid::Grid, wire::error::PgResult};

/// Whether it is `numeric` without a scale.
fn is_free(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Numeric(0, _))
}

/// The type that a cast to `numeric[]` names: without a scale, where none is written.
pub(super) fn opened(ty: ColumnType, written: &DataType) -> ColumnType {
    let is_plain = match written {
        DataType::Array(ArrayElemTypeDef::SquareBracket(inner, _)) => types::is_plain_numeric(inner),
        _ => false,
    };
    match ty {
        ColumnType::Array(element) if is_plain && matches!(*element, ColumnType::Numeric(..)) => {
            ColumnType::Array(Box::new(NUMERIC))
        }
        ty => ty,
    }
}

/// Whether numbers of both types in one list would have the digits of one of them.
fn differ(a: &ColumnType, b: &ColumnType) -> bool {
    let numeric = |ty: &ColumnType| matches!(ty, ColumnType::Numeric(..));
    is_exact(a) && is_exact(b) && (numeric(a) || numeric(b)) && a != b
}

impl Rewriter<'_> {
    /// A constant as `numeric[]`. None: of another type, or not of one dimension.
    pub(super) fn constant_numbers(&mut self, text: &str, ty: ColumnType, at: Option<u32>) -> PgResult<Option<Ex>> {
        let ColumnType::Array(element) = ty else { return Ok(None) };
        if !is_free(&element) || !self.has_functions() {
            return Ok(None);
        }
        let grid = Grid::parse(text).map_err(|e| e.or_position(at))?;
        if !grid.is_list() {
            return Ok(None);
        }
        let mut parts = Vec::with_capacity(grid.elements.len());
        for item in grid.elements {
            parts.push(match item {
                Some(text) => {
                    let number = self.constant(&text, &element, at)?;
                    self.long(number)?.sql
                }
                None => "NULL".to_owned(),
            });
        }
        let sql = format!("CAST([{}] AS VARCHAR[])", parts.join(", "));
        Ok(Some(Ex::of(sql, ColumnType::Array(Box::new(LONG))).at(at)))
    }

    /// An array of others as `numeric[]`. None: another cast.
    pub(super) fn cast_to_numbers(&mut self, ex: &Ex, ty: &ColumnType) -> PgResult<Option<Ex>> {
        let (Some(ColumnType::Array(from)), ColumnType::Array(to)) = (&ex.ty, ty) else { return Ok(None) };
        if !is_free(to) || !self.has_functions() || ex.is_unknown() {
            return Ok(None);
        }
        if is_exact(from) {
            return self.long_list(ex.clone()).map(Some);
        }
        let name = format!("g_{}", self.number());
        let each = self.cast(Ex::of(name.clone(), (**from).clone()), to, ex.position)?;
        let each = self.long(each)?;
        let sql = format!("list_transform({}, lambda {name}: {})", ex.sql, each.sql);
        Ok(Some(Ex::of(sql, ColumnType::Array(Box::new(LONG))).at(ex.position)))
    }

    /// A list of exact numbers with the digits of each.
    fn long_list(&mut self, ex: Ex) -> PgResult<Ex> {
        let Some(ColumnType::Array(element)) = ex.ty.clone().filter(|_| !ex.is_unknown()) else { return Ok(ex) };
        if is_long(&element) {
            return Ok(ex);
        }
        let name = format!("g_{}", self.number());
        let each = self.long(Ex::of(name.clone(), *element))?;
        let sql = format!("list_transform({}, lambda {name}: {})", ex.sql, each.sql);
        Ok(Ex::of(sql, ColumnType::Array(Box::new(LONG))).at(ex.position))
    }

    /// Arrays, or an array and an element, that become one list: with the digits of each, where these are not the same.
    pub(super) fn meet_number_lists(&mut self, l: Ex, r: Ex) -> PgResult<(Ex, Ex)> {
        let number = |ex: &Ex| match ex.ty.clone().filter(|_| !ex.is_unknown()) {
            Some(ColumnType::Array(element)) => Some((*element, true)),
            ty => ty.map(|ty| (ty, false)),
        };
        let (Some((a, a_list)), Some((b, b_list))) = (number(&l), number(&r)) else { return Ok((l, r)) };
        if !self.has_functions() || !(a_list || b_list) || !differ(&a, &b) {
            return Ok((l, r));
        }
        let l = if a_list { self.long_list(l)? } else { self.long(l)? };
        let r = if b_list { self.long_list(r)? } else { self.long(r)? };
        Ok((l, r))
    }
}
