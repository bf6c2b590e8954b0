//! The slow and obvious judge of small histories of a set.

use rustc_hash::FxHashSet;

use super::Answer;
use super::oracle::Dice;
use super::set::{Call, Did, decide};
use crate::table::NEVER;
use crate::value::Value;

/// Tries every order; the state is a mask of elements.
fn linearizable(calls: &[Call]) -> bool {
    let mask = |elements: &[Value]| elements.iter().fold(0_u32, |set, e| set | 1 << e.0);
    let (mut seen, mut open) = (FxHashSet::default(), vec![(0_u32, 0_u32)]);
    while let Some((done, state)) = open.pop() {
        let waits = |p: usize| done & (1 << p) == 0 && calls[p].returned != NEVER;
        if !(0..calls.len()).any(waits) {
            return true;
        }
        for (place, call) in calls.iter().enumerate() {
            let late = (0..calls.len()).any(|p| waits(p) && calls[p].returned < call.invoked);
            let known = call.returned != NEVER;
            let next = match call.did {
                Did::Add(element) => Some(state | 1 << element.0),
                Did::Remove(element) => Some(state & !(1 << element.0)),
                Did::Contains(element, found) => {
                    Some(state).filter(|s| !known || (s >> element.0 & 1 == 1) == found)
                }
                Did::Read(elements) => Some(state).filter(|&s| !known || s == mask(elements)),
            };
            let next = next.filter(|_| !late && done & (1 << place) == 0);
            let next = next.map(|state| (done | 1 << place, state));
            open.extend(next.filter(|&configuration| seen.insert(configuration)));
        }
    }
    false
}

fn prefix<'a>(calls: &[Call<'a>], last: u64) -> Vec<Call<'a>> {
    let begun = calls.iter().filter(|call| call.invoked <= last);
    let known = |returned: u64| if returned <= last { returned } else { NEVER };
    begun
        .map(|call| Call {
            returned: known(call.returned),
            ..*call
        })
        .collect()
}

/// All lists of distinct elements below four, as masks say.
fn lists() -> Vec<Vec<Value>> {
    (0..16_u32)
        .map(|set| (0..4).filter(|e| set >> e & 1 == 1).map(Value).collect())
        .collect()
}

/// A history of overlapping calls on elements below four. Each takes effect where it begins or
/// where it ends, as on a correct set; some answers are spoilt.
fn history<'a>(dice: &mut Dice, lists: &'a [Vec<Value>], reads: bool) -> Vec<Call<'a>> {
    let (mut state, mut calls, mut open) = (0_u32, Vec::<Call>::new(), Vec::<usize>::new());
    let (spoilt, unknown) = (dice.roll(3) * 8, dice.roll(3) * 10);
    let count = 3 + usize::try_from(dice.roll(7)).unwrap();
    for index in 1.. {
        if calls.len() < count && open.len() < 4 && dice.hits(55) {
            let element = Value(u32::try_from(dice.roll(4)).unwrap());
            let did = match dice.roll(6) {
                0 | 1 => Did::Add(element),
                2 if !reads => Did::Remove(element),
                2 | 3 if reads => Did::Read(&lists[0]),
                _ => Did::Contains(element, false),
            };
            open.push(calls.len());
            calls.push(Call {
                did,
                invoked: index,
                returned: NEVER,
            });
            if dice.hits(60) {
                let last = calls.len() - 1;
                calls[last].did = effect(did, &mut state, lists, spoilt, dice);
            }
        } else if !open.is_empty() {
            let turn = usize::try_from(dice.roll(open.len() as u64)).unwrap();
            let call = &mut calls[open.swap_remove(turn)];
            if !dice.hits(unknown) {
                call.returned = index;
            }
            if dice.hits(60) {
                call.did = effect(call.did, &mut state, lists, spoilt, dice);
            }
        } else if calls.len() == count {
            break;
        }
    }
    calls
}

fn effect<'a>(
    did: Did<'a>,
    state: &mut u32,
    lists: &'a [Vec<Value>],
    spoilt: u64,
    dice: &mut Dice,
) -> Did<'a> {
    let seen = if dice.hits(spoilt) {
        *state ^ 1 << dice.roll(4)
    } else {
        *state
    };
    match did {
        Did::Add(element) => *state |= 1 << element.0,
        Did::Remove(element) => *state &= !(1 << element.0),
        Did::Contains(element, _) => return Did::Contains(element, seen >> element.0 & 1 == 1),
        Did::Read(_) => return Did::Read(&lists[seen as usize]),
    }
    did
}

/// Rule: what is decided is what trying every order says; the shortest prefix too.
#[test]
fn agrees_with_trying_every_order() {
    let factor: u32 = std::env::var("FAST_FACTOR").map_or(1, |f| f.parse().unwrap());
    let (lists, mut dice) = (lists(), Dice(0xD1B5_4A32_D192_ED03));
    for reads in [false, true] {
        let mut tally = [0_u32; 3];
        for _ in 0..2_000 * factor {
            let calls = history(&mut dice, &lists, reads);
            match decide(&calls) {
                Answer::Linearizable => {
                    assert!(linearizable(&calls), "accepted: {calls:?}");
                    tally[0] += 1;
                }
                Answer::Refuted { at } => {
                    assert!(
                        !linearizable(&prefix(&calls, at)),
                        "refuted at {at}: {calls:?}"
                    );
                    assert!(
                        linearizable(&prefix(&calls, at - 1)),
                        "long at {at}: {calls:?}"
                    );
                    tally[1] += 1;
                }
                Answer::Declined(_) => tally[2] += 1,
            }
        }
        println!("reads {reads}: {tally:?}");
        assert!(
            tally[0] > 500 * factor && tally[1] > 100 * factor,
            "{tally:?}"
        );
    }
}
