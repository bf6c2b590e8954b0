//! Histories that can be judged without a search, in time that grows like n log n.
//!
//! Rules
//! 1. A procedure answers only what its file proves; where the proof does not reach it declines,
//!    and the search judges.
//! 2. Indices of invocations and completions are distinct; no other order is expected of `calls`.
//! 3. Linearizability is closed under prefixes: in a prefix, a call that has not returned yet has
//!    an unknown outcome. So the shortest refuted prefix is found by bisection.

mod lives;
mod peel;
pub mod queue;
pub mod register;
pub mod rows;
pub mod set;
pub mod stack;
mod trees;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod set_oracle;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::table::NEVER;

/// What a call does to a register, queue, stack or bag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Write, enqueue, push.
    Put,
    /// Read, dequeue, pop. If it does not return, what it took, if anything, is unknown, whatever
    /// `value` says.
    Take,
    /// A dequeue or pop that found nothing; if it does not return, the same as a take. To a
    /// register it means nothing.
    Empty,
}

/// A call as the procedures read it. One that certainly did nothing is no call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    /// See `What`.
    pub what: What,
    /// What was put or taken: any number that equal values share.
    pub value: u32,
    /// Index of the invocation.
    pub invoked: u64,
    /// Index of the completion, `NEVER` where the outcome is unknown.
    pub returned: u64,
}

/// The object that the calls were made on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A register with its value before the first write.
    Register(u32),
    /// First in, first out; empty at the start.
    Fifo,
    /// Hands out what it holds in whatever order; empty at the start.
    Bag,
    /// Last in, first out; empty at the start.
    Stack,
}

/// What a procedure decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// There is a linearization.
    Linearizable,
    /// There is none, nor is there one of the prefix that ends with the completion `at`.
    Refuted {
        /// Index of a completion. Of all refuted prefixes the shortest ends there; for a stack
        /// a shorter one may exist.
        at: u64,
    },
    /// The procedure does not apply, and why.
    Declined(&'static str),
}

/// From here on the search of a register is at a disadvantage.
const MANY_OPEN: usize = 32;

/// More calls than this make positions that do not fit the packed numbers below.
const MOST: usize = 1 << 28;

/// Judges the calls of one object.
#[must_use]
pub fn decide(kind: Kind, calls: &[Call]) -> Answer {
    if calls.len() > MOST {
        return Answer::Declined("too many calls");
    }
    match kind {
        Kind::Register(initial) => register::decide(calls, initial),
        Kind::Fifo => queue::decide(calls, queue::Order::Fifo),
        Kind::Bag => queue::decide(calls, queue::Order::None),
        Kind::Stack => stack::decide(calls),
    }
}

/// Is a decision without a search worth its while? The calls are in the order of invocation.
///
/// Always for containers, where orders of concurrent puts multiply. A register costs a search
/// little unless many calls are open at once, those of unknown outcome among them.
#[must_use]
pub fn pays(kind: Kind, calls: &[Call]) -> bool {
    if !matches!(kind, Kind::Register(_)) {
        return true;
    }
    let (mut open, mut lost) = (BinaryHeap::new(), 0);
    calls.len() <= register::MOST
        && calls.iter().any(|call| {
            while open
                .peek()
                .is_some_and(|&Reverse(returned)| returned < call.invoked)
            {
                open.pop();
            }
            if call.returned != NEVER {
                open.push(Reverse(call.returned));
            } else if call.what == What::Put {
                lost += 1;
            }
            open.len() + lost > MANY_OPEN
        })
}

/// The first of `0..count` at which a condition holds that holds from some point on, and at
/// `count - 1`.
fn first(count: usize, holds: impl Fn(u32) -> bool) -> u32 {
    let last = u32::try_from(count - 1).expect("at most 2 * MOST events");
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    high
}
