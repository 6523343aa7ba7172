//! The identities of things; each is its own type, so that one cannot be given for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Wraps a number that came from a store or was computed from one.
            #[must_use]
            pub const fn new(value: i64) -> Self {
                Self(value)
            }

            /// The number, as stores and the wire write it.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }

            /// The identity after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A lake: one database of the server. Never given twice, also not after `DROP DATABASE`.
    LakeId
);
id!(
    /// A schema of a lake (DuckLake `schema_id`).
    SchemaId
);
id!(
    /// A table of a lake (DuckLake `table_id`).
    TableId
);
id!(
    /// A view of a lake (DuckLake `view_id`).
    ViewId
);
id!(
    /// A sequence of a lake. Its numbers are those of DuckLake's `next_catalog_id`.
    SequenceId
);
id!(
    /// A type that a user made. Its numbers are those of DuckLake's `next_catalog_id`.
    TypeId
);
id!(
    /// A column of a table (DuckLake `column_id`, and the Parquet `field_id`). Unique within its table, for ever.
    ColumnId
);
id!(
    /// A data file or delete file (DuckLake `data_file_id`, `delete_file_id`).
    FileId
);
id!(
    /// A snapshot of a lake (DuckLake `snapshot_id`).
    SnapshotId
);
id!(
    /// A position in a lake's log. The first frame has offset 1; offsets are dense. 0 is "before everything".
    Offset
);
id!(
    /// The right to publish for a lake; every takeover raises it.
    Epoch
);

impl Offset {
    /// Before the first frame.
    pub const ZERO: Self = Self(0);
}

/// The name of a lake, as it stands in `dbname=`: 1 to 63 bytes without NUL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LakeName(String);

impl LakeName {
    /// Takes a name that is fit for a lake, else `None`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        (!name.is_empty() && name.len() <= 63 && !name.contains('\0')).then(|| Self(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LakeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
