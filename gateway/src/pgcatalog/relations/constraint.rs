//! `pg_constraint`, `pg_index`, `pg_indexes`.

use std::{collections::HashMap, sync::OnceLock};

use duckmesh_catalog::{
    ColumnDef, ColumnId, ConstraintKind, IndexedBy, TableDef,
    schema::{ForeignKeyAction, ForeignKeyRules},
    types::oid,
};

use sqlparser::tokenizer::{Token, Tokenizer};

use crate::pgcatalog::{
    book::{Book, Ix, attnum, key_columns},
    content::{Cell, Content, row},
    definitions, oids, rows,
};
use crate::sql::{
    deparse::{self, Definitions},
    dialect::Postgres,
};

fn numbers(table: &TableDef, columns: &[ColumnId]) -> Cell<'static> {
    Cell::Ints(columns.iter().map(|id| i64::from(attnum(table, *id))).collect())
}

pub fn constraints<'a>(book: &Book<'a>, definitions: &Definitions) -> Content<'a> {
    let rows = book.constraints.iter().map(|con| {
        let (kind, key);
        let mut rules = ForeignKeyRules::default();
        let (mut target_key, mut expression) = (Cell::Null, Cell::Null);
        let (mut target_oid, mut target_index) = (0, con.index.unwrap_or(0));
        match &con.constraint.kind {
            ConstraintKind::Check { expression: text } => {
                (kind, key) = ('c', numbers(con.table, &named(con.table, text)));
                let shown = definitions.check(con.table.id, &con.constraint.name);
                let shown = shown.map_or(text, |shown| &shown.full);
                expression = deparse::types_seen(shown, true).into();
            }
            ConstraintKind::PrimaryKey { columns } => (kind, key) = ('p', numbers(con.table, columns)),
            ConstraintKind::Unique { columns } => (kind, key) = ('u', numbers(con.table, columns)),
            ConstraintKind::ForeignKey { columns, target, target_columns, rules: said } => {
                rules = *said;
                (kind, key) = ('f', numbers(con.table, columns));
                if let Some(table) = book.target(target) {
                    let columns: Vec<ColumnId> =
                        book.target_columns(table, target_columns).iter().map(|c: &&ColumnDef| c.id).collect();
                    target_oid = oids::table(table.id);
                    target_index = book.key(table.id, &columns).and_then(|key| key.index).unwrap_or(0);
                    target_key = numbers(table, &columns);
                }
            }
        }
        let (deferrable, deferred) = definitions::deferral(con);
        let foreign = kind == 'f';
        let action = |of: ForeignKeyAction| if foreign { of.letter() } else { ' ' };
        let matching = if rules.full { "f" } else { "s" };
        row![
            con.oid,
            con.constraint.name.as_str(),
            con.namespace,
            kind,
            !con.constraint.options.not_valid,
            con.table_oid,
            target_index,
            target_oid,
            action(rules.on_update),
            action(rules.on_delete),
            if foreign { matching } else { " " },
            true,
            kind != 'c' || con.constraint.options.no_inherit,
            key,
            target_key,
            expression,
            0_u32,
            deferrable,
            deferred,
        ]
    });
    let domains = super::domain::checks(book, definitions).into_iter().map(super::domain::row_of);
    Content {
        columns: &[
            "oid",
            "conname",
            "connamespace",
            "contype",
            "convalidated",
            "conrelid",
            "conindid",
            "confrelid",
            "confupdtype",
            "confdeltype",
            "confmatchtype",
            "conislocal",
            "connoinherit",
            "conkey",
            "confkey",
            "conbin",
            "contypid",
            "condeferrable",
            "condeferred",
        ],
        rows: rows.chain(domains).collect(),
    }
}

/// The columns that an expression names, in its order. Names of functions and types, and what is in quotes, are none.
pub fn named(table: &TableDef, expression: &str) -> Vec<ColumnId> {
    let Ok(mut tokens) = Tokenizer::new(&Postgres {}, expression).tokenize() else { return Vec::new() };
    tokens.retain(|token| !matches!(token, Token::Whitespace(_)));
    let mut found: Vec<ColumnId> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        let before = at.checked_sub(1).and_then(|at| tokens.get(at));
        let elsewhere = matches!(before, Some(Token::DoubleColon))
            || matches!(tokens.get(at + 1), Some(Token::LParen | Token::Period));
        let name = match word.quote_style {
            Some(_) => word.value.clone(),
            None => word.value.to_lowercase(),
        };
        if elsewhere || word.quote_style.is_none() && !super::internal::is_name(&name) {
            continue;
        }
        if let Some(column) = table.column(&name).filter(|column| !found.contains(&column.id)) {
            found.push(column.id);
        }
    }
    found
}

/// The class by which a btree orders a type.
fn operator_class(ty: u32) -> u32 {
    static CLASSES: OnceLock<HashMap<u32, u32>> = OnceLock::new();
    let classes = CLASSES.get_or_init(|| {
        let lines = rows::of("pg_opclass").unwrap_or_default().lines();
        let class = |line: &str| {
            let cells: Vec<&str> = line.split('\t').collect();
            let (method, default) = (cells.get(1)?.parse::<u32>().ok()?, *cells.get(7)? == "t");
            let pair = (cells.get(6)?.parse().ok()?, cells.first()?.parse().ok()?);
            (method == oids::BTREE && default).then_some(pair)
        };
        lines.filter_map(class).collect()
    });
    let key = match ty {
        oid::VARCHAR => oid::TEXT,
        ty if oid::element_of(ty).is_some() => oid::ANYARRAY,
        ty => ty,
    };
    classes.get(&key).copied().unwrap_or_default()
}

