//! Rows, and deletes of rows in files, that another writer keeps in the catalog instead of in Parquet.

use std::collections::{BTreeMap, HashMap};

use crate::{
    ColumnType, FileId, SnapshotId, TableId,
    catalog::Result,
    files::{DataFile, InlinedRows},
    params,
    store::{Dialect, Row, Store, quote},
};

/// Columns before the table's own: row id, begin, end.
const OWN_COLUMNS: usize = 3;

/// All inlined rows of a table, also those that are gone.
#[derive(Default)]
pub(super) struct Inlined {
    batches: Vec<Batch>,
    /// File, position, since when.
    deletes: Vec<(i64, u64, i64)>,
}

/// The rows of one schema version.
struct Batch {
    /// Ids of its columns.
    columns: Vec<i64>,
    rows: Vec<InlinedRow>,
}

struct InlinedRow {
    begin: i64,
    end: Option<i64>,
    values: Vec<Option<String>>,
}

impl Inlined {
    /// Reads all of them.
    pub async fn read(store: &Store, table: TableId) -> Result<Self> {
        let mut inlined = Self::default();
        let tables = store
            .query(
                // Made at the first inlined INSERT, such a table has a schema version that only its snapshot knows.
                "SELECT i.table_name, COALESCE(
                     (SELECT MIN(v.begin_snapshot) FROM @ducklake_schema_versions v
                      WHERE v.table_id = i.table_id AND v.schema_version = i.schema_version),
                     (SELECT MIN(s.snapshot_id) FROM @ducklake_snapshot s WHERE s.schema_version >= i.schema_version))
                 FROM @ducklake_inlined_data_tables i WHERE i.table_id = $1 ORDER BY i.schema_version",
                params![table],
            )
            .await?;
        for row in tables {
            if let Some(batch) = batch(store, table, &row.text(0)?, row.opt_int(1)?).await? {
                inlined.batches.push(batch);
            }
        }
        let name = format!("ducklake_inlined_delete_{table}");
        if !store.columns_of(&name).await?.is_empty() {
            let sql = format!("SELECT file_id, row_id, begin_snapshot FROM @{}", quote(&name));
            for row in store.query(&sql, vec![]).await? {
                inlined.deletes.push((row.int(0)?, row.count(1)?, row.int(2)?));
            }
        }
        Ok(inlined)
    }

    /// The snapshots at which they change.
    pub fn steps(&self) -> Vec<i64> {
        let rows = self.batches.iter().flat_map(|b| &b.rows);
        rows.flat_map(|r| [Some(r.begin), r.end]).flatten().chain(self.deletes.iter().map(|d| d.2)).collect()
    }

    /// Positions hidden in files at a snapshot.
    pub fn deletes_at(&self, at: i64, files: &[DataFile]) -> BTreeMap<FileId, Vec<u64>> {
        let mut hidden: BTreeMap<FileId, Vec<u64>> = BTreeMap::new();
        for (file, position, begin) in &self.deletes {
            let file = FileId::new(*file);
            if *begin <= at && files.iter().any(|f| f.id == file) {
                hidden.entry(file).or_default().push(*position);
            }
        }
        hidden.values_mut().for_each(|positions| positions.sort_unstable());
        hidden
    }

    /// The rows at a snapshot, with the table's columns as they are there.
    pub async fn rows_at(&self, store: &Store, table: TableId, at: SnapshotId) -> Result<Option<InlinedRows>> {
        let visible = |row: &&InlinedRow| row.begin <= at.get() && row.end.is_none_or(|end| end > at.get());
        if !self.batches.iter().any(|b| b.rows.iter().any(|r| visible(&r))) {
            return Ok(None);
        }
        let columns = columns_at(store, table, at.get()).await?;
        let mut rows = Vec::new();
        for batch in &self.batches {
            let from: Vec<Option<usize>> =
                columns.iter().map(|c| batch.columns.iter().position(|id| *id == c.id)).collect();
            for row in batch.rows.iter().filter(visible) {
                let values = columns.iter().zip(&from).map(|(column, from)| match from {
                    Some(position) => row.values.get(*position).cloned().flatten(),
                    None => column.initial_default.clone(),
                });
                rows.push(values.collect());
            }
        }
        let columns = columns.into_iter().map(|c| c.name).collect();
        Ok(Some(InlinedRows { table, columns, rows }))
    }
}

