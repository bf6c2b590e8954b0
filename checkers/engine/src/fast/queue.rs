//! Queues whose values are put in once each: first-in-first-out, or in no order (a bag).
//!
//! Decides every history of that kind, with empty results and unknown outcomes, and the shortest
//! refuted prefix, in one sort and a sweep for each step of a bisection.
//!
//! # Notation
//! Value x is put in within [a, b] and taken out within [c, d]; x -> y means that an operation
//! returned before the other was invoked. K: the values that a completed operation took. R: those
//! whose put returned and that no completed operation took. U: invocations of takes of unknown
//! outcome. A put of unknown outcome whose value is in K has b = d, for it took effect before its
//! value was taken. One whose value is not in K is dropped: take it out of a linearization, with
//! the take of unknown outcome that took its value, if any, and what stays is legal.
//!
//! # The history is linearizable if and only if
//! 1. x in K: a <= d, and one completed operation took x;
//! 2. (Fifo) x, y in K: not both put x -> put y and take y -> take x;
//! 3. (Fifo) y in K: at most as many of R have b < a(y) as there are u in U with u < d(y);
//! 4. an operation that found it empty: some time t within it lies in no [b, c] of a value in K,
//!    and at most as many of R have b < t as there are u in U with u < t.
//!
//! # Necessary
//! 1 and 2 are the definition of the queue. 3: those of R whose put returned before put y began
//! are ahead of y, and each needs an own take of unknown outcome before y is taken. 4: at the
//! moment t of the empty result no value is inside.
//!
//! # Sufficient
//! *Without empty results, R empty.* Let b' = min(b, d) and c' = max(c, a): put and take have
//! their moments in [a, b'] and [c', d], both not empty by 1, and 2 holds for them too (b' = d(x)
//! < a(y) <= d(y) < c'(x) <= d(x) is absurd, and so is c' = a(x) > d(y) >= a(y) > b'(x) >= a(x)).
//! Let x < y if b'(x) < a(y) or d(x) < c'(y). A shortest cycle of < takes its edges from either
//! kind by turns (two of a kind compose) and has, by 2, at least four: x1 < x2 by puts, x2 < x3 by
//! takes, x3 < x4 by puts. Of b'(x1) < a(x2) and b'(x3) < a(x4) follows b'(x1) < a(x4), and the
//! cycle is not shortest, or b'(x3) < a(x2), which with x2 < x3 by takes breaks 2. So < has a
//! total extension. In that order give each put the greatest a so far and each take the greatest
//! c' so far. The greatest a up to x is at most b'(x), else x would stand before; likewise c' and
//! d(x); and c' >= a puts each take after its put.
//!
//! *With empty results, R empty.* Each has a time t outside all [b, c]; these cut time into
//! segments. Send x to the segment of max(a, c): it meets [a, b] as well, for if b < c then [b, c]
//! holds no cut. If put x -> put y, then a(x) < a(y), and c(x) < a(y) or no cut lies between b(x)
//! and c(x): x goes to no later segment than y. If take x -> take y, then a(x) <= d(x) < c(y) and
//! c(x) < c(y): neither. Within a segment precedence is what it was, and the first case applies.
//! A value that is never taken counts as taken at infinity.
//!
//! *R not empty.* Fix the times t of 4. Every y of 3 and t of 4 asks that the values of R with b <
//! s be taken by operations that began before T, (s, T) being (a(y), d(y)) or (t, t). Values with
//! a deadline up to T are those with b < s for the greatest s of a pair (s, T'), T' <= T; that
//! pair alone says that there are enough of U before T', so before T. By Hall's theorem every
//! value that has a deadline gets its own operation, begun before it. Such a take never returns,
//! so it breaks neither 1 nor 2 as the later one; as the earlier one (x in R, y in K, put x -> put
//! y) it began before d(y). Its [b, u] holds no t. The other values of R are never taken, and
//! nothing asked that they be. The other takes of unknown outcome did not happen.
//!
//! A bag needs neither 2 nor 3: within a segment each value is put in and taken out on its own.
//!
//! Sources: Henzinger, Sezgin, Vafeiadis 2013; Bouajjani, Emmi, Enea, Hamza 2015 (that patterns 1,
//! 2 and 4 suffice for complete histories); the rest is argued here.

