//! A server's folder with one lake, and a look at what readers would see of it.

use std::{path::Path, sync::Arc, time::Duration};

use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray},
    datatypes::Int64Type,
};
use duckmesh_catalog::{
    Catalog, ColumnDef, ColumnId, ColumnType, LakeName, Offset, SnapshotId, TableDef, catalog::Location,
    clock::SystemClock, ddl::DdlOp, lakes::LakeInfo,
};
use duckmesh_ingest::{Appended, Bus, IdempotencyKey, Lake, LakeOptions, Part, PostgresBus, SqliteBus, Write};
use duckmesh_storage::{LakeFiles, ROW_SNAPSHOT_NAME};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use uuid::Uuid;

/// Longer than anything here takes; what hangs fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One lake in a folder.
pub struct World {
    pub catalog: Catalog,
    pub info: LakeInfo,
    pub files: LakeFiles,
    pub bus: Arc<dyn Bus>,
}

/// Options that publish only when somebody waits.
pub fn options() -> LakeOptions {
    LakeOptions { owner: "test".into(), commit_interval: Duration::from_secs(3600), ..LakeOptions::default() }
}

impl World {
    /// Opens the folder, making what is missing.
    pub async fn open(folder: &Path) -> Self {
        let bus = Arc::new(SqliteBus::open(&folder.join("log.sqlite")).unwrap());
        let location = Location::Sqlite { data_dir: folder.to_owned() };
        Self::on(folder, location, bus).await
    }

    /// One process' handles on a lake in Postgres.
    pub async fn open_postgres(folder: &Path, url: &str) -> Self {
        let bus = Arc::new(PostgresBus::open(url).await.unwrap());
        let location = Location::Postgres { url: url.to_owned() };
        Self::on(folder, location, bus).await
    }

    async fn on(folder: &Path, location: Location, bus: Arc<dyn Bus>) -> Self {
        let catalog = Catalog::open(location, Arc::new(SystemClock)).await.unwrap();
        let name = LakeName::parse("sales").unwrap();
        let data_path = format!("{}/files/", folder.display());
        std::fs::create_dir_all(&data_path).unwrap();
        let info = match catalog.lake(&name).await.unwrap() {
            Some(info) => info,
            None => catalog.create_lake(&name, &data_path).await.unwrap(),
        };
        let files = LakeFiles::open(&info.data_path).unwrap();
        Self { catalog, info, files, bus }
    }

    pub async fn lake(&self, options: LakeOptions) -> Arc<Lake> {
        let (catalog, info) = (self.catalog.clone(), self.info.clone());
        Lake::open(catalog, info, Arc::clone(&self.bus), self.files.clone(), options).await.unwrap()
    }

    /// The operation that makes a table with columns `n bigint, t text`.
    pub async fn create_table(&self, name: &str) -> (Uuid, DdlOp) {
        let at = self.catalog.latest(self.info.id).await.unwrap();
        let schema = self.catalog.schema(self.info.id, &at).await.unwrap();
        let uuid = Uuid::new_v4();
        let op = DdlOp::CreateTable {
            uuid,
            schema: schema.schema("main").unwrap().uuid,
            name: name.to_owned(),
            columns: vec![column(1, "n", ColumnType::Int8), column(2, "t", ColumnType::Text)],
            constraints: Vec::new(),
        };
        (uuid, op)
    }

    /// Makes a table and waits until it is there.
    pub async fn table(&self, lake: &Lake, name: &str) -> Uuid {
        let (uuid, op) = self.create_table(name).await;
        let offset = append(lake, vec![Part::Ddl(vec![op])]).await.offset;
        wait(lake, offset).await;
        assert_eq!(lake.outcome(offset).await.unwrap(), None);
        uuid
    }

    pub async fn def(&self, table: Uuid) -> Option<Arc<TableDef>> {
        let at = self.catalog.latest(self.info.id).await.unwrap();
        let schema = self.catalog.schema(self.info.id, &at).await.unwrap();
        schema.table_by_uuid(table).cloned()
    }

    /// The live files of a table.
    pub async fn live_files(&self, table: Uuid) -> Vec<duckmesh_catalog::DataFile> {
        let at = self.catalog.latest(self.info.id).await.unwrap();
        let def = self.def(table).await.expect("the table");
        self.catalog.files(self.info.id, at.id, def.id).await.unwrap().files.clone()
    }

    /// Names of the Parquet files that are there.
    pub async fn stored(&self) -> Vec<String> {
        self.files.list().await.unwrap().into_iter().map(|file| file.path).collect()
    }

    /// The values of column `n` that a reader sees now, sorted.
    pub async fn rows(&self, table: Uuid) -> Vec<i64> {
        let at = self.catalog.latest(self.info.id).await.unwrap();
        let def = self.def(table).await.expect("the table");
        let files = self.catalog.files(self.info.id, at.id, def.id).await.unwrap();
        let mut rows: Vec<i64> = files.files.iter().flat_map(|file| self.rows_of_file(file, at.id)).collect();
        rows.sort_unstable();
        rows
    }

    /// The values of column `n` that a file has at a snapshot.
    pub fn rows_of_file(&self, file: &duckmesh_catalog::DataFile, at: SnapshotId) -> Vec<i64> {
        let path = self.files.local_path(&file.path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap());
        let mut rows = Vec::new();
        for batch in reader.unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let values = batch.column(0).as_primitive::<Int64Type>().values();
            let snapshots = batch.column_by_name(ROW_SNAPSHOT_NAME).map(|c| c.as_primitive::<Int64Type>().values());
            let is_seen = |row: usize| snapshots.is_none_or(|snapshots| snapshots[row] <= at.get());
            rows.extend((0..values.len()).filter(|row| is_seen(*row)).map(|row| values[row]));
        }
        rows
    }
}

pub fn column(id: i64, name: &str, ty: ColumnType) -> ColumnDef {
    ColumnDef {
        id: ColumnId::new(id),
        element_id: None,
        name: name.to_owned(),
        ty,
        nullable: true,
        default: None,
        initial_default: None,
        comment: None,
        domain: None,
    }
}

/// Rows of a table by the values of `n`.
pub fn rows(table: Uuid, values: &[i64]) -> Part {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    rows_of(table, Arc::new(Int64Array::from(values.to_vec())), Arc::new(StringArray::from(texts)))
}

/// Rows of a table by its columns' values, of whatever type.
pub fn rows_of(table: Uuid, n: ArrayRef, t: ArrayRef) -> Part {
    Part::Rows {
        table,
        columns: vec![ColumnId::new(1), ColumnId::new(2)],
        batch: RecordBatch::try_from_iter([("n", n), ("t", t)]).unwrap(),
    }
}

/// A write for the lane's current schema.
pub async fn write(lake: &Lake, parts: Vec<Part>) -> Write {
    Write { parts, made_for: lake.ddl_offset().await.unwrap(), key: None, validated: None }
}

pub fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey { key: name.to_owned(), payload_sha256: [7; 32] }
}

pub async fn append(lake: &Lake, parts: Vec<Part>) -> Appended {
    lake.append(write(lake, parts).await).await.unwrap()
}

pub async fn wait(lake: &Lake, offset: Offset) {
    tokio::time::timeout(PATIENCE, lake.wait_for(offset)).await.expect("the barrier").unwrap();
}
