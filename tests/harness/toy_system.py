"""A system small enough to know by heart, to test clusters with: it keeps what it is sent.

Its node is toy_node.py, which says what can be asked.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.contracts import Address, Client, Command, Framing, NodePlan

NODE = str(Path(__file__).with_name("toy_node.py"))


class ToySystem:
    """Options: `die` (name of a node that ends at start)."""

    name = "toy"
    workloads: Sequence[str] = ("register",)
    framings: Mapping[str, Framing] = {"peer": Framing("length"), "client": Framing("line")}

    @property
    def defaults(self) -> Mapping[str, str]:
        return {}

    def check_options(self, options: Mapping[str, str]) -> list[str]:
        del options
        return []

    def command(self, plan: NodePlan) -> Command:
        config = {
            "name": plan.name,
            "listen": plan.listen,
            "peers": plan.peers,
            "trace": str(plan.trace),
            "die": plan.options.get("die") == plan.name,
        }
        return Command(argv=(sys.executable, "-IS", NODE, json.dumps(config)))

    def client(self, node: str, address: Address, workload: str, timeout_s: float) -> Client:
        raise NotImplementedError("tests speak to the toy by `ask`")

    async def ready(self, node: str, address: Address) -> bool:
        try:
            return bool(await ask(address, "ping") == node)
        except (OSError, EOFError):
            return False

    async def leaders(self, addresses: Mapping[str, Address]) -> tuple[str, ...]:
        return tuple([name for name, address in addresses.items() if await ask(address, "ping")])


async def ask(address: Address, command: str) -> Any:
    """One command on a connection of its own. Raises OSError or EOFError if it breaks."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(command.encode() + b"\n")
        return json.loads(await reader.readuntil(b"\n"))
    finally:
        writer.close()
        await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])
