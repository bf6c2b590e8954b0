"""A system that is a command: any program in any language, described by a YAML file."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from harness.contracts import (
    Address,
    Chore,
    Client,
    Command,
    EnvironmentTrouble,
    Framing,
    NodePlan,
)
from harness.machine import Machine, NodeId, Random
from harness.systems.asking import LEADS_LIMIT_S, READY_LIMIT_S, says_yes
from harness.systems.jsonlines import (
    LINE_SHOWN_BYTES,
    JsonLinesClient,
    ProtocolError,
    ask_once,
)
from harness.systems.machines import BuildMachine, load_machine
from harness.systems.maelstrom.calls import CALLS
from harness.systems.maelstrom.client import MaelstromClient
from harness.systems.own_client import MakeClient, load_client, make_client
from harness.systems.program import ProgramClient, Speakers
from harness.systems.specification import CLIENT, Option, Specification
from harness.systems.templates import fill, fill_all
from harness.trial import nearest

STATUS_TIMEOUT_S = 0.5


class CommandSystem:
    """Implements harness.contracts.System from a Specification."""

    def __init__(self, specification: Specification) -> None:
        """Raises TrialError if it names a class of clients that cannot be used."""
        self._is = specification
        self._build: BuildMachine | None = None
        self._speakers = Speakers()
        self._make_client: MakeClient | None = None
        dialect = specification.client
        if dialect.protocol == "python":
            named = dialect.made_of[0]
            self._make_client = load_client(named, str(specification.here), specification.name)

    @property
    def name(self) -> str:
        return self._is.name

    @property
    def workloads(self) -> Sequence[str]:
        return tuple(self._is.workloads)

    @property
    def framings(self) -> Mapping[str, Framing]:
        return self._is.ports

    @property
    def defaults(self) -> Mapping[str, str]:
        options = self._is.options.items()
        return {name: o.default for name, o in options if o.default is not None}

    def check_options(self, options: Mapping[str, str]) -> list[str]:
        sentences = []
        for name, value in options.items():
            option = self._is.options.get(name)
            if option is None:
                known = ", or it has none" if not self._is.options else ""
                sentences.append(
                    f"system {self.name} has no option {name!r}{known}. "
                    f"{nearest(name, self._is.options)}"
                )
                continue
            choices = self._choices(option)
            if choices is not None and value not in choices:
                sentences.append(f"option {name} is {value!r}. {nearest(value, choices)}")
        return sentences

    def command(self, plan: NodePlan) -> Command:
        values, several = self._values(plan), self._several(plan)
        return Command(
            argv=tuple(fill_all(self._is.command, values, several)),
            env={name: fill(text, values) for name, text in self._is.env.items()},
            cwd=None if self._is.cwd is None else plan.data / fill(self._is.cwd, values),
        )

    def commands(self, chore: Chore, plan: NodePlan) -> Sequence[Command]:
        values, several = self._values(plan), self._several(plan)
        env = {name: fill(text, values) for name, text in self._is.env.items()}
        return [
            Command(argv=tuple(fill_all(words, values, several)), env=env)
            for words in self._is.life.chores.get(chore, ())
        ]

    def logs(self, plan: NodePlan) -> Sequence[Path]:
        values = self._values(plan)
        return [Path(fill(text, values)) for text in self._is.life.logs]

    def client(self, node: str, address: Address, workload: str, timeout_s: float) -> Client:
        dialect = self._is.client
        if dialect.protocol == "maelstrom":
            return MaelstromClient(node, address, CALLS[workload], timeout_s)
        if dialect.protocol == "program":
            texts = {"python": sys.executable, "here": str(self._is.here)}
            return ProgramClient(
                dialect.made_of, node, address, workload, timeout_s, texts, self._speakers
            )
        if self._make_client is not None:
            return make_client(self._make_client, node, address, workload, timeout_s)
        calls = self._is.workloads[workload].calls
        return JsonLinesClient(node, address, self._is.client, calls, timeout_s)

    async def ready(self, node: str, address: Address) -> bool:
        """Raises EnvironmentTrouble for an answer that no waiting will make a good one."""
        asked = self._is.life.ready
        if asked is not None:
            return await says_yes(asked, self._about(node, address), "readiness", READY_LIMIT_S)
        call = self._is.client.status
        if call is None:
            return await _accepts(address)
        try:
            status = await ask_once(address, call, STATUS_TIMEOUT_S)
        except ProtocolError as wrong:
            raise EnvironmentTrouble(
                f"node {node} was asked for {call!r} and answered against the client protocol "
                f"(docs/systems.md): {wrong}."
            ) from wrong
        if status is None:
            return False
        if not isinstance(status, dict) or not isinstance(status.get("ready"), bool):
            raise EnvironmentTrouble(
                f"node {node} answered {call!r} with {status!r:.{LINE_SHOWN_BYTES}}; expected an "
                "object with 'ready', true or false (and 'leading' if it may lead)."
            )
        return status["ready"] is True

    async def leaders(self, addresses: Mapping[str, Address]) -> tuple[str, ...]:
        asked = self._is.life.leads
        if asked is not None:
            answered = await asyncio.gather(
                *(
                    says_yes(asked, self._about(node, address), "leadership", LEADS_LIMIT_S)
                    for node, address in addresses.items()
                )
            )
            return tuple(node for node, yes in zip(addresses, answered, strict=True) if yes)
        if self._is.client.status is None:
            return ()
        answers = await asyncio.gather(*(self._status(a) for a in addresses.values()))
        return tuple(
            node
            for node, status in zip(addresses, answers, strict=True)
            if status is not None and status.get("leading") is True
        )

    def _about(self, node: str, address: Address) -> dict[str, str]:
        """What a question about a node may name."""
        ip, port = address
        return {
            "python": sys.executable,
            "here": str(self._is.here),
            "node": node,
            "address": f"{ip}:{port}",
            "ip": ip,
            "port": str(port),
        }

    async def _status(self, address: Address) -> dict[str, Any] | None:
        """None where there is no answer, or none that is one."""
        assert self._is.client.status is not None
        try:
            answer = await ask_once(address, self._is.client.status, STATUS_TIMEOUT_S)
        except ProtocolError:
            return None
        return answer if isinstance(answer, dict) else None

    @property
    def speaks_maelstrom(self) -> bool:
        """On standard input and output, which only the cluster of that name gives a node."""
        return self._is.client.protocol == "maelstrom"

    @property
    def clusters(self) -> Sequence[str]:
        return self._is.clusters

    @property
    def simulable(self) -> bool:
        return self._is.machine is not None

    def machine(
        self,
        node: NodeId,
        peers: Sequence[NodeId],
        random: Random,
        workload: str,
        options: Mapping[str, str],
    ) -> Machine:
        """Raises TrialError where the file names no function that can be found."""
        if self._build is None:
            self._build = load_machine(self._is)
        return self._build(
            name=node,
            peers=tuple(peers),
            rng=random,
            workload=workload,
            options={**self.defaults, **options},
        )

    def _choices(self, option: Option) -> tuple[str, ...] | None:
        """None where any text will do."""
        if option.choices_from is None:
            return option.choices or None
        entries = entry_points(group=option.choices_from, name=self.name)
        found = tuple(str(thing.name) for entry in entries for thing in entry.load())
        return option.choices + found

    def _option_arguments(self, given: Mapping[str, str]) -> list[str]:
        arguments: list[str] = []
        for name, option in self._is.options.items():
            value = given.get(name, option.default)
            if value is not None:
                arguments += [fill(text, {"value": value}) for text in option.args]
        return arguments

    def _peers(self, plan: NodePlan) -> list[str]:
        arguments: list[str] = []
        for peer, (ip, port) in plan.peers.items():
            values = {"peer": peer, "address": f"{ip}:{port}", "ip": ip, "port": str(port)}
            arguments += [fill(text, values) for text in self._is.peers.each]
        return arguments

    def _members(self, plan: NodePlan) -> list[str]:
        """Of all nodes, this one included, in the order that all of them are told."""
        arguments: list[str] = []
        for member, ip in plan.hosts.items():
            values = {"member": member, "ip": ip}
            values |= {f"port.{name}": str(port) for name, (_, port) in plan.listen.items()}
            arguments += [fill(text, values) for text in self._is.members.each]
        return arguments

    def _listings(self, plan: NodePlan, *, joined: bool) -> dict[str, list[str]]:
        """Those of peers and members that are joined to one text, or those that are not."""
        listings = {
            "peers": (self._is.peers, self._peers(plan)),
            "members": (self._is.members, self._members(plan)),
        }
        return {
            name: arguments
            for name, (listing, arguments) in listings.items()
            if (listing.join is not None) == joined
        }

    def _several(self, plan: NodePlan) -> dict[str, list[str]]:
        return {
            **self._listings(plan, joined=False),
            "args": list(self._is.workloads[plan.workload].args),
            "options": self._option_arguments(plan.options),
        }

    def _values(self, plan: NodePlan) -> dict[str, str]:
        values = {
            "python": sys.executable,
            "node": plan.name,
            "data": str(plan.data),
            "trace": str(plan.trace),
            "seed": str(plan.seed),
            "workload": plan.workload,
            "here": str(self._is.here),
            "ip": plan.listen[CLIENT][0],
        }
        for name, (ip, port) in plan.listen.items():
            values[f"listen.{name}"] = f"{ip}:{port}"
            values[f"ip.{name}"] = ip
            values[f"port.{name}"] = str(port)
        joins = {"peers": self._is.peers.join or "", "members": self._is.members.join or ""}
        for name, arguments in self._listings(plan, joined=True).items():
            values[name] = joins[name].join(arguments)
        return values


async def _accepts(address: Address) -> bool:
    try:
        async with asyncio.timeout(STATUS_TIMEOUT_S):
            _, writer = await asyncio.open_connection(*address)
    except OSError:  # refused, unreachable or timed out: not ready
        return False
    writer.transport.abort()
    return True