use super::lives::{Event, Lives, NONE};
use super::{Answer, Call, first};

/// Does the order in which values come out matter?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// First in, first out.
    Fifo,
    /// Any.
    None,
}

/// Judges a queue, see above; `at` ends the shortest refuted prefix.
#[must_use]
pub fn decide(calls: &[Call], order: Order) -> Answer {
    let Some(lives) = Lives::of(calls) else {
        return Answer::Declined("a value is put in twice");
    };
    let count = lives.events.len();
    if count == 0 || !Sweep::refutes(&lives, order, NONE - 1) {
        return Answer::Linearizable;
    }
    let at = first(count, |last| Sweep::refutes(&lives, order, last));
    Answer::Refuted {
        at: lives.index(at),
    }
}

/// The prefix that ends at the event `last`, seen from left to right.
pub(super) struct Sweep<'a> {
    history: &'a Lives,
    order: Order,
    last: u32,
    /// How many of R had been put in when the put of each value was invoked.
    ahead: Vec<u32>,
    /// How many of R are put in for certain.
    left: u32,
    /// How many takes of unknown outcome were invoked.
    lost: u32,
    /// How many of K are inside for certain.
    covers: u32,
    /// The latest invocation, and one more, of the puts whose values were taken before now.
    newest: u32,
    /// The latest event after which the queue may be empty, and one more.
    empty: u32,
}

impl<'a> Sweep<'a> {
    /// Has the prefix no linearization?
    pub fn refutes(history: &'a Lives, order: Order, last: u32) -> bool {
        if history.twice <= last {
            return true;
        }
        let ahead = if order == Order::Fifo {
            vec![0; history.values.len()]
        } else {
            Vec::new()
        };
        let mut sweep = Sweep {
            history,
            order,
            last,
            ahead,
            left: 0,
            lost: 0,
            covers: 0,
            newest: 0,
            empty: 0,
        };
        (0..=last)
            .zip(&history.events)
            .any(|(now, event)| sweep.breaks(now, *event))
    }

    fn breaks(&mut self, now: u32, event: Event) -> bool {
        let broken = match event {
            Event::PutInvoked(place) => {
                if self.order == Order::Fifo {
                    self.ahead[place as usize] = self.left;
                }
                false
            }
            Event::PutReturned(place) => {
                let [invoked, returned] = self.history.values[place as usize].take;
                if returned > self.last {
                    self.left += 1;
                } else if now < invoked {
                    self.covers += 1;
                }
                false
            }
            Event::TakeInvoked(place) => self.take_begins(now, place as usize),
            Event::TakeReturned(place) => self.take_ends(now, place as usize),
            Event::EmptyInvoked(place) => {
                let returned = self.history.empties[place as usize][1];
                self.lost += u32::from(returned > self.last);
                false
            }
            Event::EmptyReturned(place) => self.empty <= self.history.empties[place as usize][0],
            Event::Lost => {
                self.lost += 1;
                false
            }
            Event::Again => false,
        };
        if self.covers == 0 && self.left <= self.lost {
            self.empty = now + 1;
        }
        broken
    }

    fn take_begins(&mut self, now: u32, place: usize) -> bool {
        let life = &self.history.values[place];
        if life.take[1] > self.last {
            self.lost += 1;
            return false;
        }
        let put = life.put[1];
        if put < now {
            self.covers -= 1;
        }
        self.order == Order::Fifo && put != NONE && self.newest > put + 1
    }

    fn take_ends(&mut self, now: u32, place: usize) -> bool {
        let invoked = self.history.values[place].put[0];
        if invoked > now {
            return true;
        }
        self.newest = self.newest.max(invoked + 1);
        self.order == Order::Fifo && self.ahead[place] > self.lost
    }
}
