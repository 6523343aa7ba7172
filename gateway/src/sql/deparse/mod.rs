//! Definitions as PostgreSQL 15 deparses them: what `pg_get_constraintdef` and `pg_get_viewdef` give, so that tools that
//! compare a definition with their own find it the same.
//!
//! What is not understood is left as it was written. Only for showing: nothing is run from these texts.

mod call;
mod node;
mod outputs;
mod print;
mod reads;
mod resolve;
mod view;

use std::{collections::HashMap, sync::Arc};

use chrono::DateTime;
use duckmesh_catalog::{
    ColumnDef, ColumnId, ColumnType, ConstraintKind, DefaultValue, EnumType, IndexDef, IndexedBy, LakeSchema, TableDef,
    TableId, TypeDef, TypeId, TypeSpec, ViewId,
};
use uuid::Uuid;

use self::{node::Class, print::Printer, resolve::Names};
use super::{parse, thread};
use crate::{
    pgcatalog::{names, sql_schema},
    value::{ColumnBuilder, Encoder, ValueContext},
    wire::PgResult,
};

/// A text longer than this is shown as it was written.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// Before, between and after a relation's schema and name in a view's text: no name holds it.
const RELATION: char = '\0';

/// A definition with all parentheses, and with only those that are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// As for the computer.
    pub full: String,
    /// As for people: the functions' argument `true`.
    pub pretty: String,
}

impl Shown {
    /// The text that is asked for.
    #[must_use]
    pub fn text(&self, pretty: bool) -> &str {
        if pretty { &self.pretty } else { &self.full }
    }
}

/// A text with its relations as somebody sees them: without the schema where `visible` finds them.
#[must_use]
pub fn seen(text: &str, visible: impl Fn(&str, &str) -> bool) -> String {
    let mut parts = text.split(RELATION);
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let (Some(schema), Some(name), Some(rest)) = (parts.next(), parts.next(), parts.next()) {
        if !visible(schema, name) {
            out.push_str(&names::quoted(schema));
            out.push('.');
        }
        out.push_str(&names::quoted(name));
        out.push_str(rest);
    }
    out
}

/// An expression as it is stored with its users' types as somebody sees them: `"public"."mood"` is `mood` to who finds it.
#[must_use]
pub fn types_seen(expression: &str, finds_public: bool) -> String {
    const BEFORE: &str = "::\"";
    let mut out = String::new();
    let mut rest = expression;
    while let Some((before, behind)) = rest.split_once(BEFORE) {
        out.push_str(before);
        let parts = behind.split_once("\".\"").and_then(|(schema, rest)| Some((schema, rest.split_once('"')?)));
        let Some((schema, (name, behind))) =
            parts.filter(|(schema, (name, _))| !schema.contains('"') && !name.is_empty())
        else {
            out.push_str(BEFORE);
            rest = behind;
            continue;
        };
        out.push_str("::");
        if schema != "public" || !finds_public {
            out.push_str(&names::quoted(schema));
            out.push('.');
        }
        out.push_str(&names::quoted(name));
        rest = behind;
    }
    out + rest
}

/// All definitions of a lake.
#[derive(Debug, Default)]
pub struct Definitions {
    checks: HashMap<(TableId, String), Shown>,
    views: HashMap<ViewId, Shown>,
    reads: HashMap<ViewId, Vec<(String, String)>>,
    columns: HashMap<ViewId, Vec<(String, String, String)>>,
    defaults: HashMap<(TableId, ColumnId), Shown>,
    domains: HashMap<(TypeId, String), Shown>,
    indexes: HashMap<(Uuid, String), Shown>,
}

