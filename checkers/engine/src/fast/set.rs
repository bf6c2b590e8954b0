//! Sets: elements added, removed, asked for one by one, or read all at once.
//!
//! Decides the histories without removals, and those without full reads in which an element that is
//! removed is added and removed once each; unknown outcomes included, and the shortest refuted
//! prefix.
//!
//! # Without full reads
//! The elements are judged apart: they are objects of their own, and a history of several objects
//! is linearizable if and only if each of them is (Herlihy, Wing 1990). Let an element be added
//! within [a, b] (unknown: b infinite; several times: a the earliest invocation and b the earliest
//! return, for the others then have room at or after the first effect) and removed within [c, d].
//! Either order of the two is possible.
//! - *Present from p on* (p infinite: never). A removal, if there is one, comes before p or did not
//!   happen. Whoever found the element must return at p or later, whoever missed it was invoked by
//!   p. So p is best as late as may be: p = min(b, returns of those who found it); p >= a, p >= c,
//!   and p >= the invocations of those who missed it.
//! - *Present from p until q.* Whoever missed it was invoked by p or returned at q or later. A later
//!   p asks less of q. So p = min(b, d, returns of those who found it), p >= a, and q lies between
//!   max(p, c, invocations of those who found it) and min(d, returns of those who missed it and
//!   were invoked after p).
//!
//! Points that coincide can be put in the order that is needed: they are within all operations
//! that share them.
//!
//! # With full reads
//! Nothing is removed, so of two reads one lists all that the other lists, and reads are in the
//! order of what they list; equal ones form a class. Element x is present from a point p(x) on, with
//! a(x) <= p(x) <= b(x), where a is also at least the invocations of those who missed it and b at
//! most the returns of those who found it. All bounds are intervals, and classes and the points of
//! the elements that they list first alternate in a given order. So every point is best as early
//! as what comes before it allows, and the history is linearizable if and only if none of these
//! earliest points is too late.

use rustc_hash::FxHashMap;

use super::lives::number;
use super::{Answer, MOST, first};
use crate::table::NEVER;
use crate::value::Value;

/// A call that did not certainly fail.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Call<'a> {
    /// What it did.
    pub did: Did<'a>,
    /// Index of the invocation.
    pub invoked: u64,
    /// Index of the completion, `NEVER` where the outcome is unknown.
    pub returned: u64,
}

/// What a call does to a set.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Did<'a> {
    /// Puts an element in; what that answers is not looked at.
    Add(Value),
    /// Takes it out, if it is there.
    Remove(Value),
    /// Asks for it, with the answer.
    Contains(Value, bool),
    /// Lists all, in whatever order; an element listed twice counts once.
    Read(&'a [Value]),
}

/// Judges a set, see above; `at` ends the shortest refuted prefix.
#[must_use]
pub fn decide(calls: &[Call]) -> Answer {
    if calls.len() > MOST {
        return Answer::Declined("too many calls");
    }
    let history = match History::of(calls) {
        Ok(history) => history,
        Err(reason) => return Answer::Declined(reason),
    };
    if !history.refuted(NEVER - 1) {
        return Answer::Linearizable;
    }
    let mut returns: Vec<u64> = calls.iter().map(|call| call.returned).collect();
    returns.retain(|&returned| returned != NEVER);
    returns.sort_unstable();
    let at = first(returns.len(), |last| {
        history.refuted(returns[last as usize])
    });
    Answer::Refuted {
        at: returns[at as usize],
    }
}

/// What was asked of an element, by its place.
struct Ask {
    place: u32,
    what: What,
    span: [u64; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Add,
    Remove,
    Found,
    Missed,
}

struct Listing {
    /// Where in `History::listed`; each element once.
    from: usize,
    until: usize,
    span: [u64; 2],
}

struct History {
    elements: usize,
    asks: Vec<Ask>,
    /// By the number of elements that they list.
    listings: Vec<Listing>,
    listed: Vec<u32>,
    removes: bool,
}

/// What a prefix tells about an element; times as above, NEVER for infinite.
#[derive(Clone, Copy)]
struct Element {
    add: [u64; 2],
    remove: [u64; 2],
    /// Latest invocation and earliest return of those who found it.
    found: [u64; 2],
    /// Latest invocation of those who missed it.
    missed: u64,
    /// Earliest return of those who missed it and were invoked after it was there.
    gone: u64,
}

const UNTOLD: Element = Element {
    add: [NEVER; 2],
    remove: [NEVER; 2],
    found: [0, NEVER],
    missed: 0,
    gone: NEVER,
};

impl Element {
    fn tell(&mut self, what: What, [invoked, returned]: [u64; 2]) {
        match what {
            What::Add => self.add = [self.add[0].min(invoked), self.add[1].min(returned)],
            What::Remove => self.remove = [invoked, returned],
            What::Found => {
                self.found = [self.found[0].max(invoked), self.found[1].min(returned)];
            }
            What::Missed => self.missed = self.missed.max(invoked),
        }
    }

    /// Until when it may come, if it stays.
    fn latest(&self) -> u64 {
        self.add[1].min(self.found[1])
    }

    /// Can it be present from some point on?
    fn stays(&self) -> bool {
        let point = self.latest();
        let removed = self.remove[0] <= point || self.remove[1] == NEVER;
        self.add[0].max(self.missed) <= point && removed
    }

