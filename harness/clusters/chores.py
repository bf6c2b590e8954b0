"""What a system wants done around the life of a node, besides starting it.

Rules
1. Each command runs to its end on the node's host, kept like a node is, and what it prints goes to
   the node's log. One that takes too long is killed.
2. Before a start: what an earlier life left outside of the data directory is wiped, then the node
   is installed. Either that succeeds, or nothing starts.
3. At the end nothing raises: a node that its own command did not end is ended by signals, and that
   it failed is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from harness.clusters.processes import Node
from harness.clusters.supervisor import Life, Supervisor
from harness.contracts import Chore, Command, EnvironmentTrouble, Housekeeping, System

LIMITS_S: Mapping[Chore, float] = {"install": 120.0, "wipe": 30.0, "stop": 10.0}  # of one command
ENDING_LIMIT_S = 5.0  # from the end of the stop commands to that of the node
KILLING_LIMIT_S = 2.0


def errand(node: str, chore: Chore, number: int) -> str:
    """The name under which the command runs; no node is called so."""
    return f"{node}:{chore}-{number}"


async def prepare(system: System, node: Node, supervisor: Supervisor) -> None:
    """Before the first start. Raises EnvironmentTrouble."""
    await keep_house(system, "wipe", node, supervisor)
    await keep_house(system, "install", node, supervisor)


async def keep_house(system: System, chore: Chore, node: Node, supervisor: Supervisor) -> None:
    """Raises EnvironmentTrouble if a command fails, cannot start, or takes too long."""
    if not isinstance(system, Housekeeping):
        return
    for number, command in enumerate(system.commands(chore, node.plan)):
        try:
            ending = await _run(command, errand(node.name, chore, number), chore, node, supervisor)
        except EnvironmentTrouble as wrong:
            raise EnvironmentTrouble(
                f"node {node.name}: the command to {chore} it, {_shown(command)}, did not run: "
                f"{wrong}"
            ) from wrong
        if ending != "exit status 0":
            raise EnvironmentTrouble(
                f"node {node.name}: the command to {chore} it, {_shown(command)}, ended with "
                f"{ending}. Correct it in the system's file. {node.last_lines()}"
            )


async def _run(
    command: Command, name: str, chore: Chore, node: Node, supervisor: Supervisor
) -> str:
    """How it ended, in words."""
    folder = command.cwd or node.plan.data
    life = await supervisor.start(name, command.argv, folder, command.env, node.log)
    if await _gone(life, LIMITS_S[chore]):
        return life.ending
    supervisor.signal(name, signal.SIGKILL)
    await _gone(life, KILLING_LIMIT_S)
    return f"no end within {LIMITS_S[chore]:g} s"


async def stop_by_command(system: System, node: Node, supervisor: Supervisor) -> str | None:
    """By the system's own commands, if it has any; a sentence about why that failed."""
    if not isinstance(system, Housekeeping) or not system.commands("stop", node.plan):
        return None
    node.to_end = True
    try:
        await keep_house(system, "stop", node, supervisor)
    except EnvironmentTrouble as wrong:
        return str(wrong)
    if node.life is not None and not await _gone(node.life, ENDING_LIMIT_S):
        return (
            f"node {node.name} ran on {ENDING_LIMIT_S:g} s after the command to stop it had ended: "
            "it was ended by signals."
        )
    return None


def keep_logs(system: System, node: Node, temporary: Path | None = None) -> list[str]:
    """Copies what the system names as logs to `logs/` beside the node's log. `temporary`: the
    node's own /tmp as we see it. Sentences about what is missing."""
    if not isinstance(system, Housekeeping):
        return []
    told = []
    for path in system.logs(node.plan):
        source = node.plan.data / path  # where it is relative
        if temporary is not None and path.is_relative_to("/tmp"):
            own = temporary / path.relative_to("/tmp")
            source = own if own.exists() else source
        try:
            (node.log.parent / "logs").mkdir(exist_ok=True)
            shutil.copyfile(source, node.log.parent / "logs" / path.name)
        except OSError as wrong:
            told.append(f"The log {path} of node {node.name} was not kept: {wrong.strerror}.")
    return told


async def _gone(life: Life, limit_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await life.gone.wait()
    return life.gone.is_set()


def _shown(command: Command) -> str:
    return repr(" ".join(command.argv))
