//! Histories that show one law each.

use super::What::{Empty, Put, Take};
use super::{Answer, Call, Kind, What, decide, pays};
use crate::table::NEVER;

const INITIAL: u32 = 0;
const REGISTER: Kind = Kind::Register(INITIAL);

/// Calls from (what, value, invocation, return).
fn history(calls: &[(What, u32, u64, u64)]) -> Vec<Call> {
    let call = |&(what, value, invoked, returned)| Call {
        what,
        value,
        invoked,
        returned,
    };
    calls.iter().map(call).collect()
}

fn answer(kind: Kind, calls: &[(What, u32, u64, u64)]) -> Answer {
    decide(kind, &history(calls))
}

/// Law: what nobody saw constrains nothing.
#[test]
fn histories_without_completions_are_linearizable() {
    for kind in [REGISTER, Kind::Fifo, Kind::Bag, Kind::Stack] {
        assert_eq!(Answer::Linearizable, answer(kind, &[]));
        let unknown = [
            (Put, 1, 0, NEVER),
            (Take, 9, 1, NEVER),
            (Empty, 0, 2, NEVER),
        ];
        assert_eq!(Answer::Linearizable, answer(kind, &unknown));
    }
}

/// Rule: a value put in twice is left to the search.
#[test]
fn ambiguous_values_are_declined() {
    for kind in [REGISTER, Kind::Fifo, Kind::Bag, Kind::Stack] {
        let twice = [(Put, 1, 0, 1), (Put, 1, 2, 3)];
        assert!(matches!(answer(kind, &twice), Answer::Declined(_)));
    }
    let initial = [(Put, INITIAL, 0, 1)];
    assert!(matches!(answer(REGISTER, &initial), Answer::Declined(_)));
}

/// Law: a value comes from somewhere; the take of 7 returns at 3.
#[test]
fn values_from_nowhere_are_refuted() {
    for kind in [REGISTER, Kind::Fifo, Kind::Bag, Kind::Stack] {
        let nowhere = [(Put, 1, 0, 1), (Take, 7, 2, 3), (Put, 2, 4, 5)];
        assert_eq!(Answer::Refuted { at: 3 }, answer(kind, &nowhere));
    }
}

/// Law: a value that was overwritten does not come back.
#[test]
fn a_stale_read_is_refuted_where_it_returns() {
    let stale = [
        (Put, 1, 0, 1),
        (Put, 2, 2, 3),
        (Take, 2, 4, 5),
        (Take, 1, 6, 8),
        (Take, 2, 7, 9),
    ];
    assert_eq!(Answer::Refuted { at: 8 }, answer(REGISTER, &stale));
}

/// Law: a write of unknown outcome may take effect late, once.
#[test]
fn a_write_of_unknown_outcome_is_seen_late_but_once() {
    let seen = [(Put, 1, 0, NEVER), (Take, INITIAL, 1, 2), (Take, 1, 3, 4)];
    assert_eq!(Answer::Linearizable, answer(REGISTER, &seen));
    let again = [seen[0], (Take, 1, 1, 2), (Take, INITIAL, 3, 4)];
    assert_eq!(Answer::Refuted { at: 4 }, answer(REGISTER, &again));
}

/// Law: order tells queue, stack and bag apart.
#[test]
fn order_matters_to_queue_and_stack() {
    let old_first = [
        (Put, 1, 0, 1),
        (Put, 2, 2, 3),
        (Take, 1, 4, 5),
        (Take, 2, 6, 7),
    ];
    let new_first = [
        (Put, 1, 0, 1),
        (Put, 2, 2, 3),
        (Take, 2, 4, 5),
        (Take, 1, 6, 7),
    ];
    assert_eq!(Answer::Linearizable, answer(Kind::Fifo, &old_first));
    assert_eq!(Answer::Refuted { at: 5 }, answer(Kind::Fifo, &new_first));
    assert_eq!(Answer::Refuted { at: 5 }, answer(Kind::Stack, &old_first));
    assert_eq!(Answer::Linearizable, answer(Kind::Stack, &new_first));
    assert_eq!(Answer::Linearizable, answer(Kind::Bag, &old_first));
    assert_eq!(Answer::Linearizable, answer(Kind::Bag, &new_first));
}

/// Law: a take of unknown outcome may have made room, for one value only.
#[test]
fn each_missing_value_needs_its_own_lost_take() {
    let lost = (Take, 0, 4, NEVER);
    let one = [(Put, 1, 0, 1), (Put, 2, 2, 3), lost, (Take, 2, 5, 6)];
    assert_eq!(Answer::Linearizable, answer(Kind::Fifo, &one));
    let two = [(Put, 1, 0, 1), (Put, 2, 2, 3), lost, (Empty, 0, 5, 6)];
    for kind in [Kind::Fifo, Kind::Bag, Kind::Stack] {
        assert_eq!(Answer::Refuted { at: 6 }, answer(kind, &two));
    }
}

/// Law: a container that is never empty is not found empty, even if no value stays all the time.
#[test]
fn values_in_relay_keep_a_container_from_being_empty() {
    let relay = [
        (Put, 1, 0, 1),
        (Empty, 0, 2, 9),
        (Put, 2, 3, 4),
        (Take, 1, 5, 6),
        (Take, 2, 10, 11),
    ];
    for kind in [Kind::Fifo, Kind::Bag] {
        assert_eq!(Answer::Refuted { at: 9 }, answer(kind, &relay));
    }
}

/// Rule: a register is taken from the search only where many calls are open at once.
#[test]
fn registers_pay_when_many_calls_are_open() {
    let writes = |count: u64| -> Vec<Call> {
        let write = |n| (Put, u32::try_from(n).unwrap() + 1, n, NEVER);
        history(&(0..count).map(write).collect::<Vec<_>>())
    };
    assert!(!pays(REGISTER, &writes(32)));
    assert!(pays(REGISTER, &writes(33)));
    assert!(pays(Kind::Fifo, &writes(1)));
}
