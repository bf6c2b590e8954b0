//! One key: its search, within limits first and then without.
//!
//! Rules
//! 1. A key is searched within limits first, with 64 slots; what turns out too narrow is begun anew,
//!    wider. The answer is never taken from a search that was too narrow for it.
//! 2. A stopped key is undecided.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::models::Model;
use crate::reader::{Came, Reader, worth_looking_ahead};
use crate::search::frontier::Limits;
use crate::search::mask::{Mask, Wide};
use crate::search::{Search, Setting};
use crate::table::{NEVER, Table};

/// The limits that are tried, one after the other. Most keys are easy. Then comes what finds most
/// linearizations fast, then what refutes most fast. Only the last leaves no key undecided.
pub const LIMITS: [Limits; 8] = [
    Limits::EASY,
    Limits::SPARING,
    Limits::ENDLESS,
    Limits::CAREFUL,
    Limits::ENDLESS,
    Limits::SPENDING,
    Limits::ENDLESS,
    Limits::NONE,
];

/// Where a search came to its end, one without end is not far from it, if it will end at all: it is
/// not taken further than so many operations.
const BEYOND: u64 = 1_000;

/// What a turn came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// There is more to do.
    More,
    /// The calls of the key have a linearization.
    Linearizable,
    /// They have none; at the completion of this index nothing was left.
    Refuted(u64),
    /// The model cannot read the call of this index.
    Refused(u64),
    /// The model raised.
    Trouble,
    /// It was told to stop.
    Stopped,
    /// It would take more memory than there is.
    Full,
}

enum Width<M: Model> {
    Narrow(Box<Search<M, u64>>),
    Broad(Box<Search<M, Wide>>),
}

/// One key and its search.
pub struct Key<'t, M: Model, F> {
    reader: Reader<'t>,
    search: Width<M>,
    make: &'t F,
    level: usize,
    until: u64,  // an endless search ends here
    passed: u64, // one has come so far and refuted nothing
    terms: Terms,
    stop: Arc<AtomicBool>,
}

/// How a key is to be searched.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Will its order be asked for?
    pub witness: bool,
    /// Where it stops by itself.
    pub deadline: Option<Instant>,
    /// The limits to try, one after the other; the last must be `Limits::NONE`.
    pub limits: &'static [Limits],
}

impl<'t, M: Model, F: Fn() -> M> Key<'t, M, F> {
    /// The key at a place, not begun.
    pub fn new(
        table: &'t Table,
        place: usize,
        make: &'t F,
        terms: Terms,
        stop: &Arc<AtomicBool>,
    ) -> Self {
        let reader = Reader::new(table, place);
        let search = Width::Narrow(begin(&reader, make(), 0, terms, stop));
        Self {
            reader,
            search,
            make,
            level: 0,
            until: NEVER,
            passed: 0,
            terms,
            stop: Arc::clone(stop),
        }
    }

    /// Which key it is.
    #[must_use]
    pub fn place(&self) -> usize {
        self.reader.place
    }

    /// How many of its calls were taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.reader.next
    }

    /// Did any call that returned constrain anything?
    #[must_use]
    pub fn judged(&self) -> bool {
        self.reader.judged
    }

    /// Searches on, for about so many steps of work, within so many bytes.
    pub fn turn(&mut self, work: i64, room: usize) -> Turn {
        let mut work = work;
        loop {
            let came = match &mut self.search {
                Width::Narrow(search) => {
                    search.room = room;
                    self.reader
                        .drive(search.as_mut(), &mut work, self.until, true)
                }
                Width::Broad(search) => {
                    search.room = room;
                    self.reader
                        .drive(search.as_mut(), &mut work, self.until, false)
                }
            };
            match came {
                Came::To(turn) => return turn,
                Came::Crowded => self.again(true),
                Came::Undecided(index) => {
                    if self.limits().endless {
                        self.passed = index;
                    } else {
                        self.until = index.saturating_add(BEYOND);
                    }
                    self.level += 1;
                    while self.limits().endless && !self.endless_serves() {
                        self.level += 1;
                    }
                    self.again(matches!(self.search, Width::Broad(_)));
                }
            }
        }
    }

    fn limits(&self) -> Limits {
        let limits = self.terms.limits.get(self.level);
        limits.copied().unwrap_or(Limits::NONE)
    }

    /// Not where a model grows: without end, it has no end of states. And not twice.
    fn endless_serves(&self) -> bool {
        M::TELLS && self.passed < self.until
    }

    fn again(&mut self, broad: bool) {
        self.reader = Reader::new(self.reader.table, self.reader.place);
        // What the model has learnt serves again.
        let model = match &mut self.search {
            Width::Narrow(search) => mem::replace(&mut search.model, (self.make)()),
            Width::Broad(search) => mem::replace(&mut search.model, (self.make)()),
        };
        let (reader, stop) = (&self.reader, &self.stop);
        self.search = if broad {
            Width::Broad(begin(reader, model, self.level, self.terms, stop))
        } else {
            Width::Narrow(begin(reader, model, self.level, self.terms, stop))
        };
    }

    /// The indices of the calls, in the order of a linearization of those that were taken.
    #[must_use]
    pub fn order(&self) -> Vec<u64> {
        let calls = match &self.search {
            Width::Narrow(search) => search.order(),
            Width::Broad(search) => search.order(),
        };
        calls
            .into_iter()
            .map(|call| self.reader.row(call as usize).invoked)
            .collect()
    }

    /// Bytes held, about.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.search {
            Width::Narrow(search) => search.held(),
            Width::Broad(search) => search.held(),
        }
    }

    /// Configurations held.
    #[must_use]
    pub fn configurations(&self) -> usize {
        match &self.search {
            Width::Narrow(search) => search.configurations(),
            Width::Broad(search) => search.configurations(),
        }
    }
}

fn begin<M: Model, B: Mask>(
    reader: &Reader<'_>,
    mut model: M,
    level: usize,
    terms: Terms,
    stop: &Arc<AtomicBool>,
) -> Box<Search<M, B>> {
    let no_any = M::FORESEES && worth_looking_ahead(reader, &mut model);
    let limits = terms.limits.get(level).copied().unwrap_or(Limits::NONE);
    let setting = Setting {
        limits,
        witness: terms.witness,
        no_any,
    };
    let mut search = Search::new(model, setting, Arc::clone(stop));
    search.deadline = terms.deadline;
    Box::new(search)
}
