//! A user's model, an object of Python, as the search asks it.
//!
//! Rules
//! 1. Steps and states are numbered as Python compares them: equal ones have one number.
//! 2. What the model raises is kept, the first of it, and ends the search.
//! 3. A model's `read` looks at a call, not at when it happened: calls that are equal but for their
//!    indices and times are read once, for as long as their step is in use.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashTable;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyString, PyTuple};
use rustc_hash::FxHashMap;

use super::table::Table;
use crate::models::{self, Effect, Numbers, Raised, State, Told};
use crate::table::{NEVER, Row};
use crate::value::Value;

/// A number and an object of Python, roughly.
const HELD: usize = 300;

/// A model, with what it takes to ask it; all keys share it.
pub(super) struct Asked {
    table: Py<Table>,
    /// The model's methods, looked up once.
    init: Py<PyAny>,
    read: Py<PyAny>,
    step: Py<PyAny>,
    leads_to: Option<Py<PyAny>>,
    requires: Option<Py<PyAny>>,
    /// From `checkers.history`.
    operation: Py<PyAny>,
    error: Py<PyAny>,
    call: Py<PyAny>,
    names: Vec<Py<PyString>>,
    /// From `checkers.models.model`.
    effects: [(Py<PyAny>, Effect); 4],
    raised: Mutex<Option<PyErr>>,
}

impl Asked {
    pub(super) fn new(table: &Bound<'_, Table>, model: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = model.py();
        let history = py.import("checkers.history")?;
        let effects = py.import("checkers.models.model")?.getattr("Effect")?;
        let effect = |name, effect| Ok::<_, PyErr>((effects.getattr(name)?.unbind(), effect));
        let method = |name| {
            model
                .getattr_opt(name)
                .map(|found| found.map(Bound::unbind))
        };
        let names = &table.get().calls.names;
        let texts = (0..=u16::MAX).map_while(|number| {
            let name = names.name(number);
            (number == 0 || !name.is_empty()).then(|| PyString::intern(py, name).unbind())
        });
        Ok(Asked {
            table: table.clone().unbind(),
            init: model.getattr("init")?.unbind(),
            read: model.getattr("read")?.unbind(),
            step: model.getattr("step")?.unbind(),
            leads_to: method("leads_to")?,
            requires: method("requires")?,
            operation: history.getattr("Operation")?.unbind(),
            error: history.getattr("Error")?.unbind(),
            call: history.getattr("Call")?.unbind(),
            names: texts.collect(),
            effects: [
                effect("OBSERVES", Effect::Observes)?,
                effect("OVERWRITES", Effect::Overwrites)?,
                effect("TOTAL", Effect::Total)?,
                effect("ANY", Effect::Any)?,
            ],
            raised: Mutex::new(None),
        })
    }

    /// Does the model look ahead?
    pub(super) fn foresees(&self) -> bool {
        self.leads_to.is_some()
    }

    /// Does the model name states that steps require?
    pub(super) fn names_states(&self) -> bool {
        self.requires.is_some()
    }

    /// What the model raised first.
    pub(super) fn raised(&self) -> Option<PyErr> {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        raised.take()
    }

