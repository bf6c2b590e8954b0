"""Guided search: situations, cases near a case, and a search that its first seed decides."""

from __future__ import annotations

from itertools import islice
from random import Random

import msgspec
import pytest

from harness import cases, swarm
from harness.cases import Case
from harness.search.coverage import Watch
from harness.search.guided import Search
from harness.search.mutation import mutated, renamed, scheduled, spans_of
from harness.search.schedulers import SCHEDULERS
from harness.simulate import simulate
from harness.swarm import Result
from nemesis.faults import Kill, Partition
from nemesis.schedule import Schedule, Step, mistakes_of


@pytest.fixture(scope="module")
def base() -> tuple[object, frozenset[str]]:
    return swarm.base_of(None, {"workload": "consensus", "time_limit_s": 2.5, "rate": 30.0})


@pytest.fixture(scope="module")
def explicit(base) -> list[Case]:
    return [simulate(swarm.draw(*base, seed)).explicit for seed in range(4)]


def test_watching_a_run_changes_nothing_in_it(base) -> None:
    """The watcher only listens: history and trace are the same with it and without."""
    case = swarm.draw(*base, 3)
    watch = Watch()
    assert simulate(case).digest() == simulate(case, watcher=watch).digest()
    assert watch.features()


def test_situations_name_no_node_and_no_key(base) -> None:
    """Runs that differ by names alone have been in the same situations."""
    watch = Watch()
    simulate(swarm.draw(*base, 3), watcher=watch)
    words = {word for situation in watch.features() for word in situation if isinstance(word, str)}
    names = {*(f"n{i}" for i in range(1, 6)), *(f"{p}{i}" for p in "qs" for i in range(20))}
    assert words & names == set()


def test_situations_tell_a_fault_from_none(base) -> None:
    """What is in force around an event is part of its situation."""
    case = swarm.draw(*base, 3)
    quiet = Schedule(case.trial.time_limit_s)
    cut = Schedule(
        case.trial.time_limit_s, 0, (Step(0.2, 1, "start", Partition(topology="isolate-one")),)
    )
    seen = []
    for faults in (quiet, cut):
        watch = Watch()
        simulate(msgspec.structs.replace(case, faults=faults), watcher=watch)
        seen.append({fault for s in watch.features() for fault in s[-2][3]})
    assert [set(), {"partition"}] == seen


def test_a_changed_case_is_a_case(explicit: list[Case], tmp_path) -> None:
    """Whatever is changed, what comes out can be written, read and carried out."""
    random = Random(1)
    changed = explicit
    for round_ in range(12):
        changed = [mutated(case, random.choice(explicit), random) for case in changed]
        for case in changed:
            assert case.faults is not None
            assert [] == mistakes_of(case.faults, case.trial.node_names)
            path = tmp_path / "case.json"
            cases.write(path, case)
            assert cases.encode(case) == cases.encode(cases.read(path))
        simulate(changed[round_ % len(changed)])


def test_changes_change(explicit: list[Case]) -> None:
    """Children are not their parents: to run those again tells nothing."""
    random = Random(2)
    children = [mutated(explicit[0], explicit[1], random) for _ in range(40)]
    runs = [msgspec.structs.replace(case, then_drawn=False) for case in children]
    assert sum(case == explicit[0] for case in runs) == 0


def test_spans_and_schedules_are_one_another() -> None:
    """A schedule taken apart and put together is what it was."""
    kill, cut = Kill(nodes=("n1",)), Partition(links=(("n1", "n2"),))
    steps = (
        Step(0.5, 1, "start", kill),
        Step(0.7, 2, "start", cut),
        Step(1.0, 1, "stop"),
    )
    schedule = Schedule(3.0, 7, steps)
    assert schedule == scheduled(spans_of(schedule), schedule)


def test_renaming_swaps_nodes_and_links() -> None:
    """A fault of n1 becomes one of n2, and the other way round."""
    names = {"n1": "n2", "n2": "n1"}
    assert Kill(nodes=("n2", "n3")) == renamed(Kill(nodes=("n1", "n3")), names)
    cut = renamed(Partition(links=(("n1", "client"), ("n3", "n2"))), names)
    assert Partition(links=(("n2", "client"), ("n3", "n1"))) == cut


def test_rare_situations_and_fresh_cases_have_energy(base, explicit: list[Case]) -> None:
    """A case whose situations many runs share is worth less, and so is one often chosen."""
    search = Search(*base, 1)
    for case, situations in zip(explicit, (("a",), ("b",), ("b",), ("b",)), strict=True):
        search.next()
        search.came(case, [situations, ("all",)], 100)
    rare, common = search._corpus[0], search._corpus[1]
    rare.situations, common.situations = (("a",),), (("b",),)
    rare.chosen = common.chosen = 0
    assert search._energy(rare) > search._energy(common)
    rare.chosen = 9
    assert search._energy(rare) < search._energy(common)


def _told(results: list[Result]) -> list[tuple[object, ...]]:
    return [(type(r).__name__, r.seed, getattr(r, "deliveries", None)) for r in results]


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_the_first_seed_decides_a_search(base, name: str) -> None:
    """The same first seed gives the same runs in the same order; another one does not."""

    def runs(first: int) -> list[tuple[object, ...]]:
        return _told(list(islice(SCHEDULERS[name].runs(*base, first), 8)))

    assert runs(1) == runs(1)
    assert [d for _, _, d in runs(1)] != [d for _, _, d in runs(1001)]
    assert [1, 2, 3] == [seed for _, seed, _ in runs(1)[:3]]


def test_guided_search_finds_what_is_broken() -> None:
    """A mutant is found, by a case that repeats it alone."""
    base, fixed = swarm.base_of(None, {"options": {"mutant": "promises-anything"}})
    results = islice(SCHEDULERS["guided"].runs(base, fixed, 1), 30)
    found = next(r for r in results if isinstance(r, swarm.Found))
    again = swarm.run(found.case)
    assert isinstance(again, swarm.Found)
    assert found.fingerprint == again.fingerprint
