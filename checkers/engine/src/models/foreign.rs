//! A model that somebody else knows (a user's, in Python), asked once for every question.
//!
//! Rules
//! 1. The oracle numbers steps and states, equal ones alike; what it was asked is remembered here.
//! 2. A step that overwrites leads to the same states from everywhere, so it is asked for once; one
//!    that is legal in one named state only is illegal in all others without being asked for.
//! 3. Once the oracle has raised, every step is `Trouble`: no verdict rests on half an answer.
//! 4. `collect` releases the numbers of dead states together with every answer that names one.
//! 5. A model says the same of every key, so what one key has learnt serves the next (`Learnt`);
//!    only `read` sees more of a call than the step, and begins anew.
//! 6. `TELLS` is for histories whose crashed calls all leave one state each, wherever they are
//!    legal (`tells_apart`). A step that names no state (`requires`) may tell any from any other.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::oracle::{Numbers, Oracle, Raised, Told};
use super::{Effect, Model, Next, Refused, State, Step};
use crate::table::Row;
use crate::value::Values;

type Map<K, V> = HashMap<K, V, FxBuildHasher>;

/// In place of the state, for a step that does the same in each.
const WHEREVER: State = State::MAX;

/// What is known of a step whatever the state.
#[derive(Clone, Copy, Default)]
struct Known {
    #[allow(clippy::option_option)] // was it asked, and then, does it name one?
    required: Option<Option<State>>,
    /// Where it leads, if it overwrites.
    overwrites: Option<Next>,
}

/// An oracle, and what it was asked.
struct Memory<O> {
    oracle: O,
    initial: Option<State>,
    known: Vec<Known>, // by step
    after: Map<(State, u32), Next>,
    /// The answers to those that are `Next::Many`.
    several: Map<(State, u32), Box<[State]>>,
    leads: Map<(State, u32), bool>,
    /// States that the search was told of crashed calls, and names for the rest of the key.
    pinned: Numbers,
}

impl<O: Oracle> Memory<O> {
    fn new(oracle: O) -> Self {
        Memory {
            oracle,
            initial: None,
            known: Vec::new(),
            after: Map::default(),
            several: Map::default(),
            leads: Map::default(),
            pinned: Numbers::default(),
        }
    }

    fn known(&mut self, step: u32) -> &mut Known {
        let place = step as usize;
        if self.known.len() <= place {
            self.known.resize(place + 1, Known::default());
        }
        &mut self.known[place]
    }

    fn held(&self) -> usize {
        // An entry of each table, with a byte of control and a quarter of it vacant.
        let pairs = 24 * self.after.capacity() + 16 * self.leads.capacity();
        let several = 32 * self.several.capacity();
        self.oracle.held() + pairs + several + self.known.capacity() * size_of::<Known>()
    }
}

/// A memory that holds more bytes is not handed on to another key.
const HANDED_ON: usize = 2_000_000;

/// What the keys of a history that are done with have learnt.
pub struct Learnt<O>(Mutex<Vec<Memory<O>>>);

impl<O> Default for Learnt<O> {
    fn default() -> Self {
        Learnt(Mutex::new(Vec::new()))
    }
}

impl<O: Oracle> Learnt<O> {
    fn take(&self) -> Option<Memory<O>> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop()
    }

    fn put(&self, mut memory: Memory<O>) {
        if memory.held() > HANDED_ON {
            return;
        }
        memory.oracle.next_key();
        memory.pinned.clear();
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(memory);
    }
}

/// An oracle with a memory. `FORESEES`: its model has `leads_to`. `TELLS`: see rule 6.
pub struct Foreign<O: Oracle, const FORESEES: bool, const TELLS: bool> {
    memory: Option<Memory<O>>, // none only while it is dropped
    learnt: Option<Arc<Learnt<O>>>,
    raised: bool,
    choices: Vec<State>,
}

impl<O: Oracle, const FORESEES: bool, const TELLS: bool> Drop for Foreign<O, FORESEES, TELLS> {
    fn drop(&mut self) {
        if let (Some(memory), Some(learnt), false) = (self.memory.take(), &self.learnt, self.raised)
        {
            learnt.put(memory);
        }
    }
}

