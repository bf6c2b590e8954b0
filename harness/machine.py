"""The sans-I/O contract of a node: events in, effects out.

Rules
1. A machine is a deterministic function of its constructor arguments and the events it has handled.
   Time comes in with each event, randomness through the generator it was constructed with; it
   opens no file, no socket, no clock.
2. Effects are carried out in the order returned, and those of one event before those of the next:
   all of a life is one sequence. The order is the durability contract: nothing after a Persist
   leaves the node before that record is on disk, so a machine may count its own vote at once. What
   may leave earlier (a leader's accept requests, say) is put before it.
3. After a crash a new machine is constructed and gets one Recover with every record persisted
   before the crash, in order, and nothing else survives. A first start is Recover with no records.
4. A machine never raises on a message from outside: malformed input is dropped or refused. An
   exception from a handler is a bug of the machine, and the host lets the node die of it.
5. A machine may have an attribute `messages`, the type of what it receives, as msgspec has it: the
   host then decodes frames straight into it, drops what does not fit, and delivers instances.

The host is reference_impl.node (sockets and a disk) or the simulator. Sources: the style is that of
h11 and of etcd's raft (Ready/Advance), the order rule is Lamport 1998, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Protocol

import msgspec

NodeId = str
# What a machine persists and sends: anything msgspec.msgpack encodes, structs included. It comes
# back as plain values (Recover, Deliver), and the machine validates it.
Record = Any
Message = Any

__all__ = [
    "CancelTimer",
    "ClientRequest",
    "Deliver",
    "Detected",
    "Effect",
    "Event",
    "Machine",
    "Message",
    "NodeId",
    "Persist",
    "Random",
    "Record",
    "Recover",
    "Reply",
    "Send",
    "SetTimer",
    "Timeout",
    "Trace",
    "Truncate",
]


# gc=False below: effects and events are built by the hundred thousand, hold data only, and no cycle
# passes through data that was decoded or is about to be encoded.


class Recover(msgspec.Struct, frozen=True, gc=False):
    """The node starts: `stored` holds the records of earlier lives, empty at the first start."""

    stored: Sequence[Record]


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """A message arrived from node `src` (which may be this node)."""

    src: NodeId
    message: Message


class Timeout(msgspec.Struct, frozen=True, gc=False):
    """The timer `name` ran out."""

    name: str


class ClientRequest(msgspec.Struct, frozen=True, gc=False):
    """A client asks; `id` is unique within this life of the node and names the Reply."""

    id: int
    request: Mapping[str, Any]


class Detected(msgspec.Struct, frozen=True, gc=False):
    """Word of a perfect failure detector: `node` has stopped, or (`up`) is back.

    Only the fail-stop model has one; a machine that needs none ignores it.
    """

    node: NodeId
    up: bool


Event = Recover | Deliver | Timeout | ClientRequest | Detected


class Persist(msgspec.Struct, frozen=True, gc=False):
    """Append `record` to the log; durable before any later effect is carried out."""

    record: Record


class Truncate(msgspec.Struct, frozen=True, gc=False):
    """Replace the whole log by `records`, atomically and durably (a snapshot and what follows)."""

    records: Sequence[Record]


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send to node `dst`; the network may lose, delay, duplicate and reorder it."""

    dst: NodeId
    message: Message


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """(Re)start timer `name`: Timeout(name) after `delay_s` seconds."""

    name: str
    delay_s: float


class CancelTimer(msgspec.Struct, frozen=True, gc=False):
    name: str


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Answer client request `id`. A reply to a client that is gone is dropped."""

    id: int
    response: Mapping[str, Any]


class Trace(msgspec.Struct, frozen=True, gc=False):
    """A protocol event for checkers: see docs/trace-format.md. Fields must be JSON."""

    event: str
    fields: Mapping[str, Any]


Effect = Persist | Truncate | Send | SetTimer | CancelTimer | Reply | Trace


class Machine(Protocol):
    """A node without I/O."""

    def handle(self, event: Event, now: float) -> Sequence[Effect]:
        """React to one event. `now`: seconds on the node's monotonic clock, never going back."""
        ...
