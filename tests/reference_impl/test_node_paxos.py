"""Three real nodes on loopback: what was chosen outlives SIGKILL of one and of all."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NAMES = ("n1", "n2", "n3")
ASK_AGAIN = {"no-leader", "overloaded", "leadership-lost", "timeout"}  # all we ask is idempotent


class Trio:
    """Three nodes of one protocol; `ask` speaks to one of them."""

    def __init__(self, protocol: str, directory: Path, ports: list[int], start: Any) -> None:
        self.protocol, self.directory, self.begin = protocol, directory, start
        self.peer_ports = dict(zip(NAMES, ports[:3], strict=True))
        self.client_ports = dict(zip(NAMES, ports[3:], strict=True))
        self.nodes: dict[str, Any] = {}

    def start(self, name: str) -> None:
        argv = [
            *(sys.executable, "-m", "reference_impl.node"),
            *(f"--name={name}", f"--protocol={self.protocol}", "--seed=5"),
            f"--data={self.directory / name}",
            f"--trace={self.directory / name}.trace",
            f"--peer-listen=127.0.0.1:{self.peer_ports[name]}",
            f"--client-listen=127.0.0.1:{self.client_ports[name]}",
            *(f"--peer={p}=127.0.0.1:{self.peer_ports[p]}" for p in NAMES if p != name),
        ]
        self.nodes[name] = self.begin(name, argv, self.client_ports[name])

    def start_all(self) -> None:
        for name in NAMES:
            self.start(name)
        for node in self.nodes.values():
            node.await_listening()

    def trace(self, name: str) -> list[dict[str, Any]]:
        text = (self.directory / f"{name}.trace").read_text()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def trio(
    request: pytest.FixtureRequest, tmp_path: Path, free_ports: Any, start: Any, connect: Any
) -> Callable[..., Any]:
    """The nodes, started, and ask(name, f, key, value): the result, asked again while there is
    no leader."""
    nodes = Trio(request.param, tmp_path, free_ports(6), start)
    nodes.start_all()

    def ask(name: str, f: str, key: str, value: Any = None) -> Any:
        client = connect(nodes.client_ports[name])
        for _ in range(1_000_000):
            answer = client.ask(f, key=key, value=value)
            if answer.get("error", {}).get("code") not in ASK_AGAIN:
                break
        assert "ok" in answer, answer
        return answer["ok"]

    nodes.ask = ask
    return nodes


@pytest.mark.parametrize("trio", ["synod"], indirect=True)
def test_a_chosen_value_stays_chosen(trio: Trio) -> None:
    """T23: every node names one value for a key, after SIGKILL of one node and then of all."""
    chosen = trio.ask("n1", "propose", "k", "first")
    trio.nodes["n3"].kill()
    assert trio.ask("n2", "propose", "k", "second") == chosen == "first"
    trio.ask("n2", "propose", "without n3", "x")
    trio.start("n3")
    trio.nodes["n3"].await_listening()
    assert trio.ask("n3", "propose", "without n3", "y") == "x"
    for node in trio.nodes.values():
        node.kill()
    trio.start_all()

    assert [trio.ask(name, "propose", "k", name) for name in NAMES] == ["first"] * 3
    assert [e["event"] for e in trio.trace("n3")].count("restart") == 3
    assert trio.trace("n3")[0]["event"] == "restart"


@pytest.mark.parametrize("trio", ["multipaxos"], indirect=True)
def test_a_replicated_write_outlives_its_nodes(trio: Trio) -> None:
    """T23 for the log: what was written through one node is read through every other, after
    SIGKILL of any one node and then of all."""
    for round_number, victim in enumerate(NAMES):
        trio.ask(victim, "put", "r", round_number)
        trio.nodes[victim].kill()
        for other in NAMES:
            if other != victim:
                assert trio.ask(other, "get", "r") == round_number
        trio.start(victim)
        trio.nodes[victim].await_listening()
        assert trio.ask(victim, "get", "r") == round_number
    for node in trio.nodes.values():
        node.kill()
    trio.start_all()

    assert [trio.ask(name, "get", "r") for name in NAMES] == [2, 2, 2]


@pytest.mark.parametrize("trio", ["synod", "multipaxos"], indirect=True)
def test_bad_requests_and_an_end_on_request(trio: Trio, connect: Any) -> None:
    """Rule: the machine refuses what is no request of its own; SIGTERM ends every node cleanly."""
    client = connect(trio.client_ports["n1"])
    codes = {
        client.ask(f, **fields)["error"]["code"]
        for f in ("propose", "learn", "put", "get", "cas", "append", "nothing", "")
        for fields in ({}, {"key": 5}, {"key": ["k"]}, {"key": {}, "value": [1, 2, 3]})
    }

    assert codes == {"malformed", "unsupported"}
    for node in trio.nodes.values():
        node.popen.send_signal(signal.SIGTERM)
    assert [node.popen.wait(timeout=10) for node in trio.nodes.values()] == [0, 0, 0]


def test_a_wrong_command_line_is_a_sentence(start: Any, tmp_path: Path) -> None:
    """Rule: an unknown mutant or a bad address names what was expected."""
    good = [
        *(sys.executable, "-m", "reference_impl.node", "--name=n1", "--protocol=synod"),
        *(f"--data={tmp_path}", "--peer-listen=127.0.0.1:1", "--client-listen=127.0.0.1:1"),
    ]
    for wrong, words in {
        "--mutant=half-qorum": "half-quorum",
        "--peer=n2": "'n2' is no peer; give NAME=HOST:PORT",
        "--peer=n2=localhost": "'localhost' is no address; give HOST:PORT",
        "--reads=memory": "invalid choice: 'memory'",
    }.items():
        node = start(f"wrong{len(wrong)}", [*good, wrong], 1)
        assert node.popen.wait(timeout=10) == 2
        assert words in node.log
        assert "Traceback" not in node.log
