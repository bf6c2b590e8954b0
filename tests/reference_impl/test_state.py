"""The state of a replica: its digest, and what the word of a failure detector does to followers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.budget import Budget
from checkers.laws import breaches
from checkers.linearizability import Linearizable
from checkers.models import Register
from checkers.verdict import Kind
from harness.machine import Deliver, Detected, Recover, Send, Trace
from reference_impl.ballot import Ballot
from reference_impl.build import simulated
from reference_impl.limits import Limits
from reference_impl.logmessages import Batch, Command
from reference_impl.messages import Prepare
from reference_impl.multipaxos import MultiPaxos
from reference_impl.records import AcceptedProposal, Learnt, Promised
from reference_impl.rules import Rules
from reference_impl.statemachine import KeyValue
from reference_impl.synod import Synod
from tests.reference_impl.chaos import Chaos, Plan
from tests.reference_impl.test_log import FIVE, led, put_many, world_of

keys = st.sampled_from("abc")
commands = st.one_of(
    st.tuples(st.just("put"), keys, st.integers(0, 2)),
    st.tuples(st.just("append"), keys, st.integers(0, 2)),
    st.tuples(st.just("cas"), keys, st.tuples(st.integers(0, 2), st.integers(0, 2))),
)
numbered = st.lists(st.tuples(commands, st.sampled_from([None, "s", "t"])), max_size=12)


def applied(state: KeyValue, asked: list[Any]) -> KeyValue:
    for number, ((f, key, value), session) in enumerate(asked):
        seq = None if session is None else number
        state.apply(Command(f"n1.1.{number}", f, key, value, session, seq))
    return state


@given(numbered, numbered)
def test_equal_digests_are_equal_states(one: list[Any], other: list[Any]) -> None:
    """Digest, rule 1: two states have one digest exactly if one dump, but for the order in which
    keys were first used."""
    a, b = applied(KeyValue(), one), applied(KeyValue(), other)

    def contents(state: KeyValue) -> Any:
        return state._values, state._sessions._last

    assert (a.digest() == b.digest()) == (contents(a) == contents(b))


@given(numbered, numbered)
def test_a_digest_does_not_depend_on_when_it_is_asked_for(
    first: list[Any], then: list[Any]
) -> None:
    """Digest, rule 2: what is carried from one to the next, or thrown away by a snapshot, changes
    nothing."""
    whole = applied(KeyValue(), first + then)
    asked = applied(KeyValue(), first)
    asked.digest()
    asked.load(asked.dump())
    asked.digest()
    for number, ((f, key, value), session) in enumerate(then, len(first)):
        seq = None if session is None else number
        asked.apply(Command(f"n1.1.{number}", f, key, value, session, seq))

    assert asked.digest() == whole.digest()


def test_a_digest_is_the_same_in_every_process() -> None:
    """Digest, rule 1: Python's own hashes differ from process to process; these must not."""
    program = (
        "from reference_impl.statemachine import KeyValue\n"
        "state = KeyValue()\n"
        "for n in range(20): state._set(f'k{n}', [n, 'x', {'y': None}])\n"
        "import json; print(json.dumps(state.digest()))"
    )
    digests = {
        json.loads(subprocess.check_output([sys.executable, "-c", program])) for _ in range(2)
    }

    assert len(digests) == 1


def test_states_are_traced_where_replicas_can_be_compared() -> None:
    """Every few slots, at snapshots and when one is installed: one digest an index, everywhere."""
    limits = Limits(snapshot_every_slots=40, retain_slots=20, state_every_slots=10)
    world, leader, followers = led(limits=limits)
    world.crash(followers[0])
    put_many(world, leader, 95)
    world.start(followers[0])
    world.run(2.0)
    states = [e for e in world.trace if e.event == "state"]

    assert {e.node for e in states} == set(FIVE)
    assert {e.index for e in states} == set(range(10, 100, 10))
    assert len({(e.index, e.digest) for e in states}) == 9
    assert [e.index for e in states if e.node == followers[0]][:2] == [80, 90]


def test_t4_a_leader_that_was_detected_is_replaced_at_once() -> None:
    """With a perfect failure detector nobody has to be patient: followers canvass on its word, and
    take no heartbeat any more that was under way. Word of others, or of a return, moves nobody."""
    world, leader, followers = led()
    heard = world.now
    for event in (Detected(followers[1], up=False), Detected(leader, up=True)):
        assert list(world.nodes[followers[0]].machine.handle(event, heard)) == []
    world.crash(leader)
    for name in followers:
        world._event(world.nodes[name], Detected(leader, up=False))
    world.run(0.05)

    assert world.leader() in followers
    assert world.now - heard < 0.1


