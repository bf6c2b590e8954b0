"""What a YAML file says about a system: how a node is started and how clients speak to it.

The page for users is docs/systems.md; `specification` is its reading, and every mistake of the
file is told at once, with its line and its remedy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from harness.contracts import Framing
from harness.systems.marked import Page
from harness.systems.templates import problem_of
from harness.trial import TrialError

PEER, CLIENT = "peer", "client"  # the ports with links: between nodes, and from clients

_NODE_TEXTS = ("python", "node", "data", "trace", "seed", "workload", "here", "ip")
_PEER_TEXTS = ("peer", "address", "ip", "port")
_SEVERAL = ("peers", "options", "args")


class Call(msgspec.Struct, frozen=True):
    """How an operation is asked of the system. `absent`: the value that a result of null means."""

    f: str
    absent: Any = None


class Part(msgspec.Struct, frozen=True):
    """A workload that the system can serve: arguments of its nodes, calls by operation."""

    args: tuple[str, ...]
    calls: Mapping[str, Call]


class Option(msgspec.Struct, frozen=True):
    """A setting of a trial. `default` None: left out unless given. No `choices`: any text.

    `choices_from`: an entry-point group whose entry with the system's name holds objects; their
    names are further choices.
    """

    args: tuple[str, ...]
    choices: tuple[str, ...] = ()
    choices_from: str | None = None
    default: str | None = None


class Peers(msgspec.Struct, frozen=True):
    """What `{peers}` becomes: `each` filled in per peer, as arguments or joined to one text."""

    each: tuple[str, ...] = ()
    join: str | None = None


class Dialect(msgspec.Struct, frozen=True):
    """How clients speak: newline-delimited JSON. `reads`: calls without effect, whose failures are
    definite. `errors`: what an error code means; what is absent is info. `status`: the call that
    tells readiness and leadership, None if there is none. `retries`: how often a command of unknown
    outcome is sent again, with `session` and `seq`; only for systems that then apply it once."""

    reads: frozenset[str] = frozenset()
    errors: Mapping[str, Literal["fail", "info"]] = {}
    status: str | None = None
    retries: int = 0


class Specification(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file. `here`: its directory."""

    name: str
    here: Path
    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str | None
    ports: Mapping[str, Framing]
    peers: Peers
    options: Mapping[str, Option]
    workloads: Mapping[str, Part]
    client: Dialect
    machine: str | None = None  # 'module:function', for the simulated cluster


def specification(path: Path) -> Specification:
    """Read a file. Raises TrialError with all its mistakes."""
    page = Page(path)
    top = page.fields(
        page.root,
        "a system",
        required=("name", "command", "ports", "workloads", "client"),
        optional=("env", "cwd", "peers", "options", "machine"),
    )
    reader = _Reader(page)
    ports = reader.ports(top.get("ports"))
    peers = reader.peers(top.get("peers"), ports)
    workloads = reader.workloads(top.get("workloads"))
    system = Specification(
        name=page.text(top["name"], "name") if "name" in top else "",
        here=path.resolve().parent,
        ports=ports,
        peers=peers,
        command=reader.command(top.get("command"), ports, peers),
        env=reader.env(top.get("env"), ports, peers),
        cwd=reader.cwd(top.get("cwd"), ports, peers),
        options=reader.options(top.get("options")),
        workloads=workloads,
        client=reader.client(top.get("client"), _called(workloads)),
        machine=page.text(top["machine"], "machine") if "machine" in top else None,
    )
    if page.problems:
        raise TrialError(page.problems)
    return system


