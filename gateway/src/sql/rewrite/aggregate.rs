//! Calls of aggregates and of windows.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{
    Function, NullTreatment, OrderByExpr, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

use super::{
    Ex, Kind, Rewriter,
    call::{Arguments, is_aggregate, wrapped},
    functions::{AGGREGATES, ORDERED_SETS, SCALARS, WINDOWS},
    scale::{self, is_mixed, without_modifier},
    signature,
};
use crate::{
    sql::{frame_exclude, quote},
    wire::error::{PgError, PgResult, SqlState},
};

/// The arguments of an aggregate, as a clause that takes no aggregates.
pub(super) const NESTED: &str = "an aggregate";

/// The type of a sum of exact numbers: it has their digits.
fn summed(name: &str, values: &[Ex]) -> Option<ColumnType> {
    let [value] = values else { return None };
    match (name, value.ty.as_ref()?) {
        ("sum", ColumnType::Int8) => Some(scale::computed(0)),
        ("sum", ColumnType::Numeric(1.., _)) => Some(scale::scale_of(value).map_or(super::NUMERIC, scale::computed)),
        _ => None,
    }
}

/// The interval at a fraction of all: between two of them a part of what is between them.
fn interval_between(x: &str, direction: &str, fraction: &str, tail: &str) -> Ex {
    let place = format!("(CAST({fraction} AS DOUBLE) * (len(l) - 1))");
    let (low, high) = (format!("l[CAST(floor{place} AS BIGINT) + 1]"), format!("l[CAST(ceil{place} AS BIGINT) + 1]"));
    let part = format!("CAST({place} - floor{place} AS VARCHAR)");
    let step = format!("CAST(pg_interval_times(pg_interval_parts({high} - {low}), {part}) AS INTERVAL)");
    let all = format!("list_filter(list({x} ORDER BY {x}{direction}){tail}, lambda v: v IS NOT NULL)");
    let of_list = format!("CASE WHEN len(l) > 0 THEN {low} + {step} END");
    Ex::of(format!("list_transform([{all}], lambda l: {of_list})[1]"), ColumnType::Interval)
}

/// A sum of floats that is infinite although no value was: the engine goes on with it, Postgres fails.
fn finite_sum(sum: &str, x: &str, tail: &str) -> String {
    format!(
        "(CASE WHEN isinf({sum}) AND NOT bool_or(isinf({x})){tail} THEN error('SQLSTATE 22003: value out of range: overflow') \
         ELSE {sum} END)"
    )
}

