//! Rows that are the same in every lake: types, functions, operators … as a fresh PostgreSQL 15 has them.

use std::{collections::HashMap, sync::OnceLock};

use arrow::array::RecordBatch;
use chrono::DateTime;

use super::{content, shapes::Shape};
use crate::{
    value::{ColumnBuilder, ValueContext},
    wire::{PgError, PgResult},
};

/// In COPY's text form, each relation's below a line `= name`.
const DATA: &str = include_str!("data/rows.tsv");

/// The lines of a relation of `pg_catalog`, where it has such rows.
#[must_use]
pub fn of(relation: &str) -> Option<&'static str> {
    static SECTIONS: OnceLock<HashMap<&'static str, &'static str>> = OnceLock::new();
    let sections =
        SECTIONS.get_or_init(|| DATA.split("\n= ").skip(1).filter_map(|section| section.split_once('\n')).collect());
    sections.get(relation).copied()
}

/// The rows of a relation; none where it has no such rows.
///
/// # Errors
/// When the data does not fit the shape: a bug.
pub fn batch(shape: &Shape) -> PgResult<Option<RecordBatch>> {
    let section = match shape.schema {
        "pg_catalog" => shape.name.to_owned(),
        schema => format!("{schema}.{}", shape.name),
    };
    let Some(lines) = of(&section) else { return Ok(None) };
    let context = ValueContext::new(DateTime::UNIX_EPOCH);
    let mut columns: Vec<ColumnBuilder> =
        shape.columns.iter().map(|c| ColumnBuilder::new(&c.engine, 0)).collect::<PgResult<_>>()?;
    for line in lines.lines() {
        let mut cells = line.split('\t');
        for (column, builder) in shape.columns.iter().zip(&mut columns) {
            let cell = cells.next().ok_or_else(|| PgError::internal(format!("a short row of {}", shape.name)))?;
            if cell == "\\N" {
                builder.append_null();
                continue;
            }
            let text = engine_text(unescaped(cell), column.type_oid);
            builder.append_text(text.as_bytes(), &context)?;
        }
    }
    let arrays = columns.iter_mut().map(ColumnBuilder::finish).collect();
    content::batch_of(shape, arrays).map(Some)
}

/// COPY's escapes undone.
pub fn unescaped(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len());
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some(other) => text.push(other),
                None => {}
            },
            (other, false) => text.push(other),
        }
    }
    text
}

/// Vectors are written with blanks; the engine has lists.
fn engine_text(cell: String, type_oid: u32) -> String {
    const INT2VECTOR: u32 = 22;
    const OIDVECTOR: u32 = 30;
    match type_oid {
        INT2VECTOR | OIDVECTOR => format!("{{{}}}", cell.split_whitespace().collect::<Vec<_>>().join(",")),
        _ => cell,
    }
}

/// A function of that number, where there is one.
#[must_use]
pub fn name_of_procedure(oid: &str) -> Option<(u32, &'static str)> {
    static BY_OID: OnceLock<HashMap<u32, &'static str>> = OnceLock::new();
    let by_oid = BY_OID.get_or_init(|| {
        let pair = |line: &'static str| {
            let mut cells = line.split('\t');
            Some((cells.next()?.parse().ok()?, cells.next()?))
        };
        of("pg_proc").unwrap_or_default().lines().filter_map(pair).collect()
    });
    let oid = oid.parse().ok()?;
    by_oid.get(&oid).map(|name| (oid, *name))
}

/// The oid of the first function of that name, or of that signature.
#[must_use]
pub fn procedure(name: &str) -> Option<u32> {
    if name.contains('(') {
        return super::procedure::by_signature(name);
    }
    procedures_named(name).map(|(oid, _)| oid)
}

/// Whether several functions have that name.
#[must_use]
pub fn is_overloaded(name: &str) -> bool {
    procedures_named(name).is_some_and(|(_, count)| count > 1)
}

/// The lowest oid of a name, and how many functions have it.
fn procedures_named(name: &str) -> Option<(u32, usize)> {
    static BY_NAME: OnceLock<HashMap<&'static str, (u32, usize)>> = OnceLock::new();
    let by_name = BY_NAME.get_or_init(|| {
        let mut map: HashMap<&'static str, (u32, usize)> = HashMap::new();
        for line in of("pg_proc").unwrap_or_default().lines() {
            let mut cells = line.split('\t');
            let oid = cells.next().and_then(|oid| oid.parse().ok());
            if let (Some(oid), Some(name)) = (oid, cells.next()) {
                // Lines are in order of oids.
                map.entry(name).or_insert((oid, 0)).1 += 1;
            }
        }
        map
    });
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name).trim_matches('"');
    by_name.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::{super::shapes, *};

    #[test]
    fn every_section_fits_its_shape() {
        let mut found = 0;
        for shape in shapes::all() {
            if let Some(batch) = batch(shape).unwrap_or_else(|e| panic!("{}: {e:?}", shape.name)) {
                assert!(batch.num_rows() > 0, "{}", shape.name);
                found += 1;
            }
        }
        assert_eq!(found, DATA.matches("\n= ").count());
    }

    #[test]
    fn escapes() {
        assert_eq!(unescaped(r"a\tb\\c\n"), "a\tb\\c\n");
    }

    #[test]
    fn functions_by_name() {
        assert_eq!(procedure("array_in"), Some(750));
        assert_eq!(procedure("-"), None);
    }
}
