"""The reference's synod as a system to explore: one instance, each proposer asked once."""

from __future__ import annotations

from random import Random

from harness.exploration.configuration import System, chosen_event
from harness.machine import Machine
from reference_impl.build import build_machine

# Counts of messages sent: for traces only.
STATISTICS = frozenset({"Outbox._sent", "Outbox._traced"})


def not_statistics(timer: str) -> bool:
    """The timer that only makes the node trace how many messages it has sent."""
    return timer != "messages"


def synod(
    nodes: int,
    proposers: int,
    *,
    mutant: str | None = None,
    learning: str = "distinguished",
    refusals: bool = False,
) -> System:
    """Nodes n1, n2 and so on, all of them acceptors; the first `proposers` propose their names."""
    names = tuple(f"n{number}" for number in range(1, nodes + 1))

    def build(name: str, rng: Random) -> Machine:
        return build_machine(
            "synod",
            name=name,
            peers=[peer for peer in names if peer != name],
            rng=rng,
            learning=learning,
            refusals=refusals,
            reads="log",
            mutant=mutant,
        )

    asked = {name: [{"f": "propose", "key": "k", "value": name}] for name in names[:proposers]}
    return System(
        processes=names,
        build=build,
        requests=asked,
        decision=chosen_event,
        fires=not_statistics,
        unseen=STATISTICS,
    )
