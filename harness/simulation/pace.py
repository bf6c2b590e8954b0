"""Schedulers of frames: who waits. A scheduler decides a frame's delay beyond the least.

`uniform` is the latency's own draw. `depth` bounds the depth of what it looks for.

Rules
1. Depth. A bug has depth d if some d events, in one order, bring it about whatever else goes on.
   Nodes have priorities, drawn for each run; a frame waits by the place of its receiver in their
   order. At d - 1 moments, drawn among the `frames` that the run is expected to carry, the node
   that is about to hear something gets a priority below all that were given at the start.
2. The bound. Where priorities decide every order, a run keeps the order of a bug of depth d with a
   probability of at least 1 / (n k^(d-1)), n nodes and k frames: the first factor is that the right
   node comes last of all, each other one that a change comes at the right frame. The d - 1 low
   priorities are dealt to the moments by chance, which the argument needs: a node that is lowered
   later need not become the last.
3. Time goes on. Priorities become waits, place times unit, since strict priorities would starve
   nodes for ever, and no timer would be right. So the bound holds for orders of frames that are
   under way within one unit of one another, and the unit is drawn too, from less than a message
   takes to an election time-out.

Sources: Burckhardt et al. 2010, "A Randomized Scheduler with Probabilistic Guarantees of Finding
Bugs" (PCT); Ozkan et al. 2018, "Randomized Testing of Distributed Systems with Probabilistic
Guarantees", carry it over to messages, with chains of causes where ours are nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from harness.simulation.choices import Choices
from nemesis.faults import Link

# How long the second waits, the third twice as long, in microseconds.
UNITS_US = (300, 3_000, 15_000, 80_000)
JITTER_US = 300  # frames of one receiver come in any order


class Ranks:
    """The delays of the `depth` scheduler for one run: `changes` is d - 1, `frames` is k."""

    def __init__(self, nodes: Sequence[str], changes: int, frames: int, choices: Choices) -> None:
        draws = choices.stream("ranks")
        order = list(nodes)
        for place in range(len(order) - 1):
            other = place + draws.below(len(order) - place)
            order[place], order[other] = order[other], order[place]
        self._unit_us = UNITS_US[draws.below(len(UNITS_US))]
        # Greater waits longer: the n at the start, then those of the changes, by their number and
        # not by their moment.
        self._priority = {node: number for number, node in enumerate(order)}
        self._changes = {draws.below(frames): len(order) + n for n in range(changes)}
        self._frames = 0
        self._settle()

    def extra_us(self, link: Link, random: Random) -> int:
        """Of the next frame, which is on `link`."""
        lowered = self._changes.get(self._frames)
        self._frames += 1
        if lowered is not None:
            self._priority[link[1]] = lowered
            self._settle()
        return self._waits_us[link[1]] + int(random.random() * JITTER_US)

    def _settle(self) -> None:
        order = sorted(self._priority, key=self._priority.__getitem__)
        self._waits_us = {node: place * self._unit_us for place, node in enumerate(order)}
