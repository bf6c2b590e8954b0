"""A node as a process: what its ports do with good and bad input, how it ends, what it keeps."""

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from reference_impl.clientport import DEPTH_MAX, LINE_BYTES_MAX

Toy = Callable[..., Any]
Connect = Callable[[int], Any]
Ports = Callable[[int], list[int]]


def test_what_was_answered_survives_sigkill(toy: Toy, connect: Connect) -> None:
    """T23: a value is on disk before its answer leaves."""
    node = toy()
    client = connect(node.client_port)
    answers = [client.ask("add", value=2)["ok"] for _ in range(20)]
    node.kill()

    again = connect(toy().client_port).ask("add", value=0)

    assert answers == list(range(2, 42, 2))
    assert again == {"id": 1, "ok": 40}


def test_sigterm_ends_it_cleanly(toy: Toy, connect: Connect) -> None:
    """Rule: a node that is asked to end does so with exit code 0, open connections or not."""
    node = toy()
    client = connect(node.client_port)
    client.ask("status")
    node.popen.send_signal(signal.SIGTERM)

    assert node.popen.wait(timeout=10) == 0
    assert client.read() is None
    assert "n1 ends" in node.log


def test_requests_on_one_connection_are_answered_by_id(toy: Toy, connect: Connect) -> None:
    """Rule: a client may have several requests open; ids, integers or strings, match answers."""
    client = connect(toy().client_port)
    client.send(b'{"id": "a", "f": "wait", "value": 0.05}\n{"id": 7, "f": "add", "value": 1}\n')

    assert client.read() == {"id": 7, "ok": 1}
    assert client.read() == {"id": "a", "ok": "late"}


def test_a_client_that_ends_its_half_still_gets_its_answers(toy: Toy, connect: Connect) -> None:
    """Rule: `echo '{"f": "status"}' | nc` works."""
    client = connect(toy().client_port)
    client.send(b'{"f": "wait", "value": 0.05}\n')
    client.socket.shutdown(socket.SHUT_WR)

    assert client.read() == {"id": None, "ok": "late"}
    assert client.read() is None


BAD_LINES = [
    b"no json",
    b"\xff\xfe\x00",
    b"[1, 2]",
    b'"text"',
    b'{"id": 1}',
    b'{"id": 1, "f": 5}',
    b'{"id": 1.5, "f": "add"}',
    b'{"id": [1], "f": "add"}',
    b'{"id": 1, "f": "add", "value": 99999999999999999999999}',
    b'{"id": 99999999999999999999999, "f": "status"}',
    b'{"id": 1, "f": "add", "value": 1e999}',
    b'{"id": 1, "f": "add", "value": "\\ud800"}',
    b'{"id": 1, "f": "add", "value": NaN}',
    b'{"f": "add", "value": ' + b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1) + b"}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
]


def test_a_bad_line_is_answered_and_the_connection_goes_on(toy: Toy, connect: Connect) -> None:
    """Rule: malformed input gets the error `malformed`, never silence and never a crash."""
    client = connect(toy().client_port)
    for number, line in enumerate(BAD_LINES, 1):
        client.send(line + b"\n")

        assert client.read()["error"]["code"] == "malformed", line[:40]
        assert client.ask("add", value=1) == {"id": 1, "ok": number}


def test_what_is_deep_but_within_the_limit_is_carried(toy: Toy, connect: Connect) -> None:
    """Rule: brackets are counted, depth is judged: a long flat list is no deep value."""
    client = connect(toy().client_port)

    assert client.ask("nothing", value=[[n] for n in range(200)])["error"]["code"] == "unsupported"


def test_an_endless_line_ends_the_connection_with_an_error(toy: Toy, connect: Connect) -> None:
    """Rule: a line past the limit is refused while it comes; it is not kept in memory."""
    node = toy()
    client = connect(node.client_port)
    client.send(b"x" * (LINE_BYTES_MAX + 1))

    assert client.read()["error"]["code"] == "malformed"
    assert client.read() is None
    assert connect(node.client_port).ask("add", value=1) == {"id": 1, "ok": 1}


def _frame(content: bytes, length: int | None = None) -> bytes:
    return (len(content) if length is None else length).to_bytes(4, "big") + content


