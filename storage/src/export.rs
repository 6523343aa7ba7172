//! A Parquet file for somebody else: columns of any query, handed out in pieces while it is written.

use std::sync::Arc;

use arrow::array::RecordBatch;
use duckmesh_catalog::{ColumnDef, ColumnId, ColumnType, SchemaId, TableDef, TableId};
use uuid::Uuid;

use crate::{
    error::Result,
    file::FileEncoder,
    layout::{Layout, Others},
};

/// Encoded bytes after which a row group ends: several clients may be written to at once.
const ROW_GROUP_BYTES: usize = 16 << 20;

/// A file that is being written. Holds one row group at most.
pub struct Export(FileEncoder);

impl Export {
    /// A file with those columns; names may repeat.
    ///
    /// # Errors
    /// When a type cannot be written.
    pub fn new(columns: &[(String, ColumnType)]) -> Result<Self> {
        let table = TableDef {
            id: TableId::new(0),
            uuid: Uuid::nil(),
            schema_id: SchemaId::new(0),
            name: String::new(),
            path: String::new(),
            columns: columns.iter().zip(1_i64..).map(|((name, ty), n)| column(name, ty, n)).collect(),
            next_column_id: ColumnId::new(0),
            constraints: Vec::new(),
            indexes: Vec::new(),
            comment: None,
        };
        let ids: Vec<ColumnId> = table.columns.iter().map(|c| c.id).collect();
        let layout = Layout::new(&table, &ids, Others::AsText)?;
        Ok(Self(FileEncoder::new(Arc::new(layout))?.with_group_bytes(ROW_GROUP_BYTES)))
    }

    /// Adds rows: arrays as `ColumnType::arrow()` has them.
    ///
    /// # Errors
    /// When a value cannot be held.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.0.write(batch)
    }

    /// Bytes of the file that are ready.
    pub fn take(&mut self) -> Vec<u8> {
        self.0.take()
    }

    /// The last bytes.
    ///
    /// # Errors
    /// When the file cannot be ended.
    pub fn finish(self) -> Result<Vec<u8>> {
        self.0.finish().map(|(bytes, _)| bytes)
    }
}

/// The n-th column; each has room for the id of its elements.
fn column(name: &str, ty: &ColumnType, n: i64) -> ColumnDef {
    ColumnDef {
        id: ColumnId::new(2 * n - 1),
        element_id: matches!(ty, ColumnType::Array(_)).then_some(ColumnId::new(2 * n)),
        name: name.to_owned(),
        ty: ty.clone(),
        nullable: true,
        default: None,
        initial_default: None,
        comment: None,
        domain: None,
    }
}
