//! Renaming tables, views and columns, with what names them: CHECK constraints and views.

use std::{ops::ControlFlow, sync::Arc};

use duckmesh_catalog::{
    ColumnId, IndexDef, IndexedBy, LakeSchema, TableDef,
    ddl::DdlOp,
    schema::{Constraint, ConstraintKind, ViewDef},
};
use sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr,
    TableAlias, TableFactor, VisitMut, VisitorMut, visit_expressions, visit_expressions_mut, visit_relations,
};

use super::{
    Planner,
    alter::Altered,
    column::check_new_name,
    depends,
    lookup::{Relation, already_exists},
    names::fold,
};
use crate::{
    sql::{parse, plan::PlanContext, quote, view as stored},
    wire::error::{PgError, PgResult, SqlState},
};

/// ALTER TABLE … RENAME COLUMN.
pub(super) fn column(planner: &mut Planner<'_>, table: &mut Altered, old: &Ident, new: &Ident) -> PgResult<()> {
    let (old, new) = (planner.fold(old)?, planner.fold(new)?);
    let Some(id) = table.new.column(&old).map(|c| c.id) else {
        return Err(PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{old}\" does not exist")));
    };
    check_renamed(&old, &new, &table.new)?;
    let mut checks = Vec::new();
    for constraint in &mut table.new.constraints {
        if let ConstraintKind::Check { expression } = &mut constraint.kind
            && let Some(renamed) = in_expression(expression, &old, &new)?
        {
            *expression = renamed;
            checks.push(constraint.clone());
        }
    }
    if let Some(column) = table.new.columns.iter_mut().find(|c| c.id == id) {
        column.name.clone_from(&new);
    }
    planner.ops.push(DdlOp::RenameColumn { table: table.new.uuid, column: id, name: new.clone(), checks });
    indexes_follow(planner, table, &old, &new)?;
    planner.generated_follow(table, &old, &new)?;
    planner.foreign_keys_renamed(table, &|_, columns| {
        columns.iter_mut().filter(|name| **name == old).for_each(|name| name.clone_from(&new));
    });
    let relation = Relation::Table(Arc::clone(&table.old));
    let views: Vec<_> = planner
        .ctx
        .schema
        .views
        .values()
        .filter(|v| depends::reads(&planner.ctx.schema, v, &relation) && depends::names_column(v, &old))
        .cloned()
        .collect();
    for view in views {
        let after = with_table(&planner.ctx.schema, &table.new);
        let in_lake = (table.schema.as_str(), table.old.name.as_str());
        let sql = column_in_view(&view, in_lake, &old, &new).ok_or_else(|| {
            PgError::unsupported(format!(
                "cannot rename column {old} of table {}: view {} reads it",
                table.new.name, view.name
            ))
            .hint("Drop the view, rename the column, and make the view again.")
        })?;
        restate(planner, &view, &sql, after)?;
    }
    Ok(())
}

/// Expressions and predicates of indexes with the new name.
fn indexes_follow(planner: &mut Planner<'_>, table: &mut Altered, old: &str, new: &str) -> PgResult<()> {
    for index in &mut table.new.indexes {
        let before = index.clone();
        for key in &mut index.keys {
            if let IndexedBy::Expression(_, expression) = &mut key.of
                && let Some(renamed) = in_expression(expression, old, new)?
            {
                *expression = renamed;
            }
        }
        if let Some(predicate) = &mut index.predicate
            && let Some(renamed) = in_expression(predicate, old, new)?
        {
            *predicate = renamed;
        }
        if *index != before {
            planner.ops.push(DdlOp::AlterIndex { table: table.new.uuid, index: index.clone() });
        }
    }
    Ok(())
}

/// Whether an index is about a column.
pub(super) fn index_names(index: &IndexDef, id: ColumnId, name: &str) -> bool {
    let expressions = index.keys.iter().filter_map(|key| match &key.of {
        IndexedBy::Expression(_, expression) => Some(expression),
        IndexedBy::Column(_) => None,
    });
    let named = |sql: &String| parse::expression(sql).is_ok_and(|expr| names_in(&expr, name));
    index.has_column(id) || expressions.chain(&index.predicate).any(named)
}

