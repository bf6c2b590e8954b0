"""Machines from names: what a trial says is what its nodes are; what it misspells is refused."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from harness.machine import Deliver, Detected, Machine, Recover, Send, Trace
from reference_impl.ballot import Ballot
from reference_impl.build import simulated
from reference_impl.messages import Accept, Accepted, Prepare, Refuse
from reference_impl.multipaxos import MultiPaxos
from reference_impl.synod import Synod

PEERS = ("n2", "n3")


def machine(workload: str, **options: str) -> Machine:
    return simulated(name="n1", peers=PEERS, rng=Random(1), workload=workload, options=options)


def sent(machine: Machine, *received: Any) -> Sequence[Any]:
    """(receiver, message) of what a node sends that starts and receives these from n2."""
    events = [Recover([]), *(Deliver("n2", message) for message in received)]
    effects = [effect for event in events for effect in machine.handle(event, 0.0)]
    return [(effect.dst, effect.message) for effect in effects if isinstance(effect, Send)]


def test_the_workload_decides_the_protocol() -> None:
    """Consensus is decided by key, registers and logs live on the replicated log."""
    assert isinstance(machine("consensus"), Synod)
    assert isinstance(machine("register"), MultiPaxos)
    assert isinstance(machine("log"), MultiPaxos)


def test_options_reach_the_machine() -> None:
    """Who is told of a vote, and if a lower prepare is refused, follow the options; without them
    the defaults of system.yaml hold: a distinguished learner, and refusals."""
    higher, lower = Ballot(2, "n2"), Ballot(1, "n2")
    received = (Accept(higher, "k", "v"), Prepare(lower, "k", None))
    vote, refusal = Accepted(higher, "k", "v"), Refuse(lower, "k", higher)

    assert sent(machine("consensus"), *received) == [("n2", vote), ("n2", refusal)]
    talkative = machine("consensus", learning="all", refusals="off")
    assert sent(talkative, *received) == [("n2", vote), ("n3", vote)]


def test_a_mutant_is_an_option() -> None:
    """`mutant` builds the node of that entry of the catalogue."""
    unpromised = Accept(Ballot(1, "n2"), "k", "v")
    refusing = machine("consensus", mutant="refuses-unpromised")

    assert [type(m) for _, m in sent(refusing, unpromised)] == [Refuse]
    assert [type(m) for _, m in sent(machine("consensus"), unpromised)] == [Accepted]


@pytest.mark.parametrize(
    ("workload", "options", "hint"),
    [
        ("consenssus", {}, "consensus"),
        ("register", {"reeds": "log"}, "unknown option 'reeds'; did you mean reads"),
        ("register", {"reads": "quorom"}, "quorum"),
        ("consensus", {"refusals": "maybe"}, "'maybe'; did you mean on or off"),
        ("consensus", {"mutant": "half-qourum"}, "half-quorum"),
    ],
)
def test_what_does_not_exist_is_refused(workload: str, options: Any, hint: str) -> None:
    """A name that does not exist is answered with the nearest that does."""
    with pytest.raises(ValueError, match=hint):
        machine(workload, **options)


@pytest.mark.parametrize("workload", ["consensus", "register"])
def test_only_recover_recovers(workload: str) -> None:
    """An event that the machine has no use for changes nothing: it is no new life."""
    node = machine(workload)
    node.handle(Recover([]), 0.0)

    effects = node.handle(Detected("n2", up=False), 0.1)

    assert [e for e in effects if isinstance(e, Trace) and e.event == "restart"] == []
