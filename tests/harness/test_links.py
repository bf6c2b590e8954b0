"""Connections through links: what passes, what is held, what breaks, and what is refused."""

from __future__ import annotations

import asyncio

import pytest

from harness.clusters.flows import QUEUE_MAX_BYTES
from nemesis.faults import (
    Lose,
    Partition,
)
from tests.harness.link_bench import (
    AB,
    BA,
    STREAM,
    Bench,
    apply,
    eventually,
    frame,
    on_bench,
)


def test_bytes_go_both_ways_and_frames_are_counted() -> None:
    """Forward under link (a, b), back on the same connection under link (b, a)."""

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        near.transport.write(frame(b"one") + frame(b"two"))
        await far.receive(frame(b"one") + frame(b"two"))
        far.transport.write(frame(b"answer"))
        await near.receive(frame(b"answer"))
        readings = await bench.network.measure()
        assert (readings[AB].forwarded, readings[BA].forwarded) == (2, 1)
        assert readings["client", "a"].forwarded == 0

    on_bench(test)


def test_half_a_frame_waits_for_its_other_half() -> None:
    """A cut that begins within a frame loses all of it; what follows is in frame."""

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        torn = frame(b"torn by the cut")
        near.transport.write(frame(b"before") + torn[:9])
        await far.receive(frame(b"before"))
        await apply(bench, 1, Partition(links=(AB,)))
        near.transport.write(torn[9:] + frame(b"lost"))
        await _dropped(bench, 2)
        near.transport.write(frame(b"after")[:2])
        await bench.network.undo(1)
        near.transport.write(frame(b"after")[2:])
        await far.receive(frame(b"after"))

    on_bench(test)


async def _dropped(bench: Bench, count: int) -> None:
    await eventually(lambda: bench.network._links[AB].counts.dropped >= count)


def test_a_one_way_cut_lets_the_answers_through() -> None:
    """Links are directed: with (a, b) cut, b still reaches a, on the same connection."""

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        await apply(bench, 1, Partition(links=(AB,)))
        near.transport.write(frame(b"lost"))
        far.transport.write(frame(b"heard"))
        await near.receive(frame(b"heard"))
        await _dropped(bench, 1)
        assert far.got == b""

    on_bench(test)


def test_a_cut_stream_is_held_back() -> None:
    """A byte stream loses nothing in a cut: it arrives after the heal, and in order."""

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        await apply(bench, 1, Partition(links=(AB,)))
        near.transport.write(b"held ")
        far.transport.write(b"heard")  # proves that the other way is open meanwhile
        await near.receive(b"heard")
        assert far.got == b""
        near.transport.write(b"back")
        await bench.network.undo(1)
        await far.receive(b"held back")

    on_bench(test, STREAM)


def test_a_cut_stream_is_held_in_bounded_memory() -> None:
    """Beyond the bound the sender is not read any more; after the heal all arrives."""

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        await apply(bench, 1, Partition(links=(AB,)))
        sent = bytes(range(256)) * 65536  # 16 MiB, more than the bound and the sockets' buffers
        near.transport.write(sent)
        link = bench.network._links[AB]
        await eventually(lambda: sum(len(p.data) for p in link._queue) > QUEUE_MAX_BYTES)
        await bench.network.measure()  # time for more to come, if it were read
        assert sum(len(p.data) for p in link._queue) <= 2 * QUEUE_MAX_BYTES
        await bench.network.undo(1)
        await far.receive(sent)

    on_bench(test, STREAM)


def test_a_receiver_that_does_not_read_stops_the_sender() -> None:
    """Back-pressure goes through a link, with and without faults on it."""

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        far.transport.pause_reading()
        sent = frame(bytes(1_000_000)) * 32  # far more than all buffers on the way
        near.transport.write(sent)
        for _ in range(2000):  # turns of the loop, enough to carry all of it
            await asyncio.sleep(0)
        assert near.transport.get_write_buffer_size() > 0
        far.transport.resume_reading()
        await far.receive(sent)

    on_bench(test)


