//! What a model that somebody else knows is asked (foreign.rs).

use hashbrown::HashSet;
use rustc_hash::FxBuildHasher;

use super::{Effect, State};
use crate::table::Row;

/// The oracle's model raised. What it raised the oracle keeps, for whoever runs the search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Raised;

/// A call as the oracle's model reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// Equal steps of the model have equal numbers; small ones, since tables are indexed by them.
    pub step: u32,
    /// What the model promises of it.
    pub effect: Effect,
}

/// The model itself, for one key. It numbers steps and states from 0, without gaps but for what
/// was released; a number stands for the same thing until it is released.
///
/// The questions are few: the answers are remembered by `Foreign`. `read` comes once a call, so it
/// is the one to make fast: it may remember answers by what the row says beside its indices and
/// times (f, code, outcome, process, input, output), since a model's `read` may not look at those.
pub trait Oracle: Send {
    /// `Model.read` of Python, `None` where the call constrains nothing.
    ///
    /// # Errors
    /// Where it raises; the search ends in `Refused`, and the call is read again to find the words.
    fn read(&mut self, row: &Row) -> Result<Option<Told>, Raised>;

    /// The state at the start.
    ///
    /// # Errors
    /// Where the model raises.
    fn init(&mut self) -> Result<State, Raised>;

    /// Adds to `after` the states that the step leads to, each once; none where it is illegal.
    ///
    /// # Errors
    /// Where the model raises, or answers what is no state (not hashable).
    fn step(&mut self, state: State, step: u32, after: &mut Vec<State>) -> Result<(), Raised>;

    /// `Foresees.leads_to` of Python; asked only where the model has it.
    ///
    /// # Errors
    /// Where the model raises.
    fn leads_to(&mut self, state: State, step: u32) -> Result<bool, Raised>;

    /// `Requires.requires` of Python; `None` where it is empty or the model does not have it.
    ///
    /// # Errors
    /// Where the model raises.
    fn requires(&mut self, step: u32) -> Result<Option<State>, Raised>;

    /// Nobody will name another state than these before it is handed out anew.
    fn keep_states(&mut self, keep: &Numbers);

    /// Nobody will name another step than these before it is handed out anew.
    fn keep_steps(&mut self, keep: &Numbers);

    /// From now on it is asked for another key: of what `read` said, nothing is remembered.
    fn next_key(&mut self);

    /// Bytes held, roughly.
    fn held(&self) -> usize;
}

/// Numbers of steps, or of states.
pub type Numbers = HashSet<u32, FxBuildHasher>;
