"""What nodes on remote hosts write, as it grows there: for scenarios that wait for a line.

Implements harness.scenario.lines.Lines. A host that does not answer has written nothing, as far as
we know: whoever waits waits on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from harness.clusters.ssh.daemons import Node
from harness.contracts import EnvironmentTrouble

READ_MAX = 1_000_000  # bytes of one file that are fetched at once

_SIZES = 'for file; do wc -c < "$file" 2>/dev/null || echo 0; done'
_REST = 'tail -c "+$2" "$1" 2>/dev/null | head -c "$3"'


class RemoteLines:
    """`nodes`: by name, each on its host."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes

    async def mark(self) -> Mapping[str, int]:
        sizes = await asyncio.gather(*map(self._sizes, self._nodes))
        return {name: size for found in sizes for name, size in found.items()}

    async def since(self, mark: Mapping[str, int], node: str) -> Sequence[str]:
        found: list[str] = []
        for file in self._files(node):
            words = (file, str(mark.get(f"{node}:{file}", 0) + 1), str(READ_MAX))
            whole, end, _ = (await self._said(node, _REST, *words)).rpartition("\n")
            found += (whole + end).splitlines()
        return found

    async def _sizes(self, node: str) -> dict[str, int]:
        files = self._files(node)
        said = (await self._said(node, _SIZES, *files)).split()
        return {f"{node}:{file}": int(size) for file, size in zip(files, said, strict=False)}

    def _files(self, node: str) -> tuple[str, str]:
        of = self._nodes[node]
        return f"{of.host.node_home}/log", str(of.plan.trace)

    async def _said(self, node: str, script: str, *words: str) -> str:
        try:
            ended = await self._nodes[node].host.run(["sh", "-c", script, "lines", *words])
        except (EnvironmentTrouble, OSError):
            return ""
        return ended.text
