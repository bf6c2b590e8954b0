"""Words and colours of faults."""

from __future__ import annotations

import typing

from checkers.faults import FaultInterval
from checkers.trace import TraceEvent
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
