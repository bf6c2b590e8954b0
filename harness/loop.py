"""The dispatch loop: asks the generator, stamps, journals, dispatches; and does so in one task.

Rules
1. What has completed is journaled and told to the generator before the generator is asked for new
   work. Asking first would record operations as concurrent that were not, and a stale read that
   is concurrent with the write it missed is legal.
2. An invocation is stamped and on file before it is dispatched, a completion is stamped after it
   came back: a recorded interval contains the true one. All invocations of a turn share one write.
3. An operation ends exactly once: by its client, by the watchdog (info), or at the stop (info).
   After info the worker goes on under process + number of workers, at the same node.
4. The loop sleeps until something completes or until the moment its generator named; it does not
   poll.
5. A stop asks for no new operation, waits a bounded while for those in flight, and records the rest
   as info. Nothing that was journaled is ever taken back, whatever exception ends the run.
6. Operations may be ordered one by one beside the generator (`perform`). They are journaled like
   its own, it is told of them, and they come first: what is ordered at a moment is done at it.

Sources: the order of drain, ask, journal, dispatch is that of jepsen.generator.interpreter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from checkers.history import Error, Operation
from harness.clock import NS_PER_S, Clock, Wakeup
from harness.contracts import Client, Completion
from harness.generators import Generator, GeneratorError, Invocation, Request, Roster
from harness.generators.simulate import stuck
from harness.store.journal import Journal, MemoryJournal, NotJsonError
from harness.worker import CLOSE_LIMIT_S, ClientBug, Worker

__all__ = ["NEMESIS", "ClientBug", "GeneratorError", "Loop", "Progress"]

NEMESIS = "nemesis"


class Progress(msgspec.Struct, frozen=True):
    """How many operations ended how, so far, and how many are open."""

    ok: int
    fail: int
    info: int
    in_flight: int


class Order(msgspec.Struct, frozen=True, eq=False):
    """An operation that was ordered, by a worker from number `first` on. `begun`: its invocation,
    once it was sent; `done`: its completion."""

    request: Request
    node: str
    first: int
    begun: asyncio.Future[Operation]
    done: asyncio.Future[Operation]

    def suits(self, number: int, node: str) -> bool:
        return number >= self.first and node == self.node


class Loop:
    """Clients against a cluster, for one run; `run` may be called for one phase after another.

    `nodes`: worker i speaks to node i mod n. `client`: a new, unopened client for a node.
    `operation_limit_s`: the watchdog, above the time limit of the clients themselves; an operation
    beyond it is info, and its client is abandoned. `stop_limit_s`: how long a stop waits for
    operations in flight.
    """

    def __init__(
        self,
        *,
        journal: Journal | MemoryJournal,
        clock: Clock,
        nodes: Sequence[str],
        workers: int,
        client: Callable[[str], Client],
        seed: int,
        operation_limit_s: float,
        stop_limit_s: float = 5.0,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._nodes = tuple(nodes)
        self._client = client
        self._roster = Roster(workers, seed)
        self._workers: list[Worker] = []
        self._tasks: set[asyncio.Task[None]] = set()  # of all workers, retired ones included
        self._open: dict[int, Operation] = {}  # invocations in flight, by worker
        self._reports: deque[tuple[Worker, Completion | ClientBug]] = deque()
        self._orders: deque[Order] = deque()  # not begun
        self._ordered: dict[int, Order] = {}  # begun, by worker
        self._listeners: list[Callable[[Operation, Operation], None]] = []
        self._waiter: asyncio.Future[None] | None = None
        self._operation_limit_ns = round(operation_limit_s * NS_PER_S)
        self._stop_limit_ns = round(stop_limit_s * NS_PER_S)
        self._stop_at_ns: int | None = None  # set by a stop: when it gives up waiting
        self._crash: BaseException | None = None
        self._ended = {"ok": 0, "fail": 0, "info": 0}

    @property
    def progress(self) -> Progress:
        ended = self._ended
        return Progress(ended["ok"], ended["fail"], ended["info"], len(self._open))

    def listen(self, heard: Callable[[Operation, Operation], None]) -> None:
        """Have each operation of a client told when it has ended: invocation and completion."""
        self._listeners.append(heard)

    def perform(self, request: Request, node: str, first: int = 0) -> Order:
        """Order an operation at `node`, of the first free worker there from number `first` on. Both
        its futures are cancelled where `run` ends before they come."""
        event_loop = asyncio.get_running_loop()
        order = Order(request, node, first, event_loop.create_future(), event_loop.create_future())
        self._orders.append(order)
        self._wake()
        return order

    async def run(self, generator: Generator, meanwhile: asyncio.Task[None] | None = None) -> None:
        """Until the generator is exhausted, or stopped, and nothing is in flight. With a task in
        `meanwhile`: as long as that goes on and no longer, whatever the generator says.

        Raises GeneratorError, ClientBug, or EnvironmentTrouble (the disk is full); what happened
        up to then is in the journal.
        """
        event_loop = asyncio.get_running_loop()  # once: each look costs a system call
        if not self._workers:
            self._workers = [self._begin(n, self._roster.process(n)) for n in self._roster.workers]
        watchdog = _Every(self._clock, max(self._operation_limit_ns // 10, 1), self._wake)
        exhausted = False
        if meanwhile is not None:
            meanwhile.add_done_callback(lambda _: self._wake())
        try:
            while True:
                generator = self._end_overdue(self._settle(generator))
                wake_ns = None
                goes_on = meanwhile is not None and not meanwhile.done()
                exhausted = exhausted or (meanwhile is not None and not goes_on)
                batch: list[tuple[int, Operation]] = []
                if self._stop_at_ns is None:
                    generator = self._carry_out(generator, batch)
                    if not exhausted:
                        generator, exhausted, wake_ns = self._hand_out(generator, batch)
                self._dispatch(batch)
                if not self._open:
                    if self._stop_at_ns is not None or (exhausted and not goes_on):
                        return
                    if wake_ns is None and not goes_on:
                        raise GeneratorError(stuck())
                await self._wait(event_loop, wake_ns)
        finally:
            watchdog.cancel()
            self._forget_orders()
            self._flush()

    def stop(self) -> None:
        """Ask for no more operations, in this run and any later one; `run` returns soon."""
        if self._stop_at_ns is None:
            self._stop_at_ns = self._clock.now_ns() + self._stop_limit_ns
            self._clock.call_at(self._stop_at_ns, self._wake)
            self._wake()

    def journal_nemesis(self, f: str, value: Any) -> Operation:
        """Record that a fault starts, or has ended; on file when this returns."""
        now_ns = self._clock.now_ns()
        operation = self._journal.append(now_ns, NEMESIS, "info", f, value, None, None)
        self._journal.flush()
        return operation

    async def close(self) -> None:
        """Close all clients, waiting a bounded while; idempotent."""
        for worker in self._workers:
            worker.retire()
        self._workers = []
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=CLOSE_LIMIT_S + 1)

    def _settle(self, generator: Generator) -> Generator:
        """Journal what has completed, and tell the generator."""
        if self._crash is not None:
            raise self._crash
        bug: ClientBug | None = None
        while self._reports:
            worker, result = self._reports.popleft()
            if isinstance(result, ClientBug):
                bug = bug or result
                result = Completion("info", None, Error("client-bug", str(result)))
            generator = self._complete(worker, result, generator)
        if bug is not None:
            raise bug
        return generator

    def _complete(self, worker: Worker, result: Completion, generator: Generator) -> Generator:
        number = worker.process % len(self._workers)
        invoke = self._open.pop(number)
        now_ns = self._clock.now_ns()
        event = self._journal.append(
            now_ns,
            worker.process,
            result.type,
            invoke.f,
            result.value,
            invoke.key,
            worker.node,
            result.error,
        )
        self._ended[result.type] += 1
        self._roster.release(number)
        generator = self._roster.tell(generator, now_ns, event)
        asked = self._ordered.pop(number, None)
        if asked is not None and not asked.done.done():
            asked.done.set_result(event)
        for heard in self._listeners:
            heard(invoke, event)
        if result.type == "info":
            self._workers[number] = self._begin(number, self._roster.retire(number))
        return generator

    def _end_overdue(self, generator: Generator) -> Generator:
        """Record as info what the watchdog or the stop no longer waits for."""
        now_ns = self._clock.now_ns()
        stopped = self._stop_at_ns is not None and now_ns >= self._stop_at_ns
        oldest_ns = now_ns - self._operation_limit_ns
        overdue = [number for number, o in self._open.items() if stopped or o.time <= oldest_ns]
        if not overdue:
            return generator
        error = Error("watchdog", f"nothing in {self._operation_limit_ns / NS_PER_S:g} s")
        if stopped:
            error = Error("stopped", "the run was stopped while it was open")
        for number in overdue:
            worker = self._workers[number]
            worker.retire()
            generator = self._complete(worker, Completion("info", None, error), generator)
        return generator

    def _hand_out(
        self, generator: Generator, batch: list[tuple[int, Operation]]
    ) -> tuple[Generator, bool, int | None]:
        """Begin what the generator has for the free workers now, and put it into the batch.

        Returns the generator, whether it is exhausted, and the moment to ask again, if any.
        """
        exhausted, wake_ns = False, None
        while self._roster.free:
            now_ns = self._clock.now_ns()
            answer, after = self._roster.ask(generator, now_ns)
            if not isinstance(answer, Invocation):
                exhausted = answer is None
                wake_ns = answer.until_ns if answer is not None else None
                break
            number = answer.worker
            invoke = self._begun(number, Request(answer.f, answer.value, answer.key), now_ns)
            batch.append((number, invoke))
            generator = self._roster.tell(after, now_ns, invoke)
        return generator, exhausted, wake_ns

    def _carry_out(self, generator: Generator, batch: list[tuple[int, Operation]]) -> Generator:
        """Begin what was ordered, as far as workers are free, and put it into the batch."""
        for order in [order for order in self._orders if not order.done.done()]:
            number = next((n for n in self._roster.free if order.suits(n, self._node(n))), None)
            if number is None:
                continue
            self._orders.remove(order)
            self._ordered[number] = order
            now_ns = self._clock.now_ns()
            invoke = self._begun(number, order.request, now_ns)
            batch.append((number, invoke))
            generator = self._roster.tell(generator, now_ns, invoke)
        return generator

    def _forget_orders(self) -> None:
        for order in (*self._orders, *self._ordered.values()):
            order.begun.cancel()
            order.done.cancel()
        self._orders.clear()
        self._ordered.clear()

    def _begun(self, number: int, request: Request, now_ns: int) -> Operation:
        """The invocation of a worker, journaled."""
        process, node = self._roster.take(number), self._node(number)
        return self._journal.append(
            now_ns, process, "invoke", request.f, request.value, request.key, node
        )

    def _dispatch(self, batch: list[tuple[int, Operation]]) -> None:
        """Send what has begun, once it is on file."""
        self._flush()
        for number, invoke in batch:
            self._open[number] = invoke
            self._workers[number].dispatch(invoke)
            order = self._ordered.get(number)
            if order is not None and not order.begun.done():
                order.begun.set_result(invoke)

    def _node(self, number: int) -> str:
        return self._nodes[number % len(self._nodes)]

    def _flush(self) -> None:
        try:
            self._journal.flush()
        except NotJsonError as wrong:
            at_fault = GeneratorError if wrong.operation.type == "invoke" else ClientBug
            raise at_fault(str(wrong)) from wrong

    def _begin(self, number: int, process: int) -> Worker:
        worker = Worker(process, self._node(number), self._client, self._report)
        self._tasks.add(worker.task)
        worker.task.add_done_callback(self._worker_ended)
        return worker

    def _worker_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._crash = task.exception()
            self._wake()

    def _report(self, worker: Worker, result: Completion | ClientBug) -> None:
        self._reports.append((worker, result))
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, event_loop: asyncio.AbstractEventLoop, wake_ns: int | None) -> None:
        """Until something completes, a stop, the watchdog's look, or `wake_ns`."""
        self._waiter = event_loop.create_future()
        wakeup = None if wake_ns is None else self._clock.call_at(wake_ns, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if wakeup is not None:
                wakeup.cancel()


class _Every:
    """Calls `callback` every `period_ns` until it is cancelled."""

    def __init__(self, clock: Clock, period_ns: int, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._period_ns = period_ns
        self._callback = callback
        self._wakeup = self._next()

    def cancel(self) -> None:
        self._wakeup.cancel()

    def _next(self) -> Wakeup:
        return self._clock.call_at(self._clock.now_ns() + self._period_ns, self._call)

    def _call(self) -> None:
        self._wakeup = self._next()
        self._callback()
