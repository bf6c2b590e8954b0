//! `checkers._engine.Stream`.

use std::mem;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict, PyTuple};
use rustc_hash::FxHashMap;

use super::objects::Objects;
use super::search::options;
use super::table::{Taken, row};
use crate::builder::{Kind, Unreadable};
use crate::models::{self, ForModel, Model, Options};
use crate::stream::{Came, Growing, Lane};
use crate::table::{self, NEVER, Outcome, Row};
use crate::value::{Json, Value};

/// The names that built-in models look for: a model resolves them once, before any is used.
const NAMES: [&str; 22] = [
    "read",
    "write",
    "cas",
    "compare-failed",
    "get",
    "put",
    "append",
    "propose",
    "add",
    "remove",
    "contains",
    "enqueue",
    "dequeue",
    "push",
    "pop",
    "acquire",
    "release",
    "transfer",
    "learn",
    "from",
    "to",
    "amount",
];

/// A history that is still growing; see `checkers/_engine.pyi`.
#[pyclass(frozen, module = "checkers._engine")]
pub(super) struct Stream(Mutex<Growth>);

struct Growth {
    name: String,
    options: Options,
    table: table::Table, // of names and values; it has no rows
    objects: Objects,
    open: FxHashMap<Value, (usize, Row)>,
    places: FxHashMap<Value, usize>,
    lanes: Vec<Held>,
    /// Lanes that are not at rest.
    awake: Vec<usize>,
    latest: Option<(u64, i64)>,
    /// Operations until the next look at what can be put away.
    round: usize,
    /// So many values are interned when those are forgotten that nobody names.
    forget_at: usize,
}

/// A key and its lane.
struct Held {
    key: Value,
    lane: Box<dyn Lane>,
    awake: bool,
    /// Was it used in this round?
    used: bool,
}

/// Operations of a round. A lane that was not used in one is put to rest.
const ROUND: usize = 1 << 14;
/// Fewer values are not worth looking through.
const FORGET_MIN: usize = 1 << 16;

struct MakeLane;

impl ForModel for MakeLane {
    type Out = Box<dyn Lane>;

    fn run<M: Model + 'static>(self, make: impl Fn() -> M + Sync) -> Box<dyn Lane> {
        Box::new(Growing::new(make()))
    }
}

/// (what, key, index, row): "refuted" with certainty or "suspected" at a completion; "refused", a
/// call (as a row) that the model cannot read; "given up".
type Event<'py> = (
    &'static str,
    Bound<'py, PyAny>,
    u64,
    Option<Bound<'py, PyTuple>>,
);

#[pymethods]
impl Stream {
    #[new]
    fn new(py: Python<'_>, model: (String, Bound<'_, PyDict>)) -> PyResult<Self> {
        let mut table = table::Table::default();
        for name in NAMES {
            table.names.intern(name).ok_or(Unreadable)?;
            table.values.text(name).map_err(|_| Unreadable)?; // a bank finds its members there
        }
        let mut objects = Objects::new(py);
        if let Some(initial) = model.1.get_item("initial")? {
            objects.intern(&mut table.values, &initial)?;
        }
        let options = options(&table, &objects, &model.1)?;
        if models::with(&model.0, &options, &table, MakeLane).is_none() {
            return Err(PyKeyError::new_err(format!(
                "no model is called {:?} here",
                model.0
            )));
        }
        Ok(Stream(Mutex::new(Growth {
            name: model.0,
            options,
            table,
            objects,
            open: FxHashMap::default(),
            places: FxHashMap::default(),
            lanes: Vec::new(),
            awake: Vec::new(),
            latest: None,
            round: ROUND,
            forget_at: FORGET_MIN,
        })))
    }

    fn feed<'py>(
        &self,
        py: Python<'py>,
        operations: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<Event<'py>>> {
        let mut growth = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut touched = Vec::new();
        for (at, operation) in operations.try_iter()?.enumerate() {
            let unreadable = |error: PyErr| {
                if error.is_instance_of::<super::Unreadable>(py) {
                    super::Unreadable::new_err(at)
                } else {
                    error
                }
            };
            touched.extend(growth.take(&operation?).map_err(unreadable)?);
        }
        let taken = touched.len();
        touched.sort_unstable();
        touched.dedup();
        let events = growth.advance(py, &touched, false)?;
        growth.tidy(taken);
        Ok(events)
    }

    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Vec<Event<'py>>> {
        let mut growth = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<usize> = (0..growth.lanes.len()).collect();
        growth.advance(py, &all, true)
    }

    /// The open call of a process, as a row, and its key.
    fn open<'py>(
        &self,
        py: Python<'py>,
        process: &Bound<'py, PyAny>,
    ) -> PyResult<Option<(Bound<'py, PyAny>, Bound<'py, PyTuple>)>> {
        let growth = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (table, objects) = (&growth.table, &growth.objects);
        let process = objects.find(&table.values, process)?;
        let Some((_, open)) = growth.open.get(&process) else {
            return Ok(None);
        };
        let key = objects.object(py, &table.values, open.key)?;
        Ok(Some((key, row(py, table, objects, open)?)))
    }

    #[getter]
    fn keys(&self) -> usize {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .lanes
            .len()
    }

    #[getter]
    fn judged(&self) -> bool {
        let growth = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        growth.lanes.iter().any(|held| held.lane.judged())
    }

    #[getter]
    fn held(&self) -> usize {
        let growth = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        growth.lanes.iter().map(|held| held.lane.held()).sum()
    }
}

