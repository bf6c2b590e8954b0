"""Windows: the short stretch of a long history that already contradicts itself.

A key of a million calls that goes wrong near the end is not judged anew from its beginning. An
anchor is a call whose answer allows one state only, such as a full read. Behind it a window begins
in that state, with the calls that had not returned when the anchor was invoked; the verifier
(certificate.py) has the argument, and checks each window itself.

Rules
1. Windows are tried from the failing completion back, each four times as long as the one before, at
   last all calls from the initial state on. One that begins too late is merely not refuted.
2. A short prefix is tried whole at once: then the shortest failing prefix is exact.
3. Each window has a part of the time that is left, so that none keeps the next from its turn.
4. A window ends with the earliest completion by which it is refuted. That may be later than the
   failing one: a search knows the outcomes of calls that overlap it, and may look further ahead. So
   windows that are tried grow at this end too.
5. Where so many calls are open at once that the verifier could not hold which of them are done, it
   is asked about something weaker: only the last few that can be illegal stand as recorded, and
   any other that changes something may happen, at any time from its invocation on, any number of
   times. What that cannot explain, the recorded calls could not.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from checkers.budget import Budget
from checkers.history import Call, Error, Operation
from checkers.linearizability.certificate import refuted
from checkers.linearizability.search import as_of
from checkers.models.model import Effect, Learns, Model, Requires, State, Step

if TYPE_CHECKING:
    from checkers._engine import Table

# In operations of all keys: a prefix that is tried whole; the first window of a longer one.
WHOLE, SHORT, _LONGER = 256, 64, 4

END = 1 << 62  # an index after all

_SHARE = 0.25
_CHEAP = 5_000  # configurations at one return; objects that grow for ever take any number
_FEW_CRASHED = 8
_ROOM = 256_000_000  # bytes of the verifier, which holds a bit of each call for each open one
_SHOWN_UNCONFIRMED = 2_000  # calls
_STANDING = 32  # calls of rule 5 that stand as recorded
_LOOSE_MAX = 200_000  # others: the time of the verifier grows with their square
_MOVING_MAX = 2_000  # of these such as do not overwrite, each of which may lead to a new state


class Source(Protocol):
    """Where the calls of one key come from."""

    @property
    def key(self) -> Any: ...

    @property
    def count(self) -> int:
        """How many calls there are."""
        ...

    def calls(self, since: int, until: int) -> Sequence[Call]:
        """Those invoked at an index below `until` that had not returned before the index `since`,
        in the order of invocation, as recorded in the end."""
        ...


class Recorded:
    """The calls of a key that are Python objects anyway."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.key = calls[0].key
        self._calls = calls
        self._indices = [call.index for call in calls]
        self._unknown = [at for at, call in enumerate(calls) if call.outcome == "info"]
        returns = (-1 if c.outcome == "info" else end_of(c) for c in calls)
        self._latest = list(accumulate(returns, max))  # return of this call or one before it

    @property
    def count(self) -> int:
        return len(self._calls)

    def calls(self, since: int, until: int) -> Sequence[Call]:
        first, last = bisect_left(self._latest, since), bisect_left(self._indices, until)
        pending = self._unknown[: bisect_left(self._unknown, min(first, last))]
        after = self._calls[first:last]
        return [
            *(self._calls[at] for at in pending),
            *(c for c in after if c.outcome == "info" or end_of(c) >= since),
        ]


class Tabled:
    """The calls of a key of a table, as Python objects only where they are asked for."""

    def __init__(self, table: Table, place: int) -> None:
        self.key = table.key(place)
        self._table, self._place = table, place

    @property
    def count(self) -> int:
        return self._table.calls_of(self._place)

    def calls(self, since: int, until: int) -> Sequence[Call]:
        return [call_of(self.key, *row) for row in self._table.rows(self._place, since, until)]


class Window(NamedTuple):
    """A refuted stretch of one key. `anchor` is the call behind which it begins, None: the initial
    state; `start` the state there. `recorded` are the calls for the verifier, as they stood at the
    completion `end`; `calls` the same for a search: what overlaps the anchor may happen, or not.
    `whole`: no call was left out or loosened.
    """

    anchor: Call | None
    start: State
    recorded: tuple[Call, ...]
    calls: tuple[Call, ...]
    end: int
    whole: bool = True


class Found(NamedTuple):
    """`confirmed` by the verifier: it refutes the window. None: its budget was spent; False: it
    finds no contradiction. Then the window is that of the search, bare if it is long."""

    window: Window
    confirmed: bool | None


