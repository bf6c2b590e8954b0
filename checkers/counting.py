"""Counters, by the least and the most that a read may have seen.

Rules
1. An acknowledged add counts, one that failed does not, one of unknown outcome may or may not.
   Adds may be negative (a PN-counter); then what may have happened widens the interval downwards.
2. Every read, however weak the counter, lies between the sum of all negative and the sum of all
   positive adds that had begun when it ended and did not fail.
3. A read of a linearizable counter lies between what was certain when it began and what was
   possible when it ended. This follows from linearizability, and is far weaker: the search finds
   the rest. Its use is that it takes linear time and says by how much a read is wrong.
4. Of a counter that converges (`eventual`) each final read (see checkers.set_elements, rule 3) is
   the sum of all that was acknowledged and of some of what is of unknown outcome. Nothing is under
   way then but that, so the sums can be listed: an interval would take a lost add of 2 for right
   as soon as an add of 5 is in doubt.

Sources: the g-counter and pn-counter workloads of Maelstrom (acceptable intervals of final reads).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import msgspec

from checkers.finding import Found, counted, end_of, found, invalid, untold
from checkers.finding import valid as fine
from checkers.history import Call, History, HistoryError
from checkers.models.values import integer
from checkers.set_elements import final_reads, mute_nodes, mute_sentence, quiescence
from checkers.verdict import Recording, Verdict

SUMS_MAX = 1_000_000  # different sums of adds in doubt: more are not listed


class Counting(msgspec.Struct, frozen=True, kw_only=True):
    """Judges `add` (an integer) and `read` (the sum).

    Evidence of INVALID: `kind` (impossible, too-low, too-high, no-sum), `key`, `read`, `least`,
    `most`, `operations` (the read). Raises HistoryError where a value is no integer.
    """

    eventual: bool = False
    settle_s: float = 5.0

    @property
    def name(self) -> str:
        return "counting"

    def check(self, recording: Recording) -> Verdict:
        history = recording.history
        groups = [_Counter(key, calls) for key, calls in history.by_key().items()]
        reads = sum(len(group.reads) for group in groups)
        if not reads:
            return untold(self.name, "No counter was ever read.")
        for group in groups:
            wrong = group.impossible() or (None if self.eventual else group.inexact())
            if wrong is not None:
                return invalid(self.name, wrong)
        if self.eventual:
            return self._in_the_end(history, groups)
        return fine(self.name, f"{counted(reads, 'read')} lay where acknowledged adds allow.")

    def _in_the_end(self, history: History, groups: Sequence[_Counter]) -> Verdict:
        calm = quiescence(history, ("add",))
        if calm is None:
            return untold(self.name, "The system was never shown to be healed.")
        judged = early = 0
        silent: list[str] = []
        for group in groups:
            silent += mute_nodes(group.calls, calm)
            for read in final_reads(group.calls, calm):
                judged += 1
                wrong = group.out_of_bounds(read) or group.no_sum(read)
                if wrong is None:
                    continue
                if read.invoke.time >= calm[1] + self.settle_s * 1e9:
                    return invalid(self.name, wrong)
                early += 1
        if not judged:
            return untold(self.name, "No node was read after the last add was over.")
        if early:
            return untold(
                self.name,
                f"{counted(early, 'final read')} of {judged} did not show the sum, less than "
                f"{self.settle_s:g} s after the last add: the recording ends too soon to tell.",
            )
        if silent:
            return untold(self.name, mute_sentence(silent))
        return fine(self.name, f"All {counted(judged, 'final read')} showed a sum that is right.")


class _Sums:
    """Sums of deltas by the index at which each began to count."""

    def __init__(self, entries: Iterable[tuple[float, int]]) -> None:
        ordered = sorted(entries)
        self._at = [at for at, _ in ordered]
        self._sums = list(accumulate((delta for _, delta in ordered), initial=0))

    def until(self, index: float) -> int:
        """Of what counted before `index`."""
        return self._sums[bisect_left(self._at, index)]


class _Counter:
    """The calls on one key, read."""

    def __init__(self, key: Any, calls: Sequence[Call]) -> None:
        self.key = key
        self.calls = calls
        self.reads = [(c, _integer_in(c, c.output)) for c in calls if _read(c)]
        adds = [(c, _integer_in(c, c.input)) for c in calls if c.f == "add" and c.outcome != "fail"]
        self._adds = adds
        self._up = _Sums((c.index, d) for c, d in adds if d > 0)
        self._down = _Sums((c.index, d) for c, d in adds if d < 0)
        acknowledged = [(end_of(c), d) for c, d in adds if c.outcome == "ok"]
        self._sure_up = _Sums((end, d) for end, d in acknowledged if d > 0)
        self._sure_down = _Sums((end, d) for end, d in acknowledged if d < 0)

    def impossible(self) -> Found | None:
        """Rule 2."""
        for read, value in self.reads:
            end = end_of(read)
            least, most = self._down.until(end), self._up.until(end)
            if not least <= value <= most:
                return self._wrong("impossible", read, value, least, most)
        return None

    def inexact(self) -> Found | None:
        """Rule 3. What was certain is counted at the invocation, what was possible at the end."""
        return next(filter(None, (self.out_of_bounds(read) for read, _ in self.reads)), None)

    def out_of_bounds(self, read: Call) -> Found | None:
        value, begin, end = _integer_in(read, read.output), read.index, end_of(read)
        least = self._sure_up.until(begin) + self._down.until(end)
        most = self._up.until(end) + self._sure_down.until(begin)
        if least <= value <= most:
            return None
        return self._wrong("too-low" if value < least else "too-high", read, value, least, most)

    def no_sum(self, read: Call) -> Found | None:
        """Rule 4, of a final read that is within its bounds. The sums are bits of one number."""
        value, begin, end = _integer_in(read, read.output), read.index, end_of(read)
        least = self._sure_up.until(begin) + self._down.until(end)
        most = self._up.until(end) + self._sure_down.until(begin)
        if most - least > SUMS_MAX:
            return None
        sums = 1  # bit n: least + n can be read
        for call, delta in self._adds:
            if call.index < end and not (call.outcome == "ok" and end_of(call) < begin):
                sums |= sums << abs(delta)
        return (
            None if sums >> value - least & 1 else self._wrong("no-sum", read, value, least, most)
        )

    def _wrong(self, kind: str, read: Call, value: int, least: int, most: int) -> Found:
        of = "The counter" if self.key is None else f"Counter {self.key}"
        where = f" at {read.invoke.node}" if read.invoke.node else ""
        range_ = f"exactly {least}" if least == most else f"between {least} and {most}"
        range_ += ", but not this" * (kind == "no-sum")
        sentence = f"{of} was read as {value}{where} (operation {read.index}): the adds allow "
        numbers = {"key": self.key, "read": value, "least": least, "most": most}
        return found(kind, f"{sentence}{range_}.", (read,), **numbers)


def _read(call: Call) -> bool:
    return call.f == "read" and call.outcome == "ok"


def _integer_in(call: Call, value: Any) -> int:
    number = None if isinstance(value, bool) else integer(value)
    if number is None:
        raise HistoryError(
            call.index,
            f"{call.f!r} on a counter has the value {value!r}",
            "An add takes an integer, a read answers one.",
        )
    return number
