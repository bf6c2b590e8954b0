//! A history that is still growing, searched as it comes.
//!
//! Rules
//! 1. Nothing is guessed: the events of a key are taken up to its oldest call whose outcome nobody
//!    has told yet. Memory is that of the open calls and of the frontiers.
//! 2. Models that look ahead are `LAG` calls behind, so that they have something to look at.
//! 3. A key is searched within limits, for what is to come cannot be gone through twice. A
//!    refutation is `certain` if nothing was left out; else it is a suspicion, which the recorded
//!    history confirms or not, and either way the key is done with.
//! 4. A key that is not used keeps its states and its calls of unknown outcome, nothing else.
//! 5. A key whose frontier grows beyond `CONFIGURATIONS_MAX` is given up.

mod rest;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::models::{Effect, Model, Step};
use crate::search::crashed::Outlook;
use crate::search::frontier::Limits;
use crate::search::mask::{Mask, Wide};
use crate::search::{Progress, Search, Setting};
use crate::table::{Outcome, Row};
use crate::value::{Value, Values};
use rest::{Rest, at_rest};

/// Calls by which a model that looks ahead is behind.
const LAG: usize = 64;
/// Configurations of a key; beyond, nobody would wait for it.
pub const CONFIGURATIONS_MAX: usize = 100_000;
/// Work between two looks at the number of configurations.
const TURN: i64 = 10_000;
/// What a search of a growing history tries.
const LIMITS: Limits = Limits::CAREFUL;

/// What came of the latest operations of a key.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Came {
    /// The key goes on.
    On,
    /// At the completion of this index no configuration was left; certainly, or not.
    Refuted(u64, bool),
    /// The model cannot read the call.
    Refused(Row),
    /// It takes too many configurations.
    GivenUp,
}

/// One key of a growing history.
pub trait Lane: Send {
    /// A call is invoked; `row` has no completion.
    fn invoke(&mut self, row: Row);
    /// The call that was invoked at `row.invoked` is completed.
    fn complete(&mut self, row: Row);
    /// Takes what can be taken. `last`: nothing more will come.
    fn advance(&mut self, values: &Values, last: bool) -> Came;
    /// Puts away what only a key at work needs, until the next invocation; false where it is at
    /// work.
    fn rest(&mut self) -> bool;
    /// Adds every value that is named here. False: the model cannot tell, and more may be.
    fn values(&self, into: &mut Vec<Value>) -> bool;
    /// Did any call that returned constrain anything?
    fn judged(&self) -> bool;
    /// Open calls and configurations.
    fn held(&self) -> usize;
}

enum Width<M: Model> {
    Narrow(Search<M, u64>),
    Broad(Search<M, Wide>),
}

#[derive(Default)]
struct Flow {
    rows: VecDeque<(Row, bool)>, // with whether the outcome was told
    announced: VecDeque<Option<Step>>,
    returns: BinaryHeap<Reverse<(u64, u32)>>,
    pending: Vec<Option<Step>>, // by slot
    crashed: Vec<Step>,         // in the order of invocation
    latest: u64,
    judged: bool,
}

/// A key at work.
struct Busy<M: Model> {
    flow: Flow,
    search: Option<Width<M>>, // none while it is widened
}

enum Stage<M: Model> {
    Busy(Box<Busy<M>>),
    Rest(Box<Rest<M>>),
    /// It is done with; did any call that returned constrain anything?
    Done(bool),
}

/// A lane for a model.
pub struct Growing<M: Model>(Stage<M>);

fn begin<M: Model>(model: M) -> Search<M, u64> {
    let setting = Setting {
        limits: LIMITS,
        witness: false,
        no_any: M::FORESEES && M::NO_ANY,
    };
    Search::new(model, setting, Arc::new(AtomicBool::new(false)))
}

fn expect_crashed<M: Model, B: Mask>(search: &mut Search<M, B>) {
    search.expect(Outlook {
        unknown: true,
        otherness: true,
        ..Outlook::default()
    });
}

impl<M: Model> Growing<M> {
    /// Of a key of which nothing was seen.
    pub fn new(model: M) -> Self {
        let search = Some(Width::Narrow(begin(model)));
        let flow = Flow::default();
        Self(Stage::Busy(Box::new(Busy { flow, search })))
    }

