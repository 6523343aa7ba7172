//! Which columns of a Parquet file a COPY takes, and as what.

use duckmesh_catalog::{ColumnDef, ColumnType, TableDef};

use super::quoted;
use crate::{
    engine::EngineColumn,
    wire::{PgError, PgResult, SqlState},
};

/// A column that is taken.
pub(super) struct Taken<'a> {
    pub column: &'a ColumnDef,
    from: &'a EngineColumn,
    how: How,
}

/// How a column's values become the table's.
#[derive(Clone, Copy, PartialEq)]
enum How {
    AsTheyAre,
    Cast,
    /// They are of a type that cannot become the table's. A column that has only NULL can: writers that guess types from
    /// values give it any.
    Null,
}

impl Taken<'_> {
    /// How the engine reads it. Numbers are cast there, which rounds and checks as Postgres' assignment does; everything
    /// else is read as the type itself reads it.
    pub fn sql(&self) -> String {
        let name = quoted(self.from);
        match self.how {
            How::AsTheyAre => name,
            How::Cast => format!("CAST({name} AS {})", self.column.ty.duckdb()),
            How::Null => "NULL".to_owned(),
        }
    }
}

/// The file's columns by name. With `all` each must be in the table, and the table's others get their defaults; without,
/// each wanted one must be in the file, and the file's others are left alone.
pub(super) fn taken<'a>(
    table: &'a TableDef,
    wanted: &'a [ColumnDef],
    all: bool,
    found: &'a [EngineColumn],
) -> PgResult<Vec<Taken<'a>>> {
    let pairs = if all {
        let column = |from: &'a EngineColumn| {
            by_name(wanted, |c| &c.name, &from.name).map(|column| (column, from)).ok_or_else(|| {
                let (name, table) = (&from.name, &table.name);
                let message = format!("column \"{name}\" of relation \"{table}\" does not exist");
                let error = PgError::new(SqlState::UNDEFINED_COLUMN, message);
                let error = error.detail(format!("The Parquet file has {}.", list(found)));
                match name.starts_with("__index_level_") {
                    true => error.hint("pandas leaves its index out with to_parquet(index=False)."),
                    false => error.hint("Name the columns to copy: COPY t (a, b) FROM STDIN takes only those."),
                }
            })
        };
        found.iter().map(column).collect::<PgResult<Vec<_>>>()?
    } else {
        let column = |column: &'a ColumnDef| {
            by_name(found, |f| &f.name, &column.name).map(|from| (column, from)).ok_or_else(|| {
                let message = format!("missing data for column \"{}\"", column.name);
                let error = PgError::new(SqlState::BAD_COPY_FILE_FORMAT, message);
                error.detail(format!("The Parquet file has {}.", list(found)))
            })
        };
        wanted.iter().map(column).collect::<PgResult<Vec<_>>>()?
    };
    for (n, (column, _)) in pairs.iter().enumerate() {
        if pairs.iter().take(n).any(|(other, _)| other.id == column.id) {
            let message = format!("column \"{}\" is in the Parquet file more than once", column.name);
            return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
        }
    }
    Ok(pairs.into_iter().map(|(column, from)| take(column, from)).collect())
}

/// The numbers of values in columns that are right only if there are none; none where there is no such column.
pub(super) fn doubtful(taken: &[Taken<'_>]) -> Option<String> {
    let doubtful = taken.iter().filter(|t| t.how == How::Null);
    let counts: Vec<String> = doubtful.map(|t| format!("count({})", quoted(t.from))).collect();
    (!counts.is_empty()).then(|| counts.join(", "))
}

/// Says which of them is not.
pub(super) fn settle(taken: &mut [Taken<'_>], counts: &[i64]) -> PgResult<()> {
    let doubtful = taken.iter().filter(|t| t.how == How::Null);
    match doubtful.zip(counts).find(|(_, count)| **count > 0) {
        Some((column, _)) => Err(mismatch(column.column, column.from)),
        None => Ok(()),
    }
}

/// By its exact name, or by the only one that differs in case alone: names of Postgres are mostly folded, others' are not.
fn by_name<'a, T>(of: &'a [T], name: impl Fn(&T) -> &String, wanted: &str) -> Option<&'a T> {
    of.iter().find(|item| name(item) == wanted).or_else(|| {
        let mut alike = of.iter().filter(|item| name(item).to_lowercase() == wanted.to_lowercase());
        alike.next().filter(|_| alike.next().is_none())
    })
}

fn list(found: &[EngineColumn]) -> String {
    /// A file may have thousands.
    const SHOWN_MAX: usize = 20;
    let mut names: Vec<String> = found.iter().take(SHOWN_MAX).map(|f| format!("\"{}\"", f.name)).collect();
    if found.len() > SHOWN_MAX {
        names.push("…".to_owned());
    }
    match names.as_slice() {
        [] => "no columns".to_owned(),
        [one] => format!("the column {one}"),
        all => format!("the columns {}", all.join(", ")),
    }
}

fn take<'a>(column: &'a ColumnDef, from: &'a EngineColumn) -> Taken<'a> {
    let (source, target) = (Class::of(&from.duckdb_type), Class::of_column(&column.ty));
    let how = match (fits(&source, &target), rounds(&source, &target)) {
        (false, _) => How::Null,
        (true, true) => How::Cast,
        (true, false) => How::AsTheyAre,
    };
    Taken { column, from, how }
}

