//! Crashed calls: those whose outcome nobody knows.
//!
//! Rules
//! 1. Alike ones make a class, which is a count (see uses.rs).
//! 2. A class is *dead* when no call that returns from now on tells a state that it produces from
//!    any other, not even by way of another crashed call. Then it serves for one thing only: to
//!    make the state another one than it is, for a call that tells only what the state is not.
//!    All dead overwriting classes do that alike; they are one class, the grave, which produces
//!    the state `Model::OTHER`. Where no call of the key observes what the state is not, even the
//!    grave is of no use. One that requires a state dies only when that is told no more either:
//!    then nobody wants to leave it.
//! 3. For a model that tells (`Model::TELLS`), a crashed call is tried in a chain only if what it
//!    produces is wanted by a pending call, by way of other crashed ones perhaps, or if a pending
//!    call wants another state than the present one. A chain in which a crashed call is observed
//!    by nothing has a shorter one that does as well (rule 7 of the search).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use crate::models::{Effect, State, Step};
use crate::table::NEVER;

/// The class of what is dead.
pub const GRAVE: u32 = 0;

/// Crashed calls with equal steps.
pub struct Class {
    /// What each of them does.
    pub step: Step,
    /// How many were invoked.
    pub available: u32,
    /// The state that each leaves, where it is the same wherever it is legal.
    pub produces: Option<State>,
    /// The only state in which each is legal.
    pub requires: Option<State>,
    /// The calls, in the order of invocation, where a witness will ask for them.
    pub calls: Vec<u32>,
    dead: bool,
    at: usize, // among the living
}

/// What is known of the whole key before it is searched.
#[derive(Default)]
pub struct Outlook {
    /// The last index at which a call returns that tells a state which crashed calls produce.
    pub told: FxHashMap<State, u64>,
    /// Nothing is known of what is to come, or calls must not lose their names: no class dies.
    pub unknown: bool,
    /// May a call observe what the state is not?
    pub otherness: bool,
}

/// All crashed calls invoked so far.
pub struct Crashed {
    classes: Vec<Class>,
    living: Vec<u32>,
    by_step: FxHashMap<Step, u32>,
    by_produced: FxHashMap<State, Vec<u32>>,
    deaths: BinaryHeap<Reverse<(u64, u32)>>,
    outlook: Outlook,
    /// Is there a class that does not overwrite?
    pub chainable: bool,
}

impl Crashed {
    /// None yet.
    #[must_use]
    pub fn new(outlook: Outlook) -> Self {
        let step = Step {
            code: u8::MAX,
            effect: Effect::Overwrites,
            a: 0,
            b: 0,
        };
        let grave = Class {
            step,
            available: 0,
            produces: None,
            requires: None,
            calls: Vec::new(),
            dead: true,
            at: 0,
        };
        Self {
            classes: vec![grave],
            living: Vec::new(),
            by_step: FxHashMap::default(),
            by_produced: FxHashMap::default(),
            deaths: BinaryHeap::new(),
            outlook,
            chainable: false,
        }
    }

    /// Is there any?
    #[inline]
    #[must_use]
    pub fn any(&self) -> bool {
        self.classes.len() > 1
    }

    /// How many classes a node may have to try, about.
    #[inline]
    #[must_use]
    pub fn moves(&self) -> usize {
        if self.by_produced.is_empty() {
            self.classes.len() - 1
        } else {
            0
        }
    }

    /// A class by its number.
    #[inline]
    #[must_use]
    pub fn class(&self, class: u32) -> &Class {
        &self.classes[class as usize]
    }