def learned(model: Model, source: Source) -> Model:
    """The model with what it learns from the calls of the key, if it does."""
    return model.given(source.calls(0, END)) if isinstance(model, Learns) else model


def find_window(model: Model, source: Source, failed_at: int, budget: Budget) -> Found:
    """The shortest window that is tried and refuted, of a key of which a search said that it is
    not linearizable by the completion `failed_at`, in the light of all that was recorded. By the
    model as `learned` from the key."""
    open_calls = source.calls(failed_at, failed_at + 1)
    until = max([failed_at, *map(end_of, open_calls)])
    if len(open_calls) ** 2 > 8 * _room(budget):  # no window is narrow that ends here
        so_far = as_of(source.calls(0, until + 1), until)
        if refuted_alone(model, so_far, budget.share(0.5), None):
            return Found(_narrowed(model, window_at(model, so_far, None, until)), True)
    length = WHOLE if failed_at <= WHOLE else SHORT
    while True:
        since = max(0, failed_at - length)
        anchor = _anchor(model, source, since, failed_at) if since else None
        recorded = source.calls(anchor.index if anchor else 0, until + 1)
        whole = since == 0 and _is_end(source, until)
        if anchor is not None or since == 0:
            part = budget if whole else budget.share(_SHARE)
            if refutes(model, as_of(recorded, until), part, anchor):
                window = _ending(model, recorded, anchor, (failed_at, until), budget)
                if _too_wide(window.recorded, budget):
                    window = _narrowed(model, window)
                return Found(window, True)
        if whole or budget.spent():
            break
        until = max(until, failed_at + length)
        length *= _LONGER
    last = max(failed_at, *map(end_of, as_of(recorded, until)))
    window = window_at(model, recorded, anchor, last)
    return Found(
        window if len(recorded) <= _SHOWN_UNCONFIRMED else bare(model, window, failed_at),
        None if budget.spent() else False,
    )


def _is_end(source: Source, until: int) -> bool:
    """Has the key no operation after this index?"""
    return not any(known(c) or c.index > until for c in source.calls(until + 1, END))


def refutes(
    model: Model, calls: Sequence[Call], budget: Budget, anchor: Call | None
) -> bool | None:
    """Does the verifier refute them? Where many calls crashed it is asked first as if they never
    ran out, which is cheap and often enough."""
    index = None if anchor is None else anchor.index
    if refuted_endless(model, calls, index, budget):
        return True
    return refuted_alone(model, calls, budget, index)


