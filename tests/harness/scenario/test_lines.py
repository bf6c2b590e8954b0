"""What nodes write is seen from a mark on, and only once it is a whole line."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.clusters.ssh.connection import Ended
from harness.clusters.ssh.lines import RemoteLines
from harness.contracts import EnvironmentTrouble
from harness.scenario.lines import FileLines, TraceLines


def test_lines_of_files_are_seen_from_the_mark_on(tmp_path: Path) -> None:
    """Of the log and of the trace, of one node; a line without its end is not there yet."""
    home = tmp_path / "n1"
    home.mkdir()
    (tmp_path / "n2").mkdir()
    log, trace = home / "log", home / "trace.jsonl"
    log.write_bytes(b"before\n")
    lines = FileLines(tmp_path)
    mark = asyncio.run(lines.mark())

    log.write_bytes(b"before\nafter \xff\nhal")
    trace.write_bytes(b"{}\n")

    assert ["after \ufffd", "{}"] == asyncio.run(lines.since(mark, "n1"))
    assert [] == asyncio.run(lines.since(mark, "n2"))


def test_lines_of_a_simulated_node_are_its_trace() -> None:
    """In the order of the world, without those of others."""
    written = [b'{"node":"n1","event":"a"}']
    lines = TraceLines(lambda: written)
    mark = asyncio.run(lines.mark())

    written += [b'{"node":"n2","event":"b"}', b'{"node":"n1","event":"c"}']

    assert ['{"node":"n1","event":"c"}'] == asyncio.run(lines.since(mark, "n1"))


class Host:
    """Runs what it is given here, unless it is `gone`."""

    def __init__(self, home: Path) -> None:
        self.node_home, self.gone = str(home), False

    async def run(self, argv: list[str]) -> Ended:
        if self.gone:
            raise EnvironmentTrouble("it does not answer")
        done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, check=False)
        return Ended(done.returncode, done.stdout, done.stderr)


def remote(home: Path) -> Any:
    return SimpleNamespace(host=Host(home), plan=SimpleNamespace(trace=home / "trace.jsonl"))


def test_lines_on_remote_hosts_are_fetched_from_the_mark_on(tmp_path: Path) -> None:
    """By what every host has; a file that is not there yet is empty, a host that is gone silent."""
    nodes = {"n1": remote(tmp_path / "a home"), "n2": remote(tmp_path / "gone")}
    nodes["n2"].host.gone = True
    home = tmp_path / "a home"
    home.mkdir()
    (home / "log").write_bytes(b"before\n")
    lines = RemoteLines(nodes)
    mark = asyncio.run(lines.mark())

    (home / "log").write_bytes(b"before\nafter\nhal")
    (home / "trace.jsonl").write_bytes(b"{}\n")

    assert ["after", "{}"] == asyncio.run(lines.since(mark, "n1"))
    assert [] == asyncio.run(lines.since(mark, "n2"))
