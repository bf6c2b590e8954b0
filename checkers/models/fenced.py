"""A lock that hands out fencing tokens: each greater than every one before it.

Rules
1. `acquire` answers an integer token and takes the lock where it is free; `release` gives it back
   where the same process holds it. A lock that times out or is taken away is not this object.
2. An acquire of unknown outcome took some greater token. It is taken to be the least that there is,
   the highest so far and 1: whatever tokens could follow a greater one can follow that, so no order
   is lost, and the choice among infinitely many needs one state.
3. As long as no token was ever seen there is no least: any number may have been taken, however
   small, and whatever comes is greater than that.
4. `FencedLock` reads a token as the engine's own model does, bare; `TokenLock` is the same lock for
   systems that answer {"token": n}, which may have more to say.

Sources: Kleppmann, How to do distributed locking, 2016 (fencing tokens).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from checkers.history import Call, freeze
from checkers.models.model import UNKNOWN, Effect, State, Step
from checkers.models.values import integer, refuse_operation, refuse_result, result


class FencedLock:
    """State: the process that holds it (None: nobody), the highest token taken (None: no token was
    seen). The input of a step is its process."""

    @property
    def name(self) -> str:
        return "fenced-lock"

    def read(self, call: Call) -> Step | None:
        if call.f not in ("acquire", "release"):
            refuse_operation(call, self.name, ("acquire", "release"))
        if call.outcome == "fail":
            return None
        if call.f == "release":
            return Step("release", call.invoke.process, None, effect=Effect.ANY)
        token = UNKNOWN if result(call) is UNKNOWN else _bare(call)
        return Step("acquire", call.invoke.process, token, effect=Effect.ANY)

    def init(self) -> State:
        return (None, None)

    def step(self, state: State, step: Step) -> Iterable[State]:
        holder, highest = cast(tuple[Any, int | None], state)
        if step.f == "release":
            return ((None, highest),) if holder == step.input else ()
        if holder is not None:
            return ()
        if step.output is UNKNOWN:
            return ((step.input, None if highest is None else highest + 1),)
        if highest is not None and step.output <= highest:
            return ()
        return ((step.input, step.output),)

    def describe(self, step: Step) -> str:
        if step.f == "release":
            return f"release by process {step.input}"
        token = "?" if step.output is UNKNOWN else step.output
        return f"acquire by process {step.input} -> token {token}"

    def describe_state(self, state: State) -> str:
        holder, highest = cast(tuple[Any, int | None], state)
        who = "the lock is free" if holder is None else f"process {holder} holds the lock"
        return who if highest is None else f"{who}, no later token is below {highest + 1}"


class TokenLock:
    """A FencedLock whose acquire answers {"token": n}."""

    def __init__(self) -> None:
        self._lock = FencedLock()

    @property
    def name(self) -> str:
        return "token-lock"

    def read(self, call: Call) -> Step | None:
        if call.f == "acquire" and call.outcome == "ok":
            return Step("acquire", call.invoke.process, token_of(call), effect=Effect.ANY)
        return self._lock.read(call)

    def init(self) -> State:
        return self._lock.init()

    def step(self, state: State, step: Step) -> Iterable[State]:
        return self._lock.step(state, step)

    def describe(self, step: Step) -> str:
        return self._lock.describe(step)

    def describe_state(self, state: State) -> str:
        return self._lock.describe_state(state)


def token_of(call: Call) -> int:
    """The token of an acquire that is ok, bare or in an object. Raises HistoryError without."""
    if not isinstance(call.output, dict):
        return _bare(call)
    token = freeze(call.output.get("token"))
    number = integer(token)
    if number is None:
        refuse_result(call, 'Expected {"token": n}, the fencing token, an integer')
    return number


def _bare(call: Call) -> int:
    number = integer(result(call))
    if number is None:
        refuse_result(call, "Expected the fencing token, an integer")
    return number
