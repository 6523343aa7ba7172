//! Types that users make, in a schema that changes.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

use crate::{
    ColumnType, ErrorKind, LakeSchema, TypeId,
    catalog::Result,
    error::Error,
    user_types::{EnumRef, TypeDef, TypeSpec},
};

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

    /// The type of columns of a user's type: of a domain the type below it. None for composite types.
    #[must_use]
    pub fn column_type(&self, def: &TypeDef) -> Option<ColumnType> {
        match &def.spec {
            TypeSpec::Enum(_) => {
                let schema = self.schema_name(def.schema_id).unwrap_or_default();
                EnumRef::of(def, schema).map(ColumnType::Enum)
            }
            TypeSpec::Domain(domain) => Some(domain.base.clone()),
            TypeSpec::Composite(_) => None,
        }
    }

    /// Gives all columns the enums as they are now: what was read or came with an operation knows only their identity.
    pub fn link_types(&mut self) {
        let enums: HashMap<Uuid, EnumRef> = self
            .types
            .values()
            .filter_map(|def| {
                let schema = self.schema_name(def.schema_id)?;
                Some((def.uuid, EnumRef::of(def, schema)?))
            })
            .collect();
        if enums.is_empty() {
            return;
        }
        for table in self.tables.values_mut() {
            if table.columns.iter().any(|c| names_enum(&c.ty)) {
                Arc::make_mut(table).columns.iter_mut().for_each(|c| link(&mut c.ty, &enums));
            }
        }
        for view in self.views.values_mut() {
            if view.columns.iter().any(|(_, ty)| names_enum(ty)) {
                Arc::make_mut(view).columns.iter_mut().for_each(|(_, ty)| link(ty, &enums));
            }
        }
        for def in self.types.values_mut() {
            match &def.spec {
                TypeSpec::Domain(domain) if names_enum(&domain.base) => {
                    if let TypeSpec::Domain(domain) = &mut Arc::make_mut(def).spec {
                        link(&mut domain.base, &enums);
                    }
                }
                TypeSpec::Composite(fields) if fields.iter().any(|(_, ty)| names_enum(ty)) => {
                    if let TypeSpec::Composite(fields) = &mut Arc::make_mut(def).spec {
                        fields.iter_mut().for_each(|(_, ty)| link(ty, &enums));
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
        Ok(())
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
        Ok(())
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

/// Whether a type is, or holds values of, the enum of that identity.
#[must_use]
pub fn is_of(ty: &ColumnType, uuid: Uuid) -> bool {
    match ty {
        ColumnType::Enum(of) => of.uuid == uuid,
        ColumnType::Array(element) => is_of(element, uuid),
        _ => false,
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

fn names_enum(ty: &ColumnType) -> bool {
    match ty {
        ColumnType::Enum(_) => true,
        ColumnType::Array(element) => names_enum(element),
        _ => false,
    }
}

fn link(ty: &mut ColumnType, enums: &HashMap<Uuid, EnumRef>) {
    match ty {
        ColumnType::Enum(of) => {
            if let Some(known) = enums.get(&of.uuid) {
                *of = known.clone();
            }
        }
        ColumnType::Array(element) => link(element, enums),
        _ => {}
    }
}
