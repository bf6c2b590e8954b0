"""The node processes of a local cluster: started, killed, paused, and seen as the system sees them.

Rules
1. Every order waits for its effect as the operating system reports it: killed is reaped, paused is
   stopped, every process of the node. Each wait has a limit, after which EnvironmentTrouble says
   what did not happen.
2. Orders are idempotent: to kill the dead, pause the paused or restart the living changes nothing.
3. While a node is down its ports are held for it, and links refuse connections to it.
4. A node that ended though nobody ended it has crashed; that is reported, never repaired.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import psutil

from harness.clusters.ports import Port
from harness.clusters.supervisor import Life, Supervisor
from harness.contracts import Address, Command, EnvironmentTrouble, NodePlan
from nemesis.capabilities import ProcessState

EFFECT_LIMIT_S = 5.0
EFFECT_POLL_S = 0.002
LOG_LINES_MAX = 12
LOG_LINE_CHARS_MAX = 300
LOG_TAIL_BYTES = 16 * 1024


class Node:
    """One node: its plan, which stays the same over its lives, and its ports."""

    def __init__(self, plan: NodePlan, ports: Mapping[str, Port], log: Path) -> None:
        self.plan = plan
        self.ports = ports
        self.log = log
        self.life: Life | None = None  # None before the first
        self.to_end = False  # somebody ordered the end of this life
        self.turn = asyncio.Lock()  # one order at a time

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def alive(self) -> bool:
        return self.life is not None and not self.life.gone.is_set()

    def hold_ports(self) -> None:
        for port in self.ports.values():
            port.hold()

    def release_ports(self) -> None:
        for port in self.ports.values():
            port.release()

    def last_lines(self) -> str:
        """The end of the node's log, indented; a sentence if there is none."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
                lines = log.read().decode(errors="replace").splitlines()[-LOG_LINES_MAX:]
        except FileNotFoundError:
            lines = []
        if not lines:
            return f"Its log is empty ({self.log})"
        shown = (f"  {line[:LOG_LINE_CHARS_MAX]}" for line in lines)
        return f"The last lines of its log ({self.log}):\n" + "\n".join(shown)


class Doorkeeper(Protocol):
    """Who must know whether a node lives: whatever lets others in to it."""

    def expect(self, node: str, addresses: Mapping[str, Address]) -> None: ...

    def down(self, node: str) -> None: ...


class NodeProcesses:
    """Implements nemesis.capabilities.Processes. `supervisor`: of the keeper of a node, by name."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        supervisor: Callable[[str], Supervisor],
        doorkeeper: Doorkeeper,
        command: Callable[[NodePlan], Command],
    ) -> None:
        self._nodes = nodes
        self._supervisor = supervisor
        self._doorkeeper = doorkeeper
        self._command = command
        self._crashes: list[tuple[str, str]] = []

    async def kill(self, nodes: Sequence[str]) -> None:
        await self.end(nodes, signal.SIGKILL, EFFECT_LIMIT_S)

    async def end(self, nodes: Sequence[str], number: signal.Signals, limit_s: float) -> None:
        """Signal those that live, and wait until they are gone."""
        await _each(self._end, nodes, number, limit_s)

    async def restart(self, nodes: Sequence[str]) -> None:
        await _each(self._start, nodes)

    async def pause(self, nodes: Sequence[str]) -> None:
        await _each(self._move, nodes, signal.SIGSTOP, "paused")

    async def resume(self, nodes: Sequence[str]) -> None:
        await _each(self._move, nodes, signal.SIGCONT, "running")

    async def states(self) -> dict[str, ProcessState]:
        for node in self._nodes.values():
            if node.life is not None and _state(node.life) == "dead":
                # Ended, and about to be reported: who sees it dead must see its crash as well. Or
                # it goes into the background just now, and is about to have another pid.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EFFECT_LIMIT_S):
                        await _reported(node.life)
        return {name: _state(node.life) for name, node in self._nodes.items()}

    def crashes(self) -> list[str]:
        return [sentence for _, sentence in self._crashes]

    def forget_crashes(self, name: str) -> None:
        """They were not the node's fault."""
        self._crashes = [crash for crash in self._crashes if crash[0] != name]

    def gone(self, name: str, life: Life) -> None:
        """The supervisor's word that a node was reaped."""
        node = self._nodes[name]
        self._doorkeeper.down(name)
        node.hold_ports()
        if not node.to_end and not self._supervisor(name).lost:
            sentence = f"node {name} ended by itself ({life.ending}). {node.last_lines()}"
            self._crashes.append((name, sentence))

    def _node(self, name: str) -> Node:
        if name not in self._nodes:
            known = ", ".join(self._nodes) or "none before the start"
            raise ValueError(f"no node {name!r} in this cluster; its nodes: {known}")
        return self._nodes[name]

    async def _start(self, name: str) -> None:
        node = self._node(name)
        async with node.turn:
            if node.alive:
                return
            command = self._command(node.plan)
            node.to_end = False
            node.release_ports()
            node.life = await self._supervisor(name).start(
                name, command.argv, command.cwd or node.plan.data, command.env, node.log
            )
            if node.alive:
                self._doorkeeper.expect(name, node.plan.listen)

    async def _end(self, name: str, number: signal.Signals, limit_s: float) -> None:
        node = self._node(name)
        async with node.turn:
            if node.life is None or not node.alive:
                return
            node.to_end = True
            self._supervisor(name).signal(name, number)
            try:
                async with asyncio.timeout(limit_s):
                    await node.life.gone.wait()
            except TimeoutError:
                raise EnvironmentTrouble(
                    f"node {name} (pid {node.life.pid}) did not end within {limit_s} s of "
                    f"{number.name}: it may hang in the kernel on a disk"
                ) from None

    async def _move(self, name: str, number: signal.Signals, wanted: ProcessState) -> None:
        node = self._node(name)
        async with node.turn:
            if not node.alive:
                return
            try:
                async with asyncio.timeout(EFFECT_LIMIT_S):
                    await self._supervisor(name).move(name, number)
                    while _state(node.life) not in (wanted, "dead"):  # noqa: ASYNC110 - no event
                        await asyncio.sleep(EFFECT_POLL_S)
            except TimeoutError:
                raise EnvironmentTrouble(
                    f"node {name} is not {wanted} {EFFECT_LIMIT_S} s after {number.name}"
                ) from None


async def _each(
    order: Callable[..., Coroutine[Any, Any, None]], nodes: Sequence[str], *args: Any
) -> None:
    """The order for all nodes at once. All are carried out, then the first trouble is raised."""
    results = await asyncio.gather(
        *(order(name, *args) for name in dict.fromkeys(nodes)),
        return_exceptions=True,
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _reported(life: Life) -> None:
    while not life.gone.is_set() and _state(life) == "dead":  # noqa: ASYNC110 - no event
        await asyncio.sleep(EFFECT_POLL_S)


def _state(life: Life | None) -> ProcessState:
    """As the operating system sees it; a zombie is dead."""
    if life is None or life.gone.is_set():
        return "dead"
    try:
        status = psutil.Process(life.pid).status()
    except psutil.NoSuchProcess:
        return "dead"
    if status == psutil.STATUS_ZOMBIE:
        return "dead"
    return "paused" if status == psutil.STATUS_STOPPED else "running"
