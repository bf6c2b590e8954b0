"""Vocabularies: what one may ask of a model's object, and what the object answers.

Rules
1. The model decides. A vocabulary only proposes the answers of an object in a state of the model;
   what the model does not allow there is a refusal, and the state after it is the model's.
2. Values come from small domains, so that operations meet: a stale value shows only where another
   would have been right. Elements of logs, queues and stacks and proposals are new each time, so
   that a read names what it saw.
3. A forged answer cannot be right in any order of any calls with these inputs.

A model of your own gets a vocabulary of its own; those of the built-in models are examples.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from checkers.history import COMPARE_FAILED, FALSE, NAN, TRUE, freeze
from checkers.models import Bank, Model, State
from checkers.models import model as model_called
from harness.generators import Request


class Fresh(enum.Enum):
    """In place of a strategy: each argument is a value that was not there before: 0, 1, 2 ..."""

    FRESH = "fresh"


FRESH = Fresh.FRESH

# What an object in this state may answer to this request, the simplest answer first.
Answers = Callable[[State, Request], Sequence[Any]]
# A wrong answer: the right one (as JSON), and every argument that was given to the object.
Forge = Callable[[Any, Sequence[Any]], Any]
_Maker = Callable[[Model, SearchStrategy[Any] | None], "Vocabulary"]


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """`inputs`: for each operation the strategy of its argument, simplest operation first.

    `answers`: see Answers; of operations that are absent from it the answer is None. `several`: is
    there more than one right answer to some? `refusals`:
    the error code with which an operation is refused where the model does not allow it, of those
    whose refusal is evidence. `forges`: see Forge and rule 3; an operation whose answers name no
    values has none.
    """

    inputs: Mapping[str, SearchStrategy[Any] | Fresh]
    answers: Mapping[str, Answers] = {}
    several: bool = False
    refusals: Mapping[str, str] = {}
    forges: Mapping[str, Forge] = {}


def vocabulary_of(
    model: Model | str, values: SearchStrategy[Any] | None = None
) -> tuple[Model, Vocabulary]:
    """A model, by itself or by name, with its vocabulary. `values` replaces the domain of values:
    integers for `counter`, texts for `kv`, not null for queues, stacks and consensus.

    Raises ValueError where there is no such model, and where it is none of those built in.
    """
    known = model_called(model) if isinstance(model, str) else model
    if known.name not in _MAKERS:
        raise ValueError(
            f"there is no vocabulary for the model {known.name!r}: give the strategy one "
            "(vocabulary=Vocabulary(inputs=..., answers=...)). There are vocabularies for "
            f"{', '.join(_MAKERS)}."
        )
    return known, _MAKERS[known.name](known, values)


def thawed(value: Any) -> Any:
    """The JSON value that `checkers.history.freeze` made this of."""
    if value is TRUE or value is FALSE:
        return value is TRUE
    if value is NAN:
        return float("nan")
    if type(value) is tuple:
        return [thawed(v) for v in value]
    if isinstance(value, tuple):  # of an object, as pairs
        return {name: thawed(v) for name, v in value}
    return value


def _state(state: Any, _: Request) -> Sequence[Any]:
    return (thawed(state),)


def stranger(inputs: Sequence[Any]) -> Any:
    """A value that nobody gave, by itself or within a list or an object."""
    given = {freeze(leaf) for value in inputs for leaf in _leaves(value)}
    return next(n for n in itertools.count(99) if n not in given)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for v in value for leaf in _leaves(v)] if isinstance(value, list) else [value]


def _value(_: Any, inputs: Sequence[Any]) -> Any:
    return stranger(inputs)


def _one_more(right: Any, inputs: Sequence[Any]) -> Any:
    return [*right, stranger(inputs)]


def _register(model: Model, values: SearchStrategy[Any] | None) -> Vocabulary:
    return Vocabulary(
        inputs={"read": st.none(), "write": _among(values, range(4))},
        answers={"read": _state},
        forges={"read": lambda _, inputs: stranger([*inputs, thawed(model.init())])},
    )


def _cas_register(model: Model, values: SearchStrategy[Any] | None) -> Vocabulary:
    plain = _register(model, values)
    new = _among(values, range(4))
    pairs = st.tuples(st.just(thawed(model.init())) | new, new).map(list)
    return msgspec.structs.replace(
        plain, inputs={**plain.inputs, "cas": pairs}, refusals={"cas": COMPARE_FAILED}
    )


def _kv(_: Model, values: SearchStrategy[Any] | None) -> Vocabulary:
    texts = _among(values, ("a", "b", "c"))
    return Vocabulary(
        inputs={"get": st.none(), "put": texts, "append": texts},
        answers={"get": _state},
        # Longer than all that was ever given, one after the other.
        forges={"get": lambda _, inputs: "".join(v for v in inputs if v is not None) + "?"},
    )


def _log(_: Model, values: SearchStrategy[Any] | None) -> Vocabulary:
    return Vocabulary(
        inputs={"read": st.none(), "append": values or FRESH},
        answers={"read": _state},
        forges={"read": _one_more},
    )


def _consensus(_: Model, values: SearchStrategy[Any] | None) -> Vocabulary:
    return Vocabulary(
        inputs={"read": st.none(), "propose": values or FRESH},
        answers={
            # A node that has learnt nothing may say so at any time.
            "read": lambda state, _: (thawed(state), None) if state is not None else (None,),
            "propose": lambda state, r: (r.value if state is None else thawed(state),),
        },
        several=True,
        forges={"read": _value, "propose": _value},
    )


def _counter(_: Model, values: SearchStrategy[Any] | None) -> Vocabulary:
    return Vocabulary(
        inputs={"read": st.none(), "add": _among(values, (1, 2, -1))},
        answers={"read": _state},
        forges={"read": lambda _, inputs: 1 + sum(abs(v) for v in inputs if v is not None)},
    )


def _set(_: Model, values: SearchStrategy[Any] | None) -> Vocabulary:
    elements = _among(values, range(3))

    def listed(state: Any, _: Request) -> Sequence[Any]:
        return ([thawed(e) for e in sorted(state, key=repr)],)

    return Vocabulary(
        inputs={"read": st.none(), "add": elements, "remove": elements, "contains": elements},
        answers={
            "read": listed,
            "contains": lambda state, r: (freeze(r.value) in _elements(state),),
        },
        forges={"read": _one_more},
    )


def _elements(state: Any) -> frozenset[Any]:
    assert isinstance(state, frozenset)
    return state


def _taking(
    put: str, take: str, ends: Callable[[Any], Sequence[Any]], *, several: bool = False
) -> _Maker:
    """An object that hands out what was put into it; `ends`: which elements may come next."""

    def make(_: Model, values: SearchStrategy[Any] | None) -> Vocabulary:
        return Vocabulary(
            inputs={take: st.none(), put: values or FRESH},
            answers={take: lambda state, _: [thawed(e) for e in ends(state)] or [None]},
            several=several,
            forges={take: _value},
        )

    return make


def _lock(_: Model, __: SearchStrategy[Any] | None) -> Vocabulary:
    return Vocabulary(inputs={"acquire": st.none(), "release": st.none()})


def _fenced_lock(_: Model, __: SearchStrategy[Any] | None) -> Vocabulary:
    def tokens(state: Any, _: Request) -> Sequence[Any]:
        _holder, highest = state
        least = 1 if highest is None else highest + 1
        return (least, least + 3)

    return Vocabulary(
        inputs={"acquire": st.none(), "release": st.none()},
        answers={"acquire": tokens},
        several=True,
    )


_BALANCE = 10  # what an account begins with where the model does not say


def _bank(model: Model, values: SearchStrategy[Any] | None) -> Vocabulary:
    assert isinstance(model, Bank), "the model called bank is the class"
    balances = model.options["balances"]
    accounts = list(balances) if balances else ["a", "b", "c"]

    def read(state: Any, _: Request) -> Sequence[Any]:
        known, so_far = state
        start = dict.fromkeys(accounts, 0 if known else _BALANCE)
        return ({a: start.get(a, 0) + dict(so_far).get(a, 0) for a in {**start, **dict(so_far)}},)

    def out_of_nothing(right: Any, _: Sequence[Any]) -> Any:
        return {**right, accounts[0]: right[accounts[0]] + 1}

    amounts = _among(values, (1, 2, 5))
    names = st.sampled_from(accounts)
    transfers = st.builds(lambda a, b, n: {"from": a, "to": b, "amount": n}, names, names, amounts)
    return Vocabulary(
        inputs={"read": st.none(), "transfer": transfers},
        answers={"read": read},
        # No transfer changes the total; but who does not know it believes the first read.
        forges={} if balances is None else {"read": out_of_nothing},
    )


def _among(values: SearchStrategy[Any] | None, default: Sequence[Any]) -> SearchStrategy[Any]:
    return st.sampled_from(default) if values is None else values


def _counted(state: Any) -> Sequence[Any]:
    return sorted((element for element, _ in state), key=repr)


_MAKERS: Mapping[str, _Maker] = {
    "register": _register,
    "cas-register": _cas_register,
    "kv": _kv,
    "log": _log,
    "consensus": _consensus,
    "counter": _counter,
    "set": _set,
    "fifo-queue": _taking("enqueue", "dequeue", lambda state: state[:1]),
    "unordered-queue": _taking("enqueue", "dequeue", _counted, several=True),
    "stack": _taking("push", "pop", lambda state: state[-1:]),
    "lock": _lock,
    "fenced-lock": _fenced_lock,
    "bank": _bank,
}
