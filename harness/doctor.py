"""The doctor: what this machine offers to the harness, and what each missing thing would enable.

Rule: every finding is tried, not guessed from a version or a name.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from checkers.linearizability import engine
from harness import doctor_hosts
from harness.clock import monotonic_ns
from harness.doctor_hosts import Finding


def examine() -> list[Finding]:
    return [*(look() for look in _LOOKS), *doctor_hosts.examine()]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        "Python", sys.version_info >= (3, 11), True, version, "Install Python 3.11 or newer."
    )


def _loopback() -> Finding:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            with socket.create_connection(address, timeout=2):
                pass
    except OSError as wrong:
        return Finding("loopback", False, True, str(wrong), "Allow TCP on 127.0.0.1.")
    return Finding("loopback", True, True, "TCP connects on 127.0.0.1")


def _store() -> Finding:
    try:
        with tempfile.NamedTemporaryFile(dir=Path.cwd()) as file:
            file.write(b"x" * 200)
            file.flush()
            began = monotonic_ns()
            for _ in range(20):
                file.write(b"x" * 200)
                file.flush()
                os.fsync(file.fileno())
            each_ms = (monotonic_ns() - began) / 20 / 1e6
    except OSError as wrong:
        return Finding(
            "store", False, True, str(wrong), "Work in a directory that you may write, or --store."
        )
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    return Finding(
        "store", True, True, f"{each_ms:.1f} ms an fsync, {free_gb:.0f} GB free in {Path.cwd()}"
    )


def _files() -> Finding:
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return Finding(
        "open files",
        limit >= 512,
        True,
        f"{limit} allowed; five nodes and their links take about 200",
        "Raise the limit: ulimit -n 4096.",
    )


def _engine() -> Finding:
    if engine.available():
        return Finding("engine", True, False, "histories are judged by the compiled search")
    return Finding(
        "engine",
        False,
        False,
        "histories are judged in plain Python: the same verdicts, with more time and memory",
        f"Why: {engine.why_not()}.",
    )


def _death_with_parent() -> Finding:
    here = sys.platform == "linux"
    return Finding(
        "parent-death signal",
        here,
        False,
        "nodes die even if their keeper is killed"
        if here
        else "not on this platform: the keeper alone ends the nodes",
        "If a keeper is killed by hand here, run 'antipaxos heal'.",
    )


_LOOKS: tuple[Callable[[], Finding], ...] = (
    _python,
    _loopback,
    _store,
    _files,
    _engine,
    _death_with_parent,
)


def as_text(findings: list[Finding]) -> str:
    lines = []
    for f in findings:
        mark = "ok     " if f.found else "MISSING" if f.needed else "without"
        lines.append(f"{mark}  {f.subject}: {f.says}")
        if not f.found:
            lines.append(f"         {f.remedy}")
    return "\n".join(lines)


def as_json(findings: list[Finding]) -> str:
    return msgspec.json.format(msgspec.json.encode(findings), indent=2).decode()
