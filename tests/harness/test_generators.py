"""Generators one by one, against imagined systems in virtual time."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from checkers.history import Operation
from harness.generators import (
    NOTHING,
    PENDING,
    Context,
    Generator,
    GeneratorError,
    Pending,
    Request,
    concurrency_limit,
    constant,
    deferred,
    delay,
    each_worker,
    generate,
    limit,
    map_operations,
    mix,
    once,
    operation,
    phases,
    process_limit,
    rename,
    repeat,
    reserve,
    sequence,
    stagger,
    synchronize,
    then,
    time_limit,
    until_ok,
    watch,
    weighted,
)
from harness.generators.contract import Answer, Invocation, sooner
from harness.generators.simulate import (
    Response,
    perfect,
    refuses,
    simulate,
    times_out,
    unreliable,
)

NS = 1e-9


def invoked(history: list[Operation]) -> list[Operation]:
    return [o for o in history if o.type == "invoke"]


def names(history: list[Operation]) -> list[str]:
    return [o.f for o in invoked(history)]


def times(history: list[Operation]) -> list[int]:
    return [o.time for o in invoked(history)]


def test_an_operation_is_one_and_repeat_makes_it_many() -> None:
    """operation is exhausted after one; repeat begins again, so often or without end."""
    assert names(simulate(operation("read"))) == ["read"]
    assert names(simulate(repeat(operation("read"), 3))) == ["read"] * 3
    assert len(invoked(simulate(repeat(operation("read")), operations_max=50))) == 50
    assert names(simulate(repeat(sequence(operation("a"), operation("b")), 2))) == list("abab")


def test_repeating_nothing_is_nothing() -> None:
    """A generator that is exhausted from the start is not started again for ever."""
    assert simulate(repeat(NOTHING)) == []
    assert simulate(repeat(operation("a"), 0)) == []


def test_generate_counts_from_zero() -> None:
    """The count makes values unique without anybody remembering anything."""
    history = simulate(limit(4, generate(lambda n, _: Request("write", n, f"k{n % 2}"))), workers=4)
    assert [(o.value, o.key) for o in invoked(history)] == [
        (0, "k0"),
        (1, "k1"),
        (2, "k0"),
        (3, "k1"),
    ]


def test_sequence_has_no_barrier_and_phases_have() -> None:
    """A phase starts only when every worker is free; a sequence goes on at once."""
    a, b = limit(3, constant("a")), limit(1, constant("b"))
    assert times(simulate(sequence(a, b), workers=4)) == [0, 0, 0, 0]
    assert times(simulate(phases(a, b), workers=4)) == [0, 0, 0, 10]
    assert times(simulate(then(a, b), workers=4)) == [0, 0, 0, 10]
    assert times(simulate(sequence(a, synchronize(b)), workers=4)) == [0, 0, 0, 10]


def test_limit_and_once() -> None:
    """At most so many operations."""
    assert len(invoked(simulate(limit(7, constant("a"))))) == 7
    assert len(invoked(simulate(once(constant("a"))))) == 1
    assert simulate(limit(0, constant("a"))) == []


def test_delay_keeps_to_its_grid() -> None:
    """Operations start exactly dt apart over all workers, not per worker."""
    history = simulate(limit(5, delay(25 * NS, constant("a"))), workers=3)
    assert times(history) == [0, 25, 50, 75, 100]


def test_delay_catches_up() -> None:
    """What fell behind while every worker was busy follows at once, and the grid stays."""

    def slow_first(o: Operation, _random: Random) -> Response:
        return (95 if o.index == 0 else 1), "ok", None

    history = simulate(limit(6, delay(30 * NS, constant("a"))), workers=1, system=slow_first)
    assert times(history) == [0, 95, 96, 97, 120, 150]


def test_stagger_is_a_total_rate() -> None:
    """Gaps lie in 0 to 2 dt with mean dt, however many workers there are."""
    history = simulate(limit(1000, stagger(1000 * NS, constant("a"))), workers=50)
    at = times(history)
    gaps = [b - a for a, b in itertools.pairwise(at)]
    assert all(0 <= gap <= 2000 for gap in gaps)
    assert 950 < sum(gaps) / len(gaps) < 1050


def test_stagger_makes_up_for_lag_and_not_for_a_stall() -> None:
    """After a stall of a second, a stagger of 1 ms has no thousand operations to make up for."""

    def stalls(o: Operation, _random: Random) -> Response:
        return (1_000_000_000 if o.index == 0 else 1), "ok", None

    history = simulate(
        time_limit(1.1, stagger(0.001, constant("a"))),
        workers=1,
        system=stalls,
        operations_max=5000,
    )
    after = len(invoked(history)) - 1
    assert 80 < after < 140


def test_time_limit_counts_from_the_first_operation() -> None:
    """The barrier before it costs the limited phase nothing of its time."""
    late = phases(limit(1, constant("a")), time_limit(35 * NS, delay(10 * NS, constant("b"))))
    history = simulate(late, workers=2)
    assert [(o.f, o.time) for o in invoked(history)] == [
        ("a", 0),
        ("b", 10),
        ("b", 20),
        ("b", 30),
        ("b", 40),
    ]


def test_time_limit_awaits_what_is_in_flight() -> None:
    """Operations open at the limit complete, and the next phase waits for them."""

    def slow(_o: Operation, _random: Random) -> Response:
        return 1000, "ok", None

    history = simulate(phases(time_limit(5 * NS, constant("a")), operation("b")), system=slow)
    assert [(o.type, o.f, o.time) for o in history] == [
        ("invoke", "a", 0),
        ("invoke", "a", 0),
        ("ok", "a", 1000),
        ("ok", "a", 1000),
        ("invoke", "b", 1000),
        ("ok", "b", 2000),
    ]


class Forever:
    """One operation, then pending without end."""

    def __init__(self, begun: bool = False) -> None:
        self.begun = begun

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if self.begun:
            return PENDING, self
        return context.invocation(Request("a")), Forever(begun=True)

    def update(self, _context: Context, _event: Operation) -> Generator:
        return self


def test_time_limit_ends_what_is_pending() -> None:
    """Pending is not exhausted: the limit wakes the asker and ends it, and the next phase comes."""
    history = simulate(sequence(time_limit(50 * NS, Forever()), operation("b")))
    assert [(o.f, o.time) for o in invoked(history)] == [("a", 0), ("b", 50)]


def test_pending_with_nothing_to_wait_for_is_an_error() -> None:
    """A generator that would hang a run is named as such."""
    with pytest.raises(GeneratorError, match="wait for ever"):
        simulate(Forever())


def test_mix_takes_members_alike_and_weighted_by_weight() -> None:
    """Every member gets its share."""
    history = simulate(limit(1000, mix(constant("a"), constant("b"))))
    assert 450 < names(history).count("a") < 550
    history = simulate(limit(1000, weighted((9, constant("a")), (1, constant("b")))))
    assert 70 < names(history).count("b") < 130


def test_mix_does_not_stick_on_a_pending_member() -> None:
    """While one member has nothing now, the others go on."""
    history = simulate(limit(20, mix(Forever(), constant("b"))))
    assert names(history).count("b") == 19
    history = simulate(time_limit(100 * NS, mix(delay(1, constant("a")), constant("b"))))
    assert names(history).count("a") == 1
    assert names(history).count("b") > 10


def test_mix_ends_with_its_last_member() -> None:
    """An exhausted member leaves; the mix is exhausted when all are."""
    history = simulate(mix(limit(3, constant("a")), limit(5, constant("b"))))
    assert sorted(names(history)) == ["a"] * 3 + ["b"] * 5


def test_mix_tells_every_member() -> None:
    """A member learns of events that another member caused."""
    seen: list[str] = []
    simulate(mix(watch(lambda e: seen.append(e.f), constant("a")), limit(3, constant("b"))))
    assert seen.count("b") == 6


def test_until_ok_stops_at_the_first_success_of_its_own() -> None:
    """Failures and infos go on; the success of somebody else's operation does not count."""
    tries = iter(["fail", "info", "fail", "ok", "ok"])

    def system(o: Operation, _random: Random) -> Response:
        return 10, ("ok" if o.f == "other" else next(tries)), None  # type: ignore[return-value]

    g = reserve((1, limit(9, constant("other"))), rest=until_ok(constant("final")))
    history = simulate(g, workers=2, system=system)
    assert [o.type for o in history if o.f == "final" and o.type != "invoke"] == [
        "fail",
        "info",
        "fail",
        "ok",
    ]