    fn ask<T>(&self, question: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T, Raised> {
        Python::attach(question).map_err(|error| {
            let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
            raised.get_or_insert(error);
            Raised
        })
    }

    fn name<'py>(&self, py: Python<'py>, number: u16) -> &Bound<'py, PyString> {
        self.names[usize::from(number)].bind(py)
    }

    fn effect_of(&self, step: &Bound<'_, PyAny>) -> PyResult<Effect> {
        let py = step.py();
        let effect = step.getattr(intern!(py, "effect"))?;
        let known = self.effects.iter().find(|(known, _)| effect.is(known));
        if let Some(&(_, known)) = known {
            return Ok(known);
        }
        Ok(match effect.extract::<&str>()? {
            "observes" => Effect::Observes,
            "overwrites" => Effect::Overwrites,
            "total" => Effect::Total,
            _ => Effect::Any,
        })
    }

    /// A row as a `checkers.history.Call`; `key` is the row's.
    fn call<'py>(
        &self,
        py: Python<'py>,
        row: &Row,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = self.table.get();
        let object = |value| table.objects.object(py, &table.calls.values, value);
        let process = object(row.process)?;
        let (f, operation, nothing) = (self.name(py, row.f), self.operation.bind(py), py.None());
        let invoke = operation.call1((
            row.invoked,
            row.times[0],
            &process,
            intern!(py, "invoke"),
            f,
            object(row.input)?,
            key,
        ))?;
        if row.returned == NEVER && row.output == Value::NIL && row.code == 0 {
            return self.call.bind(py).call1((invoke, nothing));
        }
        // The completion of an unknown outcome stands nowhere in the table, since it says nothing.
        let returned = if row.returned == NEVER {
            row.invoked + 1
        } else {
            row.returned
        };
        let (kind, output) = (Table::outcome(py, row.outcome), object(row.output)?);
        let completion = if row.code == 0 {
            operation.call1((returned, row.times[1], process, kind, f, output, key))?
        } else {
            let error = self.error.bind(py).call1((self.name(py, row.code),))?;
            let times = (returned, row.times[1]);
            operation.call1((
                times.0, times.1, process, kind, f, output, key, nothing, error,
            ))?
        };
        self.call.bind(py).call1((invoke, completion))
    }
}

/// Objects by numbers that are used again once they are released.
#[derive(Default)]
struct Numbered {
    index: HashTable<u32>,
    objects: Vec<Option<(isize, Py<PyAny>)>>, // with their hashes
    released: Vec<u32>,
}

impl Numbered {
    fn number(&mut self, object: &Bound<'_, PyAny>) -> PyResult<u32> {
        let hash = object.hash()?;
        let (objects, mut raised) = (&self.objects, None);
        let found = self.index.find(spread(hash), |&number| {
            let Some(Some((its, known))) = objects.get(number as usize) else {
                return false;
            };
            let equal = |error| {
                raised.get_or_insert(error);
                false
            };
            *its == hash && (object.is(known) || object.eq(known).unwrap_or_else(equal))
        });
        if let Some(error) = raised {
            return Err(error);
        }
        if let Some(&number) = found {
            return Ok(number);
        }
        let held = Some((hash, object.clone().unbind()));
        let number = if let Some(number) = self.released.pop() {
            self.objects[number as usize] = held;
            number
        } else {
            self.objects.push(held);
            u32::try_from(self.objects.len() - 1)?
        };
        let objects = &self.objects;
        let rehash = |&number: &u32| spread(objects[number as usize].as_ref().map_or(0, |o| o.0));
        self.index.insert_unique(spread(hash), number, rehash);
        Ok(number)
    }

    fn object<'py>(&self, py: Python<'py>, number: u32) -> Bound<'py, PyAny> {
        match self.objects.get(number as usize) {
            Some(Some((_, object))) => object.bind(py).clone(),
            _ => py.None().into_bound(py),
        }
    }

    fn keep(&mut self, keep: &Numbers) {
        self.index.retain(|number| keep.contains(number));
        for (number, object) in (0..).zip(&mut self.objects) {
            if !keep.contains(&number) && object.take().is_some() {
                self.released.push(number);
            }
        }
    }

    fn held(&self) -> usize {
        (self.objects.len() - self.released.len()) * HELD + self.released.capacity() * 16
    }
}

/// The table reads the lowest and the highest bits; Python hashes an integer as itself.
fn spread(hash: isize) -> u64 {
    u64::from_ne_bytes((hash as i64).to_ne_bytes()).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// What of a row of one key a model's `read` may look at.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Looks {
    names: (u16, u16, u8),
    values: (Value, Value, Value),
}

impl Looks {
    fn of(row: &Row) -> Self {
        Looks {
            names: (row.f, row.code, row.outcome as u8),
            values: (row.process, row.input, row.output),
        }
    }
}

