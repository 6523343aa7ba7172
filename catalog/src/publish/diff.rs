//! The difference of two schemas of a lake as DuckLake's rows: what is gone or changed is closed at the new snapshot, what is
//! new or changed begins there.

use std::collections::BTreeMap;

use crate::{
    ColumnDef, ColumnType, Constraint, LakeSchema, SchemaDef, SnapshotId, TableDef, ViewDef,
    catalog::Result,
    columns,
    error::{Error, ErrorKind},
    params,
    store::{Statement, quote},
    tables::{COMMENT, Definition, VIEW_COLUMNS, VIEW_SQL},
};

/// What a difference writes.
#[derive(Debug, Default)]
pub(super) struct Diff {
    /// The statements, in order.
    pub statements: Vec<Statement>,
    /// Entries of `changes_made`.
    pub changes: Vec<String>,
    /// Tables with new or other columns: they get a row in `ducklake_schema_versions`.
    pub versioned: Vec<i64>,
}

impl Diff {
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    fn push(&mut self, sql: &'static str, params: Vec<crate::store::Value>) {
        self.statements.push(Statement::new(sql, params));
    }

    /// A statement that must change one row: what it closes was read as open.
    fn push_one(&mut self, sql: &'static str, params: Vec<crate::store::Value>) {
        self.statements.push(Statement::new(sql, params).expect(1));
    }
}

/// What leads from one schema to the other, at the snapshot that makes it.
pub(super) fn diff(old: &LakeSchema, new: &LakeSchema, at: SnapshotId) -> Result<Diff> {
    let mut out = Diff::default();
    let old_schemas: BTreeMap<_, _> = old.schemas.values().map(|s| (s.id, s)).collect();
    let new_schemas: BTreeMap<_, _> = new.schemas.values().map(|s| (s.id, s)).collect();
    for (id, schema) in &new_schemas {
        match old_schemas.get(id) {
            None => create_schema(&mut out, schema, at),
            Some(before) if before.comment != schema.comment => {
                set_tag(&mut out, id.get(), COMMENT, before.comment.as_ref(), schema.comment.as_ref(), at);
                out.changes.push(format!("altered_schema:{id}"));
            }
            Some(_) => {}
        }
    }
    for (id, table) in &new.tables {
        let schema = schema_name(new, table.schema_id)?;
        match old.tables.get(id) {
            None => create_table(&mut out, table, schema, at)?,
            Some(before) if before != table => alter_table(&mut out, before, table, schema, at)?,
            Some(_) => {}
        }
    }
    for (id, view) in &new.views {
        let schema = schema_name(new, view.schema_id)?;
        match old.views.get(id) {
            None => create_view(&mut out, view, schema, at)?,
            Some(before) if before != view => alter_view(&mut out, before, view, schema, at)?,
            Some(_) => {}
        }
    }
    sequences(&mut out, old, new, at)?;
    types(&mut out, old, new, at)?;
    for id in old.tables.keys().filter(|id| !new.tables.contains_key(id)) {
        drop_table(&mut out, id.get(), at);
    }
    for id in old.views.keys().filter(|id| !new.views.contains_key(id)) {
        out.push_one(
            "UPDATE @ducklake_view SET end_snapshot = $1 WHERE view_id = $2 AND end_snapshot IS NULL",
            params![at, *id],
        );
        close_tags(&mut out, id.get(), at);
        out.changes.push(format!("dropped_view:{id}"));
    }
    for id in old_schemas.keys().filter(|id| !new_schemas.contains_key(id)) {
        out.push_one(
            "UPDATE @ducklake_schema SET end_snapshot = $1 WHERE schema_id = $2 AND end_snapshot IS NULL",
            params![at, *id],
        );
        close_tags(&mut out, id.get(), at);
        out.changes.push(format!("dropped_schema:{id}"));
    }
    Ok(out)
}

/// Sequences are our own: other programs see nothing of them, so that there is no entry in `changes_made`.
fn sequences(out: &mut Diff, old: &LakeSchema, new: &LakeSchema, at: SnapshotId) -> Result<()> {
    for (id, before) in &old.sequences {
        if new.sequences.get(id) == Some(before) {
            continue;
        }
        out.push_one(
            "UPDATE @duckmesh_sequence SET end_snapshot = $1 WHERE sequence_id = $2 AND end_snapshot IS NULL",
            params![at, *id],
        );
        if new.sequences.get(id).is_none_or(|after| after.spec.state != before.spec.state) {
            out.push(
                "DELETE FROM @duckmesh_sequence_state WHERE state_uuid = $1",
                params![before.spec.state.to_string()],
            );
        }
    }
    for (id, after) in new.sequences.iter().filter(|(id, after)| old.sequences.get(id) != Some(*after)) {
        let definition = crate::sequences::write(&after.spec)?;
        out.push(
            "INSERT INTO @duckmesh_sequence(sequence_id, sequence_uuid, begin_snapshot, schema_id, name, definition)
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![*id, after.uuid, at, after.schema_id, &after.name, definition],
        );
    }
    Ok(())
}

