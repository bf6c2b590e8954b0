"""Every fault of links by the switch, seen by sockets of whole hosts in a world."""

from __future__ import annotations

import asyncio

import pytest

from harness.clusters.namespaces.firewall import PROBE_PORT
from harness.clusters.namespaces.switch import SwitchNetwork
from nemesis.faults import (
    CLIENT,
    Corrupt,
    Duplicate,
    Hold,
    Lose,
    Partition,
    Reorder,
    Slow,
    Throttle,
)
from tests.harness.namespaces.inside import run_inside
from tests.harness.namespaces.switch_bench import (
    AB,
    BA,
    CB,
    Clause,
    Listener,
    Post,
    dial,
    numbered,
    play,
    reading,
    receive,
    send,
    settled,
)

MARK = b"mark"


async def a_quiet_link_carries_and_counts(network: SwitchNetwork) -> None:
    """Without faults everything arrives in order, is counted on its link, and on no other."""
    with Post("a") as a, Post("b") as b, Post(CLIENT) as client:
        a.send("b", *numbered(50))
        assert numbered(50) == await b.until(50)
        client.send("a", b"from the harness")
        assert [b"from the harness"] == await a.until(1)
        counts = await network.counters()
        assert 50 == counts[AB].forwarded
        assert 1 == counts[CLIENT, "a"].forwarded
        assert 51 == sum(reading.forwarded for reading in counts.values())


async def large_streams_arrive_whole(network: SwitchNetwork) -> None:
    """A megabyte by TCP, in packets of the standard size, comes as it was sent."""
    data = bytes(range(256)) * 4096
    with Listener("b") as listener:
        out = await dial("a", "b")
        into = await listener.accept()
        with out, into:
            sending = asyncio.create_task(send(out, data))
            assert data == await receive(into, len(data))
            await sending
    assert (await reading(network)).forwarded > len(data) / 1500


async def slowness_delays_one_way_and_keeps_order(network: SwitchNetwork) -> None:
    """Slow strikes its own direction; with all its jitter nothing is overtaken."""
    await network.apply(1, Slow(links=(AB,), mean_ms=40, jitter_ms=30))
    with Post("a") as a, Post("b") as b:
        b.send("a", MARK)
        await a.until(1)
        b.restart()
        a.send("b", *numbered(100))
        assert numbered(100) == await b.until(100)
        assert 30 <= b.times_ms[-1]
        assert (await reading(network, BA)).delayed == 0
        assert (await settled(network, 100)).delayed > 90
        await network.undo(1)


async def what_is_late_comes_at_once_after_the_undo(network: SwitchNetwork) -> None:
    """A healed link does not go on being slow: what waits in it is due when the fault goes."""
    await network.apply(1, Slow(links=(AB,), mean_ms=3_600_000, distribution="constant"))
    with Post("a") as a, Post("b") as b:
        a.send("b", *numbered(3))
        await network.undo(1)
        assert numbered(3) == await b.until(3)


async def loss_takes_packets(network: SwitchNetwork) -> None:
    """What is lost is counted, and what is not lost arrives."""
    await network.apply(1, Lose(links=(AB,), probability=0.5))
    with Post("a") as a, Post("b") as b:
        a.send("b", *numbered(200))
        counts = await settled(network, 200)
        assert 0 < counts.dropped < 200
        assert 200 - counts.dropped == len(await b.until(200 - counts.dropped))
        await network.undo(1)


async def duplicates_arrive(network: SwitchNetwork) -> None:
    """A doubled packet is received twice."""
    await network.apply(1, Duplicate(links=(AB,), probability=1))
    with Post("a") as a, Post("b") as b:
        a.send("b", *numbered(20))
        assert sorted(numbered(20) * 2) == sorted(await b.until(40))
        assert 20 == (await reading(network)).duplicated
        await network.undo(1)


async def packets_pass_one_another(network: SwitchNetwork) -> None:
    """Reorder lets later packets pass, and loses none."""
    await network.apply(1, Reorder(links=(AB,), probability=0.5, window_ms=30))
    with Post("a") as a, Post("b") as b:
        a.send("b", *numbered(50))
        got = await b.until(50)
        assert numbered(50) != got
        assert numbered(50) == sorted(got)
        assert (await reading(network)).reordered > 0
        await network.undo(1)


async def corruption_reaches_the_application(network: SwitchNetwork) -> None:
    """One byte of a payload differs, and neither UDP nor TCP has noticed: no retransmission."""
    await network.apply(1, Corrupt(links=(AB,), probability=1))
    sent = bytes(100)
    with Post("a") as a, Post("b") as b, Listener("b") as listener:
        a.send("b", sent)
        (got,) = await b.until(1)
        assert 1 == sum(x != y for x, y in zip(sent, got, strict=True))
        out = await dial("a", "b")
        into = await listener.accept()
        with out, into:
            await send(out, sent)
            got = await receive(into, 100)
            assert 1 == sum(x != y for x, y in zip(sent, got, strict=True))
        assert 2 == (await reading(network)).corrupted
        await network.undo(1)
        b.restart()
        a.send("b", sent)
        assert [sent] == await b.until(1)


async def a_throttled_link_has_a_rate(network: SwitchNetwork) -> None:
    """Ten packets of 1028 bytes take half a second at 20,000 bytes a second."""
    await network.apply(1, Throttle(links=(AB,), bytes_per_s=20_000))
    with Post("a") as a, Post("b") as b:
        a.send("b", *[bytes(1000)] * 10)
        await b.until(10)
        assert b.times_ms[-1] >= 500
        assert (await reading(network)).delayed >= 9
        await network.undo(1)


