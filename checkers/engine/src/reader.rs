//! The rows of one key, in the order of events, for its search.
//!
//! Rules
//! 1. Rows are read one after the other, so that a key costs the search no more than its window.
//! 2. A model that looks ahead has so many rows (`AHEAD`) read before their invocation.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rustc_hash::FxHashMap;

use crate::key::Turn;
use crate::models::{Effect, Model, State, Step};
use crate::search::crashed::{Outlook, reach_back};
use crate::search::mask::Mask;
use crate::search::{Progress, Search};
use crate::table::{NEVER, Outcome, Row, Table};

/// So many rows are read before their invocation by models that look ahead.
const AHEAD: usize = 256;

/// Where the rows of a key stand.
pub(crate) struct Reader<'t> {
    pub(crate) table: &'t Table,
    pub(crate) place: usize,
    pub(crate) next: usize,
    returns: BinaryHeap<Reverse<(u64, u32)>>,
    ahead: VecDeque<(usize, Step)>,
    read_until: usize,
    returning: Option<u64>, // the index of the return that is being taken
    expected: bool,         // does the search know what crashed calls are for?
    pub(crate) judged: bool,
}

/// How far `drive` came.
pub(crate) enum Came {
    To(Turn),
    Crowded,
    Undecided(u64),
}

impl<'t> Reader<'t> {
    pub(crate) fn new(table: &'t Table, place: usize) -> Self {
        Self {
            table,
            place,
            next: 0,
            returns: BinaryHeap::new(),
            ahead: VecDeque::new(),
            read_until: 0,
            returning: None,
            expected: false,
            judged: false,
        }
    }

