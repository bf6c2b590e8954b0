"""The engine reads a history.jsonl as Python's reader does, and refuses what that one refuses."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.formats import FormatError, read_history
from checkers.formats.edn_reader import DEPTH_MAX
from checkers.history import History, HistoryError, Operation
from checkers.linearizability import engine
from tests.checkers.tables import held, histories, rows

if not engine.available():
    pytest.skip(f"no engine: {engine.why_not()}", allow_module_level=True)

from checkers._engine import Table, Unreadable


def read(data: bytes) -> tuple[Table | None, History | None]:
    """A file as the engine reads it and as Python does; None where it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        path.write_bytes(data)
        try:
            table = Table.read(str(path))
        except Unreadable:
            table = None
        try:
            return table, read_history(path, "jsonl").history
        except (FormatError, HistoryError):
            return table, None


def lines(history: History) -> bytes:
    """As some recorder may write it: the standard library's JSON, whose spacing differs."""
    plain = [
        {name: getattr(o, name) for name in ("index", "time", "process", "type", "f", "value")}
        | {name: getattr(o, name) for name in ("key", "node") if getattr(o, name) is not None}
        | ({"error": {"code": o.error.code, "text": "t"}} if o.error else {})
        for o in history
    ]
    return "".join(json.dumps(line) + "\n" for line in plain).encode()


def line(**members: Any) -> bytes:
    """One operation, an invocation unless the members say otherwise."""
    usual = {"index": 0, "time": 5, "process": 0, "type": "invoke", "f": "write", "value": 1}
    return json.dumps(usual | members).encode() + b"\n"


@settings(deadline=None)
@given(histories())
def test_a_table_of_a_file_holds_what_the_file_holds(history: History) -> None:
    """The engine reads the file as Python does."""
    table, again = read(lines(history))

    assert (table is None) == (again is None) == (len(history) == 0)
    if table is not None and again is not None:
        assert held(again) == rows(table)


MUTATIONS = (
    *(bytes([byte]) for byte in b'"{}[],:\n\r 01-.e\\\x00\x0b\xff\xc3'),
    *(b"\\u", b"\\ud800", b"null", b"true", b'"0"', b"9" * 20, b"1e999"),
    *(b'"index":1,', b"\xef\xbb\xbf", b'{"a":1}'),
)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_bytes_that_somebody_changed(data: st.DataObject) -> None:
    """Whatever is done to a file, both readers refuse it or both read the same."""
    history = data.draw(histories(st.sampled_from([None, 1, "a", [1.5, {"a": True}]])))
    text = lines(history)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.sampled_from([0, 0, 1, 2, 40]))
        text = text[:start] + data.draw(st.sampled_from([*MUTATIONS, b""])) + text[end:]

    table, again = read(text)

    if table is not None:
        assert again is not None
        assert held(again) == rows(table)
    elif again is not None:
        assert len(again) == 0 or engine_may_refuse(text), "Python reads it and the engine does not"


