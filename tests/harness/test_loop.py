"""The dispatch loop: order, time, ends. Virtual time where time matters."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checkers.history import History, Operation
from harness.clock import ManualClock, MonotonicClock
from harness.contracts import Completion, EnvironmentTrouble
from harness.generators import (
    PENDING,
    Context,
    Generator,
    GeneratorError,
    Request,
    constant,
    delay,
    each_worker,
    generate,
    limit,
    operation,
    phases,
    sequence,
    time_limit,
    until_ok,
)
from harness.generators.contract import Answer
from harness.loop import Loop, Progress
from harness.store.journal import Journal
from harness.worker import ClientBug

MS = 1_000_000
Invoke = Callable[[Operation], Awaitable[Any]]


class Client:
    def __init__(self, invoke: Invoke) -> None:
        self._invoke = invoke

    async def open(self) -> None: ...

    async def invoke(self, operation: Operation) -> Any:
        return await self._invoke(operation)

    async def close(self) -> None: ...


async def succeed(operation: Operation) -> Completion:
    return Completion("ok", operation.value)


async def never(_operation: Operation) -> Completion:
    return await asyncio.get_running_loop().create_future()


class Bench:
    """A loop on a real journal; `clock` is real unless one is given."""

    def __init__(
        self,
        path: Path,
        invoke: Invoke,
        *,
        workers: int = 2,
        clock: ManualClock | MonotonicClock | None = None,
        operation_limit_s: float = 10,
    ) -> None:
        self.clock = clock
        self.journal = Journal(path / "history.jsonl")
        self.loop = Loop(
            journal=self.journal,
            clock=clock or MonotonicClock(),
            nodes=("n1", "n2", "n3"),
            workers=workers,
            client=lambda _node: Client(invoke),
            seed=5,
            operation_limit_s=operation_limit_s,
        )

    async def run(self, *generators: Generator) -> list[Operation]:
        """Run the generators one after another and close; the history, read back from the file."""
        manual = isinstance(self.clock, ManualClock)
        ticking = asyncio.create_task(tick(self.clock)) if manual else None
        try:
            for generator in generators:
                async with asyncio.timeout(20):
                    await self.loop.run(generator)
        finally:
            if ticking is not None:
                ticking.cancel()
            await self.loop.close()
            self.journal.close()
        return self.history()

    def history(self) -> list[Operation]:
        lines = self.journal.path.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Operation) for line in lines]


async def tick(clock: ManualClock) -> None:
    """Move virtual time on whenever everything that can happen now has happened."""
    while True:
        for _ in range(10):
            await asyncio.sleep(0)
        clock.advance_to_next()


def invoked(history: list[Operation]) -> list[Operation]:
    return [o for o in history if o.type == "invoke"]


def test_every_operation_ends_once_and_is_on_file(tmp_path: Path) -> None:
    """The history is well-formed, complete, and counts as progress says."""
    bench = Bench(tmp_path, succeed, workers=4)
    history = asyncio.run(bench.run(limit(500, generate(lambda n, _: Request("write", n, "k")))))
    calls = History(history).calls()
    assert [c.input for c in calls] == list(range(500))
    assert all(c.outcome == "ok" and c.output == c.input for c in calls)
    assert bench.loop.progress == Progress(500, 0, 0, 0)
    assert history == bench.journal.operations


def test_worker_i_speaks_to_node_i_mod_n(tmp_path: Path) -> None:
    """Five workers on three nodes."""
    history = asyncio.run(Bench(tmp_path, succeed, workers=5).run(each_worker(operation("a"))))
    assert {o.process: o.node for o in history} == {0: "n1", 1: "n2", 2: "n3", 3: "n1", 4: "n2"}


def test_an_invocation_is_on_file_before_it_is_sent(tmp_path: Path) -> None:
    """Whatever reached the client can be read back by somebody else, at that moment."""
    path = tmp_path / "history.jsonl"
    seen = 0

    async def look(o: Operation) -> Completion:
        nonlocal seen
        last = path.read_bytes().splitlines()[-2:]
        assert any(msgspec.json.decode(line, type=Operation) == o for line in last)
        seen += 1
        return Completion("ok")

    history = asyncio.run(Bench(tmp_path, look).run(limit(30, constant("a"))))
    assert {o.type for o in history} == {"invoke", "ok"}
    assert seen == 30


def test_the_recorded_interval_contains_the_true_one(tmp_path: Path) -> None:
    """Stamped before dispatch, and after return, on one clock."""
    clock = MonotonicClock()
    true: dict[int, tuple[int, int]] = {}

    async def timed(o: Operation) -> Completion:
        began = clock.now_ns()
        await asyncio.sleep(0)
        true[o.index] = (began, clock.now_ns())
        return Completion("ok")

    bench = Bench(tmp_path, timed, workers=3, clock=clock)
    history = asyncio.run(bench.run(limit(100, constant("a"))))
    for call in History(history).calls():
        assert call.completion is not None
        began, ended = true[call.index]
        assert call.invoke.time <= began <= ended <= call.completion.time


def test_completions_are_drained_before_the_generator_is_asked(tmp_path: Path) -> None:
    """Two operations that end in one turn are both recorded before any new one begins: otherwise
    the third would seem concurrent with the second."""
    gates: list[asyncio.Future[None]] = []

    async def together(_o: Operation) -> Completion:
        gate = asyncio.get_running_loop().create_future()
        gates.append(gate)
        if len(gates) % 2 == 0:
            for g in gates[-2:]:
                g.set_result(None)
        await gate
        return Completion("ok")

    history = asyncio.run(Bench(tmp_path, together).run(limit(40, constant("a"))))
    kinds = [kind for kind, _ in itertools.groupby(o.type for o in history)]
    assert kinds == ["invoke", "ok"] * 20


def test_info_retires_the_process(tmp_path: Path) -> None:
    """The worker goes on as process + number of workers, at the same node, with a new client."""

    async def fails(_o: Operation) -> Completion:
        raise ConnectionResetError("gone")

    history = asyncio.run(Bench(tmp_path, fails, workers=2).run(limit(6, constant("a"))))
    processes = [int(o.process) for o in invoked(history)]
    assert sorted(processes) == list(range(6))
    assert {o.node for o in history if int(o.process) % 2 == 0} == {"n1"}
    errors = [o.error.code for o in history if o.type == "info" and o.error]
    assert errors == ["exception"] * 6


def test_fail_keeps_the_process(tmp_path: Path) -> None:
    """A certain fail ends nothing."""

    async def refuse(_o: Operation) -> Completion:
        return Completion("fail")

    history = asyncio.run(Bench(tmp_path, refuse, workers=1).run(limit(6, constant("a"))))
    assert {o.process for o in history} == {0}


def test_future_operations_wait_for_their_moment(tmp_path: Path) -> None:
    """The loop sleeps until the moment a generator named, exactly."""
    bench = Bench(tmp_path, succeed, clock=ManualClock())
    history = asyncio.run(bench.run(limit(5, delay(0.25, constant("a")))))
    assert [o.time for o in invoked(history)] == [0, 250 * MS, 500 * MS, 750 * MS, 1000 * MS]


def test_a_time_limit_wakes_a_pending_generator(tmp_path: Path) -> None:
    """At the limit the next phase starts, though nothing completed to wake the loop."""
    bench = Bench(tmp_path, succeed, clock=ManualClock(), operation_limit_s=1000)
    slow = time_limit(2, delay(50, constant("a")))
    history = asyncio.run(bench.run(phases(slow, operation("b"))))
    assert [(o.f, o.time // MS) for o in invoked(history)] == [("a", 0), ("b", 2000)]


def test_the_watchdog_ends_what_hangs(tmp_path: Path) -> None:
    """Info after the limit, a new process, and the barrier behind it opens."""
    hangs = {"a": never, "b": succeed}

    async def invoke(o: Operation) -> Completion:
        return await hangs[o.f](o)

    bench = Bench(tmp_path, invoke, clock=ManualClock(), operation_limit_s=3)
    history = asyncio.run(bench.run(phases(limit(2, constant("a")), each_worker(operation("b")))))
    ended = [o for o in history if o.f == "a" and o.type == "info"]
    assert [o.error.code for o in ended if o.error] == ["watchdog"] * 2
    assert all(3000 <= o.time // MS <= 3300 for o in ended)
    assert sorted(int(o.process) for o in invoked(history) if o.f == "b") == [2, 3]
    assert bench.loop.progress == Progress(2, 0, 2, 0)


def test_a_stop_loses_no_operation(tmp_path: Path) -> None:
    """Nothing new is asked for; what is open ends in its own time, or as info at the bound."""

    async def drive() -> list[Operation]:
        bench = Bench(tmp_path, invoke, workers=4, clock=ManualClock())
        begun = 0

        def quick(_n: int, _c: Context) -> Request:
            nonlocal begun
            begun += 1
            if begun == 20:
                bench.loop.stop()
            return Request("slow" if begun == 19 else "quick")

        return await bench.run(generate(quick))

    async def invoke(o: Operation) -> Completion:
        return await never(o) if o.f == "slow" else await succeed(o)

    history = asyncio.run(drive())
    calls = History(history).calls()
    assert all(c.completion is not None for c in calls)
    assert Counter(c.outcome for c in calls)["info"] == 1
    assert [o.error.code for o in history if o.error] == ["stopped"]
    assert history[-1].time == 5000 * MS
    assert 20 <= len(calls) <= 24


def test_a_stop_before_the_run_asks_for_nothing(tmp_path: Path) -> None:
    """Stopped once, stopped for every later phase."""
    bench = Bench(tmp_path, succeed)

    async def drive() -> list[Operation]:
        bench.loop.stop()
        return await bench.run(constant("a"), constant("b"))

    assert asyncio.run(drive()) == []


def test_a_client_bug_ends_the_run_and_keeps_the_history(tmp_path: Path) -> None:
    """Nonsense is nobody's outcome: the run ends, and the operation is on file as info."""

    async def nonsense(o: Operation) -> Any:
        return Completion("ok") if o.index < 10 else "fine"

    bench = Bench(tmp_path, nonsense, workers=1)
    with pytest.raises(ClientBug, match="expected a Completion"):
        asyncio.run(bench.run(constant("a")))
    history = bench.history()
    assert [o.error.code for o in history if o.error] == ["client-bug"]
    assert len(History(history).calls()) == 6


