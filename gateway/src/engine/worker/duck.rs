//! DuckDB's C API with owners for its handles: only this file, `types.rs` and `udf.rs` call DuckDB.
//!
//! Straight on the C API because the crate's statement type neither streams through a pending result (which can be
//! interrupted between tasks) nor gives the logical types of a statement that was not run.

use std::{
    ffi::{CStr, CString, c_char},
    marker::PhantomData,
    ptr,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{RecordBatch, StructArray},
    datatypes::{Schema, SchemaRef},
    ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi},
};
use duckdb::ffi;

use super::types::LogicalType;
use crate::engine::protocol::EngineError;

/// Result of calls into DuckDB.
pub type DuckResult<T> = Result<T, EngineError>;

/// An open in-memory database.
pub struct Database(ffi::duckdb_database);

// SAFETY: a duckdb_database may be used from any thread, and from several at once (duckdb_connect locks).
unsafe impl Send for Database {}
// SAFETY: as above.
unsafe impl Sync for Database {}

impl Database {
    /// Opens a database in memory with options that hold for every connection.
    pub fn open(options: &[(&str, String)]) -> DuckResult<Self> {
        let mut config: ffi::duckdb_config = ptr::null_mut();
        // SAFETY: out pointer to a local.
        if unsafe { ffi::duckdb_create_config(&raw mut config) } != ffi::DuckDBSuccess {
            return Err(EngineError::internal("no configuration object"));
        }
        let opened = Self::open_with(config, options);
        // SAFETY: made above, destroyed once; duckdb_open_ext copies it.
        unsafe { ffi::duckdb_destroy_config(&raw mut config) };
        opened
    }

    fn open_with(config: ffi::duckdb_config, options: &[(&str, String)]) -> DuckResult<Self> {
        for (name, value) in options {
            let (name_c, value_c) = (c_string(name)?, c_string(value)?);
            // SAFETY: live config, NUL-terminated strings that outlive the call.
            let state = unsafe { ffi::duckdb_set_config(config, name_c.as_ptr(), value_c.as_ptr()) };
            if state != ffi::DuckDBSuccess {
                return Err(EngineError::settings(format!("DuckDB has no option {name}, or not with this value")));
            }
        }
        let mut database: ffi::duckdb_database = ptr::null_mut();
        let mut error: *mut c_char = ptr::null_mut();
        let path = c_string(":memory:")?;
        // SAFETY: out pointers to locals, live config and path.
        let state = unsafe { ffi::duckdb_open_ext(path.as_ptr(), &raw mut database, config, &raw mut error) };
        if state == ffi::DuckDBSuccess {
            return Ok(Self(database));
        }
        // SAFETY: on failure DuckDB sets a string that the caller frees, or leaves NULL.
        let message = unsafe { text(error) };
        // SAFETY: allocated by DuckDB or NULL.
        unsafe { ffi::duckdb_free(error.cast()) };
        Err(EngineError::parse(&message))
    }

    /// A new connection.
    pub fn connect(&self) -> DuckResult<Connection> {
        let mut raw: ffi::duckdb_connection = ptr::null_mut();
        // SAFETY: live database, out pointer to a local.
        if unsafe { ffi::duckdb_connect(self.0, &raw mut raw) } != ffi::DuckDBSuccess {
            return Err(EngineError::internal("no new connection"));
        }
        Ok(Connection { raw, interrupter: Interrupter(Arc::new(Mutex::new(Some(Raw(raw))))) })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: owned, closed once.
        unsafe { ffi::duckdb_close(&raw mut self.0) };
    }
}

struct Raw(ffi::duckdb_connection);
// SAFETY: only duckdb_interrupt is called through it, which may be called from any thread while the connection lives;
// the mutex around it keeps the connection alive during the call.
unsafe impl Send for Raw {}

/// Interrupts what runs on a connection, from any thread; does nothing once the connection is gone.
#[derive(Clone)]
pub struct Interrupter(Arc<Mutex<Option<Raw>>>);

impl Interrupter {
    /// Asks the running statement to stop.
    pub fn interrupt(&self) {
        if let Some(raw) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // SAFETY: the connection is disconnected only under this lock, after it was taken out.
            unsafe { ffi::duckdb_interrupt(raw.0) };
        }
    }
}

