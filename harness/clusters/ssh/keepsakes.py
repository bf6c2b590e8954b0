"""What a run keeps of each host when its node has ended: logs, and the trace in our time.

Rules
1. Nothing here fails a run: what cannot be fetched is told in a sentence.
2. A file lies in the run folder under the name that it has in every cluster: `nodes/<name>/log` and
   `nodes/<name>/trace.jsonl`; files that the system names besides go to `nodes/<name>/logs/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.clusters.ssh import clockwork
from harness.clusters.ssh.clockwork import Offset
from harness.clusters.ssh.daemons import Node
from harness.contracts import EnvironmentTrouble

TELLING_MS = 1.0  # an error below this is not worth a sentence


async def keep(
    node: Node, logs: Sequence[Path], first: Offset | None, last: Offset | None
) -> list[str]:
    """Fetch what the node left. Sentences about what is missing, and about the trace's clock."""
    home = node.log.parent
    told = []
    try:
        await node.host.download(f"{node.host.node_home}/log", node.log)
        for path in logs:
            (home / "logs").mkdir(exist_ok=True)
            await node.host.download(str(path), home / "logs" / path.name)
        traced = await node.host.download(str(node.plan.trace), home / "trace.jsonl")
    except (EnvironmentTrouble, OSError) as wrong:
        return [f"Not all that node {node.name} wrote could be fetched: {wrong}"]
    if traced:
        told += _in_our_time(node, home / "trace.jsonl", first, last)
    return told


def _in_our_time(node: Node, trace: Path, first: Offset | None, last: Offset | None) -> list[str]:
    if first is None or last is None:
        trace.rename(trace.with_suffix(".jsonl.unmerged"))
        return [
            f"The trace of node {node.name} was left out: its host has no python3 and no perl to "
            "tell its clock by, or did not answer. Install one, or set the cluster option python."
        ]
    offset = clockwork.over(first, last)
    clockwork.rewrite(trace, offset)
    error_ms = offset.error_ns / 1e6
    if error_ms < TELLING_MS:
        return []
    return [
        f"The trace of node {node.name} is told in our time to {error_ms:.1f} ms: events of "
        "different nodes closer than that may be out of order."
    ]