/// Types of users are our own as well.
fn types(out: &mut Diff, old: &LakeSchema, new: &LakeSchema, at: SnapshotId) -> Result<()> {
    for (id, _) in old.types.iter().filter(|(id, before)| new.types.get(id) != Some(*before)) {
        out.push_one(
            "UPDATE @duckmesh_type SET end_snapshot = $1 WHERE type_id = $2 AND end_snapshot IS NULL",
            params![at, *id],
        );
    }
    for (id, after) in new.types.iter().filter(|(id, after)| old.types.get(id) != Some(*after)) {
        out.push(
            "INSERT INTO @duckmesh_type(type_id, type_uuid, begin_snapshot, schema_id, name, definition)
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![*id, after.uuid, at, after.schema_id, &after.name, crate::user_types::write(after)?],
        );
    }
    Ok(())
}

fn schema_name(schema: &LakeSchema, id: crate::SchemaId) -> Result<&str> {
    schema.schema_name(id).ok_or_else(|| Error::new(ErrorKind::Corrupt, format!("schema {id} of a table is not there")))
}

fn create_schema(out: &mut Diff, schema: &SchemaDef, at: SnapshotId) {
    out.push(
        "INSERT INTO @ducklake_schema(schema_id, schema_uuid, begin_snapshot, schema_name, path, path_is_relative)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![schema.id, schema.uuid, at, &schema.name, &schema.path, true],
    );
    set_tag(out, schema.id.get(), COMMENT, None, schema.comment.as_ref(), at);
    out.changes.push(format!("created_schema:{}", quote(&schema.name)));
}

fn create_table(out: &mut Diff, table: &TableDef, schema: &str, at: SnapshotId) -> Result<()> {
    insert_table(out, table, at);
    for column in &table.columns {
        insert_column(out, table, column, at);
        for (key, value) in columns::tags(column) {
            set_column_tag(out, table, column, key, None, Some(&value), at);
        }
    }
    insert_constraints(out, table, at)?;
    set_tag(out, table.id.get(), COMMENT, None, table.comment.as_ref(), at);
    out.changes.push(format!("created_table:{}.{}", quote(schema), quote(&table.name)));
    out.versioned.push(table.id.get());
    Ok(())
}

fn insert_table(out: &mut Diff, table: &TableDef, at: SnapshotId) {
    out.push(
        "INSERT INTO @ducklake_table(table_id, table_uuid, begin_snapshot, schema_id, table_name, path, path_is_relative)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![table.id, table.uuid, at, table.schema_id, &table.name, &table.path, true],
    );
}

fn insert_column(out: &mut Diff, table: &TableDef, column: &ColumnDef, at: SnapshotId) {
    for row in columns::write(column) {
        out.push(
            "INSERT INTO @ducklake_column(column_id, begin_snapshot, table_id, column_order, column_name, column_type,
                initial_default, default_value, nulls_allowed, parent_column, default_value_type, default_value_dialect)
             VALUES ($1, $2, $3, $1, $4, $5, $6, $7, $8, $9, $10, 'duckdb')",
            params![
                row.id,
                at,
                table.id,
                row.name,
                row.ty,
                row.initial_default,
                row.default_value,
                row.nullable,
                row.parent,
                row.default_type
            ],
        );
    }
}

