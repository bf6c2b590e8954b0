"""Faults as values: what can go wrong, described and not done.

Rules
1. A fault is frozen and serialisable; its `fault` tag names it in schedules, ledgers and reports.
2. A fault is written with an intent (a topology, a target) and becomes concrete when it is
   resolved against the cluster: `links` or `nodes` are then filled in (clients have no names, so
   a fault of clients is concrete as it is). Only concrete faults are applied, and both forms are
   recorded.
3. Every fault can be undone by the identity it was applied under. Faults overlap: what a link does
   is the sum of all faults applied to it, and undoing one leaves the others in force.
4. Links are directed: (a, b) carries what a sends to b. The clients together are the host CLIENT.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Literal

import msgspec

CLIENT = "client"

Link = tuple[str, str]


class _Fault(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,  # a mistyped field must not silently mean its default
    tag_field="fault",
):
    """Only the tag is shared; a fault is otherwise its own fields.

    `target`: what it strikes, by a name that is resolved when it is applied. `links`, `nodes`: the
    ones it struck, filled in then. `probability`: 0 to 1, of each frame or call by itself."""


class Partition(_Fault, frozen=True, tag="partition"):
    """Cut links. `topology`: the shape of the cut, for some of which `target` matters. `mode`:
    'silent' lets frames vanish (a byte stream is held back, as TCP would retransmit it), 'reset'
    resets connections and refuses new ones."""

    topology: str = "halves"
    target: str = "one"
    mode: Literal["silent", "reset"] = "silent"
    links: tuple[Link, ...] = ()


class Slow(_Fault, frozen=True, tag="slow"):
    """Delay what links carry; order on a link is kept. `mean_ms`: of the delay. `jitter_ms`: its
    standard deviation where it is normal, half its width where it is uniform. `distribution`: what
    delays are drawn from."""

    target: str = "all"
    mean_ms: float = 50.0
    jitter_ms: float = 10.0
    distribution: Literal["constant", "uniform", "normal", "exponential"] = "normal"
    links: tuple[Link, ...] = ()


class Lose(_Fault, frozen=True, tag="lose"):
    """Drop each frame with `probability`."""

    target: str = "all"
    probability: float = 0.2
    links: tuple[Link, ...] = ()


class Duplicate(_Fault, frozen=True, tag="duplicate"):
    """Deliver each frame twice with `probability`."""

    target: str = "all"
    probability: float = 0.2
    links: tuple[Link, ...] = ()


class Reorder(_Fault, frozen=True, tag="reorder"):
    """Hold each frame back with `probability`, so that later ones pass it. `window_ms`: for how
    long at most."""

    target: str = "all"
    probability: float = 0.2
    window_ms: float = 50.0
    links: tuple[Link, ...] = ()


class Throttle(_Fault, frozen=True, tag="throttle"):
    """Limit each link to a rate. `bytes_per_s`: of each direction by itself."""

    target: str = "all"
    bytes_per_s: int = 20_000
    links: tuple[Link, ...] = ()


class Hold(_Fault, frozen=True, tag="hold"):
    """Links keep what they carry, and let it go in its order when this is undone: old messages
    arrive long after newer ones of others. `direction`: as seen from the target; 'out' holds what
    it sends, 'in' what is sent to it."""

    target: str = "all"
    direction: Literal["both", "out", "in"] = "both"
    links: tuple[Link, ...] = ()


class Corrupt(_Fault, frozen=True, tag="corrupt"):
    """Alter each frame with `probability`, unnoticed by the transport. Paxos assumes that this
    never happens: a system without checksums of its own may break, and is not to blame."""

    target: str = "all"
    probability: float = 0.2
    links: tuple[Link, ...] = ()


class Kill(_Fault, frozen=True, tag="kill"):
    """SIGKILL the nodes; undone by starting them again on the data they left."""

    target: str = "one"
    nodes: tuple[str, ...] = ()


class Pause(_Fault, frozen=True, tag="pause"):
    """SIGSTOP the nodes; undone by SIGCONT."""

    target: str = "one"
    nodes: tuple[str, ...] = ()


class LoseUnsynced(_Fault, frozen=True, tag="lose-unsynced"):
    """The power fails: the nodes die, and of what they wrote only what was synced is left. Undone
    by starting them. `torn`: may the first write that is lost leave a part of itself?"""

    target: str = "one"
    torn: bool = True
    nodes: tuple[str, ...] = ()


class CorruptDisk(_Fault, frozen=True, tag="corrupt-disk"):
    """The nodes die, and bits of what each had stored flip, but not of the last record: nobody can
    tell that from a write which a crash cut short, and may forget it in good faith. Undone by
    starting them; one that sees the damage and refuses to start is lost, and right. `records`: how
    many are damaged."""

    target: str = "expendable"
    records: int = 1
    nodes: tuple[str, ...] = ()


class TruncateDisk(_Fault, frozen=True, tag="truncate-disk"):
    """The nodes die, and the end of the file that each wrote last is gone: a file system that
    forgot what it had called durable. Undone by starting them; one that sees the damage and refuses
    to start is lost, and right. `bytes`: how many are gone."""

    target: str = "expendable"
    bytes: int = 100
    nodes: tuple[str, ...] = ()


class FailDisk(_Fault, frozen=True, tag="fail-disk"):
    """Each read, write and sync fails with an input/output error with `probability`. Undone by
    mending the disk and starting the nodes that died of it."""

    target: str = "one"
    probability: float = 0.2
    nodes: tuple[str, ...] = ()


class FillDisk(_Fault, frozen=True, tag="fill-disk"):
    """Writes fail from now on. Undone by freeing the disk and starting the nodes that died of
    it."""

    target: str = "one"
    nodes: tuple[str, ...] = ()


class SlowDisk(_Fault, frozen=True, tag="slow-disk"):
    """Syncs take long. `mean_ms`: on average, drawn from an exponential distribution."""

    target: str = "one"
    mean_ms: float = 100.0
    nodes: tuple[str, ...] = ()


class SkewClock(_Fault, frozen=True, tag="skew-clock"):
    """The clocks jump by `offset_ms` at once and from then on gain `drift` (0.1: a tenth more than
    passes; -0.1: a tenth less). Undone by setting them right, in the same way. `offset_ms`: the
    jump, negative for back. `drift`: gained in each second, in seconds.

    `clock`: what time of day it is (wall), or how much time passes (monotonic). On a real host the
    wall clock does go back, and the monotonic one takes offsets only, by restarting the nodes. A
    simulated node has one clock, whichever is named, which never goes back: it stands still until
    the time that it shows has come."""

    target: str = "one"
    offset_ms: float = 0.0
    drift: float = 0.0
    clock: Literal["wall", "monotonic"] = "wall"
    nodes: tuple[str, ...] = ()


class CrashClients(_Fault, frozen=True, tag="crash-clients"):
    """`share` (0 to 1, at least one client) of the clients vanish with their connections; what
    they had asked for may or may not happen. Others take their places; nothing is undone."""

    share: float = 0.5


class Betray(_Fault, frozen=True, tag="betray"):
    """The nodes lie from now on, until this is undone. Paxos assumes that nobody lies: this breaks
    a correct implementation, and shows that it does. `behaviour`: 'alter' changes what they report,
    'equivocate' tells each peer something else, 'forge' names ballots that are not theirs."""

    target: str = "one"
    behaviour: Literal["alter", "equivocate", "forge"] = "alter"
    nodes: tuple[str, ...] = ()


class RemoveMember(_Fault, frozen=True, tag="remove-member"):
    """The nodes are voted out by the system's own means, then stopped and wiped. Undone by adding
    them as new members and starting them on empty disks."""

    target: str = "one"
    nodes: tuple[str, ...] = ()


class Upgrade(_Fault, frozen=True, tag="upgrade"):
    """The nodes are stopped politely and started as another version, or with another setting.
    `options`: over those of the trial. `stays`: is nothing undone? Else they go back in the same
    way."""

    target: str = "one"
    options: dict[str, str] = {}
    stays: bool = True
    nodes: tuple[str, ...] = ()


# By what they need of a cluster (see capabilities).
LinkFault = Partition | Slow | Lose | Duplicate | Reorder | Throttle | Hold | Corrupt
ProcessFault = Kill | Pause
DiskFault = LoseUnsynced | CorruptDisk | TruncateDisk | FillDisk | FailDisk | SlowDisk
ClockFault = SkewClock
ClientFault = CrashClients
TraitorFault = Betray
MemberFault = RemoveMember
VersionFault = Upgrade

# By what they strike: a LinkFault has `links`, a NodeFault has `nodes`, a ClientFault neither.
NodeFault = ProcessFault | DiskFault | ClockFault | TraitorFault | MemberFault | VersionFault
Fault = LinkFault | NodeFault | ClientFault

# These hold their nodes dead until they are undone.
DeadlyFault = Kill | LoseUnsynced | CorruptDisk | TruncateDisk | RemoveMember


def slowness_ms(fault: Slow, random: Random) -> float:
    """One delay drawn from the distribution of the fault, in milliseconds, never negative."""
    mean, jitter = fault.mean_ms, fault.jitter_ms
    match fault.distribution:
        case "constant":
            delay_ms = mean
        case "uniform":
            delay_ms = random.uniform(mean - jitter, mean + jitter)
        case "normal":
            delay_ms = random.gauss(mean, jitter)
        case "exponential":
            delay_ms = random.expovariate(1 / mean) if mean > 0 else 0.0
    return max(0.0, delay_ms)


class Undo(msgspec.Struct, frozen=True, tag="undo", tag_field="action"):
    """The inverse of whatever was applied under `id`; `kind` and `on` say what for a reader."""

    id: int
    kind: str
    on: tuple[str, ...]


def inverse(fault: Fault, id: int) -> Undo:  # noqa: A002 - the ledger's word
    """What undoes a concrete fault that was applied under `id`."""
    return Undo(id, undo_name(fault), struck(fault))


_UNDOING = {
    "pause": "resume",
    "hold": "release",
    "fill-disk": "free",
    "remove-member": "add-member",
    "upgrade": "downgrade",
}


def undo_name(fault: Fault) -> str:
    """What undoing the fault is called in histories and ledgers."""
    if isinstance(fault, Upgrade) and fault.stays:
        return "keep"
    if isinstance(fault, DeadlyFault) and tag(fault) not in _UNDOING:
        return "restart"
    return _UNDOING.get(tag(fault), "heal")


def struck(fault: Fault) -> tuple[str, ...]:
    """The names of the nodes or links that a concrete fault strikes; of clients, all as one."""
    if isinstance(fault, ClientFault):
        return (CLIENT,)
    return fault.nodes if isinstance(fault, NodeFault) else link_names(fault.links)


def link_names(links: Iterable[Link]) -> tuple[str, ...]:
    """Links as people and histories name them: 'n1>n2' carries what n1 sends to n2."""
    return tuple(f"{src}>{dst}" for src, dst in links)


def tag(fault: Fault) -> str:
    """The name of the fault's kind, as in schedules: 'partition', 'kill', ..."""
    name = type(fault).__struct_config__.tag
    assert isinstance(name, str)
    return name
