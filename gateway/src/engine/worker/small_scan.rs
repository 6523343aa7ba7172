//! Gives DuckDB the rows of small files, as a table function over its C API.

use std::{
    ffi::{CString, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use arrow::{
    array::{Array, ArrayRef, ArrowPrimitiveType, AsArray},
    datatypes as of,
};
use duckdb::ffi;

use super::{
    duck::{Connection, DuckResult},
    small::{Rows, Small},
};
use crate::engine::protocol::{EngineError, SmallType};

/// The function's name. No statement of a client can call it: the gates know it for none of theirs.
pub const NAME: &str = "duckmesh_small_files";

/// Turns a UUID's first bit, as DuckDB does so that they are ordered as numbers.
const UUID_SIGN: u128 = 1 << 127;

/// Registers it; for the trusted connection.
pub fn register(connection: &Connection, small: &Arc<Small>) -> DuckResult<()> {
    let name = CString::new(NAME).map_err(|_| EngineError::internal("a function's name"))?;
    // SAFETY: the handles are made, filled and destroyed here; DuckDB copies the function when it is registered, and drops the
    // extra information with it.
    let state = unsafe {
        let mut raw = ffi::duckdb_create_table_function();
        let mut number = ffi::duckdb_create_logical_type(ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT);
        ffi::duckdb_table_function_set_name(raw, name.as_ptr());
        ffi::duckdb_table_function_add_parameter(raw, number);
        let extra = Arc::into_raw(Arc::clone(small)).cast_mut().cast::<c_void>();
        ffi::duckdb_table_function_set_extra_info(raw, extra, Some(drop_small));
        ffi::duckdb_table_function_set_bind(raw, Some(bind));
        ffi::duckdb_table_function_set_init(raw, Some(init));
        ffi::duckdb_table_function_set_function(raw, Some(scan));
        ffi::duckdb_table_function_supports_projection_pushdown(raw, true);
        let state = ffi::duckdb_register_table_function(connection.raw(), raw);
        ffi::duckdb_destroy_logical_type(&raw mut number);
        ffi::duckdb_destroy_table_function(&raw mut raw);
        state
    };
    match state == ffi::DuckDBSuccess {
        true => Ok(()),
        false => Err(EngineError::settings(format!("DuckDB did not take the function {NAME}"))),
    }
}

unsafe extern "C" fn drop_small(data: *mut c_void) {
    // SAFETY: what `register` made of an Arc, dropped once.
    drop(unsafe { Arc::from_raw(data.cast_const().cast::<Small>()) });
}

unsafe extern "C" fn drop_rows(data: *mut c_void) {
    // SAFETY: what `bind` made of an Arc, dropped once.
    drop(unsafe { Arc::from_raw(data.cast_const().cast::<Rows>()) });
}

unsafe extern "C" fn drop_scan(data: *mut c_void) {
    // SAFETY: what `init` made of a Box, dropped once.
    drop(unsafe { Box::from_raw(data.cast::<Scan>()) });
}

/// Names the columns.
unsafe extern "C" fn bind(info: ffi::duckdb_bind_info) {
    // SAFETY: the extra information lives as long as the function; the value is destroyed here.
    let rows = unsafe {
        let small = &*ffi::duckdb_bind_get_extra_info(info).cast_const().cast::<Small>();
        let mut value = ffi::duckdb_bind_get_parameter(info, 0);
        let number = ffi::duckdb_get_int64(value);
        ffi::duckdb_destroy_value(&raw mut value);
        small.lent(number)
    };
    let Some(rows) = rows else {
        // SAFETY: DuckDB copies the message.
        unsafe { ffi::duckdb_bind_set_error(info, c"no such rows".as_ptr()) };
        return;
    };
    for (name, ty) in &rows.columns {
        // A name with NUL cannot be: it came through SQL.
        let name = CString::new(name.as_str()).unwrap_or_default();
        let mut of = logical_type(*ty);
        // SAFETY: live type, destroyed once; DuckDB copies both.
        unsafe {
            ffi::duckdb_bind_add_result_column(info, name.as_ptr(), of);
            ffi::duckdb_destroy_logical_type(&raw mut of);
        }
    }
    let count = rows.chunks.iter().map(|chunk| count(chunk) as u64).sum();
    // SAFETY: the bind data is dropped by DuckDB, once.
    unsafe {
        ffi::duckdb_bind_set_cardinality(info, count, true);
        ffi::duckdb_bind_set_bind_data(info, Arc::into_raw(rows).cast_mut().cast(), Some(drop_rows));
    }
}

/// Rows of a chunk.
fn count(chunk: &[ArrayRef]) -> usize {
    chunk.first().map_or(0, |column| column.len())
}

/// Where a scan is.
struct Scan {
    /// The columns that are wanted, in order.
    columns: Vec<usize>,
    /// The next chunk.
    next: AtomicUsize,
}

unsafe extern "C" fn init(info: ffi::duckdb_init_info) {
    // SAFETY: index below the count; the init data is dropped by DuckDB, once.
    unsafe {
        let wanted = ffi::duckdb_init_get_column_count(info);
        let index = |at| usize::try_from(ffi::duckdb_init_get_column_index(info, at)).unwrap_or(usize::MAX);
        let scan = Scan { columns: (0..wanted).map(index).collect(), next: AtomicUsize::new(0) };
        ffi::duckdb_init_set_max_threads(info, 1);
        ffi::duckdb_init_set_init_data(info, Box::into_raw(Box::new(scan)).cast(), Some(drop_scan));
    }
}

/// Gives the rows of the next chunk.
unsafe extern "C" fn scan(info: ffi::duckdb_function_info, output: ffi::duckdb_data_chunk) {
    let done = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: both were made by `bind` and `init` and live until the scan is over.
        let (rows, scan) = unsafe {
            let rows = &*ffi::duckdb_function_get_bind_data(info).cast_const().cast::<Rows>();
            (rows, &*ffi::duckdb_function_get_init_data(info).cast_const().cast::<Scan>())
        };
        loop {
            let Some(chunk) = rows.chunks.get(scan.next.fetch_add(1, Ordering::Relaxed)) else {
                // SAFETY: live chunk.
                unsafe { ffi::duckdb_data_chunk_set_size(output, 0) };
                return Ok(());
            };
            let count = count(chunk);
            // A chunk without rows would be the end.
            if count == 0 {
                continue;
            }
            // SAFETY: live chunk, whose vectors have the types that `bind` named.
            return unsafe { fill(output, rows, scan, chunk, count) };
        }
    }));
    if !matches!(done, Ok(Ok(()))) {
        // SAFETY: DuckDB copies the message.
        unsafe { ffi::duckdb_function_set_error(info, c"rows of a .parquet file could not be given".as_ptr()) };
    }
}

