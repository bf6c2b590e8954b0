"""A client's dealings with one member: its connection, its deadline, and what it is in doubt of.

Rules
1. An operation is in doubt exactly while a change of it is out whose fate is not known: from before
   it is sent until its answer, or an error by which it certainly did not happen. What then breaks
   makes it info, and fail otherwise. Recipes of several steps need no more thought.
2. A connection counts once the member has answered on it: something between may accept for a member
   that is dead, and each request lost there would be info for ever.
3. With a guard of n keys every change is a transaction that also asks whether n keys are there, by
   comparing their versions in one range, as clients do whose changes depend on a table of leases or
   locks. The keys are written before the first operation and never again: the compare holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from checkers.history import Error
from harness.contracts import Address, Completion
from harness.systems.etcd import wire
from harness.systems.etcd.errors import code_of, is_definite
from harness.systems.etcd.http import Connection, ProtocolError
from harness.systems.etcd.wire import RangeAnswer, Refused, Status, TxnAnswer

AnyAnswer = TypeVar("AnyAnswer")

GUARD = b"guard/"
_GUARD_CHUNK = 100  # puts in a transaction; etcd allows 128
_PAGE = 10_000  # keys in one answer, which etcd's own limit of 4 MiB bounds
# A worker that is refused tries again at once: without a pause it would fill the history with
# thousands of refusals a second.
REFUSED_PAUSE_S = 0.05


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a trial that clients heed."""

    serializable: bool = False
    guard: int = 0
    watch_until: str = "time"
    lease_ttl_s: int = 0


class Unreachable(Exception):
    """No connection could be had: nothing was sent."""


