"""Nodes that break the protocol: each is named, with what it did, and nobody else suffers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.clusters.maelstrom import cluster as cluster_module
from harness.clusters.maelstrom import pipes, router
from harness.contracts import EnvironmentTrouble
from tests.harness.maelstrom.stage import ask, cluster_in, echoes, played, until


def trouble(folder: Path, mode: str, **changes: object) -> str:
    """What a start says that fails."""
    cluster = cluster_in(folder, names=("n1",), mode=mode, **changes)  # type: ignore[arg-type]

    async def main() -> str:
        with pytest.raises(EnvironmentTrouble) as raised:
            await cluster.start()
        await cluster.stop()
        return str(raised.value)

    return asyncio.run(main())


def test_a_node_that_never_answers_init_is_told(tmp_path: Path) -> None:
    """After the time limit, with what it should have done."""
    said = trouble(tmp_path, "mute", ready_timeout_s=0.5)
    assert "node n1 runs, but has not answered init after 0.5 s" in said
    assert "init_ok" in said


def test_a_node_that_refuses_init_is_told_at_once(tmp_path: Path) -> None:
    """With its code and text."""
    assert "it answered init with error 10: 'no room'" in trouble(tmp_path, "refuse")


def test_a_node_that_only_writes_nonsense_is_told_with_its_first_line(tmp_path: Path) -> None:
    """A flood costs one sentence with a count, and does not stop the router."""
    said = trouble(tmp_path, "flood", ready_timeout_s=1.0)
    assert said.count("not a message") == 1
    assert "a line on standard output must be a JSON object" in said
    assert "times" in said


def test_a_line_without_end_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit nothing of it is kept."""
    monkeypatch.setattr(router, "LINE_MAX_BYTES", 1_000_000)
    said = trouble(tmp_path, "bloat", ready_timeout_s=1.0)
    assert "a line may have at most 1000000 bytes" in said


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Before anything is started, with what to correct."""
    cluster = cluster_in(tmp_path, names=("n1",))
    command = cluster.system.command

    class Elsewhere:
        def command(self, plan: object) -> object:
            import msgspec

            return msgspec.structs.replace(command(plan), argv=("no-such-program",))  # type: ignore[arg-type]

    cluster.system = Elsewhere()  # type: ignore[assignment]

    async def main() -> None:
        with pytest.raises(EnvironmentTrouble, match="no program 'no-such-program'"):
            await cluster.start()

    asyncio.run(main())


def test_nonsense_between_messages_is_dropped_and_told(tmp_path: Path) -> None:
    """The messages around it are carried."""
    cluster = cluster_in(tmp_path, mode="nonsense")

    async def main() -> None:
        assert [True] * 3 == [await echoes(cluster.address(n)) for n in cluster.nodes]

    played(cluster, main)
    assert 3 == len(cluster.notices)
    assert "node n1 wrote 'debug: got init'" in cluster.notices[0]
    assert "So it went 2 times" in cluster.notices[0]


def test_second_answers_are_thrown_away(tmp_path: Path) -> None:
    """To init it is told; to a client an answer that comes twice is one."""
    cluster = cluster_in(tmp_path, mode="twice", names=("n1",))

    async def main() -> None:
        assert [True, True] == [await echoes(cluster.address("n1")) for _ in range(2)]

    played(cluster, main)
    (notice,) = cluster.notices
    assert "c0" in notice
    assert "answered once" in notice


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"src": "n1", "dest": "n2"}', "missing required field `body`"),
        ('{"src": "n1", "dest": "n2", "body": 5}', "Expected `object`, got `int`"),
        ('{"src": "n2", "dest": "n1", "body": {}}', "'src' must be the node's own name"),
        ('{"src": "n1", "dest": "n9", "body": {}}', "'dest' must be a node"),
        ('{"src": "n1", "dest": "c99", "body": {}}', "'dest' must be a node"),
        ('{"src": "n1", "dest": "c0", "body": {}}', "the harness (c0) sends init"),
        ('["src", "dest"]', "Expected `object`, got `array`"),
        ("[" * 10_000, "node n1 wrote '[[["),
        ('{"src": "n1", "dest": "n2", "body": {}', "node n1 wrote"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, line: str, expected: str) -> None:
    """One notice, with the line and what the protocol wants; the node goes on."""
    cluster = cluster_in(tmp_path, names=("n1", "n2"))

    async def main() -> None:
        deadline_s = 0.2
        with pytest.raises(TimeoutError):
            await ask(cluster.address("n1"), "say", deadline_s, line=line)
        assert await echoes(cluster.address("n1"))

    played(cluster, main)
    (notice,) = cluster.notices
    assert expected in notice
    assert len(notice) < 700


def test_a_node_that_ends_is_a_crash_and_refuses_clients(tmp_path: Path) -> None:
    """Its clients lose their connections, new ones are refused, the rest goes on."""
    cluster = cluster_in(tmp_path)

    async def main() -> None:
        with pytest.raises(ConnectionResetError):
            await ask(cluster.address("n1"), "quit")
        with pytest.raises(ConnectionRefusedError):
            await ask(cluster.address("n1"), "echo", echo=1)
        assert await echoes(cluster.address("n2"))
        (crash,) = cluster.crashes()
        assert "node n1 ended by itself (exit status 3)" in crash

    played(cluster, main)


def test_a_node_that_reads_nothing_costs_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for it is bounded; beyond, messages are dropped and that is told."""
    monkeypatch.setattr(pipes, "WAITING_MAX_BYTES", 100_000)
    cluster = cluster_in(tmp_path, names=("n1", "n2"))

    async def main() -> None:
        await cluster.processes.pause(["n2"])
        big = "x" * 200_000

        async def deaf() -> bool:
            await ask(cluster.address("n1"), "send", dest="n2", text=big)
            return bool(cluster.notices)

        await until(deaf)
        assert await echoes(cluster.address("n1"))

    played(cluster, main)
    assert "node n2 does not take what is sent to it" in cluster.notices[0]


def test_a_client_that_speaks_nonsense_is_answered(tmp_path: Path) -> None:
    """With error 12, and goes on."""
    cluster = cluster_in(tmp_path, names=("n1",))

    async def main() -> None:
        reader, writer = await asyncio.open_connection(*cluster.address("n1"))
        writer.write(b'hello\n{"body": 7}\n')
        answers = [await reader.readline(), await reader.readline()]
        assert all(b'"code":12' in answer for answer in answers)
        writer.write(b'{"body": {"type": "echo", "echo": 1, "msg_id": 5}}\n')
        assert b'"in_reply_to": 5' in await reader.readline()
        writer.close()
        await writer.wait_closed()

    played(cluster, main)


def test_an_init_that_is_not_answered_after_a_restart_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node runs, but no client gets in; the report says why, once it had its time."""
    monkeypatch.setattr(cluster_module, "SILENT_AFTER_S", 0.0)
    cluster = cluster_in(tmp_path, names=("n1",))

    async def main() -> None:
        await cluster.processes.kill(["n1"])
        cluster._nodes["n1"].plan.options["mode"] = "mute"  # type: ignore[index]
        await cluster.processes.restart(["n1"])
        assert not await echoes(cluster.address("n1"))

    played(cluster, main)
    assert ["node n1 runs, but has not answered the init of this life."] == list(cluster.notices)
