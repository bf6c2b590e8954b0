"""Systems described by files: how they are found, what a file says, what is told about mistakes."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import systems
from harness.contracts import Command, Framing, NodePlan
from harness.systems import registry
from harness.trial import TrialError

GOOD = """
name: toy
command: ["{here}/toy", --id, "{node}", --at, "{ip}:{port.client}", --brace, "{{}}",
          "{peers}", "{args}", "{options}"]
env: {TOY_DATA: "{data}/x", TOY_SEED: "{seed}"}
cwd: "{here}"
peers: {each: [-p, "{peer}@{ip}:{port}"]}
ports:
  peer: {framing: length, prefix_bytes: 2}
  client: {framing: line}
options:
  sync: {choices: [on, off], default: on, args: [--sync, "{value}"]}
  color: {args: ["--color={value}"]}
workloads:
  register: {calls: {read: get, write: put}}
  log: {args: [--log], calls: {append: add, read: {call: get, absent: []}}}
client:
  protocol: json-lines
  status: hello
  reads: [get]
  errors: {full: fail, lost: info}
"""


NO_CLIENT = GOOD.replace("  client: {framing: line}\n", "").replace("{port.client}", "")
NO_PEER = GOOD.replace("  peer: {framing: length, prefix_bytes: 2}\n", "")


def written(directory: Path, text: str) -> Path:
    path = directory / "system.yaml"
    path.write_text(text)
    return path


def plan(**changes: Any) -> NodePlan:
    defaults: dict[str, Any] = {
        "name": "n1",
        "data": Path("/data/n1"),
        "listen": {"peer": ("127.0.0.1", 71), "client": ("127.0.0.1", 81)},
        "peers": {"n2": ("127.0.0.1", 702), "n3": ("127.0.0.1", 703)},
        "trace": Path("/data/n1.trace"),
        "seed": 9,
        "workload": "register",
        "options": {},
    }
    return NodePlan(**(defaults | changes))


def problems(directory: Path, text: str) -> list[str]:
    """The mistakes of a file, each without the path before its line number."""
    path = written(directory, text)
    with pytest.raises(TrialError) as refused:
        systems.system(path)
    return [problem.removeprefix(f"{path}:") for problem in refused.value.problems]


def test_a_file_says_how_a_node_is_started(tmp_path: Path) -> None:
    """Rule: placeholders are filled in from the plan; {peers}, {args} and {options} become as many
    arguments as there are."""
    system = systems.system(written(tmp_path, GOOD))

    assert system.command(plan()) == Command(
        argv=(
            *(f"{tmp_path}/toy", "--id", "n1", "--at", "127.0.0.1:81", "--brace", "{}"),
            *("-p", "n2@127.0.0.1:702", "-p", "n3@127.0.0.1:703"),
            *("--sync", "on"),
        ),
        env={"TOY_DATA": "/data/n1/x", "TOY_SEED": "9"},
        cwd=tmp_path,
    )
    changed = system.command(plan(workload="log", options={"sync": "off", "color": "red"}))
    assert changed.argv[-4:] == ("--log", "--sync", "off", "--color=red")


def test_a_file_says_names_and_framings(tmp_path: Path) -> None:
    """Rule: ports with their framings, workloads and the name come from the file."""
    system = systems.system(str(written(tmp_path, GOOD)))

    assert system.name == "toy"
    assert system.workloads == ("register", "log")
    assert system.framings == {"peer": Framing("length", 2), "client": Framing("line")}


def test_peers_may_be_joined_to_one_text(tmp_path: Path) -> None:
    """Rule: with `join`, {peers} is a text that may stand inside an argument."""
    each = '{each: [-p, "{peer}@{ip}:{port}"]}'
    text = GOOD.replace(each, '{each: "{peer}={address}", join: ","}')
    text = text.replace('"{peers}"', '"--all={node}={listen.peer},{peers}"')

    command = systems.system(written(tmp_path, text)).command(plan())

    assert "--all=n1=127.0.0.1:71,n2=127.0.0.1:702,n3=127.0.0.1:703" in command.argv


def test_options_are_judged_and_the_nearest_is_named(tmp_path: Path) -> None:
    """Rule: an unknown option or value is a sentence that names the nearest valid ones."""
    system = systems.system(written(tmp_path, GOOD))

    assert system.check_options({"sync": "off", "color": "anything"}) == []
    assert system.check_options({"snyc": "on", "sync": "offf"}) == [
        "system toy has no option 'snyc'. Did you mean 'sync'?",
        "option sync is 'offf'. Did you mean 'off'?",
    ]


def test_choices_may_come_from_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule: the mutants of a system are those registered under its own name."""

    class Entry:
        def __init__(self, *names: str) -> None:
            self.things = [type("Mutant", (), {"name": name}) for name in names]

        def load(self) -> list[Any]:
            return self.things

    groups = {"paxos": [Entry("half-quorum", "lowest-report")], "raft": [Entry("no-log")]}
    monkeypatch.setattr(
        "harness.systems.command.entry_points", lambda group, name: groups.get(name, group)
    )
    system = systems.system("paxos")

    assert system.check_options({"mutant": "half-quorum"}) == []
    assert system.check_options({"mutant": "half-qorum"}) == [
        "option mutant is 'half-qorum'. Did you mean 'half-quorum'?"
    ]
    assert len(system.check_options({"mutant": "no-log"})) == 1


