"""The clusters of real processes, by name: what their options may be, and how each is made.

Rule: a cluster is chosen and furnished before anything starts, by the faults that are planned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from harness.clusters.local import LocalCluster
from harness.clusters.maelstrom import settings as of_maelstrom
from harness.clusters.maelstrom.cluster import MaelstromCluster
from harness.clusters.namespaces import netem, world
from harness.clusters.namespaces import settings as of_namespaces
from harness.clusters.namespaces.cluster import NamespaceCluster
from harness.clusters.namespaces.hosts import CLIENT_IP, addresses
from harness.clusters.namespaces.netem import NetemNetwork
from harness.clusters.namespaces.network import Shaper
from harness.clusters.namespaces.switch import SwitchNetwork
from harness.clusters.ssh import options as of_ssh
from harness.clusters.supervisor import OnProcess
from harness.contracts import Cluster, EnvironmentTrouble, System
from harness.trial import Trial
from nemesis.faults import LinkFault, Partition
from nemesis.schedule import Schedule

Make = Callable[[System, Trial, Path, Schedule, OnProcess], Cluster]


class Kind(msgspec.Struct, frozen=True):
    """`worldly`: its runs happen in a world of their own (harness.inside)."""

    mistakes_of: Callable[[dict[str, str], int], list[str]]
    make: Make
    worldly: bool = False


def _settled(trial: Trial) -> dict[str, Any]:
    """What every cluster is told of its trial."""
    assert trial.seed is not None, "a trial is resolved before it runs"
    return {"workload": trial.workload, "options": trial.options, "seed": trial.seed}


def _local(
    system: System, trial: Trial, folder: Path, _faults: Schedule, on_process: OnProcess
) -> LocalCluster:
    return LocalCluster(
        system,
        trial.node_names,
        folder,
        **_settled(trial),
        on_process=on_process,
    )


def _no_options(given: dict[str, str], _nodes: int) -> list[str]:
    names = ", ".join(sorted(given))
    return [f"the local cluster has no options, got {names}"] if given else []


def _namespaces(
    system: System, trial: Trial, folder: Path, faults: Schedule, _on_process: OnProcess
) -> NamespaceCluster:
    if not world.inside():
        raise EnvironmentTrouble(
            "the namespaces cluster lives in a world of its own: run the trial by harness.run.run, "
            "which enters one."
        )
    assert trial.seed is not None, "a trial is resolved before it runs"
    # The ledger needs none of its processes: the kernel ends them all with the world.
    return NamespaceCluster(
        system,
        trial.node_names,
        folder,
        **_settled(trial),
        shaper=_shaper(trial, folder, faults),
        planned=faults.faults(),
    )


def _ssh(
    system: System, trial: Trial, folder: Path, _faults: Schedule, _on_process: OnProcess
) -> Cluster:
    from harness.clusters.ssh.cluster import SshCluster  # paramiko takes a quarter of a second

    return SshCluster(
        system,
        trial.node_names,
        folder,
        **_settled(trial),
        cluster_options=trial.cluster_options,
    )


def _maelstrom(
    system: System, trial: Trial, folder: Path, _faults: Schedule, on_process: OnProcess
) -> MaelstromCluster:
    return MaelstromCluster(
        system,
        trial.node_names,
        folder,
        **_settled(trial),
        settings=of_maelstrom.settings(trial.cluster_options),
        on_process=on_process,
    )


def _shaper(trial: Trial, folder: Path, faults: Schedule) -> Shaper | None:
    """What does to links what partitions are not; None where nothing does, or need."""
    assert trial.seed is not None, "a trial is resolved before it runs"
    network = of_namespaces.settings(trial.cluster_options).network
    beyond = [
        fault
        for fault in faults.faults()
        if isinstance(fault, LinkFault) and not isinstance(fault, Partition)
    ]
    hosts, log = addresses(trial.node_names), folder / "nodes" / "switch.log"
    if network == "switch":
        return SwitchNetwork(hosts, CLIENT_IP, trial.seed, log=log)
    if not beyond:
        return None
    by_kernel = NetemNetwork(hosts, CLIENT_IP) if netem.obstacle() is None else None
    if network == "kernel":
        return by_kernel
    if by_kernel is not None and not any(map(by_kernel.refusal, beyond)):
        return by_kernel
    return SwitchNetwork(hosts, CLIENT_IP, trial.seed, log=log)


CLUSTERS: Mapping[str, Kind] = MappingProxyType(
    {
        "local": Kind(_no_options, _local),
        "maelstrom": Kind(lambda given, _: of_maelstrom.mistakes_of(given), _maelstrom),
        "ssh": Kind(of_ssh.mistakes_of, _ssh),
        "namespaces": Kind(
            lambda given, _: of_namespaces.mistakes_of(given), _namespaces, worldly=True
        ),
    }
)
