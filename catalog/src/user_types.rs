//! Types that users make: enums, domains and composite types, as objects of a lake with snapshots.
//!
//! DuckLake knows none of them: it sees the columns' base types. The list is in a table of our own.

use std::{
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    catalog::Result,
    error::{Error, ErrorKind},
    ids::{SchemaId, TypeId},
    schema::{DEFAULT_SCHEMA, DefaultValue},
    store::Row,
    types::ColumnType,
};

/// Postgres gives oids from here to objects of users; ours are this and the object's number in the lake.
pub const FIRST_OBJECT_OID: u32 = 16_384;

/// The oid of the object with a number of `next_catalog_id`.
#[must_use]
pub fn object_oid(id: i64) -> u32 {
    /// Above are hashed oids. A lake that made a billion objects shows the further ones under one oid.
    const ID_MAX: u32 = 0x3fff_ffff - FIRST_OBJECT_OID;
    FIRST_OBJECT_OID + u32::try_from(id).unwrap_or(ID_MAX).min(ID_MAX)
}

/// A type that a user made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeDef {
    /// Its number. The next one is its array type's, the one after that its relation's (composite types).
    pub id: TypeId,
    /// Its identity for frames.
    pub uuid: Uuid,
    /// The schema it is in.
    pub schema_id: SchemaId,
    /// Its name, exact case.
    pub name: String,
    /// What it is.
    pub spec: TypeSpec,
    /// `COMMENT ON TYPE`.
    pub comment: Option<String>,
}

/// What a type is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TypeSpec {
    /// `AS ENUM`: labels in their order.
    Enum(Vec<Label>),
    /// `CREATE DOMAIN`.
    Domain(DomainSpec),
    /// `AS (…)`: names and types.
    Composite(Vec<(String, ColumnType)>),
}

/// A label of an enum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its number, for its oid. 0 in an operation: not given yet.
    pub id: i64,
    /// Its text.
    pub name: String,
    /// Texts it had before: rows written then have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<String>,
}

impl Label {
    /// A label that has no number yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { id: 0, name: name.to_owned(), former: Vec::new() }
    }

    /// Its oid.
    #[must_use]
    pub fn oid(&self) -> u32 {
        object_oid(self.id)
    }
}

/// What a domain allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainSpec {
    /// The type below, domains below resolved.
    pub base: ColumnType,
    /// The domain it was made over.
    pub parent: Option<Uuid>,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// What a column of it without a default of its own stores.
    pub default: Option<DefaultValue>,
    /// CHECK constraints: Postgres expressions over `VALUE`.
    pub checks: Vec<DomainCheck>,
}

/// A CHECK constraint of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainCheck {
    /// Unique in its domain.
    pub name: String,
    /// The expression.
    pub expression: String,
}

impl TypeDef {
    /// Its oid.
    #[must_use]
    pub fn oid(&self) -> u32 {
        object_oid(self.id.get())
    }

    /// The oid of the type of arrays of it.
    #[must_use]
    pub fn array_oid(&self) -> u32 {
        object_oid(self.id.get() + 1)
    }

    /// The oid of a composite type's relation.
    #[must_use]
    pub fn relation_oid(&self) -> u32 {
        object_oid(self.id.get() + 2)
    }

    /// How many numbers of the lake it takes.
    pub(crate) fn numbers(&self) -> i64 {
        if matches!(self.spec, TypeSpec::Composite(_)) { 3 } else { 2 }
    }

    /// An enum's labels.
    #[must_use]
    pub fn labels(&self) -> Option<&[Label]> {
        match &self.spec {
            TypeSpec::Enum(labels) => Some(labels),
            _ => None,
        }
    }
}

/// What a column of an enum type knows of it.
#[derive(Clone, Debug)]
pub struct EnumType {
    /// The type's number; 0 where it is not known here.
    pub id: TypeId,
    /// Its identity.
    pub uuid: Uuid,
    /// The lake's name of its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its labels in their order.
    pub labels: Vec<Label>,
}

/// An enum type, shared by all who name it. Two are the same if their identities are, whatever their labels: those are the
/// schema's to say, and only the identity is written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "EnumKey", into = "EnumKey")]
pub struct EnumRef(Arc<EnumType>);

#[derive(Serialize, Deserialize)]
struct EnumKey {
    uuid: Uuid,
    name: String,
}

impl EnumRef {
    /// What a definition says, if it is an enum.
    #[must_use]
    pub fn of(def: &TypeDef, schema: &str) -> Option<Self> {
        let labels = def.labels()?.to_vec();
        let (id, uuid, name) = (def.id, def.uuid, def.name.clone());
        Some(Self(Arc::new(EnumType { id, uuid, schema: schema.to_owned(), name, labels })))
    }

