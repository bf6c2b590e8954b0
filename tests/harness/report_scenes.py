"""Recordings and verdicts for the tests of the report: each kind of leaf, from its real checker."""

from __future__ import annotations

from typing import Any

import msgspec

from checkers.budget import Budget
from checkers.compose import check_all
from checkers.consensus import Agreement, Integrity, Termination, Validity
from checkers.coverage import Coverage
from checkers.elements import Elements
from checkers.history import Call, Error, History, Operation
from checkers.laws import Laws
from checkers.linearizability import Linearizable
from checkers.models import model
from checkers.notation import parse
from checkers.trace import TraceEvent
from checkers.verdict import Checker, Kind, Recording, Verdict

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m<b>&amp;"

STALE = """
p0  |-w1@k-|          |-w2@k-|
p1           |-w3@j-|            |-r1@k-|
"""


def recorded(picture: str, *trace: TraceEvent, faults: int = 0) -> Recording:
    """The picture, with as many faults in force at once from its first operation to its last."""
    operations = list(parse(picture))
    before: list[Operation] = []
    after: list[Operation] = []
    for i in range(faults):
        before += fault_lines(i, "partition" if i % 2 else "kill")[:2]
        after += fault_lines(i, "partition" if i % 2 else "kill")[2:]
    return Recording(history=numbered([*before, *operations, *after]), trace=trace)


def numbered(operations: list[Operation]) -> History:
    """Indices and times by position, a millisecond each."""
    return History(
        msgspec.structs.replace(o, index=at, time=at * 1_000_000) for at, o in enumerate(operations)
    )


def slow(picture: str) -> Recording:
    """The picture with seconds between its events."""
    return Recording(
        history=History(
            msgspec.structs.replace(o, time=o.time * 2_000_000_000) for o in parse(picture)
        )
    )


def fault_lines(id_: int, kind: str, in_effect: bool = True) -> list[Operation]:
    concrete: dict[str, Any] = {"fault": kind}
    if kind == "kill":
        concrete["nodes"] = [f"n{id_}"]
    else:
        concrete["links"] = [["n1", "n2"], ["n2", "n1"], ["n1", "n3"]]
    told = {
        "id": id_,
        "intended": {"fault": kind},
        "applied": concrete,
        "observed": {"states": {f"n{id_}": "dead"}},
        "in_effect": in_effect,
    }
    undone = "restart" if kind == "kill" else "heal"
    pairs: list[tuple[str, Any]] = [(kind, {"id": id_, "intended": {"fault": kind}}), (kind, told)]
    pairs += [(undone, {"id": id_}), (undone, {**told, "in_effect": True})]
    return [Operation(0, 0, "nemesis", "info", f, value) for f, value in pairs]


def chosen(node: str, value: str, time: int) -> TraceEvent:
    return TraceEvent(time, node, "chosen", ballot=(1, "n1"), instance="k", value=value)


class Raises:
    name = "raises"

    def check(self, _recording: Recording) -> Verdict:
        raise ZeroDivisionError(HOSTILE)


class Foreign:
    """A checker of the user's, whose evidence nobody here knows."""

    name = "mine"

    def __init__(self, evidence: dict[str, Any], summary: str = "It is wrong.") -> None:
        self._evidence = evidence
        self._summary = summary

    def check(self, _recording: Recording) -> Verdict:
        return Verdict(
            checker=self.name, kind=Kind.INVALID, summary=self._summary, evidence=self._evidence
        )


LOST_PROMISE = (
    TraceEvent(1, "n1", "prepare", ballot=(2, "n1"), instance="k"),
    TraceEvent(2, "n2", "promise", ballot=(2, "n1"), instance="k"),
    TraceEvent(3, "n2", "accepted", ballot=(1, "n3"), instance="k", value="v"),
)

# What was found by which checker in which recording: one of each kind of leaf.
SCENES: dict[str, tuple[Recording, Checker]] = {
    "contradiction": (recorded(STALE, faults=1), Linearizable(model("register"))),
    "contradiction, late": (
        recorded("p0  |-w1-| " + "|-r1-| " * 200 + "|-w2-| |-r1-|"),
        Linearizable(model("register")),
    ),
    "budget": (recorded(STALE), Linearizable(model("register"), Budget(time_s=0))),
    "element lost": (
        recorded("p0  |-a1-|\np1         |-r[]-|"),
        Elements(),
    ),
    "agreement": (recorded("p0  |-p1=1-|\np1  |-p2=2-|"), Agreement()),
    "agreement, learnt": (
        Recording(history=History([]), trace=(chosen("n1", "a", 1), chosen("n2", "b", 2))),
        Agreement(),
    ),
    "validity": (recorded("p0  |-p1=7-|"), Validity()),
    "integrity": (
        recorded(
            "p0  |-p1=1-|",
            TraceEvent(0, "n1", "accepted", ballot=(1, "n1"), instance="k", value="a"),
            chosen("n1", "a", 1),
            chosen("n2", "b", 2),
        ),
        Integrity(),
    ),
    "termination": (slow("p0  |-w1-!no-leader |-r-?"), Termination()),
    "law": (recorded("p0  |-w1-|", *LOST_PROMISE), Laws()),
    "coverage": (recorded("p0  |-w1-|"), Coverage(operations=("read",), planned=("kill",))),
    "nothing succeeded": (
        recorded("p0  |-w1-!no-leader"),
        Coverage(operations=("write", "read")),
    ),
    "checker raised": (recorded("p0  |-w1-|"), Raises()),
    "foreign": (recorded("p0  |-w1-|"), Foreign({"mine": [1, {"deep": HOSTILE}]})),
    "foreign, odd": (
        recorded("p0  |-w1-|"),
        Foreign({"contradiction": 7, "operations": "all", "event": 10**9, "gaps": 3, "keys": []}),
    ),
    "empty history": (Recording(history=History([])), Coverage(operations=("read",))),
}


def judged(name: str) -> tuple[Verdict, Recording]:
    recording, checker = SCENES[name]
    return check_all([checker], recording), recording


def hostile() -> Recording:
    """Markup and control characters wherever a history can hold a text."""
    evil = HOSTILE
    lines = fault_lines(1, "partition")
    lines[1].value["applied"]["links"] = [[evil, "n2"]]
    lines[1].value["observed"] = {evil: [evil]}
    client = [
        Operation(0, 0, 1, "invoke", evil, evil, key=evil, node=evil),
        Operation(0, 0, 1, "ok", evil, [evil], key=evil, node=evil),
        Operation(0, 0, 2, "invoke", "write", evil, key=evil, node=evil),
        Operation(0, 0, 2, "info", "write", evil, error=Error(evil, evil)),
    ]
    odd = msgspec.structs.replace(lines[0], f=evil, value={"id": evil})
    trace = (
        TraceEvent(1, evil, "leader", ballot=(1, evil)),
        TraceEvent(2, evil, "chosen", instance=evil, value=evil),
        TraceEvent(3, evil, "messages", sent={evil: 3}),
    )
    return Recording(history=numbered([*lines[:2], odd, *client, *lines[2:]]), trace=trace)


def many_calls(count: int, processes: int = 3) -> tuple[Call, ...]:
    operations = []
    for i in range(count):
        process = i % processes
        operations += [
            Operation(0, 0, process, "invoke", "write", i, key=i % 7),
            Operation(0, 0, process, "ok", "write", i, key=i % 7),
        ]
    return numbered(operations).calls()
