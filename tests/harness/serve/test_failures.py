"""Failures of nights and of stored runs are one list."""

from __future__ import annotations

from pathlib import Path

import msgspec

from checkers.verdict import Kind, Verdict
from harness.nightly.records import Group
from harness.serve.desk import Desk
from harness.serve.guard import guarded
from harness.serve.nights import failures
from harness.store.folder import RunFolder
from harness.trial import Trial


def test_a_mutant_and_the_group_of_its_system_are_one(tmp_path: Path) -> None:
    """The index calls it paxos:local-reads, a night's group paxos: one row, with both counts."""
    run = RunFolder(tmp_path / "label" / "20260101T000000Z-1")
    run.path.mkdir(parents=True)
    run.write_trial(Trial(seed=1, options={"mutant": "local-reads"}), {})
    run.write_verdict(Verdict(checker="reads-old", kind=Kind.INVALID, summary="A read is old."))
    desk = Desk(tmp_path, guarded("127.0.0.1", 8123, None))
    try:
        ((alone,), _) = failures(desk)
        assert "paxos:local-reads" == alone.system
        group = Group(
            fingerprint=alone.fingerprint, system="paxos", law=alone.law, shape="s",
            sentence="A read is old.", nights={"20260101T220000Z": 3},
        )  # fmt: skip
        (tmp_path / "nights").mkdir()
        (tmp_path / "nights" / "groups.json").write_bytes(msgspec.json.encode([group]))
        ((joined,), _) = failures(desk)
        assert (1, 3) == (joined.kept, joined.in_nights)
    finally:
        desk.index.close()