    /// Can it be present from some point until another?
    fn goes(&self) -> bool {
        let from = self.latest().min(self.remove[1]);
        let until = from.max(self.remove[0]).max(self.found[0]);
        let removed = self.remove[0] != NEVER;
        removed && self.add[0] <= from && until <= self.remove[1].min(self.gone)
    }
}

impl History {
    fn of(calls: &[Call]) -> Result<Self, &'static str> {
        let mut places = FxHashMap::default();
        let mut place = |element: Value| {
            let next = number(places.len());
            *places.entry(element).or_insert(next)
        };
        let (mut asks, mut listings, mut listed) = (Vec::new(), Vec::new(), Vec::new());
        for call in calls {
            let span = [call.invoked, call.returned];
            let (element, what) = match call.did {
                Did::Add(element) => (element, What::Add),
                Did::Remove(element) => (element, What::Remove),
                _ if call.returned == NEVER => continue,
                Did::Contains(element, true) => (element, What::Found),
                Did::Contains(element, false) => (element, What::Missed),
                Did::Read(elements) => {
                    let from = listed.len();
                    listed.extend(elements.iter().map(|&element| place(element)));
                    let until = distinct(&mut listed, from);
                    listings.push(Listing { from, until, span });
                    continue;
                }
            };
            asks.push(Ask {
                place: place(element),
                what,
                span,
            });
        }
        listings.sort_unstable_by_key(|listing| listing.until - listing.from);
        let removes = asks.iter().any(|ask| ask.what == What::Remove);
        if removes && !listings.is_empty() {
            return Err("full reads of a set with removals");
        }
        let history = Self {
            elements: places.len(),
            asks,
            listings,
            listed,
            removes,
        };
        if removes && history.mixes() {
            return Err("an element is removed that is added or removed twice");
        }
        Ok(history)
    }

    /// Is there an element that is removed, and added or removed twice?
    fn mixes(&self) -> bool {
        let mut counts = vec![[0_u32; 2]; self.elements];
        for ask in &self.asks {
            let [adds, removes] = &mut counts[ask.place as usize];
            *adds += u32::from(ask.what == What::Add);
            *removes += u32::from(ask.what == What::Remove);
        }
        counts
            .iter()
            .any(|&[adds, removes]| removes > 0 && adds.max(removes) > 1)
    }

    /// Has the prefix that ends at the operation `last` no linearization?
    fn refuted(&self, last: u64) -> bool {
        let mut elements = vec![UNTOLD; self.elements];
        let known = |returned: u64| if returned <= last { returned } else { NEVER };
        for ask in self.asks.iter().filter(|ask| ask.span[0] <= last) {
            let returned = known(ask.span[1]);
            if returned != NEVER || matches!(ask.what, What::Add | What::Remove) {
                elements[ask.place as usize].tell(ask.what, [ask.span[0], returned]);
            }
        }
        if !self.listings.is_empty() {
            return !self.aligned(&elements, last);
        }
        if self.removes {
            for ask in self.asks.iter().filter(|ask| ask.span[1] <= last) {
                let element = &mut elements[ask.place as usize];
                let from = element.latest().min(element.remove[1]);
                if ask.what == What::Missed && ask.span[0] > from {
                    element.gone = element.gone.min(ask.span[1]);
                }
            }
        }
        !elements
            .iter()
            .all(|element| element.stays() || element.goes())
    }

    /// With full reads: is no earliest point too late?
    fn aligned(&self, elements: &[Element], last: u64) -> bool {
        let mut latest_class = vec![0_u32; elements.len()];
        let (mut class, mut size) = (0, 0);
        // The earliest point for what comes next, for reads of this class, and for the next class.
        let (mut now, mut next) = (0, 0);
        for listing in self
            .listings
            .iter()
            .filter(|listing| listing.span[1] <= last)
        {
            let listed = &self.listed[listing.from..listing.until];
            let of = |place: u32| &elements[place as usize];
            let same = class > 0 && listed.len() == size;
            let before = class;
            if !same {
                class += 1;
                now = next;
            }
            let mut kept = 0;
            for &place in listed {
                let seen = &mut latest_class[place as usize];
                if *seen == 0 && !same {
                    let earliest = next.max(of(place).add[0]).max(of(place).missed);
                    if earliest > of(place).latest() {
                        return false;
                    }
                    now = now.max(earliest);
                }
                kept += usize::from(*seen == before && before > 0);
                *seen = class;
            }
            if kept < size || now > listing.span[1] {
                return false;
            }
            size = listed.len();
            next = next.max(now).max(listing.span[0]);
        }
        let unread = elements
            .iter()
            .zip(&latest_class)
            .filter(|&(_, &seen)| seen == 0);
        unread
            .into_iter()
            .all(|(element, _)| next.max(element.add[0]).max(element.missed) <= element.latest())
    }
}

/// Drops what `listed` has twice from a place on, and returns its new length.
fn distinct(listed: &mut Vec<u32>, from: usize) -> usize {
    listed[from..].sort_unstable();
    let mut until = from;
    for place in from..listed.len() {
        if until == from || listed[until - 1] != listed[place] {
            listed[until] = listed[place];
            until += 1;
        }
    }
    listed.truncate(until);
    until
}
