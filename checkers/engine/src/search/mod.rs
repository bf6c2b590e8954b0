//! The search: which configurations can explain the history of one key so far?
//!
//! Events are taken in order, and a frontier of configurations is kept. A configuration is a state
//! of the model, how many crashed calls of each class were used (uses.rs), and for every pending
//! call one of three standings:
//!     open   it must be linearized before it returns;
//!     done   it has been linearized;
//!     free   it may count as linearized at a moment that is past, and may be linearized still.
//! A completion of a configuration is a sequence of calls, legal from its state and true to real
//! time, of every open call and of every later call that returns, of no done call, and of as many
//! of the free calls, and of the crashed ones that are left, as one likes. The history is
//! linearizable iff the frontier keeps a configuration with a completion; so whatever is dropped
//! or changed here must leave the completions of the whole frontier as they were. The arguments:
//!
//! Rules
//! 1. Just in time (Lowe). A call is linearized only when a return forces it: a completion begins
//!    with some calls up to the returning one (the chain, which is tried now) and goes on with
//!    calls for which it is early enough later.
//! 2. What observes is free as soon as it is legal: taking it out of a completion changes no state.
//! 3. When a call overwrites, pending total calls become free: they can be put right before it,
//!    legal there and unseen. In a lost state (foresight.rs) so do pending total calls that do not
//!    overwrite: what they change nobody sees.
//! 4. A crashed call may happen from its invocation on, or never; alike ones are a count.
//! 5. At its return a free call counts as linearized; but unless it only observes, a completion
//!    that uses it visibly must use it now, so chains that end in it are tried as well.
//! 6. What another configuration covers is dropped (frontier.rs).
//! 7. Of two chains that lead to the same completions one is enough. In a chain, a call `y` that
//!    nothing has observed is not followed at once by `z`
//!      - if z overwrites and y is total or crashed: without y the chain does the same, and y is
//!        free, or left;
//!      - if both orders lead to the same state and z is the returning call: y can come later;
//!      - if both orders lead to the same state and z returns first: z, y is tried.
//!
//!    Each replaces a chain by a shorter one or by one with fewer inversions, so this ends, and a
//!    chain that is not replaced is found: visited nodes are told apart by their last step as well.
//!    Of pending calls with equal steps that are both open, or both free, the one that returns first
//!    is tried, and of a pending and a crashed one the pending one: in every completion the two can
//!    change places, since the other has at least as much time left. This too leaves fewer
//!    inversions.
//! 8. A hopeless configuration (foresight.rs) has no completion.
//! 9. Within limits (`Limits`), chains that use crashed calls are tried only while those that use
//!    fewer lead nowhere. A search that left something out refutes nothing.
//! 10. If crashed calls were without end (`Limits::endless`), more would be possible, so what is
//!     refuted then is refuted; and where plenty of them can overwrite, one configuration does as
//!     well as another (plenty.rs).
//!
//! Sources: Wing and Gong 1993; Lowe, Testing for linearizability, 2017.

mod chains;
pub mod crashed;
pub mod foresight;
pub mod frontier;
pub mod mask;
mod pending;
mod plenty;
mod returns;
pub mod trail;
pub mod uses;
mod widened;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::models::{Effect, Model, Next, State, Step};
use crate::table::NEVER;
use crashed::{Crashed, Outlook};
use foresight::{Foresight, LOST};
use frontier::{Config, Frontier, Limits, NOTHING, Node, Visited};
use mask::Mask;
use pending::Pending;
use trail::{Mark, Trail};
use uses::Uses;

/// How far a return has been taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// It is taken.
    Done,
    /// The work given was not enough; `go_on` goes on.
    More,
    /// No configuration is left: the history is not linearizable.
    Refuted,
    /// No configuration is left, but the limits had some left out.
    Undecided,
    /// The model raised.
    Trouble,
    /// It was told to stop.
    Stopped,
    /// It is out of room.
    Full,
}