fn alter_table(out: &mut Diff, old: &TableDef, new: &TableDef, schema: &str, at: SnapshotId) -> Result<()> {
    let renamed = old.name != new.name || old.schema_id != new.schema_id;
    if renamed {
        out.push_one(
            "UPDATE @ducklake_table SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
            params![at, new.id],
        );
        // Copied, so that what another writer put into the row stays.
        out.push_one(
            "INSERT INTO @ducklake_table(table_id, table_uuid, begin_snapshot, schema_id, table_name, path, path_is_relative)
             SELECT table_id, table_uuid, $1, schema_id, $3, path, path_is_relative
             FROM @ducklake_table WHERE table_id = $2 AND end_snapshot = $1",
            params![at, new.id, &new.name],
        );
        if old.schema_id != new.schema_id {
            out.push_one(
                "UPDATE @ducklake_table SET schema_id = $3, path = $4, path_is_relative = $5
                 WHERE table_id = $2 AND begin_snapshot = $1",
                params![at, new.id, new.schema_id, &new.path, true],
            );
        }
    }
    let columns_changed = alter_columns(out, old, new, at);
    if old.constraints != new.constraints || old.indexes != new.indexes {
        out.push(
            "UPDATE @duckmesh_constraint SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
            params![at, new.id],
        );
        insert_constraints(out, new, at)?;
    }
    set_tag(out, new.id.get(), COMMENT, old.comment.as_ref(), new.comment.as_ref(), at);
    // As the official extension writes it: a renamed table is a table created under its new name.
    out.changes.push(if renamed {
        format!("created_table:{}.{}", quote(schema), quote(&new.name))
    } else {
        format!("altered_table:{}", new.id)
    });
    if renamed || columns_changed {
        out.versioned.push(new.id.get());
    }
    Ok(())
}

/// Whether a column row changed; comments and Postgres' own defaults are tags only.
fn alter_columns(out: &mut Diff, old: &TableDef, new: &TableDef, at: SnapshotId) -> bool {
    let mut changed = false;
    for column in &new.columns {
        let Some(before) = old.column_by_id(column.id) else {
            insert_column(out, new, column, at);
            for (key, value) in columns::tags(column) {
                set_column_tag(out, new, column, key, None, Some(&value), at);
            }
            changed = true;
            continue;
        };
        if before == column {
            continue;
        }
        changed |= match is_retyped(before, column) {
            true => retype_column(out, new, column, at),
            false => alter_column(out, new, before, column, at),
        };
        let (was, is) = (columns::tags(before), columns::tags(column));
        for key in [columns::TYPE, columns::DEFAULT, columns::GENERATED, columns::DOMAIN, COMMENT] {
            let find = |tags: &[(&str, String)]| tags.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone());
            set_column_tag(out, new, column, key, find(&was).as_ref(), find(&is).as_ref(), at);
        }
    }
    for column in old.columns.iter().filter(|c| new.column_by_id(c.id).is_none()) {
        drop_column(out, new, column, at);
        changed = true;
    }
    changed
}

fn alter_column(out: &mut Diff, table: &TableDef, old: &ColumnDef, new: &ColumnDef, at: SnapshotId) -> bool {
    let default_changed = old.default != new.default;
    // Lengths of texts are ours alone.
    let type_changed = old.ty.ducklake() != new.ty.ducklake();
    if old.name == new.name && old.nullable == new.nullable && !default_changed && !type_changed {
        return false;
    }
    out.push_one(
        "UPDATE @ducklake_column SET end_snapshot = $1 WHERE table_id = $2 AND column_id = $3 AND end_snapshot IS NULL",
        params![at, table.id, new.id],
    );
    // Copied, so that types and defaults of other writers stay as they wrote them.
    out.push_one(
        "INSERT INTO @ducklake_column(column_id, begin_snapshot, table_id, column_order, column_name, column_type,
            initial_default, default_value, nulls_allowed, parent_column, default_value_type, default_value_dialect)
         SELECT column_id, $1, table_id, column_order, $4, column_type,
            initial_default, default_value, $5, parent_column, default_value_type, default_value_dialect
         FROM @ducklake_column WHERE table_id = $2 AND column_id = $3 AND end_snapshot = $1",
        params![at, table.id, new.id, &new.name, new.nullable],
    );
    if type_changed {
        out.push_one(
            "UPDATE @ducklake_column SET column_type = $4
             WHERE table_id = $2 AND column_id = $3 AND begin_snapshot = $1",
            params![at, table.id, new.id, new.ty.ducklake()],
        );
    }
    if default_changed && let Some(row) = columns::write(new).into_iter().next() {
        out.push_one(
            "UPDATE @ducklake_column SET default_value = $4, default_value_type = $5, default_value_dialect = 'duckdb'
             WHERE table_id = $2 AND column_id = $3 AND begin_snapshot = $1",
            params![at, table.id, new.id, row.default_value, row.default_type],
        );
    }
    true
}

/// Whether no row that was there before can be read as the column is now.
pub(super) fn is_retyped(old: &ColumnDef, new: &ColumnDef) -> bool {
    // An array is a list, whatever its elements are.
    let held = |ty: &ColumnType| match ty {
        ColumnType::Array(element) => format!("{}[]", element.ducklake()),
        ty => ty.ducklake(),
    };
    held(&old.ty) != held(&new.ty) && !old.ty.reads_as(&new.ty)
}

