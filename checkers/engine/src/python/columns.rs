//! A table from arrays of integers, one element a call.
//!
//! Rules
//! 1. The arrays are copied piece by piece: never is a whole column held twice.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PySlice};

use crate::builder::{Unreadable, by_key};
use crate::table::{NEVER, Outcome, Row, Table};
use crate::value::{Value, Values};

/// What stands for null in a column of values.
const NULL: i64 = i64::MIN;

/// Calls that are copied at once.
const PIECE: usize = 1 << 16;

/// The calls as a table. The arrays: invoked, returned, process, f, input, output, outcome, key; see
/// `checkers/_engine.pyi`.
pub(super) fn table(arrays: &[Bound<'_, PyAny>; 8], names: &[String]) -> PyResult<Table> {
    let py = arrays[0].py();
    let calls = arrays[0].len()?;
    let mut table = Table::default();
    let mut making = Making {
        names: names
            .iter()
            .map(|name| table.names.intern(name).ok_or(Unreadable))
            .collect::<Result<_, _>>()?,
        refused: table.names.intern("compare-failed").ok_or(Unreadable)?,
        values: Values::default(),
        columns: Default::default(),
    };
    if u32::try_from(calls).is_err() {
        return Err(Unreadable.into());
    }
    table.rows.reserve_exact(calls);
    for start in (0..calls).step_by(PIECE) {
        let end = calls.min(start + PIECE);
        for (column, array) in making.columns.iter_mut().zip(arrays) {
            if array.len()? != calls {
                return Err(Unreadable.into());
            }
            let piece = py.get_type::<PySlice>().call1((start, end))?;
            *column = PyBuffer::<i64>::get(&array.get_item(piece)?)?.to_vec(py)?;
        }
        making.rows(end - start, &mut table.rows)?;
        py.check_signals()?;
    }
    table.values = making.values;
    table.values.shrink();
    table.keys = by_key(&table.rows);
    Ok(table)
}

/// Makes rows of a piece of the arrays.
struct Making {
    names: Vec<u16>,
    /// The code of a compare-and-set that did not match.
    refused: u16,
    values: Values,
    columns: [Vec<i64>; 8],
}

impl Making {
    fn rows(&mut self, calls: usize, rows: &mut Vec<Row>) -> Result<(), Unreadable> {
        for at in 0..calls {
            let row = self.row(at, calls)?;
            if rows.last().is_some_and(|last| row.invoked <= last.invoked) {
                return Err(Unreadable);
            }
            rows.push(row);
        }
        Ok(())
    }

    fn row(&mut self, at: usize, calls: usize) -> Result<Row, Unreadable> {
        let mut call = [0; 8];
        for (cell, column) in call.iter_mut().zip(&self.columns) {
            *cell = *column.get(at).ok_or(Unreadable)?;
        }
        let [invoked, returned, process, f, narrow, output, outcome, key] = call;
        let (outcome, code) = match outcome {
            0 => (Outcome::Ok, 0),
            1 => (Outcome::Fail, self.refused),
            2 => (Outcome::Info, 0),
            _ => return Err(Unreadable),
        };
        let never = outcome == Outcome::Info;
        if invoked < 0 || !never && returned <= invoked {
            return Err(Unreadable);
        }
        let f = usize::try_from(f).map_err(|_| Unreadable)?;
        let input = match self.columns[4].get(2 * at..2 * at + 2) {
            Some(&[first, second]) if self.columns[4].len() == 2 * calls => {
                self.pair(first, second)?
            }
            _ => self.nullable(narrow)?,
        };
        Ok(Row {
            invoked: invoked.unsigned_abs(),
            returned: if never {
                NEVER
            } else {
                returned.unsigned_abs()
            },
            times: [invoked, if never { 0 } else { returned }],
            input,
            output: self.nullable(output)?,
            process: self.values.int(process)?,
            key: self.nullable(key)?,
            f: *self.names.get(f).ok_or(Unreadable)?,
            code,
            outcome,
        })
    }

    fn pair(&mut self, first: i64, second: i64) -> Result<Value, Unreadable> {
        let first = self.nullable(first)?;
        if second == NULL {
            return Ok(first);
        }
        let second = self.values.int(second)?;
        Ok(self.values.list(&[first, second])?)
    }

    fn nullable(&mut self, integer: i64) -> Result<Value, Unreadable> {
        if integer == NULL {
            return Ok(Value::NIL);
        }
        Ok(self.values.int(integer)?)
    }
}
