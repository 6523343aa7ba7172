//! JSON as rows: `json_to_record`, `json_populate_record` and their twins, in FROM and as values, and what else reads objects.

use duckmesh_catalog::{
    ColumnType,
    types::{RecordType, oid},
};
use sqlparser::ast::{DataType, Expr, FunctionArg, FunctionArgExpr, Subscript, TableAlias, Value};

use super::{Ex, Kind, Rewriter};
use crate::{
    sql::quote,
    wire::error::{PgError, PgResult, SqlState},
};

/// Names and types of a row's fields.
type Fields = Vec<(String, ColumnType)>;

/// What a function of rows makes: its fields, and the values of those that the JSON lacks.
struct Base {
    fields: Fields,
    values: Option<Vec<Ex>>,
}

/// What comes of a value that is NULL, by the name that `jsonb_set_lax` is given.
const NULL_TREATMENTS: &str =
    "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"";

impl Rewriter<'_> {
    /// `json_to_recordset('…') AS x(a int)`, `json_populate_record(NULL::t, '…')` and their twins in FROM: the text, and the
    /// columns. None: another function.
    pub fn json_rows_of(
        &mut self,
        function: &str,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        at: Option<u32>,
    ) -> PgResult<Option<(String, Fields)>> {
        let plain = function.replace("jsonb", "json");
        let (populates, set) = match plain.as_str() {
            "json_to_record" => (false, false),
            "json_to_recordset" => (false, true),
            "json_populate_record" => (true, false),
            "json_populate_recordset" => (true, true),
            _ if is_listed(alias) => {
                let first = alias.and_then(|alias| alias.columns.first()).and_then(|c| self.at(c.name.span));
                let at = first.or(at);
                let message = "a column definition list is only allowed for functions returning \"record\"";
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message).or_position(at));
            }
            _ => return Ok(None),
        };
        if !self.has_functions() {
            return self.refuse("rows of JSON in a view that any DuckDB reads", at);
        }
        let mut exprs = Vec::new();
        for arg in args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => exprs.push(expr),
                _ => return self.refuse("this form of an argument", at),
            }
        }
        let (base, document) = match (populates, exprs.as_slice()) {
            (false, [document]) => (Base { fields: self.listed_fields(alias, at)?, values: None }, *document),
            (true, [base, document]) => (self.base_in_from(&plain, base, alias, at)?, *document),
            _ => return Err(self.undefined_function(function, &[], at)),
        };
        let document = self.json_document(function, document)?;
        let members = self.members("\"d\".\"j\"", &base)?;
        let mut fields = base.fields;
        let mut list = Vec::with_capacity(members.len());
        for (value, (name, ty)) in members.into_iter().zip(&mut fields) {
            if matches!(ty, ColumnType::Numeric(0 | 39.., _)) {
                *ty = super::LONG;
            }
            list.push(format!("{} AS {}", value.sql, quote::name(name)));
        }
        let name = quote::literal(function)?;
        let rows = match set {
            true => format!("unnest(pg_json_many({document}, {name}))"),
            false => json_object(&document),
        };
        let sql = format!("(SELECT {} FROM (SELECT {rows} AS \"j\") AS \"d\")", list.join(", "));
        Ok(Some((sql, fields)))
    }

    fn json_document(&mut self, function: &str, document: &Expr) -> PgResult<String> {
        let document = self.expr(document)?;
        Ok(self.settle(document, &own_type(function))?.sql)
    }

    fn listed_fields(&self, alias: Option<&TableAlias>, at: Option<u32>) -> PgResult<Fields> {
        let columns = alias.map_or(&[][..], |a| a.columns.as_slice());
        let mut fields = Fields::new();
        for column in columns {
            let Some(ty) = &column.data_type else { break };
            fields.push((quote::fold(&column.name), self.type_of(ty)?));
        }
        if fields.is_empty() || fields.len() != columns.len() {
            let message = "a column definition list is required for functions returning \"record\"";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message).or_position(at));
        }
        Ok(fields)
    }

    /// The first argument in FROM: a row, or `NULL::record`, whose fields the column definition list says.
    fn base_in_from(
        &mut self,
        function: &str,
        base: &Expr,
        alias: Option<&TableAlias>,
        at: Option<u32>,
    ) -> PgResult<Base> {
        if is_null_record(base) {
            return Ok(Base { fields: self.listed_fields(alias, at)?, values: None });
        }
        let ex = self.expr(base)?;
        let (row, mut base) = self.base_of(function, &ex)?;
        if row.oid != oid::RECORD {
            return match is_listed(alias) {
                false => Ok(base),
                true => {
                    let message =
                        "a column definition list is redundant for a function returning a named composite type";
                    Err(PgError::new(SqlState::SYNTAX_ERROR, message).or_position(at))
                }
            };
        }
        let listed = self.listed_fields(alias, at)?;
        let same = |((_, a), (_, b)): (&(String, ColumnType), &(String, ColumnType))| a.oid() == b.oid();
        if listed.len() != base.fields.len() || !listed.iter().zip(&base.fields).all(same) {
            let message = "function return row and query-specified return row do not match";
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
        }
        base.fields = listed;
        Ok(base)
    }

    /// A row as what a function of rows begins with.
    fn base_of(&mut self, function: &str, ex: &Ex) -> PgResult<(RecordType, Base)> {
        let Some(ColumnType::Record(row)) = ex.ty.clone().filter(|_| !ex.is_unknown()) else {
            let message = format!("first argument of {} must be a row type", function.replace("jsonb", "json"));
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).or_position(ex.position));
        };
        let fields = row.fields.clone();
        let is_null = ex.sql.starts_with("CAST(NULL AS ");
        let values = match self.row_fields(ex)?.filter(|_| !is_null) {
            Some(kept) => {
                let mut values = Vec::with_capacity(kept.len());
                for ((_, sql, from), (_, ty)) in kept.into_iter().zip(&fields) {
                    values.push(self.cast(Ex::plain(sql, from), ty, ex.position)?);
                }
                Some(values)
            }
            None => None,
        };
        Ok((*row, Base { fields, values }))
    }

    /// The members of a JSON object as a row's fields.
    fn members(&mut self, json: &str, base: &Base) -> PgResult<Vec<Ex>> {
        let mut values = Vec::with_capacity(base.fields.len());
        for (n, (name, ty)) in base.fields.iter().enumerate() {
            let member = format!("pg_json_member({json}, {})", quote::literal(name)?);
            let kept = base.values.as_ref().and_then(|values| values.get(n));
            let mut value = self.of_json(&member, ty, kept)?;
            if let Some(kept) = kept {
                value.sql = format!("(CASE WHEN {member} IS NULL THEN {} ELSE {} END)", kept.sql, value.sql);
            }
            values.push(value);
        }
        Ok(values)
    }

    /// JSON as a value of a type; its null is NULL. `kept`: the row whose fields stay where it has none.
    fn of_json(&mut self, json: &str, ty: &ColumnType, kept: Option<&Ex>) -> PgResult<Ex> {
        use ColumnType as T;
        let sql = match ty {
            T::Json => format!("nullif({json}, 'null')"),
            T::Jsonb => format!("pg_jsonb(nullif({json}, 'null'))"),
            T::Array(element) => {
                let each = format!("j_{}", self.number());
                let value = self.of_json(&each, element, None)?.sql;
                format!("list_transform(pg_json_list({json}), lambda {each}: {value})")
            }
            T::Record(row) => self.row_of_json(json, row, kept)?,
            ty => {
                let text = Ex::of(format!("pg_json_path_text({json}, '{{}}')"), T::Text);
                let value = self.length_checked(text, ty)?.sql;
                match ty {
                    T::Numeric(0, _) | T::Text | T::Varchar(_) | T::Char(_) => value,
                    ty => ty.cast(&value),
                }
            }
        };
        Ok(Ex::of(sql, ty.clone()))
    }

    /// An object, or a row's text in a string, as a row.
    fn row_of_json(&mut self, json: &str, row: &RecordType, kept: Option<&Ex>) -> PgResult<String> {
        let values = match kept {
            Some(kept) => self.base_of("json_populate_record", kept)?.1.values,
            None => None,
        };
        let base = Base { fields: row.fields.clone(), values };
        let values = self.members(json, &base)?;
        let names = base.fields.into_iter().map(|(name, _)| name);
        let object = self.record(names.zip(values).collect())?.sql;
        let text = Ex::of(format!("pg_json_path_text({json}, '{{}}')"), ColumnType::Text);
        let text = self.record_of_text(&text, row)?.sql;
        let error = |what: &str| format!("error('SQLSTATE 22023: cannot call populate_composite on {what}')");
        Ok(format!(
            "(CASE WHEN {json} IS NULL OR {json} = 'null' THEN NULL WHEN pg_json_type({json}) = 'object' THEN {object} \
             WHEN pg_json_type({json}) = 'string' THEN {text} WHEN pg_json_type({json}) = 'array' THEN {} ELSE {} END)",
            error("an array"),
            error("a scalar"),
        ))
    }

    /// Functions of rows of JSON as values, and the functions behind the operators of `jsonb`. None: not one of them.
    pub(super) fn json_row_call(&mut self, name: &str, values: &[Ex]) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        let binary = name.contains("jsonb");
        let plain = name.replace("jsonb", "json");
        let mut args = values.iter().cloned();
        let (Some(first), second) = (args.next(), args.next()) else { return Ok(None) };
        Ok(Some(match (plain.as_str(), second) {
            ("json_object", None) => {
                let texts = self.path_text(first)?;
                Self::json_result(binary, &format!("pg_json_alternate({texts})"))
            }
            ("json_each" | "json_each_text", None) => {
                let document = self.settle(first, &own_type(name))?.sql;
                let value = if plain.ends_with("text") { T::Text } else { own_type(name) };
                let row = RecordType::anonymous(vec![("key".to_owned(), T::Text), ("value".to_owned(), value)]);
                let list = format!("pg_json_pairs({document}, {})", quote::literal(name)?);
                Ex::of(format!("unnest({list})"), T::Record(Box::new(row)))
            }
            ("array_to_json" | "row_to_json", Some(pretty)) if values.len() == 2 => {
                let pretty = self.settle(pretty, &T::Bool)?.sql;
                let text = self.json_of(first)?;
                let sql = format!("(CASE WHEN {pretty} THEN pg_json_line({text}) WHEN NOT {pretty} THEN {text} END)");
                Ex::of(sql, T::Json)
            }
            ("json_populate_record", Some(document)) => self.populated(name, &first, document)?,
            ("json_populate_recordset", Some(document)) => self.populated_set(name, &first, document)?,
            ("json_set_lax", Some(path)) if binary => return self.set_lax(first, path, args.collect()).map(Some),
            (_, Some(second)) if binary && values.len() == 2 => return self.operator_call(&plain, first, second),
            _ => return Ok(None),
        }))
    }

    /// `j['name']`, `j[1]` of `jsonb`: a step of a path, whatever its type.
    pub(super) fn json_subscript(&mut self, ex: Ex, subscript: &Subscript) -> PgResult<Ex> {
        let mismatch = |message: String, at| Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).or_position(at));
        let index = match subscript {
            Subscript::Index { index } => index,
            Subscript::Slice { lower_bound, upper_bound, .. } => {
                let at = upper_bound.as_ref().or(lower_bound.as_ref()).and_then(|bound| self.at_expr(bound));
                return mismatch("jsonb subscript does not support slices".to_owned(), at);
            }
        };
        let at = self.at_expr(index);
        let step = self.expr(index)?;
        if ex.ty == Some(ColumnType::Json) {
            let message = "cannot subscript type json because it does not support subscripting";
            return mismatch(message.to_owned(), ex.position);
        }
        if !self.has_functions() {
            return self.json_step(ex, step, false);
        }
        let step = self.settle(step, &ColumnType::Text)?;
        let number = |ty: &ColumnType| matches!(ty, ColumnType::Int2 | ColumnType::Int4);
        if let Some(ty) = step.ty.as_ref().filter(|ty| !super::operator::is_text(ty) && !number(ty)) {
            let message = format!("subscript type {} is not supported", super::signature::shown(ty));
            let hint = "jsonb subscript must be coercible to either integer or text.";
            return mismatch(message, at).map_err(|error: PgError| error.hint(hint));
        }
        let sql = format!("pg_json_steps(CAST({} AS VARCHAR), CAST({} AS VARCHAR))", ex.sql, step.sql);
        Ok(Ex::of(sql, ColumnType::Jsonb))
    }

    /// `json_populate_record(row, json)` as a value.
    fn populated(&mut self, function: &str, base: &Ex, document: Ex) -> PgResult<Ex> {
        let (row, base) = self.base_of(function, base)?;
        let document = self.settle(document, &own_type(function))?.sql;
        let json = json_object(&document);
        let members = self.members(&json, &base)?;
        let is_null = base.values.is_none().then(|| document.clone());
        let names = base.fields.into_iter().map(|(name, _)| name);
        let made = self.record(names.zip(members).collect())?;
        let sql = match is_null {
            Some(document) => format!("(CASE WHEN {document} IS NOT NULL THEN {} END)", made.sql),
            None => made.sql.clone(),
        };
        Ok(Ex { sql, ty: Some(ColumnType::Record(Box::new(row))), ..made })
    }

    /// `json_populate_recordset(row, json)` as values.
    fn populated_set(&mut self, function: &str, base: &Ex, document: Ex) -> PgResult<Ex> {
        let (row, base) = self.base_of(function, base)?;
        let document = self.settle(document, &own_type(function))?.sql;
        let each = format!("j_{}", self.number());
        let members = self.members(&each, &base)?;
        let names = base.fields.into_iter().map(|(name, _)| name);
        let made = self.record(names.zip(members).collect())?.sql;
        let list = format!("pg_json_many({document}, {})", quote::literal(function)?);
        let sql = format!("unnest(list_transform({list}, lambda {each}: {made}))");
        Ok(Ex::of(sql, ColumnType::Record(Box::new(row))))
    }

    /// `jsonb_contains(a, b)` and its like: what an operator does.
    fn operator_call(&mut self, plain: &str, l: Ex, r: Ex) -> PgResult<Option<Ex>> {
        let (at, jsonb) = (l.position, ColumnType::Jsonb);
        let l = match plain {
            "json_contained" => l,
            _ => self.settle(l, &jsonb)?,
        };
        Ok(Some(match plain {
            "json_contains" => {
                let r = self.settle(r, &jsonb)?;
                self.contains(l, r, at)?
            }
            "json_contained" => {
                let (l, r) = (self.settle(l, &jsonb)?, self.settle(r, &jsonb)?);
                self.contains(r, l, at)?
            }
            "json_exists" => self.json_has(l, "?", r)?,
            "json_exists_any" => self.json_has(l, "?|", r)?,
            "json_exists_all" => self.json_has(l, "?&", r)?,
            "json_concat" => self.json_concat(l, r)?,
            "json_delete" => self.json_minus(&l, r, at)?,
            "json_delete_path" => {
                let path = self.path_text(r)?;
                Ex::of(format!("pg_jsonb_delete({}, {path})", l.sql), jsonb)
            }
            _ => return Ok(None),
        }))
    }

    /// `jsonb_set_lax(j, path, value [, create [, treatment]])`.
    fn set_lax(&mut self, json: Ex, path: Ex, rest: Vec<Ex>) -> PgResult<Ex> {
        let at = json.position;
        let mut rest = rest.into_iter();
        let (Some(value), create, treatment, None) = (rest.next(), rest.next(), rest.next(), rest.next()) else {
            return Err(self.undefined_function("jsonb_set_lax", &[], at));
        };
        let json = self.settle(json, &ColumnType::Jsonb)?.sql;
        let path = self.path_text(path)?;
        let value = self.settle(value, &ColumnType::Jsonb)?.sql;
        let create = match create {
            Some(create) => format!("CAST({} AS VARCHAR)", self.settle(create, &ColumnType::Bool)?.sql),
            None => "'true'".to_owned(),
        };
        let treatment = match treatment {
            Some(Ex { kind: Kind::Null, .. }) => "''".to_owned(),
            Some(treatment) => self.settle(treatment, &ColumnType::Text)?.sql,
            None => "'use_json_null'".to_owned(),
        };
        let set = |value: &str| format!("pg_jsonb_set({json}, {path}, {value}, {create})");
        let sql = format!(
            "(CASE WHEN {value} IS NOT NULL THEN {} ELSE CASE coalesce({treatment}, '') WHEN 'use_json_null' THEN {} \
             WHEN 'delete_key' THEN pg_jsonb_delete({json}, {path}) WHEN 'return_target' THEN {json} \
             WHEN 'raise_exception' THEN error('SQLSTATE 22004: JSON value must not be null') \
             ELSE error('SQLSTATE 22023: {NULL_TREATMENTS}') END END)",
            set(&value),
            set("'null'"),
        );
        Ok(Ex::of(sql, ColumnType::Jsonb))
    }
}

/// The type of the document that a function reads.
fn own_type(function: &str) -> ColumnType {
    if function.starts_with("jsonb") { ColumnType::Jsonb } else { ColumnType::Json }
}

/// A document that must be an object.
fn json_object(document: &str) -> String {
    format!("pg_json_one({document}, 'populate_composite')")
}

fn is_listed(alias: Option<&TableAlias>) -> bool {
    alias.is_some_and(|a| a.columns.iter().any(|c| c.data_type.is_some()))
}

/// `NULL::record`
fn is_null_record(base: &Expr) -> bool {
    match base {
        Expr::Nested(inner) => is_null_record(inner),
        Expr::Cast { expr, data_type: DataType::Custom(name, _), .. } => {
            let is_null = matches!(expr.as_ref(), Expr::Value(v) if v.value == Value::Null);
            is_null && quote::parts(name).and_then(|mut parts| parts.pop()).is_some_and(|name| name == "record")
        }
        _ => false,
    }
}
