"""A node of the simulated world: the host of one machine, as a process and its disk would be.

Rules
1. Effects are carried out in the order in which the machine returned them, those of one event
   before those of the next. What stands behind a Persist waits for its sync, later events' effects
   included; events are handled meanwhile. What has gathered when a sync begins shares it. Timers
   are the host's own: they are set and cancelled at once.
2. A life that has ended is heard of no more: its timers, its effects, its connections. Messages
   that it had sent are on their way.
3. A paused node does nothing; what comes meanwhile waits in order, timers ring when it goes on.
4. A machine that raises dies of it, with its traceback; so does one that asks for what cannot be
   done, or whose disk takes no more, or whose log is damaged. Deaths that a fault explains are no
   crashes of the system.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, Protocol

import msgspec

from harness.brief import brief
from harness.machine import (
    CancelTimer,
    ClientRequest,
    Deliver,
    Detected,
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
from harness.simulation.clocks import NodeClock
from harness.simulation.disk import Damaged, Disk, DiskFailed, DiskFull
from harness.simulation.fence import Fence
from harness.simulation.links import Frame, PeerLink
from harness.simulation.log import WorldLog
from harness.simulation.loop import VirtualLoop
from harness.simulation.timers import Timers

State = Literal["running", "paused", "dead"]
Tracer = Callable[[str, str, Any], None]  # node, event, fields
_NOTHING = "its machine's handle returned None: return a list of effects, [] for none"
_traceback = partial(traceback.format_exc, -8)
_encode = msgspec.msgpack.Encoder().encode


class BadEffectError(Exception):
    """A machine asks for what cannot be done; its author is at fault."""


class Clients(Protocol):
    """Where answers to clients go."""

    def reply(self, number: int, response: Any) -> None: ...

    def close(self) -> None:
        """The process is gone: its connections break."""
        ...


class Node:
    """`build(life)`: a new machine. `links`: to the other nodes, by name. `told`: hears that a life
    has begun (True) or ended, whatever ended it."""

    def __init__(
        self,
        name: str,
        *,
        loop: VirtualLoop,
        disk: Disk,
        build: Callable[[int], Machine],
        clients: Clients,
        trace: Tracer,
        fence: Fence,
        log: WorldLog | None,
        told: Callable[[str, bool], None] = lambda *_: None,
    ) -> None:
        self.name, self.disk = name, disk
        self.clock = NodeClock()
        self.timers = Timers(loop, self.clock, self._ring)
        self.links: dict[str, PeerLink] = {}
        self.life = 0
        self.death: str | None = None  # why the last life ended, where no order ended it
        self.crashes: list[str] = []  # such deaths, of all lives, that no fault explains
        self.lie: Callable[[str, Any], Any] | None = None  # what a traitor sends instead
        self._loop, self._build, self._clients = loop, build, clients
        self._trace, self._fence, self._log, self._told = trace, fence, log, told
        self._machine: Machine | None = None
        self._decode: Callable[[bytes], Any] | None = None
        self._waiting: list[Effect] = []  # from the first Persist that is not on the disk
        self._syncing = False
        self._durable: list[Effect] = []  # what a pause keeps back after its sync was over
        self._frozen: list[Event | Reply] | None = None  # a Reply is no machine's: see refuse
        self._last: tuple[Any, Frame] | None = None  # a message to several is encoded once

    @property
    def state(self) -> State:
        if self._machine is None:
            return "dead"
        return "running" if self._frozen is None else "paused"

    # --- orders ---

    def start(self) -> None:
        """Begin a life, unless one goes on. A damaged log ends it at once (rule 4)."""
        if self._machine is not None:
            return
        self.life += 1
        self.death = None
        try:
            stored = self.disk.read()
        except (Damaged, DiskFailed) as wrong:
            self._die(str(wrong), blameless=True)
            return
        if self._log is not None:
            self._log.add(self.name, "start", records=len(stored))
        self._fence.up = True
        try:
            self._machine = machine = self._build(self.life)
        except Exception:  # noqa: BLE001 - rule 4
            self._die(f"its machine could not be built\n{_traceback()}")
            return
        finally:
            self._fence.up = False
        types = getattr(machine, "messages", None)
        self._decode = None if types is None else msgspec.msgpack.Decoder(types).decode
        self._told(self.name, True)
        self.handle(Recover(stored))

    def kill(self, *, power: bool = False, torn: bool = False) -> None:
        """End the life, if there is one; `power`: what was not synced is mostly lost."""
        if self._machine is None:
            return
        records = [e for e in self._waiting if isinstance(e, Persist | Truncate)]
        kept = self.disk.survivors(len(records), power, torn)
        for effect in records[:kept]:
            try:
                self._write(effect)
            except (DiskFull, TypeError, ValueError, OverflowError):
                break  # what has no room, or cannot be encoded, was never on its way
        self._end("power failure" if power else "killed")

    def _end(self, why: str) -> None:
        if self._log is not None:
            self._log.add(self.name, "crash", text=why)
        self._machine = self._frozen = None
        self._waiting, self._durable, self._syncing = [], [], False
        self.timers.clear()
        self._clients.close()
        self._told(self.name, False)

    def pause(self) -> None:
        if self.state == "running":
            self._frozen = []
            if self._log is not None:
                self._log.add(self.name, "pause")

    def resume(self) -> None:
        if self._machine is None or self._frozen is None:
            return
        if self._log is not None:
            self._log.add(self.name, "resume")
        events, self._frozen = self._frozen, None
        life = self.life
        if not self._syncing:
            self._release()
        for event in events:
            if self._machine is None or self.life != life:  # it may die of one
                return
            if isinstance(event, Reply):
                self._carry_out((event,))
            else:
                self.handle(event)

    # --- events ---

    def receive(self, src: str, frame: Frame) -> None:
        """A frame arrives from `src`; nobody hears it if the node is down."""
        if self._machine is None:
            return
        if self._log is not None:
            self._log.add(self.name, "receive", src=src, id=frame.id)
        message = frame.message
        if message is None:
            message = self._decoded(frame.payload)
            if message is None:
                return
        self.handle(Deliver(src, message))

    def _decoded(self, payload: bytes) -> Any:
        """None for what does not fit; the network may lose messages anyhow."""
        if self._decode is None:
            return msgspec.msgpack.decode(payload)
        try:
            return self._decode(payload)
        except msgspec.ValidationError:
            return None

    def request(self, number: int, request: Any) -> None:
        """A client asks; `number` names the answer."""
        if self._machine is not None:
            self.handle(ClientRequest(number, request))

    def refuse(self, number: int, response: dict[str, Any]) -> None:
        """The process answers a client itself: its machine is never asked what was no request."""
        if self._frozen is not None:
            self._frozen.append(Reply(number, response))
        elif self._machine is not None:
            self._clients.reply(number, response)

    def detect(self, node: str, up: bool) -> None:
        if self._machine is not None:
            self.handle(Detected(node, up))

    def handle(self, event: Event) -> None:
        """The machine reacts, now or when the pause is over."""
        machine = self._machine
        if machine is None:
            return
        if self._frozen is not None:
            self._frozen.append(event)
            return
        now_s = self.timers.now_s()
        fence = self._fence
        fence.up = True
        try:
            effects = machine.handle(event, now_s)
        except Exception:  # noqa: BLE001 - rule 4: it is told with its traceback
            self._die(f"its machine raised\n{_traceback()}")
            return
        finally:
            fence.up = False
        try:
            self._take(effects)
        except Exception as wrong:  # noqa: BLE001 - an effect that cannot be encoded, most likely
            self._die_of_effect(wrong)

    def _take(self, effects: Sequence[Effect]) -> None:
        """Carry out what may be, in order, and queue the rest (rule 1)."""
        if effects is None:
            raise BadEffectError(_NOTHING)
        waiting = self._waiting
        for effect in effects:
            kind = type(effect)
            if kind is SetTimer:
                self.timers.set(effect.name, effect.delay_s)  # type: ignore[union-attr]
            elif kind is CancelTimer:
                self.timers.cancel(effect.name)  # type: ignore[union-attr]
            elif waiting:
                waiting.append(effect)
            elif kind is Send:
                self._send(effect.dst, effect.message)  # type: ignore[union-attr]
            elif kind is Persist or kind is Truncate:
                waiting.append(effect)
                self._sync()
            else:
                self._carry_out((effect,))

    def _die(self, why: str, *, blameless: bool = False) -> None:
        self.death = why
        if not blameless:
            self.crashes.append(why)
        self._end(why.partition("\n")[0])

    def _die_of_effect(self, wrong: Exception) -> None:
        known = isinstance(wrong, BadEffectError)
        told = f"its machine asks for what cannot be done: {type(wrong).__name__}: {wrong}"
        self._die(str(wrong) if known else f"{told}\n{_traceback()}")

    # --- effects ---

    def _sync(self) -> None:
        covered = len(self._waiting)
        self._syncing = True
        self._loop.at(self._loop.now_ns + self.disk.sync_ns(), self._synced, (self.life, covered))

    def _synced(self, what: tuple[int, int]) -> None:
        """The sync that covered so many of the waiting effects is over."""
        life, covered = what
        if self._machine is None or self.life != life:
            return
        self._syncing = False
        done, self._waiting = self._waiting[:covered], self._waiting[covered:]
        try:
            self.disk.must_work()
            for effect in done:
                kind = type(effect)
                if kind is Persist or kind is Truncate:
                    self._write(effect)
                else:
                    self._durable.append(effect)
        except (DiskFull, DiskFailed) as wrong:
            self._die(str(wrong), blameless=True)
            return
        except Exception as wrong:  # noqa: BLE001 - a record that cannot be encoded
            self._die_of_effect(wrong)
            return
        if self._frozen is None:
            self._release()

    def _release(self) -> None:
        """Carry out what no longer waits for the disk, and sync what does."""
        try:
            self._carry_out_free()
        except Exception as wrong:  # noqa: BLE001 - as in handle
            self._die_of_effect(wrong)

    def _carry_out_free(self) -> None:
        free, self._durable = self._durable, []
        self._carry_out(free)
        waiting, self._waiting = self._waiting, []
        for at, effect in enumerate(waiting):
            kind = type(effect)
            if kind is Persist or kind is Truncate:
                self._carry_out(waiting[:at])
                self._waiting = waiting[at:]
                self._sync()
                return
        self._carry_out(waiting)

    def _write(self, effect: Effect) -> None:
        if isinstance(effect, Persist):
            self.disk.write(effect.record)
            if self._log is not None:
                self._log.add(self.name, "persist", text=brief(effect.record))
        elif isinstance(effect, Truncate):
            self.disk.replace(effect.records)
            if self._log is not None:
                self._log.add(self.name, "persist", text=f"{len(effect.records)} records anew")

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            kind = type(effect)
            if kind is Send:
                self._send(effect.dst, effect.message)  # type: ignore[union-attr]
            elif kind is Trace:
                self._trace(self.name, effect.event, effect.fields)  # type: ignore[union-attr]
            elif kind is Reply:
                self._clients.reply(effect.id, effect.response)  # type: ignore[union-attr]
            else:
                raise BadEffectError(f"its machine returned {effect!r}, which is no effect")

    def _send(self, dst: str, message: Any) -> None:
        link = self.links.get(dst)
        if link is None:
            if dst != self.name:
                raise BadEffectError(f"its machine sends to {dst!r}, neither a peer nor itself")
            own = self._frame(message)
            self._loop.at(self._loop.now_ns, self._hear_oneself, (self.life, own))
            return
        said = message
        if self.lie is not None:
            said = self.lie(dst, message)
            self._last = None
        frame = self._frame(said)
        if self._log is not None:
            kind = type(message).__name__.lower()
            frame.id = self._log.number()
            self._log.add(self.name, "send", to=dst, id=frame.id, kind=kind, text=brief(said))
        link.send(frame)

    def _hear_oneself(self, what: tuple[int, Frame]) -> None:
        life, frame = what
        if self.life == life:
            message = frame.message if frame.message is not None else self._decoded(frame.payload)
            self.handle(Deliver(self.name, message))

    def _frame(self, message: Any) -> Frame:
        """The message as it travels: encoded, so that a receiver shares nothing with its sender.
        One that cannot change is decoded once for all who receive it."""
        last = self._last
        if last is not None and last[0] is message:
            return Frame(last[1].message, last[1].payload)
        payload = _encode(message)
        shared = None
        if self._decode is not None:
            try:
                shared = self._decode(payload)
                hash(shared)  # a value without lists and maps in it: nobody can change it
            except (TypeError, msgspec.ValidationError):
                shared = None
        frame = Frame(shared, payload)
        self._last = (message, frame)
        return frame

    def _ring(self, name: str) -> None:
        if self._log is not None:
            self._log.add(self.name, "timeout", name=name)
        self.handle(Timeout(name))
