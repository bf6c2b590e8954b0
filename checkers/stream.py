"""Checking while the history grows: operations are fed as they happen, and the first violation is
reported as soon as it is certain.

    check = LiveCheck(model("cas-register"))
    for batch in journal:
        if (violation := check.feed(batch)) is not None:
            ...
    verdict = check.finish()

Rules
1. Nothing is guessed. The events of a key are taken up to its oldest invocation whose outcome is
   not known yet, so every step is the one that the offline check reads, and what is reported is a
   violation of the finished history too, whatever comes after.
2. Memory is bounded by the open operations and the frontiers, one for each key. To explain a
   violation with, the latest KEPT_MAX operations of a key are kept beside, and of all keys
   KEPT_TOTAL, those of the keys used last; nothing is kept where the caller can `recall` them.
3. INVALID is what the offline check, with its certificate, says of the operations of the key. Where
   earlier ones were forgotten, it takes a window of the latest that the verifier refutes behind an
   anchor; without one a violation is UNKNOWN, and the recorded history is to be checked.
4. What is forgotten had returned: a call that is open, or of unknown outcome, may take effect in
   any window to come.
5. A key whose frontier grows beyond its budget is given up: UNKNOWN in the end, never VALID.

Sources: Herlihy and Wing 1990 (locality: keys are judged one by one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from checkers.budget import Budget
from checkers.history import Call, History, Operation, freeze
from checkers.linearizability import Linearizable, check_linearizability
from checkers.linearizability.explain import contradiction, sentence
from checkers.linearizability.growing import EngineFrontiers
from checkers.linearizability.incremental import PlainFrontiers
from checkers.linearizability.window import Recorded, find_window, known, learned
from checkers.models.model import Model
from checkers.verdict import Cause, Checker, Kind, Verdict

NAME = "linearizable"
KEPT_MAX, KEPT_TOTAL = 20_000, 400_000  # operations
EXPLAIN_LIMIT_S = 10.0


class Frontiers(Protocol):
    """What judges the operations: the compiled engine, or plain Python.

    `keys`: how many there are. `undecided`: those that were given up. `suspected`: what the latest
    `feed` or `finish` could not be certain of; those keys are given up. `judged`: did any call
    return that constrains something? `held`: open calls and configurations.
    """

    @property
    def suspected(self) -> Sequence[tuple[Any, int]]: ...

    @property
    def keys(self) -> int: ...

    @property
    def undecided(self) -> Sequence[Any]: ...

    @property
    def judged(self) -> bool: ...

    @property
    def held(self) -> int: ...

    def feed(self, operations: Sequence[Operation]) -> Sequence[tuple[Any, int]]:
        """Takes the next operations of clients; (key, index of the completion) of each key that is
        refuted by them, in the order of the indices. Raises HistoryError where one breaks a rule of
        histories or the model cannot read it."""
        ...

    def finish(self) -> Sequence[tuple[Any, int]]:
        """The same, now that nobody will see the outcome of what is open."""
        ...


def live_check(
    checkers: Iterable[Checker], recall: Callable[[], Iterable[Operation]] | None = None
) -> LiveCheck | None:
    """By the model of the linearizability checker among these; None where there is none."""
    found = next((c for c in checkers if isinstance(c, Linearizable)), None)
    return None if found is None else LiveCheck(found.model, recall=recall)


class LiveCheck:
    """`frontiers`: what judges; None for the best there is. `recall`: everything that was fed,
    where the caller has it anyway (a journal); None lets this keep a bounded part.

    `fed`: how many operations of clients were taken. `violation`: the first one's verdict, INVALID
    with the evidence of the offline check, or UNKNOWN where its operations were forgotten.
    """

    def __init__(
        self,
        model: Model,
        frontiers: Frontiers | None = None,
        recall: Callable[[], Iterable[Operation]] | None = None,
    ) -> None:
        self.fed = 0
        self.violation: Verdict | None = None
        self._found: tuple[Any, int] | None = None  # the key, the index of the completion
        self._model = model
        best = EngineFrontiers.of(model) or PlainFrontiers(model)
        self._frontiers: Frontiers = best if frontiers is None else frontiers
        self._kept = _Kept()
        self._recall = recall

    @property
    def held(self) -> int:
        """What is remembered: operations, open calls and configurations."""
        return self._kept.total + self._frontiers.held

    def feed(self, operations: Iterable[Operation]) -> Verdict | None:
        """Takes the next operations of the journal, in its order; the verdict on the first
        violation if these made it certain. After that, nothing is taken any more.

        Raises HistoryError where they break a rule of histories or the model cannot read one.
        """
        return self.explain() if self.take(operations) else None

    def take(self, operations: Iterable[Operation]) -> bool:
        """As `feed`, without the explanation, which takes longer: did these make a violation
        certain? Then `explain` gives the verdict."""
        if self._found is not None:
            return False
        batch = [o for o in operations if not _by_others(o)]
        self.fed += len(batch)
        if self._recall is None:
            self._kept.add(batch)
        return self._note(self._frontiers.feed(batch))

    def explain(self) -> Verdict:
        """The verdict on the first violation. There must be one."""
        assert self._found is not None, "a violation was found"
        if self.violation is None:
            self.violation = self._explained(*self._found)
        return self.violation

    def finish(self) -> Verdict:
        """The verdict on all that was fed, of the kind that the offline check gives."""
        if self._found is not None or self._note(self._frontiers.finish()):
            return self.explain()
        total, undecided = self._frontiers.keys, self._frontiers.undecided
        if undecided and self._recall is not None:
            recorded = History(o for o in self._recall() if not _by_others(o))
            return check_linearizability(recorded, self._model)
        if undecided:
            return self._unknown(
                "budget",
                f"Not decided while the history grew: {len(undecided)} of {total} keys would have "
                "taken too many configurations at once; check the recorded history.",
                {"unfinished": [{"key": key} for key in undecided[:10]]},
            )
        if not self._frontiers.judged:
            nothing = "Nothing was judged: no call returned with a result that says anything."
            return self._unknown("coverage", nothing, {})
        keys = "the history is" if total <= 1 else f"all {total} keys are"
        return Verdict(
            checker=NAME,
            kind=Kind.VALID,
            summary=f"As a {self._model.name}, {keys} linearizable.",
            evidence=self._evidence(),
        )

    def _note(self, found: Sequence[tuple[Any, int]]) -> bool:
        for key, index in self._frontiers.suspected if not found else ():
            verdict = self._explained(key, index)
            if verdict.kind is Kind.INVALID:
                self._found, self.violation = (key, index), verdict
                return True
        if found:
            self._found = found[0]
        return bool(found)

    def _explained(self, key: Any, index: int) -> Verdict:
        """Of all operations of the key that are at hand: what is certain at `index` may be so by an
        outcome that was recorded after it."""
        if self._recall is not None:
            calls, since = _only(key, self._recall()), 0
        else:
            calls, since = self._kept.of(key)
        budget = Budget(EXPLAIN_LIMIT_S)
        if calls and since == 0:
            operations = (o for c in calls for o in (c.invoke, c.completion) if o is not None)
            history = History(sorted(operations, key=lambda o: o.index))
            verdict = check_linearizability(history, self._model, budget)
        else:
            verdict = self._by_window(key, index, calls, since, budget)
        if verdict.kind is not Kind.VALID:
            return verdict
        of_key = "" if key is None else f" of key {key}"
        return self._unknown(
            "error",
            f"A violation{of_key} was seen at operation {index}, and the offline check sees none. "
            "This is a bug of the checker; please report it with the history.",
            {"violation": {"key": key, "completion": index}},
        )

    def _by_window(
        self, key: Any, index: int, calls: Sequence[Call], since: int, budget: Budget
    ) -> Verdict:
        """INVALID by the latest calls alone, of which none is missing since the index `since`."""
        if calls:
            source = Recorded(calls)
            model = learned(self._model, source)
            window, confirmed = find_window(model, source, index, budget)
            # A window without anchor would begin with the history, which is not at hand.
            if confirmed and window.anchor is not None and window.anchor.index >= since:
                shown = {**contradiction(model, window, budget), "certificate": "confirmed"}
                return Verdict(
                    checker=NAME,
                    kind=Kind.INVALID,
                    summary=sentence(model, window, shown),
                    evidence={**self._evidence(), "contradiction": shown},
                )
        of_key = "" if key is None else f" of key {key}"
        return self._unknown(
            "budget",
            f"A violation{of_key} was seen at operation {index} and not confirmed, since earlier "
            "operations were forgotten; check the recorded history.",
            {"violation": {"key": key, "completion": index}},
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
        total = self._frontiers.keys
        decided = total - len(self._frontiers.undecided)
        keys = {"total": total, "linearizable": decided, "refuted": []}
        return {"model": self._model.name, "keys": keys}


class _OfKey:
    """`since`: from this index on, no operation is missing. `room`: for so many operations."""

    __slots__ = ("operations", "room", "since")

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.room = KEPT_MAX
        self.since = 0


class _Kept:
    """A bounded part of what was fed."""

    def __init__(self) -> None:
        self.total = 0
        self._room = KEPT_TOTAL
        self._by_key: dict[Any, _OfKey] = {}

    def of(self, key: Any) -> tuple[Sequence[Call], int]:
        """The calls, and the index from which on none is missing."""
        kept = self._by_key[freeze(key)]
        return History(kept.operations).calls(), kept.since

    def add(self, batch: Iterable[Operation]) -> None:
        for operation in batch:
            key = freeze(operation.key)
            kept = self._by_key.get(key)
            if kept is None:
                kept = self._by_key[key] = _OfKey()
            kept.operations.append(operation)
            self.total += 1
            if len(kept.operations) > kept.room:
                self._forget(kept, kept.operations[-KEPT_MAX // 2].index)
                # Where calls of unknown outcome pile up, forget seldom rather than each time.
                kept.room = max(KEPT_MAX, 2 * len(kept.operations))
        if self.total > self._room:
            self._make_room()
            self._room = max(KEPT_TOTAL, 2 * self.total)

    def _make_room(self) -> None:
        """Forgets half, of the keys used longest ago."""
        last_used = sorted(
            (k for k in self._by_key.values() if k.operations), key=lambda k: k.operations[-1].index
        )
        for kept in last_used:
            if self.total <= KEPT_TOTAL // 2:
                return
            self._forget(kept, kept.operations[-1].index + 1)

    def _forget(self, kept: _OfKey, since: int) -> None:
        """What had returned before `since` (rule 4)."""
        calls = History(kept.operations).calls()
        left = [
            c for c in calls if c.completion is None or not known(c) or c.completion.index >= since
        ]
        both = (o for c in left for o in (c.invoke, c.completion) if o is not None)
        self.total -= len(kept.operations)
        kept.operations = sorted(both, key=lambda o: o.index)
        kept.since = since
        self.total += len(kept.operations)


def _by_others(operation: Operation) -> bool:
    """Not a client's; a number as text, which histories refuse, is for the frontiers to refuse."""
    return isinstance(operation.process, str) and not operation.process.isdecimal()


def _only(key: Any, operations: Iterable[Operation]) -> Sequence[Call]:
    return History(o for o in operations if o.by_client).by_key()[freeze(key)]
