//! Function calls: scalars, aggregates, windows and functions in FROM.

use duckmesh_catalog::{ColumnType, types::oid};
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause,
    FunctionArguments, NullTreatment, OrderByExpr, Spanned, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowSpec, WindowType,
};

use super::{
    Ex, Rewriter,
    functions::{AGGREGATES, ORDERED_SETS, SCALARS, WINDOWS, forbidden, session},
    signature::{self, Row, shown},
};
use crate::{
    pgcatalog,
    sql::{plan::SessionValue, quote},
    wire::error::{PgError, PgResult, SqlState},
};

/// A call's arguments as written.
pub(super) struct Arguments<'a> {
    pub values: Vec<&'a Expr>,
    star: bool,
    distinct: bool,
    order_by: &'a [OrderByExpr],
}

/// Functions that give any number of rows.
fn returns_sets(name: &str) -> bool {
    const NAMES: [&str; 5] =
        ["generate_series", "generate_subscripts", "regexp_matches", "regexp_split_to_table", "string_to_table"];
    let json = name.strip_prefix("jsonb_").or_else(|| name.strip_prefix("json_"));
    let of_json = |rest: &str| rest.starts_with("array_elements") || rest.starts_with("each") || rest == "object_keys";
    name == "unnest" || NAMES.contains(&name) || json.is_some_and(of_json)
}

