//! `checkers._engine.Table`.

use std::fs::File;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyList, PyString, PyTuple};

use super::columns;
use super::objects::Objects;
use crate::builder::{Kind, Operation, TableBuilder, Unreadable};
use crate::journal::Journal;
use crate::table::{self, NEVER, Outcome, Row};
use crate::value::{Value, Values};

/// Operations that are taken from Python between two looks for signals; a few milliseconds.
const TURN: usize = 2000;

/// A history as the engine holds it; see `checkers/_engine.pyi`.
#[pyclass(frozen, module = "checkers._engine")]
pub(super) struct Table {
    pub(super) calls: table::Table,
    pub(super) objects: Objects,
    torn: Option<(u64, Vec<u8>)>,
    unjudged: Vec<String>,
}

#[pymethods]
impl Table {
    #[staticmethod]
    fn read(py: Python<'_>, path: std::path::PathBuf) -> PyResult<Self> {
        let file = File::open(path).map_err(Unreadable::from)?;
        let mut journal = Journal::new(file);
        while py.detach(|| journal.step())? {
            py.check_signals()?;
        }
        let reading = py.detach(|| journal.finish())?;
        Ok(Table {
            calls: reading.table,
            objects: Objects::new(py),
            torn: reading.torn,
            unjudged: reading.unjudged.into_iter().collect(),
        })
    }

    #[staticmethod]
    fn of(py: Python<'_>, operations: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut builder = TableBuilder::default();
        let mut objects = Objects::new(py);
        for (taken, operation) in operations.try_iter()?.enumerate() {
            take(&mut builder, &mut objects, &operation?)?;
            if taken % TURN == 0 {
                py.check_signals()?;
            }
        }
        Ok(Table::made(py.detach(|| builder.finish()), objects))
    }

    #[staticmethod]
    #[allow(clippy::too_many_arguments)] // the columns of a call
    #[allow(clippy::needless_pass_by_value)] // PyO3 hands lists over
    fn columns(
        py: Python<'_>,
        invoked: Bound<'_, PyAny>,
        returned: Bound<'_, PyAny>,
        process: Bound<'_, PyAny>,
        f: Bound<'_, PyAny>,
        input: Bound<'_, PyAny>,
        output: Bound<'_, PyAny>,
        outcome: Bound<'_, PyAny>,
        key: Bound<'_, PyAny>,
        names: Vec<String>,
    ) -> PyResult<Self> {
        let arrays = [invoked, returned, process, f, input, output, outcome, key];
        Ok(Table::made(
            columns::table(&arrays, &names)?,
            Objects::new(py),
        ))
    }

    #[getter]
    fn calls(&self) -> usize {
        self.calls.rows.len()
    }

    #[getter]
    fn keys(&self) -> usize {
        self.calls.key_count()
    }

    #[getter]
    fn bytes(&self) -> usize {
        self.calls.bytes()
    }

    #[getter]
    fn torn(&self) -> Option<(u64, &[u8])> {
        self.torn.as_ref().map(|(line, bytes)| (*line, &bytes[..]))
    }

    #[getter]
    fn unjudged(&self) -> Vec<String> {
        self.unjudged.clone()
    }

    fn key<'py>(&self, py: Python<'py>, place: usize) -> PyResult<Bound<'py, PyAny>> {
        match self.calls.call(place, 0) {
            Some(row) => self.objects.object(py, &self.calls.values, row.key),
            None => Err(no_key(place)),
        }
    }

    fn calls_of(&self, place: usize) -> usize {
        self.calls.calls_of(place)
    }

    fn rows<'py>(
        &self,
        py: Python<'py>,
        place: usize,
        since: u64,
        until: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        let found = PyList::empty(py);
        for number in 0..self.calls.calls_of(place) {
            match self.calls.call(place, number) {
                Some(row) if row.invoked >= until => break,
                Some(row) if row.returned >= since => found.append(self.row(py, row)?)?,
                _ => {}
            }
        }
        Ok(found)
    }
}

