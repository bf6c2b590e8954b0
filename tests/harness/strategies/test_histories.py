"""Operations and histories by Hypothesis: what is built to be linearizable is judged so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

from checkers.history import Call, History, Operation
from checkers.linearizability import check_linearizability, engine
from checkers.linearizability.brute import linearizable
from checkers.models import MODELS, Effect, Model, Register, State, Step, model
from checkers.models.values import argument, refuse_operation, result
from checkers.verdict import Kind
from harness.strategies import (
    FRESH,
    Vocabulary,
    histories,
    operations,
    vocabulary_of,
)
from harness.strategies.vocabulary import stranger, thawed

QUICK = settings(max_examples=12)
# Without the phase that explains, which traces every line.
FIND = settings(max_examples=500, database=None, phases=[Phase.generate, Phase.shrink])
ENGINES = ["python", *(["engine"] if engine.available() else [])]


def verdict(history: History, judge: Model, by: str) -> Kind:
    """By the compiled engine, or by plain Python as where there is none."""
    with pytest.MonkeyPatch.context() as patch:
        if by == "python":
            patch.setattr(engine, "table_of", lambda _: None)
        return check_linearizability(history, judge).kind


def says_something(history: History, judge: Model) -> bool:
    """Without a call that returned and constrains the model a history is UNKNOWN."""
    return any(call.outcome != "info" and judge.read(call) for call in history.calls())


def smallest(strategy: st.SearchStrategy[Any], such: Callable[[Any], bool]) -> Any:
    return find(strategy, such, settings=FIND)


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
@QUICK
def test_operations_are_those_that_the_model_reads(name: str, data: st.DataObject) -> None:
    """Every request is one that the model knows, with an argument it can read."""
    judge = model(name)
    for request in data.draw(operations(name)):
        invoke = Operation(0, 0, 0, "invoke", request.f, request.value, request.key)
        judge.read(Call(invoke, None))


@pytest.mark.parametrize("by", ENGINES)
@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
@QUICK
def test_histories_are_linearizable(name: str, by: str, data: st.DataObject) -> None:
    """The search finds the order that the history was built around, with or without the engine."""
    keys = data.draw(st.sampled_from([(None,), ("x", "y")]))
    history = data.draw(histories(name, keys=keys, min_operations=1))

    expected = Kind.VALID if says_something(history, model(name)) else Kind.UNKNOWN
    assert expected == verdict(history, model(name), by)


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
@QUICK
def test_small_histories_are_linearizable_word_for_word(name: str, data: st.DataObject) -> None:
    """Also by the oracle that tries every order."""
    history = data.draw(histories(name, max_operations=5))

    assert linearizable(model(name), history.calls())


@pytest.mark.parametrize("name", ["register", "log", "bank"])
@given(data=st.data())
@QUICK
def test_models_with_options_are_obeyed(name: str, data: st.DataObject) -> None:
    """The initial value, the balances and the ban on overdrafts are those of the model given."""
    judge = {
        "register": Register(initial=[True, {"a": 1}], compare_and_set=True),
        "log": model("log"),
        "bank": model("bank", {"balances": {"me": 3, "you": 0}, "overdraft": False}),
    }[name]
    history = data.draw(histories(judge, min_operations=1))

    assert verdict(history, judge, "python") is not Kind.INVALID


def overlapping(history: History) -> bool:
    return any(
        one.completion is not None and one.index < other.index < one.completion.index
        for one in history.calls()
        for other in history.calls()
    )


def lost(history: History, *, took_effect: bool) -> bool:
    """Is there a write of unknown outcome that a later read shows, or that the only read misses?"""
    calls = history.calls()
    written = {c.input for c in calls if c.f == "write" and c.outcome == "info"}
    read = {c.output for c in calls if c.f == "read" and c.outcome == "ok"}
    sure = {c.input for c in calls if c.f == "write" and c.outcome == "ok"}
    return bool((written - sure) & read) if took_effect else bool(written) and read == {None}


@pytest.mark.parametrize(
    ("such", "calls"),
    [
        (overlapping, 2),
        (lambda h: lost(h, took_effect=True), 2),
        (lambda h: lost(h, took_effect=False), 2),
        (lambda h: any(c.outcome == "fail" for c in h.calls()), 1),
        (lambda h: any(c.completion is None for c in h.calls()), 1),
        (lambda h: len({c.invoke.process for c in h.calls()}) == 3, 3),
    ],
)
def test_what_is_drawn_shrinks_to_the_calls_it_takes(
    such: Callable[[History], bool], calls: int
) -> None:
    """Overlaps, lost answers of both kinds, refusals and calls that never end all occur, and the
    smallest history that has one has no call more than it needs."""
    assert calls == len(smallest(histories("register"), such).calls())


def test_a_history_without_need_is_of_one_client_and_in_order() -> None:
    """Shrinking gives up clients, overlaps and unknown outcomes first."""
    found = smallest(histories("register"), lambda h: len(h.calls()) >= 4)

    assert 8 == len(found)
    assert {0} == {operation.process for operation in found}
    assert {"invoke", "ok"} == {operation.type for operation in found}


@given(histories("register", clients=2, outcomes=("ok",), max_operations=12))
@QUICK
def test_clients_and_outcomes_are_as_asked(history: History) -> None:
    """Two clients have two calls open at most; what cannot fail and is answered is ok."""
    assert {o.process for o in history} <= {0, 1}
    assert all(call.outcome == "ok" for call in history.calls())


@pytest.mark.parametrize("model_name", ["log", "fifo-queue", "consensus"])
@given(data=st.data())
@QUICK
def test_elements_are_new_each_time(model_name: str, data: st.DataObject) -> None:
    """A read that shows an element names the one call that put it there."""
    given_ = [r.value for r in data.draw(operations(model_name)) if r.value is not None]

    assert list(range(len(given_))) == given_


class Maximum:
    """The model of docs/models.md: a register that only grows."""

    name = "max-register"

    def read(self, call: Call) -> Step | None:
        if call.f not in ("raise", "read"):
            refuse_operation(call, self.name, ("raise", "read"))
        if call.outcome == "fail" or (call.f == "read" and call.outcome != "ok"):
            return None
        effect = Effect.OBSERVES if call.f == "read" else Effect.ANY
        return Step(call.f, argument(call), result(call), effect=effect)

    def init(self) -> State:
        return 0

    def step(self, state: State, step: Step) -> Iterable[State]:
        assert isinstance(state, int)
        if step.f == "read":
            return (state,) if step.output == state else ()
        return (max(state, step.input),)

    def describe(self, step: Step) -> str:
        return f"{step.f} {step.input} -> {step.output}"

    def describe_state(self, state: State) -> str:
        return f"the maximum is {state}"


WORDS = Vocabulary(
    inputs={"read": st.none(), "raise": st.integers(0, 5)},
    answers={"read": lambda state, _: (thawed(state),)},
)


@given(histories(Maximum(), vocabulary=WORDS, min_operations=1))
@QUICK
def test_a_model_of_ones_own_takes_a_vocabulary_of_its_own(history: History) -> None:
    """Nothing is known of the built-in models alone."""
    assert verdict(history, Maximum(), "python") is not Kind.INVALID


@given(histories("kv", vocabulary=vocabulary_of("kv", st.text("é\0", max_size=2))[1]))
@QUICK
def test_values_can_be_ones_own(history: History) -> None:
    """The domain of values is the user's where the user says so."""
    assert set("".join(c.input for c in history.calls() if c.input)) <= {"é", "\0"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 3) | st.text("a1", max_size=2),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("k"), inner),
        max_leaves=5,
    )
)
def test_what_a_model_holds_is_answered_as_it_was_given(value: Any) -> None:
    """True comes back as true and not as 1, lists as lists, objects as objects."""
    assert repr(value) == repr(thawed(Register(value).init()))
    assert stranger([value]) not in (value, thawed(Register(value).init()))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: operations("registr"), "did you mean register"),
        (lambda: histories(Maximum()), "no vocabulary for the model 'max-register'"),
        (lambda: histories("log", clients=0), "expected 1 or more"),
        (lambda: histories("log", outcomes=("info",)), "ok among them"),
        (lambda: histories("log", keys=()), "keys is empty"),
    ],
)
def test_a_wrong_request_is_refused_with_words(wrong: Callable[[], Any], sentence: str) -> None:
    """Where the strategy is made, not where it is drawn from."""
    with pytest.raises(ValueError, match=sentence):
        wrong()


def test_a_failing_example_is_kept_and_comes_first(tmp_path: Path) -> None:
    """All that is drawn is Hypothesis's: its database brings the smallest failure back. (With a
    seed, given or derived from the test, Hypothesis leaves its database alone.)"""
    kept = DirectoryBasedExampleDatabase(tmp_path)

    def tried(phases: Collection[Phase]) -> list[History]:
        seen: list[History] = []

        @settings(derandomize=False, database=kept, deadline=None, phases=phases)
        @given(histories("register"))
        def nothing_overlaps(history: History) -> None:
            seen.append(history)
            assert not overlapping(history)

        with pytest.raises(AssertionError):
            nothing_overlaps()
        return seen

    first = tried([Phase.generate, Phase.shrink])
    again = tried([Phase.reuse])

    assert 2 == len(first[-1].calls())
    assert first[-1] == again[0]


def test_fresh_is_a_word_of_its_own() -> None:
    """It never reaches a history."""
    assert all(o.value is not FRESH for o in smallest(histories("log"), lambda h: len(h) >= 4))
