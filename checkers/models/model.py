"""What a model is: a sequential specification, the judge's idea of a correct object.

Rules
1. A model is pure: `step` depends on its arguments only and changes nothing.
2. States are hashable and immutable; two equal states are the same state for ever after.
3. Values reach the model frozen (checkers.history.freeze), so equality means JSON equality.
4. What a model cannot read it refuses in `read`, before any search, naming the operation.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterable
from typing import Any, Protocol

import msgspec

from checkers.history import Call

State = Hashable


class Unknown(enum.Enum):
    """The output of an operation whose completion nobody saw: any output is possible."""

    UNKNOWN = "?"

    def __repr__(self) -> str:
        return "?"


UNKNOWN = Unknown.UNKNOWN


class Step(msgspec.Struct, frozen=True):
    """An operation as a model sees it: name, frozen input, frozen output or UNKNOWN.

    `failed` is True for a call that the system definitely refused *and* whose refusal is evidence
    about the state (a compare-and-set that did not match); it changes nothing if it is legal.
    """

    f: str
    input: Any
    output: Any
    failed: bool = False


class Model(Protocol):
    """A sequential specification of one object (one key)."""

    @property
    def name(self) -> str: ...

    def read(self, call: Call) -> Step | None:
        """The call as a step; None where it constrains nothing (a fail that is no evidence, a
        read of unknown outcome). Raises HistoryError where the model cannot read its values."""
        ...

    def init(self) -> State: ...

    def step(self, state: State, step: Step) -> Iterable[State]:
        """The states after `step`; empty where it is illegal in `state`. Several states mean the
        specification leaves a choice."""
        ...

    def describe(self, step: Step) -> str:
        """The step for people, as in 'write 3' or 'read -> 4'."""
        ...

    def describe_state(self, state: State) -> str: ...
