"""Histories of Jepsen and Knossos: EDN maps, in one vector or one after the other.

Rules
1. A map is an operation: `:process`, `:type` and `:f` must be there; `:value`, `:key`, `:node` and
   `:error` may. `:index` and `:time` are there in every map or in none; positions in the file
   stand in for them, and for times this is told, because they then measure nothing.
2. Clients are processes with a number; any other (`:nemesis`) is not judged.
3. A map cut short by the end of the file is a torn end: dropped with a notice. A map ends with its
   own brace, so what is whole is never dropped.
4. A value `[key value]` of an independent key is told from any other pair of values only where
   every invocation of a client has one, an ok has one with the same key or nil, and some call asks
   for `[key nil]`, as a read does and a compare-and-set does not. Then the key is split off, with a
   notice. The value of a fail or an info has no say: a client that gave up may have left the pair
   out, or put its reason there.

Sources: jepsen.independent (tuples), jepsen.history (the members of an operation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

import msgspec

from checkers.formats.edn_reader import EdnError, Pair, elements
from checkers.formats.source import Decoded, Source, quote, torn
from checkers.history import Error, Operation, OperationType

NAME = "edn"
DESCRIPTION = "maps as Jepsen and Knossos store them, in a vector or one after the other"

_TYPES = get_args(OperationType)
_FITS: dict[str, Callable[[Any], bool]] = {
    "process": lambda value: type(value) in (int, str),
    "type": lambda value: value in _TYPES,
    "f": lambda value: isinstance(value, str) and value != "",
}
_EXPECTED = (
    "a map with :process (a number, or a keyword such as :nemesis), :type (:invoke, :ok, :fail or "
    ":info) and :f, and where they apply :value, :key, :index, :time, :error"
)
_REMEDY = "Export the history again, or correct the map; docs/histories.md shows one."
NO_TIMES = (
    "The operations have no times; their positions in the file stand in for them, so that order "
    "is kept but durations mean nothing."
)


KEYED = (
    "The values of clients are pairs [key value] of independent keys; the keys were split off, and "
    "each is judged on its own."
)


class Located(msgspec.Struct, frozen=True):
    """An operation's map and the line it begins in."""

    line: int
    members: dict[str, Any]


def decode(source: Source) -> Decoded:
    """The operations of an EDN history; raises FormatError."""
    located, notices = read_maps(source)
    return operations(source, located, notices)


def read_maps(source: Source) -> tuple[list[Located], list[str]]:
    """The maps of the file in order, and what there is to notice."""
    text = source.text()
    found: list[Located] = []
    line, counted = 1, 0
    try:
        for at, value in elements(text):
            line += text.count("\n", counted, at)
            counted = at
            if not isinstance(value, dict):
                raise source.error(line, quote(_shown(value)), _EXPECTED, _REMEDY)
            found.append(Located(line, value))
    except EdnError as error:
        line = text.count("\n", 0, error.at) + 1
        if not error.torn or "\n" in text[error.at :]:
            raise source.error(line, error.got, error.expected, _REMEDY) from None
        return found, [torn(line, text[error.at :])]
    return found, []


def operations(source: Source, located: Sequence[Located], notices: list[str]) -> Decoded:
    """The maps as operations, numbered and timed where they are not; raises FormatError."""
    has_index = _all_or_none(source, located, "index")
    has_time = _all_or_none(source, located, "time")
    found = [
        _operation(
            source,
            entry,
            index=entry.members["index"] if has_index else position,
            time=entry.members["time"] if has_time else position,
        )
        for position, entry in enumerate(located)
    ]
    if found and not has_time:
        notices = [*notices, NO_TIMES]
    if are_keyed(found):
        notices = [*notices, KEYED]
        found = split_keys(found)
    return Decoded(found, notices)


def _all_or_none(source: Source, located: Sequence[Located], member: str) -> bool:
    """Whether the maps have a `member`; raises FormatError if some do, or if it is no integer."""
    having = [entry for entry in located if member in entry.members]
    for entry in having:
        value = entry.members[member]
        if type(value) is not int:
            raise source.error(entry.line, f":{member} {_shown(value)}", "an integer", _REMEDY)
    if having and len(having) < len(located):
        lacking = next(entry for entry in located if member not in entry.members)
        raise source.error(
            lacking.line,
            f"a map without :{member}",
            f":{member} in every map, as line {having[0].line} has it, or in none",
            "Number or time all operations alike, or take the member out everywhere.",
        )
    return bool(having)


def _operation(source: Source, entry: Located, index: int, time: int) -> Operation:
    members = entry.members
    for name, fits in _FITS.items():
        if not fits(members.get(name)):
            has = name in members
            got = f":{name} {_shown(members[name])}" if has else f"a map without :{name}"
            raise source.error(entry.line, got, _EXPECTED, _REMEDY)
    node = members.get("node")
    return Operation(
        index=index,
        time=time,
        process=members["process"],
        type=members["type"],
        f=members["f"],
        value=members.get("value"),
        key=members.get("key"),
        node=None if node is None else _shown(node),
        error=error_of(members.get("error")),
    )


def error_of(value: Any) -> Error | None:
    """Jepsen's `:error`, which may be anything: its first word as the code, all of it as text."""
    if value is None:
        return None
    if isinstance(value, list) and value and isinstance(value[0], str):
        return Error(value[0], "; ".join(map(_shown, value[1:])))
    if isinstance(value, str) and value and not any(c.isspace() for c in value):
        return Error(value)
    return Error("error", _shown(value))


def are_keyed(found: Sequence[Operation]) -> bool:
    """Whether all values of clients are [key value] of independent keys (rule 4)."""
    asks_for_key = False
    keys: dict[int | str, Any] = {}  # process -> key of its open call
    for o in found:
        if not o.by_client:
            continue
        if o.key is not None:
            return False
        if not _tells(o):
            continue
        if not isinstance(o.value, list) or len(o.value) != 2:
            return False
        key, value = o.value
        if o.type == "invoke":
            keys[o.process] = key
            asks_for_key |= isinstance(o.value, Pair) or (value is None and key is not None)
        elif keys.get(o.process, key) != key:
            return False
    return asks_for_key


def split_keys(found: Sequence[Operation]) -> list[Operation]:
    return [
        msgspec.structs.replace(o, key=o.value[0], value=o.value[1])
        if o.by_client and _tells(o)
        else o
        for o in found
    ]


def _tells(o: Operation) -> bool:
    """Does the value say what was asked or answered?"""
    return o.type == "invoke" or (o.type == "ok" and o.value is not None)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