    /// All classes that are not dead.
    pub fn living(&self) -> impl Iterator<Item = u32> + '_ {
        self.living.iter().copied()
    }

    /// The living classes that produce a state.
    #[must_use]
    pub fn producing(&self, state: State) -> &[u32] {
        self.by_produced.get(&state).map_or(&[], Vec::as_slice)
    }

    /// Adds a crashed call; `kept`: a witness will ask for it.
    ///
    /// # Panics
    /// Never: there are fewer classes than calls, and fewer of those than 2^32.
    pub fn add(
        &mut self,
        call: u32,
        step: Step,
        produces: Option<State>,
        requires: Option<State>,
        kept: bool,
    ) {
        let next = u32::try_from(self.classes.len()).expect("a history has fewer calls than 2^32");
        let number = *self.by_step.entry(step).or_insert(next);
        if number == next {
            let class = Class {
                step,
                available: 0,
                produces,
                requires,
                calls: Vec::new(),
                dead: false,
                at: self.living.len(),
            };
            self.living.push(number);
            self.classes.push(class);
            self.chainable |= step.effect != Effect::Overwrites;
            if let Some(state) = produces {
                self.by_produced.entry(state).or_default().push(number);
                if !self.outlook.unknown {
                    let told = |state| self.outlook.told.get(&state).copied().unwrap_or(0);
                    let after = told(state).max(requires.map_or(0, told));
                    self.deaths.push(Reverse((after, number)));
                }
            }
        }
        let class = &mut self.classes[number as usize];
        class.available += 1;
        if kept {
            class.calls.push(call);
        }
        if class.dead && step.effect == Effect::Overwrites {
            self.classes[GRAVE as usize].available += 1;
        }
    }

    /// A class that is dead before the event at an index, if there is one left that was not
    /// reported; and whether its uses go to the grave or can be forgotten.
    pub fn bury(&mut self, now: u64) -> Option<(u32, bool)> {
        let &Reverse((after, number)) = self.deaths.peek()?;
        if after >= now {
            return None;
        }
        self.deaths.pop();
        let class = &mut self.classes[number as usize];
        class.dead = true;
        let overwrites = class.step.effect == Effect::Overwrites;
        let (at, state, available) = (class.at, class.produces, class.available);
        self.living.swap_remove(at);
        if let Some(&moved) = self.living.get(at) {
            self.classes[moved as usize].at = at;
        }
        if let Some(state) = state
            && let Some(producing) = self.by_produced.get_mut(&state)
        {
            producing.retain(|&other| other != number);
            if producing.is_empty() {
                self.by_produced.remove(&state);
            }
        }
        let into_grave = overwrites && self.outlook.otherness;
        if into_grave {
            self.classes[GRAVE as usize].available += available;
        }
        Some((number, into_grave))
    }

    /// Is the grave of any use?
    #[must_use]
    pub fn haunted(&self) -> bool {
        self.classes[GRAVE as usize].available > 0 && self.outlook.otherness
    }

    /// Bytes held, about.
    #[must_use]
    pub fn held(&self) -> usize {
        self.classes.capacity() * size_of::<Class>()
            + self.by_step.capacity() * 24
            + self.by_produced.capacity() * 40
            + self.outlook.told.capacity() * 17
    }
}

/// When each state that crashed calls produce is told for the last time. `told` has that of the
/// calls that return, `links` the pairs (required, produced) of the crashed calls that require a
/// state: who needs the one, needs what leads to it for as long.
pub(crate) fn reach_back(told: &mut FxHashMap<State, u64>, links: &[(State, State)]) {
    let mut before: FxHashMap<State, Vec<State>> = FxHashMap::default();
    for &(required, produced) in links {
        before.entry(produced).or_default().push(required);
    }
    let mut todo: Vec<State> = before.keys().copied().collect();
    while let Some(state) = todo.pop() {
        let until = told.get(&state).copied().unwrap_or(0);
        for &required in before.get(&state).map_or(&[][..], Vec::as_slice) {
            let of_required = told.entry(required).or_insert(0);
            if *of_required < until {
                *of_required = until;
                todo.push(required);
            }
        }
    }
    debug_assert!(
        told.values().all(|&until| until != NEVER),
        "only calls that return tell"
    );
}
