//! Containers that hand out what was put in: two queues and a stack.
//!
//! Rules
//! 1. What puts in is total; what takes out answers the element, nil where nothing was in.
//! 2. One of unknown outcome may have taken an element that nobody will see again.

use super::chains::{Chains, ROOT};
use super::interner::Interner;
use super::tries::{EMPTY, Tries};
use super::{Effect, Model, Next, Refused, State, Step};
use crate::table::{Names, Outcome, Row};
use crate::value::{Value, Values};

const PUT: u8 = 0;
/// `a`: what came out, `NIL` if nothing was in.
const TAKE: u8 = 1;
/// Of unknown outcome.
const TAKE_UNSEEN: u8 = 2;

/// How the two operations are called.
#[derive(Clone, Copy)]
struct Operations {
    put: Option<u16>,
    take: Option<u16>,
}

impl Operations {
    fn of_queue(names: &Names) -> Self {
        Operations {
            put: names.number("enqueue"),
            take: names.number("dequeue"),
        }
    }

    fn read(self, row: &Row) -> Result<Option<Step>, Refused> {
        let f = Some(row.f);
        if f != self.put && f != self.take {
            return Err(Refused);
        }
        if row.outcome == Outcome::Fail {
            return Ok(None);
        }
        if f == self.put {
            if row.input == Value::NIL {
                return Err(Refused);
            }
            return Ok(Some(Step {
                code: PUT,
                effect: Effect::Total,
                a: row.input.0,
                b: 0,
            }));
        }
        let seen = row.outcome == Outcome::Ok;
        let effect = if seen && row.output == Value::NIL {
            Effect::Observes
        } else {
            Effect::Any
        };
        let (code, a) = if seen {
            (TAKE, row.output.0)
        } else {
            (TAKE_UNSEEN, 0)
        };
        Ok(Some(Step {
            code,
            effect,
            a,
            b: 0,
        }))
    }
}

/// May the step take the element out?
fn takes(step: Step, element: u64) -> bool {
    step.code == TAKE_UNSEEN || u64::from(step.a) == element
}

/// Does the step say that nothing was in?
fn found_nothing(step: Step) -> bool {
    step.code == TAKE && step.a == Value::NIL.0
}

fn empty_stays(step: Step, state: State) -> Next {
    if found_nothing(step) {
        Next::One(state)
    } else {
        Next::Illegal
    }
}

/// The model `stack`: a state is the chain of its elements.
pub struct Stack {
    operations: Operations,
    chains: Chains,
}

impl Stack {
    /// For a history with these names.
    #[must_use]
    pub fn new(names: &Names) -> Self {
        let operations = Operations {
            put: names.number("push"),
            take: names.number("pop"),
        };
        Stack {
            operations,
            chains: Chains::default(),
        }
    }
}

impl Model for Stack {
    fn read(&mut self, row: &Row, _: &Values) -> Result<Option<Step>, Refused> {
        self.operations.read(row)
    }

    fn init(&mut self) -> State {
        ROOT
    }

    fn step(&mut self, state: State, step: Step) -> Next {
        if step.code == PUT {
            return Next::One(self.chains.push(state, u64::from(step.a)));
        }
        if state == ROOT {
            return empty_stays(step, state);
        }
        if takes(step, self.chains.piece(state)) {
            Next::One(self.chains.parent(state))
        } else {
            Next::Illegal
        }
    }

    fn requires(&mut self, step: Step) -> Option<State> {
        found_nothing(step).then_some(ROOT)
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
}

/// The model `unordered-queue`: a state is a bag of elements.
pub struct UnorderedQueue {
    operations: Operations,
    bags: Tries,
    entries: Vec<(u32, u32)>,
    choices: Vec<State>,
}

impl UnorderedQueue {
    /// For a history with these names.
    #[must_use]
    pub fn new(names: &Names) -> Self {
        let operations = Operations::of_queue(names);
        let (entries, choices) = (Vec::new(), Vec::new());
        UnorderedQueue {
            operations,
            bags: Tries::default(),
            entries,
            choices,
        }
    }

    fn any_taken(&mut self, state: State) -> Next {
        self.entries.clear();
        self.choices.clear();
        self.bags.entries(state, &mut self.entries);
        for &(element, count) in &self.entries {
            self.choices.push(self.bags.with(state, element, count - 1));
        }
        match *self.choices.as_slice() {
            [] => Next::Illegal,
            [after] => Next::One(after),
            _ => Next::Many,
        }
    }
}

impl Model for UnorderedQueue {
    fn read(&mut self, row: &Row, _: &Values) -> Result<Option<Step>, Refused> {
        self.operations.read(row)
    }

    fn init(&mut self) -> State {
        EMPTY
    }

    fn step(&mut self, state: State, step: Step) -> Next {
        if state == EMPTY && step.code != PUT {
            return empty_stays(step, state);
        }
        let count = self.bags.count(state, step.a);
        match step.code {
            PUT => Next::One(self.bags.with(state, step.a, count + 1)),
            TAKE_UNSEEN => self.any_taken(state),
            _ if count == 0 => Next::Illegal,
            _ => Next::One(self.bags.with(state, step.a, count - 1)),
        }
    }

    fn choices(&self) -> &[State] {
        &self.choices
    }

    fn requires(&mut self, step: Step) -> Option<State> {
        found_nothing(step).then_some(EMPTY)
    }

    fn produces(&mut self, step: Step) -> Option<State> {
        self.requires(step)
    }

    fn held(&self) -> usize {
        self.bags.held()
    }

    fn collect(&mut self, live: &[State]) {
        self.bags.collect(live.iter().copied());
    }
}

/// The model `fifo-queue`: a state is the list of elements, oldest first.
pub struct FifoQueue {
    operations: Operations,
    lists: Interner<Box<[u32]>>,
    scratch: Vec<u32>,
}

impl FifoQueue {
    /// For a history with these names.
    #[must_use]
    pub fn new(names: &Names) -> Self {
        let operations = Operations::of_queue(names);
        FifoQueue {
            operations,
            lists: Interner::default(),
            scratch: Vec::new(),
        }
    }

    fn empty(&mut self) -> State {
        self.lists.intern([].as_slice(), |elements| elements.into())
    }
}

impl Model for FifoQueue {
    fn read(&mut self, row: &Row, _: &Values) -> Result<Option<Step>, Refused> {
        self.operations.read(row)
    }

    fn init(&mut self) -> State {
        self.empty()
    }

    fn step(&mut self, state: State, step: Step) -> Next {
        self.scratch.clear();
        match (step.code, &**self.lists.get(state)) {
            (PUT, elements) => {
                self.scratch.extend_from_slice(elements);
                self.scratch.push(step.a);
            }
            (_, []) => return empty_stays(step, state),
            (_, [oldest, rest @ ..]) if takes(step, u64::from(*oldest)) => {
                self.scratch.extend_from_slice(rest);
            }
            _ => return Next::Illegal,
        }
        Next::One(
            self.lists
                .intern(self.scratch.as_slice(), |elements| elements.into()),
        )
    }

    fn requires(&mut self, step: Step) -> Option<State> {
        found_nothing(step).then(|| self.empty())
    }

    fn produces(&mut self, step: Step) -> Option<State> {
        self.requires(step)
    }

    fn held(&self) -> usize {
        self.lists.held()
    }

    fn collect(&mut self, live: &[State]) {
        self.lists.collect(live.iter().copied());
    }
}
