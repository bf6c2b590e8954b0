"""Workload lock: acquire and release on rotating keys; mutual exclusion, or what a lease promises.

Operations: `acquire` (null -> anything, with `fencing` {"token": an integer}; held by another: a
definite fail), `release` (null -> anything). The lock is held by the process that acquired it.

Rules
1. A process that holds a key's lock releases it before it acquires it again, so that a re-entrant
   lock and another are judged alike.
2. Without `lease_ttl_s` a lock is held until its holder releases it: two holders at once contradict
   it. An acquire or release of unknown outcome may take effect at any later time, or never; the
   search tries both. Its process is retired, so the lock may stay taken for ever: a key lives
   through few such outcomes (`unknown_per_key`).
3. A lock that the system takes away, when its time is up or its client's session ends, promises no
   mutual exclusion: its holder may be paused, and another holds it meanwhile. With `lease_ttl_s`
   only what leases do promise is judged: fencing tokens strictly increase from grant to grant.
   About half of the leases are left to run out.
4. After healing every worker acquires and releases the keys used last, once, where it may (rule
   1: what it holds it releases first), and a key of its own
   until it succeeds: a key that a lost process holds for ever cannot show that the system lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from checkers.budget import Budget
from checkers.consensus import Termination
from checkers.coverage import Coverage
from checkers.fencing import FencingTokens
from checkers.history import Operation
from checkers.laws import Laws
from checkers.linearizability import Linearizable
from checkers.models import Lock as LockModel
from checkers.models import Model, TokenLock
from checkers.verdict import Checker
from harness.generators import (
    PENDING,
    Answer,
    Context,
    Generator,
    Invocation,
    constant,
    deferred,
    for_each_worker,
    sequence,
    time_limit,
    watch,
)
from harness.workloads.keys import FINAL_TIME_LIMIT_S, KeyOptions, UsedKeys, persistent, rotating
from harness.workloads.options import Count, Seconds, convert

_FINAL_PREFIX = "f"
_HOLDER_TURNS = 0.5  # of operations, where a holder is free
_LEFT_TO_RUN_OUT = 0.5


class Options(KeyOptions, frozen=True, kw_only=True):
    """`fencing`: does an acquire answer a token? `lease_ttl_s`: how long a lock is held at most,
    0 for one that is never taken away; the system is told of it by an option of its own."""

    keys_quick: Count = 2
    keys_slow: Count = 3
    operations_per_key: Count = 60
    unknown_per_key: Count = 2
    fencing: bool = False
    lease_ttl_s: Seconds = 0.0


class _OfKey(msgspec.Struct, frozen=True):
    """Operations on one lock. `holders`: the processes that hold it, as far as they know; `leased`:
    is it a lease, which its holder may forget?"""

    leased: bool
    holders: frozenset[int] = frozenset()

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if not context.free:
            return PENDING, self
        holding = [w for w in context.free if context.processes[w] in self.holders]
        # Left to chance alone, most would ask in vain for what the one holder keeps.
        turns = bool(holding) and context.random.random() < _HOLDER_TURNS
        worker = context.random.choice(holding) if turns else context.any_free()
        process = context.processes[worker]
        if process not in self.holders:
            return Invocation(worker, "acquire"), self
        if self.leased and context.random.random() < _LEFT_TO_RUN_OUT:
            return Invocation(worker, "acquire"), _OfKey(self.leased, self.holders - {process})
        return Invocation(worker, "release"), self

    def update(self, context: Context, event: Operation) -> Generator:  # noqa: ARG002
        if event.type == "invoke" or not isinstance(event.process, int):
            return self
        if event.f == "acquire" and event.type == "ok":
            return _OfKey(self.leased, self.holders | {event.process})
        # A lease that cannot be released has most likely run out.
        over = event.type != "fail" or self.leased
        if event.f == "release" and over:
            return _OfKey(self.leased, self.holders - {event.process})
        return self


class _Holders:
    """Which process holds which lock, as far as it knows. `leased`: as _OfKey."""

    def __init__(self, *, leased: bool) -> None:
        self._leased = leased
        self._held: set[tuple[int | str, Any]] = set()

    def see(self, event: Operation) -> None:
        if event.type == "invoke":
            return
        lock = (event.process, event.key)
        if event.f == "acquire" and event.type == "ok":
            self._held.add(lock)
        elif event.f == "release" and (event.type != "fail" or self._leased):
            self._held.discard(lock)

    def holds(self, process: int | str, key: str) -> bool:
        return (process, key) in self._held


class _Where(msgspec.Struct, frozen=True):
    """Of one worker: `f` once, where its process does (`held`) or does not hold the lock."""

    f: str
    key: str
    held: bool
    holders: _Holders
    asked: bool = False

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if self.asked:
            return None, self
        if not context.free:
            return PENDING, self
        worker = context.any_free()
        if self.holders.holds(context.processes[worker], self.key) != self.held:
            return None, self
        after = msgspec.structs.replace(self, asked=True)
        return Invocation(worker, self.f, key=self.key), after

    def update(self, context: Context, event: Operation) -> Generator:  # noqa: ARG002
        return self


class Lock:
    """See the head of this module. One object serves one run."""

    name = "lock"
    operations = ("acquire", "release")

    def __init__(self, options: Mapping[str, Any], check_time_limit_s: float) -> None:
        self._options = convert(options, Options)
        self._check_time_limit_s = check_time_limit_s
        self._used = UsedKeys()
        self._holders = _Holders(leased=self._options.lease_ttl_s > 0)

    def generator(self) -> Generator:
        leased = self._options.lease_ttl_s > 0
        main = rotating(lambda _key: _OfKey(leased), self._options, self._used)
        return watch(self._holders.see, main)

    def final_generator(self) -> Generator:
        def visit(key: str) -> Generator:
            turns = (("release", True), ("acquire", False), ("release", True))
            return sequence(*(_Where(f, key, held, self._holders) for f, held in turns))

        def of_worker(worker: int, _workers: int) -> Generator:
            recent = self._used.last_first()[: self._options.final_by_all]
            own = f"{_FINAL_PREFIX}{worker}"
            return sequence(
                *map(visit, recent),
                persistent(constant("acquire", key=own)),
                persistent(constant("release", key=own)),
            )

        final = deferred(lambda: time_limit(FINAL_TIME_LIMIT_S, for_each_worker(of_worker)))
        return watch(self._holders.see, final)

    def checkers(self) -> Sequence[Checker]:
        o = self._options
        model: Model = TokenLock() if o.fencing else LockModel()
        search = Linearizable(model, Budget(time_s=self._check_time_limit_s))
        return (
            *((FencingTokens(lease_ttl_s=o.lease_ttl_s),) if o.fencing else ()),
            *(() if o.lease_ttl_s else (search,)),
            Laws(),
            Termination(),
            Coverage(operations=self.operations, final=("acquire",)),
        )


def contradictions(options: Mapping[str, Any]) -> list[str]:
    """Mistakes that no option shows alone."""
    o = convert(options, Options)
    if o.lease_ttl_s and not o.fencing:
        return [
            f"lease_ttl_s is {o.lease_ttl_s:g} and fencing is off: a lock that is taken away "
            "promises nothing but its tokens. Turn fencing on, or set lease_ttl_s to 0."
        ]
    return []
