"""Histories: what clients asked, what they were told, and when.

Rules
1. A history is a sequence of operations in the order of the journal; `index` is authoritative,
   `time` only informs.
2. Client processes are integers and have at most one open operation. Other processes (the
   nemesis) are strings; their operations are kept for explanations and never judged. A string of
   digits is refused: it is a client, and a violation that only it saw would go unjudged.
3. `ok` happened; `fail` certainly did not; `info`, or no completion at all, may have happened at
   any time after its invocation, or not at all.
4. Nothing here guesses: an ill-formed history is refused with the operation, the rule, the remedy.

Sources: Herlihy and Wing 1990 (histories, real-time order); the tri-state of outcomes is Jepsen's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

OperationType = Literal["invoke", "ok", "fail", "info"]
Outcome = Literal["ok", "fail", "info"]

# The code of a compare-and-set that the system refused because the value was not the expected one:
# the only `fail` that says something about the state.
COMPARE_FAILED = "compare-failed"


_FOUND_MAX = 400  # characters of what was found, in an error: a value may be a megabyte


class Error(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an operation did not end in `ok`: a code that tables can decide on, a text for people."""

    code: str
    text: str = ""


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a history: an invocation or a completion.

    `time` is in nanoseconds since the run began, on one monotonic clock. `value` is any JSON value:
    the arguments in an invocation, the result in an `ok`. `key` names the independent object that
    is touched, None if there is only one.
    """

    index: int
    time: int
    process: int | str
    type: OperationType
    f: str
    value: Any = None
    key: Any = None
    node: str | None = None
    error: Error | None = None

    @property
    def by_client(self) -> bool:
        return not isinstance(self.process, str)


class Call(msgspec.Struct, frozen=True):
    """An invocation with its completion; `completion` is None if the history ended first."""

    invoke: Operation
    completion: Operation | None

    @property
    def outcome(self) -> Outcome:
        if self.completion is None:
            return "info"
        outcome = self.completion.type
        assert outcome != "invoke", "calls() pairs an invocation with a completion only"
        return outcome

    @property
    def index(self) -> int:
        """The index of the invocation, which names the call everywhere."""
        return self.invoke.index

    @property
    def f(self) -> str:
        return self.invoke.f

    @property
    def key(self) -> Any:
        return self.invoke.key

    @property
    def input(self) -> Any:
        return self.invoke.value

    @property
    def output(self) -> Any:
        """The value of the completion; None if there is none."""
        return None if self.completion is None else self.completion.value


class HistoryError(ValueError):
    """The history breaks a rule that every checker relies on. The history's author is at fault.

    `index` is the operation's index, None if no single operation is to blame.
    """

    def __init__(self, index: int | None, found: str, remedy: str) -> None:
        where = "the history" if index is None else f"operation {index}"
        if len(found) > _FOUND_MAX:
            found = f"{found[: _FOUND_MAX // 2]} ... {found[-_FOUND_MAX // 2 :]}"
        super().__init__(f"ill-formed history at {where}: {found}. {remedy}")
        self.index = index


class History(Sequence[Operation]):
    """An immutable, validated sequence of operations.

    Raises HistoryError on construction where a rule at the head of this module is broken.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._operations = tuple(operations)
        self._calls = _pair(self._operations)

    def __len__(self) -> int:
        return len(self._operations)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._operations)

    def __getitem__(self, at: Any) -> Any:
        return self._operations[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self._operations == other._operations

    def __hash__(self) -> int:
        ends = (self._operations[0], self._operations[-1]) if self._operations else ()
        return hash((len(self._operations), *((o.index, o.time, o.f) for o in ends)))

    def __repr__(self) -> str:
        return f"History({len(self._operations)} operations, {len(self._calls)} calls)"

    def calls(self) -> tuple[Call, ...]:
        """Every client invocation with its completion, in the order of invocation."""
        return self._calls

    def of_nemesis(self) -> tuple[Operation, ...]:
        """The operations of processes that are not clients, in order."""
        return tuple(o for o in self._operations if not o.by_client)

    def by_key(self) -> dict[Any, tuple[Call, ...]]:
        """Calls by (frozen) key, keys in order of first use; one group under None where no keys."""
        groups: dict[Any, list[Call]] = {}
        for call in self._calls:
            groups.setdefault(freeze(call.key), []).append(call)
        return {key: tuple(calls) for key, calls in groups.items()}

    def by_process(self) -> dict[int | str, tuple[Operation, ...]]:
        groups: dict[int | str, list[Operation]] = {}
        for operation in self._operations:
            groups.setdefault(operation.process, []).append(operation)
        return {process: tuple(ops) for process, ops in groups.items()}


def _pair(operations: tuple[Operation, ...]) -> tuple[Call, ...]:
    open_at: dict[int, int] = {}  # process -> position in `calls` of its open call
    calls: list[Call] = []
    last_index, last_time = -1, None
    for o in operations:
        if o.index <= last_index:
            raise HistoryError(
                o.index,
                f"its index does not follow {last_index}",
                "Indices are the order of the journal and grow from 0; number the lines again.",
            )
        if last_time is not None and o.time < last_time:
            raise HistoryError(
                o.index,
                f"time goes back from {last_time} to {o.time} ns",
                "Stamp every operation from one monotonic clock, in the order of the journal.",
            )
        last_index, last_time = o.index, o.time
        if isinstance(o.process, str):
            _refuse_quoted_number(o.index, o.process)
            continue
        if o.type == "invoke":
            _refuse_overlap(o, open_at, calls)
            open_at[o.process] = len(calls)
            calls.append(Call(o, None))
        else:
            position = open_at.pop(o.process, None)
            if position is None:
                raise HistoryError(
                    o.index,
                    f"process {o.process} completed {o.f!r} ({o.type}) without an open invocation",
                    "Record the invocation before the request is sent, and one completion for it.",
                )
            calls[position] = Call(_matching(calls[position].invoke, o), o)
    return tuple(calls)


def _refuse_quoted_number(index: int, process: str) -> None:
    if process.isdecimal():
        raise HistoryError(
            index,
            f"its process is the text {process!r}",
            "Clients are numbers, and processes with names are not judged; write the number bare.",
        )


def _refuse_overlap(o: Operation, open_at: dict[int, int], calls: list[Call]) -> None:
    assert isinstance(o.process, int)
    if o.process in open_at:
        earlier = calls[open_at[o.process]].invoke
        raise HistoryError(
            o.index,
            f"process {o.process} invoked {o.f!r} while its {earlier.f!r} (operation "
            f"{earlier.index}) is open",
            "A process has one open operation; one that timed out must complete as info, and its "
            "worker goes on under a new process number.",
        )


def _matching(invoke: Operation, completion: Operation) -> Operation:
    if completion.f != invoke.f:
        raise HistoryError(
            completion.index,
            f"process {invoke.process} completed {completion.f!r} but had invoked {invoke.f!r} "
            f"(operation {invoke.index})",
            "A completion repeats the f of its invocation.",
        )
    if completion.key is not None and freeze(completion.key) != freeze(invoke.key):
        raise HistoryError(
            completion.index,
            f"its key {completion.key!r} is not that of its invocation, {invoke.key!r}",
            "A completion repeats the key of its invocation, or leaves it out.",
        )
    return invoke


class _Marker(tuple[str, ...]):
    """A frozen stand-in that equals nothing but itself and prints as JSON does."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Marker) and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __repr__(self) -> str:
        return self[1]


TRUE, FALSE, NAN = _Marker(("bool", "true")), _Marker(("bool", "false")), _Marker(("nan", "nan"))


def freeze(value: Any) -> Any:
    """A hashable stand-in for a JSON value: equal exactly where the JSON values are equal.

    Python says True == 1; JSON does not, and a model that takes one for the other would call a
    wrong history valid. NaN is made equal to itself.
    """
    if value is True:
        return TRUE
    if value is False:
        return FALSE
    if value is None or isinstance(value, int | str):
        return value
    if isinstance(value, float):
        return NAN if value != value else value
    if isinstance(value, list | tuple):
        return tuple(freeze(v) for v in value)
    if isinstance(value, dict):
        return _Map(sorted((str(k), freeze(v)) for k, v in value.items()))
    if isinstance(value, set | frozenset):
        return frozenset(freeze(v) for v in value)
    return value


class _Map(tuple[tuple[str, Any], ...]):
    """A frozen JSON object; a type of its own, so that no list of pairs is taken for it."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Map) and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{k}: {v!r}" for k, v in self) + "}"
