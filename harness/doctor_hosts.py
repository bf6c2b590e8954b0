"""The doctor's look at what hosts, links, disks and clocks can be broken here, and what can run.

Rule: as for the doctor, every finding is tried. What is missing costs the faults or systems that
are named with it, and nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import msgspec

from harness.clusters.hardware import faketime, uptime
from harness.clusters.hardware.disks import fuse_obstacle
from harness.clusters.namespaces import netem, world
from harness.contracts import EnvironmentTrouble, NodePlan, System
from harness.systems import system
from harness.trial import TrialError

TUN = "/dev/net/tun"
LIMIT_S = 10.0
INSTALL_AGAIN = "Install antipaxos with pip so that its entry points exist."


class Finding(msgspec.Struct, frozen=True):
    """`needed`: nothing runs without it. `remedy`: what to do where it is missing."""

    subject: str
    found: bool
    needed: bool
    says: str
    remedy: str = ""


def examine() -> list[Finding]:
    looks = _LOOKS if sys.platform == "linux" else ()
    return [*(look() for look in looks), *_systems()]


def _tried(subject: str, obstacle: str | None, enables: str, otherwise: str) -> Finding:
    """`enables`: what it is good for; `otherwise`: what happens without it."""
    if obstacle is None:
        return Finding(subject, True, False, enables)
    return Finding(subject, False, False, otherwise, obstacle)


def _hosts() -> Finding:
    return _tried(
        "hosts",
        world.obstacle(),
        "--cluster namespaces: every node a host of its own, "
        + ("as root" if os.geteuid() == 0 else "without root"),
        "no --cluster namespaces: real systems run with --cluster ssh alone",
    )


def _netem() -> Finding:
    return _tried(
        "netem",
        netem.obstacle(),
        "slow, lossy and throttled links of hosts are the kernel's",
        "slow, lossy and throttled links of hosts are done by the switch of ours, a little slower",
    )


def _tun() -> Finding:
    try:
        os.close(os.open(TUN, os.O_RDWR))
        obstacle = None
    except OSError as wrong:
        obstacle = f"{TUN}: {wrong.strerror}. Allow it (chmod 666 {TUN}), or be root."
    return _tried(
        "switch",
        obstacle,
        "takes TUN devices: about 12 us a round trip",
        "takes packet sockets, which need more time for each packet",
    )


def _fuse() -> Finding:
    return _tried(
        "disks",
        fuse_obstacle(),
        "can lose what was not synced, be slow, fail and fill up",
        "can only fill up and be damaged: no lose-unsynced, slow-disk, fail-disk on hosts",
    )


def _faketime() -> Finding:
    found = faketime.installed()
    return _tried(
        "wall clocks",
        None if found else "libfaketime is not installed. Install it (apt-get install faketime).",
        f"can be skewed per process, by {found}; not of programs that read the clock past libc",
        "cannot be skewed on hosts",
    )


def _monotonic() -> Finding:
    program = [sys.executable, "-IS", uptime.__file__, "1000000000", sys.executable, "-ISc", ""]
    rights = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
    obstacle = None
    try:
        tried = subprocess.run(
            [*rights, *program], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        if tried.returncode:
            said = (tried.stderr.strip().splitlines() or ["it ended without a word"])[-1]
            obstacle = f"{said.rstrip('.')}. Linux has time namespaces from 5.6 on."
    except (FileNotFoundError, subprocess.TimeoutExpired) as wrong:
        obstacle = f"{wrong}. Install util-linux."
    return _tried(
        "monotonic clocks",
        obstacle,
        "can be moved by time namespaces",
        "cannot be moved on hosts",
    )


def _systems() -> list[Finding]:
    names = sorted(entry_points(group="antipaxos.systems").names)
    if not names:
        return [Finding("systems", False, False, "none is plugged in", INSTALL_AGAIN)]
    return [_system(name) for name in names]


def _system(name: str) -> Finding:
    """Does it know how to start a node here?"""
    try:
        found = system(name)
        found.command(_plan(found))
    except (TrialError, EnvironmentTrouble) as wrong:
        return Finding(f"system {name}", False, False, "cannot be started here", str(wrong))
    says = f"on {', '.join(found.clusters)}; workloads: {', '.join(found.workloads)}"
    return Finding(f"system {name}", True, False, says)


def _plan(of: System) -> NodePlan:
    """Of a node that nobody will start."""
    return NodePlan(
        name="n1",
        data=Path("/nowhere"),
        listen=dict.fromkeys(of.framings, ("127.0.0.1", 1)),
        peers={},
        trace=Path("/nowhere"),
        seed=0,
        workload=of.workloads[0],
        options={},
        hosts={"n1": "127.0.0.1"},
    )


_LOOKS: tuple[Callable[[], Finding], ...] = (_hosts, _netem, _tun, _fuse, _faketime, _monotonic)
