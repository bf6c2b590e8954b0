//! What is known of the calls to come, and what follows from it for a configuration.
//!
//! Rules
//! 1. Rows are announced ahead of their invocation, as far as `until`; of what comes later nothing
//!    is assumed.
//! 2. A state is *lost* when no observation that can still see it, or what it grows into, can
//!    become legal: what is invoked after a call that overwrites, was invoked later than now, and
//!    has returned, does not observe what there is now; so the look ahead ends at the first return
//!    of such a call. No observation tells lost states apart, so they are one, `LOST`.
//! 3. A configuration is *hopeless* when a call must still observe something that its state cannot
//!    lead to, and which returns before anything new can overwrite the state (and no pending call
//!    can).
//! 4. Both hold only where every call of the key observes, overwrites or is total.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::models::{Effect, Model, State, Step};

/// Every state that is of no use to any observation to come. No model has a state of this number.
pub const LOST: State = State::MAX;

/// A state is compared with so many reads to come before it is taken to be of use to one: where
/// nothing overwrites, comparing every state with every read would be quadratic.
const COMPARED_MAX: usize = 300;

const NOT_YET: u32 = u32::MAX;

struct Observer {
    returned: u64,
    invoked: u64,
    slot: u32,
    step: Step,
}

/// The observations that have not returned, and the overwriting calls that are not invoked, as far
/// as they are known.
#[derive(Default)]
pub struct Foresight {
    observers: VecDeque<Observer>, // in the order of their returns
    overwriting: VecDeque<(u64, u64)>,
    horizon: Option<u64>,
    until: u64,
    useful_until: FxHashMap<State, u64>,
    lost: FxHashMap<State, (u64, u64)>,
}

impl Foresight {
    /// A call that is to come. Calls are announced in the order of invocation.
    pub fn announce(&mut self, step: Step, invoked: u64, returned: u64) {
        match step.effect {
            Effect::Observes => {
                let at = self.observers.partition_point(|o| o.returned < returned);
                let slot = NOT_YET;
                self.observers.insert(
                    at,
                    Observer {
                        returned,
                        invoked,
                        slot,
                        step,
                    },
                );
            }
            Effect::Overwrites => {
                self.overwriting.push_back((invoked, returned));
                self.horizon = None;
            }
            Effect::Total | Effect::Any => {}
        }
    }

    /// Every call that is invoked before this index has been announced.
    pub fn known_until(&mut self, index: u64) {
        self.until = index;
    }

    /// An announced call is invoked and holds a slot.
    pub fn invoked(&mut self, step: Step, invoked: u64, returned: u64, slot: u32) {
        match step.effect {
            Effect::Observes => {
                if let Ok(at) = self.place(returned) {
                    self.observers[at].slot = slot;
                }
            }
            Effect::Overwrites => {
                if let Some(&(first, of_first)) = self.overwriting.front()
                    && first == invoked
                {
                    self.overwriting.pop_front();
                    if self.horizon == Some(of_first) {
                        self.horizon = None;
                    }
                }
            }
            Effect::Total | Effect::Any => {}
        }
    }

    /// A call returns.
    pub fn returned(&mut self, index: u64) {
        if let Ok(at) = self.place(index) {
            self.observers.remove(at);
        }
    }

    fn place(&self, returned: u64) -> Result<usize, usize> {
        self.observers
            .binary_search_by_key(&returned, |o| o.returned)
    }

    /// Rule 3, for a state at the event `now`. `settled(slot)`: must the pending call no more be
    /// linearized? The caller has seen that no pending call can overwrite the state.
    pub fn hopeless<M: Model>(
        &self,
        model: &mut M,
        state: State,
        settled: impl Fn(u32) -> bool,
    ) -> bool {
        let unsettled = |o: &&Observer| o.slot == NOT_YET || !settled(o.slot);
        let Some(goal) = self.observers.iter().find(unsettled) else {
            return false;
        };
        let overwritten = self
            .overwriting
            .front()
            .map_or(self.until, |&(invoked, _)| invoked);
        overwritten >= goal.returned && (state == LOST || !model.leads_to(state, goal.step))
    }

    /// Rule 2: is the state lost at the event `now`?
    pub fn lost<M: Model>(&mut self, model: &mut M, state: State, now: u64) -> bool {
        if self
            .useful_until
            .get(&state)
            .is_some_and(|&until| until >= now)
        {
            return false;
        }
        if self.lost.capacity() == 0 {
            self.lost.reserve(50);
            self.useful_until.reserve(50);
        }
        let horizon = self.first_overwritten();
        if horizon > self.until {
            return false; // something that nobody announced yet may observe it
        }
        if self
            .lost
            .get(&state)
            .is_some_and(|&(since, to)| since <= now && to == horizon)
        {
            return true;
        }
        let first = self.observers.partition_point(|o| o.returned < now);
        let to_come = self.observers.range(first..);
        for (compared, o) in to_come.filter(|o| o.invoked < horizon).enumerate() {
            if compared == COMPARED_MAX || model.leads_to(state, o.step) {
                self.useful_until.insert(state, o.returned);
                return false;
            }
        }
        self.lost.insert(state, (now, horizon));
        true
    }

    fn first_overwritten(&mut self) -> u64 {
        let overwriting = &self.overwriting;
        *self.horizon.get_or_insert_with(|| {
            overwriting
                .iter()
                .map(|&(_, returned)| returned)
                .min()
                .unwrap_or(u64::MAX)
        })
    }

    /// Forgets what it knows of states; the numbers of the dead may name others from now on.
    pub fn forget(&mut self) {
        self.useful_until.clear();
        self.lost.clear();
    }

    /// Bytes held, about.
    #[must_use]
    pub fn held(&self) -> usize {
        self.observers.capacity() * size_of::<Observer>()
            + self.overwriting.capacity() * 16
            + (self.useful_until.capacity() + self.lost.capacity()) * 25
    }
}
