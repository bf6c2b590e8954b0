"""The calls of a history as columns of numbers: all that statistics need of them.

Rules
1. A row is a call, in the order of invocation; 21 bytes each, so that the calls of a history that
   is too large to be held as objects can be counted while it is read.
2. Nothing is validated here: whoever adds rows has read them as a history, or passes over what
   does not pair.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from checkers.history import COMPARE_FAILED, Call

OK, FAIL, INFO, REFUSED = range(4)  # REFUSED: a fail because the expected value was not there
NEVER = -(2**63)  # the time of a completion that is not there
_OUTCOMES = {"ok": OK, "fail": FAIL, "info": INFO}


class CallColumns:
    """Grows by `invoked` and `completed`, in the order of the journal."""

    def __init__(self) -> None:
        self._invoked_ns = array("q")
        self._done_ns = array("q")
        self._outcome = bytearray()
        self._f = array("i")
        self._places: dict[str, int] = {}  # name of an operation -> its number in `_f`
        self._open: dict[int, int] = {}  # process -> row of its open call
        self.errors: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._outcome)

    @property
    def names(self) -> list[str]:
        """What the operations are called, by their numbers in `f`."""
        return list(self._places)

    @property
    def invoked_ns(self) -> NDArray[np.int64]:
        return np.array(self._invoked_ns, dtype=np.int64)

    @property
    def done_ns(self) -> NDArray[np.int64]:
        """NEVER where a call never completed."""
        return np.array(self._done_ns, dtype=np.int64)

    @property
    def outcome(self) -> NDArray[np.uint8]:
        """OK, FAIL, INFO or REFUSED; INFO of one that never completed."""
        return np.frombuffer(bytes(self._outcome), dtype=np.uint8)

    @property
    def f(self) -> NDArray[np.int64]:
        return np.array(self._f, dtype=np.int64)

    def invoked(self, process: int, f: str, time_ns: int) -> None:
        self._open[process] = len(self)
        self._invoked_ns.append(time_ns)
        self._done_ns.append(NEVER)
        self._outcome.append(INFO)
        self._f.append(self._places.setdefault(f, len(self._places)))

    def completed(self, process: int, outcome: str, time_ns: int, code: str | None) -> None:
        """`code`: of the error that came with it. Passed over where nothing is open."""
        row = self._open.pop(process, None)
        if row is not None:
            self._complete(row, outcome, time_ns, code)

    def _complete(self, row: int, outcome: str, time_ns: int, code: str | None) -> None:
        self._done_ns[row] = time_ns
        refused = outcome == "fail" and code == COMPARE_FAILED
        self._outcome[row] = REFUSED if refused else _OUTCOMES[outcome]
        if code is not None:
            self.errors[code] += 1

    @classmethod
    def of(cls, calls: Iterable[Call]) -> CallColumns:
        columns = cls()
        for row, call in enumerate(calls):
            columns.invoked(0, call.f, call.invoke.time)
            done = call.completion
            if done is not None:
                code = None if done.error is None else done.error.code
                columns._complete(row, call.outcome, done.time, code)
        return columns
