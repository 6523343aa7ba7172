//! Queries that find rows which a change would make wrong.

use super::{
    Planner,
    alter::{Altered, schema_field},
};
use crate::{
    sql::{parse, query},
    wire::error::{PgError, PgResult, SqlState},
};

impl Planner<'_> {
    /// No row may have NULL in the column.
    pub(super) fn validate_not_null(&mut self, table: &Altered, column: &str) -> PgResult<()> {
        let error = PgError::new(
            SqlState::NOT_NULL_VIOLATION,
            format!("column \"{column}\" of relation \"{}\" contains null values", table.new.name),
        )
        .column(column);
        self.validate(table, &format!("{} IS NULL", quoted(column)), error)
    }

    /// The expression may be false for no row.
    pub(super) fn validate_check(&mut self, table: &Altered, name: &str, expression: &str) -> PgResult<()> {
        let error = PgError::new(
            SqlState::CHECK_VIOLATION,
            format!("check constraint \"{name}\" of relation \"{}\" is violated by some row", table.new.name),
        )
        .constraint(name);
        self.validate(table, &format!("NOT ({expression})"), error)
    }

    /// No text may be longer.
    pub(super) fn validate_length(&mut self, table: &Altered, column: &str, length: u32) -> PgResult<()> {
        let message = format!("value too long for type character varying({length})");
        let error = PgError::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message);
        self.validate(table, &format!("length({}) > {length}", quoted(column)), error)
    }

    fn validate(&mut self, table: &Altered, condition: &str, error: PgError) -> PgResult<()> {
        let sql = format!("SELECT 1 FROM ({}) AS {} WHERE {condition} LIMIT 1", rows(table), quoted(&table.new.name));
        let tree = parse::query(&sql)?;
        let query = query::plan_query(&tree, &sql, self.ctx)?;
        let error = error.schema(schema_field(table)).table(&table.new.name);
        self.validations.push((query, error));
        Ok(())
    }
}

/// The table's rows as the actions so far show them: the query itself runs before any of them.
fn rows(table: &Altered) -> String {
    let columns: Vec<_> = table
        .new
        .columns
        .iter()
        .map(|column| {
            if let Some((expression, _)) = table.conversions.get(&column.id) {
                return format!("CAST({expression} AS {}) AS {}", column.ty, quoted(&column.name));
            }
            let value = match (table.old.column_by_id(column.id), &column.initial_default) {
                (Some(old), _) => quoted(&old.name),
                (None, Some(text)) => {
                    format!("CAST('{}' AS {})", text.replace('\'', "''"), column.ty)
                }
                (None, None) => format!("CAST(NULL AS {})", column.ty),
            };
            format!("{value} AS {}", quoted(&column.name))
        })
        .collect();
    format!("SELECT {} FROM {}.{}", columns.join(", "), quoted(schema_field(table)), quoted(&table.old.name))
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
