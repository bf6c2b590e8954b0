"""Checking while the history grows: the verdict of the offline check, as early as it is certain."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers import stream
from checkers.history import Error, History, HistoryError, Operation
from checkers.linearizability import check_linearizability, engine
from checkers.linearizability.incremental import PlainFrontiers
from checkers.models import MODELS, model
from checkers.notation import draw as drawn
from checkers.notation import parse
from checkers.stream import LiveCheck
from checkers.verdict import Kind

V = st.integers(0, 2)
NONE = st.none()
Values = st.SearchStrategy[Any]
OPERATIONS: dict[str, list[tuple[str, Values, Values]]] = {
    "register": [("read", NONE, V | NONE), ("write", V, NONE)],
    "cas-register": [
        ("read", NONE, V | NONE),
        ("write", V, NONE),
        ("cas", st.tuples(V, V).map(list), NONE),
    ],
    "log": [("read", NONE, st.lists(V, max_size=2)), ("append", V, NONE)],
    "consensus": [("propose", V, V), ("read", NONE, V | NONE)],
    "counter": [("read", NONE, st.integers(-1, 2)), ("add", st.integers(-1, 1), NONE)],
    "set": [("read", NONE, st.lists(V, max_size=2)), ("add", V, NONE)],
    "fifo-queue": [("enqueue", V, NONE), ("dequeue", NONE, V | NONE)],
    "lock": [("acquire", NONE, NONE), ("release", NONE, NONE)],
}


@st.composite
def histories(draw: Callable[[Any], Any], name: str) -> list[Operation]:
    """Of two keys and four processes at a time, with every outcome."""
    operations: list[Operation] = []
    open_calls: dict[int, tuple[str, Values, str]] = {}
    places = [0, 1, 2, 3]
    turns = st.tuples(
        st.integers(0, 3),
        st.sampled_from(["ok", "ok", "ok", "info", "fail", "compare-failed"]),
        st.sampled_from(["a", "a", "b"]),
    )
    for place, ending, key in draw(st.lists(turns, max_size=20)):
        process = places[place]
        line: dict[str, Any] = {"index": len(operations), "time": len(operations)}
        if process not in open_calls:
            f, values, outputs = draw(st.sampled_from(OPERATIONS[name]))
            open_calls[process] = f, outputs, key
            operations.append(
                Operation(**line, process=process, type="invoke", f=f, key=key, value=draw(values))
            )
            continue
        f, outputs, key = open_calls.pop(process)
        line |= {"process": process, "f": f, "key": key}
        if ending == "ok":
            operations.append(Operation(**line, type="ok", value=draw(outputs)))
        elif ending == "info":
            places[place] += 4
            operations.append(Operation(**line, type="info"))
        else:
            error = Error(ending) if ending != "fail" else None
            operations.append(Operation(**line, type="fail", error=error))
    return operations


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_end_is_the_verdict_of_the_offline_check(name: str, data: st.DataObject) -> None:
    """Whatever the batches; and a violation is told as soon as it is certain, not before."""
    operations = data.draw(histories(name))
    said = drawn(History(operations).calls())
    expected = check_linearizability(History(operations), model(name))

    live = LiveCheck(model(name))
    told = [live.feed([o]) for o in operations]
    verdict = live.finish()

    assert expected.kind is verdict.kind, said
    assert expected.cause == verdict.cause, said
    in_one = LiveCheck(model(name))
    in_one.feed(operations)
    assert expected.kind is in_one.finish().kind, said
    reported = [at for at, violation in enumerate(told) if violation is not None]
    assert len(reported) <= 1
    if reported:
        (at,) = reported
        assert Kind.INVALID is told[at].kind, said
        until = check_linearizability(History(operations[: at + 1]), model(name))
        assert Kind.INVALID is until.kind, said


def test_every_model_is_tried_or_left_out_on_purpose() -> None:
    """A model that is added must be streamed, too."""
    like_others = {"kv": "log", "unordered-queue": "fifo-queue"}
    assert set(OPERATIONS) | set(like_others) <= set(MODELS)


STALE = """
    p0  |-w1-|
    p1        |-w2-|
    p2               |-r1-|     stale
    p3                       |-w3-|
