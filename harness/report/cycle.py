"""A cycle of operations: each had to come before the next, and the last before the first.

Rule: evidence may be another checker's under the same name; what is not of the documented shape
(checkers.transactions.explaining) is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from checkers.history import Call
from harness.report import words

STEPS_MAX = 24
TEXT_MAX = 400  # characters

MEANINGS = {
    "ww": "appended before",
    "wr": "was read by",
    "rw": "did not see",
    "rt": "returned before it began",
}


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """Operation `operation` had to come before operation `to`. `kind`: ww, wr, rw or rt, `means`
    the same in words, empty for kinds of others; `because`: the sentence. `told`: the operation,
    whole; `what`: what it did."""

    operation: int
    to: int
    kind: str
    means: str
    because: str
    what: str
    told: str


class _Step(msgspec.Struct):
    source: int = msgspec.field(name="from")
    to: int
    because: str
    sentence: str


def cycle(evidence: Any, calls: Mapping[int, Call]) -> Sequence[Dependency]:
    """Empty where the evidence has none, or one too long to be followed by an eye."""
    try:
        steps = msgspec.convert(evidence, list[_Step])
    except msgspec.ValidationError:
        return ()
    if len(steps) > STEPS_MAX or any(step.source not in calls for step in steps):
        return ()
    return [_dependency(step, calls[step.source]) for step in steps]


def _dependency(step: _Step, call: Call) -> Dependency:
    return Dependency(
        operation=step.source,
        to=step.to,
        kind=words.clip(step.because, 12),
        means=MEANINGS.get(step.because, ""),
        because=words.clip(step.sentence, TEXT_MAX),
        what=words.clip(words.what(call, TEXT_MAX // 2), TEXT_MAX),
        told=words.whole(call),
    )
