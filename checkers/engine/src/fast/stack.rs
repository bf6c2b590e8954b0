//! Stacks whose values are pushed once each.
//!
//! Decides every history of that kind without pops of unknown outcome, and many with them.
//!
//! # Notation
//! Value x is pushed within [a, b] and popped within [c, d]; one that nobody popped is popped at
//! infinity. A push of unknown outcome whose value was popped has b = d; another is dropped: it can
//! be taken out of a linearization together with the pop of unknown outcome that took its value, if
//! any. The zone of x is [b, c] if b < c: x is on the stack throughout. A prefix or history without
//! pops of unknown outcome is linearizable if and only if
//! 1. a <= d for every value, and no value was popped twice;
//! 2. some time t within every operation that found the stack empty lies in no zone;
//! 3. taking values away one after the other as follows takes away all.
//!    - Values without a zone go at once.
//!    - The zones that are left cover some stretches of time. In a stretch from L (some b) to R
//!      (some c), a value with a <= L and d >= R may go.
//!
//! # Why
//! What can be linearized stays so when all operations of a value are left out, so taking away
//! never does harm. And nothing is gained wrongly:
//! - *No zone.* Some time lies in [a, b] and in [c, d] (b = min(b, d), by 1): push there, pop at
//!   once.
//! - *Apart.* If no zone holds the time t, the values with zones before and after t are judged
//!   apart: linearize either group, move what the former does after t to t, and what the latter
//!   does before t to t, in order. That stays within the operations, for of the former b < t and c
//!   < t, so a < t too, and of the latter b > t and c > t, so d > t too. The stack is empty at t,
//!   which with 2 lets every empty result happen.
//! - *The lowest.* If x has a <= L and d >= R, linearize the other values of its stretch, and move
//!   what they do before L to L and after R to R: their b and c, thus their a <= b and d >= c, do
//!   not forbid it. Push x at L before all that (L <= b), and pop it at R after all that (R >= c).
//!   No empty result happens between.
//! - *None goes.* If the stretch had a linearization, the stack would not be empty between L and R.
//!   So the value at the bottom then was pushed by L and not popped before R: a <= L, d >= R.
//!
//! # Pops of unknown outcome
//! R: values whose push returned and that no completed pop took. Each may be popped by one of the
//! pops of unknown outcome, which then returns at infinity. Two tests, each sound in one direction:
//! - *Refuted*, if it is refuted as a bag (queue.rs; every history of a stack is one of a bag), or
//!   where each of R has a pop of its own, begun when the first of them began: to have more pops,
//!   begun earlier, never hurts.
//! - *Linearizable*, if it is for one way to hand the pops out; the others did not happen, and the
//!   other values stay. The way that is tried gives the earliest pop to the value that must go
//!   first. It must go before the first pop of another value that it was above when the values
//!   were taken away as above, each of R with a zone just after its b; and before the next empty
//!   result, taken to happen where most pops are to spare.
//!
//! Between the two the procedure declines. So `at` is where a prefix ends that the first test
//! refutes; a shorter prefix may be refutable otherwise.
//!
//! Sources: Lee, Mathur 2024 (taking away what does no harm; complete histories); Abdulla et al.
//! 2025 (the same problem). The rest is argued here.

use super::lives::{Event, Life, Lives, NONE, Span};
use super::peel::{Zone, deadlines, peels};
use super::queue::{Order, Sweep};
use super::trees::Greatest;
use super::{Answer, Call, first};

/// Judges a stack, see above; `at` ends a refuted prefix.
#[must_use]
pub fn decide(calls: &[Call]) -> Answer {
    let Some(lives) = Lives::of(calls) else {
        return Answer::Declined("a value is pushed twice");
    };
    let count = lives.events.len();
    let whole = NONE - 1;
    if count == 0 {
        return Answer::Linearizable;
    }
    let stack = Stack { history: &lives };
    if stack.refutes(whole) {
        let at = first(count, |last| stack.refutes(last));
        return Answer::Refuted {
            at: lives.index(at),
        };
    }
    if stack.accepts() {
        return Answer::Linearizable;
    }
    Answer::Declined("pops of unknown outcome leave it open")
}

struct Stack<'a> {
    history: &'a Lives,
}

/// What a prefix comes to.
struct Prefix {
    /// Values that a completed pop took, with zones.
    taken: Vec<Zone>,
    /// Values whose push returned and that no completed pop took: [a, b].
    left: Vec<Span>,
    /// Invocations of pops of unknown outcome, in order.
    lost: Vec<u32>,
}

