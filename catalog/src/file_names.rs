//! The names of all files that a lake's catalog knows, of whatever snapshot: what must never be swept, and what must be there.

use crate::{Catalog, LakeId, catalog::Result, params};

/// Rows read at once.
const PAGE: i64 = 10_000;

impl Catalog {
    /// Calls `each` with the path and the size of every file below the lake's data path that some snapshot still reads.
    pub async fn each_live_file(&self, lake: LakeId, mut each: impl FnMut(&str, u64) + Send) -> Result<()> {
        let book = self.book(lake).await?;
        for sql in [
            "SELECT data_file_id, path, file_size_bytes FROM @ducklake_data_file
             WHERE data_file_id > $1 AND path_is_relative ORDER BY data_file_id LIMIT $2",
            "SELECT delete_file_id, path, file_size_bytes FROM @ducklake_delete_file
             WHERE delete_file_id > $1 AND path_is_relative ORDER BY delete_file_id LIMIT $2",
        ] {
            let mut after = -1;
            loop {
                let rows = book.store.query(sql, params![after, PAGE]).await?;
                for row in &rows {
                    after = row.int(0)?;
                    each(&row.text(1)?, row.int(2)?.unsigned_abs());
                }
                if rows.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Calls `each` with the last part of the path of every file that any snapshot ever had, and of those that another
    /// program is about to delete by DuckLake's own list.
    pub async fn each_file_name(&self, lake: LakeId, mut each: impl FnMut(&str) + Send) -> Result<()> {
        let book = self.book(lake).await?;
        let mut name = |path: &str| each(path.rsplit('/').next().unwrap_or(path));
        for sql in [
            "SELECT data_file_id, path FROM @ducklake_data_file WHERE data_file_id > $1 ORDER BY data_file_id LIMIT $2",
            "SELECT delete_file_id, path FROM @ducklake_delete_file WHERE delete_file_id > $1
             ORDER BY delete_file_id LIMIT $2",
        ] {
            let mut after = -1;
            loop {
                let rows = book.store.query(sql, params![after, PAGE]).await?;
                for row in &rows {
                    after = row.int(0)?;
                    name(&row.text(1)?);
                }
                if rows.is_empty() {
                    break;
                }
            }
        }
        let scheduled = "SELECT path FROM @ducklake_files_scheduled_for_deletion";
        for row in book.store.query(scheduled, vec![]).await? {
            if let Some(path) = row.opt_text(0)? {
                name(&path);
            }
        }
        Ok(())
    }
}