def test_a_result_that_is_not_json_is_the_clients_bug(tmp_path: Path) -> None:
    """So is a value that cannot be recorded."""

    async def strange(_o: Operation) -> Completion:
        return Completion("ok", object())

    bench = Bench(tmp_path, strange, workers=1)
    with pytest.raises(ClientBug, match="not JSON"):
        asyncio.run(bench.run(constant("a")))
    # The next invocation shared the write, and was never sent.
    assert [o.type for o in bench.history()] == ["invoke", "info", "invoke"]


def test_what_cannot_be_journaled_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the run ends before the operation leaves."""
    sent: list[int] = []

    async def note(o: Operation) -> Completion:
        sent.append(o.index)
        return Completion("ok")

    def full(_file: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    bench = Bench(tmp_path, note)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(EnvironmentTrouble, match="No space left"):
            asyncio.run(bench.run(constant("a")))
    assert sent == []


def test_the_generator_hears_of_completions(tmp_path: Path) -> None:
    """until_ok ends with the first success that a client reports."""

    async def third(o: Operation) -> Completion:
        return Completion("ok" if o.index >= 4 else "fail")

    history = asyncio.run(Bench(tmp_path, third, workers=1).run(until_ok(constant("a"))))
    assert [o.type for o in history if o.type != "invoke"] == ["fail", "fail", "ok"]


def test_a_generator_error_keeps_the_history(tmp_path: Path) -> None:
    """A generator that raises, or waits for nothing, ends the run by name."""

    class Stuck:
        def op(self, _context: Context) -> tuple[Answer, Generator]:
            return PENDING, self

        def update(self, _context: Context, _event: Operation) -> Generator:
            return self

    bench = Bench(tmp_path, succeed)
    with pytest.raises(GeneratorError, match="wait for ever"):
        asyncio.run(bench.run(sequence(limit(4, constant("a")), Stuck())))
    assert len(History(bench.history()).calls()) == 4


def test_nemesis_operations_enter_the_same_journal(tmp_path: Path) -> None:
    """On file at once, in order of time; generators and progress ignore them."""

    async def drive() -> list[Operation]:
        bench = Bench(tmp_path, invoke)
        loops.append(bench.loop)
        return await bench.run(limit(4, until_ok(constant("a"))))

    loops: list[Loop] = []

    async def invoke(o: Operation) -> Completion:
        if o.index == 0:
            recorded = loops[0].journal_nemesis("kill", {"id": 1})
            assert (recorded.process, recorded.type) == ("nemesis", "info")
        return Completion("ok")

    history = asyncio.run(drive())
    assert [o.f for o in History(history).of_nemesis()] == ["kill"]
    assert loops[0].progress.info == 0


def test_phases_of_a_run_go_on_counting(tmp_path: Path) -> None:
    """`run` again on the same loop: indices, time and process numbers go on."""

    async def fails(_o: Operation) -> Completion:
        raise OSError("x")

    bench = Bench(tmp_path, fails, workers=1)
    history = asyncio.run(bench.run(limit(2, constant("a")), limit(2, constant("b"))))
    assert [(o.f, o.process) for o in invoked(history)] == [("a", 0), ("a", 1), ("b", 2), ("b", 3)]
    History(history)
