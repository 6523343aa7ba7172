//! Rows as values: composite types and fields.

use duckmesh_catalog::{
    ColumnType, TableDef, TypeSpec,
    types::{RangeType, RecordType, TextType, oid},
};
use sqlparser::ast::{AccessExpr, DataType, Expr};

use super::{Column, Ex, Kind, Rewriter, relations::Target, select::Item};
use crate::{
    pgcatalog::oids,
    sql::{typed_string::ALL_FIELDS, types, user_type},
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
                TypeSpec::Composite(_) => user_type::record(&def, self.ctx),
                _ => None,
            };
        }
        match self.resolve(name).ok()? {
            Target::Table(table, _) => Some(row_of(&table)),
            Target::View(view, _) if !view.columns.is_empty() => {
                let oid = oids::view(view.id);
                let (fields, name) = (view.columns.clone(), view.name.clone());
                Some(row_type(oid, name, fields))
            }
            _ => None,
        }
    }

    /// `'(1,a)'::x`, `ROW(1, 'a')::x`.
    pub fn composite_cast(&mut self, ex: Ex, row: RecordType) -> PgResult<Ex> {
        let at = ex.position;
        let fields = &row.fields;
        let whole = ColumnType::Record(Box::new(row.clone()));
        let values: Vec<Ex> = match &ex.kind {
            Kind::Null => return Ok(Ex::of("CAST(NULL AS VARCHAR)", whole).at(at)),
            Kind::Param(_) => return self.settle(ex, &whole),
            Kind::Str(text) => {
                let parts = record::parts(&row, text).map_err(|e| e.or_position(at))?;
                let mut values = Vec::new();
                for (part, (_, ty)) in parts.into_iter().zip(fields) {
                    values.push(match part {
                        Some(part) => self.constant(&part, ty, at)?,
                        None => self.null_of(ty)?,
                    });
                }
                values
            }
            Kind::Row(kept) => self.row_values(&kept.clone(), &row, at)?,
            _ if ex.ty.as_ref().is_some_and(|ty| ty.oid() == row.oid) => return Ok(ex),
            _ => match &ex.ty {
                Some(ty) if super::operator::is_text(ty) => return self.record_of_text(&ex, &row),
                // A row inside of a row that is written out.
                Some(ColumnType::Record(from)) if from.uuid.is_none() && from.oid == oid::RECORD => {
                    let kept = self.row_fields(&ex)?.unwrap_or_default();
                    self.row_values(&kept, &row, at)?
                }
                Some(ColumnType::Record(_)) => return self.refuse("a cast of a computed row to another type", at),
                ty => {
                    let from = ty.as_ref().map_or_else(|| "unknown".to_owned(), super::shown);
                    let message = format!("cannot cast type {from} to {}", super::shown(&whole));
                    return Err(PgError::new(SqlState::CANNOT_COERCE, message).or_position(at));
                }
            },
        };
        let named = row.fields.iter().zip(values).map(|((name, _), value)| (name.clone(), value));
        let made = self.record(named.collect())?;
        Ok(Ex { ty: Some(whole), ..made }.at(at))
    }

    fn null_of(&mut self, ty: &ColumnType) -> PgResult<Ex> {
        let null = Ex { kind: Kind::Null, ..Ex::plain("NULL", None) };
        Ok(Ex { kind: Kind::Plain, ..self.settle(null, ty)? })
    }

    /// The values of a row that is written out, as those of a type.
    fn row_values(&mut self, kept: &[Field], row: &RecordType, at: Option<u32>) -> PgResult<Vec<Ex>> {
        let impossible = |detail: String| {
            let message =
                format!("cannot cast type record to {}", super::shown(&ColumnType::Record(Box::new(row.clone()))));
            PgError::new(SqlState::CANNOT_COERCE, message).detail(detail).or_position(at)
        };
        if kept.len() != row.fields.len() {
            let what = if kept.len() < row.fields.len() { "few" } else { "many" };
            return Err(impossible(format!("Input has too {what} columns.")));
        }
        let mut values = Vec::with_capacity(kept.len());
        for (n, ((_, sql, from), (_, ty))) in kept.iter().zip(&row.fields).enumerate() {
            let value = match (from, ty) {
                (_, ColumnType::Record(inner)) if *from == Some(ColumnType::Text) => {
                    self.record_of_text(&Ex::plain(sql.clone(), from.clone()), inner)
                }
                _ => self.cast(Ex::plain(sql.clone(), from.clone()), ty, at),
            };
            values.push(value.map_err(|error| match from {
                Some(from) if error.code() == SqlState::CANNOT_COERCE => {
                    let (from, to) = (super::shown(from), super::shown(ty));
                    impossible(format!("Cannot cast type {from} to {to} in column {}.", n + 1))
                }
                _ => error,
            })?);
        }
        Ok(values)
    }

    /// Text that is computed, as a row: its fields are read as their types.
    pub(super) fn record_of_text(&mut self, ex: &Ex, row: &RecordType) -> PgResult<Ex> {
        if !self.has_functions() {
            return self.refuse("rows in a view that any DuckDB reads", ex.position);
        }
        let count = row.fields.len();
        let mut texts = Vec::with_capacity(count);
        for (n, (_, ty)) in row.fields.iter().enumerate() {
            let text = Ex::of(format!("pg_record_part({}, '{n}', '{count}')", ex.sql), ColumnType::Text);
            let field = self.field_of_text(text, ty)?;
            texts.push(self.in_row(|this| this.text_in_row(field))?);
        }
        let made = if texts.is_empty() { ex.sql.clone() } else { format!("pg_record({})", texts.join(", ")) };
        let sql = format!("(CASE WHEN {} IS NOT NULL THEN {made} END)", ex.sql);
        Ok(Ex::of(sql, ColumnType::Record(Box::new(row.clone()))).at(ex.position))
    }

    fn field_of_text(&mut self, text: Ex, ty: &ColumnType) -> PgResult<Ex> {
        match ty {
            ColumnType::Text => Ok(text),
            ColumnType::Record(row) => self.record_of_text(&text, row),
            ty => {
                let at = text.position;
                self.cast(text, ty, at)
            }
        }
    }

    /// The text of a row as a cast to text has it: that of its fields in this session.
    pub(super) fn text_of_row(&mut self, ex: &Ex, row: &RecordType) -> PgResult<String> {
        let is_made_here = matches!(ex.kind, Kind::Row(_));
        let in_session = |ty: &ColumnType| (!is_made_here && has_zone(ty)) || (!self.in_row && self.is_styled(ty));
        if !row.fields.iter().any(|(_, ty)| in_session(ty)) {
            return Ok(ex.sql.clone());
        }
        let mut texts = Vec::new();
        for (_, sql, ty) in self.row_fields(ex)?.unwrap_or_default() {
            texts.push(self.text_in_row(Ex::plain(sql, ty))?);
        }
        Ok(format!("(CASE WHEN {} IS NOT NULL THEN pg_record({}) END)", ex.sql, texts.join(", ")))
    }

    /// What sorts as a row does: its fields, as far as their texts say it.
    pub(super) fn row_key(&self, ex: &Ex, row: &RecordType) -> String {
        let x = &ex.sql;
        let key = |(n, (_, ty)): (usize, &(String, ColumnType))| {
            let text = format!("pg_record_field({x}, '{n}')");
            self.sorted(Ex::of(engine_value(&text, ty), ty.clone()))
        };
        let keys: Vec<String> = row.fields.iter().enumerate().map(key).collect();
        let made = if keys.is_empty() { x.clone() } else { format!("row({})", keys.join(", ")) };
        format!("(CASE WHEN {x} IS NOT NULL THEN {made} END)")
    }

    /// Whether a row IS NULL, or IS NOT NULL: all its fields are, or none. None: no row.
    pub(super) fn row_is_null(&self, ex: &Ex, what: &str) -> Option<Ex> {
        let Some(ColumnType::Record(row)) = ex.ty.as_ref().filter(|_| !ex.is_unknown()) else { return None };
        let tests = |texts: Vec<String>, word: &str| texts.join(word);
        let sql = match &ex.kind {
            Kind::Row(fields) if fields.is_empty() => "TRUE".to_owned(),
            Kind::Row(fields) => tests(fields.iter().map(|(_, sql, _)| format!("({sql}) {what}")).collect(), " AND "),
            _ => {
                let x = super::params::tested(&ex.sql);
                let fields = (0..row.fields.len()).map(|n| format!("pg_record_field({x}, '{n}') {what}"));
                let fields: Vec<String> = std::iter::once(format!("{x} {what}")).chain(fields).collect();
                // A row that is NULL itself has no fields.
                if what == "IS NULL" {
                    tests(fields.into_iter().skip(1).collect(), " AND ")
                } else {
                    tests(fields, " AND ")
                }
            }
        };
        Some(Ex::of(format!("({sql})"), ColumnType::Bool))
    }

    /// The fields of a row, computed from its text where it is not written out. None: not a row whose fields are known.
    pub fn row_fields(&mut self, ex: &Ex) -> PgResult<Option<Vec<Field>>> {
        let row = match (&ex.kind, &ex.ty) {
            (Kind::Row(fields), _) => return Ok(Some(fields.clone())),
            (_, Some(ColumnType::Record(row))) if !ex.is_unknown() => row.clone(),
            _ => return Ok(None),
        };
        if !self.has_functions() {
            return self.refuse("a row's fields in a view that any DuckDB reads", ex.position);
        }
        let mut fields = Vec::with_capacity(row.fields.len());
        for (n, (name, ty)) in row.fields.iter().enumerate() {
            let text = Ex::of(format!("pg_record_field({}, '{n}')", ex.sql), ColumnType::Text);
            let field = match ty {
                ColumnType::Text => text,
                // With years before Christ, which the engine writes otherwise.
                ty if super::operator::is_time_point(ty.bare()) => Ex::of(engine_value(&text.sql, ty), ty.clone()),
                // Its text is that of a row already.
                ColumnType::Record(_) => Ex::of(text.sql, ty.clone()),
                ty => self.cast(text.at(ex.position), ty, ex.position)?,
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
}

/// The type of a table's rows.
pub(super) fn row_of(table: &TableDef) -> RecordType {
    let oid = oids::table(table.id);
    let fields = table.columns.iter().map(|c| (c.name.clone(), c.ty.clone())).collect();
    row_type(oid, table.name.clone(), fields)
}

/// The type of the rows of a relation.
fn row_type(relation: u32, name: String, fields: Fields) -> RecordType {
    let (oid, array_oid) = (oids::row_type(relation), oids::row_array(relation));
    RecordType { uuid: None, oid, array_oid, name, schema: String::new(), fields }
}

/// Whether the text of a type's values depends on the session's time zone.
fn has_zone(ty: &ColumnType) -> bool {
    match ty.bare() {
        ColumnType::Timestamptz => true,
        ColumnType::Array(element) | ColumnType::Grid(element) => has_zone(element),
        ColumnType::AsText(held) => {
            matches!(held, TextType::Range(RangeType::Tstz) | TextType::Multirange(RangeType::Tstz))
        }
        ColumnType::Record(row) => row.fields.iter().any(|(_, ty)| has_zone(ty)),
        _ => false,
    }
}

/// A field's text as the engine's value, where its order is not that of the text.
fn engine_value(text: &str, ty: &ColumnType) -> String {
    use ColumnType as T;
    match ty.bare() {
        // With the era where the engine has it.
        T::Date | T::Timestamp | T::Timestamptz => {
            let era = format!("regexp_replace({text}, '^([^ ]+)(.*) BC$', '\\1 (BC)\\2')");
            format!("CAST({era} AS {})", ty.duckdb())
        }
        T::Bool
        | T::Int2
        | T::Int4
        | T::Int8
        | T::Float4
        | T::Float8
        | T::Time
        | T::Interval
        | T::Uuid
        | T::Enum(_) => ty.cast(text),
        T::Numeric(1.., _) => ty.cast(text),
        T::Money => format!("CAST(pg_money_in({text}) AS DECIMAL(19,2))"),
        T::System(system) if system.base() == T::Int8 => format!("CAST({text} AS BIGINT)"),
        _ => text.to_owned(),
    }
}
