"""Fencing tokens: what a lock promises even where it is a lease, taken away when its time is up.

Rules
1. A lease excludes nobody for sure: who holds it may be paused, or its clock slow, until it is
   another's. What it must promise is that the token of each grant is greater than that of every
   grant before it, so that what the lock protects can refuse a holder of the past. Only that is
   judged here: a grant that had ended before another was asked for has the smaller token, and no
   two have the same one.
2. An acquire of unknown outcome has a token that nobody knows, which constrains nothing.

Told, not judged, where `lease_ttl_s` is given: `overlaps`, the grants made while an earlier holder
had neither released, as far as it knows, nor had its lease run out, counted from its answer.

Sources: Kleppmann, How to do distributed locking, 2016; Gray and Cheriton 1989 (leases).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from checkers.finding import Found, counted, end_of, found, invalid, untold
from checkers.finding import valid as fine
from checkers.history import Call
from checkers.models.fenced import token_of
from checkers.verdict import Recording, Verdict


class FencingTokens(msgspec.Struct, frozen=True, kw_only=True):
    """Judges the tokens of `acquire` (null -> {"token": integer}, or the integer alone).

    Evidence of INVALID: `kind` (repeated, decreasing), `key`, `tokens`, `operations`; of VALID:
    `grants`, and `overlaps`. Raises HistoryError where an acquired lock has no integer token.
    """

    lease_ttl_s: float = 0.0

    @property
    def name(self) -> str:
        return "fencing-tokens"

    def check(self, recording: Recording) -> Verdict:
        grants = overlaps = 0
        compared = False
        for key, calls in recording.history.by_key().items():
            acquired = [
                (call, token_of(call)) for call in calls if call.f == "acquire" and _ok(call)
            ]
            wrong = _disorder(key, acquired)
            if wrong is not None:
                return invalid(self.name, wrong)
            grants += len(acquired)
            compared = compared or len(acquired) > 1
            overlaps += _overlaps(calls, self.lease_ttl_s) if self.lease_ttl_s else 0
        if not grants:
            return untold(self.name, "No lock was ever acquired.")
        if not compared:
            return untold(self.name, "No lock was acquired twice: no token followed another.")
        return fine(
            self.name,
            f"The tokens of {counted(grants, 'grant')} grew with each.",
            grants=grants,
            **({"overlaps": overlaps} if self.lease_ttl_s else {}),
        )


def _ok(call: Call) -> bool:
    return call.outcome == "ok"


def _disorder(key: Any, acquired: Sequence[tuple[Call, int]]) -> Found | None:
    """Grants in the order of invocation, beside the greatest token of those that had ended."""
    by_token: dict[int, Call] = {}
    ended = sorted(acquired, key=lambda grant: end_of(grant[0]))
    at, highest = 0, None
    for call, token in acquired:
        while at < len(ended) and end_of(ended[at][0]) < call.index:
            if highest is None or ended[at][1] > highest[1]:
                highest = ended[at]
            at += 1
        earlier = by_token.setdefault(token, call)
        if earlier is not call:
            sentence = (
                f"Lock {key}: token {token} was given out twice, by operations {earlier.index} "
                f"and {call.index}."
            )
            return found("repeated", sentence, (earlier, call), key=key, tokens=[token, token])
        if highest is not None and token < highest[1]:
            sentence = (
                f"Lock {key}: operation {call.index} was given token {token}, though operation "
                f"{highest[0].index} had ended with {highest[1]} before it began."
            )
            tokens = [highest[1], token]
            return found("decreasing", sentence, (highest[0], call), key=key, tokens=tokens)
    return None


def _overlaps(calls: Sequence[Call], lease_ttl_s: float) -> int:
    """How often a lock was granted while another process had reason to think it held it."""
    ttl_ns = round(lease_ttl_s * 1e9)
    moments: list[tuple[int, str, Call]] = []
    for call in calls:
        if call.f == "acquire" and call.completion is not None and _ok(call):
            moments.append((call.completion.index, "granted", call))
        elif call.f == "release":
            moments.append((call.index, "released", call))
    holders: dict[Any, int] = {}  # process: when its lease runs out, by the time of its answer
    count = 0
    for _, what, call in sorted(moments, key=lambda moment: moment[0]):
        process = call.invoke.process
        if what == "released":
            holders.pop(process, None)
            continue
        assert call.completion is not None
        now_ns = call.completion.time
        holders = {other: until for other, until in holders.items() if until > now_ns}
        count += any(other != process for other in holders)
        holders[process] = now_ns + ttl_ns
    return count
