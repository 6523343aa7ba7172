//! Rows that COPY left out with ON_ERROR ignore: all are counted, the first are kept.

/// Rows that are kept with their text; all later ones are only counted.
pub const ROWS_KEPT_MAX: usize = 1_000;
/// Bytes of text that are kept together.
pub const BYTES_KEPT_MAX: usize = 1 << 20;
/// Bytes that are kept of one line.
pub const TEXT_BYTES_MAX: usize = 1024;

/// A row that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// The line it ends on, from 1.
    pub line: u64,
    /// The column whose value was refused.
    pub column: String,
    /// The beginning of the value; none for NULL.
    pub value: Option<String>,
    /// The beginning of the line.
    pub text: String,
    /// What the value's type said.
    pub reason: String,
}

/// The rows that were left out.
#[derive(Debug, Default)]
pub struct Rejected {
    kept: Vec<RejectedRow>,
    bytes: usize,
    count: u64,
}

impl Rejected {
    /// Counts a row, and keeps it while there is room.
    pub fn push(&mut self, row: RejectedRow) {
        self.count += 1;
        let bytes = row.text.len() + row.reason.len() + row.column.len() + row.value.as_ref().map_or(0, String::len);
        if self.kept.len() < ROWS_KEPT_MAX && self.bytes + bytes <= BYTES_KEPT_MAX {
            self.bytes += bytes;
            self.kept.push(row);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Counts those of another part of the COPY too, and keeps what there is room for.
    pub fn add(&mut self, other: &mut Self) {
        self.count += other.count.saturating_sub(other.kept.len() as u64);
        other.count = 0;
        other.take().into_iter().for_each(|row| self.push(row));
        self.kept.sort_by_key(|row| row.line);
    }

    /// Takes those that were kept: the first ones.
    pub fn take(&mut self) -> Vec<RejectedRow> {
        std::mem::take(&mut self.kept)
    }
}
