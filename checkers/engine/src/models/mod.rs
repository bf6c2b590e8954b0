//! What a model is here: a sequential specification over integers.
//!
//! Rules
//! 1. A model is pure: where a step leads depends on the state and the step only.
//! 2. States are numbers that the model hands out; two equal states have the same number for as
//!    long as the search names them in `collect`.
//! 3. What a model promises of a step (`Effect`) holds in every state; `Any` promises nothing.
//! 4. It says the same as the Python model of its name, call for call; where that one raises,
//!    `read` is `Refused`, and Python finds the words.
//! 5. It may refuse a call that the Python model reads (numbers too large to be held here): then
//!    Python finds nothing wrong, and searches itself.

mod bank;
mod builtin;
mod chains;
mod consensus;
mod counter;
mod foreign;
mod interner;
mod keyed;
mod locks;
mod log;
mod oracle;
mod queues;
mod register;
mod sets;
mod tries;

#[cfg(test)]
mod tests;

pub use bank::BankOptions;
pub use builtin::{ForModel, NAMES, Options, with};
pub use foreign::{Foreign, Learnt};
pub use oracle::{Numbers, Oracle, Raised, Told};
pub use register::Register;

use crate::table::Row;
use crate::value::Values;

/// A state of a model.
pub type State = u32;

/// What a step, its output included, does in whatever state it is taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Effect {
    /// Where it is legal it leaves the state as it was.
    Observes,
    /// Legal in every state, and the states after it are the same whatever the state before.
    Overwrites,
    /// Legal in every state.
    Total,
    /// Nothing is promised.
    Any,
}

/// An operation as a model sees it. Equal steps do the same in every state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Step {
    /// The model's own code of the operation.
    pub code: u8,
    /// See `Effect`.
    pub effect: Effect,
    /// Operands, as the model numbers them.
    pub a: u32,
    /// See `a`.
    pub b: u32,
}

/// Where a step leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The step is illegal in the state.
    Illegal,
    /// It leads to one state.
    One(State),
    /// The specification leaves a choice: see `Model::choices`.
    Many,
    /// The model cannot go on (a user's model raised); the search stops.
    Trouble,
}

/// The model cannot read the values of a call: the history or the choice of the model is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused;

/// A sequential specification of one object (one key).
pub trait Model: Send {
    /// Does it tell early that a state leads nowhere (`leads_to`)?
    const FORESEES: bool = false;

    /// Does every step observe, overwrite or be total? Then the model may foresee in a history of
    /// which nobody knows the end.
    const NO_ANY: bool = false;

    /// Does every step that does not overwrite tell one state from all others (`tells`), and does
    /// every step that changes the state always leave the same one (`produces`)?
    const TELLS: bool = false;

    /// Where `TELLS`: a state that no step tells from any other that it does not name. No other
    /// state has this number.
    const OTHER: State = State::MAX - 1;

    /// Do states, and the operands of steps, stand for values of the history, and for nothing else?
    /// Then whoever holds the values may forget those that no state or step names.
    const STATES_ARE_VALUES: bool = false;

    /// How many times as much as usual a step of this model takes, about: a turn is so much
    /// shorter.
    const COST: i64 = 1;

    /// While it holds fewer bytes it is not asked to forget any.
    const COLLECTED: usize = 4_000_000;

    /// The call as a step; `None` where it constrains nothing: a fail that is no evidence, an
    /// observation of unknown outcome.
    ///
    /// # Errors
    /// `Refused` where the Python model raises.
    fn read(&mut self, row: &Row, values: &Values) -> Result<Option<Step>, Refused>;

    /// The state at the start.
    fn init(&mut self) -> State;

    /// Where the step leads from the state.
    fn step(&mut self, state: State, step: Step) -> Next;

    /// The states that the latest `step` led to, if that was `Next::Many`.
    fn choices(&self) -> &[State] {
        &[]
    }

    /// Can `step`, which observes, become legal after some steps that are total and do not
    /// overwrite? True when in doubt; false is a promise.
    fn leads_to(&mut self, _state: State, _step: Step) -> bool {
        true
    }

    /// If `step` is legal in exactly one state whatever came before, that state.
    fn requires(&mut self, _step: Step) -> Option<State> {
        None
    }

    /// The state that `step` tells from all others: it is legal there and nowhere else, or
    /// everywhere else and not there.
    fn tells(&mut self, step: Step) -> Option<State> {
        self.requires(step)
    }

    /// If `step` leads to the same one state wherever it is legal, that state.
    fn produces(&mut self, _step: Step) -> Option<State> {
        None
    }

    /// Bytes held by states and tables that grow.
    fn held(&self) -> usize {
        0
    }

    /// Forget every state that is not among these and is not held by a step that is still to be
    /// read (`Step` operands are kept alive by the model itself).
    fn collect(&mut self, _live: &[State]) {}

    /// Forget what is kept of every step that is not among these (pending, or read ahead). A step
    /// that comes again is read again. Nothing but memory is lost where this is never called.
    fn collect_steps(&mut self, _live: &[Step]) {}
}
