"""The ladder of the plain search: every rung on its own says nothing wrong, and all are needed.

Limits are injected, so that histories of a few calls come to every rung.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from checkers.history import Call, Operation
from checkers.linearizability import search as searching
from checkers.linearizability.brute import linearizable
from checkers.linearizability.certificate import fault_of_witness
from checkers.linearizability.search import LADDER, Rung, Search, compile_calls, order
from checkers.models import Model, model
from checkers.notation import draw, parse
from tests.checkers.test_linearizability_oracle import CASES, Shape, simulated

EASY, SPARING, ENDLESS, SPENDING, _, NONE = LADDER
CALLS = 3_000
NOTHING = Rung(nodes=0)  # gives up at the first return after a crashed call
# By name: rungs, each of which gives up early or may leave much out; the last decides.
LADDERS = {
    "the usual one": LADDER,
    "sparing at once": (SPARING, NONE),
    "spending at once": (SPENDING, NONE),
    "endless at once": (ENDLESS, NONE),
    "endless from an anchor": (NOTHING, ENDLESS, NONE),
    "hardly any limits": (Rung(alike=1), Rung(slack=1), NONE),
    "tiny limits": (Rung(nodes=1), Rung(nodes=3, alike=1, slack=0), ENDLESS, SPENDING, NONE),
}


def searched(m: Model, calls: tuple[Call, ...], ladder: tuple[Rung, ...]) -> Search:
    """A search that has ended, its witness replayed."""
    search = Search(compile_calls(m, calls), ladder)
    for _ in search.run():
        pass
    if search.linearizable:
        placed = order(search.problem, next(iter(search.frontier.values())))
        placed += sorted(set(search.problem.tail).difference(placed))
        assert fault_of_witness(m, calls, placed) is None, draw(calls)
    return search


@pytest.mark.parametrize("ladder", LADDERS)
def test_no_ladder_changes_a_verdict(ladder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against all permutations, with many calls of unknown outcome. Where an endless search looks
    at little, it begins at an anchor."""
    monkeypatch.setattr(searching, "BEYOND", 1 if "anchor" in ladder else searching.BEYOND)
    rng, seen = Random(7), Counter[bool]()
    for name in ("register", "cas-register", "lock", "fenced-lock", "consensus", "log", "stack"):
        m = CASES[name][0]()
        for _ in range(60):
            shape = Shape(rng.randrange(3, 8), rng.randrange(2, 5), unknown=rng.choice([0.2, 0.6]))
            calls = simulated(name, rng, shape).calls()
            expected = linearizable(m, calls)
            seen[expected] += 1

            assert expected is searched(m, calls, LADDERS[ladder]).linearizable, draw(calls)
    assert min(seen.values()) > 50, seen


def test_every_rung_decides_something() -> None:
    """None is in the ladder for nothing: each finds the order or the contradiction of some history
    where those before it gave up."""
    rungs = (NOTHING, SPARING, ENDLESS, Rung(alike=1, slack=1), NONE)
    m, rng, seen = CASES["cas-register"][0](), Random(3), Counter[int]()
    for _ in range(1_500):
        calls = simulated("cas-register", rng, Shape(14, 4, unknown=0.4)).calls()
        seen[searched(m, calls, rungs).rung] += 1

    assert {0, 1, 2, 3, 4} == set(seen), seen


def test_what_was_left_out_is_no_contradiction() -> None:
    """When the write of 1 returns, a sparing search sees no need for the crashed one. It was the
    time for it: after the read of 0 nothing is left to write 1 again."""
    calls = parse(
        """
        p0 |-w0-?
        p1 |-w1-|
        p2 |--r0---| |-r1-|
        """
    ).calls()

    search = searched(model("register"), calls, (SPARING, NONE))

    assert (True, 1) == (search.linearizable, search.rung)


def test_an_endless_search_finds_nothing_linearizable() -> None:
    """Two reads of 2 behind a 1 take two writes of 2, and there is one."""
    calls = parse(
        """
        p0 |-w2-?
        p1        |-w1-| |-r2-| |-w1-| |-r2-|
        """
    ).calls()

    search = searched(model("register"), calls, (ENDLESS, NONE))

    assert (False, 1) == (search.linearizable, search.rung)


@pytest.mark.parametrize("unknown", [0.02, 0.05])
@pytest.mark.parametrize("bad", [False, True])
def test_few_values_and_many_unknown_outcomes_take_linear_time(unknown: float, bad: bool) -> None:
    """What an exact search cannot hold: it would keep every count of crashed calls of each step.
    Work is counted in turns, each of a bounded number of moves."""
    calls = simulated("cas-register", Random(2), Shape(CALLS, 10, unknown=unknown)).calls()
    calls = calls + read_of_nothing(2 * CALLS) if bad else calls
    search = Search(compile_calls(model("cas-register"), calls))

    turns = sum(1 for _ in search.run())

    assert search.linearizable is not bad
    assert turns < CALLS * 20 / searching.SLICE
    assert (2 if bad else 1) == search.rung


def read_of_nothing(index: int) -> tuple[Call]:
    """A read, at the end, of a value that nobody writes."""
    invoke = Operation(index=index, time=index, process=10**6, type="invoke", f="read", value=None)
    end = Operation(index=index + 1, time=index, process=10**6, type="ok", f="read", value=-1)
    return (Call(invoke, end),)


def test_explanations_do_not_come_from_crashed_calls_without_end() -> None:
    """An endless search may use a crashed call twice: its chains are no linearizations. What it
    refutes is explained by the search before, if that died of the same call."""
    calls = parse("p0 |-w2-?\np1        |-w1-| |-r3-|").calls()

    endless = searched(model("register"), calls, (ENDLESS, NONE))
    both = searched(model("register"), calls, (SPARING, ENDLESS, NONE))

    assert (False, 0, {}) == (endless.linearizable, endless.rung, endless.considered)
    assert (False, 1) == (both.linearizable, both.rung)
    assert both.considered.keys() <= searched(model("register"), calls, (NONE,)).considered.keys()
    assert both.considered


def test_an_anchor_stands_within_what_overlaps_it() -> None:
    """The compare-and-set is invoked while the read of 1 is pending, and explains it: a search from
    the read on may not ask for it once more."""
    calls = parse(
        """
        p0 |-w0-| |---r1----|
        p1          |-c0>1-|
        p2                    |-w0-?
        p3                            |-r1-|
        """
    ).calls()
    m = model("cas-register")
    search = Search(compile_calls(m, calls), (ENDLESS, NONE))
    read = search.problem.ops[1]
    search.space.anchor = lambda _: read  # type: ignore[method-assign]

    for _ in search.run():
        pass

    assert (True, 1) == (search.linearizable, search.rung)


@pytest.mark.parametrize("ladder", LADDERS)
def test_a_crashed_call_may_have_made_way_for_another(ladder: str) -> None:
    """Nothing reads 2 any more: the compare-and-set to 2 is there to explain a refusal. And one
    from 2 takes a write that nothing else asks for."""
    m = model("cas-register")
    refused = parse(
        """
        p0 |-w2-| |-c2>0-|
        p1                 |-c0>2-?
        p2                 |-c0>1-!=
        """
    ).calls()
    linked = parse("p0 |-c2>1-?\np1 |----w2----|\np2   |-r1-|").calls()

    assert searched(m, refused, LADDERS[ladder]).linearizable
    assert searched(m, linked, LADDERS[ladder]).linearizable