    /// The key at work; `None` where it is done with.
    fn busy(&mut self) -> Option<&mut Busy<M>> {
        if let Stage::Rest(_) = self.0 {
            let Stage::Rest(rest) = mem::replace(&mut self.0, Stage::Done(false)) else {
                return None;
            };
            self.0 = Stage::Busy(Box::new(rest.wake()));
        }
        match &mut self.0 {
            Stage::Busy(busy) => Some(busy),
            Stage::Rest(_) | Stage::Done(_) => None,
        }
    }
}

impl<M: Model> Busy<M> {
    fn idle(&self) -> bool {
        let looking = match &self.search {
            None => true,
            Some(Width::Narrow(search)) => search.looking(),
            Some(Width::Broad(search)) => search.looking(),
        };
        !looking && self.flow.rows.is_empty() && self.flow.returns.is_empty()
    }

    /// What it comes down to; it must be idle.
    fn rest(self) -> Option<Rest<M>> {
        Some(match self.search? {
            Width::Narrow(search) => at_rest(search, self.flow),
            Width::Broad(search) => at_rest(search, self.flow),
        })
    }

    fn advance(&mut self, values: &Values, last: bool) -> Came {
        loop {
            let came = match &mut self.search {
                None => return Came::On,
                Some(Width::Narrow(search)) => self.flow.advance(search, values, last, true),
                Some(Width::Broad(search)) => self.flow.advance(search, values, last, false),
            };
            match came {
                Ok(()) => return Came::On,
                Err(Some(ended)) => return ended,
                Err(None) => {
                    let Some(Width::Narrow(search)) = self.search.take() else {
                        return Came::On;
                    };
                    self.search = Some(Width::Broad(search.widened()));
                }
            }
        }
    }
}

impl<M: Model> Lane for Growing<M> {
    fn invoke(&mut self, row: Row) {
        if let Some(busy) = self.busy() {
            busy.flow.latest = row.invoked;
            busy.flow.rows.push_back((row, false));
        }
    }

    fn complete(&mut self, row: Row) {
        let Some(Busy { flow, .. }) = self.busy() else {
            return;
        };
        if row.outcome != Outcome::Info {
            flow.latest = row.returned;
        }
        let rows = &mut flow.rows;
        if let Ok(at) = rows.binary_search_by_key(&row.invoked, |(row, _)| row.invoked) {
            rows[at] = (row, true);
        }
    }

    fn advance(&mut self, values: &Values, last: bool) -> Came {
        let Stage::Busy(busy) = &mut self.0 else {
            return Came::On; // of a key at rest nothing is left to take
        };
        let came = busy.advance(values, last);
        if came != Came::On {
            self.0 = Stage::Done(busy.flow.judged);
        }
        came
    }

    fn rest(&mut self) -> bool {
        if matches!(&self.0, Stage::Busy(busy) if !busy.idle()) {
            return false;
        }
        match mem::replace(&mut self.0, Stage::Done(false)) {
            Stage::Busy(busy) => {
                let judged = busy.flow.judged;
                let rest = busy.rest();
                self.0 = rest.map_or(Stage::Done(judged), |rest| Stage::Rest(Box::new(rest)));
            }
            other => self.0 = other,
        }
        true
    }

    fn values(&self, into: &mut Vec<Value>) -> bool {
        let operands = |step: &Step| [Value(step.a), Value(step.b)];
        match &self.0 {
            Stage::Done(_) => {}
            Stage::Rest(rest) => {
                into.extend(rest.states().map(Value));
                into.extend(rest.crashed.iter().flat_map(operands));
            }
            Stage::Busy(busy) => {
                let Busy { flow, search } = busy.as_ref();
                match search {
                    None => {}
                    Some(Width::Narrow(search)) => states(search, into),
                    Some(Width::Broad(search)) => states(search, into),
                }
                for (row, _) in &flow.rows {
                    into.extend([row.process, row.key, row.input, row.output]);
                }
                let announced = flow.announced.iter().flatten();
                let steps = announced.chain(flow.pending.iter().flatten());
                into.extend(steps.chain(&flow.crashed).flat_map(operands));
            }
        }
        M::STATES_ARE_VALUES
    }

    fn judged(&self) -> bool {
        match &self.0 {
            Stage::Busy(busy) => busy.flow.judged,
            Stage::Rest(rest) => rest.judged,
            Stage::Done(judged) => *judged,
        }
    }