impl Growth {
    /// Takes an operation; the lane of its key.
    fn take(&mut self, operation: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let taken = Taken::of(&mut self.table.values, &mut self.objects, operation)?;
        let index = u64::try_from(taken.index).map_err(|_| Unreadable)?;
        if self
            .latest
            .is_some_and(|(last, time)| index <= last || taken.time < time)
        {
            return Err(Unreadable.into());
        }
        self.latest = Some((index, taken.time));
        if !matches!(
            self.table.values.get(taken.process),
            Json::Int(_) | Json::Big(_)
        ) {
            return Err(Unreadable.into());
        }
        let f = self.table.names.intern(taken.f()?).ok_or(Unreadable)?;
        match taken.kind {
            Kind::Invoke => {
                if self.open.contains_key(&taken.process) {
                    return Err(Unreadable.into());
                }
                let place = self.lane(taken.key)?;
                let row = Row {
                    invoked: index,
                    returned: NEVER,
                    times: [taken.time, 0],
                    input: taken.value,
                    output: Value::NIL,
                    process: taken.process,
                    key: taken.key,
                    f,
                    code: 0,
                    outcome: Outcome::Info,
                };
                self.open.insert(taken.process, (place, row));
                self.used(place).invoke(row);
                Ok(Some(place))
            }
            Kind::Completion(outcome) => {
                let &(place, mut row) = self.open.get(&taken.process).ok_or(Unreadable)?;
                if row.f != f || (taken.key != Value::NIL && taken.key != row.key) {
                    return Err(Unreadable.into());
                }
                self.open.remove(&taken.process);
                row.code = self.table.names.intern(taken.code()?).ok_or(Unreadable)?;
                (row.outcome, row.output, row.times[1]) = (outcome, taken.value, taken.time);
                if outcome != Outcome::Info {
                    row.returned = index;
                }
                self.used(place).complete(row);
                Ok(Some(place))
            }
        }
    }

    fn lane(&mut self, key: Value) -> PyResult<usize> {
        if let Some(&place) = self.places.get(&key) {
            return Ok(place);
        }
        let lane = models::with(&self.name, &self.options, &self.table, MakeLane);
        self.lanes.push(Held {
            key,
            lane: lane.ok_or(Unreadable)?,
            awake: false,
            used: false,
        });
        self.places.insert(key, self.lanes.len() - 1);
        Ok(self.lanes.len() - 1)
    }

    fn used(&mut self, place: usize) -> &mut dyn Lane {
        let held = &mut self.lanes[place];
        held.used = true;
        if !held.awake {
            held.awake = true;
            self.awake.push(place);
        }
        held.lane.as_mut()
    }

    /// Puts away, now and then, what nobody needs any more.
    fn tidy(&mut self, taken: usize) {
        self.round = self.round.saturating_sub(taken);
        if self.round == 0 {
            self.round = ROUND;
            let lanes = &mut self.lanes;
            self.awake.retain(|&place| {
                let held = &mut lanes[place];
                held.awake = mem::replace(&mut held.used, false) || !held.lane.rest();
                held.awake
            });
        }
        if self.table.values.interned() >= self.forget_at {
            self.forget();
            self.forget_at = FORGET_MIN.max(2 * self.table.values.interned());
        }
    }

    fn forget(&mut self) {
        let mut named = vec![self.options.initial];
        for (_, row) in self.open.values() {
            named.extend([row.process, row.key, row.input, row.output]);
        }
        let told = |held: &Held| {
            named.push(held.key);
            held.lane.values(&mut named)
        };
        if self.lanes.iter().all(told) {
            self.table.values.keep(named);
        }
    }

    fn advance<'py>(
        &mut self,
        py: Python<'py>,
        places: &[usize],
        last: bool,
    ) -> PyResult<Vec<Event<'py>>> {
        let values = &self.table.values;
        let lanes = &mut self.lanes;
        let came: Vec<(usize, Came)> = py.detach(|| {
            let advanced = places
                .iter()
                .map(|&at| (at, lanes[at].lane.advance(values, last)));
            advanced.filter(|&(_, came)| came != Came::On).collect()
        });
        let mut events = Vec::with_capacity(came.len());
        for (at, came) in came {
            let key = self.objects.object(py, values, self.lanes[at].key)?;
            events.push(match came {
                Came::On | Came::GivenUp => ("given up", key, 0, None),
                Came::Refuted(index, true) => ("refuted", key, index, None),
                Came::Refuted(index, false) => ("suspected", key, index, None),
                Came::Refused(refused) => {
                    let refused = row(py, &self.table, &self.objects, &refused)?;
                    ("refused", key, 0, Some(refused))
                }
            });
        }
        events.sort_by_key(|event| event.2);
        Ok(events)
    }
}
