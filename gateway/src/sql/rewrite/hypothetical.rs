//! Aggregates of a row that is not there: `rank(3) WITHIN GROUP (ORDER BY x)`.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{Function, OrderByExpr, OrderBySort};

use super::{Ex, Rewriter, call::Arguments};
use crate::wire::error::PgResult;

/// A key of the order beside the value of the row that is not there.
struct Place {
    key: String,
    /// Whether a row's key is before the value; never NULL.
    before: String,
    /// Whether they are equal, or NULL both.
    same: String,
}

impl Rewriter<'_> {
    /// One of `rank`, `dense_rank`, `percent_rank`, `cume_dist`. None: not one of them.
    pub(super) fn hypothetical(
        &mut self,
        name: &str,
        function: &Function,
        args: &Arguments<'_>,
        tail: &str,
        at: Option<u32>,
    ) -> PgResult<Option<Ex>> {
        let order = function.within_group.as_slice();
        if !matches!(name, "rank" | "dense_rank" | "percent_rank" | "cume_dist") || args.values.is_empty() {
            return Ok(None);
        }
        let mut values = Vec::with_capacity(args.values.len());
        for value in &args.values {
            values.push(self.expr(value)?);
        }
        if values.len() != order.len() {
            for key in order {
                values.push(self.expr(&key.expr)?);
            }
            return Err(self.undefined_function(name, &values, at));
        }
        let mut places = Vec::with_capacity(order.len());
        for (value, key) in values.into_iter().zip(order) {
            places.push(self.place_beside(value, key)?);
        }
        self.aggregated = true;
        let (before, upto) = (all_before(&places, "FALSE"), all_before(&places, "TRUE"));
        // FILTER is all that may stand behind.
        let only = tail.strip_prefix(" FILTER (WHERE ").and_then(|t| t.strip_suffix(')'));
        let and = only.map_or_else(String::new, |condition| format!("({condition}) AND "));
        let count = |condition: &str| format!("count(*) FILTER (WHERE {and}{condition})");
        let all = format!("count(*){tail}");
        let (sql, ty) = match name {
            "rank" => (format!("({} + 1)", count(&before)), ColumnType::Int8),
            "dense_rank" => {
                let keys: Vec<&str> = places.iter().map(|p| p.key.as_str()).collect();
                let different = format!("count(DISTINCT row({})) FILTER (WHERE {and}{before})", keys.join(", "));
                (format!("({different} + 1)"), ColumnType::Int8)
            }
            "percent_rank" => {
                let part = format!("CAST({} AS DOUBLE) / NULLIF({all}, 0)", count(&before));
                (format!("COALESCE({part}, 0)"), ColumnType::Float8)
            }
            _ => (format!("(CAST({} + 1 AS DOUBLE) / ({all} + 1))", count(&upto)), ColumnType::Float8),
        };
        Ok(Some(Ex::of(sql, ty)))
    }

    fn place_beside(&mut self, value: Ex, order: &OrderByExpr) -> PgResult<Place> {
        let descending = matches!(order.options.sort, Some(OrderBySort::Desc));
        let nulls_first = order.options.nulls_first.unwrap_or(descending);
        let key = self.expr(&order.expr)?;
        let (key, value) = self.meet_fields(key, value, "<")?;
        let (k, v) = (self.sorted(key), self.sorted(value));
        let (op, first, last) = match (descending, nulls_first) {
            (true, true) => (">", "TRUE", "FALSE"),
            (true, false) => (">", "FALSE", "TRUE"),
            (false, true) => ("<", "TRUE", "FALSE"),
            (false, false) => ("<", "FALSE", "TRUE"),
        };
        let before = format!(
            "(CASE WHEN {k} IS NULL THEN {v} IS NOT NULL AND {first} WHEN {v} IS NULL THEN {last} ELSE {k} {op} {v} END)"
        );
        Ok(Place { before, same: format!("{k} IS NOT DISTINCT FROM {v}"), key: k })
    }
}

/// Whether a row is before the one that is not there; `equal` is the answer for one that is equal.
fn all_before(places: &[Place], equal: &str) -> String {
    places
        .iter()
        .rev()
        .fold(equal.to_owned(), |rest, place| format!("({} OR ({} AND {rest}))", place.before, place.same))
}