impl Table {
    fn made(table: table::Table, objects: Objects) -> Self {
        Table {
            calls: table,
            objects,
            torn: None,
            unjudged: Vec::new(),
        }
    }

    pub(super) fn outcome(py: Python<'_>, outcome: Outcome) -> &Bound<'_, PyString> {
        match outcome {
            Outcome::Ok => intern!(py, "ok"),
            Outcome::Fail => intern!(py, "fail"),
            Outcome::Info => intern!(py, "info"),
        }
    }

    fn row<'py>(&self, py: Python<'py>, of: &Row) -> PyResult<Bound<'py, PyTuple>> {
        row(py, &self.calls, &self.objects, of)
    }
}

/// A row as Python sees it; see `checkers/_engine.pyi`.
pub(super) fn row<'py>(
    py: Python<'py>,
    table: &table::Table,
    objects: &Objects,
    row: &Row,
) -> PyResult<Bound<'py, PyTuple>> {
    let object = |value| objects.object(py, &table.values, value);
    let outcome = Table::outcome(py, row.outcome);
    let returned = (row.returned != NEVER).then_some(row.returned);
    (
        row.invoked,
        returned,
        outcome,
        object(row.process)?,
        table.names.name(row.f),
        object(row.input)?,
        object(row.output)?,
        table.names.name(row.code),
        (row.times[0], row.times[1]),
    )
        .into_pyobject(py)
}

fn no_key(place: usize) -> PyErr {
    pyo3::exceptions::PyIndexError::new_err(format!("the history has no key at place {place}"))
}

/// Takes an operation of Python.
fn take(
    builder: &mut TableBuilder,
    objects: &mut Objects,
    operation: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let taken = Taken::of(&mut builder.values, objects, operation)?;
    builder.take(&Operation {
        index: taken.index,
        time: taken.time,
        process: taken.process,
        kind: taken.kind,
        f: taken.f()?,
        value: taken.value,
        key: taken.key,
        code: taken.code()?,
    })?;
    Ok(())
}

/// An operation of Python, its values interned.
pub(super) struct Taken<'py> {
    pub(super) index: i64,
    pub(super) time: i64,
    pub(super) process: Value,
    pub(super) kind: Kind,
    pub(super) value: Value,
    pub(super) key: Value,
    f: Bound<'py, PyAny>,
    code: Option<Bound<'py, PyAny>>,
}

impl<'py> Taken<'py> {
    pub(super) fn of(
        values: &mut Values,
        objects: &mut Objects,
        operation: &Bound<'py, PyAny>,
    ) -> PyResult<Self> {
        let py = operation.py();
        let integer = |object: Bound<'_, PyAny>| object.extract::<i64>().map_err(|_| Unreadable);
        let mut intern = |object| objects.intern(values, &object);
        let kind = operation.getattr(intern!(py, "type"))?;
        let error = operation.getattr(intern!(py, "error"))?;
        let code = if error.is_none() {
            None
        } else {
            Some(error.getattr(intern!(py, "code"))?)
        };
        Ok(Taken {
            index: integer(operation.getattr(intern!(py, "index"))?)?,
            time: integer(operation.getattr(intern!(py, "time"))?)?,
            process: intern(operation.getattr(intern!(py, "process"))?)?,
            kind: Kind::of(text_of(&kind)?).ok_or(Unreadable)?,
            value: intern(operation.getattr(intern!(py, "value"))?)?,
            key: intern(operation.getattr(intern!(py, "key"))?)?,
            f: operation.getattr(intern!(py, "f"))?,
            code,
        })
    }

    pub(super) fn f(&self) -> Result<&str, Unreadable> {
        text_of(&self.f)
    }

    pub(super) fn code(&self) -> Result<&str, Unreadable> {
        self.code.as_ref().map_or(Ok(""), text_of)
    }
}

fn text_of<'a>(object: &'a Bound<'_, PyAny>) -> Result<&'a str, Unreadable> {
    object.extract().map_err(|_| Unreadable)
}
