//! What exists, as Postgres' catalog tells it: namespaces, relations with their columns, constraints, indexes.

use std::collections::HashMap;

use duckmesh_catalog::{
    ColumnDef, ColumnId, ColumnType, Constraint, ConstraintKind, DefaultValue, IndexDef, IndexedBy, LakeSchema,
    SchemaId, SequenceDef, TableDef, TableId, TypeDef, ViewDef, schema::DEFAULT_SCHEMA,
};

use super::{oids, shapes};

/// Precision of what the engine computes.
const NUMERIC_MAX: u8 = 38;

/// A schema.
pub struct Namespace<'a> {
    pub oid: u32,
    pub name: &'a str,
    pub comment: Option<&'a str>,
}

/// A table, view or index.
pub struct Relation<'a> {
    pub oid: u32,
    pub namespace: u32,
    /// SQL's name of its schema.
    pub schema: &'a str,
    pub name: &'a str,
    /// `r`, `v`, `i`.
    pub kind: char,
    pub columns: Vec<Column<'a>>,
    pub source: Source<'a>,
}

impl Relation<'_> {
    /// Whether it is of the session alone.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.schema.starts_with(crate::session::temporary::SCHEMA_PREFIX)
    }
}

/// Where a relation comes from.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// The system's.
    System,
    /// The lake's table.
    Table(&'a TableDef),
    /// The lake's view.
    View(&'a ViewDef),
    /// The index that a key would have.
    Key,
    /// An index.
    Index(&'a IndexDef),
    /// The lake's sequence.
    Sequence(&'a SequenceDef),
    /// A composite type, by its oid.
    Composite(u32),
}

/// A column.
pub struct Column<'a> {
    pub name: &'a str,
    /// `attnum`: of the lake's tables see [`attnum`].
    pub num: i16,
    pub type_oid: u32,
    pub typmod: i32,
    pub not_null: bool,
    pub default: Option<&'a DefaultValue>,
    pub ty: Option<&'a ColumnType>,
    pub comment: Option<&'a str>,
    /// The sequence of an identity column.
    pub identity: Option<&'a SequenceDef>,
    /// The domain it was declared with.
    pub domain: Option<&'a TypeDef>,
}

/// A constraint.
pub struct Con<'a> {
    pub oid: u32,
    pub table: &'a TableDef,
    pub table_oid: u32,
    pub namespace: u32,
    /// SQL's name of the table's schema.
    pub schema: &'a str,
    pub constraint: &'a Constraint,
    /// The oid of a key's index.
    pub index: Option<u32>,
}

/// An index that is no key's.
pub struct Ix<'a> {
    pub oid: u32,
    pub table: &'a TableDef,
    pub table_oid: u32,
    /// SQL's name of its schema.
    pub schema: &'a str,
    pub index: &'a IndexDef,
}

/// Everything of one lake's schema.
pub struct Book<'a> {
    pub schema: &'a LakeSchema,
    pub namespaces: Vec<Namespace<'a>>,
    /// Tables, views and indexes of the lake.
    pub relations: Vec<Relation<'a>>,
    pub constraints: Vec<Con<'a>>,
    /// Indexes that are no key's.
    pub indexes: Vec<Ix<'a>>,
}

/// SQL's name of a schema.
#[must_use]
pub fn sql_schema(lake_name: &str) -> &str {
    if lake_name == DEFAULT_SCHEMA { "public" } else { lake_name }
}

/// The namespaces that are no lake's.
#[must_use]
pub fn system_namespaces() -> Vec<Namespace<'static>> {
    let space = |oid, name, comment| Namespace { oid, name, comment: Some(comment) };
    vec![
        space(oids::PG_CATALOG, "pg_catalog", "system catalog schema"),
        Namespace { oid: oids::PG_TOAST, name: "pg_toast", comment: Some("reserved schema for TOAST tables") },
        Namespace { oid: oids::INFORMATION_SCHEMA, name: "information_schema", comment: None },
        space(oids::DUCKMESH, "duckmesh", "snapshots, files and lag of this lake"),
    ]
}

/// The system's relations.
#[must_use]
pub fn system_relations() -> Vec<Relation<'static>> {
    let relation = |shape: &'static shapes::Shape| Relation {
        oid: shape.oid,
        namespace: match shape.schema {
            "pg_catalog" => oids::PG_CATALOG,
            "information_schema" => oids::INFORMATION_SCHEMA,
            _ => oids::DUCKMESH,
        },
        schema: shape.schema,
        name: shape.name,
        kind: shape.kind,
        columns: shape.columns.iter().zip(1..).map(|(column, num)| system_column(column, num)).collect(),
        source: Source::System,
    };
    shapes::all().iter().map(relation).collect()
}

