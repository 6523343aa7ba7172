//! Calls of aggregates and of windows.

use std::ops::ControlFlow;

use duckmesh_catalog::{ColumnType, types::oid};
use sqlparser::ast::{Expr, Function, NullTreatment, OrderByExpr, visit_expressions};

use super::{
    Ex, Kind, Rewriter,
    call::{Arguments, is_aggregate, wrapped},
    functions::{AGGREGATES, ORDERED_SETS, SCALARS, WINDOWS},
    scale::{self, is_mixed, without_modifier},
    select::is_literal,
    signature,
};
use crate::sql::quote::HOLE;
use crate::wire::error::{PgError, PgResult, SqlState};

/// The arguments of an aggregate, as a clause that takes no aggregates.
pub(super) const NESTED: &str = "an aggregate";

/// The type of a sum of exact numbers: it has their digits.
fn summed(name: &str, values: &[Ex]) -> Option<ColumnType> {
    let [value] = values else { return None };
    match (name, value.ty.as_ref()?) {
        // There are none of names and `varchar`: they are texts for them.
        ("min" | "max", ColumnType::Varchar(_)) => Some(ColumnType::Text),
        ("min" | "max", ty) if Some(ty) == ColumnType::system(oid::NAME).as_ref() => Some(ColumnType::Text),
        ("sum", ColumnType::Int8) => Some(scale::computed(0)),
        ("sum", ColumnType::Numeric(1.., _)) => Some(scale::scale_of(value).map_or(super::NUMERIC, scale::computed)),
        _ => None,
    }
}

/// The interval at a fraction of all: between two of them a part of what is between them.
fn interval_between(x: &str, key: &str, direction: &str, fraction: &str, tail: &str) -> Ex {
    let place = format!("(CAST({fraction} AS DOUBLE) * (len(l) - 1))");
    let (low, high) = (format!("l[CAST(floor{place} AS BIGINT) + 1]"), format!("l[CAST(ceil{place} AS BIGINT) + 1]"));
    let part = format!("CAST({place} - floor{place} AS VARCHAR)");
    let step = format!("CAST(pg_interval_times(pg_interval_parts({high} - {low}), {part}) AS INTERVAL)");
    // By what they are worth: in an aggregate the engine orders them by their months first.
    let all = format!("list_filter(list({x} ORDER BY {key}{direction}){tail}, lambda v: v IS NOT NULL)");
    let of_list = format!("CASE WHEN len(l) > 0 THEN {low} + {step} END");
    Ex::of(format!("list_transform([{all}], lambda l: {of_list})[1]"), ColumnType::Interval)
}

/// The value that is there most often, where values are equal by a key: one of those whose key that is.
fn keyed_mode(x: &str, key: &str, direction: &str, tail: &str) -> String {
    let pair = format!("CASE WHEN {x} IS NOT NULL THEN {{'k': {key}, 'v': {x}}} END");
    let most = format!("mode({key} ORDER BY {key}{direction}){tail}");
    format!(
        "list_transform([{{'m': {most}, 'l': list({pair}){tail}}}], \
         lambda s: struct_extract(list_filter(struct_extract(s, 'l'), \
         lambda p: struct_extract(p, 'k') = struct_extract(s, 'm'))[1], 'v'))[1]"
    )
}

/// A sum of floats that is infinite although no value was: the engine goes on with it, Postgres fails.
fn finite_sum(sum: &str, x: &str, tail: &str) -> String {
    format!(
        "(CASE WHEN isinf({sum}) AND NOT bool_or(isinf({x})){tail} THEN error('SQLSTATE 22003: value out of range: overflow') \
         ELSE {sum} END)"
    )
}

