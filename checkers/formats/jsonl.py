"""Our own format: one JSON object a line, each a checkers.history.Operation.

Rules
1. A line is whole if it is a whole JSON object: an object ends with its own brace, so no proper
   beginning of one is taken for it, whether or not the line feed was still written.
2. Only the last line, and only one without a line feed, may be torn; it is dropped with a notice.
   Any other line that cannot be decoded is an error: there, somebody wrote wrong lines.
3. Members that are not ours are ignored: a recorder may add its own.
4. Nesting is bounded by DEPTH_MAX, as in EDN: whoever handles the values recurses into them.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from checkers.formats.edn_reader import DEPTH_MAX
from checkers.formats.source import Decoded, FormatError, Source, quote, torn
from checkers.history import History, Operation

NAME = "jsonl"
DESCRIPTION = "one JSON object a line, as Antipaxos records it"

_EXPECTED = (
    "one JSON object a line with index, time (ns), process, type (invoke, ok, fail, info) and f, "
    "and where they apply value, key, node, error {code, text}"
)
_REMEDY = "Correct the line or the recorder that wrote it; docs/histories.md describes each member."

# What msgspec raises for bytes that are no operation; RecursionError is its answer to deep nesting.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_DECODER = msgspec.json.Decoder(Operation)


def decode(source: Source) -> Decoded:
    """The operations of a history.jsonl; raises FormatError at a line that is not one."""
    operations: list[Operation] = []
    unterminated = None if source.ends_whole else source.line_at(len(source.data))
    for number, line in source.lines():
        try:
            operation = _DECODER.decode(line)
        except _UNREADABLE as error:
            if number == unterminated and not _is_whole(line):
                return Decoded(operations, [torn(number, line)])
            raise _wrong(source, number, line, error) from None
        if line.count(b"[") + line.count(b"{") > DEPTH_MAX and _too_deep(operation):
            expected = f"at most {DEPTH_MAX} levels"
            raise source.error(number, "a deeper nesting in " + quote(line), expected, _REMEDY)
        operations.append(operation)
    return Decoded(operations)


def write_jsonl(history: History, path: str | Path) -> None:
    """Write a history as `read_history` reads it. Raises OSError, and TypeError for a value that
    is not JSON."""
    Path(path).write_bytes(msgspec.json.Encoder().encode_lines(tuple(history)))


def _too_deep(operation: Operation) -> bool:
    level = [operation.value, operation.key]
    for _ in range(DEPTH_MAX + 1):
        collections = [v for v in level if isinstance(v, list | dict)]
        if not collections:
            return False
        level = [v for c in collections for v in (c.values() if isinstance(c, dict) else c)]
    return True


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except _UNREADABLE:
        return False


def _wrong(source: Source, number: int, line: bytes, error: Exception) -> FormatError:
    return source.error(number, f"{quote(line)} ({error})", _EXPECTED, _REMEDY)
