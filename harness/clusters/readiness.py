"""Waiting until a node that was started serves clients, or saying why it does not.

Rule: a node that has ended is not waited for, and whatever goes wrong is told with the node's last
log lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from harness.clusters.processes import Node
from harness.contracts import EnvironmentTrouble, System

CLIENT_PORT = "client"
# A node that starts a virtual machine or recovers a log takes its time; one that ends is not waited
# for.
READY_LIMIT_S = 30.0
READY_POLL_S = 0.02
CONNECT_LIMIT_S = 0.5


async def until_ready(
    system: System,
    node: Node,
    limit_s: float,
    reachable: Callable[[], Awaitable[None]],
) -> None:
    """Returns once the node, which was started, serves; `reachable` is awaited at the very end.

    Raises EnvironmentTrouble if it ends, or does not serve within `limit_s`.
    """
    address = node.plan.listen[CLIENT_PORT]
    try:
        async with asyncio.timeout(limit_s):
            while node.alive:
                if await system.ready(node.name, address):
                    await reachable()
                    return
                await asyncio.sleep(READY_POLL_S)
    except TimeoutError:
        raise EnvironmentTrouble(
            f"node {node.name} runs but is not ready after {limit_s:g} s: {await _lack(node)}. "
            f"{node.last_lines()}"
        ) from None
    except EnvironmentTrouble as wrong:
        raise EnvironmentTrouble(f"{wrong} {node.last_lines()}") from wrong
    assert node.life is not None, "it was started"
    raise EnvironmentTrouble(
        f"node {node.name} ended at start ({node.life.ending}). {node.last_lines()}"
    )


async def _lack(node: Node) -> str:
    """What a node that is not ready does not do."""
    shut = [
        f"{port} ({ip}:{number})"
        for port, (ip, number) in node.plan.listen.items()
        if not await _accepts(ip, number)
    ]
    if shut:
        return f"it does not listen on its port {' and '.join(shut)}"
    return "it listens on all its ports, but does not say that it serves clients"


async def _accepts(ip: str, number: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_LIMIT_S):
            _, writer = await asyncio.open_connection(ip, number)
    except OSError:  # refused, unreachable, or timed out
        return False
    writer.transport.abort()
    return True


async def all_or_none(jobs: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Runs all at once. The first that raises ends the others, and its exception is raised."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
