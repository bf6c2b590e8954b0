"""List-append transactions: a history to reject for each anomaly, and the nearest that is right.

Transactions are written 'ax1 ry12': append 1 to x, read y as [1, 2]; a line is one transaction,
'process: micro-operations', each over before the next begins unless the line says otherwise.
"""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from checkers.history import History, HistoryError, Operation
from checkers.transactions import FORBIDDEN, Transactions
from checkers.verdict import Kind, Recording, Verdict

MICRO = re.compile(r"([ar])([a-z])(\d*)")


def micros(text: str, *, told: bool) -> list[list[object]]:
    """'ax1 ry12' as operations; without `told` the reads are not filled in."""
    found = []
    for f, key, digits in MICRO.findall(text):
        if f == "a":
            found.append(["append", key, int(digits)])
        else:
            found.append(["r", key, [int(d) for d in digits] if told else None])
    return found


def history(*lines: str) -> History:
    """'1 ax1' is a transaction by process 1; '1< ax1' its beginning alone, '1>' its end; '1! ax1'
    one that failed and '1? ax1' one of unknown outcome."""
    operations: list[Operation] = []
    open_: dict[int, str] = {}

    def add(process: int, kind: str, value: object) -> None:
        at = len(operations)
        operations.append(Operation(at, at, process, kind, "txn", value))  # type: ignore[arg-type]

    for line in lines:
        head, _, text = line.partition(" ")
        process, mark = int(head.rstrip("<>!?")), head.lstrip("0123456789")
        if mark != ">":
            add(process, "invoke", micros(text, told=False))
            open_[process] = text
        if mark != "<":
            outcome = {"!": "fail", "?": "info"}.get(mark, "ok")
            add(process, outcome, micros(open_.pop(process), told=True))
    return History(operations)


def judge(*lines: str, consistency: str = "strict-serializable") -> Verdict:
    checker = Transactions(consistency)  # type: ignore[arg-type]
    return checker.check(Recording(history=history(*lines)))


def together(one: str, other: str) -> list[str]:
    """Two transactions that overlap."""
    return [f"1< {one}", f"2< {other}", "1>", "2>"]


REJECTED = {
    "invented": ["1 ax1", "2 rx12"],
    "duplicated": ["1 ax1", "2 rx11"],
    "G0": [*together("ax1 ay1", "ax2 ay2"), "3 rx12 ry21"],
    "G1a": ["1! ax1", "2 rx1"],
    "G1b": [*together("ax1 ax2", "rx1"), "3 rx12"],
    "G1c": [*together("ax1 ry2", "ay2 rx1")],
    "incompatible-order": [*together("ax1", "ax2"), "3 rx12", "4 rx21"],
    "internal": ["1 ax1 rx"],
    "lost-update": [*together("rx ax1", "rx ax2")],
    "G-single": ["1< ax1 ay1", "2< rx ry1", "1>", "2>"],
    "G-nonadjacent": [
        # 1 misses the append to x of 2, 3 sees what else 2 did and misses that of 4 to y, and what
        # else 4 did is seen by 1.
        "1< rx rq1",
        "2< ax1 az1",
        "3< rz1 ry",
        "4< ay1 aq1",
        "1>",
        "2>",
        "3>",
        "4>",
        "5 rx1 ry1",
    ],
    "G2-item": [*together("rx ay1", "ry ax1"), "3 rx1 ry1"],
    "G0-realtime": ["1 ax1", "2 ax2", "3 rx21"],
    "G1c-realtime": ["2< ax1 ry1", "1 rx1", "3 ay1", "2>"],
    "G-single-realtime": ["1 ax1", "2 rx", "3 rx1"],
}


@pytest.mark.parametrize("anomaly", REJECTED)
def test_each_anomaly_is_found_and_named(anomaly: str) -> None:
    """By the worst of what the history has, with operations of it."""
    lines = REJECTED[anomaly]
    verdict = judge(*lines)

    assert (Kind.INVALID, anomaly) == (verdict.kind, verdict.evidence["kind"]), verdict.summary
    indices = {call.index for call in history(*lines).calls()}
    assert set(verdict.evidence["operations"]) <= indices
    assert verdict.evidence["operations"]


@pytest.mark.parametrize("anomaly", REJECTED)
@pytest.mark.parametrize("consistency", FORBIDDEN)
def test_a_consistency_forbids_what_it_says_and_no_more(anomaly: str, consistency: str) -> None:
    """Each level rejects what a weaker one rejects, and allows the rest."""
    verdict = judge(*REJECTED[anomaly], consistency=consistency)

    forbidden = anomaly in FORBIDDEN[consistency]  # type: ignore[index]
    assert (verdict.kind is Kind.INVALID) == forbidden, verdict.summary


