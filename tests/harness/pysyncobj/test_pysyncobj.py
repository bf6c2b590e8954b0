"""PySyncObj, for real: three nodes on loopback, as shipped but for their speed."""

from __future__ import annotations

import asyncio
import json
import runpy
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from checkers.history import COMPARE_FAILED
from harness.contracts import Completion, NodePlan
from harness.systems.jsonlines import ask_once
from harness.systems.pysyncobj import SYSTEM
from harness.systems.pysyncobj import system as pysyncobj
from tests.harness.loopback_hosts import LoopbackHosts, loopback_hosts, operation
from tests.harness.real import needs_module

TIMEOUT_S = 10.0
SHORT_S = 0.5  # for what is meant to have no answer
Ask = Callable[[str, Any], Awaitable[Any]]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackHosts]:
    needs_module("pysyncobj")
    options = {"fast": "yes"}
    with loopback_hosts(SYSTEM, tmp_path_factory.mktemp("pysyncobj"), options) as hosts:
        yield hosts


def told(completion: Completion) -> tuple[str, Any]:
    """Its type, and its value or the code of its error."""
    error = completion.error
    return completion.type, completion.value if error is None else error.code


def ask(
    nodes: LoopbackHosts,
    workload: str,
    *calls: tuple[str, str, Any],
    process: int = 0,
    timeout_s: float = TIMEOUT_S,
) -> Sequence[tuple[str, Any]]:
    """What becomes of calls (node, operation, value), one after the other."""

    async def each() -> list[tuple[str, Any]]:
        found = []
        for node, f, value in calls:
            client = SYSTEM.client(node, nodes.address(node), workload, timeout_s)
            await client.open()
            try:
                found.append(told(await client.invoke(operation(f, value, process=process))))
            finally:
                await client.close()
        return found

    return asyncio.run(each())


def test_a_register(nodes: LoopbackHosts) -> None:
    """Null before the first write; what one node acknowledged, every node reads."""
    calls = [("n1", "read", None), ("n1", "cas", [1, 2]), ("n2", "write", 1), ("n3", "cas", [1, 2])]
    assert [("ok", None), ("fail", COMPARE_FAILED), ("ok", None), ("ok", None)] == ask(
        nodes, "register", *calls
    )
    assert [("ok", 2)] * 3 == ask(nodes, "register", *((n, "read", None) for n in nodes.names))


def test_a_log_and_a_set(nodes: LoopbackHosts) -> None:
    """A log keeps the order and what comes twice, a set neither."""
    for workload, put, expected in (("log", "append", ["b", "a", "b"]), ("set", "add", ["b", "a"])):
        adds = [("n2", put, "b"), ("n3", put, "a"), ("n1", put, "b")]
        assert ("ok", []) == ask(nodes, workload, ("n1", "read", None))[0]
        assert [("ok", None)] * 3 == ask(nodes, workload, *adds)
        assert [("ok", expected)] == ask(nodes, workload, ("n2", "read", None))


def test_a_queue(nodes: LoopbackHosts) -> None:
    """First in, first out, and null when it is empty."""
    calls = [("n1", "enqueue", 1), ("n2", "enqueue", 2), *(("n3", "dequeue", None),) * 3]
    expected = [("ok", None), ("ok", None), ("ok", 1), ("ok", 2), ("ok", None)]
    assert expected == ask(nodes, "queue", *calls)


def test_a_counter_survives_nonsense(nodes: LoopbackHosts) -> None:
    """A command that cannot be carried out is refused by all nodes alike; the library alone would
    try it again for ever."""
    calls = [("n1", "read", None), ("n1", "add", 3), ("n2", "add", "x"), ("n3", "add", -5)]
    found = ask(nodes, "counter", *calls, ("n2", "read", None))
    assert [("ok", 0), ("ok", 3), ("fail", "malformed"), ("ok", -2), ("ok", -2)] == found


def test_a_lock_belongs_to_a_process(nodes: LoopbackHosts) -> None:
    """Whatever connection it asks on; tokens grow."""
    assert [("ok", {"token": 1})] == ask(nodes, "lock", ("n1", "acquire", None), process=1)
    other = [("n2", "acquire", None), ("n2", "release", None)]
    assert [("fail", "held"), ("fail", "not-held")] == ask(nodes, "lock", *other, process=2)
    mine = [("n3", "release", None), ("n3", "release", None)]
    assert [("ok", None), ("fail", "not-held")] == ask(nodes, "lock", *mine, process=1)
    assert [("ok", {"token": 2})] == ask(nodes, "lock", other[0], process=2)


def test_what_no_node_understands_is_refused(nodes: LoopbackHosts) -> None:
    """Definitely, and by its name."""

    async def talk() -> list[Any]:
        reader, writer = await asyncio.open_connection(*nodes.address("n1"))
        writer.write(b'nonsense\n{"id": 7, "f": "fly"}\n')
        answers = [json.loads(await reader.readline()) for _ in range(2)]
        writer.close()
        await writer.wait_closed()
        return answers

    nonsense, unsupported = asyncio.run(talk())
    assert "malformed" == nonsense["error"]["code"]
    assert (7, "unsupported") == (unsupported["id"], unsupported["error"]["code"])


