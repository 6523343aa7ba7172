//! Rows as values: composite types, the row types of relations, and rows without a name.

use serde::{Deserialize, Serialize};

use super::{ColumnType, oid};

/// The type of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordType {
    /// Its oid: `record`'s where it has no name.
    pub oid: u32,
    /// The oid of arrays of it.
    pub array_oid: u32,
    /// Its name as messages show it.
    pub name: String,
    /// Names and types of its fields.
    pub fields: Vec<(String, ColumnType)>,
}

impl RecordType {
    /// A row without a name.
    #[must_use]
    pub fn anonymous(fields: Vec<(String, ColumnType)>) -> Self {
        Self { oid: oid::RECORD, array_oid: oid::RECORD_ARRAY, name: "record".to_owned(), fields }
    }
}
