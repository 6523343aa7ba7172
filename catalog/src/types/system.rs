//! Types of Postgres' own catalog: how their values are held.

use serde::{Deserialize, Serialize};

use super::{ColumnType, oid};

/// A type of Postgres' own catalog, by how its values are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SystemType {
    /// `oid`, `regclass`, `xid` and other numbers of four bytes, by their oid: held as `bigint`.
    Number(u32),
    /// `name`, `"char"`, `aclitem`, `pg_node_tree` and others that are text, by their oid: held as `text`.
    Text(u32),
    /// What stands in an `int2vector` or `oidvector`, by the vector's oid.
    Element(u32),
}

impl SystemType {
    /// Postgres' oid.
    #[must_use]
    pub fn oid(self) -> u32 {
        match self {
            Self::Number(oid) | Self::Text(oid) => oid,
            Self::Element(oid::INT2VECTOR) => oid::INT2,
            Self::Element(_) => oid::OID,
        }
    }

    /// The type that holds its values.
    #[must_use]
    pub fn base(self) -> ColumnType {
        match self {
            Self::Number(_) => ColumnType::Int8,
            Self::Text(_) => ColumnType::Text,
            Self::Element(oid::INT2VECTOR) => ColumnType::Int2,
            Self::Element(_) => ColumnType::Int8,
        }
    }

    /// Whether its text form is the name of what its number stands for: `regclass` and its like.
    #[must_use]
    pub fn is_named(self) -> bool {
        matches!(self, Self::Number(number) if oid::is_named(number))
    }

    /// Whether a table may have a column of it: what its number stands for is found by its name.
    #[must_use]
    pub fn is_kept(self) -> bool {
        matches!(
            self.oid(),
            oid::REGCLASS | oid::REGTYPE | oid::REGPROC | oid::REGPROCEDURE | oid::REGNAMESPACE | oid::REGROLE
        )
    }

    pub(super) fn typlen(self) -> i16 {
        match self {
            Self::Number(oid::XID8) => 8,
            Self::Number(_) => 4,
            Self::Text(oid::NAME) => 64,
            Self::Text(oid::CHAR) => 1,
            Self::Text(oid::ACLITEM) => 12,
            Self::Text(oid::VOID) => 4,
            Self::Text(_) => -1,
            Self::Element(_) => self.base().typlen(),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self.oid() {
            oid::OID => "oid",
            oid::NAME => "name",
            oid::CHAR => "\"char\"",
            oid::XID => "xid",
            oid::XID8 => "xid8",
            oid::CID => "cid",
            oid::INT2 => "smallint",
            oid::REGPROC => "regproc",
            oid::REGPROCEDURE => "regprocedure",
            oid::REGOPER => "regoper",
            oid::REGOPERATOR => "regoperator",
            oid::REGDICTIONARY => "regdictionary",
            oid::REGCLASS => "regclass",
            oid::REGTYPE => "regtype",
            oid::REGNAMESPACE => "regnamespace",
            oid::REGROLE => "regrole",
            oid::ACLITEM => "aclitem",
            oid::VOID => "void",
            oid::PG_NODE_TREE => "pg_node_tree",
            oid::ANYARRAY => "anyarray",
            oid::JSONPATH => "jsonpath",
            oid::PG_LSN => "pg_lsn",
            _ => "unknown",
        }
    }
}
