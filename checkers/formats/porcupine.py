"""Key-value histories as Porcupine's tests keep them: EDN maps with a :key, strings as values.

Rules
1. It is EDN (checkers.formats.edn) with a narrower contract: `get`, `put` and `append` on a string
   `:key`, with a string or nil as `:value`. A file that breaks it is another tool's: read as edn.
2. A key starts as the empty string; that is for the model (kv) to know.

Sources: Porcupine, test data `kv`.
"""

from __future__ import annotations

from checkers.formats import edn
from checkers.formats.edn import Located
from checkers.formats.source import Decoded, Source

NAME = "porcupine"
DESCRIPTION = "the key-value histories of Porcupine's tests, one map a line"

FUNCTIONS = ("get", "put", "append")


def decode(source: Source) -> Decoded:
    """The operations of a key-value history; raises FormatError."""
    located, notices = edn.read_maps(source)
    for entry in located:
        _check(source, entry)
    return edn.operations(source, located, notices)


def fits(entry: Located) -> bool:
    members = entry.members
    return (
        members.get("f") in FUNCTIONS
        and isinstance(members.get("key"), str)
        and isinstance(members.get("value"), str | None)
    )


def _check(source: Source, entry: Located) -> None:
    if not fits(entry):
        shown = {name: entry.members.get(name) for name in ("f", "key", "value")}
        raise source.error(
            entry.line,
            f"an operation with {shown}",
            f"f one of {', '.join(FUNCTIONS)}, a string as key, a string or nil as value",
            "Read other EDN histories with format 'edn'.",
        )
