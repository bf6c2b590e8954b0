"""All keys of a growing history, searched by the engine (checkers.stream.Frontiers).

Rules
1. The engine takes built-in models only; a user's goes through plain Python (incremental.py), and
   so does a bank, whose accounts the engine wants to know before the first operation.
2. The engine keeps within limits, for what is to come cannot be gone through twice. A refutation
   for which it left something out is a suspicion: it counts once the recorded history confirms it.
3. What the engine refuses, Python finds the words for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from checkers.history import History, HistoryError, Operation
from checkers.linearizability import engine
from checkers.linearizability.window import call_of
from checkers.models import spelled
from checkers.models.model import Model

if TYPE_CHECKING:
    from checkers._engine import Stream


class EngineFrontiers:
    """`suspected`: keys of which a refutation is to be confirmed, each with the index of its
    completion, since the latest `feed`."""

    def __init__(self, model: Model, stream: Stream) -> None:
        self.suspected: list[tuple[Any, int]] = []
        self._model = model
        self._stream = stream
        self._given_up: list[Any] = []
        self._last: Operation | None = None

    @classmethod
    def of(cls, model: Model) -> EngineFrontiers | None:
        """None where the engine is missing or does not take the model (rule 1)."""
        built_in = spelled(model)
        if built_in is None or built_in[0] == "bank" or not engine.available():
            return None
        from checkers import _engine

        return cls(model, _engine.Stream(built_in))

    @property
    def keys(self) -> int:
        return self._stream.keys

    @property
    def undecided(self) -> Sequence[Any]:
        return self._given_up

    @property
    def judged(self) -> bool:
        return self._stream.judged

    @property
    def held(self) -> int:
        return self._stream.held

    def feed(self, operations: Sequence[Operation]) -> Sequence[tuple[Any, int]]:
        from checkers import _engine

        try:
            events = self._stream.feed(operations)
        except _engine.Unreadable as unreadable:
            self._refuse(operations, *unreadable.args)
        if operations:
            self._last = operations[-1]
        return self._told(events)

    def _refuse(self, operations: Sequence[Operation], at: int) -> NoReturn:
        """Raises HistoryError in the words of the history of those that it is about."""
        operation = operations[at]
        before = operations[at - 1] if at else self._last
        if before is not None:
            History(msgspec.structs.replace(o, process="client") for o in (before, operation))
        opened = self._stream.open(operation.process)
        History([*([] if opened is None else [call_of(opened[0], *opened[1]).invoke]), operation])
        raise HistoryError(
            operation.index, "its numbers are too large", "Index and time have 64 bits."
        )

    def finish(self) -> Sequence[tuple[Any, int]]:
        return self._told(self._stream.finish())

    def _told(self, events: Sequence[tuple[str, Any, int, Any]]) -> list[tuple[Any, int]]:
        self.suspected = [(key, index) for what, key, index, _ in events if what == "suspected"]
        self._given_up += [key for what, key, _, _ in events if what in ("given up", "suspected")]
        for what, key, _, row in events:
            if what == "refused":
                call = call_of(key, *row)
                self._model.read(call)  # raises, and finds the words
                raise HistoryError(call.index, "it was refused", "Its numbers are too large.")
        return [(key, index) for what, key, index, _ in events if what == "refuted"]
