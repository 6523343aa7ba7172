//! Cursors: rows of a query that are fetched piece by piece, forward while they stream, in any order once they are kept.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use super::{
    PgError, PgResult, SqlState,
    backend::{CursorOptions, Direction, KeptRows, ResultColumn, RowSource, RowTag, Rows},
};

/// Rows read backward at a time.
const BACKWARD_ROWS: u64 = 1024;

/// A cursor that was declared.
#[derive(Clone)]
pub(super) struct Cursor {
    pub columns: Arc<[ResultColumn]>,
    pub options: CursorOptions,
    pub text: String,
    pub declared: DateTime<Utc>,
    rows: Arc<Mutex<CursorRows>>,
}

enum CursorRows {
    /// As they come. `done` rows were fetched; `over` says that the end was seen; `seen` are all that came, while they may be
    /// wanted again.
    Stream { source: Option<Box<dyn RowSource>>, rest: Option<RecordBatch>, done: u64, over: bool, seen: Option<Seen> },
    /// All of them. `at` is the row where the cursor stands, from 1; 0 before the first, one more than there are behind.
    Kept { rows: Box<dyn KeptRows>, at: u64 },
}

/// What a cursor showed, so that it can go back although nobody said that it would.
#[derive(Default)]
struct Seen {
    batches: Vec<RecordBatch>,
    bytes: usize,
}

/// Bytes of rows that a cursor remembers so: who wants more says SCROLL.
const SEEN_BYTES_MAX: usize = 4 << 20;

impl Seen {
    /// One batch more; none where that is too much.
    fn and(mut self, batch: &RecordBatch) -> Option<Self> {
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch.clone());
        (self.bytes <= SEEN_BYTES_MAX).then_some(self)
    }
}

/// What was seen, and what comes then.
struct Again {
    seen: std::vec::IntoIter<RecordBatch>,
    source: Option<Box<dyn RowSource>>,
}

#[async_trait]
impl RowSource for Again {
    async fn next(&mut self) -> PgResult<Option<RecordBatch>> {
        match (self.seen.next(), &mut self.source) {
            (Some(batch), _) => Ok(Some(batch)),
            (None, Some(source)) => source.next().await,
            (None, None) => Ok(None),
        }
    }
}

impl Cursor {
    /// Over rows that stream.
    pub fn streaming(rows: Rows, options: CursorOptions, text: String, declared: DateTime<Utc>) -> Self {
        Self::begun(rows, (None, 0), options, text, declared)
    }

    /// Over rows of which some were shown already: what is left of a batch, and how many.
    pub fn begun(
        rows: Rows,
        (rest, done): (Option<RecordBatch>, u64),
        options: CursorOptions,
        text: String,
        declared: DateTime<Utc>,
    ) -> Self {
        let columns = rows.columns.clone();
        let seen = options.scrolls().then(Seen::default);
        let rows = CursorRows::Stream { source: Some(rows.batches), rest, done, over: false, seen };
        Self { columns, options, text, declared, rows: Arc::new(Mutex::new(rows)) }
    }

    /// All its rows, where a stream has to go a way that it cannot go: they are to be kept from now on. With them the place where
    /// the cursor stands.
    pub async fn turns(&self, direction: Direction) -> Option<(Rows, u64)> {
        let mut rows = self.rows.lock().await;
        let CursorRows::Stream { source, rest, done, over, seen } = &mut *rows else { return None };
        if seen.is_none() || forward(direction, *done, *over, true).is_ok() {
            return None;
        }
        *rest = None;
        let (seen, source) = (seen.take()?.batches.into_iter(), source.take());
        let batches = Box::new(Again { seen, source });
        let at = *done + u64::from(*over);
        Some((Rows { columns: self.columns.clone(), batches, tag: RowTag::Select, binary: self.options.binary }, at))
    }

    /// Goes on over rows that are kept now.
    pub async fn keep(&self, rows: Box<dyn KeptRows>, at: u64) {
        *self.rows.lock().await = CursorRows::Kept { rows, at };
    }

    /// Over rows that are kept.
    pub fn kept(
        columns: Arc<[ResultColumn]>,
        rows: Box<dyn KeptRows>,
        options: CursorOptions,
        text: String,
        declared: DateTime<Utc>,
    ) -> Self {
        let rows = CursorRows::Kept { rows, at: 0 };
        Self { columns, options, text, declared, rows: Arc::new(Mutex::new(rows)) }
    }

