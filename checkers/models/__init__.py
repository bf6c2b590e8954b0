"""Sequential specifications, by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from checkers.models.bank import Bank
from checkers.models.consensus import Consensus
from checkers.models.counter import Counter
from checkers.models.fenced import FencedLock, TokenLock
from checkers.models.keyed import KeyedString
from checkers.models.lock import Lock
from checkers.models.log import Log
from checkers.models.model import UNKNOWN, Effect, Foresees, Learns, Model, Requires, State, Step
from checkers.models.queues import FifoQueue, UnorderedQueue
from checkers.models.register import Register
from checkers.models.sets import Set
from checkers.models.stack import Stack

__all__ = [
    "MODELS",
    "OPTIONS",
    "UNKNOWN",
    "Bank",
    "Consensus",
    "Counter",
    "Effect",
    "FencedLock",
    "FifoQueue",
    "Foresees",
    "KeyedString",
    "Learns",
    "Lock",
    "Log",
    "Model",
    "Register",
    "Requires",
    "Set",
    "Stack",
    "State",
    "Step",
    "TokenLock",
    "UnorderedQueue",
    "model",
    "spelled",
]


def _cas_register(initial: Any = None) -> Model:
    return Register(initial, compare_and_set=True)


MODELS: Mapping[str, Callable[..., Model]] = MappingProxyType(
    {
        "register": Register,
        "cas-register": _cas_register,
        "kv": KeyedString,
        "log": Log,
        "consensus": Consensus,
        "counter": Counter,
        "set": Set,
        "fifo-queue": FifoQueue,
        "unordered-queue": UnorderedQueue,
        "stack": Stack,
        "lock": Lock,
        "fenced-lock": FencedLock,
        "bank": Bank,
    }
)

# What can be told to a model by name; every other model has no options.
OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "register": ("initial",),
        "cas-register": ("initial",),
        "bank": ("balances", "accounts", "balance", "overdraft"),
    }
)

_CLASSES = frozenset(maker for maker in MODELS.values() if isinstance(maker, type))


def model(name: str, options: Mapping[str, Any] | None = None) -> Model:
    """A model by name, as in `model("bank", {"accounts": 5, "balance": 10})`.

    Raises ValueError, naming the nearest valid names, where there is no such model or option, and
    where the model cannot take the value of an option.
    """
    if name not in MODELS:
        raise ValueError(f"no model is called {name!r}: {_near(name, MODELS)}")
    known = OPTIONS.get(name, ())
    for option in options or {}:
        if not known:
            raise ValueError(f"the model {name} has no options, and got {option!r}")
        if option not in known:
            raise ValueError(f"the model {name} has no option {option!r}: {_near(option, known)}")
    try:
        return MODELS[name](**(options or {}))
    except ValueError as wrong:
        raise ValueError(f"the model {name}: {wrong}") from None


def spelled(model: Model) -> tuple[str, dict[str, Any]] | None:
    """The name and the options under which `model` makes an equal one; None for a model that is
    not exactly one of these classes."""
    if type(model) not in _CLASSES:
        return None
    return model.name, model.options if isinstance(model, Register | Bank) else {}


def _near(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "no name is near it."
    return f"{hint} There are {', '.join(names)}."
