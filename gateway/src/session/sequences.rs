//! Numbers of sequences: this process's blocks, and what a session was given.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use duckmesh_catalog::{
    Catalog, LakeId, SequenceDef, SequenceSpec,
    sequences::{Run, State},
};
use uuid::Uuid;

use crate::{
    commands::failure,
    wire::{PgError, PgResult, SqlState},
};

/// Numbers taken at once where this process is the lake's only one; Postgres logs as many ahead. A crash loses them.
const BLOCK: u64 = 32;
/// `CACHE` above this takes no more at once.
const BLOCK_MAX: u64 = 1 << 20;

/// The blocks of one lake.
pub struct Sequences {
    catalog: Catalog,
    lake: LakeId,
    /// Whether no other process gives numbers of this lake.
    alone: bool,
    blocks: Mutex<HashMap<Uuid, Arc<tokio::sync::Mutex<Block>>>>,
}

/// What is left of the numbers that were taken.
#[derive(Default)]
struct Block {
    next: i64,
    left: u64,
    /// The state as we left it.
    state: Option<State>,
    /// What the numbers were taken for.
    spec: Option<SequenceSpec>,
}

/// What a session was given: `currval`, `lastval`.
#[derive(Debug, Default)]
pub struct Given {
    values: HashMap<Uuid, i64>,
    last: Option<Uuid>,
    /// How far temporary sequences are.
    own: HashMap<Uuid, State>,
}

impl Given {
    /// `nextval` gave this.
    pub fn note(&mut self, sequence: Uuid, value: i64) {
        self.values.insert(sequence, value);
        self.last = Some(sequence);
    }

    /// `setval`: `lastval` stays what it is.
    pub fn set(&mut self, sequence: Uuid, value: i64) {
        self.values.insert(sequence, value);
    }

    /// `currval`
    #[must_use]
    pub fn current(&self, sequence: Uuid) -> Option<i64> {
        self.values.get(&sequence).copied()
    }

    /// The sequence whose number `lastval` is.
    #[must_use]
    pub fn last_sequence(&self) -> Option<Uuid> {
        self.last
    }

    /// `lastval`
    #[must_use]
    pub fn last(&self) -> Option<i64> {
        self.current(self.last?)
    }

    /// DISCARD SEQUENCES.
    pub fn clear(&mut self) {
        self.values.clear();
        self.last = None;
    }

    /// How far a temporary sequence is.
    #[must_use]
    pub fn state(&self, sequence: &SequenceDef) -> State {
        let spec = &sequence.spec;
        self.own.get(&spec.state).copied().unwrap_or_else(|| spec.fresh())
    }

    /// The next numbers of a temporary sequence.
    ///
    /// # Errors
    /// 2200H at the sequence's end.
    pub fn take(&mut self, sequence: &SequenceDef, count: usize) -> PgResult<Vec<i64>> {
        let mut numbers = Vec::with_capacity(count);
        while numbers.len() < count {
            let missing = (count - numbers.len()) as u64;
            let after = sequence.spec.after(self.state(sequence), missing);
            let (Run { first, count }, state) = after.ok_or_else(|| exhausted(sequence))?;
            numbers.extend((0..count).scan(first, |next, _| {
                let number = *next;
                *next = next.wrapping_add(sequence.spec.increment);
                Some(number)
            }));
            self.own.insert(sequence.spec.state, state);
        }
        Ok(numbers)
    }

    /// `setval` of a temporary sequence.
    ///
    /// # Errors
    /// 22003 outside the sequence's bounds.
    pub fn put(&mut self, sequence: &SequenceDef, state: State) -> PgResult<()> {
        within_bounds(sequence, state)?;
        self.own.insert(sequence.spec.state, state);
        Ok(())
    }
}

impl Sequences {
    /// No block taken yet.
    #[must_use]
    pub fn new(catalog: Catalog, lake: LakeId, alone: bool) -> Self {
        Self { catalog, lake, alone, blocks: Mutex::default() }
    }