/// Whether an expression is another one for another row.
pub(super) fn names_column(expr: &Expr) -> bool {
    visit_expressions(expr, |part| match part {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Subquery(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// The value at a fraction of all, or those at several, where the fraction is a column or a parameter: the engine takes constants only.
fn place_in_list(name: &str, x: &str, direction: &str, fraction: &str, many: bool, tail: &str) -> String {
    let all = format!("list_filter(list({x} ORDER BY {x}{direction}){tail}, lambda v: v IS NOT NULL)");
    let checked = "(CASE WHEN f < 0 OR f > 1 \
         THEN error('SQLSTATE 22003: percentile value ' || f || ' is not between 0 and 1') ELSE f END)";
    let of_list = match name {
        "percentile_cont" => {
            let place = format!("({checked} * (len(l) - 1))");
            let low = format!("l[CAST(floor{place} AS BIGINT) + 1]");
            let high = format!("l[CAST(ceil{place} AS BIGINT) + 1]");
            format!("{low} + ({high} - {low}) * ({place} - floor{place})")
        }
        _ => format!("l[greatest(CAST(ceil({checked} * len(l)) AS BIGINT), 1)]"),
    };
    let fractions = if many { fraction.to_owned() } else { format!("[{fraction}]") };
    let places = format!("list_transform({fractions}, lambda f: CASE WHEN f IS NOT NULL THEN {of_list} END)");
    let found = format!("list_transform([{all}], lambda l: CASE WHEN len(l) > 0 THEN {places} END)[1]");
    if many { found } else { format!("({found})[1]") }
}

/// Two arguments of which either is not finite: what that makes of the whole.
fn finite_pair(called: &str, texts: &[&str], distinct: &str, tail: &str) -> Option<(String, String)> {
    let [y, x] = texts else { return None };
    let bad = |side: &str| format!("NOT isfinite({side})");
    let either = match called {
        "regr_sxx" => bad(x),
        "regr_syy" => bad(y),
        "corr" | "covar_pop" | "covar_samp" | "regr_slope" | "regr_intercept" | "regr_r2" | "regr_sxy" => {
            format!("({} OR {})", bad(x), bad(y))
        }
        _ => return None,
    };
    let bad = format!("({y} IS NOT NULL AND {x} IS NOT NULL AND {either})");
    let least = if called == "covar_samp" { 2 } else { 1 };
    let count = format!("regr_count({y}, {x}){tail}");
    let whole = format!("WHEN bool_or({bad}){tail} THEN CASE WHEN {count} >= {least} THEN CAST('NaN' AS DOUBLE) END");
    Some((whole, format!("{distinct}CASE WHEN NOT {bad} THEN {y} END, {x}")))
}

/// The same of what is not finite: the spread of infinity is no number.
fn finite_spread(called: &str, distinct: &str, x: &str, tail: &str) -> String {
    let least = if called.ends_with("_samp") { 2 } else { 1 };
    format!(
        "(CASE WHEN bool_or(NOT isfinite({x})){tail} THEN CASE WHEN count({x}){tail} >= {least} THEN CAST('NaN' AS DOUBLE) END \
         ELSE {called}({distinct}CASE WHEN isfinite({x}) THEN {x} END){tail} END)"
    )
}

/// An argument that is computed only for the rows that FILTER takes: for others it may be an error.
fn filtered(ex: Ex, only: Option<&str>) -> Ex {
    match only {
        Some(condition) if ex.kind == Kind::Plain && ex.sql.contains('(') => {
            Ex { sql: format!("(CASE WHEN {condition} THEN {} END)", ex.sql), ..ex }
        }
        _ => ex,
    }
}

/// The count that `ntile` and `nth_value` take.
fn above_zero(name: &str, values: &mut [Ex]) {
    let (state, place) = match name {
        "ntile" => ("22014", 0),
        "nth_value" => ("22016", 1),
        _ => return,
    };
    if let Some(ex) = values.get_mut(place)
        && !matches!(&ex.kind, Kind::Number(n) if n.parse::<i64>().is_ok_and(|n| n > 0))
    {
        let fails = format!("error('SQLSTATE {state}: argument of {name} must be greater than zero')");
        ex.sql = format!("(CASE WHEN {x} <= 0 THEN {fails} ELSE {x} END)", x = ex.sql);
    }
}

impl Rewriter<'_> {
    /// `string_agg` of `bytea`. None: of something else.
    fn bytes_joined(&mut self, values: &[Ex], distinct: &str, order: &str, tail: &str) -> PgResult<Option<Ex>> {
        let [bytes, between] = values else { return Ok(None) };
        if bytes.ty != Some(ColumnType::Bytea) || bytes.is_unknown() {
            return Ok(None);
        }
        let between = match between.ty == Some(ColumnType::Text) && between.sql == "''" {
            true => "''".to_owned(),
            false => format!("hex({})", self.settle(between.clone(), &ColumnType::Bytea)?.sql),
        };
        let hex = format!("hex({})", bytes.sql);
        // DISTINCT takes its keys from the arguments; the digits sort as the bytes do.
        let order = if distinct.is_empty() { order.to_owned() } else { order.replacen(&bytes.sql, &hex, 1) };
        let sql = format!("unhex(string_agg({distinct}{hex}, {between}{order}){tail})");
        Ok(Some(Ex::of(sql, ColumnType::Bytea)))
    }

    /// An aggregate or window call.
    pub(super) fn aggregate(
        &mut self,
        name: &str,
        function: &Function,
        args: &Arguments<'_>,
        at: Option<u32>,
    ) -> PgResult<Ex> {
        let outer = self.clause;
        let ex = self.aggregate_here(name, function, args, at);
        self.clause = outer;
        ex
    }

    fn aggregate_here(
        &mut self,
        name: &str,
        function: &Function,
        args: &Arguments<'_>,
        at: Option<u32>,
    ) -> PgResult<Ex> {
        let window = WINDOWS.iter().any(|r| r.0 == name);
        if let Some(place) = self.bounds.filter(|_| window || is_aggregate(name)) {
            let (state, what) = match function.over {
                Some(_) => (SqlState::WINDOWING_ERROR, "window"),
                None if window => (SqlState::WINDOWING_ERROR, "window"),
                None => (SqlState::GROUPING_ERROR, "aggregate"),
            };
            let message = format!("{what} functions are not allowed in {place}s");
            return Err(PgError::new(state, message).or_position(at));
        }
        if let Some((place, depth)) = self.clause.filter(|_| window || is_aggregate(name))
            && depth == self.scopes.len()
            && (window || function.over.is_some() || place == NESTED || !self.are_of_outer_query(&args.values))
        {
            let windows = window || function.over.is_some();
            let (state, what) = match windows {
                true => (SqlState::WINDOWING_ERROR, "window"),
                false => (SqlState::GROUPING_ERROR, "aggregate"),
            };
            if place == NESTED {
                let what = if windows { "contain window function calls" } else { "be nested" };
                let message = format!("aggregate function calls cannot {what}");
                return Err(PgError::new(SqlState::GROUPING_ERROR, message).or_position(at));
            }
            let message = format!("{what} functions are not allowed in {place}");
            return Err(PgError::new(state, message).or_position(at));
        }
        if window && function.over.is_none() && function.within_group.is_empty() {
            return Err(PgError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("window function {name} requires an OVER clause"),
            )
            .or_position(at));
        }
        if !window && !is_aggregate(name) {
            let mut values = Vec::new();
            for value in &args.values {
                values.push(self.expr(value)?);
            }
            return Err(if SCALARS.iter().any(|r| r.0 == name) {
                let what = match (&function.over, &function.filter) {
                    (Some(_), _) => "OVER",
                    (None, Some(_)) => "FILTER",
                    (None, None) => "DISTINCT",
                };
                let kind = if what == "OVER" { "a window function nor an aggregate" } else { "an aggregate" };
                PgError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("{what} specified, but {name} is not {kind} function"),
                )
                .or_position(at)
            } else {
                self.undefined_function(name, &values, at)
            });
        }
        self.aggregated |= !window && function.over.is_none();
        if !window && function.over.is_none() && name != "grouping" {
            self.clause = Some((NESTED, self.scopes.len()));
        }
        if ORDERED_SETS.contains(&name) && name != "mode" && function.within_group.is_empty() && args.values.len() > 1 {
            let message = format!("WITHIN GROUP is required for ordered-set aggregate {name}");
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message).or_position(at));
        }
        // Of a SELECT without rows of its own it is the outer query's, which the engine does not see in a subquery.
        let rowless = self.scopes.len() > 1 && self.scopes.last().is_some_and(|scope| scope.relations.is_empty());
        if rowless && args.values.iter().any(|value| super::frame::asks(value)) {
            return self.refuse("an aggregate of an outer query over a subquery", at);
        }
        let foreign = args.order_by.iter().find(|key| !args.values.contains(&&key.expr));
        if let Some(key) = foreign.filter(|_| args.distinct) {
            let message = "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list";
            let at = self.at_expr(&key.expr);
            return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message).or_position(at));
        }
        let mut tail = String::new();
        let mut order = String::new();
        let mut only = None;
        if !args.order_by.is_empty() {
            let keys = self.order_list(args.order_by, |r, ex| Some(r.sorted(ex)).filter(|key| !is_literal(key)))?;
            if !keys.is_empty() {
                order = format!(" ORDER BY {}", keys.join(", "));
            }
        }
        if let Some(filter) = &function.filter {
            let condition = self.condition(filter, "FILTER")?;
            tail.push_str(&format!(" FILTER (WHERE {condition})"));
            only = Some(condition);
        }
        if let Some(over) = &function.over {
            tail.push_str(&format!(" OVER {}", self.over(over)?));
        }
        let nulls = match function.null_treatment {
            None => "",
            Some(NullTreatment::IgnoreNulls) => " IGNORE NULLS",
            Some(NullTreatment::RespectNulls) => " RESPECT NULLS",
        };
        if !function.within_group.is_empty() {
            return self.within_group(name, function, args, &tail, at);
        }
        let distinct = if args.distinct { "DISTINCT " } else { "" };
        if name == "count" {
            return self.count(args, distinct, only.as_deref(), &tail, at);
        }
        if name == "grouping" {
            let mut keys = Vec::new();
            for value in &args.values {
                keys.push(self.expr(value)?.sql);
            }
            return Ok(Ex::of(format!("CAST(grouping({}) AS INTEGER)", keys.join(", ")), ColumnType::Int4));
        }
        if args.star {
            return Err(PgError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("{name}(*) specified, but {name} is not an aggregate function that takes it"),
            )
            .or_position(at));
        }
        let mut values = Vec::new();
        for value in &args.values {
            let ex = self.expr(value)?;
            values.push(filtered(ex, only.as_deref()));
        }
        // There are none of times: they are intervals for these.
        if let ("sum" | "avg", [value]) = (name, values.as_mut_slice())
            && value.ty == Some(ColumnType::Time)
        {
            *value = self.cast(value.clone(), &ColumnType::Interval, at)?;
        }
        if !window && let Some(ex) = self.interval_aggregate(name, &values, distinct, &tail) {
            return Ok(ex.at(at));
        }
        // NULL between texts is nothing.
        if name == "string_agg"
            && let Some(between) = values.get_mut(1).filter(|v| v.kind == Kind::Null)
        {
            *between = Ex::of("''", ColumnType::Text);
        }
        if args.distinct
            && let Some(ex) = self.distinct_aggregate(name, args, &values, &tail, at)?
        {
            return Ok(ex.at(at));
        }
        // Postgres sorts for DISTINCT, and that order is seen.
        if !distinct.is_empty()
            && order.is_empty()
            && matches!(name, "array_agg" | "string_agg")
            && let Some(first) = values.first().filter(|v| !v.is_unknown())
        {
            order = format!(" ORDER BY {} NULLS LAST", first.sql);
        }
        if name == "string_agg"
            && let Some(ex) = self.bytes_joined(&values, distinct, &order, &tail)?
        {
            return Ok(ex.at(at));
        }
        if !window && let Some(ex) = self.grid_aggregate(name, &values, distinct, &order, &tail)? {
            return Ok(ex.at(at));
        }
        if window && values.len() == 3 && matches!(name, "lag" | "lead") {
            self.meet_default(&mut values)?;
        }
        if !window && let Some(ex) = self.held_aggregate(name, &values, distinct, &tail) {
            return Ok(ex.at(at));
        }
        if let ("min" | "max", [ex], false) = (name, values.as_slice(), window)
            && let Some(ColumnType::Array(_) | ColumnType::Grid(_) | ColumnType::Interval) =
                ex.ty.as_ref().filter(|ty| self.is_keyed(Some(ty)))
        {
            let sql = format!("arg_{name}({}, {}){tail}", ex.sql, self.order_key(ex));
            return Ok(Ex::plain(sql, ex.ty.clone()).at(at));
        }
        if !window && let Some(ex) = self.exact_aggregate(name, &values, distinct, &tail) {
            return Ok(ex.at(at));
        }
        if let Some(ex) = self.json_aggregate(name, &values, distinct, &order, only.as_deref(), &tail)? {
            return Ok(ex.at(at));
        }
        let table = if window { WINDOWS } else { AGGREGATES };
        let (row, mut values) = self.choose(table, name, values, at)?;
        above_zero(name, &mut values);
        let ty = summed(name, &values).or_else(|| signature::result(row.1, &values));
        let texts: Vec<&str> = values.iter().map(|v| v.sql.as_str()).collect();
        let inner = format!("{distinct}{}", texts.join(", "));
        // `CAST(sum($1) AS BIGINT)`: DISTINCT, FILTER and OVER belong to the call inside.
        let template =
            row.2.strip_prefix("CAST_INT:").map_or_else(|| row.2.to_owned(), |t| format!("CAST({t} AS INTEGER)"));
        let (before, called, after) = wrapped(&template, name);
        let inner = if window { format!("{inner}{nulls}") } else { format!("{inner}{order}{nulls}") };
        let sql = format!("{before}{called}({inner}){tail}{after}");
        let sums_floats = matches!(name, "sum" | "avg") && ty == Some(ColumnType::Float8);
        let pair = if self.has_functions() { finite_pair(&called, &texts, distinct, &tail) } else { None };
        let sql = match texts.as_slice() {
            // The engine takes constants alone.
            [text, between]
                if name == "string_agg"
                    && !args.distinct
                    && (!is_literal(between) && !between.contains(HOLE)
                        || args.values.get(1).is_some_and(|by| names_column(by))) =>
            {
                format!(
                    "list_transform([list_filter(list(CASE WHEN {text} IS NOT NULL THEN {{'t': {text}, 'b': {between}}} END{order}){tail}, \
                     lambda v: v IS NOT NULL)], lambda l: CASE WHEN len(l) > 0 THEN array_to_string(list_transform(l, lambda v, i: \
                     CASE WHEN i = 1 THEN v.t ELSE COALESCE(v.b, '') || v.t END), '') END)[1]"
                )
            }
            _ if pair.is_some() => {
                let (whole, inner) = pair.unwrap_or_default();
                format!("(CASE {whole} ELSE {before}{called}({inner}){tail}{after} END)")
            }
            [x] if sums_floats && self.has_functions() => finite_sum(&sql, x, &tail),
            [x] if self.has_functions()
                && matches!(called.as_str(), "var_pop" | "var_samp" | "stddev_pop" | "stddev_samp") =>
            {
                finite_spread(&called, distinct, x, &tail)
            }
            _ => sql,
        };
        Ok(Ex::plain(sql, ty).at(at))
    }

    /// The default of `lag` and `lead` keeps its digits, as the values do.
    fn meet_default(&mut self, values: &mut [Ex]) -> PgResult<()> {
        let [value, _, default] = values else { return Ok(()) };
        let exact = |ex: &Ex| ex.ty.as_ref().is_some_and(super::number::is_exact) && !ex.is_unknown();
        let padded = matches!(value.ty, Some(ColumnType::Char(_))) && default.is_unknown();
        if exact(value) && exact(default) || padded {
            let mut met = [value.clone(), default.clone()];
            self.unify(&mut met, "lag")?;
            let [first, last] = met;
            (*value, *default) = (first, last);
        }
        Ok(())
    }

    fn count(
        &mut self,
        args: &Arguments<'_>,
        distinct: &str,
        only: Option<&str>,
        tail: &str,
        at: Option<u32>,
    ) -> PgResult<Ex> {
        let inner = match args.values.as_slice() {
            [] if args.star => "*".to_owned(),
            [value] => {
                let ex = self.expr(value)?;
                let ex = filtered(self.settle_unknown(ex, &ColumnType::Text)?, only);
                // Values that are equal count once, whatever their texts.
                match (distinct.is_empty(), &ex.kind) {
                    (true, Kind::Mixed(parts)) if is_mixed(&ex) => parts.value.clone(),
                    (true, _) => ex.sql,
                    (false, _) => self.sorted(ex),
                }
            }
            [] => {
                return Err(PgError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    "count(*) must be used to call a parameterless aggregate function",
                )
                .or_position(at));
            }
            _ => {
                let mut values = Vec::new();
                for value in &args.values {
                    values.push(self.expr(value)?);
                }
                return Err(self.undefined_function("count", &values, at));
            }
        };
        let sql = format!("count({distinct}{inner}){tail}");
        // A frame that ends before it starts has fewer rows than none for the engine.
        let sql = if inner == "*" && tail.contains(" OVER ") { format!("greatest({sql}, 0)") } else { sql };
        Ok(Ex::of(sql, ColumnType::Int8).at(at))
    }

    pub(super) fn within_group(
        &mut self,
        name: &str,
        function: &Function,
        args: &Arguments<'_>,
        tail: &str,
        at: Option<u32>,
    ) -> PgResult<Ex> {
        if let Some(ex) = self.hypothetical(name, function, args, tail, at)? {
            return Ok(ex.at(at));
        }
        if !ORDERED_SETS.contains(&name) || function.within_group.len() != 1 {
            return self.refuse("this ordered-set aggregate", at);
        }
        let key = function.within_group.first().map(|o| &o.expr);
        let key = match key {
            Some(expr) => self.expr(expr)?,
            None => return self.refuse("this ordered-set aggregate", at),
        };
        // The engine would take a constant as a place, or not at all.
        let constant = is_literal(&key.sql);
        let key = match constant {
            true => Ex { sql: format!("nullif({}, NULL)", key.sql), ..key },
            false => key,
        };
        let descending = function
            .within_group
            .first()
            .is_some_and(|o| matches!(o.options.sort, Some(sqlparser::ast::OrderBySort::Desc)));
        let direction = if descending { " DESC" } else { "" };
        let keyed = self.is_keyed(key.ty.as_ref());
        if name == "mode" {
            if let Some(ex) = self.mixed_mode(&key, tail) {
                return Ok(ex.at(at));
            }
            let sql = match keyed {
                _ if constant => format!("any_value({}){tail}", key.sql),
                true => keyed_mode(&key.sql, &self.order_key(&key), direction, tail),
                false => format!("mode({k} ORDER BY {k}{direction}){tail}", k = key.sql),
            };
            return Ok(Ex::plain(sql, key.ty.map(without_modifier)));
        }
        let [fraction] = args.values.as_slice() else {
            return self.refuse("this ordered-set aggregate", at);
        };
        let of_rows = names_column(fraction);
        let fraction = self.expr(fraction)?;
        let fraction = self.settle(fraction, &ColumnType::Float8)?;
        let key_type = key.ty.clone().filter(|_| !key.is_unknown());
        let fraction = match &fraction.ty {
            Some(ColumnType::Array(element)) if super::number::is_long(element) => {
                self.cast(fraction, &ColumnType::Array(Box::new(ColumnType::Float8)), at)?
            }
            _ => fraction,
        };
        // Several fractions give an array.
        let many = matches!(fraction.ty, Some(ColumnType::Array(_)));
        let array = |ty: Option<ColumnType>| ty.map(|ty| ColumnType::Array(Box::new(ty)));
        let (value, ty) = match (name, key.ty.clone().map(without_modifier)) {
            ("percentile_cont", Some(ColumnType::Interval)) if many || !self.has_functions() => {
                return self.refuse("percentile_cont() over intervals with several fractions", at);
            }
            ("percentile_cont", Some(ColumnType::Interval)) => {
                let x = key.sql.clone();
                let by = self.sorted(key);
                return Ok(interval_between(&x, &by, direction, &fraction.sql, tail).at(at));
            }
            ("percentile_cont", _) => (format!("CAST({} AS DOUBLE)", key.sql), Some(ColumnType::Float8)),
            // Ordered by what the values are worth, and the value taken.
            (_, ty) if keyed => {
                let by = self.sorted(key.clone());
                let pair = format!("CASE WHEN {x} IS NOT NULL THEN {{'k': {by}, 'v': {x}}} END", x = key.sql);
                let call = format!("{name}({}) WITHIN GROUP (ORDER BY {pair}{direction}){tail}", fraction.sql);
                return Ok(match many {
                    true => Ex::plain(format!("list_transform({call}, lambda v: struct_extract(v, 'v'))"), array(ty)),
                    false => Ex::plain(format!("struct_extract({call}, 'v')"), ty),
                });
            }
            (_, ty) => (key.sql, ty),
        };
        let ty = if many { array(ty) } else { ty };
        if fraction.sql == "NULL" || fraction.sql.starts_with("CAST(NULL") {
            let null = key_type.map_or_else(|| "NULL".to_owned(), |ty| super::literal::cast_to("NULL", &ty));
            let null = if name == "percentile_cont" { "CAST(NULL AS DOUBLE)".to_owned() } else { null };
            return Ok(Ex::plain(format!("max({null}){tail}"), ty));
        }
        if of_rows || fraction.sql.contains(HOLE) {
            return Ok(Ex::plain(place_in_list(name, &value, direction, &fraction.sql, many, tail), ty));
        }
        Ok(Ex::plain(format!("{name}({}) WITHIN GROUP (ORDER BY {value}{direction}){tail}", fraction.sql), ty))
    }

    /// What is behind ORDER BY, each by the key that is made of it; none where that orders nothing.
    pub fn order_list(
        &mut self,
        order_by: &[OrderByExpr],
        key_of: fn(&Self, Ex) -> Option<String>,
    ) -> PgResult<Vec<String>> {
        let mut keys = Vec::new();
        for item in order_by {
            let at = self.at_expr(&item.expr);
            let ex = self.expr(&item.expr)?;
            let ex = self.settle_unknown(ex, &ColumnType::Text)?;
            let options = self.order_options(&item.options, item.with_fill.is_some(), at)?;
            keys.extend(key_of(self, ex).map(|key| format!("{key}{options}")));
        }
        Ok(keys)
    }
}
