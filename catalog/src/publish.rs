//! The one transaction that changes what readers may see.
//!
//! It checks the epoch, checks that the watermark is still the one that was read, applies the DDL, inserts the DuckLake
//! snapshot, its changes, files and statistics, and moves the watermark: all of it, or nothing. A merge of files shows the
//! same rows in a new snapshot; it leaves the watermark alone.

mod commit;
mod diff;
mod expire;
mod files;
mod inlined;
mod merge;
mod stats;
mod truncate;

pub use expire::Expired;
pub use merge::Merge;
use uuid::Uuid;

use crate::{
    ddl::DdlOp,
    files::NewFile,
    ids::{Epoch, LakeId, Offset, SnapshotId},
    rejected_rows::RejectedRow,
};

/// What to publish: the effect of the log's offsets above `expected_watermark` up to `new_watermark`.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The lake.
    pub lake: LakeId,
    /// The publisher's epoch; an old one is refused as [`crate::ErrorKind::Fenced`].
    pub epoch: Epoch,
    /// The watermark this publication was planned from; another one is refused as [`crate::ErrorKind::WatermarkMoved`].
    pub expected_watermark: Offset,
    /// The watermark after it.
    pub new_watermark: Offset,
    /// Schema changes, in order, before the files. Only with `ddl_offset`.
    pub ddl: Vec<DdlOp>,
    /// The offset of the DDL frame, where this publication has one.
    pub ddl_offset: Option<Offset>,
    /// Files by table uuid; tables that `ddl` makes may be named.
    pub files: Vec<(Uuid, Vec<NewFile>)>,
    /// Offsets in the range that are not applied, with the reason.
    pub rejected: Vec<Rejection>,
    /// Rows that writes in the range left out themselves, by offset.
    pub rejected_rows: Vec<(Offset, Vec<RejectedRow>)>,
}

/// An offset that could not be applied. It is recorded in the same transaction that moves the watermark over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// First offset of the record.
    pub offset: Offset,
    /// Why; shown to users in `duckmesh.dead_letters`.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The frame's bytes, kept for an operator; empty where they are unreadable.
    pub frame: Vec<u8>,
    /// Who is to learn that it is missing.
    pub missing_from: MissingFrom,
}

/// The tables whose readers are to be told that a write is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingFrom {
    /// None: who wrote it was told, because it was never acknowledged; or an operator has dealt with it.
    Nothing,
    /// These, by uuid.
    Tables(Vec<Uuid>),
    /// Any: nobody can read what it was.
    Anything,
}

/// What a publication made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The lake's snapshot after it. Without DDL and files no new snapshot is made, only the watermark moves.
    pub snapshot: SnapshotId,
    /// The watermark after it.
    pub watermark: Offset,
}
