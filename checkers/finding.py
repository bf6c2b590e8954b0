"""What a checker found wrong, and the verdict it makes of it.

Rule: the sentence names the operations by index and the values they disagree about; the evidence
has the same as JSON (`kind`, `operations`, and what the checker documents besides), so that a
report can draw it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from checkers.history import Call
from checkers.verdict import Kind, Verdict

VALUE_MAX = 60  # characters of one value in a sentence
LISTED_MAX = 10  # values of a list in a sentence or in evidence


class Found(msgspec.Struct, frozen=True):
    """`operations`: indices of the calls that contradict one another. `more`: further evidence."""

    kind: str
    sentence: str
    operations: tuple[int, ...]
    more: dict[str, Any] = {}


def found(kind: str, sentence: str, calls: Iterable[Call], **more: Any) -> Found:
    """`calls` may repeat one; it is named once."""
    return Found(kind, sentence, tuple(dict.fromkeys(call.index for call in calls)), more)


def invalid(checker: str, wrong: Found) -> Verdict:
    evidence = {"kind": wrong.kind, "operations": list(wrong.operations), **wrong.more}
    return Verdict(checker=checker, kind=Kind.INVALID, summary=wrong.sentence, evidence=evidence)


def untold(checker: str, sentence: str, **evidence: Any) -> Verdict:
    """UNKNOWN for want of coverage."""
    return Verdict(
        checker=checker,
        kind=Kind.UNKNOWN,
        cause="coverage",
        summary=sentence,
        evidence=evidence,
    )


def valid(checker: str, sentence: str, **evidence: Any) -> Verdict:
    return Verdict(checker=checker, kind=Kind.VALID, summary=sentence, evidence=evidence)


def shown(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    if len(text) <= VALUE_MAX:
        return text
    return f"{text[: VALUE_MAX * 2 // 3]} ... {text[-VALUE_MAX // 4 :]}"


def listed(values: Iterable[Any]) -> str:
    """Values with commas, the first LISTED_MAX of them, and how many more there are."""
    every = list(values)
    text = ", ".join(shown(value) for value in every[:LISTED_MAX])
    more = len(every) - LISTED_MAX
    return f"{text} and {more:,} more" if more > 0 else text


def counted(number: int, thing: str) -> str:
    """'1 read', '3 reads'."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def end_of(call: Call) -> float:
    """The index at which the call was over: infinite where nobody knows that it ever is."""
    done = call.completion
    return done.index if done is not None and done.type != "info" else float("inf")


def before(earlier: Call, later: Call) -> bool:
    """In real time: `earlier` had returned when `later` was invoked."""
    return end_of(earlier) < later.index
