"""Packets as the switch alters and answers them: pure functions on bytes."""

from __future__ import annotations

import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clusters.namespaces.switch_packets import (
    ACK,
    FIN,
    RST,
    SYN,
    TCP,
    UDP,
    altered,
    checksum,
    flow,
    flow_of,
    is_udp_of,
    resets,
)

A, B = bytes([10, 99, 0, 1]), bytes([10, 99, 0, 2])
ETHERNET = bytes(range(12)) + b"\x08\x00"
STARTS = st.sampled_from((b"", ETHERNET))
OPTIONS = st.integers(0, 5).map(lambda words: bytes([1]) * 4 * words)  # no-operations


def ip_packet(protocol: int, body: bytes, options: bytes = b"", fragment: int = 0) -> bytes:
    words = 5 + len(options) // 4
    head = struct.pack(
        "!BBHHHBBH", 0x40 | words, 0, words * 4 + len(body), 7, fragment, 64, protocol, 0
    )
    head += A + B + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def pseudo(body: bytes, protocol: int) -> bytes:
    return A + B + struct.pack("!BBH", 0, protocol, len(body))


def udp(payload: bytes, *, summed: bool = True, options: bytes = b"") -> bytes:
    body = struct.pack("!HHHH", 1111, 2222, 8 + len(payload), 0) + payload
    if summed:
        right = checksum(pseudo(body, UDP) + body) or 0xFFFF
        body = body[:6] + struct.pack("!H", right) + body[8:]
    return ip_packet(UDP, body, options)


def tcp(
    payload: bytes, flags: int = ACK, seq: int = 100, ack: int = 900, options: bytes = b""
) -> bytes:
    words = 5 + len(options) // 4
    body = struct.pack("!HHIIBBHHH", 1111, 2222, seq, ack, words << 4, flags, 512, 0, 0)
    body += options + payload
    body = body[:16] + struct.pack("!H", checksum(pseudo(body, TCP) + body)) + body[18:]
    return ip_packet(TCP, body)


def transport_is_right(packet: bytes) -> bool:
    """As the receiver's kernel sees it."""
    start = (packet[0] & 15) * 4
    body, protocol = packet[start:], packet[9]
    if protocol == UDP and body[6:8] == b"\0\0":
        return True
    return checksum(packet[:start]) == 0 and checksum(pseudo(body, protocol) + body) == 0


@given(STARTS, st.binary(min_size=1, max_size=80), OPTIONS, st.integers(0, 2**32))
def test_an_altered_segment_is_right_and_different(
    start: bytes, payload: bytes, options: bytes, seed: int
) -> None:
    """One byte of the payload is another, the checksum fits, and all else is as it was."""
    packet = tcp(payload, options=options)
    got = altered(start + packet, len(start), Random(seed))
    assert got is not None
    assert start == got[: len(start)]
    got = got[len(start) :]
    assert transport_is_right(got)
    head = len(packet) - len(payload)
    assert 1 == sum(x != y for x, y in zip(packet[head:], got[head:], strict=True))
    assert {36, 37} >= {n for n in range(head) if packet[n] != got[n]}


@given(st.binary(min_size=1, max_size=80), OPTIONS, st.booleans(), st.integers(0, 2**32))
def test_an_altered_datagram_is_right_and_different(
    payload: bytes, options: bytes, summed: bool, seed: int
) -> None:
    """The same for UDP, whose checksum may be absent and then stays so, but never becomes so."""
    packet = udp(payload, summed=summed, options=options)
    got = altered(packet, 0, Random(seed))
    assert got is not None
    assert transport_is_right(got)
    at = 20 + len(options) + 6
    assert summed == (got[at : at + 2] != b"\0\0")
    head = len(packet) - len(payload)
    assert 1 == sum(x != y for x, y in zip(packet[head:], got[head:], strict=True))


