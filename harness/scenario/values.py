"""Scenarios as values: the schedule of a bug, written by hand.

Rules
1. A scenario says what is done and what is waited for, in order; when, it says only where time is
   the point. The same scenario runs on every kind of cluster.
2. Whoever is meant is a word (see harness.scenario.names), resolved when the step is taken. A name
   that `into` binds keeps its nodes from then on, whatever becomes of them.
3. Every wait has a limit. One that runs out says that the schedule was not reached, and nothing
   about the system.
4. Steps come one after another. Together lets branches run side by side; an operation that is not
   awaited runs beside all that follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from nemesis.faults import Fault

WAIT_LIMIT_S = 10.0

Outcome = Literal["ok", "fail", "info"]


class _Value(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What all values here are: closed, and short when written."""


# --- what is waited for ---


class Leader(_Value, frozen=True, tag="leader"):
    """known: a node says that it leads. changed: another than those of `than` does. none: nobody
    says so. `into`: the name that the leader gets."""

    becomes: Literal["known", "changed", "none"] = "known"
    than: str = ""
    into: str = ""


class Passed(_Value, frozen=True, tag="passed"):
    """So many operations have ended, of anybody, with `outcome` (None: any), of this `f`, at one of
    these nodes, with this `key` and this `value` (of the request or the answer); None: any."""

    operations: int = 1
    f: str | None = None
    at: str | None = None
    key: Any = None
    value: Any = None
    outcome: Outcome | None = "ok"


class Logged(_Value, frozen=True, tag="logged"):
    """A line of the log or of the trace of one of these nodes holds what the regular expression
    `pattern` finds. `into`: the name that the node gets."""

    pattern: str
    at: str = "all"
    into: str = ""


class Ready(_Value, frozen=True, tag="ready"):
    """Each of these nodes serves clients."""

    at: str


class State(_Value, frozen=True, tag="state"):
    """The process of each of these nodes is in this state."""

    at: str
    state: Literal["running", "paused", "dead"]


class Elapsed(_Value, frozen=True, tag="elapsed"):
    """Time has passed: between `least_s` and `most_s` seconds, drawn from the seed of the run."""

    least_s: float
    most_s: float


Condition = Leader | Passed | Logged | Ready | State | Elapsed


# --- steps ---


class Wait(_Value, frozen=True, tag="wait", tag_field="step"):
    """Until the condition holds, at most `within_s` seconds. Lines and operations count from the
    beginning of the step before, or from the end of the wait before."""

    condition: Condition
    within_s: float = WAIT_LIMIT_S


class Expect(_Value, frozen=True):
    """How an operation must end for the schedule to be reached. `value`: of the answer."""

    outcome: Outcome = "ok"
    value: Any | msgspec.UnsetType = msgspec.UNSET


class Do(_Value, frozen=True, tag="do", tag_field="step"):
    """A client operation at one of the nodes of `at`. `later`: the script goes on at once. `into`:
    the name of its result, else its `f`. `again_s`: where it does not end as expected, it is tried
    again for so long, each time at a node that `at` then means."""

    f: str
    at: str = "any"
    key: Any = None
    value: Any = None
    later: bool = False
    into: str = ""
    expect: Expect | None = None
    again_s: float = 0.0


class Await(_Value, frozen=True, tag="await", tag_field="step"):
    """Until these operations, started before, have ended."""

    operations: tuple[str, ...]


class Break(_Value, frozen=True, tag="break", tag_field="step"):
    """A fault, in force when this step ends. Its target, nodes and links may use the words of the
    script. `into`: the name by which it is healed."""

    fault: Fault
    into: str = ""


class Heal(_Value, frozen=True, tag="heal", tag_field="step"):
    """Undo these faults, by name; all, where none is named."""

    faults: tuple[str, ...] = ()


class Let(_Value, frozen=True, tag="let", tag_field="step"):
    """Bind names to the nodes that words mean now."""

    names: Mapping[str, str]


class Together(_Value, frozen=True, tag="together", tag_field="step"):
    """Branches of steps, side by side, each to its end."""

    branches: tuple[tuple[Step, ...], ...]


Step = Wait | Do | Await | Break | Heal | Let | Together


# --- scenarios ---


class Hit(_Value, frozen=True):
    """What counts as a hit: the run is INVALID (and broke `law`, if one is named), or these results
    of operations, by name, are as given."""

    law: str = ""
    results: Mapping[str, Any] = {}


class Repeat(_Value, frozen=True):
    """At most so many tries, none begun after `budget_s` seconds of real time."""

    tries: int = 20
    budget_s: float = 120.0


class Scenario(_Value, frozen=True):
    """`trial`: the settings of the trial that it belongs to; those left open, flags give. `load`:
    does the trial's usual load run beside the script?"""

    name: str
    steps: tuple[Step, ...]
    trial: Mapping[str, Any] = {}
    load: bool = True
    hit: Hit = Hit()
    repeat: Repeat = Repeat()

    def all_steps(self) -> Iterator[tuple[str, Step]]:
        """Every step with its number ('3', and '4.2.1' for the first of the second branch of step
        4), in the order in which they are written."""
        return _numbered(self.steps)

    def faults(self) -> tuple[Fault, ...]:
        """As written: their words are not resolved."""
        return tuple(step.fault for _, step in self.all_steps() if isinstance(step, Break))

    def operations(self) -> tuple[str, ...]:
        """The names of the operations that it does, each once."""
        return tuple(dict.fromkeys(s.f for _, s in self.all_steps() if isinstance(s, Do)))

    def lanes(self) -> int:
        """How many of its operations may be open at once at one node, at most; at least 1."""
        return max(1, _open_at_once(self.steps))

    def workers(self, clients: int, nodes: int) -> int:
        """How many workers its run has: those of the load first, if there is one, then so many
        for each node that the script never waits for one."""
        return self.load_workers(clients) + self.lanes() * nodes

    def load_workers(self, clients: int) -> int:
        return clients if self.load else 0


def _numbered(steps: Sequence[Step], before: str = "") -> Iterator[tuple[str, Step]]:
    for place, step in enumerate(steps, 1):
        number = f"{before}{place}"
        yield number, step
        if isinstance(step, Together):
            for branch, inner in enumerate(step.branches, 1):
                yield from _numbered(inner, f"{number}.{branch}.")


def _open_at_once(steps: Sequence[Step]) -> int:
    """Those not awaited are taken to stay open; of the others one at a time."""
    lasting = at_most = 0
    for step in steps:
        if isinstance(step, Do):
            lasting += step.later
            at_most = max(at_most, lasting + (not step.later))
        elif isinstance(step, Together):
            inside = sum(_open_at_once(branch) for branch in step.branches)
            at_most = max(at_most, lasting + inside)
            lasting += sum(_left_open(branch) for branch in step.branches)
    return max(at_most, lasting)


def _left_open(steps: Sequence[Step]) -> int:
    own = sum(isinstance(step, Do) and step.later for step in steps)
    inside = [b for s in steps if isinstance(s, Together) for b in s.branches]
    return own + sum(_left_open(branch) for branch in inside)
