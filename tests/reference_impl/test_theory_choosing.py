"""How a value gets chosen: one test a statement, T10 to T23 of docs/theory.md."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.machine import Deliver, Persist, Recover, Send, Trace
from reference_impl.acceptor import Acceptor
from reference_impl.ballot import NEVER, Ballot, Ballots
from reference_impl.build import build_machine
from reference_impl.learner import Learner
from reference_impl.messages import Accept, Prepare, Promise, Proposal, Refuse, Report
from reference_impl.proposer import Proposer
from reference_impl.quorum import Tally, majority
from tests.reference_impl.world import World

KEY = "k"
THREE = ("n1", "n2", "n3")
FIVE = ("n1", "n2", "n3", "n4", "n5")
B1, B2, B3 = Ballot(1, "n1"), Ballot(2, "n2"), Ballot(3, "n3")


def synod(name: str, peers: Sequence[str], rng: Random, refusals: bool = True) -> Any:
    return build_machine(
        "synod",
        name=name,
        peers=peers,
        rng=rng,
        learning="all",
        refusals=refusals,
        reads="log",
        mutant=None,
    )


def world_of(names: Sequence[str], seed: int = 1) -> World:
    world = World(seed, names, synod)
    world.start()
    return world


def events(world: World, name: str) -> list[Any]:
    return [e for e in world.trace if e.event == name]


def three_votes() -> Learner:
    return Learner(lambda: Tally(majority(3)))


def prepared(ballot: Ballot, *promises: tuple[str, list[Report[Any]]], nodes: int = 3) -> Proposer:
    proposer = Proposer(ballot, Tally(majority(nodes)))
    for acceptor, reports in promises:
        proposer.on_promise(acceptor, reports)
    return proposer


def test_t10_one_process_holds_all_roles() -> None:
    """A node alone proposes, accepts and learns; among five, those that proposed nothing learn."""
    alone = world_of(["n1"])
    assert alone.ask("n1", f="propose", key=KEY, value="v") == {"ok": "v"}

    world = world_of(FIVE)
    world.ask("n1", f="propose", key=KEY, value="v")
    world.run(0.1)

    assert {e.node for e in events(world, "chosen")} == set(FIVE)
    assert {e.node for e in events(world, "prepare")} == {"n1"}


def test_t11_a_single_acceptor_is_correct_and_blocks_when_it_fails() -> None:
    """What one acceptor decides stands, but while it is down nobody decides or learns anything."""
    world = world_of(["n1"])
    assert world.ask("n1", f="propose", key=KEY, value="v") == {"ok": "v"}
    world.crash("n1")

    assert world.ask("n1", f="propose", key=KEY, value="w") == {}
    world.start("n1")
    assert world.ask("n1", f="propose", key=KEY, value="w") == {"ok": "v"}


def test_t12_p1_an_acceptor_accepts_the_first_proposal_it_receives() -> None:
    """P1: an acceptor that knows nothing grants any ballot, so a lone proposer has its value
    chosen."""
    for ballot in (Ballot(1, "a"), Ballot(10**9, "z")):
        assert Acceptor().accept(ballot, KEY, "v")

    world = world_of(FIVE)
    assert world.ask("n3", f="propose", key=KEY, value="v") == {"ok": "v"}


@pytest.mark.parametrize("n", range(1, 8))
def test_t13_any_two_majorities_overlap(n: int) -> None:
    """floor(N/2) + 1 is the smallest size of which any two sets of acceptors share one."""
    acceptors = range(n)
    pairs = [combinations(acceptors, size) for size in (majority(n), majority(n))]

    assert all(set(a) & set(b) for a in pairs[0] for b in combinations(acceptors, majority(n)))
    smaller = list(combinations(acceptors, majority(n) - 1))
    assert any(not set(a) & set(b) for a in smaller for b in combinations(acceptors, n // 2))


def test_t13_chosen_is_what_distinct_acceptors_accepted_under_one_ballot() -> None:
    """A vote that comes twice counts once, and votes for two ballots are not added up."""
    learner = three_votes()

    assert not learner.on_accepted("n1", B1, KEY)
    assert not learner.on_accepted("n1", B1, KEY)
    assert not learner.on_accepted("n2", B2, KEY)
    assert learner.on_accepted("n3", B1, KEY)


def test_t14_acceptors_accept_more_than_one_proposal() -> None:
    """A split vote with one acceptor down chooses nothing; a later ballot, accepted by those that
    had accepted before, does, and carries a value that was proposed."""
    a, b = Acceptor(), Acceptor()  # the third is down
    learner = three_votes()
    a.accept(B1, KEY, "v")
    b.accept(B2, KEY, "w")
    assert not learner.on_accepted("a", B1, KEY)
    assert not learner.on_accepted("b", B2, KEY)

    a.promise(B3)
    b.promise(B3)
    proposer = prepared(B3, ("a", [*a.reports(None)]), ("b", [*b.reports(None)]))
    value = proposer.value_for(KEY, "x")

    assert value == "w"
    assert a.accept(B3, KEY, value)
    assert b.accept(B3, KEY, value)
    assert [learner.on_accepted(n, B3, KEY) for n in ("a", "b")] == [False, True]


def test_t15_ballots_are_unique_and_ordered_also_across_restarts() -> None:
    """No ballot is prepared twice: not by two nodes, and not by one that crashed in between. All
    are comparable, round first."""
    assert Ballot(2, "a") > Ballot(1, "z") > Ballot(1, "a") > NEVER
    ballots = Ballots("n1")
    ballots.saw(7)
    assert [ballots.next(), ballots.next()] == [Ballot(8, "n1"), Ballot(9, "n1")]

    world = world_of(THREE)
    for number in range(6):
        for node in THREE:
            world.request(node, lambda _: None, f="propose", key=f"k{number}", value=node)
        world.run(0.02)
        world.crash("n1")  # often within a ballot, before anybody answered
        world.start("n1")
    world.run(1.0)
    used = [(e.instance, e.ballot) for e in events(world, "prepare")]

    assert len(used) > 12
    assert len(used) == len(set(used))


def test_t16_p2_proposals_above_a_chosen_one_carry_its_value() -> None:
    """P2b: once v is chosen, a proposer that has not learnt it, with a higher ballot and another
    value at heart, issues v; so P2a, acceptors accept nothing else; so P2."""
    world = world_of(THREE)
    world.partition(["n1", "n2"], ["n3"])
    assert world.ask("n1", f="propose", key=KEY, value="v") == {"ok": "v"}
    first = max(e.ballot for e in events(world, "accept"))
    world.heal()

    assert world.ask("n3", f="propose", key=KEY, value="w") == {"ok": "v"}
    later = [e for e in world.trace if e.event in ("accept", "accepted") and e.ballot > first]
    assert {e.node for e in later if e.event == "accept"} == {"n3"}
    assert {e.value for e in later} == {"v"}


ballots = st.builds(Ballot, st.integers(1, 6), st.sampled_from("abc"))
reports = st.lists(st.tuples(st.sampled_from("abcde"), ballots), min_size=0, max_size=5)


@given(reports)
def test_t17_p2c_the_value_is_that_of_the_highest_proposal_reported(
    reported: list[tuple[str, Ballot]],
) -> None:
    """P2c, against its own words: v is free if no acceptor of the majority has accepted anything;
    else no report of the majority has a higher ballot than one with the value v."""
    by_acceptor = {a: [Report(KEY, b, f"value of {b}")] for a, b in reported}
    promises = [(a, by_acceptor.get(a, [])) for a in "abc"]
    value = prepared(Ballot(9, "p"), *promises, nodes=5).value_for(KEY, "own")

    heard = [r for _, own in promises for r in own]
    if not heard:
        assert value == "own"
    else:
        assert any(
            r.value == value and all(r.ballot >= other.ballot for other in heard) for r in heard
        )


def test_t18_a_promise_is_about_the_future() -> None:
    """After a promise for n, an acceptor that has accepted nothing still accepts nothing below
    n: what the proposer was told stays true."""
    acceptor = Acceptor()
    assert acceptor.promise(B2)

    assert acceptor.reports(None) == ()
    assert not acceptor.accept(B1, KEY, "v")
    assert acceptor.reports(None) == ()


def test_t19_phase_1a_nothing_is_proposed_before_a_majority_has_promised() -> None:
    """prepare(n) goes to the acceptors; with two of five in reach no accept request follows."""
    world = world_of(FIVE)
    world.partition(["n1", "n2"], ["n3", "n4", "n5"])
    assert world.ask("n1", f="propose", key=KEY, value="v", within_s=1.0) == {}

    assert len(events(world, "prepare")) > 1
    assert {e.node for e in events(world, "promise")} == {"n1", "n2"}
    assert events(world, "accept") == []
    with pytest.raises(AssertionError):
        prepared(B1, ("n1", [])).value_for(KEY, "v")


def handle(machine: Any, message: Any) -> list[Any]:
    return list(machine.handle(Deliver("n2", message), 0.0))


@pytest.mark.parametrize("refusals", [True, False])
def test_t20_phase_1b_a_lower_prepare_is_ignored_or_refused(refusals: bool) -> None:
    """An acceptor that has promised more answers a prepare with a refusal, or with nothing; a
    promise reports the highest-numbered proposal accepted."""
    machine = synod("n1", THREE, Random(1), refusals=refusals)
    machine.handle(Recover([]), 0.0)
    handle(machine, Accept(B1, KEY, "v"))
    handle(machine, Accept(B2, KEY, "w"))
    promise = [e for e in handle(machine, Prepare(B3, KEY, None)) if isinstance(e, Send)]
    lower = [e for e in handle(machine, Prepare(B2, KEY, None)) if isinstance(e, Send)]

    assert promise == [Send("n2", Promise(B3, KEY, None, (Report(KEY, B2, "w"),)))]
    assert lower == ([Send("n2", Refuse(B2, KEY, B3))] if refusals else [])


def test_t21_phase_2a_the_highest_reported_value_or_the_proposers_own() -> None:
    """The value is that of the highest report, whoever sent it and in whatever order they came;
    reports after the majority change nothing any more."""
    low, high = Report(KEY, B1, "v"), Report(KEY, B2, "w")

    assert prepared(B3, ("n1", []), ("n2", [])).value_for(KEY, "own") == "own"
    assert prepared(B3, ("n1", [low]), ("n2", [high])).value_for(KEY, "own") == "w"
    assert prepared(B3, ("n1", [high]), ("n2", [low])).value_for(KEY, "own") == "w"
    assert prepared(B3, ("n1", []), ("n2", [low]), ("n3", [high])).value_for(KEY, "own") == "v"


def test_t22_phase_2b_accepts_unless_a_higher_number_was_promised() -> None:
    """Equal or higher is accepted, and accepting a higher number is a promise too."""
    acceptor = Acceptor()
    acceptor.promise(B2)

    assert not acceptor.accept(B1, KEY, "v")
    assert acceptor.accept(B2, KEY, "w")
    assert acceptor.accept(B3, KEY, "x")
    assert not acceptor.accept(B2, KEY, "w")
    assert acceptor.accepted[KEY] == Proposal(B3, "x")


def test_t23_what_is_answered_was_persisted_before() -> None:
    """In the effects of an acceptor the record comes before the trace, and that before the answer;
    a life that reads the records back gives the same answers."""
    machine = synod("n1", THREE, Random(1))
    machine.handle(Recover([]), 0.0)
    granted = handle(machine, Prepare(B1, KEY, None))
    accepted = handle(machine, Accept(B2, KEY, "v"))

    assert [type(e) for e in granted] == [Persist, Trace, Send]
    assert [type(e) for e in accepted] == [Persist, Trace, Send, Send]
    again = synod("n1", THREE, Random(2))
    again.handle(Recover([e.record for e in granted + accepted if isinstance(e, Persist)]), 0.0)
    sent = [e.message for e in handle(again, Prepare(B1, KEY, None)) if isinstance(e, Send)]
    assert sent == [Refuse(B1, KEY, B2)]
    sent = [e.message for e in handle(again, Prepare(B3, KEY, None)) if isinstance(e, Send)]
    assert sent == [Promise(B3, KEY, None, (Report(KEY, B2, "v"),))]


@pytest.mark.parametrize("remembers", [True, False])
def test_t23_acceptor_that_forgets_lets_a_second_value_be_chosen(remembers: bool) -> None:
    """A and B accept v under n: chosen. A restarts. If it forgot, it and C accept another value
    under n-1, and that is chosen too; if it remembers, they cannot."""
    learner = three_votes()
    a, b, c = Acceptor(), Acceptor(), Acceptor()
    a.accept(B2, KEY, "v")
    b.accept(B2, KEY, "v")
    assert [learner.on_accepted(n, B2, KEY) for n in "ab"] == [False, True]

    restarted = Acceptor()
    if remembers:
        restarted.restore_accepted(B2, KEY, "v")
    votes = [n for n, acceptor in (("a", restarted), ("c", c)) if acceptor.accept(B1, KEY, "w")]
    second = [learner.on_accepted(n, B1, KEY) for n in votes]

    assert second == ([False] if remembers else [False, True])
