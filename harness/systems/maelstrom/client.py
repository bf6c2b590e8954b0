"""A client of one node of a maelstrom cluster.

Rules
1. What an error means is the registry's (see errors): a definite one is `fail`, any other `info`.
   What changes nothing fails definitely, however it fails.
2. Error 22 on a compare-and-set says that the value was another: `compare-failed`. So does error 20
   (there is no such key) where the expected value was one; where null was expected it says nothing,
   since a key that is not there is null to the model.
3. A read of a key that is not there (error 20) reads null. Of objects without keys it is an error
   like others: a set that a node cannot find in its store is not an empty one.
4. Nothing was sent, so `fail`: only where no connection could be had. The router takes none for a
   node that is dead or has not answered its init.
5. An answer against the protocol is a mistake of the node and called one: `bad-answer`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from checkers.history import COMPARE_FAILED, Error, Operation
from harness.contracts import Address, Completion
from harness.systems.maelstrom.calls import BadAnswer, Body, NotAskable, Rpc
from harness.systems.maelstrom.errors import MISMATCH, NO_KEY, kind
from harness.systems.maelstrom.rpc import Connection, NoAnswer, connect

BAD_ANSWER = "bad-answer"
ANSWER_SHOWN_CHARS = 120
# A worker that is refused tries again at once: without this pause it would fill the history.
REFUSED_PAUSE_S = 0.05


class MaelstromClient:
    """Implements harness.contracts.Client. `timeout_s` bounds an operation, and opening."""

    def __init__(
        self, node: str, address: Address, calls: Mapping[str, Rpc], timeout_s: float
    ) -> None:
        self._node, self._address, self._calls = node, address, calls
        self._timeout_s = timeout_s
        self._connection: Connection | None = None

    async def open(self) -> None:
        """Raises OSError if the node cannot be reached."""
        await self._connect(asyncio.get_running_loop().time() + self._timeout_s)

    async def invoke(self, operation: Operation) -> Completion:
        try:
            call, request = self._asked(operation)
        except NotAskable as refused:
            await asyncio.sleep(REFUSED_PAUSE_S)
            return Completion("fail", error=Error("no-call", str(refused)))
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        connection = self._connection
        if connection is None or connection.lost:
            try:
                connection = await self._connect(deadline)
            except OSError as trouble:
                return Completion("fail", error=Error("unreachable", f"{self._node}: {trouble}"))
        try:
            answer = await connection.ask(request, deadline)
            return _completion(operation, call, request["type"], answer)
        except TimeoutError:
            wrong = Error("timeout", f"no answer in {self._timeout_s:g} s")
        except ConnectionError as trouble:
            wrong = Error("connection-lost", str(trouble))
        except (NoAnswer, BadAnswer) as trouble:
            wrong = Error(BAD_ANSWER, f"{self._node}: {trouble}")
        return Completion("info" if call.changes(operation) else "fail", error=wrong)

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _asked(self, operation: Operation) -> tuple[Rpc, Body]:
        call = self._calls.get(operation.f)
        if call is None:
            known = ", ".join(self._calls)
            raise NotAskable(f"{operation.f!r} is none of this workload's operations: {known}")
        return call, call.request(operation)

    async def _connect(self, deadline: float) -> Connection:
        await self.close()
        try:
            self._connection = await connect(self._address, deadline)
        except OSError:
            await asyncio.sleep(REFUSED_PAUSE_S)
            raise
        return self._connection


def _completion(operation: Operation, call: Rpc, asked: str, answer: Body) -> Completion:
    """Raises BadAnswer."""
    told = answer.get("type")
    if told == "error":
        return _refused(operation, call, answer)
    if told != f"{asked}_ok":
        shown = f"{answer!r:.{ANSWER_SHOWN_CHARS}}"
        raise BadAnswer(f"{shown} answers a {asked}: its type must be {asked}_ok or error")
    try:
        return Completion("ok", call.value(operation, answer))
    except BadAnswer as wrong:
        raise BadAnswer(f"{answer!r:.{ANSWER_SHOWN_CHARS}} is no {asked}_ok: {wrong}") from wrong


def _refused(operation: Operation, call: Rpc, answer: Body) -> Completion:
    code: Any = answer.get("code")
    if type(code) is not int:
        raise BadAnswer(f"{answer!r:.{ANSWER_SHOWN_CHARS}} is an error whose code is no integer")
    known = kind(code)
    error = Error(known.name, str(answer.get("text") or ""))
    if code == NO_KEY and operation.f == "read" and operation.key is not None:
        return Completion("ok", None)
    if operation.f == "cas":
        expected = operation.value[0]
        if code == MISMATCH or (code == NO_KEY and expected is not None):
            return Completion("fail", error=Error(COMPARE_FAILED, error.text))
    definite = known.definite or not call.changes(operation)
    return Completion("fail" if definite else "info", error=error)