class Fails(Exception):
    """The operation certainly did nothing, for a reason that is the recipe's own."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(text)
        self.error = Error(code, text)


class Session:
    """Of one client. `begin` starts the time of an operation."""

    def __init__(self, node: str, address: Address, timeout_s: float, settings: Settings) -> None:
        self.node, self.address, self.timeout_s = node, address, timeout_s
        self.settings = settings
        self.deadline = 0.0
        self._in_doubt = False
        self._connection: Connection | None = None

    def begin(self) -> None:
        self.deadline = asyncio.get_running_loop().time() + self.timeout_s
        self._in_doubt = False

    async def connect(self) -> None:
        """Raises OSError where the member cannot be reached or does not answer."""
        self.close()
        self._connection = await connected(self.address, self.deadline)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def call(self, path: str, request: Any, answer: type[AnyAnswer]) -> AnyAnswer:
        """Of something whose effect, if any, is none that a history tells of. Raises Unreachable,
        OSError, Refused, ProtocolError."""
        return await wire.call(await self._ready(), path, request, answer, self.deadline)

    async def change(
        self,
        compare: Sequence[dict[str, Any]],
        success: Sequence[dict[str, Any]],
        failure: Sequence[dict[str, Any]] = (),
    ) -> TxnAnswer:
        """A transaction that changes something (rules 1 and 3). Raises as `call` does."""
        if self.settings.guard:
            compare = (*compare, _GUARDED)
        return await self._change("/v3/kv/txn", wire.txn(compare, success, failure), TxnAnswer)

    async def put(self, key: bytes, value: bytes) -> int:
        """The revision of the write. With a guard, Fails where it did not hold."""
        if not self.settings.guard:
            request = wire.put(key, value)
            return (await self._change("/v3/kv/put", request, wire.PutAnswer)).header.revision
        answer = await self.change((), ({"request_put": wire.put(key, value)},))
        if not answer.succeeded:
            raise guard_failed()
        return answer.header.revision

    async def range(self, key: bytes, **more: Any) -> RangeAnswer:
        """Linearizable, unless the trial's reads are serializable."""
        request = {"key": key, "serializable": self.settings.serializable, **more}
        return await self.call("/v3/kv/range", request, RangeAnswer)

    async def all_keys(self, prefix: bytes) -> list[bytes]:
        """All keys with a prefix at one revision, in as many answers as it takes."""
        end, at = wire.key_after(prefix), prefix
        keys: list[bytes] = []
        revision = 0
        while True:
            answer = await self.range(
                at, range_end=end, keys_only=True, limit=_PAGE, revision=revision
            )
            keys += [kv.key for kv in answer.kvs]
            if not answer.more or not answer.kvs:
                return keys
            # The revision of the first answer stands for all, so that they are one read.
            revision = revision or answer.header.revision
            at = answer.kvs[-1].key + b"\0"

    def unreachable(self, wrong: OSError) -> Unreachable:
        return Unreachable(f"{self.node}: {str(wrong) or 'no answer in time'}")

    def ended(self, wrong: Exception) -> Completion:
        """How an operation ended that `wrong` broke off (rule 1); raises what is a bug of ours."""
        if isinstance(wrong, Fails):
            return Completion("fail", error=wrong.error)
        error = _error(wrong, self.timeout_s)
        if error is None:
            raise wrong
        return Completion("info" if self._in_doubt else "fail", error=error)

    async def preload(self) -> None:
        """Write the keys of the guard that are missing, in transactions of which each takes effect
        once, however many clients do this at a time. Raises as `call` does."""
        n = self.settings.guard
        end = wire.key_after(GUARD)
        request = {"key": GUARD, "range_end": end, "count_only": True}
        if (await self.call("/v3/kv/range", request, RangeAnswer)).count >= n:
            return
        for first in range(0, n, _GUARD_CHUNK):
            keys = [b"%b%06d" % (GUARD, i) for i in range(first, min(first + _GUARD_CHUNK, n))]
            puts = [{"request_put": wire.put(key, b"held")} for key in keys]
            request = wire.txn([wire.equal_revision(keys[0], 0)], puts)
            await self.call("/v3/kv/txn", request, TxnAnswer)

    async def _change(self, path: str, request: Any, answer: type[AnyAnswer]) -> AnyAnswer:
        connection = await self._ready()
        if asyncio.get_running_loop().time() >= self.deadline:
            raise TimeoutError("the time was over before it was sent")  # and so it is no doubt
        self._in_doubt = True
        try:
            result = await wire.call(connection, path, request, answer, self.deadline)
        except Refused as wrong:
            self._in_doubt = not is_definite(wrong)
            raise
        self._in_doubt = False
        return result

    async def _ready(self) -> Connection:
        if self._connection is None or self._connection.lost:
            try:
                await self.connect()
            except OSError as wrong:
                raise self.unreachable(wrong) from wrong
        assert self._connection is not None, "connect sets it or raises"
        return self._connection


async def connected(address: Address, deadline: float) -> Connection:
    """A connection on which the member has answered (rule 2). Raises OSError."""
    connection = await Connection.open(address, deadline)
    try:
        await wire.call(connection, "/v3/maintenance/status", {}, Status, deadline)
    except (ProtocolError, Refused) as wrong:
        connection.close()
        raise OSError(f"it does not answer as etcd does: {wrong}") from wrong
    except BaseException:
        connection.close()
        raise
    return connection


def guard_failed() -> Fails:
    return Fails("guard-failed", "a key of the guard is missing, though all were written")


def _error(wrong: Exception, timeout_s: float) -> Error | None:
    """None for what is no failure of the system or of the way to it."""
    match wrong:
        case Unreachable():
            return Error("unreachable", str(wrong))
        case TimeoutError():
            return Error("timeout", f"no answer in {timeout_s:g} s")
        case OSError():
            return Error("connection-lost", str(wrong))
        case ProtocolError():
            return Error("bad-answer", str(wrong))
        case Refused():
            return Error(code_of(wrong), wrong.message)
    return None


_GUARDED = {
    "key": GUARD,
    "range_end": wire.key_after(GUARD),
    "target": "VERSION",
    "result": "GREATER",
    "version": 0,
}
