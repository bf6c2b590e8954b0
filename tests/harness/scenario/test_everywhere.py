"""One scenario, every kind of cluster: it hits where the system is broken, by the same steps."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from harness.scenario import Break, Do, Expect, Leader, Logged, Scenario, Wait
from harness.tries import play
from nemesis.faults import Partition
from tests.harness.namespaces.inside import run_inside
from tests.harness.ssh.hosts import SshHosts

TRIES = 3

# The new leader is found by a line that it writes, so that logs are read on every cluster, too.
STALE_READ = Scenario(
    name="stale-read",
    trial={"workload": "register", "nodes": 3, "options": {"mutant": "local-reads"}, "seed": 1},
    load=False,
    steps=(
        Wait(condition=Leader(into="old")),
        Do(f="write", at="old", key="x", value=1, expect=Expect(), again_s=5.0),
        Break(fault=Partition(topology="isolate", target="old")),
        Wait(condition=Logged(pattern='"event":"leader"', at="not old", into="new")),
        Do(f="write", at="new", key="x", value=2, expect=Expect(), again_s=5.0),
        Do(f="read", at="old", key="x"),
    ),
)


def hits(store: Path, cluster: str, options: dict[str, str]) -> None:
    flags = {"cluster": cluster, "cluster_options": options}
    came = play(STALE_READ, store, flags=flags, tries=TRIES)
    assert 1 == came.exit_code, came
    assert ["hit"] == [each.ending for each in came.tries[-1:]]


@pytest.mark.parametrize("cluster", ["simulated", "local"])
def test_it_hits_here(tmp_path: Path, cluster: str) -> None:
    """In virtual time, and on processes of this machine."""
    hits(tmp_path, cluster, {})


def in_namespaces() -> None:
    with tempfile.TemporaryDirectory() as store:
        hits(Path(store), "namespaces", {})


def test_it_hits_on_hosts_of_namespaces() -> None:
    """In the world in which the harness is, too."""
    run_inside(in_namespaces)


def over_ssh() -> None:
    with SshHosts(3) as hosts, tempfile.TemporaryDirectory() as store:
        hits(Path(store), "ssh", hosts.options(python=sys.executable))


def test_it_hits_over_ssh() -> None:
    """Where the lines of nodes are far away."""
    run_inside(over_ssh)
