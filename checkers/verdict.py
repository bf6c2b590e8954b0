"""Verdicts: what a checker says about a recording, with the evidence for it.

Rules
1. INVALID over UNKNOWN over VALID, everywhere: in one report, in exit codes, over many runs.
2. UNKNOWN always names its cause. A time limit, an exhausted budget, a checker that raised and a
   run that exercised nothing are UNKNOWN and never VALID.
3. Trouble of the harness or the machine is no verdict: it is an exception and exit code 255.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol

import msgspec

from checkers.history import History


class Kind(enum.StrEnum):
    VALID = "valid"
    UNKNOWN = "unknown"
    INVALID = "invalid"

    @property
    def exit_code(self) -> int:
        return {"valid": 0, "invalid": 1, "unknown": 2}[self.value]


_RANK = {Kind.VALID: 0, Kind.UNKNOWN: 1, Kind.INVALID: 2}

Cause = Literal["budget", "coverage", "error"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`summary` is one sentence for a person; `evidence` is JSON, each checker documents its own.

    `cause` is set exactly when `kind` is UNKNOWN. `parts` are the verdicts that were merged.
    """

    checker: str
    kind: Kind
    summary: str
    cause: Cause | None = None
    evidence: dict[str, Any] = {}
    parts: tuple[Verdict, ...] = ()

    def __post_init__(self) -> None:
        if (self.kind is Kind.UNKNOWN) != (self.cause is not None):
            raise ValueError(f"a verdict has a cause exactly when it is UNKNOWN, got {self!r}")


class StateDigest(msgspec.Struct, frozen=True):
    """What a node said of its whole state: `value` (a hash, say) at `position` of the replicated
    log (a revision, an applied index)."""

    node: str
    position: int
    value: str


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What a run left behind, as checkers see it.

    `trace`: protocol events as emitted by the nodes (checkers.trace), empty where the system emits
    none. `nodes`: names of all nodes of the cluster, empty where unknown. `digests`: of the
    replicas when everything was over, empty where the system shows none. When which fault was in
    effect stands in the history: checkers.faults reads it.
    """

    history: History
    trace: Sequence[Any] = ()
    nodes: tuple[str, ...] = ()
    digests: Sequence[StateDigest] = ()


class Checker(Protocol):
    """Judges a recording. Pure: the same recording gives the same verdict."""

    @property
    def name(self) -> str: ...

    def check(self, recording: Recording) -> Verdict: ...


def merge(checker: str, verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several: the worst kind, the summary and cause of the first that has it.

    Of nothing, UNKNOWN by coverage: what nobody checked is not valid.
    """
    parts = tuple(verdicts)
    if not parts:
        return Verdict(
            checker=checker, kind=Kind.UNKNOWN, cause="coverage", summary="Nothing was checked."
        )
    worst = max(parts, key=lambda v: _RANK[v.kind])  # max keeps the first of equals
    return Verdict(
        checker=checker, kind=worst.kind, cause=worst.cause, summary=worst.summary, parts=parts
    )
