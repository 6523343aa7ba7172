//! The different values of a group, in their order: `array_agg(DISTINCT x)` and aggregates over values that are equal though
//! their texts differ.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::Expr;

use super::{Ex, Rewriter, aggregate::names_column, call::Arguments};
use crate::wire::error::PgResult;

/// The order that Postgres' sort for DISTINCT leaves.
const ASCENDING: &str = " NULLS LAST";

impl Rewriter<'_> {
    /// `array_agg` and `string_agg` of what is different. None: another aggregate, or an order of more than the values.
    ///
    /// Sorted as a list: inside of the call the engine wants the argument itself behind ORDER BY, and does not know it again
    /// where it is a function of ours.
    pub(super) fn distinct_aggregate(
        &mut self,
        name: &str,
        args: &Arguments<'_>,
        values: &[Ex],
        tail: &str,
        at: Option<u32>,
    ) -> PgResult<Option<Ex>> {
        let options = match args.order_by {
            [] => ASCENDING.to_owned(),
            [key] if args.values.first().is_some_and(|value| **value == key.expr) => {
                self.order_options(&key.options, key.with_fill.is_some(), at)?
            }
            _ => return Ok(None),
        };
        let is_constant = |expr: Option<&&Expr>| expr.is_some_and(|expr| !names_column(expr));
        Ok(match (name, values) {
            ("array_agg", [value]) if !value.is_unknown() => {
                let Some(ty) = value.ty.clone().filter(|ty| !matches!(ty, ColumnType::Array(_) | ColumnType::Grid(_)))
                else {
                    return Ok(None);
                };
                let list = self.distinct_list(value, &options, tail);
                Some(Ex::of(list, ColumnType::Array(Box::new(ty))))
            }
            ("string_agg", [value, between]) if self.has_functions() && is_constant(args.values.get(1)) => {
                if !value.ty.as_ref().is_some_and(super::operator::is_text) {
                    return Ok(None);
                }
                let between = self.settle(between.clone(), &ColumnType::Text)?.sql;
                let list = self.distinct_list(value, &options, tail);
                let sql = format!(
                    "list_transform([list_filter({list}, lambda v: v IS NOT NULL)], \
                     lambda l: CASE WHEN len(l) > 0 THEN pg_joined(l, COALESCE({between}, '')) END)[1]"
                );
                Some(Ex::of(sql, ColumnType::Text))
            }
            _ => None,
        })
    }

    /// The list, with one of those that are equal.
    pub(super) fn distinct_list(&self, ex: &Ex, options: &str, tail: &str) -> String {
        let x = &ex.sql;
        let direction = if options.contains(" DESC") { "DESC" } else { "ASC" };
        let first = options.ends_with(" NULLS FIRST");
        let key = self.sorted(ex.clone());
        if key == *x {
            let nulls = if first { "NULLS FIRST" } else { "NULLS LAST" };
            return format!("list_sort(list(DISTINCT {x}){tail}, '{direction}', '{nulls}')");
        }
        // NULLs are where they are asked for, by the first field.
        let not = if first == (direction == "DESC") { "" } else { " NOT" };
        let entry = format!("{{'n': ({x}) IS{not} NULL, 'k': {key}, 'v': {x}}}");
        let key_of = |entry: &str| format!("struct_extract({entry}, 'k')");
        format!(
            "list_transform([list_sort(list(DISTINCT {entry}){tail}, '{direction}', 'NULLS LAST')], \
             lambda l: list_transform(list_filter(l, lambda p, i: i = 1 OR {} IS DISTINCT FROM {}), \
             lambda p: struct_extract(p, 'v')))[1]",
            key_of("p"),
            key_of("l[i - 1]")
        )
    }

    /// The different values of exact numbers as one text, for functions over all of them.
    pub(super) fn distinct_texts(&self, ex: &Ex, tail: &str) -> String {
        format!("NULLIF(array_to_string({}, ','), '')", self.distinct_list(ex, ASCENDING, tail))
    }
}