async def what_is_held_is_let_go_in_order(network: SwitchNetwork) -> None:
    """A link that holds delivers nothing and loses nothing; others go on, and pass it."""
    await network.apply(1, Hold(links=(AB,)))
    with Post("a") as a, Post("b") as b, Post("c") as c:
        a.send("b", *numbered(20))
        c.send("b", MARK)
        assert [MARK] == await b.until(1)
        held = await reading(network)
        assert (0, 0) == (held.forwarded, held.dropped)
        await network.undo(1)
        assert [MARK, *numbered(20)] == await b.until(21)
        assert 20 == (await reading(network)).forwarded


async def a_silent_cut_is_survived_by_tcp(network: SwitchNetwork) -> None:
    """A cut loses packets; a connection that lives through it goes on when it heals."""
    with Listener("b") as listener, Post("a") as a, Post("b") as b:
        out = await dial("a", "b")
        into = await listener.accept()
        with out, into:
            await network.apply(1, Partition(links=(AB,)))
            a.send("b", *numbered(5))
            await send(out, MARK)
            assert (await settled(network, 6)).dropped >= 6
            await network.undo(1)
            assert MARK == await receive(into, 4)
            assert [] == b.got


async def a_cut_loses_what_is_under_way(network: SwitchNetwork) -> None:
    """What a slow link carries is lost by a cut of it, for good, by either kind of cut."""
    with Post("a") as a, Post("b") as b:
        for number, mode in enumerate(("silent", "reset"), start=1):
            await network.apply(1, Slow(links=(AB,), mean_ms=3_600_000, distribution="constant"))
            a.send("b", *numbered(5))
            before = (await reading(network)).dropped
            await network.apply(2, Partition(links=(AB,), mode=mode))
            await network.undo(2)
            await network.undo(1)
            a.send("b", MARK)
            assert [MARK] * number == await b.until(number)
            assert 5 >= (await reading(network)).dropped - before > 0


async def a_resetting_cut_refuses_and_resets(network: SwitchNetwork) -> None:
    """Both ends of a connection in use are reset, new ones are refused, until it is undone."""
    with Listener("b") as listener:
        out = await dial("a", "b")
        into = await listener.accept()
        with out, into:
            await network.apply(1, Partition(links=(AB, BA), mode="reset"))
            await send(out, MARK)
            for end in (out, into):
                with pytest.raises(ConnectionResetError):
                    await receive(end, 1)
        with pytest.raises(ConnectionRefusedError):
            await dial("a", "b")
        await network.undo(1)
        (await dial("a", "b")).close()
        (await listener.accept()).close()


async def faults_of_a_link_add_up(network: SwitchNetwork) -> None:
    """Each undo takes its own fault away and leaves the others."""
    await network.apply(1, Hold(links=(AB, CB)))
    await network.apply(2, Duplicate(links=(AB,), probability=1))
    await network.apply(3, Hold(links=(AB,)))
    await network.apply(3, Hold(links=(AB,)))
    with Post("a") as a, Post("b") as b, Post("c") as c:
        a.send("b", *numbered(3))
        await network.undo(1)
        c.send("b", MARK)
        assert [MARK] == await b.until(1)
        await network.undo(3)
        assert [MARK, *(n for n in numbered(3) for _ in range(2))] == await b.until(7)
        await network.undo(2)
        a.send("b", MARK)
        assert 8 == len(await b.until(8))
        await network.undo(99)


async def probes_are_not_counted(network: SwitchNetwork) -> None:
    """Datagrams of the probe's port meet the faults, and leave no trace in the counters."""
    with Post("a", PROBE_PORT) as a, Post("b", PROBE_PORT) as b:
        a.send("b", MARK)
        await b.until(1)
        await network.apply(1, Duplicate(links=(AB,), probability=1))
        a.send("b", MARK)
        await b.until(3)
        await network.undo(1)
    counts = await reading(network)
    assert (0, 0) == (counts.forwarded, counts.duplicated)


CLAUSES: tuple[Clause, ...] = (
    a_quiet_link_carries_and_counts,
    large_streams_arrive_whole,
    slowness_delays_one_way_and_keeps_order,
    what_is_late_comes_at_once_after_the_undo,
    loss_takes_packets,
    duplicates_arrive,
    packets_pass_one_another,
    corruption_reaches_the_application,
    a_throttled_link_has_a_rate,
    what_is_held_is_let_go_in_order,
    a_silent_cut_is_survived_by_tcp,
    a_cut_loses_what_is_under_way,
    a_resetting_cut_refuses_and_resets,
    faults_of_a_link_add_up,
    probes_are_not_counted,
)

# Those that look into packets, or at how devices pass them on.
OF_PACKETS = (
    a_quiet_link_carries_and_counts,
    large_streams_arrive_whole,
    corruption_reaches_the_application,
    what_is_held_is_let_go_in_order,
    a_resetting_cut_refuses_and_resets,
    probes_are_not_counted,
)


def play_one(name: str, tun: bool) -> None:
    """For run_inside: the clause of this name, on hosts of its own."""
    asyncio.run(play(next(c for c in CLAUSES if c.__name__ == name), tun=tun))


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_hosts_behind_tun_devices(clause: Clause) -> None:
    """Each clause, where /dev/net/tun can be opened."""
    run_inside(play_one, clause.__name__, True)


@pytest.mark.parametrize("clause", OF_PACKETS, ids=lambda clause: clause.__name__)
def test_hosts_behind_packet_sockets(clause: Clause) -> None:
    """The same for a user without rights and without /dev/net/tun."""
    run_inside(play_one, clause.__name__, False, unprivileged=True)