@pytest.mark.parametrize(
    "lines",
    [
        ["1 ax1", "2 ax2 rx12", "3 rx12 ry"],
        [*together("ax1", "rx"), "3 rx1"],
        ["1? ax1", "2 rx", "3 rx1"],
        ["1? ax1 ay1", "2 rx ry", "3 rx1 ry1"],
        ["1! ax1", "2 rx", "3 ax2 rx2"],
        ["1 ax1 rx1 ax2 rx12", "2 rx12"],
        [*together("ax1 ay1", "ax2 ay2"), "3 rx12 ry12"],
    ],
)
def test_the_nearest_right_history_is_valid(lines: list[str]) -> None:
    """Overlap, unknown outcomes and own appends are not held against the system."""
    verdict = judge(*lines)

    assert Kind.VALID is verdict.kind, verdict.summary


def test_an_append_that_was_acknowledged_and_that_no_later_read_has_is_lost() -> None:
    """Nobody ever saw it; that it must come behind the read, and had returned before it, is enough
    of a cycle. Without real time the read may be of a state before."""
    lines = ["1 ax1", "2 rx1", "3 ax2", "4 rx1"]

    verdict = judge(*lines)
    assert "G-single-realtime" == verdict.evidence["kind"]
    assert [4, 6] == sorted(verdict.evidence["operations"])
    assert "without the 2" in verdict.summary
    assert Kind.VALID is judge(*lines, consistency="serializable").kind


def test_the_cycle_that_is_told_is_the_shortest() -> None:
    """Of a stale read behind ten transactions, the one that it missed next."""
    lines = [f"1 ax{n}" for n in range(1, 10)] + ["2 rx123456789", "3 rx123"]
    verdict = judge(*lines)

    assert 2 == len(verdict.evidence["cycle"])
    steps = verdict.evidence["cycle"]
    assert {"rw", "rt"} == {step["because"] for step in steps}
    assert all(step["to"] == after["from"] for step, after in pairwise(steps))
    assert steps[-1]["to"] == steps[0]["from"]


def test_appends_of_one_transaction_stand_in_its_order() -> None:
    """They are all its own, so no cycle of several shows it."""
    verdict = judge("1 ax1 ax2", "2 ax3", "3 rx213")

    assert (Kind.INVALID, "incompatible-order") == (verdict.kind, verdict.evidence["kind"])


def test_what_is_allowed_is_told() -> None:
    """A write skew under snapshot isolation."""
    verdict = judge(*REJECTED["G2-item"], consistency="snapshot-isolation")

    assert (Kind.VALID, ["G2-item"]) == (verdict.kind, verdict.evidence["allowed"])
    assert ["serializable", "strict-serializable"] == verdict.evidence["violates"]


def test_two_readers_that_append_unseen_are_before_one_another() -> None:
    """Neither is before itself: a graph that says so finds a cycle in one transaction."""
    assert Kind.VALID is judge("1 ax1", "2 rx1 ax2", "3 ry", consistency="serializable").kind
    both = judge("1 ax1", *together("rx1 ax2", "rx1 ax3"), consistency="serializable")
    assert Kind.INVALID is both.kind


def test_nothing_read_is_nothing_known() -> None:
    """Appends alone contradict nothing."""
    verdict = judge("1 ax1", "2 ay1")

    assert (Kind.UNKNOWN, "coverage") == (verdict.kind, verdict.cause)


def test_a_value_appended_twice_is_refused() -> None:
    """Nothing could be inferred from reading it."""
    with pytest.raises(HistoryError, match="operation 2"):
        judge("1 ax1", "2 ax1")
    with pytest.raises(HistoryError, match="Append every value"):
        judge("1 ax1 ax1")


@pytest.mark.parametrize("value", [None, [["w", "x", 1]], [["r", "x"]], [["r", "x", 5]]])
def test_a_malformed_transaction_is_refused(value: object) -> None:
    """The client is at fault, and the operation is named."""
    lines = [
        Operation(0, 0, 1, "invoke", "txn", [["r", "x", None]]),
        Operation(1, 1, 1, "ok", "txn", value),
    ]
    with pytest.raises(HistoryError, match="operation 0"):
        Transactions().check(Recording(history=History(lines)))


def test_an_unknown_consistency_is_refused() -> None:
    """With the names that there are."""
    with pytest.raises(ValueError, match="snapshot-isolation"):
        Transactions("linear")  # type: ignore[arg-type]
