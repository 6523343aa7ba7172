//! Numbers of sequences in expressions over rows: a function that asks the gateway for them while a statement runs.
//!
//! It is the only one that waits for anything; a statement that is stopped waits no longer.

use std::{
    collections::BTreeMap,
    ffi::CString,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use duckdb::ffi;

use super::{duck::DuckResult, out::Out};
use crate::engine::protocol::{EngineError, FrameKind, Numbered, NumbersWanted};

/// The function's name: `pg_next_number(statement, sequence)`.
const NAME: &str = "pg_next_number";

/// The statements that may ask, by their number.
static SUPPLIES: Mutex<BTreeMap<u64, Arc<Supply>>> = Mutex::new(BTreeMap::new());

fn supplies() -> MutexGuard<'static, BTreeMap<u64, Arc<Supply>>> {
    SUPPLIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a statement's numbers come from.
pub struct Supply {
    out: Out,
    /// One question at a time.
    turn: Mutex<()>,
    state: Mutex<State>,
    told: Condvar,
}

#[derive(Default)]
struct State {
    answer: Option<Numbered>,
    stopped: bool,
}

/// A statement that may ask, until this is dropped.
pub struct Open {
    key: u64,
    pub supply: Arc<Supply>,
}

impl Drop for Open {
    fn drop(&mut self) {
        supplies().remove(&self.key);
    }
}

/// Lets a statement ask.
pub fn open(key: u64, out: Out) -> Open {
    let supply =
        Arc::new(Supply { out, turn: Mutex::new(()), state: Mutex::new(State::default()), told: Condvar::new() });
    supplies().insert(key, Arc::clone(&supply));
    Open { key, supply }
}

impl Supply {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the gateway answered.
    pub fn answer(&self, numbered: Numbered) {
        self.state().answer = Some(numbered);
        self.told.notify_all();
    }

    /// The statement is stopped.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.told.notify_all();
    }

    fn take(&self, sequence: usize, count: usize) -> Result<Vec<i64>, String> {
        let stopped = || "INTERRUPT Error: Interrupted!".to_owned();
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let head = serde_json::to_vec(&NumbersWanted { sequence, count }).map_err(|e| e.to_string())?;
        let asked = self.out.frame(FrameKind::Numbers, &head, &[]).and_then(|()| self.out.flush());
        asked.map_err(|_| stopped())?;
        let mut state = self.state();
        loop {
            if state.stopped {
                return Err(stopped());
            }
            match state.answer.take() {
                Some(Numbered { error: Some(error), .. }) => return Err(error),
                Some(Numbered { numbers, .. }) if numbers.len() == count => return Ok(numbers),
                Some(_) => return Err("SQLSTATE XX000: other numbers than were asked for".to_owned()),
                None => state = self.told.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Registers the function.
pub fn register_on(connection: ffi::duckdb_connection) -> DuckResult<()> {
    let name = CString::new(NAME).map_err(|_| EngineError::internal("a function's name"))?;
    // SAFETY: the handles are made, filled and destroyed here; DuckDB copies the function when it is registered.
    let state = unsafe {
        let mut raw = ffi::duckdb_create_scalar_function();
        ffi::duckdb_scalar_function_set_name(raw, name.as_ptr());
        let mut text = ffi::duckdb_create_logical_type(ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR);
        let mut number = ffi::duckdb_create_logical_type(ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT);
        ffi::duckdb_scalar_function_add_parameter(raw, text);
        ffi::duckdb_scalar_function_add_parameter(raw, text);
        ffi::duckdb_scalar_function_set_return_type(raw, number);
        ffi::duckdb_scalar_function_set_volatile(raw);
        ffi::duckdb_scalar_function_set_function(raw, Some(call));
        let state = ffi::duckdb_register_scalar_function(connection, raw);
        ffi::duckdb_destroy_logical_type(&raw mut text);
        ffi::duckdb_destroy_logical_type(&raw mut number);
        ffi::duckdb_destroy_scalar_function(&raw mut raw);
        state
    };
    match state == ffi::DuckDBSuccess {
        true => Ok(()),
        false => Err(EngineError::settings(format!("DuckDB did not take the function {NAME}"))),
    }
}

/// DuckDB calls this for each chunk of rows.
unsafe extern "C" fn call(info: ffi::duckdb_function_info, input: ffi::duckdb_data_chunk, output: ffi::duckdb_vector) {
    // SAFETY: input and output are live during the call, and of the types that were registered.
    let done = catch_unwind(AssertUnwindSafe(|| unsafe { run(input, output) }));
    let message = match done {
        Ok(Ok(())) => return,
        Ok(Err(message)) => message,
        Err(_) => format!("SQLSTATE XX000: {NAME} failed"),
    };
    let message = CString::new(message.replace('\0', "")).unwrap_or_default();
    // SAFETY: DuckDB copies the message.
    unsafe { ffi::duckdb_scalar_function_set_error(info, message.as_ptr()) };
}

/// # Safety
/// `input` has two columns of texts, `output` is of numbers and as long.
unsafe fn run(input: ffi::duckdb_data_chunk, output: ffi::duckdb_vector) -> Result<(), String> {
    // SAFETY: live chunk.
    let rows = unsafe { ffi::duckdb_data_chunk_get_size(input) as usize };
    if rows == 0 {
        return Ok(());
    }
    // SAFETY: there is a first row, and both columns are constants of texts.
    let (key, sequence) = unsafe { (argument(input, 0), argument(input, 1)) };
    let key: u64 = key.and_then(|text| text.parse().ok()).unwrap_or(0);
    let sequence: usize = sequence.and_then(|text| text.parse().ok()).unwrap_or(0);
    let supply = supplies().get(&key).cloned();
    let supply = supply.ok_or("SQLSTATE 0A000: a sequence gives no numbers here")?;
    let numbers = supply.take(sequence, rows)?;
    // SAFETY: the vector has room for each row of the chunk.
    unsafe {
        let to = ffi::duckdb_vector_get_data(output).cast::<i64>();
        std::ptr::copy_nonoverlapping(numbers.as_ptr(), to, numbers.len().min(rows));
    }
    Ok(())
}

/// # Safety
/// The chunk has that column, of texts, and a first row.
unsafe fn argument(input: ffi::duckdb_data_chunk, column: u64) -> Option<String> {
    // SAFETY: as the caller says; the text lives as long as the chunk and is copied.
    unsafe {
        let vector = ffi::duckdb_data_chunk_get_vector(input, column);
        let validity = ffi::duckdb_vector_get_validity(vector);
        if !validity.is_null() && !ffi::duckdb_validity_row_is_valid(validity, 0) {
            return None;
        }
        let cell = ffi::duckdb_vector_get_data(vector).cast::<ffi::duckdb_string_t>();
        let length = ffi::duckdb_string_t_length(*cell) as usize;
        let bytes = std::slice::from_raw_parts(ffi::duckdb_string_t_data(cell).cast::<u8>(), length);
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    }
}
