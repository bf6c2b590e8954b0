//! A counter: add an integer, read the sum; initially 0.
//!
//! Rules
//! 1. The operand of a step is an integer of 64 bits, half of it in each field.
//! 2. Numbers are refused as soon as all that were read could add up to more than 62 bits: so no
//!    sum overflows, and Python, which has no such limit, judges what is refused here.

use super::interner::Interner;
use super::{Effect, Model, Next, Refused, State, Step};
use crate::table::{Names, Outcome, Row};
use crate::value::{Json, Value, Values};

const READ: u8 = 0;
const ADD: u8 = 1;

/// The greatest sum of magnitudes that a model reads: even twice as much stays within 64 bits.
const LIMIT: u64 = 1 << 62;

/// What the numbers of a history could add up to.
#[derive(Default)]
pub struct Total(u64);

impl Total {
    /// The integer that a value is, if it is one and the total stays within bounds.
    pub fn read(&mut self, value: Value, values: &Values) -> Result<i64, Refused> {
        let Json::Int(integer) = values.get(value) else {
            return Err(Refused);
        };
        self.add(integer)
    }

    /// Takes a number into account.
    pub fn add(&mut self, integer: i64) -> Result<i64, Refused> {
        self.0 = self.0.saturating_add(integer.unsigned_abs());
        if self.0 > LIMIT {
            Err(Refused)
        } else {
            Ok(integer)
        }
    }
}

/// The model `counter`.
pub struct Counter {
    read: Option<u16>,
    add: Option<u16>,
    added: Total,
    states: Interner<i64>,
}

impl Counter {
    /// For a history with these names.
    #[must_use]
    pub fn new(names: &Names) -> Self {
        let (read, add) = (names.number("read"), names.number("add"));
        Counter {
            read,
            add,
            added: Total::default(),
            states: Interner::default(),
        }
    }

    fn state(&mut self, count: i64) -> State {
        self.states.intern(&count, |&count| count)
    }
}

fn operand(step: Step) -> i64 {
    let bits = u64::from(step.b) << 32 | u64::from(step.a);
    i64::from_ne_bytes(bits.to_ne_bytes())
}

fn with_operand(code: u8, effect: Effect, operand: i64) -> Step {
    let bits = u64::from_ne_bytes(operand.to_ne_bytes());
    #[allow(clippy::cast_possible_truncation)] // the lower half, and the upper
    let (a, b) = (bits as u32, (bits >> 32) as u32);
    Step { code, effect, a, b }
}

impl Model for Counter {
    fn read(&mut self, row: &Row, values: &Values) -> Result<Option<Step>, Refused> {
        let f = Some(row.f);
        if f == self.read {
            if row.outcome != Outcome::Ok {
                return Ok(None);
            }
            // A search may begin with what was read, but with one read only.
            let count = Total::default().read(row.output, values)?;
            return Ok(Some(with_operand(READ, Effect::Observes, count)));
        }
        if f != self.add {
            return Err(Refused);
        }
        let amount = self.added.read(row.input, values)?;
        let step = with_operand(ADD, Effect::Total, amount);
        Ok((row.outcome != Outcome::Fail).then_some(step))
    }

    fn init(&mut self) -> State {
        self.state(0)
    }

    fn step(&mut self, state: State, step: Step) -> Next {
        let count = *self.states.get(state);
        if step.code == READ {
            return if count == operand(step) {
                Next::One(state)
            } else {
                Next::Illegal
            };
        }
        match count.checked_add(operand(step)) {
            Some(sum) => Next::One(self.state(sum)),
            None => Next::Trouble,
        }
    }

    fn requires(&mut self, step: Step) -> Option<State> {
        (step.code == READ).then(|| self.state(operand(step)))
    }

    fn produces(&mut self, step: Step) -> Option<State> {
        self.requires(step)
    }

    fn held(&self) -> usize {
        self.states.held()
    }

    fn collect(&mut self, live: &[State]) {
        self.states.collect(live.iter().copied());
    }
}
