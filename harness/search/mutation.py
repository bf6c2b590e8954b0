"""Mutations: cases that are near a case, one change or a few away.

Rules
1. An explicit case goes in and comes out, with its faults concrete; what `cases.read` refuses never
   comes out.
2. A case is changed where its luck was: what struck whom when, which frames were slow, how the dice
   of the machines fell. Operations only move in time.
3. What a change leaves open (numbers beyond those given) is drawn from the seed, not taken as 0: to
   be plain is for shrinking, and nothing is found there.

Sources: havoc and splicing are AFL's (Zalewski 2014); mutating the recorded choices instead of the
inputs is Hypothesis's way (MacIver and Donaldson 2020), and Zest's (Padhye et al. 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec

from harness.cases import Case
from harness.clock import NS_PER_S
from harness.generators.script import Script
from nemesis.faults import Fault, Kill, LinkFault, LoseUnsynced, NodeFault, Pause
from nemesis.schedule import Schedule, Step

TRIES = 8
STEP_S = 0.001
MOVED_S = (0.005, 0.05, 0.5)  # by a message, by a phase, by an election
MAGNIFIED = (0, 4, 30, 200)
STOPS: tuple[type[Kill | LoseUnsynced | Pause], ...] = (Kill, LoseUnsynced, Pause)


class Span(msgspec.Struct, frozen=True):
    """One fault of a schedule, from when until when; `stop_s` None: until the end."""

    start_s: float
    stop_s: float | None
    fault: Fault


def mutated(case: Case, other: Case, random: Random) -> Case:
    """One to four changes; `other` may lend a part of itself. A change may find nothing to change
    (a stream whose numbers are all alike, a case without faults): then others are tried, for to
    run the parent again tells nothing."""
    parent = child = msgspec.structs.replace(case, then_drawn=True)
    for _ in range(TRIES):
        for _ in range(random.choice((1, 1, 2, 4))):
            change = random.choices(_CHANGES, _WEIGHTS)[0]
            child = change(child, other, random)
        if child != parent:
            break
    return child


# --- faults ---


def spans_of(schedule: Schedule) -> list[Span]:
    stops = {step.id: step.at_s for step in schedule.steps if step.action == "stop"}
    return [
        Span(step.at_s, stops.get(step.id), step.fault)
        for step in schedule.steps
        if step.fault is not None
    ]


def scheduled(spans: Sequence[Span], like: Schedule) -> Schedule:
    """A schedule of these faults; they are fitted into its duration."""
    end_s = like.duration_s
    steps: list[Step] = []
    fitting = sorted((s for s in spans if s.start_s < end_s), key=lambda span: span.start_s)
    for number, span in enumerate(fitting, 1):
        start_s = round(max(0.0, span.start_s), 6)
        steps.append(Step(start_s, number, "start", span.fault))
        if span.stop_s is not None and span.stop_s < end_s:
            steps.append(Step(round(max(span.stop_s, start_s + STEP_S), 6), number, "stop"))
    inside = [step for step in steps if step.at_s <= end_s]
    ordered = sorted(inside, key=lambda step: (step.at_s, step.action == "start", step.id))
    return msgspec.structs.replace(like, steps=tuple(ordered))


def _of_faults(change: Callable[[list[Span], Case, Case, Random], None]) -> Any:
    def changed(case: Case, other: Case, random: Random) -> Case:
        assert case.faults is not None, "an explicit case has its faults"
        spans = spans_of(case.faults)
        change(spans, case, other, random)
        return msgspec.structs.replace(case, faults=scheduled(spans, case.faults))

    return changed


def _move(spans: list[Span], _case: Case, _other: Case, random: Random) -> None:
    if spans:
        at = random.randrange(len(spans))
        by_s = random.uniform(-1, 1) * random.choice(MOVED_S)
        span, which = spans[at], random.randrange(3)
        start_s = span.start_s + (by_s if which != 1 else 0.0)
        stop_s = span.stop_s if span.stop_s is None or which == 0 else span.stop_s + by_s
        spans[at] = Span(start_s, stop_s, span.fault)


def _remove(spans: list[Span], _case: Case, _other: Case, random: Random) -> None:
    if spans:
        del spans[random.randrange(len(spans))]


def _again(spans: list[Span], case: Case, _other: Case, random: Random) -> None:
    """A fault strikes once more, at another time, perhaps somebody else."""
    if spans:
        span = random.choice(spans)
        by_s = random.random() * case.trial.time_limit_s - span.start_s
        stop_s = None if span.stop_s is None else span.stop_s + by_s
        fault = renamed(span.fault, _swapped(case.trial.node_names, random))
        spans.append(Span(span.start_s + by_s, stop_s, fault))


def _retarget(spans: list[Span], case: Case, _other: Case, random: Random) -> None:
    if spans:
        at = random.randrange(len(spans))
        names = _swapped(case.trial.node_names, random)
        spans[at] = msgspec.structs.replace(spans[at], fault=renamed(spans[at].fault, names))


def _stop_otherwise(spans: list[Span], _case: Case, _other: Case, random: Random) -> None:
    """The same nodes are killed, paused or lose their power instead."""
    places = [at for at, span in enumerate(spans) if isinstance(span.fault, STOPS)]
    if places:
        at = random.choice(places)
        fault = spans[at].fault
        assert isinstance(fault, STOPS)
        kind = random.choice([k for k in STOPS if not isinstance(fault, k)])
        spans[at] = msgspec.structs.replace(
            spans[at], fault=kind(target=fault.target, nodes=fault.nodes)
        )


def _borrow(spans: list[Span], case: Case, other: Case, random: Random) -> None:
    """A fault of another case, among nodes that this one has."""
    if other.faults is None or other.trial.nodes > case.trial.nodes:
        return
    lent = spans_of(other.faults)
    if lent:
        spans.append(random.choice(lent))


def renamed(fault: Fault, names: dict[str, str]) -> Fault:
    """The concrete fault with nodes in one another's places."""
    if isinstance(fault, NodeFault):
        nodes = tuple(names.get(node, node) for node in fault.nodes)
        return msgspec.structs.replace(fault, nodes=nodes)
    if isinstance(fault, LinkFault):
        links = tuple((names.get(a, a), names.get(b, b)) for a, b in fault.links)
        return msgspec.structs.replace(fault, links=links)
    return fault


