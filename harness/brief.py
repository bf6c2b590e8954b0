"""A message, record or protocol event in short, as people who know consensus write it.

Rules
1. Ballots are written 3.n1, proposals r1: 3.n1 = 7; a field that holds nothing is not mentioned.
2. Nothing here knows a particular system: words come from names of fields, which the trace format
   fixes for protocol events and everybody uses for messages. Other fields are told by their names.
3. The text is bounded, however large the value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

TEXT_MAX = 200  # characters
_LISTED_MAX = 4
_DEPTH_MAX = 6
_VALUE_MAX = 60

# Fields whose words need no name before them, and those with a sign or word of their own.
_BARE = frozenset({"ballot", "instance", "key", "f", "code", "text", "command", "commands"})
_OPENING = {"value": "= ", "first": "from ", "accepted": "reports ", "promised": "promised "}


def brief(value: Any, most: int = TEXT_MAX) -> str:
    """'3.n1 r1 = 7' for an accept request, 'put r1 = 5' for a command, 'ok 7' for an answer; empty
    for a mapping in which nothing is said."""
    if isinstance(value, Mapping) and all(_empty(field) for field in value.values()):
        return "ok" if "ok" in value else ""
    text = _words(value, _DEPTH_MAX)
    return text if len(text) <= most else text[: most - 1] + "…"


def _words(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return _fields(value.items(), depth)
    if isinstance(value, msgspec.Struct):
        return _fields(_said(value), depth)
    if _is_ballot(value):
        return f"{value[0]}.{value[1]}"
    if isinstance(value, Sequence):
        return _listed(value, depth)
    return _cut(json.dumps(value, default=repr))


def _cut(text: str) -> str:
    return text if len(text) <= _VALUE_MAX else text[: _VALUE_MAX - 1] + "…"


def _said(value: msgspec.Struct) -> Iterable[tuple[str, Any]]:
    """The fields that the sender filled in: one that keeps its default says nothing."""
    names = value.__struct_fields__
    silent = dict(zip(reversed(names), reversed(value.__struct_defaults__), strict=False))
    for name in names:
        field = getattr(value, name)
        if name not in silent or silent[name] != field:
            yield name, field


def _is_ballot(value: Any) -> bool:
    """Round and name of the proposer, compared lexicographically."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        return False
    return type(value[0]) is int and isinstance(value[1], str)


def _listed(values: Sequence[Any], depth: int) -> str:
    if values and all(v is None or isinstance(v, bool | int | float) for v in values):
        return _cut(json.dumps(values[:_VALUE_MAX]))
    told = [_report(v, depth) or _words(v, depth - 1) for v in values[:_LISTED_MAX]]
    rest = len(values) - len(told)
    return ", ".join(told) + (f" and {rest} more" if rest > 0 else "") if told else "nothing"


def _report(value: Any, depth: int) -> str:
    """A proposal that a promise reports, [instance, ballot, value]; empty for anything else."""
    if isinstance(value, msgspec.Struct):
        if set(value.__struct_fields__) != {"instance", "ballot", "value"}:
            return ""
        value = [getattr(value, name) for name in ("instance", "ballot", "value")]
    if not isinstance(value, tuple | list) or len(value) != 3 or not _is_ballot(value[1]):
        return ""
    instance, ballot, proposed = (_words(part, depth - 1) for part in value)
    return f"{instance}: {ballot} = {proposed}"


def _fields(fields: Iterable[tuple[Any, Any]], depth: int) -> str:
    named = dict(fields)
    # A command is what it asks for; its number and session say little to a reader.
    if "f" in named and "key" in named:
        named = {name: named[name] for name in ("f", "key", "value") if name in named}
    told = [_field(name, value, depth) for name, value in named.items()]
    return " ".join(words for words in told if words) or "nothing"


def _field(name: str, value: Any, depth: int) -> str:
    """Empty where the field holds nothing."""
    if name == "ok" and value is None:
        return "ok"  # an answer without a result is an answer
    if _empty(value):
        return ""
    if name == "instance" and type(value) is int:
        return f"slot {value}"
    words = _words(value, depth - 1)
    return words if name in _BARE else _OPENING.get(name, f"{name} ") + words


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, tuple | list | dict) and not value)
