"""Fault schedules by Hypothesis: valid, of every kind there is, and small where they can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from harness.strategies import schedules
from harness.strategies.disrupting import survivable
from nemesis.faults import Kill, tag
from nemesis.resolution import FAULTS
from nemesis.schedule import Schedule, Step, decode, encode, mistakes_of

QUICK = settings(max_examples=25)
# Without the phase that explains, which traces every line.
FIND = settings(max_examples=500, database=None, phases=[Phase.generate, Phase.shrink])
NODES = ("n1", "n2", "n3")


def smallest(strategy: st.SearchStrategy[Schedule], such: Callable[[Schedule], bool]) -> Schedule:
    return find(strategy, such, settings=FIND)


@pytest.mark.parametrize("nodes", [1, 2, 3, 5])
@given(data=st.data())
@QUICK
def test_schedules_are_without_mistakes(nodes: int, data: st.DataObject) -> None:
    """Nothing that nemesis.schedule would refuse, for any number of nodes; through a file too."""
    names = tuple(f"n{i}" for i in range(1, nodes + 1))
    schedule = data.draw(schedules(names, kinds=tuple(FAULTS), duration_s=2.0))

    assert [] == mistakes_of(schedule, names)
    assert schedule == decode(encode(schedule))


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if kind != "upgrade"])
def test_every_kind_is_drawn_and_shrinks_to_one_of_a_tick(kind: str) -> None:
    """One fault from the start for a tenth of a second is the smallest schedule that has one."""
    found = smallest(schedules(NODES, kinds=[kind]), lambda s: bool(s.faults()))

    assert [kind] == [tag(fault) for fault in found.faults()]
    assert [0.0, 0.1] == [step.at_s for step in found.steps]


def test_upgrades_are_not_drawn() -> None:
    """To which options, nobody can guess; among other kinds they are left out."""
    with pytest.raises(ValueError, match="no fault of upgrade means anything"):
        schedules(NODES, kinds=["upgrade"])
    found = smallest(schedules(NODES, kinds=["upgrade", "kill"]), lambda s: bool(s.faults()))
    assert ["kill"] == [tag(fault) for fault in found.faults()]


def test_the_smallest_kill_is_of_the_first_node() -> None:
    """Names come before descriptions: what a reader sees is who was killed."""
    found = smallest(schedules(NODES, kinds=["kill"]), lambda s: bool(s.faults()))

    steps = (Step(0.0, 1, "start", Kill(target="n1")), Step(0.1, 1, "stop"))
    assert Schedule(3.0, 0, steps) == found


def in_force(schedule: Schedule) -> int:
    most, now = 0, 0
    for step in schedule.steps:
        now += 1 if step.action == "start" else -1
        most = max(most, now)
    return most


def test_faults_overlap() -> None:
    """Three at a time, and no more than it takes for that."""
    found = smallest(schedules(NODES), lambda s: in_force(s) == 3)

    assert 3 == len(found.faults())


def test_a_fault_may_last_until_the_final_heal() -> None:
    """A stop that would come after the end is left out."""
    found = smallest(schedules(NODES), lambda s: len(s.steps) == 1)

    assert ["start"] == [step.action for step in found.steps]


def test_no_faults_are_a_schedule_too() -> None:
    """The smallest of all, and all there is where no kind is named or no time is left."""
    empty = Schedule(3.0)
    assert empty == smallest(schedules(NODES), lambda _: True)
    assert empty == smallest(schedules(NODES, kinds=()), lambda _: True)
    assert Schedule(0.0) == smallest(schedules(NODES, duration_s=0.0), lambda _: True)


def test_by_default_only_what_a_correct_system_stands() -> None:
    """No lies, no altered messages, no damaged disks, nor what few systems offer; all the rest."""
    beyond = {"betray", "corrupt", "corrupt-disk", "truncate-disk"}
    rare = {"fail-disk", "remove-member", "upgrade"}
    assert beyond | rare == set(FAULTS) - set(survivable())


@given(schedules(NODES, kinds=["corrupt-disk"]))
@QUICK
def test_disks_are_damaged_only_where_consensus_survives_it(schedule: Schedule) -> None:
    """The fault chooses whom: never more nodes than may lose what they stored."""
    assert {"expendable"} >= {fault.target for fault in schedule.faults()}  # type: ignore[union-attr]


class Melt(msgspec.Struct, frozen=True, tag="melt", tag_field="fault"):
    """A kind of fault that nobody has thought of yet."""

    target: str = "one"
    share: float = 0.5
    nodes: tuple[str, ...] = ()


def test_a_new_kind_can_be_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds and fields are read off the faults; there is no list to forget."""
    registry: dict[str, Any] = FAULTS
    monkeypatch.setitem(registry, "melt", Melt)

    found = smallest(schedules(NODES, kinds=["melt"]), lambda s: bool(s.faults()))

    assert ("n1", 0.5) == (found.faults()[0].target, found.faults()[0].share)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: schedules(NODES, kinds=["partitoin"]), "did you mean 'partition'"),
        (lambda: schedules(()), "no fault of"),
        (lambda: schedules(("n1",), kinds=["lose"]), "with 1 nodes"),
    ],
)
def test_a_wrong_request_is_refused_with_words(wrong: Callable[[], Any], sentence: str) -> None:
    """Where the strategy is made, not where it is drawn from."""
    with pytest.raises(ValueError, match=sentence):
        wrong()
