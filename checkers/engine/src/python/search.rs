//! `checkers._engine.search`.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyKeyError, PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict, PyTuple};

use super::objects::Objects;
use super::oracle::{self, Asked};
use super::table::Table;
use crate::models::{self, BankOptions, ForModel, Foreign, Learnt, Model, NAMES, Options, Refused};
use crate::schedule::{Budget, Check, Found, Reason};
use crate::table;

/// What a search found out; see `checkers/_engine.pyi`.
#[pyclass(frozen, get_all, module = "checkers._engine")]
pub(super) struct Outcome {
    linearizable: usize,
    judged: bool,
    refuted: Vec<(usize, u64)>,
    unfinished: Vec<(usize, usize, usize)>,
    refused: Option<(usize, u64)>,
    reason: Option<&'static str>,
    orders: Option<Vec<(usize, Vec<u64>)>>,
}

#[pyfunction]
#[pyo3(signature = (
    table, model, *, time_s=None, configurations=None, memory=None, threads=1, witness=false,
    every=false
))]
#[allow(clippy::too_many_arguments)] // they have names in Python
pub(super) fn search(
    py: Python<'_>,
    table: &Bound<'_, Table>,
    model: &Bound<'_, PyAny>,
    time_s: Option<f64>,
    configurations: Option<usize>,
    memory: Option<usize>,
    threads: usize,
    witness: bool,
    every: bool,
) -> PyResult<Outcome> {
    let time = match time_s {
        None => None,
        Some(time_s) => Some(
            Duration::try_from_secs_f64(time_s.max(0.0))
                .map_err(|_| PyValueError::new_err(format!("time_s is {time_s}")))?,
        ),
    };
    let budget = Budget {
        time,
        configurations,
        memory,
        threads,
        witness,
        every,
        ..Budget::default()
    };
    let found = match model.cast::<PyTuple>() {
        Ok(named) => native(py, table.get(), named, budget)?,
        Err(_) => foreign(py, table, model, budget)?,
    };
    Ok(outcome(found, witness))
}

fn outcome(found: Found, witness: bool) -> Outcome {
    Outcome {
        linearizable: found.linearizable,
        judged: found.judged,
        refuted: found.refuted,
        unfinished: found.unfinished,
        refused: found.refused,
        reason: found.reason.map(|reason| match reason {
            Reason::Time => "time",
            Reason::Configurations => "configurations",
            Reason::Memory => "memory",
            Reason::Interrupted => "interrupted",
            Reason::Trouble => "trouble",
        }),
        orders: witness.then_some(found.orders),
    }
}

/// Searches without the interpreter, which is asked for signals now and then. A handler that raises
/// ends the search; after Ctrl-C what was found so far is the answer, with its reason.
#[allow(clippy::redundant_closure_for_method_calls)] // the method itself has one lifetime only
fn watched<T: Send>(
    py: Python<'_>,
    search: impl FnOnce(&mut dyn FnMut() -> bool) -> T + Send,
) -> PyResult<T> {
    let mut raised = None;
    let found = py.detach(|| {
        search(&mut || {
            if raised.is_none() {
                raised = Python::attach(|py| py.check_signals()).err();
            }
            raised.is_some()
        })
    });
    match raised {
        Some(error) if !error.is_instance_of::<PyKeyboardInterrupt>(py) => Err(error),
        _ => Ok(found),
    }
}

