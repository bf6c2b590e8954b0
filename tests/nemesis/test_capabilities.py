"""What a cluster cannot do is said before the run."""

from __future__ import annotations

from typing import Any

from nemesis import packages
from nemesis.capabilities import needs, refusals
from nemesis.faults import Fault, Kill, LinkFault, Lose, Partition, Pause, Slow
from nemesis.schedule import Schedule, Step


class Offered:
    """Stands for a capability; says about frames what the cluster was made with."""

    def __init__(self, sentence: str | None = None) -> None:
        self.sentence = sentence

    def refusal(self, fault: LinkFault) -> str | None:
        return self.sentence if isinstance(fault, Lose) else None


class Cluster:
    """The side of a cluster that refusals look at."""

    def __init__(self, count: int, network: Any, processes: Any) -> None:
        self.nodes = tuple(f"n{i}" for i in range(1, count + 1))
        self.network = network
        self.processes = processes

    async def leaders(self) -> tuple[str, ...]:
        raise AssertionError("nobody is asked before the run")


def of(*faults: Fault) -> Schedule:
    starts = (Step(1.0, i, "start", fault) for i, fault in enumerate(faults, start=1))
    return Schedule(9.0, 0, tuple(starts))


def test_a_cluster_that_offers_all_refuses_nothing() -> None:
    """Every package can be played where links and processes can be broken."""
    cluster = Cluster(5, Offered(), Offered())
    for name in packages.PACKAGES:
        assert refusals(packages.schedule(name, 1, 60.0), cluster) == []


def test_a_missing_capability_is_named_once_with_the_remedy() -> None:
    """One sentence for a reason, however many faults it strikes."""
    schedule = of(Kill(), Partition(), Pause(), Kill(target="all"))
    no_network = refusals(schedule, Cluster(5, None, Offered()))
    assert no_network == [
        "'partition' needs links that can be broken, which this cluster does not offer: use a "
        "cluster with a network (local), or packages without it (crashes, pauses) "
        "(partition halves)"
    ]
    no_processes = refusals(schedule, Cluster(5, Offered(), None))
    assert [s.split(" needs ")[0] for s in no_processes] == ["'kill'", "'pause'"]
    assert no_processes[0].endswith("(2 faults)")


def test_small_clusters_and_strangers_are_refused() -> None:
    """A ring of two means nothing; a node that is not there cannot be killed."""
    cluster = Cluster(2, Offered(), Offered())
    ring, stranger = of(Partition(topology="majorities-ring")), of(Kill(target="n3"))
    assert "fewer than 3 nodes" in refusals(ring, cluster)[0]
    assert "unknown target or node 'n3'" in refusals(stranger, cluster)[0]


def test_a_network_may_refuse_what_its_links_cannot_carry() -> None:
    """Streams of unknown framing lose no messages; the network says so in its own words."""
    cluster = Cluster(5, Offered("no frames here"), Offered())
    assert refusals(of(Lose(), Slow()), cluster) == ["no frames here (lose all)"]


def test_each_fault_needs_one_capability() -> None:
    """Faults of nodes need processes, all others the network."""
    assert [needs(f) for f in (Kill(), Pause(), Slow(), Partition())] == [
        "processes",
        "processes",
        "network",
        "network",
    ]
