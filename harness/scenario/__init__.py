"""Scenarios: schedules of faults and operations written by hand, which wait for what they need.

    Scenario(
        name="stale-read",
        trial={"options": {"mutant": "local-reads"}},
        load=False,
        steps=(
            Wait(condition=Leader(into="old")),
            Do(f="write", at="old", key="x", value=1),
            Break(fault=Partition(topology="isolate", target="old")),
            Wait(condition=Leader(becomes="changed", than="old", into="new")),
            Do(f="write", at="new", key="x", value=2),
            Do(f="read", at="old", key="x"),
        ),
    )

docs/scenarios.md has the same as YAML, and the whole grammar. harness.tries plays them.
"""

from harness.scenario.reading import read
from harness.scenario.values import (
    Await,
    Break,
    Do,
    Elapsed,
    Expect,
    Heal,
    Hit,
    Leader,
    Let,
    Logged,
    Passed,
    Ready,
    Repeat,
    Scenario,
    State,
    Step,
    Together,
    Wait,
)
from harness.scenario.writing import encode

__all__ = [
    "Await",
    "Break",
    "Do",
    "Elapsed",
    "Expect",
    "Heal",
    "Hit",
    "Leader",
    "Let",
    "Logged",
    "Passed",
    "Ready",
    "Repeat",
    "Scenario",
    "State",
    "Step",
    "Together",
    "Wait",
    "encode",
    "read",
]
