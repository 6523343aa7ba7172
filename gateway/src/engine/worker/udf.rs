//! Gives DuckDB the functions of `functions/`, over its C API.
//!
//! A function that fails or panics is an error of its query, never of the process.
//!
//! DuckDB runs a function of one column on the distinct values of a chunk's dictionary, also on those of rows that a WHERE or a
//! CASE has left out, unless an argument can fail. The C API cannot say that a function fails. So those that fail get their
//! texts through `repeat(x, 1)`, which DuckDB knows as one that can: they are called for the rows of the query alone.

use std::{
    ffi::{CString, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
};

use duckdb::ffi;

use super::{
    duck::{Connection, DuckResult},
    functions::{FUNCTIONS, Function, Gives, Takes, Value},
    numbers, udf_float,
};
use crate::engine::protocol::EngineError;

/// Registers all of them; for the trusted connection, before the macros that use them.
pub fn register(connection: &Connection) -> DuckResult<()> {
    register_on(connection.raw())
}

/// The same on a connection of the C API.
pub fn register_on(connection: ffi::duckdb_connection) -> DuckResult<()> {
    udf_float::register_on(connection)?;
    numbers::register_on(connection)?;
    FUNCTIONS.iter().try_for_each(|function| register_one(connection, function))
}

fn register_one(connection: ffi::duckdb_connection, function: &'static Function) -> DuckResult<()> {
    let name = if function.fails { format!("{RAW}{}", function.name) } else { function.name.to_owned() };
    let name = CString::new(name).map_err(|_| EngineError::internal("a function's name"))?;
    // SAFETY: the handles are made, filled and destroyed here; DuckDB copies the function when it is registered. The
    // extra information is a 'static reference, which needs no destructor.
    let state = unsafe {
        let mut raw = ffi::duckdb_create_scalar_function();
        ffi::duckdb_scalar_function_set_name(raw, name.as_ptr());
        let mut text = ffi::duckdb_create_logical_type(ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR);
        match function.takes {
            Takes::Exactly(count) => (0..count).for_each(|_| ffi::duckdb_scalar_function_add_parameter(raw, text)),
            Takes::Any => ffi::duckdb_scalar_function_set_varargs(raw, text),
        }
        let mut gives = match function.gives {
            Gives::Text => ffi::duckdb_create_logical_type(ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR),
            Gives::Bytes => ffi::duckdb_create_logical_type(ffi::DUCKDB_TYPE_DUCKDB_TYPE_BLOB),
            Gives::Bool => ffi::duckdb_create_logical_type(ffi::DUCKDB_TYPE_DUCKDB_TYPE_BOOLEAN),
            Gives::Int => ffi::duckdb_create_logical_type(ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT),
            Gives::Texts => ffi::duckdb_create_list_type(text),
        };
        ffi::duckdb_scalar_function_set_return_type(raw, gives);
        if function.sees_null {
            ffi::duckdb_scalar_function_set_special_handling(raw);
        }
        let extra = std::ptr::from_ref(function).cast_mut().cast::<c_void>();
        ffi::duckdb_scalar_function_set_extra_info(raw, extra, None);
        ffi::duckdb_scalar_function_set_function(raw, Some(call));
        let state = ffi::duckdb_register_scalar_function(connection, raw);
        ffi::duckdb_destroy_logical_type(&raw mut text);
        ffi::duckdb_destroy_logical_type(&raw mut gives);
        ffi::duckdb_destroy_scalar_function(&raw mut raw);
        state
    };
    if state != ffi::DuckDBSuccess {
        return Err(EngineError::settings(format!("DuckDB did not take the function {}", function.name)));
    }
    if function.fails { guard(connection, function) } else { Ok(()) }
}

/// What a function that fails is registered as; a macro has its name.
const RAW: &str = "raw_";

/// Makes the macro that gives a function its texts row by row.
fn guard(connection: ffi::duckdb_connection, function: &Function) -> DuckResult<()> {
    let Takes::Exactly(count) = function.takes else {
        return Err(EngineError::internal("a function of any number of texts cannot be guarded"));
    };
    let names: Vec<String> = (1..=count).map(|n| format!("a{n}")).collect();
    let texts: Vec<String> = names.iter().map(|name| format!("repeat({name}, 1)")).collect();
    let name = function.name;
    let sql = format!("CREATE OR REPLACE MACRO {name}({}) AS {RAW}{name}({})", names.join(", "), texts.join(", "));
    let sql = CString::new(sql).map_err(|_| EngineError::internal("a function's name"))?;
    // SAFETY: live connection; a result is not asked for.
    match unsafe { ffi::duckdb_query(connection, sql.as_ptr(), std::ptr::null_mut()) } == ffi::DuckDBSuccess {
        true => Ok(()),
        false => Err(EngineError::settings(format!("DuckDB did not take the macro {name}"))),
    }
}

/// DuckDB calls this for each chunk of rows.
unsafe extern "C" fn call(info: ffi::duckdb_function_info, input: ffi::duckdb_data_chunk, output: ffi::duckdb_vector) {
    // SAFETY: the extra information is the 'static function it was registered with.
    let function = unsafe { &*ffi::duckdb_scalar_function_get_extra_info(info).cast::<Function>() };
    // SAFETY: input and output are live during the call, and of the types that were registered.
    let done = catch_unwind(AssertUnwindSafe(|| unsafe { run(function, input, output) }));
    let message = match done {
        Ok(Ok(())) => return,
        Ok(Err(message)) => message,
        Err(_) => format!("SQLSTATE XX000: {} failed", function.name),
    };
    let message = CString::new(message.replace('\0', "")).unwrap_or_default();
    // SAFETY: DuckDB copies the message.
    unsafe { ffi::duckdb_scalar_function_set_error(info, message.as_ptr()) };
}

/// One argument of a chunk.
struct Column {
    data: *mut ffi::duckdb_string_t,
    validity: *mut u64,
}

impl Column {
    /// # Safety
    /// `row` is inside the chunk, which outlives the text.
    unsafe fn text<'a>(&self, row: usize) -> Option<&'a str> {
        // SAFETY: as the caller says; a NULL mask means that all rows are valid.
        unsafe {
            if !self.validity.is_null() && !ffi::duckdb_validity_row_is_valid(self.validity, row as u64) {
                return None;
            }
            let cell = self.data.add(row);
            let length = ffi::duckdb_string_t_length(*cell) as usize;
            let bytes = std::slice::from_raw_parts(ffi::duckdb_string_t_data(cell).cast::<u8>(), length);
            // DuckDB's strings are UTF-8.
            Some(std::str::from_utf8(bytes).unwrap_or_default())
        }
    }
}

/// # Safety
/// `input` has texts in all columns, `output` is of the function's type.
unsafe fn run(function: &Function, input: ffi::duckdb_data_chunk, output: ffi::duckdb_vector) -> Result<(), String> {
    // SAFETY: live chunk; the vectors belong to it, and DuckDB has flattened them.
    let (rows, columns) = unsafe {
        let rows = ffi::duckdb_data_chunk_get_size(input) as usize;
        let count = ffi::duckdb_data_chunk_get_column_count(input);
        let columns: Vec<Column> = (0..count)
            .map(|index| {
                let vector = ffi::duckdb_data_chunk_get_vector(input, index);
                Column {
                    data: ffi::duckdb_vector_get_data(vector).cast(),
                    validity: ffi::duckdb_vector_get_validity(vector),
                }
            })
            .collect();
        (rows, columns)
    };
    let mut args: Vec<Option<&str>> = Vec::with_capacity(columns.len());
    let mut listed = 0;
    for row in 0..rows {
        args.clear();
        // SAFETY: row is below the chunk's size.
        args.extend(columns.iter().map(|c| unsafe { c.text(row) }));
        let value = if !function.sees_null && args.contains(&None) {
            Value::Null
        } else {
            (function.run)(&args).map_err(|failure| failure.raised())?
        };
        // SAFETY: the vector is as long as the chunk.
        unsafe { put(function.gives, output, row, value, &mut listed)? };
    }
    Ok(())
}

/// # Safety
/// `row` is inside `output`, whose type the value is of.
unsafe fn put(
    gives: Gives,
    output: ffi::duckdb_vector,
    row: usize,
    value: Value,
    listed: &mut usize,
) -> Result<(), String> {
    let at = row as u64;
    // SAFETY: as the caller says; DuckDB copies texts.
    unsafe {
        match value {
            Value::Null => {
                null(output, at);
                // An entry of a list is read also where it is NULL.
                if gives == Gives::Texts {
                    *entry(output, row) = ffi::duckdb_list_entry { offset: *listed as u64, length: 0 };
                }
            }
            Value::Text(text) => assign(output, at, text.as_bytes()),
            Value::Bytes(bytes) => assign(output, at, &bytes),
            Value::Bool(flag) => *ffi::duckdb_vector_get_data(output).cast::<bool>().add(row) = flag,
            Value::Int(number) => *ffi::duckdb_vector_get_data(output).cast::<i64>().add(row) = number,
            Value::Texts(texts) => {
                let end = *listed + texts.len();
                if ffi::duckdb_list_vector_reserve(output, end as u64) != ffi::DuckDBSuccess
                    || ffi::duckdb_list_vector_set_size(output, end as u64) != ffi::DuckDBSuccess
                {
                    return Err("a list is too long".to_owned());
                }
                let child = ffi::duckdb_list_vector_get_child(output);
                *entry(output, row) = ffi::duckdb_list_entry { offset: *listed as u64, length: texts.len() as u64 };
                for (index, text) in texts.into_iter().enumerate() {
                    let at = (*listed + index) as u64;
                    match text {
                        Some(text) => assign(child, at, text.as_bytes()),
                        None => null(child, at),
                    }
                }
                *listed = end;
            }
        }
    }
    Ok(())
}

unsafe fn entry(output: ffi::duckdb_vector, row: usize) -> *mut ffi::duckdb_list_entry {
    // SAFETY: the callers write lists only.
    unsafe { ffi::duckdb_vector_get_data(output).cast::<ffi::duckdb_list_entry>().add(row) }
}

unsafe fn assign(output: ffi::duckdb_vector, at: u64, bytes: &[u8]) {
    // SAFETY: live vector of strings or blobs; the bytes are copied.
    unsafe { ffi::duckdb_vector_assign_string_element_len(output, at, bytes.as_ptr().cast(), bytes.len() as u64) };
}

unsafe fn null(output: ffi::duckdb_vector, at: u64) {
    // SAFETY: live vector, row inside it.
    unsafe {
        ffi::duckdb_vector_ensure_validity_writable(output);
        ffi::duckdb_validity_set_row_invalid(ffi::duckdb_vector_get_validity(output), at);
    }
}
