"""Sequential specifications, by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from checkers.models.consensus import Consensus
from checkers.models.counter import Counter
from checkers.models.keyed import KeyedString
from checkers.models.lock import Lock
from checkers.models.log import Log
from checkers.models.model import UNKNOWN, Effect, Foresees, Model, State, Step
from checkers.models.queues import FifoQueue, UnorderedQueue
from checkers.models.register import Register
from checkers.models.sets import GrowSet

__all__ = [
    "MODELS",
    "UNKNOWN",
    "Consensus",
    "Counter",
    "Effect",
    "FifoQueue",
    "Foresees",
    "GrowSet",
    "KeyedString",
    "Lock",
    "Log",
    "Model",
    "Register",
    "State",
    "Step",
    "UnorderedQueue",
    "model",
]

MODELS: Mapping[str, Callable[[], Model]] = MappingProxyType(
    {
        "register": Register,
        "cas-register": lambda: Register(compare_and_set=True),
        "kv": KeyedString,
        "log": Log,
        "consensus": Consensus,
        "counter": Counter,
        "set": GrowSet,
        "fifo-queue": FifoQueue,
        "unordered-queue": UnorderedQueue,
        "lock": Lock,
    }
)


def model(name: str) -> Model:
    """A model by name. Raises ValueError, naming the nearest valid names, where there is none."""
    if name in MODELS:
        return MODELS[name]()
    near = difflib.get_close_matches(name, MODELS, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "no name is near it."
    raise ValueError(f"no model is called {name!r}: {hint} Models: {', '.join(MODELS)}")
