"""Run a generator against an imagined system: no threads, no waiting, the same every time.

This is the test kit for generators, yours included: it gives the history that a run would give if
the system behaved like `system`, in virtual time, through the same roster as a real run.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random
from typing import Any

from checkers.history import Operation, Outcome
from harness.generators.contract import Generator, GeneratorError, Invocation
from harness.generators.roster import Roster

# What the imagined system does with an invocation: latency in ns, outcome, value.
Response = tuple[int, Outcome, Any]
ImaginedSystem = Callable[[Operation, Random], Response]


def perfect(invocation: Operation, _random: Random) -> Response:
    """Everything succeeds after 10 ns, with the value it was given."""
    return 10, "ok", invocation.value


def refuses(invocation: Operation, _random: Random) -> Response:
    """Everything fails, certainly, after 10 ns."""
    return 10, "fail", invocation.value


def times_out(invocation: Operation, _random: Random) -> Response:
    """Nothing is ever known: info after 100 ns."""
    return 100, "info", invocation.value


def unreliable(invocation: Operation, random: Random) -> Response:
    """A third each of ok, fail and info, after up to 50 ns."""
    outcome: Outcome = ("ok", "fail", "info")[random.randrange(3)]
    return 1 + random.randrange(50), outcome, invocation.value


def simulate(
    generator: Generator,
    *,
    workers: int = 2,
    seed: int = 0,
    system: ImaginedSystem = perfect,
    operations_max: int = 1000,
) -> list[Operation]:
    """The history of the generator against `system`, until it is exhausted or has invoked
    `operations_max` operations; what is in flight then still completes.

    Raises GeneratorError where a real run would: a broken contract, or Pending with nothing left
    to wait for.
    """
    return _Simulation(workers, seed, system).run(generator, operations_max)


class _Simulation:
    def __init__(self, workers: int, seed: int, system: ImaginedSystem) -> None:
        self.roster = Roster(workers, seed)
        self.random = Random(seed)
        self.system = system
        self.time_ns = 0
        self.history: list[Operation] = []
        self.due: list[tuple[int, int, int, Operation, Response]] = []

    def run(self, generator: Generator, operations_max: int) -> list[Operation]:
        left = operations_max
        while left:
            generator = self._complete_until(self.time_ns, generator)
            if not self.roster.free:
                self.time_ns = self.due[0][0]
                continue
            answer, after = self.roster.ask(generator, self.time_ns)
            if answer is None:
                break
            if isinstance(answer, Invocation):
                generator = self._invoke(answer, after)
                left -= 1
            else:
                self._wait(answer.until_ns)
        while self.due:
            self.time_ns = self.due[0][0]
            generator = self._complete_until(self.time_ns, generator)
        return self.history

    def _wait(self, until_ns: int | None) -> None:
        moments = [self.due[0][0]] if self.due else []
        if until_ns is not None:
            moments.append(until_ns)
        if not moments:
            raise GeneratorError(stuck())
        self.time_ns = max(self.time_ns, min(moments))

    def _invoke(self, answer: Invocation, after: Generator) -> Generator:
        process = self.roster.take(answer.worker)
        invoke = self._record(process, "invoke", answer.f, answer.value, answer.key)
        response = self.system(invoke, self.random)
        entry = (self.time_ns + response[0], invoke.index, answer.worker, invoke, response)
        heapq.heappush(self.due, entry)
        return self.roster.tell(after, self.time_ns, invoke)

    def _complete_until(self, time_ns: int, generator: Generator) -> Generator:
        while self.due and self.due[0][0] <= time_ns:
            _, _, worker, invoke, (_, outcome, value) = heapq.heappop(self.due)
            self.roster.release(worker)
            event = self._record(invoke.process, outcome, invoke.f, value, invoke.key)
            generator = self.roster.tell(generator, self.time_ns, event)
            if outcome == "info":
                self.roster.retire(worker)
        return generator

    def _record(self, process: int | str, kind: Any, f: str, value: Any, key: Any) -> Operation:
        operation = Operation(len(self.history), self.time_ns, process, kind, f, value, key)
        self.history.append(operation)
        return operation


def stuck() -> str:
    """What to say of a generator that waits for nothing."""
    return (
        "the generator is pending, no operation is in flight and it names no moment to ask again: "
        "it would wait for ever. Answer None when exhausted, or Pending(until_ns)."
    )