fn check_renamed(old: &str, new: &str, table: &TableDef) -> PgResult<()> {
    if table.column(new).is_some() {
        return Err(PgError::new(
            SqlState::DUPLICATE_COLUMN,
            format!("column \"{new}\" of relation \"{}\" already exists", table.name),
        ));
    }
    let mut others = table.clone();
    others.columns.retain(|c| c.name != old);
    check_new_name(new, &others)
}

/// ALTER TABLE … RENAME TO.
pub(super) fn table(planner: &mut Planner<'_>, table: &mut Altered, name: &ObjectName) -> PgResult<()> {
    let name = new_name(planner, table.new.schema_id, &table.new.name, name)?;
    let relation = Relation::Table(Arc::clone(&table.old));
    table.new.name.clone_from(&name);
    planner.ops.push(DdlOp::RenameTable { uuid: table.new.uuid, name: name.clone() });
    planner.foreign_keys_renamed(table, &|target, _| target.clone_from(&name));
    readers_follow(planner, &relation, &name)
}

/// ALTER VIEW … RENAME TO.
pub(super) fn view(planner: &mut Planner<'_>, view: &Relation, name: &ObjectName) -> PgResult<()> {
    let Relation::View(old) = view else {
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a view", view.name())));
    };
    let name = new_name(planner, old.schema_id, &old.name, name)?;
    planner.ops.push(DdlOp::RenameView { uuid: old.uuid, name: name.clone() });
    readers_follow(planner, view, &name)
}

/// ALTER VIEW … RENAME COLUMN: the view's query stays, its columns are named beside it.
pub(super) fn view_column(planner: &mut Planner<'_>, view: &Relation, old: &str, new: &str) -> PgResult<()> {
    let Relation::View(def) = view else {
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a view", view.name())));
    };
    let mut columns = def.columns.clone();
    let Some((name, _)) = columns.iter_mut().find(|(name, _)| name == old) else {
        return Err(PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{old}\" does not exist")));
    };
    new.clone_into(name);
    if columns.iter().filter(|(name, _)| name.eq_ignore_ascii_case(new)).count() > 1 {
        let message = format!("column \"{new}\" of relation \"{}\" already exists", def.name);
        return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
    }
    if let Some(reader) = depends::views_on_column(planner, view, old).first() {
        let message = format!("cannot rename column {old} of view {}: view {} reads it", def.name, reader.view.name);
        return Err(PgError::unsupported(message)
            .hint("Drop the view that reads it, rename the column, and make the view again."));
    }
    let schema = planner.ctx.schema.schemas.values().find(|s| s.id == def.schema_id).map(|s| s.uuid);
    planner.ops.push(DdlOp::CreateView {
        uuid: def.uuid,
        schema: schema.ok_or_else(|| PgError::internal("a view without a schema"))?,
        name: def.name.clone(),
        duckdb_sql: def.duckdb_sql.clone(),
        postgres_sql: def.postgres_sql.clone().unwrap_or_default(),
        columns,
    });
    Ok(())
}

fn new_name(
    planner: &mut Planner<'_>,
    schema: duckmesh_catalog::SchemaId,
    old: &str,
    name: &ObjectName,
) -> PgResult<String> {
    let at = planner.at_name(name);
    let (None, name) = planner.split(name)? else {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \".\"").or_position(at));
    };
    let schema = planner.ctx.schema.schemas.values().find(|s| s.id == schema).cloned();
    if name == old {
        return Err(already_exists(&name));
    }
    if let Some(schema) = schema
        && name.to_lowercase() != old.to_lowercase()
        && planner.taken(&schema, &name)?.is_some()
    {
        return Err(already_exists(&name));
    }
    Ok(name)
}

fn with_table(schema: &LakeSchema, table: &TableDef) -> Arc<LakeSchema> {
    let mut after = schema.clone();
    after.tables.insert(table.id, Arc::new(table.clone()));
    Arc::new(after)
}