def test_replicas_at_one_position_are_equal(nodes: LoopbackHosts) -> None:
    """Digests are taken between two entries of the log; nodes have applied the same entries."""
    ask(nodes, "register", ("n1", "write", "for digests"))

    found = asyncio.run(SYSTEM.digests(nodes.addresses))
    assert list(nodes.names) == [digest.node for digest in found]
    assert 1 == len({digest.position for digest in found}), "they are waited for"
    assert 1 == len({digest.value for digest in found})
    told_by = {node: _chosen(nodes.trace(node)) for node in nodes.names}
    assert told_by["n1"] == told_by["n2"] == told_by["n3"]
    assert 'put k1 "for digests"' in told_by["n1"].values()


def test_one_leads_and_names_itself(nodes: LoopbackHosts) -> None:
    """`leaders` is what nodes say of themselves, and they agree on who it is."""

    async def look() -> tuple[tuple[str, ...], set[str]]:
        states = [await ask_once(a, "status", TIMEOUT_S) for a in nodes.addresses.values()]
        return await SYSTEM.leaders(nodes.addresses), {state["leader"] for state in states}

    (leader,), named = asyncio.run(look())
    assert {f"{nodes.hosts[leader]}:{pysyncobj.PEER_PORT}"} == named


@pytest.mark.parametrize(("journal", "kept"), [("yes", "kept"), ("no", None)])
def test_a_journal_outlives_all_nodes(tmp_path: Path, journal: str, kept: str | None) -> None:
    """Killed all at once, they come back with what was acknowledged, and without a journal with
    nothing, which is how PySyncObj is shipped."""
    needs_module("pysyncobj")
    options = {"fast": "yes", "journal": journal, "compaction": "10"}
    with loopback_hosts(SYSTEM, tmp_path, options) as nodes:
        writes = [("n1", "write", value) for value in (*range(25), "kept")]
        assert [("ok", None)] * 26 == ask(nodes, "register", *writes)
        for node in nodes.names:
            nodes.nodes[node].kill()
        for node in nodes.names:
            nodes.start(node)
        asyncio.run(nodes.all_ready())
        assert [("ok", kept)] == ask(nodes, "register", ("n2", "read", None))


def test_local_reads_need_nobody(tmp_path: Path) -> None:
    """Which is why they are stale; a replicated read, and a write, need a majority."""
    needs_module("pysyncobj")
    with loopback_hosts(SYSTEM, tmp_path, {"fast": "yes", "reads": "local"}) as nodes:
        assert [("ok", None)] == ask(nodes, "register", ("n1", "write", 1))
        for node in ("n2", "n3"):
            nodes.nodes[node].kill()
        calls = [("n1", "read", None), ("n1", "write", 2), ("n1", "read", None)]
        found = ask(nodes, "register", *calls, timeout_s=SHORT_S)
    assert [("ok", 1), ("info", "timeout"), ("ok", 1)] == found


def test_every_reason_but_success_is_an_error() -> None:
    """By the library's own name; only those that say that the command went nowhere are definite."""
    needs_module("pysyncobj")
    node = runpy.run_path(str(Path(pysyncobj.__file__).with_name("node.py")))
    codes = {node["outcome"](None, reason)["error"]["code"] for reason in node["REASONS"] if reason}
    assert {
        *("queue-full", "missing-leader", "discarded", "not-leader", "leader-changed"),
        *("request-denied", "unknown-outcome"),
    } == codes
    definite = {code for code in codes if pysyncobj.DIALECT.errors.get(code) == "fail"}
    assert {"queue-full", "missing-leader", "request-denied"} == definite
    assert {"ok": 5} == node["outcome"](["ok", 5], 0)
    assert {"error": {"code": "unknown-outcome", "text": "the command had no result"}} == node[
        "outcome"
    ](None, 0)


def test_a_host_without_the_library_says_so(tmp_path: Path) -> None:
    """In the node's log, with the remedy: the program brings nothing along."""
    plan = NodePlan(
        name="n1",
        data=tmp_path,
        listen={"client": ("127.0.0.1", 1), "peer": ("127.0.0.1", 2)},
        peers={},
        trace=tmp_path / "trace",
        seed=1,
        workload="register",
        options={},
    )
    command = SYSTEM.command(plan)
    (tmp_path / "pysyncobj.py").write_text("raise ImportError('not here')")

    async def run() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            env={"PATH": "/usr/bin:/bin", **command.env, "PYTHONPATH": str(tmp_path)},
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        return process.returncode, said.decode()

    ended, said = asyncio.run(run())
    assert 1 == ended
    assert "pip install 'pysyncobj==0.3.17'" in said


def test_options_are_judged_with_what_is_valid() -> None:
    """Each mistake is a sentence that names the nearest."""
    good = {"journal": "no", "reads": "local", "fast": "yes", "compaction": "10"}
    assert [] == SYSTEM.check_options(good)
    (unknown,) = SYSTEM.check_options({"jurnal": "no"})
    assert "Did you mean 'journal'" in unknown
    wrong = SYSTEM.check_options({"reads": "lokal", "compaction": "1"})
    assert ["'local'" in wrong[0], "2 or more" in wrong[1]] == [True, True]


def _chosen(trace: Path) -> dict[int, str]:
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    return {e["instance"]: e["value"] for e in events if e["event"] == "chosen"}
