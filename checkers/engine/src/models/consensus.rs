//! A consensus object: the first proposal to take effect is chosen, for ever.
//!
//! A state is the number of the chosen value, `NIL` while nothing is chosen.

use super::{Effect, Model, Next, Refused, State, Step};
use crate::table::{Names, Outcome, Row};
use crate::value::{Value, Values};

const READ: u8 = 0;
const PROPOSE: u8 = 1;
/// Of unknown outcome.
const PROPOSE_UNSEEN: u8 = 2;

/// The model `consensus`. Operands of a proposal: what is proposed, what was answered.
#[derive(Clone, Copy, Debug)]
pub struct Consensus {
    read: Option<u16>,
    propose: Option<u16>,
}

impl Consensus {
    /// For a history with these names.
    #[must_use]
    pub fn new(names: &Names) -> Self {
        Consensus {
            read: names.number("read"),
            propose: names.number("propose"),
        }
    }
}

impl Model for Consensus {
    fn read(&mut self, row: &Row, _: &Values) -> Result<Option<Step>, Refused> {
        let f = Some(row.f);
        if f == self.read {
            let told = row.outcome == Outcome::Ok && row.output != Value::NIL;
            let (code, effect) = (READ, Effect::Observes);
            return Ok(told.then_some(Step {
                code,
                effect,
                a: row.output.0,
                b: row.output.0,
            }));
        }
        if f != self.propose || row.input == Value::NIL {
            return Err(Refused);
        }
        let (a, b) = (row.input.0, row.output.0);
        match row.outcome {
            Outcome::Fail => Ok(None),
            Outcome::Ok if row.output == Value::NIL => Err(Refused),
            Outcome::Ok => {
                // Told another value than its own, a proposer has only observed.
                let effect = if a == b {
                    Effect::Any
                } else {
                    Effect::Observes
                };
                Ok(Some(Step {
                    code: PROPOSE,
                    effect,
                    a,
                    b,
                }))
            }
            Outcome::Info => Ok(Some(Step {
                code: PROPOSE_UNSEEN,
                effect: Effect::Total,
                a,
                b: Value::NIL.0,
            })),
        }
    }

    fn init(&mut self) -> State {
        Value::NIL.0
    }

    fn step(&mut self, state: State, step: Step) -> Next {
        let fresh = state == Value::NIL.0 && step.code != READ;
        let chosen = if fresh { step.a } else { state };
        let legal = step.code == PROPOSE_UNSEEN || chosen == step.b;
        if legal {
            Next::One(chosen)
        } else {
            Next::Illegal
        }
    }

    fn requires(&mut self, step: Step) -> Option<State> {
        (step.effect == Effect::Observes).then_some(step.b)
    }

    fn produces(&mut self, step: Step) -> Option<State> {
        (step.code != PROPOSE_UNSEEN).then_some(step.b)
    }
}
