"""The switch's end of each host's network: a file to read its packets from and write them to.

Rules
1. Every host sees loopback, and `eth0` with its address and a standard MTU; the clients have a
   device in the network of the harness. What we add to that network is called `v-...`, as the ends
   of cables are, and is taken down with them (hosts.unwire). One read or write is one packet.
2. A TUN device is the first choice: made inside the network of its host while its file stays with
   us, it needs no ARP and finishes all checksums itself. It persists, until its network goes: the
   kernel takes 20 ms to end one by itself. Made again, it is the one that is there.
3. Where /dev/net/tun cannot be opened, a veth pair leads from the host to a packet socket of ours.
   All its inner ends share one Ethernet address and ask for none (NOARP): a frame then bears the
   receiver's address already, whoever that is. Offloads are off, or frames would come larger than
   the MTU and without checksums.
4. Queues towards us are long: a packet that is lost must be one that a fault has taken.

Sources: netdevice(7), packet(7); tun/tap of the kernel's documentation of networking; if_tun.h,
ethtool.h and sockios.h for the numbers.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import socket
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from harness.clusters.namespaces.system_calls import in_net
from nemesis.faults import CLIENT

TUN = "/dev/net/tun"
INNER = "eth0"  # of a host
INNER_OF_CLIENTS = "hosts"  # goes with the other end, and so must not be called as that is
LOOPBACK = "lo"
PREFIX_BITS = 24
QUEUE_PACKETS = 10_000
RECEIVE_BYTES = 32 * 2**20
ETHERNET = "02:00:0a:63:00:01"  # locally administered, the same for all
ETHERNET_HEADER_BYTES = 14
IP_LIMIT_S = 10.0

TUNSETIFF, TUNSETPERSIST = 0x400454CA, 0x400454CB
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
IFF_UP, IFF_NOARP = 0x0001, 0x0080
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
SIOCSIFADDR, SIOCSIFNETMASK = 0x8916, 0x891C
SIOCSIFTXQLEN = 0x8943
SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO = 0x17, 0x1F, 0x24
ETH_P_IP = 0x0800
SOL_PACKET, PACKET_QDISC_BYPASS, PACKET_IGNORE_OUTGOING = 263, 20, 23
SO_RCVBUFFORCE = 33


@dataclass(frozen=True)
class Port:
    """`file` does not block, and lasts as long as we do; packets begin at byte `at` of a read."""

    host: str
    ip: str
    file: int
    at: int


def tun_can_be_opened() -> bool:
    """Found by trying: a device node may be there for a driver that is not."""
    try:
        os.close(os.open(TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def tun_ports(hosts: Mapping[str, str]) -> list[Port]:
    """A port for every host (name to address; CLIENT: here). Raises OSError."""
    return [Port(host, ip, _there(host, partial(_tun, host, ip)), 0) for host, ip in hosts.items()]


def packet_ports(hosts: Mapping[str, str]) -> list[Port]:
    """The same without /dev/net/tun. Raises OSError."""
    lines = [
        f"link add {outer(host)} type veth peer name {inner(host)} address {ETHERNET}"
        + ("" if host == CLIENT else f" netns {host}")
        for host in hosts
    ]
    lines += [f"link set {outer(host)} up" for host in hosts]
    made = _ip(lines)
    if made.returncode != 0:
        raise OSError(f"ip made no veth pairs: {made.stderr.strip()}")
    ports = []
    for host, ip in hosts.items():
        _there(host, partial(_inner_end, host, ip))
        ports.append(Port(host, ip, _packet_socket(outer(host)), ETHERNET_HEADER_BYTES))
    return ports


def outer(host: str) -> str:
    """The end, here, of the veth pair of a host."""
    return f"v-{host}"


def inner(host: str) -> str:
    """Its other end."""
    return INNER_OF_CLIENTS if host == CLIENT else INNER


def _there(host: str, make: partial[int]) -> int:
    return make() if host == CLIENT else in_net(host, make)


def _tun(host: str, ip: str) -> int:
    # The device is made in the network in which the file is opened.
    file = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    name = outer(host) if host == CLIENT else INNER
    try:
        fcntl.ioctl(file, TUNSETIFF, _request(name, struct.pack("=H", IFF_TUN | IFF_NO_PI)))
        fcntl.ioctl(file, TUNSETPERSIST, 1)
        with _any_socket() as control:
            _raise(control, LOOPBACK, 0)
            _lengthen(control, name)
            _bring_up(control, name, ip, 0)
    except OSError:
        os.close(file)
        raise
    return file


def _lengthen(control: socket.socket, name: str) -> None:
    try:
        _set(control, SIOCSIFTXQLEN, name, struct.pack("=i", QUEUE_PACKETS))
    except PermissionError:  # this call is for root of the machine only; the same by netlink is not
        _ip([f"link set {name} txqueuelen {QUEUE_PACKETS}"])


def _inner_end(host: str, ip: str) -> int:
    name = inner(host)
    with _any_socket() as control:
        _raise(control, LOOPBACK, 0)
        for command in (ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_STXCSUM):
            wanted = array.array("I", [command, 0])
            _set(control, SIOCETHTOOL, name, struct.pack("=Q", wanted.buffer_info()[0]))
        _bring_up(control, name, ip, IFF_NOARP)
    return 0


def _packet_socket(device: str) -> int:
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_PACKET, kind, 0) as made:
        try:
            made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES)
        except PermissionError:  # only root of the machine; others get what the machine allows
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        made.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        with contextlib.suppress(OSError):  # a faster way out, where there is one
            made.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        made.bind((device, ETH_P_IP))
        return made.detach()


def _bring_up(control: socket.socket, name: str, ip: str, flags: int) -> None:
    mask = struct.pack("!I", 0xFFFF_FFFF << (32 - PREFIX_BITS) & 0xFFFF_FFFF)
    _set(control, SIOCSIFADDR, name, _address(socket.inet_aton(ip)))
    _set(control, SIOCSIFNETMASK, name, _address(mask))
    _raise(control, name, flags)


def _raise(control: socket.socket, name: str, flags: int) -> None:
    """The device is up, with these flags more."""
    before = fcntl.ioctl(control, SIOCGIFFLAGS, _request(name, b""))
    (now,) = struct.unpack_from("=H", before, 16)
    _set(control, SIOCSIFFLAGS, name, struct.pack("=H", now | IFF_UP | flags))


def _any_socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)


def _set(control: socket.socket, request: int, name: str, value: bytes) -> None:
    fcntl.ioctl(control, request, _request(name, value))


def _request(name: str, value: bytes) -> bytes:
    """A struct ifreq: the name of a device and what is asked of it."""
    return struct.pack("=16s24s", name.encode(), value)


def _address(raw: bytes) -> bytes:
    """A struct sockaddr_in."""
    return struct.pack("=HH4s", socket.AF_INET, 0, raw)


def _ip(lines: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ip", "-batch", "-"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=IP_LIMIT_S,
        check=False,
    )
