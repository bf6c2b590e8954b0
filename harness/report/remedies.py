"""What to do about a verdict that claims nothing, and what the recording says about why.

Rule: a remedy names the flag or the file; it promises nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from checkers.history import Call, freeze
from checkers.verdict import Verdict
from harness.report import words

LISTED_MAX = 10

OUR_BUG = (
    "This is a fault of the checker and says nothing about the system; the other checks stand. "
    "Please report it with the evidence below."
)
UNCONFIRMED = (
    "The independent verifier did not confirm this contradiction, so it is no verdict. Give it "
    "more time (--check-time-limit for a run, --time-limit for a check)."
)
_NOTHING_SUCCEEDED = (
    "No operation succeeded at all: look whether the nodes serve clients (their logs are under "
    "nodes/ in the run's folder), and run without faults first (--faults none)."
)
_NOBODY_ASKED = (
    "The history has no call of a client. Clients are processes with a number (docs/histories.md)."
)
_MORE_OF_IT = (
    "A check that was not exercised proves nothing. Run longer (--time-limit) or with more load "
    "(--rate, --clients); of a fault that never took effect, the table of faults has what was seen."
)
_MORE_BUDGET = (
    "Nothing is claimed about what was not finished. Give more time (--check-time-limit for a run, "
    "--time-limit for a check), or record fewer operations at once on a key (--clients, --rate)."
)


def of_coverage(leaf: Verdict, calls: Collection[Call]) -> list[str]:
    """The gaps, each a sentence, and how to close them."""
    gaps = leaf.evidence.get("gaps")
    listed = [str(gap) for gap in gaps[:LISTED_MAX]] if isinstance(gaps, list) else []
    sentences = listed or [leaf.summary]
    if isinstance(gaps, list) and len(gaps) > LISTED_MAX:
        sentences.append(f"{len(gaps) - LISTED_MAX} more gaps are in verdict.json.")
    if not calls:
        return [*sentences, _NOBODY_ASKED]
    if not any(call.outcome == "ok" for call in calls):
        return [*sentences, *errors_told(calls), _NOTHING_SUCCEEDED]
    return [*sentences, _MORE_OF_IT]


def of_budget(leaf: Verdict, calls: Collection[Call]) -> list[str]:
    """How far a search got, what makes it long, and what makes it shorter."""
    sentences = progress(leaf)
    unknown = Counter(freeze(call.key) for call in calls if call.outcome == "info")
    if unknown:
        key, count = unknown.most_common(1)[0]
        on = "" if key is None else f", {count:,} of them on key {words.named_key(key)}"
        sentences.append(
            f"Calls of unknown outcome cost a search most: there are {unknown.total():,}{on}."
        )
    return [*sentences, _MORE_BUDGET]


def progress(leaf: Verdict) -> list[str]:
    """How far a search over many keys got; nothing where there was one key at most."""
    keys = leaf.evidence.get("keys")
    if not isinstance(keys, dict) or _count(keys, "total") < 2:
        return []
    total, fine, refuted = _count(keys, "total"), _count(keys, "linearizable"), keys.get("refuted")
    wrong = len(refuted) if isinstance(refuted, list) else 0
    return [
        f"Keys: {total:,} in all; {fine:,} linearizable, {wrong:,} not, "
        f"{total - fine - wrong:,} undecided."
    ]


def errors_told(calls: Collection[Call]) -> list[str]:
    """The error codes that clients saw, the most frequent first."""
    codes = Counter(
        call.completion.error.code
        for call in calls
        if call.completion is not None and call.completion.error is not None
    )
    most = ", ".join(f"{words.clip(code, 40)} ({n:,})" for code, n in codes.most_common(5))
    return [f"Errors of the whole run: {most}."] if most else []


def _count(keys: dict[str, Any], name: str) -> int:
    count = keys.get(name)
    return count if isinstance(count, int) else 0
