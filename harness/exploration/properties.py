"""Properties: what must hold always, sometimes, or eventually.

Rules
1. A property looks at every process through `of`, and judges the tuple of what it saw. What `of`
   says of a cell and what `test` says of a tuple is remembered: judging a configuration is a few
   look-ups.
2. always: in every configuration. sometimes: in at least one. eventually: on every maximal path,
   that is one which ends where nothing more can happen, or never ends; a cycle counts, also one
   that no fair schedule would repeat for ever.
3. `test` must be a function of what `of` gave, and `of` of the state it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from harness.exploration.configuration import Configuration, World
from harness.exploration.process import Envelope, Local


class Kind(StrEnum):
    ALWAYS = "always"
    SOMETIMES = "sometimes"
    EVENTUALLY = "eventually"


class View(NamedTuple):
    """One process in a configuration: its state and the messages on their way to it."""

    name: str
    local: Local
    inbox: tuple[Envelope, ...]


class Property(msgspec.Struct, frozen=True):
    """`test` judges, in the order of the processes, what `of` saw of each."""

    name: str
    kind: Kind
    of: Callable[[View], Hashable]
    test: Callable[[tuple[Any, ...]], bool]


def always(
    name: str, of: Callable[[View], Hashable], test: Callable[[tuple[Any, ...]], bool]
) -> Property:
    return Property(name, Kind.ALWAYS, of, test)


def sometimes(
    name: str, of: Callable[[View], Hashable], test: Callable[[tuple[Any, ...]], bool]
) -> Property:
    return Property(name, Kind.SOMETIMES, of, test)


def eventually(
    name: str, of: Callable[[View], Hashable], test: Callable[[tuple[Any, ...]], bool]
) -> Property:
    return Property(name, Kind.EVENTUALLY, of, test)


def output(view: View) -> Hashable:
    """The values the output register was given."""
    return view.local.decisions


def agreement() -> Property:
    """No two decisions differ, of two processes or of one: partial correctness, first half."""

    def one(outputs: tuple[Any, ...]) -> bool:
        return len({value for values in outputs for value in values}) <= 1

    return always("agreement", output, one)


def validity(proposed: Iterable[Hashable]) -> Property:
    """Whatever is decided was proposed."""
    allowed = frozenset(proposed)

    def allowed_only(outputs: tuple[Any, ...]) -> bool:
        return all(value in allowed for values in outputs for value in values)

    return always("validity", output, allowed_only)


def possible(value: Hashable) -> Property:
    """Some process decides `value` in some configuration."""
    return sometimes(
        f"{value!r} is possible", output, lambda outputs: any(value in o for o in outputs)
    )


def termination() -> Property:
    """On every path all processes decide that are not down."""

    def settled(view: View) -> Hashable:
        return view.local.machine is None or bool(view.local.decisions)

    return eventually("termination", settled, all)


class Judge:
    """A property in a world: judge(configuration) is what `test` says there."""

    def __init__(self, world: World, rule: Property) -> None:
        self.rule = rule
        self._world = world
        self._seen: dict[int, Hashable] = {}  # by cell
        self._verdicts: dict[tuple[Hashable, ...], bool] = {}

    def __call__(self, configuration: Configuration) -> bool:
        seen = self._seen
        try:
            saw = tuple([seen[cell] for cell in configuration[:-1]])
        except KeyError:
            saw = tuple([self._look(cell) for cell in configuration[:-1]])
        verdict = self._verdicts.get(saw)
        if verdict is None:
            verdict = self._verdicts[saw] = self.rule.test(saw)
        return verdict

    def _look(self, cell: int) -> Hashable:
        if cell not in self._seen:
            processes = self._world.processes
            state, inbox = self._world.cells.known[cell]
            local = processes.locals[state]
            name = processes.system.processes[local.process]
            carried = tuple(processes.envelopes[message] for message in inbox)
            self._seen[cell] = self.rule.of(View(name, local, carried))
        return self._seen[cell]