/// A connection. Statements borrow it.
pub struct Connection {
    raw: ffi::duckdb_connection,
    interrupter: Interrupter,
}

impl Connection {
    /// For `udf.rs`, which registers functions on it.
    pub(super) fn raw(&self) -> ffi::duckdb_connection {
        self.raw
    }

    /// A handle to stop what runs here.
    pub fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// Runs statements and drops their results.
    pub fn execute(&self, sql: &str) -> DuckResult<()> {
        self.with_result(sql, |_| ())
    }

    /// Runs a statement and gives the text of all values, row by row. Only for small internal questions.
    pub fn rows(&self, sql: &str) -> DuckResult<Vec<Vec<String>>> {
        self.with_result(sql, |result| {
            // SAFETY: live result of a finished query.
            let (rows, columns) = unsafe { (ffi::duckdb_row_count(result), ffi::duckdb_column_count(result)) };
            let cell = |row, column| {
                // SAFETY: inside the counts above; the string is freed here, once.
                unsafe {
                    let value = ffi::duckdb_value_varchar(result, column, row);
                    let owned = text(value);
                    ffi::duckdb_free(value.cast());
                    owned
                }
            };
            (0..rows).map(|row| (0..columns).map(|column| cell(row, column)).collect()).collect()
        })
    }

    fn with_result<T>(&self, sql: &str, read: impl FnOnce(*mut ffi::duckdb_result) -> T) -> DuckResult<T> {
        let sql = c_string(sql)?;
        let mut result = empty_result();
        // SAFETY: live connection; the result is destroyed below whatever happens.
        let state = unsafe { ffi::duckdb_query(self.raw, sql.as_ptr(), &raw mut result) };
        let out = if state == ffi::DuckDBSuccess {
            Ok(read(&raw mut result))
        } else {
            // SAFETY: live result that holds the error.
            Err(EngineError::parse(&unsafe { text(ffi::duckdb_result_error(&raw mut result)) }))
        };
        // SAFETY: filled by duckdb_query, destroyed once.
        unsafe { ffi::duckdb_destroy_result(&raw mut result) };
        out
    }

