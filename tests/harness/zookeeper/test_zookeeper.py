"""ZooKeeper, for real: three servers on loopback, and what the client makes of their answers."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from checkers.history import COMPARE_FAILED
from harness.contracts import Completion, NodePlan
from harness.systems.zookeeper import SYSTEM
from harness.systems.zookeeper import system as zookeeper
from harness.systems.zookeeper.client import OPERATIONS, ZooKeeperClient
from harness.systems.zookeeper.system import ORDERS, Order, configuration
from tests.harness.loopback_hosts import LoopbackHosts, loopback_hosts, operation
from tests.harness.real import eventually, needs, needs_file

JAR = Path("/usr/share/java/zookeeper.jar")
TIMEOUT_S = 5.0
SHORT_S = 0.5  # for what is meant to have no answer


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackHosts]:
    needs("java", "default-jre")
    needs_file(JAR, "zookeeper")
    with loopback_hosts(SYSTEM, tmp_path_factory.mktemp("zookeeper")) as hosts:
        yield hosts


@contextlib.contextmanager
def client(
    servers: LoopbackHosts,
    workload: str,
    node: str = "n1",
    *,
    timeout_s: float = TIMEOUT_S,
    order: Order = "write",
) -> Iterator[ZooKeeperClient]:
    opened = ZooKeeperClient(servers.address(node), workload, timeout_s, order)
    opened.open()
    try:
        yield opened
    finally:
        opened.close()


def told(completion: Completion) -> tuple[str, Any]:
    """Its type, and its value or the code of its error."""
    error = completion.error
    return completion.type, completion.value if error is None else error.code


def test_a_register(servers: LoopbackHosts) -> None:
    """Null before the first write; a compare-and-set compares values, not versions."""
    with client(servers, "register", "n1") as one, client(servers, "register", "n2") as two:
        assert ("ok", None) == told(one.invoke(operation("read")))
        assert ("fail", COMPARE_FAILED) == told(one.invoke(operation("cas", [1, 2])))
        assert ("ok", None) == told(one.invoke(operation("cas", [None, 7])))
        assert ("fail", COMPARE_FAILED) == told(two.invoke(operation("cas", [None, 8])))
        assert ("ok", None) == told(one.invoke(operation("write", 1)))
        assert ("ok", None) == told(one.invoke(operation("write", 1)))
        assert ("ok", None) == told(two.invoke(operation("cas", [1, 2])))
        assert ("ok", 2) == told(one.invoke(operation("read")))
        assert ("ok", None) == told(one.invoke(operation("read", key="another/key")))


@pytest.mark.parametrize("order", ORDERS)
def test_each_way_to_read_reads(servers: LoopbackHosts, order: Order) -> None:
    """A session sees what it wrote, and a missing value, whatever goes before."""
    with client(servers, "register", "n2", order=order) as one:
        assert ("ok", None) == told(one.invoke(operation("read", key=f"unset {order}")))
        assert ("ok", None) == told(one.invoke(operation("write", 3, key=f"own {order}")))
        assert ("ok", 3) == told(one.invoke(operation("read", key=f"own {order}")))


def test_a_version_that_moved_on_is_no_compare_failure(servers: LoopbackHosts) -> None:
    """Between looking and setting somebody wrote the same value: the compare-and-set still holds,
    and `compare-failed` would be false evidence."""
    with client(servers, "register", "n1") as one, client(servers, "register", "n2") as two:
        one.invoke(operation("write", 5, key="moved"))
        look, times = one.look, 0

        def look_and_lose(session: Any, path: str, order: Any) -> Any:
            nonlocal times
            times += 1
            seen = look(session, path, order)
            if times == 1:
                two.invoke(operation("write", 5, key="moved"))
            return seen

        one.look = look_and_lose  # type: ignore[method-assign]
        assert ("ok", None) == told(one.invoke(operation("cas", [5, 6], key="moved")))
        assert 2 == times
        assert ("ok", 6) == told(two.invoke(operation("read", key="moved")))


def test_counters_and_logs_lose_no_update(servers: LoopbackHosts) -> None:
    """Clients that write at once are told apart by versions: each acknowledged update is there."""

    def add(node: str) -> list[str]:
        with client(servers, "counter", node) as counter, client(servers, "log", node) as log:
            done = [counter.invoke(operation("add", n)).type for n in (1, -2, 3)]
            return done + [log.invoke(operation("append", f"{node} {n}")).type for n in (1, 2)]

    with ThreadPoolExecutor() as pool:
        assert [["ok"] * 5] * 3 == list(pool.map(add, servers.names))
    with client(servers, "counter") as counter, client(servers, "log") as log:
        assert ("ok", 6) == told(counter.invoke(operation("read")))
        assert ("ok", 0) == told(counter.invoke(operation("read", key="untouched")))
        assert ("ok", []) == told(log.invoke(operation("read", key="untouched")))
        listed = log.invoke(operation("read")).value
    assert sorted(f"{node} {n}" for node in servers.names for n in (1, 2)) == sorted(listed)
    assert all(listed.index(f"{node} 1") < listed.index(f"{node} 2") for node in servers.names)


def test_a_set_of_any_values(servers: LoopbackHosts) -> None:
    """Elements become names of nodes, some of which ZooKeeper reserves."""
    elements = [3, ".", "..", "a/b", "zookeeper", "é %", [1, None], ""]
    with client(servers, "set", "n3") as one:
        assert ("ok", []) == told(one.invoke(operation("read")))
        for element in elements:
            assert ("ok", None) == told(one.invoke(operation("add", element)))
        assert ("ok", None) == told(one.invoke(operation("add", 3)))
        found = one.invoke(operation("read")).value
    assert sorted(map(repr, elements)) == sorted(map(repr, found))


def test_a_queue_hands_out_each_element_once(servers: LoopbackHosts) -> None:
    """In the order of enqueueing, and to one of those that dequeue at once."""
    with client(servers, "queue", "n1") as one:
        assert ("ok", None) == told(one.invoke(operation("dequeue")))
        for element in range(30):
            assert ("ok", None) == told(one.invoke(operation("enqueue", element)))

    def take(node: str) -> list[int]:
        with client(servers, "queue", node) as mine:
            return [mine.invoke(operation("dequeue")).value for _ in range(10)]

    with ThreadPoolExecutor() as pool:
        shares = list(pool.map(take, servers.names))
    assert [sorted(share) for share in shares] == shares
    assert list(range(30)) == sorted(element for share in shares for element in share)


def test_a_lock_is_its_sessions(servers: LoopbackHosts) -> None:
    """One holder, growing tokens; the end of a session gives up what it held."""
    with client(servers, "lock", "n2") as two:
        with client(servers, "lock", "n1") as one:
            first = one.invoke(operation("acquire"))
            assert "ok" == first.type
            assert ("fail", "held") == told(two.invoke(operation("acquire")))
            assert ("fail", "not-held") == told(two.invoke(operation("release")))
            assert ("ok", None) == told(one.invoke(operation("release")))
            assert ("fail", "not-held") == told(one.invoke(operation("release")))
            assert "ok" == one.invoke(operation("acquire")).type
        after = two.invoke(operation("acquire"))
        assert "ok" == after.type
        assert first.value["token"] < after.value["token"]


def test_without_a_quorum_nothing_is_certain_but_what_only_looked(servers: LoopbackHosts) -> None:
    """A write without an answer may still happen; a read, or what was never sent, did not."""
    with client(servers, "register", "n1") as before:
        assert ("ok", None) == told(before.invoke(operation("write", 1, key="alone")))
    with (
        client(servers, "register", "n1", timeout_s=SHORT_S) as writer,
        client(servers, "register", "n1", timeout_s=SHORT_S) as reader,
        client(servers, "register", "n1", timeout_s=SHORT_S) as swapper,
    ):
        others = ("n2", "n3")
        for node in others:
            servers.stop(node)
        try:
            assert ("info", "unanswered") == told(writer.invoke(operation("write", 2, key="alone")))
            assert ("fail", "unanswered") == told(swapper.invoke(operation("cas", [1, 3], "alone")))
            assert ("fail", "unanswered") == told(reader.invoke(operation("read", key="alone")))
        finally:
            for node in others:
                servers.resume(node)
    asyncio.run(servers.all_ready())


def test_ready_is_to_have_a_mode(servers: LoopbackHosts) -> None:
    """One leads; who has lost the others is not ready, though its process answers."""

    with client(servers, "register", "n1") as one:
        one.invoke(operation("write", "kept", key="modes"))

    async def modes() -> None:
        (leader,) = await SYSTEM.leaders(servers.addresses)
        others = [node for node in servers.names if node != leader]
        for node in others:
            servers.nodes[node].kill()
        await eventually(lambda: unready(leader), f"{leader} without a mode")
        assert () == await SYSTEM.leaders(servers.addresses)
        for node in others:
            servers.start(node)
        await servers.all_ready()

    async def unready(node: str) -> bool:
        return not await servers.ready(node)

    asyncio.run(modes())
    with client(servers, "register", "n1") as one:
        assert ("ok", "kept") == told(one.invoke(operation("read", key="modes")))


def test_a_server_that_is_down_refuses_a_session() -> None:
    """No session in time is an OSError of `open`: nothing was sent."""
    nowhere = ZooKeeperClient(("127.0.0.1", 1), "register", SHORT_S, "write")
    with pytest.raises(OSError, match="no session"):
        nowhere.open()
    nowhere.close()


def _plan(folder: Path, **options: str) -> NodePlan:
    return NodePlan(
        name="n2",
        data=folder,
        listen={"client": ("10.0.0.2", 2181), "peer": ("10.0.0.2", 2888), "election": ("", 3888)},
        peers={"n1": ("10.0.0.1", 2888)},
        trace=folder / "trace",
        seed=1,
        workload="register",
        options=options,
        hosts={"n1": "10.0.0.1", "n2": "10.0.0.2"},
    )


def test_the_configuration_names_every_server_alike(tmp_path: Path) -> None:
    """Standard ports, one address for each server, its number by its place among the hosts."""
    lines = configuration(_plan(tmp_path)).splitlines()
    assert {"server.1=10.0.0.1:2888:3888", "server.2=10.0.0.2:2888:3888"} < set(lines)
    assert {f"dataDir={tmp_path}", "clientPortAddress=10.0.0.2", "clientPort=2181"} < set(lines)


@pytest.mark.parametrize(
    ("path", "classpath", "remedy"),
    [
        ("/usr/bin:/bin", "/nowhere/zookeeper.jar:/else", "apt-get install zookeeper"),
        ("/nowhere", "/nowhere/zookeeper.jar", "apt-get install default-jre"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, path: str, classpath: str, remedy: str) -> None:
    """A host without ZooKeeper, or without Java, says so, and what to do."""
    if path != "/nowhere":
        needs("java", "default-jre")
    command = SYSTEM.command(_plan(tmp_path, classpath=classpath))
    ended = subprocess.run(
        [needs("sh", "dash"), *command.argv[1:]],
        env={"PATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert 127 == ended.returncode
    assert remedy in ended.stderr


def test_what_is_offered_is_what_can_be_performed() -> None:
    """The system names its workloads without its client, which needs kazoo."""
    assert tuple(OPERATIONS) == tuple(SYSTEM.workloads)


def test_without_kazoo_a_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is started, with the remedy."""
    monkeypatch.setattr(zookeeper, "find_spec", lambda _name: None)
    (sentence,) = SYSTEM.check_options({})
    assert "pip install 'antipaxos[systems]'" in sentence


def test_options_are_judged_with_what_is_valid() -> None:
    """Each mistake is a sentence that names the nearest."""
    assert [] == SYSTEM.check_options({"sync": "no", "heap": "1g", "classpath": "/opt/zk/lib/*"})
    (unknown,) = SYSTEM.check_options({"synk": "no"})
    assert "Did you mean 'sync'" in unknown
    wrong = SYSTEM.check_options({"sync": "maybe", "heap": "much"})
    assert ["sync" in wrong[0], "256m" in wrong[1]] == [True, True]
