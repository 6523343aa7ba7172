//! An expression as PostgreSQL keeps it after parsing: types known, casts in place.

use duckmesh_catalog::ColumnType;

/// A type as far as deparsing tells types apart: without its modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    Varchar,
    Char,
    Bytea,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Interval,
    Uuid,
    Json,
    Jsonb,
    /// An enum, by its oid.
    Enum(u32),
    /// Any other: its columns can be shown, and nothing be done with them.
    Other,
}

impl Class {
    /// The class of a type.
    pub fn of(ty: &ColumnType) -> Self {
        use ColumnType as T;
        match ty.bare() {
            T::Bool => Self::Bool,
            T::Int2 => Self::Int2,
            T::Int4 => Self::Int4,
            T::Int8 => Self::Int8,
            T::Float4 => Self::Float4,
            T::Float8 => Self::Float8,
            T::Numeric(..) => Self::Numeric,
            T::Text => Self::Text,
            T::Varchar(_) => Self::Varchar,
            T::Char(_) => Self::Char,
            T::Bytea => Self::Bytea,
            T::Date => Self::Date,
            T::Time => Self::Time,
            T::Timestamp => Self::Timestamp,
            T::Timestamptz => Self::Timestamptz,
            T::Interval => Self::Interval,
            T::Uuid => Self::Uuid,
            T::Json => Self::Json,
            T::Jsonb => Self::Jsonb,
            T::Enum(of) if of.id.get() != 0 => Self::Enum(of.oid()),
            _ => Self::Other,
        }
    }

    /// Its name in a cast.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Int2 => "smallint",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Float4 => "real",
            Self::Float8 => "double precision",
            Self::Numeric => "numeric",
            Self::Text => "text",
            Self::Varchar => "character varying",
            Self::Char => "bpchar",
            Self::Bytea => "bytea",
            Self::Date => "date",
            Self::Time => "time without time zone",
            Self::Timestamp => "timestamp without time zone",
            Self::Timestamptz => "timestamp with time zone",
            Self::Interval => "interval",
            Self::Uuid => "uuid",
            Self::Json => "json",
            Self::Jsonb => "jsonb",
            // Its name is what the printer is told.
            Self::Enum(_) | Self::Other => "unknown",
        }
    }

    pub fn is_integer(self) -> bool {
        matches!(self, Self::Int2 | Self::Int4 | Self::Int8)
    }

    pub fn is_float(self) -> bool {
        matches!(self, Self::Float4 | Self::Float8)
    }

    pub fn is_number(self) -> bool {
        self.is_integer() || self.is_float() || self == Self::Numeric
    }

    pub fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Varchar | Self::Char)
    }

    pub fn is_day(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp | Self::Timestamptz)
    }
}

/// AND, OR, NOT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logic {
    And,
    Or,
    Not,
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A column, as it is shown.
    Var(String),
    /// A column of a domain.
    Domain(String),
    /// A constant of a type.
    Const(String, Class),
    /// NULL of a type.
    Null(Class),
    Op(&'static str, Option<Box<Node>>, Box<Node>),
    /// `x = ANY (y)`.
    Any(Box<Node>, &'static str, bool, Box<Node>),
    Array(Vec<Node>),
    /// A call: name and arguments; those in SQL's own syntax are `Words`.
    Call(String, Vec<Node>),
    /// A call with words between its arguments: `EXTRACT(year FROM x)`. Casts that nobody wrote are not shown in it.
    Words(Vec<String>, Vec<Node>),
    /// COALESCE and its kin.
    Choice(&'static str, Vec<Node>),
    /// To a type's name; whether nobody wrote it; whether it changes nothing but the type's name.
    Cast(Box<Node>, String, bool, bool),
    Logic(Logic, Vec<Node>),
    /// `x IS NULL` and its kin; whether it is about a boolean.
    Test(Box<Node>, &'static str),
    Distinct(Box<Node>, Box<Node>),
    Case(Option<Box<Node>>, Vec<(Node, Node)>, Option<Box<Node>>),
    /// `CURRENT_DATE`.
    Word(&'static str),
}

/// A node and its type; none: a text constant that has none yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed {
    pub node: Node,
    pub class: Option<Class>,
}

impl Typed {
    pub fn new(node: Node, class: Class) -> Self {
        Self { node, class: Some(class) }
    }
}
