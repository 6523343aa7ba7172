//! Text without NUL: the engine can make one (of JSON's `\u0000`), Postgres' clients cannot read it, nor can a table hold it.

use arrow::{
    array::{Array, AsArray, OffsetSizeTrait},
    datatypes::DataType,
};

use crate::wire::error::{PgError, PgResult, SqlState};

/// Fails where a text of the array has a NUL. One look over all bytes of the array.
pub fn refuse(array: &dyn Array) -> PgResult<()> {
    let found = match array.data_type() {
        DataType::Utf8 => in_strings::<i32>(array),
        DataType::LargeUtf8 => in_strings::<i64>(array),
        DataType::Utf8View => array.as_string_view().iter().flatten().any(|text| has_nul(text.as_bytes())),
        _ => false,
    };
    if found {
        let text = "invalid byte sequence for encoding \"UTF8\": 0x00";
        return Err(PgError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, text));
    }
    Ok(())
}

fn in_strings<O: OffsetSizeTrait>(array: &dyn Array) -> bool {
    let Some(strings) = array.as_string_opt::<O>() else { return false };
    let (first, last) = (strings.value_offsets().first(), strings.value_offsets().last());
    let (Some(first), Some(last)) = (first, last) else { return false };
    has_nul(strings.value_data().get(first.as_usize()..last.as_usize()).unwrap_or_default())
}

fn has_nul(bytes: &[u8]) -> bool {
    memchr::memchr(0, bytes).is_some()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, LargeStringArray, StringArray, StringViewArray};

    #[test]
    fn a_nul_is_found_in_what_the_array_shows() {
        let texts = [Some("a"), None, Some("b\0c"), Some("")];
        let all: [Box<dyn Array>; 3] = [
            Box::new(StringArray::from(texts.to_vec())),
            Box::new(LargeStringArray::from(texts.to_vec())),
            Box::new(StringViewArray::from(texts.to_vec())),
        ];
        for array in all {
            assert_eq!(super::refuse(&*array).unwrap_err().code().0, "22021");
            assert!(super::refuse(&*array.slice(0, 2)).is_ok());
            assert!(super::refuse(&*array.slice(3, 1)).is_ok());
        }
    }
}