"""


def test_a_violation_is_told_with_its_evidence_at_its_completion() -> None:
    """Not at the end of the history, and by the certificate of the offline check."""
    live = LiveCheck(model("register"))
    for operation in parse(STALE):
        violation = live.feed([operation])
        if violation is not None:
            break
    assert violation is not None
    assert ("ok", "read") == (operation.type, operation.f)
    found = violation.evidence["contradiction"]
    assert ("confirmed", "read -> 1") == (found["certificate"], found["describe"])


def test_an_open_operation_is_waited_for() -> None:
    """The write may turn out to have failed, and only then is the read of it wrong. Where nobody
    ever knows, it took effect, and the later read is stale: certain at the end."""
    picture = """
        p0  |-w1-|
        p1        |-----w2------!
        p2            |-r2-|
        p3                   |-r1-|
    """
    live = LiveCheck(model("register"))
    told = [live.feed([o]) for o in parse(picture)]
    failed = next(o.index for o in parse(picture) if o.type == "fail")
    assert [failed] == [at for at, violation in enumerate(told) if violation]

    unanswered = [o for o in parse(picture) if o.type != "fail"]
    live = LiveCheck(model("register"))
    assert [None] * len(unanswered) == [live.feed([o]) for o in unanswered]
    assert Kind.INVALID is live.finish().kind


def growing(calls: int, keys: int, seed: int) -> list[Operation]:
    """A right history of a register for each key, three clients at a time."""
    random = Random(seed)
    state: dict[str, int | None] = {}
    operations: list[Operation] = []
    for n in range(calls):
        key, process = f"k{random.randrange(keys)}", n % 3
        f = random.choice(["read", "write"])
        line: dict[str, Any] = {"process": process, "f": f, "key": key}
        at = len(operations)
        value = n if f == "write" else None
        operations.append(Operation(index=at, time=at, type="invoke", value=value, **line))
        if f == "write":
            state[key] = n
        result = state.get(key)
        operations.append(Operation(index=at + 1, time=at + 1, type="ok", value=result, **line))
    return operations


def test_memory_is_bounded_however_long_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is kept for explanations, and without that by the open operations."""
    monkeypatch.setattr(stream, "KEPT_TOTAL", 200)
    monkeypatch.setattr(stream, "KEPT_MAX", 100)
    operations = growing(3000, 5, 1)
    live = LiveCheck(model("register"))
    recalling = LiveCheck(model("register"), recall=lambda: operations)
    for at in range(0, len(operations), 50):
        live.feed(operations[at : at + 50])
        recalling.feed(operations[at : at + 50])
        assert live.held <= 200 + 50
        assert recalling.held <= 50
    assert Kind.VALID is live.finish().kind


