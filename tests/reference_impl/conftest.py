"""Nodes as processes: started on free ports, ended whatever the test does."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TOY = Path(__file__).with_name("toy_node.py")


class Client:
    """A blocking client of a node's port."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.lines = self.socket.makefile("rb")

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def read(self) -> Any:
        """The next answer; None if the node hung up."""
        line = self.lines.readline()
        return json.loads(line) if line else None

    def ask(self, f: str, **fields: Any) -> Any:
        self.send(json.dumps({"id": 1, "f": f, **fields}).encode() + b"\n")
        return self.read()

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


class Process:
    """A node. `log` is its standard error so far; the process listens once it is constructed."""

    def __init__(self, argv: list[str], log: Path, client_port: int) -> None:
        self.log_path, self.client_port = log, client_port
        with log.open("ab") as stderr:
            self.popen = subprocess.Popen(argv, stderr=stderr, stdin=subprocess.DEVNULL)

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def await_listening(self) -> "Process":
        """Connect until it is accepted: refused at once while the node does not listen yet."""
        while True:
            assert self.popen.poll() is None, self.log
            try:
                Client(self.client_port).close()
            except ConnectionRefusedError:
                continue
            return self


@pytest.fixture
def free_ports() -> Callable[[int], list[int]]:
    """Ports of 127.0.0.1 that nobody listened on when asked."""

    def find(count: int) -> list[int]:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        ports = [s.getsockname()[1] for s in sockets]
        for s in sockets:
            s.close()
        return ports

    return find


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """start(name, argv, client_port): a node that is killed at the end of the test."""
    processes: list[Process] = []

    def begin(name: str, argv: list[str], client_port: int) -> Process:
        process = Process(argv, tmp_path / f"{name}.log", client_port)
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()


@pytest.fixture
def connect() -> Iterator[Callable[[int], Client]]:
    clients: list[Client] = []

    def make(port: int) -> Client:
        clients.append(Client(port))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def toy(
    tmp_path: Path,
    free_ports: Callable[[int], list[int]],
    start: Callable[..., Process],
) -> Callable[..., Process]:
    """toy(name, **options): a node with the toy machine; its ports are drawn unless given."""

    def begin(name: str = "n1", *, await_listening: bool = True, **options: Any) -> Process:
        peer_port, client_port = free_ports(2)
        defaults = {
            "name": name,
            "data": str(tmp_path / name),
            "peer_port": peer_port,
            "client_port": client_port,
        }
        options = defaults | options
        argv = [sys.executable, str(TOY), json.dumps(options)]
        process = start(name, argv, options["client_port"])
        return process.await_listening() if await_listening else process

    return begin
