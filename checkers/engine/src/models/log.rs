//! A log: append one element, read the whole list.
//!
//! A state is the chain of its elements, and so is what a read saw: they are compared by number,
//! and that a state is a beginning of it is found without a look at the elements.

use super::chains::{Chains, ROOT};
use super::{Effect, Model, Next, Refused, State, Step};
use crate::table::{Names, Outcome, Row};
use crate::value::{Json, Values};

const READ: u8 = 0;
const APPEND: u8 = 1;

/// The model `log`.
pub struct Log {
    read: Option<u16>,
    append: Option<u16>,
    chains: Chains,
}

impl Log {
    /// For a history with these names.
    #[must_use]
    pub fn new(names: &Names) -> Self {
        let (read, append) = (names.number("read"), names.number("append"));
        Log {
            read,
            append,
            chains: Chains::default(),
        }
    }
}

impl Model for Log {
    const FORESEES: bool = true;
    const NO_ANY: bool = true;

    fn read(&mut self, row: &Row, values: &Values) -> Result<Option<Step>, Refused> {
        let f = Some(row.f);
        if f == self.read {
            if row.outcome != Outcome::Ok {
                return Ok(None);
            }
            let Json::List(elements) = values.get(row.output) else {
                return Err(Refused);
            };
            let seen = self
                .chains
                .pin_all(elements.iter().map(|element| u64::from(element.0)));
            return Ok(Some(Step {
                code: READ,
                effect: Effect::Observes,
                a: seen,
                b: 0,
            }));
        }
        if f != self.append {
            return Err(Refused);
        }
        let step = Step {
            code: APPEND,
            effect: Effect::Total,
            a: row.input.0,
            b: 0,
        };
        Ok((row.outcome != Outcome::Fail).then_some(step))
    }

    fn init(&mut self) -> State {
        ROOT
    }

    fn step(&mut self, state: State, step: Step) -> Next {
        if step.code == APPEND {
            Next::One(self.chains.push(state, u64::from(step.a)))
        } else if state == step.a {
            Next::One(state)
        } else {
            Next::Illegal
        }
    }

    fn leads_to(&mut self, state: State, step: Step) -> bool {
        self.chains.beginning(step.a, self.chains.depth(state)) == state
    }

    fn requires(&mut self, step: Step) -> Option<State> {
        (step.code == READ).then_some(step.a)
    }

    fn produces(&mut self, step: Step) -> Option<State> {
        self.requires(step)
    }

    fn held(&self) -> usize {
        self.chains.held()
    }

    fn collect(&mut self, live: &[State]) {
        self.chains.collect(live.iter().copied());
    }

    fn collect_steps(&mut self, live: &[Step]) {
        let reads = live.iter().filter(|step| step.code == READ);
        self.chains.unpin(reads.map(|step| step.a));
    }
}
