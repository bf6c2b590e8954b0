"""Damage to what a stopped node has on its host's disk.

Rules
1. The node is dead before its files are touched.
2. What damage is, harness.clusters.hardware.damage says: its very text runs on the host, by the
   host's Python, with a seed from here.
3. File systems and devices of a host are not ours to slow, fill or fail.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from harness.clusters.hardware import damage
from harness.clusters.ssh.daemons import Node, SshProcesses, each
from harness.clusters.ssh.together import together
from harness.contracts import EnvironmentTrouble
from nemesis.capabilities import DiskReading
from nemesis.faults import CorruptDisk, DiskFault, TruncateDisk, tag

DAMAGE_LIMIT_S = 9.0

# Behind the text of damage.py. Prints how much was done.
CALL = """
import sys
what, folder, amount, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
print(cut(folder, amount) if what == "truncate-disk" else flip(folder, amount, Random(seed)))
"""

# Prints how many nanoseconds a small write and its sync took; a status other than 0 if it failed.
PROBE = r"""
began=$(date +%s%N)
dd if=/dev/zero of="$1/probe" bs=4096 count=1 conv=fsync 2> /dev/null || exit 1
echo $(($(date +%s%N) - began))
rm -f "$1/probe"
"""


class SshDisks:
    """Implements nemesis.capabilities.Disks and Judging."""

    def __init__(
        self, nodes: Mapping[str, Node], processes: SshProcesses, python: str, seed: int
    ) -> None:
        self._nodes = nodes
        self._processes = processes
        self._python = python
        self._seed = seed
        self._done: dict[tuple[int, str, str], int] = {}  # by fault, node and what it was

    def refusal(self, fault: DiskFault) -> str | None:
        if isinstance(fault, CorruptDisk | TruncateDisk):
            return None
        return (
            f"hosts over ssh do not {tag(fault)}: their file systems are not ours to slow, fill or "
            "fail. Use --cluster namespaces, or corrupt-disk and truncate-disk"
        )

    async def apply(self, id: int, fault: DiskFault) -> None:  # noqa: A002
        reason = self.refusal(fault)
        if reason is not None:
            raise ValueError(reason)
        assert isinstance(fault, CorruptDisk | TruncateDisk), "others are refused"
        await self._processes.kill(fault.nodes)
        await each(self._damage, fault.nodes, id, fault)

    async def undo(self, id: int) -> None:  # noqa: A002
        """What is damaged stays so."""

    async def measure(self) -> dict[str, DiskReading]:
        readings = await together(self._read(node) for node in self._nodes.values())
        return dict(zip(self._nodes, readings, strict=True))

    def forget(self) -> None:
        """The nodes start on empty disks."""
        self._done.clear()

    async def _damage(self, name: str, id_: int, fault: CorruptDisk | TruncateDisk) -> None:
        done = (id_, name, tag(fault))
        if done in self._done:
            return
        host = self._nodes[name].host
        amount = fault.records if isinstance(fault, CorruptDisk) else fault.bytes
        text = inspect.getsource(damage) + CALL
        words = (tag(fault), f"{host.node_home}/data", str(amount), f"{self._seed}-{id_}-{name}")
        ended = await host.run(
            [self._python, "-ISc", text, *words], limit_s=DAMAGE_LIMIT_S, idempotent=False
        )
        if ended.status != 0:
            raise EnvironmentTrouble(
                f"{host} could not {tag(fault)}: {ended.complaint}. The fault needs Python 3.8 "
                "there, or a later one (cluster option python)."
            )
        self._done[done] = int(ended.text)

    async def _read(self, node: Node) -> DiskReading:
        ended = await node.host.run(["sh", "-c", PROBE, "probe", node.host.node_home])
        full = ended.status != 0
        sync_ms = 0.0 if full else round(int(ended.text) / 1e6, 3)
        return DiskReading(
            full=full,
            sync_ms=sync_ms,
            lost=0,
            corrupted=self._sum(node.name, "corrupt-disk"),
            truncated=self._sum(node.name, "truncate-disk"),
        )

    def _sum(self, node: str, what: str) -> int:
        return sum(n for (_, name, done), n in self._done.items() if (name, done) == (node, what))
