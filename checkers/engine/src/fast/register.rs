//! Registers whose values are written once each: the zones of Gibbons and Korach.
//!
//! Decides every history of that kind, unknown outcomes included, and the shortest refuted prefix.
//!
//! # Notation
//! The cluster of a value is its write and its completed reads; the initial value was written and
//! returned before everything. A write of unknown outcome that no completed read saw is dropped:
//! taken out of a linearization it leaves a legal one, for nothing stands between it and the next
//! write. Every other write happened. f is the earliest return of a cluster, s its latest
//! invocation. Its zone is forward, [f, s], if f < s, else backward, [s, f].
//!
//! # The history is linearizable if and only if
//! 1. no read returned before the write of its value was invoked (nor has it no such write);
//! 2. no two forward zones overlap;
//! 3. no backward zone lies inside a forward one.
//!
//! # Necessary
//! 1 is plain. A value is written once, so it is held without a break from the first to the last
//! moment of its cluster. One of the cluster ended by f and one began at s or later. In a forward
//! zone the value is thus held throughout, which proves 2. In a backward zone it is held at some
//! time: at the moment of the one that ended at f, if that is s or later, and otherwise at s, for
//! the one that began at s has its moment there or later. That proves 3.
//!
//! # Sufficient
//! In a forward zone put the write at f, and each read at the later of f and its invocation: f is
//! no later than any return, and no earlier than the write's invocation (by 1, and the write itself
//! returns later than it is invoked); all lie within [f, s], where by 2 no other forward value is.
//! A backward zone holds by 3 a time in no forward zone, for these are disjoint and closed, so that
//! an interval covered by them is inside one. All of its cluster are open there: write, then read.
//!
//! Source: Gibbons, Korach 1997 (the zones, complete histories).

use rustc_hash::FxHashMap;

use super::lives::{NONE, Span, number, ranks};
use super::{Answer, Call, What, first};

/// Some 100 bytes a call are held: with more calls that is more than a search is allowed (64 MB).
pub(super) const MOST: usize = 600_000;

/// What is known of a value in a prefix.
#[derive(Clone, Copy)]
struct Cluster {
    /// Earliest return, `NONE` while nothing of it has returned.
    ended: u32,
    /// Latest invocation of what returned, and of the write.
    began: u32,
}

/// A history of a register: spans and values of its calls, values as places of clusters.
struct Clusters {
    calls: Vec<(Span, u32)>,
    /// The invocation of each value's write. 0 for the initial value: events have ranks from 1.
    written: Vec<u32>,
}

/// Judges a register, see above; `at` ends the shortest refuted prefix.
#[must_use]
pub fn decide(calls: &[Call], initial: u32) -> Answer {
    if calls.len() > MOST {
        return Answer::Declined("too many calls");
    }
    let (spans, indices) = ranks(calls);
    let Some(clusters) = Clusters::of(calls, spans, initial) else {
        return Answer::Declined("a value is written twice");
    };
    if indices.is_empty() || !clusters.refuted(NONE - 1) {
        return Answer::Linearizable;
    }
    let at = first(indices.len(), |last| clusters.refuted(last + 1));
    Answer::Refuted {
        at: indices[at as usize],
    }
}

impl Clusters {
    /// `None` if a value is written twice, or the initial one once.
    fn of(calls: &[Call], spans: Vec<Span>, initial: u32) -> Option<Self> {
        let mut places = FxHashMap::default();
        places.insert(initial, 0);
        let mut written = vec![0];
        let mut kept = Vec::with_capacity(calls.len());
        for (call, [invoked, returned]) in calls.iter().zip(spans) {
            let returned = if returned == NONE { NONE } else { returned + 1 };
            if call.what == What::Empty || (call.what == What::Take && returned == NONE) {
                continue;
            }
            let place = *places.entry(call.value).or_insert_with(|| {
                written.push(NONE);
                number(written.len() - 1)
            });
            if call.what == What::Put {
                if written[place as usize] != NONE {
                    return None;
                }
                written[place as usize] = invoked + 1;
            }
            kept.push(([invoked + 1, returned], place));
        }
        Some(Self {
            calls: kept,
            written,
        })
    }

    /// Has the prefix that ends at the event `last` no linearization?
    fn refuted(&self, last: u32) -> bool {
        let mut clusters = vec![
            Cluster {
                ended: NONE,
                began: 0
            };
            self.written.len()
        ];
        clusters[0].ended = 0;
        for &([invoked, returned], place) in &self.calls {
            let cluster = &mut clusters[place as usize];
            if returned <= last {
                if returned < self.written[place as usize] {
                    return true;
                }
                cluster.ended = cluster.ended.min(returned);
                cluster.began = cluster.began.max(invoked);
            }
        }
        let mut zones: Vec<Span> = Vec::new();
        for (cluster, &written) in clusters.iter().zip(&self.written) {
            if cluster.ended != NONE {
                zones.push([cluster.ended, cluster.began.max(written)]);
            }
        }
        collide(zones)
    }
}

/// Do zones, given as [f, s], break the rules 2 or 3?
fn collide(mut zones: Vec<Span>) -> bool {
    zones.sort_unstable_by_key(|&[f, s]| f.min(s));
    // The end of the latest forward zone; the earlier ones end before it begins. A forward zone
    // must begin after it, and a backward one, which ends at f, must end after it: the same test.
    let mut until = 0;
    for [f, s] in zones {
        if f < until {
            return true;
        }
        if f < s {
            until = s;
        }
    }
    false
}
