"""Generators that say who: groups of workers, copies for each worker and each process."""

from __future__ import annotations

from random import Random

import pytest

from checkers.history import Operation
from harness.generators import (
    GeneratorError,
    constant,
    each_process,
    each_worker,
    for_each_worker,
    limit,
    operation,
    phases,
    reserve,
)
from harness.generators.simulate import Response, simulate, times_out


def invoked(history: list[Operation]) -> list[Operation]:
    return [o for o in history if o.type == "invoke"]


def test_reserve_gives_each_group_its_workers() -> None:
    """The first n workers, the next m, and the rest."""
    g = reserve((2, constant("a")), (1, constant("b")), rest=constant("c"))
    history = simulate(limit(100, g), workers=5)
    by_worker = {o.process: o.f for o in invoked(history)}
    assert by_worker == {0: "a", 1: "a", 2: "b", 3: "c", 4: "c"}
    assert all(by_worker[o.process] == o.f for o in history)


def test_reserve_within_reserve_divides_the_group() -> None:
    """Workers keep their numbers of the run, crashed processes included."""
    inner = reserve((1, constant("b")), rest=constant("c"))
    g = limit(60, reserve((2, constant("a")), rest=inner))
    history = simulate(g, workers=5, system=times_out)
    by_worker = {int(o.process) % 5: o.f for o in invoked(history)}
    assert by_worker == {0: "a", 1: "a", 2: "b", 3: "c", 4: "c"}


def test_a_barrier_in_a_group_waits_for_the_group_only() -> None:
    """phases inside reserve: the slow workers of another group hold nobody up."""

    def system(o: Operation, _random: Random) -> Response:
        return (10_000 if o.f == "slow" else 10), "ok", None

    two = phases(limit(2, constant("a")), limit(2, constant("b")))
    history = simulate(reserve((2, two), rest=limit(1, constant("slow"))), workers=3, system=system)
    assert [o.time for o in invoked(history) if o.f == "b"] == [10, 10]


def test_reserve_of_more_workers_than_there_are() -> None:
    """Nobody guesses what was meant."""
    with pytest.raises(GeneratorError, match="reserve wants 2 workers"):
        simulate(reserve((2, constant("a")), rest=constant("b")), workers=2)
    with pytest.raises(ValueError, match="at least one"):
        reserve((0, constant("a")), rest=constant("b"))


def test_each_worker_has_its_own_copy() -> None:
    """A copy per worker, which its process's end does not renew."""
    history = simulate(each_worker(limit(2, constant("a"))), workers=3, system=times_out)
    workers = [int(o.process) % 3 for o in invoked(history)]
    assert sorted(workers) == [0, 0, 1, 1, 2, 2]


def test_each_process_starts_afresh_after_info() -> None:
    """A copy per process: each info brings another, so only a limit ends it."""
    history = simulate(limit(9, each_process(operation("a"))), workers=3, system=times_out)
    assert sorted(int(o.process) for o in invoked(history)) == list(range(9))
    assert len(invoked(simulate(each_process(operation("a")), workers=3))) == 3


def test_for_each_worker_knows_its_number() -> None:
    """Workers can share out work by their place among those they have."""
    g = for_each_worker(lambda i, n: operation("read", (i, n)))
    history = simulate(g, workers=3)
    assert {o.process: o.value for o in invoked(history)} == {0: (0, 3), 1: (1, 3), 2: (2, 3)}
