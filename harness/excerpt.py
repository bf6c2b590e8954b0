"""A few calls out of a history file that is too large to be held: those that evidence names.

Rule: only a file that was read as a history before is asked; a line that is none ends it here.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from checkers.history import History, Operation

FAULTS_MAX = 100_000  # operations of the nemesis, which are kept: what was in force then


class _Head(msgspec.Struct):
    index: int
    process: int | str
    type: str


_HEAD = msgspec.json.Decoder(_Head)
_LINE = msgspec.json.Decoder(Operation)


def excerpt_of(file: Path, named: Collection[int]) -> History:
    """The calls whose invocations are named by index, and what the nemesis did, as a history.

    Raises OSError.
    """
    wanted = frozenset(named)
    until = max(wanted, default=-1)
    operations: list[Operation] = []
    open_calls: set[int | str] = set()
    faults = 0
    with file.open("rb") as lines:
        for line in lines:
            try:
                head = _HEAD.decode(line)
            except msgspec.DecodeError:
                break
            if head.index > until and not open_calls:
                break
            if isinstance(head.process, str):
                faults += 1
                if faults <= FAULTS_MAX:
                    operations.append(_LINE.decode(line))
            elif head.index in wanted and head.type == "invoke":
                open_calls.add(head.process)
                operations.append(_LINE.decode(line))
            elif head.process in open_calls and head.type != "invoke":
                open_calls.discard(head.process)
                operations.append(_LINE.decode(line))
    return History(operations)
