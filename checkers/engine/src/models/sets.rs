//! A set: add or remove an element, ask for one, read all in whatever order; initially empty.

use super::tries::{EMPTY, Tries};
use super::{Effect, Model, Next, Refused, State, Step};
use crate::table::{Names, Outcome, Row};
use crate::value::{Json, Value, Values};

const READ: u8 = 0;
const ADD: u8 = 1;
const REMOVE: u8 = 2;
/// `b`: is it there?
const CONTAINS: u8 = 3;

/// The model `set`.
pub struct Set {
    read: Option<u16>,
    add: Option<u16>,
    remove: Option<u16>,
    contains: Option<u16>,
    sets: Tries,
    scratch: Vec<u32>,
}

impl Set {
    /// For a history with these names.
    #[must_use]
    pub fn new(names: &Names) -> Self {
        Set {
            read: names.number("read"),
            add: names.number("add"),
            remove: names.number("remove"),
            contains: names.number("contains"),
            sets: Tries::default(),
            scratch: Vec::new(),
        }
    }

    fn observation(&mut self, row: &Row, values: &Values) -> Result<Step, Refused> {
        let effect = Effect::Observes;
        if Some(row.f) == self.contains {
            let Json::Bool(there) = values.get(row.output) else {
                return Err(Refused);
            };
            return Ok(Step {
                code: CONTAINS,
                effect,
                a: row.input.0,
                b: u32::from(there),
            });
        }
        let (Json::List(elements) | Json::Set(elements)) = values.get(row.output) else {
            return Err(Refused);
        };
        self.scratch.clear();
        self.scratch
            .extend(elements.iter().map(|&Value(number)| number));
        self.scratch.sort_unstable();
        self.scratch.dedup();
        Ok(Step {
            code: READ,
            effect,
            a: self.sets.pin_all(&self.scratch),
            b: 0,
        })
    }
}

impl Model for Set {
    const FORESEES: bool = true;

    fn read(&mut self, row: &Row, values: &Values) -> Result<Option<Step>, Refused> {
        let f = Some(row.f);
        if f == self.read || f == self.contains {
            if row.outcome != Outcome::Ok {
                return Ok(None);
            }
            return self.observation(row, values).map(Some);
        }
        let (code, effect) = if f == self.add {
            (ADD, Effect::Total)
        } else if f == self.remove {
            (REMOVE, Effect::Any) // so that without it a set only grows
        } else {
            return Err(Refused);
        };
        let step = Step {
            code,
            effect,
            a: row.input.0,
            b: 0,
        };
        Ok((row.outcome != Outcome::Fail).then_some(step))
    }

    fn init(&mut self) -> State {
        EMPTY
    }

    fn step(&mut self, state: State, step: Step) -> Next {
        let legal = match step.code {
            ADD => return Next::One(self.sets.with(state, step.a, 1)),
            REMOVE => return Next::One(self.sets.with(state, step.a, 0)),
            CONTAINS => self.sets.count(state, step.a) == step.b,
            _ => state == step.a,
        };
        if legal {
            Next::One(state)
        } else {
            Next::Illegal
        }
    }

    fn leads_to(&mut self, state: State, step: Step) -> bool {
        if step.code == CONTAINS {
            return step.b == 1 || self.sets.count(state, step.a) == 0;
        }
        self.sets.within(state, step.a)
    }

    fn requires(&mut self, step: Step) -> Option<State> {
        (step.code == READ).then_some(step.a)
    }

    fn produces(&mut self, step: Step) -> Option<State> {
        self.requires(step)
    }

    fn held(&self) -> usize {
        self.sets.held()
    }

    fn collect(&mut self, live: &[State]) {
        self.sets.collect(live.iter().copied());
    }

    fn collect_steps(&mut self, live: &[Step]) {
        let reads = live.iter().filter(|step| step.code == READ);
        self.sets.unpin(reads.map(|step| step.a));
    }
}