/// What there is to know of a key before it is searched.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// See `Limits`.
    pub limits: Limits,
    /// Keep what a witness needs?
    pub witness: bool,
    /// Does every call of the key observe, overwrite or is total? Then a model may foresee.
    pub no_any: bool,
}

/// The search of one key.
#[allow(clippy::struct_excessive_bools)] // each says one thing, and none excludes another
pub struct Search<M: Model, B: Mask> {
    /// The specification.
    pub model: M,
    /// The configurations that explain the events taken.
    pub frontier: Frontier<B>,
    /// How they came about.
    pub trail: Trail,
    /// What is to come; only asked where `looking`.
    pub foresight: Foresight,
    looking: bool,
    limits: Limits,
    pending: Pending<B>,
    crashed: Crashed,
    cost: usize,          // crashed calls used in the chains that are tried now (rule 9)
    least: Option<usize>, // the cost at which something led on
    /// Was anything left out (rule 9)?
    pub lossy: bool,
    target: u32,
    now: u64,
    survivors: Frontier<B>,
    visited: Visited<B>,
    stack: Vec<Node<B>>,
    spending: Vec<Node<B>>, // of which crashed calls are to be tried
    trouble: bool,
    until_collection: usize,
    events: u32,
    heap: usize, // bytes that the nodes of this return hold
    /// Bytes that one return may hold.
    pub room: usize,
    full: bool,
    looks: u32,
    /// Where it stops by itself.
    pub deadline: Option<Instant>,
    stop: Arc<AtomicBool>,
}

impl<M: Model, B: Mask> Search<M, B> {
    /// At the start of a history.
    pub fn new(mut model: M, setting: Setting, stop: Arc<AtomicBool>) -> Self {
        let state = model.init();
        let mut frontier = Frontier::default();
        let first = Config {
            state,
            mark: Trail::START,
            done: B::none(),
            free: B::none(),
            uses: Uses::default(),
        };
        frontier.configs.push(first);
        Self {
            model,
            frontier,
            trail: Trail::new(setting.witness),
            foresight: Foresight::default(),
            looking: M::FORESEES && setting.no_any,
            limits: setting.limits,
            pending: Pending::default(),
            crashed: Crashed::new(Outlook::default()),
            cost: 0,
            least: None,
            lossy: false,
            target: NOTHING,
            now: 0,
            survivors: Frontier::default(),
            visited: Visited::default(),
            stack: Vec::new(),
            spending: Vec::new(),
            trouble: false,
            until_collection: M::COLLECTED,
            events: 0,
            heap: 0,
            room: usize::MAX,
            full: false,
            looks: 0,
            deadline: None,
            stop,
        }
    }

    /// What there is to know before the first crashed call is told.
    pub fn expect(&mut self, outlook: Outlook) {
        self.crashed = Crashed::new(outlook);
    }

    /// Does it take crashed calls to be without end, so that it may only refute?
    pub fn endless(&self) -> bool {
        self.limits.endless
    }

    /// Is every slot taken that a mask of 64 bits has?
    #[inline]
    pub fn crowded(&self) -> bool {
        self.pending.crowded()
    }

    /// Does it look ahead, so that rows are to be announced to `foresight`?
    pub fn looking(&self) -> bool {
        self.looking
    }

    /// A call that returns at the index `returned` is invoked; it gets the slot.
    #[inline]
    pub fn invoke(&mut self, call: u32, step: Step, invoked: u64, returned: u64) -> u32 {
        let slot = self.pending.add(call, step, returned);
        self.now = invoked;
        if self.looking {
            self.foresight.invoked(step, invoked, returned, slot);
        }
        match step.effect {
            Effect::Observes => {
                for at in 0..self.frontier.configs.len() {
                    let state = self.frontier.configs[at].state;
                    if self.legal(state, step) {
                        self.set_free(at, call, slot);
                    }
                }
            }
            Effect::Total if self.looking => {
                for at in 0..self.frontier.configs.len() {
                    if self.frontier.configs[at].state == LOST {
                        self.set_free(at, call, slot);
                    }
                }
            }
            Effect::Total | Effect::Overwrites | Effect::Any => {}
        }
        slot
    }

