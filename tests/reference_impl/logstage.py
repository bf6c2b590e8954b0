"""A stage for schedules of the replicated log: messages arrive by themselves, a leader is there.

Rules
1. A message takes a millisecond, a write to disk no time: what a schedule does not hinder happens
   within a few milliseconds, always in the same way.
2. Otherwise as on the stage: played by a mutant, which must break what its entry names, and by the
   reference, which must break nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from checkers.history import Operation
from reference_impl.mutants import CATALOGUE
from tests.reference_impl.stage import FIVE, Stage

LATENCY_S = 0.001
SNAPSHOT_SLOTS = 40
Begin = Callable[[], "LogStage"]


def versus(name: str, **options: str) -> pytest.MarkDecorator:
    """The test is played by the mutant and by the reference, both with the mutant's options."""
    entry = next(m for m in CATALOGUE if m.name == name)
    options = {**entry.options, **options}
    begins = [partial(LogStage, name, **options), partial(LogStage, None, **options)]
    return pytest.mark.parametrize("begin", begins, ids=[name, "reference"])


class LogStage(Stage):
    """`leader` leads, `followers` are the others; nothing is in the log yet."""

    def __init__(self, mutant: str | None, **options: str) -> None:
        super().__init__(mutant, "register", **{"learning": "distinguished", **options})
        self.flow(LATENCY_S)
        self.leader = self.world.await_leader()
        self.followers = [n for n in FIVE if n != self.leader]
        self.wait(0.1)

    def split(self, *group: str) -> list[str]:
        """Cut `group` off from the others, whose names are returned."""
        others = [n for n in FIVE if n not in group]
        self.world.partition(group, others)
        return others

    def await_successor(self, *among: str) -> str:
        """Run until one of `among` has come to lead; its name."""
        begun = len(self.world.trace)
        self.wait(
            3.0,
            lambda: any(e.event == "leader" and e.node in among for e in self.world.trace[begun:]),
        )
        leading = [e.node for e in self.world.trace[begun:] if e.event == "leader"]
        assert leading, f"none of {among} came to lead"
        return leading[-1]

    def lose_messages(self, *kinds: type, src: str | None = None, dst: str | None = None) -> None:
        """Messages of these kinds, from all to all or as named, are lost until `deliver_all`."""
        self.world.drop = lambda s, d, message: (
            isinstance(message, kinds) and src in (None, s) and dst in (None, d)
        )

    def deliver_all(self) -> None:
        self.world.drop = lambda _src, _dst, _message: False

    def done(self, f: str, node: str, value: Any = None, key: str = "k") -> None:
        """Ask, and run until the answer is there and not a moment longer."""
        self.ask(f, node, value, key)
        process = max(self._open)
        self.wait(3.0, lambda: process not in self._open)
        assert process not in self._open, f"{node} did not answer {f}"

    def fill(self, slots: int) -> None:
        """One write after another, each to a key of its own and in a slot of its own."""
        for number in range(slots):
            self.done("write", self.leader, number, key=f"slot {number + 1}")

    def read_all(self, node: str) -> None:
        for key in sorted({o.key for o in self._operations if isinstance(o.key, str)}):
            self.done("read", node, key=key)

    def ask_in_session(self, f: str, node: str, value: Any, session: str, seq: int) -> Operation:
        """As `ask`, by a client that can be known again; its request may be sent `again`."""
        process = len(self._operations)
        self._open[process] = self._record(process, "invoke", f, value, "k", node)
        self._send(node, process, session=session, seq=seq)
        self.wait(0.02)
        return self._operations[process]

    def again(self, asked: Operation, node: str, session: str, seq: int) -> None:
        """The client has no answer yet, and asks another node."""
        self._open.setdefault(int(asked.process), asked)
        self._send(node, int(asked.process), session=session, seq=seq)
        self.wait(0.02)

    def serve_again(self) -> None:
        """All faults are gone, and clients try for longer than a healed system may need."""
        self.healed()
        for node in FIVE:
            self.ask("write", node, f"by {node}", key="at last")
        self.wait(3.5)
        self.ask("read", FIVE[0], key="at last")
        self.wait(0.5)
