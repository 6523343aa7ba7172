//! Postgres' object ids of types.

#![allow(missing_docs)] // names of constants are the types'

pub const BOOL: u32 = 16;
pub const BYTEA: u32 = 17;
pub const CHAR: u32 = 18;
pub const NAME: u32 = 19;
pub const INT8: u32 = 20;
pub const INT2: u32 = 21;
pub const INT4: u32 = 23;
pub const REGPROC: u32 = 24;
pub const VOID: u32 = 2278;
pub const TEXT: u32 = 25;
pub const OID: u32 = 26;
pub const JSON: u32 = 114;
pub const FLOAT4: u32 = 700;
pub const FLOAT8: u32 = 701;
pub const UNKNOWN: u32 = 705;
pub const BPCHAR: u32 = 1042;
pub const VARCHAR: u32 = 1043;
pub const DATE: u32 = 1082;
pub const TIME: u32 = 1083;
pub const TIMESTAMP: u32 = 1114;
pub const TIMESTAMPTZ: u32 = 1184;
pub const INTERVAL: u32 = 1186;
pub const TIMETZ: u32 = 1266;
pub const NUMERIC: u32 = 1700;
pub const MONEY: u32 = 790;
pub const REGCLASS: u32 = 2205;
pub const REGTYPE: u32 = 2206;
pub const REGPROCEDURE: u32 = 2202;
pub const REGOPER: u32 = 2203;
pub const REGOPERATOR: u32 = 2204;
pub const REGDICTIONARY: u32 = 3769;
pub const REGNAMESPACE: u32 = 4089;
pub const REGROLE: u32 = 4096;
pub const XID: u32 = 28;
pub const CID: u32 = 29;
pub const XID8: u32 = 5069;
pub const INT2VECTOR: u32 = 22;
pub const OIDVECTOR: u32 = 30;
pub const ACLITEM: u32 = 1033;
pub const PG_NODE_TREE: u32 = 194;
pub const ANYARRAY: u32 = 2277;
pub const INET: u32 = 869;
pub const PG_LSN: u32 = 3220;
pub const RECORD: u32 = 2249;
pub const RECORD_ARRAY: u32 = 2287;
pub const UUID: u32 = 2950;
pub const JSONB: u32 = 3802;
pub const JSONPATH: u32 = 4072;

/// The oid of the array over a scalar type's oid, where Postgres has one.
#[must_use]
pub fn array_of(element: u32) -> Option<u32> {
    if let Some(ty) = super::TextType::of_oid(element) {
        return Some(ty.array_oid());
    }
    Some(match element {
        BOOL => 1000,
        BYTEA => 1001,
        CHAR => 1002,
        NAME => 1003,
        INT8 => 1016,
        INT2 => 1005,
        INT4 => 1007,
        TEXT => 1009,
        OID => 1028,
        JSON => 199,
        FLOAT4 => 1021,
        FLOAT8 => 1022,
        BPCHAR => 1014,
        VARCHAR => 1015,
        DATE => 1182,
        TIME => 1183,
        TIMESTAMP => 1115,
        TIMESTAMPTZ => 1185,
        INTERVAL => 1187,
        NUMERIC => 1231,
        MONEY => 791,
        UUID => 2951,
        JSONB => 3807,
        JSONPATH => 4073,
        REGPROC => 1008,
        REGPROCEDURE => 2207,
        REGOPER => 2208,
        REGOPERATOR => 2209,
        REGDICTIONARY => 3770,
        REGCLASS => 2210,
        REGTYPE => 2211,
        REGNAMESPACE => 4090,
        REGROLE => 4097,
        XID => 1011,
        CID => 1012,
        XID8 => 271,
        ACLITEM => 1034,
        PG_LSN => 3221,
        _ => return None,
    })
}

/// Whether the text form of its values is the name of what their number stands for.
#[must_use]
pub const fn is_named(oid: u32) -> bool {
    matches!(
        oid,
        REGPROC | REGPROCEDURE | REGOPER | REGOPERATOR | REGDICTIONARY | REGCLASS | REGTYPE | REGNAMESPACE | REGROLE
    )
}

/// The element's oid of an array type's oid.
#[must_use]
pub fn element_of(array: u32) -> Option<u32> {
    if let Some(ty) = super::TextType::of_array_oid(array) {
        return Some(ty.oid());
    }
    [
        BOOL,
        BYTEA,
        CHAR,
        NAME,
        INT8,
        INT2,
        INT4,
        TEXT,
        OID,
        JSON,
        FLOAT4,
        FLOAT8,
        BPCHAR,
        VARCHAR,
        DATE,
        TIME,
        TIMESTAMP,
        TIMESTAMPTZ,
        INTERVAL,
        NUMERIC,
        MONEY,
        UUID,
        JSONB,
        REGPROC,
        REGPROCEDURE,
        REGCLASS,
        REGTYPE,
        REGNAMESPACE,
        REGROLE,
        XID,
        CID,
        XID8,
        ACLITEM,
        PG_LSN,
    ]
    .into_iter()
    .find(|e| array_of(*e) == Some(array))
}
