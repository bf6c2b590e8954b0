//! A register: read, write and, if it offers it, compare-and-set.
//!
//! Rules
//! 1. A state is the number of the value, so nothing is interned and nothing is to be freed.
//! 2. No operation has two meanings: `step` decides on the code alone, the equality beside it.

use super::{Effect, Model, Next, Refused, State, Step};
use crate::table::{Names, Outcome, Row};
use crate::value::{Json, Value, Values};

const READ: u8 = 0;
const WRITE: u8 = 1;
const CAS: u8 = 2;
const CAS_REFUSED: u8 = 3;

/// The models `register` and `cas-register`.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    initial: Value,
    read: Option<u16>,
    write: Option<u16>,
    cas: Option<u16>,
    compare_failed: Option<u16>,
}

impl Register {
    /// A register that holds `initial`, for a history with these names.
    #[must_use]
    pub fn new(names: &Names, initial: Value, compare_and_set: bool) -> Self {
        Register {
            initial,
            read: names.number("read"),
            write: names.number("write"),
            cas: names.number("cas").filter(|_| compare_and_set),
            compare_failed: names.number("compare-failed"),
        }
    }

    /// Only a refusal for the right reason is evidence; every other fail constrains nothing.
    fn read_cas(&self, row: &Row, values: &Values) -> Result<Option<Step>, Refused> {
        let Json::List(&[expected, new]) = values.get(row.input) else {
            return Err(Refused);
        };
        let (code, effect) = match row.outcome {
            Outcome::Fail if Some(row.code) == self.compare_failed => {
                (CAS_REFUSED, Effect::Observes)
            }
            Outcome::Fail => return Ok(None),
            Outcome::Ok | Outcome::Info => (CAS, Effect::Any),
        };
        Ok(Some(Step {
            code,
            effect,
            a: expected.0,
            b: new.0,
        }))
    }
}

impl Model for Register {
    // A frontier of values is never larger than the concurrency, so looking ahead does not pay.
    const TELLS: bool = true;
    const STATES_ARE_VALUES: bool = true;

    #[inline]
    fn read(&mut self, row: &Row, values: &Values) -> Result<Option<Step>, Refused> {
        let f = Some(row.f);
        if f == self.read {
            let step = Step {
                code: READ,
                effect: Effect::Observes,
                a: row.output.0,
                b: 0,
            };
            Ok((row.outcome == Outcome::Ok).then_some(step))
        } else if f == self.write {
            let step = Step {
                code: WRITE,
                effect: Effect::Overwrites,
                a: row.input.0,
                b: 0,
            };
            Ok((row.outcome != Outcome::Fail).then_some(step))
        } else if f == self.cas {
            self.read_cas(row, values)
        } else {
            Err(Refused)
        }
    }

    fn init(&mut self) -> State {
        self.initial.0
    }

    #[inline]
    fn step(&mut self, state: State, step: Step) -> Next {
        let after = match step.code {
            READ | CAS_REFUSED => state,
            WRITE => step.a,
            _ => step.b,
        };
        let legal = step.code == WRITE || (state == step.a) != (step.code == CAS_REFUSED);
        if legal {
            Next::One(after)
        } else {
            Next::Illegal
        }
    }

    #[inline]
    fn requires(&mut self, step: Step) -> Option<State> {
        matches!(step.code, READ | CAS).then_some(step.a)
    }

    #[inline]
    fn tells(&mut self, step: Step) -> Option<State> {
        (step.code != WRITE).then_some(step.a)
    }

    #[inline]
    fn produces(&mut self, step: Step) -> Option<State> {
        match step.code {
            READ | WRITE => Some(step.a),
            CAS => Some(step.b),
            _ => None,
        }
    }
}
