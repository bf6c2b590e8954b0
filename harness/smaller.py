"""Smaller cases: what can be left out of a case or brought closer together, one thing a function.

Rules
1. Cases go in and come out explicit and readable: what `cases.read` refuses never comes out.
2. What is left stays in its order and means what it meant: who asks whom, what a fault strikes.
3. Whether the result still fails is for the caller to find out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import msgspec

from harness.cases import Case
from harness.clock import NS_PER_S
from harness.generators.script import Line, Script
from nemesis.faults import CLIENT, Fault, LinkFault, NodeFault
from nemesis.schedule import Schedule, Step

TAIL_S = 0.01  # between the last fault's end and the end of a shrunk run
TIME_LIMIT_MIN_S = 0.1  # of a trial


class Counts(msgspec.Struct, frozen=True, order=True):
    """How large a case is, the order being that in which people would rather have less of it:
    clients that ask anything, faults, operations, and numbers that chance drew and are not 0."""

    clients: int
    faults: int
    operations: int
    numbers: int


def counts(case: Case) -> Counts:
    """Of an explicit case."""
    lines = lines_of(case)
    drawn = (case.choices or {}).values()
    return Counts(
        clients=len({line.worker for line in lines}),
        faults=sum(step.action == "start" for step in faults_of(case).steps),
        operations=len(lines),
        numbers=sum(number != 0 for numbers in drawn for number in numbers),
    )


def script_of(case: Case) -> Script:
    assert case.script is not None, "an explicit case has its script"
    return case.script


def faults_of(case: Case) -> Schedule:
    assert case.faults is not None, "an explicit case has its faults"
    return case.faults


def lines_of(case: Case) -> Sequence[Line]:
    script = script_of(case)
    return (*script.load, *script.final)


def with_script(case: Case, load: Sequence[Line], final: Sequence[Line]) -> Case:
    return msgspec.structs.replace(case, script=Script(tuple(load), tuple(final)))


def with_steps(case: Case, steps: Sequence[Step], duration_s: float | None = None) -> Case:
    """`duration_s`: None to keep it."""
    faults = faults_of(case)
    length_s = faults.duration_s if duration_s is None else duration_s
    changed = msgspec.structs.replace(faults, steps=tuple(steps), duration_s=length_s)
    return msgspec.structs.replace(case, faults=changed)


def with_choices(case: Case, name: str, numbers: Sequence[int]) -> Case:
    """Zeros at the end say nothing, and a stream that says nothing is left out."""
    kept = list(numbers)
    while kept and kept[-1] == 0:
        kept.pop()
    choices = {**(case.choices or {}), name: kept}
    if not kept:
        del choices[name]
    return msgspec.structs.replace(case, choices=choices)


def only_streams(case: Case, names: Collection[str]) -> Case:
    given = case.choices or {}
    kept = {name: given[name] for name in given if name in names}
    return msgspec.structs.replace(case, choices=kept)


def until(case: Case, end_ns: int) -> Case:
    """Its beginning: what comes later than `end_ns` of the run is left out, the final phase is
    not."""
    script, end_s = script_of(case), end_ns / NS_PER_S
    load = [line for line in script.load if line.at_ns <= end_ns]
    steps = [step for step in faults_of(case).steps if step.at_s <= end_s]
    return with_steps(with_script(case, load, script.final), steps, end_s)


def without_idle_end(case: Case) -> Case:
    """Healed as soon as the last fault has come or gone."""
    steps = faults_of(case).steps
    last_s = max((step.at_s for step in steps), default=0.0)
    return with_steps(case, steps, min(faults_of(case).duration_s, last_s + TAIL_S))


def only_faults(case: Case, ids: Collection[int]) -> Case:
    return with_steps(case, [step for step in faults_of(case).steps if step.id in ids])


def sooner_undone(case: Case, number: int) -> Case | None:
    """With the fault `number` in force for half as long; None where it is never undone by a step,
    or lasts for an instant already."""
    steps = faults_of(case).steps
    ends = {step.action: step for step in steps if step.id == number}
    if "stop" not in ends or ends["stop"].at_s - ends["start"].at_s <= TAIL_S:
        return None
    half_s = round((ends["start"].at_s + ends["stop"].at_s) / 2, 3)
    if not ends["start"].at_s <= half_s < ends["stop"].at_s:
        return None
    moved = [
        msgspec.structs.replace(step, at_s=half_s) if step is ends["stop"] else step
        for step in steps
    ]
    return with_steps(case, sorted(moved, key=lambda step: step.at_s))


def gaps(case: Case) -> list[tuple[int, int]]:
    """The stretches in which nothing begins or ends before the final phase, the last first: from,
    to, in ns of the run."""
    at = {round(step.at_s * NS_PER_S) for step in faults_of(case).steps}
    at |= {line.at_ns for line in script_of(case).load}
    moments = sorted({0, *at})
    return list(pairwise(moments))[::-1]


def closer(case: Case, from_ns: int, by_ns: int) -> Case:
    """What happens from `from_ns` on before the final phase happens `by_ns` sooner."""

    def moved_ns(at_ns: int) -> int:
        return at_ns - by_ns if at_ns >= from_ns else at_ns

    def moved_s(at_s: float) -> float:
        return round(moved_ns(round(at_s * NS_PER_S)) / NS_PER_S, 9)

    script, faults = script_of(case), faults_of(case)
    load = [msgspec.structs.replace(line, at_ns=moved_ns(line.at_ns)) for line in script.load]
    steps = [msgspec.structs.replace(step, at_s=moved_s(step.at_s)) for step in faults.steps]
    end_s = max([moved_s(faults.duration_s), *(step.at_s for step in steps)])
    return with_steps(with_script(case, load, script.final), steps, end_s)


def final_at_once(case: Case) -> Case:
    """The final phase begins as soon as it may; its operations keep their distances."""
    script = script_of(case)
    first_ns = min((line.at_ns for line in script.final), default=0)
    final = [msgspec.structs.replace(line, at_ns=line.at_ns - first_ns) for line in script.final]
    return with_script(case, script.load, final)


def renumbered(case: Case) -> Case:
    """As few clients as there are that ask anything; each speaks to the node that it spoke to."""
    nodes = case.trial.nodes
    numbers: dict[int, int] = {}
    for worker in sorted({line.worker for line in lines_of(case)}):
        taken = set(numbers.values())
        at_its_node = range(worker % nodes, worker + 1, nodes)
        numbers[worker] = next(number for number in at_its_node if number not in taken)
    script = script_of(case)
    load, final = (
        [msgspec.structs.replace(line, worker=numbers[line.worker]) for line in part]
        for part in (script.load, script.final)
    )
    clients = max(numbers.values(), default=0) + 1
    trial = msgspec.structs.replace(case.trial, clients=clients)
    return msgspec.structs.replace(with_script(case, load, final), trial=trial)


def with_nodes(case: Case, nodes: int) -> Case:
    """Among the first `nodes` nodes only; faults of the others are gone."""
    trial = msgspec.structs.replace(case.trial, nodes=nodes)
    names = {*trial.node_names, CLIENT}
    left: list[Step] = []
    gone: set[int] = set()
    for step in faults_of(case).steps:
        fault = None if step.fault is None else _among(step.fault, names)
        if step.fault is not None and fault is None:
            gone.add(step.id)
        if step.id not in gone:
            left.append(msgspec.structs.replace(step, fault=fault))
    return with_steps(msgspec.structs.replace(case, trial=trial), left)


def _among(fault: Fault, names: Collection[str]) -> Fault | None:
    """The fault as far as it strikes these; None where it strikes none of them."""
    if isinstance(fault, LinkFault):
        links = tuple(link for link in fault.links if names >= set(link))  # type: ignore[operator]
        return msgspec.structs.replace(fault, links=links) if links else None
    if isinstance(fault, NodeFault):
        nodes = tuple(node for node in fault.nodes if node in names)
        return msgspec.structs.replace(fault, nodes=nodes) if nodes else None
    return fault


def tidied(case: Case) -> Case:
    """With a trial that says what is left: how long it is, and no faults where there are none."""
    length_s = max([faults_of(case).duration_s, *(m / NS_PER_S for _, m in gaps(case))])
    changes: dict[str, object] = {"time_limit_s": max(TIME_LIMIT_MIN_S, round(length_s + 0.05, 1))}
    if not faults_of(case).steps:
        changes["faults"] = "none"
    trial = msgspec.structs.replace(case.trial, **changes)
    return msgspec.structs.replace(case, trial=trial)