    fn block(&self, state: Uuid) -> Arc<tokio::sync::Mutex<Block>> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.entry(state).or_default().clone()
    }

    /// The next numbers, as many as asked for.
    ///
    /// # Errors
    /// 2200H at the sequence's end; errors of the catalog.
    pub async fn next(&self, sequence: &SequenceDef, count: usize) -> PgResult<Vec<i64>> {
        let spec = &sequence.spec;
        let block = self.block(spec.state);
        let mut block = self.catalog.patiently(block.lock()).await.map_err(failure::catalog)?;
        self.give_back(&mut block, spec).await?;
        let mut numbers = Vec::with_capacity(count);
        while numbers.len() < count {
            let missing = (count - numbers.len()) as u64;
            if block.left == 0 {
                let cache = u64::try_from(spec.cache).unwrap_or(1).min(BLOCK_MAX);
                let ahead = if self.alone { cache.max(BLOCK) } else { cache };
                let known = if self.alone { block.state.take() } else { None };
                let taken = self.catalog.sequence_take(self.lake, spec, missing.max(ahead), known).await;
                let Some((Run { first, count }, state)) = taken.map_err(failure::catalog)? else {
                    return Err(exhausted(sequence));
                };
                (block.next, block.left, block.state) = (first, count, Some(state));
                block.spec = Some(spec.clone());
            }
            for _ in 0..block.left.min(missing) {
                numbers.push(block.next);
                block.left -= 1;
                // The last number of a block may be the type's last.
                block.next = block.next.wrapping_add(spec.increment);
            }
        }
        Ok(numbers)
    }

    /// What was taken for a sequence as it was before ALTER SEQUENCE does not fit it any more.
    async fn give_back(&self, block: &mut Block, spec: &SequenceSpec) -> PgResult<()> {
        let Some(old) = block.spec.as_ref().filter(|old| *old != spec && block.left > 0) else { return Ok(()) };
        let last = block.next.wrapping_sub(old.increment);
        let state = State { last, called: true };
        *block = Block::default();
        if self.alone {
            self.catalog.sequence_set(self.lake, spec, state).await.map_err(failure::catalog)?;
        }
        Ok(())
    }

    /// `setval`: for all, at once.
    ///
    /// # Errors
    /// 22003 outside the sequence's bounds; errors of the catalog.
    pub async fn set(&self, sequence: &SequenceDef, state: State) -> PgResult<()> {
        let spec = &sequence.spec;
        within_bounds(sequence, state)?;
        let block = self.block(spec.state);
        let mut block = self.catalog.patiently(block.lock()).await.map_err(failure::catalog)?;
        *block = Block::default();
        self.catalog.sequence_set(self.lake, spec, state).await.map_err(failure::catalog)
    }

    /// How far a sequence is, as its relation shows it.
    ///
    /// # Errors
    /// Of the catalog.
    pub async fn state(&self, sequence: &SequenceDef) -> PgResult<State> {
        let spec = &sequence.spec;
        let block = self.block(spec.state);
        let block = self.catalog.patiently(block.lock()).await.map_err(failure::catalog)?;
        if block.left > 0 {
            // What is taken and not given does not count.
            return Ok(match block.next.checked_sub(spec.increment) {
                Some(last) if block.next != spec.first => State { last, called: true },
                _ => State { last: block.next, called: false },
            });
        }
        let state = self.catalog.sequence_state(self.lake, spec.state).await.map_err(failure::catalog)?;
        Ok(state.unwrap_or_else(|| spec.fresh()))
    }
}

fn within_bounds(sequence: &SequenceDef, state: State) -> PgResult<()> {
    let spec = &sequence.spec;
    if (spec.min..=spec.max).contains(&state.last) {
        return Ok(());
    }
    let message = format!(
        "setval: value {} is out of bounds for sequence \"{}\" ({}..{})",
        state.last, sequence.name, spec.min, spec.max
    );
    Err(PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message))
}

fn exhausted(sequence: &SequenceDef) -> PgError {
    let (word, limit) = match sequence.spec.increment > 0 {
        true => ("maximum", sequence.spec.max),
        false => ("minimum", sequence.spec.min),
    };
    let message = format!("nextval: reached {word} value of sequence \"{}\" ({limit})", sequence.name);
    PgError::new(SqlState::SEQUENCE_LIMIT_EXCEEDED, message)
}