    /// The rows of a FETCH, to be read while they are sent.
    ///
    /// # Errors
    /// 55000 for a way that the cursor cannot go.
    pub async fn fetch(&self, direction: Direction) -> PgResult<Window> {
        let mut rows = self.rows.lock().await;
        let plan = match &mut *rows {
            CursorRows::Stream { done, over, .. } => {
                let (skip, take) = forward(direction, *done, *over, self.options.scrolls())?;
                Plan::Stream { skip, take }
            }
            CursorRows::Kept { rows, at } => {
                if !self.options.scrolls() {
                    // What a stream could not do, it may not, wherever its rows are.
                    let over = *at > rows.count();
                    forward(direction, *at - u64::from(over), over, false)?;
                }
                kept(direction, rows.count(), at)
            }
        };
        drop(rows);
        Ok(Window { rows: self.rows.clone(), plan })
    }
}

/// What is left of a FETCH.
pub(super) struct Window {
    rows: Arc<Mutex<CursorRows>>,
    plan: Plan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Stream {
        skip: u64,
        take: u64,
    },
    /// Rows from `from` (0 is the first).
    Forward {
        from: u64,
        take: u64,
    },
    /// Rows below `to`, nearest first.
    Backward {
        to: u64,
        take: u64,
    },
}

#[async_trait]
impl RowSource for Window {
    async fn next(&mut self) -> PgResult<Option<RecordBatch>> {
        let mut rows = self.rows.lock().await;
        match (&mut *rows, &mut self.plan) {
            (CursorRows::Stream { source, rest, done, over, seen }, Plan::Stream { skip, take }) => loop {
                if *skip == 0 && *take == 0 {
                    return Ok(None);
                }
                let batch = match (rest.take(), source.as_mut()) {
                    (Some(batch), _) => batch,
                    (None, Some(stream)) => match stream.next().await {
                        Ok(Some(batch)) => {
                            *seen = seen.take().and_then(|seen| seen.and(&batch));
                            batch
                        }
                        ended => {
                            (*over, *source) = (true, None);
                            return ended;
                        }
                    },
                    (None, None) => {
                        *over = true;
                        return Ok(None);
                    }
                };
                let skipping = *skip > 0;
                let wanted = if skipping { &mut *skip } else { &mut *take };
                let count = usize::try_from(*wanted).unwrap_or(usize::MAX).min(batch.num_rows());
                *wanted -= count as u64;
                *done += count as u64;
                let (now, later) = (batch.slice(0, count), batch.slice(count, batch.num_rows() - count));
                *rest = (later.num_rows() > 0).then_some(later);
                if !skipping && now.num_rows() > 0 {
                    return Ok(Some(now));
                }
            },
            (CursorRows::Kept { rows, .. }, Plan::Forward { from, take }) => {
                if *take == 0 {
                    return Ok(None);
                }
                let batch = rows.read(*from, *take).await?;
                let count = batch.as_ref().map_or(0, |b| b.num_rows() as u64);
                (*from, *take) = (*from + count, *take - count);
                Ok(batch)
            }
            (CursorRows::Kept { rows, .. }, Plan::Backward { to, take }) => {
                if *take == 0 {
                    return Ok(None);
                }
                let size = (*take).min(BACKWARD_ROWS).min(*to);
                // The last of these rows first, whatever batches they lie in.
                let Some(batch) = rows.read(*to - 1, 1).await? else { return Ok(None) };
                let mut batches = vec![batch];
                while (batches.len() as u64) < size {
                    let below = *to - 1 - batches.len() as u64;
                    match rows.read(below, 1).await? {
                        Some(batch) => batches.push(batch),
                        None => break,
                    }
                }
                let count = batches.len() as u64;
                (*to, *take) = (*to - count, *take - count);
                let schema = batches.first().map(RecordBatch::schema).ok_or_else(|| PgError::internal("no row"))?;
                arrow::compute::concat_batches(&schema, &batches).map(Some).map_err(PgError::internal)
            }
            _ => Err(PgError::internal("a cursor changed under its FETCH")),
        }
    }
}

fn only_forward() -> PgError {
    PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
        .hint("Declare it with SCROLL option to enable backward scan.")
}

