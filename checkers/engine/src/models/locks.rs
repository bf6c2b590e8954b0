//! Locks: a plain one, and one that hands out fencing tokens.
//!
//! Rules
//! 1. The holder is the number of the process, `NIL` for nobody: it is no process.
//! 2. A fencing token of unknown outcome is the least that there is (see `checkers/models/fenced.py`
//!    for why that loses nothing). Tokens are refused beyond 62 bits, so the least exists.

use super::counter::Total;
use super::interner::Interner;
use super::{Effect, Model, Next, Refused, State, Step};
use crate::table::{Names, Outcome, Row};
use crate::value::{Value, Values};

const ACQUIRE: u8 = 0;
const RELEASE: u8 = 1;
/// With a token that nobody saw.
const ACQUIRE_UNSEEN: u8 = 2;

/// The model `lock`. A state is the holder.
#[derive(Clone, Copy, Debug)]
pub struct Lock {
    acquire: Option<u16>,
    release: Option<u16>,
}

impl Lock {
    /// For a history with these names.
    #[must_use]
    pub fn new(names: &Names) -> Self {
        Lock {
            acquire: names.number("acquire"),
            release: names.number("release"),
        }
    }

    fn code(self, row: &Row) -> Result<u8, Refused> {
        let f = Some(row.f);
        if f == self.acquire {
            Ok(ACQUIRE)
        } else if f == self.release {
            Ok(RELEASE)
        } else {
            Err(Refused)
        }
    }
}

impl Model for Lock {
    fn read(&mut self, row: &Row, _: &Values) -> Result<Option<Step>, Refused> {
        let step = Step {
            code: self.code(row)?,
            effect: Effect::Any,
            a: row.process.0,
            b: 0,
        };
        Ok((row.outcome != Outcome::Fail).then_some(step))
    }

    fn init(&mut self) -> State {
        Value::NIL.0
    }

    fn step(&mut self, state: State, step: Step) -> Next {
        let (before, after) = match step.code {
            ACQUIRE => (Value::NIL.0, step.a),
            _ => (step.a, Value::NIL.0),
        };
        if state == before {
            Next::One(after)
        } else {
            Next::Illegal
        }
    }

    fn requires(&mut self, step: Step) -> Option<State> {
        Some(if step.code == ACQUIRE {
            Value::NIL.0
        } else {
            step.a
        })
    }

    fn produces(&mut self, step: Step) -> Option<State> {
        Some(if step.code == ACQUIRE {
            step.a
        } else {
            Value::NIL.0
        })
    }
}

/// The model `fenced-lock`. A state is the holder with the highest token taken.
pub struct FencedLock {
    operations: Lock,
    states: Interner<(u32, Option<i64>)>,
    /// What the second operand of a step stands for.
    tokens: Interner<i64>,
}

impl FencedLock {
    /// For a history with these names.
    #[must_use]
    pub fn new(names: &Names) -> Self {
        let operations = Lock::new(names);
        FencedLock {
            operations,
            states: Interner::default(),
            tokens: Interner::default(),
        }
    }

    fn state(&mut self, holder: u32, highest: Option<i64>) -> State {
        self.states.intern(&(holder, highest), |&state| state)
    }
}

impl Model for FencedLock {
    fn read(&mut self, row: &Row, values: &Values) -> Result<Option<Step>, Refused> {
        let mut step = Step {
            code: self.operations.code(row)?,
            effect: Effect::Any,
            a: row.process.0,
            b: 0,
        };
        match (row.outcome, step.code) {
            (Outcome::Fail, _) => return Ok(None),
            (Outcome::Ok, ACQUIRE) => {
                let token = Total::default().read(row.output, values)?;
                let number = self.tokens.intern(&token, |&token| token);
                step.b = self.tokens.pin(number);
            }
            (Outcome::Info, ACQUIRE) => step.code = ACQUIRE_UNSEEN,
            _ => (),
        }
        Ok(Some(step))
    }

    fn init(&mut self) -> State {
        self.state(Value::NIL.0, None)
    }

    fn step(&mut self, state: State, step: Step) -> Next {
        let (holder, highest) = *self.states.get(state);
        if step.code == RELEASE {
            if holder != step.a {
                return Next::Illegal;
            }
            return Next::One(self.state(Value::NIL.0, highest));
        }
        if holder != Value::NIL.0 {
            return Next::Illegal;
        }
        let token = if step.code == ACQUIRE_UNSEEN {
            match highest.map(|highest| highest.checked_add(1)) {
                Some(None) => return Next::Trouble,
                least => least.flatten(),
            }
        } else {
            Some(*self.tokens.get(step.b)).filter(|&token| highest.is_none_or(|h| h < token))
        };
        match token {
            None if step.code == ACQUIRE => Next::Illegal,
            _ => Next::One(self.state(step.a, token)),
        }
    }

    fn produces(&mut self, step: Step) -> Option<State> {
        if step.code != ACQUIRE {
            return None;
        }
        let token = *self.tokens.get(step.b);
        Some(self.state(step.a, Some(token)))
    }

    fn held(&self) -> usize {
        self.states.held() + self.tokens.held()
    }

    fn collect(&mut self, live: &[State]) {
        self.states.collect(live.iter().copied());
    }

    fn collect_steps(&mut self, live: &[Step]) {
        let acquired = live.iter().filter(|step| step.code == ACQUIRE);
        self.tokens.unpin(acquired.map(|step| step.b));
        self.tokens.collect([].into_iter());
    }
}