    /// Prepares exactly one statement; more or none is an error. Nothing is run.
    pub fn prepare(&self, sql: &str) -> DuckResult<Statement<'_>> {
        let sql = c_string(sql)?;
        let mut extracted: ffi::duckdb_extracted_statements = ptr::null_mut();
        // SAFETY: live connection; `extracted` is destroyed below.
        let count = unsafe { ffi::duckdb_extract_statements(self.raw, sql.as_ptr(), &raw mut extracted) };
        let prepared = match count {
            0 => {
                // SAFETY: live; the message belongs to `extracted`.
                let message = unsafe { text(ffi::duckdb_extract_statements_error(extracted)) };
                Err(if message.is_empty() {
                    EngineError::syntax("empty statement")
                } else {
                    EngineError::parse(&message)
                })
            }
            1 => self.prepare_first(extracted),
            _ => Err(EngineError::syntax("cannot run multiple commands at once")),
        };
        // SAFETY: made above, destroyed once; a prepared statement does not refer to it.
        unsafe { ffi::duckdb_destroy_extracted(&raw mut extracted) };
        prepared
    }

    /// Runs exactly one statement to its end: its columns, and its rows, which are held in memory.
    pub fn run(&self, sql: &str) -> DuckResult<(Columns, Rows<'_>)> {
        // Without a semicolon there is but one, and a text that names many files is not parsed twice.
        let is_one = !sql.contains(';');
        let sql = c_string(sql)?;
        if !is_one && self.count(&sql) > 1 {
            return Err(EngineError::syntax("cannot run multiple commands at once"));
        }
        let mut result = empty_result();
        // SAFETY: live connection; the result is owned by Rows from here on.
        let state = unsafe { ffi::duckdb_query(self.raw, sql.as_ptr(), &raw mut result) };
        // Nothing runs any more that an interrupt could stop.
        let rows = Rows { result, connection: None, _of: PhantomData };
        if state != ffi::DuckDBSuccess {
            return Err(rows.error().unwrap_or_else(|| EngineError::internal("a statement failed without a reason")));
        }
        let columns = rows.columns()?;
        Ok((columns, rows))
    }

    /// How many statements a text has; none where it cannot be parsed.
    fn count(&self, sql: &CStr) -> u64 {
        let mut extracted: ffi::duckdb_extracted_statements = ptr::null_mut();
        // SAFETY: live connection and text; `extracted` is made here and destroyed once.
        unsafe {
            let count = ffi::duckdb_extract_statements(self.raw, sql.as_ptr(), &raw mut extracted);
            ffi::duckdb_destroy_extracted(&raw mut extracted);
            count
        }
    }

    /// How a result of these columns becomes Arrow.
    pub fn arrow_form(&self, columns: &Columns) -> DuckResult<ArrowForm> {
        ArrowForm::new(self.raw, columns)
    }

    fn prepare_first(&self, extracted: ffi::duckdb_extracted_statements) -> DuckResult<Statement<'_>> {
        let mut raw: ffi::duckdb_prepared_statement = ptr::null_mut();
        // SAFETY: live connection and statements, index below the count; `raw` is owned by Statement from here on.
        let state = unsafe { ffi::duckdb_prepare_extracted_statement(self.raw, extracted, 0, &raw mut raw) };
        let statement = Statement { raw, connection: self.raw, _of: PhantomData };
        if state == ffi::DuckDBSuccess {
            return Ok(statement);
        }
        // SAFETY: live; the message belongs to the statement.
        Err(EngineError::parse(&unsafe { text(ffi::duckdb_prepare_error(raw)) }))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut held = self.interrupter.0.lock().unwrap_or_else(PoisonError::into_inner);
        *held = None;
        // SAFETY: owned, disconnected once; no interrupt can be under way, because the lock is held.
        unsafe { ffi::duckdb_disconnect(&raw mut self.raw) };
    }
}

/// What kind of statement it is, as far as the worker tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// SELECT, VALUES, WITH … SELECT, and what DuckDB turns into one.
    Select,
    /// EXPLAIN.
    Explain,
    /// Everything else.
    Other,
}

/// A prepared statement.
pub struct Statement<'connection> {
    raw: ffi::duckdb_prepared_statement,
    connection: ffi::duckdb_connection,
    _of: PhantomData<&'connection Connection>,
}

/// The columns of a statement's result.
pub struct Columns {
    /// Names in order.
    pub names: Vec<String>,
    /// Types in order.
    pub types: Vec<LogicalType>,
}

impl Statement<'_> {
    /// Its kind.
    pub fn kind(&self) -> StatementKind {
        // SAFETY: live statement.
        match unsafe { ffi::duckdb_prepared_statement_type(self.raw) } {
            ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_SELECT => StatementKind::Select,
            ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_EXPLAIN => StatementKind::Explain,
            _ => StatementKind::Other,
        }
    }

    /// Names and types of the result's columns, without running it.
    pub fn columns(&self) -> DuckResult<Columns> {
        // SAFETY: live statement.
        let count = unsafe { ffi::duckdb_prepared_statement_column_count(self.raw) };
        let (mut names, mut types) = (Vec::new(), Vec::new());
        for index in 0..count {
            // SAFETY: index below the count; the caller frees the name and owns the type.
            unsafe {
                let name = ffi::duckdb_prepared_statement_column_name(self.raw, index);
                names.push(text(name));
                ffi::duckdb_free(name.cast_mut().cast());
                let of = ffi::duckdb_prepared_statement_column_logical_type(self.raw, index);
                types.push(LogicalType::from_raw(of).ok_or_else(|| EngineError::internal("a column without type"))?);
            }
        }
        Ok(Columns { names, types })
    }

    /// How its result becomes Arrow.
    pub fn arrow_form(&self, columns: &Columns) -> DuckResult<ArrowForm> {
        ArrowForm::new(self.connection, columns)
    }

    /// Starts it as a stream: rows are made while they are fetched, and producers stop at a bounded buffer.
    pub fn start(&self) -> DuckResult<Pending<'_>> {
        let mut raw: ffi::duckdb_pending_result = ptr::null_mut();
        // SAFETY: live statement; `raw` is owned by Pending from here on.
        let state = unsafe { ffi::duckdb_pending_prepared_streaming(self.raw, &raw mut raw) };
        let pending = Pending { raw, connection: Some(self.connection), _of: PhantomData };
        if state == ffi::DuckDBSuccess { Ok(pending) } else { Err(pending.error()) }
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once (also after a failed prepare, as the C API asks).
        unsafe { ffi::duckdb_destroy_prepare(&raw mut self.raw) };
    }
}

