"""Consensus as its clients and learners saw it: agreement, validity, integrity, termination.

Rules
1. A key is one instance. Its decisions are the values of ok proposes and of ok reads that are not
   null, and the values its nodes learnt (`chosen` in the trace).
2. A propose that failed definitely proposed nothing; one whose outcome is unknown may have.
3. A read of null says that a node has learnt nothing yet, at any time: it is evidence of nothing.
4. Safety and liveness are judged apart. Termination is INVALID only where operations were tried
   after the last fault was undone and not one succeeded, or an instance starved (5). Otherwise one
   success shows that the system makes progress, and no finite run can show more. Where clients
   propose, a read of null is neither: a node that is cut off from all others can answer it, and
   one that has nothing to learn must.
   Without a heal, without a try after it, or without PATIENCE_S of tries, UNKNOWN.
5. Instances do not wait for one another, so where clients propose, one that starves is enough: it
   was proposed to at one node after the heal, STARVING_TRIES times and for STARVING_S at least,
   nobody had any success with it since, and the same node served somebody else after all that
   time. A node that died of itself or was lost serves nobody, and proves nothing.
5. A node that the final heal counts as lost (its disk was damaged, and it is right not to run) owes
   its clients nothing: what failed there tells nothing of the others.

Sources: Lamport 2001, section 2.1 (the safety requirements); Fischer, Lynch and Paterson 1985 on
why termination is promised only of the healed system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from checkers.faults import fault_intervals, healed_at
from checkers.history import Call, Operation, freeze
from checkers.laws import breaches
from checkers.trace import TraceEvent
from checkers.verdict import Checker, Kind, Recording, Verdict

PATIENCE_S = 3.0  # for a healed system to find a leader and to serve
# For one instance at a node that serves others. Proposers that outbid one another end that by
# chance: this is ten times what they take on links on which a frame takes 60 ms.
STARVING_S, STARVING_TRIES = 5.0, 3


class Decision(msgspec.Struct, frozen=True):
    """Somebody saw `value` decided. `index` is the call's (its completion at `completed`),
    `position` that of the trace event; the other is None."""

    value: Any
    who: str
    index: int | None = None
    completed: int | None = None
    position: int | None = None


def decisions(recording: Recording) -> dict[Any, list[Decision]]:
    """The decisions by frozen key, clients' first, each in order.

    A trace may name proposed values by ids of its own (docs/trace-format.md): what nodes learnt in
    an instance is compared with what clients of the key saw only where one of these ids is a value
    that a client had proposed.
    """
    groups: dict[Any, list[Decision]] = {}
    proposed: dict[Any, set[Any]] = {}
    for call in recording.history.calls():
        key = freeze(call.key)
        if call.f == "propose":
            proposed.setdefault(key, set()).add(freeze(call.input))
        if _decides(call):
            assert call.completion is not None
            decision = Decision(
                freeze(call.output),
                f"process {call.invoke.process} ({call.f})",
                index=call.index,
                completed=call.completion.index,
            )
            groups.setdefault(key, []).append(decision)
    for instance, learnt in _learnt(recording.trace).items():
        of_clients = not proposed.get(instance, set()).isdisjoint(d.value for d in learnt)
        name = instance if of_clients else ("instance", instance)
        groups.setdefault(name, []).extend(learnt)
    return groups


def _decides(call: Call) -> bool:
    if call.outcome != "ok":
        return False
    return call.f == "propose" or (call.f == "read" and call.output is not None)


def _learnt(trace: Iterable[TraceEvent]) -> dict[Any, list[Decision]]:
    groups: dict[Any, list[Decision]] = {}
    for position, event in enumerate(trace):
        if event.event == "chosen":
            decision = Decision(freeze(event.value), event.node, position=position)
            groups.setdefault(event.instance, []).append(decision)
    return groups


def _verdict(checker: str, found: dict[str, Any] | None, fine: str) -> Verdict:
    if found is None:
        return Verdict(checker=checker, kind=Kind.VALID, summary=fine)
    return Verdict(
        checker=checker, kind=Kind.INVALID, summary=found.pop("sentence"), evidence=found
    )


def _nothing(checker: str, sentence: str) -> Verdict:
    return Verdict(checker=checker, kind=Kind.UNKNOWN, cause="coverage", summary=sentence)


class Agreement:
    """Only one value is decided in an instance. Evidence: `key`, `operations` (indices of calls)
    and `events` (positions in the trace) of the first decision and of the one that differs."""

    name = "agreement"

    def check(self, recording: Recording) -> Verdict:
        groups = decisions(recording)
        if not groups:
            return _nothing(self.name, "Nothing was decided in the whole run.")
        fine = f"One value was decided in each of {len(groups)} instances."
        return _verdict(self.name, next(_disagreements(groups), None), fine)


def _disagreements(groups: dict[Any, list[Decision]]) -> Iterator[dict[str, Any]]:
    for key, group in groups.items():
        first = group[0]
        for other in group[1:]:
            if other.value != first.value:
                both = (first, other)
                yield {
                    "sentence": f"Two values were decided for {key!r}: {first.who} saw "
                    f"{first.value!r}, {other.who} saw {other.value!r}.",
                    "key": repr(key),
                    "operations": [d.index for d in both if d.index is not None],
                    "events": [d.position for d in both if d.position is not None],
                }
                break


class Validity:
    """Only a proposed value is decided. Evidence: `key`, `operations` (the call that saw the value
    and, where there are any, those that proposed it in vain or too late)."""

    name = "validity"

    def check(self, recording: Recording) -> Verdict:
        judged = 0
        for key, calls in recording.history.by_key().items():
            proposes = [call for call in calls if call.f == "propose"]
            for call in calls:
                if _decides(call):
                    judged += 1
                    found = _not_proposed(key, call, proposes)
                    if found is not None:
                        return _verdict(self.name, found, "")
        if not judged:
            return _nothing(self.name, "No client saw a decision in the whole run.")
        return _verdict(self.name, None, f"All {judged} decisions seen were proposed before.")


def _not_proposed(key: Any, seen: Call, proposes: Sequence[Call]) -> dict[str, Any] | None:
    assert seen.completion is not None
    value = freeze(seen.output)
    of_value = [call for call in proposes if freeze(call.input) == value]
    possible = [call for call in of_value if call.outcome != "fail"]
    if any(call.index < seen.completion.index for call in possible):
        return None
    if possible:
        why = f"it was first proposed afterwards, in operation {possible[0].index}"
    elif of_value:
        why = f"its only propose, operation {of_value[0].index}, definitely failed"
    else:
        why = "nobody proposed it"
    return {
        "sentence": f"Process {seen.invoke.process} saw {value!r} decided for {key!r}, but {why}.",
        "key": repr(key),
        "operations": [seen.index, *(call.index for call in of_value)],
    }


class Integrity:
    """A node learns a value only if it was chosen, and keeps it: the trace's laws of learning.

    Left out where no node tells of either. Evidence: `event` and `against`, positions in the trace.
    """

    name = "integrity"
    needs_events = frozenset({"accepted", "chosen"})

    def check(self, recording: Recording) -> Verdict:
        broken, judged = breaches(recording.trace, recording.nodes)
        if "quorum" not in judged:
            return _nothing(self.name, "The trace lacks accepted or chosen events.")
        for law in ("quorum", "chosen-once"):
            if (breach := broken.get(law)) is not None:
                found = {
                    "sentence": breach.sentence,
                    "event": breach.position,
                    "against": list(breach.against),
                }
                return _verdict(self.name, found, "")
        return _verdict(self.name, None, "Every value learnt was chosen, and kept.")


class Termination:
    """The healed system decides: something succeeds after the last fault was undone.

    A system may take PATIENCE_S to find a leader again: a recording that ends sooner, because its
    run was interrupted or its disk was full, proves nothing. Nor does one in which nothing ever
    succeeded: what never worked was most likely never set up.

    Evidence: `tried`, `ok`, `fail`, `info` after the last heal, reads of null left out where
    clients propose; `seconds` from it to the end of the history; and `silent_nodes`, those whose
    clients tried and had no success. Where an instance starved, its `key`, the `node`, and the
    `operations` that were tried, by the index of their calls.
    """

    name = "termination"

    def check(self, recording: Recording) -> Verdict:
        history = recording.history
        healed = healed_at(history)
        if healed is None and any(fault.applied is not None for fault in fault_intervals(history)):
            return _nothing(self.name, "The system was never shown to be healed of its faults.")
        index, time_ns = (-1, 0) if healed is None else (healed.index, healed.time)
        every = list(_telling(history.calls()))
        lost = _lost(healed)
        later = [
            call
            for call in history.calls()
            if call.index > index and (call.outcome == "ok" or call.invoke.node not in lost)
        ]
        told = {call.index for call in every}
        calls = [call for call in later if call.index in told]
        nulls = len(later) - len(calls)
        since = "the last fault was undone" if healed else "the run began"
        if not later:
            where = f", but on what is lost: {', '.join(sorted(lost))}" if lost else ""
            return _nothing(self.name, f"Nothing was tried after {since}{where}.")
        if not any(call.outcome == "ok" for call in every):
            return _nothing(self.name, "No operation of the whole run succeeded.")
        outcomes = [call.outcome for call in calls]
        counts = {kind: outcomes.count(kind) for kind in ("ok", "fail", "info")}
        if nulls and not counts["ok"] and not any(call.f == "propose" for call in calls):
            return _nothing(self.name, f"Nothing was proposed, and only null read, after {since}.")
        tried: dict[str | None, bool] = {}
        for call in calls:
            tried[call.invoke.node] = tried.get(call.invoke.node, False) or call.outcome == "ok"
        silent = sorted(node for node, answered in tried.items() if node and not answered)
        seconds = round((history[-1].time - time_ns) / 1e9, 3)
        numbers = (
            f"{counts['ok']} ok, {counts['fail']} fail and {counts['info']} info of {len(calls)} "
            f"operations in {seconds:.1f} s after {since}"
        )
        if not counts["ok"] and seconds < PATIENCE_S:
            return _nothing(self.name, f"The recording ends too soon to tell: {numbers}.")
        starved = next(_starving(calls), None)
        summary = numbers + (f"; no success on {', '.join(silent)}." if silent else ".")
        return Verdict(
            checker=self.name,
            kind=Kind.VALID if counts["ok"] and not starved else Kind.INVALID,
            summary=summary if starved is None else f"{starved.pop('sentence')} {summary}",
            evidence={
                "tried": len(calls),
                **counts,
                "seconds": seconds,
                "silent_nodes": silent,
                **(starved or {}),
            },
        )


def _starving(calls: Sequence[Call]) -> Iterator[dict[str, Any]]:
    """Instances that were proposed to in vain at a node that served others (rule 5)."""
    tried: dict[tuple[Any, str], list[Call]] = {}
    served_ns: dict[str, int] = {}  # when the last call that a node served was invoked
    settled = {freeze(call.key) for call in calls if call.outcome == "ok"}
    for call in calls:
        node = call.invoke.node
        if node is None:
            continue
        if call.outcome == "ok":
            served_ns[node] = call.invoke.time
        elif call.f == "propose" and call.completion and freeze(call.key) not in settled:
            tried.setdefault((freeze(call.key), node), []).append(call)
    for (_, node), tries in tried.items():
        assert tries[-1].completion is not None
        first_ns, last_ns = tries[0].invoke.time, tries[-1].completion.time
        patient_ns = first_ns + round(STARVING_S * 1e9)
        long_enough = last_ns >= patient_ns and len(tries) >= STARVING_TRIES
        if long_enough and served_ns.get(node, -1) >= patient_ns:
            key = tries[0].key
            yield {
                "sentence": f"Nothing was decided for {key!r}: {node} was asked {len(tries)} times "
                f"in {(last_ns - first_ns) / 1e9:.1f} s, and served others after that.",
                "key": repr(key),
                "node": node,
                "operations": [call.index for call in tries],
            }


def _lost(healed: Operation | None) -> frozenset[str]:
    """The nodes that the final heal did without."""
    if healed is None or "id" in healed.value:
        return frozenset()
    return frozenset((healed.value.get("observed") or {}).get("lost", ()))


def _telling(calls: Sequence[Call]) -> Iterator[Call]:
    """The calls whose outcome tells of progress: of consensus, all but the reads of null."""
    of_consensus = any(call.f == "propose" for call in calls)
    for call in calls:
        learnt_nothing = call.f == "read" and call.outcome == "ok" and call.output is None
        if not (of_consensus and learnt_nothing):
            yield call


CONSENSUS: tuple[Checker, ...] = (Agreement(), Validity(), Integrity(), Termination())
