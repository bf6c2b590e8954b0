"""The search engine, compiled from checkers/engine; see checkers.linearizability.engine."""

import builtins
from collections.abc import Iterable, Sequence
from typing import Any, Literal, final

from checkers.history import Operation
from checkers.models.model import Model

class Unreadable(ValueError):
    """The operations break a rule of histories, or pass a limit of the engine. It does not say
    which: whoever reads them in Python finds the words."""

# (invoked, returned or None, outcome, process, f, input, output, code of the error or "",
# (time of the invocation, time of the completion or 0) in nanoseconds)
_Row = tuple[int, int | None, str, int, str, Any, Any, str, tuple[int, int]]

@final
class Table:
    """A history, held in at most 100 bytes an operation and what its distinct values take."""

    @staticmethod
    def read(path: str) -> Table:
        """A history.jsonl, streamed. Raises Unreadable, also where the file cannot be opened."""
    @staticmethod
    def of(operations: Iterable[Operation]) -> Table:
        """Any history. Raises Unreadable."""
    @staticmethod
    def columns(
        invoked: Any,
        returned: Any,
        process: Any,
        f: Any,
        input: Any,  # noqa: A002
        output: Any,
        outcome: Any,
        key: Any,
        names: Sequence[str],
    ) -> Table:
        """Calls as arrays of int64, one element a call, in the order of invocation.

        `returned` is -1 for a call of unknown outcome; `f` counts in `names`; `outcome` is 0 (ok),
        1 (fail, a compare-and-set that did not match) or 2 (info); the smallest int64 is null in
        `input`, `output` and `key`. `input` may have two columns: then it is a pair where the
        second is not null. Raises Unreadable where the arrays do not fit one another.
        """
    @property
    def calls(self) -> int: ...
    @property
    def keys(self) -> int: ...
    @property
    def bytes(self) -> int:
        """Bytes that the table holds."""
    @property
    def torn(self) -> tuple[int, builtins.bytes] | None:
        """Number and bytes of a last line that was torn and dropped by `read`."""
    @property
    def unjudged(self) -> list[str]:
        """Processes with a name that completed operations as clients do, as `read` found them; the
        nemesis is none, and of very many not all are told."""
    def key(self, place: int) -> Any:
        """The key at a place among the keys, in the order of first use. Raises IndexError."""
    def calls_of(self, place: int) -> int:
        """How many calls the key at a place has."""
    def rows(self, place: int, since: int, until: int) -> list[_Row]:
        """Calls of a key that were invoked at an index below `until` and had not returned before
        the index `since`, in the order of invocation."""

_Reason = Literal["time", "configurations", "memory", "interrupted", "trouble"]

@final
class Outcome:
    """What a search found out. Keys go by their places in the table."""

    @property
    def linearizable(self) -> int:
        """How many keys are."""
    @property
    def judged(self) -> bool:
        """Did any call that returned constrain anything?"""
    @property
    def refuted(self) -> list[tuple[int, int]]:
        """Keys that are not linearizable, with the index of the completion at which nothing was
        left."""
    @property
    def unfinished(self) -> list[tuple[int, int, int]]:
        """Undecided keys that were begun: calls taken, calls in all."""
    @property
    def refused(self) -> tuple[int, int] | None:
        """Key and index of a call that the model cannot read: Python's model.read raises the
        sentence."""
    @property
    def reason(self) -> _Reason | None:
        """Why the search ended before it had an answer; "interrupted" by Ctrl-C, "trouble" where a
        call was refused."""
    @property
    def orders(self) -> list[tuple[int, list[int]]] | None:
        """Of each linearizable key, the indices of its calls in an order that is one of its
        linearizations; None where nobody asked."""

def search(
    table: Table,
    model: tuple[str, dict[str, Any]] | Model,
    *,
    time_s: float | None = None,
    configurations: int | None = None,
    memory: int | None = None,
    threads: int = 1,
    witness: bool = False,
    every: bool = False,
) -> Outcome:
    """Searches every key, by a built-in model (name and options) or a user's. It ends with the
    first that is refuted; with `every`, after the first turn of each, so that ordinary ones are all
    named.

    None is no limit; `memory` is in bytes beyond the table. Raises what a user's model raises
    (not from `read`: see Outcome.refused) and what a handler of a signal raises, but
    KeyboardInterrupt: that ends the search with its reason.
    """

@final
class Stream:
    """A history that is still growing, searched as it comes; see checkers/engine/src/stream.rs."""

    def __new__(cls, model: tuple[str, dict[str, Any]]) -> Stream:
        """By a built-in model. Raises KeyError for a name that is none."""
    def feed(self, operations: Iterable[Operation]) -> list[tuple[str, Any, int, _Row | None]]:
        """Takes the next operations. What came of it, each (what, key, index, row): "refuted" or
        "suspected" at the completion `index`, "refused" with the call that the model cannot read,
        "given up". After each of them the key is done with. Raises Unreadable, whose argument is
        the place among these of the operation that breaks a rule of histories."""
    def finish(self) -> list[tuple[str, Any, int, _Row | None]]:
        """The same, now that nothing more will come."""
    def open(self, process: Any) -> tuple[Any, _Row] | None:
        """The open call of a process: its key and the call."""
    @property
    def keys(self) -> int: ...
    @property
    def judged(self) -> bool: ...
    @property
    def held(self) -> int:
        """Open calls and configurations."""
