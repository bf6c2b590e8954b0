"""What the switch must know of a packet: its flow, a byte to alter unnoticed, how to reset it.

Rules
1. A packet is IPv4, found at `at` in what was read: 0 from a TUN device, after the Ethernet header
   from a packet socket. What lies before it is kept as it is.
2. Only a payload of TCP or UDP is ever altered, never a header, and its checksum is mended, so that
   the transport hands the altered bytes to the application. A fragment is left alone: its checksum
   is in another packet.
3. A reset takes its numbers from the segment that it answers (RFC 9293, 3.10.7.1 and 3.5.2): it is
   the very next that either side expects, and so is not held for a blind attack (RFC 5961).
   Nothing answers a reset.

Sources: RFC 791, 768, 9293, 5961; RFC 1624 for mending a checksum (equation 3).
"""

from __future__ import annotations

import struct
from random import Random

TCP, UDP = 6, 17
HEADER_BYTES = 20  # of IPv4 and of TCP, without options
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
_FRAGMENT = 0x3FFF  # more fragments, or an offset
_WORDS = struct.Struct("!H")


def flow(data: bytes, at: int) -> bytes:
    """Source and destination address: the key of the link that this packet belongs to. Nothing
    else (IPv6, ARP, noise) has a key that is looked for."""
    return data[at + 12 : at + 20]


def flow_of(src: str, dst: str) -> bytes:
    """The key of the link between two addresses in dotted form."""
    return bytes(int(part) for ip in (src, dst) for part in ip.split("."))


def is_udp_of(data: bytes, at: int, port: int) -> bool:
    """Is it a datagram from or to this port?"""
    if data[at + 9] != UDP:
        return False
    start = at + (data[at] & 15) * 4
    return port in (_word(data, start), _word(data, start + 2))


def altered(data: bytes, at: int, random: Random) -> bytes | None:
    """The same packet with one byte of its payload changed and the checksum right; None if there
    is no payload to change."""
    start, end = at + (data[at] & 15) * 4, at + _word(data, at + 2)
    kind = data[at + 9]
    if _word(data, at + 6) & _FRAGMENT or kind not in (TCP, UDP) or end > len(data):
        return None
    payload = start + ((data[start + 12] >> 4) * 4 if kind == TCP else 8)
    if payload >= end:
        return None
    victim = random.randrange(payload, end)
    changed = bytearray(data)
    changed[victim] ^= random.randrange(1, 256)
    checksum = start + (16 if kind == TCP else 6)
    if kind == TCP or _word(data, checksum):  # UDP without a checksum stays without
        even = start + (victim - start) // 2 * 2
        before = data[even] << 8 | (data[even + 1] if even + 1 < end else 0)
        after = changed[even] << 8 | (changed[even + 1] if even + 1 < end else 0)
        mended = _mended(_word(data, checksum), before, after)
        if kind == UDP and mended == 0:
            mended = 0xFFFF  # zero would say that there is none
        _WORDS.pack_into(changed, checksum, mended)
    return bytes(changed)


def resets(data: bytes, at: int) -> tuple[bytes, bytes | None] | None:
    """What answers a packet on a link that resets: for its sender, and for its receiver (None: of a
    connection that is only being opened the receiver knows nothing). None if nothing answers it."""
    start = at + (data[at] & 15) * 4
    fragment = _word(data, at + 6) & _FRAGMENT
    if data[at + 9] != TCP or fragment or len(data) < start + HEADER_BYTES:
        return None
    src_port, dst_port, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", data, start)
    if flags & RST:
        return None
    length = at + _word(data, at + 2) - start - (offset >> 4) * 4
    after = (seq + length + bool(flags & SYN) + bool(flags & FIN)) & 0xFFFF_FFFF
    src, dst = data[at + 12 : at + 16], data[at + 16 : at + 20]
    link_header = data[:at]
    if flags & ACK:
        back = _segment(dst, src, dst_port, src_port, ack, 0, RST)
    else:
        back = _segment(dst, src, dst_port, src_port, 0, after, RST | ACK)
    if flags & SYN and not flags & ACK:
        return link_header + back, None
    return (
        link_header + back,
        link_header + _segment(src, dst, src_port, dst_port, seq, ack, RST | ACK),
    )


def checksum(data: bytes) -> int:
    """Of the Internet (RFC 1071); zero over data that holds its own right checksum."""
    if len(data) % 2:
        data += b"\0"
    return ~_folded(sum(struct.unpack(f"!{len(data) // 2}H", data))) & 0xFFFF


def _segment(
    src: bytes, dst: bytes, src_port: int, dst_port: int, seq: int, ack: int, flags: int
) -> bytes:
    """A packet with a TCP segment that has no payload."""
    tcp = struct.pack("!HHIIBBHHH", src_port, dst_port, seq, ack, 5 << 4, flags, 0, 0, 0)
    pseudo = src + dst + struct.pack("!BBH", 0, TCP, len(tcp))
    tcp = tcp[:16] + _WORDS.pack(checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, HEADER_BYTES + len(tcp), 0, 0x4000, 64, TCP, 0)
    ip += src + dst
    return ip[:10] + _WORDS.pack(checksum(ip)) + ip[12:] + tcp


def _mended(old: int, before: int, after: int) -> int:
    """The checksum once the 16 bits `before` have become `after`."""
    return ~_folded((~old & 0xFFFF) + (~before & 0xFFFF) + after) & 0xFFFF


def _folded(total: int) -> int:
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _word(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]
