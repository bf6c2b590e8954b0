//! Takes values of a stack away, lowest first, until none is left or none may go (see stack.rs).
//!
//! Rules
//! 1. Positions are the places of the b and c of all zones in the order of time; the slot p is
//!    the time between the positions p and p + 1. A stretch is a run of covered slots.
//! 2. Each slot is uncovered once, each zone becomes low (a <= L) once, for the L of its stretch
//!    only grows, and goes once: n log n in all.

use super::lives::{NONE, Span, number};
use super::trees::{Cover, Greatest, Limits};

/// A value that is on the stack throughout [b, c]: pushed within [a, b], popped within [c, d].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Zone {
    pub a: u32,
    pub b: u32,
    pub c: u32,
    pub d: u32,
}

impl Zone {
    /// Of a value that nobody is known to have popped, if a pop invoked at `pop` took it. `None`
    /// where it has no zone.
    pub fn left([a, b]: Span, pop: u32) -> Option<Self> {
        (b < pop).then_some(Self {
            a,
            b,
            c: pop,
            d: NONE,
        })
    }
}

/// Do all zones (in the order of b) go?
pub(super) fn peels(zones: &[Zone]) -> bool {
    peel(zones, |_, _, _| ())
}

/// By when each zone must end for the others to go as they do now: the least d of those that went
/// before it from the stretch that it was in. `None` if not all go.
pub(super) fn deadlines(zones: &[Zone]) -> Option<Vec<u32>> {
    let mut limits = Limits::new(zones.len());
    let mut deadlines = vec![NONE; zones.len()];
    let all_go = peel(zones, |zone, first, until| {
        deadlines[zone as usize] = limits.get(zone);
        limits.set(first, until, zones[zone as usize].d);
    });
    all_go.then_some(deadlines)
}

/// Reports each zone that goes with the range of zones of its stretch.
fn peel(zones: &[Zone], mut goes: impl FnMut(u32, u32, u32)) -> bool {
    if zones.is_empty() {
        return true;
    }
    let (mut peeling, mut stretches) = Peeling::of(zones);
    let mut gaps = Vec::new();
    while let Some([from, to]) = stretches.pop() {
        let [first, until] = [from, to].map(|position| peeling.opened[position as usize]);
        let Some(lowest) = peeling.lowest(from, to) else {
            return false;
        };
        goes(lowest, first, until);
        let [opens, closes] = peeling.places[lowest as usize];
        peeling.low.set(lowest, 0);
        gaps.clear();
        peeling.cover.uncover(opens, closes, &mut gaps);
        split([from, to], &gaps, &mut stretches);
    }
    true
}

/// Appends what is left of a stretch, given by its first and last position, without some slots.
fn split([mut from, to]: Span, gaps: &[u32], stretches: &mut Vec<Span>) {
    for &gap in gaps {
        if from < gap {
            stretches.push([from, gap]);
        }
        from = gap + 1;
    }
    if from < to {
        stretches.push([from, to]);
    }
}

struct Peeling {
    /// Positions of the b and c of each zone.
    places: Vec<Span>,
    /// The d of each zone.
    ends: Vec<u32>,
    /// The time of each position.
    times: Vec<u32>,
    /// How many zones open before each position.
    opened: Vec<u32>,
    cover: Cover,
    /// By zone: its d, if its a is no later than the L of its stretch.
    low: Greatest,
    /// By zone: NONE - a, if it is not in `low`.
    high: Greatest,
}

impl Peeling {
    /// With the stretches that the zones (at least one) cover.
    fn of(zones: &[Zone]) -> (Self, Vec<Span>) {
        let mut closing: Vec<u32> = (0..number(zones.len())).collect();
        closing.sort_unstable_by_key(|&zone| zones[zone as usize].c);
        let mut closing = closing.into_iter().peekable();
        let mut places = vec![[0; 2]; zones.len()];
        let (mut times, mut opened, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut next, mut inside) = (0, 0);
        while let Some(&closes) = closing.peek() {
            opened.push(next);
            let position = number(times.len());
            let close = zones[closes as usize].c;
            if let Some(zone) = zones.get(next as usize).filter(|zone| zone.b < close) {
                places[next as usize][0] = position;
                times.push(zone.b);
                next += 1;
                inside += 1;
            } else {
                places[closes as usize][1] = position;
                times.push(close);
                closing.next();
                inside -= 1;
            }
            counts.push(inside);
        }
        opened.push(next);
        let gaps = (0..number(counts.len())).filter(|&slot| counts[slot as usize] == 0);
        let mut stretches = Vec::new();
        split(
            [0, number(times.len()) - 1],
            &gaps.collect::<Vec<_>>(),
            &mut stretches,
        );
        let cover = Cover::of(&counts);
        let ends = zones.iter().map(|zone| zone.d).collect();
        let low = Greatest::of(zones.iter().map(|_| 0));
        let high = Greatest::of(zones.iter().map(|zone| NONE - zone.a));
        (
            Self {
                places,
                ends,
                times,
                opened,
                cover,
                low,
                high,
            },
            stretches,
        )
    }

    /// A zone of a stretch that may go.
    fn lowest(&mut self, from: u32, to: u32) -> Option<u32> {
        let [left, right] = [from, to].map(|position| self.times[position as usize]);
        let [first, until] = [from, to].map(|position| self.opened[position as usize]);
        loop {
            let (early, zone) = self.high.within(first, until);
            if early < NONE - left {
                break;
            }
            self.high.set(zone, 0);
            self.low.set(zone, self.ends[zone as usize]);
        }
        let (end, zone) = self.low.within(first, until);
        (end >= right).then_some(zone)
    }
}
