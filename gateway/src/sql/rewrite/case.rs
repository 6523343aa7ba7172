//! CASE, and NULLIF, which is one.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{CaseWhen, Expr};

use super::{
    NUMERIC, Rewriter,
    expr::Ex,
    number::is_exact,
    operator::{comparable, is_int, is_text},
    scale,
};
use crate::wire::error::PgResult;

impl Rewriter<'_> {
    /// NULLIF's arguments as `=` takes them, the first of which it gives: `nullif(1, 2.5)` is a `numeric`.
    ///
    /// # Errors
    /// When there is no `=` of such values.
    pub(super) fn equated(&mut self, values: &mut [Ex], at: Option<u32>) -> PgResult<()> {
        use ColumnType as T;
        let [a, b] = values else { return Ok(()) };
        let typed = |ex: &Ex| ex.ty.clone().filter(|_| !ex.is_unknown());
        let (left, right) = (typed(a), typed(b));
        if let (Some(l), Some(r)) = (&left, &right)
            && !comparable(l, r)
        {
            return Err(self.undefined_operator("=", Some(l), Some(r), at));
        }
        let to = match (left, right) {
            (Some(l), Some(T::Float4 | T::Float8)) if is_exact(&l) => T::Float8,
            (Some(l), Some(T::Numeric(..))) if is_int(&l) => NUMERIC,
            (Some(T::Varchar(_)), None) => T::Text,
            (Some(T::Varchar(_)), Some(r)) if is_text(&r) && !matches!(r, T::Char(_)) => T::Text,
            _ => return Ok(()),
        };
        *a = self.cast(a.clone(), &to, at)?;
        Ok(())
    }

    /// `CASE … END`.
    pub(super) fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        else_result: Option<&Expr>,
    ) -> PgResult<Ex> {
        let outer = self.sets_barred.replace(("CASE", self.scopes.len()));
        let ex = self.case_here(operand, conditions, else_result);
        self.sets_barred = outer;
        ex
    }

    fn case_here(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        else_result: Option<&Expr>,
    ) -> PgResult<Ex> {
        let mut whens = Vec::new();
        let mut results = Vec::new();
        let operand = match operand {
            Some(operand) => {
                let ex = self.expr(operand)?;
                Some(self.settle_unknown(ex, &ColumnType::Text)?)
            }
            None => None,
        };
        for when in conditions {
            whens.push(match &operand {
                Some(operand) => {
                    let value = self.expr(&when.condition)?;
                    let (l, r) = self.meet(operand.clone(), value, "=")?;
                    format!("({} = {})", l.sql, r.sql)
                }
                None => self.condition(&when.condition, "CASE/WHEN")?,
            });
            results.push(self.expr(&when.result)?);
        }
        if let Some(expr) = else_result {
            results.push(self.expr(expr)?);
        }
        // As Postgres does: what ELSE gives is looked at first.
        let otherwise = else_result.as_ref().and_then(|_| results.pop());
        results.splice(0..0, otherwise);
        let ty = self.unify(&mut results, "CASE")?;
        // What is left out is NULL, which has no modifier.
        let ty = match else_result {
            None => ty.map(|ty| scale::without_modifier(ty.split().0)),
            Some(_) => ty,
        };
        if else_result.is_some() {
            results.rotate_left(1);
        }
        if let Some(ex) = self.chosen(&results, |results| written(&whens, results)) {
            return Ok(Ex { ty, ..ex });
        }
        let texts: Vec<String> = results.into_iter().map(|ex| ex.sql).collect();
        Ok(Ex::plain(written(&whens, &texts), ty))
    }
}

/// The text; one result more than conditions is that of ELSE.
fn written(whens: &[String], results: &[String]) -> String {
    let mut sql = "(CASE".to_owned();
    for (when, then) in whens.iter().zip(results) {
        sql.push_str(&format!(" WHEN {when} THEN {then}"));
    }
    if let Some(otherwise) = results.get(whens.len()) {
        sql.push_str(&format!(" ELSE {otherwise}"));
    }
    sql.push_str(" END)");
    sql
}
