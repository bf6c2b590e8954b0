"""An event loop in virtual time: nothing waits, time jumps to the next moment at which something is
due.

Rules
1. What is due at one moment happens in the order in which it was asked for. Nothing else decides an
   order, so a program that reads no clock and no randomness but ours runs the same way each time.
2. There are no threads and no sockets. What would go to an executor is done on the spot: it takes
   no time, as far as the program can tell. Connections are those of `network`.
3. A loop that has nothing left to do while somebody waits would wait for ever: Stalled. So would a
   world that acts without time going by: Stalled, after EVENTS_PER_MOMENT_MAX events.

It implements the part of asyncio's contract that tasks, futures, time-outs and streams use, and
neither inherits nor calls private parts of asyncio: its event loops differ between Python versions
in the order of what is due at once.

Sources: the idea is that of the deterministic simulation of FoundationDB (Zhou et al. 2021, section
4), and of the virtual clocks of trio and of Tokio's `pause`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from typing import Any, Protocol, TypeVar

from harness.clock import NS_PER_S, Wakeup
from harness.simulation.interrupts import heard

T = TypeVar("T")

EVENTS_PER_MOMENT_MAX = 1_000_000


class Stalled(Exception):
    """Virtual time cannot go on. The message says why."""


class Connector(Protocol):
    """Where connections lead to."""

    async def connect(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Raises OSError where nobody answers."""
        ...