    /// Whether they share what they know.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl EnumType {
    /// Its oid.
    #[must_use]
    pub fn oid(&self) -> u32 {
        object_oid(self.id.get())
    }

    /// The oid of arrays of it.
    #[must_use]
    pub fn array_oid(&self) -> u32 {
        object_oid(self.id.get() + 1)
    }

    /// The label of that text.
    #[must_use]
    pub fn label(&self, text: &str) -> Option<&Label> {
        self.labels.iter().find(|label| label.name == text)
    }

    /// Texts that rows may have and that stand for another label now: the text, and the label.
    pub fn former(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().flat_map(|label| label.former.iter().map(|old| (old.as_str(), label.name.as_str())))
    }

    /// DuckDB's type of these labels.
    #[must_use]
    pub fn duckdb(&self) -> String {
        if self.labels.is_empty() {
            // DuckDB has no enum without labels; no value ever gets in.
            return "ENUM('')".to_owned();
        }
        let labels: Vec<String> = self.labels.iter().map(|l| format!("'{}'", l.name.replace('\'', "''"))).collect();
        format!("ENUM({})", labels.join(", "))
    }
}

impl Deref for EnumRef {
    type Target = EnumType;

    fn deref(&self) -> &EnumType {
        &self.0
    }
}

impl PartialEq for EnumRef {
    fn eq(&self, other: &Self) -> bool {
        self.0.uuid == other.0.uuid
    }
}

impl Eq for EnumRef {}

impl Hash for EnumRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.uuid.hash(state);
    }
}

impl From<EnumKey> for EnumRef {
    fn from(key: EnumKey) -> Self {
        let EnumKey { uuid, name } = key;
        let schema = DEFAULT_SCHEMA.to_owned();
        Self(Arc::new(EnumType { id: TypeId::new(0), uuid, schema, name, labels: Vec::new() }))
    }
}

impl From<EnumRef> for EnumKey {
    fn from(of: EnumRef) -> Self {
        Self { uuid: of.0.uuid, name: of.0.name.clone() }
    }
}

impl EnumType {
    /// Its name as it is told where names are looked for in these schemas: without its own if that is one of them.
    #[must_use]
    pub fn shown_in(&self, search_path: &[String]) -> String {
        if search_path.contains(&self.schema) { quoted(&self.name) } else { self.to_string() }
    }
}

/// As `format_type` shows it, where the search path is the usual one.
impl fmt::Display for EnumType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(f, &self.schema, &self.name)
    }
}

/// A name with its schema, where that is not the usual one.
pub(crate) fn write_name(f: &mut fmt::Formatter<'_>, schema: &str, name: &str) -> fmt::Result {
    if schema != DEFAULT_SCHEMA {
        write!(f, "{}.", quoted(schema))?;
    }
    f.write_str(&quoted(name))
}

fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// What a row of `duckmesh_type` holds beside the name.
#[derive(Serialize, Deserialize)]
struct Definition {
    spec: TypeSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

/// A row of `duckmesh_type`.
pub(crate) fn read(row: &Row) -> Result<TypeDef> {
    let definition: Definition = serde_json::from_str(&row.text(4)?)
        .map_err(|e| Error::caused(ErrorKind::Corrupt, "a type cannot be read", e))?;
    Ok(TypeDef {
        id: TypeId::new(row.int(0)?),
        uuid: row.uuid(1)?,
        schema_id: SchemaId::new(row.int(2)?),
        name: row.text(3)?,
        spec: definition.spec,
        comment: definition.comment,
    })
}

/// The text of a definition.
pub(crate) fn write(def: &TypeDef) -> Result<String> {
    let definition = Definition { spec: def.spec.clone(), comment: def.comment.clone() };
    serde_json::to_string(&definition).map_err(|e| Error::caused(ErrorKind::Store, "a type cannot be written", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_identity_of_an_enum_is_written_down() {
        let uuid = Uuid::from_u128(7);
        let spec = TypeSpec::Enum(vec![Label { id: 3, name: "it's".into(), former: vec!["its".into()] }]);
        let (id, schema_id) = (TypeId::new(1), SchemaId::new(0));
        let def = TypeDef { id, uuid, schema_id, name: "mood".into(), spec, comment: None };
        let known = EnumRef::of(&def, DEFAULT_SCHEMA).unwrap();
        assert_eq!(known.duckdb(), "ENUM('it''s')");
        assert_eq!(known.former().collect::<Vec<_>>(), [("its", "it's")]);
        let text = serde_json::to_string(&ColumnType::Enum(known.clone())).unwrap();
        assert_eq!(text, "{\"Enum\":{\"uuid\":\"00000000-0000-0000-0000-000000000007\",\"name\":\"mood\"}}");
        let ColumnType::Enum(read) = serde_json::from_str(&text).unwrap() else { panic!("not an enum") };
        assert_eq!(read, known);
        assert!(read.labels.is_empty());
    }
}
