"""What a cluster offers to be broken through. A cluster that lacks a capability sets it to None,
and a fault that needs it is refused before the run.

Rules
1. A fault is applied under an `id` chosen by the caller and undone by it; both are idempotent, and
   undoing an id that was never applied, or was applied only in part, is no error.
2. Probes measure; they never repeat what was ordered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from nemesis.faults import Link, LinkFault

ProcessState = Literal["running", "paused", "dead"]


class LinkReading(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a link did, measured. `delay_ms` is None while nothing comes through.

    `reachable` and `delay_ms` are of a probe sent through the link now; the counters are of the
    frames (chunks, for byte streams) that systems and clients sent since the cluster started.
    """

    reachable: bool
    delay_ms: float | None
    forwarded: int
    dropped: int
    duplicated: int
    reordered: int
    delayed: int


class Network(Protocol):
    async def apply(self, id: int, fault: LinkFault) -> None:  # noqa: A002
        """Put a concrete fault in force on its links. Raises ValueError on an unknown link or on
        a fault that the link's framing cannot carry (only whole frames can be lost)."""
        ...

    async def undo(self, id: int) -> None: ...  # noqa: A002

    async def measure(self) -> dict[Link, LinkReading]:
        """A reading of every link, clients' links included; takes at most a second."""
        ...


class Processes(Protocol):
    async def kill(self, nodes: Sequence[str]) -> None:
        """SIGKILL, and wait until they are gone; works on paused nodes too."""
        ...

    async def restart(self, nodes: Sequence[str]) -> None:
        """Start those that are dead on the data they left; does not wait for readiness."""
        ...

    async def pause(self, nodes: Sequence[str]) -> None: ...

    async def resume(self, nodes: Sequence[str]) -> None: ...

    async def states(self) -> dict[str, ProcessState]:
        """As the operating system reports them."""
        ...


class Breakable(Protocol):
    """The side of a cluster that the nemesis sees."""

    @property
    def nodes(self) -> tuple[str, ...]: ...

    @property
    def network(self) -> Network | None: ...

    @property
    def processes(self) -> Processes | None: ...

    async def leaders(self) -> tuple[str, ...]:
        """The nodes that believe they lead now, asked from them; empty if none or unknown."""
        ...