impl<O: Oracle, const FORESEES: bool, const TELLS: bool> Foreign<O, FORESEES, TELLS> {
    /// A model for one key that shares nothing.
    pub fn new(oracle: O) -> Self {
        Foreign {
            memory: Some(Memory::new(oracle)),
            learnt: None,
            raised: false,
            choices: Vec::new(),
        }
    }

    /// A model for a key that goes on where a finished one of the same history ended.
    pub fn going_on(learnt: &Arc<Learnt<O>>, oracle: impl FnOnce() -> O) -> Self {
        Foreign {
            memory: Some(learnt.take().unwrap_or_else(|| Memory::new(oracle()))),
            learnt: Some(Arc::clone(learnt)),
            raised: false,
            choices: Vec::new(),
        }
    }

    /// Is this step of a crashed call as `TELLS` wants them to be?
    pub fn tells_apart(&mut self, step: Step) -> bool {
        match step.effect {
            Effect::Observes => true, // it will be dropped
            Effect::Overwrites | Effect::Any => self.produces(step).is_some(),
            Effect::Total => false,
        }
    }

    #[cfg(test)]
    pub(super) fn oracle(&self) -> &O {
        &self.memory_ref().oracle
    }

    #[cfg(test)]
    pub(super) fn remembers_nothing(&self) -> bool {
        let memory = self.memory_ref();
        memory.after.is_empty() && memory.several.is_empty() && memory.leads.is_empty()
    }

    #[inline]
    fn memory_ref(&self) -> &Memory<O> {
        self.memory.as_ref().expect(HELD)
    }

    #[inline]
    fn memory(&mut self) -> &mut Memory<O> {
        self.memory.as_mut().expect(HELD)
    }

    /// Asks where a step leads; `from` is what the answer is remembered of.
    #[cold]
    fn ask(&mut self, from: State, state: State, step: u32) -> Next {
        let memory = self.memory.as_mut().expect(HELD);
        self.choices.clear();
        if memory.oracle.step(state, step, &mut self.choices).is_err() {
            self.raised = true;
            return Next::Trouble;
        }
        match *self.choices.as_slice() {
            [] => Next::Illegal,
            [after] => Next::One(after),
            _ => {
                let choices = self.choices.as_slice().into();
                memory.several.insert((from, step), choices);
                Next::Many
            }
        }
    }

    fn again(&mut self, from: State, step: u32, next: Next) -> Next {
        if next == Next::Many {
            let memory = self.memory.as_ref().expect(HELD);
            self.choices.clear();
            let choices = &memory.several[&(from, step)];
            self.choices.extend_from_slice(choices);
        }
        next
    }

    fn overwrite(&mut self, step: u32) -> Next {
        if let Some(next) = self.memory().known(step).overwrites {
            return self.again(WHEREVER, step, next);
        }
        let anywhere = self.init();
        if self.raised {
            return Next::Trouble;
        }
        let next = self.ask(WHEREVER, anywhere, step);
        if next != Next::Trouble {
            self.memory().known(step).overwrites = Some(next);
        }
        next
    }

    fn move_on(&mut self, state: State, step: u32) -> Next {
        if TELLS && state == Self::OTHER {
            return Next::Trouble; // no state dies while a call may come that would tell
        }
        if let Some(&next) = self.memory().after.get(&(state, step)) {
            return self.again(state, step, next);
        }
        let next = self.ask(state, state, step);
        if next != Next::Trouble {
            self.memory().after.insert((state, step), next);
        }
        next
    }

    /// The state that the model says the step requires.
    fn required(&mut self, step: u32) -> Option<State> {
        let memory = self.memory();
        if let Some(required) = memory.known(step).required {
            return required;
        }
        let Ok(required) = memory.oracle.requires(step) else {
            self.raised = true;
            return None;
        };
        memory.known(step).required = Some(required);
        required
    }
}

/// Why there is a memory: see `Foreign::memory`.
const HELD: &str = "a model that is in use has a memory";

impl<O: Oracle, const FORESEES: bool, const TELLS: bool> Model for Foreign<O, FORESEES, TELLS> {
    const FORESEES: bool = FORESEES;
    const TELLS: bool = TELLS;
    const COST: i64 = 20; // every new question goes to Python
    const COLLECTED: usize = 32_000_000; // to forget is to ask again