impl Rewriter<'_> {
    /// `function foo(integer) does not exist`.
    pub fn undefined_function(&self, name: &str, args: &[Ex], at: Option<u32>) -> PgError {
        if let Some((why, instead)) = super::function_list::refused(name) {
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            return PgError::unsupported(format!("function {name} is not supported{why}"))
                .hint(format!("Use {instead}."))
                .or_position(at);
        }
        let types: Vec<String> = args
            .iter()
            .map(|a| match &a.ty {
                Some(ty) if !a.is_unknown() => shown(ty),
                _ => "unknown".into(),
            })
            .collect();
        PgError::new(SqlState::UNDEFINED_FUNCTION, format!("function {name}({}) does not exist", types.join(", ")))
            .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
            .or_position(at)
    }

    /// A function's name without `pg_catalog`, if it may be called at all.
    fn function_name(&self, function: &Function) -> PgResult<String> {
        let at = self.at(function.name.span());
        let Some(parts) = quote::parts(&function.name) else {
            return self.refuse("this form of a function's name", at);
        };
        let name = match parts.as_slice() {
            [name] => name.clone(),
            [schema, name] if schema == "pg_catalog" => name.clone(),
            [schema, name] if schema == "information_schema" && name == "_pg_expandarray" => name.clone(),
            _ => return Err(self.undefined_function(&parts.join("."), &[], at)),
        };
        allowed(&name).map_err(|e| e.or_position(at))?;
        Ok(name)
    }

    /// A call.
    pub fn call(&mut self, function: &Function) -> PgResult<Ex> {
        let at = self.at(function.name.span());
        if function.uses_odbc_syntax || !matches!(function.parameters, FunctionArguments::None) {
            return self.refuse("this form of a call", at);
        }
        if let Some(ex) = self.gateway_call(function)? {
            return Ok(ex);
        }
        let name = self.function_name(function)?;
        if let Some(place) = self.bounds.filter(|_| returns_sets(&name)) {
            let message = format!("set-returning functions are not allowed in {place}s");
            return Err(PgError::unsupported(message).or_position(at));
        }
        if let FunctionArguments::Subquery(query) = &function.args {
            if name != "array" {
                return self.refuse("a subquery as arguments", at);
            }
            self.bounded("subquery")?;
            let rows = self.query(query, None)?;
            let element =
                rows.columns.first().and_then(|c| c.ty.clone()).filter(|t| !matches!(t, ColumnType::Array(_)));
            return Ok(Ex::plain(format!("ARRAY({})", rows.sql), element.map(|t| ColumnType::Array(Box::new(t)))));
        }
        let args = self.arguments(function, at)?;
        let simple = function.over.is_none()
            && function.filter.is_none()
            && function.within_group.is_empty()
            && function.null_treatment.is_none()
            && !args.star
            && !args.distinct
            && args.order_by.is_empty();
        if simple {
            if let Some(ex) = self.session_call(&name, &args.values, at)? {
                return Ok(ex);
            }
            if name == "make_interval" {
                return self.make_interval(function, at);
            }
            let mut values = Vec::new();
            for value in &args.values {
                values.push(self.expr(value)?);
            }
            if name == "_pg_expandarray" {
                return self.expand_array(values, at);
            }
            if name == "row" && self.has_functions() {
                let fields = values.into_iter().enumerate().map(|(n, ex)| (format!("f{}", n + 1), ex)).collect();
                return self.record(fields);
            }
            if let Some(ex) = self.grid_call(&name, &mut values, at)? {
                return Ok(ex.at(at));
            }
            if let Some(ex) = self.held_call(&name, &mut values, at)? {
                return Ok(ex.at(at));
            }
            if let Some(ex) = self.exact_call(&name, &mut values)? {
                return Ok(ex.at(at));
            }
            if let Some(ex) = self.json_call(&name, &mut values)? {
                return Ok(ex.at(at));
            }
            if let Some(ex) = self.text_call(&name, &mut values, at)? {
                return Ok(ex.at(at));
            }
            if let Some(ex) = self.number_named(&name, &values, at)? {
                return Ok(ex);
            }
            if let Some(ex) = self.enum_call(&name, &mut values, at)? {
                return Ok(ex);
            }
            if let Some(ex) = self.special_call(&name, &mut values, at)? {
                return Ok(ex);
            }
            for table in [SCALARS, pgcatalog::functions::FUNCTIONS] {
                if table.iter().any(|r| r.0 == name) {
                    return self.by_table(table, &name, values, at);
                }
            }
            if !is_aggregate(&name) {
                return Err(self.undefined_function(&name, &values, at));
            }
        }
        self.aggregate(&name, function, &args, at)
    }

    fn arguments<'f>(&self, function: &'f Function, at: Option<u32>) -> PgResult<Arguments<'f>> {
        let mut arguments = Arguments { values: Vec::new(), star: false, distinct: false, order_by: &[] };
        let FunctionArguments::List(list) = &function.args else {
            return Ok(arguments);
        };
        arguments.distinct = matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct));
        for arg in &list.args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => arguments.values.push(expr),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => arguments.star = true,
                FunctionArg::Named {
                    arg: FunctionArgExpr::Expr(expr),
                    operator: FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment,
                    ..
                }
                | FunctionArg::ExprNamed {
                    arg: FunctionArgExpr::Expr(expr),
                    operator: FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment,
                    ..
                } if function.name.to_string().ends_with("make_interval") => {
                    arguments.values.push(expr);
                }
                _ => return self.refuse("this form of an argument", at),
            }
        }
        for clause in &list.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(order_by) => arguments.order_by = order_by,
                _ => return self.refuse("this form of a call", at),
            }
        }
        Ok(arguments)
    }

    /// `now()` and the like.
    fn session_call(&mut self, name: &str, args: &[&Expr], at: Option<u32>) -> PgResult<Option<Ex>> {
        let value = match (name, args) {
            ("current_time", []) if self.has_functions() => return Ok(Some(self.current_time().at(at))),
            ("current_time", [precision])
                if self.has_functions() && super::set::integer(precision).is_some_and(|n| n >= 6) =>
            {
                return Ok(Some(self.current_time().at(at)));
            }
            ("current_time" | "localtime" | "current_timestamp" | "localtimestamp", [precision])
                if super::set::integer(precision).is_some_and(|n| n >= 6) =>
            {
                session(name)
            }
            (_, []) => session(name),
            ("current_setting", [name, rest @ ..]) if rest.len() < 2 => {
                let constant = |e: &Expr| match e {
                    Expr::Value(v) => super::literal::string_of(&v.value),
                    _ => None,
                };
                let Some(setting) = constant(name) else {
                    // Looked up among the session's settings, as any function is.
                    return Ok(None);
                };
                let missing_ok =
                    matches!(rest.first(), Some(Expr::Value(v)) if v.value == sqlparser::ast::Value::Boolean(true));
                let sensitive = [
                    "s3_",
                    "http_",
                    "secret",
                    "temp_directory",
                    "home_directory",
                    "extension",
                    "allowed_",
                    "azure",
                    "gcs_",
                ];
                if sensitive.iter().any(|s| setting.to_ascii_lowercase().contains(s)) {
                    return Err(PgError::new(
                        SqlState::INSUFFICIENT_PRIVILEGE,
                        format!("permission denied to read setting \"{setting}\""),
                    )
                    .or_position(at));
                }
                Some((SessionValue::Setting(setting, missing_ok), 't'))
            }
            ("current_schemas", [Expr::Value(v)]) => match v.value {
                sqlparser::ast::Value::Boolean(all) => Some((SessionValue::Schemas(all), 'X')),
                _ => None,
            },
            _ => None,
        };
        let Some((value, letter)) = value else {
            return Ok(None);
        };
        let ty = match letter {
            'X' => ColumnType::system(oid::NAME).map_or(ColumnType::Text, |name| ColumnType::Array(Box::new(name))),
            c => signature::letter(c).unwrap_or(ColumnType::Text),
        };
        Ok(Some(Ex::of(self.session_value(value), ty).at(at)))
    }

    /// Chooses among a table's rows of that name, and writes the call.
    pub fn by_table(&mut self, table: &[Row], name: &str, args: Vec<Ex>, at: Option<u32>) -> PgResult<Ex> {
        let (row, args) = self.choose(table, name, args, at)?;
        let ty = signature::result(row.1, &args);
        let texts: Vec<&str> = args.iter().map(|a| a.sql.as_str()).collect();
        Ok(Ex::plain(self.looked_up(row.2, name, &texts), ty).at(at))
    }

    /// A call's text; what it looks up is then part of the query.
    pub fn looked_up(&mut self, text: &'static str, name: &str, args: &[&str]) -> String {
        for relation in pgcatalog::functions::reads(text) {
            self.use_system(pgcatalog::INTERNAL, relation);
        }
        fill(text, name, args)
    }

    /// The best row, with the arguments settled to its types.
    fn choose(&mut self, table: &[Row], name: &str, mut args: Vec<Ex>, at: Option<u32>) -> PgResult<(Row, Vec<Ex>)> {
        let mut best: Option<(u32, Row, Vec<char>)> = None;
        let functions = self.has_functions();
        let own = |row: &Row| row.1.contains(['N', 'I', 'C', 'm', 'w', 'Z']);
        for row in table.iter().filter(|r| r.0 == name && (functions || !own(r))) {
            let Some(letters) = signature::arguments(row.1, args.len()) else {
                continue;
            };
            let score = letters.iter().zip(&args).try_fold(0, |sum, (l, a)| signature::fit(*l, a).map(|s| sum + s));
            if let Some(score) = score
                && best.as_ref().is_none_or(|b| score > b.0)
            {
                best = Some((score, *row, letters));
            }
        }
        let Some((_, row, letters)) = best else {
            return Err(self.undefined_function(name, &args, at));
        };
        if row.1.ends_with(">c") {
            let mut exs = args;
            self.unify(&mut exs, &name.to_ascii_uppercase())?;
            return Ok((row, exs));
        }
        let first = args.first().and_then(|a| a.ty.clone());
        for (letter, arg) in letters.into_iter().zip(args.iter_mut()) {
            let ty = match letter {
                // Beside an array: its element. Beside a value: that value's type.
                'a' => match &first {
                    Some(ColumnType::Array(element)) if arg.is_unknown() => Some((**element).clone()),
                    Some(ty) if arg.is_unknown() => Some(ty.clone()),
                    _ if arg.is_unknown() => Some(ColumnType::Text),
                    _ => None,
                },
                'A' => arg.is_unknown().then(|| ColumnType::Array(Box::new(ColumnType::Text))),
                c => signature::letter(c),
            };
            let Some(ty) = ty else { continue };
            let taken = std::mem::replace(arg, Ex::plain("", None));
            *arg = self.argument(taken, &ty, letter)?;
        }
        Ok((row, args))
    }

    /// An argument as its parameter's type: cast where the engine would choose otherwise.
    fn argument(&mut self, ex: Ex, ty: &ColumnType, letter: char) -> PgResult<Ex> {
        if ex.is_unknown() {
            return self.settle(ex, ty);
        }
        if letter == 'N' {
            return self.long(ex);
        }
        let differs = ex.ty.as_ref().is_some_and(|t| t.oid() != ty.oid());
        if differs
            && matches!(letter, 'd' | 's' | 'z' | 'i' | 'I' | 'Z')
            && !matches!(ex.ty, Some(ColumnType::Other(_)))
        {
            let at = ex.position;
            return self.cast(ex, ty, at);
        }
        if letter == 'i' && ex.ty.is_none() {
            return Ok(Ex { sql: format!("CAST({} AS INTEGER)", ex.sql), ..ex });
        }
        Ok(ex)
    }

    /// An aggregate or window call.
    fn aggregate(&mut self, name: &str, function: &Function, args: &Arguments<'_>, at: Option<u32>) -> PgResult<Ex> {
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
            && let Some(between) = values.get_mut(1).filter(|v| v.kind == super::Kind::Null)
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
        let ty = signature::result(row.1, &values);
        let texts: Vec<&str> = values.iter().map(|v| v.sql.as_str()).collect();
        let inner = format!("{distinct}{}", texts.join(", "));
        // `CAST(sum($1) AS BIGINT)`: DISTINCT, FILTER and OVER belong to the call inside.
        let template =
            row.2.strip_prefix("CAST_INT:").map_or_else(|| row.2.to_owned(), |t| format!("CAST({t} AS INTEGER)"));
        let (before, called, after) = wrapped(&template, name);
        let inner = if window { format!("{inner}{nulls}") } else { format!("{inner}{order}{nulls}") };
        Ok(Ex::plain(format!("{before}{called}({inner}){tail}{after}"), ty).at(at))
    }

    fn count(&mut self, args: &Arguments<'_>, distinct: &str, tail: &str, at: Option<u32>) -> PgResult<Ex> {
        let inner = match args.values.as_slice() {
            [] if args.star => "*".to_owned(),
            [value] => {
                let ex = self.expr(value)?;
                self.settle_unknown(ex, &ColumnType::Text)?.sql
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

    fn within_group(
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
        if name == "mode" {
            return Ok(Ex::plain(format!("mode({}){tail}", key.sql), key.ty));
        }
        let [fraction] = args.values.as_slice() else {
            return self.refuse("this ordered-set aggregate", at);
        };
        let fraction = self.expr(fraction)?;
        let fraction = self.settle(fraction, &ColumnType::Float8)?;
        let descending = function
            .within_group
            .first()
            .is_some_and(|o| matches!(o.options.sort, Some(sqlparser::ast::OrderBySort::Desc)));
        let direction = if descending { " DESC" } else { "" };
        let (value, ty) = match (name, key.ty.clone()) {
            ("percentile_cont", Some(ColumnType::Interval)) => (key.sql, Some(ColumnType::Interval)),
            ("percentile_cont", _) => (format!("CAST({} AS DOUBLE)", key.sql), Some(ColumnType::Float8)),
            (_, ty) => (key.sql, ty),
        };
        Ok(Ex::plain(format!("{name}({}) WITHIN GROUP (ORDER BY {value}{direction}){tail}", fraction.sql), ty))
    }

    fn order_list(&mut self, order_by: &[OrderByExpr]) -> PgResult<String> {
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

    fn over(&mut self, over: &WindowType) -> PgResult<String> {
        match over {
            WindowType::NamedWindow(name) => Ok(quote::name(&quote::fold(name))),
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
                keys.push(self.expr(expr)?.sql);
            }
            parts.push(format!("PARTITION BY {}", keys.join(", ")));
        }
        if !spec.order_by.is_empty() {
            parts.push(format!("ORDER BY {}", self.order_list(&spec.order_by)?));
        }
        if let Some(frame) = &spec.window_frame {
            parts.push(self.frame(frame)?);
        }
        Ok(format!("({})", parts.join(" ")))
    }

    fn frame(&mut self, frame: &WindowFrame) -> PgResult<String> {
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

    /// `make_interval(days => 3)`.
    fn make_interval(&mut self, function: &Function, at: Option<u32>) -> PgResult<Ex> {
        const PARTS: [(&str, &str); 7] = [
            ("years", "to_years"),
            ("months", "to_months"),
            ("weeks", "to_weeks"),
            ("days", "to_days"),
            ("hours", "to_hours"),
            ("mins", "to_minutes"),
            ("secs", "to_seconds"),
        ];
        let mut terms = Vec::new();
        if let FunctionArguments::List(list) = &function.args {
            for (n, arg) in list.args.iter().enumerate() {
                let (name, expr) = match arg {
                    FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. } => (quote::fold(name), expr),
                    FunctionArg::ExprNamed {
                        name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(expr), ..
                    } => (quote::fold(name), expr),
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => {
                        (PARTS.get(n).map(|p| p.0.to_owned()).unwrap_or_default(), expr)
                    }
                    _ => return self.refuse("this form of an argument", at),
                };
                let Some((part, constructor)) = PARTS.iter().find(|p| p.0 == name) else {
                    return Err(self.undefined_function("make_interval", &[], at));
                };
                let ex = self.expr(expr)?;
                let ty = if *part == "secs" { ColumnType::Float8 } else { ColumnType::Int4 };
                let ex = self.settle(ex, &ty)?;
                terms.push(format!("{constructor}({})", ex.sql));
            }
        }
        if terms.is_empty() {
            terms.push("INTERVAL '0 seconds'".into());
        }
        Ok(Ex::of(format!("({})", terms.join(" + ")), ColumnType::Interval).at(at))
    }

    /// A function in FROM: its text and its columns; an empty name takes the alias'.
    #[allow(clippy::type_complexity)]
    pub fn table_function(
        &mut self,
        name: &str,
        mut args: Vec<Ex>,
        at: Option<u32>,
    ) -> PgResult<(String, Vec<(&'static str, Option<ColumnType>)>)> {
        use ColumnType as T;
        allowed(name).map_err(|e| e.or_position(at))?;
        if let Some(found) = self.system_function(name, &mut args, at)? {
            return Ok(found);
        }
        match name {
            "generate_series" => {
                let time = args.iter().take(2).any(|a| matches!(a.ty, Some(T::Date | T::Timestamp | T::Timestamptz)));
                if let (true, Some(step)) = (time, args.get_mut(2)) {
                    *step = self.settle(step.clone(), &T::Interval)?;
                    let (ty, list) = self.series_of_times(&mut args, at)?;
                    return Ok((format!("(SELECT unnest({list}))"), vec![("", ty)]));
                }
                let ty = self.unify(&mut args, "generate_series")?;
                let texts: Vec<String> = args.iter().map(|a| a.sql.clone()).collect();
                let (ty, list) = match (&ty, texts.as_slice()) {
                    (Some(T::Int2 | T::Int4 | T::Int8), [_, _] | [_, _, _]) => {
                        let wide = if ty == Some(T::Int8) { T::Int8 } else { T::Int4 };
                        let sql = format!(
                            "(SELECT CAST(generate_series AS {}) FROM generate_series({}))",
                            wide.duckdb(),
                            texts.join(", ")
                        );
                        return Ok((sql, vec![("", Some(wide))]));
                    }
                    (Some(T::Numeric(..)), [_, _] | [_, _, _]) if self.has_functions() => {
                        let mut texts = Vec::new();
                        for arg in args {
                            texts.push(self.long(arg)?.sql);
                        }
                        if texts.len() == 2 {
                            texts.push("'1'".to_owned());
                        }
                        (Some(super::LONG), format!("pg_num_series({})", texts.join(", ")))
                    }
                    (_, [_, _, _]) => self.series_of_times(&mut args, at)?,
                    (None, [_, _]) => (None, format!("generate_series({})", texts.join(", "))),
                    _ => return Err(self.undefined_function(name, &args, at)),
                };
                Ok((format!("(SELECT unnest({list}))"), vec![("", ty)]))
            }
            "unnest" => {
                if args.len() == 1 {
                    let arg = args.remove(0);
                    let arg = self.settle_unknown(arg, &T::Array(Box::new(T::Text)))?;
                    let arg = self.grid_list(&arg)?;
                    let ty = match arg.ty.clone() {
                        Some(T::Array(element)) => Some(*element),
                        Some(_) => return Err(self.undefined_function(name, &[arg], at)),
                        None => None,
                    };
                    return Ok((format!("(SELECT unnest({}))", arg.sql), vec![("", ty)]));
                }
                let (mut texts, mut columns) = (Vec::new(), Vec::new());
                for arg in args {
                    let arg = self.settle_unknown(arg, &T::Array(Box::new(T::Text)))?;
                    let arg = self.grid_list(&arg)?;
                    columns.push(match &arg.ty {
                        Some(T::Array(element)) => ("", Some((**element).clone())),
                        Some(_) => return Err(self.undefined_function(name, &[arg], at)),
                        None => ("", None),
                    });
                    texts.push(format!("unnest({})", arg.sql));
                }
                if texts.is_empty() {
                    return Err(self.undefined_function(name, &[], at));
                }
                Ok((format!("(SELECT {})", texts.join(", ")), columns))
            }
            "regexp_split_to_table" | "regexp_matches" if self.has_functions() => {
                match self.text_call(name, &mut args, at)? {
                    Some(ex) => Ok((format!("(SELECT {})", ex.sql), vec![("", ex.ty)])),
                    None => Err(self.undefined_function(name, &args, at)),
                }
            }
            "regexp_split_to_table" | "string_to_table" => {
                let function = if name == "string_to_table" { "string_to_array" } else { "regexp_split_to_array" };
                let list = self.by_table(SCALARS, function, args, at)?;
                Ok((format!("(SELECT unnest({}))", list.sql), vec![("", Some(T::Text))]))
            }
            "json_array_elements"
            | "jsonb_array_elements"
            | "json_array_elements_text"
            | "jsonb_array_elements_text" => {
                let Some(arg) = args.pop().filter(|_| args.is_empty()) else {
                    return Err(self.undefined_function(name, &args, at));
                };
                let own = if name.starts_with("jsonb") { T::Jsonb } else { T::Json };
                let arg = self.settle(arg, &own)?;
                if self.has_functions() {
                    let (function, ty) = match name {
                        n if n.ends_with("text") => ("pg_json_elements_text", T::Text),
                        n if n.starts_with("jsonb") => ("pg_json_elements", T::Jsonb),
                        _ => ("pg_json_elements", T::Json),
                    };
                    return Ok((format!("(SELECT unnest({function}({})))", arg.sql), vec![("value", Some(ty))]));
                }
                let (sql, ty) = if name.ends_with("text") {
                    (format!("(SELECT unnest(json_extract_string({}, '$[*]')))", arg.sql), T::Text)
                } else {
                    let ty = if name.starts_with("jsonb") { T::Jsonb } else { T::Json };
                    (format!("(SELECT unnest(json_extract({}, '$[*]')))", arg.sql), ty)
                };
                Ok((sql, vec![("value", Some(ty))]))
            }
            "jsonb_path_query" | "jsonb_path_query_tz" if self.has_functions() => {
                match self.json_call(name, &mut args)? {
                    Some(ex) => Ok((format!("(SELECT {})", ex.sql), vec![("", ex.ty)])),
                    None => Err(self.undefined_function(name, &args, at)),
                }
            }
            "json_object_keys" | "jsonb_object_keys" => {
                let Some(arg) = args.pop().filter(|_| args.is_empty()) else {
                    return Err(self.undefined_function(name, &args, at));
                };
                let own = if name.starts_with("jsonb") { T::Jsonb } else { T::Json };
                let arg = self.settle(arg, &own)?;
                let function = if self.has_functions() { "pg_json_keys" } else { "json_keys" };
                Ok((format!("(SELECT unnest({function}({})))", arg.sql), vec![("", Some(T::Text))]))
            }
            "json_each" | "jsonb_each" | "json_each_text" | "jsonb_each_text" => {
                let Some(arg) = args.pop().filter(|_| args.is_empty()) else {
                    return Err(self.undefined_function(name, &args, at));
                };
                let own = if name.starts_with("jsonb") { T::Jsonb } else { T::Json };
                let arg = self.settle(arg, &own)?;
                if self.has_functions() {
                    let (function, ty) = match name {
                        n if n.ends_with("text") => ("pg_json_values_text", T::Text),
                        n if n.starts_with("jsonb") => ("pg_json_values", T::Jsonb),
                        _ => ("pg_json_values", T::Json),
                    };
                    let sql = format!(
                        "(SELECT unnest(pg_json_keys(j)), unnest({function}(j)) FROM (SELECT {} AS j))",
                        arg.sql
                    );
                    return Ok((sql, vec![("key", Some(T::Text)), ("value", Some(ty))]));
                }
                let (value, ty) = if name.ends_with("text") {
                    ("json_extract_string(j, '$.\"' || k || '\"')", T::Text)
                } else {
                    ("json_extract(j, '$.\"' || k || '\"')", T::Json)
                };
                let sql = format!(
                    "(SELECT k, {value} FROM (SELECT j, unnest(json_keys(j)) AS k FROM (SELECT {} AS j)))",
                    arg.sql
                );
                Ok((sql, vec![("key", Some(T::Text)), ("value", Some(ty))]))
            }
            "range" => {
                let texts: Vec<String> = args.iter().map(|a| a.sql.clone()).collect();
                Ok((format!("range({})", texts.join(", ")), vec![("", Some(T::Int8))]))
            }
            "pg_partition_ancestors" => Ok(("(SELECT 0 WHERE FALSE)".into(), vec![("relid", Some(T::Int8))])),
            // A plain function in FROM gives one row.
            _ if SCALARS.iter().chain(pgcatalog::functions::FUNCTIONS).any(|r| r.0 == name) => {
                let table = if SCALARS.iter().any(|r| r.0 == name) { SCALARS } else { pgcatalog::functions::FUNCTIONS };
                let ex = self.by_table(table, name, args, at)?;
                Ok((format!("(SELECT {})", ex.sql), vec![("", ex.ty)]))
            }
            _ => match self.session_call(name, &[], at)? {
                Some(ex) if args.is_empty() => Ok((format!("(SELECT {})", ex.sql), vec![("", ex.ty)])),
                _ => Err(self.undefined_function(name, &args, at)),
            },
        }
    }

    /// `generate_series(timestamp, timestamp, interval)`.
    pub fn series_of_times(&mut self, args: &mut [Ex], at: Option<u32>) -> PgResult<(Option<ColumnType>, String)> {
        use ColumnType as T;
        let _ = at;
        let ty = match args.first().and_then(|a| a.ty.clone()) {
            Some(T::Timestamp) => T::Timestamp,
            Some(T::Date | T::Timestamptz) => T::Timestamptz,
            other => {
                let texts: Vec<&str> = args.iter().map(|a| a.sql.as_str()).collect();
                return Ok((other, format!("generate_series({})", texts.join(", "))));
            }
        };
        let mut texts = Vec::new();
        for (n, arg) in args.iter().enumerate() {
            let want = if n == 2 { T::Interval } else { ty.clone() };
            let ex = self.settle(arg.clone(), &want)?;
            texts.push(self.cast(ex, &want, arg.position)?.sql);
        }
        Ok((Some(ty), format!("generate_series({})", texts.join(", "))))
    }
}

/// Functions that reach out of the query are refused as such, not as unknown.
fn allowed(name: &str) -> PgResult<()> {
    let listed = SCALARS.iter().chain(AGGREGATES).any(|r| r.0 == name);
    if !listed && forbidden(name) {
        return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied for function {name}")));
    }
    Ok(())
}

fn is_aggregate(name: &str) -> bool {
    matches!(name, "count" | "grouping")
        || AGGREGATES.iter().chain(WINDOWS).any(|r| r.0 == name)
        || ORDERED_SETS.contains(&name)
        || matches!(name, "range_agg" | "range_intersect_agg")
}

/// The text of a call: `$1` and `$*` filled, or the same name.
fn fill(template: &str, name: &str, args: &[&str]) -> String {
    if template.is_empty() {
        return format!("{name}({})", args.join(", "));
    }
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        let mark = rest[at + 1..].chars().next().unwrap_or(' ');
        match mark {
            '*' => text.push_str(&args.join(", ")),
            d => match d.to_digit(10).and_then(|d| args.get(d as usize - 1)) {
                Some(arg) => text.push_str(arg),
                None => text.push_str(&rest[at..at + 1 + mark.len_utf8()]),
            },
        }
        rest = rest.get(at + 1 + mark.len_utf8()..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

/// `CAST(sum($1) AS BIGINT)` as what stands before the call, its name, and what stands after.
fn wrapped(template: &str, name: &str) -> (String, String, String) {
    let Some(at) = template.find("($1").or_else(|| template.find("($*")) else {
        return (String::new(), name.to_owned(), String::new());
    };
    let head = &template[..at];
    let start = head.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |i| i + 1);
    let close = template[at..].find(')').map_or(template.len(), |i| at + i + 1);
    (head[..start].to_owned(), head[start..].to_owned(), template[close..].to_owned())
}
