"""What a cluster cannot do is said before the run."""

from __future__ import annotations

from typing import Any

import pytest

from nemesis import packages
from nemesis.capabilities import needs, refusals
from nemesis.faults import (
    Betray,
    CorruptDisk,
    Fault,
    FillDisk,
    Kill,
    LinkFault,
    Lose,
    LoseUnsynced,
    Partition,
    Pause,
    RemoveMember,
    Slow,
    Upgrade,
    tag,
)
from nemesis.resolution import FAULTS
from nemesis.schedule import Schedule, Step


class Offered:
    """Stands for a capability; says about frames what the cluster was made with."""

    def __init__(self, sentence: str | None = None) -> None:
        self.sentence = sentence

    def refusal(self, fault: LinkFault) -> str | None:
        return self.sentence if isinstance(fault, Lose) else None


class Cluster:
    """The side of a cluster that refusals look at."""

    def __init__(self, count: int, network: Any, processes: Any, *rest: Any) -> None:
        self.nodes = tuple(f"n{i}" for i in range(1, count + 1))
        self.network = network
        self.processes = processes
        self.disks, self.clocks, self.clients, self.traitors, *more = rest or (None,) * 4
        self.members: Any = more[0] if more else None
        self.versions: Any = more[1] if more else None

    async def leaders(self) -> tuple[str, ...]:
        raise AssertionError("nobody is asked before the run")


def of(*faults: Fault) -> Schedule:
    starts = (Step(1.0, i, "start", fault) for i, fault in enumerate(faults, start=1))
    return Schedule(9.0, 0, tuple(starts))


def test_a_cluster_that_offers_all_refuses_nothing() -> None:
    """Every package can be played where everything can be broken."""
    cluster = Cluster(5, *(Offered() for _ in range(8)))
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
    assert [s.split(" processes ")[0] for s in no_processes] == ["'kill' and 'pause' need"]
    assert no_processes[0].endswith("(3 faults)")


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


def test_any_capability_may_refuse_what_it_cannot_do() -> None:
    """A world without traitors says so itself, and of its own faults alone."""

    class Honest:
        def refusal(self, fault: Fault) -> str | None:
            return f"nobody lies here: {tag(fault)}"

    cluster = Cluster(5, Offered(), Offered(), None, None, None, Honest())
    assert refusals(of(Betray(), Kill(), Slow()), cluster) == [
        "nobody lies here: betray (betray one)"
    ]


def test_each_fault_needs_one_capability() -> None:
    """Every kind has its own, and none is forgotten."""
    kinds = {
        "network": "partition slow lose duplicate reorder throttle hold corrupt",
        "processes": "kill pause",
        "disks": "lose-unsynced corrupt-disk truncate-disk fill-disk fail-disk slow-disk",
        "clocks": "skew-clock",
        "clients": "crash-clients",
        "traitors": "betray",
        "members": "remove-member",
        "versions": "upgrade",
    }
    expected = {kind: name for name, listed in kinds.items() for kind in listed.split()}
    assert expected == {kind: needs(fault()) for kind, fault in FAULTS.items()}


@pytest.mark.parametrize(
    ("package", "sentence"),
    [
        ("disks", "need disks that can fail"),
        ("clocks", "'skew-clock' needs clocks that can be set"),
        ("client-crashes", "'crash-clients' needs clients that can be ended from outside"),
        ("byzantine", "'betray' needs nodes that can be made to lie"),
    ],
)
def test_what_only_a_simulated_world_offers_is_refused_with_its_name(
    package: str, sentence: str
) -> None:
    """A cluster of processes refuses the whole package in one sentence, which names the remedy."""
    cluster = Cluster(5, Offered(), Offered())
    (reason,) = refusals(packages.schedule(package, 1, 60.0), cluster)
    assert sentence in reason
    assert "use --cluster simulated" in reason


def test_disks_need_someone_to_start_the_nodes() -> None:
    """A node that died of its disk is started through processes: disks alone are not enough."""
    cluster = Cluster(5, Offered(), None, Offered(), *(None,) * 3)
    (reason,) = refusals(of(FillDisk(), LoseUnsynced()), cluster)
    assert reason.startswith("'fill-disk' and 'lose-unsynced' need processes")


def test_members_and_versions_are_refused_with_the_remedy() -> None:
    """What only some systems have, on real hosts, is named; two nodes have no member to spare."""
    upgrade = Upgrade(options={"version": "2"})
    reasons = refusals(of(RemoveMember(), upgrade), Cluster(5, Offered(), Offered()))
    assert ["'remove-member' needs a system", "'upgrade' needs nodes that"] == [
        " ".join(reason.split()[:4]) for reason in reasons
    ]
    assert all("--cluster namespaces" in reason for reason in reasons)
    pair = Cluster(2, *(Offered() for _ in range(8)))
    (reason,) = refusals(of(RemoveMember(), upgrade), pair)
    assert "remove-member one means nothing with fewer than 3 nodes" in reason


def test_two_nodes_have_none_to_spare() -> None:
    """Where a damaged disk would cost the majority, damage by intent is refused."""
    cluster = Cluster(2, *(Offered() for _ in range(6)))
    (reason,) = refusals(of(CorruptDisk()), cluster)
    assert "corrupt-disk expendable means nothing with fewer than 3 nodes" in reason
