"""Learning and progress: one test a statement, T24 to T28 of docs/theory.md."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from checkers.laws import breaches
from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot
from reference_impl.build import build_machine
from reference_impl.messages import Accepted
from reference_impl.proposer import Proposer
from reference_impl.quorum import Tally, majority
from tests.reference_impl.world import World

KEY = "k"
THREE = ("n1", "n2", "n3")
FIVE = ("n1", "n2", "n3", "n4", "n5")


def world_of(
    protocol: str, names: Sequence[str], seed: int = 1, learning: str = "all", reads: str = "quorum"
) -> World:
    def build(name: str, peers: Sequence[str], rng: Random) -> Any:
        return build_machine(
            protocol,
            name=name,
            peers=peers,
            rng=rng,
            learning=learning,
            refusals=True,
            reads=reads,
            mutant=None,
        )

    world = World(seed, names, build)
    world.start()
    return world


@pytest.mark.parametrize(
    ("learning", "accepted", "chosen"), [("all", 20, 0), ("distinguished", 4, 4)]
)
def test_t24_learning_costs_messages_by_its_way(learning: str, accepted: int, chosen: int) -> None:
    """Every acceptor to every learner: N(N-1) messages. To a distinguished learner which tells
    the rest: 2(N-1). All learn the same either way."""
    world = world_of("synod", FIVE, learning=learning)
    world.ask("n1", f="propose", key=KEY, value="v")
    world.run(0.05)

    assert (world.sent.get("accepted", 0), world.sent.get("chosen", 0)) == (accepted, chosen)
    assert [world.ask(n, f="learn", key=KEY) for n in FIVE] == [{"ok": "v"}] * 5


def test_t25_who_missed_the_reports_learns_from_the_next_proposal() -> None:
    """n1 and n2 accept v: chosen, but every report is lost, and n2 fails. Asking finds no
    majority; the next proposal, of another value, is chosen as v and taught to all."""
    world = world_of("synod", THREE)
    world.drop = lambda src, dst, message: isinstance(message, Accepted) or "n3" in (src, dst)
    assert world.ask("n1", f="propose", key=KEY, value="v", within_s=0.05) == {}
    assert {e.node for e in world.trace if e.event == "accepted"} == {"n1", "n2"}
    world.crash("n1", "n2")
    world.drop = lambda *_: False
    world.start("n1")

    assert world.ask("n3", f="learn", key=KEY) == {"ok": None}
    assert world.ask("n3", f="propose", key=KEY, value="w") == {"ok": "v"}
    world.run(0.05)
    assert world.ask("n1", f="learn", key=KEY) == {"ok": "v"}


def test_t26_two_proposers_can_outbid_each_other_for_ever() -> None:
    """Each prepares a higher number before the other's accept requests arrive: they are refused,
    and so on. Nothing is accepted, let alone chosen; nor is anything wrong."""
    acceptors = {name: Acceptor() for name in "abc"}

    def prepare(ballot: Ballot) -> Proposer:
        proposer = Proposer(ballot, Tally(majority(3)))
        for name, acceptor in acceptors.items():
            assert acceptor.promise(ballot)
            proposer.on_promise(name, acceptor.reports(None))
        return proposer

    rival = prepare(Ballot(1, "p1"))
    for number in range(2, 200):
        newer = prepare(Ballot(number, "p1" if number % 2 else "p2"))
        value = rival.value_for(KEY, "v")
        assert not any(a.accept(rival.ballot, KEY, value) for a in acceptors.values())
        rival = newer


def test_t26_random_delays_end_the_duel() -> None:
    """Five proposers of one key, at once and again and again: delays that are random and grow let
    one through, within a second each time."""
    world = world_of("synod", FIVE)
    for number in range(20):
        answers: list[Any] = []
        for node in FIVE:
            world.request(node, answers.append, f="propose", key=f"k{number}", value=node)
        world.run(1.0, until=lambda a=answers: len(a) == 5)
        assert len(answers) == 5
        assert len({a["ok"] for a in answers}) == 1


@pytest.mark.parametrize("seed", range(5))
def test_t27_a_failed_leader_is_replaced_within_two_seconds(seed: int) -> None:
    """A leader is there 2 s after the start and 2 s after its crash, and what was written stays."""
    world = world_of("multipaxos", FIVE, seed)
    first = world.await_leader(within_s=2.0)
    assert world.ask(first, f="put", key=KEY, value="v") == {"ok": None}
    world.crash(first)

    second = world.await_leader(within_s=2.0)
    assert second != first
    assert world.ask(second, f="get", key=KEY) == {"ok": "v"}


def test_t27_two_leaders_at_once_are_safe() -> None:
    """The leader is cut off with one follower and believes in itself for a while, beside a new
    one. It gets nothing chosen, answers no read, and gives up; the log stays one."""
    world = world_of("multipaxos", FIVE)
    old = world.await_leader()
    friend = next(n for n in FIVE if n != old)
    others = [n for n in FIVE if n not in (old, friend)]
    world.ask(old, f="put", key=KEY, value="v")
    world.partition([old, friend], others)
    lost: list[Any] = []
    world.request(old, lost.append, f="put", key=KEY, value="never")
    new = world.await_leader()
    assert world.status(old)["leading"]
    assert world.status(new)["leading"]
    stale: list[Any] = []
    world.request(old, stale.append, f="get", key=KEY)
    assert world.ask(new, f="put", key=KEY, value="w") == {"ok": None}
    world.run(2.0)
    assert not world.status(old)["leading"]
    assert [a["error"]["code"] for a in lost] == ["leadership-lost"]
    assert [a["error"]["code"] for a in stale] == ["no-leader"]
    world.heal()
    world.run(1.0)

    assert [world.ask(n, f="get", key=KEY) for n in FIVE] == [{"ok": "w"}] * 5
    broken, judged = breaches(world.trace, FIVE)
    assert broken == {}
    assert "chosen-once" in judged


@pytest.mark.parametrize("protocol", ["synod", "multipaxos"])
def test_t28_f_failures_of_2f_plus_1_are_survived_and_one_more_stops(protocol: str) -> None:
    """With two of five down things get decided; with three down nothing does, and nothing wrong
    is said; with one back, they do again."""
    f, read = ("propose", "learn") if protocol == "synod" else ("put", "get")
    world = world_of(protocol, FIVE)
    world.run(1.0)
    world.crash("n4", "n5")
    world.run(2.0)
    assert "ok" in world.ask("n1", f=f, key="two down", value="v")
    world.crash("n3")
    world.run(2.0)
    stopped = world.ask("n1", f=f, key="three down", value="v", within_s=2.0)
    assert "ok" not in stopped
    world.start("n3")
    world.run(1.0)

    assert "ok" in world.ask("n2", f=f, key="two down again", value="v")
    assert world.ask("n3", f=read, key="two down") == {"ok": "v"}
    assert breaches(world.trace, FIVE)[0] == {}