def test_until_ok_for_each_worker_ends_though_processes_are_lost() -> None:
    """Final reads: each worker gets its success, whatever number it goes on under."""
    history = simulate(each_worker(until_ok(constant("read"))), workers=4, system=unreliable)
    ok = [int(o.process) % 4 for o in history if o.type == "ok"]
    assert sorted(ok) == [0, 1, 2, 3]


def test_process_limit_bounds_the_lost_processes() -> None:
    """With n workers and a limit of m, at most m processes ever appear."""
    history = simulate(process_limit(5, constant("a")), workers=3, system=times_out)
    assert len({o.process for o in history}) == 5


def test_concurrency_limit_bounds_what_is_in_flight() -> None:
    """Never more than two of its operations are open, and it goes on when one ends."""
    history = simulate(limit(20, concurrency_limit(2, constant("a"))), workers=5, system=unreliable)
    in_flight = most = 0
    for o in history:
        in_flight += 1 if o.type == "invoke" else -1
        most = max(most, in_flight)
    assert (most, len(invoked(history))) == (2, 20)


def test_map_and_rename() -> None:
    """Renamed operations come back to the generator under the names it gave."""
    history = simulate(rename({"read": "get"}, until_ok(constant("read"))), workers=1)
    assert [(o.type, o.f) for o in history] == [("invoke", "get"), ("ok", "get")]
    seen: list[str] = []
    simulate(rename({"a": "x"}, watch(lambda e: seen.append(e.f), operation("a"))))
    assert seen == ["a", "a"]
    with pytest.raises(ValueError, match="one name"):
        rename({"a": "x", "b": "x"}, NOTHING)

    def upper(i: Invocation) -> Invocation:
        return Invocation(i.worker, i.f.upper(), i.value, i.key)

    assert names(simulate(map_operations(upper, operation("a")))) == ["A"]


