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
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from nemesis.faults import (
    ClientFault,
    ClockFault,
    DiskFault,
    Fault,
    Link,
    LinkFault,
    MemberFault,
    ProcessFault,
    TraitorFault,
    VersionFault,
    tag,
)
from nemesis.resolution import describe, nodes_min, problems
from nemesis.schedule import Schedule

Capability = Literal[
    "network", "processes", "disks", "clocks", "clients", "traitors", "members", "versions"
]

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
    corrupted: int = 0


class DiskReading(msgspec.Struct, frozen=True):
    """What the disk of a node is like, measured, whether the node runs or not.

    `full`: a write of a probe finds no room now. `sync_ms`: how long a sync of a probe takes now.
    `failing`: the share of a probe's operations that fail now with an input/output error. Since the
    cluster started: `lost` and `corrupted` count the records that a power failure took and those
    whose bits were flipped, `truncated` the bytes that were cut off the ends of files.
    """

    full: bool
    sync_ms: float
    lost: int
    corrupted: int
    truncated: int = 0
    failing: float = 0.0


class ClockReading(msgspec.Struct, frozen=True):
    """What the clock of a node shows, measured against the time of the cluster. `offset_ms`: how
    far it is ahead (negative: behind). `rate`: what it gains of a second that passes now: 1.0 if
    it is right, 1.1 if it is a tenth too fast, 0.0 while it stands still. `monotonic_ms`: how far
    the monotonic clock is ahead, where that is another one; None where a node has one clock for
    everything."""

    offset_ms: float
    rate: float
    monotonic_ms: float | None = None


class TraitorReading(msgspec.Struct, frozen=True):
    """`lies`: the messages of a node that were not what its program sent, since the start."""

    lies: int


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
    """Any capability may say beforehand that it cannot do a fault, e.g. that a byte stream of
    unknown framing cannot lose messages. One that does not is asked by applying it."""

    def refusal(self, fault: Any) -> str | None:
        """Why not, as a sentence with what would enable it; None if it can. The fault is of a kind
        that needs this capability, free of mistakes, an intent or concrete."""
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


class Disks(Protocol):
    """A cluster that offers disks offers processes too: undoing a fault of disks starts nobody,
    since another fault may still hold a node dead. Who is to run again is started through them."""

    async def apply(self, id: int, fault: DiskFault) -> None:  # noqa: A002
        """Put a concrete fault in force. Where it is deadly, the nodes are dead on return, and what
        was to be lost or damaged is. The same fault again under its id changes nothing."""
        ...

    async def undo(self, id: int) -> None:  # noqa: A002
        """The disk has room again, or its speed; what is lost or damaged stays so."""
        ...

    async def measure(self) -> dict[str, DiskReading]: ...


class Clocks(Protocol):
    async def apply(self, id: int, fault: ClockFault) -> None:  # noqa: A002
        """Put a concrete fault in force. Faults of one clock add up, offsets and drifts alike."""
        ...

    async def undo(self, id: int) -> None:  # noqa: A002
        """Take back its offset and all that its drift has gained; a clock that is then ahead
        stands still until its time has come."""
        ...

    async def measure(self) -> dict[str, ClockReading]: ...


class Clients(Protocol):
    async def crash(self, share: float) -> int:
        """End so many of the clients without a word, at least one; the connections cut."""
        ...

    async def measure(self) -> int:
        """The clients crashed since the cluster started."""
        ...


class Traitors(Protocol):
    async def apply(self, id: int, fault: TraitorFault) -> None: ...  # noqa: A002

    async def undo(self, id: int) -> None:  # noqa: A002
        """Honest again; what was said is not unsaid."""
        ...

    async def measure(self) -> dict[str, TraitorReading]: ...


class Members(Protocol):
    """A cluster that offers members offers processes too: who is to run again is started through
    them."""

    async def apply(self, id: int, fault: MemberFault) -> None:  # noqa: A002
        """The nodes are no members on return, dead, and their disks empty. Raises where the system
        refuses (a quorum would be lost, say), and then they are what they were."""
        ...

    async def undo(self, id: int) -> None:  # noqa: A002
        """They are members again, on empty disks; starting them is another order."""
        ...

    async def measure(self) -> dict[str, bool]:
        """Is the node a member, as the majority of the nodes that answer say?"""
        ...


class Versions(Protocol):
    async def apply(self, id: int, fault: VersionFault) -> None:  # noqa: A002
        """On return the nodes run with the options of the fault."""
        ...

    async def undo(self, id: int) -> None:  # noqa: A002
        """They run with their former options, unless the fault stays."""
        ...

    async def measure(self) -> dict[str, dict[str, str]]:
        """The options with which each node was started last."""
        ...


