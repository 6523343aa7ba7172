//! Rows as values: composite types, fields, and functions that make rows of JSON.

use duckmesh_catalog::{ColumnType, TypeSpec};
use sqlparser::ast::{AccessExpr, DataType, Expr, FunctionArg, FunctionArgExpr, TableAlias};

use super::{Column, Ex, Kind, Rewriter, relations::Target, select::Item};
use crate::{
    sql::{quote, typed_string::ALL_FIELDS, types, user_type},
    wire::error::{PgError, PgResult, SqlState},
};

/// Whether it is `(row).*`.
pub(super) fn is_all_fields(chain: &[AccessExpr]) -> bool {
    matches!(chain.last(), Some(AccessExpr::Dot(Expr::Identifier(field))) if field.value == ALL_FIELDS)
}

/// Names and types of a row's fields.
type Fields = Vec<(String, ColumnType)>;

impl Rewriter<'_> {
    /// The fields of a composite type, or of a table's row type.
    pub fn composite(&self, ty: &DataType) -> Option<Fields> {
        let DataType::Custom(name, _) = ty else { return None };
        if types::resolve(ty).is_ok() {
            return None;
        }
        if let Some(def) = user_type::definition(ty, self.ctx) {
            return match &def.spec {
                TypeSpec::Composite(fields) => Some(fields.clone()),
                _ => None,
            };
        }
        match self.resolve(name).ok()? {
            Target::Table(table, _) => Some(table.columns.iter().map(|c| (c.name.clone(), c.ty.clone())).collect()),
            Target::View(view, _) if !view.columns.is_empty() => Some(view.columns.clone()),
            _ => None,
        }
    }

    /// `'(1,a)'::x`, `ROW(1, 'a')::x`.
    pub fn composite_cast(&mut self, ex: Ex, fields: &[(String, ColumnType)], ty: &DataType) -> PgResult<Ex> {
        let at = ex.position;
        let values: Vec<Ex> = match &ex.kind {
            Kind::Null => return Ok(Ex { kind: Kind::Plain, ..self.settle(ex, &ColumnType::Text)? }),
            Kind::Str(text) => {
                let text = text.clone();
                let parts = record_fields(&text).ok_or_else(|| malformed(&text, at))?;
                if parts.len() != fields.len() {
                    let detail = if parts.len() < fields.len() { "Too few columns." } else { "Too many columns." };
                    return Err(malformed(&text, at).detail(detail));
                }
                let mut values = Vec::new();
                for (part, (_, ty)) in parts.into_iter().zip(fields) {
                    values.push(match part {
                        Some(part) => self.constant(&part, ty, at)?,
                        None => {
                            let null = Ex { kind: Kind::Null, ..Ex::plain("NULL", None) };
                            Ex { kind: Kind::Plain, ..self.settle(null, ty)? }
                        }
                    });
                }
                values
            }
            Kind::Row(kept) if kept.len() == fields.len() => {
                let mut values = Vec::new();
                for ((_, sql, from), (_, ty)) in kept.clone().into_iter().zip(fields) {
                    values.push(self.cast(Ex::plain(sql, from), ty, at)?);
                }
                values
            }
            Kind::Row(_) => {
                let message = format!("cannot cast type record to {}", quote_type(ty));
                return Err(PgError::new(SqlState::CANNOT_COERCE, message).or_position(at));
            }
            _ => return self.refuse("a cast of a computed value to a composite type", at),
        };
        let named = fields.iter().zip(values).map(|((name, _), value)| (name.clone(), value));
        Ok(self.record(named.collect())?.at(at))
    }

    /// `(row).*`: its fields as columns.
    pub(super) fn all_fields(&mut self, root: &Expr, chain: &[AccessExpr]) -> PgResult<Vec<Item>> {
        let at = self.at_expr(root);
        let before = chain.get(..chain.len().saturating_sub(1)).unwrap_or_default();
        let ex = match before {
            [] => self.expr(root)?,
            before => {
                let of = Expr::CompoundFieldAccess { root: Box::new(root.clone()), access_chain: before.to_vec() };
                self.expr(&of)?
            }
        };
        let fields = match (ex.kind, ex.ty) {
            (Kind::Row(fields), _) => fields,
            (_, Some(ty)) if ty != ColumnType::Text => {
                let message = format!("type {} is not composite", super::shown(&ty));
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            _ => return self.refuse("the columns of a row that is computed", at),
        };
        let item = |(name, sql, ty): (String, String, Option<ColumnType>)| Item {
            sql,
            column: Column { engine: name.clone(), name, ty, origin: None },
            star: false,
        };
        Ok(fields.into_iter().map(item).collect())
    }

    /// A field of a row.
    pub fn named_field(
        &self,
        fields: &[(String, String, Option<ColumnType>)],
        name: &str,
        at: Option<u32>,
    ) -> PgResult<Ex> {
        match fields.iter().find(|(field, ..)| field == name) {
            Some((_, sql, ty)) => Ok(Ex::plain(sql.clone(), ty.clone()).at(at)),
            None => {
                let message = format!("could not identify column \"{name}\" in record data type");
                Err(PgError::new(SqlState::UNDEFINED_COLUMN, message).or_position(at))
            }
        }
    }

    /// `json_to_recordset('…') AS x(a int)`, `json_populate_record(NULL::t, '…')` and their twins in FROM: the text, and the
    /// columns. None: another function.
    pub fn json_rows_of(
        &mut self,
        function: &str,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        at: Option<u32>,
    ) -> PgResult<Option<(String, Fields)>> {
        let listed = alias.is_some_and(|a| a.columns.iter().any(|c| c.data_type.is_some()));
        let plain = function.replace("jsonb", "json");
        let (populates, set) = match plain.as_str() {
            "json_to_record" => (false, false),
            "json_to_recordset" => (false, true),
            "json_populate_record" => (true, false),
            "json_populate_recordset" => (true, true),
            _ if listed => {
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
        let (mut fields, document) = match (populates, exprs.as_slice()) {
            (false, [document]) => (self.listed_fields(alias, at)?, *document),
            (true, [base, document]) => (self.base_fields(base)?, *document),
            _ => return Err(self.undefined_function(function, &[], at)),
        };
        let own = if function.starts_with("jsonb") { ColumnType::Jsonb } else { ColumnType::Json };
        let document = self.expr(document)?;
        let document = self.settle(document, &own)?.sql;
        let mut list = Vec::new();
        for (name, ty) in &mut fields {
            let value = self.of_json("\"d\".\"j\"", name, ty)?;
            if matches!(ty, ColumnType::Numeric(0, _)) {
                *ty = super::LONG;
            }
            list.push(format!("{value} AS {}", quote::name(name)));
        }
        let rows = if set { format!("unnest(pg_json_elements({document}))") } else { document };
        let sql = format!("(SELECT {} FROM (SELECT {rows} AS \"j\") AS \"d\")", list.join(", "));
        Ok(Some((sql, fields)))
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

    /// `NULL::t` says which row it is.
    fn base_fields(&self, base: &Expr) -> PgResult<Fields> {
        match base {
            Expr::Nested(inner) => self.base_fields(inner),
            Expr::Cast { expr, data_type, .. } => {
                let is_null = matches!(expr.as_ref(), Expr::Value(v) if v.value == sqlparser::ast::Value::Null);
                match (is_null, self.composite(data_type)) {
                    (true, Some(fields)) => Ok(fields),
                    (false, Some(_)) => self.refuse("a base record that is not NULL", self.at_expr(base)),
                    (_, None) => {
                        self.type_of(data_type)?;
                        let message = "first argument of json_populate_record must be a row type";
                        Err(PgError::new(SqlState::DATATYPE_MISMATCH, message))
                    }
                }
            }
            _ => self.refuse("a base record that is not NULL::type", self.at_expr(base)),
        }
    }

    /// A member of a JSON object as a type.
    fn of_json(&mut self, json: &str, name: &str, ty: &ColumnType) -> PgResult<String> {
        let key = quote::literal(name)?;
        match ty {
            ColumnType::Json => Ok(format!("pg_json_member({json}, {key})")),
            ColumnType::Jsonb => Ok(format!("pg_jsonb(pg_json_member({json}, {key}))")),
            ColumnType::Array(element) => {
                let each = format!("j_{}", self.number());
                let value = match element.as_ref() {
                    ColumnType::Json | ColumnType::Jsonb => each.clone(),
                    element => self.cast(Ex::of(each.clone(), ColumnType::Text), element, None)?.sql,
                };
                let elements = match element.as_ref() {
                    ColumnType::Json | ColumnType::Jsonb => "pg_json_elements",
                    _ => "pg_json_elements_text",
                };
                // The member itself may be null.
                let member = format!("pg_json_member({json}, {key})");
                Ok(format!(
                    "(CASE WHEN {member} <> 'null' THEN list_transform({elements}({member}), lambda {each}: {value}) END)"
                ))
            }
            ty => {
                let text = Ex::of(format!("pg_json_member_text({json}, {key})"), ColumnType::Text);
                let value = self.cast(text, ty, None)?.sql;
                Ok(match ty {
                    ColumnType::Numeric(0, _) | ColumnType::Text | ColumnType::Varchar(_) | ColumnType::Char(_) => {
                        value
                    }
                    ty => ty.cast(&value),
                })
            }
        }
    }
}

fn quote_type(ty: &DataType) -> String {
    match ty {
        DataType::Custom(name, _) => name.to_string(),
        other => other.to_string(),
    }
}

fn malformed(text: &str, at: Option<u32>) -> PgError {
    PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("malformed record literal: \"{text}\"")).or_position(at)
}

/// The fields of `(1,"a b",)`; none is NULL. None where it is no record's text.
fn record_fields(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim_start().strip_prefix('(')?.trim_end().strip_suffix(')')?;
    let mut fields = Vec::new();
    let (mut field, mut quoted, mut any) = (String::new(), false, false);
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            (',', false) => {
                fields.push(any.then(|| std::mem::take(&mut field)));
                field.clear();
                any = false;
                continue;
            }
            ('"', true) if chars.peek() == Some(&'"') => field.extend(chars.next()),
            ('"', _) => quoted = !quoted,
            ('\\', _) => field.push(chars.next()?),
            ('(' | ')', false) => return None,
            (c, _) => field.push(c),
        }
        any = true;
    }
    if quoted {
        return None;
    }
    fields.push(any.then_some(field));
    Some(fields)
}

#[cfg(test)]
mod tests {
    #[test]
    fn records_are_read() {
        let some = |s: &str| Some(s.to_owned());
        for (text, expected) in [
            ("(1,a)", Some(vec![some("1"), some("a")])),
            (" ( 1,\"a, \"\"b\"\"\") ", Some(vec![some(" 1"), some("a, \"b\"")])),
            ("(,\"\")", Some(vec![None, some("")])),
            ("()", Some(vec![None])),
            ("1,2", None),
            ("(1", None),
            ("(\"1)", None),
        ] {
            assert_eq!(super::record_fields(text), expected, "{text}");
        }
    }
}
