"""The report of a history that somebody else recorded: nothing that can be known is missing."""

from __future__ import annotations

import random
import re
from pathlib import Path

import msgspec
import pytest

from checkers.faults import fault_intervals
from checkers.formats import read_history, write_jsonl
from checkers.history import Error, History, Operation
from checkers.linearizability.engine import available
from checkers.statistics import statistics
from checkers.verdict import Kind, Recording
from harness import drawing, excerpt, forms, recheck
from harness.recheck import Asked
from tests.harness.report_scenes import HOSTILE

SECOND = 1_000_000_000
REGISTER = Asked(model_name="register", drawn=True)

JEPSEN = """\
{:process :nemesis, :type :info, :f :start-partition, :value :majority, :index 0, :time 0}
{:process 0, :type :invoke, :f :write, :value 1, :index 1, :time 1000000000}
{:process :nemesis, :type :info, :f :start-partition, :value :cut, :index 2, :time 1500000000}
{:process 0, :type :ok, :f :write, :value 1, :index 3, :time 2000000000}
{:process 1, :type :invoke, :f :read, :value nil, :index 4, :time 3000000000}
{:process 1, :type :ok, :f :read, :value nil, :index 5, :time 3100000000}
{:process :nemesis, :type :info, :f :stop-partition, :value nil, :index 6, :time 4000000000}
{:process :nemesis, :type :info, :f :stop-partition, :value :healed, :index 7, :time 4100000000}
"""


