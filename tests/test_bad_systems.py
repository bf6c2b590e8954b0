"""Programs that do not do what their system's file says: node and lack are named, nothing is lost.

Each is run with the command itself, on loopback and with a host for each node.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.clusters.namespaces import world
from tests.command import Command, finished

HERE = Path(__file__).parent
NODE = HERE / "harness" / "bad_node.py"
CLIENT = HERE / "harness" / "client_program.py"
SYSTEM = """\
name: mine
command: {command}
ports: {{client: {{framing: line}}}}
workloads: {workloads}
client: {client}
{more}
"""
CALLS = "{register: {calls: {read: get, write: put, cas: cas}}}"
QUICK = ("--faults", "none", "--nodes", "1", "--clients", "1", "--workload", "register")


@pytest.fixture(params=["local", "namespaces"])
def cluster(request: pytest.FixtureRequest) -> str:
    reason = world.obstacle() if request.param == "namespaces" else None
    if reason is not None:
        assert os.environ.get("CI") != "true", f"in CI this must run: {reason}"
        pytest.skip(reason)
    return str(request.param)


def started(
    home: Path,
    cluster: str,
    command: str,
    *words: str,
    client: str = "{protocol: json-lines, status: status}",
    workloads: str = CALLS,
    more: str = "",
) -> Command:
    file = home / "mine.yaml"
    text = SYSTEM.format(command=command, client=client, workloads=workloads, more=more)
    file.write_text(text)
    return Command(home, "run", "--system", str(file), "--cluster", cluster, *QUICK, *words)


def node(mode: str) -> str:
    return f'["{{python}}", -IS, {NODE}, {mode}, "{{ip.client}}", "{{port.client}}"]'


def assert_told(run: Command, *words: str) -> None:
    assert 255 == run.end(), run.out + run.err
    for word in words:
        assert word in run.err
    assert "Traceback" not in run.err
    assert [] == run.left_over()


COMMANDS = {
    "is not there": ("[no-such-program]", "node n1 cannot be started: ", "'no-such-program'"),
    "may not run": ('["{here}/locked"]', "node n1 cannot be started: ", "Permission denied"),
    "is of another machine": ('["{here}/foreign"]', "node n1 cannot be started: ", "Exec format"),
    "dies": (node("dying"), "node n1 ended at start (exit status 1)", "  this node is dying"),
    "answers otherwise": (node("garbage"), "node n1 was asked for 'status'", "  this node is garb"),
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_binary_that_does_not_serve_is_told(tmp_path: Path, cluster: str, kind: str) -> None:
    """What was tried with which node, what came, and the last lines of its log, if it wrote any."""
    (tmp_path / "locked").write_text("#!/bin/sh\n")
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00" + bytes(44))
    foreign.chmod(0o755)
    command, *words = COMMANDS[kind]

    with started(tmp_path, cluster, command) as run:
        assert_told(run, *words)
        assert run.folder.joinpath("run.log").is_file()


@pytest.mark.parametrize("mode", ["chatty", "stubborn"])
def test_a_binary_of_bad_manners_is_run(tmp_path: Path, cluster: str, mode: str) -> None:
    """One that writes much, and one that ignores SIGTERM: neither is left when the run ends."""
    asks = "{register: {calls: {read: status, write: status, cas: status}}}"
    with started(tmp_path, cluster, node(mode), "--time-limit", "0.3", workloads=asks) as run:
        assert run.end() in (0, 1, 2), run.err
        assert [] == run.left_over()


def test_a_command_that_fails_to_install_is_told(tmp_path: Path, cluster: str) -> None:
    """With what it printed; the node is not started."""
    install = 'install: [sh, -c, "echo no compiler here; exit 7"]'
    with started(tmp_path, cluster, node("good"), more=install) as run:
        assert_told(
            run, "node n1: the command to install it", "exit status 7", "  no compiler here"
        )
        assert "this node is" not in run.err


def test_commands_and_logs_of_a_node_are_its_systems(tmp_path: Path, cluster: str) -> None:
    """Wiped, installed, started, and stopped by its own command, which needs no signal; what it
    names as a log is kept, and asked for is what the file says."""
    order = tmp_path / "order"
    order.write_text("")
    says = f'[sh, -c, "echo {{}} >> {order}{{}}"]'
    more = "\n".join(
        (
            f"wipe: [{says.format('wiped', '')}]",
            f"install: {says.format('installed', '')}",
            f"stop: {says.format('stopped', '; kill -9 $(cat {data}/pid)')}",
            "logs: ['/tmp/mine-{node}.log']",
            "ready: {command: [test, -e, " + str(tmp_path / "up") + "]}",
            "leader: {http: 'http://{address}/leader'}",
        )
    )
    command = (
        f'[sh, -c, "echo $$ > {{data}}/pid; echo kept > /tmp/mine-{{node}}.log; echo started >> '
        f'{order}; touch {tmp_path}/up; exec {{python}} -IS {NODE} good {{ip}} {{port.client}}"]'
    )
    asks = "{register: {calls: {read: status, write: status, cas: status}}}"
    with started(
        tmp_path, cluster, command, "--time-limit", "0.3", workloads=asks, more=more
    ) as run:
        assert run.end() in (0, 1, 2), run.err
        assert ["wiped", "installed", "started", "stopped"] == order.read_text().split()
        kept = run.folder / "nodes" / "n1" / "logs" / "mine-n1.log"
        assert "kept\n" == kept.read_text(), run.out
    Path("/tmp/mine-n1.log").unlink(missing_ok=True)


def test_a_command_that_asks_and_is_not_there_is_told(tmp_path: Path, cluster: str) -> None:
    """No waiting would mend it."""
    ready = "ready: {command: [no-such-question]}"
    with started(tmp_path, cluster, node("good"), more=ready) as run:
        assert_told(run, "node n1: the command that asks for its readiness", "no-such-question")


CLIENTS = {
    "nonsense": "with 'what was the question?', which is no completion",
    "hang": "within its 0.2 s (and as much of grace)",
}


@pytest.mark.parametrize("mode", CLIENTS)
def test_a_client_program_that_breaks_ends_the_run_in_order(
    tmp_path: Path, cluster: str, mode: str
) -> None:
    """What was recorded until then is kept, and can be judged later."""
    client = f'{{program: ["{{python}}", -IS, {CLIENT}, {mode}-20]}}'
    limits = ("--time-limit", "600", "--operation-timeout", "0.2")
    with started(
        tmp_path, cluster, node("good"), *limits, client=client, workloads="[register]"
    ) as run:
        assert_told(run, "The client program for node n1", CLIENTS[mode], f"this client is {mode}")
        assert 20 == sum(o["type"] in ("ok", "fail") for o in run.journal())
        folder = run.folder
    (tmp_path / "later").mkdir()
    code, out, err = finished(tmp_path / "later", "check", str(folder), "--json")
    assert code in (0, 2), out + err
    assert json.loads(out)


def test_a_class_of_clients_that_cannot_be_used_starts_nothing(tmp_path: Path) -> None:
    """The description is at fault: 254, before anything runs."""
    (tmp_path / "mine_client.py").write_text("class Client:\n    def open(self): ...\n")
    client = '{python: "mine_client:Client"}'
    with started(tmp_path, "local", "[x]", client=client, workloads="[register]") as run:
        assert 254 == run.end()
        assert "'mine_client:Client' has no method invoke, close" in run.err
        assert [] == list(run.cwd.iterdir())
