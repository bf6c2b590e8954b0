"""Reading the YAML file of a system: every mistake at once, with its line and its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from harness.contracts import Framing
from harness.systems.maelstrom.calls import CALLS
from harness.systems.marked import Page
from harness.systems.reading_client import protocol_of, read_client
from harness.systems.reading_life import LIFE, read_life
from harness.systems.reading_places import read_clusters, read_members, read_peers, read_ports
from harness.systems.specification import (
    CLIENT,
    Call,
    Listing,
    Option,
    Part,
    Specification,
)
from harness.trial import TrialError, nearest

# What only nodes that are reached over sockets have.
_OF_SOCKETS = ("peers", "members", "clusters", "machine", *LIFE)
_MAELSTROM_PORTS = {CLIENT: Framing("line")}
_NODE_TEXTS = ("python", "node", "data", "trace", "seed", "workload", "here", "ip")
_LISTINGS = ("peers", "members")
_SEVERAL = ("options", "args")


def specification(path: Path) -> Specification:
    """Read a file. Raises TrialError with all its mistakes."""
    page = Page(path)
    protocol = protocol_of(page.root)
    speaks_maelstrom = protocol == "maelstrom"
    required = ("name", "command", "workloads", "client")
    top = page.fields(
        page.root,
        "a system",
        required if speaks_maelstrom else (*required, "ports"),
        (*(("ports",) * speaks_maelstrom), "env", "cwd", "options", *_OF_SOCKETS),
    )
    if speaks_maelstrom:
        _no_sockets(page, top)
    ports = _MAELSTROM_PORTS if speaks_maelstrom else read_ports(page, top.get("ports"))
    listings = {
        "peers": read_peers(page, top.get("peers"), ports),
        "members": read_members(page, top.get("members"), ports),
    }
    reader = _Reader(page, *_placeholders(ports, listings))
    by_calls = protocol == "json-lines"
    workloads = (reader.workloads if by_calls else reader.named_workloads)(top.get("workloads"))
    if speaks_maelstrom:
        _known_to_maelstrom(page, top.get("workloads"), workloads)
    called = tuple(call.f for part in workloads.values() for call in part.calls.values())
    system = Specification(
        name=page.text(top["name"], "name") if "name" in top else "",
        here=path.resolve().parent,
        ports=ports,
        **listings,
        command=reader.command(top.get("command")),
        env=reader.env(top.get("env")),
        cwd=reader.cwd(top.get("cwd")),
        options=reader.options(top.get("options")),
        workloads=workloads,
        client=read_client(page, top.get("client"), protocol, called),
        life=read_life(page, top, *_placeholders(ports, listings)),
        clusters=("maelstrom",) if speaks_maelstrom else read_clusters(page, top),
        machine=page.text(top["machine"], "machine") if "machine" in top else None,
    )
    if page.problems:
        raise TrialError(page.problems)
    return system


def _no_sockets(page: Page, top: Mapping[str, yaml.Node]) -> None:
    for name in ("ports", *_OF_SOCKETS):
        if name in top:
            page.wrong(
                top[name],
                f"{name} means nothing for nodes that speak maelstrom: they have standard "
                "input and output only. Leave it out.",
            )


def _known_to_maelstrom(page: Page, node: yaml.Node | None, workloads: Mapping[str, Part]) -> None:
    for name in workloads:
        if name and name not in CALLS:
            sentence = f"Maelstrom's protocol has no workload {name!r}. {nearest(name, CALLS)}"
            page.wrong(node, sentence)


class _Reader:
    """One method a section; an absent one (None) is empty, its absence was noted before. `texts`
    and `several`: the placeholders of a node's command."""

    def __init__(self, page: Page, texts: tuple[str, ...], several: tuple[str, ...]) -> None:
        self._page = page
        self._texts = texts
        self._several = several

    def command(self, node: yaml.Node | None) -> tuple[str, ...]:
        if node is None:
            return ()
        items = self._page.items(node, "command")
        if isinstance(node, yaml.SequenceNode) and not items:
            self._page.wrong(node, "command is empty. Give the program and its arguments.")
        what = "an item of command"
        return tuple(self._page.template(i, what, self._texts, self._several) for i in items)

    def env(self, node: yaml.Node | None) -> dict[str, str]:
        entries = {} if node is None else self._page.mapping(node, "env")
        return {
            name: self._page.template(value, f"env {name}", self._texts)
            for name, value in entries.items()
        }

    def cwd(self, node: yaml.Node | None) -> str | None:
        return None if node is None else self._page.template(node, "cwd", self._texts)

    def named_workloads(self, node: yaml.Node | None) -> dict[str, Part]:
        """A list of names, or a mapping of names to `args`; what is called is the client's."""
        page = self._page
        if isinstance(node, yaml.SequenceNode):
            return dict.fromkeys(page.texts(node, "workloads"), Part((), {}))
        parts: dict[str, Part] = {}
        for name, value in ({} if node is None else page.mapping(node, "workloads")).items():
            fields = {}
            if not _is_empty(value):
                fields = page.fields(value, f"workload {name}", optional=("args",))
            args = page.texts(fields["args"], f"args of {name}") if "args" in fields else ()
            parts[name] = Part(args, {})
        return parts

    def options(self, node: yaml.Node | None) -> dict[str, Option]:
        if node is None:
            return {}
        entries = self._page.mapping(node, "options")
        return {name: self._option(f"option {name}", value) for name, value in entries.items()}

    def _option(self, what: str, node: yaml.Node) -> Option:
        page = self._page
        fields = page.fields(
            node, what, required=("args",), optional=("choices", "choices_from", "default")
        )
        args = page.items(fields["args"], f"args of {what}") if "args" in fields else ()
        choices: tuple[str, ...] = ()
        if "choices" in fields:
            choices = page.texts(fields["choices"], f"choices of {what}")
        default = (
            page.text(fields["default"], f"default of {what}") if "default" in fields else None
        )
        source = fields.get("choices_from")
        if default is not None and choices and source is None and default not in choices:
            page.choice(fields["default"], f"the default of {what}", choices)
        return Option(
            args=tuple(
                self._page.template(a, f"an item of args of {what}", ("value",)) for a in args
            ),
            choices=choices,
            choices_from=None if source is None else page.text(source, f"choices_from of {what}"),
            default=default,
        )

    def workloads(self, node: yaml.Node | None) -> dict[str, Part]:
        if node is None:
            return {}
        parts: dict[str, Part] = {}
        for name, value in self._page.mapping(node, "workloads").items():
            what = f"workload {name}"
            fields = self._page.fields(value, what, required=("calls",), optional=("args",))
            args = self._page.texts(fields["args"], f"args of {what}") if "args" in fields else ()
            calls = (
                self._page.mapping(fields["calls"], f"calls of {what}")
                if ("calls" in fields)
                else {}
            )
            parts[name] = Part(args, {f: self._call(what, f, call) for f, call in calls.items()})
        return parts

    def _call(self, what: str, f: str, node: yaml.Node) -> Call:
        if isinstance(node, yaml.ScalarNode):
            return Call(self._page.text(node, f"the call for {f} of {what}"))
        fields = self._page.fields(node, f"the call for {f} of {what}", ("call",), ("absent",))
        absent = yaml.safe_load(yaml.serialize(fields["absent"])) if "absent" in fields else None
        return Call(self._page.text(fields["call"], "call") if "call" in fields else "", absent)


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null")


def _placeholders(
    ports: Mapping[str, Framing], listings: Mapping[str, Listing]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those that stand for a text, and those that stand for several arguments."""
    of_ports = tuple(f"{kind}.{port}" for port in ports for kind in ("listen", "ip", "port"))
    joined = tuple(name for name in _LISTINGS if listings[name].join is not None)
    apart = tuple(name for name in _LISTINGS if name not in joined)
    return (*_NODE_TEXTS, *of_ports, *joined), (*apart, *_SEVERAL)
