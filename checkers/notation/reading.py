"""From a picture to the history it shows.

Rules
1. Read from left to right, value by value: nothing is searched for, so bars, dots and dashes inside
   values mean nothing.
2. What cannot be read is refused with its place and what was expected there.
"""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import Any

import msgspec

from checkers.history import COMPARE_FAILED, Error, History, Operation, OperationType
from checkers.notation.grammar import (
    CODE,
    LITERALS,
    NIL,
    SHORT,
    SHORT_CALL,
    VALUE,
    WORD,
)

_LINE = re.compile(r"\s*p(-?\d+)(?=\s|$)")
_END = re.compile(r"-*(?:(?P<ok>\|)|(?P<fail>!)|(?P<info>\?)|\s*(?P<open>\.\.\.))")
_NOT_SAID = object()
_JSON = json.JSONDecoder()


class NotationError(ValueError):
    """A picture that cannot be read. Who drew it is at fault."""

    def __init__(self, line: int, column: int, text: str, expected: str) -> None:
        got = f"{text[column : column + 20]!r}" if text[column:].strip() else "the end of the line"
        super().__init__(
            f"picture line {line}, column {column + 1}: got {got}, expected {expected}. "
            "The notation stands at the head of checkers/notation."
        )


class _Row(msgspec.Struct):
    """A process with what its line says; `line` is where it stands, for errors."""

    process: int
    body: str
    line: int


class _Label(msgspec.Struct, frozen=True):
    """What an interval says of its call."""

    f: str
    input: Any
    output: Any  # _NOT_SAID if there is none
    key: Any


def parse(picture: str) -> History:
    """The history that a picture shows; index and time count its events.

    Raises NotationError, and HistoryError where the picture is one of an ill-formed history.
    """
    events: list[tuple[int, int, Operation]] = []
    for row in _rows(picture):
        events += _Reader(row).events()
    events.sort(key=lambda event: event[:2])  # stable: within a column, from top to bottom
    return History(
        msgspec.structs.replace(operation, index=at, time=at)
        for at, (_, _, operation) in enumerate(events)
    )


def _rows(picture: str) -> list[_Row]:
    lines = [
        (number, line.expandtabs().rstrip())
        for number, line in enumerate(picture.split("\n"), 1)
        if not line.lstrip().startswith("#")
    ]
    blocks = [list(block) for blank, block in groupby(lines, lambda at: not at[1]) if not blank]
    rows: list[_Row] = []
    unfinished: list[_Row] = []  # of the block before, if it was folded
    for block in blocks:
        folded = block is not blocks[-1] and all(line.endswith("~") for _, line in block)
        found = [_row(number, line) for number, line in block]
        if folded or unfinished:
            indent = max(_LINE.match(line).end() for _, line in block) + 2  # type: ignore[union-attr]
            for row in found:
                row.body = row.body[indent:].removesuffix("~") if folded else row.body[indent:]
        if unfinished:
            _join(unfinished, found)
        else:
            rows += found
        unfinished = (unfinished or found) if folded else []
    return rows


def _row(number: int, line: str) -> _Row:
    match = _LINE.match(line)
    if match is None:
        raise NotationError(number, 0, line, "a process such as p0 and its intervals")
    return _Row(int(match[1]), " " * match.end() + line[match.end() :], number)


def _join(unfinished: list[_Row], found: list[_Row]) -> None:
    if [row.process for row in unfinished] != [row.process for row in found]:
        expected = "the processes of the folded block before: "
        raise NotationError(
            found[0].line, 0, "", expected + ", ".join(f"p{row.process}" for row in unfinished)
        )
    for row, more in zip(unfinished, found, strict=True):
        row.body += more.body