impl Stack<'_> {
    /// The prefix that ends at the event `last`; `None` if it breaks 1.
    fn prefix(&self, last: u32) -> Option<Prefix> {
        if self.history.twice <= last {
            return None;
        }
        let Lives {
            values, empties, ..
        } = self.history;
        let mut prefix = Prefix {
            taken: Vec::new(),
            left: Vec::new(),
            lost: Vec::new(),
        };
        for (now, event) in (0..=last).zip(&self.history.events) {
            match *event {
                Event::PutReturned(place) => {
                    let Life {
                        put: [a, b],
                        take: [c, d],
                    } = values[place as usize];
                    if d > last {
                        prefix.left.push([a, b]);
                    } else if b < c {
                        prefix.taken.push(Zone { a, b, c, d });
                    }
                }
                Event::TakeReturned(place) if values[place as usize].put[0] > now => return None,
                Event::TakeInvoked(place) if values[place as usize].take[1] <= last => {}
                Event::EmptyInvoked(place) if empties[place as usize][1] <= last => {}
                Event::TakeInvoked(_) | Event::EmptyInvoked(_) | Event::Lost => {
                    prefix.lost.push(now);
                }
                _ => {}
            }
        }
        Some(prefix)
    }

    /// Has the prefix no linearization, not even as a bag, or were every value that is left popped
    /// by an own pop?
    fn refutes(&self, last: u32) -> bool {
        if Sweep::refutes(self.history, Order::None, last) {
            return true;
        }
        let Some(Prefix {
            mut taken,
            left,
            lost,
        }) = self.prefix(last)
        else {
            return true;
        };
        let pop = lost.first().copied().unwrap_or(NONE);
        taken.extend(left.iter().filter_map(|&put| Zone::left(put, pop)));
        !self.linearizable(taken, last)
    }

    /// Has the whole a linearization with pops of unknown outcome handed out as said above?
    fn accepts(&self) -> bool {
        let Some(prefix) = self.prefix(NONE - 1) else {
            return false;
        };
        if prefix.left.is_empty() || prefix.lost.is_empty() {
            return true; // `refutes` has said it
        }
        let Some(order) = self.by_deadline(&prefix) else {
            return false;
        };
        let Prefix {
            mut taken, lost, ..
        } = prefix;
        let pops = lost.into_iter().chain(std::iter::repeat(NONE));
        taken.extend(
            order
                .into_iter()
                .zip(pops)
                .filter_map(|(put, pop)| Zone::left(put, pop)),
        );
        self.linearizable(taken, NONE - 1)
    }

    /// The values of R, those first that must be popped first.
    fn by_deadline(&self, prefix: &Prefix) -> Option<Vec<Span>> {
        let moments = prefix.left.iter().map(|&[a, b]| Zone {
            a,
            b,
            c: b + 1,
            d: NONE,
        });
        let mut zones: Vec<Zone> = prefix.taken.iter().copied().chain(moments).collect();
        zones.sort_unstable_by_key(|zone| zone.b);
        let deadlines = deadlines(&zones)?;
        let breaks = self.breaks(prefix)?;
        let mut left: Vec<(u32, Span)> = Vec::with_capacity(prefix.left.len());
        for (zone, deadline) in zones.iter().zip(deadlines) {
            if zone.d == NONE {
                let empty = breaks.get(breaks.partition_point(|&slot| slot < zone.b));
                let deadline = empty.map_or(deadline, |slot| deadline.min(slot + 1));
                left.push((deadline, [zone.a, zone.b]));
            }
        }
        left.sort_unstable();
        Some(left.into_iter().map(|(_, put)| put).collect())
    }

    /// For each operation that found the stack empty, an event within it after which no value of K
    /// must be inside, and no more of R than there were pops of unknown outcome: where the latter
    /// have most to spare. `None` if there is none for one of them. In order.
    fn breaks(&self, prefix: &Prefix) -> Option<Vec<u32>> {
        let mut change = vec![[0_i32; 2]; self.history.events.len()];
        for zone in &prefix.taken {
            change[zone.b as usize][0] += 1;
            change[zone.c as usize][0] -= 1;
        }
        prefix
            .left
            .iter()
            .for_each(|put| change[put[1] as usize][1] -= 1);
        prefix
            .lost
            .iter()
            .for_each(|&pop| change[pop as usize][1] += 1);
        let (mut covers, mut spare) = (0, 0);
        let to_spare = Greatest::of(change.into_iter().map(|[cover, more]| {
            covers += cover;
            spare += more;
            if covers == 0 {
                u32::try_from(spare + 1).unwrap_or(0)
            } else {
                0
            }
        }));
        let mut breaks = Vec::with_capacity(self.history.empties.len());
        for &[invoked, returned] in &self.history.empties {
            let (most, slot) = to_spare.within(invoked, returned);
            if most == 0 {
                return None;
            }
            breaks.push(slot);
        }
        breaks.sort_unstable();
        Some(breaks)
    }

    fn linearizable(&self, mut zones: Vec<Zone>, last: u32) -> bool {
        zones.sort_unstable_by_key(|zone| zone.b);
        self.empties_fit(&zones, last) && peels(&zones)
    }

    /// Rule 2; zones in the order of b.
    fn empties_fit(&self, zones: &[Zone], last: u32) -> bool {
        let mut empties: Vec<_> = self
            .history
            .empties
            .iter()
            .filter(|empty| empty[1] <= last)
            .collect();
        empties.sort_unstable();
        // Stretches from left to right, each against the empties that begin in it.
        let mut zones = zones.iter().peekable();
        let mut stretch = [0, 0];
        empties.into_iter().all(|&[invoked, returned]| {
            while let Some(zone) = zones.peek().filter(|zone| zone.b < invoked.max(stretch[1])) {
                if zone.b < stretch[1] {
                    stretch[1] = stretch[1].max(zone.c);
                } else {
                    stretch = [zone.b, zone.c];
                }
                zones.next();
            }
            !(stretch[0] < invoked && returned < stretch[1])
        })
    }
}