/// The model, for one key.
pub(super) struct Oracle {
    asked: Arc<Asked>,
    steps: Numbered,
    states: Numbered,
    told: FxHashMap<Looks, Option<Told>>,
    key: Option<(Value, Py<PyAny>)>,
}

impl Oracle {
    pub(super) fn new(asked: &Arc<Asked>) -> Self {
        Oracle {
            asked: Arc::clone(asked),
            steps: Numbered::default(),
            states: Numbered::default(),
            told: FxHashMap::default(),
            key: None,
        }
    }
}

impl models::Oracle for Oracle {
    fn read(&mut self, row: &Row) -> Result<Option<Told>, Raised> {
        let looks = Looks::of(row);
        if let Some(&told) = self.told.get(&looks) {
            return Ok(told);
        }
        let (asked, steps, key) = (&self.asked, &mut self.steps, &mut self.key);
        let told = asked.ask(|py| {
            let key = match key {
                Some((of, key)) if *of == row.key => key.bind(py).clone(),
                _ => {
                    let table = asked.table.get();
                    let object = table.objects.object(py, &table.calls.values, row.key)?;
                    *key = Some((row.key, object.clone().unbind()));
                    object
                }
            };
            let call = asked.call(py, row, &key)?;
            let step = asked.read.bind(py).call1((call,))?;
            if step.is_none() {
                return Ok(None);
            }
            let effect = asked.effect_of(&step)?;
            let step = steps.number(&step)?;
            Ok(Some(Told { step, effect }))
        })?;
        self.told.insert(looks, told);
        Ok(told)
    }

    fn init(&mut self) -> Result<State, Raised> {
        let (asked, states) = (&self.asked, &mut self.states);
        asked.ask(|py| states.number(&asked.init.bind(py).call0()?))
    }

    fn step(&mut self, state: State, step: u32, after: &mut Vec<State>) -> Result<(), Raised> {
        let (asked, steps, states) = (&self.asked, &self.steps, &mut self.states);
        asked.ask(|py| {
            let question = (states.object(py, state), steps.object(py, step));
            let answers = asked.step.bind(py).call1(question)?;
            let mut add = |answer: &Bound<'_, PyAny>| -> PyResult<()> {
                let number = states.number(answer)?;
                if !after.contains(&number) {
                    after.push(number);
                }
                Ok(())
            };
            if let Ok(answers) = answers.cast_exact::<PyTuple>() {
                return answers.iter().try_for_each(|answer| add(&answer));
            }
            for answer in answers.try_iter()? {
                add(&answer?)?;
            }
            Ok(())
        })
    }

    fn leads_to(&mut self, state: State, step: u32) -> Result<bool, Raised> {
        let (asked, steps, states) = (&self.asked, &self.steps, &self.states);
        let Some(leads_to) = &asked.leads_to else {
            return Ok(true);
        };
        asked.ask(|py| {
            let question = (states.object(py, state), steps.object(py, step));
            leads_to.bind(py).call1(question)?.is_truthy()
        })
    }

    fn requires(&mut self, step: u32) -> Result<Option<State>, Raised> {
        let (asked, steps, states) = (&self.asked, &self.steps, &mut self.states);
        let Some(requires) = &asked.requires else {
            return Ok(None);
        };
        asked.ask(|py| {
            let answer = requires.bind(py).call1((steps.object(py, step),))?;
            match answer.try_iter()?.next() {
                Some(state) => states.number(&state?).map(Some),
                None => Ok(None),
            }
        })
    }

    fn keep_states(&mut self, keep: &Numbers) {
        // Objects go while the interpreter is at hand.
        Python::attach(|_| self.states.keep(keep));
    }

    fn keep_steps(&mut self, keep: &Numbers) {
        Python::attach(|_| self.steps.keep(keep));
        self.told
            .retain(|_, told| told.is_some_and(|told| keep.contains(&told.step)));
    }

    fn next_key(&mut self) {
        self.told.clear();
    }

    fn held(&self) -> usize {
        self.steps.held()
            + self.states.held()
            + self.told.capacity() * size_of::<(Looks, Option<Told>)>()
    }
}
