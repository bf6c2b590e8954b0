"""What shapes the links between whole hosts, by whatever means: names, checks, counters.

Rules
1. Hosts and the clients (the host CLIENT) are all joined to all: a directed link each way between
   any two of them. A link carries packets, whatever they hold.
2. A fault is checked against all its links before it touches the first.
3. What a means cannot do it says beforehand (`refusal`); what is wrong with a fault is wrong by
   any means (`mistake`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from itertools import permutations

from nemesis.faults import (
    CLIENT,
    Corrupt,
    Duplicate,
    Link,
    LinkFault,
    Lose,
    Reorder,
    Throttle,
    tag,
)


def links_between(hosts: Collection[str]) -> tuple[Link, ...]:
    """All directed links of these hosts and the clients."""
    return tuple(permutations((*hosts, CLIENT), 2))


def mistake(fault: LinkFault) -> str | None:
    """What is wrong with the numbers of a fault, as a sentence; None if nothing is."""
    if isinstance(fault, Lose | Duplicate | Reorder | Corrupt) and not 0 <= fault.probability <= 1:
        return f"fault '{tag(fault)}' has probability {fault.probability}, not within 0 to 1"
    if isinstance(fault, Throttle) and fault.bytes_per_s <= 0:
        return f"fault 'throttle' has bytes_per_s {fault.bytes_per_s}: give a rate above 0"
    return None


class InForce:
    """The faults in force by their ids: what an apply or undo has to touch, if anything."""

    def __init__(self, links: Collection[Link]) -> None:
        self._links = links
        self._faults: dict[int, LinkFault] = {}

    def admit(self, id: int, fault: LinkFault) -> bool:  # noqa: A002
        """Takes the fault in; False if it is in force already. Raises ValueError as `apply`."""
        known = self._faults.get(id)
        if known is not None and known != fault:
            raise ValueError(f"fault {id} is in force already, as {known}: undo it first")
        for link in fault.links:
            self._check(link)
        wrong = mistake(fault)
        if wrong:
            raise ValueError(wrong)
        self._faults[id] = fault
        return known is None

    def dismiss(self, id: int) -> LinkFault | None:  # noqa: A002
        """The fault that was in force under this id, and is no more."""
        return self._faults.pop(id, None)

    def on(self, link: Link) -> Mapping[int, LinkFault]:
        """Those that strike this link, in the order of their ids."""
        return {id_: self._faults[id_] for id_ in sorted(self._faults) if self._strikes(id_, link)}

    def clear(self) -> None:
        self._faults.clear()

    def _strikes(self, id: int, link: Link) -> bool:  # noqa: A002
        return link in self._faults[id].links

    def _check(self, link: Link) -> None:
        if link not in self._links:
            names = [f"{a}>{b}" for a, b in self._links]
            wanted = ">".join(link)
            near = get_close_matches(wanted, names, n=3) or names[:3]
            raise ValueError(f"no link {wanted} in this cluster; the nearest: {', '.join(near)}")
