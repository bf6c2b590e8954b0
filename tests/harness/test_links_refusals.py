"""What links cannot do is said before the run: no sockets are opened here."""

from __future__ import annotations

import pytest

from harness.clusters.links import LinkNetwork
from harness.clusters.shaping import check
from harness.contracts import Framing
from nemesis.capabilities import refusals
from nemesis.faults import (
    CLIENT,
    Corrupt,
    Duplicate,
    Fault,
    Hold,
    Kill,
    LinkFault,
    Lose,
    Partition,
    Reorder,
    Slow,
    Throttle,
)
from nemesis.schedule import Schedule, Step

NODES = ("n1", "n2", "n3")
STREAM, LINE = Framing("stream"), Framing("line")


class Cluster:
    """What refusals() looks at."""

    nodes = NODES
    processes = object()
    disks = clocks = clients = traitors = None

    def __init__(self, **framings: Framing) -> None:
        self.network = LinkNetwork(NODES, framings, seed=1)


def refused(cluster: Cluster, *faults: Fault) -> list[str]:
    steps = tuple(Step(float(n), n, "start", fault) for n, fault in enumerate(faults, 1))
    return refusals(Schedule(60.0, steps=steps), cluster)


@pytest.mark.parametrize("fault", [Lose(), Duplicate(), Reorder(), Lose(links=(("n1", "n2"),))])
def test_a_stream_between_nodes_loses_no_messages(fault: Fault) -> None:
    """Whole frames are needed, and the sentence says how to get them; framed ports carry all."""
    (sentence,) = refused(Cluster(peer=STREAM, client=LINE), fault)

    assert "needs whole frames" in sentence
    assert "declare its framing (length or line)" in sentence
    assert refused(Cluster(peer=Framing("length"), client=STREAM), fault) == []


@pytest.mark.parametrize(
    "fault",
    [
        Partition(),
        Partition(topology="clients"),
        Partition(links=((CLIENT, "n1"),), mode="reset"),
        Slow(),
        Throttle(),
    ],
)
def test_streams_carry_what_tcp_allows(fault: Fault) -> None:
    """Cuts, delay and throttles need no frames, on no port."""
    assert refused(Cluster(peer=STREAM, client=STREAM), fault) == []


@pytest.mark.parametrize("fault", [Partition(), Slow(), Lose(), Partition(links=(("n1", "n2"),))])
def test_without_a_port_for_peers_there_are_no_links_between_nodes(fault: Fault) -> None:
    """Such faults are refused; those of clients' links and of nodes are not."""
    alone = Cluster(client=LINE)
    (sentence,) = refused(alone, fault)

    assert "needs links between nodes, and this system has no port 'peer'" in sentence
    possible = (
        Partition(topology="clients"),
        Partition(topology="answers-lost"),
        Slow(links=((CLIENT, "n1"),)),
        Kill(),
    )
    assert refused(alone, *possible) == []


def test_every_reason_is_given_once() -> None:
    """All at once, each with the number of faults it strikes."""
    found = refused(Cluster(peer=STREAM, client=LINE), Lose(), Kill(), Lose(target="n2"), Reorder())

    assert [s.rsplit("(", 1)[1] for s in found] == ["2 faults)", "reorder all)"]


@pytest.mark.parametrize(
    ("fault", "framed", "word"),
    [
        (Lose(), False, "whole frames"),
        (Reorder(), False, "whole frames"),
        (Duplicate(), False, "whole frames"),
        (Lose(probability=1.5), True, "not within 0 to 1"),
        (Throttle(bytes_per_s=0), True, "above 0"),
        (Corrupt(), True, "use --cluster simulated"),
    ],
)
def test_what_a_link_cannot_carry_is_refused(fault: LinkFault, framed: bool, word: str) -> None:
    """With a sentence that says why."""
    assert word in (check(fault, framed) or "")


@pytest.mark.parametrize(
    "fault", [Partition(), Partition(mode="reset"), Slow(), Throttle(), Hold()]
)
def test_a_byte_stream_carries_what_tcp_allows(fault: LinkFault) -> None:
    """Cut, reset, delay, throttle and hold need no frames."""
    assert check(fault, framed=False) is None
