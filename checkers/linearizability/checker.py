"""Linearizability of a whole history: every key on its own, all under one budget.

Rules
1. A history is linearizable iff that of each key is (Herlihy and Wing 1990, locality).
2. The engine searches where there is one, plain Python otherwise, with the same verdicts; and
   Python, too, where the engine cannot hold the numbers of a history. Keys take turns, so that one
   that is hard does not keep a contradiction in another from being found. Once a contradiction is
   found the round of turns is finished and the others stop: keys of ordinary size end within their
   first turn, so all that are wrong are named.
3. The certificate decides: INVALID only where the independent verifier agrees. A witness that is
   given was replayed by it; the plain search, which makes one anyway, is never believed without.
   The verifier and the explanation have the time that the search left, but at least a second.
4. A budget that is spent is UNKNOWN, with how far each key got. A history in which no call
   returned with anything to judge is UNKNOWN for want of coverage.

Evidence of VALID: {model, keys: {total, linearizable, refuted}, witness: [{key, order}, ...] if it
was asked for}. Of INVALID: see explain.py. Of UNKNOWN: {model, keys, budget: what was spent,
limit: 'time', 'memory' or 'configurations', unfinished: [{key, events, of}, ...] at most 10 (events
are calls where the engine counts)}, and `contradiction` if one was found that the verifier could
not confirm.

Sources: Herlihy and Wing 1990.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from checkers.budget import Budget
from checkers.history import Call, History
from checkers.linearizability import engine
from checkers.linearizability.certificate import fault_of_witness
from checkers.linearizability.explain import contradiction, sentence
from checkers.linearizability.minimise import core, standing_alone
from checkers.linearizability.search import Search, compile_calls, order
from checkers.linearizability.window import (
    END,
    Recorded,
    Source,
    Tabled,
    bare,
    find_window,
    learned,
)
from checkers.models.model import Model
from checkers.verdict import Cause, Kind, Recording, Verdict

if TYPE_CHECKING:
    from checkers._engine import Table

NAME = "linearizable"
_UNFINISHED_SHOWN_MAX = 10
_CALL_BYTES = 1_000  # of a call as Python objects, roughly
_CONFIRMING_S = 1.0
_MINIMISING = 0.05  # so much of the verifier's time that is left goes into a short explanation
_ALONE_S = 5.0
_BUG = "This is a bug of the checker; please report it with the history."


class Linearizable:
    """The checker. The budget's limits count anew for each check; None: the defaults of Budget.

    With `witness` a VALID carries the order of operations of every key; with `alone` an INVALID a
    small history that contradicts by itself, or why there is none.
    """

    def __init__(
        self,
        model: Model,
        budget: Budget | None = None,
        *,
        witness: bool = False,
        alone: bool = False,
    ) -> None:
        self._model = model
        self._budget = budget or Budget()
        self._witness = witness
        self._alone = alone

    @property
    def name(self) -> str:
        return NAME

    @property
    def model(self) -> Model:
        return self._model

    def check(self, recording: Recording) -> Verdict:
        """Raises HistoryError where the model cannot read an operation."""
        budget = self._budget.afresh()
        return check_linearizability(
            recording.history, self._model, budget, witness=self._witness, alone=self._alone
        )

    def standing_alone(self) -> Linearizable:
        """The same checker, with `alone`."""
        return Linearizable(self._model, self._budget, witness=self._witness, alone=True)


def check_linearizability(
    history: History,
    model: Model,
    budget: Budget | None = None,
    *,
    witness: bool = False,
    explain: bool = True,
    alone: bool = False,
    threads: int | None = None,
) -> Verdict:
    """The verdict on a history by a model, which is that of each key.

    Without `explain` a contradiction is certified, but neither made short nor put into orders; with
    `alone` the evidence has a small history that contradicts by itself (minimise.py).
    `threads`: of the engine; None for one on each core. Raises HistoryError where the model cannot
    read an operation.
    """
    budget = budget or Budget()
    table = engine.table_of(history)
    groups = list(history.by_key().values())
    found = None
    if table is not None:
        found = _by_engine(table, lambda at: Recorded(groups[at]), model, budget, witness, threads)
    return _Judge(model, budget, found or _search(groups, model, budget)).verdict(
        witness, explain, alone
    )


def check_table(
    table: Table,
    model: Model,
    budget: Budget | None = None,
    *,
    witness: bool = False,
    explain: bool = True,
    alone: bool = False,
    threads: int | None = None,
) -> Verdict:
    """As `check_linearizability`, of a history that only the engine holds: Python objects are made
    of the calls that the evidence needs, and of all where plain Python must search after all."""
    budget = budget or Budget()
    found = _by_engine(table, lambda at: Tabled(table, at), model, budget, witness, threads)
    if found is None and budget.memory is not None and table.calls * _CALL_BYTES > budget.memory:
        budget.exhaust("memory")
        found = _Searched(total=table.keys)
    if found is None:
        groups = (Tabled(table, at).calls(0, END) for at in range(table.keys))
        found = _search(groups, model, budget)
    return _Judge(model, budget, found).verdict(witness, explain, alone)


class _Searched(msgspec.Struct, kw_only=True):
    """What a search found. `refuted`: keys with the index of the completion at which nothing was
    left; `faults`: why witnesses are none."""

    total: int
    linearizable: int = 0
    judged: bool = False
    refuted: list[tuple[Source, int]] = []
    unfinished: list[dict[str, Any]] = []
    witness: list[dict[str, Any]] = []
    faults: list[str] = []


def _by_engine(
    table: Table,
    source: Callable[[int], Source],
    model: Model,
    budget: Budget,
    witness: bool,
    threads: int | None,
) -> _Searched | None:
    """What the engine finds; None where its numbers do not suffice for the history, which is no
    fault of anybody's. Raises HistoryError where the model cannot read an operation."""
    if budget.spent():
        shown = range(min(table.keys, _UNFINISHED_SHOWN_MAX))
        begun = [{"key": table.key(at), "events": 0, "of": table.calls_of(at)} for at in shown]
        return _Searched(total=table.keys, unfinished=begun)
    try:
        outcome = engine.search(
            table,
            engine.native(model),
            time_s=budget.left_s(),
            configurations=budget.configurations,
            memory=budget.memory,
            threads=threads or os.cpu_count() or 1,
            witness=witness,
        )
    except OverflowError:
        if engine.native(model) is model:
            raise  # it is the user's own
        return None
    if outcome.refused is not None:
        place, index = outcome.refused
        for call in source(place).calls(index, index + 1):
            model.read(call)  # raises, if Python cannot read it either
        return None
    if outcome.reason == "trouble":
        return None
    if outcome.reason is not None:
        budget.exhaust(outcome.reason)
    found = _Searched(
        total=table.keys,
        linearizable=outcome.linearizable,
        judged=outcome.judged,
        refuted=[(source(place), failed_at) for place, failed_at in outcome.refuted],
        unfinished=[
            {"key": table.key(place), "events": taken, "of": calls}
            for place, taken, calls in outcome.unfinished
        ],
    )
    for place, placed in outcome.orders or ():
        key = table.key(place)
        found.witness.append({"key": key, "order": placed})
        fault = fault_of_witness(model, source(place).calls(0, END), placed)
        if fault is not None:
            found.faults.append(f"the witness of key {key!r} is none: {fault}")
    return found