class _Reader:
    """One method a section; an absent one (None) is empty, its absence was noted before."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def command(
        self, node: yaml.Node | None, ports: Mapping[str, Framing], peers: Peers
    ) -> tuple[str, ...]:
        if node is None:
            return ()
        valid, several = _placeholders(ports, peers)
        items = self._page.items(node, "command")
        if isinstance(node, yaml.SequenceNode) and not items:
            self._page.wrong(node, "command is empty. Give the program and its arguments.")
        return tuple(self._template(item, "an item of command", valid, several) for item in items)

    def env(
        self, node: yaml.Node | None, ports: Mapping[str, Framing], peers: Peers
    ) -> dict[str, str]:
        if node is None:
            return {}
        valid, _ = _placeholders(ports, peers)
        entries = self._page.mapping(node, "env")
        return {
            name: self._template(value, f"env {name}", valid) for name, value in entries.items()
        }

    def cwd(self, node: yaml.Node | None, ports: Mapping[str, Framing], peers: Peers) -> str | None:
        valid, _ = _placeholders(ports, peers)
        return None if node is None else self._template(node, "cwd", valid)

    def ports(self, node: yaml.Node | None) -> dict[str, Framing]:
        page = self._page
        if node is None:
            return {}
        framings: dict[str, Framing] = {}
        for name, value in page.mapping(node, "ports").items():
            what = f"port {name}"
            fields = page.fields(value, what, required=("framing",), optional=("prefix_bytes",))
            kinds = ("length", "line", "stream")
            kind = (
                page.choice(fields["framing"], f"the framing of {what}", kinds)
                if ("framing" in fields)
                else "stream"
            )
            prefix = 4
            if "prefix_bytes" in fields:
                sizes = ("4", "1", "2", "8")
                prefix = int(page.choice(fields["prefix_bytes"], f"prefix_bytes of {what}", sizes))
            framings[name] = Framing(kind=kind, prefix_bytes=prefix)  # type: ignore[arg-type]
        if CLIENT not in framings:
            page.wrong(
                node,
                f"ports lacks the port '{CLIENT}', through which clients reach a node. Add it, as "
                f"in '{CLIENT}: {{framing: line}}'.",
            )
        return framings

    def peers(self, node: yaml.Node | None, ports: Mapping[str, Framing]) -> Peers:
        page = self._page
        if node is None:
            return Peers()
        if PEER not in ports:
            page.wrong(
                node,
                f"peers are reached at their port '{PEER}', which ports lacks. Add it, as in "
                f"'{PEER}: {{framing: stream}}', or leave peers out.",
            )
        fields = page.fields(node, "peers", required=("each",), optional=("join",))
        each, join = fields.get("each"), fields.get("join")
        if each is None:
            return Peers()
        if join is None:
            items = page.items(each, "each of peers")
            return Peers(tuple(self._template(i, "an item of each", _PEER_TEXTS) for i in items))
        return Peers((self._template(each, "each of peers", _PEER_TEXTS),), page.text(join, "join"))

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
            args=tuple(self._template(a, f"an item of args of {what}", ("value",)) for a in args),
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

    def client(self, node: yaml.Node | None, called: Collection[str]) -> Dialect:
        page = self._page
        if node is None:
            return Dialect()
        fields = page.fields(
            node,
            "client",
            required=("protocol",),
            optional=("reads", "errors", "status", "retries"),
        )
        if "protocol" in fields:
            page.choice(fields["protocol"], "the protocol of client", ("json-lines",))
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

    def _template(
        self,
        node: yaml.Node,
        what: str,
        valid: tuple[str, ...],
        several: tuple[str, ...] = (),
    ) -> str:
        text = self._page.text(node, what)
        problem = problem_of(text, valid, several)
        if problem is not None:
            self._page.wrong(node, f"{what}: {problem}")
        return text


def _called(workloads: Mapping[str, Part]) -> tuple[str, ...]:
    return tuple(call.f for part in workloads.values() for call in part.calls.values())


def _placeholders(
    ports: Mapping[str, Framing], peers: Peers
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those that stand for a text, and those that stand for several arguments."""
    of_ports = tuple(f"{kind}.{port}" for port in ports for kind in ("listen", "ip", "port"))
    texts = (*_NODE_TEXTS, *of_ports)
    if peers.join is None:
        return texts, _SEVERAL
    return (*texts, "peers"), tuple(name for name in _SEVERAL if name != "peers")
