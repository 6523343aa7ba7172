//! Arrays of `numeric` that become one: each element keeps its own digits.

use duckmesh_catalog::ColumnType;

use super::{
    Ex, LONG, Rewriter,
    number::{is_exact, is_long},
};
use crate::wire::error::PgResult;

/// Whether numbers of both types in one list would have the digits of one of them.
fn differ(a: &ColumnType, b: &ColumnType) -> bool {
    let numeric = |ty: &ColumnType| matches!(ty, ColumnType::Numeric(..));
    is_exact(a) && is_exact(b) && (numeric(a) || numeric(b)) && a != b
}

impl Rewriter<'_> {
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
