//! Aggregates of a row that is not there: `rank(3) WITHIN GROUP (ORDER BY x)`.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{Function, OrderBySort};

use super::{Ex, Rewriter, call::Arguments};
use crate::wire::error::PgResult;

impl Rewriter<'_> {
    /// One of `rank`, `dense_rank`, `percent_rank`, `cume_dist`. None: not one of them.
    pub(super) fn hypothetical(
        &mut self,
        name: &str,
        function: &Function,
        args: &Arguments<'_>,
        tail: &str,
    ) -> PgResult<Option<Ex>> {
        let ([value], [order]) = (args.values.as_slice(), function.within_group.as_slice()) else { return Ok(None) };
        if !matches!(name, "rank" | "dense_rank" | "percent_rank" | "cume_dist") || !tail.is_empty() {
            return Ok(None);
        }
        let (key, value) = (self.expr(&order.expr)?, self.expr(value)?);
        let before = match order.options.sort {
            Some(OrderBySort::Desc) => ">",
            _ => "<",
        };
        let (key, value) = self.meet(key, value, before)?;
        let (k, v) = (key.sql, value.sql);
        self.aggregated = true;
        let lower = format!("count(*) FILTER (WHERE {k} {before} {v})");
        let (sql, ty) = match name {
            "rank" => (format!("({lower} + 1)"), ColumnType::Int8),
            "dense_rank" => {
                (format!("(count(DISTINCT CASE WHEN {k} {before} {v} THEN {k} END) + 1)"), ColumnType::Int8)
            }
            "percent_rank" => {
                (format!("COALESCE(CAST({lower} AS DOUBLE) / NULLIF(count(*), 0), 0)"), ColumnType::Float8)
            }
            _ => {
                let upto = format!("count(*) FILTER (WHERE {k} {before}= {v})");
                (format!("(CAST({upto} + 1 AS DOUBLE) / (count(*) + 1))"), ColumnType::Float8)
            }
        };
        Ok(Some(Ex::of(sql, ty)))
    }
}
