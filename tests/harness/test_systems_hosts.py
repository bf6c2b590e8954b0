"""Files for systems that bring their own ways: members, clusters, questions, clients in Python."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from checkers.history import Operation
from harness import systems
from harness.contracts import BrokenClient, Completion, EnvironmentTrouble, Framing
from harness.trial import TrialError
from harness.worker import threaded_if_plain
from tests.harness.test_systems import plan, problems, written

FILE = """\
name: hosted
command: [run, "{peers}", "--all={members}"]
ports: {client: {port: 2379}, peer: {port: 2380}}
peers: {each: ["-p={peer}"]}
members: {each: "{member}=http://{ip}:{port.peer}", join: ","}
workloads: [register, set]
client: {program: [talk]}
"""
HOSTS = {"n2": "10.0.0.2", "n1": "10.0.0.1", "n3": "10.0.0.3"}


def test_members_are_the_same_text_on_every_node(tmp_path: Path) -> None:
    """Its own included, in one order, each with the number of its port."""
    system = systems.system(written(tmp_path, FILE))
    listen = {"client": ("10.0.0.1", 2379), "peer": ("10.0.0.1", 2380)}

    command = system.command(plan(hosts=HOSTS, listen=listen))

    every = "n2=http://10.0.0.2:2380,n1=http://10.0.0.1:2380,n3=http://10.0.0.3:2380"
    assert ("run", "-p=n2", "-p=n3", f"--all={every}") == command.argv
    assert ("namespaces", "ssh") == tuple(system.clusters)
    assert ("register", "set") == tuple(system.workloads)
    assert {"client": Framing(port=2379), "peer": Framing(port=2380)} == system.framings


def test_members_may_be_several_arguments(tmp_path: Path) -> None:
    """Without `join`, as many as there are nodes."""
    text = FILE.replace('"{member}=http://{ip}:{port.peer}", join: ","', '["-m", "{member}"]')
    system = systems.system(written(tmp_path, text.replace("--all={members}", "{members}")))

    assert ("-m", "n2", "-m", "n1", "-m", "n3") == system.command(plan(hosts=HOSTS)).argv[3:]


def test_a_file_may_say_where_it_runs(tmp_path: Path) -> None:
    """Without a word it runs wherever nodes have addresses; the first of a list is its default."""
    plain = "\n".join(line for line in FILE.splitlines() if not line.startswith("members"))
    plain = plain.replace(', "--all={members}"', "")

    anywhere = systems.system(written(tmp_path, plain))
    assert ("local", "namespaces", "ssh") == tuple(anywhere.clusters)
    chosen = systems.system(written(tmp_path, plain + "\nclusters: [ssh, local]"))
    assert ("ssh", "local") == tuple(chosen.clusters)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("clusters: [local]", "8: members need one address for each node, and on cluster 'local'"),
        ("clusters: [namespace]", "8: an item of clusters is 'namespace'. Did you mean 'namespac"),
        ("clusters: []", "8: clusters is empty. Valid are: namespaces, ssh."),
        ("ready: {http: 'https://{ip}'}", "8: http of ready is 'https://{ip}'. Write 'http://"),
        ("ready: {}", "8: ready needs one of 'command' and 'http'."),
        ("leader: {command: ['{nod}']}", "8: a word of leader: '{nod}' has an unknown placeholder"),
        ("install: []", "8: install is empty. Give a command, or leave it out."),
        ("install: [[]]", "8: a command of install is empty. Give the program."),
        ("wipe: rm", "8: wipe must be a list, as in [a, b], not the text 'rm'."),
        ("logs: ['{dat}/x']", "8: an item of logs: '{dat}/x' has an unknown placeholder 'dat'."),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, line: str, expected: str) -> None:
    """Of the settings around a node's life, and of its places."""
    assert expected == problems(tmp_path, FILE + line)[0][: len(expected)]


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("{pyton: a}", "7: client has no setting 'pyton'. Did you mean 'python'"),
        ("{program: []}", "7: program of client is empty. Give the program and its arguments."),
        ("{program: ['{nod}']}", "7: an item of program: '{nod}' has an unknown placeholder 'nod'"),
        ("{python: gateway}", "7: python of client is 'gateway'. Write 'module:Class'."),
        ("{python: 'a:B', protocol: json-lines}", "7: client has both 'python' and 'protocol'"),
    ],
)
def test_a_mistake_about_clients_is_told(tmp_path: Path, client: str, expected: str) -> None:
    """Each kind of client has settings of its own."""
    text = FILE.replace("{program: [talk]}", client)
    assert expected in [told[: len(expected)] for told in problems(tmp_path, text)]