/// Another column under the same id: its rows come anew with it.
fn retype_column(out: &mut Diff, table: &TableDef, column: &ColumnDef, at: SnapshotId) -> bool {
    close_column(out, table, column, at);
    insert_column(out, table, column, at);
    // What was known of other values is nothing of these.
    out.push(
        "UPDATE @ducklake_table_column_stats SET contains_null = $3, contains_nan = NULL, min_value = NULL, max_value = NULL
         WHERE table_id = $1 AND column_id = $2",
        params![table.id, column.id, true],
    );
    true
}

fn drop_column(out: &mut Diff, table: &TableDef, column: &ColumnDef, at: SnapshotId) {
    close_column(out, table, column, at);
    for sql in [
        "UPDATE @ducklake_column_tag SET end_snapshot = $1
         WHERE table_id = $2 AND column_id = $3 AND end_snapshot IS NULL",
        "UPDATE @duckmesh_column_tag SET end_snapshot = $1
         WHERE table_id = $2 AND column_id = $3 AND end_snapshot IS NULL",
    ] {
        out.push(sql, params![at, table.id, column.id]);
    }
}

fn close_column(out: &mut Diff, table: &TableDef, column: &ColumnDef, at: SnapshotId) {
    // With all that is nested below it.
    out.push(
        "WITH RECURSIVE below(id) AS (
            SELECT CAST($3 AS BIGINT)
            UNION
            SELECT c.column_id FROM @ducklake_column c JOIN below ON c.parent_column = below.id
            WHERE c.table_id = $2 AND c.end_snapshot IS NULL)
         UPDATE @ducklake_column SET end_snapshot = $1
         WHERE table_id = $2 AND end_snapshot IS NULL AND column_id IN (SELECT id FROM below)",
        params![at, table.id, column.id],
    );
}

fn drop_table(out: &mut Diff, table: i64, at: SnapshotId) {
    out.push_one(
        "UPDATE @ducklake_table SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
        params![at, table],
    );
    for sql in [
        "UPDATE @ducklake_column SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
        "UPDATE @ducklake_column_tag SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
        "UPDATE @duckmesh_column_tag SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
        "UPDATE @ducklake_data_file SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
        "UPDATE @ducklake_delete_file SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
        "UPDATE @ducklake_partition_info SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
        "UPDATE @ducklake_sort_info SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
        "UPDATE @duckmesh_constraint SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
    ] {
        out.push(sql, params![at, table]);
    }
    close_tags(out, table, at);
    out.changes.push(format!("dropped_table:{table}"));
}

fn create_view(out: &mut Diff, view: &ViewDef, schema: &str, at: SnapshotId) -> Result<()> {
    insert_view(out, view, at);
    for (key, value) in view_tags(view)? {
        set_tag(out, view.id.get(), key, None, Some(&value), at);
    }
    out.changes.push(format!("created_view:{}.{}", quote(schema), quote(&view.name)));
    Ok(())
}

fn alter_view(out: &mut Diff, old: &ViewDef, new: &ViewDef, schema: &str, at: SnapshotId) -> Result<()> {
    let moved = old.schema_id != new.schema_id;
    if old.name != new.name || old.duckdb_sql != new.duckdb_sql || moved {
        out.push_one(
            "UPDATE @ducklake_view SET end_snapshot = $1 WHERE view_id = $2 AND end_snapshot IS NULL",
            params![at, new.id],
        );
        if old.duckdb_sql == new.duckdb_sql {
            // Copied: a view of another writer may have column aliases.
            out.push_one(
                "INSERT INTO @ducklake_view(view_id, view_uuid, begin_snapshot, schema_id, view_name, dialect, sql, column_aliases)
                 SELECT view_id, view_uuid, $1, $4, $3, dialect, sql, column_aliases
                 FROM @ducklake_view WHERE view_id = $2 AND end_snapshot = $1",
                params![at, new.id, &new.name, new.schema_id],
            );
        } else {
            insert_view(out, new, at);
        }
    }
    let (was, is) = (view_tags(old)?, view_tags(new)?);
    for key in [VIEW_SQL, VIEW_COLUMNS, COMMENT] {
        let find = |tags: &[(&str, String)]| tags.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone());
        set_tag(out, new.id.get(), key, find(&was).as_ref(), find(&is).as_ref(), at);
    }
    out.changes.push(if old.name == new.name && !moved {
        format!("altered_view:{}", new.id)
    } else {
        format!("created_view:{}.{}", quote(schema), quote(&new.name))
    });
    Ok(())
}

