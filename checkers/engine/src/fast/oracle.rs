//! The slow and obvious judge of small histories, and histories to judge.

use rustc_hash::FxHashSet;

use super::{Answer, Call, Kind, What, decide};
use crate::table::NEVER;

/// Tries every order.
fn linearizable(kind: Kind, calls: &[Call]) -> bool {
    let start = if let Kind::Register(initial) = kind {
        vec![initial]
    } else {
        vec![]
    };
    let mut seen = FxHashSet::default();
    let mut open = vec![(0_u32, start)];
    while let Some((done, state)) = open.pop() {
        let is_done = |place: usize| done & (1 << place) != 0;
        let waits = |place: usize| !is_done(place) && calls[place].returned != NEVER;
        if !(0..calls.len()).any(waits) {
            return true;
        }
        for (place, call) in calls.iter().enumerate() {
            let late = (0..calls.len()).any(|p| waits(p) && calls[p].returned < call.invoked);
            if is_done(place) || late {
                continue;
            }
            for next in steps(kind, call, &state) {
                let configuration = (done | 1 << place, next);
                if seen.insert(configuration.clone()) {
                    open.push(configuration);
                }
            }
        }
    }
    false
}

/// The states after a call.
fn steps(kind: Kind, call: &Call, state: &[u32]) -> Vec<Vec<u32>> {
    let known = call.returned != NEVER;
    let legal = |taken: u32| !known || taken == call.value;
    match (kind, call.what) {
        (Kind::Register(_), What::Put) => vec![vec![call.value]],
        (Kind::Register(_), What::Empty) => vec![state.to_vec()],
        (Kind::Register(_), _) => Some(state.to_vec())
            .filter(|s| legal(s[0]))
            .into_iter()
            .collect(),
        (_, What::Put) => {
            let mut next = [state, &[call.value]].concat();
            if kind == Kind::Bag {
                next.sort_unstable();
            }
            vec![next]
        }
        (_, What::Empty) if known => Some(vec![])
            .filter(|_| state.is_empty())
            .into_iter()
            .collect(),
        _ => {
            let end = state.len().saturating_sub(1);
            let places = match kind {
                Kind::Bag => 0..state.len(),
                Kind::Stack => end..state.len(),
                _ => 0..state.len().min(1),
            };
            let without = |place: usize| [&state[..place], &state[place + 1..]].concat();
            places
                .filter(|&place| legal(state[place]))
                .map(without)
                .collect()
        }
    }
}

/// The prefix up to the operation of an index.
fn prefix(calls: &[Call], last: u64) -> Vec<Call> {
    let begun = calls.iter().filter(|call| call.invoked <= last);
    let cut = |call: &Call| {
        let returned = if call.returned <= last {
            call.returned
        } else {
            NEVER
        };
        Call { returned, ..*call }
    };
    begun.map(cut).collect()
}

/// xorshift
pub(super) struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % sides
    }

    pub fn hits(&mut self, of_hundred: u64) -> bool {
        self.roll(100) < of_hundred
    }
}

/// How a history is made.
pub(super) struct Recipe {
    pub kind: Kind,
    pub calls: usize,
    pub clients: usize,
    pub unknown: u64,
    /// Share of takes.
    pub takes: u64,
}

/// A history that a correct object may leave. Each call takes effect at a random moment.
pub(super) fn correct(recipe: &Recipe, dice: &mut Dice) -> Vec<Call> {
    let mut state = if let Kind::Register(initial) = recipe.kind {
        vec![initial]
    } else {
        vec![]
    };
    let mut calls: Vec<Call> = Vec::new();
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut index = 0;
    while calls.len() < recipe.calls || !open.is_empty() {
        index += 1 + dice.roll(2);
        let begins = open.len() < recipe.clients && calls.len() < recipe.calls && dice.hits(50);
        if open.is_empty() || begins {
            if calls.len() == recipe.calls {
                break;
            }
            let what = if dice.hits(recipe.takes) {
                What::Take
            } else {
                What::Put
            };
            let value = u32::try_from(calls.len()).unwrap() + 1;
            open.push((calls.len(), false));
            calls.push(Call {
                what,
                value,
                invoked: index,
                returned: NEVER,
            });
            continue;
        }
        let turn = usize::try_from(dice.roll(open.len() as u64)).unwrap();
        let (place, done) = open[turn];
        let lost = dice.hits(recipe.unknown);
        if !(done || lost && dice.hits(50)) {
            take_effect(recipe.kind, &mut calls[place], &mut state, dice);
            open[turn].1 = true;
        }
        if lost {
            open.swap_remove(turn);
        } else if done {
            calls[place].returned = index;
            open.swap_remove(turn);
        }
    }
    calls
}

