//! Values and rows in the one form that both stores give and take.

use chrono::{DateTime, Utc};

use super::Result;
use crate::error::{Error, ErrorKind};

/// A parameter or a field. Uuids and timestamps are text (`2026-11-20 16:50:10.931943+00`); booleans may come as 0 and 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// Whole number.
    Int(i64),
    /// Text; also uuid and timestamp with time zone.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// Boolean; SQLite keeps 0 and 1.
    Bool(bool),
    /// Floating point number.
    Float(f64),
}

macro_rules! from {
    ($($ty:ty => $value:ident $how:expr),* $(,)?) => { $(impl From<$ty> for Value {
        fn from($value: $ty) -> Self { $how }
    })* };
}

from! {
    i64 => v Self::Int(v),
    i32 => v Self::Int(v.into()),
    u32 => v Self::Int(v.into()),
    bool => v Self::Bool(v),
    f64 => v Self::Float(v),
    String => v Self::Text(v),
    &String => v Self::Text(v.clone()),
    &str => v Self::Text(v.to_owned()),
    Vec<u8> => v Self::Blob(v),
    &[u8] => v Self::Blob(v.to_vec()),
    uuid::Uuid => v Self::Text(v.to_string()),
    DateTime<Utc> => v Self::Text(time_text(v)),
    // A count above i64 cannot be in a store; nothing that we count gets there.
    u64 => v Self::Int(i64::try_from(v).unwrap_or(i64::MAX)),
    crate::ids::LakeId => v Self::Int(v.get()),
    crate::ids::SchemaId => v Self::Int(v.get()),
    crate::ids::TableId => v Self::Int(v.get()),
    crate::ids::ViewId => v Self::Int(v.get()),
    crate::ids::SequenceId => v Self::Int(v.get()),
    crate::ids::TypeId => v Self::Int(v.get()),
    crate::ids::ColumnId => v Self::Int(v.get()),
    crate::ids::FileId => v Self::Int(v.get()),
    crate::ids::SnapshotId => v Self::Int(v.get()),
    crate::ids::Offset => v Self::Int(v.get()),
    crate::ids::Epoch => v Self::Int(v.get()),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// The field at a position.
    pub fn get(&self, at: usize) -> Result<&Value> {
        self.0.get(at).ok_or_else(|| wrong(at, "a field", None))
    }

    /// A whole number.
    pub fn int(&self, at: usize) -> Result<i64> {
        self.opt_int(at)?.ok_or_else(|| wrong(at, "a number", None))
    }

    /// A whole number or NULL.
    pub fn opt_int(&self, at: usize) -> Result<Option<i64>> {
        match self.get(at)? {
            Value::Null => Ok(None),
            Value::Int(v) => Ok(Some(*v)),
            Value::Bool(v) => Ok(Some(i64::from(*v))),
            // SQLite keeps what it was given; a foreign writer may have given digits.
            Value::Text(text) => text.parse().map(Some).map_err(|_| wrong(at, "a number", self.0.get(at))),
            other => Err(wrong(at, "a number", Some(other))),
        }
    }

    /// A count: a number that is not negative.
    pub fn count(&self, at: usize) -> Result<u64> {
        u64::try_from(self.int(at)?).map_err(|_| wrong(at, "a count", self.0.get(at)))
    }

    /// A count or NULL.
    pub fn opt_count(&self, at: usize) -> Result<Option<u64>> {
        match self.opt_int(at)? {
            None => Ok(None),
            Some(v) => u64::try_from(v).map(Some).map_err(|_| wrong(at, "a count", self.0.get(at))),
        }
    }

    /// A boolean.
    pub fn bool(&self, at: usize) -> Result<bool> {
        self.opt_bool(at)?.ok_or_else(|| wrong(at, "a boolean", None))
    }

    /// A boolean or NULL.
    pub fn opt_bool(&self, at: usize) -> Result<Option<bool>> {
        match self.get(at)? {
            Value::Null => Ok(None),
            Value::Bool(v) => Ok(Some(*v)),
            Value::Int(v) => Ok(Some(*v != 0)),
            Value::Text(text) => match text.as_str() {
                "true" | "t" | "1" => Ok(Some(true)),
                "false" | "f" | "0" => Ok(Some(false)),
                _ => Err(wrong(at, "a boolean", self.0.get(at))),
            },
            other => Err(wrong(at, "a boolean", Some(other))),
        }
    }

    /// Text.
    pub fn text(&self, at: usize) -> Result<String> {
        self.opt_text(at)?.ok_or_else(|| wrong(at, "text", None))
    }

    /// Text or NULL. A number that SQLite gives for a text column comes as its digits.
    pub fn opt_text(&self, at: usize) -> Result<Option<String>> {
        Ok(match self.get(at)? {
            Value::Null => None,
            Value::Text(v) => Some(v.clone()),
            Value::Int(v) => Some(v.to_string()),
            Value::Float(v) => Some(v.to_string()),
            Value::Bool(v) => Some(v.to_string()),
            Value::Blob(v) => Some(String::from_utf8(v.clone()).map_err(|_| wrong(at, "text", self.0.get(at)))?),
        })
    }

    /// Bytes.
    pub fn blob(&self, at: usize) -> Result<Vec<u8>> {
        self.opt_blob(at)?.ok_or_else(|| wrong(at, "bytes", None))
    }

    /// Bytes or NULL.
    pub fn opt_blob(&self, at: usize) -> Result<Option<Vec<u8>>> {
        match self.get(at)? {
            Value::Null => Ok(None),
            Value::Blob(v) => Ok(Some(v.clone())),
            other => Err(wrong(at, "bytes", Some(other))),
        }
    }

    /// A timestamp with time zone.
    pub fn time(&self, at: usize) -> Result<DateTime<Utc>> {
        let text = self.text(at)?;
        parse_time(&text).ok_or_else(|| wrong(at, "a timestamp", self.0.get(at)))
    }

    /// A uuid.
    pub fn uuid(&self, at: usize) -> Result<uuid::Uuid> {
        uuid::Uuid::parse_str(&self.text(at)?).map_err(|_| wrong(at, "a uuid", self.0.get(at)))
    }
}

