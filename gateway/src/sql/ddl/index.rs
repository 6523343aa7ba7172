//! CREATE, ALTER and DROP INDEX: kept and listed for tools, without any effect on queries.

use std::{ops::ControlFlow, sync::Arc};

use duckmesh_catalog::{
    ColumnId, Constraint, ConstraintKind, IndexDef, IndexKey, IndexedBy, TableDef, ddl::DdlOp, schema::SchemaDef,
};
use sqlparser::{
    ast::{CreateIndex, Expr, Ident, IndexColumn, ObjectName, OrderBySort, Spanned, visit_expressions},
    tokenizer::Token,
};
use uuid::Uuid;

use super::{
    Planner,
    alter::Altered,
    drop::Wanted,
    lookup::{Relation, already_exists, exists_skipping, no_relation, relation_in},
    names::{clip, generated, quote},
    place,
    preparse::object,
};
use crate::{
    sql::{
        check,
        plan::{Plan, PlanContext},
        rewrite::column_name_of,
        scan::Scan,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// Postgres' limit.
const KEYS_MAX: usize = 32;
const METHODS: [&str; 6] = ["btree", "hash", "gist", "spgist", "gin", "brin"];
const NO_EFFECT: &str = "indexes have no effect: queries find their rows by the statistics of files";
const NOT_UNIQUE: &str = "indexes have no effect, and uniqueness is not enforced";

/// An index: one of its own, or a key's.
pub(super) enum Indexed {
    Own(IndexDef),
    Key(Constraint),
}

/// CREATE INDEX.
pub(super) fn create(mut planner: Planner<'_>, create: &CreateIndex) -> PgResult<Plan> {
    planner.alone = create.concurrently;
    planner.not_system(&create.table_name)?;
    let table = match planner.find(&create.table_name)? {
        Some(Relation::Table(table)) => table,
        Some(other) => {
            let message = format!("cannot create index on relation \"{}\"", other.name());
            let detail = format!("This operation is not supported for {}s.", other.kind());
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message).detail(detail));
        }
        None => return Err(no_relation(&shown(&create.table_name))),
    };
    let lake = planner.ctx.schema.clone();
    let schema = lake.schemas.values().find(|s| s.id == table.schema_id).cloned();
    let schema = schema.ok_or_else(|| PgError::internal("a table without its schema"))?;
    let said = match &create.name {
        Some(name) => Some(planner.split(name)?.1),
        None => None,
    };
    if let Some(name) = said.as_ref().filter(|name| planner.index_name_taken(&schema, name)) {
        if !create.if_not_exists {
            return Err(already_exists(name));
        }
        planner.notices.push(exists_skipping(name));
        return Ok(planner.finish("CREATE INDEX"));
    }
    let index = planner.definition(&table, &schema, create, said)?;
    planner.notices.push(PgError::notice(if index.unique { NOT_UNIQUE } else { NO_EFFECT }));
    planner.ops.push(DdlOp::CreateIndex { table: table.uuid, index });
    Ok(planner.finish("CREATE INDEX"))
}

/// DROP INDEX.
pub(super) fn drop(mut planner: Planner<'_>, wanted: &Wanted<'_>) -> PgResult<Plan> {
    for name in wanted.names {
        planner.drop_index(name, wanted.if_exists, wanted.cascade)?;
    }
    Ok(planner.finish("DROP INDEX"))
}

/// DROP INDEX CONCURRENTLY, after these words.
pub(super) fn drop_concurrently(mut scan: Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    let mut planner = Planner::new(scan.text(), ctx);
    planner.alone = true;
    let if_exists = scan.word(&["if", "exists"]);
    let name = object(&scan.name()?);
    if scan.peek() == Some(&Token::Comma) {
        return Err(PgError::unsupported("DROP INDEX CONCURRENTLY does not support dropping multiple objects"));
    }
    if scan.sees(&["cascade"]) {
        return Err(PgError::unsupported("DROP INDEX CONCURRENTLY does not support CASCADE"));
    }
    scan.word(&["restrict"]);
    scan.done(())?;
    planner.drop_index(&name, if_exists, false)?;
    Ok(planner.finish("DROP INDEX"))
}

