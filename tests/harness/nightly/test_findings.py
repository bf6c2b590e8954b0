"""What a night holds while it goes on, and when a failure was there."""

from __future__ import annotations

import pytest

from harness.nightly.cells import planned
from harness.nightly.findings import KEPT_MAX, Findings
from harness.nightly.judging import judged
from harness.nightly.records import Group, RunRecord
from harness.nightly.summary import terminal
from harness.nightly.tasks import Kept, Run, Shrink
from harness.simulate import simulate
from tests.harness.nightly.nights import CELL, SECOND, THIRD, failed, night, run


def known(fingerprint: str) -> Group:
    return Group(
        fingerprint=fingerprint,
        system="paxos",
        law="agreement",
        shape="s",
        sentence="s",
        nights={SECOND: 1},
        folder="paxos/1",
        cells={CELL: (1, 10)},
    )


def found(records: list[RunRecord], before: list[Group] | None = None) -> tuple[Findings, int]:
    """And how many of them are to be kept."""
    findings = Findings(before or [], "/archive", None)
    return findings, sum(findings.take(record) for record in records)


def test_known_failures_take_no_place_of_new_ones() -> None:
    """However many are known: a new one is kept all the same."""
    names = [f"agreement-{number}" for number in range(2 * KEPT_MAX)]
    records = [failed(1 + at, name) for at, name in enumerate(names)]
    new = failed(1000, "p2c-1")
    assert 1 == found([*records, new], [known(name) for name in names])[1]


def test_so_many_are_kept_and_of_the_rest_it_is_told() -> None:
    """The summary says of each of the others that it is not kept, and where its seeds are."""
    records = [failed(1 + at, f"agreement-{at}") for at in range(KEPT_MAX + 1)]
    findings, keeping = found(records)
    assert KEPT_MAX == keeping
    for record in records[:KEPT_MAX]:
        of = Run(id=record.id, cell=planned({"cluster": "simulated"}), seed=1, limit_s=1.0)
        task = Shrink(run=of, law=record.law, budget_s=0.0, archive="/archive")
        findings.kept(task, Kept(folder=f"kept/{record.id}", why="it could not be repeated"))
    groups = findings.grouped(THIRD).groups
    lines = terminal(night(THIRD, records), groups, "/archive")
    assert 1 == sum(not group.folder for group in groups)
    assert KEPT_MAX - 1 <= sum("not made small: it could not be" in line for line in lines)


def test_runs_that_passed_are_counted_and_not_held() -> None:
    """A million of them is a number by cell; the group knows of how many it failed in."""
    findings, _ = found([*(run(at) for at in range(1, 1001)), failed(1001), run(1002, "hung")])
    assert 2 == len(findings.records)
    (group,) = findings.grouped(THIRD).groups
    assert {CELL: (1, 1001)} == group.cells


@pytest.mark.parametrize(
    ("mutant", "faults", "seed", "law"),
    [
        ("accepted-forgotten", "crashes", 1, "accepted-kept"),
        ("half-quorum", "crashes", 1, "p2c"),
        ("local-reads", "partitions", 7, "linearizable"),
    ],
)
def test_a_failure_has_its_time(mutant: str, faults: str, seed: int, law: str) -> None:
    """Of a law of the protocol that of the event, else of the last answer it takes: within the
    run, and after the beginning."""
    cell = planned({"cluster": "simulated", "faults": faults, "options": {"mutant": mutant}})
    came = simulate(cell.case(seed))
    record = judged(Run(id=1, cell=cell, seed=seed, limit_s=60.0), came.history, came.verdict())
    assert (law, "invalid") == (record.law, record.end)
    assert record.failed_after_s is not None
    last_ns = max((call.completion or call.invoke).time for call in came.history.calls())
    assert 0 < record.failed_after_s <= last_ns / 1e9