def engine_may_refuse(text: bytes) -> bool:
    """What is legal and not plainly right: bytes that are no text, in a member nobody reads, and
    a torn line that passes a limit."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return True
    return b"e999" in text


ENDED = {"index": 1, "time": 6, "type": "ok"}


@pytest.mark.parametrize(
    "text",
    [
        line() + line(**ENDED),
        line(value=10**400) + line(**ENDED, value=1e300),
        b"\xef\xbb\xbf" + line(),
        b"\r\n\x0b \n" + line().replace(b"\n", b"\r\n"),
        line(value="\u0000\ud83d\ude00/").replace(b"/", b"\\/"),
        line(extra={"a": [1, {"b": "\\"}]}, node=None, error=None, key=None),
        line(time=-5, index=7, process=-1),
        b'{"index":3,' + line()[1:-1] + b"\n",
        line(error={"code": "a", "text": "b", "more": []}),
        line() + line(index=1, process="nemesis", type="info", f="kill"),
        line() + line(index=1, process="", f="kill"),
        line(value="x" * 2_000_000),
        line(value=[[]] * 2000),
        line(value=list(range(300_000))) + line(**ENDED),
    ],
)
def test_files_that_are_right(text: bytes) -> None:
    """Each of these is a history, to both readers, and the same."""
    table, history = read(text)

    assert table is not None
    assert history is not None
    assert held(history) == rows(table)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n \n",
        b"[]\n",
        b"{}\n",
        b"\xff\n",
        line() + line(index=0, process=1),
        line(index=-1),
        line() + line(index=1, process=1, time=4),
        line() + line(index=1),
        line(type="ok"),
        line() + line(**ENDED, f="read"),
        line(key="a") + line(**ENDED, key="b"),
        line(key=1) + line(**ENDED, key=True),
        line() + line(**ENDED, key="b"),
        line(process="12"),
        line(process="٣"),
        line(process=1.0),
        line(process=None),
        line(index=1.0),
        line(index="1"),
        line(time=True),
        line(type="invoked"),
        line(f=None),
        line(node=3),
        line(error="timeout"),
        line(error={"text": "a"}),
        line(error={"code": 3}),
        line(error={"code": "a", "text": None}),
        line(value=float("nan")),
        line(value=float("inf")),
        line(value=1).replace(b'"value": 1', b'"value": 01'),
        line(value=1).replace(b'"value": 1', b'"value": 1e999'),
        line(value=1).replace(b'"value": 1', b'"value": 1.'),
        line(value=1).replace(b'"value": 1', b'"value": ' + b"9" * 5000),
        line(value="\ud800"),
        line(value="a").replace(b'"a"', b'"\t"'),
        line(value="a").replace(b'"a"', b'"\\a"'),
        line(value=1).replace(b'"value": 1', b'"value": [1,]'),
        line()[:-1] + b"x\n",
        line()[:-2] + b"\n" + line(index=1, process=1),
        *(line(**{name: 0}).replace(f'"{name}": 0, '.encode(), b"") for name in ("index", "time")),
    ],
)
def test_files_that_are_wrong(text: bytes) -> None:
    """Each of these is refused by both readers."""
    assert read(text) == (None, None)


@pytest.mark.parametrize("kept", range(len(line(**ENDED))))
def test_a_last_line_that_is_torn(kept: int) -> None:
    """It is dropped as Python drops it, and the table tells; if only the line feed is missing, the
    line is whole."""
    end = line(**ENDED)[:kept]
    table, history = read(line() + end)

    assert table is not None
    assert history is not None
    assert held(history) == rows(table)
    torn = None if kept in (0, len(end.rstrip(b"}")) + 1) and end[-1:] in (b"", b"}") else (2, end)
    assert torn == table.torn


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_bounded(opening: str, closing: str) -> None:
    """At the limit of the Python reader, from a file and from objects; far beyond it as well."""

    def nested(depth: int) -> str:
        return opening * depth + "1" + closing * depth

    def written(depth: int) -> bytes:
        return line(value="?").replace(b'"?"', nested(depth).encode())

    table, history = read(written(DEPTH_MAX))
    assert table is not None
    assert history is not None
    assert held(history) == rows(table) == rows(Table.of(history))
    assert read(written(DEPTH_MAX + 1)) == (None, None)
    assert read(written(200_000)) == (None, None)
    deep = Operation(0, 0, 0, "invoke", "write", json.loads(nested(DEPTH_MAX + 1)))
    with pytest.raises(Unreadable):
        Table.of([deep])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Python's reader says what is wrong with a path."""
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(Unreadable):
            Table.read(str(path))
        assert engine.table_of(path) is None


def test_processes_that_are_not_judged() -> None:
    """The table names those that Python's reader would give a notice of."""
    table, _ = read(line() + line(index=1, process="c1") + line(index=2, process="c1", type="fail"))

    assert table is not None
    assert table.unjudged == ["c1"]
