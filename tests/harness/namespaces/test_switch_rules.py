"""A way of the switch on a clock that stands still: which packets go where, and what is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.clusters.namespaces import switch_rules
from harness.clusters.namespaces.switch_packets import ACK, SYN
from harness.clusters.namespaces.switch_rules import Way
from nemesis.faults import Corrupt, Duplicate, Hold, LinkFault, Lose, Partition, Slow
from tests.harness.namespaces.test_switch_packets import tcp, udp

RESET = Partition(mode="reset")
FIELDS = ("forwarded", "dropped", "duplicated", "reordered", "delayed", "corrupted")


class StillClock:
    """Implements harness.clusters.shaping.Clock; nothing is ever due later."""

    def time(self) -> float:
        return 1000.0

    def call_at(self, when: float, callback: Callable[[], None], /) -> StillClock:
        del when, callback
        return self

    def cancel(self) -> None: ...


class Bench:
    def __init__(self, *faults: LinkFault, seed: int = 1) -> None:
        self.sent: list[bytes] = []
        self.answered: list[bytes] = []
        self.way = Way(
            "a",
            "b",
            seed,
            StillClock(),
            send=self.sent.append,
            answer=self.answered.append,
            at=0,
        )
        for id_, fault in enumerate(faults):
            self.way.apply(id_, fault)

    def carry(self, *packets: bytes, probe: bool = False) -> None:
        for packet in packets:
            self.way.carry(packet, probe=probe)

    def counted(self, **expected: Any) -> bool:
        return self.way.counted() == {**dict.fromkeys(FIELDS, 0), **expected}


def packets(count: int) -> list[bytes]:
    return [udp(b"%04d" % n) for n in range(count)]


def test_a_way_is_quiet_while_no_fault_is_in_force() -> None:
    """Quiet before the first fault and after the last undo, of whatever kind."""
    for fault in (Hold(), Corrupt(), RESET, Slow()):
        bench = Bench()
        assert bench.way.quiet
        bench.way.apply(1, fault)
        bench.way.apply(2, fault)
        bench.way.undo(1)
        assert not bench.way.quiet
        bench.way.undo(2)
        bench.way.undo(2)
        assert bench.way.quiet


def test_a_link_that_resets_drops_and_answers() -> None:
    """An opening is answered to its sender alone, a segment in a connection to both sides, and
    what is no TCP to nobody. All are dropped."""
    bench = Bench(RESET)
    bench.carry(tcp(b"", SYN))
    assert (0, 1) == (len(bench.sent), len(bench.answered))
    bench.carry(tcp(b"x", ACK))
    assert (1, 2) == (len(bench.sent), len(bench.answered))
    bench.carry(udp(b"x"))
    assert (1, 2) == (len(bench.sent), len(bench.answered))
    assert bench.counted(dropped=3)


def test_resetting_ends_with_its_last_fault() -> None:
    """Of two resetting cuts and a silent one each is undone by itself."""
    bench = Bench(RESET, RESET, Partition())
    bench.way.undo(0)
    bench.carry(tcp(b"x"))
    assert len(bench.answered) == 1
    bench.way.undo(1)
    bench.carry(tcp(b"x"))
    assert len(bench.answered) == 1
    bench.way.undo(2)
    bench.carry(tcp(b"x"))
    assert bench.counted(dropped=2, forwarded=1)


def test_what_is_held_is_altered_when_it_came() -> None:
    """A packet that met Corrupt stays altered though the fault is undone while it is held, and is
    counted when it is delivered."""
    bench = Bench(Hold(), Corrupt(probability=1))
    before, after = udp(b"before"), udp(b"after")
    bench.carry(before)
    assert bench.counted()
    bench.way.undo(1)
    bench.carry(after)
    bench.way.undo(0)
    assert before != bench.sent[0]
    assert after == bench.sent[1]
    assert bench.counted(forwarded=2, corrupted=1)


def test_what_cannot_be_altered_is_not_counted_as_corrupted() -> None:
    """Bare acknowledgements have no payload, and pass."""
    bench = Bench(Corrupt(probability=1))
    bench.carry(tcp(b""))
    assert [tcp(b"")] == bench.sent
    assert bench.counted(forwarded=1)


def test_the_same_traffic_meets_the_same_fate() -> None:
    """Draws come from the seed and the name of the link, for corruption too; another seed draws
    otherwise."""
    faults = (Lose(probability=0.3), Duplicate(probability=0.3), Corrupt(probability=0.3))

    def fate(seed: int) -> list[bytes]:
        bench = Bench(*faults, seed=seed)
        bench.carry(*packets(100))
        return bench.sent

    assert fate(1) == fate(1)
    assert fate(1) != fate(2)


def test_probes_shift_no_draws_and_no_counters() -> None:
    """Packets meet the same fate with probes among them; probes are neither counted nor altered."""
    faults = (Lose(probability=0.3), Corrupt(probability=0.3))
    plain, probed = Bench(*faults), Bench(*faults)
    probe = udp(b"token")
    for packet in packets(100):
        plain.carry(packet)
        probed.carry(packet)
        probed.carry(probe, probe=True)
    assert plain.sent == [packet for packet in probed.sent if packet != probe]
    assert plain.way.counted() == probed.way.counted()
    assert 0 < probed.sent.count(probe) < 100


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond QUEUE_BYTES_MAX a link that holds drops what comes, and counts it."""
    monkeypatch.setattr(switch_rules, "QUEUE_BYTES_MAX", 100_000)
    bench = Bench(Hold())
    packet = udp(bytes(1000))
    fitting = switch_rules.QUEUE_BYTES_MAX // len(packet) + 1
    bench.carry(*[packet] * (fitting + 10))
    bench.way.undo(0)
    assert bench.counted(forwarded=fitting, dropped=10)