/// Views that read a renamed relation are made again with its new name.
fn readers_follow(planner: &mut Planner<'_>, relation: &Relation, name: &str) -> PgResult<()> {
    let lake = Arc::clone(&planner.ctx.schema);
    for view in lake.views.values() {
        if view.uuid == relation.uuid() || !depends::reads(&lake, view, relation) {
            continue;
        }
        let old = (relation.schema(&lake), relation.name());
        let sql = relation_in_view(view, old, (None, name)).ok_or_else(|| {
            PgError::unsupported(format!("cannot rename {}: view {} reads it", planner.describe(relation), view.name))
                .hint("Drop the view, rename, and make the view again.")
        })?;
        let after = after(planner)?;
        restate(planner, view, &sql, after)?;
    }
    Ok(())
}

/// What the operations so far leave: views that read views see their new texts.
pub(super) fn after(planner: &Planner<'_>) -> PgResult<Arc<LakeSchema>> {
    planner.ctx.schema.apply(&planner.ops).map(Arc::new).map_err(|e| PgError::unsupported(e.to_string()))
}

/// Makes a view again with another query that gives the same columns.
pub(super) fn restate(planner: &mut Planner<'_>, view: &ViewDef, sql: &str, after: Arc<LakeSchema>) -> PgResult<()> {
    let ctx = PlanContext { schema: after, ..planner.ctx.clone() };
    let query = parse::query(sql)?;
    let new = stored::qualify(&query, sql, &ctx)?;
    let schema = planner.ctx.schema.schemas.values().find(|s| s.id == view.schema_id);
    let Some(schema) = schema else {
        return Err(PgError::internal("a view without a schema"));
    };
    planner.ops.push(DdlOp::CreateView {
        uuid: view.uuid,
        schema: schema.uuid,
        name: view.name.clone(),
        duckdb_sql: new.duckdb_sql,
        postgres_sql: new.postgres_sql,
        columns: view.columns.clone(),
    });
    Ok(())
}

/// Whether a constraint is about a column.
pub(super) fn constraint_names(constraint: &Constraint, id: ColumnId, name: &str) -> bool {
    match &constraint.kind {
        ConstraintKind::Check { expression } => parse::expression(expression).is_ok_and(|expr| names_in(&expr, name)),
        ConstraintKind::PrimaryKey { columns }
        | ConstraintKind::Unique { columns }
        | ConstraintKind::ForeignKey { columns, .. } => columns.contains(&id),
    }
}

fn is_named(ident: &Ident, name: &str) -> bool {
    match ident.quote_style {
        Some(_) => ident.value == name,
        None => fold(&ident.value) == name,
    }
}

fn column_of(expr: &mut Expr) -> Option<&mut Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(parts) => parts.last_mut(),
        _ => None,
    }
}

fn names_in(expr: &Expr, name: &str) -> bool {
    let mut found = false;
    let _ = visit_expressions(expr, |e| {
        found |= match e {
            Expr::Identifier(ident) => is_named(ident, name),
            Expr::CompoundIdentifier(parts) => parts.last().is_some_and(|i| is_named(i, name)),
            _ => false,
        };
        ControlFlow::<()>::Continue(())
    });
    found
}

/// Whether an expression names a column.
pub(super) fn expression_names(sql: &str, name: &str) -> bool {
    parse::expression(sql).is_ok_and(|expr| names_in(&expr, name))
}

/// The expression with the new name; none where it does not have the old one.
pub(super) fn in_expression(sql: &str, old: &str, new: &str) -> PgResult<Option<String>> {
    let mut expr = parse::expression(sql)?;
    if !names_in(&expr, old) {
        return Ok(None);
    }
    rename_columns(&mut expr, old, new);
    Ok(Some(expr.to_string()))
}

fn rename_columns<V: VisitMut>(node: &mut V, old: &str, new: &str) {
    let _ = visit_expressions_mut(node, |e| {
        if let Some(ident) = column_of(e)
            && is_named(ident, old)
        {
            *ident = Ident::with_quote('"', new);
        }
        ControlFlow::<()>::Continue(())
    });
}