impl Definitions {
    /// Deparses all of a schema, on a thread that can.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn of(schema: Arc<LakeSchema>) -> PgResult<Self> {
        let nothing = |table: &Arc<TableDef>| {
            !table.constraints.iter().any(|c| matches!(c.kind, ConstraintKind::Check { .. }))
                && !table.columns.iter().any(|c| computed_default(c).is_some())
                && table.indexes.iter().all(|index| index_texts(index).next().is_none())
        };
        let checks = |ty: &Arc<TypeDef>| matches!(&ty.spec, TypeSpec::Domain(spec) if !spec.checks.is_empty());
        if schema.views.is_empty() && schema.tables.values().all(nothing) && !schema.types.values().any(checks) {
            return Ok(Self::default());
        }
        thread::run(move || Ok(Self::made(&schema))).await
    }

    fn made(schema: &LakeSchema) -> Self {
        let mut all = Self::default();
        for table in schema.tables.values() {
            for constraint in &table.constraints {
                if let ConstraintKind::Check { expression } = &constraint.kind
                    && let Some(shown) = check(expression, table)
                {
                    all.checks.insert((table.id, constraint.name.clone()), shown);
                }
            }
            for index in &table.indexes {
                let shown = index_texts(index).filter_map(|text| Some((text.to_owned(), check(text, table)?)));
                all.indexes.extend(shown.map(|(text, shown)| ((index.uuid, text), shown)));
            }
            for column in &table.columns {
                if let Some(shown) = computed_default(column).and_then(|text| check(text, table)) {
                    all.defaults.insert((table.id, column.id), shown);
                }
            }
        }
        for ty in schema.types.values() {
            let TypeSpec::Domain(spec) = &ty.spec else { continue };
            for check in &spec.checks {
                if let Some(shown) = over(&check.expression, &OneValue(&spec.base)) {
                    all.domains.insert((ty.id, check.name.clone()), shown);
                }
            }
        }
        for view in schema.views.values() {
            all.reads.insert(view.id, reads::relations_read(view, schema));
            all.columns.insert(view.id, reads::columns_read(view, schema));
            if let Some(shown) = view::shown(view, schema) {
                all.views.insert(view.id, shown);
            }
        }
        all
    }

    /// A CHECK's expression.
    #[must_use]
    pub fn check(&self, table: TableId, name: &str) -> Option<&Shown> {
        self.checks.get(&(table, name.to_owned()))
    }

    /// A domain's CHECK.
    #[must_use]
    pub fn domain_check(&self, domain: TypeId, name: &str) -> Option<&Shown> {
        self.domains.get(&(domain, name.to_owned()))
    }

    /// A text of an index: an expression, or its condition.
    #[must_use]
    pub fn index_text<'d>(&'d self, index: &IndexDef, text: &'d str, pretty: bool) -> &'d str {
        self.indexes.get(&(index.uuid, text.to_owned())).map_or(text, |shown| shown.text(pretty))
    }

    /// A column's default that is computed.
    #[must_use]
    pub fn column_default(&self, table: TableId, column: ColumnId) -> Option<&Shown> {
        self.defaults.get(&(table, column))
    }

    /// The relations that a view reads, each by SQL's name of its schema and its own.
    #[must_use]
    pub fn reads(&self, view: ViewId) -> &[(String, String)] {
        self.reads.get(&view).map_or(&[], Vec::as_slice)
    }

    /// The columns that a view reads, behind the names of their schema and relation.
    #[must_use]
    pub fn columns_read(&self, view: ViewId) -> &[(String, String, String)] {
        self.columns.get(&view).map_or(&[], Vec::as_slice)
    }

    /// A view's query.
    #[must_use]
    pub fn view(&self, view: ViewId) -> Option<&Shown> {
        self.views.get(&view)
    }
}

/// The expressions of an index, and its condition.
fn index_texts(index: &IndexDef) -> impl Iterator<Item = &str> {
    let expressions = index.keys.iter().filter_map(|key| match &key.of {
        IndexedBy::Expression(_, text) => Some(text.as_str()),
        IndexedBy::Column(_) => None,
    });
    expressions.chain(index.predicate.as_deref())
}

/// A default's expression. Numbers of sequences are kept as Postgres shows them.
fn computed_default(column: &ColumnDef) -> Option<&str> {
    match &column.default {
        Some(DefaultValue::Expression(text)) if !text.to_ascii_lowercase().contains("nextval(") => Some(text),
        Some(DefaultValue::Generated(text)) => Some(text),
        _ => None,
    }
}

/// An expression over a table's columns as Postgres writes it for people; as it is where it is not understood.
#[must_use]
pub fn for_people(expression: &str, table: &TableDef) -> String {
    check(expression, table).map_or_else(|| expression.to_owned(), |shown| shown.pretty)
}

fn check(expression: &str, table: &TableDef) -> Option<Shown> {
    over(expression, &OneTable(table))
}

fn over(expression: &str, names: &dyn Names) -> Option<Shown> {
    if expression.len() > TEXT_BYTES_MAX {
        return None;
    }
    let parsed = parse::expression(expression).ok()?;
    let node = resolve::expression(&parsed, names)?.node;
    let shown = |pretty| {
        let enums = |oid| names.enum_name(oid);
        let mut printer = Printer::new(pretty, 0, &enums);
        printer.node(&node, false);
        printer.out
    };
    Some(Shown { full: shown(false), pretty: shown(true) })
}

/// The columns of one table, without its name.
struct OneTable<'a>(&'a TableDef);

