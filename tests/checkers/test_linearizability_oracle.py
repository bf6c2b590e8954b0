"""The search and the verifier against slow and obvious oracles, on small histories of every model.

Histories made of random answers are mostly wrong, and soon; those of a simulated object, some with
one answer falsified, go deeper. Each kind has found a bug that the other did not.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.budget import Budget
from checkers.history import Call, Error, History, HistoryError, Operation
from checkers.linearizability import check_linearizability
from checkers.linearizability.certificate import fault_of_witness, refuted
from checkers.linearizability.compile import as_of
from checkers.models import MODELS, Model, State, model
from checkers.notation import draw as draw_history
from checkers.verdict import Kind

CALLS_MAX = 7

V = st.integers(0, 2)
S = st.text("ab", min_size=1, max_size=1)
NONE = st.none()

# Operations of each model: name, what may be asked, what may be answered.
OPERATIONS: dict[str, list[tuple[str, st.SearchStrategy[Any], st.SearchStrategy[Any]]]] = {
    "register": [("read", NONE, V | NONE), ("write", V, NONE)],
    "cas-register": [
        ("read", NONE, V | NONE),
        ("write", V, NONE),
        ("cas", st.tuples(V, V).map(list), NONE),
    ],
    "kv": [("get", NONE, st.text("ab", max_size=3)), ("append", S, NONE), ("put", S, NONE)],
    "log": [("read", NONE, st.lists(V, max_size=3)), ("append", V, NONE)],
    "consensus": [("propose", V, V), ("read", NONE, V | NONE)],
    "counter": [("read", NONE, st.integers(-1, 2)), ("add", st.integers(-1, 1), NONE)],
    "set": [("read", NONE, st.lists(V, max_size=3)), ("add", V, NONE)],
    "fifo-queue": [("enqueue", V, NONE), ("dequeue", NONE, V | NONE)],
    "unordered-queue": [("enqueue", V, NONE), ("dequeue", NONE, V | NONE)],
    "lock": [("acquire", NONE, NONE), ("release", NONE, NONE)],
}


@st.composite
def histories(draw: Callable[[Any], Any], name: str) -> History:
    """At most CALLS_MAX calls of at most four processes at a time, with every outcome and with
    equal times; some calls never return."""
    operations: list[Operation] = []
    open_calls: dict[int, tuple[str, Any, Any]] = {}
    places = [0, 1, 2, 3]
    invoked = time = 0
    for place, ending, tick in draw(
        st.lists(
            st.tuples(
                st.integers(0, 3),
                st.sampled_from(["ok", "ok", "ok", "ok", "info", "fail", "compare-failed"]),
                st.booleans(),
            ),
            max_size=2 * CALLS_MAX,
        )
    ):
        process, time = places[place], time + tick
        line: dict[str, Any] = {"index": len(operations), "time": time, "process": process}
        if process not in open_calls:
            if invoked == CALLS_MAX:
                continue
            invoked += 1
            f, values, outputs = draw(st.sampled_from(OPERATIONS[name]))
            value = draw(values)
            open_calls[process] = f, value, outputs
            operations.append(Operation(**line, type="invoke", f=f, value=value))
            continue
        f, value, outputs = open_calls.pop(process)
        if ending == "ok":
            operations.append(Operation(**line, type="ok", f=f, value=draw(outputs)))
        elif ending == "info":
            places[place] += 4  # the process is retired
            operations.append(Operation(**line, type="info", f=f))
        else:
            error = Error(ending) if ending != "fail" else None
            operations.append(Operation(**line, type="fail", f=f, value=value, error=error))
    return History(operations)


def linearizable(m: Model, calls: tuple[Call, ...]) -> bool:
    """Herlihy and Wing's definition, word for word: is there an order of the calls that returned,
    and of some of the others, which is legal and true to real time?"""
    said = [(c, step) for c in calls if (step := m.read(c)) is not None]
    returned = {
        c.index: c.completion.index for c, _ in said if c.completion and c.outcome != "info"
    }
    unknown = [c.index for c, _ in said if c.index not in returned]
    steps = {c.index: step for c, step in said}
    for used in range(2 ** len(unknown)):
        chosen = [*returned, *(i for n, i in enumerate(unknown) if used >> n & 1)]
        for order in permutations(chosen):
            true_to_time = all(
                returned.get(later, invoked) >= invoked
                for at, invoked in enumerate(order)
                for later in order[at + 1 :]
            )
            if not true_to_time:
                continue
            states = {m.init()}
            for index in order:
                states = {after for s in states for after in m.step(s, steps[index])}
            if states:
                return True
    return False


@pytest.mark.parametrize("name", list(MODELS))
@settings(max_examples=150)
@given(data=st.data())
def test_the_verdict_is_that_of_all_permutations(name: str, data: st.DataObject) -> None:
    """Search, witness and verifier against the definition; a contradiction is one already in the
    shortest failing prefix, and not in a shorter one."""
    m = model(name)
    history = data.draw(histories(name))
    calls = history.calls()
    expected = linearizable(m, calls)

    verdict = check_linearizability(history, m, witness=True)

    said = draw_history(calls)
    if verdict.kind is Kind.UNKNOWN:
        assert verdict.cause == "coverage", verdict.summary
        assert expected, said
        return
    assert expected is (verdict.kind is Kind.VALID), said
    assert expected is not refuted(m, calls, Budget()), said
    if expected:
        (witness,) = verdict.evidence["witness"]
        assert fault_of_witness(m, calls, witness["order"]) is None, said
    else:
        end = verdict.evidence["contradiction"]["known_with"]
        assert not linearizable(m, as_of(calls, end)), said
        assert linearizable(m, as_of(calls, end - 1)), said


def simulated(m: Model, rng: Random, name: str) -> History:
    """Up to twelve calls of a correct object, each taking effect between its invocation and its
    completion; some outcomes are unknown, some answers are false."""
    state = m.init()
    operations: list[Operation] = []
    open_calls: dict[int, tuple[str, Any, Any]] = {}  # process: f, value, completion or None
    clients, count = list(range(rng.choice([2, 4, 6]))), rng.choice([6, 9, 12])
    false, unknown = rng.choice([0.0, 0.1, 0.25]), rng.choice([0.0, 0.1, 0.3])
    invoked = 0
    while invoked < count or open_calls:
        place = rng.randrange(len(clients))
        process = clients[place]
        line: dict[str, Any] = {"index": len(operations), "time": 0, "process": process}
        if process not in open_calls:
            if invoked < count:
                invoked += 1
                f, value = ASKED[name](rng)
                open_calls[process] = f, value, None
                operations.append(Operation(**line, type="invoke", f=f, value=value))
            continue
        f, value, answer = open_calls[process]
        if answer is None:
            state, answer = take_effect(m, state, process, f, value)
            if f in ANSWERS[name] and rng.random() < false:
                answer = {"type": "ok", "value": ANSWERS[name][f](rng)}
            open_calls[process] = f, value, answer
            continue
        del open_calls[process]
        if rng.random() < unknown:
            clients[place] = max(clients) + 1
            operations.append(Operation(**line, type="info", f=f))
        else:
            operations.append(Operation(**line, f=f, **answer))
    return History(operations)


def take_effect(
    m: Model, state: State, process: int, f: str, value: Any
) -> tuple[State, dict[str, Any]]:
    """The state after a call and how it completes: ok with the first answer that the model allows
    of those that the state suggests, otherwise a definite fail."""
    held = list(state) if isinstance(state, tuple | frozenset) else []
    elements = [e[0] if isinstance(e, tuple) else e for e in held]
    invoke = Operation(index=0, time=0, process=process, type="invoke", f=f, value=value)
    for answer in (state, value, None, *elements):
        try:
            step = m.read(Call(invoke, Operation(1, 0, process, "ok", f, answer)))
        except HistoryError:
            continue
        if step is not None and (after := list(m.step(state, step))):
            return after[0], {"type": "ok", "value": answer}
    return state, {"type": "fail", "value": value, "error": Error("compare-failed")}


def few(rng: Random) -> int:
    return rng.randrange(3)


def text(rng: Random) -> str:
    return "".join(rng.choice("ab") for _ in range(rng.randrange(4)))


def several(rng: Random) -> list[int]:
    return [few(rng) for _ in range(rng.randrange(4))]


def one_of(*asked: tuple[str, Callable[[Random], Any]]) -> Callable[[Random], tuple[str, Any]]:
    def ask(rng: Random) -> tuple[str, Any]:
        f, value = rng.choice(asked)
        return f, value(rng)

    return ask


def nothing(_: Random) -> None:
    return None


QUEUE = one_of(("enqueue", few), ("dequeue", nothing))
ASKED: dict[str, Callable[[Random], tuple[str, Any]]] = {
    "register": one_of(("read", nothing), ("write", few)),
    "cas-register": one_of(
        ("read", nothing), ("write", few), ("cas", lambda rng: [few(rng), few(rng)])
    ),
    "kv": one_of(
        ("get", nothing),
        ("append", lambda rng: rng.choice("ab")),
        ("append", lambda rng: rng.choice("ab")),
        ("put", lambda rng: rng.choice("ab")),
    ),
    "log": one_of(("read", nothing), ("append", few)),
    "consensus": one_of(("read", nothing), ("propose", few)),
    "counter": one_of(("read", nothing), ("add", lambda rng: few(rng) - 1)),
    "set": one_of(("read", nothing), ("add", few)),
    "fifo-queue": QUEUE,
    "unordered-queue": QUEUE,
    "lock": one_of(("acquire", nothing), ("release", nothing)),
}
ANSWERS: dict[str, dict[str, Callable[[Random], Any]]] = {
    "register": {"read": few},
    "cas-register": {"read": few, "cas": nothing},
    "kv": {"get": text},
    "log": {"read": several},
    "consensus": {"read": few, "propose": few},
    "counter": {"read": few},
    "set": {"read": several},
    "fifo-queue": {"dequeue": few},
    "unordered-queue": {"dequeue": few},
    "lock": {"acquire": nothing},
}


def explorable(m: Model, calls: tuple[Call, ...]) -> bool:
    """Is it linearizable? By going through every order of the calls, each state with the set of
    calls so far once."""
    said = [(c, step) for c in calls if (step := m.read(c)) is not None]
    returned = [
        c.completion.index if c.completion is not None and c.outcome != "info" else None
        for c, _ in said
    ]
    due = {n for n, end in enumerate(returned) if end is not None}
    todo: list[tuple[State, frozenset[int]]] = [(m.init(), frozenset())]
    visited = set(todo)
    while todo:
        state, placed = todo.pop()
        if due <= placed:
            return True
        earliest = min(end for n in due - placed if (end := returned[n]) is not None)
        for n, (call, step) in enumerate(said):
            if n not in placed and call.index < earliest:
                new = {(after, placed | {n}) for after in m.step(state, step)} - visited
                visited |= new
                todo += new
    return False


@pytest.mark.parametrize("name", list(MODELS))
def test_the_verdict_is_that_of_exploring_every_order(name: str) -> None:
    """As above, on histories that are mostly right and nearly twice as long."""
    m, rng, seen = model(name), Random(20), dict.fromkeys(Kind, 0)
    for _ in range(250):
        history = simulated(m, rng, name)
        calls = history.calls()

        verdict = check_linearizability(history, m, witness=True)

        said = draw_history(calls)
        seen[verdict.kind] += 1
        if verdict.kind is not Kind.UNKNOWN:
            assert explorable(m, calls) is (verdict.kind is Kind.VALID), said
            assert refuted(m, calls, Budget()) is (verdict.kind is Kind.INVALID), said
    assert seen[Kind.VALID] > 100
    assert seen[Kind.INVALID] > 10