class _Key:
    """One key's calls and its plain search, which begins at the first turn."""

    def __init__(self, model: Model, calls: Sequence[Call], place: int) -> None:
        self.calls = calls
        self.key = calls[0].key
        self.place = place  # among the keys of the history
        self.problem = compile_calls(learned(model, Recorded(calls)), calls)
        self.search: Search | None = None
        self._turns: Iterator[None] = iter(())

    def turn(self) -> bool:
        """Searches on for a slice of work. Is there more to do?"""
        if self.search is None:
            self.search = Search(self.problem)
            self._turns = self.search.run()
        return next(self._turns, "ended") is None

    @property
    def held(self) -> int:
        return 0 if self.search is None else self.search.held

    def progress(self) -> dict[str, Any]:
        taken = 0 if self.search is None else self.search.position
        return {"key": self.key, "events": taken, "of": len(self.problem.events)}


def _search(groups: Iterable[Sequence[Call]], model: Model, budget: Budget) -> _Searched:
    """The plain search of the calls of every key: gives turns until all are decided, one is
    refuted, or the budget is spent."""
    queue = deque(_Key(model, calls, place) for place, calls in enumerate(groups))
    found = _Searched(total=len(queue))
    orders: dict[int, dict[str, Any]] = {}
    held, spent = 0, False
    while queue and not found.refuted and not spent:
        for _ in range(len(queue)):
            if spent := budget.spent(held):
                break
            key = queue.popleft()
            held -= key.held
            if key.turn():
                held += key.held
                queue.append(key)
            else:
                _decide(model, key, found, orders)
    found.unfinished = [key.progress() for key in queue]
    found.linearizable = len(orders)
    found.judged = any(placed["order"] for placed in orders.values())
    found.witness = [orders[place] for place in sorted(orders)]
    return found


