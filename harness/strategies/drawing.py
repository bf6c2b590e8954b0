"""Operations and histories: what is drawn, and in which order, so that it shrinks.

Rules
1. Each call is one element of one list, with everything that is drawn for it beside it: to leave
   one out takes nothing from the others, and what they are answered follows anew.
2. The simplest choice is the first: the first operation of the vocabulary, worker 0, an answer, no
   overlap. A failing history shrinks to few calls, of one client, one after the other, and what is
   left of clients, overlaps and lost answers is what it takes to fail.
3. Nothing is drawn but by Hypothesis, so its database replays every failing example.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from checkers.history import History, Outcome
from checkers.models import Model
from harness.generators import Request
from harness.strategies.recording import Fate, Plan, Planned, record
from harness.strategies.vocabulary import FRESH, Vocabulary, vocabulary_of

Element = TypeVar("Element")

OUTCOMES: tuple[Outcome, ...] = ("ok", "fail", "info")
REACH = 3
_PICKS = 3
# Of fourteen calls eleven are answered: unknown outcomes cost a search most, and tell it least.
_FATES: Mapping[Outcome, tuple[Fate, ...]] = {
    "ok": (Fate.ANSWERED,) * 11,
    "fail": (Fate.NOT_TRIED,),
    "info": (Fate.ANSWER_LOST, Fate.REQUEST_LOST),
}


def operations(
    model: Model | str,
    *,
    vocabulary: Vocabulary | None = None,
    min_size: int = 0,
    max_size: int = 20,
    keys: Sequence[Any] = (None,),
) -> SearchStrategy[list[Request]]:
    """Sequences of operations that the model knows, each with an argument where it takes one.

    Raises ValueError where there is no such model, or no vocabulary for it.
    """
    _, words = _known(model, vocabulary)
    request = st.composite(request_drawn(words, keys))()
    return sized(request, min_size, max_size).map(numbered)


def histories(
    model: Model | str,
    *,
    vocabulary: Vocabulary | None = None,
    clients: int = 3,
    min_operations: int = 0,
    max_operations: int = 20,
    keys: Sequence[Any] = (None,),
    outcomes: Collection[Outcome] = OUTCOMES,
) -> SearchStrategy[History]:
    """Concurrent histories of correct objects, one for each key: linearizable by construction.

    At most `clients` calls are open at once, of those whose outcome is known. Without "fail" among
    the `outcomes` nothing fails for reasons of its own; what the object refuses (a compare-and-set
    that does not match) fails nevertheless. Raises ValueError as `operations` does, and where an
    outcome or the number of clients makes no sense.
    """
    return plans(
        model,
        vocabulary=vocabulary,
        clients=clients,
        min_operations=min_operations,
        max_operations=max_operations,
        keys=keys,
        outcomes=outcomes,
    ).map(record)


def plans(
    model: Model | str,
    *,
    vocabulary: Vocabulary | None,
    clients: int,
    min_operations: int,
    max_operations: int,
    keys: Sequence[Any],
    outcomes: Collection[Outcome],
    reach: int = REACH,
) -> SearchStrategy[Plan]:
    """The plans behind `histories`. With a `reach` of 0 no two calls overlap."""
    if clients < 1:
        raise ValueError(f"clients is {clients}: expected 1 or more")
    strange = [o for o in outcomes if o not in OUTCOMES]
    if strange or "ok" not in outcomes:
        raise ValueError(
            f"outcomes is {outcomes!r}: expected some of {', '.join(OUTCOMES)}, ok among them"
        )
    known, words = _known(model, vocabulary)
    fates = tuple(fate for outcome in OUTCOMES if outcome in outcomes for fate in _FATES[outcome])
    call = _calls(words, keys, clients, fates, reach)
    calls = sized(call, min_operations, max_operations)
    return calls.map(lambda drawn: _plan(known, words, drawn, clients, reach))


def sized(
    elements: SearchStrategy[Element], min_size: int, max_size: int
) -> SearchStrategy[list[Element]]:
    """Short lists and long ones: Hypothesis' own are of six elements or so, whatever the most."""
    half = (min_size + max_size) // 2
    short = st.lists(elements, min_size=min_size, max_size=max_size)
    return short | st.lists(elements, min_size=half, max_size=max_size) if max_size > 8 else short


def _known(model: Model | str, vocabulary: Vocabulary | None) -> tuple[Model, Vocabulary]:
    if vocabulary is not None and not isinstance(model, str):
        return model, vocabulary
    known, words = vocabulary_of(model)
    return known, vocabulary or words


def request_drawn(words: Vocabulary, keys: Sequence[Any]) -> Callable[[st.DrawFn], Request]:
    """Draws requests, in which FRESH stands for values that are not numbered yet."""
    if not keys:
        raise ValueError("keys is empty: give at least one, None where there is only one object")
    inputs = [
        (f, st.just(FRESH) if values is FRESH else values) for f, values in words.inputs.items()
    ]
    which, key = _up_to(len(inputs) - 1), _up_to(len(keys) - 1)

    def request(draw: st.DrawFn) -> Request:
        f, values = inputs[draw(which)]
        return Request(f, draw(values), keys[draw(key)])

    return request


def _calls(
    words: Vocabulary, keys: Sequence[Any], clients: int, fates: Sequence[Fate], reach: int
) -> SearchStrategy[Planned]:
    request = request_drawn(words, keys)
    # By how far they reach, the least first.
    spans = sorted(itertools.product(range(reach + 1), repeat=2), key=sum)
    worker, fate, span = _up_to(clients - 1), _up_to(len(fates) - 1), _up_to(len(spans) - 1)
    pick = _up_to(_PICKS if words.several else 0)

    @st.composite
    def call(draw: st.DrawFn) -> Planned:
        asked = request(draw)
        early, late = spans[draw(span)]
        return Planned(draw(worker), asked, fates[draw(fate)], early, late, draw(pick))

    return call()


def _up_to(most: int) -> SearchStrategy[int]:
    return st.integers(0, most) if most else st.just(0)


def numbered(requests: Sequence[Request]) -> list[Request]:
    """With a number in place of each FRESH."""
    numbered, count = [], 0
    for request in requests:
        if request.value is FRESH:
            numbered.append(Request(request.f, count, request.key))
            count += 1
        else:
            numbered.append(request)
    return numbered


def _plan(
    model: Model, words: Vocabulary, drawn: Sequence[Planned], workers: int, reach: int
) -> Plan:
    requests = numbered([planned.request for planned in drawn])
    calls = tuple(
        Planned(c.worker, request, c.fate, c.early, c.late, c.pick)
        for c, request in zip(drawn, requests, strict=True)
    )
    return Plan(model, words, calls, workers, reach)