/// How DuckDB turns a result into Arrow.
pub struct ArrowForm {
    options: ffi::duckdb_arrow_options,
    raw: FFI_ArrowSchema,
    schema: SchemaRef,
}

impl ArrowForm {
    /// The Arrow schema of a result with these columns, as DuckDB makes it.
    fn new(connection: ffi::duckdb_connection, columns: &Columns) -> DuckResult<Self> {
        let mut options: ffi::duckdb_arrow_options = ptr::null_mut();
        // SAFETY: live connection; the options are owned by ArrowForm from here on.
        unsafe { ffi::duckdb_connection_get_arrow_options(connection, &raw mut options) };
        let mut form = Self { options, raw: FFI_ArrowSchema::empty(), schema: Arc::new(Schema::empty()) };
        let names: Vec<CString> = columns.names.iter().map(|n| c_string(n)).collect::<DuckResult<_>>()?;
        let mut name_pointers: Vec<*const c_char> = names.iter().map(|n| n.as_ptr()).collect();
        let mut types: Vec<ffi::duckdb_logical_type> = columns.types.iter().map(LogicalType::raw).collect();
        // SAFETY: arrays of equal length whose elements live past the call; FFI_ArrowSchema and ffi::ArrowSchema are
        // both the C data interface's struct.
        check(unsafe {
            ffi::duckdb_to_arrow_schema(
                form.options,
                types.as_mut_ptr(),
                name_pointers.as_mut_ptr(),
                types.len() as ffi::idx_t,
                (&raw mut form.raw).cast(),
            )
        })?;
        form.schema = Arc::new(Schema::try_from(&form.raw).map_err(EngineError::arrow)?);
        Ok(form)
    }

    /// The schema.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Drop for ArrowForm {
    fn drop(&mut self) {
        if !self.options.is_null() {
            // SAFETY: owned, destroyed once.
            unsafe { ffi::duckdb_destroy_arrow_options(&raw mut self.options) };
        }
    }
}

/// A statement that was started and has no result yet.
pub struct Pending<'statement> {
    raw: ffi::duckdb_pending_result,
    /// None when the statement goes on as [`Rows`].
    connection: Option<ffi::duckdb_connection>,
    _of: PhantomData<&'statement ()>,
}

impl<'statement> Pending<'statement> {
    /// Runs until rows can be fetched.
    pub fn into_rows(mut self) -> DuckResult<Rows<'statement>> {
        let mut result = empty_result();
        // SAFETY: live pending result; `result` is owned by Rows from here on.
        let state = unsafe { ffi::duckdb_execute_pending(self.raw, &raw mut result) };
        let rows = Rows { result, connection: self.connection.take(), _of: PhantomData };
        if state == ffi::DuckDBSuccess {
            return Ok(rows);
        }
        match rows.error() {
            Some(error) => Err(error),
            None => Err(self.error()),
        }
    }

    fn error(&self) -> EngineError {
        // SAFETY: live or NULL (DuckDB answers NULL for NULL); the message belongs to it.
        EngineError::parse(&unsafe { text(ffi::duckdb_pending_error(self.raw)) })
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        stop(self.connection);
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_destroy_pending(&raw mut self.raw) };
    }
}

/// The rows of a running statement.
pub struct Rows<'statement> {
    result: ffi::duckdb_result,
    connection: Option<ffi::duckdb_connection>,
    _of: PhantomData<&'statement ()>,
}

