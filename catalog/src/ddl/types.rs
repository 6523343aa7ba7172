//! Types that users make, in a schema that changes.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

use crate::{
    ColumnType, ErrorKind, LakeSchema, TypeId,
    catalog::Result,
    error::Error,
    types::RecordType,
    user_types::{EnumRef, TypeDef, TypeSpec},
};

/// Composite types inside of composite types: each holds those inside of it, and so does every column.
pub const ROW_DEPTH_MAX: usize = 16;
/// Fields of a composite type, those of the types inside of it counted: as many as Postgres gives one row.
pub const ROW_FIELDS_MAX: usize = 1600;

/// The types that users made, by their identity, as columns have them.
type Known = HashMap<Uuid, ColumnType>;

impl LakeSchema {
    /// The type of that name in that schema.
    #[must_use]
    pub fn user_type(&self, schema: &str, name: &str) -> Option<&Arc<TypeDef>> {
        let schema = self.schemas.get(schema)?.id;
        self.types.values().find(|t| t.schema_id == schema && t.name == name)
    }

    /// The type with that identity.
    #[must_use]
    pub fn type_by_uuid(&self, uuid: Uuid) -> Option<&Arc<TypeDef>> {
        self.types.values().find(|t| t.uuid == uuid)
    }

    /// The type with that oid, and whether it is the type of arrays of it.
    #[must_use]
    pub fn type_by_oid(&self, oid: u32) -> Option<(&Arc<TypeDef>, bool)> {
        self.types.values().find_map(|t| match oid {
            _ if t.oid() == oid => Some((t, false)),
            _ if t.array_oid() == oid => Some((t, true)),
            _ => None,
        })
    }

    /// The type of columns of a user's type: of a domain the type below it.
    #[must_use]
    pub fn column_type(&self, def: &TypeDef) -> Option<ColumnType> {
        let schema = self.schema_name(def.schema_id).unwrap_or_default();
        match &def.spec {
            TypeSpec::Enum(_) => EnumRef::of(def, schema).map(ColumnType::Enum),
            TypeSpec::Domain(domain) => Some(domain.base.clone()),
            TypeSpec::Composite(fields) => Some(ColumnType::Record(Box::new(RecordType {
                uuid: Some(def.uuid),
                oid: def.oid(),
                array_oid: def.array_oid(),
                name: def.name.clone(),
                schema: schema.to_owned(),
                fields: fields.clone(),
            }))),
        }
    }

