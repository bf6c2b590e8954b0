"""The search: complete or unknown, shortest paths, and properties of all paths."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import pytest

from harness.exploration.configuration import Limits, System, World
from harness.exploration.properties import (
    agreement,
    always,
    eventually,
    output,
    possible,
    sometimes,
    termination,
    validity,
)
from harness.exploration.reduction import search_asleep
from harness.exploration.search import Order, Outcome, search
from harness.machine import Deliver, Effect, Event, Recover, Send
from tests.harness.exploration.toys import Tosser, Waverer, alone, decide, voting

TOSSER = alone(lambda _, rng: Tosser(rng))
WAVERER = System(processes=("p",), build=lambda *_: Waverer(), requests={"p": [{}]})


@pytest.mark.parametrize("voters", [1, 2, 3])
def test_counts_are_those_of_the_definition(voters: int) -> None:
    """A vote is to come, on its way, or counted, each voter for himself: 3 to the n
    configurations, of which one is terminal; n * 2 * 3 to the n-1 transitions."""
    found = search(World(voting(voters)))
    assert 3**voters == found.configurations
    assert voters * 2 * 3 ** (voters - 1) == found.transitions
    assert (1, 2 * voters, True) == (found.terminal, found.depth, found.complete)


@pytest.mark.parametrize("order", Order)
def test_always_fails_with_a_path_to_the_failure(order: Order) -> None:
    """The coin may fall on tails."""
    world = World(TOSSER, Limits(timeouts=1))
    judgement = search(world, [validity(["heads"])], order=order).of("validity")
    assert (Outcome.FAILS, ["p sees its timer 'toss' run out (draws 1)"]) == (
        judgement.outcome,
        world.tell(judgement.schedule or ()),
    )


def test_sometimes_holds_with_a_witness_and_fails_only_when_all_was_seen() -> None:
    """Nothing is decided without a time-out; that is known, for the search was complete."""
    possibly, never = possible("heads"), World(TOSSER)
    assert Outcome.FAILS == search(never, [possibly]).of("'heads' is possible").outcome
    world = World(TOSSER, Limits(timeouts=1))
    assert Outcome.HOLDS == search(world, [possibly]).of("'heads' is possible").outcome


@pytest.mark.parametrize("budget", [{"configurations_max": 5}, {"depth_max": 2}])
def test_a_budget_that_ended_the_search_leaves_it_unknown(budget: dict[str, int]) -> None:
    """What was not seen may hold anything."""
    rules = [agreement(), possible("never")]
    found = search(World(voting(3)), rules, **budget)
    assert not found.complete
    assert [Outcome.UNKNOWN] * 2 == [judgement.outcome for judgement in found.judgements]


def test_a_budget_that_suffices_is_no_limit() -> None:
    """Exactly as many as there are."""
    assert search(World(voting(3)), configurations_max=27, depth_max=6).complete


@pytest.mark.parametrize("order", Order)
def test_a_bound_on_depth_cuts_paths_and_nothing_else(order: Order) -> None:
    """All configurations within two events of the start: 1, then 3 receipts to choose from, then a
    second voter (3) or the first vote counted (3)."""
    found = search(World(voting(3)), order=order, depth_max=2)
    assert (1 + 3 + 6, 2, False) == (found.configurations, found.depth, found.complete)


def test_sleep_sets_know_their_budget_too() -> None:
    """The same rule for the reduced search."""
    found = search_asleep(World(voting(3)), [agreement()], configurations_max=5)
    assert (False, Outcome.UNKNOWN) == (found.complete, found.of("agreement").outcome)


def test_a_violation_ends_the_search_if_asked() -> None:
    """What is found stays found: a counterexample needs no complete search."""
    world = World(TOSSER, Limits(timeouts=1))
    found = search(world, [validity([])], stop=True)
    assert (False, Outcome.FAILS) == (found.complete, found.of("validity").outcome)


def test_eventually_fails_where_nothing_more_can_happen() -> None:
    """Without a time-out the tosser never decides; the path is empty."""
    judgement = search(World(TOSSER), [termination()]).of("termination")
    assert (Outcome.FAILS, (), 0) == (judgement.outcome, judgement.schedule, judgement.cycle)


def test_eventually_fails_on_a_cycle() -> None:
    """The waverer may ring for ever before it is asked; the path closes: its last two events
    can be repeated."""
    world = World(WAVERER, Limits(timeouts=None))
    judgement = search(world, [termination()]).of("termination")
    assert (Outcome.FAILS, 2) == (judgement.outcome, judgement.cycle)
    assert judgement.schedule is not None
    start = judgement.schedule[: -judgement.cycle]
    assert world.run(world.initial, start) == world.run(world.initial, judgement.schedule)


def test_eventually_holds_where_every_path_comes_to_it() -> None:
    """With time-outs bounded by a budget the waverer must be asked at last."""
    found = search(World(WAVERER, Limits(timeouts=3)), [termination()])
    assert Outcome.HOLDS == found.of("termination").outcome


def test_eventually_is_not_lost_where_paths_join() -> None:
    """Two votes in either order lead to one configuration. That one path to it saw just v0's vote
    on the way does not help the other, on which v1's vote came first."""

    def only_v0(local_votes: tuple[object, ...]) -> bool:
        return local_votes[0] == ("v0",)

    rule = eventually("v0 is first", votes, only_v0)
    judgement = search(World(voting(2)), [rule]).of("v0 is first")
    assert Outcome.FAILS == judgement.outcome