def test_noise_on_both_ports_leaves_the_node_alive(
    toy: Toy, connect: Connect, free_ports: Ports
) -> None:
    """Rule: whatever comes in, the node goes on answering and hears its peers."""
    peer_port, other = free_ports(2)
    node = toy(peer_port=peer_port, peers={"n2": other})
    rng = Random(7)
    good = msgspec.msgpack.encode(("n2", "hello"))
    frames = [
        *(_frame(rng.randbytes(rng.randrange(60))) for _ in range(300)),
        *(_frame(good[:n]) for n in range(len(good))),
        _frame(b"\x92\xa2n2" + b"\x91" * 5000 + b"\x01"),
        _frame(msgspec.msgpack.encode(("n1", "from itself"))),
        _frame(msgspec.msgpack.encode(("n9", "from a stranger"))),
        _frame(b""),
    ]
    for port in (peer_port, node.client_port):
        for _ in range(20):
            connect(port).send(rng.randbytes(3000))
        connect(port).send(_frame(b"", length=2**32 - 1))
        connect(port).send(b"".join(frames))
    peer = connect(peer_port)
    peer.send(b"".join(frames) + _frame(good))

    client = connect(node.client_port)
    heard = []
    while ["n2", "hello"] not in heard:  # frames of several connections come in any order
        heard = client.ask("heard")["ok"]

    assert {src for src, _ in heard} == {"n2"}
    assert node.popen.poll() is None


def test_frames_in_any_pieces_are_messages(toy: Toy, connect: Connect, free_ports: Ports) -> None:
    """Rule: TCP may cut the stream anywhere."""
    peer_port, other = free_ports(2)
    node = toy(peer_port=peer_port, peers={"n2": other})
    messages = ["a", "b" * 300, {"c": [1, None]}]
    peer = connect(peer_port)
    for byte in b"".join(_frame(msgspec.msgpack.encode(("n2", m))) for m in messages):
        peer.send(bytes([byte]))

    client = connect(node.client_port)
    heard: list[Any] = []
    while len(heard) < len(messages):
        heard = client.ask("heard")["ok"]

    assert heard == [["n2", m] for m in messages]


def test_nodes_find_one_another_again_after_a_kill(
    toy: Toy, connect: Connect, free_ports: Ports
) -> None:
    """Rule: a node dials its peers until they answer, in any order, as often as needed."""
    ports = free_ports(2)
    one = toy("n1", peer_port=ports[0], peers={"n2": ports[1]})
    client = connect(one.client_port)
    for life in range(2):
        two = toy("n2", peer_port=ports[1], peers={"n1": ports[0]})
        listener = connect(two.client_port)
        while ["n1", life] not in listener.ask("heard")["ok"]:
            client.ask("tell", value=life)
        two.kill()


def test_a_port_in_use_is_a_sentence(toy: Toy, connect: Connect, tmp_path: Path) -> None:
    """Rule: trouble at the start names the address and ends with exit code 1, not a hang."""
    node = toy("n1")
    second = toy("n2", client_port=node.client_port, await_listening=False)

    assert second.popen.wait(timeout=10) == 1
    assert f"cannot listen on 127.0.0.1:{node.client_port}: the port is in use" in second.log
    assert tmp_path.exists()
    assert connect(node.client_port).ask("status")["ok"]["ready"] is True


def test_a_data_directory_in_use_is_a_sentence(toy: Toy) -> None:
    """Rule: two nodes never share a data directory; the message names the one that has it."""
    node = toy("n1")
    second = toy("n1", await_listening=False)

    assert second.popen.wait(timeout=10) == 1
    assert f"in use by process {node.popen.pid}" in second.log


def test_a_disk_that_takes_no_more_ends_the_node_without_an_answer(
    toy: Toy, connect: Connect
) -> None:
    """Rule: what cannot be made durable is not answered; the next life has all that was."""
    node = toy(file_bytes_max=600)
    client = connect(node.client_port)
    answers = []
    while answer := client.ask("add", value=1):
        answers.append(answer["ok"])

    assert node.popen.wait(timeout=10) == 1
    assert "cannot write" in node.log
    assert connect(toy().client_port).ask("add", value=0)["ok"] == answers[-1]


def test_the_trace_survives_sigkill_and_drops_a_torn_line(
    toy: Toy, connect: Connect, tmp_path: Path
) -> None:
    """Rule: an event is in the file before an answer that follows it; each life starts with
    `restart`; a line that a kill cut short is gone when the next life begins."""
    trace = tmp_path / "trace.jsonl"
    node = toy(trace=str(trace))
    client = connect(node.client_port)
    for value in range(5):
        client.ask("add", value=value)
    node.kill()
    with trace.open("ab") as torn:
        torn.write(b'{"time": 12, "no')
    toy(trace=str(trace))

    events = [json.loads(line) for line in trace.read_text().splitlines()]

    assert [e["event"] for e in events] == ["restart", *["added"] * 5, "restart"]
    assert [e["value"] for e in events[1:-1]] == list(range(5))
    assert {e["node"] for e in events} == {"n1"}
    assert sorted(events, key=lambda e: e["time"]) == events
