"""A client of one member: the operations of each workload, by name.

Rules
1. What an operation is in etcd's terms stands in the recipes; how one ends that breaks off, in the
   session.
2. A pause follows what was refused: who asks a dead member again at once only fills the history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from checkers.history import Error, Operation
from harness.contracts import Address, Completion
from harness.systems.etcd import counters, lists, queues, registers, sets, watches
from harness.systems.etcd.locks import Holdings
from harness.systems.etcd.session import REFUSED_PAUSE_S, Session, Settings

Recipe = Callable[[Session, bytes, Operation], Awaitable[Completion]]

WORKLOADS: Mapping[str, Mapping[str, Recipe]] = {
    "register": {"read": registers.read, "write": registers.write, "cas": registers.cas},
    "set": {"add": sets.add, "read": sets.read},
    "queue": {"enqueue": queues.enqueue, "dequeue": queues.dequeue},
    "counter": {"add": counters.add, "read": counters.read},
    "lock": {},  # its operations need what a client holds: see EtcdClient
    "watch": {"write": watches.write, "read": watches.read, "watch": watches.watch},
    "txn-list-append": {"txn": lists.txn},
}

# Those that took their time already, or that no haste repeats.
_UNHURRIED = ("timeout", "held", "not-held")


class EtcdClient:
    """Implements harness.contracts.Client. `timeout_s` bounds an operation, and opening; a watch
    lasts as long as it is asked to."""

    def __init__(
        self, node: str, address: Address, workload: str, timeout_s: float, settings: Settings
    ) -> None:
        self._session = Session(node, address, timeout_s, settings)
        self._workload = workload
        self._prefix = f"{workload}/".encode()
        self._recipes = dict(WORKLOADS[workload])
        if workload == "lock":
            holdings = Holdings()
            self._recipes = {"acquire": holdings.acquire, "release": holdings.release}

    async def open(self) -> None:
        """Raises OSError if the member cannot be reached or does not answer; with a guard, also
        where its keys cannot be written."""
        self._session.begin()
        await self._session.connect()
        if self._session.settings.guard:
            await self._session.preload()

    async def invoke(self, operation: Operation) -> Completion:
        recipe = self._recipes.get(operation.f)
        if recipe is None:
            known = ", ".join(self._recipes)
            text = f"{operation.f!r} is no operation of {self._workload!r} here: {known}"
            return await self._paused(Completion("fail", error=Error("unsupported", text)))
        self._session.begin()
        try:
            return await recipe(self._session, self._prefix, operation)
        except Exception as wrong:  # noqa: BLE001 - ended() raises again what it does not know
            return await self._paused(self._session.ended(wrong))

    async def close(self) -> None:
        self._session.close()

    async def _paused(self, completion: Completion) -> Completion:
        if completion.error is not None and completion.error.code not in _UNHURRIED:
            await asyncio.sleep(REFUSED_PAUSE_S)
        return completion
