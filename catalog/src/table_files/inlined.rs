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
                "SELECT i.table_name, MIN(v.begin_snapshot) FROM @ducklake_inlined_data_tables i
                 LEFT JOIN @ducklake_schema_versions v
                     ON v.table_id = i.table_id AND v.schema_version = i.schema_version
                 WHERE i.table_id = $1 GROUP BY i.table_name, i.schema_version ORDER BY i.schema_version",
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
            let sql = format!(
                "SELECT file_id, row_id, begin_snapshot FROM @{}",
                quote(&name)
            );
            for row in store.query(&sql, vec![]).await? {
                inlined
                    .deletes
                    .push((row.int(0)?, row.count(1)?, row.int(2)?));
            }
        }
        Ok(inlined)
    }

    /// The snapshots at which they change.
    pub fn steps(&self) -> Vec<i64> {
        let rows = self.batches.iter().flat_map(|b| &b.rows);
        rows.flat_map(|r| [Some(r.begin), r.end])
            .flatten()
            .chain(self.deletes.iter().map(|d| d.2))
            .collect()
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
        hidden
            .values_mut()
            .for_each(|positions| positions.sort_unstable());
        hidden
    }

    /// The rows at a snapshot, with the table's columns as they are there.
    pub async fn rows_at(
        &self,
        store: &Store,
        table: TableId,
        at: SnapshotId,
    ) -> Result<Option<InlinedRows>> {
        let visible =
            |row: &&InlinedRow| row.begin <= at.get() && row.end.is_none_or(|end| end > at.get());
        if !self
            .batches
            .iter()
            .any(|b| b.rows.iter().any(|r| visible(&r)))
        {
            return Ok(None);
        }
        let columns = columns_at(store, table, at.get()).await?;
        let mut rows = Vec::new();
        for batch in &self.batches {
            let from: Vec<Option<usize>> = columns
                .iter()
                .map(|c| batch.columns.iter().position(|id| *id == c.id))
                .collect();
            for row in batch.rows.iter().filter(visible) {
                let values = columns.iter().zip(&from).map(|(column, from)| match from {
                    Some(position) => row.values.get(*position).cloned().flatten(),
                    None => column.initial_default.clone(),
                });
                rows.push(values.collect());
            }
        }
        let columns = columns.into_iter().map(|c| c.name).collect();
        Ok(Some(InlinedRows {
            table,
            columns,
            rows,
        }))
    }
}

async fn batch(
    store: &Store,
    table: TableId,
    name: &str,
    begin: Option<i64>,
) -> Result<Option<Batch>> {
    let names = store.columns_of(name).await?;
    // Its columns have the names that the table's had when it was made.
    let known: HashMap<String, (i64, bool)> = match begin {
        Some(begin) => columns_at(store, table, begin)
            .await?
            .into_iter()
            .map(|c| (c.name, (c.id, c.is_blob)))
            .collect(),
        None => HashMap::new(),
    };
    let own = names.get(OWN_COLUMNS..).unwrap_or_default();
    if own.is_empty() {
        return Ok(None);
    }
    let columns: Vec<(i64, bool)> = own
        .iter()
        .map(|n| known.get(n).copied().unwrap_or((-1, false)))
        .collect();
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
        let values = columns
            .iter()
            .enumerate()
            .map(|(at, (_, is_blob))| value(&row, at + 2, *is_blob));
        rows.push(InlinedRow {
            begin: row.int(0)?,
            end: row.opt_int(1)?,
            values: values.collect::<Result<_>>()?,
        });
    }
    Ok(Some(Batch {
        columns: columns.into_iter().map(|(id, _)| id).collect(),
        rows,
    }))
}

/// A value as text that DuckDB casts to the column's type.
fn value(row: &Row, at: usize, is_blob: bool) -> Result<Option<String>> {
    use crate::store::Value;
    Ok(match row.get(at)? {
        Value::Blob(bytes) if is_blob => Some(escape(bytes)),
        // Postgres' own text of bytes: one `\x`, then all digits.
        Value::Text(text) if is_blob && text.starts_with("\\x") => {
            Some(escape_hex(text.trim_start_matches("\\x")))
        }
        Value::Text(text) if is_blob => Some(escape(text.as_bytes())),
        _ => row.opt_text(at)?,
    })
}

fn escape(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02X}")).collect()
}

fn escape_hex(digits: &str) -> String {
    let digits: Vec<char> = digits.chars().collect();
    digits
        .chunks(2)
        .map(|pair| format!("\\x{}", pair.iter().collect::<String>().to_uppercase()))
        .collect()
}

struct Column {
    id: i64,
    name: String,
    initial_default: Option<String>,
    is_blob: bool,
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
                is_blob: ColumnType::from_ducklake(&row.text(3)?) == ColumnType::Bytea,
            })
        })
        .collect()
}