/// How many rows a stream leaves out, and how many it gives.
fn forward(direction: Direction, done: u64, over: bool, scrolls: bool) -> PgResult<(u64, u64)> {
    let positive = |n: i64| u64::try_from(n).ok();
    // Where the cursor stands: behind the last row once the end was seen.
    let at = done + u64::from(over);
    match direction {
        Direction::Forward(i64::MAX) => Ok((0, u64::MAX)),
        Direction::Forward(count) if count > 0 => Ok((0, positive(count).unwrap_or(0))),
        Direction::Forward(0) | Direction::Relative(0) if done == 0 || over => Ok((0, 0)),
        Direction::Absolute(0) if at == 0 => Ok((0, 0)),
        Direction::Backward(_) if at == 0 && scrolls => Ok((0, 0)),
        Direction::Relative(by) if by > 0 => Ok((positive(by - 1).unwrap_or(0), 1)),
        Direction::Absolute(row) if positive(row).is_some_and(|row| row > at) => {
            Ok((positive(row).unwrap_or(0) - done - 1, 1))
        }
        _ => Err(only_forward()),
    }
}

/// The rows that a direction means among those that are kept; moves the cursor.
fn kept(direction: Direction, count: u64, at: &mut u64) -> Plan {
    let behind = count + 1;
    let one = |row: u64| Plan::Forward { from: row.saturating_sub(1), take: u64::from((1..=count).contains(&row)) };
    let go = |to: i128| u64::try_from(to.clamp(0, i128::from(behind))).unwrap_or(0);
    let here = *at;
    match direction {
        Direction::Forward(0) | Direction::Relative(0) => one(here),
        Direction::Forward(rows) => {
            let from = here.min(count);
            let take = u64::try_from(rows).unwrap_or(0).min(count - from);
            *at = if take == u64::try_from(rows).unwrap_or(0) { here + take } else { behind };
            Plan::Forward { from, take }
        }
        Direction::Backward(rows) => {
            let to = here.saturating_sub(1).min(count);
            let take = u64::try_from(rows).unwrap_or(0).min(to);
            *at = if take == u64::try_from(rows).unwrap_or(0) { here - take } else { 0 };
            Plan::Backward { to, take }
        }
        Direction::Absolute(row) => {
            *at = if row < 0 { go(i128::from(behind) + i128::from(row)) } else { go(i128::from(row)) };
            one(*at)
        }
        Direction::Relative(by) => {
            *at = go(i128::from(here) + i128::from(by));
            one(*at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction as D;

    /// What PostgreSQL 15 shows for these steps over three rows.
    #[test]
    fn steps() {
        let mut at = 0;
        let mut step = |direction| match kept(direction, 3, &mut at) {
            Plan::Forward { from, take } => (from + 1..=from + take).collect::<Vec<u64>>(),
            Plan::Backward { to, take } => (0..take).map(|n| to - n).collect(),
            Plan::Stream { .. } => unreachable!("kept"),
        };
        for (direction, rows) in [
            (D::Forward(2), vec![1, 2]),
            (D::Forward(0), vec![2]),
            (D::Backward(1), vec![1]),
            (D::Backward(1), vec![]),
            (D::Forward(i64::MAX), vec![1, 2, 3]),
            (D::Relative(0), vec![]),
            (D::Backward(1), vec![3]),
            (D::Absolute(-3), vec![1]),
            (D::Relative(2), vec![3]),
            (D::Forward(1), vec![]),
            (D::Backward(i64::MAX), vec![3, 2, 1]),
            (D::Absolute(9), vec![]),
            (D::Relative(-1), vec![3]),
            (D::Absolute(0), vec![]),
            (D::Forward(1), vec![1]),
        ] {
            assert_eq!(step(direction), rows, "{direction:?}");
        }
    }

    #[test]
    fn streams_go_forward_only() {
        assert_eq!(forward(D::Forward(5), 2, false, false), Ok((0, 5)));
        assert_eq!(forward(D::Absolute(5), 2, false, false), Ok((2, 1)));
        assert_eq!(forward(D::Relative(3), 2, false, false), Ok((2, 1)));
        for direction in [D::Backward(1), D::Absolute(1), D::Absolute(-1), D::Relative(-1), D::Relative(0)] {
            assert!(forward(direction, 2, false, false).is_err(), "{direction:?}");
        }
        // Where it did not begin, going back is nothing; a cursor that cannot go back says so even there.
        assert_eq!(forward(D::Backward(1), 0, false, true), Ok((0, 0)));
        assert!(forward(D::Backward(1), 0, false, false).is_err());
    }
}
