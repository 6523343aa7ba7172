//! A catalog with one empty lake, and short ways to write what the cases publish.

use std::sync::Arc;

use duckmesh_catalog::{
    clock::SystemClock,
    ddl::{CommentTarget, DdlOp},
    files::ColumnStats,
    params,
    store::{Statement, Store},
    testing::PostgresServer,
    *,
};
use uuid::Uuid;

/// A clock that goes when it is told to.
pub struct SetClock(pub std::sync::Mutex<chrono::DateTime<chrono::Utc>>);

impl clock::Clock for SetClock {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        *self.0.lock().unwrap()
    }
}

pub struct Fixture {
    pub catalog: Catalog,
    pub lake: LakeId,
    location: Location,
    _folder: tempfile::TempDir,
}

impl Fixture {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite { data_dir: folder.path().to_owned() };
        Self::new(location, folder).await
    }

    pub async fn postgres(server: &PostgresServer) -> Self {
        let location = Location::Postgres { url: server.database().unwrap() };
        Self::new(location, tempfile::tempdir().unwrap()).await
    }

    async fn new(location: Location, folder: tempfile::TempDir) -> Self {
        let catalog = Catalog::open(location.clone(), Arc::new(SystemClock)).await.unwrap();
        let path = folder.path().join("files").to_string_lossy().into_owned();
        let lake = catalog.create_lake(&LakeName::parse("l").unwrap(), &path).await.unwrap().id;
        Self { catalog, lake, location, _folder: folder }
    }

    pub async fn try_reopen(&self) -> Result<Catalog, Error> {
        Catalog::open(self.location.clone(), Arc::new(SystemClock)).await
    }

    /// Another process' handle, with its own clock.
    pub async fn reopen_at(&self, clock: Arc<dyn clock::Clock>) -> Catalog {
        Catalog::open(self.location.clone(), clock).await.unwrap()
    }

    pub async fn reopen(&self) -> Catalog {
        self.try_reopen().await.unwrap()
    }

    pub async fn store(&self) -> Store {
        let lake = self.catalog.lake(&LakeName::parse("l").unwrap()).await.unwrap().unwrap();
        self.catalog.lake_store(&lake).await.unwrap()
    }

    /// What a foreign writer does for an INSERT of 7 rows into table 1.
    pub async fn foreign_insert(&self, id: i64) {
        let mut tx = self.store().await.begin().await.unwrap();
        let statements = vec![
            Statement::new(
                "INSERT INTO @ducklake_snapshot SELECT $1, $2, schema_version, next_catalog_id, next_file_id + 1
                 FROM @ducklake_snapshot WHERE snapshot_id + 1 = $1",
                params![id, "2030-01-01 00:00:00.5+00"],
            )
            .expect(1),
            Statement::new(
                "INSERT INTO @ducklake_snapshot_changes(snapshot_id, changes_made) VALUES ($1, 'inserted_into_table:1')",
                params![id],
            ),
            Statement::new(
                "INSERT INTO @ducklake_data_file(data_file_id, table_id, begin_snapshot, path, path_is_relative,
                    file_format, record_count, file_size_bytes, footer_size, row_id_start)
                 VALUES (0, 1, $1, 'f.parquet', $2, 'parquet', 7, 100, 10, 0)",
                params![id, true],
            ),
            Statement::new(
                "INSERT INTO @ducklake_table_stats(table_id, record_count, next_row_id, file_size_bytes) VALUES (1, 7, 7, 100)",
                vec![],
            ),
        ];
        tx.batch(statements).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The next snapshot by a foreign writer that holds its transaction open for a while; gives up if it loses the race.
    pub async fn foreign_empty_snapshot(&self, _n: i64) {
        let mut tx = self.store().await.begin().await.unwrap();
        let made = tx
            .batch(vec![Statement::new(
                "INSERT INTO @ducklake_snapshot SELECT snapshot_id + 1, snapshot_time, schema_version, next_catalog_id, next_file_id
                 FROM @ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1",
                vec![],
            )])
            .await;
        match made {
            Ok(_) => {
                tokio::task::yield_now().await;
                tx.commit().await.unwrap();
            }
            Err(_) => tx.rollback().await,
        }
    }
}

pub fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub fn publication(f: &Fixture, from: i64, to: i64) -> Publication {
    Publication {
        lake: f.lake,
        epoch: Epoch::new(0),
        expected_watermark: Offset::new(from),
        new_watermark: Offset::new(to),
        ddl: vec![],
        ddl_offset: None,
        files: vec![],
        rejected: vec![],
        rejected_rows: vec![],
    }
}

pub fn column(id: i64, name: &str, ty: ColumnType) -> ColumnDef {
    let is_array = matches!(ty, ColumnType::Array(_));
    ColumnDef {
        id: ColumnId::new(id),
        element_id: is_array.then(|| ColumnId::new(id + 1)),
        name: name.into(),
        ty,
        nullable: true,
        default: None,
        initial_default: None,
        comment: None,
        domain: None,
    }
}

pub async fn main_schema(f: &Fixture) -> Uuid {
    let latest = f.catalog.latest(f.lake).await.unwrap();
    f.catalog.schema(f.lake, &latest).await.unwrap().schema("main").unwrap().uuid
}

