"""Jepsen's logs: one operation a line, `INFO  jepsen.util - PROCESS :TYPE :F VALUE`.

Rules
1. Lines of other loggers are passed over and counted in a notice. A line that begins as an
   operation and does not read as one is an error, and so is a log without any: passing over an
   operation could hide a violation.
2. There are no times and no indices: positions stand in for them, which a notice tells.
3. A keyword in place of a completion's value (`:timed-out`) is why it did not end in ok: it becomes
   the error's code, and the completion has no value.
4. `:fail :cas` stays a fail that constrains nothing. The etcd client of 2014 answered so only when
   the compare did not match, which would be evidence; but other clients answer so for a connection
   refused, a log does not say which, and the verdicts on the etcd logs are the same either way.
5. A last line without its line feed is dropped with a notice: `3` may be the beginning of `31`.

Sources: jepsen.util/log-op.
"""

from __future__ import annotations

import re
from typing import Any, get_args

from checkers.formats.edn import KEYED, NO_TIMES, are_keyed, error_of, split_keys
from checkers.formats.edn_reader import EdnError, forms
from checkers.formats.source import Decoded, Source, quote, torn
from checkers.history import Error, Operation, OperationType

NAME = "jepsen-log"
DESCRIPTION = "Jepsen's log or history.txt, one operation a line"

OPERATION = re.compile(
    r"(?:.*\bjepsen\.(?:core|util)\b\S*(?:\s+-)?\s+)?(?P<process>\d+|:[\w-]+)\s+"
    r":(?P<type>" + "|".join(get_args(OperationType)) + r")\s+(?P<rest>:.*)"
)
_BEGINS = re.compile(
    r".*\bjepsen\.util\b\S*(?:\s+-)?\s+(?:\d+|:nemesis)\s"
    r"|(?:.*\bjepsen\.core\b\S*(?:\s+-)?\s+)?(?:\d+|:nemesis)\s+:(?:"
    + "|".join(get_args(OperationType))
    + r")\b"
)
_EXPECTED = "PROCESS, :invoke, :ok, :fail or :info, :F and a value in EDN"
_REMEDY = "Restore the line as the log had it."


def decode(source: Source) -> Decoded:
    """The operations of a Jepsen log; raises FormatError."""
    operations: list[Operation] = []
    notices: list[str] = []
    passed_over = 0
    unterminated = None if source.ends_whole else source.line_at(len(source.data))
    source.text()
    for number, data in source.lines():
        line = data.decode()
        if number == unterminated:
            notices.append(torn(number, line))
            continue
        match = OPERATION.fullmatch(line.rstrip())
        if match is not None:
            operations.append(_operation(source, number, match, len(operations)))
        elif _BEGINS.match(line):
            raise source.error(number, quote(line), _EXPECTED, _REMEDY)
        else:
            passed_over += 1
    if not operations and not notices:
        raise source.error(None, "a log without an operation", _EXPECTED, "Is it the right log?")
    return _finished(operations, notices, passed_over)


def _finished(operations: list[Operation], notices: list[str], passed_over: int) -> Decoded:
    if passed_over:
        lines = "1 line that is" if passed_over == 1 else f"{passed_over} lines that are"
        notices.append(f"Passed over {lines} no operation.")
    if operations:
        notices.append(NO_TIMES)
    if are_keyed(operations):
        notices.append(KEYED)
        operations = split_keys(operations)
    return Decoded(operations, notices)


def _operation(source: Source, number: int, match: re.Match[str], position: int) -> Operation:
    try:
        found = list(forms(match["rest"]))
    except EdnError as wrong:
        got = f"{wrong.got} in {quote(match.string)}"
        raise source.error(number, got, wrong.expected, _REMEDY) from None
    kind, process = match["type"], match["process"]
    value, error = _outcome(kind, match["rest"], found[1:])
    return Operation(
        index=position,
        time=position,
        process=process[1:] if process.startswith(":") else int(process),
        type=kind,  # type: ignore[arg-type]  # OPERATION matches nothing else
        f=str(found[0][1]),
        value=value,
        error=error,
    )


def _outcome(kind: str, text: str, found: list[tuple[int, Any]]) -> tuple[Any, Error | None]:
    """The value and the error of an operation from what stands after its f, with offsets."""
    if not found:
        return None, None
    (at, value), *more = found
    if more:
        reason = text[more[0][0] :].strip()
        return value, error_of(more[0][1] if len(more) == 1 else reason)
    if kind in ("fail", "info") and text[at] == ":":
        return None, error_of(value)  # rule 3
    return value, None
