"""The nodes as daemons on their hosts: started, killed, paused, and seen as their kernels see them.

Rules
1. Every order waits on the host for its effect: killed means that no process of the node's session
   is left, paused that it is stopped. Each wait has a limit.
2. Orders are idempotent: to kill the dead, pause the paused or restart the living changes nothing.
3. A node that ended though nobody ended it has crashed; that is reported, never repaired.
4. A word goes to every host each BEAT_S: it keeps the host's dead-man timer from healing it, and
   brings back the state of the node and what is new in its log, so that a host that is lost leaves
   its log behind, and so does a run that is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from harness.clusters.ssh.host import Host
from harness.clusters.ssh.together import together
from harness.contracts import Command, EnvironmentTrouble, NodePlan
from nemesis.capabilities import ProcessState

log = logging.getLogger("antipaxos")

BEAT_S = 1.0
TRIES = 200  # of 10 ms each, and what a look takes
EFFECT_LIMIT_S = 8.0
GRACE_TRIES = 100
NEWS_BYTES_MAX = 256 * 1024  # of each word; a log that grows faster is whole in the end
LOG_LINES_MAX = 12
LOG_LINE_CHARS_MAX = 300
NOT_THERE = ("126", "127")  # what a shell says of a program that it cannot start


class Node:
    """One node: its plan, which stays the same over its lives, its host, and what is here of its
    log."""

    def __init__(self, host: Host, plan: NodePlan, log: Path) -> None:
        self.host = host
        self.plan = plan
        self.log = log
        self.lives = 0
        self.guarded = False  # a dead-man timer runs on its host
        self.to_end = True  # somebody ordered the end of this life, or there is none
        self.turn = asyncio.Lock()  # one order at a time

    @property
    def name(self) -> str:
        return self.plan.name


class SshProcesses:
    """Implements nemesis.capabilities.Processes."""

    def __init__(
        self, nodes: Mapping[str, Node], command: Callable[[NodePlan], Command], owner: str
    ) -> None:
        """`owner`: a word that names this run to others."""
        self._nodes = nodes
        self._command = command
        self._owner = owner
        self._crashes: list[str] = []
        self._beats = 0
        self._beating: asyncio.Task[None] | None = None
        self._expired: set[str] = set()

    async def kill(self, nodes: Sequence[str]) -> None:
        await each(self._end, nodes, signal.SIGKILL, TRIES)

    async def end(self, nodes: Sequence[str]) -> None:
        """SIGTERM, and a grace; who is left then is the caller's to kill."""
        await each(self._end, nodes, signal.SIGTERM, GRACE_TRIES)

    async def restart(self, nodes: Sequence[str]) -> None:
        await each(self._start, nodes)

    async def pause(self, nodes: Sequence[str]) -> None:
        await each(self._move, nodes, signal.SIGSTOP, "paused")

    async def resume(self, nodes: Sequence[str]) -> None:
        await each(self._move, nodes, signal.SIGCONT, "running")

    async def states(self) -> dict[str, ProcessState]:
        states = await together(self._state(node) for node in self._nodes.values())
        return dict(zip(self._nodes, states, strict=True))

    async def state(self, name: str) -> ProcessState:
        return await self._state(self._node(name))

    def crashes(self) -> list[str]:
        return list(self._crashes)

    def forget(self) -> None:
        """The crashes of an earlier start."""
        self._crashes.clear()
        self._expired.clear()

    async def ending(self, name: str) -> str:
        """How the last life of a dead node ended, in words."""
        return _ending((await self._nodes[name].host.order("state", name)).decode().split()[1:])

    async def last_lines(self, name: str) -> str:
        """The end of the node's log, indented; a sentence if there is none."""
        host = self._nodes[name].host
        where = f"{host.target}:{host.node_home}/log"
        lines = (await host.tail(LOG_LINES_MAX)).splitlines()
        if not lines:
            return f"Its log is empty ({where})"
        shown = (f"  {line[:LOG_LINE_CHARS_MAX]}" for line in lines)
        return f"The last lines of its log ({where}):\n" + "\n".join(shown)

    # --- the word to the hosts

    def begin_beats(self) -> None:
        self._beating = asyncio.create_task(self._beat_on())

    async def end_beats(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
            bug = None if self._beating.cancelled() else self._beating.exception()
            if bug is not None:
                log.error("the words to the hosts had ended by a bug", exc_info=bug)
            self._beating = None

    async def guard(self, node: Node, lease_s: str) -> None:
        """Start the dead-man timer on the node's host, and send it words from now on."""
        await self._beat(node)
        await node.host.order("guard", lease_s, root=node.host.known.root)
        node.guarded = True

    async def _beat(self, node: Node) -> str:
        """One word to a host, and what it says of its node; what is new in its log is kept."""
        self._beats += 1
        count = f"{self._owner} {self._beats}"
        have = node.log.stat().st_size if node.log.exists() else 0
        said = await node.host.order("beat", node.name, count, str(have), str(NEWS_BYTES_MAX))
        state, _, news = said.partition(b"\n\n")
        if news:
            with contextlib.suppress(OSError), node.log.open("ab") as kept:  # a full disk is told
                kept.write(news)  # by those who cannot do without it
        return state.decode()

    async def _beat_on(self) -> None:
        while True:
            guarded = [node for node in self._nodes.values() if node.guarded]
            await asyncio.gather(*(self._beat_once(node) for node in guarded))
            await asyncio.sleep(BEAT_S)

    async def _beat_once(self, node: Node) -> None:
        lives = node.lives
        try:
            said = await self._beat(node)
        except EnvironmentTrouble:
            return  # cut off for now; an order that matters says so, and so does the timer below
        if "expired" in said.split("\n") and node.name not in self._expired:
            self._expired.add(node.name)
            self._crashes.append(
                f"{node.host} had no word from here for too long and healed itself: its node was "
                "ended, its faults undone. Mend the network to it, or allow it more silence with "
                "the cluster option lease_s."
            )
        if lives == node.lives:
            await self._noticed(node, said.split())

    async def _state(self, node: Node) -> ProcessState:
        lives = node.lives  # what is said of one life must not be taken for the next one's
        said = (await node.host.order("state", node.name)).decode().split()
        if lives == node.lives:
            await self._noticed(node, said)
        assert said, "the order prints a word"
        assert said[0] in get_args(ProcessState), f"a state, not {said[0]!r}"
        return cast(ProcessState, said[0])

    async def _noticed(self, node: Node, said: Sequence[str]) -> None:
        """A dead node that nobody ended is told once for each life."""
        if said[0] != "dead" or node.to_end:
            return
        node.to_end = True
        if node.name not in self._expired:
            ending = _ending([word for word in said[1:] if word.isdigit()])
            lines = await self.last_lines(node.name)
            self._crashes.append(f"node {node.name} ended by itself ({ending}). {lines}")

    # --- orders

    def _node(self, name: str) -> Node:
        if name not in self._nodes:
            known = ", ".join(self._nodes) or "none before the start"
            raise ValueError(f"no node {name!r} in this cluster; its nodes: {known}")
        return self._nodes[name]

    async def _start(self, name: str) -> None:
        node = self._node(name)
        async with node.turn:
            # Before the start: the end of the life before this one must not be taken for its own.
            if (await node.host.order("state", name)).split()[0] != b"dead":
                return
            node.to_end = True
            command = words(self._command(node.plan), node.plan, node.host)
            await node.host.order("start", name, *command)
            node.lives += 1
            node.to_end = False

    async def _end(self, name: str, number: signal.Signals, tries: int) -> None:
        node = self._node(name)
        async with node.turn:
            node.to_end = True
            said = await node.host.order(
                "finish", name, _short(number), str(tries), limit_s=EFFECT_LIMIT_S
            )
            if said.strip() != b"dead":
                raise EnvironmentTrouble(
                    f"node {name} on {node.host.target} did not end within {tries / 100:g} s of "
                    f"{number.name}: it may hang in the kernel on a disk"
                )

    async def _move(self, name: str, number: signal.Signals, wanted: ProcessState) -> None:
        node = self._node(name)
        async with node.turn:
            said = await node.host.order(
                "move", name, _short(number), wanted, str(TRIES), limit_s=EFFECT_LIMIT_S
            )
            if said.decode().split()[0] not in (wanted, "dead"):
                raise EnvironmentTrouble(
                    f"node {name} on {node.host.target} is not {wanted} {TRIES / 100:g} s after "
                    f"{number.name}"
                )


def words(command: Command, plan: NodePlan, host: Host) -> list[str]:
    """A command as `start` takes it: the folder, then env and all arguments."""
    folder = host.translated(str(command.cwd or plan.data))
    values = [f"{name}={host.translated(value)}" for name, value in command.env.items()]
    return [folder, "env", *values, *(host.translated(word) for word in command.argv)]


async def each(
    order: Callable[..., Coroutine[Any, Any, None]], nodes: Sequence[str], *args: Any
) -> None:
    """The order for all nodes at once; raises as `together` does."""
    await together(order(name, *args) for name in dict.fromkeys(nodes))


def _short(number: signal.Signals) -> str:
    return number.name.removeprefix("SIG")


def _ending(said: Sequence[str]) -> str:
    """What the shell at the head of the session kept, in words."""
    if not said:
        return "how is not known: the head of its session ended with it"
    status = int(said[0])
    if said[0] in NOT_THERE:
        return f"exit status {status}: its program is not there, or is none"
    if status > 128:
        number = status - 128
        return f"signal {number} ({signal.strsignal(number) or 'unknown'})"
    return f"exit status {status}"