def test_reset_breaks_connections_and_refuses_new_ones() -> None:
    """Both sides see a reset, a new connection is refused, and undo opens the door again."""

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        await apply(bench, 1, Partition(links=(AB,), mode="reset"))
        await near.reset()
        await far.reset()
        with pytest.raises(ConnectionRefusedError):
            await bench.dial()
        assert not (await bench.network.measure())[AB].reachable
        await bench.network.undo(1)
        near, far = await bench.pair()
        near.transport.write(frame(b"again"))
        await far.receive(frame(b"again"))

    on_bench(test)


def test_reset_of_the_way_back_lets_the_way_there_live() -> None:
    """With (b, a) reset, a's frames arrive; the first answer breaks the connection."""

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        await apply(bench, 1, Partition(links=(BA,), mode="reset"))
        near.transport.write(frame(b"there"))
        await far.receive(frame(b"there"))
        far.transport.write(frame(b"answer"))
        await near.reset()
        assert near.got == b""

    on_bench(test)


def test_a_node_that_does_not_listen_is_refused_and_found_again() -> None:
    """As on its own port: refused while it is down, whether reported or only found out."""

    async def test(bench: Bench) -> None:
        assert bench.server is not None
        bench.server.close()
        near = await bench.dial()  # the door has not heard yet
        await near.reset()
        with pytest.raises(ConnectionRefusedError):
            await bench.dial()
        await bench.listen()
        near, far = await bench.pair()
        near.transport.write(frame(b"back"))
        await far.receive(frame(b"back"))
        bench.network.down("b")
        with pytest.raises(ConnectionRefusedError):
            await bench.dial()

    on_bench(test)


def test_an_end_is_an_end_and_a_break_a_break() -> None:
    """A half-closed connection goes on the other way; an aborted one is reset at the far side."""

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        near.transport.write(frame(b"last"))
        near.transport.write_eof()
        await far.until(lambda peer: peer.ended is None)
        await far.receive(frame(b"last"))
        far.transport.write(frame(b"but I go on"))
        await near.receive(frame(b"but I go on"))
        far.transport.write_eof()
        await near.until(lambda peer: peer.ended is None)

        near, far = await bench.pair()
        bench.network._doors[AB]._reset()
        await far.reset()

    on_bench(test)


def test_a_death_behind_a_cut_is_not_seen_before_the_heal() -> None:
    """No FIN and no RST pass a silent cut: the connection is half-open, as in real life."""

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        await apply(bench, 1, Partition(links=(AB, BA)))
        far.transport.write_eof()
        far.transport.close()
        await eventually(lambda: len(bench.network._links[BA]._queue) == 1)  # its end, held
        near.transport.write(frame(b"into the void"))
        await _dropped(bench, 1)
        assert near.ended == "open"
        await bench.network.undo(1)
        await near.until(lambda peer: peer.ended != "open")

    on_bench(test)


def test_a_connection_opened_behind_a_cut_is_made_after_the_heal() -> None:
    """The node does not see a connection from beyond a cut, until the heal."""

    async def test(bench: Bench) -> None:
        await apply(bench, 1, Partition(links=(AB,)))
        near = await bench.dial()
        near.transport.write(b"held")
        await eventually(lambda: len(bench.network._links[AB]._queue) == 2)  # opening and bytes
        assert len(bench.accepted) == bench.taken
        await bench.network.undo(1)
        await (await bench.accept()).receive(b"held")

    on_bench(test, STREAM)


def test_garbled_frames_pass_as_they_are() -> None:
    """A stream that does not keep to its framing is passed on, even through loss."""

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        await apply(bench, 1, Lose(links=(AB,), probability=1.0))
        near.transport.write(b"GET / HTTP/1.1\r\n\r\n")
        await far.receive(b"GET / HTTP/1.1\r\n\r\n")
        near.transport.write(b"and on")
        await far.receive(b"and on")

    on_bench(test)
