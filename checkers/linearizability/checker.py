"""Linearizability of a whole history: every key on its own, all under one budget.

Rules
1. A history is linearizable iff that of each key is (Herlihy and Wing 1990, locality).
2. Keys take turns, so that one that is hard does not keep a contradiction in another from being
   found. Once a contradiction is found the round of turns is finished and the others stop: keys of
   ordinary size end within their first turn, so all that are wrong are named.
3. The certificate decides: INVALID only where the independent verifier agrees, VALID only where it
   has replayed the witness of every key. It has a budget of its own, as large as the search's.
4. A budget that is spent is UNKNOWN, with how far each key got. A history in which no call
   returned with anything to judge is UNKNOWN for want of coverage.

Evidence of VALID: {model, keys: {total, linearizable, refuted}, witness: [{key, order}, ...] if it
was asked for}. Of INVALID: see explain.py. Of UNKNOWN: {model, keys, budget: what was spent,
unfinished: [{key, events, of}, ...] at most 10}, and `contradiction` if one was found that the
verifier could not confirm.

Sources: Herlihy and Wing 1990.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from checkers.budget import Budget
from checkers.history import Call, History
from checkers.linearizability.certificate import fault_of_witness, refuted
from checkers.linearizability.compile import compile_calls
from checkers.linearizability.explain import contradiction, sentence, shortest_failing_prefix
from checkers.linearizability.search import Search, order
from checkers.models.model import Model
from checkers.verdict import Cause, Kind, Recording, Verdict

NAME = "linearizable"
_UNFINISHED_SHOWN_MAX = 10


class Linearizable:
    """The checker. The budget's limits count anew for each check; None: the defaults of Budget.

    With `witness` a VALID carries the order of operations of every key.
    """

    def __init__(
        self, model: Model, budget: Budget | None = None, *, witness: bool = False
    ) -> None:
        self._model = model
        self._budget = budget or Budget()
        self._witness = witness

    @property
    def name(self) -> str:
        return NAME

    def check(self, recording: Recording) -> Verdict:
        """Raises HistoryError where the model cannot read an operation."""
        budget = self._budget.afresh()
        return check_linearizability(recording.history, self._model, budget, witness=self._witness)


def check_linearizability(
    history: History, model: Model, budget: Budget | None = None, *, witness: bool = False
) -> Verdict:
    """The verdict on a history by a model, which is that of each key.

    Raises HistoryError where the model cannot read an operation.
    """
    return _Check(history, model, budget or Budget()).verdict(witness)


class _Key:
    """One key's calls and its search, which begins at the first turn."""

    def __init__(self, model: Model, calls: Sequence[Call], place: int) -> None:
        self.calls = calls
        self.key = calls[0].key
        self.place = place  # among the keys of the history
        self.problem = compile_calls(model, calls)
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


