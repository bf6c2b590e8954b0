"""The nodes of examples/maelstrom, and the reference behind Maelstrom's protocol, under faults.

A register is written and read by the test itself, one operation after another, so that the schedule
is the one that breaks the bug, whoever leads and however fast the machine is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from checkers.history import History, Operation
from checkers.linearizability import Linearizable
from checkers.models import model
from checkers.verdict import Kind, Recording
from harness.clusters.maelstrom.cluster import MaelstromCluster
from harness.contracts import Completion
from harness.systems import system
from nemesis.faults import Partition
from tests.harness.maelstrom.stage import LIMIT_S, NAMES, until

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples/maelstrom"
TIMEOUT_S = 0.4


class Register:
    """One register of a cluster, and the history of what was asked of it."""

    def __init__(self, cluster: MaelstromCluster, workload: str = "register") -> None:
        self.cluster, self._workload = cluster, workload
        self.operations: list[Operation] = []
        self._process = 0

    async def ask(self, node: str, f: str, value: Any = None) -> Completion:
        """Each by a client of its own, which is what an `info` takes."""
        self._process += 1
        self._note("invoke", f, value)
        address = self.cluster.address(node)
        client = self.cluster.system.client(node, address, self._workload, TIMEOUT_S)
        try:
            await client.open()
            asked = Operation(0, 0, self._process, "invoke", f, value, "r1")
            done = await client.invoke(asked)
        except OSError:
            done = Completion("fail")
        finally:
            await client.close()
        self._note(done.type, f, done.value if f == "read" else value)
        return done

    async def write(self, node: str, value: int) -> None:
        """Until it is acknowledged."""

        async def written() -> bool:
            return (await self.ask(node, "write", value)).type == "ok"

        await until(written)

    def _note(self, kind: Any, f: str, value: Any) -> None:
        at = len(self.operations)
        self.operations.append(Operation(at, at, self._process, kind, f, value))

    def verdict(self) -> Kind:
        recording = Recording(history=History(self.operations))
        return Linearizable(model("cas-register")).check(recording).kind


def run(
    file: Path, folder: Path, play: Callable[[Register], Awaitable[None]], **options: str
) -> Register:
    cluster = MaelstromCluster(
        system(file), NAMES, folder, workload="register", options=options, seed=3
    )
    register = Register(cluster)

    async def main() -> None:
        await cluster.start()
        try:
            async with asyncio.timeout(3 * LIMIT_S):
                await play(register)
        finally:
            await cluster.stop()

    asyncio.run(main())
    return register


async def cut_each_off_in_turn(register: Register) -> None:
    """Whoever leads is among them: the others elect another, who writes; then the one that was cut
    off is read."""
    await register.write("n1", 1)
    network = register.cluster.network
    for number, node in enumerate(NAMES, 2):
        others = [name for name in NAMES if name != node]
        cut = tuple(link for other in others for link in ((node, other), (other, node)))
        await network.apply(number, Partition(links=cut))
        await register.write(others[0], number)
        await register.ask(node, "read")
        await network.undo(number)
        await register.write(node, 10 * number)


@pytest.mark.parametrize(("bug", "verdict"), [("none", Kind.VALID), ("stale-reads", Kind.INVALID)])
def test_a_leader_that_was_replaced_must_not_read(tmp_path: Path, bug: str, verdict: Kind) -> None:
    """The Raft with the bug is found out by the register's model, the one without is not blamed."""
    register = run(EXAMPLES / "raft.yaml", tmp_path, cut_each_off_in_turn, bug=bug)
    assert verdict is register.verdict()
    assert [] == list(register.cluster.notices)


async def kill_all(register: Register) -> None:
    """An acknowledged write outlives every node."""
    await register.write("n2", 7)
    await register.cluster.processes.kill(NAMES)
    await register.cluster.processes.restart(NAMES)

    async def reads() -> bool:
        return (await register.ask("n3", "read")).type == "ok"

    await until(reads)
    assert 7 == register.operations[-1].value


@pytest.mark.parametrize("file", [EXAMPLES / "raft.yaml", ROOT / "reference_impl/maelstrom.yaml"])
@pytest.mark.parametrize("play", [kill_all, cut_each_off_in_turn])
def test_correct_nodes_are_valid(
    file: Path, play: Callable[[Register], Awaitable[None]], tmp_path: Path
) -> None:
    """The Raft and the reference Paxos, killed and cut off."""
    register = run(file, tmp_path, play)
    assert Kind.VALID is register.verdict()
    assert [] == list(register.cluster.notices)
    assert [] == list(register.cluster.crashes())


def test_the_reference_keeps_a_trace(tmp_path: Path) -> None:
    """Its protocol events are there for the laws of Paxos, over both lives."""
    run(ROOT / "reference_impl/maelstrom.yaml", tmp_path, kill_all)
    trace = (tmp_path / "nodes/n1/trace.jsonl").read_text()
    assert 2 == trace.count('"restart"')
    assert '"accepted"' in trace


def test_a_compare_and_set_says_what_it_found(tmp_path: Path) -> None:
    """Of the reference: 22 where another value is there."""

    async def play(register: Register) -> None:
        await register.write("n1", 1)
        done = await register.ask("n2", "cas", [5, 6])
        assert ("fail", "compare-failed") == (done.type, done.error and done.error.code)
        assert "ok" == (await register.ask("n3", "cas", [1, 6])).type
        assert 6 == (await register.ask("n1", "read")).value

    register = run(ROOT / "reference_impl/maelstrom.yaml", tmp_path, play)
    assert Kind.VALID is register.verdict()


def test_a_node_that_crashes_is_told_with_its_last_words(tmp_path: Path) -> None:
    """The proxy dies of one value; the store behind it keeps the rest, for the other nodes."""

    async def play(register: Register) -> None:
        await register.write("n1", 1)
        assert "info" == (await register.ask("n1", "write", 20)).type
        assert "fail" == (await register.ask("n1", "read")).type
        assert 1 == (await register.ask("n2", "read")).value

    register = run(EXAMPLES / "proxy.yaml", tmp_path, play)
    (crash,) = register.cluster.crashes()
    assert "who would write 20?" in crash
    assert Kind.VALID is register.verdict()
