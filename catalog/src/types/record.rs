//! Rows as values: composite types, the row types of relations, and rows without a name.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ColumnType, oid};

/// The type of a row. Two of types that users made are the same if their identities are: their fields are the schema's to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordType {
    /// The identity of the type that a user made; none for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Uuid>,
    /// Its oid: `record`'s where it has no name.
    pub oid: u32,
    /// The oid of arrays of it.
    pub array_oid: u32,
    /// Its name as messages show it.
    pub name: String,
    /// The lake's name of its schema, where a user made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema: String,
    /// Names and types of its fields.
    pub fields: Vec<(String, ColumnType)>,
}

impl RecordType {
    /// A row without a name.
    #[must_use]
    pub fn anonymous(fields: Vec<(String, ColumnType)>) -> Self {
        let (name, schema) = ("record".to_owned(), String::new());
        Self { uuid: None, oid: oid::RECORD, array_oid: oid::RECORD_ARRAY, name, schema, fields }
    }
}

impl PartialEq for RecordType {
    fn eq(&self, other: &Self) -> bool {
        match (self.uuid, other.uuid) {
            (Some(one), Some(two)) => one == two,
            (None, None) => self.oid == other.oid && self.fields == other.fields,
            _ => false,
        }
    }
}

impl Eq for RecordType {}

impl Hash for RecordType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
        self.oid.hash(state);
    }
}
