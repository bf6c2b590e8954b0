"""Directed runs: a path that an explorer found, played by other means."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec
import pytest

from checkers.laws import breaches
from checkers.trace import TraceEvent
from harness.exploration.configuration import World
from harness.exploration.paths import as_steps
from harness.exploration.properties import agreement
from harness.exploration.search import search
from harness.machine import (
    CancelTimer,
    ClientRequest,
    Deliver,
    Effect,
    Event,
    Machine,
    Persist,
    Recover,
    Reply,
    Send,
    SetTimer,
    Timeout,
    Trace,
)
from harness.simulation.directed import Directed, StepError
from harness.steps import Asking, Crash, Delivery, Firing, Start, Step
from tests.harness.exploration.reference import synod


class Toy:
    """Tells its peer what it is asked, sets a timer at its start, and stores what it hears."""

    def __init__(self, name: str) -> None:
        self._peer = {"a": "b", "b": "a"}[name]

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        match event:
            case Recover():
                return [
                    SetTimer("t", 1),
                    SetTimer("u", 1),
                    Trace("start", {"n": len(event.stored)}),
                ]
            case ClientRequest():
                return [Send(self._peer, event.request["value"]), Reply(event.id, {"ok": None})]
            case Deliver():
                return [Persist(event.message), Trace("heard", {"value": event.message})]
            case Timeout():
                return [CancelTimer("u")]
        return []


def toy(name: str) -> Machine:
    return Toy(name)


ASKED: list[Step] = [
    Start(node="a"),
    Start(node="b"),
    Asking(node="a", request={"f": "put", "value": 1}),
    Asking(node="a", request={"f": "put", "value": 2}),
]


def test_nothing_happens_unless_a_step_says_so() -> None:
    """Rule 1: messages arrive when and as often as told, in any order; a crash keeps what was
    persisted."""
    played = Directed(["a", "b"], toy).play(
        [
            *ASKED,
            Delivery(node="b", src="a", number=1),
            Delivery(node="b", src="a", number=1),
            Firing(node="b", name="t"),
            Crash(node="b"),
            Start(node="b"),
            Delivery(node="b", src="a", number=0),
        ]
    )
    heard = [line for line in played.lines if b"heard" in line]
    assert [2, 2, 1] == [int(line.rsplit(b":", 1)[1][:-1]) for line in heard]
    assert b'"n":2' in next(line for line in reversed(played.lines) if b'"start"' in line)
    assert [("a", {"ok": None})] * 2 == list(played.replies)
    assert ["start", "event", "start"] == [e.what for e in played.world][:3]


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([Start(node="z")], "step 0: there is no node 'z'"),
        ([Firing(node="a", name="t")], "step 0: a is down and cannot timeout"),
        ([*ASKED, Start(node="a")], "step 4: a runs already"),
        ([*ASKED, Crash(node="a"), Crash(node="a")], "step 5: a is down and cannot crash"),
        (
            [*ASKED, Delivery(node="b", src="a", number=2)],
            r"step 4: a has sent 2 messages to b, and number 2 \(from 0\) is to arrive",
        ),
        ([*ASKED, Firing(node="a", name="x")], "step 4: a has no timer 'x'; it has t, u"),
        (
            [*ASKED, Firing(node="a", name="t"), Firing(node="a", name="u")],
            "step 5: a has no timer 'u'; it has none",
        ),
        (
            [*ASKED, Crash(node="a"), Asking(node="a", request={})],
            "step 5: a is down and cannot request",
        ),
    ],
)
def test_a_step_that_cannot_happen_is_refused(steps: list[Step], sentence: str) -> None:
    """Rule 2: the sentence says which and why."""
    with pytest.raises(StepError, match=sentence):
        Directed(["a", "b"], toy).play(steps)


def test_a_path_of_the_explorer_breaks_the_law_in_the_simulator() -> None:
    """T18: the explorer's shortest path to two chosen values, where acceptors accept below their
    promise, is played by this host, and the laws name the broken promise."""
    world = World(synod(3, 2, mutant="accepts-below-promise"), moot=False)
    schedule = search(world, [agreement()], stop=True).of("agreement").schedule
    assert schedule is not None
    directed = Directed(world.system.processes, lambda name: world.system.build(name, Random(1)))

    played = directed.play(as_steps(world, schedule))

    trace = [msgspec.json.decode(line, type=TraceEvent) for line in played.lines]
    broken, _ = breaches(trace, world.system.processes)
    assert {"promise-kept", "chosen-once"} <= broken.keys()
    assert played.world[-1].time == len(as_steps(world, schedule)) * 1_000_000