class _Check:
    def __init__(self, history: History, model: Model, budget: Budget) -> None:
        self._model = model
        self._budget = budget
        keyed = enumerate(history.by_key().values())
        self._keys = [_Key(model, calls, place) for place, calls in keyed]
        self._total = len(self._keys)
        self._orders: dict[int, tuple[Any, list[int]]] = {}  # by the place of the key
        self._refuted: list[tuple[_Key, Search]] = []
        self._faults: list[str] = []

    def verdict(self, witness: bool) -> Verdict:
        unfinished = self._search()
        if self._refuted:
            return self._contradicted(unfinished)
        if self._faults:
            return self._unknown(
                "error",
                f"The search called a key linearizable and its witness is not: {self._faults[0]}. "
                "This is a bug of the checker; please report it with the history.",
                {},
            )
        if unfinished:
            return self._out_of_budget(unfinished)
        if not any(placed for _, placed in self._orders.values()):
            nothing = "Nothing was judged: no call returned with a result that says anything."
            return self._unknown("coverage", nothing, {})
        evidence = self._evidence()
        if witness:
            orders = (self._orders[place] for place in sorted(self._orders))
            evidence["witness"] = [{"key": k, "order": o} for k, o in orders]
        keys = "the history is" if self._total <= 1 else f"all {self._total} keys are"
        return Verdict(
            checker=NAME,
            kind=Kind.VALID,
            summary=f"As a {self._model.name}, {keys} linearizable.",
            evidence=evidence,
        )

    def _search(self) -> list[_Key]:
        """Gives turns until every key is decided, one is refuted, or the budget is spent; returns
        the keys that are undecided."""
        queue = deque(self._keys)
        self._keys = []
        held = 0
        while queue and not self._refuted:
            for _ in range(len(queue)):
                if self._budget.spent(held):
                    return list(queue)
                key = queue.popleft()
                held -= key.held
                if key.turn():
                    held += key.held
                    queue.append(key)
                else:
                    self._decide(key)
        return list(queue)

    def _decide(self, key: _Key) -> None:
        search = key.search
        assert search is not None, "a key is decided by its search"
        if not search.linearizable:
            self._refuted.append((key, search))
            return
        placed = order(search.problem, next(iter(search.frontier.values())))
        placed += sorted(set(search.problem.tail).difference(placed))
        fault = fault_of_witness(self._model, key.calls, placed)
        if fault is None:
            self._orders[key.place] = key.key, placed
        else:
            self._faults.append(f"key {key.key!r}, {fault}")

    def _contradicted(self, unfinished: list[_Key]) -> Verdict:
        """INVALID by the first contradiction that the verifier confirms."""
        budget = self._budget.afresh()
        first: tuple[dict[str, Any], str] | None = None
        for key, search in self._refuted:
            prefix = shortest_failing_prefix(self._model, key.calls, search, budget)
            confirmed = refuted(self._model, prefix, budget)
            found = contradiction(self._model, prefix)
            text = sentence(self._model, prefix, found)
            if confirmed is False:
                return self._unknown(
                    "error",
                    f"The search refuted key {key.key!r} and the verifier did not. This is a bug "
                    "of the checker; please report it with the history.",
                    {"contradiction": {**found, "certificate": "unconfirmed"}},
                )
            if confirmed:
                found["certificate"] = "confirmed"
                evidence = {**self._evidence(), "contradiction": found}
                return Verdict(checker=NAME, kind=Kind.INVALID, summary=text, evidence=evidence)
            first = first or ({**found, "certificate": "unconfirmed"}, text)
        assert first is not None, "there was a contradiction to confirm"
        return self._unknown(
            "budget",
            f"A contradiction was found, but not confirmed by the verifier within {budget.reason}"
            f" (unconfirmed: {first[1]})",
            {"contradiction": first[0], "unfinished": _shown(unfinished)},
        )

    def _out_of_budget(self, unfinished: list[_Key]) -> Verdict:
        furthest = unfinished[0].progress()
        of_key = "" if furthest["key"] is None else f" of key {furthest['key']}"
        return self._unknown(
            "budget",
            f"Not decided, since it takes {self._budget.reason}: {len(self._orders)} of "
            f"{self._total} keys are linearizable, {len(unfinished)} undecided; "
            f"{furthest['events']} of {furthest['of']} events{of_key} were explained.",
            {"budget": self._budget.reason, "unfinished": _shown(unfinished)},
        )

    def _unknown(self, cause: Cause, summary: str, more: dict[str, Any]) -> Verdict:
        return Verdict(
            checker=NAME,
            kind=Kind.UNKNOWN,
            cause=cause,
            summary=summary,
            evidence={**self._evidence(), **more},
        )

    def _evidence(self) -> dict[str, Any]:
        keys = {
            "total": self._total,
            "linearizable": len(self._orders),
            "refuted": [key.key for key, _ in self._refuted],
        }
        return {"model": self._model.name, "keys": keys}


def _shown(unfinished: list[_Key]) -> list[dict[str, Any]]:
    return [key.progress() for key in unfinished[:_UNFINISHED_SHOWN_MAX]]
