"""Workers: what a client does becomes one report each, and what it must not do is named."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from checkers.history import Operation
from harness import worker as worker_module
from harness.contracts import Completion
from harness.worker import ClientBug, Worker

READ = Operation(0, 0, 0, "invoke", "read", None, "k", "n1")


class Scripted:
    """A client whose `invoke` is a function; counts what was called."""

    def __init__(self, invoke: Callable[[Operation], Any], calls: list[str]) -> None:
        self._invoke = invoke
        self._calls = calls

    async def open(self) -> None:
        self._calls.append("open")

    async def invoke(self, operation: Operation) -> Any:
        self._calls.append("invoke")
        return self._invoke(operation)

    async def close(self) -> None:
        self._calls.append("close")


class Plain:
    """A client of plain functions; notes the thread of each call."""

    def __init__(self, invoke: Callable[[Operation], Any], threads: list[int]) -> None:
        self._invoke = invoke
        self._threads = threads

    def open(self) -> None:
        self._threads.append(threading.get_ident())

    def invoke(self, operation: Operation) -> Any:
        self._threads.append(threading.get_ident())
        return self._invoke(operation)

    def close(self) -> None:
        self._threads.append(threading.get_ident())


def results(make: Callable[[str], Any], operations: int = 1) -> list[Any]:
    """What a worker reports on so many operations, one after another; then it is retired."""

    async def drive() -> list[Any]:
        reports: asyncio.Queue[Any] = asyncio.Queue()
        worker = Worker(3, "n1", make, lambda _worker, result: reports.put_nowait(result))
        found = []
        for _ in range(operations):
            worker.dispatch(READ)
            async with asyncio.timeout(10):
                found.append(await reports.get())
        worker.retire()
        await asyncio.wait([worker.task])
        assert reports.empty()
        return found

    return asyncio.run(drive())


def raising(wrong: Exception) -> Callable[[Operation], Any]:
    def invoke(_operation: Operation) -> Any:
        raise wrong

    return invoke


def test_one_client_serves_many_operations() -> None:
    """The client is opened once, and closed when the worker ends."""
    calls: list[str] = []
    found = results(lambda _n: Scripted(lambda _o: Completion("ok", 7), calls), 3)
    assert found == [Completion("ok", 7)] * 3
    assert calls == ["open", "invoke", "invoke", "invoke", "close"]


def test_a_fail_keeps_the_client() -> None:
    """Only info ends a process."""
    calls: list[str] = []
    results(lambda _n: Scripted(lambda _o: Completion("fail"), calls), 2)
    assert calls == ["open", "invoke", "invoke", "close"]


def test_an_exception_is_info_with_its_text() -> None:
    """Whatever invoke raises: the request may have left. The worker ends, its client closed."""
    calls: list[str] = []
    (found,) = results(lambda _n: Scripted(raising(OSError("reset")), calls))
    assert (found.type, found.error.code, found.error.text) == (
        "info",
        "exception",
        "OSError: reset",
    )
    assert calls == ["open", "invoke", "close"]


def test_a_worker_ends_with_its_first_info() -> None:
    """Nobody has to retire it: the client is closed, and the task is over."""
    calls: list[str] = []

    async def drive() -> None:
        async with asyncio.timeout(10):
            worker = Worker(
                0,
                "n1",
                lambda _n: Scripted(lambda _o: Completion("info"), calls),
                lambda _worker, _result: None,
            )
            worker.dispatch(READ)
            await worker.task

    asyncio.run(drive())
    assert calls == ["open", "invoke", "close"]


def test_a_client_that_cannot_be_opened_is_a_certain_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing was sent; the next operation tries a new client."""
    monkeypatch.setattr(worker_module, "OPEN_RETRY_PAUSE_S", 0.001)
    made: list[int] = []

    class Refused(Scripted):
        async def open(self) -> None:
            if len(made) < 3:
                raise ConnectionRefusedError("nobody listens")

    def make(_node: str) -> Refused:
        made.append(1)
        return Refused(lambda _o: Completion("ok"), [])

    first, second, third = results(make, 3)
    assert (first.type, first.error.code) == ("fail", "no-client")
    assert first.error.text == "ConnectionRefusedError: nobody listens"
    assert (second.type, third.type) == ("fail", "ok")


def test_a_factory_that_raises_is_a_fail_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """No client at all: nothing was sent."""
    monkeypatch.setattr(worker_module, "OPEN_RETRY_PAUSE_S", 0.001)

    def make(_node: str) -> Any:
        raise ValueError("no port")

    (found,) = results(make)
    assert (found.type, found.error.code) == ("fail", "no-client")


@pytest.mark.parametrize("nonsense", [None, "ok", ("ok", 1), Completion("maybe")])  # type: ignore[arg-type]
def test_nonsense_is_the_clients_bug_and_no_outcome(nonsense: Any) -> None:
    """A broken client must not be recorded as an indeterminate system."""
    (found,) = results(lambda _n: Scripted(lambda _o: nonsense, []))
    assert isinstance(found, ClientBug)
    assert "Scripted" in str(found)
    assert repr(nonsense) in str(found)


def test_plain_clients_have_a_thread_of_their_own() -> None:
    """Every call of one client is made on one thread, which is not the event loop's."""
    threads: list[int] = []
    found = results(lambda _n: Plain(lambda _o: Completion("ok", 1), threads), 2)
    assert found == [Completion("ok", 1)] * 2
    assert len(threads) == 4
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


def test_plain_clients_raise_as_others_do() -> None:
    """The exception of the thread is the info of the operation."""
    (found,) = results(lambda _n: Plain(raising(TimeoutError("late")), []))
    assert (found.type, found.error.text) == ("info", "TimeoutError: late")


def test_a_retired_worker_reports_nothing_and_closes() -> None:
    """The watchdog has spoken for it; the answer that comes late reaches nobody."""
    calls: list[str] = []

    class Stuck(Scripted):
        async def invoke(self, _operation: Operation) -> Any:
            await asyncio.get_running_loop().create_future()

    async def drive() -> None:
        begun = asyncio.get_running_loop().create_future()

        class Begun(Stuck):
            async def open(self) -> None:
                begun.set_result(None)

        def report(_worker: Worker, result: Any) -> None:
            raise AssertionError(result)

        worker = Worker(0, "n1", lambda _n: Begun(lambda _o: None, calls), report)
        worker.dispatch(READ)
        await begun
        worker.retire()
        await asyncio.wait([worker.task])

    asyncio.run(drive())
    assert calls == ["close"]


def test_a_stuck_thread_does_not_keep_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blocking call cannot be cancelled; its worker ends all the same, and its late answer is
    dropped."""
    monkeypatch.setattr(worker_module, "CLOSE_LIMIT_S", 0.01)
    release = threading.Event()
    entered = threading.Event()

    def invoke(_operation: Operation) -> Completion:
        entered.set()
        release.wait(10)
        return Completion("ok")

    async def drive() -> None:
        def report(_worker: Worker, result: Any) -> None:
            raise AssertionError(result)

        worker = Worker(0, "n1", lambda _n: Plain(invoke, []), report)
        worker.dispatch(READ)
        await asyncio.to_thread(entered.wait, 10)
        worker.retire()
        await asyncio.wait([worker.task])
        release.set()

    asyncio.run(drive())