class _Reader:
    """Reads the intervals of one row, from left to right."""

    def __init__(self, row: _Row) -> None:
        self.row = row
        self.text = row.body
        self.at = 0

    def events(self) -> list[tuple[int, int, Operation]]:
        """Of each invocation (0) and completion (1): its column, which it is, the operation."""
        events: list[tuple[int, int, Operation]] = []
        while self._skip(" ") == "|":
            start = self.at
            self.at += 1
            self._skip("-")
            label = self._label()
            events.append((start, 0, self._operation("invoke", label, label.input)))
            end = _END.match(self.text, self.at)
            if end is None:
                raise self._error("the interval's end: `|` ok, `!` fail, `?` unknown, or `...`")
            bare = (label.f, label.input, label.output) == ("read", None, _NOT_SAID)
            if end["ok"] and bare:
                raise self._error("what the read returned, as in r1 or rnil")
            if not end["ok"] and label.output is not _NOT_SAID:
                raise self._error("`|`, because only a call that returned has an output")
            self.at = end.end()
            if end["open"]:
                break
            events.append((end.end() - 1, 1, self._completion(end, label)))
        return events

    def _completion(self, end: re.Match[str], label: _Label) -> Operation:
        if end["ok"]:
            output = None if label.output is _NOT_SAID else label.output
            return self._operation("ok", label, output)
        if end["info"]:
            return self._operation("info", label, None)
        code = self._reason()
        return self._operation("fail", label, None, None if code is None else Error(code))

    def _operation(
        self, kind: OperationType, label: _Label, value: Any, error: Error | None = None
    ) -> Operation:
        process, f, key = self.row.process, label.f, label.key
        return Operation(0, 0, process, kind, f, value=value, key=key, error=error)

    def _label(self) -> _Label:
        short = SHORT_CALL.match(self.text, self.at)
        if short is not None:
            self.at = short.end()
            f = SHORT[short[0]]
            if f == "read":
                output = self._value() if VALUE.match(self.text, self.at) else _NOT_SAID
                return _Label(f, None, output, self._key())
            given = self._value()
            if f == "cas":
                if not self._take(">"):
                    raise self._error("`>` and the new value, as in c1>2")
                given = [given, self._value()]
        else:
            f, given = self._name(), None
            if self._take(" "):
                given = self._value()
        output = self._value() if self._take("=") else _NOT_SAID
        return _Label(f, given, output, self._key())

    def _name(self) -> str:
        word = WORD.match(self.text, self.at)
        if word is not None:
            self.at = word.end()
            return word[0]
        expected = "a call, as in w1, r1, c1>2, or a name in general"
        return self._string(expected)

    def _key(self) -> Any:
        if not self._take("@"):
            return None
        word = WORD.match(self.text, self.at)
        if word is not None and word[0] not in LITERALS:
            self.at = word.end()
            return word[0]
        return self._value()

    def _reason(self) -> str | None:
        if self._take("="):
            return COMPARE_FAILED
        code = CODE.match(self.text, self.at)
        if code is not None:
            self.at = code.end()
            return code[0]
        return self._string("a reason") if self.text.startswith('"', self.at) else None

    def _string(self, expected: str) -> str:
        if not self.text.startswith('"', self.at):
            raise self._error(expected)
        value = self._value()
        assert isinstance(value, str)
        return value

    def _value(self) -> Any:
        nil = NIL.match(self.text, self.at)
        if nil is not None:
            self.at = nil.end()
            return None
        try:
            value, self.at = _JSON.raw_decode(self.text, self.at)
        except (ValueError, RecursionError):
            raise self._error("a value in JSON, or nil") from None
        return value

    def _take(self, character: str) -> bool:
        taken = self.text.startswith(character, self.at)
        self.at += taken
        return taken

    def _skip(self, character: str) -> str:
        """Go past all of `character`; the one that follows, or nothing at the end."""
        while self._take(character):
            pass
        return self.text[self.at : self.at + 1]

    def _error(self, expected: str) -> NotationError:
        return NotationError(self.row.line, self.at, self.text, expected)
