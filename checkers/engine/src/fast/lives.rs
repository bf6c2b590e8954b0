//! The life of each value in a container: when it was put in and when it was taken out.
//!
//! Rules
//! 1. Times are ranks: the event of rank r is the r-th of the history.
//! 2. Every value is put in once at most, or there are no lives.
//! 3. A value that is taken out more often than once keeps the take that returned first. In every
//!    prefix that has not seen another one return, that other one is a take of unknown outcome.

use rustc_hash::FxHashMap;

use super::{Call, What};
use crate::table::NEVER;

/// A rank that no event has: the event did not happen.
pub(super) const NONE: u32 = u32::MAX;

/// Invocation and return of an operation.
pub(super) type Span = [u32; 2];

/// A value's life; a part of it that nobody saw is `NONE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Life {
    /// Of the put. No invocation: the value came from nowhere.
    pub put: Span,
    /// Of the take. No invocation: nobody is known to have taken it.
    pub take: Span,
}

/// What happens at a rank, to the life or the empty result of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    PutInvoked(u32),
    PutReturned(u32),
    TakeInvoked(u32),
    TakeReturned(u32),
    EmptyInvoked(u32),
    EmptyReturned(u32),
    /// The invocation of a take whose outcome stays unknown.
    Lost,
    /// The return of a take of a value that was taken before.
    Again,
}

/// A history of a container, by value.
#[derive(Default)]
pub(super) struct Lives {
    pub values: Vec<Life>,
    /// Operations that found the container empty.
    pub empties: Vec<Span>,
    pub events: Vec<Event>,
    /// The rank at which some value is returned a second time, `NONE` if that does not happen.
    pub twice: u32,
    indices: Vec<u64>,
}

impl Lives {
    /// The lives of the values in `calls`; `None` if a value is put in twice.
    pub fn of(calls: &[Call]) -> Option<Self> {
        let (spans, indices) = ranks(calls);
        let mut lives = Self {
            twice: NONE,
            indices,
            ..Self::default()
        };
        lives.events = vec![Event::Again; lives.indices.len()];
        let mut places = FxHashMap::default();
        for (call, span) in calls.iter().zip(spans) {
            let returns = span[1] != NONE;
            match call.what {
                What::Take | What::Empty if !returns => lives.set(span[0], Event::Lost),
                What::Empty => lives.found_empty(span),
                What::Put | What::Take => {
                    let place = *places.entry(call.value).or_insert_with(|| lives.born());
                    if call.what == What::Take {
                        lives.taken(place, span);
                    } else if !lives.put(place, span) {
                        return None;
                    }
                }
            }
        }
        Some(lives)
    }

    /// The index of the operation at a rank.
    pub fn index(&self, rank: u32) -> u64 {
        self.indices[rank as usize]
    }

    fn set(&mut self, rank: u32, event: Event) {
        if rank != NONE {
            self.events[rank as usize] = event;
        }
    }

    fn born(&mut self) -> u32 {
        self.values.push(Life {
            put: [NONE; 2],
            take: [NONE; 2],
        });
        number(self.values.len() - 1)
    }

    fn put(&mut self, place: u32, span: Span) -> bool {
        let life = &mut self.values[place as usize];
        if life.put[0] != NONE {
            return false;
        }
        life.put = span;
        self.set(span[0], Event::PutInvoked(place));
        self.set(span[1], Event::PutReturned(place));
        true
    }

    fn taken(&mut self, place: u32, span: Span) {
        let held = &mut self.values[place as usize].take;
        let (first, second) = if span[1] < held[1] {
            (span, *held)
        } else {
            (*held, span)
        };
        *held = first;
        self.set(first[0], Event::TakeInvoked(place));
        self.set(first[1], Event::TakeReturned(place));
        if second[1] != NONE {
            self.twice = self.twice.min(second[1]);
            self.set(second[0], Event::Lost);
            self.set(second[1], Event::Again);
        }
    }

    fn found_empty(&mut self, span: Span) {
        let place = number(self.empties.len());
        self.set(span[0], Event::EmptyInvoked(place));
        self.set(span[1], Event::EmptyReturned(place));
        self.empties.push(span);
    }
}

/// Ranks of the invocations and returns of `calls`, and the index that each rank stands for.
pub(super) fn ranks(calls: &[Call]) -> (Vec<Span>, Vec<u64>) {
    let mut order: Vec<(u64, u32)> = Vec::with_capacity(2 * calls.len());
    for (place, call) in (0_u32..).zip(calls) {
        order.push((call.invoked, 2 * place));
        if call.returned != NEVER {
            order.push((call.returned, 2 * place + 1));
        }
    }
    order.sort_unstable();
    let mut spans = vec![[NONE; 2]; calls.len()];
    for (rank, &(_, side)) in (0_u32..).zip(&order) {
        spans[(side / 2) as usize][(side % 2) as usize] = rank;
    }
    (spans, order.into_iter().map(|(index, _)| index).collect())
}

/// A count or place as it is stored.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).expect("at most 2 * MOST events")
}
