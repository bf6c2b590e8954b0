"""Reading what a system's file says of its clients."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import yaml

from harness.systems.marked import Page
from harness.systems.specification import Dialect, Protocol

_PROTOCOLS = ("json-lines", "maelstrom")
_OWN: tuple[Protocol, Protocol] = ("python", "program")
_OF_LINES = ("reads", "errors", "status", "retries")
_TEXTS = ("python", "here", "node", "address", "ip", "port", "workload", "timeout_s")


def protocol_of(root: yaml.Node | None) -> Protocol:
    """How clients speak, by which the rest is read. Mistakes are told by `read_client`."""
    entries = {key.value: value for key, value in _entries(root)}
    given = {key.value: value for key, value in _entries(entries.get("client"))}
    for name in _OWN:
        if name in given:
            return name
    named = given.get("protocol")
    speaks_maelstrom = isinstance(named, yaml.ScalarNode) and named.value == "maelstrom"
    return "maelstrom" if speaks_maelstrom else "json-lines"


def _entries(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else []


def read_client(
    page: Page, node: yaml.Node | None, protocol: Protocol, called: Collection[str]
) -> Dialect:
    """`called`: the calls of all workloads."""
    if node is None:  # its absence was noted
        return Dialect(protocol=protocol)
    if protocol == "maelstrom":
        page.fields(node, "client", required=("protocol",))
        return Dialect(protocol=protocol)
    fields = page.fields(node, "client", optional=("protocol", *_OWN, *_OF_LINES))
    if protocol in _OWN:
        _alone(page, fields, protocol)
        return Dialect(protocol=protocol, made_of=_made_of(page, fields[protocol], protocol))
    if "protocol" in fields:
        page.choice(fields["protocol"], "the protocol of client", _PROTOCOLS)
    elif isinstance(node, yaml.MappingNode):
        page.wrong(node, "client lacks the setting 'protocol' ('python' or 'program'). Add it.")
    return _of_lines(page, fields, called)


def _alone(page: Page, fields: dict[str, yaml.Node], this: str) -> None:
    """What else is given would be read by nobody."""
    for name, value in fields.items():
        if name != this:
            page.wrong(
                value,
                f"client has both {this!r} and {name!r}, which is for another kind of client. "
                "Keep one.",
            )


def _made_of(page: Page, node: yaml.Node, protocol: Protocol) -> tuple[str, ...]:
    if protocol == "python":
        named = page.text(node, "python of client")
        if named and not all(named.partition(":")):
            page.wrong(node, f"python of client is {named!r}. Write 'module:Class'.")
        return (named,)
    words = page.items(node, "program of client")
    if isinstance(node, yaml.SequenceNode) and not words:
        page.wrong(node, "program of client is empty. Give the program and its arguments.")
    return tuple(page.template(word, "an item of program", _TEXTS) for word in words)


def _of_lines(page: Page, fields: dict[str, yaml.Node], called: Collection[str]) -> Dialect:
    outcomes: dict[str, Literal["fail", "info"]] = {}
    if "errors" in fields:
        for code, outcome in page.mapping(fields["errors"], "errors of client").items():
            chosen = page.choice(outcome, f"the meaning of error {code}", ("info", "fail"))
            outcomes[code] = "fail" if chosen == "fail" else "info"
    reads = page.items(fields["reads"], "reads of client") if "reads" in fields else ()
    calls = [page.choice(read, "an item of reads", called) for read in reads if called]
    status = page.text(fields["status"], "status of client") if "status" in fields else None
    retries = 0
    if "retries" in fields:
        counts = ("0", "1", "2", "3", "4", "5")
        retries = int(page.choice(fields["retries"], "retries of client", counts))
    return Dialect(frozenset(calls), outcomes, status, retries)
