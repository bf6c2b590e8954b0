"""Our own format: round trips, torn ends at every byte, and lines that are not operations."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.formats import FormatError, read_history, write_jsonl
from checkers.formats import jsonl as format_
from checkers.formats.edn_reader import DEPTH_MAX
from checkers.formats.source import Decoded, Source
from checkers.history import Error, History, Operation

FIRST = b'{"index":0,"time":5,"process":0,"type":"invoke","f":"write","value":1}\n'
SECOND = (
    '{"index":1,"time":9,"process":0,"type":"fail","f":"write","value":[1,{"a":"é"}],'
    '"key":"k","node":"n1","error":{"code":"no-leader","text":"none } here"}}\n'
).encode()


def decode(data: bytes) -> Decoded:
    return format_.decode(Source.of("history.jsonl", data))


def test_a_line_is_an_operation() -> None:
    """Every member is read; what is absent is None."""
    first, second = decode(FIRST + SECOND).operations

    assert first == Operation(0, 5, 0, "invoke", "write", 1)
    assert second == Operation(
        index=1,
        time=9,
        process=0,
        type="fail",
        f="write",
        value=[1, {"a": "é"}],
        key="k",
        node="n1",
        error=Error("no-leader", "none } here"),
    )


@pytest.mark.parametrize("kept", range(len(SECOND)))
def test_a_line_torn_at_any_byte(kept: int) -> None:
    """Rule 2: killed after any byte of the last line, a recorder leaves a file that is read up to
    that line; rule 1: if only the line feed is missing, the line is whole."""
    decoded = decode(FIRST + SECOND[:kept])

    whole = kept == len(SECOND) - 1
    assert [o.index for o in decoded.operations] == [0, 1][: 1 + whole]
    assert len(decoded.notices) == (0 if whole or kept == 0 else 1)
    assert all("last line (2) is torn" in notice for notice in decoded.notices)


def test_a_disk_that_filled_the_end_with_zeros() -> None:
    """After a power failure a file may end in zeros: torn as well."""
    decoded = decode(FIRST + SECOND[:20] + bytes(30))

    assert (len(decoded.operations), len(decoded.notices)) == (1, 1)


@pytest.mark.parametrize(
    "line", [b'{"index":0,"ti\n', b"nonsense\n", b"\xff\n", b"[" * 5000 + b"\n"]
)
@pytest.mark.parametrize("after", [b"", SECOND])
def test_a_line_that_is_no_json_is_an_error_elsewhere(line: bytes, after: bytes) -> None:
    """Rule 2: with a line feed behind it a line was not torn, be it the last or not."""
    with pytest.raises(FormatError) as caught:
        decode(FIRST + line + after)

    assert caught.value.line == 2
    assert str(caught.value).startswith("history.jsonl, line 2: got `")
    assert "expected one JSON object a line with index" in str(caught.value)
    assert "Correct the line or the recorder" in str(caught.value)


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("index", "0", "Expected `int`, got `str` - at `$.index`"),
        ("time", 0.5, "Expected `int`, got `float` - at `$.time`"),
        ("process", None, "at `$.process`"),
        ("process", True, "at `$.process`"),
        ("type", "invoked", "Invalid enum value 'invoked' - at `$.type`"),
        ("f", 3, "at `$.f`"),
        ("error", "no-leader", "at `$.error`"),
    ],
)
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_member_of_the_wrong_kind(member: str, value: Any, said: str, end: str) -> None:
    """A whole object that is no operation is an error that names the member, also at the end of
    the file and without a line feed: nobody tore it."""
    line = json.dumps(json.loads(FIRST) | {member: value}) + end

    with pytest.raises(FormatError) as caught:
        decode(FIRST + line.encode())

    assert said in str(caught.value)
    assert caught.value.line == 2


@pytest.mark.parametrize("member", ["index", "time", "process", "type", "f"])
def test_a_member_that_is_missing(member: str) -> None:
    """The five members without which there is no operation are named when they are missing."""
    line = {name: value for name, value in json.loads(FIRST).items() if name != member}

    with pytest.raises(FormatError, match=f"missing required field `{member}`"):
        decode(json.dumps(line).encode() + b"\n")


def test_members_of_others_are_ignored() -> None:
    """Rule 3: a recorder may add what it likes."""
    line = json.dumps(json.loads(FIRST) | {"thread": "main"})

    assert decode(line.encode() + b"\n") == decode(FIRST)


def test_blank_lines_and_foreign_line_ends() -> None:
    """Blank lines count and mean nothing; a carriage return belongs to the line end."""
    decoded = decode(b"\r\n" + FIRST.replace(b"\n", b"\r\n") + b"\n" + SECOND)

    assert decoded == decode(FIRST + SECOND)
    with pytest.raises(FormatError) as caught:
        decode(b"\n\n{}\n")
    assert caught.value.line == 3


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('a\n\u2028\u0085é"\\', max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2)
    ),
    max_leaves=5,
)
ERRORS = st.none() | st.builds(Error, st.text("ab-", max_size=3), st.text("ab\n", max_size=3))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Histories with every member an operation can have; each call is on a process of its own."""
    operations: list[Operation] = []
    for process in range(draw(st.integers(0, 4))):
        key, f = draw(VALUES), draw(st.text("ab", max_size=2))
        for type_ in ("invoke", draw(st.sampled_from(["ok", "fail", "info"]))):
            index = len(operations)
            value, node = draw(VALUES), draw(st.none() | st.just("n1"))
            error = draw(ERRORS) if type_ in ("fail", "info") else None
            operations.append(
                Operation(index, index * 7, process, type_, f, value, key, node, error)  # type: ignore[arg-type]
            )
    return History(operations)


@settings(deadline=None)
@given(histories())
def test_what_is_written_is_read(history: History) -> None:
    """Writing and reading gives the same history, whatever JSON its values are."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        write_jsonl(history, path)

        if len(history):
            assert read_history(path).history == history
            assert read_history(path).notices == []
        assert path.read_bytes().count(b"\n") == len(history)


@pytest.mark.parametrize("member", ["key", "value"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_bounded(member: str, opening: str, closing: str) -> None:
    """Rule 4: what is nested too deep to be judged is refused; text nests nothing."""

    def line(value: str) -> bytes:
        return FIRST.replace(b'"value":1', f'"{member}":{value}'.encode())

    nested = opening * DEPTH_MAX + "1" + closing * DEPTH_MAX
    shallow = [line(nested), line(json.dumps("[" * 5_000)), line(json.dumps([[]] * 5_000))]

    assert [1, 1, 1] == [len(decode(data).operations) for data in shallow]
    with pytest.raises(FormatError, match=r"line 1: got a deeper nesting in .* at most 100 levels"):
        decode(line(opening + nested + closing))
