"""The host of a machine: the order in which effects are carried out, and its bounds."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec
import pytest

from harness.machine import (
    CancelTimer,
    Deliver,
    Effect,
    Event,
    Persist,
    Recover,
    Send,
    SetTimer,
    Timeout,
    Trace,
    Truncate,
)
from reference_impl import transport
from reference_impl.runtime import Host
from reference_impl.transport import Link

Script = Callable[[Event], Sequence[Effect]]


class Scripted:
    """A machine that does what the test says; it notes the events it handled."""

    def __init__(self, script: Script) -> None:
        self.script, self.events = script, []

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        self.events.append(event)
        return self.script(event)


class Journal(list[Any]):
    """Stands in for log, trace and link at once: what reached the outside, in order."""

    recovered = ("old",)

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Any] = []
        self.waiting: list[Any] = []

    def sync(self) -> None:
        if self.records:
            super().append(("sync", self.records))
            self.records = []

    def replace(self, records: Sequence[Any]) -> None:
        self.records = []
        super().append(("replace", list(records)))

    def add(self, event: str, fields: Any) -> None:  # noqa: ARG002
        self.waiting.append(event)

    def send(self, frame: bytes) -> None:
        self.waiting.append(msgspec.msgpack.decode(frame[4:])[1])

    def append(self, records: Sequence[Any]) -> None:
        self.records.extend(records)

    def flush(self) -> None:
        self.extend(self.waiting)
        self.waiting = []


def run(script: Script, drive: Callable[[Host], None], turns: int = 20) -> tuple[Journal, Scripted]:
    """Run a host for some turns of the loop after `drive`."""
    journal, machine = Journal(), Scripted(script)

    async def main() -> None:
        host = Host(machine, name="n1", log=journal, trace=journal, links={"n2": journal})
        host.start()
        drive(host)
        for _ in range(turns):
            await asyncio.sleep(0)
        host.stop()

    asyncio.run(main())
    return journal, machine


def send(text: str) -> Send:
    return Send("n2", text)


def test_nothing_after_a_persist_leaves_before_the_sync() -> None:
    """Machine, rule 2, and rule 1 here: what precedes the first Persist leaves at once; the rest
    of the turn, later events included, waits for one sync of all records."""
    effects = {
        "a": [send("early"), Persist(1), send("late 1"), Persist(2)],
        "b": [Trace("late trace", {}), send("late 2")],
        "c": [Persist(3), send("late 3")],
    }

    def drive(host: Host) -> None:
        for message in "abc":
            host.deliver("n2", message)

    journal, _ = run(lambda e: effects[e.message] if isinstance(e, Deliver) else [], drive)

    synced = ("sync", [1, 2, 3])
    assert journal == ["early", synced, "late 1", "late trace", "late 2", "late 3"]


def test_a_replacement_covers_the_records_before_it() -> None:
    """Rule: Truncate is durable before what follows it, and so is what is persisted after it."""
    effects = [Persist(1), send("x"), Truncate(["snapshot"]), Persist(2), send("y")]

    journal, _ = run(lambda e: effects if isinstance(e, Recover) else [], lambda _: None)

    assert journal == [("replace", ["snapshot"]), ("sync", [2]), "x", "y"]


def test_a_node_that_sends_to_itself_gets_it_after_what_came_before() -> None:
    """Rule: a message to itself is delivered as any other; after a Persist only once that is
    durable."""

    def script(event: Event) -> Sequence[Effect]:
        match event:
            case Recover(stored):
                return [Send("n1", "first"), Persist(list(stored)), Send("n1", "second")]
            case Deliver(_, message):
                return [send(f"heard {message}")]
        return []

    journal, _ = run(script, lambda _: None)

    assert journal == [("sync", [["old"]]), "heard first", "heard second"]


def test_a_machine_that_talks_to_itself_for_ever_does_not_block_the_loop() -> None:
    """Rule: a turn handles a bounded number of events, then sockets are read."""
    journal, machine = run(lambda _: [Send("n1", "again")], lambda _: None, turns=2)

    assert journal == []
    assert 1000 <= len(machine.events) <= 4000


def test_a_timer_that_is_cancelled_or_set_anew_is_not_delivered() -> None:
    """Machine, timers: setting a timer again replaces it; a cancelled one never comes, even if it
    ran out before it was cancelled."""
    heard = []

    async def main() -> None:
        done = asyncio.Event()

        def script(event: Event) -> Sequence[Effect]:
            match event:
                case Recover():
                    delays_s = {"early": 0.001, "gone": 0.002, "moved": 0.003}
                    timers = [SetTimer(name, delay) for name, delay in delays_s.items()]
                    return [*timers, SetTimer("moved", 0.03)]
                case Timeout("early"):
                    heard.append("early")
                    return [CancelTimer("gone")]
                case Timeout(name):
                    heard.append(name)
                    done.set()
            return []

        journal = Journal()
        host = Host(Scripted(script), name="n1", log=journal, trace=journal, links={})
        host.start()
        loop = asyncio.get_running_loop()
        late = loop.time() + 0.003
        while loop.time() < late:  # the loop is busy: both ring before either is handled
            pass
        async with asyncio.timeout(10):
            await done.wait()
        host.stop()

    asyncio.run(main())

    assert heard == ["early", "moved"]


def test_after_an_error_no_effect_leaves() -> None:
    """Rule 4: the memory is ahead of the disk; nothing that follows from it may be told."""
    troubles = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, c: troubles.append(c))
        journal = Journal()

        def fail() -> None:
            raise OSError("no disk")

        journal.sync = fail  # type: ignore[method-assign]
        script: Script = lambda e: [Persist(1)] if e == Deliver("n2", "p") else [send("told")]  # noqa: E731
        host = Host(Scripted(script), name="n1", log=journal, trace=journal, links={"n2": journal})
        host.start()
        journal.clear()
        host.deliver("n2", "p")
        for _ in range(3):
            await asyncio.sleep(0)
            host.deliver("n2", "q")
        assert journal == []

    asyncio.run(main())

    assert [str(context["exception"]) for context in troubles] == ["no disk"]


def test_a_message_to_a_stranger_is_a_bug_of_the_machine() -> None:
    """Rule: a destination that is neither a peer nor the node itself is never dropped silently."""
    with pytest.raises(ValueError, match="neither a peer nor itself"):
        run(lambda _: [Send("n9", "x")], lambda _: None)


def test_a_link_without_a_peer_drops_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transport, rule 2: memory is bounded, and newer messages are worth more; said once."""
    monkeypatch.setattr(transport, "QUEUE_BYTES_MAX", 30)
    said: list[str] = []

    async def main() -> list[bytes]:
        link = Link("n2", ("127.0.0.1", 1), Random(1), said.append)
        for number in range(10):
            link.send(b"frame %d---" % number)
        link.flush()
        return list(link._queue)

    assert asyncio.run(main()) == [b"frame 7---", b"frame 8---", b"frame 9---"]
    assert len(said) == 1
