"""The compiled search, where there is one.

Rules
1. Plain Python gives the same answers: whoever uses the engine asks `available` first.
2. The environment variable ANTIPAXOS_ENGINE=off switches it off when this module is imported.
3. A model is passed by its name only where its class is exactly the built-in one: a subclass may
   step differently.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkers.history import Operation
from checkers.models import spelled
from checkers.models.model import Model

if TYPE_CHECKING:
    from checkers._engine import Outcome, Table

VARIABLE = "ANTIPAXOS_ENGINE"


def _find() -> tuple[str, str]:
    """Why there is no engine, and what to do about it; empty where there is one."""
    if os.environ.get(VARIABLE, "").lower() == "off":
        return f"the environment variable {VARIABLE} is off", "unset it"
    try:
        import checkers._engine  # noqa: F401
    except ImportError as error:
        return (
            f"it is not built ({error})",
            "install a Rust toolchain (https://rustup.rs, 1.88 or newer) and run "
            "`pip install --editable .` again",
        )
    return "", ""


_WHY_NOT, _REMEDY = _find()


def available() -> bool:
    """Is the engine there?"""
    return not _WHY_NOT


def why_not() -> str:
    """Why the engine is not available and what to do about it; empty where it is."""
    return f"{_WHY_NOT}; {_REMEDY}" if _WHY_NOT else ""


def describe() -> str:
    """Whether the engine is there, as a sentence."""
    if available():
        return "The engine of the linearizability search is built."
    return f"The linearizability search goes without its engine, in plain Python: {why_not()}."


def table_of(history: str | Path | Iterable[Operation]) -> Table | None:
    """The calls of a history, or of a history.jsonl by its path, as the engine holds them.

    None where there is no engine or it does not take the history: Python must read it then, and
    finds the words where something is wrong.
    """
    if not available():
        return None
    from checkers import _engine

    try:
        if isinstance(history, str | Path):
            return _engine.Table.read(str(history))
        return _engine.Table.of(history)
    except _engine.Unreadable:
        return None


def native(model: Model) -> tuple[str, dict[str, Any]] | Model:
    """The model as the engine takes it: name and options, or the object itself where it is a
    user's."""
    return spelled(model) or model


def search(
    table: Table,
    model: tuple[str, dict[str, Any]] | Model,
    *,
    time_s: float | None,
    configurations: int | None,
    memory: int | None,
    threads: int,
    witness: bool,
) -> Outcome:
    """Searches every key; see `checkers._engine.search`. Raises KeyboardInterrupt on Ctrl-C, and
    what a user's model raises."""
    from checkers import _engine

    outcome = _engine.search(
        table,
        model,
        time_s=time_s,
        configurations=configurations,
        memory=memory,
        threads=threads,
        witness=witness,
        every=True,
    )
    if outcome.reason == "interrupted":
        raise KeyboardInterrupt
    return outcome