    #[inline]
    pub(crate) fn row(&self, number: usize) -> &'t Row {
        self.table
            .call(self.place, number)
            .expect("a key has as many calls as it says")
    }

    fn len(&self) -> usize {
        self.table.calls_of(self.place)
    }

    /// All calls of the key that constrain something, but those that cannot be read.
    fn steps<'m, M: Model>(
        &self,
        model: &'m mut M,
    ) -> impl Iterator<Item = (&'t Row, Step)> + use<'m, 't, M> {
        let (table, place) = (self.table, self.place);
        (0..self.len()).filter_map(move |number| {
            let row = table.call(place, number)?;
            let step = model.read(row, &table.values).ok()??;
            Some((row, step))
        })
    }

    pub(crate) fn drive<M: Model, B: Mask>(
        &mut self,
        search: &mut Search<M, B>,
        work: &mut i64,
        until: u64,
        narrow: bool,
    ) -> Came {
        let count = self.len();
        loop {
            if let Some(index) = self.returning {
                match search.go_on(work) {
                    Progress::Done => self.returning = None,
                    other => return self.ended(other, index),
                }
            }
            search.collect(self.ahead.iter().map(|&(_, step)| step));
            if *work <= 0 {
                return Came::To(Turn::More);
            }
            *work -= 1;
            let next = if self.next < count {
                self.row(self.next).invoked
            } else {
                NEVER
            };
            if let Some(&Reverse((index, slot))) = self.returns.peek()
                && index < next
            {
                self.returns.pop();
                match search.ret(slot, index, work) {
                    Progress::Done => continue,
                    other => return self.ended(other, index),
                }
            }
            if self.next == count {
                let certain = !search.endless() || !self.expected;
                return if certain {
                    Came::To(Turn::Linearizable)
                } else {
                    Came::Undecided(NEVER)
                };
            }
            if next > until && search.endless() {
                return Came::Undecided(next);
            }
            if narrow && search.crowded() {
                return Came::Crowded;
            }
            if let Err(turn) = self.invoke(search) {
                return Came::To(turn);
            }
        }
    }

    fn ended(&mut self, progress: Progress, index: u64) -> Came {
        Came::To(match progress {
            Progress::Done => unreachable!("what is done has not ended"),
            Progress::More => {
                self.returning = Some(index);
                Turn::More
            }
            Progress::Refuted => Turn::Refuted(index),
            Progress::Undecided => return Came::Undecided(index),
            Progress::Trouble => Turn::Trouble,
            Progress::Stopped => Turn::Stopped,
            Progress::Full => Turn::Full,
        })
    }

    /// Takes the next row.
    #[inline]
    fn invoke<M: Model, B: Mask>(&mut self, search: &mut Search<M, B>) -> Result<(), Turn> {
        let number = self.next;
        self.next += 1;
        let row = self.row(number);
        let step = if search.looking() {
            self.look_ahead(search)?;
            match self.ahead.front() {
                Some(&(of, step)) if of == number => {
                    self.ahead.pop_front();
                    Some(step)
                }
                _ => None,
            }
        } else {
            search
                .model
                .read(row, &self.table.values)
                .map_err(|_| Turn::Refused(row.invoked))?
        };
        let Some(step) = step else { return Ok(()) };
        let call = u32::try_from(number).expect("a table has fewer rows than 2^32");
        if row.outcome != Outcome::Info {
            self.judged = true;
            let slot = search.invoke(call, step, row.invoked, row.returned);
            self.returns.push(Reverse((row.returned, slot)));
        } else if step.effect != Effect::Observes {
            if !self.expected {
                self.expected = true;
                let outlook = self.outlook(search);
                search.expect(outlook);
            }
            search.crash(call, step, row.invoked);
        }
        Ok(())
    }

    /// Announces rows that are to come.
    fn look_ahead<M: Model, B: Mask>(&mut self, search: &mut Search<M, B>) -> Result<(), Turn> {
        let count = self.len();
        let end = count.min(self.next + AHEAD);
        while self.read_until < end {
            let number = self.read_until;
            self.read_until += 1;
            let row = self.row(number);
            let step = search.model.read(row, &self.table.values);
            if let Some(step) = step.map_err(|_| Turn::Refused(row.invoked))? {
                self.ahead.push_back((number, step));
                if row.outcome != Outcome::Info || step.effect == Effect::Overwrites {
                    search.foresight.announce(step, row.invoked, row.returned);
                }
            }
        }
        let until = if self.read_until < count {
            self.row(self.read_until).invoked
        } else {
            NEVER
        };
        search.foresight.known_until(until);
        Ok(())
    }

    /// What crashed calls can be good for, in a key that has some.
    fn outlook<M: Model, B: Mask>(&self, search: &mut Search<M, B>) -> Outlook {
        let mut outlook = Outlook {
            unknown: true,
            ..Outlook::default()
        };
        if !M::TELLS || search.trail.kept() {
            return outlook;
        }
        outlook.unknown = false;
        let model = &mut search.model;
        let mut produced: FxHashMap<State, u64> = FxHashMap::default();
        let mut anything = 0; // the last return of a call that may tell any state from any other
        let mut links: Vec<(State, State)> = Vec::new();
        let steps: Vec<Step> = self
            .steps(model)
            .filter(|(row, _)| row.outcome == Outcome::Info)
            .map(|(_, step)| step)
            .collect();
        for step in steps {
            if let Some(state) = model.produces(step) {
                produced.insert(state, 0);
                if let Some(required) = model.requires(step) {
                    produced.insert(required, 0);
                    links.push((required, state));
                }
            }
        }
        for number in 0..self.len() {
            let row = self.row(number);
            if row.outcome == Outcome::Info {
                continue;
            }
            let Ok(Some(step)) = model.read(row, &self.table.values) else {
                continue;
            };
            if step.effect == Effect::Overwrites {
                continue;
            }
            outlook.otherness |= model.requires(step).is_none();
            match model.tells(step) {
                Some(state) => {
                    if let Some(told) = produced.get_mut(&state) {
                        *told = row.returned.max(*told);
                    }
                }
                None => anything = row.returned.max(anything),
            }
        }
        for told in produced.values_mut() {
            *told = anything.max(*told);
        }
        reach_back(&mut produced, &links);
        outlook.told = produced;
        outlook
    }
}

/// May a model foresee (rule 4 of foresight.rs), and is there anything that makes a state grow?
/// Without, a frontier is small, and looking ahead costs more than it saves.
pub(crate) fn worth_looking_ahead<M: Model>(reader: &Reader<'_>, model: &mut M) -> bool {
    if M::NO_ANY {
        return true;
    }
    let mut grows = false;
    for (number, (_, step)) in reader.steps(model).enumerate() {
        match step.effect {
            Effect::Any => return false,
            Effect::Total => grows = true,
            Effect::Observes | Effect::Overwrites if !grows && number > AHEAD => return false,
            Effect::Observes | Effect::Overwrites => {}
        }
    }
    grows
}
