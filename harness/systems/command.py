"""A system that is a command: any program in any language, described by a YAML file."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any

from harness.contracts import Address, Client, Command, EnvironmentTrouble, Framing, NodePlan
from harness.machine import Machine, NodeId, Random
from harness.systems.jsonlines import (
    LINE_SHOWN_BYTES,
    JsonLinesClient,
    ProtocolError,
    ask_once,
)
from harness.systems.machines import BuildMachine, load_machine
from harness.systems.specification import CLIENT, Option, Specification
from harness.systems.templates import fill, fill_all
from harness.trial import nearest

STATUS_TIMEOUT_S = 0.5


class CommandSystem:
    """Implements harness.contracts.System from a Specification."""

    def __init__(self, specification: Specification) -> None:
        self._is = specification
        self._build: BuildMachine | None = None

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
        values = self._values(plan)
        several = {
            "peers": self._peers(plan) if self._is.peers.join is None else [],
            "args": list(self._is.workloads[plan.workload].args),
            "options": self._option_arguments(plan.options),
        }
        return Command(
            argv=tuple(fill_all(self._is.command, values, several)),
            env={name: fill(text, values) for name, text in self._is.env.items()},
            cwd=None if self._is.cwd is None else plan.data / fill(self._is.cwd, values),
        )

    def client(self, node: str, address: Address, workload: str, timeout_s: float) -> Client:
        calls = self._is.workloads[workload].calls
        return JsonLinesClient(node, address, self._is.client, calls, timeout_s)

    async def ready(self, node: str, address: Address) -> bool:
        """Raises EnvironmentTrouble for an answer that no waiting will make a good one."""
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
        if self._is.client.status is None:
            return ()
        answers = await asyncio.gather(*(self._status(a) for a in addresses.values()))
        return tuple(
            node
            for node, status in zip(addresses, answers, strict=True)
            if status is not None and status.get("leading") is True
        )

    async def _status(self, address: Address) -> dict[str, Any] | None:
        """None where there is no answer, or none that is one."""
        assert self._is.client.status is not None
        try:
            answer = await ask_once(address, self._is.client.status, STATUS_TIMEOUT_S)
        except ProtocolError:
            return None
        return answer if isinstance(answer, dict) else None

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
        if self._is.peers.join is not None:
            values["peers"] = self._is.peers.join.join(self._peers(plan))
        return values


async def _accepts(address: Address) -> bool:
    try:
        async with asyncio.timeout(STATUS_TIMEOUT_S):
            _, writer = await asyncio.open_connection(*address)
    except OSError:  # refused, unreachable or timed out: not ready
        return False
    writer.transport.abort()
    return True