/// # Safety
/// The chunk is of the types that are wanted.
unsafe fn fill(
    output: ffi::duckdb_data_chunk,
    rows: &Rows,
    scan: &Scan,
    chunk: &[ArrayRef],
    count: usize,
) -> Result<(), ()> {
    // SAFETY: the vectors belong to the live chunk, and are as long as the largest chunk at least.
    unsafe {
        if count as u64 > ffi::duckdb_vector_size() {
            return Err(());
        }
        for (at, wanted) in scan.columns.iter().enumerate() {
            // Beyond the columns: DuckDB wants to know only how many rows there are.
            if let (Some((_, ty)), Some(array)) = (rows.columns.get(*wanted), chunk.get(*wanted)) {
                put(ffi::duckdb_data_chunk_get_vector(output, at as u64), *ty, array).ok_or(())?;
            }
        }
        ffi::duckdb_data_chunk_set_size(output, count as u64);
    }
    Ok(())
}

/// # Safety
/// The vector is of the type, and as long as the array at least.
unsafe fn put(vector: ffi::duckdb_vector, ty: SmallType, array: &ArrayRef) -> Option<()> {
    // SAFETY: as the caller says; each arm writes what DuckDB holds the type as.
    unsafe {
        match ty {
            SmallType::Bool => {
                each(vector, array.len(), |row| array.as_boolean_opt().map(|bools| bools.value(row)))?;
            }
            SmallType::Int2 => copy::<of::Int16Type>(vector, array)?,
            SmallType::Int4 => copy::<of::Int32Type>(vector, array)?,
            SmallType::Int8 => copy::<of::Int64Type>(vector, array)?,
            SmallType::Float4 => copy::<of::Float32Type>(vector, array)?,
            SmallType::Float8 => copy::<of::Float64Type>(vector, array)?,
            SmallType::Date => copy::<of::Date32Type>(vector, array)?,
            SmallType::Time => copy::<of::Time64MicrosecondType>(vector, array)?,
            SmallType::Timestamp | SmallType::Timestamptz => copy::<of::TimestampMicrosecondType>(vector, array)?,
            SmallType::Numeric(precision, _) => decimals(vector, array, precision)?,
            SmallType::Uuid => {
                let ids = array.as_fixed_size_binary_opt()?;
                each(vector, array.len(), |row| {
                    let bytes: [u8; 16] = ids.value(row).try_into().ok()?;
                    Some((u128::from_be_bytes(bytes) ^ UUID_SIGN).cast_signed())
                })?;
            }
            SmallType::Text | SmallType::Json => {
                let texts = array.as_string_opt::<i32>()?;
                bytes(vector, array, |row| texts.value(row).as_bytes());
            }
            SmallType::Bytea => {
                let blobs = array.as_binary_opt::<i32>()?;
                bytes(vector, array, |row| blobs.value(row));
            }
        }
        if array.null_count() > 0 {
            ffi::duckdb_vector_ensure_validity_writable(vector);
            let validity = ffi::duckdb_vector_get_validity(vector);
            for row in (0..array.len()).filter(|row| array.is_null(*row)) {
                ffi::duckdb_validity_set_row_invalid(validity, row as u64);
            }
        }
    }
    Some(())
}