    fn set_free(&mut self, at: usize, call: u32, slot: u32) {
        let config = &mut self.frontier.configs[at];
        config.free.insert(slot);
        config.mark = self.trail.add(config.mark, call, false);
    }

    /// A call of unknown outcome is invoked, one that does more than observe.
    pub fn crash(&mut self, call: u32, step: Step, invoked: u64) {
        self.now = invoked;
        if self.looking {
            self.foresight.invoked(step, invoked, NEVER, NOTHING);
        }
        let (produces, requires) = if M::TELLS {
            (self.model.produces(step), self.model.requires(step))
        } else {
            (None, None)
        };
        self.crashed
            .add(call, step, produces, requires, self.trail.kept());
    }

    /// The order of a linearization of the calls taken.
    pub fn order(&self) -> Vec<u32> {
        self.frontier
            .configs
            .first()
            .map_or_else(Vec::new, |c| self.trail.order(c.mark))
    }

    /// Bytes held, about.
    pub fn held(&self) -> usize {
        self.frontier.held()
            + self.survivors.held()
            + self.visited.held()
            + self.stack.capacity() * size_of::<Node<B>>()
            + self
                .stack
                .last()
                .map_or(0, |node| self.stack.len() * node.config.heap())
            + self.crashed.held()
            + self.foresight.held()
            + self.trail.held()
            + self.pending.held()
            + self.model.held()
    }

    /// Configurations held.
    pub fn configurations(&self) -> usize {
        self.frontier.configs.len()
            + self.survivors.configs.len()
            + self.visited.count()
            + self.stack.len()
            + self.spending.len()
    }

    /// Lets the model forget what nothing names any more, once it holds a lot. `ahead` are the
    /// steps that were read and not yet invoked. To be called between two events.
    #[inline]
    pub fn collect(&mut self, ahead: impl Iterator<Item = Step>) {
        self.events = self.events.wrapping_add(1);
        if self.events.is_multiple_of(256) && self.model.held() >= self.until_collection {
            self.collect_now(ahead);
        }
    }

    #[cold]
    fn collect_now(&mut self, ahead: impl Iterator<Item = Step>) {
        let named = |&s: &State| s != LOST && !(M::TELLS && s == M::OTHER);
        let live: Vec<State> = self
            .frontier
            .configs
            .iter()
            .map(|c| c.state)
            .filter(named)
            .collect();
        let mut steps: Vec<Step> = self.pending.steps().chain(ahead).collect();
        steps.extend(
            self.crashed
                .living()
                .map(|class| self.crashed.class(class).step),
        );
        self.model.collect(&live);
        self.model.collect_steps(&steps);
        self.foresight.forget();
        self.until_collection = M::COLLECTED.max(2 * self.model.held());
    }

    #[inline]
    fn legal(&mut self, state: State, step: Step) -> bool {
        match self.after(state, step) {
            Next::Illegal => false,
            Next::Trouble => {
                self.trouble = true;
                false
            }
            Next::One(_) | Next::Many => true,
        }
    }

    /// Where a step leads, from a lost state too.
    #[inline]
    fn after(&mut self, state: State, step: Step) -> Next {
        if M::TELLS && step.code == u8::MAX {
            return Next::One(M::OTHER); // the grave's
        }
        if M::FORESEES && state == LOST {
            return match step.effect {
                Effect::Overwrites => {
                    let any = self.model.init(); // what overwrites does not look at it
                    self.model.step(any, step)
                }
                Effect::Observes => Next::Illegal,
                Effect::Total | Effect::Any => Next::One(LOST),
            };
        }
        self.model.step(state, step)
    }

    /// Adds the calls of a mask to a trail.
    fn mark_free(&mut self, mut mark: Mark, freed: &B) -> Mark {
        if self.trail.kept() {
            for slot in freed.slots() {
                mark = self.trail.add(mark, self.pending.call(slot), false);
            }
        }
        mark
    }
}