/// A table `name(a integer, b text)` in main.
pub async fn table_op(f: &Fixture, n: u128, name: &str) -> DdlOp {
    DdlOp::CreateTable {
        uuid: uuid(n),
        schema: main_schema(f).await,
        name: name.into(),
        columns: vec![column(1, "a", ColumnType::Int4), column(2, "b", ColumnType::Text)],
        constraints: vec![],
    }
}

/// A file of the table of [`table_op`], with a range of its column `a`.
pub fn file(path: &str, rows: u64, min: &str, max: &str) -> NewFile {
    let stats = |column, min: Option<&str>, max: Option<&str>| ColumnStats {
        column: ColumnId::new(column),
        size_bytes: 30,
        value_count: if min.is_some() { rows } else { 0 },
        null_count: if min.is_some() { 0 } else { rows },
        min: min.map(str::to_owned),
        max: max.map(str::to_owned),
        contains_nan: None,
    };
    NewFile {
        path: path.into(),
        record_count: rows,
        size_bytes: 1000,
        footer_size_bytes: 100,
        sha256: String::new(),
        stats: vec![stats(1, Some(min), Some(max)), stats(2, None, None)],
    }
}

/// Every operation, each list in a publication of its own.
pub async fn every_ddl(f: &Fixture) -> Vec<Vec<DdlOp>> {
    let main = main_schema(f).await;
    let (s, t, v) = (uuid(1), uuid(2), uuid(3));
    let literal = |text: &str| Some(DefaultValue::Literal(text.into()));
    let array = |ty| ColumnType::Array(Box::new(ty));
    let mut columns = vec![
        column(1, "plain", ColumnType::Int8),
        column(2, "Short \"name\"", ColumnType::Varchar(Some(20))),
        column(3, "padded", ColumnType::Char(5)),
        column(4, "doc", ColumnType::Jsonb),
        column(5, "list", array(ColumnType::Varchar(Some(3)))),
        column(7, "bytes", ColumnType::Bytea),
        column(8, "at", ColumnType::Timestamptz),
        column(9, "money", ColumnType::Numeric(10, 2)),
        column(10, "word", ColumnType::Text),
        column(11, "numbers", array(ColumnType::Int4)),
    ];
    columns[0].nullable = false;
    columns[5].default = literal("00FF");
    columns[6].default = Some(DefaultValue::Expression("now()".into()));
    columns[7].default = Some(DefaultValue::Expression("random()::numeric".into()));
    columns[8].default = literal("NULL");
    columns[8].comment = Some("a comment".into());
    let check =
        |name: &str, expression: &str| Constraint::new(name, ConstraintKind::Check { expression: expression.into() });
    let key = Constraint::new("t_pkey", ConstraintKind::PrimaryKey { columns: vec![ColumnId::new(1)] });
    let mut added = column(13, "added", ColumnType::Int4);
    added.default = literal("7");
    added.initial_default = Some("7".into());
    let mut blob = column(14, "added2", ColumnType::Bytea);
    blob.initial_default = Some("AB".into());
    let id = ColumnId::new;
    let view = |sql: &str| DdlOp::CreateView {
        uuid: v,
        schema: main,
        name: "v".into(),
        duckdb_sql: format!("SELECT {sql} FROM {{DUCKLAKE_CATALOG}}.\"main\".\"t\""),
        postgres_sql: format!("SELECT {sql} FROM public.t"),
        columns: vec![("x".into(), ColumnType::Varchar(Some(9)))],
    };
    let on = |on, comment: Option<&str>| DdlOp::Comment { on, comment: comment.map(str::to_owned) };
    let constraints = vec![check("c1", "plain > 0"), key.clone()];
    vec![
        vec![DdlOp::CreateSchema { uuid: s, name: "S 1".into() }],
        vec![DdlOp::CreateTable { uuid: t, schema: s, name: "t".into(), columns, constraints }],
        vec![DdlOp::AddColumn { table: t, column: added }, DdlOp::AddColumn { table: t, column: blob }],
        vec![DdlOp::RenameColumn {
            table: t,
            column: id(1),
            name: "fresh".into(),
            checks: vec![check("c1", "fresh > 0")],
        }],
        vec![DdlOp::DropColumn { table: t, column: id(5) }],
        vec![DdlOp::SetDefault {
            table: t,
            column: id(13),
            default: Some(DefaultValue::Expression("gen_random_uuid()".into())),
        }],
        vec![DdlOp::SetDefault { table: t, column: id(13), default: literal("9") }],
        vec![DdlOp::SetDefault { table: t, column: id(13), default: None }],
        vec![DdlOp::SetNullable { table: t, column: id(1), nullable: true }],
        vec![DdlOp::SetNullable { table: t, column: id(1), nullable: false }],
        vec![DdlOp::AddConstraint { table: t, constraint: check("c2", "money > 0") }],
        vec![DdlOp::DropConstraint { table: t, name: "c1".into() }],
        vec![view("fresh")],
        vec![view("padded")],
        vec![DdlOp::RenameView { uuid: v, name: "w".into() }],
        vec![
            on(CommentTarget::Schema(s), Some("on s")),
            on(CommentTarget::Table(t), Some("on t")),
            on(CommentTarget::Column(t, id(2)), Some("it's")),
            on(CommentTarget::View(v), Some("on v")),
        ],
        vec![on(CommentTarget::Table(t), Some("other")), on(CommentTarget::View(v), None)],
        vec![DdlOp::RenameTable { uuid: t, name: "T 2".into() }],
        // A column dropped with its key, and its id never used again.
        vec![DdlOp::DropColumn { table: t, column: id(1) }],
        vec![DdlOp::DropColumn { table: t, column: id(14) }],
        vec![DdlOp::AddColumn { table: t, column: column(15, "last", ColumnType::Bool) }],
        vec![DdlOp::DropView { uuid: v }],
        vec![DdlOp::DropTable { uuid: t }, DdlOp::DropSchema { uuid: s }],
        vec![
            DdlOp::CreateTable {
                uuid: uuid(4),
                schema: main,
                name: "one go".into(),
                columns: vec![column(1, "a", ColumnType::Date)],
                constraints: vec![],
            },
            DdlOp::AddColumn { table: uuid(4), column: column(2, "b", ColumnType::Uuid) },
            DdlOp::RenameTable { uuid: uuid(4), name: "done".into() },
        ],
    ]
}