async fn batch(store: &Store, table: TableId, name: &str, begin: Option<i64>) -> Result<Option<Batch>> {
    let names = store.columns_of(name).await?;
    // Its columns have the names that the table's had when it was made.
    let known: HashMap<String, (i64, Kind)> = match begin {
        Some(begin) => columns_at(store, table, begin).await?.into_iter().map(|c| (c.name, (c.id, c.kind))).collect(),
        None => HashMap::new(),
    };
    let own = names.get(OWN_COLUMNS..).unwrap_or_default();
    if own.is_empty() {
        return Ok(None);
    }
    let columns: Vec<(i64, Kind)> = own.iter().map(|n| known.get(n).copied().unwrap_or((-1, Kind::Other))).collect();
    let select: Vec<String> = own
        .iter()
        .map(|name| match store.dialect() {
            Dialect::Sqlite => quote(name),
            Dialect::Postgres => format!("CAST({} AS TEXT)", quote(name)),
        })
        .collect();
    let sql = format!(
        "SELECT begin_snapshot, end_snapshot, {} FROM @{} ORDER BY row_id, begin_snapshot",
        select.join(", "),
        quote(name)
    );
    let mut rows = Vec::new();
    for row in store.query(&sql, vec![]).await? {
        let values = columns.iter().enumerate().map(|(at, (_, kind))| value(&row, at + 2, *kind, store.dialect()));
        rows.push(InlinedRow { begin: row.int(0)?, end: row.opt_int(1)?, values: values.collect::<Result<_>>()? });
    }
    Ok(Some(Batch { columns: columns.into_iter().map(|(id, _)| id).collect(), rows }))
}

/// A value as text that DuckDB casts to the column's type.
fn value(row: &Row, at: usize, kind: Kind, dialect: Dialect) -> Result<Option<String>> {
    use crate::store::Value;
    // Postgres' own text of bytes: one `\x`, then all digits.
    let hex = |text: &str| (dialect == Dialect::Postgres).then(|| text.strip_prefix("\\x").and_then(unhex)).flatten();
    Ok(match (row.get(at)?, kind) {
        (Value::Text(text), Kind::Blob) => Some(escape(&hex(text).unwrap_or_else(|| text.clone().into_bytes()))),
        (Value::Text(text), Kind::Text) => Some(match hex(text) {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => text.clone(),
        }),
        (Value::Blob(bytes), _) => Some(escape(bytes)),
        _ => row.opt_text(at)?,
    })
}

fn escape(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02X}")).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    digits.as_bytes().chunks(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

struct Column {
    id: i64,
    name: String,
    initial_default: Option<String>,
    kind: Kind,
}

/// How a store keeps inlined values of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// As bytes.
    Blob,
    /// As text; in Postgres as its bytes, which can hold a NUL.
    Text,
    /// As something that its text says.
    Other,
}

async fn columns_at(store: &Store, table: TableId, at: i64) -> Result<Vec<Column>> {
    let rows = store
        .query(
            "SELECT column_id, column_name, initial_default, column_type FROM @ducklake_column
             WHERE table_id = $1 AND parent_column IS NULL
                 AND begin_snapshot <= $2 AND (end_snapshot IS NULL OR end_snapshot > $2)
             ORDER BY column_order, column_id",
            params![table, at],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Column {
                id: row.int(0)?,
                name: row.text(1)?,
                initial_default: row.opt_text(2)?,
                kind: match ColumnType::from_ducklake(&row.text(3)?) {
                    ColumnType::Bytea => Kind::Blob,
                    ColumnType::Text | ColumnType::Json => Kind::Text,
                    _ => Kind::Other,
                },
            })
        })
        .collect()
}
