//! Gives DuckDB the operations of `functions/floats.rs`: a loop over a chunk of rows for each.

use std::{
    ffi::CString,
    panic::{AssertUnwindSafe, catch_unwind},
};

use duckdb::ffi;

use super::functions::floats::{self, Operation};
use crate::engine::protocol::EngineError;

/// Rows that a word of a mask tells of.
const WORD_ROWS: usize = 64;

/// Registers all of them.
pub fn register_on(connection: ffi::duckdb_connection) -> Result<(), EngineError> {
    one::<floats::Plus>(connection)?;
    one::<floats::Minus>(connection)?;
    one::<floats::Times>(connection)?;
    one::<floats::Over>(connection)?;
    one::<floats::Power>(connection)?;
    one::<floats::Exp>(connection)?;
    one::<floats::RealPlus>(connection)?;
    one::<floats::RealMinus>(connection)?;
    one::<floats::RealTimes>(connection)?;
    one::<floats::RealOver>(connection)
}

fn one<O: Operation>(connection: ffi::duckdb_connection) -> Result<(), EngineError> {
    let name = CString::new(O::NAME).map_err(|_| EngineError::internal("a function's name"))?;
    let single = <O::Number as floats::Float>::SINGLE;
    let id = if single { ffi::DUCKDB_TYPE_DUCKDB_TYPE_FLOAT } else { ffi::DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE };
    // SAFETY: the handles are made, filled and destroyed here; DuckDB copies the function when it is registered.
    let state = unsafe {
        let mut raw = ffi::duckdb_create_scalar_function();
        ffi::duckdb_scalar_function_set_name(raw, name.as_ptr());
        let mut number = ffi::duckdb_create_logical_type(id);
        (0..O::TAKES).for_each(|_| ffi::duckdb_scalar_function_add_parameter(raw, number));
        ffi::duckdb_scalar_function_set_return_type(raw, number);
        ffi::duckdb_scalar_function_set_function(raw, Some(call::<O>));
        let state = ffi::duckdb_register_scalar_function(connection, raw);
        ffi::duckdb_destroy_logical_type(&raw mut number);
        ffi::duckdb_destroy_scalar_function(&raw mut raw);
        state
    };
    match state == ffi::DuckDBSuccess {
        true => Ok(()),
        false => Err(EngineError::settings(format!("DuckDB did not take the function {}", O::NAME))),
    }
}

/// DuckDB calls this for each chunk of rows.
unsafe extern "C" fn call<O: Operation>(
    info: ffi::duckdb_function_info,
    input: ffi::duckdb_data_chunk,
    output: ffi::duckdb_vector,
) {
    // SAFETY: input and output are live during the call, and of the types that were registered.
    let done = catch_unwind(AssertUnwindSafe(|| unsafe { run::<O>(input, output) }));
    let message = match done {
        Ok(Ok(())) => return,
        Ok(Err(message)) => message,
        Err(_) => format!("SQLSTATE XX000: {} failed", O::NAME),
    };
    let message = CString::new(message).unwrap_or_default();
    // SAFETY: DuckDB copies the message.
    unsafe { ffi::duckdb_scalar_function_set_error(info, message.as_ptr()) };
}

/// # Safety
/// All columns of `input` and `output` are of the operation's number.
unsafe fn run<O: Operation>(input: ffi::duckdb_data_chunk, output: ffi::duckdb_vector) -> Result<(), String> {
    // SAFETY: a live chunk; its vectors are flat and have as many values as it has rows, and so has the output.
    let (rows, masks, a, b, results) = unsafe {
        let rows = ffi::duckdb_data_chunk_get_size(input) as usize;
        let left = ffi::duckdb_data_chunk_get_vector(input, 0);
        let right = ffi::duckdb_data_chunk_get_vector(input, O::TAKES.saturating_sub(1));
        let values = |vector| {
            let data = ffi::duckdb_vector_get_data(vector).cast::<O::Number>();
            std::slice::from_raw_parts(data.cast_const(), rows)
        };
        let results = std::slice::from_raw_parts_mut(ffi::duckdb_vector_get_data(output).cast::<O::Number>(), rows);
        let masks = [ffi::duckdb_vector_get_validity(left), ffi::duckdb_vector_get_validity(right)];
        (rows, masks, values(left), values(right), results)
    };
    let mut suspect = false;
    for ((result, a), b) in results.iter_mut().zip(a).zip(b) {
        *result = O::compute(*a, *b);
        suspect |= O::is_suspect(*a, *b, *result);
    }
    // A missing mask means that all rows are valid; others have a bit for each row.
    let words = rows.div_ceil(WORD_ROWS);
    // SAFETY: masks of live vectors, which are as long as a full chunk.
    let masks = masks.map(|mask| (!mask.is_null()).then(|| unsafe { std::slice::from_raw_parts(mask, words) }));
    let valid = |word: usize| masks.iter().flatten().filter_map(|mask| mask.get(word)).fold(u64::MAX, |all, m| all & m);
    if masks.iter().any(Option::is_some) {
        // SAFETY: a live vector; its mask is there once it is asked for.
        let out = unsafe {
            ffi::duckdb_vector_ensure_validity_writable(output);
            std::slice::from_raw_parts_mut(ffi::duckdb_vector_get_validity(output), words)
        };
        out.iter_mut().enumerate().for_each(|(word, mask)| *mask = valid(word));
    }
    if !suspect {
        return Ok(());
    }
    for (row, ((result, a), b)) in results.iter().zip(a).zip(b).enumerate() {
        let is_valid = valid(row / WORD_ROWS) >> (row % WORD_ROWS) & 1 == 1;
        if is_valid && O::is_suspect(*a, *b, *result) {
            O::check(*a, *b, *result).map_err(|failure| failure.raised())?;
        }
    }
    Ok(())
}
