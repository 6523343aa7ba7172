//! Appends values in the lake's text form: DuckDB's own, which is ISO.

use duckmesh_catalog::types::ColumnType;

use super::super::array_text::split_lake_list;
use super::{ColumnBuilder, ValueContext, Values};
use crate::wire::error::{PgError, PgResult};

pub(super) fn append(column: &mut ColumnBuilder, text: &str) -> PgResult<()> {
    match &mut column.values {
        Values::Bytea(b) => {
            column.scratch.clear();
            digits(text, &mut column.scratch)?;
            b.append_value(&column.scratch);
            Ok(())
        }
        Values::Array(list) => {
            let elements = split_lake_list(text)
                .ok_or_else(|| PgError::internal(format!("a list in the lake's text form is broken: {text}")))?;
            for element in elements {
                match element {
                    Some(text) if *list.element.ty.bare() == ColumnType::Bytea => {
                        let mut bytes = Vec::new();
                        blob(&text, &mut bytes)?;
                        append(&mut list.element, &hexadecimal(&bytes))?;
                    }
                    Some(text) => append(&mut list.element, &text)?,
                    None => list.element.append_null(),
                }
            }
            list.close(true);
            Ok(())
        }
        Values::Text(b, _) | Values::Record(b, _) | Values::Grid(b, _) => {
            b.append_value(text);
            Ok(())
        }
        // A default was written when its label may have had another text.
        Values::Enum(b, of) => {
            let now = of.former().find(|(old, _)| *old == text).map_or(text, |(_, now)| now);
            super::text::append_label(b, of, now.as_bytes(), &[])
        }
        _ => {
            // No setting of a session may change what a default means.
            let ctx = ValueContext::new(chrono::DateTime::UNIX_EPOCH);
            match text.split_once(" (BC)") {
                Some((date, time)) => column.append_text(format!("{date}{time} BC").as_bytes(), &ctx),
                None => column.append_text(text.as_bytes(), &ctx),
            }
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// `00FF41`: a blob as the book holds it.
fn digits(text: &str, out: &mut Vec<u8>) -> PgResult<()> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    for pair in text.as_bytes().chunks(2) {
        match *pair {
            [high, low] => match (digit(high), digit(low)) {
                (Some(high), Some(low)) => out.push(high << 4 | low),
                _ => return Err(PgError::internal("a blob in the lake's text form is broken")),
            },
            _ => return Err(PgError::internal("a blob in the lake's text form is broken")),
        }
    }
    Ok(())
}

/// `a\x00b`: plain ASCII, and `\xNN` for every other byte.
fn blob(text: &str, out: &mut Vec<u8>) -> PgResult<()> {
    let broken = || PgError::internal("a blob in the lake's text form is broken");
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        if *byte != b'\\' {
            out.push(*byte);
            rest = tail;
            continue;
        }
        let [b'x' | b'X', high, low, tail @ ..] = tail else {
            return Err(broken());
        };
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        out.push(digit(*high).ok_or_else(broken)? << 4 | digit(*low).ok_or_else(broken)?);
        rest = tail;
    }
    Ok(())
}