    fn read(&mut self, row: &Row, _: &Values) -> Result<Option<Step>, Refused> {
        let told = self.memory().oracle.read(row).map_err(|Raised| Refused)?;
        Ok(told.map(|Told { step, effect }| Step {
            code: 0,
            effect,
            a: step,
            b: 0,
        }))
    }

    fn init(&mut self) -> State {
        let memory = self.memory();
        if let Some(state) = memory.initial {
            return state;
        }
        let Ok(state) = memory.oracle.init() else {
            self.raised = true;
            return 0;
        };
        memory.initial = Some(state);
        state
    }

    fn step(&mut self, state: State, step: Step) -> Next {
        if self.raised {
            return Next::Trouble;
        }
        match step.effect {
            Effect::Overwrites => self.overwrite(step.a),
            Effect::Total => self.move_on(state, step.a),
            Effect::Observes | Effect::Any => match self.required(step.a) {
                _ if self.raised => Next::Trouble,
                Some(required) if required != state => Next::Illegal,
                Some(_) if step.effect == Effect::Observes => Next::One(state),
                _ => self.move_on(state, step.a),
            },
        }
    }

    fn choices(&self) -> &[State] {
        &self.choices
    }

    fn leads_to(&mut self, state: State, step: Step) -> bool {
        if !FORESEES || self.raised {
            return true;
        }
        let memory = self.memory();
        if let Some(&answer) = memory.leads.get(&(state, step.a)) {
            return answer;
        }
        let Ok(answer) = memory.oracle.leads_to(state, step.a) else {
            self.raised = true;
            return true;
        };
        memory.leads.insert((state, step.a), answer);
        answer
    }

    fn requires(&mut self, step: Step) -> Option<State> {
        let required = match step.effect {
            Effect::Observes | Effect::Any => self.required(step.a)?,
            Effect::Overwrites | Effect::Total => return None,
        };
        // Of a step that leaves a choice, the search is told nothing.
        let choice =
            TELLS && step.effect == Effect::Any && self.move_on(required, step.a) == Next::Many;
        (!choice).then_some(required)
    }

    /// Of a step that may be illegal and that names no state nobody can tell.
    fn produces(&mut self, step: Step) -> Option<State> {
        let (required, next) = match step.effect {
            Effect::Observes => return self.required(step.a),
            Effect::Overwrites => (None, self.overwrite(step.a)),
            Effect::Any => {
                let required = self.required(step.a)?;
                (Some(required), self.move_on(required, step.a))
            }
            Effect::Total => return None,
        };
        let Next::One(after) = next else {
            return None;
        };
        if TELLS {
            let pinned = &mut self.memory().pinned;
            pinned.extend(required);
            pinned.insert(after);
        }
        Some(after)
    }

    fn held(&self) -> usize {
        self.memory_ref().held()
    }

    fn collect(&mut self, live: &[State]) {
        let memory = self.memory();
        let mut keep: Numbers = live.iter().copied().collect();
        keep.extend(memory.initial);
        keep.extend(&memory.pinned);
        keep.extend(memory.known.iter().filter_map(|known| known.required?));
        memory.several.retain(|&(from, _), after| {
            (from == WHEREVER || keep.contains(&from)) && after.iter().all(|s| keep.contains(s))
        });
        let several = &memory.several;
        let alive = |question: (State, u32), next: Next| match next {
            Next::One(after) => keep.contains(&after),
            Next::Many => several.contains_key(&question),
            Next::Illegal | Next::Trouble => true,
        };
        memory
            .after
            .retain(|question, next| keep.contains(&question.0) && alive(*question, *next));
        for (step, known) in (0..).zip(&mut memory.known) {
            known.overwrites = known
                .overwrites
                .filter(|&next| alive((WHEREVER, step), next));
        }
        memory.leads.retain(|&(state, _), _| keep.contains(&state));
        memory.oracle.keep_states(&keep);
    }

    fn collect_steps(&mut self, live: &[Step]) {
        let memory = self.memory();
        let keep: Numbers = live.iter().map(|step| step.a).collect();
        for (step, known) in (0..).zip(&mut memory.known) {
            if !keep.contains(&step) {
                *known = Known::default();
            }
        }
        memory.after.retain(|(_, step), _| keep.contains(step));
        memory.several.retain(|(_, step), _| keep.contains(step));
        memory.leads.retain(|(_, step), _| keep.contains(step));
        memory.oracle.keep_steps(&keep);
    }
}
