"""Cuts and losses by nft, in a table of our own on each host: pure text and figures.

Rules
1. The table is ours alone, `inet antipaxos`, and goes as a whole. Nobody else's rules are read or
   changed; what they drop is not counted here.
2. What a sends to b is dropped where it arrives, at b, by its source address: it was truly sent.
   What b sends to the clients is dropped where it leaves b, since the clients' machine is not ours.
3. Our own connection passes before every rule: to cut the clients off must not cut us off.
4. Each link has a chain of its own, replaced as a whole in one transaction, so that no packet meets
   half a change; its counters live beside it, and outlive the changes.
5. Probes are datagrams to PROBE_PORT. They pass the same rules as everything, are counted apart,
   and end there: nothing on the host ever sees one.
6. In mode reset, resets pass: each end must hear that the other refuses, or it would wait as behind
   a silent cut.

Sources: nft(8). The order of hooks is that of netfilter: input comes before any socket.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from nemesis.faults import CLIENT, Link, LinkFault, Lose, Partition

TABLE = "inet antipaxos"
PROBE_PORT = 24599
PER_MILLION = 1_000_000
KINDS = ("forwarded", "dropped", "probe_forwarded", "probe_dropped")


class Place(msgspec.Struct, frozen=True):
    """One host's place in the network: its name, its peers' and clients' addresses, and the port
    of its sshd, as it sees them itself."""

    name: str
    peers: Mapping[str, str]
    client: str
    ssh_port: int

    @property
    def links(self) -> tuple[Link, ...]:
        """The links whose fate is decided on this host."""
        arriving = [(peer, self.name) for peer in self.peers]
        return (*arriving, (CLIENT, self.name), (self.name, CLIENT))


def table(place: Place) -> str:
    """The whole table of a host, with nothing cut. It replaces one that is there."""
    lines = [f"table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{"]
    for link in place.links:
        lines += [f"  counter {_counter(link, kind)} {{ }}" for kind in KINDS]
    for link in place.links:
        lines += [f"  chain {_chain(link)} {{", *_indented(rules(link, ())), "  }"]
    lines += _input(place) + _output(place) + ["}"]
    return "\n".join(lines) + "\n"


def replacement(link: Link, faults: Sequence[LinkFault]) -> str:
    """The transaction after which a link does what the faults on it sum up to."""
    chain = f"{TABLE} {_chain(link)}"
    added = [f"add rule {chain} {rule}" for rule in rules(link, faults)]
    return "\n".join([f"flush chain {chain}", *added]) + "\n"


def rules(link: Link, faults: Sequence[LinkFault]) -> list[str]:
    """What befalls a packet on the link, in order; one that passes them all goes on its way."""
    modes = {fault.mode for fault in faults if isinstance(fault, Partition)}
    found = []
    for fault in faults:
        if isinstance(fault, Lose):
            share = round(fault.probability * PER_MILLION)
            found += _dropping(link, f"numgen random mod {PER_MILLION} < {share} ")
    if "silent" in modes:
        return [*found, *_dropping(link, "")]
    if "reset" in modes:
        dropped = f"counter name {_counter(link, 'dropped')}"
        return [
            *found,
            "tcp flags & rst == rst accept",
            f"meta l4proto tcp {dropped} reject with tcp reset",
            *_dropping(link, ""),
        ]
    return [
        *found,
        f"udp dport {PROBE_PORT} counter name {_counter(link, 'probe_forwarded')} drop",
        f"counter name {_counter(link, 'forwarded')}",
    ]


def counters(listed: bytes) -> dict[str, int]:
    """Packets by name of counter, from `nft -j list counters`. Raises msgspec.MsgspecError on
    anything else."""
    return {
        entry.counter.name: entry.counter.packets
        for entry in msgspec.json.decode(listed, type=_Listed).nftables
        if entry.counter is not None
    }


def of_link(link: Link, counted: Mapping[str, int]) -> dict[str, int]:
    """The counters of one link, by KINDS."""
    return {kind: counted.get(_counter(link, kind), 0) for kind in KINDS}


class _Counter(msgspec.Struct, frozen=True):
    name: str
    packets: int


class _Entry(msgspec.Struct, frozen=True):
    counter: _Counter | None = None


class _Listed(msgspec.Struct, frozen=True):
    nftables: list[_Entry]


def _input(place: Place) -> list[str]:
    jumps = [f"ip saddr {ip} jump {_chain((peer, place.name))}" for peer, ip in place.peers.items()]
    return [
        "  chain input {",
        "    type filter hook input priority -10; policy accept;",
        f"    ip saddr {place.client} tcp dport {place.ssh_port} accept",
        *_indented([*jumps, f"ip saddr {place.client} jump {_chain((CLIENT, place.name))}"]),
        "  }",
    ]


def _output(place: Place) -> list[str]:
    return [
        "  chain marks {",
        "  }",
        "  chain output {",
        "    type filter hook output priority -10; policy accept;",
        f"    ip daddr {place.client} tcp sport {place.ssh_port} accept",
        "    jump marks",
        f"    ip daddr {place.client} jump {_chain((place.name, CLIENT))}",
        "  }",
    ]


def _dropping(link: Link, condition: str) -> list[str]:
    """Two rules that each draw for themselves: a packet meets one of them only."""
    probe = f"udp dport {PROBE_PORT}"
    return [
        f"{probe} {condition}counter name {_counter(link, 'probe_dropped')} drop",
        f"{probe.replace('dport', 'dport !=')} {condition}counter name "
        f"{_counter(link, 'dropped')} drop",
        f"meta l4proto != udp {condition}counter name {_counter(link, 'dropped')} drop",
    ]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _chain(link: Link) -> str:
    return f"from_{link[0]}_to_{link[1]}"


def _counter(link: Link, kind: str) -> str:
    return f"{_chain(link)}_{kind}"
