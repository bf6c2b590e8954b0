"""A maelstrom cluster of toy nodes, and clients of it, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.clusters.maelstrom.cluster import MaelstromCluster
from harness.clusters.maelstrom.settings import settings
from harness.contracts import Address
from harness.systems.command import CommandSystem
from harness.systems.maelstrom.rpc import Connection, NoAnswer, connect
from harness.systems.reading import specification

HERE = Path(__file__).parent
NAMES = ("n1", "n2", "n3")
LIMIT_S = 8.0
POLL_S = 0.01

TOY = """
name: toy
command: ["{{python}}", -S, {toy}, "{{options}}"]
options: {{mode: {{args: ["{{value}}"]}}}}
workloads: [echo, broadcast]
client: {{protocol: maelstrom}}
"""


def toy_system(folder: Path) -> CommandSystem:
    file = folder / "toy.yaml"
    file.write_text(TOY.format(toy=HERE / "toy.py"))
    return CommandSystem(specification(file))


def cluster_in(
    folder: Path,
    *,
    names: Sequence[str] = NAMES,
    mode: str = "",
    cluster_options: Mapping[str, str] | None = None,
    **changes: Any,
) -> MaelstromCluster:
    given: dict[str, Any] = {
        "workload": "echo",
        "options": {"mode": mode} if mode else {},
        "seed": 7,
        "settings": settings(cluster_options or {}),
        **changes,
    }
    return MaelstromCluster(toy_system(folder), names, folder, **given)


def played(cluster: MaelstromCluster, play: Callable[[], Awaitable[None]]) -> None:
    """Runs `play` against the cluster, started before and stopped after it."""

    async def main() -> None:
        await cluster.start()
        try:
            async with asyncio.timeout(3 * LIMIT_S):
                await play()
        finally:
            await cluster.stop()

    asyncio.run(main())


async def ask(address: Address, kind: str, limit_s: float = LIMIT_S, **body: Any) -> dict[str, Any]:
    """The answer to one request, on a connection of its own. Raises OSError."""
    deadline = asyncio.get_running_loop().time() + limit_s
    connection: Connection = await connect(address, deadline)
    try:
        return await connection.ask({"type": kind, **body}, deadline)
    finally:
        connection.close()


async def echoes(address: Address, limit_s: float = 0.4) -> bool:
    try:
        return (await ask(address, "echo", limit_s, echo=1))["echo"] == 1
    except (OSError, NoAnswer):
        return False


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await condition():  # noqa: ASYNC110 - what is awaited is another process's
            await asyncio.sleep(POLL_S)
