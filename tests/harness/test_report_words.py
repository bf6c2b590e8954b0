"""Words and colours of faults."""

from __future__ import annotations

import typing

from checkers.faults import FaultInterval
from checkers.history import Call, Operation
from checkers.trace import TraceEvent
from harness.report import words
from harness.report.timeline.bars import hue, leaderships
from nemesis.faults import DeadlyFault, tag
from nemesis.resolution import FAULTS


def test_faults_that_look_alike_have_one_colour() -> None:
    """A node without power is a dead node, a held link a cut one; the rest is told by its name."""
    alike = {tag(kind()): "kill" for kind in typing.get_args(DeadlyFault)}
    alike |= {"pause": "pause", "partition": "partition", "hold": "partition"}
    assert {kind: hue(kind) for kind in FAULTS} == {
        kind: alike.get(kind, "link") for kind in FAULTS
    }


def test_a_power_failure_ends_a_reign() -> None:
    """The node leads no more, though it could not say so."""
    trace = [TraceEvent(1_000, "n1", "leader"), TraceEvent(1_000, "n2", "leader")]
    dark = FaultInterval(
        id=1,
        kind="lose-unsynced",
        start_ns=4_000,
        effect_ns=5_000,
        applied={"fault": "lose-unsynced", "nodes": ["n1"]},
        started_at=0,
    )
    reigns = {reign.node: reign.end_ns for reign in leaderships(trace, [dark])}
    assert reigns == {"n1": 5_000, "n2": None}


def test_positions_are_not_told_as_seconds() -> None:
    """Where a file has no times, an operation ends with another one, at no second."""
    ended = call((7, 7), (9, 9))
    assert words.whole(ended) == "Operation 7, process 0: read → 1, until operation 9, ok."
    assert words.whole(call((7, 7))) == "Operation 7, process 0: read, and it never returned."
    assert ", from 0.000 s to 0.001 s (operation 9), ok." in words.whole(call((7, 8), (9, 10**6)))


def call(invoked: tuple[int, int], completed: tuple[int, int] | None = None) -> Call:
    """The indices of its two ends with their times, in nanoseconds."""
    invoke = Operation(*invoked, 0, "invoke", "read")
    return Call(invoke, None if completed is None else Operation(*completed, 0, "ok", "read", 1))
