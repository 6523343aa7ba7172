//! Rows as values: composite types, fields, and functions that make rows of JSON.

use duckmesh_catalog::{
    ColumnType, TableDef, TypeSpec,
    types::{RecordType, oid},
};
use sqlparser::ast::{AccessExpr, DataType, Expr, FunctionArg, FunctionArgExpr, TableAlias};

use super::{Column, Ex, Kind, Rewriter, relations::Target, select::Item};
use crate::{
    pgcatalog::oids,
    sql::{quote, typed_string::ALL_FIELDS, types, user_type},
    value::held::record,
    wire::error::{PgError, PgResult, SqlState},
};

/// Whether it is `(row).*`.
pub(super) fn is_all_fields(chain: &[AccessExpr]) -> bool {
    matches!(chain.last(), Some(AccessExpr::Dot(Expr::Identifier(field))) if field.value == ALL_FIELDS)
}

/// A field of a row: name, text and type.
type Field = (String, String, Option<ColumnType>);

/// Names and types of a row's fields.
type Fields = Vec<(String, ColumnType)>;

impl Rewriter<'_> {
    /// A composite type, or a table's row type.
    pub fn composite(&self, ty: &DataType) -> Option<RecordType> {
        let DataType::Custom(name, _) = ty else { return None };
        if types::resolve(ty).is_ok() {
            return None;
        }
        if let Some(def) = user_type::definition(ty, self.ctx) {
            return match &def.spec {
                TypeSpec::Composite(_) => user_type::record(&def),
                _ => None,
            };
        }
        match self.resolve(name).ok()? {
            Target::Table(table, _) => Some(row_of(&table)),
            Target::View(view, _) if !view.columns.is_empty() => {
                let oid = oids::view(view.id);
                let (fields, name) = (view.columns.clone(), view.name.clone());
                Some(RecordType { oid: oids::row_type(oid), array_oid: oids::row_array(oid), name, fields })
            }
            _ => None,
        }
    }

    /// `'(1,a)'::x`, `ROW(1, 'a')::x`.
    pub fn composite_cast(&mut self, ex: Ex, row: RecordType, ty: &DataType) -> PgResult<Ex> {
        let at = ex.position;
        let fields = &row.fields;
        let whole = ColumnType::Record(Box::new(row.clone()));
        let values: Vec<Ex> = match &ex.kind {
            Kind::Null => return Ok(Ex::of("CAST(NULL AS VARCHAR)", whole).at(at)),
            Kind::Param(_) => return self.settle(ex, &whole),
            Kind::Str(text) => {
                let text = text.clone();
                let parts = record::fields(&text).ok_or_else(|| malformed(&text, at))?;
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
            _ if ex.ty.as_ref().is_some_and(|ty| ty.oid() == row.oid) => return Ok(ex),
            _ => return self.refuse("a cast of a computed value to a composite type", at),
        };
        let named = fields.iter().zip(values).map(|((name, _), value)| (name.clone(), value));
        let made = self.record(named.collect())?;
        Ok(Ex { ty: Some(whole), ..made }.at(at))
    }

    /// The fields of a row, computed from its text where it is not written out. None: not a row whose fields are known.
    pub fn row_fields(&mut self, ex: &Ex) -> PgResult<Option<Vec<Field>>> {
        let row = match (&ex.kind, &ex.ty) {
            (Kind::Row(fields), _) => return Ok(Some(fields.clone())),
            (_, Some(ColumnType::Record(row))) if !ex.is_unknown() => row.clone(),
            _ => return Ok(None),
        };
        let mut fields = Vec::with_capacity(row.fields.len());
        for (n, (name, ty)) in row.fields.iter().enumerate() {
            let text = Ex::of(format!("pg_record_field({}, '{n}')", ex.sql), ColumnType::Text);
            let field = match ty {
                ColumnType::Text => text,
                ty => self.cast(text, ty, ex.position)?,
            };
            let ty = field.full_type();
            fields.push((name.clone(), field.sql, ty));
        }
        Ok(Some(fields))
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
        let fields = match (self.row_fields(&ex)?, ex.ty) {
            (Some(fields), _) => fields,
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
    pub fn named_field(&self, fields: &[Field], ty: Option<&ColumnType>, name: &str, at: Option<u32>) -> PgResult<Ex> {
        match fields.iter().find(|(field, ..)| field == name) {
            Some((_, sql, ty)) => Ok(Ex::plain(sql.clone(), ty.clone()).at(at)),
            None => {
                let message = match ty {
                    Some(ColumnType::Record(row)) if row.oid != oid::RECORD => {
                        format!("column \"{name}\" not found in data type {}", row.name)
                    }
                    _ => format!("could not identify column \"{name}\" in record data type"),
                };
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
                    (true, Some(row)) => Ok(row.fields),
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

/// The type of a table's rows.
pub(super) fn row_of(table: &TableDef) -> RecordType {
    let oid = oids::table(table.id);
    let fields = table.columns.iter().map(|c| (c.name.clone(), c.ty.clone())).collect();
    RecordType { oid: oids::row_type(oid), array_oid: oids::row_array(oid), name: table.name.clone(), fields }
}

fn quote_type(ty: &DataType) -> String {
    match ty {
        DataType::Custom(name, _) => name.to_string(),
        other => other.to_string(),
    }
}

fn malformed(text: &str, at: Option<u32>) -> PgError {
    record::malformed(text).or_position(at)
}
