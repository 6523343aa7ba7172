//! Where things stand in a record's bytes. All integers are little-endian.
//!
//! ```text
//! header   0  magic "DMR"          3
//!          3  version              1
//!          4  CRC32C of bytes 8..  4
//!          8  flags (1 = zstd)     1
//!          9  zero                 3
//!         12  payload length       4   uncompressed
//! payload  0  made_for             8
//!          8  kind                 1   1 = shared rows, 2 = parts
//!          9  zero                 3
//!         12  offsets covered      4
//! shared rows: table uuid 16, columns u32, ids i64 each, rows per offset u32 each, zeros to 16, Arrow IPC stream
//! parts:       parts u32, then each: tag u8 (1 rows, 2 files, 3 ddl), length u32, content
//!   rows:      table uuid 16, columns u32, ids i64 each, Arrow IPC stream
//!   files:     table uuid 16, JSON list of files
//!   ddl:       JSON list of operations
//! ```

/// First bytes of every record.
pub(super) const MAGIC: [u8; 3] = *b"DMR";
/// The one format there is.
pub(super) const VERSION: u8 = 1;
/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 16;
/// Bytes of a payload before its content.
pub(super) const PREFIX_BYTES: usize = 16;
/// Header flag: the payload is compressed with zstd.
pub(super) const FLAG_ZSTD: u8 = 1;

/// Kind: rows of one or more frames in one batch.
pub(super) const KIND_ROWS: u8 = 1;
/// Kind: one frame's parts.
pub(super) const KIND_PARTS: u8 = 2;
/// Part tags.
pub(super) const PART_ROWS: u8 = 1;
pub(super) const PART_FILES: u8 = 2;
pub(super) const PART_DDL: u8 = 3;
pub(super) const PART_REJECTED: u8 = 4;

/// Where the Arrow bytes of shared rows begin is a multiple of this, so that reading them copies nothing.
pub(super) const ALIGN: usize = 16;
/// Payloads below this are not worth a compressor's start.
pub(super) const COMPRESS_BYTES_MIN: usize = 1024;
/// Speed matters more than size: the log is short-lived.
pub(super) const ZSTD_LEVEL: i32 = 1;

/// Uncompressed payload: above the largest group, and what a hostile length may make a reader allocate.
pub(super) const PAYLOAD_BYTES_MAX: usize = 256 << 20;
/// Columns of a table (Postgres' limit is 1,600).
pub(super) const COLUMNS_MAX: usize = 4096;
/// Offsets in one record.
pub(super) const OFFSETS_MAX: usize = 1 << 16;
/// Parts of one frame.
pub(super) const PARTS_MAX: usize = 1 << 16;
