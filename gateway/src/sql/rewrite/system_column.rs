//! Columns that every table of Postgres has beside its own, and `*` does not show: `tableoid`, `xmin`, `ctid` and their like.

use duckmesh_catalog::{ColumnType, types::oid};

use super::{Column, Ex, Relation, Rewriter, scope::column_ex};
use crate::{
    pgcatalog,
    sql::{plan::Origin, quote},
    wire::error::{PgError, PgResult, SqlState},
};

/// All of them.
pub(in crate::sql) const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];
/// What their names begin with for the engine, where a relation has them.
const MARK: char = '%';
/// Number of `tableoid` among a relation's columns.
const TABLEOID: i16 = -6;
/// Number of `xmin`.
const XMIN: i16 = -2;

/// Whether `*` leaves it out. A subquery's column of such a name is one like others.
pub(super) fn is_hidden(column: &Column) -> bool {
    column.engine.strip_prefix(MARK) == Some(column.name.as_str()) && SYSTEM_COLUMNS.contains(&&*column.name)
}

/// The columns of a system relation that is a table in Postgres. Its rows have no transaction: all are as old as the schema.
pub(super) fn of_system(relation: u32) -> Vec<Column> {
    let columns = [("tableoid", oid::OID, TABLEOID), ("xmin", oid::XID, XMIN)];
    columns.into_iter().map(|(name, ty, number)| hidden(name, ty, relation, number)).collect()
}

fn hidden(name: &str, ty: u32, relation: u32, number: i16) -> Column {
    Column {
        name: name.to_owned(),
        engine: format!("{MARK}{name}"),
        ty: ColumnType::system(ty),
        origin: Some(Origin::Relation(relation, number)),
    }
}

/// Whether a text has the column's name anywhere.
pub(super) fn is_tableoid_named(text: &str) -> bool {
    const NAME: &[u8] = b"tableoid";
    text.as_bytes().windows(NAME.len()).any(|w| w.eq_ignore_ascii_case(NAME))
}

impl Rewriter<'_> {
    /// A table's text and columns, with `tableoid` where the statement names it somewhere.
    pub(super) fn with_tableoid(&mut self, body: String, table: &duckmesh_catalog::TableDef) -> (String, Vec<Column>) {
        if !self.names_tableoid() {
            return (body, Vec::new());
        }
        let oid = pgcatalog::table_oid(table.id);
        let column = hidden("tableoid", oid::OID, oid, TABLEOID);
        let sql = format!("(SELECT *, CAST({oid} AS BIGINT) AS {} FROM {body})", quote::name(&column.engine));
        (sql, vec![column])
    }

    fn names_tableoid(&mut self) -> bool {
        let text = self.text;
        *self.names_tableoid.get_or_insert_with(|| is_tableoid_named(text))
    }

    /// A hidden column without its relation's name.
    pub(super) fn hidden_column(&self, name: &str, at: Option<u32>) -> PgResult<Option<Ex>> {
        if !SYSTEM_COLUMNS.contains(&name) {
            return Ok(None);
        }
        for scope in self.scopes.iter().rev() {
            let has = |r: &Relation| r.columns.iter().find(|c| c.name == name && is_hidden(c)).map(|c| column_ex(r, c));
            let mut found = scope.relations.iter().filter_map(has);
            match (found.next(), found.next()) {
                (Some(ex), None) => return Ok(Some(ex)),
                (Some(_), Some(_)) => {
                    let message = format!("column reference \"{name}\" is ambiguous");
                    return Err(PgError::new(SqlState::AMBIGUOUS_COLUMN, message).or_position(at));
                }
                (None, _) => {}
            }
        }
        let relations = self.scopes.iter().flat_map(|scope| &scope.relations);
        if relations.into_iter().any(has_rows) { Err(not_there(name, at)) } else { Ok(None) }
    }
}

/// The error for a column that Postgres' relation would have.
pub(super) fn missing(relation: &Relation, name: &str, at: Option<u32>) -> Option<PgError> {
    (SYSTEM_COLUMNS.contains(&name) && has_rows(relation)).then(|| not_there(name, at))
}

/// Whether it is a table, be it the system's.
fn has_rows(relation: &Relation) -> bool {
    relation.table.is_some() || relation.columns.iter().any(is_hidden)
}

fn not_there(name: &str, at: Option<u32>) -> PgError {
    let error = PgError::unsupported(format!("system column \"{name}\" is not supported"));
    error.hint("Rows have no place and no transaction here. Use a key to tell them apart.").or_position(at)
}