    /// Gives all columns the types of users as they are now: what was read or came with an operation may know only their
    /// identity, or what they were then.
    pub fn link_types(&mut self) {
        let own = self.types.values().filter(|def| !matches!(def.spec, TypeSpec::Domain(_)));
        let enums: Known = own.filter_map(|def| Some((def.uuid, self.column_type(def)?))).collect();
        if enums.is_empty() {
            return;
        }
        for table in self.tables.values_mut() {
            if table.columns.iter().any(|c| is_of_users(&c.ty)) {
                Arc::make_mut(table).columns.iter_mut().for_each(|c| link(&mut c.ty, &enums, 0));
            }
        }
        for view in self.views.values_mut() {
            if view.columns.iter().any(|(_, ty)| is_of_users(ty)) {
                Arc::make_mut(view).columns.iter_mut().for_each(|(_, ty)| link(ty, &enums, 0));
            }
        }
        for def in self.types.values_mut() {
            match &def.spec {
                TypeSpec::Domain(domain) if is_of_users(&domain.base) => {
                    if let TypeSpec::Domain(domain) = &mut Arc::make_mut(def).spec {
                        link(&mut domain.base, &enums, 0);
                    }
                }
                TypeSpec::Composite(fields) if fields.iter().any(|(_, ty)| is_of_users(ty)) => {
                    if let TypeSpec::Composite(fields) = &mut Arc::make_mut(def).spec {
                        fields.iter_mut().for_each(|(_, ty)| link(ty, &enums, 0));
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn create_type(&mut self, uuid: Uuid, schema: Uuid, name: &str, spec: &TypeSpec) -> Result<()> {
        let schema_id = self.schema_by_uuid(schema)?.id;
        self.check_free_type(schema_id, name)?;
        let id = TypeId::new(self.next_catalog_id);
        let mut def = TypeDef { id, uuid, schema_id, name: name.to_owned(), spec: spec.clone(), comment: None };
        self.next_catalog_id += def.numbers();
        self.number_labels(&mut def.spec);
        self.types.insert(id, Arc::new(def));
        self.check_rows()
    }

    pub(super) fn alter_type(&mut self, uuid: Uuid, schema: Uuid, name: &str, spec: &TypeSpec) -> Result<()> {
        let schema_id = self.schema_by_uuid(schema)?.id;
        let old = Arc::clone(self.known_type(uuid)?);
        if (old.schema_id, old.name.as_str()) != (schema_id, name) {
            self.check_free_type(schema_id, name)?;
        }
        let mut def = TypeDef { schema_id, name: name.to_owned(), spec: spec.clone(), ..(*old).clone() };
        self.number_labels(&mut def.spec);
        self.types.insert(def.id, Arc::new(def));
        self.check_rows()
    }

    /// A type that grows makes all others larger that it is in.
    fn check_rows(&self) -> Result<()> {
        let mut measured = HashMap::new();
        self.types.values().try_for_each(|def| self.measure(def, 1, &mut measured).map(drop))
    }

    /// Fields of a composite type, and how deep they are.
    fn measure(
        &self,
        def: &TypeDef,
        above: usize,
        measured: &mut HashMap<Uuid, (usize, usize)>,
    ) -> Result<(usize, usize)> {
        let TypeSpec::Composite(fields) = &def.spec else { return Ok((1, 0)) };
        if let Some(known) = measured.get(&def.uuid) {
            return Ok(*known);
        }
        let too_large = |what: String| Error::new(ErrorKind::Invalid, format!("composite type {} {what}", def.name));
        let too_deep = || too_large(format!("has types inside of each other, more than {ROW_DEPTH_MAX}"));
        if above > ROW_DEPTH_MAX {
            return Err(too_deep());
        }
        let (mut count, mut depth) = (0, 1);
        for (_, ty) in fields {
            let inner = user_type_of(ty).and_then(|uuid| self.type_by_uuid(uuid));
            let (inside, deep) = inner.map_or(Ok((1, 0)), |inner| self.measure(inner, above + 1, measured))?;
            (count, depth) = (count + inside, depth.max(deep + 1));
            if count > ROW_FIELDS_MAX {
                return Err(too_large(format!(
                    "has more than {ROW_FIELDS_MAX} fields, those of the types inside counted"
                )));
            }
        }
        if depth > ROW_DEPTH_MAX {
            return Err(too_deep());
        }
        measured.insert(def.uuid, (count, depth));
        Ok((count, depth))
    }

    pub(super) fn drop_type(&mut self, uuid: Uuid) -> Result<()> {
        let def = Arc::clone(self.known_type(uuid)?);
        let used = self.tables.values().flat_map(|t| &t.columns).any(|c| c.domain == Some(uuid) || is_of(&c.ty, uuid))
            || self.types.values().any(|other| other.uuid != uuid && needs(other, uuid));
        if used {
            let message = format!("cannot drop type {} because other objects depend on it", def.name);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        self.types.remove(&def.id);
        Ok(())
    }

    pub(super) fn comment_type(&mut self, uuid: Uuid, comment: Option<String>) -> Result<()> {
        let id = self.known_type(uuid)?.id;
        if let Some(def) = self.types.get_mut(&id) {
            Arc::make_mut(def).comment = comment;
        }
        Ok(())
    }

    fn known_type(&self, uuid: Uuid) -> Result<&Arc<TypeDef>> {
        self.type_by_uuid(uuid).ok_or_else(|| Error::new(ErrorKind::NotFound, format!("type {uuid} does not exist")))
    }

    fn number_labels(&mut self, spec: &mut TypeSpec) {
        if let TypeSpec::Enum(labels) = spec {
            for label in labels.iter_mut().filter(|label| label.id == 0) {
                label.id = self.next_catalog_id;
                self.next_catalog_id += 1;
            }
        }
    }

    fn check_free_type(&self, schema: crate::SchemaId, name: &str) -> Result<()> {
        if self.types.values().any(|t| t.schema_id == schema && t.name == name) {
            return Err(Error::new(ErrorKind::AlreadyExists, format!("type \"{name}\" already exists")));
        }
        Ok(())
    }
}

/// The user's type that values, or their elements, are of.
fn user_type_of(ty: &ColumnType) -> Option<Uuid> {
    match ty {
        ColumnType::Enum(of) => Some(of.uuid),
        ColumnType::Record(row) => row.uuid,
        ColumnType::Array(element) => user_type_of(element),
        _ => None,
    }
}

/// Fields of a type's values, those of rows inside of rows counted.
#[must_use]
pub fn fields_of(ty: &ColumnType) -> usize {
    match ty {
        ColumnType::Record(row) => row.fields.iter().map(|(_, ty)| fields_of(ty)).sum(),
        ColumnType::Array(element) => fields_of(element),
        _ => 1,
    }
}

/// Whether a type is, or holds values of, the enum or composite type of that identity.
#[must_use]
pub fn is_of(ty: &ColumnType, uuid: Uuid) -> bool {
    match ty {
        ColumnType::Enum(of) => of.uuid == uuid,
        ColumnType::Record(row) => row.uuid == Some(uuid),
        ColumnType::Array(element) => is_of(element, uuid),
        _ => false,
    }
}

/// The same, or a row of such.
#[must_use]
pub fn is_within(ty: &ColumnType, uuid: Uuid) -> bool {
    match ty {
        ColumnType::Record(row) => row.uuid == Some(uuid) || row.fields.iter().any(|(_, ty)| is_within(ty, uuid)),
        ColumnType::Array(element) => is_within(element, uuid),
        other => is_of(other, uuid),
    }
}

/// Whether a type is made over another.
#[must_use]
pub fn needs(def: &TypeDef, uuid: Uuid) -> bool {
    match &def.spec {
        TypeSpec::Enum(_) => false,
        TypeSpec::Domain(domain) => domain.parent == Some(uuid) || is_of(&domain.base, uuid),
        TypeSpec::Composite(fields) => fields.iter().any(|(_, ty)| is_of(ty, uuid)),
    }
}

fn is_of_users(ty: &ColumnType) -> bool {
    match ty {
        ColumnType::Enum(_) => true,
        ColumnType::Record(row) => row.uuid.is_some(),
        ColumnType::Array(element) => is_of_users(element),
        _ => false,
    }
}

fn link(ty: &mut ColumnType, known: &Known, depth: usize) {
    let uuid = match ty {
        ColumnType::Enum(of) => Some(of.uuid),
        ColumnType::Record(row) => row.uuid,
        ColumnType::Array(element) => return link(element, known, depth),
        _ => None,
    };
    let Some(found) = uuid.and_then(|uuid| known.get(&uuid)) else { return };
    ty.clone_from(found);
    // No type is a member of itself; what says so all the same is not followed for ever.
    if let ColumnType::Record(row) = ty
        && depth < ROW_DEPTH_MAX
    {
        row.fields.iter_mut().for_each(|(_, ty)| link(ty, known, depth + 1));
    }
}