pub fn indexes<'a>(book: &Book<'a>, shown: &Definitions) -> Content<'a> {
    let rows = book.constraints.iter().filter_map(|con| {
        let (oid, columns) = (con.index?, key_columns(con.constraint)?);
        let options = &con.constraint.options;
        let held: Vec<ColumnId> = columns.iter().chain(&options.include).copied().collect();
        let count = |n: usize| i16::try_from(n).unwrap_or(i16::MAX);
        let collations = columns.iter().map(|id| {
            let ty = con.table.column_by_id(*id).map(|c| c.ty.oid());
            ty.and_then(super::super::types::by_oid).map_or(0, |t| i64::from(t.collation))
        });
        let classes = columns.iter().map(|id| {
            let ty = con.table.column_by_id(*id).map(|c| c.ty.oid());
            ty.map_or(0, |ty| operator_class(ty).into())
        });
        Some(row![
            oid,
            con.table_oid,
            count(held.len()),
            count(columns.len()),
            true,
            matches!(con.constraint.kind, ConstraintKind::PrimaryKey { .. }),
            !options.deferrable,
            true,
            true,
            true,
            numbers(con.table, &held),
            Cell::Ints(collations.collect()),
            Cell::Ints(classes.collect()),
            Cell::Ints(vec![0; columns.len()]),
            Cell::Null,
            Cell::Null,
            options.nulls_not_distinct,
        ])
    });
    let own = book.indexes.iter().map(|ix| own_index(ix, shown));
    Content {
        columns: &[
            "indexrelid",
            "indrelid",
            "indnatts",
            "indnkeyatts",
            "indisunique",
            "indisprimary",
            "indimmediate",
            "indisvalid",
            "indisready",
            "indislive",
            "indkey",
            "indcollation",
            "indclass",
            "indoption",
            "indexprs",
            "indpred",
            "indnullsnotdistinct",
        ],
        rows: rows.chain(own).collect(),
    }
}

/// An index that is no key's.
fn own_index<'a>(ix: &Ix<'a>, shown: &Definitions) -> Vec<Cell<'a>> {
    let (table, index) = (ix.table, ix.index);
    let keys = index.keys.iter().map(|key| match &key.of {
        IndexedBy::Column(id) => table.column_by_id(*id),
        IndexedBy::Expression(..) => None,
    });
    let (mut collations, mut classes, mut options) = (Vec::new(), Vec::new(), Vec::new());
    for (key, column) in index.keys.iter().zip(keys) {
        // The type of an expression is not known here.
        let ty = column.map_or(oid::TEXT, |c| c.ty.oid());
        collations.push(super::super::types::by_oid(ty).map_or(0, |t| i64::from(t.collation)));
        let class = key.class.as_deref().and_then(|name| named_class(name, &index.method));
        classes.push(i64::from(class.unwrap_or_else(|| operator_class(ty))));
        options.push(i64::from(key.descending) + 2 * i64::from(key.nulls_first));
    }
    let columns = index.keys.iter().map(|key| match &key.of {
        IndexedBy::Column(id) => i64::from(attnum(table, *id)),
        IndexedBy::Expression(..) => 0,
    });
    let columns: Vec<i64> = columns.chain(index.include.iter().map(|id| i64::from(attnum(table, *id)))).collect();
    let count = |n: usize| i16::try_from(n).unwrap_or(i16::MAX);
    let expressions: Vec<String> = definitions::index_expressions(index, shown);
    row![
        ix.oid,
        ix.table_oid,
        count(columns.len()),
        count(index.keys.len()),
        index.unique,
        false,
        true,
        true,
        true,
        true,
        Cell::Ints(columns),
        Cell::Ints(collations),
        Cell::Ints(classes),
        Cell::Ints(options),
        (!expressions.is_empty()).then(|| expressions.join(", ")),
        definitions::stored_predicate(index, shown).map(|(whole, _)| whole),
        index.nulls_not_distinct,
    ]
}

/// The operator class of that name.
fn named_class(name: &str, method: &str) -> Option<u32> {
    let method = oids::access_method(method).to_string();
    rows::of("pg_opclass").unwrap_or_default().lines().find_map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let found = *cells.get(1)? == method && *cells.get(2)? == name;
        found.then(|| cells.first()?.parse().ok()).flatten()
    })
}

pub fn index_list<'a>(book: &Book<'a>, shown: &Definitions) -> Content<'a> {
    let rows = book.constraints.iter().filter_map(|con| {
        Some(row![con.schema, con.table.name.as_str(), con.constraint.name.as_str(), definitions::index(con, true)?])
    });
    let own = book.indexes.iter().map(|ix| {
        row![ix.schema, ix.table.name.as_str(), ix.index.name.as_str(), definitions::own_index(ix, shown, true)]
    });
    Content { columns: &["schemaname", "tablename", "indexname", "indexdef"], rows: rows.chain(own).collect() }
}
