"""How many configurations a second the explorer visits, on one core.

    python -m benchmarks.exploration

Single-decree Paxos of the reference, two proposers and three acceptors, agreement judged in every
configuration. Processor time, so that a busy machine does not count; the first search of a world
also runs the machines, later ones only look up. The claims are 30,000 configurations a second and
the whole instance in 5 seconds; `Stateright's variant` is the protocol of its published count.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time_ns

from harness.clock import NS_PER_S
from harness.exploration.configuration import Limits, System, World
from harness.exploration.properties import agreement
from harness.exploration.reduction import search_asleep
from harness.exploration.search import Found, search
from harness.exploration.symmetry import Symmetry
from tests.harness.exploration.reference import synod
from tests.harness.exploration.register_paxos import REGISTER_PAXOS

CLAIM_PER_S, CLAIM_S = 30_000, 5.0

Search = Callable[[World], Found]


def plain(world: World) -> Found:
    return search(world, [agreement()])


def asleep(world: World) -> Found:
    return search_asleep(world, [agreement()])


def symmetric(world: World) -> Found:
    return search(world, [agreement()], canonical=Symmetry(world, ("n3", "n4")))


CASES: tuple[tuple[str, System, Limits, bool, Search], ...] = (
    ("2 proposers, 3 acceptors", synod(3, 2), Limits(), True, plain),
    ("  sleep sets", synod(3, 2), Limits(), True, asleep),
    ("  no moot receipts", synod(3, 2), Limits(), False, plain),
    ("  no moot receipts, sleep sets", synod(3, 2), Limits(), False, asleep),
    ("  refusals", synod(3, 2, refusals=True), Limits(), True, plain),
    ("  all learn from acceptors", synod(3, 2, learning="all"), Limits(), True, plain),
    ("  no moot receipts, 1 time-out", synod(3, 2), Limits(timeouts=1), False, plain),
    ("  no moot receipts, 1 crash", synod(3, 2), Limits(crashes=1), False, plain),
    ("  no moot receipts, 1 duplicate", synod(3, 2), Limits(duplicates=1), False, plain),
    ("2 proposers, 4 acceptors, no moot", synod(4, 2), Limits(), False, plain),
    ("  n3 and n4 interchangeable", synod(4, 2), Limits(), False, symmetric),
    ("Stateright's variant, no moot", REGISTER_PAXOS, Limits(), False, plain),
)


def measured(explore: Search, world: World) -> tuple[Found, float]:
    began_ns = process_time_ns()
    found = explore(world)
    return found, (process_time_ns() - began_ns) / NS_PER_S


def main() -> None:
    heads = ("configurations", "transitions", "first", "per s", "again, per s")
    print(" " * 36 + "{:>15}{:>13}{:>9}{:>10}{:>14}".format(*heads))
    for name, system, limits, moot, explore in CASES:
        world = World(system, limits, moot=moot)
        found, first_s = measured(explore, world)
        _, again_s = measured(explore, world)
        per_s, again_per_s = found.configurations / first_s, found.configurations / again_s
        print(
            f"{name:36}{found.configurations:>15,}{found.transitions:>13,}{first_s:>7.2f} s"
            f"{per_s:>10,.0f}{again_per_s:>14,.0f}"
        )
        if name == CASES[0][0]:
            claim = (
                f"  claims: {per_s / CLAIM_PER_S:.1f} times {CLAIM_PER_S:,} a second; "
                f"{first_s / CLAIM_S:.2f} of {CLAIM_S:g} s"
            )
    print(claim)


if __name__ == "__main__":
    main()