/// # Safety
/// The vector holds such numbers, and is as long as the array at least.
unsafe fn copy<T: ArrowPrimitiveType>(vector: ffi::duckdb_vector, array: &ArrayRef) -> Option<()> {
    let values = array.as_primitive_opt::<T>()?.values();
    // SAFETY: as the caller says; what is under NULL is copied too, and not looked at.
    unsafe { ptr::copy_nonoverlapping(values.as_ptr(), ffi::duckdb_vector_get_data(vector).cast(), values.len()) };
    Some(())
}

/// # Safety
/// The vector holds decimals of the precision, and is as long as the array at least.
unsafe fn decimals(vector: ffi::duckdb_vector, array: &ArrayRef, precision: u8) -> Option<()> {
    let values = array.as_primitive_opt::<of::Decimal128Type>()?.values();
    let (of, rows) = (|row: usize| values.get(row).copied(), values.len());
    // What is under NULL may be any number: only what is none is an error.
    // SAFETY: as the caller says; DuckDB holds decimals of these precisions in these widths.
    unsafe {
        match precision {
            0..=4 => each(vector, rows, |row| of(row).map(|n| i16::try_from(n).unwrap_or_default())),
            5..=9 => each(vector, rows, |row| of(row).map(|n| i32::try_from(n).unwrap_or_default())),
            10..=18 => each(vector, rows, |row| of(row).map(|n| i64::try_from(n).unwrap_or_default())),
            _ => each(vector, rows, of),
        }
    }
}

/// # Safety
/// The vector holds values of the type, `rows` at least.
unsafe fn each<T>(vector: ffi::duckdb_vector, rows: usize, value: impl Fn(usize) -> Option<T>) -> Option<()> {
    // SAFETY: as the caller says.
    let to = unsafe { ffi::duckdb_vector_get_data(vector) }.cast::<T>();
    for row in 0..rows {
        // SAFETY: row is inside the vector. DuckDB aligns hugeints to eight bytes, Rust to sixteen.
        unsafe { to.add(row).write_unaligned(value(row)?) };
    }
    Some(())
}

/// # Safety
/// The vector holds texts or blobs, and is as long as the array at least.
unsafe fn bytes<'a>(vector: ffi::duckdb_vector, array: &ArrayRef, value: impl Fn(usize) -> &'a [u8]) {
    for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
        let bytes = value(row);
        let (from, length) = (bytes.as_ptr().cast(), bytes.len() as u64);
        // SAFETY: row is inside the vector; the bytes are copied.
        unsafe { ffi::duckdb_vector_assign_string_element_len(vector, row as u64, from, length) };
    }
}

/// A type, to be destroyed.
fn logical_type(ty: SmallType) -> ffi::duckdb_logical_type {
    let id = match ty {
        SmallType::Numeric(precision, scale) => {
            // SAFETY: makes a type.
            return unsafe { ffi::duckdb_create_decimal_type(precision, scale) };
        }
        SmallType::Bool => ffi::DUCKDB_TYPE_DUCKDB_TYPE_BOOLEAN,
        SmallType::Int2 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_SMALLINT,
        SmallType::Int4 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTEGER,
        SmallType::Int8 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT,
        SmallType::Float4 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_FLOAT,
        SmallType::Float8 => ffi::DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE,
        SmallType::Text | SmallType::Json => ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR,
        SmallType::Bytea => ffi::DUCKDB_TYPE_DUCKDB_TYPE_BLOB,
        SmallType::Date => ffi::DUCKDB_TYPE_DUCKDB_TYPE_DATE,
        SmallType::Time => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME,
        SmallType::Timestamp => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP,
        SmallType::Timestamptz => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ,
        SmallType::Uuid => ffi::DUCKDB_TYPE_DUCKDB_TYPE_UUID,
    };
    // SAFETY: makes a type, and names it where DuckDB knows it by name alone.
    unsafe {
        let made = ffi::duckdb_create_logical_type(id);
        if ty == SmallType::Json {
            ffi::duckdb_logical_type_set_alias(made, c"JSON".as_ptr());
        }
        made
    }
}
