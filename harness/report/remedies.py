"""What to do about a verdict that claims nothing, and what the recording says about why.

Rule: a remedy names the flag or the file; it promises nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from checkers.finding import counted
from checkers.history import Call, freeze
from checkers.linearizability import engine
from checkers.verdict import Verdict
from harness.report import words

LISTED_MAX = 10

OUR_BUG = (
    "This is a fault of the checker and says nothing about the system; the other checks stand. "
    "Please report it with the evidence below."
)
_UNCONFIRMED = "The independent verifier did not confirm this contradiction, so it is no verdict."
_NOTHING_SUCCEEDED = (
    "No operation succeeded at all: look whether the nodes serve clients (the run's notices; their "
    "logs, under nodes/ of a real run), and run without faults first (--faults none)."
)
_NOBODY_ASKED = (
    "The history has no call of a client. Clients are processes with a number (docs/histories.md)."
)
_MORE_OF_IT = (
    "A check that was not exercised proves nothing. Run longer (--time-limit) or with more load "
    "(--rate, --clients); of a fault that never took effect, the table of faults has what was seen."
)
_UNFINISHED = "Nothing is claimed about what was not finished."
_FEWER = "record fewer operations at once on a key (--clients, --rate)"
_MORE_TIME = "Give more time (--check-time-limit for a run, --time-limit for a check)"
_MORE_MEMORY = "Give more memory (a larger --memory-limit, or fewer histories at once: --jobs)"
_MORE: dict[Any, str] = {
    "memory": f"{_MORE_MEMORY}, or {_FEWER}.",
    "configurations": f"Neither more time nor memory would help: {_FEWER}.",
}


def of_coverage(leaf: Verdict, calls: Collection[Call]) -> list[str]:
    """The gaps, each a sentence, and how to close them."""
    gaps = leaf.evidence.get("gaps")
    listed = [str(gap) for gap in gaps[:LISTED_MAX]] if isinstance(gaps, list) else []
    sentences = listed or [leaf.summary]
    if isinstance(gaps, list) and len(gaps) > LISTED_MAX:
        sentences.append(f"See verdict.json for {counted(len(gaps) - LISTED_MAX, 'more gap')}.")
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
    return [*sentences, f"{_UNFINISHED} {_more(leaf)}"]


def of_unconfirmed(leaf: Verdict) -> str:
    """What would let the verifier judge a contradiction."""
    return f"{_UNCONFIRMED} {_more(leaf)}"


def advice(sentences: Collection[str]) -> str:
    """The last of the sentences that names a remedy; empty if none does."""
    wanted = (OUR_BUG, _NOTHING_SUCCEEDED, _NOBODY_ASKED, _MORE_OF_IT)
    return next(
        (s for s in reversed(list(sentences)) if s in wanted or s.startswith(_UNFINISHED)), ""
    )


def _more(leaf: Verdict) -> str:
    """More of the limit that was spent; time where the evidence names none."""
    limit = leaf.evidence.get("limit")
    more = _MORE.get(limit if isinstance(limit, str) else None, f"{_MORE_TIME}, or {_FEWER}.")
    if limit == "memory" and not engine.available():
        more += f" The engine takes far less memory; it is not used, since {engine.why_not()}."
    return more


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
