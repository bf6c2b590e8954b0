"""Workloads: against a correct system they are VALID, against a broken one they are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest

from checkers.compose import check_all
from checkers.history import Error, History, Operation
from checkers.verdict import Kind, Recording
from harness.generators import phases, stagger, time_limit
from harness.generators.simulate import Response, simulate
from harness.workloads import option_mistakes, workload

WORKERS = 6
LOAD_NS = 3_000_000_000
NAMES = ("register", "consensus", "log")  # the others are in the tests beside this one
Options = dict[str, int | float]
Apply = Callable[[dict[Any, Any], Operation], tuple[str, Any]]


def apply(state: dict[Any, Any], o: Operation) -> tuple[str, Any]:
    """What a correct object does, for all three workloads."""
    if o.f == "read":
        return "ok", state.get(o.key)
    if o.f == "write":
        state[o.key] = o.value
    elif o.f == "cas":
        if state.get(o.key) != o.value[0]:
            return "fail", None
        state[o.key] = o.value[1]
    elif o.f == "propose":
        return "ok", state.setdefault(o.key, o.value)
    elif o.f == "append":
        state[o.key] = [*state.get(o.key, []), o.value]
    return "ok", None


def forgets(state: dict[Any, Any], o: Operation) -> tuple[str, Any]:
    """Now and then the object of the key is as new."""
    if o.index % 97 == 0:
        state.pop(o.key, None)
    return apply(state, o)


def history(
    name: str,
    act: Apply,
    load_s: float = LOAD_NS / 1e9,
    seed: int = 1,
    options: Options | None = None,
) -> list[Operation]:
    """A run of the workload against an object that acts at the moment of invocation; one operation
    in fifty is of unknown outcome."""
    state: dict[Any, Any] = {}

    def system(o: Operation, random: Random) -> Response:
        kind, value = act(state, o)
        if o.f == "read" and name == "log":
            value = value or []
        if random.random() < 0.02:
            return 50_000_000, "info", None
        return random.randrange(100_000, 3_000_000), kind, value  # type: ignore[return-value]

    w = workload(name, options)
    g = phases(time_limit(load_s, stagger(1 / 300, w.generator())), w.final_generator())
    operations = simulate(g, workers=WORKERS, seed=seed, system=system, operations_max=50_000)
    refused = Error("compare-failed")
    return [
        msgspec.structs.replace(o, error=refused) if o.type == "fail" else o for o in operations
    ]


def kind_of(
    name: str, operations: list[Operation], options: Options | None = None
) -> tuple[Kind, str]:
    checkers = workload(name, options).checkers()
    verdict = check_all(checkers, Recording(history=History(operations)))
    return verdict.kind, verdict.summary


@pytest.mark.parametrize("name", NAMES)
def test_a_correct_system_is_valid(name: str) -> None:
    """No workload accuses an object that is linearizable by construction."""
    kind, summary = kind_of(name, history(name, apply))
    assert kind is Kind.VALID, summary


@pytest.mark.parametrize("name", NAMES)
def test_a_forgetful_system_is_invalid(name: str) -> None:
    """Every workload notices what is lost."""
    kind, _ = kind_of(name, history(name, forgets))
    assert kind is Kind.INVALID


@pytest.mark.parametrize("name", NAMES)
def test_a_system_that_stays_dead_after_the_last_heal_is_invalid(name: str) -> None:
    """Final reads that nobody answers, though everything is healed, are the system's failure; one
    answer would have been enough."""
    broken = {"id": 1, "applied": {"fault": "kill", "nodes": ["n1"]}, "observed": {}}
    nemesis = [
        ("kill", {"id": 1}, 1.5),
        ("kill", {**broken, "in_effect": True}, 1.5),
        ("restart", {"id": 1}, 2.5),
        ("restart", {**broken, "in_effect": True}, 2.5),
    ]

    def dead(state: dict[Any, Any], o: Operation) -> tuple[str, Any]:
        return apply(state, o) if o.time < 2e9 else ("fail", None)

    def alive(state: dict[Any, Any], o: Operation) -> tuple[str, Any]:
        return apply(state, o) if not 2e9 < o.time < 3e9 else ("fail", None)

    judged = {}
    for act in (dead, alive):
        faults = [
            Operation(0, round(at_s * 1e9), "nemesis", "info", f, value)
            for f, value, at_s in nemesis
        ]
        lines = sorted([*history(name, act), *faults], key=lambda o: o.time)
        numbered = [msgspec.structs.replace(o, index=i) for i, o in enumerate(lines)]
        verdicts = [
            c.check(Recording(history=History(numbered)))
            for c in workload(name).checkers()
            if c.name == "termination"
        ]
        judged[act] = [v.kind for v in verdicts]

    assert judged == {dead: [Kind.INVALID], alive: [Kind.VALID]}


def test_a_register_without_an_operation_is_not_asked_for_it() -> None:
    """A share of 0 is for a system that lacks the operation: none is generated, coverage wants
    none."""
    assert workload("register").operations == ("read", "write", "cas")
    assert workload("register", {"cas_share": 0}).operations == ("read", "write")
    assert workload("register", {"cas_share": 0.3, "read_share": 0.7}).operations == ("read", "cas")
    lines = history("register", apply, options={"cas_share": 0})
    assert {o.f for o in lines} == {"read", "write"}
    assert kind_of("register", lines, {"cas_share": 0})[0] is Kind.VALID


@pytest.mark.parametrize("name", NAMES)
def test_what_a_retired_key_lost_shows_in_the_final_reads(name: str) -> None:
    """The last visits find a key that was lost when nobody used it any more."""
    victim = "q0"  # quick, and of the first
    healthy = history(name, apply)
    assert max(o.time for o in healthy if o.key == victim and o.time < LOAD_NS) < LOAD_NS / 2

    def loses(state: dict[Any, Any], o: Operation) -> tuple[str, Any]:
        if o.time > LOAD_NS / 2:
            state.pop(victim, None)
        return apply(state, o)

    kind, _ = kind_of(name, history(name, loses))
    assert kind is Kind.INVALID


@pytest.mark.parametrize("name", NAMES)
def test_keys_are_bounded_and_shared(name: str) -> None:
    """A key has a bounded number of operations, from several processes; slow keys outlive quick
    ones many times over."""
    load = [o for o in history(name, apply, 10.0) if o.type == "invoke" and o.time < 10_000_000_000]
    counts = Counter(o.key for o in load)
    assert max(counts.values()) <= {"consensus": 30}.get(name, 100)
    assert len(counts) > 20
    life = {
        key: max(o.time for o in load if o.key == key) - min(o.time for o in load if o.key == key)
        for key in counts
    }
    quick = max(ns for key, ns in life.items() if key.startswith("q"))
    assert quick < max(ns for key, ns in life.items() if key.startswith("s"))
    busiest = counts.most_common(1)[0][0]
    assert len({int(o.process) % WORKERS for o in load if o.key == busiest}) == WORKERS


@pytest.mark.parametrize("name", NAMES)
def test_values_are_unique(name: str) -> None:
    """No value is written, appended or proposed twice to a key: a read names its origin."""
    given = Counter(
        (o.key, o.value[1] if o.f == "cas" else o.value)
        for o in history(name, apply)
        if o.type == "invoke" and o.f != "read"
    )
    assert set(given.values()) == {1}


def test_a_process_proposes_once_in_an_instance() -> None:
    """But for the last proposals after healing."""
    given = Counter(
        (o.key, o.process)
        for o in history("consensus", apply)
        if o.type == "invoke" and o.f == "propose" and ".last." not in o.value
    )
    assert set(given.values()) == {1}


def test_compare_and_sets_match_often() -> None:
    """A cas that never matches tests nothing."""
    ends = Counter(o.type for o in history("register", apply) if o.f == "cas")
    assert ends["ok"] > ends["fail"] / 3


def test_final_reads_reach_every_key_and_every_worker() -> None:
    """Every worker reads the keys used last; every key of the run is read by somebody."""
    operations = history("register", apply)
    used = {o.key for o in operations if o.time < LOAD_NS}
    by_key: dict[str, set[int]] = {}
    for call in History(operations).calls():
        if call.invoke.time >= LOAD_NS and call.outcome == "ok":
            by_key.setdefault(call.key, set()).add(int(call.invoke.process) % WORKERS)
    assert set(by_key) == used
    assert sum(len(workers) == WORKERS for workers in by_key.values()) >= 8


def test_final_reads_of_a_system_that_never_answers_end() -> None:
    """The visits are bounded: a system that did not heal is not waited for for ever."""
    w = workload("log", {"keys_quick": 1})
    load = time_limit(1, stagger(0.01, w.generator()))

    def dead(_o: Operation, _random: Random) -> Response:
        return 1_000_000, "fail", None

    operations = simulate(
        phases(load, w.final_generator()), workers=3, system=dead, operations_max=100_000
    )
    assert 10e9 < operations[-1].time < 13e9


def test_unknown_names_and_options_name_the_nearest() -> None:
    """Every mistake at once, each with its remedy."""
    with pytest.raises(ValueError, match="Did you mean 'register'"):
        workload("registre")
    mistakes = option_mistakes("register", {"key_quick": 3, "read_share": 2, "keys_slow": 0})
    assert len(mistakes) == 3
    assert "'keys_quick'" in mistakes[0]
    assert "<= 1" in mistakes[1]
    assert ">= 1" in mistakes[2]
    assert "more than all" in option_mistakes("register", {"read_share": 0.9})[0]
    with pytest.raises(ValueError, match="operations_per_key"):
        workload("log", {"operations_per_key": 1.5})
    assert option_mistakes("consensus", {"keys_slow": 5, "propose_share": 1}) == []