class _Handle:
    """A callback that is due, once."""

    __slots__ = ("arguments", "callback", "context", "due_s", "was_cancelled")

    def __init__(
        self,
        due_s: float,
        callback: Callable[..., Any],
        arguments: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> None:
        self.due_s = due_s
        self.was_cancelled = False
        self.callback = callback
        self.arguments = arguments
        self.context = context

    def cancel(self) -> None:
        self.was_cancelled = True

    def cancelled(self) -> bool:
        return self.was_cancelled

    def when(self) -> float:
        return self.due_s


def _unoffered(name: str) -> Any:
    def refuse(*_: Any, **__: Any) -> Any:
        raise NotImplementedError(
            f"a simulation has no {name}: there are no sockets, processes or signals in it"
        )

    return refuse


# asyncio's contract in full, without what a world in virtual time does not have.
_Unoffered: Any = type(
    "_Unoffered",
    (asyncio.AbstractEventLoop,),
    {
        name: _unoffered(name)
        for name, member in vars(asyncio.AbstractEventLoop).items()
        if callable(member) and not name.startswith("__")
    },
)


class VirtualLoop(_Unoffered):  # type: ignore[misc]
    """`now_ns`: virtual nanoseconds since the loop was made. `network`: None, nothing to dial."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.network: Connector | None = None
        self._ready: deque[_Handle] = deque()
        self._due: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self._order = 0
        # By number: a set of tasks would be walked by their addresses, another way each time.
        self._tasks: weakref.WeakValueDictionary[int, asyncio.Task[Any]] = (
            weakref.WeakValueDictionary()
        )
        self._task_numbers = 0
        self._running = self._closed = self._interrupted = False
        self._on_exception: Callable[[Any, dict[str, Any]], object] | None = None

    # --- the world's own way in: cheaper than handles ---

    def at(self, time_ns: int, act: Callable[[Any], None], argument: Any) -> None:
        """Call `act(argument)` at `time_ns`. What it raises ends the run."""
        self._order += 1
        heappush(self._due, (time_ns, self._order, act, argument))

    # --- time ---

    def time(self) -> float:
        return self.now_ns / NS_PER_S

    def call_soon(
        self,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Any:
        handle = _Handle(0.0, callback, args, context)
        self._ready.append(handle)
        return handle

    # Signals arrive on the main thread, which is where the loop runs.
    call_soon_threadsafe = call_soon

    def call_at(
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Any:
        return self._call_at_ns(round(when * NS_PER_S), callback, args, context)

    def call_later(
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Any:
        return self._call_at_ns(self.now_ns + round(delay * NS_PER_S), callback, args, context)

    def _call_at_ns(
        self,
        time_ns: int,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> _Handle:
        handle = _Handle(time_ns / NS_PER_S, callback, args, context)
        self.at(time_ns, self._take_up, handle)
        return handle

    def _take_up(self, handle: _Handle) -> None:
        if not handle.was_cancelled:
            self._ready.append(handle)

    # --- running ---

    def run_until_complete(self, future: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
        """Raises Stalled (rule 3), and what an event of the world raises."""
        self._check_idle()
        awaited: asyncio.Future[T] = asyncio.ensure_future(future, loop=self)
        try:  # from here on: Ctrl-C may come between any two steps
            self._running = True
            asyncio._set_running_loop(self)  # its documentation names event loops as its callers
            with heard():
                self._run(awaited)
        except (KeyboardInterrupt, SystemExit):
            self._interrupted = True
            raise
        finally:
            asyncio._set_running_loop(None)
            self._running = False
        return awaited.result()

    def _check_idle(self) -> None:
        if self._closed:
            raise RuntimeError("the virtual loop is closed")
        if self._running or asyncio._get_running_loop() is not None:
            raise RuntimeError(
                "a simulation runs to its end by itself: call it from plain code, or from a "
                "thread, not from a coroutine"
            )

    def _run(self, awaited: asyncio.Future[T]) -> None:
        ready, due = self._ready, self._due
        now_ns = self.now_ns
        at_once = 0
        # Whatever completes it, a callback is then ready: the world's own events need not ask.
        awaited.add_done_callback(_nothing)
        while not awaited.done():
            while ready:
                handle = ready.popleft()
                if not handle.was_cancelled:
                    try:
                        if handle.context is None:
                            handle.callback(*handle.arguments)
                        else:
                            handle.context.run(handle.callback, *handle.arguments)
                    except Exception as wrong:  # noqa: BLE001 - passed on, as every loop does
                        self.call_exception_handler(
                            {"message": "in a callback", "exception": wrong}
                        )
                    at_once += 1
                    if at_once > EVENTS_PER_MOMENT_MAX:  # tasks alone can do it: sleep(0) for ever
                        raise self._stands_still(at_once)
            if awaited.done():
                return
            while not ready:
                if not due:
                    raise Stalled("nothing is due any more, and somebody waits: the run hangs")
                time_ns, _, act, argument = heappop(due)
                if time_ns > now_ns:
                    self.now_ns = now_ns = time_ns
                    at_once = 0
                elif at_once > EVENTS_PER_MOMENT_MAX:
                    raise self._stands_still(at_once)
                at_once += 1
                act(argument)

    def _stands_still(self, events: int) -> Stalled:
        return Stalled(
            f"{events} events happened at {self.time():.6f} s and time does not go on: "
            "something answers itself without delay"
        )

    def end_tasks(self) -> None:
        """Cancel what still runs and let it clean up; of a run that failed there may be much."""
        tasks = [task for _, task in sorted(self._tasks.items())]
        if self._interrupted:
            # In the middle of a step: who waits for what that step was to do waits for ever, while
            # the world goes on. No time passes any more, and nobody looks at what the task raised.
            self._due.clear()
            for task in tasks:
                if task.done() and not task.cancelled():
                    task.exception()
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        if left:
            ended = asyncio.gather(*left, return_exceptions=True)
            again = (
                (KeyboardInterrupt, SystemExit) if self._interrupted else ()
            )  # on its way already
            with contextlib.suppress(Stalled, *again):
                self.run_until_complete(ended)

    def run_forever(self) -> None:
        raise NotImplementedError("a virtual loop runs until something is complete")

    def stop(self) -> None:
        raise NotImplementedError("a virtual loop runs until something is complete")

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._ready.clear()
        self._due.clear()

    async def shutdown_asyncgens(self) -> None:
        """Nothing to do: the harness has no asynchronous generators that outlive their use."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Nothing to do: there are no threads."""

    # --- tasks ---

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, T], **options: Any) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, **options)
        self._task_numbers += 1
        self._tasks[self._task_numbers] = task
        return task

    def run_in_executor(
        self,
        executor: Any,  # noqa: ARG002 - rule 2
        func: Callable[..., T],
        *args: Any,
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as wrong:  # noqa: BLE001 - handed to whoever awaits it
            future.set_exception(wrong)
        return future

    async def create_connection(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        **_options: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        if self.network is None or host is None or port is None:
            raise ConnectionRefusedError(f"nobody listens on {host}:{port}")
        return await self.network.connect(protocol_factory, host, port)

    # --- what goes wrong ---

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """It has no debug mode; asyncio asks for it all the same."""

    def get_exception_handler(self) -> Any:
        return self._on_exception

    def set_exception_handler(self, handler: Any) -> None:
        self._on_exception = handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._on_exception is not None:
            self._on_exception(self, context)
        elif not self._interrupted:
            self.default_exception_handler(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        wrong = context.get("exception")
        if wrong is not None:
            raise wrong


def _nothing(_: asyncio.Future[Any]) -> None:
    """A callback for its own sake."""


class VirtualClock:
    """harness.clock.Clock over a virtual loop: time since this object was made."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.origin_ns = loop.now_ns

    def now_ns(self) -> int:
        return self._loop.now_ns - self.origin_ns

    def call_at(self, time_ns: int, callback: Callable[[], None]) -> Wakeup:
        wakeup: Wakeup = self._loop._call_at_ns(self.origin_ns + time_ns, callback, (), None)
        return wakeup