pub fn same_schema(got: &LakeSchema, expected: &LakeSchema, what: &str) {
    assert_eq!(got.schemas, expected.schemas, "{what}");
    assert_eq!(got.tables, expected.tables, "{what}");
    assert_eq!(got.views, expected.views, "{what}");
    assert_eq!(got.next_catalog_id, expected.next_catalog_id, "{what}");
}

/// Operations that cannot be made, with Postgres' words.
pub fn ddl_errors() {
    let main = uuid(100);
    let schema =
        SchemaDef { id: SchemaId::new(0), uuid: main, name: "main".into(), path: "main/".into(), comment: None };
    let empty = LakeSchema {
        snapshot: SnapshotId::new(0),
        schema_version: 0,
        next_catalog_id: 1,
        ddl_offset: Offset::ZERO,
        schemas: [("main".to_owned(), Arc::new(schema))].into(),
        tables: Default::default(),
        sequences: Default::default(),
        types: Default::default(),
        views: Default::default(),
    };
    let table = |n, name: &str, columns| DdlOp::CreateTable {
        uuid: uuid(n),
        schema: main,
        name: name.into(),
        columns,
        constraints: vec![],
    };
    let a = || vec![column(1, "a", ColumnType::Int4), column(2, "b", ColumnType::Int4)];
    let base = empty.apply(&[table(1, "t", a())]).unwrap();
    let key = Constraint::new("k", ConstraintKind::PrimaryKey { columns: vec![] });
    let key2 = Constraint { name: "k2".into(), ..key.clone() };
    let check = |ops: &[DdlOp], kind: ErrorKind, message: &str| {
        let error = base.apply(ops).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
    };
    use ErrorKind::{AlreadyExists, Invalid, NotFound};
    let t = uuid(1);
    check(
        &[DdlOp::CreateSchema { uuid: uuid(5), name: "main".into() }],
        AlreadyExists,
        "schema \"main\" already exists",
    );
    check(&[table(2, "t", a())], AlreadyExists, "relation \"t\" already exists");
    check(
        &[table(2, "u", vec![column(1, "a", ColumnType::Int4), column(2, "a", ColumnType::Int4)])],
        Invalid,
        "column \"a\" specified more than once",
    );
    check(
        &[table(2, "u", a()), DdlOp::RenameTable { uuid: uuid(2), name: "t".into() }],
        AlreadyExists,
        "relation \"t\" already exists",
    );
    check(
        &[DdlOp::AddColumn { table: t, column: column(3, "a", ColumnType::Int4) }],
        AlreadyExists,
        "column \"a\" of relation \"t\" already exists",
    );
    check(
        &[DdlOp::RenameColumn { table: t, column: ColumnId::new(2), name: "a".into(), checks: vec![] }],
        AlreadyExists,
        "column \"a\" of relation \"t\" already exists",
    );
    check(
        &[
            DdlOp::AddConstraint { table: t, constraint: key.clone() },
            DdlOp::AddConstraint { table: t, constraint: key.clone() },
        ],
        AlreadyExists,
        "constraint \"k\" for relation \"t\" already exists",
    );
    check(
        &[DdlOp::AddConstraint { table: t, constraint: key }, DdlOp::AddConstraint { table: t, constraint: key2 }],
        Invalid,
        "multiple primary keys for table \"t\" are not allowed",
    );
    check(
        &[DdlOp::DropConstraint { table: t, name: "x".into() }],
        NotFound,
        "constraint \"x\" of relation \"t\" does not exist",
    );
    check(&[DdlOp::DropSchema { uuid: main }], Invalid, "cannot drop schema main because other objects depend on it");
    check(&[DdlOp::DropTable { uuid: uuid(7) }], NotFound, &format!("table {} does not exist", uuid(7)));
}