fn native(
    py: Python<'_>,
    table: &Table,
    named: &Bound<'_, PyTuple>,
    budget: Budget,
) -> PyResult<Found> {
    let (name, given): (String, Bound<'_, PyDict>) = named.extract()?;
    let options = options(&table.calls, &table.objects, &given)?;
    let table = &table.calls;
    let found = watched(py, |poll| {
        let check = Check {
            table,
            fast: Some((&name, options.initial)),
            budget,
            poll,
        };
        models::with(&name, &options, table, check)
    })?;
    found.ok_or_else(|| {
        PyKeyError::new_err(format!(
            "no model is called {name:?} here; there are {}",
            NAMES.join(", ")
        ))
    })
}

pub(super) fn options(
    table: &table::Table,
    objects: &Objects,
    given: &Bound<'_, PyDict>,
) -> PyResult<Options> {
    let mut options = Options::default();
    if let Some(initial) = given.get_item("initial")? {
        options.initial = objects.find(&table.values, &initial)?;
    }
    if let Some(balances) = given.get_item("balances")? {
        bank(&balances, &mut options.bank)?;
    }
    if let Some(overdraft) = given.get_item("overdraft")? {
        options.bank.overdraft = overdraft.extract()?;
    }
    Ok(options)
}

fn bank(balances: &Bound<'_, PyAny>, bank: &mut BankOptions) -> PyResult<()> {
    if balances.is_none() {
        return Ok(());
    }
    let balances: Vec<_> = balances
        .cast::<PyDict>()?
        .iter()
        .map(|(account, balance)| {
            let account: String = account.str()?.extract()?;
            Ok((account.into_boxed_str(), balance.extract()?))
        })
        .collect::<PyResult<_>>()?;
    bank.balances = Some(balances);
    Ok(())
}

/// As `watched`, for a search that asks the interpreter all the time: other threads are let in when
/// it is asked for signals.
fn attached<T>(py: Python<'_>, search: impl FnOnce(&mut dyn FnMut() -> bool) -> T) -> PyResult<T> {
    let mut raised = None;
    let found = search(&mut || {
        if raised.is_none() {
            py.detach(|| ());
            raised = py.check_signals().err();
        }
        raised.is_some()
    });
    match raised {
        Some(error) if !error.is_instance_of::<PyKeyboardInterrupt>(py) => Err(error),
        _ => Ok(found),
    }
}

/// A user's model, as a search makes one for each key.
struct ByUser<'a> {
    table: &'a table::Table,
    asked: &'a Arc<Asked>,
    learnt: Arc<Learnt<oracle::Oracle>>,
    budget: Budget,
    poll: &'a mut dyn FnMut() -> bool,
}

impl ByUser<'_> {
    fn make<const FORESEES: bool, const TELLS: bool>(
        learnt: &Arc<Learnt<oracle::Oracle>>,
        asked: &Arc<Asked>,
    ) -> Foreign<oracle::Oracle, FORESEES, TELLS> {
        Foreign::going_on(learnt, || oracle::Oracle::new(asked))
    }

    /// Does every crashed call leave one state, wherever it is legal?
    fn tells(&self, py: Python<'_>) -> PyResult<bool> {
        if !self.asked.names_states() {
            return Ok(false);
        }
        let mut model = Self::make::<false, true>(&self.learnt, self.asked);
        let mut crashed = self
            .table
            .rows
            .iter()
            .filter(|row| row.outcome == table::Outcome::Info);
        let all = crashed.all(|row| match model.read(row, &self.table.values) {
            Ok(step) => step.is_none_or(|step| model.tells_apart(step)),
            Err(Refused) => false,
        });
        // What it raised here counts where the search finds it again.
        match self.asked.raised() {
            Some(error) if error.is_instance_of::<PyKeyboardInterrupt>(py) => Err(error),
            raised => Ok(all && raised.is_none()),
        }
    }

    fn search(self, py: Python<'_>) -> PyResult<Found> {
        let tells = self.tells(py)?;
        let ByUser {
            table,
            asked,
            learnt,
            budget,
            poll,
        } = self;
        let check = Check {
            table,
            fast: None,
            budget,
            poll,
        };
        Ok(match (asked.foresees(), tells) {
            (false, false) => check.run(|| Self::make::<false, false>(&learnt, asked)),
            (false, true) => check.run(|| Self::make::<false, true>(&learnt, asked)),
            (true, false) => check.run(|| Self::make::<true, false>(&learnt, asked)),
            (true, true) => check.run(|| Self::make::<true, true>(&learnt, asked)),
        })
    }
}

fn foreign(
    py: Python<'_>,
    table: &Bound<'_, Table>,
    model: &Bound<'_, PyAny>,
    budget: Budget,
) -> PyResult<Found> {
    let asked = Arc::new(Asked::new(table, model)?);
    // Python answers one question at a time, whoever asks, and soonest to a thread that it knows.
    let budget = Budget {
        threads: 0,
        ..budget
    };
    let found = attached(py, |poll| {
        ByUser {
            table: &table.get().calls,
            asked: &asked,
            learnt: Arc::default(),
            budget,
            poll,
        }
        .search(py)
    })??;
    match asked.raised() {
        None => Ok(found),
        // Ctrl-C may come while the model itself is at work.
        Some(error) if error.is_instance_of::<PyKeyboardInterrupt>(py) => Ok(Found {
            refused: None,
            reason: Some(Reason::Interrupted),
            ..found
        }),
        Some(_) if found.refused.is_some() => Ok(found),
        Some(error) => Err(error),
    }
}
