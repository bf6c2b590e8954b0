"""Toy machines: each shows one thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from harness.exploration.configuration import System
from harness.machine import (
    ClientRequest,
    Deliver,
    Detected,
    Effect,
    Event,
    Machine,
    Persist,
    Recover,
    Send,
    SetTimer,
    Timeout,
    Trace,
)


def decide(value: object) -> Trace:
    return Trace("decide", {"value": value})


def alone(build: Callable[[str, Random], Machine]) -> System:
    """A system of one process, p."""
    return System(processes=("p",), build=build)


class Tosser:
    """Asked by its timer, tosses and decides what the coin says."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, Recover):
            return [SetTimer("toss", self._rng.uniform(1, 2))]
        return [decide("heads" if self._rng.random() < 0.5 else "tails")]


class Voter:
    """Votes when told to, for all to count; `voters` times the number of votes is what it holds."""

    def __init__(self, name: str, voters: Sequence[str]) -> None:
        self._name, self._voters = name, tuple(voters)
        self.votes: set[str] = set()

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, Recover) and self._name == "chair":
            return [Send(voter, "vote") for voter in self._voters]
        if isinstance(event, Deliver) and event.message == "vote":
            return [Send("chair", {"vote of": self._name})]
        if isinstance(event, Deliver):
            self.votes.add(event.message["vote of"])
        return []


def voting(voters: int) -> System:
    names = tuple(f"v{index}" for index in range(voters))

    def build(name: str, _rng: Random) -> Machine:
        return Voter(name, names)

    return System(processes=("chair", *names), build=build)


class Rememberer:
    """Persists what it is asked to, and decides what it finds after a crash."""

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, Recover):
            return [decide(next(iter(record))) for record in event.stored]
        if isinstance(event, ClientRequest):
            return [Persist((event.request["keep"],))]
        return []


class Watcher:
    """Decides what the failure detector tells."""

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, Detected):
            return [decide(f"{event.node} is {'up' if event.up else 'down'}")]
        return []


class Waverer:
    """Rings for ever between two states; asked, it decides."""

    def __init__(self) -> None:
        self._side = False

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, ClientRequest):
            return [decide("asked")]
        if isinstance(event, Timeout):
            self._side = not self._side
        return [SetTimer("ring", 1.0)]
