//! The calls of a history as rows: what the search reads.
//!
//! Rules
//! 1. Rows stand in the order of invocation; `invoked` and `returned` are indices of operations,
//!    which are the order of the journal and so of the events.
//! 2. Operations of processes that are no clients make no rows.
//! 3. A table is built by `builder::TableBuilder`, which refuses what breaks a rule of histories.

use crate::value::{Value, Values};

pub use crate::names::Names;

/// The index of a return that does not come.
pub const NEVER: u64 = u64::MAX;

/// How a call ended; a call without completion is `Info`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It happened.
    Ok,
    /// It certainly did not.
    Fail,
    /// It may have happened, then or later, or not.
    Info,
}

/// One call: an invocation with its completion.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Row {
    /// Index of the invocation, which names the call.
    pub invoked: u64,
    /// Index of the completion of an `Ok` or `Fail`; `NEVER` for an `Info`.
    pub returned: u64,
    /// Nanoseconds, of the invocation and of the completion (0 without one).
    pub times: [i64; 2],
    /// Argument of the invocation and value of the completion.
    pub input: Value,
    /// See `input`; `NIL` without a completion.
    pub output: Value,
    /// The (interned) process.
    pub process: Value,
    /// The (interned) key.
    pub key: Value,
    /// A number of `Names`: the operation's name.
    pub f: u16,
    /// A number of `Names`: the code of the completion's error, 0 if it has none.
    pub code: u16,
    /// See `Outcome`.
    pub outcome: Outcome,
}

/// A history as rows, with what their numbers stand for.
#[derive(Default)]
pub struct Table {
    /// In the order of invocation.
    pub rows: Vec<Row>,
    /// What `Row::f` and `Row::code` stand for.
    pub names: Names,
    /// What every `Value` stands for.
    pub values: Values,
    /// The rows of each key, keys in the order of first use; empty where there is one key only,
    /// whose rows are all (so that a single long key costs no list).
    pub keys: Vec<Box<[u32]>>,
}

impl Table {
    /// How many keys there are; none in a history without calls.
    #[must_use]
    pub fn key_count(&self) -> usize {
        if self.keys.is_empty() {
            usize::from(!self.rows.is_empty())
        } else {
            self.keys.len()
        }
    }

    /// How many calls the key at a place has.
    #[must_use]
    pub fn calls_of(&self, place: usize) -> usize {
        match self.keys.get(place) {
            Some(rows) => rows.len(),
            None if place == 0 => self.rows.len(),
            None => 0,
        }
    }

    /// The call of that number among the calls of the key at a place.
    #[must_use]
    pub fn call(&self, place: usize, number: usize) -> Option<&Row> {
        if self.keys.is_empty() {
            return self.rows.get(number).filter(|_| place == 0);
        }
        let row = *self.keys.get(place)?.get(number)?;
        self.rows.get(row as usize)
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let listed: usize = self
            .keys
            .iter()
            .map(|rows| size_of_val::<[u32]>(rows))
            .sum();
        self.rows.capacity() * size_of::<Row>()
            + self.keys.capacity() * size_of::<Box<[u32]>>()
            + listed
            + self.values.bytes()
            + self.names.bytes()
    }
}
