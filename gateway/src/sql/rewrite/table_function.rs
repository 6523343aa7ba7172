//! Functions in FROM.

use duckmesh_catalog::{ColumnType, types::oid};
use sqlparser::ast::{FunctionArg, FunctionArgExpr, ObjectName, Spanned, TableAlias};

use super::{
    Column, Ex, Kind, Rewriter, call::allowed, from::Alias, functions::SCALARS, ordinality::reads_columns, unique,
};
use crate::{pgcatalog, sql::quote, wire::error::PgResult};

impl Rewriter<'_> {
    /// A function in FROM.
    pub(super) fn function(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        ordinality: bool,
        _lateral: bool,
    ) -> PgResult<String> {
        let at = self.at(name.span());
        let Some(parts) = quote::parts(name) else {
            return self.refuse("this form of a function's name", at);
        };
        if matches!(parts.as_slice(), [name] if name == crate::sql::rows_from::ROWS_FROM) {
            return self.rows_from(args, alias, ordinality, at);
        }
        if let Some(function) = parts.last()
            && let Some((sql, fields)) = self.json_rows_of(function, args, alias, at)?
        {
            return self.rows_placed(sql, fields, (function, alias, ordinality), at);
        }
        let written = alias;
        let alias = self.alias(alias)?;
        let function = match parts.as_slice() {
            [name] => name.clone(),
            [schema, name] if schema == "pg_catalog" => name.clone(),
            [schema, name] if schema == "information_schema" && name == "_pg_expandarray" => name.clone(),
            _ => {
                return Err(self.undefined_function(&parts.join("."), &[], at));
            }
        };
        let mut values = Vec::new();
        for arg in args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => values.push(self.expr(expr)?),
                _ => return self.refuse("this form of an argument", at),
            }
        }
        if function == "unnest"
            && let Some((sql, fields)) = self.unnested_rows(&values)?
        {
            return self.rows_placed(sql, fields, (&function, written, ordinality), at);
        }
        let (sql, columns) = self.table_function(&function, values, at)?;
        let default = if columns.len() == 1 {
            // A function's only column takes the alias' name.
            alias.name.clone().unwrap_or_else(|| function.clone())
        } else {
            function.clone()
        };
        let mut columns: Vec<Column> = columns
            .into_iter()
            .map(|(name, ty)| {
                let name = if name.is_empty() { default.clone() } else { name.to_owned() };
                Column { engine: name.clone(), name, ty, origin: None }
            })
            .collect();
        unique(&mut columns);
        let mut sql = sql;
        if ordinality {
            let names: Vec<String> = columns.iter().map(|c| quote::name(&c.engine)).collect();
            sql = self.with_ordinals(&sql, &names, "ordinality", at)?;
            columns.push(Column {
                name: "ordinality".into(),
                engine: "ordinality".into(),
                ty: Some(ColumnType::Int8),
                origin: None,
            });
        }
        // The engine names such columns its own way: always name them.
        let given = alias.name.clone().unwrap_or_else(|| function.clone());
        let mut names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        for (slot, new) in names.iter_mut().zip(&alias.columns) {
            slot.clone_from(new);
        }
        if alias.columns.len() > columns.len() {
            names = alias.columns.clone();
        }
        let scalar = columns.len() == 1;
        let alias = Alias { name: Some(given), columns: names, at: alias.at.or(at) };
        let text = self.place(sql, alias, ("", None), columns, true, None)?;
        if let Some(relation) = self.scopes.last_mut().and_then(|scope| scope.relations.last_mut()) {
            relation.scalar = scalar;
        }
        Ok(text)
    }

    /// A function in FROM that gives rows of named fields.
    fn rows_placed(
        &mut self,
        mut sql: String,
        mut fields: Vec<(String, ColumnType)>,
        (function, alias, ordinality): (&str, Option<&TableAlias>, bool),
        at: Option<u32>,
    ) -> PgResult<String> {
        if ordinality {
            let names: Vec<String> = (0..fields.len()).map(|n| format!("\"o{n}\"")).collect();
            sql = self.with_ordinals(&sql, &names, "ordinality", at)?;
            fields.push(("ordinality".to_owned(), ColumnType::Int8));
        }
        let column =
            |(name, ty): (String, ColumnType)| Column { engine: name.clone(), name, ty: Some(ty), origin: None };
        let given = alias.map_or_else(|| function.to_owned(), |a| quote::fold(&a.name));
        let mut columns: Vec<Column> = fields.into_iter().map(column).collect();
        unique(&mut columns);
        let renamed = alias.map_or(&[][..], |a| a.columns.as_slice());
        let mut names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        for (slot, new) in names.iter_mut().zip(renamed) {
            *slot = quote::fold(&new.name);
        }
        if renamed.len() > columns.len() {
            names = renamed.iter().map(|new| quote::fold(&new.name)).collect();
        }
        let alias = Alias { name: Some(given), columns: names, at };
        self.place(sql, alias, ("", None), columns, true, None)
    }

    /// `unnest(array of rows)`: a column for each of their fields. None: of other elements.
    #[allow(clippy::type_complexity)]
    fn unnested_rows(&mut self, values: &[Ex]) -> PgResult<Option<(String, Vec<(String, ColumnType)>)>> {
        let [Ex { sql, ty: Some(ColumnType::Array(element)), .. }] = values else { return Ok(None) };
        let ColumnType::Record(row) = element.as_ref() else { return Ok(None) };
        if row.oid == oid::RECORD {
            return Ok(None);
        }
        let name = format!("\"u_{}\"", self.number());
        let one = Ex::of(format!("{name}.\"r\""), (**element).clone());
        let (mut list, mut fields) = (Vec::new(), Vec::new());
        for (name, sql, ty) in self.row_fields(&one)?.unwrap_or_default() {
            list.push(format!("{sql} AS {}", quote::name(&name)));
            fields.push((name, ty.unwrap_or(ColumnType::Text)));
        }
        Ok(Some((format!("(SELECT {} FROM (SELECT unnest({sql}) AS \"r\") AS {name})", list.join(", ")), fields)))
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
                let texts: Vec<String> = args.iter().enumerate().map(|(n, a)| stepped(n, a)).collect();
                let (ty, list) = match (&ty, texts.as_slice()) {
                    (Some(T::Int2 | T::Int4 | T::Int8), [_, _] | [_, _, _]) => {
                        let wide = if ty == Some(T::Int8) { T::Int8 } else { T::Int4 };
                        // Of columns the rows of a list stay beside theirs.
                        if texts.iter().any(|text| reads_columns(text)) {
                            let list = T::Array(Box::new(wide.clone()))
                                .cast(&format!("generate_series({})", texts.join(", ")));
                            return Ok((format!("(SELECT unnest({list}))"), vec![("", Some(wide))]));
                        }
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
            let ex = self.cast(ex, &want, arg.position)?;
            texts.push(match n {
                2 => stepped_by_time(&ex),
                _ => ex.sql,
            });
        }
        Ok((Some(ty), format!("generate_series({})", texts.join(", "))))
    }
}

/// An argument of `generate_series` of integers: the third is its step, which is not zero.
pub(super) fn stepped(n: usize, ex: &Ex) -> String {
    match &ex.kind {
        Kind::Number(number) if number.parse::<i64>().is_ok_and(|step| step != 0) => ex.sql.clone(),
        _ if n == 2 && ex.ty.as_ref().is_some_and(super::operator::is_int) => {
            format!("(CASE WHEN {x} = 0 THEN {STEPLESS} ELSE {x} END)", x = ex.sql)
        }
        _ => ex.sql.clone(),
    }
}

/// The same for an interval.
fn stepped_by_time(ex: &Ex) -> String {
    format!("(CASE WHEN {x} = to_days(0) THEN {STEPLESS} ELSE {x} END)", x = ex.sql)
}

const STEPLESS: &str = "error('SQLSTATE 22023: step size cannot equal zero')";
