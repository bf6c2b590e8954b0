"""What a cluster offers to be broken through. A cluster that lacks a capability sets it to None,
and a fault that needs it is refused before the run.

Rules
1. A fault is applied under an `id` chosen by the caller and undone by it; both are idempotent, and
   undoing an id that was never applied, or was applied only in part, is no error.
2. Probes measure; they never repeat what was ordered.
3. `refusals` says before the run, all at once, what a cluster cannot do, why, and what would help.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

from nemesis.faults import Fault, Link, LinkFault, NodeFault, tag
from nemesis.resolution import describe, nodes_min, problems
from nemesis.schedule import Schedule

Capability = Literal["network", "processes"]

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


@runtime_checkable
class Judging(Protocol):
    """A Network may say beforehand that its links cannot carry a fault, e.g. that a byte stream of
    unknown framing cannot lose messages. One that does not is asked by applying it."""

    def refusal(self, fault: LinkFault) -> str | None:
        """Why not, as a sentence with what would enable it; None if it can. The fault may be an
        intent or concrete."""
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


def needs(fault: Fault) -> Capability:
    """The capability without which a cluster cannot do this fault."""
    return "processes" if isinstance(fault, NodeFault) else "network"


def refusals(schedule: Schedule, cluster: Breakable) -> list[str]:
    """Sentences about the faults of a schedule that the cluster cannot do; empty if it can do all.

    Each reason is given once, with the number of faults it strikes.
    """
    reasons: dict[str, list[Fault]] = {}
    for fault in schedule.faults():
        for reason in _reasons(fault, cluster):
            reasons.setdefault(reason, []).append(fault)
    return [f"{reason} ({_which(faults)})" for reason, faults in reasons.items()]


def _reasons(fault: Fault, cluster: Breakable) -> list[str]:
    wrong = problems(fault, cluster.nodes)
    if wrong:
        return wrong
    if getattr(cluster, needs(fault)) is None:
        return [_LACKING[needs(fault)].format(kind=tag(fault))]
    least = nodes_min(fault)
    if len(cluster.nodes) < least:
        return [f"{describe(fault)} means nothing with fewer than {least} nodes"]
    if not isinstance(fault, NodeFault) and isinstance(cluster.network, Judging):
        reason = cluster.network.refusal(fault)
        return [reason] if reason else []
    return []


_LACKING: dict[Capability, str] = {
    "network": "'{kind}' needs links that can be broken, which this cluster does not offer: use a "
    "cluster with a network (local), or packages without it (crashes, pauses)",
    "processes": "'{kind}' needs processes that can be signalled, which this cluster does not "
    "offer: use a cluster that owns its nodes (local), or packages without it (partitions, links)",
}


def _which(faults: Sequence[Fault]) -> str:
    return describe(faults[0]) if len(faults) == 1 else f"{len(faults)} faults"
