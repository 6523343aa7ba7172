//! Oids of the lake's objects: stable for an object's life, and the same on every gateway.
//!
//! Schemas, tables and views have DuckLake ids of one sequence, so their oids cannot meet. Constraints, indexes and defaults
//! have no id of their own: theirs is a hash of what they belong to, in a range of its own for each kind.

use std::collections::HashSet;

use duckmesh_catalog::{ColumnId, LakeId, LakeSchema, SchemaId, SequenceId, TableId, ViewId, schema::DEFAULT_SCHEMA};

/// Postgres gives oids from here to objects of users.
pub const FIRST_OWN: u32 = duckmesh_catalog::user_types::FIRST_OBJECT_OID;

/// `pg_catalog`
pub const PG_CATALOG: u32 = 11;
/// `pg_toast`
pub const PG_TOAST: u32 = 99;
/// `public`
pub const PUBLIC: u32 = 2200;
/// `information_schema`
pub const INFORMATION_SCHEMA: u32 = 13_207;
/// `duckmesh`
pub const DUCKMESH: u32 = 16_000;
/// The extension that the relations of `duckmesh` belong to: of Postgres' own, which programs that copy a database leave out.
pub const EXTENSION: u32 = 15_999;
/// The owner of everything.
pub const OWNER: u32 = 10;
/// The owner of `public`: the role `pg_database_owner`.
pub const DATABASE_OWNER: u32 = 6171;
/// The access method of tables.
pub const HEAP: u32 = 2;
/// The access method of keys.
pub const BTREE: u32 = 403;

/// Of the access method of that name.
#[must_use]
pub fn access_method(name: &str) -> u32 {
    match name {
        "hash" => 405,
        "gist" => 783,
        "gin" => 2742,
        "spgist" => 4000,
        "brin" => 3580,
        _ => BTREE,
    }
}

fn from_id(id: i64) -> u32 {
    duckmesh_catalog::user_types::object_oid(id)
}

/// Of a schema.
#[must_use]
pub fn schema(id: SchemaId, name: &str) -> u32 {
    if name == DEFAULT_SCHEMA { PUBLIC } else { from_id(id.get()) }
}

/// Of the schema of that SQL name, where it exists.
#[must_use]
pub fn namespace(lake: &LakeSchema, name: &str) -> Option<u32> {
    match name {
        "pg_catalog" => Some(PG_CATALOG),
        "pg_toast" => Some(PG_TOAST),
        "information_schema" => Some(INFORMATION_SCHEMA),
        "duckmesh" => Some(DUCKMESH),
        _ => {
            let def = lake.schema(if name == "public" { DEFAULT_SCHEMA } else { name })?;
            (name != DEFAULT_SCHEMA).then(|| schema(def.id, &def.name))
        }
    }
}

/// Of a table.
#[must_use]
pub fn table(id: TableId) -> u32 {
    from_id(id.get())
}

/// Of a view.
#[must_use]
pub fn view(id: ViewId) -> u32 {
    from_id(id.get())
}

/// Of the rule that a view is.
#[must_use]
pub fn rule(id: ViewId) -> u32 {
    from_id(id.get())
}

/// Of a sequence.
#[must_use]
pub fn sequence(id: SequenceId) -> u32 {
    from_id(id.get())
}

/// Of the type of a relation's rows: above all relations, for lakes that made fewer than 250 million objects.
#[must_use]
pub fn row_type(relation: u32) -> u32 {
    0x2000_0000 | (relation & 0x0fff_ffff)
}

/// Of the type of arrays of them.
#[must_use]
pub fn row_array(relation: u32) -> u32 {
    0x3000_0000 | (relation & 0x0fff_ffff)
}

/// Of a lake as a database.
#[must_use]
pub fn database(id: LakeId) -> u32 {
    from_id(id.get())
}

/// Of a column's default.
#[must_use]
pub fn default(table: TableId, column: ColumnId) -> u32 {
    Range::DEFAULTS.start + hash(table, &column.get().to_le_bytes()) % Range::SIZE
}

/// Gives oids of one kind; two objects whose hashes meet get neighbouring ones, in the order asked.
pub struct Range {
    start: u32,
    given: HashSet<u32>,
}

struct Start {
    start: u32,
}

impl Range {
    const SIZE: u32 = 0x4000_0000;
    const DEFAULTS: Start = Start { start: 0x4000_0000 };

    /// For constraints.
    #[must_use]
    pub fn constraints() -> Self {
        Self { start: 0x8000_0000, given: HashSet::new() }
    }

    /// For constraints of domains: among those of tables, whose ids a domain's never is.
    #[must_use]
    pub fn domain_checks() -> Self {
        Self::constraints()
    }

    /// For indexes.
    #[must_use]
    pub fn indexes() -> Self {
        Self { start: 0xc000_0000, given: HashSet::new() }
    }

    /// The oid of the object of that name in a table.
    pub fn give(&mut self, table: TableId, name: &str) -> u32 {
        let mut at = hash(table, name.as_bytes()) % Self::SIZE;
        while !self.given.insert(at) {
            at = (at + 1) % Self::SIZE;
        }
        self.start + at
    }
}

/// FNV-1a: the same for ever and on every machine, which Rust's own hashers do not promise.
fn hash(table: TableId, name: &[u8]) -> u32 {
    let bytes = table.get().to_le_bytes();
    let hash = bytes
        .iter()
        .chain(name)
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    #[allow(clippy::cast_possible_truncation)]
    let folded = ((hash >> 32) ^ hash) as u32;
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_do_not_meet() {
        let table_oid = table(TableId::new(1));
        assert_eq!(table_oid, FIRST_OWN + 1);
        assert_eq!(schema(SchemaId::new(0), "main"), PUBLIC);
        assert_eq!(schema(SchemaId::new(7), "s"), FIRST_OWN + 7);
        let constraint = Range::constraints().give(TableId::new(1), "orders_pkey");
        let index = Range::indexes().give(TableId::new(1), "orders_pkey");
        let default = default(TableId::new(1), ColumnId::new(2));
        assert!(table(TableId::new(i64::MAX)) < 0x4000_0000);
        assert!((0x4000_0000..0x8000_0000).contains(&default));
        assert!((0x8000_0000..0xc000_0000).contains(&constraint));
        assert!(index >= 0xc000_0000);
    }

    #[test]
    fn names_that_meet_get_neighbours() {
        let mut range = Range::constraints();
        let first = range.give(TableId::new(1), "a");
        assert_eq!(range.give(TableId::new(1), "a"), first + 1);
    }

    #[test]
    fn hashes_are_for_ever() {
        assert_eq!(Range::constraints().give(TableId::new(3), "orders_pkey"), ORDERS_PKEY_OF_TABLE_3);
    }

    const ORDERS_PKEY_OF_TABLE_3: u32 = 2_351_077_304;
}