/// ALTER INDEX, after these words.
pub(super) fn alter(mut scan: Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    let mut planner = Planner::new(scan.text(), ctx);
    let if_exists = scan.word(&["if", "exists"]);
    let parts = scan.name()?;
    let name = object(&parts);
    let Some((table, found)) = planner.index(&name)? else {
        if if_exists && planner.find(&name)?.is_none() {
            let last = parts.last().cloned().unwrap_or_default();
            planner.notices.push(PgError::notice(format!("relation \"{last}\" does not exist, skipping")));
            return Ok(planner.finish("ALTER INDEX"));
        }
        return Err(match planner.find(&name)? {
            Some(other) => not_index(other.name()),
            None => no_relation(&parts.join(".")),
        });
    };
    if scan.word(&["rename", "to"]) {
        let new = scan.ident()?;
        scan.done(())?;
        planner.rename_index(&table, found, new)?;
    } else if ["set", "reset", "alter", "no", "depends", "attach"].iter().any(|word| scan.word(&[word])) {
        planner.notices.push(PgError::notice(NO_EFFECT));
    } else {
        return Err(scan.unexpected());
    }
    Ok(planner.finish("ALTER INDEX"))
}

/// Fails for a name that is no index.
pub(in crate::sql) fn must_be_index(parts: &[String], text: &str, ctx: &PlanContext) -> PgResult<()> {
    let mut planner = Planner::new(text, ctx);
    let name = object(parts);
    match planner.index(&name)? {
        Some(_) => Ok(()),
        None => Err(planner.not_an_index(&name)?),
    }
}

fn shown(name: &ObjectName) -> String {
    name.0.iter().filter_map(|p| p.as_ident()).map(|p| p.value.as_str()).collect::<Vec<_>>().join(".")
}

fn not_index(name: &str) -> PgError {
    PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is not an index"))
}

