"""Jepsen's logs and Porcupine's key-value files: their lines, and lines that are wrong."""

from typing import Any

import pytest

from checkers.formats import FormatError, jepsen_log, porcupine
from checkers.formats.source import Decoded, Source
from checkers.history import Error

PREFIX = "INFO  jepsen.util - "


def log(*lines: str, end: str = "\n") -> Decoded:
    """Lines of a log, in which a space stands for a tab."""
    text = "\n".join(PREFIX + line.replace(" ", "\t") for line in lines)
    return jepsen_log.decode(Source.of("run.log", (text + end).encode()))


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("0 :invoke :read nil", (0, "invoke", "read", None, None)),
        ("0 :ok :read 3", (0, "ok", "read", 3, None)),
        ("1 :invoke :cas [3,4]", (1, "invoke", "cas", [3, 4], None)),
        ("1 :info :cas :timed-out", (1, "info", "cas", None, Error("timed-out"))),
        ("2 :fail :read :timed-out", (2, "fail", "read", None, Error("timed-out"))),
        ("2 :fail :cas [3,4]", (2, "fail", "cas", [3, 4], None)),
        ("2 :ok :read :empty", (2, "ok", "read", "empty", None)),
        ("2 :info :write 3 :timeout", (2, "info", "write", 3, Error("timeout"))),
        ("2 :info :write 3 a b", (2, "info", "write", 3, Error("error", "a\tb"))),
        (":nemesis :info :start nil", ("nemesis", "info", "start", None, None)),
        (":nemesis :info :start", ("nemesis", "info", "start", None, None)),
    ],
)
def test_a_line_of_a_log(line: str, read: tuple[Any, ...]) -> None:
    """Rules 2 and 3: values, reasons in their place or behind them, and the nemesis."""
    (o,) = log(line).operations

    assert (o.process, o.type, o.f, o.value, o.error) == read
    assert (o.index, o.time) == (0, 0)


def test_logs_of_every_age() -> None:
    """Blanks for tabs, time stamps and threads before the logger, or no logger at all."""
    (expected,) = log("3 :ok :read 1").operations
    for line in (
        PREFIX + "3   :ok     :read   1",
        "2024-05-01 12:00:00,123{GMT}\tINFO\t[jepsen worker 3] jepsen.util: 3\t:ok\t:read\t1",
        "3\t:ok\t:read\t1",
    ):
        decoded = jepsen_log.decode(Source.of("run.log", f"{line}\n".encode()))
        assert decoded.operations == [expected]


def test_lines_of_other_loggers_are_passed_over_and_counted() -> None:
    """Rule 1: what is no operation is no error, and not hidden either."""
    text = f"INFO  jepsen.core - Worker 0 starting\n{PREFIX}0\t:invoke\t:read\tnil\n\nWARN  x\n"
    decoded = jepsen_log.decode(Source.of("run.log", text.encode()))

    assert len(decoded.operations) == 1
    assert "Passed over 2 lines that are no operation." in decoded.notices


@pytest.mark.parametrize("line", ["0 :done :read 1", "0 :ok", "0 :ok :read (", "0 :ok read 1"])
def test_a_line_that_begins_as_an_operation_is_one(line: str) -> None:
    """Rule 1: an operation that cannot be read is not passed over, for it may be the violation."""
    with pytest.raises(FormatError) as caught:
        log("0 :invoke :read nil", line)

    assert str(caught.value).startswith("run.log, line 2: got ")
    assert "expected" in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "INFO  jepsen.core - "])
@pytest.mark.parametrize("line", ["0 :ok read 1", "0 :ok: :read 1", "3 :invoke"])
def test_operations_of_old_logs_and_of_none_are_not_passed_over(prefix: str, line: str) -> None:
    """Rule 1 wherever an operation may stand: those of jepsen.core and of history.txt as well."""
    text = f"{prefix}0 :invoke :read nil\n{prefix}{line}\n"
    with pytest.raises(FormatError, match=r"run\.log, line 2: got "):
        jepsen_log.decode(Source.of("run.log", text.encode()))


def test_a_log_without_operations_is_no_history() -> None:
    """Rule 1: a log of something else must not become an empty history."""
    with pytest.raises(FormatError, match="a log without an operation"):
        jepsen_log.decode(Source.of("run.log", b"INFO  jepsen.core - done\n"))


def test_a_last_line_without_its_end_is_dropped() -> None:
    """Rule 5: `3` may be the beginning of `31`, so only a line feed makes a line whole."""
    decoded = log("0 :invoke :read nil", "0 :ok :read 3", end="")

    assert len(decoded.operations) == 1
    assert any("last line (2) is torn" in notice for notice in decoded.notices)


def test_independent_keys_in_a_log() -> None:
    """Pairs of key and value are split as they are in EDN."""
    decoded = log("0 :invoke :read [1,nil]", "0 :ok :read [1,7]")

    assert [(o.key, o.value) for o in decoded.operations] == [(1, None), (1, 7)]


def kv(*operations: str) -> Decoded:
    text = "".join(f"{{:process 0, {operation}}}\n" for operation in operations)
    return porcupine.decode(Source.of("kv.txt", text.encode()))


def test_key_value_operations() -> None:
    """Each map is an operation on the string that its key names."""
    decoded = kv(
        ':type :invoke, :f :append, :key "0", :value "x 0 \\"1\\" y"',
        ':type :ok, :f :append, :key "0", :value "x 0 \\"1\\" y"',
        ':type :invoke, :f :get, :key "7", :value nil',
        ':type :ok, :f :get, :key "7", :value ""',
    )

    assert [(o.type, o.f, o.key, o.value) for o in decoded.operations] == [
        ("invoke", "append", "0", 'x 0 "1" y'),
        ("ok", "append", "0", 'x 0 "1" y'),
        ("invoke", "get", "7", None),
        ("ok", "get", "7", ""),
    ]


@pytest.mark.parametrize(
    "operation",
    [
        ':type :invoke, :f :cas, :key "0", :value "x"',
        ':type :invoke, :f :put, :key 0, :value "x"',
        ':type :invoke, :f :put, :value "x"',
        ':type :invoke, :f :put, :key "0", :value 3',
    ],
)
def test_what_is_no_key_value_operation(operation: str) -> None:
    """Rule 1: a narrower contract is kept, and the wider format named for what breaks it."""
    with pytest.raises(FormatError, match=r"line 2: .*Read other EDN histories with format 'edn'"):
        kv(':type :invoke, :f :get, :key "7", :value nil', operation)
