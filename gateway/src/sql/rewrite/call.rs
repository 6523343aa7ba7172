//! Function calls: scalars, aggregates, windows and functions in FROM.

use std::borrow::Cow;

use duckmesh_catalog::{
    ColumnType,
    types::{modifier::PRECISION_MAX, oid},
};
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause,
    FunctionArguments, OrderByExpr, Spanned,
};

use super::{
    Ex, Rewriter,
    aggregate::NESTED,
    forbidden::forbidden,
    functions::{AGGREGATES, ORDERED_SETS, SCALARS, WINDOWS, session},
    interval,
    signature::{self, Row, shown},
};
use crate::{
    pgcatalog,
    sql::{plan::SessionValue, quote},
    value::Interval,
    wire::error::{PgError, PgResult, SqlState},
};

/// A call's arguments as written.
pub(super) struct Arguments<'a> {
    pub values: Vec<&'a Expr>,
    pub star: bool,
    pub distinct: bool,
    pub order_by: &'a [OrderByExpr],
}

/// Functions that give any number of rows.
fn returns_sets(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "generate_series",
        "generate_subscripts",
        "pg_listening_channels",
        "regexp_matches",
        "regexp_split_to_table",
        "string_to_table",
    ];
    let json = name.strip_prefix("jsonb_").or_else(|| name.strip_prefix("json_"));
    let of_json = |rest: &str| {
        rest.starts_with("array_elements")
            || rest.starts_with("each")
            || matches!(rest, "object_keys" | "path_query" | "populate_recordset")
    };
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
    pub fn function_name(&self, function: &Function) -> PgResult<String> {
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

    /// Fails for a function of a schema of the lake: there are none.
    fn function_schema(&mut self, function: &Function, at: Option<u32>) -> PgResult<()> {
        let parts = quote::parts(&function.name).unwrap_or_default();
        let [schema, _] = parts.as_slice() else { return Ok(()) };
        if matches!(schema.as_str(), "pg_catalog" | "information_schema" | "duckmesh") {
            return Ok(());
        }
        if self.ctx.schema.schema(super::relations::lake_schema(schema)).is_none() {
            let message = format!("schema \"{schema}\" does not exist");
            return Err(PgError::new(SqlState::INVALID_SCHEMA_NAME, message).or_position(at));
        }
        let mut args = Vec::new();
        for arg in self.arguments(function, at)?.values {
            args.push(self.expr(arg)?);
        }
        Err(self.undefined_function(&parts.join("."), &args, at))
    }

    /// A call.
    pub fn call(&mut self, function: &Function) -> PgResult<Ex> {
        let outer = self.sets_barred;
        if quote::parts(&function.name).is_some_and(|name| name == ["coalesce"]) {
            self.sets_barred = Some(("COALESCE", self.scopes.len()));
        }
        let ex = self.call_here(function);
        self.sets_barred = outer;
        ex
    }

    /// Fails for a function of many rows where its clause takes none.
    fn may_return_sets(&self, at: Option<u32>) -> PgResult<()> {
        let here = |place: Option<(&'static str, usize)>| {
            place.filter(|(_, depth)| *depth == self.scopes.len()).map(|(place, _)| place)
        };
        let message = match (here(self.sets_barred), here(self.clause)) {
            (Some(place), _) => format!("set-returning functions are not allowed in {place}"),
            (None, Some(NESTED)) => "aggregate function calls cannot contain set-returning function calls".to_owned(),
            // Groups may be of their rows.
            (None, None | Some("GROUP BY")) => return Ok(()),
            (None, Some("VALUES")) if self.values_give_rows => return Ok(()),
            (None, Some(place)) => format!("set-returning functions are not allowed in {place}"),
        };
        let error = PgError::unsupported(message).or_position(at);
        Err(match here(self.clause) {
            Some("WHERE" | "JOIN conditions" | "VALUES" | "RETURNING") => error,
            _ => error.hint("You might be able to move the set-returning function into a LATERAL FROM item."),
        })
    }

    fn call_here(&mut self, function: &Function) -> PgResult<Ex> {
        let at = self.at(function.name.span());
        if function.uses_odbc_syntax || !matches!(function.parameters, FunctionArguments::None) {
            return self.refuse("this form of a call", at);
        }
        if let Some(ex) = self.gateway_call(function)? {
            return Ok(ex);
        }
        self.function_schema(function, at)?;
        let name = self.function_name(function)?;
        if let Some(place) = self.bounds.filter(|_| returns_sets(&name)) {
            let message = format!("set-returning functions are not allowed in {place}s");
            return Err(PgError::unsupported(message).or_position(at));
        }
        if returns_sets(&name) {
            self.may_return_sets(at)?;
        }
        if let FunctionArguments::Subquery(query) = &function.args {
            if name != "array" {
                return self.refuse("a subquery as arguments", at);
            }
            self.bounded("subquery")?;
            let rows = self.query(query, None)?;
            if let Some(ex) = self.grid_of_rows(&rows)? {
                return Ok(ex.at(at));
            }
            let element =
                rows.columns.first().and_then(|c| c.ty.clone()).filter(|t| !matches!(t, ColumnType::Array(_)));
            return Ok(Ex::plain(format!("ARRAY({})", rows.sql), element.map(|t| ColumnType::Array(Box::new(t)))));
        }
        if name == "row"
            && let Some(row) = self.row_of_relations(function)?
        {
            return Ok(row.at(at));
        }
        if let Some(ex) = self.variadic_call(function, at)? {
            return Ok(ex.at(at));
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
            if let Some(ex) = self.type_call(&name, function, &args.values)? {
                return Ok(ex.at(at));
            }
            if let Some(ex) = self.normalize_call(&name, &args.values)? {
                return Ok(ex.at(at));
            }
            let mut values = Vec::new();
            for value in &args.values {
                values.push(self.expr(value)?);
            }
            if name == "nullif" {
                self.equated(&mut values, at)?;
            }
            if name == "pg_listening_channels" && values.is_empty() {
                let list = self.session_value(SessionValue::Channels);
                return Ok(Ex::of(format!("unnest({list})"), ColumnType::Text).at(at));
            }
            if name == "_pg_expandarray" {
                return self.expand_array(values, at);
            }
            if name == "row" && !self.has_functions() {
                return self.refuse("a row in a view that any DuckDB reads", at);
            }
            if name == "row" {
                let fields = values.into_iter().enumerate().map(|(n, ex)| (format!("f{}", n + 1), ex)).collect();
                return Ok(self.record(fields)?.at(at));
            }
            if let Some(ex) = self.grid_call(&name, &mut values, at)? {
                return Ok(ex.at(at));
            }
            if let Some(ex) = self.bytea_call(&name, &values)? {
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
            if let Some(ex) = self.privilege_call(&name, &values, at)? {
                return Ok(ex);
            }
            if let Some(ex) = self.moment_call(&name, &values, at)? {
                return Ok(ex.at(at));
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

    pub(super) fn arguments<'f>(&self, function: &'f Function, at: Option<u32>) -> PgResult<Arguments<'f>> {
        let mut arguments = Arguments { values: Vec::new(), star: false, distinct: false, order_by: &[] };
        let FunctionArguments::List(list) = &function.args else {
            return Ok(arguments);
        };
        arguments.distinct = matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct));
        if let Some(values) = super::named_arguments::in_order(function, &list.args) {
            arguments.values = values;
            return Ok(arguments);
        }
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
    pub fn session_call(&mut self, name: &str, args: &[&Expr], at: Option<u32>) -> PgResult<Option<Ex>> {
        let value = match (name, args) {
            ("current_time", []) if self.has_functions() => return Ok(Some(self.current_time().at(at))),
            ("current_time" | "localtime" | "current_timestamp" | "localtimestamp", [precision])
                if super::set::integer(precision).is_some_and(|n| n >= 0) =>
            {
                let Some(ex) = self.session_call(name, &[], at)? else { return Ok(None) };
                let digits =
                    super::set::integer(precision).and_then(|n| i32::try_from(n).ok()).unwrap_or(PRECISION_MAX);
                return self.fitted(ex, digits.min(PRECISION_MAX), true).map(Some);
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
        let ty = match name {
            // It is the value itself.
            "nullif" => args.first().and_then(|a| a.ty.clone()),
            _ => signature::result(row.1, &args),
        };
        let texts: Vec<&str> = args.iter().map(|a| a.sql.as_str()).collect();
        let sql = match (name, row.2) {
            ("random" | "gen_random_uuid", _) => self.another_each_time(name),
            (_, "gen_random_uuid()") => self.another_each_time("gen_random_uuid"),
            (_, "pg_array_to_string($1, $2)") if texts.last().is_some_and(|by| by.starts_with('\'')) => {
                fill("pg_array_joined($1, $2)", name, &texts)
            }
            (_, template) => self.looked_up(self.checked_function(template, name), name, &texts),
        };
        Ok(Ex::plain(sql, ty).at(at))
    }

    /// A call's text; what it looks up is then part of the query.
    pub fn looked_up(&mut self, text: &'static str, name: &str, args: &[&str]) -> String {
        for relation in pgcatalog::functions::reads(text) {
            self.use_system(pgcatalog::INTERNAL, relation);
        }
        let mut template = Cow::Borrowed(text);
        for relation in pgcatalog::functions::looks_up(text).filter(|name| pgcatalog::shapes::internal(name).is_some())
        {
            let rows = self.looks_up(relation);
            template = Cow::Owned(template.replace(&format!("@{relation}"), &rows));
        }
        fill(&template, name, args)
    }

    /// The best row, with the arguments settled to its types.
    pub fn choose(
        &mut self,
        table: &[Row],
        name: &str,
        mut args: Vec<Ex>,
        at: Option<u32>,
    ) -> PgResult<(Row, Vec<Ex>)> {
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
        let anything = signature::anything(&letters, &args);
        for (letter, arg) in letters.into_iter().zip(args.iter_mut()) {
            let ty = match letter {
                'a' => arg.is_unknown().then(|| anything.clone()),
                'A' => arg.is_unknown().then(|| ColumnType::Array(Box::new(anything.clone()))),
                c => signature::letter(c),
            };
            let Some(ty) = ty else { continue };
            let taken = std::mem::replace(arg, Ex::plain("", None));
            *arg = self.argument(taken, &ty, letter)?;
        }
        Ok((row, args))
    }

    /// `ROW(t.*, 1)`: the fields of a relation among others. None where no relation is named so.
    fn row_of_relations(&mut self, function: &Function) -> PgResult<Option<Ex>> {
        let FunctionArguments::List(list) = &function.args else { return Ok(None) };
        let is_star = |arg: &FunctionArg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(_)));
        if !self.has_functions() || !list.args.iter().any(is_star) {
            return Ok(None);
        }
        let mut fields = Vec::new();
        for arg in &list.args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) => {
                    let items = self.qualified_star(name)?;
                    fields.extend(items.into_iter().map(|item| Ex::plain(item.sql, item.column.ty)));
                }
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => fields.push(self.expr(expr)?),
                _ => return Ok(None),
            }
        }
        let fields = fields.into_iter().enumerate().map(|(n, ex)| (format!("f{}", n + 1), ex)).collect();
        self.record(fields).map(Some)
    }

    /// An argument as its parameter's type: cast where the engine would choose otherwise.
    pub fn argument(&mut self, ex: Ex, ty: &ColumnType, letter: char) -> PgResult<Ex> {
        if ex.is_unknown() {
            return self.settle(ex, ty);
        }
        if letter == 'N' {
            return self.long(ex);
        }
        // A text names what it is of.
        if letter == 'R' && ex.ty.as_ref().is_some_and(super::operator::is_text) {
            let at = ex.position;
            return self.cast(ex, ty, at);
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

    /// `make_interval(days => 3)`.
    pub fn make_interval(&mut self, function: &Function, at: Option<u32>) -> PgResult<Ex> {
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
        let mut fixed = Some(Interval { months: 0, days: 0, micros: 0 });
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
                fixed = fixed.and_then(|sum| interval::with_part(sum, part, &ex));
                let constructor = match *part {
                    "secs" if self.has_functions() => "pg_to_seconds",
                    _ => constructor,
                };
                terms.push(format!("{constructor}({})", ex.sql));
            }
        }
        if let Some(fixed) = fixed.filter(|_| self.has_functions()) {
            return Ok(Ex::of(interval::hole(fixed), ColumnType::Interval).at(at));
        }
        if terms.is_empty() {
            terms.push("INTERVAL '0 seconds'".into());
        }
        Ok(Ex::of(format!("({})", terms.join(" + ")), ColumnType::Interval).at(at))
    }
}

/// Functions that reach out of the query are refused as such, not as unknown.
pub(super) fn allowed(name: &str) -> PgResult<()> {
    let listed = SCALARS.iter().chain(AGGREGATES).any(|r| r.0 == name);
    if !listed && forbidden(name) {
        return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied for function {name}")));
    }
    Ok(())
}

pub(in crate::sql) fn is_aggregate(name: &str) -> bool {
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
pub(super) fn wrapped(template: &str, name: &str) -> (String, String, String) {
    let Some(at) = template.find("($1").or_else(|| template.find("($*")) else {
        return (String::new(), name.to_owned(), String::new());
    };
    let head = &template[..at];
    let start = head.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |i| i + 1);
    let close = template[at..].find(')').map_or(template.len(), |i| at + i + 1);
    (head[..start].to_owned(), head[start..].to_owned(), template[close..].to_owned())
}
