//! From operations, one after the other, to a table.
//!
//! Rules
//! 1. What `checkers.history.History` refuses is refused here: the words are found there.
//! 2. Counts that pass what a table can number are refused as well, and nothing else is.
//! 3. Memory grows with the calls and the distinct values, never with the operations of others.

use rustc_hash::FxHashMap;

use crate::table::{NEVER, Outcome, Row, Table};
use crate::value::{Full, Json, Value, Values};

/// The operations break a rule, or are more than a table holds. Nothing says which: whoever reads
/// them again in Python finds the words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unreadable;

impl From<Full> for Unreadable {
    fn from(_: Full) -> Self {
        Unreadable
    }
}

/// What an operation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A call begins.
    Invoke,
    /// A call ends so.
    Completion(Outcome),
}

impl Kind {
    /// By its name in a history.
    #[must_use]
    pub fn of(name: &str) -> Option<Kind> {
        match name {
            "invoke" => Some(Kind::Invoke),
            "ok" => Some(Kind::Completion(Outcome::Ok)),
            "fail" => Some(Kind::Completion(Outcome::Fail)),
            "info" => Some(Kind::Completion(Outcome::Info)),
            _ => None,
        }
    }
}

/// One operation of a history.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// Grows from one operation to the next.
    pub index: i64,
    /// Nanoseconds; does not go back.
    pub time: i64,
    /// An integer (a client) or a string (none), of the builder's values.
    pub process: Value,
    /// See `Kind`.
    pub kind: Kind,
    /// The operation's name.
    pub f: &'a str,
    /// Argument or result.
    pub value: Value,
    /// `NIL` where there is none.
    pub key: Value,
    /// Of the error; empty where there is none.
    pub code: &'a str,
}

/// Builds a table from operations. Values are made in `values` first.
#[derive(Default)]
pub struct TableBuilder {
    /// Where values of the next operation are interned.
    pub values: Values,
    table: Table,
    /// The row of the open call of each process that has one.
    open: FxHashMap<Value, u32>,
    last: Option<(i64, i64)>,
}

impl TableBuilder {
    /// Takes the next operation.
    ///
    /// # Errors
    /// `Unreadable` where it breaks a rule; the builder is of no use then.
    pub fn take(&mut self, operation: &Operation<'_>) -> Result<(), Unreadable> {
        if operation.index < 0 {
            return Err(Unreadable);
        }
        if let Some((index, time)) = self.last
            && (operation.index <= index || operation.time < time)
        {
            return Err(Unreadable);
        }
        self.last = Some((operation.index, operation.time));
        match self.values.get(operation.process) {
            Json::Int(_) | Json::Big(_) => self.take_of_client(operation),
            Json::Text(name) if is_decimal(name) => Err(Unreadable),
            Json::Text(_) => Ok(()),
            _ => Err(Unreadable),
        }
    }

    fn take_of_client(&mut self, operation: &Operation<'_>) -> Result<(), Unreadable> {
        match operation.kind {
            Kind::Invoke => self.invoke(operation),
            Kind::Completion(outcome) => self.complete(operation, outcome),
        }
    }

    fn invoke(&mut self, operation: &Operation<'_>) -> Result<(), Unreadable> {
        let number = u32::try_from(self.table.rows.len()).map_err(|_| Unreadable)?;
        if self.open.insert(operation.process, number).is_some() {
            return Err(Unreadable);
        }
        self.table.rows.push(Row {
            invoked: operation.index.unsigned_abs(),
            returned: NEVER,
            times: [operation.time, 0],
            input: operation.value,
            output: Value::NIL,
            process: operation.process,
            key: operation.key,
            f: self.table.names.intern(operation.f).ok_or(Unreadable)?,
            code: 0,
            outcome: Outcome::Info,
        });
        Ok(())
    }

    fn complete(&mut self, operation: &Operation<'_>, outcome: Outcome) -> Result<(), Unreadable> {
        let number = self.open.remove(&operation.process).ok_or(Unreadable)?;
        let row = self.table.rows.get_mut(number as usize).ok_or(Unreadable)?;
        if self.table.names.name(row.f) != operation.f {
            return Err(Unreadable);
        }
        if operation.key != Value::NIL && operation.key != row.key {
            return Err(Unreadable);
        }
        row.outcome = outcome;
        row.output = operation.value;
        row.times[1] = operation.time;
        row.code = self.table.names.intern(operation.code).ok_or(Unreadable)?;
        if outcome != Outcome::Info {
            row.returned = operation.index.unsigned_abs();
        }
        Ok(())
    }

    /// The table of all that was taken; calls that are open have no completion.
    #[must_use]
    pub fn finish(self) -> Table {
        let mut table = self.table;
        table.values = self.values;
        table.values.shrink();
        table.rows.shrink_to_fit();
        table.keys = by_key(&table.rows);
        table
    }
}

/// The rows of each key, keys in the order of first use; none where there is one key.
pub(crate) fn by_key(rows: &[Row]) -> Vec<Box<[u32]>> {
    let one = rows.first().map(|row| row.key);
    if rows.iter().all(|row| Some(row.key) == one) {
        return Vec::new();
    }
    let mut places: FxHashMap<Value, usize> = FxHashMap::default();
    let mut counts: Vec<usize> = Vec::new();
    for row in rows {
        let place = *places.entry(row.key).or_insert(counts.len());
        match counts.get_mut(place) {
            Some(count) => *count += 1,
            None => counts.push(1),
        }
    }
    let mut keys: Vec<Vec<u32>> = counts.into_iter().map(Vec::with_capacity).collect();
    for (number, row) in (0u32..).zip(rows) {
        keys[places[&row.key]].push(number);
    }
    keys.into_iter().map(Vec::into_boxed_slice).collect()
}

/// Is a process of that name a number in disguise? Python's `str.isdecimal`, or more: any digit.
fn is_decimal(name: &str) -> bool {
    !name.is_empty() && name.chars().all(char::is_numeric)
}
