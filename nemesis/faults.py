"""Faults as values: what can go wrong, described and not done.

Rules
1. A fault is frozen and serialisable; its `fault` tag names it in schedules, ledgers and reports.
2. A fault is written with an intent (a topology, a target) and becomes concrete when it is
   resolved against the cluster: `links` or `nodes` are then filled in. Only concrete faults are
   applied, and both forms are recorded.
3. Every fault can be undone by the identity it was applied under. Faults overlap: what a link does
   is the sum of all faults applied to it, and undoing one leaves the others in force.
4. Links are directed: (a, b) carries what a sends to b. The clients together are the host CLIENT.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    """Only the tag is shared; a fault is otherwise its own fields."""


class Partition(_Fault, frozen=True, tag="partition"):
    """Cut links. `silent`: frames vanish (a byte stream is held back, as TCP would retransmit it);
    `reset`: connections are reset and refused. `target` matters where the topology takes one."""

    topology: str = "halves"
    target: str = "one"
    mode: Literal["silent", "reset"] = "silent"
    links: tuple[Link, ...] = ()


class Slow(_Fault, frozen=True, tag="slow"):
    """Delay what links carry, in milliseconds; order on a link is kept."""

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
    """Hold each frame back with `probability` for up to `window_ms`, so that later ones pass it."""

    target: str = "all"
    probability: float = 0.2
    window_ms: float = 50.0
    links: tuple[Link, ...] = ()


class Throttle(_Fault, frozen=True, tag="throttle"):
    """Limit each link to a rate."""

    target: str = "all"
    bytes_per_s: int = 20_000
    links: tuple[Link, ...] = ()


class Kill(_Fault, frozen=True, tag="kill"):
    """SIGKILL the nodes; undone by starting them again on the data they left."""

    target: str = "one"
    nodes: tuple[str, ...] = ()


class Pause(_Fault, frozen=True, tag="pause"):
    """SIGSTOP the nodes; undone by SIGCONT."""

    target: str = "one"
    nodes: tuple[str, ...] = ()


LinkFault = Partition | Slow | Lose | Duplicate | Reorder | Throttle
NodeFault = Kill | Pause
Fault = LinkFault | NodeFault


class Undo(msgspec.Struct, frozen=True, tag="undo", tag_field="action"):
    """The inverse of whatever was applied under `id`; `kind` and `on` say what for a reader."""

    id: int
    kind: str
    on: tuple[str, ...]


def inverse(fault: Fault, id: int) -> Undo:  # noqa: A002 - the ledger's word
    """What undoes a concrete fault that was applied under `id`."""
    if isinstance(fault, NodeFault):
        return Undo(id, undo_name(fault), fault.nodes)
    return Undo(id, undo_name(fault), link_names(fault.links))


def undo_name(fault: Fault) -> str:
    """What undoing the fault is called in histories and ledgers."""
    return {"kill": "restart", "pause": "resume"}.get(tag(fault), "heal")


def link_names(links: Iterable[Link]) -> tuple[str, ...]:
    """Links as people and histories name them: 'n1>n2' carries what n1 sends to n2."""
    return tuple(f"{src}>{dst}" for src, dst in links)


def tag(fault: Fault) -> str:
    """The name of the fault's kind, as in schedules: 'partition', 'kill', ..."""
    name = type(fault).__struct_config__.tag
    assert isinstance(name, str)
    return name