def votes(view: object) -> tuple[str, ...]:
    machine = view.local.machine  # type: ignore[attr-defined]
    return tuple(sorted(machine.votes))


def test_a_property_of_the_future_is_not_judged_by_sleep_sets() -> None:
    """They leave out paths; the error says what to use."""
    with pytest.raises(ValueError, match=r"use search\.search"):
        search_asleep(World(voting(1)), [termination()])


class Fragile:
    """Dies of its second message."""

    def __init__(self) -> None:
        self._received = 0

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, Recover):
            return [Send("p", "one"), Send("p", "two")]
        self._received += 1
        assert self._received < 2, "cannot count further"
        return []


def test_a_machine_that_raises_is_told_with_the_path() -> None:
    """The exception is the machine's own; a note tells what happened before."""
    with pytest.raises(AssertionError, match="cannot count further") as raised:
        search(World(alone(lambda *_: Fragile())))
    [note] = raised.value.__notes__
    assert "p receives 'one' from p" in note


class Indecisive:
    """Writes its output register twice."""

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        return [decide(0), decide(1)] if not isinstance(event, Recover) else [Send("p", "go")]


def test_t30_the_output_register_is_written_once() -> None:
    """A second, different value is a violation of agreement, also by one process alone."""
    found = search(World(alone(lambda *_: Indecisive())), [agreement()])
    assert Outcome.FAILS == found.of("agreement").outcome


def test_properties_see_processes_in_order() -> None:
    """And each by name, with its messages."""
    rule = sometimes(
        "all voted",
        lambda view: (view.name, len(view.inbox)),
        {
            (("chair", 2), ("v0", 0), ("v1", 0)),
        }.__contains__,
    )
    world = World(voting(2))
    judgement = search(world, [rule]).of("all voted")
    assert judgement.schedule is not None
    assert 2 == len(judgement.schedule)
    assert (
        Outcome.HOLDS
        == search(world, [always("none", output, lambda o: not any(o))]).of("none").outcome
    )


@pytest.mark.parametrize("voters", [2, 3, 4])
def test_sleep_sets_leave_one_order_of_what_commutes(voters: int) -> None:
    """That all voters vote has n! orders, and plain search goes along n * 2 to the n-1 edges of
    their lattice; each of the 2 to the n subsets but the empty one needs one edge to be found."""
    world = World(voting(voters))
    votes_only = sum(comb(voters, k) * k for k in range(voters + 1))
    assert voters * 2 ** (voters - 1) == votes_only
    plain, reduced = search(world), search_asleep(world)
    assert plain.configurations == reduced.configurations
    assert reduced.transitions < plain.transitions - (votes_only - (2**voters - 1)) + 1


def test_sleep_sets_find_all_of_a_space_with_cycles() -> None:
    """Three processes ring without limit, each between two states, and are asked once: 4 states
    each, on cycles in every direction."""
    names = ("p", "q", "r")
    asked = {name: [{}] for name in names}
    system = System(processes=names, build=lambda *_: Waverer(), requests=asked)
    world = World(system, Limits(timeouts=None))
    assert 4**3 == search(world).configurations == search_asleep(world).configurations


class Listener:
    """At the start p sends noise and a signal; q decides at the signal, and takes no notice of the
    noise."""

    def __init__(self, name: str, _rng: object) -> None:
        self._name = name

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, Recover):
            return [Send("q", "noise"), Send("q", "signal")] if self._name == "p" else []
        return [decide(1)] if event == Deliver("p", "signal") else []


@pytest.mark.parametrize("moot", [True, False])
def test_duplicates_without_limit_can_keep_all_from_happening(moot: bool) -> None:
    """The noise may arrive again and again for ever, and change nothing: leaving out moot receipts
    (reduction, rule 1) does not hide that run."""
    world = World(System(processes=("p", "q"), build=Listener), Limits(duplicates=None), moot=moot)
    heard = eventually("heard", output, any)

    judgement = search(world, [heard]).of("heard")

    assert (Outcome.FAILS, 1) == (judgement.outcome, judgement.cycle)
