"""The models: what each object allows, what each refuses to read, and what it promises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.history import Call, Error, HistoryError, Operation
from checkers.models import (
    MODELS,
    Effect,
    Foresees,
    Model,
    Register,
    Requires,
    State,
    Step,
    model,
)


def call(
    f: str, value: Any = None, outcome: str = "ok", output: Any = None, code: str | None = None
) -> Call:
    """A call of process 3 with indices 4 and 5."""
    invoke = Operation(index=4, time=0, process=3, type="invoke", f=f, value=value)
    if outcome == "never":
        return Call(invoke, None)
    error = None if code is None else Error(code)
    ends: Any = outcome
    end = Operation(index=5, time=1, process=3, type=ends, f=f, value=output, error=error)
    return Call(invoke, end)


def run(name: str, *calls: Call) -> set[State]:
    """The states after calls that took effect in this order; calls that say nothing are passed
    over."""
    m = model(name)
    states = {m.init()}
    for c in calls:
        if (step := m.read(c)) is not None:
            states = {after for state in states for after in m.step(state, step)}
    return states


def allows(name: str, *calls: Call) -> bool:
    return bool(run(name, *calls))


PAY = call("transfer", {"from": 0, "to": "b", "amount": 4})

ALLOWED: dict[str, list[list[Call]]] = {
    "register": [
        [call("read")],
        [call("write", 1), call("read", output=1)],
        [call("write", 1, "fail"), call("read")],
    ],
    "cas-register": [
        [call("write", 1), call("cas", [1, 2]), call("read", output=2)],
        [call("write", 1), call("cas", [2, 3], "fail", code="compare-failed")],
        [call("write", 1), call("cas", [1, 3], "fail", code="no-leader"), call("read", output=1)],
        [call("cas", [None, 3]), call("read", output=3)],
    ],
    "kv": [
        [call("get", output="")],
        [call("append", "a"), call("append", "b"), call("get", output="ab")],
        [call("append", "a"), call("put", "c"), call("get", output="c")],
    ],
    "log": [
        [call("read", output=[])],
        [call("append", 1), call("append", 2), call("read", output=[1, 2])],
    ],
    "consensus": [
        [call("propose", 1, output=1), call("propose", 2, output=1), call("read", output=1)],
        [call("propose", 1, output=1), call("read", output=None)],
        [call("propose", 1, "never"), call("propose", 2, output=1)],
    ],
    "counter": [[call("read", output=0), call("add", 2), call("add", -3), call("read", output=-1)]],
    "set": [
        [call("read", output=[]), call("add", 1), call("add", 2), call("read", output=[2, 1])],
        [call("add", 1), call("remove", 1), call("contains", 1, output=False)],
        [call("remove", 1), call("add", 1), call("contains", 1, output=True)],
    ],
    "fifo-queue": [
        [call("dequeue", output=None)],
        [call("enqueue", 1), call("enqueue", 2), call("dequeue", output=1)],
        [call("enqueue", 1), call("dequeue", outcome="info"), call("dequeue", output=None)],
    ],
    "unordered-queue": [
        [call("enqueue", 1), call("enqueue", 2), call("dequeue", output=2)],
        [
            call("enqueue", 1),
            call("enqueue", 1),
            call("dequeue", output=1),
            call("dequeue", output=1),
        ],
        [call("enqueue", 1), call("dequeue", outcome="info"), call("dequeue", output=None)],
    ],
    "stack": [
        [call("pop", output=None), call("push", 1), call("push", 2), call("pop", output=2)],
        [call("push", 1), call("pop", outcome="info"), call("pop", output=None)],
    ],
    "lock": [[call("acquire"), call("release"), call("acquire")]],
    "fenced-lock": [
        [call("acquire", output=-7), call("release"), call("acquire", output=3)],
        [
            call("acquire", output=3),
            call("release"),
            call("acquire", outcome="info"),
            call("release"),
            call("acquire", output=5),
        ],
        [call("acquire", outcome="never"), call("release"), call("acquire", output=-1)],
    ],
    "bank": [
        [PAY, call("read", output={"0": 1, "b": 9}), PAY, call("read", output={"0": -3, "b": 13})],
        [call("read", output=[5, 1]), PAY, call("read", output={"b": 4, "0": 1, "1": 1, "c": 0})],
    ],
}

FORBIDDEN: dict[str, list[list[Call]]] = {
    "register": [
        [call("read", output=0)],
        [call("write", 1), call("write", 2), call("read", output=1)],
        [call("write", 1), call("read", output=True)],
        [call("write", 0), call("read", output=False)],
        [call("write", "1"), call("read", output=1)],
    ],
    "cas-register": [
        [call("write", 1), call("cas", [2, 3])],
        [call("write", 1), call("cas", [1, 3], "fail", code="compare-failed")],
        [call("write", 1), call("cas", [True, 3])],
    ],
    "kv": [
        [call("append", "a"), call("append", "b"), call("get", output="ba")],
        [call("get", output="a")],
    ],
    "log": [
        [call("append", 1), call("append", 2), call("read", output=[2, 1])],
        [call("append", 1), call("read", output=[])],
        [call("append", 1), call("read", output=[True])],
    ],
    "consensus": [
        [call("propose", 1, output=2)],
        [call("propose", 1, output=1), call("propose", 2, output=2)],
        [call("read", output=1)],
    ],
    "counter": [[call("add", 1), call("read", output=2)]],
    "set": [
        [call("add", 1), call("read", output=[])],
        [call("read", output=[1])],
        [call("add", 1), call("read", output=[True])],
        [call("contains", 1, output=True)],
        [call("add", 1), call("remove", 1), call("read", output=[1])],
    ],
    "fifo-queue": [
        [call("enqueue", 1), call("enqueue", 2), call("dequeue", output=2)],
        [call("enqueue", 1), call("dequeue", output=1), call("dequeue", output=1)],
        [call("enqueue", 1), call("dequeue", output=None)],
    ],
    "unordered-queue": [
        [call("enqueue", 1), call("dequeue", output=2)],
        [call("enqueue", 1), call("dequeue", output=1), call("dequeue", output=1)],
        [call("enqueue", 1), call("dequeue", output=None)],
    ],
    "stack": [
        [call("push", 1), call("push", 2), call("pop", output=1)],
        [call("push", 1), call("pop", output=1), call("pop", output=1)],
        [call("push", 1), call("pop", output=None)],
    ],
    "lock": [[call("acquire"), call("acquire")], [call("release")]],
    "fenced-lock": [
        [call("acquire", output=3), call("release"), call("acquire", output=3)],
        [
            call("acquire", output=3),
            call("release"),
            call("acquire", outcome="info"),
            call("release"),
            call("acquire", output=4),
        ],
        [call("acquire", output=3), call("acquire", output=4)],
        [call("release")],
    ],
    "bank": [
        [call("read", output=[5]), PAY, call("read", output=[5])],
        [PAY, call("read", output={}), PAY, call("read", output={})],
    ],
}


@pytest.mark.parametrize(("name", "calls"), [(n, c) for n, cs in ALLOWED.items() for c in cs])
def test_allows(name: str, calls: list[Call]) -> None:
    """What a correct object may answer is legal."""
    assert allows(name, *calls)


@pytest.mark.parametrize(("name", "calls"), [(n, c) for n, cs in FORBIDDEN.items() for c in cs])
def test_forbids(name: str, calls: list[Call]) -> None:
    """What no correct object answers is illegal; True is not 1, nor "1"."""
    assert not allows(name, *calls)


def test_every_model_has_histories_that_it_allows_and_forbids() -> None:
    """A model that forbids nothing is no specification."""
    assert set(MODELS) == set(ALLOWED) == set(FORBIDDEN)
    assert all(model(name).name == name for name in MODELS)


@pytest.mark.parametrize(
    ("name", "bad", "at"),
    [
        ("register", call("cas", [1, 2]), 4),
        ("register", call("append", 1), 4),
        ("cas-register", call("cas", 1), 4),
        ("cas-register", call("cas", [1, 2, 3]), 4),
        ("cas-register", call("cas", "ab"), 4),
        ("kv", call("append", 1), 4),
        ("kv", call("get", output=None), 5),
        ("log", call("read", output=3), 5),
        ("consensus", call("propose", None), 4),
        ("consensus", call("propose", 1, output=None), 5),
        ("counter", call("add", True), 4),
        ("counter", call("read", output="1"), 5),
        ("set", call("read", output=None), 5),
        ("fifo-queue", call("enqueue", None), 4),
        ("unordered-queue", call("push", 1), 4),
        ("set", call("contains", 1, output=1), 5),
        ("stack", call("push", None), 4),
        ("lock", call("write", 1), 4),
        ("fenced-lock", call("acquire", output=True), 5),
        ("fenced-lock", call("acquire"), 5),
        ("bank", call("transfer", [0, 1, 2]), 4),
        ("bank", call("transfer", {"from": 0, "to": None, "amount": 4}), 4),
        ("bank", call("transfer", {"from": 0, "to": 1, "amount": True}, "fail"), 4),
        ("bank", call("read", output=None), 5),
        ("bank", call("read", output=[True]), 5),
    ],
)
def test_refuses_what_it_cannot_read(name: str, bad: Call, at: int) -> None:
    """The refusal names the operation that is at fault: invocation or completion."""
    with pytest.raises(HistoryError, match=f"at operation {at}") as refusal:
        model(name).read(bad)

    assert at == refusal.value.index


def test_a_register_refers_cas_to_its_own_model() -> None:
    """The refusal says what to do."""
    with pytest.raises(HistoryError, match="cas-register"):
        model("register").read(call("cas", [1, 2]))


def test_a_failed_cas_is_evidence_only_by_its_code() -> None:
    """By the convention of Jepsen a fail says nothing about the state."""
    m = model("cas-register")

    assert m.read(call("cas", [1, 2], "fail")) is None
    assert m.read(call("cas", [1, 2], "fail", code="overloaded")) is None
    step = m.read(call("cas", [1, 2], "fail", code="compare-failed"))
    assert step is not None
    assert step.failed
    assert step.effect is Effect.OBSERVES


def test_an_initial_value_may_be_given() -> None:
    """A register need not begin with nil; the value is frozen like any other."""
    zero = Register(initial=0)
    step = zero.read(call("read", output=False))

    assert step is not None
    assert not list(zero.step(zero.init(), step))
    assert [0] == list(zero.step(zero.init(), Step("read", None, 0)))


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    """A slip of the keyboard costs no search through the documentation."""
    with pytest.raises(ValueError, match="did you mean cas-register"):
        model("cas_register")


CALLS: dict[str, st.SearchStrategy[Call]] = {}
_V = st.integers(0, 2)
_ENDS = st.sampled_from([("ok", None), ("info", None), ("never", None), ("fail", "compare-failed")])


def _calls(f: str, values: st.SearchStrategy[Any], outputs: st.SearchStrategy[Any]) -> Any:
    return st.builds(
        lambda v, end, out: call(f, v, end[0], out if end[0] == "ok" else None, end[1]),
        values,
        _ENDS,
        outputs,
    )


_NONE = st.none()
_S = st.text("ab", max_size=3)
_L = st.lists(_V, max_size=3)
CALLS["register"] = _calls("read", _NONE, _V) | _calls("write", _V, _NONE)
CALLS["cas-register"] = CALLS["register"] | _calls("cas", st.tuples(_V, _V).map(list), _NONE)
CALLS["kv"] = _calls("get", _NONE, _S) | _calls("put", _S, _NONE) | _calls("append", _S, _NONE)
CALLS["log"] = _calls("read", _NONE, _L) | _calls("append", _V, _NONE)
CALLS["consensus"] = _calls("propose", _V, _V) | _calls("read", _NONE, _V)
CALLS["counter"] = _calls("read", _NONE, _V) | _calls("add", _V, _NONE)
CALLS["set"] = (
    _calls("read", _NONE, _L)
    | _calls("add", _V, _NONE)
    | _calls("remove", _V, _NONE)
    | _calls("contains", _V, st.booleans())
)
CALLS["fifo-queue"] = _calls("enqueue", _V, _NONE) | _calls("dequeue", _NONE, _V | _NONE)
CALLS["unordered-queue"] = CALLS["fifo-queue"]
CALLS["stack"] = _calls("push", _V, _NONE) | _calls("pop", _NONE, _V | _NONE)
CALLS["lock"] = _calls("acquire", _NONE, _NONE) | _calls("release", _NONE, _NONE)
CALLS["fenced-lock"] = _calls("acquire", _NONE, _V) | _calls("release", _NONE, _NONE)
_PAY = st.builds(lambda a, b, n: {"from": a, "to": b, "amount": n}, _V, _V, _V)
CALLS["bank"] = _calls("transfer", _PAY, _NONE) | _calls("read", _NONE, _L)


def _reachable(m: Model, steps: list[Step]) -> set[State]:
    """States that some of the steps, in their order, lead to."""
    states = {m.init()}
    for step in steps:
        states |= {after for state in states for after in m.step(state, step)}
    return states


@pytest.mark.parametrize("name", list(MODELS))
@given(data=st.data())
def test_keeps_the_promises_about_its_steps(name: str, data: st.DataObject) -> None:
    """Effect holds in every reachable state; the search relies on it."""
    m = model(name)
    read = [m.read(c) for c in data.draw(st.lists(CALLS[name], min_size=1, max_size=7))]
    steps = [step for step in read if step is not None]
    states = _reachable(m, steps)

    for step in steps:
        reached = {state: set(m.step(state, step)) for state in states}
        if step.effect is Effect.OBSERVES:
            assert all(after <= {state} for state, after in reached.items())
        if step.effect in (Effect.TOTAL, Effect.OVERWRITES):
            assert all(reached.values())
        if step.effect is Effect.OVERWRITES:
            assert len({frozenset(after) for after in reached.values()}) == 1
        assert not step.failed or step.effect is Effect.OBSERVES


@pytest.mark.parametrize("name", [n for n in MODELS if isinstance(model(n), Requires)])
@given(data=st.data())
def test_names_the_one_state_in_which_a_step_is_legal(name: str, data: st.DataObject) -> None:
    """A step that requires a state is legal there and nowhere else; a search may begin there."""
    m = model(name, {"accounts": 2, "balance": 1} if name == "bank" else {})
    assert isinstance(m, Requires)
    read = [m.read(c) for c in data.draw(st.lists(CALLS[name], min_size=1, max_size=7))]
    steps = [step for step in read if step is not None]
    states = _reachable(m, steps)

    for step in steps:
        for required in m.requires(step):
            assert list(m.step(required, step))
            assert all(not list(m.step(s, step)) for s in states - {required})


@pytest.mark.parametrize("name", [n for n in MODELS if isinstance(model(n), Foresees)])
@given(data=st.data())
def test_foresees_only_what_cannot_come(name: str, data: st.DataObject) -> None:
    """Where leads_to is False, no steps that are total and do not overwrite make it legal."""
    m = model(name)
    assert isinstance(m, Foresees)
    read = [m.read(c) for c in data.draw(st.lists(CALLS[name], min_size=1, max_size=7))]
    steps = [step for step in read if step is not None]
    growing = [step for step in steps if step.effect is Effect.TOTAL]
    observing = [step for step in steps if step.effect is Effect.OBSERVES]

    for state in _reachable(m, steps):
        later = {state}
        for step in growing * 2:
            later |= {after for s in later for after in m.step(s, step)}
        for goal in observing:
            if any(list(m.step(s, goal)) for s in later):
                assert m.leads_to(state, goal)