fn take_effect(kind: Kind, call: &mut Call, state: &mut Vec<u32>, dice: &mut Dice) {
    let register = matches!(kind, Kind::Register(_));
    match call.what {
        What::Put if register => state[0] = call.value,
        What::Put => state.push(call.value),
        _ if register => call.value = state[0],
        _ if state.is_empty() => call.what = What::Empty,
        _ => {
            let any = usize::try_from(dice.roll(state.len() as u64)).unwrap();
            let place = match kind {
                Kind::Bag => any,
                Kind::Stack => state.len() - 1,
                _ => 0,
            };
            call.value = state.remove(place);
        }
    }
}

/// Changes something, so that the history may become wrong.
pub(super) fn spoil(calls: &mut Vec<Call>, dice: &mut Dice) {
    let count = calls.len() as u64;
    let mut any = || usize::try_from(dice.roll(count)).unwrap();
    let (one, other) = (any(), any());
    match dice.roll(7) {
        0 if calls[one].what == What::Take && calls[other].what == What::Take => {
            let value = calls[one].value;
            calls[one].value = calls[other].value;
            calls[other].value = value;
        }
        1 if calls[one].what == What::Take => calls[one].what = What::Empty,
        2 if calls[one].what != What::Put => {
            calls[one].what = What::Take;
            calls[one].value = calls[other].value;
        }
        3 => {
            calls.swap_remove(one);
        }
        4 => {
            let (mine, its) = (calls[one], calls[other]);
            (calls[one].invoked, calls[one].returned) = (its.invoked, its.returned);
            (calls[other].invoked, calls[other].returned) = (mine.invoked, mine.returned);
        }
        5 => calls[one].returned = NEVER,
        _ if calls[one].what == What::Put => {
            let value = calls[one].value;
            for call in calls.iter_mut().filter(|call| call.value == value) {
                call.value += 100;
            }
            calls[one].value = 99;
        }
        _ => {}
    }
}

/// How often the answers were given.
#[derive(Default, Debug)]
pub(super) struct Tally {
    pub linearizable: u32,
    pub refuted: u32,
    pub declined: u32,
    /// Refuted prefixes that were not the shortest.
    pub long: u32,
}

/// Compares `decide` with the oracle on small histories.
pub(super) fn compare(kind: Kind, histories: u32, seed: u64) -> Tally {
    let mut dice = Dice(seed);
    let mut tally = Tally::default();
    for _ in 0..histories {
        let recipe = Recipe {
            kind,
            calls: 2 + usize::try_from(dice.roll(9)).unwrap(),
            clients: 1 + usize::try_from(dice.roll(5)).unwrap(),
            unknown: [0, 0, 10, 30][usize::try_from(dice.roll(4)).unwrap()],
            takes: 30 + dice.roll(40),
        };
        let mut calls = correct(&recipe, &mut dice);
        for _ in 0..dice.roll(4) {
            if !calls.is_empty() {
                spoil(&mut calls, &mut dice);
            }
        }
        check(kind, &calls, &mut tally);
    }
    tally
}

fn check(kind: Kind, calls: &[Call], tally: &mut Tally) {
    match decide(kind, calls) {
        Answer::Linearizable => {
            assert!(linearizable(kind, calls), "accepted: {kind:?} {calls:?}");
            tally.linearizable += 1;
        }
        Answer::Refuted { at } => {
            assert!(
                !linearizable(kind, &prefix(calls, at)),
                "{kind:?} at {at}: {calls:?}"
            );
            let shorter = at > 0 && !linearizable(kind, &prefix(calls, at - 1));
            assert!(
                kind == Kind::Stack || !shorter,
                "{kind:?}, not the shortest at {at}: {calls:?}"
            );
            tally.long += u32::from(shorter);
            tally.refuted += 1;
        }
        Answer::Declined(_) => tally.declined += 1,
    }
}

/// Rule: what is decided is what trying every order says; the prefix too.
#[test]
fn procedures_agree_with_trying_every_order() {
    let factor: u32 = std::env::var("FAST_FACTOR").map_or(1, |f| f.parse().unwrap());
    for kind in [Kind::Register(1000), Kind::Fifo, Kind::Bag, Kind::Stack] {
        let tally = compare(kind, 2_000 * factor, 0x9E37_79B9_7F4A_7C15);
        println!("{kind:?}: {tally:?}");
        assert!(
            tally.linearizable > 200 * factor && tally.refuted > 200 * factor,
            "{tally:?}"
        );
        assert!(tally.declined < 200 * factor, "{tally:?}");
    }
}
