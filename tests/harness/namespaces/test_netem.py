"""What tc is told, against its own parser and, as far as this kernel goes, against the kernel."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from harness.clusters.namespaces import hosts, netem, netem_text
from harness.clusters.namespaces.netem import NetemNetwork
from harness.clusters.namespaces.netem_text import Spot
from nemesis.faults import (
    CLIENT,
    Corrupt,
    Duplicate,
    Hold,
    LinkFault,
    Lose,
    Reorder,
    Slow,
    Throttle,
)
from tests.harness.namespaces.inside import run_inside
from tests.harness.namespaces.switch_bench import AB, BA, CLIENT_IP, HOSTS, Post

CONSTANT = Slow(mean_ms=20, distribution="constant")
SPOT = Spot(None, "v-b", 2)
FAULTS: tuple[tuple[tuple[LinkFault, ...], str], ...] = (
    ((CONSTANT,), "delay 20000us"),
    ((CONSTANT, CONSTANT), "delay 40000us"),
    (
        (Slow(mean_ms=50, jitter_ms=10),),
        "delay 50000us 10000us distribution normal rate 10gbit",
    ),
    (
        (Slow(mean_ms=50, jitter_ms=3), Slow(mean_ms=10, jitter_ms=4)),
        "delay 60000us 5000us distribution normal rate 10gbit",
    ),
    (
        (Slow(mean_ms=50, jitter_ms=10, distribution="uniform"), CONSTANT),
        "delay 70000us 10000us rate 10gbit",
    ),
    ((Lose(probability=0.25),), "loss random 25%"),
    ((Lose(probability=0.5), Lose(probability=0.5)), "loss random 75%"),
    ((CONSTANT, Lose(probability=1)), "delay 20000us loss random 100%"),
)


@pytest.mark.parametrize(("faults", "words"), FAULTS, ids=[words for _, words in FAULTS])
def test_faults_of_a_link_become_one_netem(faults: tuple[LinkFault, ...], words: str) -> None:
    """Means and variances add up, losses multiply what is kept, and jitter comes with a rate that
    keeps the order."""
    _, queue = netem_text.change(SPOT, faults, 1)
    assert f"qdisc replace dev v-b parent 1:2 handle 5: netem limit 100000 {words}" == queue


def test_the_lowest_rate_holds_and_a_healed_link_is_wide() -> None:
    """Throttles do not add up: the narrowest is the rate. Each change has another handle."""
    throttles = (Throttle(bytes_per_s=9000), Throttle(bytes_per_s=5000))
    klass, queue = netem_text.change(SPOT, throttles, 1)
    assert "class replace dev v-b parent 1: classid 1:2 htb rate 5000bps burst 1600" in klass
    assert "qdisc replace dev v-b parent 1:2 handle 5: pfifo limit 100000" == queue
    klass, queue = netem_text.change(SPOT, (), 2)
    assert "class replace dev v-b parent 1: classid 1:2 htb rate 10gbit quantum 60000" == klass
    assert "qdisc replace dev v-b parent 1:2 handle 4: pfifo limit 100000" == queue


def test_every_link_has_a_place_of_its_own() -> None:
    """No two links share a class; what goes to the clients is shaped at the sender."""
    found = netem_text.spots(list(HOSTS), hosts.cable)
    assert len(HOSTS) * (len(HOSTS) + 1) == len(found)
    assert len(found) == len(set(found.values()))
    assert Spot(None, "v-b", 1) == found[AB]
    assert Spot(None, "v-b", 4) == found[CLIENT, "b"]
    assert Spot("b", "eth0", 2) == found["b", CLIENT]


def test_what_netem_cannot_show_or_do_needs_the_switch() -> None:
    """Refused before the run, each with its reason and what would do it."""
    network = NetemNetwork(HOSTS, CLIENT_IP)
    for fault in (Slow(), Lose(), Throttle()):
        assert network.refusal(fault) is None
    exponential = Slow(distribution="exponential")
    for fault in (Hold(), Corrupt(), Reorder(), Duplicate(), exponential):
        assert "network=switch" in (network.refusal(fault) or "")
        with pytest.raises(ValueError, match="beyond tc"):
            asyncio.run(network.apply(1, fault))
    assert "probability" in (network.refusal(Lose(probability=2)) or "")


def test_counters_are_read_by_class() -> None:
    """Of the queues below our root, and of no others."""
    queues = (
        b'[{"kind":"htb","handle":"1:","root":true,"drops":9},'
        b'{"kind":"netem","handle":"4:","parent":"1:a","drops":3},'
        b'{"kind":"pfifo","handle":"5:","parent":"1:2","drops":7}]'
    )
    assert {10: 3} == netem_text.lost(queues)
    classes = (
        b"class htb 1:a root leaf 4: prio 0 rate 1Mbit\n Sent 9 bytes 1 pkt (dropped 0, overlimits "
        b"11 requeues 0)\nclass htb 1:2 root leaf 5: prio 0 rate 1Mbit\n Sent 0 bytes 0 pkt "
        b"(dropped 0, overlimits 0 requeues 0)\n"
    )
    assert {10: 11, 2: 0} == netem_text.waited(classes)


def every_netem_is_understood() -> None:
    """With a kernel that has none tc understands all and the kernel refuses; with one that has,
    nobody complains."""
    asyncio.run(hosts.wire(HOSTS))
    script = netem_text.foundation([SPOT])
    for turn, (faults, _) in enumerate(FAULTS):
        script += netem_text.change(SPOT, faults, turn)
    told = subprocess.run(
        ["tc", "-force", "-batch", "-"],
        input="\n".join((*script, "")),
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in told.stderr.splitlines() if not line.startswith("Command")]
    unknown = ["Error: Specified qdisc kind is unknown."] * len(FAULTS)
    assert complaints in ([], unknown)
    obstacle = netem.obstacle()
    assert (complaints == []) == (obstacle is None)
    assert obstacle is None or "Specified qdisc kind is unknown" in obstacle


def test_tc_understands_every_netem() -> None:
    """The parser of tc is the judge of its grammar, and the kernel that of its own abilities."""
    run_inside(every_netem_is_understood)


def rates_of_links() -> None:
    async def scene() -> None:
        await hosts.wire(HOSTS)
        network = NetemNetwork(HOSTS, CLIENT_IP)
        await network.wire()
        struck = []
        for link in (AB, (CLIENT, "b"), ("b", CLIENT)):
            await network.apply(1, Throttle(links=(link,), bytes_per_s=20_000))
            src, dst = link
            with Post(src) as out, Post(dst) as into:
                out.send(dst, *[bytes(1000)] * 10)
                await into.until(10)
                assert into.times_ms[-1] > 300
                counted = await network.counters()
                struck.append(link)
                assert set(struck) == {one for one, read in counted.items() if read.delayed}
                await network.undo(1)
        with Post("a") as a, Post("b") as b:
            await network.apply(1, Throttle(links=(AB,), bytes_per_s=1))
            b.send("a", b"the other way")
            assert [b"the other way"] == await a.until(1)
            assert 0 == (await network.counters())[BA].delayed
            await network.undo(1)

    asyncio.run(scene())


def test_rates_strike_their_link_alone() -> None:
    """A throttled link is slow and counts who waited; the way back is free. For links between
    hosts, from the clients and to them."""
    run_inside(rates_of_links)
