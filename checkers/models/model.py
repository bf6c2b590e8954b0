"""What a model is: a sequential specification, the judge's idea of a correct object.

Rules
1. A model is pure: `step` depends on its arguments only and changes nothing.
2. States are hashable and immutable; two equal states are the same state for ever after.
3. Values reach the model frozen (checkers.history.freeze), so equality means JSON equality.
4. What a model cannot read it refuses in `read`, before any search, naming the operation.
5. What a model promises about a step (`Effect`) holds in every state; when in doubt it promises
   nothing (ANY), which costs time and never a wrong verdict.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterable
from typing import Any, Protocol, runtime_checkable

import msgspec

from checkers.history import Call

State = Hashable


class Unknown(enum.Enum):
    """The output of an operation whose completion nobody saw: any output is possible."""

    UNKNOWN = "?"

    def __repr__(self) -> str:
        return "?"


UNKNOWN = Unknown.UNKNOWN


class Effect(enum.StrEnum):
    """What a step, its output included, does in whatever state it is taken.

    OBSERVES: where it is legal it leaves the state as it was (a read). OVERWRITES: legal in every
    state, and the states after it are the same whatever the state before (a write). TOTAL: legal in
    every state (an append). ANY: nothing is promised (a compare-and-set).
    """

    OBSERVES = "observes"
    OVERWRITES = "overwrites"
    TOTAL = "total"
    ANY = "any"


class Step(msgspec.Struct, frozen=True):
    """An operation as a model sees it: name, frozen input, frozen output or UNKNOWN.

    `failed` is True for a call that the system definitely refused *and* whose refusal is evidence
    about the state (a compare-and-set that did not match); it changes nothing if it is legal.
    """

    f: str
    input: Any
    output: Any
    failed: bool = False
    effect: Effect = Effect.ANY


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

    def describe_state(self, state: State) -> str:
        """The state as a clause for people, as in 'the value is 3'."""
        ...


@runtime_checkable
class Foresees(Protocol):
    """A model that can tell early that a state leads nowhere; optional.

    It is what keeps growing objects cheap: of all orders of ten concurrent appends only those
    survive that the next read can confirm.
    """

    def leads_to(self, state: State, step: Step) -> bool:
        """Can `step`, which observes, become legal after some steps that are TOTAL and do not
        overwrite? True when in doubt; False is a promise."""
        ...


@runtime_checkable
class Learns(Protocol):
    """A model that promises more of the steps of a key once it has seen all its calls; optional."""

    def given(self, calls: Iterable[Call]) -> Model:
        """The model for these calls, of one key and from the start of its history. It judges them
        as this one does; it may promise more (`Effect`, `requires`), of the states that a step can
        meet when calls that returned before it have taken effect."""
        ...


@runtime_checkable
class Requires(Protocol):
    """A model that knows the state before a step from the step alone; optional.

    Such a step is an anchor: whatever happened before it, a search can begin there.
    """

    def requires(self, step: Step) -> tuple[State] | tuple[()]:
        """The one state in which the step is legal, whatever came before; empty where it is legal
        in several, or in none that one can name. A state named here is a promise."""
        ...
