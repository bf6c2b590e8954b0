"""Nodes as outsiders bring them: each mistake ends in a sentence that names it, or is survived."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from harness.clusters import keeper, local
from harness.clusters.local import LocalCluster
from harness.contracts import EnvironmentTrouble
from harness.systems import system
from tests.harness.test_local_cluster import await_end

HERE = Path(__file__).parent

FILE = """
name: bad
command: ["{python}", "-IS", "%s/bad_node.py", "{options}", "{ip.client}", "{port.client}"]
ports: {client: {framing: line}}
options: {mode: {args: ["{value}"]}}
workloads: {register: {calls: {read: get, write: put, cas: cas}}}
client: {protocol: json-lines, status: status, reads: [get]}
"""


STARTUP_S = 3.0  # enough for any of these nodes to get as far as it ever does
ENDINGS = {
    "dying": "node n1 ended at start (exit status 1). The last lines of its log",
    "mute": "not ready after 3 s: it does not listen on its port client (127.0.0.1:",
    "elsewhere": "not ready after 3 s: it does not listen on its port client (127.0.0.1:",
    "unready": "not ready after 3 s: it listens on all its ports, but does not say that it",
    "refuses": "not ready after 3 s: it listens on all its ports, but does not say that it",
    "garbage": "answered against the client protocol (docs/systems.md): b'HTTP/1.1 400",
}


def cluster(
    folder: Path, mode: str, text: str = FILE % HERE, nodes: tuple[str, ...] = ("n1",), **more: Any
) -> tuple[LocalCluster, list[int]]:
    """A cluster of such nodes, and the pids of the processes it will have started."""
    pids: list[int] = []
    folder.mkdir(exist_ok=True)
    file = folder / "system.yaml"
    file.write_text(text)
    of_mode = LocalCluster(
        system(file),
        nodes,
        folder,
        workload="register",
        options={"mode": mode},
        seed=1,
        on_process=lambda pid, *_: pids.append(pid),
        **more,
    )
    return of_mode, pids


async def trouble(folder: Path, mode: str, text: str = FILE % HERE) -> str:
    """The sentence in which the start of such a node ends; nothing is left of it."""
    bad, pids = cluster(folder, mode, text, ready_timeout_s=STARTUP_S)
    with pytest.raises(EnvironmentTrouble) as raised:
        await bad.start()
    await asyncio.to_thread(await_end, pids)
    return str(raised.value)


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """In which the start of a node of each kind ends; all at once, since each waits for nothing."""

    async def main() -> list[str]:
        homes = {mode: tmp_path_factory.mktemp(mode) for mode in ENDINGS}
        return await asyncio.gather(*(trouble(home, mode) for mode, home in homes.items()))

    return dict(zip(ENDINGS, asyncio.run(main()), strict=True))


@pytest.mark.parametrize("mode", ENDINGS)
def test_a_node_that_does_not_come_up_is_told_with_its_log(
    sentences: dict[str, str], mode: str
) -> None:
    """What it did not do, where it was expected to, and the last lines of what it said."""
    assert ENDINGS[mode] in sentences[mode]
    assert f"\n  this node is {mode}" in sentences[mode]


def test_a_command_that_does_not_exist_is_told(tmp_path: Path) -> None:
    """By its name, and with the usual cause: a path that is relative to another directory."""
    text = (FILE % HERE).replace('"{python}"', "./server")
    sentence = asyncio.run(trouble(tmp_path, "any", text))

    assert "node n1 cannot be started: " in sentence
    assert "'./server'" in sentence
    assert "{here}/..." in sentence


def test_several_nodes_without_a_port_for_peers_are_refused(tmp_path: Path) -> None:
    """They could not agree on anything, and would be found inconsistent."""
    bad, pids = cluster(tmp_path, "good", nodes=("n1", "n2"))

    with pytest.raises(EnvironmentTrouble, match=r"no port 'peer', so 2 nodes .* \(--nodes 1\)"):
        asyncio.run(bad.start())
    assert pids == []


@pytest.mark.parametrize("mode", ["good", "chatty", "stubborn"])
def test_a_node_that_serves_is_run_whatever_its_manners(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single node needs no peers; one that ignores SIGTERM is killed after the grace."""
    monkeypatch.setattr(local, "GRACE_S", 0.1)

    async def main() -> None:
        await serving.start()
        await serving.stop()

    serving, pids = cluster(tmp_path, mode)
    asyncio.run(main())

    await_end(pids)
    assert list(serving.crashes()) == []


def test_the_last_lines_of_a_log_fit_a_screen(tmp_path: Path) -> None:
    """However long a line is."""
    sentence = asyncio.run(trouble(tmp_path, "long-winded"))

    assert "node n1 ended at start (exit status 1)" in sentence
    assert "x" * 200 in sentence
    assert len(sentence) < 1_000


def test_a_flooded_log_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is not the node's to fill: what is beyond the limit is dropped, and that is said."""
    monkeypatch.setattr(keeper, "LOG_BYTES_MAX", 1000)
    log = tmp_path / "log"
    holder = keeper.Keeper()
    holder._logs["n1"] = log

    with log.open("ab", buffering=0) as node:
        node.write(b"x" * 1000)
        holder._trim()
        assert log.stat().st_size == 1000
        node.write(b"x")
        holder._trim()
        node.write(b"later\n")
    assert log.read_bytes() == b"[1001 bytes were too many and are dropped]\nlater\n"
