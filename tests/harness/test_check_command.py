"""`antipaxos check`: many histories at once, limits, and input as bad as it gets."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from checkers.linearizability import engine
from harness import checking, recheck
from harness.checking import Row
from harness.excerpt import excerpt_of
from harness.gathering import gather
from harness.jobs import each
from tests.harness.conftest import Antipaxos


def line(index: int, process: Any, kind: str, f: str, value: Any = None, **more: Any) -> str:
    told = {"index": index, "time": index, "process": process, "type": kind, "f": f}
    return json.dumps({**told, "value": value, **more}) + "\n"


def history(seen: Any) -> str:
    """A write of 1, then a read."""
    return (
        line(0, 0, "invoke", "write", 1)
        + line(1, 0, "ok", "write", 1)
        + line(2, 1, "invoke", "read")
        + line(3, 1, "ok", "read", seen)
    )


def undecidable() -> str:
    """Whose search takes longer than anybody waits: appends of unknown order and one late read."""
    lines, at = [], 0
    for n in range(40):
        lines.append(line(at, n, "invoke", "enqueue", n))
        at += 1
    for n in range(40):
        lines.append(line(at, n, "ok", "enqueue"))
        at += 1
    lines += [line(at, 0, "invoke", "dequeue"), line(at + 1, 0, "ok", "dequeue", "never")]
    return "".join(lines)


def store(folder: Path) -> None:
    """Histories good and bad, and what is none."""
    (folder / "a").mkdir(parents=True)
    (folder / "run").mkdir()
    (folder / ".hidden").mkdir()
    (folder / "a" / "valid.jsonl").write_text(history(1))
    (folder / "a" / "wrong.log").write_text(history(2))
    (folder / "a" / "notes.md").write_text("# what we saw\n")
    (folder / "run" / "history.jsonl").write_text(history(1))
    (folder / "run" / "trace.jsonl").write_text('{"time": 1, "node": "n1", "event": "restart"}\n')
    (folder / ".hidden" / "h.jsonl").write_text(history(1))
    (folder / "latest").symlink_to("run")


def test_a_folder_is_searched_for_histories(tmp_path: Path) -> None:
    """By content, each run as one, links not followed; what is passed over is told."""
    store(tmp_path)
    gathered = gather([tmp_path])
    found = [str(path.relative_to(tmp_path)) for path in gathered.histories]
    assert (["a/valid.jsonl", "a/wrong.log", "run"], False) == (found, gathered.one)
    assert 1 == len(gathered.notices)
    assert "a/notes.md" in gathered.notices[0]


def test_a_history_is_judged_once_however_often_it_is_named(tmp_path: Path) -> None:
    """By its folder and by itself."""
    store(tmp_path)
    valid = tmp_path / "a" / "valid.jsonl"
    gathered = gather([valid, tmp_path / "a", valid])
    assert [valid, tmp_path / "a" / "wrong.log"] == list(gathered.histories)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_many_get_a_line_each_and_totals(antipaxos: Antipaxos, jobs: str) -> None:
    """In the order of the paths, whoever was faster; one that cannot be read among them."""
    store(Path("all"))
    words = ("all", "nowhere.jsonl", "--model", "register", "--jobs", jobs)
    code, out, err = antipaxos(*words)
    rows = [row.split() for row in out.splitlines()]
    assert 1 == code
    assert ["VALID", "INVALID", "VALID", "BAD-INPUT"] == [row[0] for row in rows[:4]]
    assert ["2", "2", "2", "-"] == [row[1] for row in rows[:4]]
    assert "all/a/wrong.log" in out.splitlines()[1]
    assert "cannot be placed" in out.splitlines()[1]
    assert out.splitlines()[4].startswith("4 histories: 1 invalid, 1 bad-input, 2 valid; 6 ope")
    assert "Traceback" not in out + err


def test_many_as_json_are_an_object_a_line(antipaxos: Antipaxos) -> None:
    """Also where a folder holds a single history; a single file is its verdict."""
    store(Path("all"))
    code, out, _ = antipaxos("all", "--model", "register", "--json", "--jobs", "1")
    told = [json.loads(row) for row in out.splitlines()]
    assert 1 == code
    assert ["valid", "invalid", "valid"] == [row["answer"] for row in told]
    assert ["valid", "invalid", "valid"] == [row["verdict"]["kind"] for row in told]
    assert {"path", "summary", "operations", "seconds", "notices"} <= told[0].keys()

    Path("one").mkdir()
    Path("one/h.jsonl").write_text(history(1))
    _, out, _ = antipaxos("one", "--model", "register", "--json")
    assert "one/h.jsonl" == json.loads(out)["path"]
    _, out, _ = antipaxos("one/h.jsonl", "--model", "register", "--json")
    assert "valid" == json.loads(out)["kind"]


def test_the_worst_decides_the_exit_code() -> None:
    """Any invalid wins, then trouble, then bad input, then unknown."""

    def of(*answers: checking.Answer) -> int:
        return checking.exit_code([Row(path="h", answer=a, summary="") for a in answers])

    assert 1 == of("valid", "unknown", "bad-input", "trouble", "invalid")
    assert 255 == of("valid", "unknown", "bad-input", "trouble")
    assert 254 == of("valid", "unknown", "bad-input")
    assert 2 == of("valid", "unknown")
    assert 0 == of("valid")


def test_explain_shows_the_states_of_every_order(antipaxos: Antipaxos) -> None:
    """And the calls that matter, of one history as of many."""
    Path("h.jsonl").write_text(history(2))
    for words in (("h.jsonl",), ("h.jsonl", "h.jsonl")):
        code, out, _ = antipaxos(*words, "--model", "register", "--explain")
        assert 1 == code
        assert "The calls that matter" in out or "These calls alone" in out
        assert "write 1 by process 0  => the value is 1" in out
        assert "then read -> 2, but the value is 1" in out


def test_a_model_takes_options(antipaxos: Antipaxos) -> None:
    """As JSON, or as text where it is none."""
    Path("h.jsonl").write_text(line(0, 0, "invoke", "read") + line(1, 0, "ok", "read", 7))
    words = ("h.jsonl", "--model", "register")
    assert 0 == antipaxos(*words, "--model-option", "initial=7")[0]
    assert 1 == antipaxos(*words, "--model-option", "initial=seven")[0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("h.jsonl", "--model", "register", "--model-option", "initial"), "write NAME=VALUE"),
        (("h.jsonl", "--model", "register", "--model-option", "initail=1"), "initial"),
        (("h.jsonl", "--model-option", "initial=1"), "name it with --model"),
        (("h.jsonl", "--model", "register", "--memory-limit", "much"), "500M or 2G"),
        (("h.jsonl", "--model", "register", "--memory-limit", "0"), "500M or 2G"),
        (("h.jsonl", "--model", "register", "--time-limit", "0"), "above 0"),
        (("h.jsonl", "--model", "register", "--jobs", "0"), "--jobs"),
        ((), "PATH"),
    ],
)
def test_bad_usage_is_told_once(antipaxos: Antipaxos, words: tuple[str, ...], says: str) -> None:
    """254 and a sentence."""
    Path("h.jsonl").write_text(history(1))
    code, _, err = antipaxos(*words)
    assert 254 == code
    assert says in err
    assert "Traceback" not in err


def test_memory_beyond_the_limit_is_unknown(antipaxos: Antipaxos) -> None:
    """A file that would not fit is not read, and never valid."""
    Path("h.jsonl").write_text(history(1))
    code, out, _ = antipaxos("h.jsonl", "--model", "register", "--memory-limit", "1K")
    assert 2 == code
    assert "1,024 bytes" in out


def test_time_beyond_the_limit_is_unknown(antipaxos: Antipaxos) -> None:
    """With how far it came; the other history is judged all the same."""
    Path("hard.jsonl").write_text(undecidable())
    Path("easy.jsonl").write_text(line(0, 0, "invoke", "dequeue") + line(1, 0, "ok", "dequeue"))
    words = ("hard.jsonl", "easy.jsonl", "--model", "fifo-queue", "--time-limit", "0.2")
    code, out, _ = antipaxos(*words, "--jobs", "1")
    assert code in (1, 2)  # what looks ahead refutes it at once
    assert "VALID" == out.splitlines()[1].split()[0]


DEEP = "[" * 5000 + "]" * 5000
WRITE_1 = line(0, 0, "invoke", "write", 1) + line(1, 0, "ok", "write", 1)


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        ("", 254, "empty file"),
        ("\n \n", 254, "empty file"),
        ("\x00\x01\x02\n", 254, "no text"),
        (WRITE_1 + '{"index":2,"time":2,"process":1}\n', 254, "line 3"),
        (WRITE_1 + "nonsense\n", 254, "line 3"),
        (WRITE_1 + line(2, 1, "read", "read"), 254, "line 3"),
        (WRITE_1 + line(1, 1, "invoke", "read"), 254, "operation 1"),
        (line(0, 0, "invoke", "write", 1).replace(" 1}", " NaN}"), 254, "line 1"),
        (line(0, 0, "invoke", "write", 1).replace(" 1}", " 1e999}"), 254, "line 1"),
        (WRITE_1.replace(" 1}", f" {DEEP}}}"), 254, "line 1"),
        (WRITE_1.replace(" 1}", f" {DEEP[4900:5100]}}}"), 0, "VALID"),
        (WRITE_1.replace(" 1}", f" {10**400}}}"), None, ""),
        (WRITE_1.replace('"index": 0', f'"index": {2**70}'), 254, "operation 1"),
        (WRITE_1.replace('"process": 0', f'"process": {2**70}'), None, ""),
        (WRITE_1.replace(" 1}", f' "{"x" * 1_000_000}"}}'), 0, "VALID"),
        (line(0, 0, "invoke", "write", 1), 2, "Nothing was judged"),
        (line(0, 0, "invoke", "read") + line(1, 0, "info", "read"), 2, "Nothing was judged"),
        (line(0, "n", "info", "kill"), 2, "Nothing was"),
        (WRITE_1 + '{"index":2,"time":2,"pro', 0, "VALID"),
    ],
    ids=range(19),
)
def test_bad_input_is_a_sentence(
    antipaxos: Antipaxos, content: str, code: int | None, says: str
) -> None:
    """That names file and line or operation, or a verdict; never a traceback. Numbers that JSON
    does not bound are read or refused, and nothing else."""
    Path("h.jsonl").write_text(content)
    got, out, err = antipaxos("h.jsonl", "--model", "register")
    assert got in ((0, 254) if code is None else (code,)), out + err
    assert says in out + err
    assert "Traceback" not in out + err
    assert "bug" not in err
    assert len((out + err).encode()) < 5_000
    if got == 254:
        assert "h.jsonl" in err or "operation" in err


def test_keys_of_mixed_types_are_keys_of_their_own(antipaxos: Antipaxos) -> None:
    """1, "1", 1.5, true, null, a list and an object: one write each, and none sees another's."""
    keys = [1, "1", 1.5, True, None, [1], {"a": 1}]
    lines = ""
    for n, key in enumerate(keys):
        lines += line(4 * n, 0, "invoke", "write", n, key=key)
        lines += line(4 * n + 1, 0, "ok", "write", n, key=key)
        lines += line(4 * n + 2, 0, "invoke", "read", key=key)
        lines += line(4 * n + 3, 0, "ok", "read", n, key=key)
    Path("h.jsonl").write_text(lines)
    code, out, err = antipaxos("h.jsonl", "--model", "register", "--json")
    assert 0 == code, err
    (judged,) = json.loads(out)["parts"]
    assert len(keys) == judged["evidence"]["keys"]["total"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_named(antipaxos: Antipaxos) -> None:
    """And the others are judged."""
    store(Path("all"))
    Path("all/a/valid.jsonl").chmod(0)
    code, out, _ = antipaxos("all", "--model", "register", "--jobs", "1")
    assert 1 == code
    assert "BAD-INPUT" == out.split()[0]


def test_a_process_that_dies_takes_only_its_work_along() -> None:
    """As one that the system ends for want of memory: another takes over."""
    child = int(signal.SIGCHLD)  # which nobody minds
    numbers: Any = [child, int(signal.SIGKILL), child, int(signal.SIGTERM), child]

    def lost(number: Any, code: int | None) -> Any:
        return number, code

    answers = list(each(numbers, signal.raise_signal, lost, 2))
    assert [None, (9, -9), None, (15, -15), None] == answers


def long_history(wrong: bool) -> str:
    """A hundred writes, each read, with a fault in between; at the end a stale read."""
    lines = [line(0, "nemesis", "info", "kill", {"id": 1, "intended": {"fault": "kill"}})]
    for n in range(100):
        for f, kind, value in (
            ("write", "invoke", n),
            ("write", "ok", n),
            ("read", "invoke", None),
            ("read", "ok", n),
        ):
            lines.append(line(len(lines), n % 3, kind, f, value, key="k"))
    if wrong:
        lines.append(line(len(lines), 7, "invoke", "read", key="k"))
        lines.append(line(len(lines), 7, "ok", "read", 98, key="k"))
    return "".join(lines)


@pytest.mark.skipif(not engine.available(), reason="there is no engine here")
@pytest.mark.parametrize("wrong", [False, True])
def test_a_streamed_file_is_judged_as_one_that_python_reads(
    antipaxos: Antipaxos, monkeypatch: pytest.MonkeyPatch, wrong: bool
) -> None:
    """The same sentence, explanation, number of operations and exit code."""
    Path("h.jsonl").write_text(long_history(wrong))
    words = ("h.jsonl", "--model", "register", "--explain")
    read = antipaxos(*words)
    monkeypatch.setattr(recheck, "STREAMED_FROM_BYTES", 0)
    streamed = antipaxos(*words)
    assert read[0] == streamed[0] == int(wrong)
    assert read[1].splitlines()[0] == streamed[1].splitlines()[0]
    assert "operations  " + ("201" if wrong else "200") in streamed[1]
    if wrong:
        assert read[1].split("why linearizable")[1] == streamed[1].split("why linearizable")[1]


def test_an_excerpt_holds_the_named_calls_and_the_faults(tmp_path: Path) -> None:
    """With their completions, wherever these stand, and nothing else of clients."""
    file = tmp_path / "h.jsonl"
    file.write_text(
        line(0, 0, "invoke", "write", 1)
        + line(1, 1, "invoke", "write", 2)
        + line(2, "nemesis", "info", "kill")
        + line(3, 2, "invoke", "read")
        + line(4, 1, "ok", "write")
        + line(5, 0, "ok", "write")
        + line(6, 0, "invoke", "read")
        + "torn"
    )
    assert [0, 2, 5] == [o.index for o in excerpt_of(file, {0})]
    assert [0, 2, 3, 5] == [o.index for o in excerpt_of(file, {0, 3})]
    assert [] == list(excerpt_of(file, set()))


def test_a_large_file_without_engine_is_told(
    antipaxos: Antipaxos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes its time, and what would help is said."""
    Path("h.jsonl").write_text(history(1))
    monkeypatch.setattr(recheck, "LARGE_BYTES", 10)
    monkeypatch.setattr(recheck, "available", lambda: False)
    code, _, err = antipaxos("h.jsonl", "--model", "register")
    assert 0 == code
    assert "is large, and plain Python reads and judges it" in err
