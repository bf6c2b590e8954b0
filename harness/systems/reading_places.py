"""Reading what a system's file says of where its nodes are: ports, peers, members, clusters."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from harness.contracts import Framing
from harness.systems.marked import Page
from harness.systems.specification import CLIENT, PEER, Listing

_PEER_TEXTS = ("peer", "address", "ip", "port")
_HOSTS = ("namespaces", "ssh")  # where a node has one address for all
_SOCKETS = ("local", *_HOSTS)
_PORT_MAX = 65535


def read_ports(page: Page, node: yaml.Node | None) -> dict[str, Framing]:
    if node is None:
        return {}
    entries = page.mapping(node, "ports")
    framings = {name: _framing(page, f"port {name}", value) for name, value in entries.items()}
    if CLIENT not in framings:
        page.wrong(
            node,
            f"ports lacks the port '{CLIENT}', through which clients reach a node. Add it, as "
            f"in '{CLIENT}: {{framing: line}}'.",
        )
    numbers: dict[int, str] = {}
    for name, framing in framings.items():
        if framing.port is None:
            continue
        if framing.port in numbers:
            page.wrong(
                entries[name],
                f"ports {numbers[framing.port]} and {name} are both {framing.port}. Give each a "
                "number of its own.",
            )
        numbers[framing.port] = name
    return framings


def _framing(page: Page, what: str, node: yaml.Node) -> Framing:
    fields = page.fields(node, what, optional=("framing", "prefix_bytes", "port"))
    kind = "stream"
    if "framing" in fields:
        kinds = ("length", "line", "stream")
        kind = page.choice(fields["framing"], f"the framing of {what}", kinds)
    prefix = 4
    if "prefix_bytes" in fields:
        sizes = ("4", "1", "2", "8")
        prefix = int(page.choice(fields["prefix_bytes"], f"prefix_bytes of {what}", sizes))
    number = page.number(fields["port"], what, 1, _PORT_MAX) if "port" in fields else None
    return Framing(kind, prefix, number)  # type: ignore[arg-type]


def read_peers(page: Page, node: yaml.Node | None, ports: Mapping[str, Framing]) -> Listing:
    if node is None:
        return Listing()
    if PEER not in ports:
        page.wrong(
            node,
            f"peers are reached at their port '{PEER}', which ports lacks. Add it, as in "
            f"'{PEER}: {{framing: stream}}', or leave peers out.",
        )
    return _listing(page, node, "peers", _PEER_TEXTS)


def read_members(page: Page, node: yaml.Node | None, ports: Mapping[str, Framing]) -> Listing:
    if node is None:
        return Listing()
    return _listing(page, node, "members", ("member", "ip", *(f"port.{port}" for port in ports)))


def _listing(page: Page, node: yaml.Node, what: str, texts: tuple[str, ...]) -> Listing:
    fields = page.fields(node, what, required=("each",), optional=("join",))
    each, join = fields.get("each"), fields.get("join")
    if each is None:
        return Listing()
    if join is None:
        items = page.items(each, f"each of {what}")
        return Listing(tuple(page.template(i, f"an item of each of {what}", texts) for i in items))
    return Listing(
        (page.template(each, f"each of {what}", texts),), page.text(join, f"join of {what}")
    )


def read_clusters(page: Page, top: Mapping[str, yaml.Node]) -> tuple[str, ...]:
    """Where the system runs, its default first; without a word of it, wherever it can."""
    simulated = ("simulated",) if "machine" in top else ()
    possible = (*(_HOSTS if "members" in top else _SOCKETS), *simulated)
    if "clusters" not in top:
        return possible
    chosen = []
    for item in page.items(top["clusters"], "clusters"):
        name = page.text(item, "an item of clusters")
        if "members" in top and name == "local":
            page.wrong(
                item,
                "members need one address for each node, and on cluster 'local' every link has "
                "its own. Leave 'local' out, or use peers.",
            )
        elif name:
            chosen.append(page.choice(item, "an item of clusters", possible))
    if isinstance(top["clusters"], yaml.SequenceNode) and not top["clusters"].value:
        page.wrong(top["clusters"], f"clusters is empty. Valid are: {', '.join(possible)}.")
    return tuple(dict.fromkeys(chosen))
