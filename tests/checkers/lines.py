"""Histories as lines of text: 'process type f value', or an invocation with its completion."""

from __future__ import annotations

import json
from typing import Any

from checkers.history import History, Operation
from checkers.verdict import Checker, Recording, Verdict

Lines = tuple[str, ...]


def call(process: int, f: str, given: Any = None, told: Any = None, outcome: str = "ok") -> Lines:
    """An invocation and, right behind it, its completion. What an `ok` without `told` answers is
    null."""
    return (
        f"{process} invoke {f} {json.dumps(given)}",
        f"{process} {outcome} {f} {json.dumps(told)}",
    )


def recorded(*lines: str, key: Any = None) -> Recording:
    """Every line a second after the one before it, all on one key; 'n2:7 ok read []' is of process
    7 at node n2, and so is the rest of what it does."""
    operations = []
    for index, line in enumerate(lines):
        who, type_, f, value = line.split(maxsplit=3)
        node, _, process = who.rpartition(":")
        operations.append(
            Operation(
                index,
                index * 1_000_000_000,
                int(process),
                type_,  # type: ignore[arg-type]
                f,
                json.loads(value),
                key,
                node or None,
            )
        )
    return Recording(history=History(operations))


def judged(checker: Checker, *lines: str, key: Any = None) -> Verdict:
    return checker.check(recorded(*lines, key=key))
