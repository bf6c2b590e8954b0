"""Mutated histories: what is called certainly invalid is, and the smallest are small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from checkers.history import History
from checkers.linearizability import check_linearizability, engine
from checkers.models import MODELS, model
from checkers.verdict import Kind
from harness.strategies import Mutated, Mutation, histories, mutated_histories
from harness.strategies.mutating import refused_in_order

QUICK = settings(max_examples=12)
# Without the phase that explains, which traces every line.
FIND = settings(max_examples=500, database=None, phases=[Phase.generate, Phase.shrink])
ENGINES = ["python", *(["engine"] if engine.available() else [])]


def kind(history: History, name: str, by: str = "python") -> Kind:
    with pytest.MonkeyPatch.context() as patch:
        if by == "python":
            patch.setattr(engine, "table_of", lambda _: None)
        return check_linearizability(history, model(name), explain=False).kind


def smallest(strategy: st.SearchStrategy[Mutated], such: Callable[[Mutated], bool]) -> Mutated:
    return find(strategy, such, settings=FIND)


@pytest.mark.parametrize("by", ENGINES)
@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
@QUICK
def test_what_is_certainly_invalid_is_refuted(name: str, by: str, data: st.DataObject) -> None:
    """The proof is independent of the search, which must agree. Few calls: it has to refute every
    order of them."""
    mutated = data.draw(mutated_histories(name, certainly_invalid=True, max_operations=9))

    assert mutated.certainly_invalid
    assert Kind.INVALID == kind(mutated.history, name, by)


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
@QUICK
def test_a_mutation_changes_a_valid_history(name: str, data: st.DataObject) -> None:
    """The original is valid and at hand, the calls that were tampered with are named."""
    mutated = data.draw(mutated_histories(name, max_operations=9))

    assert mutated.history != mutated.original
    assert kind(mutated.original, name) is not Kind.INVALID
    assert all(mutated.history[at].type == "invoke" for at in mutated.at)
    assert all(f"operation {at}" in mutated.story or len(mutated.at) > 1 for at in mutated.at)
    if mutated.certainly_invalid:
        assert Kind.INVALID == kind(mutated.history, name)


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
@QUICK
def test_no_valid_history_is_proven_invalid(name: str, data: st.DataObject) -> None:
    """The proof by order says nothing of a history that is right."""
    assert not refused_in_order(model(name), data.draw(histories(name, keys=("x", "y"))))


@pytest.mark.parametrize(
    ("name", "mutation", "story"),
    [
        ("register", Mutation.STALE_READ, ["write", "read"]),
        ("register", Mutation.LOST_WRITE, ["write", "read"]),
        ("cas-register", Mutation.LOST_WRITE, ["write", "read"]),
        ("register", Mutation.PHANTOM_VALUE, ["read"]),
        ("register", Mutation.SWAPPED_RESULTS, ["read", "write", "read"]),
        ("counter", Mutation.LOST_WRITE, ["add", "read"]),
        ("counter", Mutation.DOUBLED_EFFECT, ["add", "read", "read"]),
        ("log", Mutation.DOUBLED_EFFECT, ["append", "read", "read"]),
        ("fifo-queue", Mutation.STALE_READ, ["enqueue", "dequeue"]),
        ("lock", Mutation.STALE_READ, ["acquire", "acquire"]),
    ],
)
def test_the_smallest_of_each_kind(name: str, mutation: Mutation, story: list[str]) -> None:
    """A failing example shrinks to the calls without which there is nothing to see."""
    strategy = mutated_histories(name, mutations=[mutation], min_operations=1)

    found = smallest(strategy, lambda m: kind(m.history, name) is Kind.INVALID)

    assert mutation is found.mutation
    assert story == [call.f for call in found.history.calls()]


def test_a_lost_update_shrinks_to_two_increments_and_a_read() -> None:
    """Two clients each add one, both are told ok, and the count is one: three calls."""

    def both_acknowledged(m: Mutated) -> bool:
        adds = [c for c in m.history.calls() if c.f == "add" and c.outcome == "ok"]
        processes = {c.invoke.process for c in adds}
        return len(processes) == 2 and kind(m.history, "counter") is Kind.INVALID

    strategy = mutated_histories("counter", mutations=[Mutation.LOST_WRITE], outcomes=("ok",))
    found = smallest(strategy, both_acknowledged)

    assert ["add", "add", "read"] == sorted(call.f for call in found.history.calls())


@pytest.mark.parametrize("mutation", [m for m in Mutation if m is not Mutation.PHANTOM_VALUE])
def test_a_mutation_can_stay_unnoticed(mutation: Mutation) -> None:
    """A mutated history may be valid by chance, and then it is not called invalid; only a phantom
    value never goes unnoticed."""

    def unnoticed(m: Mutated) -> bool:
        return m.mutation is mutation and kind(m.history, "register") is Kind.VALID

    found = smallest(mutated_histories("register", mutations=[mutation]), unnoticed)

    assert not found.certainly_invalid


def test_another_mutation_takes_the_place_of_one_that_means_nothing() -> None:
    """A lock answers no value that could be a phantom."""
    found: Any = smallest(mutated_histories("lock", certainly_invalid=True), lambda _: True)

    assert found.mutation is not Mutation.PHANTOM_VALUE


def test_no_mutation_is_no_strategy() -> None:
    """At least one is named."""
    with pytest.raises(ValueError, match="expected some of stale read, lost write"):
        mutated_histories("log", mutations=[])