@given(st.integers(0, 2**32))
def test_a_checksum_of_zero_is_written_as_ones(seed: int) -> None:
    """Two bytes of payload of which one is altered so that the sum comes out as zero: UDP would
    take that for no checksum at all."""
    draws = Random(seed)
    victim, mask = draws.randrange(28, 30), draws.randrange(1, 256)
    summing_to_zero = struct.unpack_from("!H", udp(b"\0\0"), 26)[0]
    before = summing_to_zero ^ (mask << 8 if victim == 28 else mask)
    got = altered(udp(struct.pack("!H", before)), 0, Random(seed))
    assert got is not None
    assert struct.pack("!HH", 0xFFFF, summing_to_zero) == got[26:28] + got[28:]
    assert transport_is_right(got)


@pytest.mark.parametrize(
    "packet",
    [
        tcp(b""),
        udp(b""),
        ip_packet(1, b"an echo request"),
        ip_packet(UDP, b"the rest of a datagram", fragment=0x0010),
        ip_packet(UDP, b"the first of many", fragment=0x2000),
        tcp(b"cut short")[:-4],
    ],
    ids=["bare acknowledgement", "empty datagram", "icmp", "fragment", "first fragment", "short"],
)
def test_what_has_no_payload_of_its_own_is_left_alone(packet: bytes) -> None:
    """Headers, fragments and other protocols are never altered."""
    assert altered(packet, 0, Random(1)) is None


def numbers(packet: bytes) -> tuple[bytes, int, int, int, int, int]:
    """Source address, ports, seq, ack, flags of a bare segment, once its sums are right."""
    assert transport_is_right(packet)
    src_port, dst_port, seq, ack, _, flags = struct.unpack_from("!HHIIBB", packet, 20)
    return packet[12:16], src_port, dst_port, seq, ack, flags


@given(STARTS, st.binary(max_size=40), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_resets_are_what_both_sides_expect_next(
    start: bytes, payload: bytes, seq: int, ack: int
) -> None:
    """The sender is reset by the number it acknowledges, the receiver by that of the segment."""
    answers = resets(start + tcp(payload, ACK, seq, ack), len(start))
    assert answers is not None
    back, on = answers
    assert on is not None
    assert (start, start) == (back[: len(start)], on[: len(start)])
    assert (B, 2222, 1111, ack, 0, RST) == numbers(back[len(start) :])
    assert (A, 1111, 2222, seq, ack, RST | ACK) == numbers(on[len(start) :])


def test_an_opening_is_refused() -> None:
    """A SYN is answered as a closed port answers: the receiver never hears of it."""
    answers = resets(tcp(b"", SYN, seq=2**32 - 1), 0)
    assert answers is not None
    assert (B, 2222, 1111, 0, 0, RST | ACK) == numbers(answers[0])
    assert answers[1] is None


def test_without_an_acknowledgement_the_reset_acknowledges_all() -> None:
    """Payload and FIN each count in the number that the reset gives back."""
    answers = resets(tcp(b"four", FIN, seq=10), 0)
    assert answers is not None
    assert (B, 2222, 1111, 0, 15, RST | ACK) == numbers(answers[0])


@pytest.mark.parametrize("packet", [tcp(b"", RST), tcp(b"", RST | ACK), udp(b"x"), tcp(b"")[:30]])
def test_resets_datagrams_and_rubbish_are_not_answered(packet: bytes) -> None:
    """Two sides that answered resets by resets would never stop."""
    assert resets(packet, 0) is None


def test_the_key_of_a_link_is_in_its_packets() -> None:
    """flow and flow_of agree, wherever the packet begins."""
    assert flow_of("10.99.0.1", "10.99.0.2") == flow(udp(b""), 0)
    assert flow_of("10.99.0.1", "10.99.0.2") == flow(ETHERNET + udp(b""), 14)


def test_probes_are_known_by_either_port() -> None:
    """Of UDP only."""
    assert is_udp_of(udp(b""), 0, 1111)
    assert is_udp_of(ETHERNET + udp(b"", options=bytes(8)), 14, 2222)
    assert not is_udp_of(udp(b""), 0, 3333)
    assert not is_udp_of(tcp(b""), 0, 1111)