def nemesis(*names: str) -> History:
    """An operation of the nemesis a second, each told twice."""
    return History(
        Operation(at, at // 2 * SECOND, "nemesis", "info", names[at // 2])
        for at in range(2 * len(names))
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("start", "stop"), [("start", 0, 1)]),
        (("start-partition", "stop-partition"), [("partition", 0, 1)]),
        (("partition-start", "partition-stop"), [("partition", 0, 1)]),
        (("kill", "start"), [("kill", 0, 1)]),
        (("kill", "pause", "resume", "start"), [("kill", 0, 3), ("pause", 1, 2)]),
        (("partition-halves", "heal"), [("partition-halves", 0, 1)]),
        (("kill",), [("kill", 0, None)]),
        (("start",), []),
        (("stop", "check-offsets"), []),
        (("bump-clock", "reset-clock"), [("bump-clock", 0, 1)]),
    ],
)
def test_faults_of_others_are_told_by_the_names_of_what_their_nemesis_did(
    names: tuple[str, ...], expected: list[tuple[str, int, int | None]]
) -> None:
    """What pairs, and what certainly broke something; nobody probed it."""
    found = fault_intervals(nemesis(*names))
    assert expected == [
        (f.kind, f.start_ns // SECOND, None if f.end_ns is None else f.end_ns // SECOND)
        for f in found
    ]
    assert not any(f.probed or f.in_effect for f in found)


def test_a_jepsen_history_gets_its_page(tmp_path: Path) -> None:
    """Verdict, faults, the model and how to check it again."""
    path = tmp_path / "register.edn"
    path.write_text(JEPSEN)
    judged = recheck.check(path, REGISTER)
    subject = drawing.subject_of(path, judged, REGISTER)
    page = drawing.page(judged, subject)
    assert judged.verdict.kind is Kind.INVALID
    assert f"antipaxos check {path} --model register" in page
    assert "In force then: partition from 0.0 s to 4.1 s" in page
    assert "not seen in effect" not in page


def busy(count: int, *, wrong: bool, seed: int = 7) -> list[Operation]:
    """Ten processes on rotating keys; one read is wrong, about in the middle, if wanted."""
    rng = random.Random(seed)
    lines: list[Operation] = []
    values: dict[str, int] = {}
    for call in range(count):
        time, key, process = call * 1_000_000, f"k{call // 50}", call % 10
        wrote, value = call % 3 != 1, rng.randrange(5)
        given = value if wrote else None
        f = "write" if wrote else "read"
        lines.append(Operation(len(lines), time, process, "invoke", f, given, key=key))
        if call % 97 == 0:
            error = Error("timeout")
            lines.append(Operation(len(lines), time + 9, process, "fail", f, key=key, error=error))
            continue
        told = value if wrote else values.get(key)
        if wrote:
            values[key] = value
        if wrong and call >= count // 2 and not wrote:
            told, wrong = 99, False
        lines.append(Operation(len(lines), time + 9, process, "ok", f, told, key=key))
    return lines


@pytest.mark.parametrize("named", [(), (3_000, 100)])
def test_the_numbers_of_an_excerpt_are_those_of_the_whole(
    tmp_path: Path, named: tuple[int, ...]
) -> None:
    """Counted while the file is read, and equal to what a whole history in memory has."""
    path = tmp_path / "history.jsonl"
    write_jsonl(History(busy(2_000, wrong=False)), path)
    seen = excerpt.overview_of(path, named, 2_000)
    assert statistics(Recording(history=read_history(path).history)) == seen.statistics
    assert set(named) <= {call.index for call in seen.drawn.calls()}


def test_what_is_wrong_is_drawn_with_all_about_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a history too large to be held; of the rest every n-th, and it says so."""
    if not available():
        pytest.skip("without the engine every history is held")
    for name, value in (("LARGE_BYTES", 1), ("STREAMED_FROM_BYTES", 1)):
        monkeypatch.setattr(recheck, name, value)
    for name, value in (("AROUND_MAX", 200), ("SPREAD_MAX", 100)):
        monkeypatch.setattr(excerpt, name, value)
    path = tmp_path / "history.jsonl"
    write_jsonl(History(busy(3_000, wrong=True)), path)
    judged = recheck.check(path, REGISTER)
    drawn = {call.index for call in judged.recording.history.calls()}
    (culprit,) = [c for c in judged.recording.history.calls() if c.output == 99]
    assert set(range(culprit.index - 190, culprit.index, 2)) <= drawn
    assert 100 < len(drawn) < 600
    assert judged.overview is not None
    assert 3_000 == judged.overview.availability.invoked == judged.operations
    assert "Of 3,000 operations" in judged.notices[0]
    assert (
        "3,000 operations" in forms.md(judged, drawing.subject_of(path, judged, REGISTER)).decode()
    )


def test_a_history_for_which_there_is_no_memory_is_drawn_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unjudged, since nothing held it; its numbers are of all operations."""
    monkeypatch.setattr(recheck, "STREAMED_FROM_BYTES", 10**12)
    path = tmp_path / "history.jsonl"
    write_jsonl(History(busy(500, wrong=True)), path)
    asked = msgspec.structs.replace(REGISTER, memory_limit=1)
    judged = recheck.check(path, asked)
    assert judged.verdict.kind is Kind.UNKNOWN
    page = drawing.page(judged, drawing.subject_of(path, judged, asked))
    assert "500 in 0.5 s" in page
    assert "takes more than 1 bytes" in page


def test_a_torn_last_line_ends_an_excerpt(tmp_path: Path) -> None:
    """As it does when the file is read whole."""
    path = tmp_path / "history.jsonl"
    write_jsonl(History(busy(10, wrong=False)), path)
    path.write_bytes(path.read_bytes() + b'\n{"index": 20, "ti')
    assert 10 == excerpt.overview_of(path, (), 10).statistics.availability.invoked


@pytest.mark.parametrize("form", ["html", "md", "svg"])
def test_nothing_in_a_history_becomes_markup(tmp_path: Path, form: str) -> None:
    """Whatever names, values and processes say."""
    evil = HOSTILE + "`" * 5
    path = tmp_path / "evil.jsonl"
    lines = [
        Operation(0, 0, evil, "info", "kill", evil),
        Operation(1, 1, 0, "invoke", "write", evil, key=evil, node=evil),
        Operation(2, 2, 0, "ok", "write", evil, key=evil, node=evil),
        Operation(3, 3, 1, "invoke", "read", None, key=evil, node=evil),
        Operation(4, 4, 1, "ok", "read", None, key=evil, node=evil),
    ]
    write_jsonl(History(lines), path)
    judged = recheck.check(path, REGISTER)
    drawn = forms.FORMS[form](judged, drawing.subject_of(path, judged, REGISTER)).decode()
    outside = re.sub(r"(`{3,})\n.*?\n\1\n", "", drawn, flags=re.DOTALL)
    assert judged.verdict.kind is Kind.INVALID
    assert "<img" not in outside
    assert "\x1b" not in drawn
