"""The maelstrom cluster: processes on pipes, messages through a network that can be broken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from harness.clusters.maelstrom import ways
from harness.contracts import Address
from nemesis.capabilities import refusals
from nemesis.faults import CLIENT, Corrupt, Duplicate, Hold, Lose, Partition
from nemesis.schedule import Schedule, Step
from tests.harness.conformance import CLAUSES, Stage, play
from tests.harness.maelstrom.stage import ask, cluster_in, echoes, played, until


class MaelstromStage:
    def __init__(self, folder: Path) -> None:
        self.cluster = cluster_in(folder)

    async def ask(self, address: Address) -> bool:
        return await echoes(address)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_conformance(clause: Callable[[Stage], Awaitable[None]], tmp_path: Path) -> None:
    """The maelstrom cluster keeps every clause of the kit."""
    asyncio.run(play(MaelstromStage(tmp_path), clause))


def test_a_life_begins_with_init_on_the_data_of_the_last(tmp_path: Path) -> None:
    """restart: init again, in the same working directory, and what was heard before is forgotten;
    the pipes of each life are gone from the folder once it has spoken."""
    cluster = cluster_in(tmp_path)

    async def main() -> None:
        n1, n2 = cluster.address("n1"), cluster.address("n2")
        await ask(n2, "send", dest="n1", text="before")
        await until(lambda: arrived(n1, "before"))
        await cluster.processes.kill(["n1"])
        await ask(n2, "send", dest="n1", text="to nobody")
        await cluster.processes.restart(["n1"])
        await until(lambda: echoes(n1))
        assert "life\nlife\n" == (tmp_path / "nodes/n1/data/lives").read_text()
        assert [] == (await ask(n1, "inbox"))["texts"]
        left = [path.name for path in (tmp_path / "nodes/n1").iterdir()]
        assert ["data", "log"] == sorted(left)

    played(cluster, main)


def test_messages_meet_the_faults_of_their_link(tmp_path: Path) -> None:
    """A cut loses them, a doubling link doubles them, a link that holds lets them go in order; all
    of it shows in the counters of that link alone."""
    cluster = cluster_in(tmp_path)
    link = ("n1", "n2")

    async def main() -> None:
        network = cluster.network
        n1, n2 = cluster.address("n1"), cluster.address("n2")

        async def under(fault: object, *texts: str) -> None:
            await network.apply(1, fault)  # type: ignore[arg-type]
            for text in texts:
                await ask(n1, "send", dest="n2", text=text)
            await network.undo(1)

        await under(Partition(links=(link,)), "lost")
        await under(Lose(links=(link,), probability=1.0), "lost too")
        await under(Duplicate(links=(link,), probability=1.0), "twice")
        await under(Hold(links=(link,)), "held", "last")
        await until(lambda: arrived(n2, "last"))
        assert ["twice", "twice", "held", "last"] == (await ask(n2, "inbox"))["texts"]
        readings = await network.measure()
        assert (2, 1) == (readings[link].dropped, readings[link].duplicated)
        assert 0 == readings["n2", "n1"].dropped

    played(cluster, main)


def test_what_a_fault_holds_back_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit messages are dropped, and counted."""
    monkeypatch.setattr(ways, "HELD_MAX_BYTES", 1000)
    cluster = cluster_in(tmp_path)
    link = ("n1", "n2")

    async def main() -> None:
        await cluster.network.apply(1, Hold(links=(link,)))
        for text in ("x" * 2000, "too much", "this too"):
            await ask(cluster.address("n1"), "send", dest="n2", text=text)
        await cluster.network.undo(1)
        await until(lambda: arrived(cluster.address("n2"), "x" * 2000))
        reading = (await cluster.network.measure())[link]
        assert (1, 2) == (reading.forwarded, reading.dropped)

    played(cluster, main)


def test_another_node_may_answer_a_client(tmp_path: Path) -> None:
    """A node passes a request on with the client's name, and who gets it answers the client."""
    cluster = cluster_in(tmp_path)

    async def main() -> None:
        reader, writer = await asyncio.open_connection(*cluster.address("n1"))
        body = {"type": "echo", "echo": "hello", "msg_id": 1}
        passed_on = json.dumps({"src": "c1", "dest": "n2", "body": body})
        request = {"body": {"type": "say", "msg_id": 1, "line": passed_on}}
        writer.write(json.dumps(request).encode() + b"\n")
        answer = json.loads(await reader.readline())
        assert ("n2", "c1", "hello") == (answer["src"], answer["dest"], answer["body"]["echo"])
        writer.close()
        await writer.wait_closed()

    played(cluster, main)
    assert [] == list(cluster.notices)