impl Rewriter<'_> {
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
                let what = if function.over.is_some() { "OVER" } else { "DISTINCT" };
                PgError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!(
                        "{what} specified, but {name} is not {} function",
                        if what == "OVER" { "a window function nor an aggregate" } else { "an aggregate" }
                    ),
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
        let mut tail = String::new();
        let mut order = String::new();
        if !args.order_by.is_empty() {
            order = format!(" ORDER BY {}", self.order_list(args.order_by)?);
        }
        if let Some(filter) = &function.filter {
            tail.push_str(&format!(" FILTER (WHERE {})", self.condition(filter, "FILTER")?));
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
            return self.count(args, distinct, &tail, at);
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
            values.push(self.expr(value)?);
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
        // Postgres sorts for DISTINCT, and that order is seen.
        if !distinct.is_empty()
            && order.is_empty()
            && matches!(name, "array_agg" | "string_agg")
            && let Some(first) = values.first().filter(|v| !v.is_unknown())
        {
            order = format!(" ORDER BY {} NULLS LAST", first.sql);
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
        if !window && let Some(ex) = self.exact_aggregate(name, &values, distinct, &tail) {
            return Ok(ex.at(at));
        }
        if let Some(ex) = self.json_aggregate(name, &values, distinct, &order, &tail)? {
            return Ok(ex.at(at));
        }
        let table = if window { WINDOWS } else { AGGREGATES };
        let (row, values) = self.choose(table, name, values, at)?;
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
        let sql = match texts.as_slice() {
            [x] if sums_floats && self.has_functions() => finite_sum(&sql, x, &tail),
            _ => sql,
        };
        Ok(Ex::plain(sql, ty).at(at))
    }

    /// The default of `lag` and `lead` keeps its digits, as the values do.
    fn meet_default(&mut self, values: &mut [Ex]) -> PgResult<()> {
        let [value, _, default] = values else { return Ok(()) };
        let exact = |ex: &Ex| ex.ty.as_ref().is_some_and(super::number::is_exact) && !ex.is_unknown();
        if exact(value) && exact(default) {
            let mut met = [value.clone(), default.clone()];
            self.unify(&mut met, "lag")?;
            let [first, last] = met;
            (*value, *default) = (first, last);
        }
        Ok(())
    }

    pub(super) fn count(&mut self, args: &Arguments<'_>, distinct: &str, tail: &str, at: Option<u32>) -> PgResult<Ex> {
        let inner = match args.values.as_slice() {
            [] if args.star => "*".to_owned(),
            [value] => {
                let ex = self.expr(value)?;
                let ex = self.settle_unknown(ex, &ColumnType::Text)?;
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
        Ok(Ex::of(format!("count({distinct}{inner}){tail}"), ColumnType::Int8).at(at))
    }

    pub(super) fn within_group(
        &mut self,
        name: &str,
        function: &Function,
        args: &Arguments<'_>,
        tail: &str,
        at: Option<u32>,
    ) -> PgResult<Ex> {
        if let Some(ex) = self.hypothetical(name, function, args, tail)? {
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
        let keyed = self.is_keyed(key.ty.as_ref());
        if name == "mode" {
            if let Some(ex) = self.mixed_mode(&key, tail) {
                return Ok(ex.at(at));
            }
            if keyed {
                return self.refuse("mode() of this type", at);
            }
            return Ok(Ex::plain(format!("mode({k} ORDER BY {k}){tail}", k = key.sql), key.ty.map(without_modifier)));
        }
        let [fraction] = args.values.as_slice() else {
            return self.refuse("this ordered-set aggregate", at);
        };
        let fraction = self.expr(fraction)?;
        let fraction = self.settle(fraction, &ColumnType::Float8)?;
        let fraction = match &fraction.ty {
            Some(ColumnType::Array(element)) if super::number::is_long(element) => {
                self.cast(fraction, &ColumnType::Array(Box::new(ColumnType::Float8)), at)?
            }
            _ => fraction,
        };
        // Several fractions give an array.
        let many = matches!(fraction.ty, Some(ColumnType::Array(_)));
        let array = |ty: Option<ColumnType>| ty.map(|ty| ColumnType::Array(Box::new(ty)));
        let descending = function
            .within_group
            .first()
            .is_some_and(|o| matches!(o.options.sort, Some(sqlparser::ast::OrderBySort::Desc)));
        let direction = if descending { " DESC" } else { "" };
        let (value, ty) = match (name, key.ty.clone().map(without_modifier)) {
            ("percentile_cont", Some(ColumnType::Interval)) if many || !self.has_functions() => {
                return self.refuse("percentile_cont() over intervals with several fractions", at);
            }
            ("percentile_cont", Some(ColumnType::Interval)) => {
                return Ok(interval_between(&key.sql, direction, &fraction.sql, tail).at(at));
            }
            ("percentile_cont", _) => (format!("CAST({} AS DOUBLE)", key.sql), Some(ColumnType::Float8)),
            // Ordered by what the values are worth, and the value taken.
            (_, ty) if keyed => {
                let by = self.order_key(&key);
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
        Ok(Ex::plain(format!("{name}({}) WITHIN GROUP (ORDER BY {value}{direction}){tail}", fraction.sql), ty))
    }

    pub fn order_list(&mut self, order_by: &[OrderByExpr]) -> PgResult<String> {
        let mut keys = Vec::new();
        for item in order_by {
            let at = self.at_expr(&item.expr);
            let ex = self.expr(&item.expr)?;
            let ex = self.settle_unknown(ex, &ColumnType::Text)?;
            let options = self.order_options(&item.options, item.with_fill.is_some(), at)?;
            let key = self.sorted(ex);
            keys.push(format!("{key}{options}"));
        }
        Ok(keys.join(", "))
    }

    pub fn over(&mut self, over: &WindowType) -> PgResult<String> {
        match over {
            WindowType::NamedWindow(ident) => {
                let name = quote::fold(ident);
                if self.scopes.last().is_some_and(|scope| !scope.windows.contains(&name)) {
                    let message = format!("window \"{name}\" does not exist");
                    return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message).or_position(self.at(ident.span)));
                }
                Ok(quote::name(&name))
            }
            WindowType::WindowSpec(spec) => self.window_spec(spec),
        }
    }

    /// `(PARTITION BY … ORDER BY … ROWS …)`.
    pub fn window_spec(&mut self, spec: &WindowSpec) -> PgResult<String> {
        let mut parts = Vec::new();
        if let Some(name) = &spec.window_name {
            parts.push(quote::name(&quote::fold(name)));
        }
        if !spec.partition_by.is_empty() {
            let mut keys = Vec::new();
            for expr in &spec.partition_by {
                let ex = self.expr(expr)?;
                keys.push(self.sorted(ex));
            }
            parts.push(format!("PARTITION BY {}", keys.join(", ")));
        }
        let (order_by, excluded) = frame_exclude::of(&spec.order_by);
        if !order_by.is_empty() {
            parts.push(format!("ORDER BY {}", self.order_list(order_by)?));
        }
        if let Some(frame) = &spec.window_frame {
            parts.push(self.frame(frame)?);
        }
        parts.extend(excluded.map(|what| format!("EXCLUDE {what}")));
        Ok(format!("({})", parts.join(" ")))
    }

    pub fn frame(&mut self, frame: &WindowFrame) -> PgResult<String> {
        let units = match frame.units {
            WindowFrameUnits::Rows => "ROWS",
            WindowFrameUnits::Range => "RANGE",
            WindowFrameUnits::Groups => "GROUPS",
        };
        let bound = |r: &mut Self, bound: &WindowFrameBound| {
            let (expr, word) = match bound {
                WindowFrameBound::CurrentRow => return PgResult::Ok("CURRENT ROW".to_owned()),
                WindowFrameBound::Preceding(expr) => (expr, "PRECEDING"),
                WindowFrameBound::Following(expr) => (expr, "FOLLOWING"),
            };
            match expr {
                None => Ok(format!("UNBOUNDED {word}")),
                Some(expr) => {
                    let ex = r.expr(expr)?;
                    let ty = if units == "RANGE" { ColumnType::Interval } else { ColumnType::Int8 };
                    Ok(format!("{} {word}", r.settle(ex, &ty)?.sql))
                }
            }
        };
        let start = bound(self, &frame.start_bound)?;
        Ok(match &frame.end_bound {
            Some(end) => format!("{units} BETWEEN {start} AND {}", bound(self, end)?),
            None => format!("{units} {start}"),
        })
    }
}