impl Planner<'_> {
    /// The index of a name, with its table.
    pub(super) fn index(&mut self, name: &ObjectName) -> PgResult<Option<(Arc<TableDef>, Indexed)>> {
        let (said, name) = self.split(name)?;
        let spaces: Vec<Arc<SchemaDef>> = match said {
            Some(space) => self.schema(&space).into_iter().collect(),
            None => self.ctx.search_path.iter().filter_map(|space| self.schema(space)).collect(),
        };
        for space in spaces {
            if let Some((table, index)) = self.ctx.schema.index(space.id, &name) {
                return Ok(Some((table.clone(), Indexed::Own(index.clone()))));
            }
            let mut tables = self.ctx.schema.tables.values().filter(|t| t.schema_id == space.id);
            if let Some(found) = tables.find_map(|t| Some((t.clone(), Indexed::Key(key_named(t, &name)?.clone())))) {
                return Ok(Some(found));
            }
            if relation_in(&self.ctx.schema, &space.name, &name).is_some() {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// The error where a name is no index.
    pub(super) fn not_an_index(&mut self, name: &ObjectName) -> PgResult<PgError> {
        Ok(match self.find(name)? {
            Some(other) => not_index(other.name()),
            None => no_relation(&shown(name)),
        })
    }

    fn index_name_taken(&self, schema: &SchemaDef, name: &str) -> bool {
        let lake = &self.ctx.schema;
        let made = |op: &DdlOp| matches!(op, DdlOp::CreateIndex { index, .. } if index.name == name);
        relation_in(lake, &schema.name, name).is_some()
            || lake.index(schema.id, name).is_some()
            || lake.tables.values().any(|t| t.schema_id == schema.id && key_named(t, name).is_some())
            || self.ops.iter().any(made)
    }

    fn drop_index(&mut self, name: &ObjectName, if_exists: bool, cascade: bool) -> PgResult<()> {
        match self.index(name)? {
            Some((table, Indexed::Own(index))) => {
                let schema = Relation::Table(Arc::clone(&table)).schema(&self.ctx.schema).to_owned();
                let what = format!("index {}", quote(&index.name));
                let mut altered = Altered::new(Arc::clone(&table), schema);
                self.drop_foreign_keys_on_key(&mut altered, &index.name, (what, cascade))?;
                self.ops.push(DdlOp::DropIndex { table: table.uuid, index: index.uuid });
                Ok(())
            }
            Some((table, Indexed::Key(key))) => {
                let (key, on) = (quote(&key.name), quote(&table.name));
                let message = format!("cannot drop index {key} because constraint {key} on table {on} requires it");
                Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                    .hint(format!("You can drop constraint {key} on table {on} instead.")))
            }
            None => {
                if let Some(other) = self.find(name)? {
                    let hint = format!("Use DROP {} to remove a {}.", other.kind().to_uppercase(), other.kind());
                    return Err(not_index(other.name()).hint(hint));
                }
                let (_, last) = self.split(name)?;
                let message = format!("index \"{last}\" does not exist");
                if !if_exists {
                    return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
                }
                self.notices.push(PgError::notice(format!("{message}, skipping")));
                Ok(())
            }
        }
    }

    fn rename_index(&mut self, table: &Arc<TableDef>, found: Indexed, new: String) -> PgResult<()> {
        let schema = self.ctx.schema.schemas.values().find(|s| s.id == table.schema_id).cloned();
        let new = clip(&new, super::names::NAME_BYTES_MAX).to_owned();
        if schema.is_none_or(|schema| self.index_name_taken(&schema, &new)) {
            return Err(already_exists(&new));
        }
        match found {
            Indexed::Own(index) => {
                self.ops.push(DdlOp::AlterIndex { table: table.uuid, index: IndexDef { name: new, ..index } });
            }
            Indexed::Key(key) => {
                self.ops.push(DdlOp::DropConstraint { table: table.uuid, name: key.name.clone() });
                let constraint = Constraint { name: new, ..key };
                self.ops.push(DdlOp::AddConstraint { table: table.uuid, constraint });
            }
        }
        Ok(())
    }

    fn definition(
        &mut self,
        table: &TableDef,
        schema: &SchemaDef,
        create: &CreateIndex,
        said: Option<String>,
    ) -> PgResult<IndexDef> {
        let method = match &create.using {
            Some(method) => method.to_string().to_lowercase(),
            None => "btree".to_owned(),
        };
        if !METHODS.contains(&method.as_str()) {
            let message = format!("access method \"{method}\" does not exist");
            return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
        }
        if create.unique && method != "btree" {
            let message = format!("access method \"{method}\" does not support unique indexes");
            return Err(PgError::unsupported(message));
        }
        if create.columns.len() + create.include.len() > KEYS_MAX {
            let message = format!("cannot use more than {KEYS_MAX} columns in an index");
            return Err(PgError::new(SqlState::TOO_MANY_COLUMNS, message));
        }
        let mut keys = Vec::with_capacity(create.columns.len());
        for column in &create.columns {
            keys.push(self.index_key(table, column)?);
        }
        let mut include = Vec::with_capacity(create.include.len());
        for column in &create.include {
            include.push(self.index_column(table, column)?);
        }
        let predicate = create.predicate.as_ref().map(ToString::to_string);
        if let (Some(predicate), Some(tree)) = (&predicate, &create.predicate) {
            self.known_columns(table, tree)?;
            check::compile_one(predicate, table, self.ctx)?;
        }
        let predicate = predicate.map(|text| crate::sql::deparse::for_people(&text, table));
        let mut index = IndexDef {
            uuid: Uuid::new_v4(),
            name: said.unwrap_or_default(),
            unique: create.unique,
            method,
            keys,
            include,
            predicate,
            nulls_not_distinct: create.nulls_distinct == Some(false),
            comment: None,
        };
        let names = column_names(table, &index);
        for (key, unique) in index.keys.iter_mut().zip(&names) {
            if let IndexedBy::Expression(name, _) = &mut key.of {
                name.clone_from(unique);
            }
        }
        if index.name.is_empty() {
            index.name = self.index_name(table, schema, &index);
        }
        Ok(index)
    }

    fn index_key(&mut self, table: &TableDef, column: &IndexColumn) -> PgResult<IndexKey> {
        let mut expr = &column.column.expr;
        // There is one collation.
        while let Expr::Collate { expr: inner, .. } = expr {
            expr = inner;
        }
        let of = match expr {
            Expr::Identifier(ident) => IndexedBy::Column(self.index_column(table, ident)?),
            other => {
                self.in_parentheses(other)?;
                let inner = if let Expr::Nested(inner) = other { inner } else { other };
                self.known_columns(table, inner)?;
                let text = inner.to_string();
                check::compile_one(&format!("({text}) IS NULL"), table, self.ctx)?;
                let text = crate::sql::deparse::for_people(&text, table);
                IndexedBy::Expression(column_name_of(inner).unwrap_or_else(|| "expr".to_owned()), text)
            }
        };
        let descending = matches!(column.column.options.sort, Some(OrderBySort::Desc));
        let nulls_first = column.column.options.nulls_first.unwrap_or(descending);
        let class = column.operator_class.as_ref().map(shown);
        Ok(IndexKey { of, class, descending, nulls_first })
    }

    /// An expression that is no call stands in parentheses.
    fn in_parentheses(&self, expr: &Expr) -> PgResult<()> {
        let (mut expr, mut wrong) = (expr, None);
        while let Expr::BinaryOp { left, op, .. } = expr {
            (expr, wrong) = (left.as_ref(), Some((op.to_string(), left)));
        }
        let Some((op, left)) = wrong else { return Ok(()) };
        let position = place::after(self.text, left.span());
        Err(PgError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{op}\"")).or_position(position))
    }

    /// Fails at the first name that is no column of the table.
    fn known_columns(&mut self, table: &TableDef, expr: &Expr) -> PgResult<()> {
        let mut names = Vec::new();
        let _ = visit_expressions(expr, |e| {
            if let Expr::Identifier(ident) = e {
                names.push(ident.clone());
            }
            ControlFlow::<()>::Continue(())
        });
        names.iter().try_for_each(|ident| {
            let at = self.at(ident);
            self.index_column(table, ident).map(|_| ()).map_err(|error| error.or_position(at))
        })
    }

    fn index_column(&mut self, table: &TableDef, ident: &Ident) -> PgResult<ColumnId> {
        let name = self.fold(ident)?;
        let missing = || PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"));
        table.column(&name).map(|c| c.id).ok_or_else(missing)
    }

    /// `t_a_lower_idx`, and with a number where that is taken.
    fn index_name(&self, table: &TableDef, schema: &SchemaDef, index: &IndexDef) -> String {
        let second = column_names(table, index).join("_");
        let names = (0_u32..).map(|number| {
            let label = if number == 0 { "idx".to_owned() } else { format!("idx{number}") };
            generated(&table.name, Some(&second), &label)
        });
        let mut free = names.filter(|name| !self.index_name_taken(schema, name));
        free.next().unwrap_or_default()
    }

    /// LIKE … INCLUDING INDEXES.
    pub(super) fn indexes_like(
        &mut self,
        table: &mut TableDef,
        source: &TableDef,
        ids: &[(ColumnId, ColumnId)],
    ) -> PgResult<()> {
        let new = |id: ColumnId| ids.iter().find(|(old, _)| *old == id).map_or(id, |(_, new)| *new);
        let schema = self.ctx.schema.schemas.values().find(|s| s.id == table.schema_id).cloned();
        let schema = schema.ok_or_else(|| PgError::internal("a table without its schema"))?;
        for old in &source.indexes {
            let mut index = IndexDef { uuid: Uuid::new_v4(), comment: None, ..old.clone() };
            for key in &mut index.keys {
                if let IndexedBy::Column(id) = &mut key.of {
                    *id = new(*id);
                }
            }
            index.include = index.include.iter().map(|id| new(*id)).collect();
            index.name = self.index_name(table, &schema, &index);
            self.ops.push(DdlOp::CreateIndex { table: table.uuid, index });
        }
        Ok(())
    }
}

/// The names of an index' columns, each once.
fn column_names(table: &TableDef, index: &IndexDef) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let included = index.include.iter().map(|id| IndexedBy::Column(*id));
    for of in index.keys.iter().map(|key| key.of.clone()).chain(included) {
        let base = match of {
            IndexedBy::Column(id) => table.column_by_id(id).map_or_else(String::new, |c| c.name.clone()),
            IndexedBy::Expression(name, _) => name,
        };
        let mut name = base.clone();
        for number in 1_u32.. {
            if !names.contains(&name) {
                break;
            }
            name = format!("{base}{number}");
        }
        names.push(name);
    }
    names
}

fn key_named<'t>(table: &'t TableDef, name: &str) -> Option<&'t Constraint> {
    let is_key = |c: &&Constraint| {
        c.name == name && matches!(c.kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. })
    };
    table.constraints.iter().find(is_key)
}