def refuted_alone(
    model: Model, calls: Sequence[Call], budget: Budget, anchor: int | None, endless: bool = False
) -> bool | None:
    """What the verifier says, by a model that learned from no other calls than these, where they
    are not behind an anchor: those that it learned from may be left out. Where so many calls are
    open at once that it could not hold them, it is asked about something weaker (rule 5)."""
    if _too_wide(calls, budget):
        calls = loosened(model, calls, anchor)
        held = max(1, 2 * _room(budget) // (len(calls) + 1))  # four masks each, of a bit a call
        if len(calls) <= _LOOSE_MAX and _moving(model, calls) <= _MOVING_MAX:
            part = budget.share(1, held)
            if refuted(_taught(model, calls, anchor), calls, part, anchor, endless=True):
                return True
        budget.exhaust("memory")
        return None
    return refuted(_taught(model, calls, anchor), calls, budget, anchor, endless)


def _taught(model: Model, calls: Sequence[Call], anchor: int | None) -> Model:
    return model.given(calls) if anchor is None and isinstance(model, Learns) else model


def loosened(model: Model, calls: Sequence[Call], anchor: int | None) -> list[Call]:
    """The weaker calls of rule 5, in the order of invocation. Of loose calls that are alike the
    first is enough: it never runs out."""
    fallible = [
        c
        for c in calls
        if known(c)
        and (step := model.read(c)) is not None
        and step.effect not in (Effect.OVERWRITES, Effect.TOTAL)
    ]
    standing = {c.index for c in sorted(fallible, key=end_of)[-_STANDING:]} | {anchor}
    weaker: list[Call] = []
    loose: set[Step] = set()
    for call in calls:
        as_recorded = model.read(call)
        if call.index in standing:
            weaker.append(call)
        elif as_recorded is not None and as_recorded.effect is not Effect.OBSERVES:
            open_call = Call(call.invoke, None)
            step = model.read(open_call)
            if step is not None and step not in loose:
                loose.add(step)
                weaker.append(open_call)
    return weaker


def _narrowed(model: Model, window: Window) -> Window:
    """The weaker window of rule 5."""
    anchor = None if window.anchor is None else window.anchor.index
    few = loosened(model, window.recorded, anchor)
    end = max(map(end_of, few))  # later completions are of calls that do not stand
    return window_at(model, few, window.anchor, end)._replace(whole=False)


def _moving(model: Model, calls: Iterable[Call]) -> int:
    """How many of the loose calls do not overwrite?"""
    steps = (model.read(call) for call in calls if not known(call))
    return sum(step is not None and step.effect is not Effect.OVERWRITES for step in steps)


def _room(budget: Budget) -> int:
    return _ROOM if budget.memory is None else min(_ROOM, budget.memory)


def _too_wide(calls: Sequence[Call], budget: Budget) -> bool:
    """Could the verifier not hold the calls that are open at once?"""
    bits = 8 * _room(budget)
    return len(calls) ** 2 > bits and len(calls) * _open_at_once(calls) > bits


def _open_at_once(calls: Sequence[Call]) -> int:
    """The most calls that are open at once; those of unknown outcome are for ever."""
    moments = [(c.index, 1) for c in calls] + [(end_of(c), -1) for c in calls if known(c)]
    return max(accumulate(change for _, change in sorted(moments)), default=0)


def refuted_endless(
    model: Model, calls: Sequence[Call], anchor: int | None, budget: Budget
) -> bool:
    """Does the verifier refute them even if crashed calls never ran out?"""
    if anchor is None and sum(not known(c) for c in calls) <= _FEW_CRASHED:
        return False
    cheap = budget.share(_SHARE, _CHEAP)
    return refuted_alone(model, calls, cheap, anchor, endless=True) is True


def window_at(model: Model, calls: Sequence[Call], anchor: Call | None, end: int) -> Window:
    """The window of these calls behind the anchor, as they stood at the completion `end`."""
    recorded = as_of(calls, end)
    if anchor is None:
        return Window(None, model.init(), recorded, recorded, end)
    inside = tuple(
        c if c.index > end_of(anchor) else Call(c.invoke, None)
        for c in recorded
        if c.index != anchor.index and (not known(c) or end_of(c) > anchor.index)
    )
    (start,) = _behind(model, anchor)
    return Window(anchor, start, recorded, inside, end)


def bare(model: Model, window: Window, completion: int) -> Window:
    """Of a window only the call of a completion."""
    only = [call for call in window.recorded if end_of(call) == completion]
    return window_at(model, only, None, window.end)._replace(whole=False)


def _ending(
    model: Model,
    recorded: Sequence[Call],
    anchor: Call | None,
    between: tuple[int, int],
    budget: Budget,
) -> Window:
    """By bisection; where the budget ends, a longer one."""
    ends = sorted(end for c in recorded if between[0] <= (end := end_of(c)) <= between[1])
    low, high = 0, len(ends) - 1
    probe = 0  # usually it is the very first
    while low < high:
        if refutes(model, as_of(recorded, ends[probe]), budget.share(_SHARE), anchor):
            high = probe
        else:
            low = probe + 1
        probe = (low + high) // 2
    return window_at(model, recorded, anchor, ends[high])


def _anchor(model: Model, source: Source, since: int, until: int) -> Call | None:
    """The first call between these indices that leaves one state only."""
    for call in source.calls(since, until):
        if call.index >= since and end_of(call) < until and len(_behind(model, call)) == 1:
            return call
    return None


def _behind(model: Model, call: Call) -> Sequence[State]:
    """The states that a completed call leaves, by itself; none where it does not tell."""
    step = model.read(call)
    if step is None or call.outcome == "info" or not isinstance(model, Requires):
        return ()
    before = model.requires(step)
    return tuple(model.step(before[0], step)) if before else ()


def known(call: Call) -> bool:
    """Is its outcome known?"""
    return call.completion is not None and call.completion.type != "info"


def end_of(call: Call) -> int:
    """The index of the completion of a call with known outcome; -1 without."""
    return call.completion.index if call.completion is not None and known(call) else -1


def call_of(
    key: Any,
    invoked: int,
    returned: int | None,
    outcome: Any,
    process: int,
    f: str,
    value: Any,
    output: Any,
    code: str,
    times: tuple[int, int],
) -> Call:
    """A row of a table. The completion of an unknown outcome stands nowhere: it says nothing."""
    invoke = Operation(invoked, times[0], process, "invoke", f, value, key)
    if returned is None:
        return Call(invoke, None)
    error = Error(code) if code else None
    return Call(
        invoke, Operation(returned, times[1], process, outcome, f, output, key, error=error)
    )