/// A view's query with a column's new name, its own columns named as before. `table` is the table's schema in the lake and its
/// name. None where it is not plain enough to be sure what the name means.
fn column_in_view(view: &ViewDef, table: (&str, &str), old: &str, new: &str) -> Option<String> {
    let mut query = parse::query(view.postgres_sql.as_deref()?).ok()?;
    let mut relations = 0;
    let _ = visit_relations(&query, |_| {
        relations += 1;
        ControlFlow::<()>::Continue(())
    });
    let has_with = query.with.is_some();
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let own = own_relations(select, table)?;
    // What is in a subquery has names of its own.
    let ordered = query.order_by.is_some() || select.distinct.is_some();
    if has_with || relations != own.relations || !has_plain_output(select, old, ordered) {
        return None;
    }
    if own.relations > 1 && (merges(select, old) || !is_qualified(&query, old)) {
        return None;
    }
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    let names = |expr: &Expr| match expr {
        Expr::Identifier(ident) => is_named(ident, old),
        Expr::CompoundIdentifier(parts) => {
            let relation = parts.len().checked_sub(2).and_then(|at| parts.get(at)).map(quote::fold);
            parts.last().is_some_and(|i| is_named(i, old)) && relation.is_some_and(|name| own.names.contains(&name))
        }
        _ => false,
    };
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) = item
            && names(expr)
        {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', old) };
        }
    }
    let _ = visit_expressions_mut(&mut query, |expr| {
        if names(expr)
            && let Some(ident) = column_of(expr)
        {
            *ident = Ident::with_quote('"', new);
        }
        ControlFlow::<()>::Continue(())
    });
    Some(query.to_string())
}

/// The relations of a FROM.
struct Own {
    /// How many there are.
    relations: usize,
    /// The names that the table has among them.
    names: Vec<String>,
}

/// None: there is more than tables and views, or a table's columns have other names.
fn own_relations(select: &Select, (schema, table): (&str, &str)) -> Option<Own> {
    let mut own = Own { relations: 0, names: Vec::new() };
    let factors = select
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    for factor in factors {
        let TableFactor::Table { name, alias, args: None, .. } = factor else { return None };
        own.relations += 1;
        let parts: Vec<_> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        let [in_schema, relation] = parts.as_slice() else { return None };
        if depends::schema_of(in_schema) == schema && quote::fold(relation) == table {
            if alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()) {
                return None;
            }
            own.names.push(alias.as_ref().map_or_else(|| table.to_owned(), |alias| quote::fold(&alias.name)));
        }
    }
    Some(own)
}

/// Whether a join is by columns of that name.
fn merges(select: &Select, name: &str) -> bool {
    let joins = select.from.iter().flat_map(|from| &from.joins);
    joins.into_iter().any(|join| {
        let constraint = match &join.join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint) => Some(constraint),
            _ => None,
        };
        match constraint {
            Some(JoinConstraint::Using(columns)) => {
                columns.iter().any(|c| c.0.last().and_then(|p| p.as_ident()).is_some_and(|i| is_named(i, name)))
            }
            Some(JoinConstraint::Natural) => true,
            _ => false,
        }
    })
}

/// Whether the name stands behind a relation's wherever it stands.
fn is_qualified(query: &Query, name: &str) -> bool {
    let mut qualified = true;
    let _ = visit_expressions(query, |expr| {
        qualified &= !matches!(expr, Expr::Identifier(ident) if is_named(ident, name));
        ControlFlow::<()>::Continue(())
    });
    qualified
}

/// No `*`, and where ORDER BY could mean either no output column of that name that is something else.
fn has_plain_output(select: &Select, old: &str, ordered: bool) -> bool {
    select.projection.iter().all(|item| match item {
        SelectItem::UnnamedExpr(_) => true,
        SelectItem::ExprWithAlias { alias, .. } => !ordered || !is_named(alias, old),
        _ => false,
    })
}

