"""A cluster that was stopped at a violation, with every node paused, until somebody has looked.

Rules
1. Only where somebody can: without a terminal, nothing is waited for.
2. The wait ends with Enter, with Ctrl-C, or by itself after LIMIT_S: nodes are never left paused.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.clock import Clock, sleep
from nemesis.ledger import ProcessEntry, open_entries

LIMIT_S = 1800.0


def how_to_look(ledger: Path, nodes: Sequence[str], folder: Path) -> list[str]:
    """Sentences for the terminal: which processes are paused, and where their files are."""
    pids = {
        entry.name: entry.pid
        for entry in reversed(open_entries(ledger))  # the latest life of a node wins
        if isinstance(entry, ProcessEntry) and entry.name in nodes
    }
    listed = ", ".join(f"{name} is process {pids[name]}" for name in nodes if name in pids)
    # Of nodes in a world of their own the ledger knows nothing: their pids are others outside.
    where = listed or "'ps' shows them, 'sudo nsenter --target PID --all' enters their hosts"
    return [
        f"The cluster is frozen, every node paused (SIGSTOP): {where}.",
        f"Look with a debugger, in /proc, and at logs and data in {folder / 'nodes'}.",
    ]


def somebody_looks() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


async def looked(clock: Clock) -> None:
    """Until Enter is pressed, or LIMIT_S passed."""
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        sys.stdin.readline()
        pressed.set()

    loop.add_reader(sys.stdin.fileno(), read)
    limit = asyncio.create_task(sleep(clock, LIMIT_S))
    waiting = asyncio.create_task(pressed.wait())
    try:
        await asyncio.wait([limit, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(sys.stdin.fileno())
        for task in (limit, waiting):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