fn system_column(column: &'static shapes::ShapeColumn, num: i16) -> Column<'static> {
    Column {
        name: column.name,
        num,
        type_oid: column.type_oid,
        typmod: -1,
        // Columns of views are never marked.
        not_null: column.not_null,
        default: None,
        ty: None,
        comment: None,
        identity: None,
        domain: None,
    }
}

impl<'a> Book<'a> {
    /// Reads a schema.
    #[must_use]
    pub fn new(schema: &'a LakeSchema) -> Self {
        let mut book = Self {
            schema,
            namespaces: Vec::new(),
            relations: Vec::new(),
            constraints: Vec::new(),
            indexes: Vec::new(),
        };
        let mut spaces: HashMap<SchemaId, (u32, &'a str)> = HashMap::new();
        // The session's own schema has two names.
        for (_, def) in schema.schemas.iter().filter(|(name, def)| **name == def.name) {
            let oid = oids::schema(def.id, &def.name);
            let name = sql_schema(&def.name);
            let standard = (name == "public").then_some("standard public schema");
            spaces.insert(def.id, (oid, name));
            book.namespaces.push(Namespace { oid, name, comment: def.comment.as_deref().or(standard) });
        }
        let (mut constraints, mut indexes) = (oids::Range::constraints(), oids::Range::indexes());
        for table in schema.tables.values() {
            let Some(&(namespace, space)) = spaces.get(&table.schema_id) else { continue };
            book.table(table, namespace, space, &mut constraints, &mut indexes);
        }
        for view in schema.views.values() {
            let Some(&(namespace, space)) = spaces.get(&view.schema_id) else { continue };
            book.relations.push(Relation {
                oid: oids::view(view.id),
                namespace,
                schema: space,
                name: &view.name,
                kind: 'v',
                columns: view.columns.iter().zip(1..).map(|((name, ty), num)| view_column(name, ty, num)).collect(),
                source: Source::View(view),
            });
        }
        for sequence in schema.sequences.values() {
            let Some(&(namespace, space)) = spaces.get(&sequence.schema_id) else { continue };
            book.relations.push(Relation {
                oid: oids::sequence(sequence.id),
                namespace,
                schema: space,
                name: &sequence.name,
                kind: 'S',
                columns: sequence_columns(),
                source: Source::Sequence(sequence),
            });
        }
        let composites = super::relations::composites(&book);
        book.relations.extend(composites);
        book
    }

    fn table(
        &mut self,
        table: &'a TableDef,
        namespace: u32,
        schema: &'a str,
        constraints: &mut oids::Range,
        indexes: &mut oids::Range,
    ) {
        let table_oid = oids::table(table.id);
        self.relations.push(Relation {
            oid: table_oid,
            namespace,
            schema,
            name: &table.name,
            kind: 'r',
            columns: table
                .columns
                .iter()
                .map(|c| {
                    let identity = self.schema.identity(table.uuid, c.id).map(std::convert::AsRef::as_ref);
                    let domain = c.domain.and_then(|uuid| self.schema.type_by_uuid(uuid)).map(AsRef::as_ref);
                    let column = table_column(table, c);
                    let type_oid = domain.map_or(column.type_oid, TypeDef::oid);
                    Column { identity, domain, type_oid, ..column }
                })
                .collect(),
            source: Source::Table(table),
        });
        for constraint in &table.constraints {
            let oid = constraints.give(table.id, &constraint.name);
            let index = key_columns(constraint).map(|key| {
                let oid = indexes.give(table.id, &constraint.name);
                let held = key.iter().chain(&constraint.options.include);
                let columns = held.filter_map(|id| table.column_by_id(*id)).zip(1..);
                self.relations.push(Relation {
                    oid,
                    namespace,
                    schema,
                    name: &constraint.name,
                    kind: 'i',
                    columns: columns.map(|(c, num)| Column { num, default: None, ..table_column(table, c) }).collect(),
                    source: Source::Key,
                });
                oid
            });
            self.constraints.push(Con { oid, table, table_oid, namespace, schema, constraint, index });
        }
        for index in &table.indexes {
            // By its identity: a renamed one is the same.
            let oid = indexes.give(table.id, &index.uuid.to_string());
            self.relations.push(Relation {
                oid,
                namespace,
                schema,
                name: &index.name,
                kind: 'i',
                columns: index_columns(table, index),
                source: Source::Index(index),
            });
            self.indexes.push(Ix { oid, table, table_oid, schema, index });
        }
    }

    /// The table a foreign key refers to.
    #[must_use]
    pub fn target(&self, target: &(String, String)) -> Option<&'a TableDef> {
        let schema = if target.0 == "public" { DEFAULT_SCHEMA } else { target.0.as_str() };
        self.schema.table(schema, &target.1).map(std::convert::AsRef::as_ref)
    }

    /// The columns a foreign key refers to.
    #[must_use]
    pub fn target_columns(&self, target: &'a TableDef, names: &[String]) -> Vec<&'a ColumnDef> {
        if names.is_empty() {
            let key = target.constraints.iter().find_map(|c| match &c.kind {
                ConstraintKind::PrimaryKey { columns } => Some(columns),
                _ => None,
            });
            return key.into_iter().flatten().filter_map(|id| target.column_by_id(*id)).collect();
        }
        names.iter().filter_map(|name| target.column(name)).collect()
    }

    /// The key of `table` that a foreign key over these columns needs.
    #[must_use]
    pub fn key(&self, table: TableId, columns: &[ColumnId]) -> Option<&Con<'a>> {
        let same = |key: &&[ColumnId]| key.len() == columns.len() && columns.iter().all(|id| key.contains(id));
        self.constraints.iter().find(|con| con.table.id == table && key_columns(con.constraint).filter(same).is_some())
    }

    /// Which relations a name without schema finds: `pg_catalog` first, then the search path.
    #[must_use]
    pub fn visible(&self, search_path: &[String]) -> HashMap<&'a str, u32> {
        let mut visible: HashMap<&str, u32> = HashMap::new();
        for shape in shapes::all().iter().filter(|s| s.schema == "pg_catalog") {
            visible.insert(shape.name, shape.oid);
        }
        for schema in search_path {
            for shape in shapes::all().iter().filter(|s| s.schema == schema) {
                visible.entry(shape.name).or_insert(shape.oid);
            }
            for relation in self.relations.iter().filter(|r| r.schema == schema) {
                visible.entry(relation.name).or_insert(relation.oid);
            }
        }
        visible
    }
}