impl Names for OneTable<'_> {
    fn column(&self, parts: &[String]) -> Option<(String, Class)> {
        let name = match parts {
            [name] => name,
            [table, name] if *table == self.0.name => name,
            _ => return None,
        };
        let column = self.0.column(name)?;
        Some((names::quoted(name), Class::of(&column.ty)))
    }

    fn is_of_domain(&self, parts: &[String]) -> bool {
        parts.last().and_then(|name| self.0.column(name)).is_some_and(|column| column.domain.is_some())
    }

    fn enums(&self) -> Vec<&EnumType> {
        self.0.columns.iter().filter_map(|column| enum_of(&column.ty)).collect()
    }
}

/// An enum as stored expressions name it: [`types_seen`] knows that form.
fn enum_named(of: &EnumType) -> String {
    format!("\"{}\".\"{}\"", sql_schema(&of.schema), of.name)
}

/// What a domain's CHECK is about.
struct OneValue<'a>(&'a ColumnType);

impl Names for OneValue<'_> {
    fn column(&self, parts: &[String]) -> Option<(String, Class)> {
        matches!(parts, [name] if name == "value").then(|| ("VALUE".to_owned(), Class::of(self.0)))
    }

    fn enums(&self) -> Vec<&EnumType> {
        enum_of(self.0).into_iter().collect()
    }
}

fn enum_of(ty: &ColumnType) -> Option<&EnumType> {
    match ty.bare() {
        ColumnType::Enum(of) => Some(of),
        _ => None,
    }
}

/// A constant as its type writes it: `'2024-1-1'` is `2024-01-01`.
fn normal(text: &str, class: Class) -> Option<String> {
    let ty = match class {
        Class::Text | Class::Varchar | Class::Char | Class::Json | Class::Enum(_) => return Some(text.to_owned()),
        Class::Numeric => return Some(text.trim().to_owned()),
        Class::Bool => ColumnType::Bool,
        Class::Int2 => ColumnType::Int2,
        Class::Int4 => ColumnType::Int4,
        Class::Int8 => ColumnType::Int8,
        Class::Float4 => ColumnType::Float4,
        Class::Float8 => ColumnType::Float8,
        Class::Bytea => ColumnType::Bytea,
        Class::Date => ColumnType::Date,
        Class::Time => ColumnType::Time,
        Class::Timestamp => ColumnType::Timestamp,
        Class::Timestamptz => ColumnType::Timestamptz,
        Class::Interval => ColumnType::Interval,
        Class::Uuid => ColumnType::Uuid,
        Class::Jsonb => ColumnType::Jsonb,
        Class::Other => return None,
    };
    let context = Arc::new(ValueContext::new(DateTime::UNIX_EPOCH));
    let mut builder = ColumnBuilder::new(&ty, 1).ok()?;
    builder.append_text(text.as_bytes(), &context).ok()?;
    let encoder = Encoder::new(&ty.arrow(), &ty.duckdb(), Some(&ty), &context).ok()?;
    let mut out = bytes::BytesMut::new();
    encoder.bind(&builder.finish()).ok()?.encode_text(0, &mut out).ok()?;
    let text = String::from_utf8_lossy(&out).into_owned();
    Some(match class {
        Class::Bool => if text == "t" { "true" } else { "false" }.to_owned(),
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_shown_as_they_are_seen() {
        let text = format!("FROM {RELATION}far{RELATION}a b{RELATION} x, {RELATION}public{RELATION}t{RELATION};");
        assert_eq!(seen(&text, |schema, _| schema == "public"), "FROM far.\"a b\" x, t;");
        assert_eq!(seen("no relation", |_, _| false), "no relation");
    }

    #[test]
    fn types_are_shown_as_they_are_seen() {
        for (text, finds_public, expect) in [
            ("a = 'x'::\"public\".\"mood\" OR b", true, "a = 'x'::mood OR b"),
            ("a = 'x'::\"public\".\"mood\"", false, "a = 'x'::public.mood"),
            ("'x'::\"far\".\"Mood\"[]", true, "'x'::far.\"Mood\"[]"),
            ("'y'::\"char\"", true, "'y'::\"char\""),
        ] {
            assert_eq!(types_seen(text, finds_public), expect);
        }
    }

    #[test]
    fn constants_have_their_types_form() {
        for (text, class, expect) in [
            ("2024-1-2", Class::Date, Some("2024-01-02")),
            ("t", Class::Bool, Some("true")),
            ("x y", Class::Text, Some("x y")),
            ("no date", Class::Date, None),
        ] {
            assert_eq!(normal(text, class).as_deref(), expect);
        }
    }
}
