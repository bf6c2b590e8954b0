"""The monotonic clocks of hosts: by how much each differs from ours, and traces told in our time.

Rules
1. A host's clock is asked between two looks at our own: its offset is known to half of that round
   trip, and the shortest of several is kept.
2. It is asked at the start and at the end. What it gained in between is part of the error, for a
   trace is rewritten with one offset; the error bound is told.
3. An offset within its error is none: hosts on one machine share its clock, and a rewriting by
   noise would reorder what that clock had in order.
4. A line of a trace that is not one is kept as it is: the reader of traces complains better.

Source: Cristian, Probabilistic clock synchronization (1989).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.clock import monotonic_ns
from harness.clusters.ssh.connection import Connection, Cut
from harness.clusters.ssh.survey import Facts
from harness.contracts import EnvironmentTrouble

ROUNDS = 8
PYTHON = "import sys,time\nfor line in sys.stdin:\n print(time.monotonic_ns(),flush=True)"
PERL = (
    "use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC); $|=1; "
    'while (<STDIN>) { printf "%.0f\\n", clock_gettime(CLOCK_MONOTONIC)*1e9 }'
)


class Offset(msgspec.Struct, frozen=True):
    """A host's clock is ahead of ours by `ahead_ns`, give or take `error_ns`."""

    ahead_ns: int
    error_ns: int


def teller(facts: Facts, python: str) -> Sequence[str]:
    """The command that answers each line with the host's clock; empty if it has none."""
    if facts.has_python:
        return (python, "-ISc", PYTHON)
    return ("perl", "-e", PERL) if facts.has_perl else ()


def ask(connection: Connection, command: Sequence[str]) -> Offset:
    """The offset now. Blocks. Raises EnvironmentTrouble."""
    asked: list[Offset] = []
    try:
        with connection.conversation(command) as say:
            for _ in range(ROUNDS):
                before_ns = monotonic_ns()
                theirs_ns = int(say(b"?"))
                after_ns = monotonic_ns()
                middle_ns = (before_ns + after_ns) // 2
                asked.append(Offset(theirs_ns - middle_ns, (after_ns - before_ns + 1) // 2))
    except (Cut, ValueError) as wrong:
        raise EnvironmentTrouble(
            f"node {connection.name}'s host {connection.target} does not tell its monotonic clock "
            f"('{command[0]} ...' answered {wrong}): is its python broken?"
        ) from wrong
    return min(asked, key=lambda offset: offset.error_ns)


def over(first: Offset, last: Offset) -> Offset:
    """The offset of a whole run, from those at its ends."""
    error_ns = max(first.error_ns, last.error_ns) + abs(last.ahead_ns - first.ahead_ns) // 2
    ahead_ns = (first.ahead_ns + last.ahead_ns) // 2
    return Offset(0 if abs(ahead_ns) <= error_ns else ahead_ns, error_ns)


def rewrite(trace: Path, offset: Offset) -> None:
    """Tell the times of a trace in our clock, in place."""
    if offset.ahead_ns == 0:
        return
    draft = trace.with_suffix(".draft")
    with trace.open("rb") as lines, draft.open("wb") as written:
        written.writelines(_shifted(line, offset.ahead_ns) for line in lines)
    draft.replace(trace)


def _shifted(line: bytes, ahead_ns: int) -> bytes:
    try:
        event = msgspec.json.decode(line)
        event["time"] -= ahead_ns
    except (msgspec.MsgspecError, TypeError, KeyError):
        return line
    return msgspec.json.encode(event) + b"\n"