class Breakable(Protocol):
    """The side of a cluster that the nemesis sees."""

    @property
    def nodes(self) -> tuple[str, ...]: ...

    @property
    def network(self) -> Network | None: ...

    @property
    def processes(self) -> Processes | None: ...

    @property
    def disks(self) -> Disks | None: ...

    @property
    def clocks(self) -> Clocks | None: ...

    @property
    def clients(self) -> Clients | None: ...

    @property
    def traitors(self) -> Traitors | None: ...

    @property
    def members(self) -> Members | None: ...

    @property
    def versions(self) -> Versions | None: ...

    async def leaders(self) -> tuple[str, ...]:
        """The nodes that believe they lead now, asked from them; empty if none or unknown."""
        ...


def needs(fault: Fault) -> Capability:
    """The capability without which a cluster cannot do this fault."""
    for faults, capability in _NEEDS:
        if isinstance(fault, faults):
            return capability
    raise AssertionError(f"no capability is known for {tag(fault)}")


def refusals(schedule: Schedule, cluster: Breakable) -> list[str]:
    """Sentences about the faults of a schedule that the cluster cannot do; empty if it can do all.

    Each reason is given once, with the number of faults it strikes.
    """
    lacking: dict[Capability, list[Fault]] = {}
    reasons: dict[str, list[Fault]] = {}
    for fault in schedule.faults():
        wrong = problems(fault, cluster.nodes)
        missing = None if wrong else _missing(fault, cluster)
        if missing is not None:
            lacking.setdefault(missing, []).append(fault)
            continue
        for reason in wrong or _reasons(fault, cluster):
            reasons.setdefault(reason, []).append(fault)
    return [
        *(
            f"{_lack(capability, faults)} ({_which(faults)})"
            for capability, faults in lacking.items()
        ),
        *(f"{reason} ({_which(faults)})" for reason, faults in reasons.items()),
    ]


def _missing(fault: Fault, cluster: Breakable) -> Capability | None:
    """What the cluster would have to offer, and does not."""
    wanted: list[Capability] = [needs(fault)]
    if isinstance(fault, DiskFault | MemberFault):
        wanted.append("processes")  # which start the nodes that died of it
    return next((capability for capability in wanted if getattr(cluster, capability) is None), None)


def _reasons(fault: Fault, cluster: Breakable) -> list[str]:
    """What else speaks against a fault for which the cluster has what it needs."""
    least = nodes_min(fault)
    if len(cluster.nodes) < least:
        return [f"{describe(fault)} means nothing with fewer than {least} nodes"]
    offered = getattr(cluster, needs(fault))
    reason = offered.refusal(fault) if isinstance(offered, Judging) else None
    return [reason] if reason else []


def _lack(capability: Capability, faults: Sequence[Fault]) -> str:
    kinds = [f"'{kind}'" for kind in dict.fromkeys(tag(fault) for fault in faults)]
    if len(kinds) == 1:
        return f"{kinds[0]} needs {_LACKING[capability]}"
    return f"{', '.join(kinds[:-1])} and {kinds[-1]} need {_LACKING[capability]}"


_NEEDS: tuple[tuple[Any, Capability], ...] = (
    (LinkFault, "network"),
    (ProcessFault, "processes"),
    (DiskFault, "disks"),
    (ClockFault, "clocks"),
    (ClientFault, "clients"),
    (TraitorFault, "traitors"),
    (MemberFault, "members"),
    (VersionFault, "versions"),
)

_LACKING: dict[Capability, str] = {
    "network": "links that can be broken, which this cluster does not offer: use a "
    "cluster with a network (local), or packages without it (crashes, pauses)",
    "processes": "processes that can be signalled, which this cluster does not "
    "offer: use a cluster that owns its nodes (local), or packages without it (partitions, links)",
    "disks": "disks that can fail, which this cluster does not offer: use "
    "--cluster simulated or namespaces, or packages without it (crashes, chaos)",
    "clocks": "clocks that can be set, which this cluster does not offer: use "
    "--cluster simulated or namespaces, or packages without it (pauses, chaos)",
    "clients": "clients that can be ended from outside, which this cluster does not "
    "offer: use --cluster simulated, or packages without it (clients, chaos)",
    "traitors": "nodes that can be made to lie, which this cluster does not offer: "
    "use --cluster simulated with failure=byzantine, or packages without it (links, chaos)",
    "members": "a system whose members can be changed, on a cluster of real hosts: use one that "
    "has a membership (etcd) with --cluster namespaces, or packages without it (crashes)",
    "versions": "nodes that can be started with other options, which this cluster does not offer: "
    "use --cluster namespaces, or packages without it (crashes)",
}


def _which(faults: Sequence[Fault]) -> str:
    return describe(faults[0]) if len(faults) == 1 else f"{len(faults)} faults"
