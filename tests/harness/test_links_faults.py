"""Each link fault on real sockets: in traffic, in counters, in probes, and gone after undo."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemesis.faults import (
    CLIENT,
    Duplicate,
    Hold,
    LinkFault,
    Lose,
    Partition,
    Reorder,
    Slow,
    Throttle,
)
from tests.harness.link_bench import (
    AB,
    STREAM,
    Bench,
    apply,
    eventually,
    frame,
    on_bench,
)


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (Slow(links=(AB,), mean_ms=40, distribution="constant"), "delayed"),
        (Lose(links=(AB,), probability=0.5), "dropped"),
        (Duplicate(links=(AB,), probability=0.5), "duplicated"),
        (Reorder(links=(AB,), probability=0.5, window_ms=20), "reordered"),
        (Throttle(links=(AB,), bytes_per_s=20_000), "delayed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fault_shows_in_traffic_and_counters_and_ends_with_undo(
    fault: LinkFault, seen: str
) -> None:
    """The counter of the fault moves while it is in force, and stands still afterwards."""

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        sent = [frame(b"%04d" % n) for n in range(200)]
        await apply(bench, 1, fault)
        near.transport.write(b"".join(sent))
        link = bench.network._links[AB]
        await eventually(lambda: link.counts.forwarded + link.counts.dropped >= len(sent))
        assert getattr(link.counts, seen) > 20
        arrived = 8 * (link.counts.forwarded + link.counts.duplicated)
        await far.until(lambda peer: len(peer.got) >= arrived)
        await bench.network.undo(1)
        await far.until(
            lambda peer: len(peer.got) == 8 * (200 - link.counts.dropped + link.counts.duplicated)
        )
        got = bytes(far.got)
        frames = [got[at : at + 8] for at in range(0, len(got), 8)]
        assert set(frames) <= set(sent)
        far.got.clear()
        before = getattr(link.counts, seen)
        near.transport.write(b"".join(sent))
        await far.receive(b"".join(sent))
        assert getattr(link.counts, seen) == before

    on_bench(test)


def test_probes_measure_each_fault() -> None:
    """Delay, rate and cuts show in the readings of their links, and in no other's."""

    async def test(bench: Bench) -> None:
        slow = Slow(links=(AB,), mean_ms=80, distribution="constant")
        await apply(bench, 1, slow)
        await apply(bench, 2, Partition(links=((CLIENT, "b"),)))
        await apply(bench, 3, Throttle(links=(("b", CLIENT),), bytes_per_s=500))
        await apply(bench, 4, Hold(links=(("b", "a"),)))
        readings = await bench.network.measure()
        delays = {link: reading.delay_ms for link, reading in readings.items()}
        assert 80 <= (delays.pop(AB) or 0) < 400
        assert 60 < (delays.pop(("b", CLIENT)) or 0) < 600
        assert delays.pop((CLIENT, "b")) is None
        assert delays.pop(("b", "a")) is None
        assert {link for link, delay in delays.items() if delay is None or delay > 50} == set()
        assert all(reading.forwarded == 0 for reading in readings.values())

    on_bench(test)


def test_a_stream_cannot_lose() -> None:
    """A fault that needs frames is refused on a byte stream, before it touches anything."""

    async def test(bench: Bench) -> None:
        with pytest.raises(ValueError, match="whole frames"):
            await apply(bench, 1, Lose(links=(AB,)))
        assert bench.network._links[AB].quiet

    on_bench(test, STREAM)


def test_another_fault_under_an_id_in_use_is_refused() -> None:
    """Or undoing the id would undo the wrong one."""

    async def test(bench: Bench) -> None:
        await apply(bench, 1, Slow(links=(AB,)))
        with pytest.raises(ValueError, match="undo it first"):
            await apply(bench, 1, Partition(links=(AB,)))

    on_bench(test)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.binary(max_size=400), min_size=1, max_size=40),
    st.lists(st.integers(min_value=0), max_size=20),
    st.lists(st.sampled_from(["slow", "throttle", "undo"]), max_size=20),
)
def test_no_chunking_and_no_fault_breaks_the_framing(
    payloads: list[bytes], cuts: list[int], orders: list[str]
) -> None:
    """Written in any pieces, under faults that come and go in between: the frames arrive."""
    sent = b"".join(frame(payload) for payload in payloads)
    places = sorted({0, len(sent), *(cut % (len(sent) + 1) for cut in cuts)})
    faults: dict[str, LinkFault] = {
        "slow": Slow(links=(AB,), mean_ms=2, jitter_ms=2),
        "throttle": Throttle(links=(AB,), bytes_per_s=1_000_000),
    }

    async def test(bench: Bench) -> None:
        near, far = await bench.pair()
        for n, start in enumerate(places[:-1]):
            near.transport.write(sent[start : places[n + 1]])
            await asyncio.sleep(0)
            order = orders[n] if n < len(orders) else "undo"
            if order == "undo":
                await bench.network.undo(n - 1)
            else:
                await apply(bench, n, faults[order])
        await far.receive(sent)

    on_bench(test)