def test_a_client_is_cut_off_from_one_node_and_not_from_others(tmp_path: Path) -> None:
    """The links of clients are links: what goes through them is lost like anything else."""
    cluster = cluster_in(tmp_path)

    async def main() -> None:
        await cluster.network.apply(1, Partition(links=(("n1", CLIENT),)))
        assert [False, True] == [await echoes(cluster.address(n)) for n in ("n1", "n2")]
        await cluster.network.undo(1)
        assert await echoes(cluster.address("n1"))

    played(cluster, main)


def test_nodes_reach_services(tmp_path: Path) -> None:
    """A request to a service is answered to the node that asked, by msg_id; state is shared."""
    cluster = cluster_in(tmp_path)

    async def main() -> None:
        n1, n2 = cluster.address("n1"), cluster.address("n2")
        write = {"type": "write", "key": "k", "value": [1]}
        told = (await ask(n1, "ask", dest="lin-kv", request=write))["answer"]
        assert ("write_ok", 1) == (told["type"], told["in_reply_to"])
        told = (await ask(n2, "ask", dest="lin-kv", request={"type": "read", "key": "k"}))["answer"]
        assert [1] == told["value"]
        stamps = [(await ask(n1, "ask", dest="lin-tso", request={"type": "ts"}))["answer"]["ts"]]
        stamps += [(await ask(n2, "ask", dest="lin-tso", request={"type": "ts"}))["answer"]["ts"]]
        assert [0, 1] == stamps

    played(cluster, main)


def test_broadcast_nodes_are_told_their_neighbours(tmp_path: Path) -> None:
    """Topology follows init where the workload is broadcast, in every life."""
    cluster = cluster_in(tmp_path, workload="broadcast", cluster_options={"topology": "line"})

    async def main() -> None:
        n2 = cluster.address("n2")
        expected = ['{"n1": ["n2"], "n2": ["n1", "n3"], "n3": ["n2"]}']
        assert expected == (await ask(n2, "inbox"))["texts"]
        await cluster.processes.kill(["n2"])
        await cluster.processes.restart(["n2"])
        await until(lambda: echoes(n2))
        assert expected == (await ask(n2, "inbox"))["texts"]

    played(cluster, main)


def test_weather_is_between_nodes_and_is_measured(tmp_path: Path) -> None:
    """Latency delays what nodes send one another, and shows in readings; clients have none."""
    options = {"latency_ms": "60", "latency_distribution": "constant"}
    cluster = cluster_in(tmp_path, cluster_options=options)

    async def main() -> None:
        await ask(cluster.address("n1"), "send", dest="n2", text="slow")
        await until(lambda: arrived(cluster.address("n2"), "slow"))
        readings = await cluster.network.measure()
        delay_ms = readings["n1", "n2"].delay_ms
        assert delay_ms is not None
        assert 60 <= delay_ms < 500
        assert (readings["n1", CLIENT].delay_ms or 0) < 50

    played(cluster, main)


def test_weather_loses_messages(tmp_path: Path) -> None:
    """With loss 1 nothing arrives, and no probe does."""
    cluster = cluster_in(tmp_path, cluster_options={"loss": "1"})

    async def main() -> None:
        await ask(cluster.address("n1"), "send", dest="n2", text="lost")
        readings = await cluster.network.measure()
        assert (False, 1) == (readings["n1", "n2"].reachable, readings["n1", "n2"].dropped)
        assert readings[CLIENT, "n2"].reachable
        assert [] == (await ask(cluster.address("n2"), "inbox"))["texts"]

    played(cluster, main)


def test_corruption_is_refused_before_the_run(tmp_path: Path) -> None:
    """Lines of JSON are carried whole, or not."""
    schedule = Schedule(duration_s=2, steps=(Step(at_s=0, id=1, action="start", fault=Corrupt()),))
    (reason,) = refusals(schedule, cluster_in(tmp_path))
    assert "JSON lines whole" in reason


def test_nothing_outlives_the_cluster(tmp_path: Path) -> None:
    """After stop every process that was started is gone."""
    started: list[int] = []
    cluster = cluster_in(tmp_path, on_process=lambda pid, _created, _name: started.append(pid))

    async def main() -> None:
        assert [True] * 4 == [psutil.pid_exists(pid) for pid in started]

    played(cluster, main)
    assert [] == [pid for pid in started if psutil.pid_exists(pid)]


async def arrived(address: Address, text: str) -> bool:
    return text in (await ask(address, "inbox"))["texts"]
