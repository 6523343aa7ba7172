//! Elements, slices, members and fields: `a[1]`, `a[1:2]`, `j['k']`, `(row).f`.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{AccessExpr, Expr, Subscript};

use super::{Ex, Rewriter, operator};
use crate::wire::error::{PgError, PgResult, SqlState};

impl Rewriter<'_> {
    /// `a[1]`, `a[1:2]`.
    pub(super) fn access(&mut self, root: &Expr, chain: &[AccessExpr]) -> PgResult<Ex> {
        let at = self.at_expr(root);
        // `t.a[1]`: the parser sees a value `t` with a field.
        let mut name = match root {
            Expr::Identifier(ident) => vec![ident.clone()],
            _ => Vec::new(),
        };
        if !name.is_empty() {
            name.extend(chain.iter().map_while(|access| match access {
                AccessExpr::Dot(Expr::Identifier(ident)) => Some(ident.clone()),
                _ => None,
            }));
        }
        let (mut ex, chain) = match name.len() {
            0 | 1 => (self.expr(root)?, chain),
            parts => (self.qualified_column(&name)?, chain.get(parts - 1..).unwrap_or_default()),
        };
        if let Some(ex) = self.grid_access(&ex, chain)? {
            return Ok(ex.at(at));
        }
        for access in chain {
            let AccessExpr::Subscript(subscript) = access else {
                ex = self.row_field(ex, access, at)?;
                continue;
            };
            let json = matches!(ex.ty, Some(ColumnType::Json | ColumnType::Jsonb));
            ex = match subscript {
                subscript if json => self.json_subscript(ex, subscript)?,
                Subscript::Index { index } => {
                    let at_index = self.at_expr(index);
                    let index = self.expr(index)?;
                    let index = self.settle(index, &ColumnType::Int4)?;
                    if index.ty.as_ref().is_some_and(|ty| !operator::is_number(ty)) {
                        let message = "array subscript must have type integer";
                        return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).or_position(at_index));
                    }
                    if let Some(character) = super::system_call::character_of_name(&ex, &index) {
                        ex = character;
                        continue;
                    }
                    let element = match &ex.ty {
                        Some(ColumnType::Array(element)) => Some((**element).clone()),
                        Some(other) => {
                            return Err(PgError::new(
                                SqlState::DATATYPE_MISMATCH,
                                format!(
                                    "cannot subscript type {} because it does not support subscripting",
                                    super::signature::shown(other)
                                ),
                            )
                            .or_position(at));
                        }
                        None => None,
                    };
                    // Vectors count from 0.
                    let from = i64::from(!super::vector::is_vector(&ex));
                    // The engine counts negative ones from the end; Postgres gives NULL.
                    let sql = match super::set::integer(subscript_index(subscript)) {
                        Some(n) if n >= from => format!("({})[{}]", ex.sql, n.saturating_add(1 - from)),
                        _ => {
                            format!("({})[CASE WHEN {i} >= {from} THEN {i} + {} END]", ex.sql, 1 - from, i = index.sql)
                        }
                    };
                    Ex::plain(sql, element)
                }
                Subscript::Slice { lower_bound, upper_bound, stride: None } => {
                    // What is below the first element is none; the engine counts it from the last.
                    let bound = |r: &mut Self, e: &Option<Expr>, least: i32| match e {
                        Some(e) => {
                            let ex = r.expr(e)?;
                            let sql = r.settle(ex, &ColumnType::Int4)?.sql;
                            Ok(match sql.bytes().all(|b| b.is_ascii_digit()) && sql != "0" {
                                true => sql,
                                false => format!("(CASE WHEN {sql} < {least} THEN {least} ELSE {sql} END)"),
                            })
                        }
                        None => PgResult::Ok(String::new()),
                    };
                    let from = i32::from(!super::vector::is_vector(&ex));
                    let low = bound(self, lower_bound, from)?;
                    let high = bound(self, upper_bound, from - 1)?;
                    if let Some(slice) = super::vector::slice(&ex, &low, &high) {
                        ex = slice;
                        continue;
                    }
                    Ex::plain(format!("({})[{low}:{high}]", ex.sql), ex.ty.clone())
                }
                Subscript::Slice { .. } => return self.refuse("a stride in a slice", at),
            };
        }
        Ok(ex)
    }
}

fn subscript_index(subscript: &Subscript) -> &Expr {
    match subscript {
        Subscript::Index { index } => index,
        Subscript::Slice { .. } => &NOTHING,
    }
}

static NOTHING: Expr = Expr::Tuple(Vec::new());