fn insert_view(out: &mut Diff, view: &ViewDef, at: SnapshotId) {
    out.push(
        "INSERT INTO @ducklake_view(view_id, view_uuid, begin_snapshot, schema_id, view_name, dialect, sql, column_aliases)
         VALUES ($1, $2, $3, $4, $5, 'duckdb', $6, '')",
        params![view.id, view.uuid, at, view.schema_id, &view.name, &view.duckdb_sql],
    );
}

fn view_tags(view: &ViewDef) -> Result<Vec<(&'static str, String)>> {
    let mut tags = Vec::new();
    if let Some(sql) = &view.postgres_sql {
        tags.push((VIEW_SQL, sql.clone()));
    }
    if !view.columns.is_empty() {
        let json = serde_json::to_string(&view.columns)
            .map_err(|e| Error::caused(ErrorKind::Store, "a view's columns cannot be written", e))?;
        tags.push((VIEW_COLUMNS, json));
    }
    if let Some(comment) = &view.comment {
        tags.push((COMMENT, comment.clone()));
    }
    Ok(tags)
}

fn insert_constraints(out: &mut Diff, table: &TableDef, at: SnapshotId) -> Result<()> {
    let constraint = |c: &Constraint| Definition::Constraint {
        kind: c.kind.clone(),
        comment: c.comment.clone(),
        options: c.options.clone(),
    };
    let constraints = table.constraints.iter().map(|c| (&c.name, constraint(c)));
    let indexes = table.indexes.iter().map(|index| (&index.name, Definition::Index(index.clone())));
    for (position, (name, definition)) in (0_i64..).zip(constraints.chain(indexes)) {
        let json = serde_json::to_string(&definition)
            .map_err(|e| Error::caused(ErrorKind::Store, "a constraint cannot be written", e))?;
        out.push(
            "INSERT INTO @duckmesh_constraint(table_id, begin_snapshot, position, name, definition)
             VALUES ($1, $2, $3, $4, $5)",
            params![table.id, at, position, name, json],
        );
    }
    Ok(())
}

fn set_tag(out: &mut Diff, object: i64, key: &str, old: Option<&String>, new: Option<&String>, at: SnapshotId) {
    if old == new {
        return;
    }
    // Comments are DuckLake's; what only we read is in tables of our own.
    let (close, insert) = if key == COMMENT {
        (
            "UPDATE @ducklake_tag SET end_snapshot = $1 WHERE object_id = $2 AND key = $3 AND end_snapshot IS NULL",
            "INSERT INTO @ducklake_tag(object_id, begin_snapshot, key, value) VALUES ($1, $2, $3, $4)",
        )
    } else {
        (
            "UPDATE @duckmesh_tag SET end_snapshot = $1 WHERE object_id = $2 AND key = $3 AND end_snapshot IS NULL",
            "INSERT INTO @duckmesh_tag(object_id, begin_snapshot, key, value) VALUES ($1, $2, $3, $4)",
        )
    };
    if old.is_some() {
        out.push(close, params![at, object, key]);
    }
    if let Some(value) = new {
        out.push(insert, params![object, at, key, value]);
    }
}

fn close_tags(out: &mut Diff, object: i64, at: SnapshotId) {
    for sql in [
        "UPDATE @ducklake_tag SET end_snapshot = $1 WHERE object_id = $2 AND end_snapshot IS NULL",
        "UPDATE @duckmesh_tag SET end_snapshot = $1 WHERE object_id = $2 AND end_snapshot IS NULL",
    ] {
        out.push(sql, params![at, object]);
    }
}

fn set_column_tag(
    out: &mut Diff,
    table: &TableDef,
    column: &ColumnDef,
    key: &str,
    old: Option<&String>,
    new: Option<&String>,
    at: SnapshotId,
) {
    if old == new {
        return;
    }
    let (close, insert) = if key == COMMENT {
        (
            "UPDATE @ducklake_column_tag SET end_snapshot = $1
             WHERE table_id = $2 AND column_id = $3 AND key = $4 AND end_snapshot IS NULL",
            "INSERT INTO @ducklake_column_tag(table_id, column_id, begin_snapshot, key, value)
             VALUES ($1, $2, $3, $4, $5)",
        )
    } else {
        (
            "UPDATE @duckmesh_column_tag SET end_snapshot = $1
             WHERE table_id = $2 AND column_id = $3 AND key = $4 AND end_snapshot IS NULL",
            "INSERT INTO @duckmesh_column_tag(table_id, column_id, begin_snapshot, key, value)
             VALUES ($1, $2, $3, $4, $5)",
        )
    };
    if old.is_some() {
        out.push(close, params![at, table.id, column.id, key]);
    }
    if let Some(value) = new {
        out.push(insert, params![table.id, column.id, at, key, value]);
    }
}