impl Rows<'_> {
    fn columns(&self) -> DuckResult<Columns> {
        let mut result = self.result;
        // SAFETY: live result. A copy of the struct points to the same result.
        let count = unsafe { ffi::duckdb_column_count(&raw mut result) };
        let (mut names, mut types) = (Vec::new(), Vec::new());
        for index in 0..count {
            // SAFETY: index below the count; the name belongs to the result, the type is owned.
            unsafe {
                names.push(text(ffi::duckdb_column_name(&raw mut result, index)));
                let of = ffi::duckdb_column_logical_type(&raw mut result, index);
                types.push(LogicalType::from_raw(of).ok_or_else(|| EngineError::internal("a column without type"))?);
            }
        }
        Ok(Columns { names, types })
    }

    /// How many rows there are, of a result that is held in memory.
    pub fn count(&self) -> u64 {
        let mut result = self.result;
        // SAFETY: live result. A copy of the struct points to the same result.
        unsafe { ffi::duckdb_row_count(&raw mut result) }
    }

    /// The next rows as Arrow; none at the end.
    pub fn next(&mut self, form: &ArrowForm) -> DuckResult<Option<RecordBatch>> {
        // SAFETY: live result; the chunk is destroyed below.
        let mut chunk = unsafe { ffi::duckdb_fetch_chunk(self.result) };
        if chunk.is_null() {
            return self.error().map_or(Ok(None), Err);
        }
        // SAFETY: live chunk.
        let size = unsafe { ffi::duckdb_data_chunk_get_size(chunk) };
        let mut array = FFI_ArrowArray::empty();
        let converted = if size == 0 {
            Ok(())
        } else {
            // SAFETY: live options and chunk; FFI_ArrowArray is the C data interface's struct.
            check(unsafe { ffi::duckdb_data_chunk_to_arrow(form.options, chunk, (&raw mut array).cast()) })
        };
        // SAFETY: fetched above, destroyed once; the Arrow array owns copies.
        unsafe { ffi::duckdb_destroy_data_chunk(&raw mut chunk) };
        converted?;
        if size == 0 {
            return self.error().map_or(Ok(None), Err);
        }
        // SAFETY: DuckDB made the array for exactly this schema.
        let data = unsafe { from_ffi(array, &form.raw) }.map_err(EngineError::arrow)?;
        Ok(Some(RecordBatch::from(StructArray::from(data))))
    }

    fn error(&self) -> Option<EngineError> {
        let mut result = self.result;
        // SAFETY: live result; the message belongs to it. A copy of the struct points to the same result.
        let message = unsafe { text(ffi::duckdb_result_error(&raw mut result)) };
        (!message.is_empty()).then(|| EngineError::parse(&message))
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        stop(self.connection);
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_destroy_result(&raw mut self.result) };
    }
}

/// Before a statement is given up: its other threads run already, closing waits for them, and an interrupt that came
/// before the start was forgotten by it.
fn stop(connection: Option<ffi::duckdb_connection>) {
    if let Some(connection) = connection {
        // SAFETY: the connection outlives what was started on it.
        unsafe { ffi::duckdb_interrupt(connection) };
    }
}

fn check(mut error: ffi::duckdb_error_data) -> DuckResult<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: live error data, destroyed once; the message belongs to it and is copied before.
    unsafe {
        let failed = ffi::duckdb_error_data_has_error(error).then(|| text(ffi::duckdb_error_data_message(error)));
        ffi::duckdb_destroy_error_data(&raw mut error);
        failed.map_or(Ok(()), |message| Err(EngineError::parse(&message)))
    }
}

fn empty_result() -> ffi::duckdb_result {
    ffi::duckdb_result {
        deprecated_column_count: 0,
        deprecated_row_count: 0,
        deprecated_rows_changed: 0,
        deprecated_columns: ptr::null_mut(),
        deprecated_error_message: ptr::null_mut(),
        internal_data: ptr::null_mut(),
    }
}

fn c_string(text: &str) -> DuckResult<CString> {
    CString::new(text).map_err(|_| EngineError::new("Invalid Input", "a NUL character is not allowed in text"))
}

/// The text at `from`, empty for NULL.
///
/// # Safety
/// `from` is NULL or points to a NUL-terminated string.
pub(super) unsafe fn text(from: *const c_char) -> String {
    if from.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned()
}
