"""A bank: transfer an amount from one account to another, read all balances.

Rules
1. `transfer` {from, to, amount} answers anything; `read` answers {account: balance}, or a list of
   the balances of the accounts 0, 1, 2 ... An account that is not listed has 0.
2. Where nobody says what the accounts began with, the first read to take effect tells, whatever it
   says; what comes after it is judged. A read that may be the first changes what is known, so it is
   no observation; every read that was invoked after one had returned is.
3. A transfer may overdraw an account unless `overdraft` is False. Then one that would leave an
   account it touches below 0 did not happen.

Sources: the bank workload of Jepsen, from which the shapes of the values are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, cast

from checkers.history import Call
from checkers.models.model import UNKNOWN, Effect, State, Step
from checkers.models.values import integer, refuse, refuse_operation, refuse_result, result

Balances = tuple[tuple[str, int], ...]  # by account, in order, those of 0 left out

_TRANSFER = "Expected {from, to, amount}: two accounts by name or number, and an integer."


class Bank:
    """State: are the balances known, and the balances; those since the start while they are not.

    `balances` at the start by account; or `accounts`, numbered from 0, with `balance` in each;
    without either they are unknown. Raises ValueError where these do not fit together.
    """

    def __init__(
        self,
        *,
        balances: Mapping[Any, int] | None = None,
        accounts: int | None = None,
        balance: int | None = None,
        overdraft: bool = True,
    ) -> None:
        self._known = _initial(balances, accounts, balance)
        if not isinstance(overdraft, bool):
            raise ValueError(f"overdraft is {overdraft!r}: expected true or false")
        if not overdraft and self._known is None:
            raise ValueError(
                "overdraft is false and nobody says what the accounts begin with: give balances as "
                "well, or accounts and balance"
            )
        self._overdraft = overdraft
        self._told: int | None = None  # index of the first completion that told the balances

    @property
    def name(self) -> str:
        return "bank"

    @property
    def options(self) -> dict[str, Any]:
        balances = None if self._known is None else dict(self._known)
        return {"balances": balances, "overdraft": self._overdraft}

    def read(self, call: Call) -> Step | None:
        if call.f == "read":
            output = result(call)
            if output is UNKNOWN:
                return None
            balances = _balances(call.output)
            if balances is None:
                refuse_result(call, "Expected {account: balance} with integers")
            known = self._known is not None or (self._told is not None and call.index > self._told)
            effect = Effect.OBSERVES if known else Effect.ANY
            return Step("read", None, balances, effect=effect)
        if call.f != "transfer":
            refuse_operation(call, self.name, ("transfer", "read"))
        moved = _transfer(call.input)
        if moved is None:
            refuse(call, f"the value of 'transfer' is {call.input!r}", _TRANSFER)
        if call.outcome == "fail":
            return None
        effect = Effect.TOTAL if self._overdraft else Effect.ANY
        return Step("transfer", moved, None, effect=effect)

    def given(self, calls: Iterable[Call]) -> Bank:
        reads = (c for c in calls if c.f == "read" and c.outcome == "ok")
        told = [c.completion.index for c in reads if c.completion is not None]
        learned = copy.copy(self)
        learned._told = min(told, default=None)
        return learned

    def init(self) -> State:
        return (False, ()) if self._known is None else (True, self._known)

    def step(self, state: State, step: Step) -> Iterable[State]:
        known, balances = cast(tuple[bool, Balances], state)
        if step.f == "read":
            return ((True, step.output),) if not known or balances == step.output else ()
        source, target, amount = step.input
        after = dict(balances)
        after[source] = after.get(source, 0) - amount
        after[target] = after.get(target, 0) + amount
        if not self._overdraft and min(after[source], after[target]) < 0:
            return ()
        return ((known, _sorted(after)),)

    def requires(self, step: Step) -> tuple[State] | tuple[()]:
        return ((True, step.output),) if step.effect is Effect.OBSERVES else ()

    def describe(self, step: Step) -> str:
        if step.f == "read":
            return f"read -> {_show(step.output)}"
        source, target, amount = step.input
        return f"transfer {amount} from {source} to {target}"

    def describe_state(self, state: State) -> str:
        known, balances = cast(tuple[bool, Balances], state)
        return f"the {'balances are' if known else 'changes since the start are'} {_show(balances)}"


def _initial(
    balances: Mapping[Any, int] | None, accounts: int | None, balance: int | None
) -> Balances | None:
    if balances is not None:
        if accounts is not None or balance is not None:
            raise ValueError("balances says it all: leave out accounts and balance")
        read = _balances(balances)
        if read is None:
            raise ValueError(f"balances is {balances!r}: expected {{account: balance}}, integers")
        return read
    if accounts is None:
        if balance is not None:
            raise ValueError("balance is that of each account: say how many accounts there are")
        return None
    if isinstance(accounts, bool) or not isinstance(accounts, int) or accounts < 1:
        raise ValueError(f"accounts is {accounts!r}: expected how many, 1 or more")
    if balance is None or isinstance(balance, bool) or not isinstance(balance, int):
        raise ValueError(f"balance is {balance!r}: expected what each account has, an integer")
    return _sorted({str(account): balance for account in range(accounts)})


def _balances(value: Any) -> Balances | None:
    """What a read answers, None if it cannot be read."""
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, Mapping):
        return None
    read: dict[str, int] = {}
    for account, balance in value.items():
        number = _amount(balance)
        if number is None:
            return None
        read[str(account)] = number
    return _sorted(read)


def _transfer(value: Any) -> tuple[str, str, int] | None:
    if not isinstance(value, Mapping):
        return None
    source, target = _account(value.get("from")), _account(value.get("to"))
    amount = _amount(value.get("amount"))
    if source is None or target is None or amount is None:
        return None
    return source, target, amount


def _account(value: Any) -> str | None:
    """An account by its name; a read names the accounts as the members of an object, by text."""
    number = _amount(value)
    if number is not None:
        return str(number)
    return value if isinstance(value, str) else None


def _amount(value: Any) -> int | None:
    return None if isinstance(value, bool) else integer(value)


def _sorted(balances: Mapping[str, int]) -> Balances:
    return tuple(sorted((a, b) for a, b in balances.items() if b))


def _show(balances: Balances) -> str:
    return "{" + ", ".join(f"{account}: {balance}" for account, balance in balances) + "}"
