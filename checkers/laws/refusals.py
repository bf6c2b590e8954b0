"""P1: an acceptor accepts the first proposal that it receives (T12), so it refuses for a reason.

Rules
1. Only a refusal that is traced can be judged: a request that was never answered may never have
   come. What forbids a request is a higher ballot that the node promised, or accepted under.
2. The node's own word is enough: a refusal that names a promise below the refused ballot had no
   reason. An equal one may have: a repeated prepare may be refused.
3. Without its word, the node's own earlier lines are, and these only in its first life. A node
   that was killed may have a promise on disk that its trace does not show. A refusal without a
   `restart` before it belongs to a life of which nobody knows the number.
4. For a named instance, what the node did there counts, or promised for all; for a slot, what it
   did anywhere: an acceptor of a log may hold one promise for all its slots, and raise it as it
   accepts in one.

Sources: Lamport 2001, section 2.2 (P1; the refusal is an optimisation of phase 1b).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

from checkers.laws.breach import Breach, scope, spell
from checkers.laws.tally import Positions
from checkers.trace import TraceEvent


def first_accepted(trace: Sequence[TraceEvent], at: Positions) -> Breach | None:
    """P1: nothing is refused that no promise and no acceptance forbids."""
    refusals = at.get("refuse", ())
    if not refusals:
        return None
    births: defaultdict[str, list[int]] = defaultdict(list)
    for position in at.get("restart", ()):
        births[trace[position].node].append(position)
    promises: defaultdict[tuple[str, str | None], list[int]] = defaultdict(list)
    for position in at.get("promise", ()):
        event = trace[position]
        promises[event.node, _named(event)].append(position)
    for position in refusals:
        event = trace[position]
        assert event.ballot is not None, "read_trace refuses a refuse without a ballot"
        if event.promised is not None and event.promised < event.ballot:
            why = f"it says itself that it promised {spell(event.promised)} only"
            return _groundless(position, event, why)
        if bisect_left(births[event.node], position) != 1:
            continue
        likely = promises[event.node, _named(event)]
        if not (
            _forbidden(trace, position, likely)
            or _forbidden(trace, position, at.get("promise", ()))
            or _forbidden(trace, position, at.get("accepted", ()))
        ):
            why = "it had promised and accepted nothing so high"
            return _groundless(position, event, why)
    return None


def _named(event: TraceEvent) -> str | None:
    return event.instance if isinstance(event.instance, str) else None


def _forbidden(trace: Sequence[TraceEvent], refusal: int, acts: Sequence[int]) -> bool:
    """Does one of these earlier acts forbid what was refused? The latest is asked first: it is
    the likeliest, and a leader that is outbid is refused again and again."""
    refused = trace[refusal]
    node, ballot, name = refused.node, refused.ballot, _named(refused)
    for index in range(bisect_left(acts, refusal) - 1, -1, -1):
        act = trace[acts[index]]
        if (
            act.node == node
            and act.ballot >= ballot  # type: ignore[operator] # both have one
            and (name is None or act.instance is None or act.instance == name)
        ):
            return True
    return False


def _groundless(position: int, event: TraceEvent, why: str) -> Breach:
    sentence = (
        f"{event.node} refused {spell(event.ballot)} in {scope(event.instance, None)}: {why}."
    )
    return Breach("p1", sentence, position)
