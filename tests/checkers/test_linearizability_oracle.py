"""Three searches against one another: every permutation, plain Python, and the engine.

Histories are those of a simulated correct object, in most of them one answer or outcome is changed
after the fact: so they go deep, and both verdicts are common. The engine joins wherever it is
available; where CI=true it has to be.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.budget import Budget
from checkers.history import Call, Error, History, HistoryError, Operation
from checkers.linearizability import check_linearizability, engine
from checkers.linearizability.brute import linearizable
from checkers.linearizability.certificate import fault_of_witness
from checkers.linearizability.search import Search, Start, compile_calls, order
from checkers.models import MODELS, Effect, Model, Register, State, Step, model
from checkers.notation import draw
from checkers.verdict import Kind

SEEDS = st.integers(0, 2**32)


class Bare:
    """A model as a user writes it, without Foresees and Requires; `honest` keeps its effects."""

    def __init__(self, inner: Model, *, honest: bool) -> None:
        self._inner = inner
        self._honest = honest
        self.init, self.step = inner.init, inner.step
        self.describe, self.describe_state = inner.describe, inner.describe_state
        self.name = f"bare {inner.name}"

    def read(self, call: Call) -> Step | None:
        step = self._inner.read(call)
        if step is None or self._honest:
            return step
        return msgspec.structs.replace(step, effect=Effect.ANY)


class Sloppy(Register):
    """A register that may set what was written or the next value: the specification leaves a
    choice. It foresees and requires as a register does."""

    def step(self, state: State, step: Step) -> Iterable[State]:
        if step.f != "write":
            return super().step(state, step)
        return (step.input, (step.input + 1) % 3)


class Lossy(Bare):
    """A counter that may lose an addition."""

    def __init__(self) -> None:
        super().__init__(model("counter"), honest=True)
        self.step = self._step  # type: ignore[method-assign]

    def _step(self, state: State, step: Step) -> Iterable[State]:
        return (
            {state, *self._inner.step(state, step)}
            if step.f == "add"
            else self._inner.step(state, step)
        )


Ask = Callable[[Random], tuple[str, Any]]


def one_of(*asked: tuple[str, Callable[[Random], Any]]) -> Ask:
    def ask(rng: Random) -> tuple[str, Any]:
        f, value = rng.choice(asked)
        return f, value(rng)

    return ask


def nothing(_: Random) -> None:
    return None


def few(rng: Random) -> int:
    return rng.randrange(3)


def letter(rng: Random) -> str:
    return rng.choice("ab")


def pay(rng: Random) -> dict[str, int]:
    source = rng.randrange(2)
    return {"from": source, "to": 1 - source, "amount": rng.randrange(1, 3)}


REGISTER = one_of(("read", nothing), ("write", few))
CAS = one_of(("read", nothing), ("write", few), ("cas", lambda rng: [few(rng), few(rng)]))
APPENDS = one_of(("read", nothing), ("append", few))
COUNTER = one_of(("read", nothing), ("add", lambda rng: few(rng) - 1))
QUEUE = one_of(("enqueue", few), ("dequeue", nothing))
BANK = one_of(("read", nothing), ("transfer", pay), ("transfer", pay))
KV = one_of(("get", nothing), ("append", letter), ("append", letter), ("put", letter))

# By name: the model, what is asked of it.
CASES: dict[str, tuple[Callable[[], Model], Ask]] = {
    "register": (lambda: model("register"), REGISTER),
    "cas-register": (lambda: model("cas-register"), CAS),
    "kv": (lambda: model("kv"), KV),
    "log": (lambda: model("log"), APPENDS),
    "consensus": (lambda: model("consensus"), one_of(("read", nothing), ("propose", few))),
    "counter": (lambda: model("counter"), COUNTER),
    "set": (
        lambda: model("set"),
        one_of(("read", nothing), ("add", few), ("remove", few), ("contains", few)),
    ),
    "fifo-queue": (lambda: model("fifo-queue"), QUEUE),
    "unordered-queue": (lambda: model("unordered-queue"), QUEUE),
    "stack": (lambda: model("stack"), one_of(("push", few), ("pop", nothing))),
    "lock": (lambda: model("lock"), one_of(("acquire", nothing), ("release", nothing))),
    "fenced-lock": (
        lambda: model("fenced-lock"),
        one_of(("acquire", nothing), ("release", nothing)),
    ),
    "bank": (lambda: model("bank"), BANK),
    "bank with balances": (lambda: model("bank", {"accounts": 2, "balance": 2}), BANK),
    "bank without overdraft": (
        lambda: model("bank", {"accounts": 2, "balance": 1, "overdraft": False}),
        BANK,
    ),
    "a user's cas-register": (lambda: Bare(model("cas-register"), honest=True), CAS),
    "a user's log, no promises": (lambda: Bare(model("log"), honest=False), APPENDS),
    "a register with a choice": (Sloppy, REGISTER),
    "a counter with a choice": (Lossy, COUNTER),
}


def test_every_model_is_compared() -> None:
    """A new model joins these tests."""
    assert set(MODELS) <= set(CASES)


class Shape(msgspec.Struct, frozen=True):
    """How large a history is to be: calls, clients, keys; and the share of unknown outcomes."""

    calls: int
    clients: int
    keys: int = 1
    unknown: float = 0.2


def simulated(name: str, rng: Random, shape: Shape) -> History:
    """A correct object for each key, which is touched once between an invocation and its
    completion. Three in four histories are falsified in one place. Times are equal, or grow."""
    make, ask = CASES[name]
    m = make()
    states = {key: m.init() for key in range(shape.keys)}
    operations: list[Operation] = []
    pending: dict[int, tuple[Operation, dict[str, Any] | None]] = {}
    clients, invoked, ticks = list(range(shape.clients)), 0, rng.random() < 0.5
    while invoked < shape.calls or pending:
        place = rng.randrange(shape.clients)
        process, index = clients[place], len(operations)
        line: dict[str, Any] = {"index": index, "time": index * ticks, "process": process}
        if process not in pending:
            if invoked < shape.calls:
                invoked += 1
                f, value = ask(rng)
                key = rng.randrange(shape.keys) if shape.keys > 1 else None
                operations.append(Operation(**line, type="invoke", f=f, value=value, key=key))
                pending[process] = operations[-1], None
            continue
        invoke, answer = pending[process]
        if answer is None:
            states[invoke.key or 0], answer = take_effect(m, rng, states[invoke.key or 0], invoke)
            pending[process] = invoke, answer
            if rng.random() < 0.7:
                continue
        del pending[process]
        if rng.random() < shape.unknown:
            clients[place] = max(clients) + 1
            answer = {"type": "info"}
        operations.append(Operation(**line, f=invoke.f, key=invoke.key, **answer))
    return History(falsified(m, rng, operations) if rng.random() < 0.75 else operations)


def take_effect(
    m: Model, rng: Random, state: State, invoke: Operation
) -> tuple[State, dict[str, Any]]:
    """The state after a call and how it completes: ok with the first answer that the model allows
    of those that the state suggests, otherwise a definite fail."""
    held = list(state) if isinstance(state, tuple | frozenset) else []
    balances = dict(held[1]) if m.name == "bank" else {}
    token = 1 + held[1] if len(held) == 2 and isinstance(held[1], int) else 0
    elements = [e[0] if isinstance(e, tuple) and e else e for e in (*held, *held[-1:])]
    plain = sorted(held) if isinstance(state, frozenset) and invoke.f == "read" else state
    for answer in (balances, plain, invoke.value, None, True, False, token, *elements):
        completion = msgspec.structs.replace(
            invoke, index=invoke.index + 1, type="ok", value=answer
        )
        try:
            step = m.read(Call(invoke, completion))
        except HistoryError:
            continue
        if step is not None and (after := list(m.step(state, step))):
            return rng.choice(after), {"type": "ok", "value": answer}
    error = Error("compare-failed") if rng.random() < 0.8 else None
    return state, {"type": "fail", "value": invoke.value, "error": error}


def falsified(m: Model, rng: Random, operations: list[Operation]) -> list[Operation]:
    """With one answer taken from another completion of the same kind, or one outcome changed."""
    answered = [at for at, o in enumerate(operations) if o.type == "ok"]
    if not answered:
        return operations
    at = rng.choice(answered)
    o = operations[at]
    values = [p.value for p in operations if p.f == o.f and p.type == "ok" and p.value != o.value]
    if isinstance(o.value, int):
        values += [o.value + 1, o.value - 1]
    if values and rng.random() < 0.8:
        false = msgspec.structs.replace(o, value=rng.choice(values))
    else:
        false = msgspec.structs.replace(o, type="fail", error=None)
    changed = [*operations[:at], false, *operations[at + 1 :]]
    try:
        for call in History(changed).calls():
            m.read(call)
    except HistoryError:
        return operations
    return changed


def plainly(m: Model, calls: tuple[Call, ...], start: Start | None = None) -> bool:
    """The verdict of the plain search, its witness replayed."""
    search = Search(compile_calls(m, calls, start))
    for _ in search.run():
        pass
    assert search.linearizable is not None, "a search without budget ends"
    if search.linearizable and start is None:
        placed = order(search.problem, next(iter(search.frontier.values())))
        placed += sorted(set(search.problem.tail).difference(placed))
        assert fault_of_witness(m, calls, placed) is None, draw(calls)
    return search.linearizable


def agrees(m: Model, history: History, expected: list[bool]) -> bool:
    """Does the engine say the same of every key? It may leave keys once one is refuted."""
    if not engine.available():
        return True
    from checkers import _engine

    table = engine.table_of(history)
    assert table is not None, "the engine takes every history that Python holds"
    outcome = _engine.search(table, engine.native(m), time_s=5.0, witness=True)
    assert outcome.reason is None or outcome.refuted, outcome.reason
    keys = list(history.by_key().values())
    for place, placed in outcome.orders or ():
        assert fault_of_witness(m, keys[place], placed) is None, draw(keys[place])
    refuted = {place for place, _ in outcome.refuted}
    wrong = {place for place, right in enumerate(expected) if not right}
    return refuted <= wrong and bool(refuted) == bool(wrong)


def test_the_engine_is_there_in_ci() -> None:
    """Where CI=true its column of these tests must not be missing unnoticed."""
    if os.environ.get("CI") != "true":
        pytest.skip("outside CI the engine is optional")
    assert engine.available(), engine.why_not()


@pytest.mark.parametrize("name", CASES)
def test_the_verdict_is_that_of_all_permutations(name: str) -> None:
    """Every search against the definition, on one key of few calls."""
    m, seen = CASES[name][0](), Counter[bool]()

    @settings(max_examples=120, derandomize=True, deadline=None, database=None)
    @given(SEEDS)
    def judge(seed: int) -> None:
        rng = Random(seed)
        shape = Shape(rng.choice([3, 4, 5, 6]), rng.choice([2, 3, 4]))
        history = simulated(name, rng, shape)
        calls = history.calls()
        expected = linearizable(m, calls)
        seen[expected] += 1

        assert expected is plainly(m, calls), draw(calls)
        assert agrees(m, history, [expected]), draw(calls)

    judge()
    assert min(seen[True], seen[False]) >= 3, seen


@pytest.mark.parametrize("name", CASES)
def test_larger_histories(name: str) -> None:
    """As above where permutations are too many: against every order, each state with the set of
    calls so far once. Several keys, and many calls of unknown outcome."""
    m, seen = CASES[name][0](), Counter[bool]()

    @settings(max_examples=80, derandomize=True, deadline=None, database=None)
    @given(SEEDS)
    def judge(seed: int) -> None:
        rng = Random(seed)
        keys = rng.choice([1, 1, 3])
        unknown = rng.choice([0.0, 0.2, 0.5])
        shape = Shape(rng.choice([8, 11]) * keys, rng.choice([3, 5]) * keys, keys, unknown)
        history = simulated(name, rng, shape)
        expected = [explorable(m, calls) for calls in history.by_key().values()]
        seen[all(expected)] += 1

        for calls, right in zip(history.by_key().values(), expected, strict=True):
            assert right is plainly(m, calls), draw(calls)
        assert agrees(m, history, expected), draw(history.calls())

    judge()
    assert min(seen[True], seen[False]) >= 3, seen


def explorable(m: Model, calls: tuple[Call, ...]) -> bool:
    """Is it linearizable? By going through every order of the calls."""
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


@pytest.mark.parametrize("name", ["register", "cas-register", "kv", "counter", "lock", "stack"])
def test_a_search_from_an_anchor(name: str) -> None:
    """From a given state, where the earlier calls may have taken effect already."""
    m, seen = CASES[name][0](), Counter[bool]()

    @settings(max_examples=80, derandomize=True, deadline=None, database=None)
    @given(SEEDS)
    def judge(seed: int) -> None:
        rng = Random(seed)
        calls = simulated(name, rng, Shape(5, 3)).calls()
        states = {m.init()}
        for call in rng.sample(calls, 3):
            if (step := m.read(call)) is not None:
                states |= {after for state in states for after in m.step(state, step)}
        start = Start(rng.choice(sorted(states, key=repr)), rng.randrange(6))
        expected = linearizable(m, calls, start)
        seen[expected] += 1

        assert expected is plainly(m, calls, start), (start, draw(calls))

    judge()
    assert min(seen[True], seen[False]) >= 3, seen


@pytest.mark.parametrize("name", CASES)
def test_the_verdict_of_the_checker(name: str) -> None:
    """What the checker says in the end, evidence and all, is what the plain search says."""
    m, rng = CASES[name][0](), Random(7)
    for _ in range(15):
        history = simulated(name, rng, Shape(8, 3, unknown=0.1))
        expected = plainly(m, history.calls())

        verdict = check_linearizability(history, m, Budget(time_s=5))

        if verdict.cause != "coverage":
            assert (Kind.VALID if expected else Kind.INVALID) is verdict.kind, verdict.summary


@pytest.mark.parametrize("name", ["register", "cas-register", "kv", "lock", "consensus", "log"])
def test_engine_and_plain_search_agree_on_long_histories(name: str) -> None:
    """Thirty to sixty calls of few values, many of them of unknown outcome."""
    m, seen = CASES[name][0](), Counter[bool]()
    for seed in range(60):
        rng = Random(seed)
        history = simulated(name, rng, Shape(rng.randrange(30, 60), 5, unknown=0.15))
        expected = plainly(m, history.calls())
        seen[expected] += 1

        assert agrees(m, history, [expected]), draw(history.calls())
    assert min(seen[True], seen[False]) >= 3, seen