def _decide(model: Model, key: _Key, found: _Searched, orders: dict[int, dict[str, Any]]) -> None:
    search, problem = key.search, key.problem
    assert search is not None, "a key is decided by its search"
    if not search.linearizable:
        at, returns = problem.events[search.position]
        assert returns, "a search fails at a return"
        index = problem.ops[at].index
        failed_at = next(c.completion.index for c in key.calls if c.index == index and c.completion)
        found.refuted.append((Recorded(key.calls), failed_at))
        return
    placed = order(problem, next(iter(search.frontier.values())))
    placed += sorted(set(problem.tail).difference(placed))
    fault = fault_of_witness(model, key.calls, placed)
    if fault is None:
        orders[key.place] = {"key": key.key, "order": placed}
    else:
        found.faults.append(f"the witness of key {key.key!r} is none: {fault}")


class _Judge:
    """Makes the verdict of what a search found."""

    def __init__(self, model: Model, budget: Budget, found: _Searched) -> None:
        self._model = model
        self._budget = budget
        self._found = found

    def verdict(self, witness: bool, explain: bool, alone: bool) -> Verdict:
        found = self._found
        if found.refuted:
            return self._contradicted(explain, alone)
        if found.faults:
            wrong = f"The search is not to be believed: {found.faults[0]}. {_BUG}"
            return self._unknown("error", wrong, {})
        if found.linearizable < found.total:
            return self._out_of_budget()
        if not found.judged:
            nothing = "Nothing was judged: no call returned with a result that says anything."
            return self._unknown("coverage", nothing, {})
        keys = "the history is" if found.total <= 1 else f"all {found.total} keys are"
        return Verdict(
            checker=NAME,
            kind=Kind.VALID,
            summary=f"As a {self._model.name}, {keys} linearizable.",
            evidence={**self._evidence(), **({"witness": found.witness} if witness else {})},
        )

    def _contradicted(self, explain: bool, alone: bool) -> Verdict:
        """INVALID by the first contradiction that the verifier confirms."""
        budget = self._budget.at_least(_CONFIRMING_S)
        first: tuple[dict[str, Any], str] | None = None
        for source, failed_at in self._found.refuted:
            model = learned(self._model, source)
            window, confirmed = find_window(model, source, failed_at, budget)
            needed: Sequence[int] = ()
            if confirmed and explain:
                needed = core(model, window, budget.share(_MINIMISING))
            elif not explain:
                window = bare(model, window, window.end)
            shown = contradiction(model, window, budget, needed)
            shown["certificate"] = "confirmed" if confirmed else "unconfirmed"
            text = sentence(model, window, shown)
            if confirmed:
                if alone:
                    part = budget.at_most(_ALONE_S)
                    shown["alone"] = standing_alone(model, source, window, part)
                evidence = {**self._evidence(), "contradiction": shown}
                return Verdict(checker=NAME, kind=Kind.INVALID, summary=text, evidence=evidence)
            if confirmed is False:
                wrong = f"The search refuted key {source.key!r} and the verifier did not. {_BUG}"
                return self._unknown("error", wrong, {"contradiction": shown})
            first = first or (shown, text)
        assert first is not None, "there was a contradiction to confirm"
        return self._unknown(
            "budget",
            f"A contradiction was found, but not confirmed by the verifier within {budget.reason}"
            f" (unconfirmed: {first[1]})",
            {"contradiction": first[0], "limit": budget.limit, "unfinished": self._shown()},
        )

    def _out_of_budget(self) -> Verdict:
        found = self._found
        undecided = found.total - found.linearizable
        text = (
            f"Not decided, since it takes {self._budget.reason}: {found.linearizable:,} of "
            f"{found.total:,} keys are linearizable, {undecided:,} undecided"
        )
        if found.unfinished:
            furthest = found.unfinished[0]
            of_key = "" if furthest["key"] is None else f" of key {furthest['key']}"
            text += f"; {furthest['events']:,} of {furthest['of']:,} events{of_key} were explained"
        more = {
            "budget": self._budget.reason,
            "limit": self._budget.limit,
            "unfinished": self._shown(),
        }
        return self._unknown("budget", f"{text}.", more)

    def _shown(self) -> list[dict[str, Any]]:
        return self._found.unfinished[:_UNFINISHED_SHOWN_MAX]

    def _unknown(self, cause: Cause, summary: str, more: dict[str, Any]) -> Verdict:
        return Verdict(
            checker=NAME,
            kind=Kind.UNKNOWN,
            cause=cause,
            summary=summary,
            evidence={**self._evidence(), **more},
        )

    def _evidence(self) -> dict[str, Any]:
        found = self._found
        keys = {
            "total": found.total,
            "linearizable": found.linearizable,
            "refuted": [source.key for source, _ in found.refuted],
        }
        return {"model": self._model.name, "keys": keys}