def test_an_event_that_nobody_knows_is_no_start() -> None:
    """Only Recover begins a life; an event that a machine does not know changes nothing."""
    machine = world_of(names=("n1", "n2", "n3")).nodes["n1"].machine

    assert list(machine.handle(object(), 0.0)) == []


@pytest.mark.parametrize("type_", [MultiPaxos, Synod])
def test_messages_are_what_the_host_decodes(type_: Any) -> None:
    """Rule 5 of the machine's contract: decoded as `messages` or as plain values, a message has the
    same effects."""
    settings: dict[str, Any] = {"reads": "log"} if type_ is MultiPaxos else {}
    plain, typed = (
        type_(
            name="n1",
            peers=["n2"],
            rng=Random(1),
            learning="all",
            refusals=True,
            rules=Rules(),
            **settings,
        )
        for _ in range(2)
    )
    for machine in (plain, typed):
        machine.handle(Recover(()), 0.0)
    scope = (None, 1) if type_ is MultiPaxos else ("k", None)
    message = msgspec.msgpack.encode(Prepare(Ballot(7, "n2"), *scope))
    decoded = msgspec.msgpack.decode(message, type=type_.messages)
    effects = plain.handle(Deliver("n2", msgspec.msgpack.decode(message)), 0.1)

    assert any(isinstance(e, Send) for e in effects)
    assert typed.handle(Deliver("n2", decoded), 0.1) == effects


def build(name: str, peers: Sequence[str], rng: Random, **options: str) -> Any:
    return simulated(name=name, peers=peers, rng=rng, workload="register", options=options)


@pytest.mark.parametrize("seed", range(3))
def test_clients_may_send_again_what_they_doubt(seed: int) -> None:
    """Sessions, rule 1: in rough runs with snapshots, commands are sent up to three times through
    any nodes, and each takes effect once."""
    cutting = partial(build, snapshot_slots="60", learning=("all", "distinguished")[seed % 2])
    recording = Chaos(seed, cutting, Plan(retries=2)).run()

    assert breaches(recording.trace, recording.nodes)[0] == {}
    checker = Linearizable(Register(compare_and_set=True), Budget(time_s=10))
    assert checker.check(recording).kind is Kind.VALID


@pytest.mark.parametrize("slots", ["5", "many", "-60"])
def test_snapshots_that_leave_nothing_between_them_are_refused(slots: str) -> None:
    """Limits: a log that is cut too often retains less than is in flight."""
    with pytest.raises(ValueError, match="snapshot"):
        build("n1", ["n2"], Random(1), snapshot_slots=slots)


@pytest.mark.parametrize("promised", [Ballot(3, "n2"), Ballot(9, "n3")], ids=["same", "higher"])
def test_a_vote_of_an_earlier_life_is_traced_before_it_is_told(promised: Ballot) -> None:
    """docs/trace-format.md, order, rule 2: a power failure may keep a vote whose line was never
    written. A learner that asks for it must not hear of it before the trace does."""
    build = partial(simulated, workload="consensus", options={})
    machine = build(name="n1", peers=["n2", "n3"], rng=Random(1))
    voted = AcceptedProposal("k", Ballot(3, "n2"), "v")
    stored = [msgspec.to_builtins(r) for r in (voted, Promised("k", promised))]
    machine.handle(Recover(stored), 0.0)

    first, again = (machine.handle(Deliver("n2", ["query", "k"]), 0.1) for _ in range(2))

    traced, sent = first
    assert isinstance(sent, Send)
    assert [sent] == list(again)
    if promised == voted.ballot:
        assert Trace("accepted", {"ballot": promised, "instance": "k", "value": "v"}) == traced
    else:
        assert isinstance(traced, Trace)
        assert traced.fields["ballot"] == promised
        assert [("k", voted.ballot, "v")] == traced.fields["accepted"]


def test_votes_of_earlier_lives_are_traced_when_a_log_is_read() -> None:
    """docs/trace-format.md, order, rule 2: a node killed in a sync keeps votes, and even word of
    what was chosen by them, of which no line tells. What it says in its next life may rest on them:
    the votes under its promise are traced as such, the others by a promise that reports them."""
    machine = build("n1", ["n2", "n3"], Random(1))
    lower, promised = Ballot(2, "n3"), Ballot(3, "n2")
    votes = [AcceptedProposal(slot, b, Batch(())) for slot, b in ((1, lower), (2, promised))]
    stored = [msgspec.to_builtins(r) for r in (*votes, Learnt(2))]

    effects = machine.handle(Recover(stored), 0.0)

    traced = [e for e in effects if isinstance(e, Trace)]
    assert ["restart", "accepted", "promise"] == [e.event for e in traced[:3]]
    assert (promised, 2) == (traced[1].fields["ballot"], traced[1].fields["instance"])
    assert promised == traced[2].fields["ballot"]
    assert [(1, lower, Batch(()).name)] == traced[2].fields["accepted"]