    fn held(&self) -> usize {
        match &self.0 {
            Stage::Busy(busy) => {
                busy.flow.rows.len()
                    + match &busy.search {
                        None => 0,
                        Some(Width::Narrow(search)) => search.configurations(),
                        Some(Width::Broad(search)) => search.configurations(),
                    }
            }
            Stage::Rest(rest) => rest.states().count(),
            Stage::Done(_) => 0,
        }
    }
}

fn states<M: Model, B: Mask>(search: &Search<M, B>, into: &mut Vec<Value>) {
    into.extend(search.frontier.configs.iter().map(|c| Value(c.state)));
}

impl Flow {
    /// Takes events; `Err(None)` where 64 slots are not enough.
    fn advance<M: Model, B: Mask>(
        &mut self,
        search: &mut Search<M, B>,
        values: &Values,
        last: bool,
        narrow: bool,
    ) -> Result<(), Option<Came>> {
        loop {
            self.announce(search, values, last)?;
            search.collect(self.announced.iter().flatten().copied());
            let next = self.rows.front().map_or(u64::MAX, |(row, _)| row.invoked);
            if let Some(&Reverse((index, slot))) = self.returns.peek()
                && index < next
            {
                self.returns.pop();
                take_return(search, slot, index)?;
                self.pending[slot as usize] = None;
                continue;
            }
            let behind = if search.looking() && !last { LAG } else { 0 };
            if self.announced.len() <= behind {
                return Ok(());
            }
            if narrow && search.crowded() {
                return Err(None);
            }
            self.take(search);
        }
    }

    /// Reads the calls at the front whose outcome was told.
    fn announce<M: Model, B: Mask>(
        &mut self,
        search: &mut Search<M, B>,
        values: &Values,
        last: bool,
    ) -> Result<(), Option<Came>> {
        while let Some(&(row, told)) = self.rows.get(self.announced.len()) {
            if !told && !last {
                break;
            }
            let step = search.model.read(&row, values);
            let step = step.map_err(|_| Some(Came::Refused(row)))?;
            self.announced.push_back(step);
            if let Some(step) = step.filter(|_| search.looking())
                && (row.outcome != Outcome::Info || step.effect == Effect::Overwrites)
            {
                search.foresight.announce(step, row.invoked, row.returned);
            }
        }
        if search.looking() {
            let unknown = self
                .rows
                .get(self.announced.len())
                .map(|(row, _)| row.invoked);
            let all = if last { u64::MAX } else { self.latest + 1 };
            search.foresight.known_until(unknown.unwrap_or(all));
        }
        Ok(())
    }

    /// Takes the first call.
    fn take<M: Model, B: Mask>(&mut self, search: &mut Search<M, B>) {
        let (Some((row, _)), Some(step)) = (self.rows.pop_front(), self.announced.pop_front())
        else {
            return;
        };
        let Some(step) = step else { return };
        if row.outcome != Outcome::Info {
            self.judged = true;
            let slot = search.invoke(0, step, row.invoked, row.returned);
            let place = slot as usize;
            if self.pending.len() <= place {
                self.pending.resize(place + 1, None);
            }
            self.pending[place] = Some(step);
            self.returns.push(Reverse((row.returned, slot)));
        } else if step.effect != Effect::Observes {
            if self.crashed.is_empty() {
                expect_crashed(search);
            }
            self.crashed.push(step);
            search.crash(0, step, row.invoked);
        }
    }
}

fn take_return<M: Model, B: Mask>(
    search: &mut Search<M, B>,
    slot: u32,
    index: u64,
) -> Result<(), Option<Came>> {
    let mut work = TURN;
    let mut progress = search.ret(slot, index, &mut work);
    while progress == Progress::More && search.configurations() <= CONFIGURATIONS_MAX {
        work = TURN;
        progress = search.go_on(&mut work);
    }
    match progress {
        Progress::Done => Ok(()),
        Progress::Refuted => Err(Some(Came::Refuted(index, true))),
        Progress::Undecided => Err(Some(Came::Refuted(index, false))),
        Progress::More | Progress::Trouble | Progress::Stopped | Progress::Full => {
            Err(Some(Came::GivenUp))
        }
    }
}
