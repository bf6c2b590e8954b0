"""Workers: each performs the operations of one client process against one node.

Rules
1. A worker performs one operation at a time and reports each exactly once, unless it was retired.
2. A client that cannot be opened is a certain fail (`no-client`): nothing was sent. The report is
   held back for a moment: a dead node refuses in microseconds, and its workers would otherwise do
   nothing but fail, at the expense of all others.
3. Whatever `invoke` raises is info (`exception`): the request may have left.
4. A worker ends with its first info: it closes its client, and the loop opens a successor under a
   new process number. What the old connection still delivers can therefore reach nobody.
5. A client that answers with anything but a Completion is broken, and no outcome of the system: it
   is reported as ClientBug, which ends the run.
6. Clients with plain functions get a thread each. A call that never returns keeps its thread, which
   is a daemon and does not keep the harness from ending.

Sources: the outcomes are those of Jepsen's interpreter; rule 5 is where we differ from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import queue
import threading
from collections.abc import Callable
from typing import Any

from checkers.history import Error, Operation
from harness.contracts import BrokenClient, Client, Completion

OPEN_RETRY_PAUSE_S = 0.1
CLOSE_LIMIT_S = 2.0
_TEXT_MAX = 500  # characters of an exception's text that a history keeps


class ClientBug(Exception):
    """The client broke its contract; its author is at fault, and the run ends (exit code 255)."""


Report = Callable[["Worker", "Completion | ClientBug"], None]


class Worker:
    """One client process at `node`. Must be made inside a running event loop.

    `make_client` gives a new, unopened client for the node. `report` is called from the event
    loop; it may call `dispatch` at once.
    """

    def __init__(
        self, process: int, node: str, make_client: Callable[[str], Client], report: Report
    ) -> None:
        self.process = process
        self.node = node
        self._make_client = make_client
        self._report = report
        self._client: Client | None = None
        self._loop = asyncio.get_running_loop()
        self._inbox: asyncio.Future[Operation] = self._loop.create_future()
        self.task = self._loop.create_task(self._serve(), name=f"process {process} at {node}")

    def dispatch(self, operation: Operation) -> None:
        """Start an operation; the worker must be free."""
        self._inbox.set_result(operation)

    def retire(self) -> None:
        """Stop, reporting nothing more; await `task` to know the client closed."""
        self._report = _ignore
        self.task.cancel()

    async def _serve(self) -> None:
        try:
            while True:
                operation = await self._inbox
                self._inbox = self._loop.create_future()
                result = await self._perform(operation)
                self._report(self, result)
                if isinstance(result, ClientBug) or result.type == "info":
                    return
        finally:
            await self._close()

    async def _perform(self, operation: Operation) -> Completion | ClientBug:
        client = self._client
        if client is None:
            opened = await self._open()
            if isinstance(opened, ClientBug):
                return opened
            if isinstance(opened, Completion):
                await asyncio.sleep(OPEN_RETRY_PAUSE_S)
                return opened
            client = opened
        try:
            result = await client.invoke(operation)
        except BrokenClient as wrong:
            return ClientBug(str(wrong))
        except Exception as wrong:  # noqa: BLE001 - rule 3
            return Completion("info", None, Error("exception", _text(wrong)))
        if type(result) is Completion and result.type in ("ok", "fail", "info"):
            return result
        return ClientBug(
            f"the client of {self.node} ({type(client).__name__}) answered {operation.f!r} with "
            f"{result!r}; expected a Completion of type ok, fail or info. Correct its invoke: this "
            "says nothing about the system under test."
        )

    async def _open(self) -> Client | Completion | ClientBug:
        try:
            self._client = client = threaded_if_plain(self._make_client(self.node))
            await client.open()
        except BrokenClient as wrong:
            await self._close()
            return ClientBug(str(wrong))
        except Exception as wrong:  # noqa: BLE001 - rule 2
            await self._close()
            return Completion("fail", None, Error("no-client", _text(wrong)))
        return client

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        # The connection may be broken already, which is why it is closed: there is no one who
        # could do anything about its last complaint.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await client.close()


def _ignore(_worker: Worker, _result: Completion | ClientBug) -> None:
    """Where a retired worker reports to."""


def _text(wrong: BaseException) -> str:
    return f"{type(wrong).__name__}: {wrong}"[:_TEXT_MAX]


def threaded_if_plain(client: Client) -> Client:
    """The client itself if its methods are coroutines; otherwise its methods on a thread."""
    methods = (client.open, client.invoke, client.close)
    if all(inspect.iscoroutinefunction(method) for method in methods):
        return client
    return _ThreadClient(client)


class _ThreadClient:
    """A client of plain functions, called one at a time on a thread of its own."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        name = f"client {type(client).__name__}"
        threading.Thread(target=_answer_calls, args=(self._calls,), name=name, daemon=True).start()

    async def open(self) -> None:
        await self._on_thread(self._client.open)

    async def invoke(self, operation: Operation) -> Completion:
        result: Completion = await self._on_thread(self._client.invoke, operation)
        return result

    async def close(self) -> None:
        try:
            await self._on_thread(self._client.close)
        finally:
            self._calls.put(None)

    async def _on_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        call = _Call(self._loop, function, arguments)
        self._calls.put(call)
        result = await call.answer
        return await result if inspect.isawaitable(result) else result


class _Call:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
    ) -> None:
        self.answer: asyncio.Future[Any] = loop.create_future()
        self._loop = loop
        self._function = function
        self._arguments = arguments

    def make(self) -> None:
        """On the client's thread."""
        result: Any = None
        wrong: BaseException | None = None
        try:
            result = self._function(*self._arguments)
        except BaseException as raised:  # noqa: BLE001 - handed to whoever awaits the answer
            wrong = raised
        with contextlib.suppress(RuntimeError):  # the event loop has ended: nobody waits
            self._loop.call_soon_threadsafe(self._settle, result, wrong)

    def _settle(self, result: Any, wrong: BaseException | None) -> None:
        if self.answer.done():  # given up, by the watchdog
            return
        if wrong is None:
            self.answer.set_result(result)
        else:
            self.answer.set_exception(wrong)


def _answer_calls(calls: queue.SimpleQueue[_Call | None]) -> None:
    while (call := calls.get()) is not None:
        call.make()