def test_deferred_is_made_when_it_is_wanted() -> None:
    """What the first phase has shown decides what the last one does."""
    seen: list[str] = []
    first = watch(lambda e: seen.append(e.type), limit(2, constant("a")))
    g = phases(first, deferred(lambda: limit(seen.count("ok"), constant("b"))))
    assert names(simulate(g)) == ["a", "a", "b", "b"]


def test_sooner_merges_what_is_waited_for() -> None:
    """Pending is not None, and the asker wakes for the first that is due."""
    assert sooner(None, PENDING) is PENDING
    assert sooner(Pending(9), None) == Pending(9)
    assert sooner(Pending(9), Pending(4)) == Pending(4)
    assert sooner(Pending(4), Pending(9)) == Pending(4)
    assert sooner(PENDING, Pending(4)) == Pending(4)
    assert sooner(Pending(4), PENDING) == Pending(4)
    assert sooner(None, None) is None


def test_answers_are_checked() -> None:
    """A busy worker, a wrong type and an exception are the generator author's, by name."""

    class Answers:
        def __init__(self, answer: object) -> None:
            self.answer = answer

        def op(self, _context: Context) -> tuple[Answer, Generator]:
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer, self  # type: ignore[return-value]

        def update(self, _context: Context, _event: Operation) -> Generator:
            raise AssertionError("not reached")

    for answer, sentence in (
        (Invocation(7, "a"), "worker 7, which is not free"),
        ("read", "expected an Invocation"),
        (KeyError("x"), "raised KeyError"),
    ):
        with pytest.raises(GeneratorError, match=sentence):
            simulate(Answers(answer))


def test_processes_are_renumbered_after_info_only() -> None:
    """A worker goes on as process + number of workers after info, and as itself otherwise."""
    assert {o.process for o in simulate(limit(9, constant("a")), workers=3, system=refuses)} <= {
        0,
        1,
        2,
    }
    history = simulate(limit(3, constant("a")), workers=1, system=times_out)
    assert [o.process for o in invoked(history)] == [0, 1, 2]
    history = simulate(limit(4, constant("a")), workers=2, system=perfect)
    assert {o.process for o in history} == {0, 1}