/// A view's query with a relation's new name; where it had no alias, the old name becomes one.
///
/// `old` has the lake's name of the schema before it.
pub(super) fn relation_in_view(
    view: &ViewDef,
    old: (&str, &str),
    (new_schema, new): (Option<&str>, &str),
) -> Option<String> {
    struct Renamer<'a> {
        schema: &'a str,
        old: &'a str,
        /// The SQL name of the new schema, where it is another.
        new_schema: Option<&'a str>,
        new: &'a str,
    }
    impl VisitorMut for Renamer<'_> {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
            if let TableFactor::Table { name, alias, .. } = factor
                && let [.., ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(last)] =
                    name.0.as_mut_slice()
                && depends::schema_of(schema) == self.schema
                && is_named(last, self.old)
            {
                *last = Ident::with_quote('"', self.new);
                if let Some(new) = self.new_schema {
                    *schema = Ident::with_quote('"', new);
                }
                alias.get_or_insert_with(|| TableAlias {
                    explicit: true,
                    name: Ident::with_quote('"', self.old),
                    columns: Vec::new(),
                    at: None,
                });
            }
            ControlFlow::Continue(())
        }
    }
    let mut query: Query = parse::query(view.postgres_sql.as_deref()?).ok()?;
    let (schema, old) = old;
    let _ = query.visit(&mut Renamer { schema, old, new_schema, new });
    Some(query.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(sql: &str) -> ViewDef {
        ViewDef {
            id: duckmesh_catalog::ViewId::new(1),
            uuid: uuid::Uuid::nil(),
            schema_id: duckmesh_catalog::SchemaId::new(0),
            name: "v".into(),
            duckdb_sql: String::new(),
            postgres_sql: Some(sql.into()),
            columns: Vec::new(),
            comment: None,
        }
    }

    #[test]
    fn a_column_is_renamed_where_it_can_mean_nothing_else() {
        for (sql, expected) in [
            ("SELECT a FROM public.t", Some("SELECT \"n\" AS \"a\" FROM public.t")),
            (
                "SELECT t.a, b AS x FROM public.t WHERE a > 1",
                Some("SELECT t.\"n\" AS \"a\", b AS x FROM public.t WHERE \"n\" > 1"),
            ),
            ("SELECT count(a) AS x FROM public.t", Some("SELECT count(\"n\") AS x FROM public.t")),
            ("SELECT * FROM public.t", None),
            ("SELECT b AS a FROM public.t ORDER BY a", None),
            (
                "SELECT t.a, x.a FROM public.t JOIN public.u AS x ON t.a = x.a",
                Some("SELECT t.\"n\" AS \"a\", x.a FROM public.t JOIN public.u AS x ON t.\"n\" = x.a"),
            ),
            ("SELECT t.b FROM public.t JOIN public.u ON a = u.b", None),
            ("SELECT t.b FROM public.t JOIN public.u USING (a)", None),
            ("SELECT t.a FROM public.t, (SELECT 1) AS s", None),
            ("SELECT a FROM public.t UNION SELECT a FROM public.t", None),
        ] {
            let renamed = column_in_view(&view(sql), ("main", "t"), "a", "n");
            assert_eq!(renamed.as_deref(), expected, "{sql}");
        }
    }

    #[test]
    fn a_relation_keeps_its_old_name_as_alias() {
        for (sql, expected) in [
            ("SELECT t.a FROM public.t", "SELECT t.a FROM public.\"n\" AS \"t\""),
            ("SELECT x.a FROM public.t AS x", "SELECT x.a FROM public.\"n\" AS x"),
            (
                "SELECT 1 FROM public.u WHERE EXISTS (SELECT 1 FROM public.t)",
                "SELECT 1 FROM public.u WHERE EXISTS (SELECT 1 FROM public.\"n\" AS \"t\")",
            ),
        ] {
            let renamed = relation_in_view(&view(sql), ("main", "t"), (None, "n"));
            assert_eq!(renamed.as_deref(), Some(expected), "{sql}");
        }
    }
}