fn mismatch(column: &ColumnDef, from: &EngineColumn) -> PgError {
    let (name, ty, found) = (&column.name, &column.ty, &from.duckdb_type);
    let message = format!("column \"{name}\" is of type {ty} but the Parquet file's column is of type {found}");
    PgError::new(SqlState::DATATYPE_MISMATCH, message)
        .hint("Write the file with another type, or load it into another table and use INSERT … SELECT with a cast.")
}

/// What matters of a type.
#[derive(Clone, Debug, PartialEq)]
enum Class {
    Null,
    Bool,
    Integer,
    /// Decimals and floating point.
    Number,
    Text,
    Json,
    Blob,
    Date,
    Time,
    Timestamp,
    Interval,
    Uuid,
    List(Box<Class>),
    /// Structs, maps, and what no table has.
    Other,
}

impl Class {
    /// Of what a table holds: a label is read from text, as in every format.
    fn of_column(ty: &ColumnType) -> Self {
        match ty {
            ColumnType::Enum(_) => Self::Text,
            ColumnType::Array(element) => Self::List(Box::new(Self::of_column(element))),
            other => Self::of(&other.duckdb()),
        }
    }

    fn of(duckdb: &str) -> Self {
        if let Some(element) = duckdb.strip_suffix(']').and_then(|n| n.rsplit_once('[')).map(|(element, _)| element) {
            return Self::List(Box::new(Self::of(element)));
        }
        match duckdb {
            "\"NULL\"" | "NULL" => Self::Null,
            "BOOLEAN" => Self::Bool,
            "TINYINT" | "SMALLINT" | "INTEGER" | "BIGINT" | "HUGEINT" | "UTINYINT" | "USMALLINT" | "UINTEGER"
            | "UBIGINT" | "UHUGEINT" => Self::Integer,
            "FLOAT" | "DOUBLE" => Self::Number,
            "VARCHAR" => Self::Text,
            "JSON" => Self::Json,
            "BLOB" => Self::Blob,
            "DATE" => Self::Date,
            "TIME" | "TIME_NS" => Self::Time,
            "INTERVAL" => Self::Interval,
            "UUID" => Self::Uuid,
            _ if duckdb.starts_with("DECIMAL(") => Self::Number,
            _ if duckdb.starts_with("TIMESTAMP") => Self::Timestamp,
            _ => Self::Other,
        }
    }
}

/// Whether Postgres assigns one to the other. Text is read as the target's own text, as it is in every format of COPY.
fn fits(source: &Class, target: &Class) -> bool {
    use Class as C;
    match (source, target) {
        (C::Other, _) | (_, C::Other) => false,
        (C::Null | C::Text, _) => true,
        (C::List(one), C::List(other)) => !matches!(**one, C::List(_)) && fits(one, other),
        (C::Blob, C::Text) | (C::List(_), _) | (_, C::List(_)) => false,
        (_, C::Text) => true,
        (C::Integer | C::Number, C::Integer | C::Number) => true,
        (C::Date | C::Timestamp, C::Date | C::Timestamp) | (C::Timestamp, C::Time) => true,
        (C::Json, C::Json) => true,
        (one, other) => one == other,
    }
}

/// Whether values lose a fraction.
fn rounds(source: &Class, target: &Class) -> bool {
    match (source, target) {
        (Class::Number, Class::Integer) => true,
        (Class::List(one), Class::List(other)) => rounds(one, other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assigned_to_what() {
        for (source, target, expected) in [
            ("INTEGER", "BIGINT", "as it is"),
            ("UBIGINT", "SMALLINT", "as it is"),
            ("DOUBLE", "INTEGER", "cast"),
            ("DECIMAL(9,2)", "BIGINT", "cast"),
            ("DOUBLE[]", "INTEGER[]", "cast"),
            ("INTEGER", "DECIMAL(9,2)", "as it is"),
            ("VARCHAR", "DATE", "as it is"),
            ("VARCHAR", "INTEGER[]", "as it is"),
            ("DATE", "VARCHAR", "as it is"),
            ("TIMESTAMP_NS", "TIMESTAMPTZ", "as it is"),
            ("TIMESTAMP WITH TIME ZONE", "DATE", "as it is"),
            ("BOOLEAN", "INTEGER", "refused"),
            ("DATE", "INTEGER", "refused"),
            ("BLOB", "VARCHAR", "refused"),
            ("STRUCT(a INTEGER)", "VARCHAR", "refused"),
            ("MAP(VARCHAR, INTEGER)", "JSON", "refused"),
            ("INTEGER[][]", "INTEGER[]", "refused"),
            ("INTEGER", "INTEGER[]", "refused"),
        ] {
            let (source_class, target_class) = (Class::of(source), Class::of(target));
            let got = match (fits(&source_class, &target_class), rounds(&source_class, &target_class)) {
                (false, _) => "refused",
                (true, true) => "cast",
                (true, false) => "as it is",
            };
            assert_eq!(got, expected, "{source} to {target}");
        }
    }
}