def _swapped(nodes: Sequence[str], random: Random) -> dict[str, str]:
    if len(nodes) < 2:
        return {}
    one, another = random.sample(nodes, 2)
    return {one: another, another: one}


# --- choices ---


def _redraw(case: Case, _other: Case, random: Random) -> Case:
    """A stream goes on otherwise from some point."""
    name, numbers = _some_stream(case, random)
    kept = numbers[: random.randrange(len(numbers) + 1)]
    rest = [random.choice(numbers) for _ in numbers[len(kept) :]]
    return _given(case, name, [*kept, *rest])


def _straggle(case: Case, _other: Case, random: Random) -> Case:
    """A few numbers of a stream become much greater, or 0: frames that straggle or overtake."""
    name, numbers = _some_stream(case, random)
    changed = list(numbers)
    for _ in range(random.choice((1, 1, 3, 10))):
        if changed:
            at = random.randrange(len(changed))
            changed[at] = (1 + changed[at]) * random.choice(MAGNIFIED)
    return _given(case, name, changed)


def _splice(case: Case, other: Case, random: Random) -> Case:
    """A stream goes on like that of another case."""
    name, numbers = _some_stream(case, random)
    lent = (other.choices or {}).get(name, ())
    at = random.randrange(len(numbers) + 1)
    return _given(case, name, [*numbers[:at], *lent[at:]])


def _other_luck(case: Case, _other: Case, random: Random) -> Case:
    """The same faults and operations, everything else drawn anew."""
    trial = msgspec.structs.replace(case.trial, seed=random.getrandbits(48))
    return msgspec.structs.replace(case, trial=trial, choices=None)


def _some_stream(case: Case, random: Random) -> tuple[str, Sequence[int]]:
    choices = case.choices or {}
    if not choices:
        return "", ()
    name = random.choice(sorted(choices))
    return name, choices[name]


def _given(case: Case, name: str, numbers: Sequence[int]) -> Case:
    if not name:
        return case
    return msgspec.structs.replace(case, choices={**(case.choices or {}), name: tuple(numbers)})


# --- operations ---


def _shift(case: Case, _other: Case, random: Random) -> Case:
    """What clients ask from some moment on, they ask a little sooner or later."""
    assert case.script is not None, "an explicit case has its script"
    load = case.script.load
    if not load:
        return case
    from_ns = random.choice(load).at_ns
    by_ns = round(random.uniform(-1, 1) * random.choice(MOVED_S) * NS_PER_S)
    moved = [
        msgspec.structs.replace(line, at_ns=max(from_ns, line.at_ns + by_ns))
        if line.at_ns >= from_ns
        else line
        for line in load
    ]
    script = Script(tuple(sorted(moved, key=lambda line: line.at_ns)), case.script.final)
    return msgspec.structs.replace(case, script=script)


_CHANGES: tuple[Callable[[Case, Case, Random], Case], ...] = (
    *map(_of_faults, (_move, _remove, _again, _retarget, _stop_otherwise, _borrow)),
    *(_redraw, _straggle, _splice, _other_luck, _shift),
)
_WEIGHTS = (3, 1, 3, 2, 1, 2, 1, 2, 1, 3, 1)
