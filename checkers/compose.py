"""Many checkers over one recording: each runs, none can take the others down with it.

Rules
1. A checker that raises says nothing about the system: UNKNOWN, cause error, traceback kept. Only
   HistoryError passes: the history's author is at fault, and no other checker could be trusted.
2. A checker that judges protocol events (`needs_events`, their names) is left out where the system
   emits none of them: who only tells who leads, for the picture, asked for no such judgement. The
   evidence names it. If nothing is left, nothing was checked, and that is UNKNOWN.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable

import msgspec

from checkers.history import HistoryError
from checkers.verdict import Checker, Kind, Recording, Verdict, merge


def check_all(checkers: Iterable[Checker], recording: Recording) -> Verdict:
    """The verdict of all checkers, each one a part, in their order.

    Evidence: `left_out`, the names of the checkers that had no trace to judge.
    """
    parts: list[Verdict] = []
    left_out: list[str] = []
    emitted = {event.event for event in recording.trace}
    for checker in checkers:
        needed = getattr(checker, "needs_events", None)
        if needed is not None and needed.isdisjoint(emitted):
            left_out.append(checker.name)
        else:
            parts.append(_check(checker, recording))
    verdict = merge("all", parts)
    if verdict.kind is Kind.VALID and len(parts) > 1:
        summary = f"{len(parts)} checkers found nothing wrong."
        verdict = msgspec.structs.replace(verdict, summary=summary)
    return msgspec.structs.replace(verdict, evidence={"left_out": left_out})


def _check(checker: Checker, recording: Recording) -> Verdict:
    try:
        return checker.check(recording)
    except HistoryError:
        raise
    except Exception as error:  # noqa: BLE001 - rule 1: our bug must not hide what others found
        # MemoryError is an Exception too: by the time it arrives here the search is unwound and
        # its memory free again.
        return Verdict(
            checker=checker.name,
            kind=Kind.UNKNOWN,
            cause="error",
            summary=f"The checker {checker.name!r} failed: {type(error).__name__}: {error}",
            evidence={"traceback": traceback.format_exc(limit=-20)},
        )