@pytest.mark.parametrize("anchored", [True, False])
def test_what_was_forgotten_is_not_guessed(anchored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """INVALID by a window behind a call that tells the state, or by whoever can recall everything;
    UNKNOWN where nothing tells it."""
    monkeypatch.setattr(stream, "KEPT_MAX", 400)
    operations = growing(2000, 1, 1)
    at = len(operations)
    operations.append(operation(at, 0, "invoke", "read", key="k0"))
    wrong = operation(at + 1, 0, "ok", "read", key="k0")
    operations.append(msgspec.structs.replace(wrong, value="?"))
    judge = model("register") if anchored else Unanchored()
    for recall in (None, lambda: operations):
        live = LiveCheck(judge, recall=recall)
        violation = live.feed(operations)
        assert violation is not None
        assert violation == live.finish()
        if anchored or recall:
            assert Kind.INVALID is violation.kind
            assert "confirmed" == violation.evidence["contradiction"]["certificate"]
        else:
            assert (Kind.UNKNOWN, "budget") == (violation.kind, violation.cause)
            assert f"operation {at + 1}" in violation.summary


class Unanchored:
    """A register that no call tells the state of."""

    def __init__(self) -> None:
        self._model = model("register")

    def __getattr__(self, name: str) -> Any:
        if name == "requires":
            raise AttributeError(name)
        return getattr(self._model, name)


def test_a_key_that_is_too_wide_is_given_up_and_never_valid() -> None:
    """UNKNOWN by budget, with the key."""
    operations = [Operation(n, n, n, "invoke", "append", n, "wide") for n in range(8)]
    operations += [Operation(8 + n, 8 + n, n, "ok", "append", None, "wide") for n in range(8)]
    live = LiveCheck(model("log"), PlainFrontiers(model("log"), configurations=50))
    live.feed(operations)
    verdict = live.finish()
    assert (Kind.UNKNOWN, "budget") == (verdict.kind, verdict.cause)
    assert [{"key": "wide"}] == verdict.evidence["unfinished"]


def operation(
    index: int, process: Any, kind: Any, f: str, time: int | None = None, key: Any = None
) -> Operation:
    return Operation(index, index if time is None else time, process, kind, f, key=key)


READ = (0, 1, "invoke", "read")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([(0, 1, "ok", "read")], "without an open invocation"),
        ([READ, (1, 1, "invoke", "read")], "is open"),
        ([(3, 1, "invoke", "read"), (2, 2, "invoke", "read")], "index"),
        ([(0, 1, "invoke", "read", 5), (1, 2, "invoke", "read", 1)], "time goes back"),
        ([READ, (1, 1, "ok", "write")], "had invoked"),
        ([READ, (1, 1, "ok", "read", 1, "k2")], "its key"),
        ([(0, 1, "invoke", "swap"), (1, 1, "ok", "swap")], "not an operation"),
        ([(0, "7", "invoke", "read")], "is the text"),
    ],
)
def test_an_ill_formed_history_is_refused_where_it_breaks(
    lines: list[tuple[Any, ...]], says: str
) -> None:
    """With the words of the offline check."""
    operations = [operation(*line) for line in lines]
    live = LiveCheck(model("register"))
    with pytest.raises(HistoryError, match=says):
        live.feed(operations)


def test_what_the_nemesis_did_is_not_judged() -> None:
    """It stands in the journal between the operations of clients."""
    live = LiveCheck(model("register"))
    assert live.feed([operation(0, "nemesis", "info", "kill")]) is None
    assert 0 == live.fed
    assert "coverage" == live.finish().cause


@pytest.mark.skipif(not engine.available(), reason="the engine is not built")
@pytest.mark.parametrize("stale", [False, True])
def test_values_that_nobody_names_are_forgotten_without_a_trace(stale: bool) -> None:
    """A hundred thousand texts pass through two registers, one of which rests all the while: what
    it holds is remembered, and a read of what was overwritten is refuted."""
    lines: list[tuple[Any, str, Any, str]] = [
        ("invoke", "write", "first", "resting"),
        ("ok", "write", None, "resting"),
    ]
    for number in range(100_000):
        lines += [("invoke", "write", f"v{number}", "busy"), ("ok", "write", None, "busy")]
    lines += [("invoke", "read", None, "resting"), ("ok", "read", "first", "resting")]
    last = f"v{99_999 - stale}"
    lines += [("invoke", "read", None, "busy"), ("ok", "read", last, "busy")]
    check = LiveCheck(model("register"), recall=lambda: operations[-202:])
    operations = [
        Operation(index=at, time=at, process=0, type=kind, f=f, value=value, key=key)
        for at, (kind, f, value, key) in enumerate(lines)
    ]
    for start in range(0, len(operations), 1_000):
        check.feed(operations[start : start + 1_000])

    assert (Kind.INVALID if stale else Kind.VALID) == check.finish().kind