def test_two_ports_of_one_number_are_told(tmp_path: Path) -> None:
    """One of them could not listen."""
    told = problems(tmp_path, FILE.replace("2380", "2379"))
    assert ["3: ports client and peer are both 2379. Give each a number of its own."] == told


CLASS = """
from harness.contracts import Completion
class Client:
    def __init__(self, node, address, workload, timeout_s):
        self.told = f"{node} {address[1]} {workload} {timeout_s}"
    ASYNCdef open(self): ...
    ASYNCdef close(self): ...
    ASYNCdef invoke(self, operation):
        return Completion("ok", self.told)
"""


def of_class(directory: Path, module: str, text: str) -> systems.System:
    (directory / f"{module}.py").write_text(text)
    client = f"{{python: '{module}:Client'}}"
    return systems.system(written(directory, FILE.replace("{program: [talk]}", client)))


@pytest.mark.parametrize("kind", ["", "async"], ids=["plain", "async"])
def test_a_client_may_be_a_class(tmp_path: Path, kind: str) -> None:
    """Beside the file, of coroutines or plain functions, made with what it needs to know."""
    system = of_class(
        tmp_path, f"client_{kind}x", CLASS.replace("ASYNC", f"{kind} " if kind else "")
    )

    async def main() -> Completion:
        client = threaded_if_plain(system.client("n1", ("127.0.0.1", 5), "register", 0.5))
        await client.open()
        asked = Operation(type="invoke", f="read", value=None, time=0, process=1, index=0)
        try:
            return await client.invoke(asked)
        finally:
            await client.close()

    assert Completion("ok", "n1 5 register 0.5") == asyncio.run(main())


@pytest.mark.parametrize(
    ("module", "text", "expected"),
    [
        ("client_less", "class Client:\n    open = close = print", "has no method invoke. Add it"),
        ("client_args", CLASS.replace("ASYNC", "").replace("timeout_s):", "s):"), "cannot be call"),
        ("client_dies", "1 / 0", "cannot be imported: ZeroDivisionError: division by zero."),
        ("client_none", "", "has no 'Client' that can be called"),
    ],
)
def test_a_class_that_cannot_be_a_client_is_told(
    tmp_path: Path, module: str, text: str, expected: str
) -> None:
    """When the file is read: nothing has started then."""
    with pytest.raises(TrialError, match=expected):
        of_class(tmp_path, module, text)


def test_a_class_whose_objects_cannot_be_made_is_told(tmp_path: Path) -> None:
    """It would otherwise look like a system that nobody can reach."""
    text = CLASS.replace("ASYNC", "").replace("self.told =", "1 / 0; self.told =")
    system = of_class(tmp_path, "client_raises", text)

    with pytest.raises(BrokenClient, match="node n1 could not be made: ZeroDivisionError"):
        system.client("n1", ("127.0.0.1", 5), "register", 0.5)


def test_a_node_is_asked_by_command_or_over_http(tmp_path: Path) -> None:
    """Exit status 0 and an answer 2xx are a yes, all else is a no; a missing program is told."""
    asks = 'ready: {http: "http://{address}/up?{node}"}\nleader: {command: [test, "{node}", =, n2]}'
    system = systems.system(written(tmp_path, FILE + asks))
    heard = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readline()).decode().strip())
        status = b"204 Yes" if heard[-1].endswith("n1 HTTP/1.1") else b"503 No"
        writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
        writer.close()

    async def main() -> tuple[bool, bool, bool, tuple[str, ...]]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        first, second = await system.ready("n1", address), await system.ready("n2", address)
        leaders = await system.leaders({"n1": address, "n2": address, "n3": address})
        server.close()
        await server.wait_closed()
        return first, second, await system.ready("n1", address), leaders

    assert (True, False, False, ("n2",)) == asyncio.run(main())
    assert ["GET /up?n1 HTTP/1.1", "GET /up?n2 HTTP/1.1"] == heard
    missing = systems.system(written(tmp_path, FILE + "ready: {command: [no-such-question]}"))
    with pytest.raises(EnvironmentTrouble, match="node n1: the command that asks for its readin"):
        asyncio.run(missing.ready("n1", ("127.0.0.1", 1)))


def test_a_question_that_hangs_is_a_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One paused node must not hide who leads among the others."""
    monkeypatch.setattr("harness.systems.command.LEADS_LIMIT_S", 0.5)
    asks = 'leader: {command: [sh, -c, "test {node} = n1 && sleep 60; true"]}'
    system = systems.system(written(tmp_path, FILE + asks))

    leaders = asyncio.run(system.leaders({"n1": ("127.0.0.1", 1), "n2": ("127.0.0.1", 1)}))

    assert ("n2",) == leaders