def test_all_mistakes_of_a_file_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    """Rule: one reading tells every mistake, its line and what to do."""
    text = """name: [toy]
command: ["{pyton}", "--peers={peers}", "{"]
ports:
  peer: {framing: lenght}
  client: {framing: line, prefix: 2}
options:
  sync: {choices: [on, off], default: offf, args: "--sync"}
workloads:
  register: {calls: [read, write]}
  log: {call: {}}
client:
  protocol: json-lines
  port: clients
  errors: {full: failed}
  errors: {}
color: red
"""

    assert problems(tmp_path, text) == [
        "1: name must be a text, not a list.",
        "2: an item of command: '{' is no template: Single '{' encountered in format string. "
        "Write '{{' for a brace that is meant.",
        "2: an item of command: '{pyton}' has an unknown placeholder 'pyton'. "
        "Did you mean 'python'?",
        "2: an item of command: {peers} stands for several arguments: make it an item of its own.",
        "4: the framing of port peer is 'lenght'. Did you mean 'length'?",
        "5: port client has no setting 'prefix'. Did you mean 'prefix_bytes'?",
        "7: args of option sync must be a list, as in [a, b], not the text '--sync'.",
        "7: the default of option sync is 'offf'. Did you mean 'off'?",
        "9: calls of workload register must be a mapping of names to values, not a list.",
        "10: workload log has no setting 'call'. Did you mean 'calls'?",
        "10: workload log lacks the setting 'calls'. Add it.",
        "13: client has no setting 'port'. Did you mean 'protocol'?",
        "15: 'errors' is given twice in client. Keep one.",
        "16: a system has no setting 'color'. Valid are: client, clusters, command, cwd, env, "
        "install, leader, logs, machine, members, name, options, peers, ports, ready, stop, wipe, "
        "workloads.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: a system must be a mapping of names to values, not nothing."),
        ("- a", "1: a system must be a mapping of names to values, not a list."),
        ("name: a\nname: [", "2: this is no YAML: expected the node content, but found "),
        ("naem: 1", "1: a system has no setting 'naem'. Did you mean 'name'?"),
        (GOOD.replace("reads: [get]", "reads: [gte]"), "20: an item of reads is 'gte'. Did you"),
        (GOOD.replace("lost: info", "lost: maybe"), "21: the meaning of error lost is 'maybe'."),
        (GOOD.replace("status: hello", "status:"), "19: status of client must be a text, not noth"),
        (GOOD.replace("prefix_bytes: 2", "prefix_bytes: 3"), "9: prefix_bytes of port peer is '3'"),
        (GOOD.replace('"{here}/toy"', '"{port.clint}"'), "3: an item of command: '{port.clint}' h"),
        (GOOD.replace('"{data}/x"', '"{args}"'), "5: env TOY_DATA: '{args}' has an unknown place"),
        (NO_CLIENT, "9: ports lacks the port 'client', through which clients reach a node. Add it"),
        (NO_PEER, "7: peers are reached at their port 'peer', which ports lacks. Add it, as in"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    """Rule: each kind of mistake has a line and a remedy, and never a traceback."""
    assert problems(tmp_path, text)[0][: len(expected)] == expected


def test_an_unknown_name_is_told_the_nearest(tmp_path: Path) -> None:
    """Rule: names and files that are not there are the caller's mistake, in one sentence."""
    with pytest.raises(TrialError, match=r"no system 'paxo'\. Did you mean 'paxos'"):
        systems.system("paxo")
    with pytest.raises(TrialError, match=r"cannot read .*none\.yaml: No such file"):
        systems.system(tmp_path / "none.yaml")


def test_what_an_entry_point_gives_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule: an entry point gives a System or a path; anything else names the entry and the lack."""

    class Entry:
        name, value = "odd", "odd:thing"

        def __init__(self, thing: Any) -> None:
            self.thing = thing

        def load(self) -> Any:
            if self.thing is None:
                raise ImportError("No module named 'odd'")
            return self.thing

    def finds(thing: Any) -> None:
        monkeypatch.setattr(registry, "entry_points", lambda **_: [Entry(thing)])

    own = systems.system("paxos")
    finds(own)
    assert systems.system("odd") is own
    finds(object())
    with pytest.raises(TrialError, match=r"neither a System nor the path .* lacks name, workloads"):
        systems.system("odd")
    finds(None)
    with pytest.raises(TrialError, match=r"as odd:thing, which cannot be loaded: No module"):
        systems.system("odd")


def test_the_reference_is_registered_like_any_other() -> None:
    """Rule: the reference is a name and a file; its command is this interpreter's."""
    system = systems.system("paxos")

    assert "paxos" in systems.names()
    assert set(system.workloads) == {"register", "consensus", "log"}
    argv = system.command(plan(workload="consensus", options={"learning": "distinguished"})).argv
    assert argv[:3] == (sys.executable, "-m", "reference_impl.node")
    assert {"--name=n1", "--peer=n3=127.0.0.1:703", "--protocol=synod"} <= set(argv)
    assert "--learning=distinguished" in argv
    assert not any("mutant" in argument for argument in argv)


def test_without_a_status_call_a_node_is_ready_when_it_accepts(tmp_path: Path) -> None:
    """Rule: a system without `status` has no leader to ask for, and is ready when it listens."""
    system = systems.system(written(tmp_path, GOOD.replace("status: hello", "")))

    async def main() -> tuple[bool, bool, tuple[str, ...]]:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        leaders = await system.leaders({"n1": address})
        listening = await system.ready("n1", address)
        server.close()
        await server.wait_closed()
        return listening, await system.ready("n1", address), leaders

    assert asyncio.run(main()) == (True, False, ())


def test_the_example_of_the_page_is_the_example() -> None:
    """Rule: the file that docs/systems.md shows is the one of examples/own-system, which a test
    runs."""
    root = Path(__file__).parents[2]
    shown = (root / "docs" / "systems.md").read_text().split("```yaml\n")[1].split("```")[0]
    file = (root / "examples" / "own-system" / "system.yaml").read_text()

    assert shown == file.split("\n", 1)[1]
    assert systems.system(root / "examples/own-system/system.yaml").name == "own-register"