/// The columns of a primary or unique key.
#[must_use]
pub fn key_columns(constraint: &Constraint) -> Option<&[ColumnId]> {
    match &constraint.kind {
        ConstraintKind::PrimaryKey { columns } | ConstraintKind::Unique { columns } => Some(columns),
        _ => None,
    }
}

/// `attnum` of a column: its id, less those that elements of lists before it have, which are no columns. It stays what it is
/// until a list before it is dropped. Postgres' has 16 bits, columns beyond are shown as 0.
#[must_use]
pub fn attnum(table: &TableDef, id: ColumnId) -> i16 {
    let elements = table.columns.iter().filter(|c| c.element_id.is_some_and(|element| element < id)).count();
    let number = id.get() - i64::try_from(elements).unwrap_or(0);
    i16::try_from(number).unwrap_or(0)
}

fn table_column<'a>(table: &TableDef, column: &'a ColumnDef) -> Column<'a> {
    Column {
        name: &column.name,
        num: attnum(table, column.id),
        type_oid: column.ty.oid(),
        typmod: column.ty.typmod(),
        not_null: !column.nullable,
        default: column.default.as_ref(),
        ty: Some(&column.ty),
        comment: column.comment.as_deref(),
        identity: None,
        domain: None,
    }
}

/// The columns of an index: those of its table, and one for each expression.
fn index_columns<'a>(table: &'a TableDef, index: &'a IndexDef) -> Vec<Column<'a>> {
    let keys = index.keys.iter().filter_map(|key| match &key.of {
        IndexedBy::Column(id) => table.column_by_id(*id).map(|c| table_column(table, c)),
        IndexedBy::Expression(name, _) => Some(view_column(name, &ColumnType::Text, 0)),
    });
    let included = index.include.iter().filter_map(|id| table.column_by_id(*id)).map(|c| table_column(table, c));
    let plain = |(column, num)| Column { num, default: None, not_null: false, comment: None, ..column };
    keys.chain(included).zip(1..).map(plain).collect()
}

/// What a sequence shows when it is read.
fn sequence_columns<'a>() -> Vec<Column<'a>> {
    let column = |name, num, ty: &'static ColumnType| Column { not_null: true, ..view_column(name, ty, num) };
    vec![
        column("last_value", 1, &ColumnType::Int8),
        column("log_cnt", 2, &ColumnType::Int8),
        column("is_called", 3, &ColumnType::Bool),
    ]
}

/// A field of a composite type.
pub fn field<'a>(name: &'a str, ty: &'a ColumnType, num: i16) -> Column<'a> {
    Column { typmod: ty.typmod(), ..view_column(name, ty, num) }
}

fn view_column<'a>(name: &'a str, ty: &'a ColumnType, num: i16) -> Column<'a> {
    Column {
        name,
        num,
        type_oid: ty.oid(),
        // As wide as the engine goes: nobody declared that precision.
        typmod: if matches!(ty, ColumnType::Numeric(p, _) if *p == NUMERIC_MAX) { -1 } else { ty.typmod() },
        not_null: false,
        default: None,
        ty: Some(ty),
        comment: None,
        identity: None,
        domain: None,
    }
}
