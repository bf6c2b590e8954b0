"""The host of a machine: carries out its effects in order, and groups its commits.

Rules
1. Events that arrived in one turn of the loop are handled together, and all they persist becomes
   durable in one sync: the cost of a sync is shared by everything that waits for it.
2. Effects before the first Persist of a turn leave before the sync: a leader's accept requests are
   on their way while its own disk works. Everything after it waits, also the effects of later
   events: they come out of a memory that already counts on that record.
3. Trace events are written before the messages that follow them leave.
4. After an error no effect leaves any more. The machine's memory may be ahead of the disk, and an
   answer out of it could be one that the next life has forgotten.

Sources: Gray and Reuter 1992, section 9.4 (group commit); Ongaro 2014, section 10.2.1 (a leader may
write its disk in parallel with sending).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from harness.machine import (
    CancelTimer,
    ClientRequest,
    Deliver,
    Effect,
    Event,
    Machine,
    Persist,
    Recover,
    Reply,
    Send,
    SetTimer,
    Timeout,
    Trace,
    Truncate,
)
from reference_impl.clientport import ClientPort
from reference_impl.storage import Log
from reference_impl.timers import Timers
from reference_impl.tracefile import NoTrace, TraceFile
from reference_impl.transport import Link, frame

# A machine that sends to itself adds events to the turn; past this many the rest waits for the
# next one, so that sockets are read in between.
EVENTS_PER_TURN_MAX = 1000


class Host:
    """Runs one machine of node `name` on the running loop.

    `links`: by peer. Exceptions (StorageError, OSError of the trace file, whatever the machine
    raises) leave through the loop's exception handler, and the host does nothing more.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        name: str,
        log: Log,
        trace: TraceFile | NoTrace,
        links: Mapping[str, Link],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._machine, self._name = machine, name
        self._log, self._trace, self._links = log, trace, links
        self._timers = Timers(self._loop, lambda timer: self._push(Timeout(timer)))
        self.clients = ClientPort(
            lambda number, request: self._push(ClientRequest(number, request))
        )
        self._events: deque[Event] = deque()
        self._scheduled = self._halted = False
        self._last: tuple[Any, bytes] = (self, b"")  # the last message, as a frame
        self._carry_out: dict[type, Callable[[Any], None]] = {
            Send: self._send,
            Reply: lambda e: self.clients.reply(e.id, e.response),
            Trace: lambda e: self._trace.add(e.event, e.fields),
        }

    def start(self) -> None:
        """Recover the machine from the log; on return its effects are carried out."""
        self._events.append(Recover(self._log.recovered))
        self._turn()

    def deliver(self, src: str, message: Any) -> None:
        self._push(Deliver(src, message))

    def stop(self) -> None:
        """Nothing happens any more; events not handled yet are dropped. Idempotent."""
        self._halted = True
        self._timers.stop()

    def _push(self, event: Event) -> None:
        self._events.append(event)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        if self._halted:
            return
        self._halted = True  # for good, if anything below raises
        self._scheduled = False
        held, dirty = self._handle_events()
        self._flush()
        if dirty:
            self._log.sync()
            for effect in held:
                self._carry_out[type(effect)](effect)
            self._flush()
        self._halted = False
        if self._events and not self._scheduled:  # sent to itself after the sync
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _handle_events(self) -> tuple[list[Effect], bool]:
        """Handle what is queued. Returns the effects that wait for the sync, and if one is due."""
        events, timers, carry_out = self._events, self._timers, self._carry_out
        held: list[Effect] = []
        dirty = False
        now = self._loop.time()
        for _ in range(EVENTS_PER_TURN_MAX):
            if not events:
                break
            event = events.popleft()
            if isinstance(event, Timeout) and not timers.take(event.name, now):
                continue
            for effect in self._machine.handle(event, now):
                if isinstance(effect, SetTimer):
                    timers.set(effect.name, now + effect.delay_s)
                elif isinstance(effect, CancelTimer):
                    timers.cancel(effect.name)
                elif isinstance(effect, Persist):
                    self._log.append((effect.record,))
                    dirty = True
                elif isinstance(effect, Truncate):
                    # It covers every record before it, those that this turn took included; so
                    # the effects held for them may as well wait for it.
                    self._log.replace(effect.records)
                    dirty = True
                elif dirty:
                    held.append(effect)
                else:
                    carry_out[type(effect)](effect)
        return held, dirty

    def _send(self, effect: Send) -> None:
        dst, message = effect.dst, effect.message
        if dst == self._name:
            self._push(Deliver(dst, message))
            return
        link = self._links.get(dst)
        if link is None:
            raise ValueError(f"the machine sends to {dst!r}, which is neither a peer nor itself")
        if self._last[0] is not message:  # the same message to every peer is encoded once
            self._last = (message, frame(self._name, message))
        link.send(self._last[1])

    def _flush(self) -> None:
        self._trace.flush()
        for link in self._links.values():
            link.flush()
        self.clients.flush()
