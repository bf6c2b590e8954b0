"""Judging what is stored: a run's folder says how, whatever its harness managed to leave behind."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.history import Operation
from checkers.verdict import Kind
from harness import cli, drawing, recheck
from harness.settle import settle
from harness.store.folder import RunFolder
from harness.trial import Trial, TrialError
from nemesis import schedule
from nemesis.faults import Kill
from nemesis.schedule import Schedule, Step

TRIAL = Trial(seed=1, faults="none")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Of a run that wrote 1 and read it, and broke nothing."""
    folder = RunFolder.create(tmp_path, TRIAL, "20260101T000000Z")
    folder.write_trial(TRIAL, {"python": "3.11"})
    folder.write(folder.plan, schedule.encode(Schedule(1.0)))
    lines = [
        ("invoke", "write", 1, 0),
        ("ok", "write", 1, 0),
        ("invoke", "read", None, 1),
        ("ok", "read", 1, 1),
        ("invoke", "cas", [1, 2], 2),
        ("ok", "cas", [1, 2], 2),
    ]
    operations = [
        Operation(index, index, process, kind, f, value, "r1", "n1", None)  # type: ignore[arg-type]
        for index, (kind, f, value, process) in enumerate(lines)
    ]
    folder.write(folder.history, msgspec.json.Encoder().encode_lines(operations))
    return folder


def test_a_run_is_judged_by_the_checkers_of_its_workload(folder: RunFolder) -> None:
    """By its folder or its history; without a trace no law is judged."""
    for path in (folder.path, folder.history):
        judged = recheck.check(path)
        assert Kind.VALID is judged.verdict.kind, judged.verdict
        assert {"linearizable", "coverage"} <= {part.checker for part in judged.verdict.parts}
        assert (TRIAL, {"python": "3.11"}) == (judged.trial, judged.environment)


def test_what_the_run_noticed_is_told_again(folder: RunFolder) -> None:
    """A report that is drawn again says the same."""
    assert [] == recheck.check(folder.path).notices
    folder.write_notices(["node n1 crashed"])
    assert ["node n1 crashed"] == recheck.check(folder.path).notices
    folder.notices.write_text("torn")
    assert [] == recheck.check(folder.path).notices


def test_replicas_that_told_their_states_are_compared(folder: RunFolder) -> None:
    """At one position they must be in one state; what cannot be read is told, and not compared."""

    def judged(*values: str) -> Any:
        told = [{"node": f"n{i}", "position": 7, "value": v} for i, v in enumerate(values)]
        folder.write(folder.digests, msgspec.json.encode(told))
        return recheck.check(folder.path)

    assert Kind.VALID is judged("a", "a").verdict.kind
    apart = judged("a", "b").verdict
    assert Kind.INVALID is apart.kind
    assert "position 7" in apart.summary
    folder.write_trial(msgspec.structs.replace(TRIAL, nodes=1), {})
    alone = judged("a").verdict
    assert Kind.VALID is alone.kind
    assert "replicas-equal" not in {part.checker for part in alone.parts}
    folder.digests.write_text("[{")
    damaged = recheck.check(folder.path)
    assert "replicas-equal" not in {part.checker for part in damaged.verdict.parts}
    assert any("damaged" in notice for notice in damaged.notices)


def test_a_fault_that_was_planned_must_have_taken_place(folder: RunFolder) -> None:
    """Of the kind that was planned; and some, where the run was too short for any."""
    steps = (Step(0.1, 1, "start", Kill()), Step(0.2, 1, "stop"))
    folder.write(folder.plan, schedule.encode(Schedule(1.0, 0, steps)))
    assert "A kill was planned and never took place." == recheck.check(folder.path).verdict.summary

    folder.write(folder.plan, schedule.encode(Schedule(1.0)))
    folder.write_trial(Trial(seed=1, faults="default", time_limit_s=1), {})
    verdict = recheck.check(folder.path).verdict
    assert (Kind.UNKNOWN, "coverage") == (verdict.kind, verdict.cause)


def test_traces_that_a_killed_harness_left_with_the_nodes_are_judged(folder: RunFolder) -> None:
    """The origin was on disk before the load began, so they can be put together later."""
    (folder.nodes / "n1").mkdir()
    (folder.nodes / "n1" / "trace.jsonl").write_text(
        '{"time":1500,"node":"n1","event":"restart"}\n{"time":1700,"no'
    )
    folder.write(folder.origin, b"1000")
    judged = recheck.check(folder.path)
    assert [("restart", 500)] == [(e.event, e.time) for e in judged.recording.trace]
    assert any("torn" in notice for notice in judged.notices)


def test_a_history_next_to_a_run_is_not_taken_for_its_own(folder: RunFolder) -> None:
    """Another file in the folder is foreign: it needs a model."""
    other = folder.path / "other.jsonl"
    other.write_bytes(folder.history.read_bytes())
    with pytest.raises(TrialError, match="--model"):
        recheck.check(other)
    assert Kind.VALID is recheck.check(other, recheck.Asked(model_name="cas-register")).verdict.kind


def test_a_report_appears_in_one_piece_or_not_at_all(folder: RunFolder) -> None:
    """No draft is left, whichever."""
    assert folder.report == drawing.redraw(folder.path)
    whole = folder.report.read_text()
    assert [] == list(folder.path.glob("*draft*")) + list(folder.path.glob(".*draft*"))
    folder.report.unlink()
    folder.report.mkdir()
    with pytest.raises(Exception, match=r"report\.html cannot be written"):
        drawing.redraw(folder.path)
    assert [] == list(folder.path.glob(".*draft*"))
    assert "</html>" in whole


def parsed(command: str) -> Trial:
    """The trial that the command line makes of a command, without running it."""
    program, name, *words = shlex.split(command)
    assert ("antipaxos", "run") == (program, name)
    given: dict[str, Any] = cli.run.make_context("run", words).params
    return settle(given.pop("trial"), cli.flags_of(given))


finite = {"allow_nan": False, "allow_infinity": False}
trials = st.builds(
    Trial,
    seed=st.integers(0, 2**63 - 1),
    nodes=st.integers(1, 99),
    clients=st.integers(1, 10_000),
    faults=st.sampled_from(["default", "none", "partitions+crashes"]),
    workload=st.sampled_from(["register", "log", "consensus"]),
    time_limit_s=st.floats(0.1, 1e6, **finite),
    rate=st.floats(0, 1e6, **finite),
    operation_timeout_s=st.floats(0.001, 3600, **finite),
    recovery_s=st.floats(0, 3600, **finite),
    check_time_limit_s=st.floats(0.001, 1e6, **finite),
    name=st.sampled_from(["", "nightly-7"]),
    options=st.dictionaries(st.just("mutant"), st.sampled_from(["local-reads", "shared-ballots"]))
    | st.just({"reads": "quorum", "refusals": "off"}),
)


@given(trials)
def test_the_command_that_is_named_describes_the_same_trial(trial: Trial) -> None:
    """To the last bit of every number, whatever the defaults and the mutant's own workload."""
    assert trial == parsed(drawing.rerun_command(trial))


def test_the_command_keeps_options_of_the_workload() -> None:
    """Whole numbers stay whole."""
    trial = Trial(seed=1, workload_options={"keys_quick": 3})
    assert trial == parsed(drawing.rerun_command(trial))