/// A timestamp as DuckLake writes it into SQLite.
pub(crate) fn time_text(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
}

/// The timestamp of a text that DuckLake wrote: any offset of hours, with or without minutes and fraction.
pub(crate) fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let full = match text.get(text.len().checked_sub(3)?..)?.as_bytes() {
        [b'+' | b'-', a, b] if a.is_ascii_digit() && b.is_ascii_digit() => format!("{text}:00"),
        _ => text.to_owned(),
    };
    DateTime::parse_from_str(&full, "%Y-%m-%d %H:%M:%S%.f%:z").ok().map(|t| t.with_timezone(&Utc))
}

fn wrong(at: usize, expected: &str, got: Option<&Value>) -> Error {
    let kind = match got {
        None | Some(Value::Null) => "nothing",
        Some(Value::Int(_)) => "a number",
        Some(Value::Text(_)) => "text",
        Some(Value::Blob(_)) => "bytes",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Float(_)) => "a floating point number",
    };
    Error::new(ErrorKind::Corrupt, format!("the store gave {kind} at position {at} where {expected} must be"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_in_every_form_that_ducklake_writes() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(parse_time(text).map(time_text).as_deref(), expect, "{text}");
        };
        check("2026-11-20 16:50:10.931943+00", Some("2026-11-20 16:50:10.931943+00"));
        check("2026-11-20 16:50:10+00", Some("2026-11-20 16:50:10.000000+00"));
        check("2026-11-20 18:20:10.5+01:30", Some("2026-11-20 16:50:10.500000+00"));
        check("2026-11-20 08:50:10.25-08", Some("2026-11-20 16:50:10.250000+00"));
        check("yesterday", None);
        check("", None);
    }
}
